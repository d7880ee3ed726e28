/*
 * Rotary frequencies on the host: what a model's scaling makes of base^(-2i / n_rot).
 *
 * Linear: every frequency divided by the factor. YaRN (arXiv 2309.00071): fast pairs as they are,
 * slow ones divided, a ramp between, and a magnitude for cos and sin. Llama 3: divisors per pair,
 * from the file.
 */
#ifndef DRIFT_RUNTIME_MODEL_ROPE_H
#define DRIFT_RUNTIME_MODEL_ROPE_H

#include "runtime/model/hparams.h"

/*
 * Write the n_rot / 2 frequencies into inv_freq and the factor for cos and sin into *ret_magnitude.
 * divisors [n_rot / 2] may be NULL. Thread: any.
 */
void drift_rope_frequencies(const struct drift_rope_hparams *rope, uint32_t n_rot,
                            const float *divisors, float *inv_freq, float *ret_magnitude);

#endif
