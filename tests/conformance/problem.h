/*
 * A case made concrete for some number of tokens: its random inputs, and what the result must be
 * within which bound.
 */
#ifndef DRIFT_TESTS_CONFORMANCE_PROBLEM_H
#define DRIFT_TESTS_CONFORMANCE_PROBLEM_H

#include "tests/conformance/cases.h"

#include <stdint.h>

/* A constant: the bytes a backend gets and the values they stand for. */
struct conf_table {
    enum drift_dtype dtype;
    uint32_t n_rows, n_cols;
    uint8_t *bytes;
    double *values; /* [n_rows, n_cols] */
};

struct conf_problem {
    const struct conf_case *c;
    uint32_t n_tokens, n_out_cols;
    bool float_activations;
    /*
     * Sources of activations, F32, one row per token; ATTENTION has q, k, v with rows for every
     * position of every sequence, sequence after sequence.
     */
    struct conf_table source[3];
    uint32_t n_sources;
    struct conf_table weight; /* EMBED MATMUL RMS_NORM ROPE; no rows otherwise */
    struct conf_table bias;
    int32_t *rows;      /* [n_tokens] row of source (for EMBED: of weight) */
    int32_t *positions; /* [n_tokens] */
    int32_t *sequences; /* [n_tokens] */
    uint32_t n_sequences;
    uint32_t sequence_rows; /* ATTENTION: rows of source per sequence */
    double *expected;       /* [n_tokens, n_out_cols] */
    double *bound;          /* allowed absolute difference, the same shape */
};

/* float_activations: the device promises not to quantize them. Exits the program when memory is
 * short. */
struct conf_problem *conf_problem_create(const struct conf_case *c, uint32_t n_tokens,
                                         bool float_activations);
void conf_problem_destroy(struct conf_problem *p);

/* Fill expected and bound in double precision; reference.c. */
void conf_reference(struct conf_problem *p);

#endif
