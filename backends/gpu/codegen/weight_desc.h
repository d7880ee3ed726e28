/*
 * Weight descriptors: how a [n_rows, n_cols] constant lies on a GPU, for every GGUF type, kept
 * quantized.
 *
 * One layout serves all kernels (thin, tiled, look-up), so a weight is on the device once. Rows are
 * cut into groups of 16 (lanes), columns into blocks of 32; both are padded with zeros. Planes of
 * 32-bit words, separate buffers:
 *
 *   quants  [group][block][word][lane]   a lane's 32 values in n_quant_words words; the 16 lanes of
 * a word are adjacent, so one work-item loads 4 or 16 rows with one vector load, and neighbouring
 *                                        work-items read neighbouring words (ML Drift's I4O4
 * blocks, widened) scales  [group][block][lane]         32 or 16 bits per lane supers [group][block
 * / 8][lane]     32 or 16 bits per lane: the K types' d and dmin
 *
 * Words of a block (k = column within the block):
 *   F32      word k                     F16, BF16   word k/2, bits 16 * (k % 2)
 *   8 bits   word k/4, bits 8 * (k % 4), stored + 128
 *   4 bits   word k/8, bits 4 * (k % 8)
 *   5 bits   as 4 bits, then one word with bit k
 *   6 bits   as 4 bits, then two words with bits 2 * (k % 16)
 * 16-bit planes hold 8 words per 16 lanes: word i has lane i in its low and lane i + 8 in its high
 * half, so that nothing but 32-bit loads is needed. The value is q * scale + bias with one rounding
 * (fma).
 */
#ifndef DRIFT_BACKENDS_GPU_CODEGEN_WEIGHT_DESC_H
#define DRIFT_BACKENDS_GPU_CODEGEN_WEIGHT_DESC_H

#include "runtime/base/dtype.h"

#define DRIFT_GPU_WEIGHT_LANES 16u
#define DRIFT_GPU_WEIGHT_BLOCK 32u
#define DRIFT_GPU_WEIGHT_SUPER 256u

enum drift_gpu_plane {
    DRIFT_GPU_PLANE_QUANTS,
    DRIFT_GPU_PLANE_SCALES,
    DRIFT_GPU_PLANE_SUPERS,
    DRIFT_GPU_PLANE_COUNT
};

struct drift_gpu_weight_format {
    const char *name;       /* of the snippets NAME.scales in weights.k; NULL: no such weight */
    const char *load;       /* snippet LOAD.load8 */
    uint32_t n_quant_words; /* per lane and block */
    uint32_t scale_bits;    /* per lane and block: 0, 16 or 32 */
    uint32_t super_bits;    /* per lane and 256 columns: 0, 16 or 32 */
};

struct drift_gpu_weight_desc {
    enum drift_dtype dtype;
    uint32_t n_rows, n_cols;
};

/* Never NULL; name is NULL for a type that is no weight (I32). */
const struct drift_gpu_weight_format *drift_gpu_weight_format(enum drift_dtype dtype);
uint32_t drift_gpu_weight_groups(const struct drift_gpu_weight_desc *desc);
uint32_t drift_gpu_weight_blocks(const struct drift_gpu_weight_desc *desc);
/* 32-bit words of one group of 16 rows in a plane; 0 when the format lacks it. */
uint64_t drift_gpu_weight_group_words(const struct drift_gpu_weight_desc *desc,
                                      enum drift_gpu_plane plane);
/* Bytes of a whole plane. */
uint64_t drift_gpu_weight_plane_bytes(const struct drift_gpu_weight_desc *desc,
                                      enum drift_gpu_plane plane);

#endif
