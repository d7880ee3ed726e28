/*
 * The floating-point kernels, written once over struct vf; each kernels_*.c includes this after its
 * simd_*.h.
 *
 * Everything is static: the including file puts the functions into its table. Numerics: exp has a
 * relative error below 2e-7 on its range; sums run over 16 lanes in column order and fold at the
 * end.
 */
#ifndef DRIFT_BACKENDS_CPU_KERNELS_FLOAT_H
#define DRIFT_BACKENDS_CPU_KERNELS_FLOAT_H

#include "backends/cpu/kernels.h"
#include "backends/cpu/packing.h"

#include <math.h>

#ifndef ALWAYS_INLINE /* CMake sets it in sanitizer builds */
#define ALWAYS_INLINE static inline __attribute__((always_inline))
#endif

/* exp by 2^n * e^r with |r| <= ln(2) / 2 and Taylor's series to r^7; 0 below -87, e^88 above 88,
 * NaN stays. */
ALWAYS_INLINE struct vf vf_exp(struct vf x)
{
    const struct vf low = vf_set(-87.0f);
    struct vf c = vf_min(vf_set(88.0f), vf_max(low, x));
    struct vf shifted = vf_add(vf_mul(c, vf_set(0x1.715476p+0f)), vf_set(0x1.8p23f));
    struct vf n = vf_sub(shifted, vf_set(0x1.8p23f));
    /* ln(2) in two parts, the first with few enough bits that n * part is exact */
    struct vf r = vf_sub(c, vf_mul(n, vf_set(0x1.62e400p-1f)));
    r = vf_sub(r, vf_mul(n, vf_set(0x1.7f7d1cp-20f)));
    struct vf p = vf_set(1.0f / 5040.0f);
    p = vf_fma(p, r, vf_set(1.0f / 720.0f));
    p = vf_fma(p, r, vf_set(1.0f / 120.0f));
    p = vf_fma(p, r, vf_set(1.0f / 24.0f));
    p = vf_fma(p, r, vf_set(1.0f / 6.0f));
    p = vf_fma(p, r, vf_set(0.5f));
    p = vf_fma(p, r, vf_set(1.0f));
    p = vf_fma(p, r, vf_set(1.0f));
    return vf_select_lt(x, low, vf_set(0.0f), vf_mul(p, vf_pow2_of_shifted(shifted)));
}

/* x / (1 + exp(-scaled)) */
ALWAYS_INLINE struct vf vf_gate(struct vf x, struct vf scaled)
{
    struct vf e = vf_exp(vf_sub(vf_set(0.0f), scaled));
    return vf_div(x, vf_add(vf_set(1.0f), e));
}

ALWAYS_INLINE struct vf vf_silu(struct vf x)
{
    return vf_gate(x, x);
}

/* 0.5 x (1 + tanh(u)) = x / (1 + exp(-2u)) */
ALWAYS_INLINE struct vf vf_gelu_tanh(struct vf x)
{
    const float two_root = 1.5957691216057308f; /* 2 sqrt(2 / pi) */
    struct vf x2 = vf_mul(x, x);
    struct vf u = vf_mul(x, vf_fma(x2, vf_set(0.044715f), vf_set(1.0f)));
    return vf_gate(x, vf_mul(u, vf_set(two_root)));
}

/* By exp, and by the odd series where that would cancel. */
ALWAYS_INLINE struct vf vf_tanh(struct vf x)
{
    struct vf e = vf_exp(vf_add(x, x));
    struct vf big = vf_sub(vf_set(1.0f), vf_div(vf_set(2.0f), vf_add(e, vf_set(1.0f))));
    struct vf x2 = vf_mul(x, x);
    struct vf p = vf_set(62.0f / 2835.0f);
    p = vf_fma(p, x2, vf_set(-17.0f / 315.0f));
    p = vf_fma(p, x2, vf_set(2.0f / 15.0f));
    p = vf_fma(p, x2, vf_set(-1.0f / 3.0f));
    struct vf small = vf_fma(vf_mul(p, x2), x, x);
    return vf_select_lt(vf_abs(x), vf_set(0.25f), small, big);
}

static void float_quantize(const float *x, uint32_t n_cols, int8_t *q,
                           struct drift_cpu_q8_meta *meta)
{
    for (uint32_t i = 0; i < n_cols / DRIFT_CPU_BLOCK; i++, x += 32, q += 32) {
        struct vf a = vf_load(x), b = vf_load(x + 16);
        float max = vf_max_lane(vf_max(vf_abs(a), vf_abs(b)));
        float inverse = max > 0.0f ? 127.0f / max : 0.0f;
        const struct vf top = vf_set(127.0f), bottom = vf_set(-127.0f);
        vf_store_i8(q, vf_min(vf_max(vf_mul(a, vf_set(inverse)), bottom), top));
        vf_store_i8(q + 16, vf_min(vf_max(vf_mul(b, vf_set(inverse)), bottom), top));
        int32_t lo = 0, hi = 0;
        for (int j = 0; j < 16; j++) {
            lo += q[j];
            hi += q[j + 16];
        }
        meta[i].scale = max / 127.0f;
        meta[i].sum = meta[i].scale * (float)(lo + hi);
        meta[i].neg_sum = -(lo + hi);
        meta[i].neg_lo = -lo;
        meta[i].neg_hi = -hi;
    }
}

static void float_rms_norm(float *dst, const float *x, const float *weight, uint32_t n, float eps)
{
    struct vf sum = vf_set(0.0f);
    uint32_t whole = n & ~15u, i;
    for (i = 0; i < whole; i += 16) {
        struct vf v = vf_load(x + i);
        sum = vf_fma(v, v, sum);
    }
    if (i < n) {
        struct vf v = vf_load_n(x + i, n - i);
        sum = vf_fma(v, v, sum);
    }
    struct vf factor = vf_set(1.0f / sqrtf(vf_sum(sum) / (float)n + eps));
    for (i = 0; i < whole; i += 16)
        vf_store(dst + i, vf_mul(vf_mul(vf_load(x + i), factor), vf_load(weight + i)));
    if (i < n)
        vf_store_n(dst + i,
                   vf_mul(vf_mul(vf_load_n(x + i, n - i), factor), vf_load_n(weight + i, n - i)),
                   n - i);
}

/* Elementwise kernels: expr over struct vf a (and b). */
#define FLOAT_UNARY(name, params, expr)                                                            \
    static void name(float *dst, const float *x, uint32_t n params)                                \
    {                                                                                              \
        uint32_t i = 0;                                                                            \
        for (; i + 16 <= n; i += 16) {                                                             \
            struct vf a = vf_load(x + i);                                                          \
            vf_store(dst + i, expr);                                                               \
        }                                                                                          \
        if (i < n) {                                                                               \
            struct vf a = vf_load_n(x + i, n - i);                                                 \
            vf_store_n(dst + i, expr, n - i);                                                      \
        }                                                                                          \
    }
#define FLOAT_BINARY(name, expr)                                                                   \
    static void name(float *dst, const float *x, const float *y, uint32_t n)                       \
    {                                                                                              \
        uint32_t i = 0;                                                                            \
        for (; i + 16 <= n; i += 16) {                                                             \
            struct vf a = vf_load(x + i), b = vf_load(y + i);                                      \
            vf_store(dst + i, expr);                                                               \
        }                                                                                          \
        if (i < n) {                                                                               \
            struct vf a = vf_load_n(x + i, n - i), b = vf_load_n(y + i, n - i);                    \
            vf_store_n(dst + i, expr, n - i);                                                      \
        }                                                                                          \
    }
#define FLOAT_PARAM(param) , float param

FLOAT_BINARY(float_add, vf_add(a, b))
FLOAT_BINARY(float_mul, vf_mul(a, b))
FLOAT_BINARY(float_glu_silu, vf_mul(vf_silu(a), b))
FLOAT_BINARY(float_glu_gelu_tanh, vf_mul(vf_gelu_tanh(a), b))
FLOAT_UNARY(float_silu, , vf_silu(a))
FLOAT_UNARY(float_gelu_tanh, , vf_gelu_tanh(a))
FLOAT_UNARY(float_scale, FLOAT_PARAM(factor), vf_mul(a, vf_set(factor)))
FLOAT_UNARY(float_softcap, FLOAT_PARAM(cap), vf_mul(vf_tanh(vf_div(a, vf_set(cap))), vf_set(cap)))

static void float_rope_halves(float *dst, const float *x, const float *cos_sin, uint32_t n_heads,
                              uint32_t head_dim, uint32_t n_rot)
{
    uint32_t half = n_rot / 2;
    for (uint32_t h = 0; h < n_heads; h++, x += head_dim, dst += head_dim) {
        for (uint32_t i = 0; i < half; i += 16) {
            uint32_t n = half - i < 16 ? half - i : 16;
            struct vf c = vf_load_n(cos_sin + i, n), s = vf_load_n(cos_sin + half + i, n);
            struct vf a = vf_load_n(x + i, n), b = vf_load_n(x + half + i, n);
            vf_store_n(dst + i, vf_sub(vf_mul(a, c), vf_mul(b, s)), n);
            vf_store_n(dst + half + i, vf_add(vf_mul(a, s), vf_mul(b, c)), n);
        }
        for (uint32_t i = n_rot; i < head_dim; i++)
            dst[i] = x[i];
    }
}

static void float_rope_adjacent(float *dst, const float *x, const float *cos_sin, uint32_t n_heads,
                                uint32_t head_dim, uint32_t n_rot)
{
    uint32_t half = n_rot / 2;
    for (uint32_t h = 0; h < n_heads; h++, x += head_dim, dst += head_dim) {
        for (uint32_t i = 0; i < half; i++) {
            float a = x[2 * i], b = x[2 * i + 1], c = cos_sin[i], s = cos_sin[half + i];
            dst[2 * i] = a * c - b * s;
            dst[2 * i + 1] = a * s + b * c;
        }
        for (uint32_t i = n_rot; i < head_dim; i++)
            dst[i] = x[i];
    }
}

/* Matmul over plain types: [group, column, 16 rows]; four partial sums by column mod 4, folded at
 * the end. */
ALWAYS_INLINE struct vf load_weights(const uint8_t *p, size_t i, enum drift_dtype dtype)
{
    if (dtype == DRIFT_DTYPE_F16)
        return vf_load_f16((const uint16_t *)(const void *)p + i);
    if (dtype == DRIFT_DTYPE_BF16)
        return vf_load_bf16((const uint16_t *)(const void *)p + i);
    return vf_load((const float *)(const void *)p + i);
}

ALWAYS_INLINE void store_result(const struct drift_cpu_matmul *m, uint32_t group, uint32_t token,
                                struct vf sum)
{
    uint32_t row = group * DRIFT_CPU_GROUP_ROWS;
    uint32_t n = m->w->n_rows - row;
    float *dst = m->dst + (size_t)token * m->w->n_rows + row;
    if (n >= DRIFT_CPU_GROUP_ROWS) {
        if (m->bias)
            sum = vf_add(sum, vf_load(m->bias + row));
        vf_store(dst, sum);
    } else {
        if (m->bias)
            sum = vf_add(sum, vf_load_n(m->bias + row, n));
        vf_store_n(dst, sum, n);
    }
}

ALWAYS_INLINE void plain_tile(const struct drift_cpu_matmul *m, const uint8_t *weights,
                              uint32_t group, uint32_t token, const uint32_t n_tokens,
                              enum drift_dtype dtype)
{
    const uint32_t n_cols = m->w->n_cols;
    const float *x = m->x + (size_t)token * n_cols;
    struct vf sum[4][VF_MAX_ROWS / 2];
    for (uint32_t j = 0; j < 4; j++)
        for (uint32_t t = 0; t < n_tokens; t++)
            sum[j][t] = vf_set(0.0f);
    uint32_t k = 0;
    for (; k + 4 <= n_cols; k += 4) {
        for (uint32_t j = 0; j < 4; j++) {
            struct vf w = load_weights(weights, (size_t)(k + j) * 16, dtype);
            for (uint32_t t = 0; t < n_tokens; t++)
                sum[j][t] = vf_fma(w, vf_set(x[(size_t)t * n_cols + k + j]), sum[j][t]);
        }
    }
    for (uint32_t j = 0; k + j < n_cols; j++) {
        struct vf w = load_weights(weights, (size_t)(k + j) * 16, dtype);
        for (uint32_t t = 0; t < n_tokens; t++)
            sum[j][t] = vf_fma(w, vf_set(x[(size_t)t * n_cols + k + j]), sum[j][t]);
    }
    for (uint32_t t = 0; t < n_tokens; t++)
        store_result(m, group, token + t,
                     vf_add(vf_add(sum[0][t], sum[1][t]), vf_add(sum[2][t], sum[3][t])));
}

ALWAYS_INLINE void plain_matmul(const struct drift_cpu_matmul *m, uint32_t group_begin,
                                uint32_t group_end, uint32_t token_begin, uint32_t token_end,
                                enum drift_dtype dtype)
{
    for (uint32_t g = group_begin; g < group_end; g++) {
        const uint8_t *weights = m->w->groups + g * m->w->group_bytes;
        uint32_t t = token_begin;
        for (; t + VF_MAX_ROWS / 2 <= token_end; t += VF_MAX_ROWS / 2)
            plain_tile(m, weights, g, t, VF_MAX_ROWS / 2, dtype);
        for (; t < token_end; t++)
            plain_tile(m, weights, g, t, 1, dtype);
    }
}

#define PLAIN_MATMUL(name, dtype)                                                                  \
    static void name(const struct drift_cpu_matmul *m, uint32_t group_begin, uint32_t group_end,   \
                     uint32_t token_begin, uint32_t token_end)                                     \
    {                                                                                              \
        plain_matmul(m, group_begin, group_end, token_begin, token_end, dtype);                    \
    }
PLAIN_MATMUL(matmul_f32_plain, DRIFT_DTYPE_F32)
PLAIN_MATMUL(matmul_f16_plain, DRIFT_DTYPE_F16)
PLAIN_MATMUL(matmul_bf16_plain, DRIFT_DTYPE_BF16)

#define EXACT_TOKENS 16u

/* Block-quantized weights times float activations: de-quantizes each block once per 16 tokens. For
 * references. */
static void exact_group(const struct drift_cpu_matmul *m, uint32_t group, uint32_t token_begin,
                        uint32_t n_tokens, enum drift_dtype dtype)
{
    struct vf sum[EXACT_TOKENS];
    for (uint32_t t = 0; t < n_tokens; t++)
        sum[t] = vf_set(0.0f);
    for (uint32_t b = 0; b < m->w->n_cols / DRIFT_CPU_BLOCK; b++) {
        float values[DRIFT_CPU_BLOCK][DRIFT_CPU_GROUP_ROWS];
        drift_cpu_unpack_block(m->w, dtype, group, b, values);
        for (uint32_t t = 0; t < n_tokens; t++) {
            const float *x = m->x + (size_t)(token_begin + t) * m->w->n_cols + b * DRIFT_CPU_BLOCK;
            for (uint32_t c = 0; c < DRIFT_CPU_BLOCK; c++)
                sum[t] = vf_fma(vf_load(values[c]), vf_set(x[c]), sum[t]);
        }
    }
    for (uint32_t t = 0; t < n_tokens; t++)
        store_result(m, group, token_begin + t, sum[t]);
}

ALWAYS_INLINE void exact_matmul(const struct drift_cpu_matmul *m, uint32_t group_begin,
                                uint32_t group_end, uint32_t token_begin, uint32_t token_end,
                                enum drift_dtype dtype)
{
    for (uint32_t g = group_begin; g < group_end; g++) {
        for (uint32_t t = token_begin; t < token_end; t += EXACT_TOKENS)
            exact_group(m, g, t, token_end - t < EXACT_TOKENS ? token_end - t : EXACT_TOKENS,
                        dtype);
    }
}

#define EXACT_MATMUL(type)                                                                         \
    static void matmul_f32_##type(const struct drift_cpu_matmul *m, uint32_t group_begin,          \
                                  uint32_t group_end, uint32_t token_begin, uint32_t token_end)    \
    {                                                                                              \
        exact_matmul(m, group_begin, group_end, token_begin, token_end, DRIFT_DTYPE_##type);       \
    }
EXACT_MATMUL(Q4_0)
EXACT_MATMUL(Q4_1)
EXACT_MATMUL(Q5_0)
EXACT_MATMUL(Q5_1)
EXACT_MATMUL(Q8_0)
EXACT_MATMUL(Q4_K)
EXACT_MATMUL(Q5_K)
EXACT_MATMUL(Q6_K)

#endif
