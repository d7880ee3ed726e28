/* Sixteen floats in one AVX-512 register; the names of simd_portable.h. */
#ifndef DRIFT_BACKENDS_CPU_SIMD_AVX512_H
#define DRIFT_BACKENDS_CPU_SIMD_AVX512_H

#include <immintrin.h>
#include <stdint.h>

#define VF_LANES    16
#define VF_MAX_ROWS 8
/* X for every row count up to it */
#define VF_ROW_CASES(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8)

struct vf {
    __m512 v;
};

static inline struct vf vf_set(float x)
{
    return (struct vf){_mm512_set1_ps(x)};
}

static inline struct vf vf_load(const float *p)
{
    return (struct vf){_mm512_loadu_ps(p)};
}

static inline void vf_store(float *p, struct vf a)
{
    _mm512_storeu_ps(p, a.v);
}

static inline __mmask16 vf_first_lanes(uint32_t n)
{
    return (__mmask16)((1u << n) - 1u);
}

static inline struct vf vf_load_n(const float *p, uint32_t n)
{
    return (struct vf){_mm512_maskz_loadu_ps(vf_first_lanes(n), p)};
}

static inline void vf_store_n(float *p, struct vf a, uint32_t n)
{
    _mm512_mask_storeu_ps(p, vf_first_lanes(n), a.v);
}

static inline struct vf vf_load_f16(const uint16_t *p)
{
    return (struct vf){_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)p))};
}

static inline void vf_store_f16(uint16_t *p, struct vf a)
{
    __m256i half = _mm512_cvtps_ph(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    _mm256_storeu_si256((__m256i *)(void *)p, half);
}

static inline struct vf vf_load_u8(const uint8_t *p)
{
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);
    return (struct vf){_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes))};
}

static inline struct vf vf_load_bf16(const uint16_t *p)
{
    __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(const void *)p));
    return (struct vf){_mm512_castsi512_ps(_mm512_slli_epi32(wide, 16))};
}

static inline struct vf vf_add(struct vf a, struct vf b)
{
    return (struct vf){_mm512_add_ps(a.v, b.v)};
}

static inline struct vf vf_sub(struct vf a, struct vf b)
{
    return (struct vf){_mm512_sub_ps(a.v, b.v)};
}

static inline struct vf vf_mul(struct vf a, struct vf b)
{
    return (struct vf){_mm512_mul_ps(a.v, b.v)};
}

static inline struct vf vf_div(struct vf a, struct vf b)
{
    return (struct vf){_mm512_div_ps(a.v, b.v)};
}

static inline struct vf vf_fma(struct vf a, struct vf b, struct vf c)
{
    return (struct vf){_mm512_fmadd_ps(a.v, b.v, c.v)};
}

static inline struct vf vf_max(struct vf a, struct vf b)
{
    return (struct vf){_mm512_max_ps(a.v, b.v)};
}

static inline struct vf vf_min(struct vf a, struct vf b)
{
    return (struct vf){_mm512_min_ps(a.v, b.v)};
}

static inline struct vf vf_abs(struct vf a)
{
    return (struct vf){_mm512_abs_ps(a.v)};
}

static inline struct vf vf_select_lt(struct vf a, struct vf b, struct vf x, struct vf y)
{
    return (struct vf){_mm512_mask_blend_ps(_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ), y.v, x.v)};
}

static inline struct vf vf_keep_range(struct vf a, int first, int end, float fill)
{
    uint32_t mask = ((1u << end) - 1u) & ~((1u << first) - 1u);
    return (struct vf){_mm512_mask_blend_ps((__mmask16)mask, _mm512_set1_ps(fill), a.v)};
}

static inline struct vf vf_pow2_of_shifted(struct vf a)
{
    __m512i bits = _mm512_slli_epi32(_mm512_castps_si512(a.v), 23);
    return (struct vf){_mm512_castsi512_ps(_mm512_add_epi32(bits, _mm512_set1_epi32(0x3f800000)))};
}

static inline float vf_sum(struct vf a)
{
    __m256 h8 = _mm256_add_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
    __m128 h4 = _mm_add_ps(_mm256_castps256_ps128(h8), _mm256_extractf128_ps(h8, 1));
    __m128 h2 = _mm_add_ps(h4, _mm_movehl_ps(h4, h4));
    return _mm_cvtss_f32(_mm_add_ss(h2, _mm_movehdup_ps(h2)));
}

static inline float vf_max_lane(struct vf a)
{
    return _mm512_reduce_max_ps(a.v);
}

static inline void vf_store_i8(int8_t *p, struct vf a)
{
    __m128i bytes = _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(a.v));
    _mm_storeu_si128((__m128i *)(void *)p, bytes);
}

#endif
