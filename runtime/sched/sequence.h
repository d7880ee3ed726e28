/*
 * One choice of a request while it runs: its tokens, its pages, its sampler and its text. Thread: engine.
 *
 *     WAITING -> PREFILL -> DECODE -> ENDING -> ENDED
 *
 * A request's first sequence prefills; the others wait for it, then take its full prompt pages by reference and compute
 * the rest of the prompt themselves. ENDING has given its pages back and still has text for a slow reader.
 */
#ifndef DRIFT_RUNTIME_SCHED_SEQUENCE_H
#define DRIFT_RUNTIME_SCHED_SEQUENCE_H

#include "runtime/kv/pages.h"
#include "runtime/sample/sampler.h"
#include "runtime/sched/request.h"

enum drift_sequence_phase {
    DRIFT_SEQUENCE_WAITING,
    DRIFT_SEQUENCE_PREFILL,
    DRIFT_SEQUENCE_DECODE,
    DRIFT_SEQUENCE_ENDING,
    DRIFT_SEQUENCE_ENDED,
    DRIFT_SEQUENCE_PHASE_COUNT
};

struct drift_sequence {
    struct drift_request *request;
    uint32_t choice;
    enum drift_sequence_phase phase;
    bool in_flight; /* part of the batch the device works on: its pages must stay */
    int32_t *tokens; /* [n_tokens], prompt then generated; room for all that may come */
    uint32_t n_tokens, n_past; /* n_past of them have K and V in the cache */
    uint32_t n_generated;
    int32_t *pages; /* [n_pages] */
    uint32_t n_pages, n_promised;
    struct drift_sampler *sampler;
    struct drift_text text;
    enum drift_finish finish;
    uint64_t last_token_ns;
};

/* Pages that n_choices sequences of these lengths take at most, shared prompt pages counted once. */
uint64_t drift_sequences_pages(uint32_t n_prompt, uint32_t max_tokens, uint32_t n_choices);

/*
 * Make the request's sequences, whose pages the caller has promised in pool. Errors: NO_MEMORY, INVALID (sampling
 * parameters that do not fit the vocabulary); the promise is then still the caller's.
 */
enum drift_status drift_sequences_create(struct drift_request *request, struct drift_error *err) DRIFT_MUST_USE;
/* Free the request's sequences; those that hold pages give them back. */
void drift_sequences_destroy(struct drift_request *request, struct drift_kv_pool *pool);

/* Make the cache rows [n_past, n_past + n) exist. */
void drift_sequence_extend(struct drift_sequence *s, struct drift_kv_pool *pool, uint32_t n);
/* Cache row of a position. */
int32_t drift_sequence_slot(const struct drift_sequence *s, uint32_t position);
/* The first sequence has its prompt in the cache: let the others start from its full pages. */
void drift_sequences_fork(struct drift_request *request, struct drift_kv_pool *pool);
/* Give pages and promise back. */
void drift_sequence_release_pages(struct drift_sequence *s, struct drift_kv_pool *pool);

/* Free ring slots beyond those that the request's last events need; 0 stalls it until its reader catches up. */
uint32_t drift_sequence_room(struct drift_sequence *s);
/* Write a TOKEN event (token -1 for text alone) with as much certain text as it holds. There is room. */
void drift_sequence_emit(struct drift_sequence *s, const struct drift_event *prototype);
/* End the text, give the pages back and say why; drain writes the last events. */
void drift_sequence_end(struct drift_sequence *s, struct drift_kv_pool *pool, enum drift_finish finish);
/* ENDING: write what text is left as room allows, then FINISHED. True when it is ENDED. */
bool drift_sequence_drain(struct drift_sequence *s);

#endif
