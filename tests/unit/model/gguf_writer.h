/*
 * Writes GGUF files for tests: well-formed ones, tiny models with random weights, and broken ones.
 *
 * Every function is static inline, so that a test includes this and links only drift_base. Nothing
 * is checked: what is asked for is written, and the counts in the header can be overridden. The
 * layout is in runtime/model/gguf.c.
 */
#ifndef DRIFT_TESTS_UNIT_MODEL_GGUF_WRITER_H
#define DRIFT_TESTS_UNIT_MODEL_GGUF_WRITER_H

#include "runtime/base/buffer.h"
#include "runtime/base/dtype.h"
#include "runtime/base/file.h"

#include <stdint.h>
#include <string.h>

/* Numbers of value types, as in the format. */
enum gguf_writer_type {
    GGUF_U8,
    GGUF_I8,
    GGUF_U16,
    GGUF_I16,
    GGUF_U32,
    GGUF_I32,
    GGUF_F32,
    GGUF_BOOL,
    GGUF_STRING,
    GGUF_ARRAY,
    GGUF_U64,
    GGUF_I64,
    GGUF_F64
};

struct gguf_writer {
    struct drift_buf kv, tensors, data; /* the three parts of the file, without the header */
    uint64_t n_kv, n_tensors;           /* written to the header; may be falsified before finish */
    uint32_t version;
    uint32_t alignment; /* of the data; the key general.alignment is the caller's to write */
    uint64_t random;    /* state of the weights' generator */
};

static inline void gguf_writer_init(struct gguf_writer *w)
{
    memset(w, 0, sizeof(*w));
    drift_buf_init(&w->kv, DRIFT_TAG_BASE, SIZE_MAX / 4);
    drift_buf_init(&w->tensors, DRIFT_TAG_BASE, SIZE_MAX / 4);
    drift_buf_init(&w->data, DRIFT_TAG_BASE, SIZE_MAX / 4);
    w->version = 3;
    w->alignment = 32;
    w->random = 1;
}

static inline void gguf_writer_fini(struct gguf_writer *w)
{
    drift_buf_fini(&w->kv);
    drift_buf_fini(&w->tensors);
    drift_buf_fini(&w->data);
}

/* The low n_bytes of value, little-endian. */
static inline void gguf_put(struct drift_buf *b, uint64_t value, uint32_t n_bytes)
{
    for (uint32_t i = 0; i < n_bytes; i++)
        drift_buf_append_char(b, (char)(unsigned char)(value >> (8 * i)));
}

static inline void gguf_put_f32(struct drift_buf *b, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, 4);
    gguf_put(b, bits, 4);
}

static inline void gguf_put_bytes(struct drift_buf *b, const void *data, uint64_t len)
{
    gguf_put(b, len, 8);
    drift_buf_append(b, data, (size_t)len);
}

/* A key and its value's type; the caller appends the value to w->kv. */
static inline void gguf_writer_key(struct gguf_writer *w, const char *key, uint32_t type)
{
    gguf_put_bytes(&w->kv, key, strlen(key));
    gguf_put(&w->kv, type, 4);
    w->n_kv++;
}

/* Any integer type or BOOL. */
static inline void gguf_writer_integer(struct gguf_writer *w, const char *key, uint32_t type,
                                       uint64_t value)
{
    static const uint8_t bytes[] = {1, 1, 2, 2, 4, 4, 4, 1, 8, 8, 8, 8, 8};
    gguf_writer_key(w, key, type);
    gguf_put(&w->kv, value, bytes[type]);
}

static inline void gguf_writer_u32(struct gguf_writer *w, const char *key, uint32_t value)
{
    gguf_writer_integer(w, key, GGUF_U32, value);
}

static inline void gguf_writer_bool(struct gguf_writer *w, const char *key, int value)
{
    gguf_writer_integer(w, key, GGUF_BOOL, (uint64_t)value);
}

static inline void gguf_writer_f32(struct gguf_writer *w, const char *key, float value)
{
    gguf_writer_key(w, key, GGUF_F32);
    gguf_put_f32(&w->kv, value);
}

static inline void gguf_writer_string(struct gguf_writer *w, const char *key, const char *value)
{
    gguf_writer_key(w, key, GGUF_STRING);
    gguf_put_bytes(&w->kv, value, strlen(value));
}

/* An array's head; the caller appends count elements to w->kv. */
static inline void gguf_writer_array(struct gguf_writer *w, const char *key, uint32_t element_type,
                                     uint64_t count)
{
    gguf_writer_key(w, key, GGUF_ARRAY);
    gguf_put(&w->kv, element_type, 4);
    gguf_put(&w->kv, count, 8);
}

static inline void gguf_writer_i32s(struct gguf_writer *w, const char *key, const int32_t *values,
                                    uint64_t count)
{
    gguf_writer_array(w, key, GGUF_I32, count);
    for (uint64_t i = 0; i < count; i++)
        gguf_put(&w->kv, (uint32_t)values[i], 4);
}

static inline void gguf_writer_f32s(struct gguf_writer *w, const char *key, const float *values,
                                    uint64_t count)
{
    gguf_writer_array(w, key, GGUF_F32, count);
    for (uint64_t i = 0; i < count; i++)
        gguf_put_f32(&w->kv, values[i]);
}

static inline void gguf_writer_strings(struct gguf_writer *w, const char *key,
                                       const char *const *values, uint64_t count)
{
    gguf_writer_array(w, key, GGUF_STRING, count);
    for (uint64_t i = 0; i < count; i++)
        gguf_put_bytes(&w->kv, values[i], strlen(values[i]));
}

/* A tensor's entry with any numbers; no data. */
static inline void gguf_writer_tensor_entry(struct gguf_writer *w, const char *name,
                                            uint32_t n_dims, const uint64_t *dims, uint32_t type,
                                            uint64_t offset)
{
    gguf_put_bytes(&w->tensors, name, strlen(name));
    gguf_put(&w->tensors, n_dims, 4);
    for (uint32_t i = 0; i < n_dims; i++)
        gguf_put(&w->tensors, dims[i], 8);
    gguf_put(&w->tensors, type, 4);
    gguf_put(&w->tensors, offset, 8);
    w->n_tensors++;
}

static inline void gguf_writer_pad(struct gguf_writer *w, struct drift_buf *b, uint64_t at)
{
    for (; w->alignment && at % w->alignment; at++)
        drift_buf_append_char(b, 0);
}

/* dims in the file's order: dims[0] = columns. */
static inline void gguf_writer_tensor(struct gguf_writer *w, const char *name,
                                      enum drift_dtype dtype, uint32_t n_dims, const uint64_t *dims,
                                      const void *data, uint64_t n_bytes)
{
    gguf_writer_pad(w, &w->data, w->data.len);
    gguf_writer_tensor_entry(w, name, n_dims, dims, (uint32_t)drift_dtype_info(dtype)->gguf_type,
                             w->data.len);
    drift_buf_append(&w->data, data, (size_t)n_bytes);
}

static inline uint64_t gguf_writer_random(struct gguf_writer *w)
{
    uint64_t z = w->random += 0x9e3779b97f4a7c15u; /* splitmix64 */
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Positive normal values only: enough for scales. */
static inline uint16_t gguf_f16(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, 4);
    int32_t exponent = (int32_t)(bits >> 23 & 255) - 127 + 15;
    return exponent <= 0 ? 0 : (uint16_t)(((uint32_t)exponent << 10) | (bits >> 13 & 1023));
}

/*
 * One random block: random bytes, with the f16 scales inside replaced so that values are spread
 * over about
 * [-amplitude, amplitude].
 */
static inline void gguf_writer_random_block(struct gguf_writer *w, enum drift_dtype dtype,
                                            float amplitude)
{
    /* where the two f16 scales are (-1: none), and what they are for amplitude 1 */
    static const struct {
        int32_t at, at_min;
        float scale, min;
    } layout[DRIFT_DTYPE_COUNT] = {
        [DRIFT_DTYPE_Q4_0] = {0,   -1, 1 / 8.0f,          0        },
        [DRIFT_DTYPE_Q4_1] = {0,   2,  2 / 15.0f,         -1       },
        [DRIFT_DTYPE_Q5_0] = {0,   -1, 1 / 16.0f,         0        },
        [DRIFT_DTYPE_Q5_1] = {0,   2,  2 / 31.0f,         -1       },
        [DRIFT_DTYPE_Q8_0] = {0,   -1, 1 / 128.0f,        0        },
        [DRIFT_DTYPE_Q4_K] = {0,   2,  2 / (15.0f * 63),  1 / 63.0f},
        [DRIFT_DTYPE_Q5_K] = {0,   2,  2 / (31.0f * 63),  1 / 63.0f},
        [DRIFT_DTYPE_Q6_K] = {208, -1, 1 / (32.0f * 128), 0        },
    };
    const struct drift_dtype_info *info = drift_dtype_info(dtype);
    uint64_t r = gguf_writer_random(w);
    float unit = (float)(r >> 40) / (float)(1u << 23) - 1.0f; /* [-1, 1) */
    float value = unit * amplitude, magnitude = value < 0 ? -value : value;
    uint32_t bits;
    memcpy(&bits, &value, 4);
    if (dtype == DRIFT_DTYPE_F32 || dtype == DRIFT_DTYPE_I32) {
        gguf_put(&w->data, bits, 4);
    } else if (dtype == DRIFT_DTYPE_BF16) {
        gguf_put(&w->data, bits >> 16, 2);
    } else if (dtype == DRIFT_DTYPE_F16) {
        gguf_put(&w->data, gguf_f16(magnitude) | (uint32_t)(value < 0) << 15, 2);
    } else {
        size_t start = w->data.len;
        for (uint32_t i = 0; i < info->n_bytes; i++)
            gguf_put(&w->data, gguf_writer_random(w), 1);
        float min = layout[dtype].min * amplitude;
        uint16_t d = gguf_f16(layout[dtype].scale * amplitude);
        uint16_t m = (uint16_t)(gguf_f16(min < 0 ? -min : min) | (min < 0 ? 0x8000 : 0));
        if (w->data.failed)
            return;
        w->data.data[start + (size_t)layout[dtype].at] = (char)(d & 255);
        w->data.data[start + (size_t)layout[dtype].at + 1] = (char)(d >> 8);
        if (layout[dtype].at_min >= 0) {
            w->data.data[start + (size_t)layout[dtype].at_min] = (char)(m & 255);
            w->data.data[start + (size_t)layout[dtype].at_min + 1] = (char)(m >> 8);
        }
    }
}

/* A tensor of pseudo-random weights in about [-amplitude, amplitude], the same in every run. n_rows
 * 0: one dimension. */
static inline void gguf_writer_random_tensor(struct gguf_writer *w, const char *name,
                                             enum drift_dtype dtype, uint64_t n_cols,
                                             uint64_t n_rows, float amplitude)
{
    uint64_t dims[2] = {n_cols, n_rows};
    uint64_t n_blocks = n_cols / drift_dtype_info(dtype)->n_elements * (n_rows ? n_rows : 1);
    gguf_writer_tensor(w, name, dtype, n_rows ? 2 : 1, dims, NULL, 0);
    for (uint64_t i = 0; i < n_blocks; i++)
        gguf_writer_random_block(w, dtype, amplitude);
}

/* A vector of one value: norm weights. */
static inline void gguf_writer_constant_vector(struct gguf_writer *w, const char *name, uint64_t n,
                                               float value)
{
    gguf_writer_tensor(w, name, DRIFT_DTYPE_F32, 1, &n, NULL, 0);
    for (uint64_t i = 0; i < n; i++)
        gguf_put_f32(&w->data, value);
}

/* Append the whole file to out; the writer can go on. */
static inline void gguf_writer_finish(struct gguf_writer *w, struct drift_buf *out)
{
    size_t start = out->len;
    drift_buf_append(out, "GGUF", 4);
    gguf_put(out, w->version, 4);
    gguf_put(out, w->n_tensors, 8);
    gguf_put(out, w->n_kv, 8);
    drift_buf_append(out, drift_buf_cstr(&w->kv), w->kv.len);
    drift_buf_append(out, drift_buf_cstr(&w->tensors), w->tensors.len);
    gguf_writer_pad(w, out, out->len - start);
    drift_buf_append(out, drift_buf_cstr(&w->data), w->data.len);
}

/* Write the file to path; 0 on success. */
static inline int gguf_writer_save(struct gguf_writer *w, const char *path)
{
    struct drift_buf out;
    drift_buf_init(&out, DRIFT_TAG_BASE, SIZE_MAX / 4);
    gguf_writer_finish(w, &out);
    int failed = out.failed ||
                 drift_file_replace(path, drift_buf_cstr(&out), out.len, NULL) != DRIFT_STATUS_OK;
    drift_buf_fini(&out);
    return failed;
}

#endif
