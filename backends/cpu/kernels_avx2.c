/*
 * Kernels for AVX2: a register holds four columns of 8 rows; vpmaddubsw multiplies bytes into
 * 16-bit pair sums, of which as many are added as can't overflow before they are widened.
 */
#include "backends/cpu/simd_avx2.h"

#include "backends/cpu/kernels_attention.h"

ALWAYS_INLINE __m256i load_256(const uint8_t *p)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

ALWAYS_INLINE __m256i repeat_four(const int8_t *q)
{
    int32_t four;
    memcpy(&four, q, sizeof four);
    return _mm256_set1_epi32(four);
}

ALWAYS_INLINE bool has_fifth_bit(enum drift_dtype dtype)
{
    return dtype == DRIFT_DTYPE_Q5_0 || dtype == DRIFT_DTYPE_Q5_1 || dtype == DRIFT_DTYPE_Q5_K;
}

/* Columns 4g ... 4g + 3 of 8 rows, one byte each; quants already points to the rows' half of every
 * 64 bytes. */
ALWAYS_INLINE __m256i unpack_columns(const uint8_t *quants, const int g, enum drift_dtype dtype)
{
    if (dtype == DRIFT_DTYPE_Q8_0)
        return load_256(quants + 64 * g);
    __m256i both = load_256(quants + 64 * (g % 4));
    if (g >= 4)
        both = _mm256_srli_epi16(both, 4);
    __m256i w = _mm256_and_si256(both, _mm256_set1_epi8(0x0f));
    if (has_fifth_bit(dtype)) {
        __m256i high = load_256(quants + 256);
        high = g < 4 ? _mm256_slli_epi16(high, 4 - g) : _mm256_srli_epi16(high, g - 4);
        w = _mm256_or_si256(w, _mm256_and_si256(high, _mm256_set1_epi8(0x10)));
    } else if (dtype == DRIFT_DTYPE_Q6_K) {
        __m256i high = load_256(quants + 256 + 64 * (g / 4));
        const int at = 2 * (g % 4);
        high = at < 4 ? _mm256_slli_epi16(high, 4 - at) : _mm256_srli_epi16(high, at - 4);
        w = _mm256_or_si256(w, _mm256_and_si256(high, _mm256_set1_epi8(0x30)));
    }
    return w;
}

/* 16-bit sums of products of columns pairs. Q8_0's weights are signed: |w| times q with w's sign.
 */
ALWAYS_INLINE __m256i multiply(__m256i w, __m256i q, enum drift_dtype dtype)
{
    if (dtype != DRIFT_DTYPE_Q8_0)
        return _mm256_maddubs_epi16(w, q);
    w = _mm256_xor_si256(w, _mm256_set1_epi8((char)0x80));
    return _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(q, w));
}

/* How many 16-bit pair sums fit: 2 * 127 * the largest weight each. */
ALWAYS_INLINE int sums_that_fit(enum drift_dtype dtype)
{
    if (dtype == DRIFT_DTYPE_Q8_0)
        return 1; /* 2 * 127 * 128 */
    if (dtype == DRIFT_DTYPE_Q6_K)
        return 2; /* 2 * 127 * 63 */
    return has_fifth_bit(dtype) ? 4 : 8;
}

ALWAYS_INLINE int32_t offset_of(enum drift_dtype dtype)
{
    switch (dtype) {
    case DRIFT_DTYPE_Q4_0:
        return 8;
    case DRIFT_DTYPE_Q5_0:
        return 16;
    case DRIFT_DTYPE_Q6_K:
        return 32;
    default:
        return 0;
    }
}

/* The dot products of 8 rows with n_tokens tokens. */
ALWAYS_INLINE void half_dots(const uint8_t *quants, const uint8_t *scales, const int8_t *q,
                             const struct drift_cpu_q8_meta *meta, uint32_t n_cols,
                             const uint32_t n_tokens, enum drift_dtype dtype, __m256 *dots)
{
    const __m256i ones = _mm256_set1_epi16(1);
    const bool is_q6 = dtype == DRIFT_DTYPE_Q6_K;
    const int step = sums_that_fit(dtype);
    __m256i lo[VF_MAX_ROWS], hi[VF_MAX_ROWS];
    for (uint32_t t = 0; t < n_tokens; t++) {
        const struct drift_cpu_q8_meta *mt = meta + (size_t)t * (n_cols / DRIFT_CPU_BLOCK);
        lo[t] = _mm256_set1_epi32((is_q6 ? mt->neg_lo : mt->neg_sum) * offset_of(dtype));
        hi[t] = _mm256_set1_epi32(is_q6 ? mt->neg_hi * offset_of(dtype) : 0);
    }
#pragma GCC unroll 8
    for (int g = 0; g < 8; g += step) {
        __m256i sum[VF_MAX_ROWS];
#pragma GCC unroll 8
        for (int i = g; i < g + step; i++) {
            __m256i w = unpack_columns(quants, i, dtype);
            for (uint32_t t = 0; t < n_tokens; t++) {
                __m256i pairs = multiply(w, repeat_four(q + (size_t)t * n_cols + 4 * i), dtype);
                sum[t] = i == g ? pairs : _mm256_add_epi16(sum[t], pairs);
            }
        }
        for (uint32_t t = 0; t < n_tokens; t++) {
            __m256i wide = _mm256_madd_epi16(sum[t], ones);
            if (is_q6 && g >= 4)
                hi[t] = _mm256_add_epi32(hi[t], wide);
            else
                lo[t] = _mm256_add_epi32(lo[t], wide);
        }
    }
    for (uint32_t t = 0; t < n_tokens; t++) {
        if (is_q6) {
            const __m128i *s = (const __m128i *)(const void *)scales;
            __m256i first = _mm256_cvtepi8_epi32(_mm_loadl_epi64(s));
            __m256i last = _mm256_cvtepi8_epi32(_mm_loadl_epi64(s + 1));
            lo[t] =
                _mm256_add_epi32(_mm256_mullo_epi32(lo[t], first), _mm256_mullo_epi32(hi[t], last));
        }
        dots[t] = _mm256_cvtepi32_ps(lo[t]);
    }
}

ALWAYS_INLINE void block_dots(const uint8_t *quants, const uint8_t *scales, const int8_t *q,
                              const struct drift_cpu_q8_meta *meta, uint32_t n_cols,
                              const uint32_t n_tokens, enum drift_dtype dtype, struct vf *dots)
{
    __m256 half[VF_MAX_ROWS];
    half_dots(quants, scales, q, meta, n_cols, n_tokens, dtype, half);
    for (uint32_t t = 0; t < n_tokens; t++)
        dots[t].lo = half[t];
    half_dots(quants + 32, scales + 8, q, meta, n_cols, n_tokens, dtype, half);
    for (uint32_t t = 0; t < n_tokens; t++)
        dots[t].hi = half[t];
}

#include "backends/cpu/kernels_q8.h"

#include "backends/cpu/kernels_table.h"

const struct drift_cpu_kernels drift_cpu_kernels_avx2 = KERNELS_TABLE("avx2");
