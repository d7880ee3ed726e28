/* Kernels for AVX-512 with VNNI: a register holds four columns of 16 rows, vpdpbusd multiplies them
 * exactly. */
#include "backends/cpu/simd_avx512.h"

#include "backends/cpu/kernels_attention.h"

ALWAYS_INLINE __m512i load_512(const uint8_t *p)
{
    return _mm512_loadu_si512((const void *)p);
}

/* Four quantized activations in every lane. */
ALWAYS_INLINE __m512i repeat_four(const int8_t *q)
{
    int32_t four;
    memcpy(&four, q, sizeof four);
    return _mm512_set1_epi32(four);
}

typedef uint16_t words_512 __attribute__((vector_size(64)));

/* w | bits from `at` on of every byte of high, moved to bit 4; mask says which. */
ALWAYS_INLINE __m512i or_bits(__m512i w, __m512i high, const int at, const int mask)
{
    words_512 words = (words_512)high;
    __m512i moved = (__m512i)(at < 4 ? words << (4 - at) : words >> (at - 4));
    return _mm512_ternarylogic_epi64(w, moved, _mm512_set1_epi8((char)mask), 0xf8);
}

/* All 32 columns of 16 rows, one byte each: w[g] holds columns 4g ... 4g + 3. */
ALWAYS_INLINE void unpack_block(const uint8_t *quants, enum drift_dtype dtype, __m512i w[8])
{
    if (dtype == DRIFT_DTYPE_Q8_0) {
        for (int g = 0; g < 8; g++)
            w[g] = load_512(quants + 64 * g);
        return;
    }
    const __m512i low = _mm512_set1_epi8(0x0f);
    for (int g = 0; g < 4; g++) {
        __m512i both = load_512(quants + 64 * g);
        w[g] = _mm512_and_si512(both, low);
        w[g + 4] = _mm512_and_si512(_mm512_srli_epi16(both, 4), low);
    }
    if (dtype == DRIFT_DTYPE_Q5_0 || dtype == DRIFT_DTYPE_Q5_1 || dtype == DRIFT_DTYPE_Q5_K) {
        for (int g = 0; g < 8; g++)
            w[g] = or_bits(w[g], load_512(quants + 256), g, 0x10);
    } else if (dtype == DRIFT_DTYPE_Q6_K) {
        for (int g = 0; g < 8; g++)
            w[g] = or_bits(w[g], load_512(quants + 256 + 64 * (g / 4)), 2 * (g % 4), 0x30);
    }
}

/* -offset * sum of q in every lane: where the sum of unsigned weights starts. */
ALWAYS_INLINE __m512i offset_start(int32_t neg_sum, enum drift_dtype dtype)
{
    __m512i sum = _mm512_set1_epi32(neg_sum);
    switch (dtype) {
    case DRIFT_DTYPE_Q4_0:
        return _mm512_slli_epi32(sum, 3);
    case DRIFT_DTYPE_Q5_0:
        return _mm512_slli_epi32(sum, 4);
    case DRIFT_DTYPE_Q6_K:
        return _mm512_slli_epi32(sum, 5);
    case DRIFT_DTYPE_Q8_0:
        return _mm512_slli_epi32(sum, 7);
    default:
        return _mm512_setzero_si512();
    }
}

ALWAYS_INLINE __m512i load_sub_scales(const uint8_t *scales)
{
    return _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(const void *)scales));
}

ALWAYS_INLINE void block_dots(const uint8_t *quants, const uint8_t *scales, const int8_t *q,
                              const struct drift_cpu_q8_meta *meta, uint32_t n_cols,
                              const uint32_t n_tokens, enum drift_dtype dtype, struct vf *dots)
{
    __m512i w[8];
    unpack_block(quants, dtype, w);
    for (uint32_t t = 0; t < n_tokens; t++) {
        const int8_t *qt = q + (size_t)t * n_cols;
        const struct drift_cpu_q8_meta *mt = meta + (size_t)t * (n_cols / DRIFT_CPU_BLOCK);
        bool is_q6 = dtype == DRIFT_DTYPE_Q6_K;
        __m512i lo = offset_start(is_q6 ? mt->neg_lo : mt->neg_sum, dtype);
        __m512i hi = is_q6 ? offset_start(mt->neg_hi, dtype) : _mm512_setzero_si512();
        for (int g = 0; g < 4; g++) {
            lo = _mm512_dpbusd_epi32(lo, w[g], repeat_four(qt + 4 * g));
            hi = _mm512_dpbusd_epi32(hi, w[g + 4], repeat_four(qt + 16 + 4 * g));
        }
        if (is_q6) {
            lo = _mm512_mullo_epi32(lo, load_sub_scales(scales));
            hi = _mm512_mullo_epi32(hi, load_sub_scales(scales + 16));
        }
        dots[t].v = _mm512_cvtepi32_ps(_mm512_add_epi32(lo, hi));
    }
}

#include "backends/cpu/kernels_q8.h"

#include "backends/cpu/kernels_table.h"

const struct drift_cpu_kernels drift_cpu_kernels_avx512 = KERNELS_TABLE("avx512");
