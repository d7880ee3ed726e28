/*
 * Random weights in every data type, with the values they stand for.
 *
 * An encoder of its own, written from the published layouts and independent of the backends'
 * decoders: each block's fields are drawn first, then stored as bytes and multiplied out in double
 * precision.
 */
#ifndef DRIFT_TESTS_CONFORMANCE_BLOCKS_H
#define DRIFT_TESTS_CONFORMANCE_BLOCKS_H

#include "runtime/base/dtype.h"

#include <stddef.h>

struct rng {
    uint64_t state;
};

uint32_t rng_next(struct rng *rng);
/* Uniform in [low, high). */
double rng_uniform(struct rng *rng, double low, double high);

/* The nearest f16, ties to even, as bits and as value. */
uint16_t half_bits(double value);
double half_value(uint16_t bits);

/*
 * Fill rows (n values, whole blocks, about as large as a trained weight's) and the values they
 * encode. bytes has room for drift_dtype_row_bytes(dtype, n).
 */
void random_weights(struct rng *rng, enum drift_dtype dtype, size_t n, uint8_t *bytes,
                    double *values);

#endif
