/*
 * De-quantization: the block layouts of every data type, byte by byte, in plain C.
 *
 * This is where the layouts are written down; everything else that reads weights (the packing of
 * tiles, inspection tools, tests) goes through here. Portable, little-endian data, no alignment
 * asked for.
 */
#ifndef DRIFT_BACKENDS_CPU_DEQUANT_H
#define DRIFT_BACKENDS_CPU_DEQUANT_H

#include "runtime/base/dtype.h"

#include <stddef.h>

/* IEEE half precision and bfloat16, exact. Thread: any. */
float drift_f16_to_f32(uint16_t half);
/* Round to nearest even; beyond the range gives infinity, NaN stays NaN. */
uint16_t drift_f32_to_f16(float value);
float drift_bf16_to_f32(uint16_t bf16);

/*
 * Expand n elements (whole blocks of dtype) from blocks to values. dtype is one of the types of
 * weights, not I32. Thread: any.
 */
void drift_dequantize(enum drift_dtype dtype, const void *blocks, float *values, size_t n);

/*
 * 32 consecutive columns of a block-quantized row, taken apart but not multiplied out.
 *
 * Simple types: value[i] = d (q[i] - offset) + dmin, where dmin holds the m of Q4_1 and Q5_1 and is
 * 0 otherwise. K types: value[i] = d sub_scale[i / 16] (q[i] - offset) - dmin sub_min. d and dmin
 * are f16 bits. q is unsigned; the offset is drift_dtype_offset's.
 */
struct drift_block32 {
    uint8_t q[32];
    uint16_t d, dmin;
    int8_t sub_scale[2];
    uint8_t sub_min;
};

/* What is subtracted from q: 8 (Q4_0), 16 (Q5_0), 32 (Q6_K), 128 (Q8_0), else 0. Thread: any. */
int drift_dtype_offset(enum drift_dtype dtype);

/* Read columns [32 i, 32 i + 32) of a row. dtype is a block-quantized one. Thread: any. */
void drift_block32_read(enum drift_dtype dtype, const void *row, size_t i,
                        struct drift_block32 *ret);

#endif
