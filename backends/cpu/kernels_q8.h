/*
 * Matmul of packed weights with quantized activations, around the integer dot products of one
 * level.
 *
 * The including kernels_*.c defines block_dots: for one block of 32 columns and n_tokens tokens,
 * the exact integer sums of (q_w - offset) * q_x per row, with Q6_K's sub-scales multiplied in.
 * Here each block is added to the row's float sum in column order: sum += dot * (d_w d_x), then the
 * minimum's part: sum += m * (d_x sum of q_x).
 */
#ifndef DRIFT_BACKENDS_CPU_KERNELS_Q8_H
#define DRIFT_BACKENDS_CPU_KERNELS_Q8_H

#include "backends/cpu/kernels_float.h"

/* The float factors of a block's 16 rows. */
struct block_scales {
    struct vf scale, min;
};

ALWAYS_INLINE bool has_min(enum drift_dtype dtype)
{
    return dtype == DRIFT_DTYPE_Q4_1 || dtype == DRIFT_DTYPE_Q5_1 || dtype == DRIFT_DTYPE_Q4_K ||
           dtype == DRIFT_DTYPE_Q5_K;
}

ALWAYS_INLINE struct block_scales load_scales(const uint8_t *scales, const uint8_t *supers,
                                              enum drift_dtype dtype)
{
    struct block_scales s = {.min = vf_set(0.0f)};
    const uint16_t *half = (const uint16_t *)(const void *)scales;
    const uint16_t *super = (const uint16_t *)(const void *)supers;
    switch (dtype) {
    case DRIFT_DTYPE_Q4_K:
    case DRIFT_DTYPE_Q5_K:
        s.scale = vf_mul(vf_load_f16(super), vf_load_u8(scales));
        s.min = vf_sub(vf_set(0.0f), vf_mul(vf_load_f16(super + 16), vf_load_u8(scales + 16)));
        break;
    case DRIFT_DTYPE_Q6_K:
        s.scale = vf_load_f16(super);
        break;
    case DRIFT_DTYPE_Q4_1:
    case DRIFT_DTYPE_Q5_1:
        s.min = vf_load_f16(half + 16);
        s.scale = vf_load_f16(half);
        break;
    default:
        s.scale = vf_load_f16(half);
        break;
    }
    return s;
}

/* How far ahead of its use a weight is asked for: some hundred nanoseconds at a core's share of the
 * memory. */
#define FETCH_AHEAD_BYTES 16384u

/*
 * Ask for the part of the weights that is read FETCH_AHEAD_BYTES after block b of a group. The
 * areas of a group are several short streams, too short for the processor to follow; in memory
 * order they are one.
 */
ALWAYS_INLINE void fetch_ahead(const uint8_t *group, size_t block_bytes, uint32_t b)
{
    const uint8_t *p = group + b * block_bytes + FETCH_AHEAD_BYTES;
    for (size_t i = 0; i < block_bytes; i += 64)
        __builtin_prefetch(p + i);
}

/* One group for n_tokens tokens from token on. is_first: nobody has read the group before. */
ALWAYS_INLINE void q8_tile(const struct drift_cpu_matmul *m, uint32_t group, uint32_t token,
                           const uint32_t n_tokens, enum drift_dtype dtype, bool is_first)
{
    const struct drift_cpu_format f = *drift_cpu_format(dtype);
    const uint32_t n_cols = m->w->n_cols, n_blocks = n_cols / DRIFT_CPU_BLOCK;
    const uint8_t *quants = m->w->groups + group * m->w->group_bytes;
    const uint8_t *scales = quants + m->w->scales_at;
    const uint8_t *supers = quants + m->w->supers_at;
    const int8_t *q = m->q + (size_t)token * n_cols;
    const struct drift_cpu_q8_meta *meta = m->meta + (size_t)token * n_blocks;
    const uint8_t *begin = quants;
    const size_t block_bytes = m->w->group_bytes / n_blocks;
    struct vf sum[VF_MAX_ROWS];
    for (uint32_t t = 0; t < n_tokens; t++)
        sum[t] = vf_set(0.0f);
    for (uint32_t b = 0; b < n_blocks; b++) {
        if (is_first)
            fetch_ahead(begin, block_bytes, b);
        struct block_scales s = load_scales(scales, supers, dtype);
        struct vf dots[VF_MAX_ROWS];
        block_dots(quants, scales, q, meta, n_cols, n_tokens, dtype, dots);
        for (uint32_t t = 0; t < n_tokens; t++) {
            const struct drift_cpu_q8_meta *mt = meta + (size_t)t * n_blocks;
            sum[t] = vf_fma(dots[t], vf_mul(s.scale, vf_set(mt->scale)), sum[t]);
            if (has_min(dtype))
                sum[t] = vf_fma(s.min, vf_set(mt->sum), sum[t]);
        }
        quants += f.quant_bytes;
        scales += f.scale_bytes;
        supers += b % 8 == 7 ? f.super_bytes : 0;
        q += DRIFT_CPU_BLOCK;
        meta++;
    }
    for (uint32_t t = 0; t < n_tokens; t++)
        store_result(m, group, token + t, sum[t]);
}

ALWAYS_INLINE void q8_matmul(const struct drift_cpu_matmul *m, uint32_t group_begin,
                             uint32_t group_end, uint32_t token_begin, uint32_t token_end,
                             enum drift_dtype dtype)
{
    for (uint32_t g = group_begin; g < group_end; g++) {
        uint32_t t = token_begin;
        for (; t + VF_MAX_ROWS <= token_end; t += VF_MAX_ROWS)
            q8_tile(m, g, t, VF_MAX_ROWS, dtype, t == token_begin);
        for (; t + 2 <= token_end; t += 2)
            q8_tile(m, g, t, 2, dtype, t == token_begin);
        if (t < token_end)
            q8_tile(m, g, t, 1, dtype, t == token_begin);
    }
}

#define Q8_MATMUL(type)                                                                            \
    static void matmul_q8_##type(const struct drift_cpu_matmul *m, uint32_t group_begin,           \
                                 uint32_t group_end, uint32_t token_begin, uint32_t token_end)     \
    {                                                                                              \
        q8_matmul(m, group_begin, group_end, token_begin, token_end, DRIFT_DTYPE_##type);          \
    }
Q8_MATMUL(Q4_0)
Q8_MATMUL(Q4_1)
Q8_MATMUL(Q5_0)
Q8_MATMUL(Q5_1)
Q8_MATMUL(Q8_0)
Q8_MATMUL(Q4_K)
Q8_MATMUL(Q5_K)
Q8_MATMUL(Q6_K)

#endif
