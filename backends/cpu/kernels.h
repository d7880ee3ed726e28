/*
 * The kernels of one instruction-set level, as a table of functions; and the shapes they work on.
 *
 * Every kernel computes whole rows (or whole groups of 16 output rows) with an order of operations
 * that follows from the columns alone, so splitting work among threads, batches and stages never
 * changes a bit of the result. The tables differ in speed and in fused multiply-adds; integer parts
 * are the same everywhere.
 */
#ifndef DRIFT_BACKENDS_CPU_KERNELS_H
#define DRIFT_BACKENDS_CPU_KERNELS_H

#include "backends/plan.h"

#include <stddef.h>

/* Output rows that lie interleaved in a packed weight. */
#define DRIFT_CPU_GROUP_ROWS 16u
/* Columns that share one activation scale. */
#define DRIFT_CPU_BLOCK 32u

/* What goes with 32 activations quantized to q = round(x / scale), -127 ... 127. */
struct drift_cpu_q8_meta {
    float scale;
    float sum;       /* scale * sum of q */
    int32_t neg_sum; /* -(sum of q) */
    int32_t neg_lo;  /* the same over the first 16 ... */
    int32_t neg_hi;  /* ... and the last 16 */
};

/* A matmul's packed weight; layout in packing.h. */
struct drift_cpu_packed {
    const uint8_t *groups;
    size_t group_bytes;
    size_t scales_at, supers_at; /* within a group */
    uint32_t n_rows, n_cols;
};

struct drift_cpu_matmul {
    const struct drift_cpu_packed *w;
    const float *bias;                    /* [n_rows] or NULL */
    const float *x;                       /* [n_tokens, n_cols] */
    const int8_t *q;                      /* x quantized, [n_tokens, n_cols] */
    const struct drift_cpu_q8_meta *meta; /* [n_tokens, n_cols / 32] */
    float *dst;                           /* [n_tokens, n_rows] */
};

/* Compute rows [16 group_begin, 16 group_end) of the result for tokens [token_begin, token_end). */
typedef void (*drift_cpu_matmul_fn)(const struct drift_cpu_matmul *m, uint32_t group_begin,
                                    uint32_t group_end, uint32_t token_begin, uint32_t token_end);

/*
 * One layer of a cache. K: [page, kv_head, tile, head_dim, 16 positions], so that lanes are
 * positions; V: [page, kv_head, position, dim_stride], so that lanes are channels. Elements are f16
 * or f32.
 */
struct drift_cpu_kv_layer {
    void *k, *v;
    bool is_f16;
    uint32_t n_kv_heads, head_dim, page_tokens;
    uint32_t page_tiles; /* page_tokens / 16, rounded up */
    uint32_t dim_stride; /* head_dim rounded up to 16 */
};

struct drift_cpu_attention {
    struct drift_cpu_kv_layer kv;
    const float *q; /* [n_tokens, n_heads * head_dim] */
    float *dst;     /* the same shape */
    const int32_t *positions;
    const int32_t *sequences;
    const int32_t *page_table;
    uint32_t max_pages;
    uint32_t n_heads;
    uint32_t window;
    float scale, softcap;
};

struct drift_cpu_kernels {
    const char *name;
    /* n_cols is a multiple of 32 */
    void (*quantize)(const float *x, uint32_t n_cols, int8_t *q, struct drift_cpu_q8_meta *meta);
    drift_cpu_matmul_fn matmul_q8[DRIFT_DTYPE_COUNT];  /* from q and meta; NULL for plain types */
    drift_cpu_matmul_fn matmul_f32[DRIFT_DTYPE_COUNT]; /* from x */
    void (*rms_norm)(float *dst, const float *x, const float *weight, uint32_t n, float eps);
    void (*add)(float *dst, const float *a, const float *b, uint32_t n);
    void (*mul)(float *dst, const float *a, const float *b, uint32_t n);
    void (*scale)(float *dst, const float *x, uint32_t n, float factor);
    void (*softcap)(float *dst, const float *x, uint32_t n, float cap);
    void (*activate[DRIFT_ACTIVATION_COUNT])(float *dst, const float *x, uint32_t n);
    void (*glu[DRIFT_ACTIVATION_COUNT])(float *dst, const float *gate, const float *up, uint32_t n);
    /* cos_sin: n_rot / 2 cosines, then as many sines, times magnitude */
    void (*rope[DRIFT_ROPE_COUNT])(float *dst, const float *x, const float *cos_sin,
                                   uint32_t n_heads, uint32_t head_dim, uint32_t n_rot);
    /* Put one token's K and V into its slot; values beyond f16 become its largest. */
    void (*cache_write)(const struct drift_cpu_kv_layer *kv, uint32_t slot, const float *k,
                        const float *v);
    /* All query heads of one kv head, for tokens of one sequence. */
    void (*attention)(const struct drift_cpu_attention *a, uint32_t kv_head, uint32_t token_begin,
                      uint32_t token_end);
};

extern const struct drift_cpu_kernels drift_cpu_kernels_portable;
extern const struct drift_cpu_kernels drift_cpu_kernels_avx2;
extern const struct drift_cpu_kernels drift_cpu_kernels_avx512;

#endif
