/*
 * Data types of tensors: one table of names, block sizes and GGUF ids.
 *
 * A block is the smallest unit that can be addressed: n_elements values in n_bytes bytes. Plain types
 * have blocks of one element. The block layouts themselves are published with the GGUF format; the
 * CPU backend's dequantize functions are where they are written down byte by byte.
 */
#ifndef DRIFT_RUNTIME_BASE_DTYPE_H
#define DRIFT_RUNTIME_BASE_DTYPE_H

#include <stdbool.h>
#include <stdint.h>

/* X(enumerator, name, elements per block, bytes per block, GGUF type id or -1) */
#define DRIFT_DTYPE_MAP(X)                                                                         \
    X(F32, "F32", 1, 4, 0)                                                                         \
    X(F16, "F16", 1, 2, 1)                                                                         \
    X(BF16, "BF16", 1, 2, 30)                                                                      \
    X(I32, "I32", 1, 4, 26)                                                                        \
    X(Q4_0, "Q4_0", 32, 18, 2)                                                                     \
    X(Q4_1, "Q4_1", 32, 20, 3)                                                                     \
    X(Q5_0, "Q5_0", 32, 22, 6)                                                                     \
    X(Q5_1, "Q5_1", 32, 24, 7)                                                                     \
    X(Q8_0, "Q8_0", 32, 34, 8)                                                                     \
    X(Q4_K, "Q4_K", 256, 144, 12)                                                                  \
    X(Q5_K, "Q5_K", 256, 176, 13)                                                                  \
    X(Q6_K, "Q6_K", 256, 210, 14)

enum drift_dtype {
#define X(id, name, elements, bytes, gguf) DRIFT_DTYPE_##id,
    DRIFT_DTYPE_MAP(X)
#undef X
    DRIFT_DTYPE_COUNT
};

struct drift_dtype_info {
    const char *name;
    uint32_t n_elements; /* per block */
    uint32_t n_bytes;    /* per block */
    int32_t gguf_type;
};

/* Never NULL for a value of the enum. Thread: any. */
const struct drift_dtype_info *drift_dtype_info(enum drift_dtype dtype);
/* Find the type with this GGUF id; false when the format knows it but we do not, or nobody does. */
bool drift_dtype_from_gguf(uint32_t gguf_type, enum drift_dtype *ret_dtype);
/* Bytes of a row of n_elements (a multiple of the block); false on overflow or a broken block. */
bool drift_dtype_row_bytes(enum drift_dtype dtype, uint64_t n_elements, uint64_t *ret_bytes);

#endif
