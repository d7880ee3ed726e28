/*
 * Sixteen floats, in plain C: the vector type that kernels_float.h is written with.
 *
 * simd_avx2.h and simd_avx512.h define the same names. The sum over lanes has one order everywhere
 * (halves folded onto each other), and every function rounds each lane as IEEE says, so levels
 * differ only in fused multiply-adds.
 */
#ifndef DRIFT_BACKENDS_CPU_SIMD_PORTABLE_H
#define DRIFT_BACKENDS_CPU_SIMD_PORTABLE_H

#include "backends/cpu/dequant.h"

#include <string.h>

#define VF_LANES    16
#define VF_MAX_ROWS 4 /* rows of a register tile */
/* X for every row count up to it */
#define VF_ROW_CASES(X) X(1) X(2) X(3) X(4)

struct vf {
    float v[VF_LANES];
};

#define VF_MAP1(expr)                                                                              \
    do {                                                                                           \
        struct vf r;                                                                               \
        for (int i = 0; i < VF_LANES; i++)                                                         \
            r.v[i] = (expr);                                                                       \
        return r;                                                                                  \
    } while (0)

static inline struct vf vf_set(float x)
{
    VF_MAP1(x);
}

static inline struct vf vf_load(const float *p)
{
    struct vf r;
    memcpy(r.v, p, sizeof r.v);
    return r;
}

static inline void vf_store(float *p, struct vf a)
{
    memcpy(p, a.v, sizeof a.v);
}

/* n in 0 ... 16; lanes beyond are zero, resp. not written. */
static inline struct vf vf_load_n(const float *p, uint32_t n)
{
    struct vf r = {{0}};
    memcpy(r.v, p, n * sizeof(float));
    return r;
}

static inline void vf_store_n(float *p, struct vf a, uint32_t n)
{
    memcpy(p, a.v, n * sizeof(float));
}

static inline struct vf vf_load_f16(const uint16_t *p)
{
    VF_MAP1(drift_f16_to_f32(p[i]));
}

static inline void vf_store_f16(uint16_t *p, struct vf a)
{
    for (int i = 0; i < VF_LANES; i++)
        p[i] = drift_f32_to_f16(a.v[i]);
}

static inline struct vf vf_load_u8(const uint8_t *p)
{
    VF_MAP1((float)p[i]);
}

static inline struct vf vf_load_bf16(const uint16_t *p)
{
    VF_MAP1(drift_bf16_to_f32(p[i]));
}

static inline struct vf vf_add(struct vf a, struct vf b)
{
    VF_MAP1(a.v[i] + b.v[i]);
}

static inline struct vf vf_sub(struct vf a, struct vf b)
{
    VF_MAP1(a.v[i] - b.v[i]);
}

static inline struct vf vf_mul(struct vf a, struct vf b)
{
    VF_MAP1(a.v[i] * b.v[i]);
}

static inline struct vf vf_div(struct vf a, struct vf b)
{
    VF_MAP1(a.v[i] / b.v[i]);
}

/* a * b + c */
static inline struct vf vf_fma(struct vf a, struct vf b, struct vf c)
{
    VF_MAP1(a.v[i] * b.v[i] + c.v[i]);
}

/* b where the operands are unordered */
static inline struct vf vf_max(struct vf a, struct vf b)
{
    VF_MAP1(a.v[i] > b.v[i] ? a.v[i] : b.v[i]);
}

static inline struct vf vf_min(struct vf a, struct vf b)
{
    VF_MAP1(a.v[i] < b.v[i] ? a.v[i] : b.v[i]);
}

static inline struct vf vf_abs(struct vf a)
{
    VF_MAP1(__builtin_fabsf(a.v[i]));
}

/* a < b ? x : y */
static inline struct vf vf_select_lt(struct vf a, struct vf b, struct vf x, struct vf y)
{
    VF_MAP1(a.v[i] < b.v[i] ? x.v[i] : y.v[i]);
}

/* Lanes outside [first, end) become fill. */
static inline struct vf vf_keep_range(struct vf a, int first, int end, float fill)
{
    VF_MAP1(i >= first && i < end ? a.v[i] : fill);
}

/* 2^n, where a is 1.5 * 2^23 + n and n is in -126 ... 127. */
static inline struct vf vf_pow2_of_shifted(struct vf a)
{
    struct vf r;
    uint32_t bits[VF_LANES];
    memcpy(bits, a.v, sizeof bits);
    for (int i = 0; i < VF_LANES; i++)
        bits[i] = (bits[i] << 23) + 0x3f800000u;
    memcpy(r.v, bits, sizeof bits);
    return r;
}

static inline float vf_sum(struct vf a)
{
    for (int width = VF_LANES / 2; width > 0; width /= 2) {
        for (int i = 0; i < width; i++)
            a.v[i] += a.v[i + width];
    }
    return a.v[0];
}

static inline float vf_max_lane(struct vf a)
{
    float m = a.v[0];
    for (int i = 1; i < VF_LANES; i++)
        m = a.v[i] > m ? a.v[i] : m;
    return m;
}

/* Round to nearest even and store as bytes; lanes are within -127 ... 127. */
static inline void vf_store_i8(int8_t *p, struct vf a)
{
    uint32_t bits[VF_LANES];
    for (int i = 0; i < VF_LANES; i++)
        a.v[i] += 0x1.8p23f;
    memcpy(bits, a.v, sizeof bits);
    for (int i = 0; i < VF_LANES; i++)
        p[i] = (int8_t)(uint8_t)bits[i];
}

#endif
