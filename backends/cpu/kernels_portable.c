/* Kernels for any processor: plain C that compilers turn into what vectors the build's baseline
 * has. */
#include "backends/cpu/simd_portable.h"

#include "backends/cpu/kernels_attention.h"

#include "backends/cpu/dequant.h"

/* Columns 4g ... 4g + 3 of all rows, one byte each. */
ALWAYS_INLINE void unpack_columns(const uint8_t *quants, uint32_t g, enum drift_dtype dtype,
                                  uint8_t *w)
{
    const uint32_t bytes =
        dtype == DRIFT_DTYPE_Q8_0                                                             ? 512
        : dtype == DRIFT_DTYPE_Q6_K                                                           ? 384
        : dtype == DRIFT_DTYPE_Q5_0 || dtype == DRIFT_DTYPE_Q5_1 || dtype == DRIFT_DTYPE_Q5_K ? 320
                                                                                              : 256;
    if (bytes == 512) {
        memcpy(w, quants + 64 * g, 64);
        return;
    }
    const uint8_t *low = quants + 64 * (g % 4);
    for (int i = 0; i < 64; i++)
        w[i] = (uint8_t)(low[i] >> (g < 4 ? 0 : 4) & 0x0f);
    const uint8_t *high = quants + 256;
    if (bytes == 320) {
        for (int i = 0; i < 64; i++)
            w[i] = (uint8_t)(w[i] | (high[i] >> g & 1) << 4);
    } else if (bytes == 384) {
        high += 64 * (g / 4);
        for (int i = 0; i < 64; i++)
            w[i] = (uint8_t)(w[i] | (high[i] >> 2 * (g % 4) & 3) << 4);
    }
}

/* dots += w . q over four columns of 16 rows. */
ALWAYS_INLINE void add_products(const uint8_t *w, const int8_t *q, int32_t *dots)
{
    for (int r = 0; r < 16; r++)
        dots[r] +=
            w[4 * r] * q[0] + w[4 * r + 1] * q[1] + w[4 * r + 2] * q[2] + w[4 * r + 3] * q[3];
}

ALWAYS_INLINE void block_dots(const uint8_t *quants, const uint8_t *scales, const int8_t *q,
                              const struct drift_cpu_q8_meta *meta, uint32_t n_cols,
                              const uint32_t n_tokens, enum drift_dtype dtype, struct vf *dots)
{
    uint8_t w[8][64];
    int offset = drift_dtype_offset(dtype);
    for (uint32_t g = 0; g < 8; g++)
        unpack_columns(quants, g, dtype, w[g]);
    for (uint32_t t = 0; t < n_tokens; t++) {
        const int8_t *qt = q + (size_t)t * n_cols;
        const struct drift_cpu_q8_meta *mt = meta + (size_t)t * (n_cols / DRIFT_CPU_BLOCK);
        int32_t lo[16], hi[16];
        for (int r = 0; r < 16; r++) {
            lo[r] = mt->neg_lo * offset;
            hi[r] = mt->neg_hi * offset;
        }
        for (uint32_t g = 0; g < 4; g++) {
            add_products(w[g], qt + 4 * g, lo);
            add_products(w[g + 4], qt + 16 + 4 * g, hi);
        }
        for (int r = 0; r < 16; r++) {
            if (dtype == DRIFT_DTYPE_Q6_K)
                lo[r] = lo[r] * (int8_t)scales[r] + hi[r] * (int8_t)scales[16 + r];
            else
                lo[r] += hi[r];
            dots[t].v[r] = (float)lo[r];
        }
    }
}

#include "backends/cpu/kernels_q8.h"

#include "backends/cpu/kernels_table.h"

const struct drift_cpu_kernels drift_cpu_kernels_portable = KERNELS_TABLE("portable");
