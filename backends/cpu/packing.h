/*
 * Packed weights: what MATMUL reads instead of the file's rows.
 *
 * 16 output rows (a group) lie interleaved so that one vector register holds the same columns of
 * all of them; rows are padded with zeros to whole groups. A group is three areas, each aligned to
 * 64 bytes: quants, scales, super-scales.
 *
 * Quants of 32 columns (a block), for row r and column c = 4g + k (g = 0 ... 7):
 *   low 4 bits   byte 64 (g mod 4) + 4r + k, low nibble for g < 4, high nibble for the others 256
 * bytes 5th bit      byte 256 + 4r + k, bit g                                     Q5_0 Q5_1 Q5_K 64
 * bytes 5th, 6th bit byte 256 + 64 (g / 4) + 4r + k, bits 2 (g mod 4), + 1        Q6_K 128 bytes 8
 * bits       byte 64 g + 4r + k                                           Q8_0 512 bytes Scales of
 * a block: f16 d[16] (Q4_0 Q5_0 Q8_0); d[16], m[16] (Q4_1 Q5_1); u8 scale[16], min[16] (Q4_K Q5_K);
 * i8 scale[16] of the first 16 columns, scale[16] of the last (Q6_K).
 * Super-scales of 256 columns: f16 d[16], dmin[16] (Q4_K Q5_K); d[16] (Q6_K).
 *
 * Plain types (F32 F16 BF16): element [column][16 rows], nothing else.
 */
#ifndef DRIFT_BACKENDS_CPU_PACKING_H
#define DRIFT_BACKENDS_CPU_PACKING_H

#include "backends/cpu/kernels.h"

#include <stdbool.h>

struct drift_cpu_format {
    uint16_t quant_bytes, scale_bytes; /* per block; 0 for plain types */
    uint16_t super_bytes;              /* per 256 columns */
};

const struct drift_cpu_format *drift_cpu_format(enum drift_dtype dtype);

/* Fill ret's sizes (not groups) for a weight; false when the bytes overflow. */
bool drift_cpu_packed_init(struct drift_cpu_packed *ret, enum drift_dtype dtype, uint32_t n_rows,
                           uint32_t n_cols);
uint32_t drift_cpu_packed_n_groups(const struct drift_cpu_packed *packed);
/* Pack all rows of the GGUF layout into groups (64-byte aligned, n_groups * group_bytes). Thread:
 * any. */
void drift_cpu_pack(const struct drift_cpu_packed *packed, enum drift_dtype dtype, const void *rows,
                    uint8_t *groups);
/* De-quantize one block of a group: values[column][row]. Block-quantized types only. Thread: any.
 */
void drift_cpu_unpack_block(const struct drift_cpu_packed *packed, enum drift_dtype dtype,
                            uint32_t group, uint32_t block,
                            float values[DRIFT_CPU_BLOCK][DRIFT_CPU_GROUP_ROWS]);

#endif
