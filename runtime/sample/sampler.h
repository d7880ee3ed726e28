/*
 * From logits to a token: one sampler per sequence, one scratch space per engine thread.
 *
 * Order: logit_bias and penalties, temperature, top_k, typical_p, top_p, min_p, draw. Ties are broken towards the
 * lower token id, and the draw walks the survivors in order of token id, so that a small difference in a logit moves the
 * outcome only if it moves a boundary. Nothing is allocated after creation.
 */
#ifndef DRIFT_RUNTIME_SAMPLE_SAMPLER_H
#define DRIFT_RUNTIME_SAMPLE_SAMPLER_H

#include "runtime/base/error.h"
#include "runtime/sample/params.h"

#include <stddef.h>

struct drift_sampler;
struct drift_sampler_scratch;

/* Working space for vocabularies up to n_vocab tokens, shared by all samplers of one thread. Errors: NO_MEMORY. */
enum drift_status drift_sampler_scratch_create(uint32_t n_vocab,
                                               struct drift_sampler_scratch **ret_scratch,
                                               struct drift_error *err) DRIFT_MUST_USE;
void drift_sampler_scratch_destroy(struct drift_sampler_scratch *scratch);

/*
 * params are copied (logit_bias included). prompt is borrowed for the call; max_generated bounds later accepts.
 * seed and stream name the random numbers (rng.h). Errors: INVALID (a bias for a token outside the vocabulary), NO_MEMORY.
 */
enum drift_status drift_sampler_create(const struct drift_sampling *params, uint64_t seed,
                                       uint32_t stream, uint32_t n_vocab, const int32_t *prompt,
                                       size_t n_prompt, size_t max_generated,
                                       struct drift_sampler **ret_sampler,
                                       struct drift_error *err) DRIFT_MUST_USE;
void drift_sampler_destroy(struct drift_sampler *sampler);

/*
 * Choose the next token from logits [n_vocab], which are left as they are. Not-a-number logits count as minus infinity;
 * if nothing else is left the lowest id is returned.
 */
int32_t drift_sampler_choose(struct drift_sampler *sampler, struct drift_sampler_scratch *scratch,
                             const float *logits);
/* Tell the sampler which token was taken (its penalties and random numbers move on). */
void drift_sampler_accept(struct drift_sampler *sampler, int32_t token);

/* Log-probability of token under softmax(logits), and the n_top most probable tokens in descending order. */
float drift_logprobs(const float *logits, uint32_t n_vocab, int32_t token, uint32_t n_top,
                     int32_t *ret_top_tokens, float *ret_top_logprobs);

#endif
