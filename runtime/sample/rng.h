/*
 * Random numbers by counter: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC11).
 *
 * Number n of a stream depends on (seed, stream, n) alone, so a sequence draws the same numbers on every backend,
 * in every batch, and again after it was preempted.
 */
#ifndef DRIFT_RUNTIME_SAMPLE_RNG_H
#define DRIFT_RUNTIME_SAMPLE_RNG_H

#include <stdint.h>

/* Uniform in [0, 1), a multiple of 2^-53. Thread: any. */
double drift_rng_uniform(uint64_t seed, uint32_t stream, uint64_t n);
/* The bare generator: out = Philox4x32-10(counter, key). For tests against the published vectors. */
void drift_rng_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

#endif
