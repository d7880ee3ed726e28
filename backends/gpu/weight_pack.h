/*
 * Host side of weight_desc.h: GGUF rows into planes.
 *
 * The GGUF block layouts (all little-endian; d, m, dmin are f16; k counts columns in the block):
 *   Q4_0  d, 16 bytes: byte i has k = i low and k = i + 16 high          (q - 8) d
 *   Q4_1  d, m, as Q4_0                                                  q d + m
 *   Q5_0  d, u32 of fifth bits by k, nibbles as Q4_0                     (q - 16) d
 *   Q5_1  d, m, u32, nibbles                                             q d + m
 *   Q8_0  d, 32 signed bytes                                             q d
 *   Q4_K  d, dmin, 12 bytes of eight 6-bit (scale, min), 128 bytes: each 32 hold columns 64 j + i
 * low and 64 j + 32 + i high                                             q d scale - dmin min Q5_K
 * d, dmin, 12 bytes, 32 bytes of fifth bits (bit k / 32 of byte k % 32), 128 bytes as Q4_K Q6_K 128
 * bytes ql, 64 bytes qh, 16 signed scales (one per 16 columns), d; per 128 columns: ql byte i low:
 * k = i, byte i + 32 low: k = i + 32, the same bytes high: k + 64; qh byte i: two bits each of i, i
 * + 32, i + 64, i + 96 (q - 32) d scale
 */
#ifndef DRIFT_BACKENDS_GPU_WEIGHT_PACK_H
#define DRIFT_BACKENDS_GPU_WEIGHT_PACK_H

#include "backends/gpu/codegen/weight_desc.h"
#include "runtime/base/status.h"

/*
 * Rearrange the 16 rows of one group. rows: GGUF rows from the group's first on, of which only
 * n_rows (1 ... 16) exist. planes[p]: drift_gpu_weight_group_words(desc, p) words each, zero on
 * entry. Thread: any.
 */
void drift_gpu_weight_pack_group(const struct drift_gpu_weight_desc *desc, const uint8_t *rows,
                                 uint32_t n_rows, uint32_t *const planes[DRIFT_GPU_PLANE_COUNT]);

#endif
