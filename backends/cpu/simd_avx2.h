/* Sixteen floats in two AVX2 registers (with FMA and F16C); the names of simd_portable.h. */
#ifndef DRIFT_BACKENDS_CPU_SIMD_AVX2_H
#define DRIFT_BACKENDS_CPU_SIMD_AVX2_H

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#define VF_LANES    16
#define VF_MAX_ROWS 4
/* X for every row count up to it */
#define VF_ROW_CASES(X) X(1) X(2) X(3) X(4)

struct vf {
    __m256 lo, hi;
};

static inline struct vf vf_set(float x)
{
    return (struct vf){_mm256_set1_ps(x), _mm256_set1_ps(x)};
}

static inline struct vf vf_load(const float *p)
{
    return (struct vf){_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)};
}

static inline void vf_store(float *p, struct vf a)
{
    _mm256_storeu_ps(p, a.lo);
    _mm256_storeu_ps(p + 8, a.hi);
}

static inline struct vf vf_load_n(const float *p, uint32_t n)
{
    float lanes[VF_LANES] = {0};
    memcpy(lanes, p, n * sizeof(float));
    return vf_load(lanes);
}

static inline void vf_store_n(float *p, struct vf a, uint32_t n)
{
    float lanes[VF_LANES];
    vf_store(lanes, a);
    memcpy(p, lanes, n * sizeof(float));
}

static inline struct vf vf_load_f16(const uint16_t *p)
{
    const __m128i *half = (const __m128i *)(const void *)p;
    return (struct vf){_mm256_cvtph_ps(_mm_loadu_si128(half)),
                       _mm256_cvtph_ps(_mm_loadu_si128(half + 1))};
}

static inline void vf_store_f16(uint16_t *p, struct vf a)
{
    __m128i *half = (__m128i *)(void *)p;
    _mm_storeu_si128(half, _mm256_cvtps_ph(a.lo, _MM_FROUND_TO_NEAREST_INT));
    _mm_storeu_si128(half + 1, _mm256_cvtps_ph(a.hi, _MM_FROUND_TO_NEAREST_INT));
}

static inline struct vf vf_load_u8(const uint8_t *p)
{
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);
    __m256i lo = _mm256_cvtepu8_epi32(bytes);
    __m256i hi = _mm256_cvtepu8_epi32(_mm_srli_si128(bytes, 8));
    return (struct vf){_mm256_cvtepi32_ps(lo), _mm256_cvtepi32_ps(hi)};
}

static inline struct vf vf_load_bf16(const uint16_t *p)
{
    const __m128i *half = (const __m128i *)(const void *)p;
    __m256i lo = _mm256_cvtepu16_epi32(_mm_loadu_si128(half));
    __m256i hi = _mm256_cvtepu16_epi32(_mm_loadu_si128(half + 1));
    return (struct vf){_mm256_castsi256_ps(_mm256_slli_epi32(lo, 16)),
                       _mm256_castsi256_ps(_mm256_slli_epi32(hi, 16))};
}

static inline struct vf vf_add(struct vf a, struct vf b)
{
    return (struct vf){_mm256_add_ps(a.lo, b.lo), _mm256_add_ps(a.hi, b.hi)};
}

static inline struct vf vf_sub(struct vf a, struct vf b)
{
    return (struct vf){_mm256_sub_ps(a.lo, b.lo), _mm256_sub_ps(a.hi, b.hi)};
}

static inline struct vf vf_mul(struct vf a, struct vf b)
{
    return (struct vf){_mm256_mul_ps(a.lo, b.lo), _mm256_mul_ps(a.hi, b.hi)};
}

static inline struct vf vf_div(struct vf a, struct vf b)
{
    return (struct vf){_mm256_div_ps(a.lo, b.lo), _mm256_div_ps(a.hi, b.hi)};
}

static inline struct vf vf_fma(struct vf a, struct vf b, struct vf c)
{
    return (struct vf){_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi)};
}

static inline struct vf vf_max(struct vf a, struct vf b)
{
    return (struct vf){_mm256_max_ps(a.lo, b.lo), _mm256_max_ps(a.hi, b.hi)};
}

static inline struct vf vf_min(struct vf a, struct vf b)
{
    return (struct vf){_mm256_min_ps(a.lo, b.lo), _mm256_min_ps(a.hi, b.hi)};
}

static inline struct vf vf_abs(struct vf a)
{
    __m256 sign = _mm256_set1_ps(-0.0f);
    return (struct vf){_mm256_andnot_ps(sign, a.lo), _mm256_andnot_ps(sign, a.hi)};
}

static inline struct vf vf_select_lt(struct vf a, struct vf b, struct vf x, struct vf y)
{
    return (struct vf){
        _mm256_blendv_ps(y.lo, x.lo, _mm256_cmp_ps(a.lo, b.lo, _CMP_LT_OQ)),
        _mm256_blendv_ps(y.hi, x.hi, _mm256_cmp_ps(a.hi, b.hi, _CMP_LT_OQ)),
    };
}

static inline __m256 vf_keep_range8(__m256 a, int first, int end, __m256 fill)
{
    __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    __m256i below = _mm256_cmpgt_epi32(_mm256_set1_epi32(first), lane);
    __m256i inside = _mm256_andnot_si256(below, _mm256_cmpgt_epi32(_mm256_set1_epi32(end), lane));
    return _mm256_blendv_ps(fill, a, _mm256_castsi256_ps(inside));
}

static inline struct vf vf_keep_range(struct vf a, int first, int end, float fill)
{
    __m256 f = _mm256_set1_ps(fill);
    return (struct vf){vf_keep_range8(a.lo, first, end, f),
                       vf_keep_range8(a.hi, first - 8, end - 8, f)};
}

static inline __m256 vf_pow2_of_shifted8(__m256 a)
{
    __m256i bits = _mm256_slli_epi32(_mm256_castps_si256(a), 23);
    return _mm256_castsi256_ps(_mm256_add_epi32(bits, _mm256_set1_epi32(0x3f800000)));
}

static inline struct vf vf_pow2_of_shifted(struct vf a)
{
    return (struct vf){vf_pow2_of_shifted8(a.lo), vf_pow2_of_shifted8(a.hi)};
}

static inline float vf_sum(struct vf a)
{
    __m256 h8 = _mm256_add_ps(a.lo, a.hi);
    __m128 h4 = _mm_add_ps(_mm256_castps256_ps128(h8), _mm256_extractf128_ps(h8, 1));
    __m128 h2 = _mm_add_ps(h4, _mm_movehl_ps(h4, h4));
    return _mm_cvtss_f32(_mm_add_ss(h2, _mm_movehdup_ps(h2)));
}

static inline float vf_max_lane(struct vf a)
{
    __m256 h8 = _mm256_max_ps(a.lo, a.hi);
    __m128 h4 = _mm_max_ps(_mm256_castps256_ps128(h8), _mm256_extractf128_ps(h8, 1));
    __m128 h2 = _mm_max_ps(h4, _mm_movehl_ps(h4, h4));
    return _mm_cvtss_f32(_mm_max_ss(h2, _mm_movehdup_ps(h2)));
}

static inline void vf_store_i8(int8_t *p, struct vf a)
{
    __m256i words = _mm256_packs_epi32(_mm256_cvtps_epi32(a.lo), _mm256_cvtps_epi32(a.hi));
    words = _mm256_permute4x64_epi64(words, 0xd8);
    __m128i bytes =
        _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    _mm_storeu_si128((__m128i *)(void *)p, bytes);
}

#endif
