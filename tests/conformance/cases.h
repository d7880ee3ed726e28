/*
 * What is tested: one table of ops, types and shapes. run.c knows how to set each op up,
 * reference.c what it means.
 */
#ifndef DRIFT_TESTS_CONFORMANCE_CASES_H
#define DRIFT_TESTS_CONFORMANCE_CASES_H

#include "backends/plan.h"

#include <stddef.h>

struct conf_case {
    const char *name;
    enum drift_op_kind kind; /* ATTENTION includes CACHE_WRITE */
    enum drift_dtype dtype;  /* of the table, the weight or the cache; F32 otherwise */
    uint32_t n_cols;         /* of the source; heads * head_dim */
    uint32_t n_out;          /* MATMUL: rows of the weight */
    bool has_bias;
    bool is_slow;
    struct drift_op attr; /* only .attr is used */
    uint32_t context;     /* ATTENTION: positions in the cache before the batch's tokens */
    uint32_t n_sequences; /* ATTENTION: tokens are spread over at most so many */
    uint32_t page_tokens; /* ATTENTION */
};

extern const struct conf_case conf_cases[];
extern const size_t conf_n_cases;

/* Numbers of tokens every case runs with; the thin stage takes those up to DRIFT_THIN_MAX_TOKENS.
 */
extern const uint32_t conf_token_counts[];
extern const size_t conf_n_token_counts;

#endif
