/* Drawing the inputs of a case; see problem.h. */
#include "tests/conformance/problem.h"

#include "runtime/base/alloc.h"
#include "tests/conformance/blocks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *must_alloc(size_t n, size_t size)
{
    void *p = drift_alloc(DRIFT_TAG_BASE, n, size);
    if (!p) {
        fprintf(stderr, "out of memory\n");
        exit(70);
    }
    return p;
}

static void make_table(struct conf_table *t, struct rng *rng, enum drift_dtype dtype,
                       uint32_t n_rows, uint32_t n_cols)
{
    uint64_t row_bytes = 0;
    size_t n = (size_t)n_rows * n_cols;
    DRIFT_ASSERT(drift_dtype_row_bytes(dtype, n_cols, &row_bytes));
    *t = (struct conf_table){dtype, n_rows, n_cols, must_alloc(n_rows, row_bytes),
                             must_alloc(n, sizeof(double))};
    random_weights(rng, dtype, n, t->bytes, t->values);
}

/* F32 values in [low, high). */
static void make_values(struct conf_table *t, struct rng *rng, uint32_t n_rows, uint32_t n_cols,
                        double low, double high)
{
    make_table(t, rng, DRIFT_DTYPE_F32, n_rows, n_cols);
    for (size_t i = 0; i < (size_t)n_rows * n_cols; i++) {
        float x = (float)rng_uniform(rng, low, high);
        memcpy(t->bytes + 4 * i, &x, sizeof x);
        t->values[i] = x;
    }
}

static void make_weights(struct conf_problem *p, struct rng *rng)
{
    const struct conf_case *c = p->c;
    switch (c->kind) {
    case DRIFT_OP_EMBED:
        make_table(&p->weight, rng, c->dtype, p->n_tokens + 3, c->n_cols);
        break;
    case DRIFT_OP_MATMUL:
        make_table(&p->weight, rng, c->dtype, c->n_out, c->n_cols);
        if (c->has_bias)
            make_values(&p->bias, rng, 1, c->n_out, -1.0, 1.0);
        break;
    case DRIFT_OP_RMS_NORM:
        make_values(&p->weight, rng, 1, c->attr.attr.norm.group, -2.0, 2.0);
        break;
    case DRIFT_OP_ROPE:
        make_values(&p->weight, rng, 1, c->attr.attr.rope.n_rot / 2, 0.0, 1.0);
        break;
    default:
        break;
    }
}

/* One sequence unless the op has a cache; positions with gaps, so that they are no row numbers. */
static void place_tokens(struct conf_problem *p)
{
    const struct conf_case *c = p->c;
    bool has_cache = c->kind == DRIFT_OP_ATTENTION;
    uint32_t most = has_cache ? c->n_sequences : 1;
    p->n_sequences = p->n_tokens < most ? p->n_tokens : most;
    for (uint32_t t = 0, s = 0, first = 0; t < p->n_tokens; t++) {
        if (t == (s + 1) * p->n_tokens / p->n_sequences) {
            first = t;
            s++;
        }
        p->sequences[t] = (int32_t)s;
        p->positions[t] = has_cache ? (int32_t)(c->context + t - first) : (int32_t)(3 + 5 * t);
        p->rows[t] = has_cache ? (int32_t)(s * p->sequence_rows) + p->positions[t] : (int32_t)t;
    }
}

struct conf_problem *conf_problem_create(const struct conf_case *c, uint32_t n_tokens,
                                         bool float_activations)
{
    struct conf_problem *p = must_alloc(1, sizeof *p);
    struct rng rng = {(uint64_t)(c - conf_cases) * 1000003u + n_tokens};
    p->c = c;
    p->n_tokens = n_tokens;
    p->float_activations = float_activations;
    p->n_out_cols = c->kind == DRIFT_OP_MATMUL ? c->n_out : c->n_cols;
    p->rows = must_alloc(n_tokens, sizeof *p->rows);
    p->positions = must_alloc(n_tokens, sizeof *p->positions);
    p->sequences = must_alloc(n_tokens, sizeof *p->sequences);
    p->sequence_rows = c->context + n_tokens;
    make_weights(p, &rng);
    place_tokens(p);
    if (c->kind == DRIFT_OP_ATTENTION) {
        uint32_t n_rows = p->sequence_rows * p->n_sequences;
        uint32_t kv_cols = c->attr.attr.attention.n_kv_heads * c->attr.attr.attention.head_dim;
        make_values(&p->source[0], &rng, n_rows, c->n_cols, -3.0, 3.0);
        make_values(&p->source[1], &rng, n_rows, kv_cols, -3.0, 3.0);
        make_values(&p->source[2], &rng, n_rows, kv_cols, -3.0, 3.0);
        p->n_sources = 3;
    } else if (c->kind != DRIFT_OP_EMBED) {
        bool is_binary =
            c->kind == DRIFT_OP_ADD || c->kind == DRIFT_OP_MUL || c->kind == DRIFT_OP_GLU;
        p->n_sources = is_binary ? 2 : 1;
        for (uint32_t i = 0; i < p->n_sources; i++)
            make_values(&p->source[i], &rng, n_tokens, c->n_cols, -6.0, 6.0);
    }
    p->expected = must_alloc((size_t)n_tokens * p->n_out_cols, sizeof(double));
    p->bound = must_alloc((size_t)n_tokens * p->n_out_cols, sizeof(double));
    conf_reference(p);
    return p;
}

static void free_table(struct conf_table *t)
{
    drift_free(t->bytes);
    drift_free(t->values);
}

void conf_problem_destroy(struct conf_problem *p)
{
    for (int i = 0; i < 3; i++)
        free_table(&p->source[i]);
    free_table(&p->weight);
    free_table(&p->bias);
    drift_free(p->rows);
    drift_free(p->positions);
    drift_free(p->sequences);
    drift_free(p->expected);
    drift_free(p->bound);
    drift_free(p);
}
