/*
 * Block layouts (all little-endian; d, m, dmin are f16):
 *
 *   Q4_0  d, q[16]                      byte i: element i low, element i + 16 high; (q - 8) d
 *   Q4_1  d, m, q[16]                   the same nibbles; q d + m
 *   Q5_0  d, h[4], q[16]                fifth bit of element i is bit i of h; (q - 16) d
 *   Q5_1  d, m, h[4], q[16]             q d + m
 *   Q8_0  d, q[32] signed               q d
 *   Q4_K  d, dmin, s[12], q[128]        8 sub-blocks of 32 with 6-bit scale and min in s;
 * sub-blocks 2c and 2c + 1 are the low and high nibbles of q[32 c ... 32 c + 31]; q d scale - dmin
 * min Q5_K  d, dmin, s[12], h[32], q[128] as Q4_K; fifth bit of element l of sub-block b is bit b
 * of h[l] Q6_K  l[128], h[64], s[16] signed, d  16 sub-blocks of 16; in each half of 128, element
 * 32 j + i has its low nibble in l[32 (j & 1) + i] (high nibble for j >= 2), its upper bits in h[i]
 * bits 2j, 2j + 1; (q - 32) d s
 */
#include "backends/cpu/dequant.h"

#include "runtime/base/status.h"

#include <string.h>

static uint16_t read_u16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t read_u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static float float_from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

float drift_f16_to_f32(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000u) << 16;
    uint32_t exponent = (half >> 10) & 0x1fu;
    uint32_t mantissa = half & 0x3ffu;
    if (exponent == 0) {
        /* Zero and subnormals: mantissa * 2^-24, exact in f32. */
        float value = (float)mantissa * 0x1p-24f;
        return sign ? -value : value;
    }
    if (exponent == 0x1f)
        return float_from_bits(sign | 0x7f800000u | mantissa << 13);
    return float_from_bits(sign | (exponent + 112) << 23 | mantissa << 13);
}

uint16_t drift_f32_to_f16(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000u);
    uint32_t magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u)
        return (uint16_t)(sign | 0x7e00u);
    if (magnitude >= 0x477ff000u) /* 65520 and above round to infinity */
        return (uint16_t)(sign | 0x7c00u);
    if (magnitude < 0x38800000u) {
        /* Below 2^-14: adding 0.5 leaves the rounded subnormal in the low mantissa bits. */
        float shifted = float_from_bits(magnitude) + 0.5f;
        memcpy(&bits, &shifted, sizeof bits);
        return (uint16_t)(sign | (bits - 0x3f000000u));
    }
    uint32_t odd = magnitude >> 13 & 1u;
    return (uint16_t)(sign | (magnitude - 0x38000000u + 0xfffu + odd) >> 13);
}

float drift_bf16_to_f32(uint16_t bf16)
{
    return float_from_bits((uint32_t)bf16 << 16);
}

/* q[i] and q[i + 16] from the nibbles of 16 bytes. */
static void read_nibbles(const uint8_t *nibbles, uint8_t *q)
{
    for (int i = 0; i < 16; i++) {
        q[i] = nibbles[i] & 0x0f;
        q[i + 16] = nibbles[i] >> 4;
    }
}

static void add_fifth_bits(uint32_t bits, uint8_t *q)
{
    for (int i = 0; i < 32; i++)
        q[i] = (uint8_t)(q[i] | (bits >> i & 1u) << 4);
}

/* The 6-bit scale and min of sub-block j of Q4_K and Q5_K. */
static void read_scale_min(const uint8_t *s, size_t j, struct drift_block32 *ret)
{
    uint8_t scale, min;
    if (j < 4) {
        scale = s[j] & 63;
        min = s[j + 4] & 63;
    } else {
        scale = (uint8_t)((s[j + 4] & 0x0f) | (s[j - 4] >> 6) << 4);
        min = (uint8_t)((s[j + 4] >> 4) | (s[j] >> 6) << 4);
    }
    ret->sub_scale[0] = ret->sub_scale[1] = (int8_t)scale;
    ret->sub_min = min;
}

static void read_simple(enum drift_dtype dtype, const uint8_t *p, struct drift_block32 *ret)
{
    bool has_min = dtype == DRIFT_DTYPE_Q4_1 || dtype == DRIFT_DTYPE_Q5_1;
    bool has_fifth = dtype == DRIFT_DTYPE_Q5_0 || dtype == DRIFT_DTYPE_Q5_1;
    ret->d = read_u16(p);
    p += 2;
    ret->dmin = has_min ? read_u16(p) : 0;
    p += has_min ? 2 : 0;
    if (dtype == DRIFT_DTYPE_Q8_0) {
        for (int i = 0; i < 32; i++)
            ret->q[i] = p[i] ^ 0x80; /* signed to unsigned with offset 128 */
        return;
    }
    read_nibbles(p + (has_fifth ? 4 : 0), ret->q);
    if (has_fifth)
        add_fifth_bits(read_u32(p), ret->q);
}

static void read_q45_k(bool has_fifth, const uint8_t *p, size_t sub, struct drift_block32 *ret)
{
    const uint8_t *s = p + 4, *h = p + 16;
    const uint8_t *q = (has_fifth ? h + 32 : h) + 32 * (sub / 2);
    unsigned shift = sub % 2 ? 4 : 0;
    ret->d = read_u16(p);
    ret->dmin = read_u16(p + 2);
    read_scale_min(s, sub, ret);
    for (int i = 0; i < 32; i++)
        ret->q[i] = (uint8_t)(q[i] >> shift & 0x0f);
    if (has_fifth) {
        for (int i = 0; i < 32; i++)
            ret->q[i] = (uint8_t)(ret->q[i] | (h[i] >> sub & 1) << 4);
    }
}

static void read_q6_k(const uint8_t *p, size_t sub, struct drift_block32 *ret)
{
    size_t half = sub / 4, j = sub % 4;
    const uint8_t *l = p + 64 * half + 32 * (j & 1);
    const uint8_t *h = p + 128 + 32 * half;
    const uint8_t *s = p + 192 + 8 * half + 2 * j;
    unsigned shift = j >= 2 ? 4 : 0;
    ret->d = read_u16(p + 208);
    ret->dmin = 0;
    ret->sub_scale[0] = (int8_t)s[0];
    ret->sub_scale[1] = (int8_t)s[1];
    ret->sub_min = 0;
    for (int i = 0; i < 32; i++)
        ret->q[i] = (uint8_t)((l[i] >> shift & 0x0f) | (h[i] >> 2 * j & 3) << 4);
}

void drift_block32_read(enum drift_dtype dtype, const void *row, size_t i,
                        struct drift_block32 *ret)
{
    const struct drift_dtype_info *info = drift_dtype_info(dtype);
    size_t per_block = info->n_elements / 32;
    DRIFT_ASSERT(per_block > 0);
    const uint8_t *block = (const uint8_t *)row + i / per_block * info->n_bytes;
    ret->sub_scale[0] = ret->sub_scale[1] = 1;
    ret->sub_min = 1;
    switch (dtype) {
    case DRIFT_DTYPE_Q4_K:
    case DRIFT_DTYPE_Q5_K:
        read_q45_k(dtype == DRIFT_DTYPE_Q5_K, block, i % 8, ret);
        break;
    case DRIFT_DTYPE_Q6_K:
        read_q6_k(block, i % 8, ret);
        break;
    default:
        read_simple(dtype, block, ret);
        break;
    }
}

int drift_dtype_offset(enum drift_dtype dtype)
{
    static const uint8_t offsets[DRIFT_DTYPE_COUNT] = {
        [DRIFT_DTYPE_Q4_0] = 8,
        [DRIFT_DTYPE_Q5_0] = 16,
        [DRIFT_DTYPE_Q8_0] = 128,
        [DRIFT_DTYPE_Q6_K] = 32,
    };
    return offsets[dtype];
}

static void dequantize_block32(enum drift_dtype dtype, const struct drift_block32 *b, float *values)
{
    bool is_k = drift_dtype_info(dtype)->n_elements == 256;
    int offset = drift_dtype_offset(dtype);
    float d = drift_f16_to_f32(b->d);
    float min = drift_f16_to_f32(b->dmin) * (float)b->sub_min;
    if (is_k)
        min = -min;
    for (int i = 0; i < 32; i++)
        values[i] = d * (float)b->sub_scale[i / 16] * (float)(b->q[i] - offset) + min;
}

void drift_dequantize(enum drift_dtype dtype, const void *blocks, float *values, size_t n)
{
    const uint8_t *p = blocks;
    switch (dtype) {
    case DRIFT_DTYPE_F32:
        memcpy(values, p, n * sizeof *values);
        return;
    case DRIFT_DTYPE_F16:
        for (size_t i = 0; i < n; i++)
            values[i] = drift_f16_to_f32(read_u16(p + 2 * i));
        return;
    case DRIFT_DTYPE_BF16:
        for (size_t i = 0; i < n; i++)
            values[i] = drift_bf16_to_f32(read_u16(p + 2 * i));
        return;
    default:
        for (size_t i = 0; i < n / 32; i++) {
            struct drift_block32 block;
            drift_block32_read(dtype, p, i, &block);
            dequantize_block32(dtype, &block, values + 32 * i);
        }
    }
}
