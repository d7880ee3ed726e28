/* Inside of struct drift_gguf, shared by the files of the reader only. */
#ifndef DRIFT_RUNTIME_MODEL_GGUF_IMPL_H
#define DRIFT_RUNTIME_MODEL_GGUF_IMPL_H

#include "runtime/base/arena.h"
#include "runtime/base/file.h"
#include "runtime/model/gguf.h"

/* Names to positions: open addressing, at most half full, seeded so that a file cannot choose
 * collisions. */
struct drift_gguf_index {
    const char **names; /* [count], borrowed */
    uint32_t *slots;    /* [mask + 1], position + 1, 0 = empty */
    uint64_t mask, seed;
};

struct drift_gguf {
    struct drift_file_map map; /* empty when the bytes are the caller's */
    const uint8_t *bytes;      /* [info.file_bytes] */
    struct drift_gguf_info info;
    struct drift_arena strings; /* copies of keys and names, NUL-terminated */
    struct drift_gguf_kv *kv;
    struct drift_gguf_tensor *tensors;
    struct drift_gguf_index kv_index, tensor_index;
};

/* What this program knows of a type number, including those it cannot compute with. */
struct drift_gguf_tensor_type {
    const char *name;
    uint32_t gguf_type, n_elements, n_bytes; /* of a block */
};

/* NULL for a number nobody has published. */
const struct drift_gguf_tensor_type *drift_gguf_tensor_type_find(uint32_t gguf_type);

static inline uint32_t drift_gguf_load_u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t drift_gguf_load_u64(const uint8_t *p)
{
    return (uint64_t)drift_gguf_load_u32(p) | (uint64_t)drift_gguf_load_u32(p + 4) << 32;
}

#endif
