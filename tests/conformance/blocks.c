/* Random blocks; see blocks.h. */
#include "tests/conformance/blocks.h"

#include "runtime/base/status.h"

#include <math.h>
#include <string.h>

uint32_t rng_next(struct rng *rng)
{
    /* splitmix64's step, upper half */
    uint64_t z = rng->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (uint32_t)((z ^ z >> 31) >> 32);
}

double rng_uniform(struct rng *rng, double low, double high)
{
    return low + (high - low) * ((double)rng_next(rng) / 4294967296.0);
}

uint16_t half_bits(double value)
{
    uint16_t sign = signbit(value) ? 0x8000 : 0;
    double magnitude = fabs(value);
    int exponent;
    if (magnitude == 0.0)
        return sign;
    frexp(magnitude, &exponent); /* magnitude = f 2^exponent, f in [0.5, 1) */
    if (exponent < -13)
        exponent = -13;
    double units = nearbyint(ldexp(magnitude, 11 - exponent)); /* ulps of 2^(exponent - 11) */
    if (units >= 2048.0) {
        units /= 2.0;
        exponent++;
    }
    if (exponent > 16)
        return sign | 0x7c00;
    if (units < 1024.0)
        return (uint16_t)(sign | (unsigned)units);
    return (uint16_t)(sign | (unsigned)(exponent + 14) << 10 | ((unsigned)units - 1024u));
}

double half_value(uint16_t bits)
{
    int exponent = bits >> 10 & 31;
    double mantissa = bits & 1023;
    double magnitude = exponent ? ldexp(1024.0 + mantissa, exponent - 25) : ldexp(mantissa, -24);
    return bits & 0x8000 ? -magnitude : magnitude;
}

static double put_half(uint8_t *p, double value)
{
    uint16_t bits = half_bits(value);
    p[0] = (uint8_t)bits;
    p[1] = (uint8_t)(bits >> 8);
    return half_value(bits);
}

static void random_plain(struct rng *rng, enum drift_dtype dtype, size_t n, uint8_t *bytes,
                         double *values)
{
    for (size_t i = 0; i < n; i++) {
        float x = (float)rng_uniform(rng, -0.1, 0.1);
        uint32_t bits;
        memcpy(&bits, &x, sizeof bits);
        if (dtype == DRIFT_DTYPE_F16) {
            values[i] = put_half(bytes + 2 * i, x);
        } else if (dtype == DRIFT_DTYPE_BF16) {
            bits &= 0xffff0000u;
            memcpy(&x, &bits, sizeof x);
            bytes[2 * i] = (uint8_t)(bits >> 16);
            bytes[2 * i + 1] = (uint8_t)(bits >> 24);
            values[i] = x;
        } else {
            memcpy(bytes + 4 * i, &x, sizeof x);
            values[i] = x;
        }
    }
}

/* Q4_0 Q4_1 Q5_0 Q5_1 */
static void random_simple(struct rng *rng, int bits, int has_min, uint8_t *p, double *values)
{
    double d = put_half(p, rng_uniform(rng, 0.005, 0.02));
    double m = has_min ? put_half(p + 2, rng_uniform(rng, -0.2, 0.0)) : 0.0;
    uint8_t *high = p + (has_min ? 4 : 2);
    uint8_t *low = high + (bits == 5 ? 4 : 0);
    memset(high, 0, 16 + (bits == 5 ? 4u : 0u));
    for (int i = 0; i < 32; i++) {
        uint32_t q = rng_next(rng) >> (32 - bits);
        low[i % 16] = (uint8_t)(low[i % 16] | (q & 15u) << (i < 16 ? 0 : 4));
        if (bits == 5)
            high[i / 8] = (uint8_t)(high[i / 8] | (q >> 4) << (i % 8));
        values[i] = has_min ? d * q + m : d * ((int)q - (1 << (bits - 1)));
    }
}

static void random_q8_0(struct rng *rng, uint8_t *p, double *values)
{
    double d = put_half(p, rng_uniform(rng, 0.0005, 0.002));
    for (int i = 0; i < 32; i++) {
        int q = (int)(rng_next(rng) >> 24) - 128; /* -128 included */
        p[2 + i] = (uint8_t)q;
        values[i] = d * q;
    }
}

/* Q4_K, Q5_K */
static void random_q45_k(struct rng *rng, int bits, uint8_t *p, double *values)
{
    double d = put_half(p, rng_uniform(rng, 0.0002, 0.0006));
    double dmin = put_half(p + 2, rng_uniform(rng, 0.001, 0.003));
    uint8_t *packed = p + 4, *high = p + 16, *low = bits == 5 ? p + 48 : p + 16;
    memset(p + 4, 0, bits == 5 ? 172 : 140);
    for (int b = 0; b < 8; b++) {
        uint32_t scale = rng_next(rng) >> 26, min = rng_next(rng) >> 26;
        if (b < 4) {
            packed[b] = (uint8_t)(packed[b] | scale);
            packed[b + 4] = (uint8_t)(packed[b + 4] | min);
        } else {
            packed[b + 4] = (uint8_t)((scale & 15u) | (min & 15u) << 4);
            packed[b - 4] = (uint8_t)(packed[b - 4] | (scale >> 4) << 6);
            packed[b] = (uint8_t)(packed[b] | (min >> 4) << 6);
        }
        for (int i = 0; i < 32; i++) {
            uint32_t q = rng_next(rng) >> (32 - bits);
            uint8_t *byte = &low[32 * (b / 2) + i];
            *byte = (uint8_t)(*byte | (q & 15u) << (b % 2 ? 4 : 0));
            if (bits == 5)
                high[i] = (uint8_t)(high[i] | (q >> 4) << b);
            values[32 * b + i] = d * scale * q - dmin * min;
        }
    }
}

static void random_q6_k(struct rng *rng, uint8_t *p, double *values)
{
    double d = put_half(p + 208, rng_uniform(rng, 0.00003, 0.0001));
    memset(p, 0, 192);
    for (int s = 0; s < 16; s++)
        p[192 + s] = (uint8_t)(rng_next(rng) >> 24);
    for (int i = 0; i < 256; i++) {
        int half = i / 128, j = i % 128 / 32, l = i % 32;
        uint32_t q = rng_next(rng) >> 26;
        uint8_t *low = &p[64 * half + 32 * (j % 2) + l], *high = &p[128 + 32 * half + l];
        *low = (uint8_t)(*low | (q & 15u) << (j >= 2 ? 4 : 0));
        *high = (uint8_t)(*high | (q >> 4) << (2 * j));
        values[i] = d * (int8_t)p[192 + i / 16] * ((int)q - 32);
    }
}

void random_weights(struct rng *rng, enum drift_dtype dtype, size_t n, uint8_t *bytes,
                    double *values)
{
    const struct drift_dtype_info *info = drift_dtype_info(dtype);
    if (info->n_elements == 1) {
        random_plain(rng, dtype, n, bytes, values);
        return;
    }
    for (size_t i = 0; i < n / info->n_elements;
         i++, bytes += info->n_bytes, values += info->n_elements) {
        switch (dtype) {
        case DRIFT_DTYPE_Q4_0:
        case DRIFT_DTYPE_Q4_1:
            random_simple(rng, 4, dtype == DRIFT_DTYPE_Q4_1, bytes, values);
            break;
        case DRIFT_DTYPE_Q5_0:
        case DRIFT_DTYPE_Q5_1:
            random_simple(rng, 5, dtype == DRIFT_DTYPE_Q5_1, bytes, values);
            break;
        case DRIFT_DTYPE_Q8_0:
            random_q8_0(rng, bytes, values);
            break;
        case DRIFT_DTYPE_Q4_K:
        case DRIFT_DTYPE_Q5_K:
            random_q45_k(rng, dtype == DRIFT_DTYPE_Q5_K ? 5 : 4, bytes, values);
            break;
        default:
            DRIFT_ASSERT(dtype == DRIFT_DTYPE_Q6_K);
            random_q6_k(rng, bytes, values);
        }
    }
}
