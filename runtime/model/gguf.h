/*
 * GGUF files: the checked reader that everything about a model file goes through.
 *
 * Opening scans the whole header once: every count, length and offset is verified against the file
 * before anything is allocated for it or reached through it, so that afterwards no accessor can
 * leave the file. Values and tensor data stay in the mapping; names and tables are copied (a few
 * bytes per byte of header). What the metadata means, and whether a model can run, is the loader's
 * business, not this one's.
 */
#ifndef DRIFT_RUNTIME_MODEL_GGUF_H
#define DRIFT_RUNTIME_MODEL_GGUF_H

#include "runtime/base/buffer.h"
#include "runtime/base/dtype.h"
#include "runtime/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Caps beyond what the file's size already implies. */
#define DRIFT_GGUF_MAX_KEY_BYTES         65535u
#define DRIFT_GGUF_MAX_TENSOR_NAME_BYTES 1024u
#define DRIFT_GGUF_MAX_DIMS              4u
#define DRIFT_GGUF_MAX_KV                (1u << 20)
#define DRIFT_GGUF_MAX_TENSORS           (1u << 20)
#define DRIFT_GGUF_MAX_ALIGNMENT         (1u << 20)

/*
 * X(enumerator, name, bytes per value or 0 for what has no fixed size); the order is the format's
 * numbering.
 */
#define DRIFT_GGUF_TYPE_MAP(X)                                                                     \
    X(U8, "u8", 1)                                                                                 \
    X(I8, "i8", 1)                                                                                 \
    X(U16, "u16", 2)                                                                               \
    X(I16, "i16", 2)                                                                               \
    X(U32, "u32", 4)                                                                               \
    X(I32, "i32", 4)                                                                               \
    X(F32, "f32", 4)                                                                               \
    X(BOOL, "bool", 1)                                                                             \
    X(STRING, "string", 0)                                                                         \
    X(ARRAY, "array", 0)                                                                           \
    X(U64, "u64", 8)                                                                               \
    X(I64, "i64", 8)                                                                               \
    X(F64, "f64", 8)

enum drift_gguf_type {
#define X(id, name, bytes) DRIFT_GGUF_TYPE_##id,
    DRIFT_GGUF_TYPE_MAP(X)
#undef X
    DRIFT_GGUF_TYPE_COUNT
};

/* What a reader wants an array's elements to be; any width will do. */
enum drift_gguf_kind {
    DRIFT_GGUF_KIND_INTEGER, /* u8 ... i64 */
    DRIFT_GGUF_KIND_FLOAT,   /* f32, f64 */
    DRIFT_GGUF_KIND_BOOL,
    DRIFT_GGUF_KIND_STRING,
    DRIFT_GGUF_KIND_COUNT
};

struct drift_gguf;

/* Bytes inside the file, not NUL-terminated, any bytes at all; valid until the file is closed. */
struct drift_gguf_string {
    const char *data;
    size_t len;
};

/*
 * An array's elements inside the file (unaligned, little-endian); valid until the file is closed.
 */
struct drift_gguf_array {
    enum drift_gguf_type type; /* of the elements; never ARRAY */
    uint64_t count;
    const uint8_t *data;
    uint64_t size_bytes;
};

/* One metadata entry. A scalar is presented as an array of one. */
struct drift_gguf_kv {
    const char *key;           /* NUL-terminated UTF-8, not empty, unique in the file */
    enum drift_gguf_type type; /* ARRAY when the entry is one */
    struct drift_gguf_array value;
};

struct drift_gguf_tensor {
    const char *name;     /* NUL-terminated UTF-8, not empty, unique in the file */
    bool known_type;      /* false: only to be listed; a loader that needs it refuses */
    enum drift_dtype dtype; /* meaningless unless known_type */
    uint32_t gguf_type;    /* the number in the file */
    const char *type_name; /* "Q4_K"; "?" for a number nobody has published */
    uint32_t n_dims;       /* 1 ... 4 */
    /* In the file's order: dims[0] = columns. 1 beyond n_dims; the product fits into int64_t. */
    uint64_t dims[DRIFT_GGUF_MAX_DIMS];
    uint64_t offset_bytes; /* from the start of the file */
    uint64_t size_bytes;   /* 0 when the type's block size is not known */
    const void *data;      /* file + offset; aligned to the file's alignment when mapped */
};

struct drift_gguf_info {
    uint32_t version;         /* 2 or 3 */
    uint32_t alignment_bytes; /* a power of two */
    uint64_t n_kv, n_tensors;
    uint64_t file_bytes;
    uint64_t data_offset_bytes; /* where tensor data starts */
};

/*
 * Map and check a file. Errors: NOT_FOUND, IO, UNSUPPORTED (not a regular file, version 1,
 * big-endian, nested arrays), CORRUPT (breaks the format; the message says what and where), LIMIT
 * (a cap above), NO_MEMORY. *ret_gguf is released with drift_gguf_close. Blocks (reads the header).
 * Thread: any.
 */
enum drift_status drift_gguf_open(const char *path, struct drift_gguf **ret_gguf,
                                  struct drift_error *err) DRIFT_MUST_USE;
/* The same over bytes of the caller, which must outlive the object and not change. */
enum drift_status drift_gguf_open_memory(const void *data, size_t len, struct drift_gguf **ret_gguf,
                                         struct drift_error *err) DRIFT_MUST_USE;
/* Release; everything handed out becomes invalid. NULL is accepted. */
void drift_gguf_close(struct drift_gguf *gguf);

/* All of the following only read: Thread: any, at the same time. */
void drift_gguf_get_info(const struct drift_gguf *gguf, struct drift_gguf_info *ret_info);

/* Tensors in the file's order; i < n_tensors. */
const struct drift_gguf_tensor *drift_gguf_tensor_at(const struct drift_gguf *gguf, uint64_t i);
/* By exact name; NULL when there is none. */
const struct drift_gguf_tensor *drift_gguf_find_tensor(const struct drift_gguf *gguf,
                                                       const char *name);

/*
 * Tell the kernel that a tensor's pages are not needed soon; its data stays readable (from the page
 * cache, or the disk). Nothing happens when the bytes are the caller's.
 */
void drift_gguf_drop_tensor(const struct drift_gguf *gguf, const struct drift_gguf_tensor *tensor);

/* Metadata in the file's order; i < n_kv. */
const struct drift_gguf_kv *drift_gguf_kv_at(const struct drift_gguf *gguf, uint64_t i);
/* By exact key; NULL when there is none. */
const struct drift_gguf_kv *drift_gguf_find_kv(const struct drift_gguf *gguf, const char *key);

/*
 * Typed access. Errors: NOT_FOUND (no such key; *ret untouched, so a default set before stays),
 * CORRUPT (another type or out of the range asked for; the message names the key, what was found
 * and what was expected).
 */
/* Any integer type whose value is not negative. */
enum drift_status drift_gguf_get_u64(const struct drift_gguf *gguf, const char *key, uint64_t *ret,
                                     struct drift_error *err) DRIFT_MUST_USE;
/* The same, at most UINT32_MAX. */
enum drift_status drift_gguf_get_u32(const struct drift_gguf *gguf, const char *key, uint32_t *ret,
                                     struct drift_error *err) DRIFT_MUST_USE;
/* Any integer type. */
enum drift_status drift_gguf_get_i64(const struct drift_gguf *gguf, const char *key, int64_t *ret,
                                     struct drift_error *err) DRIFT_MUST_USE;
/* f32 or f64, finite. */
enum drift_status drift_gguf_get_f32(const struct drift_gguf *gguf, const char *key, float *ret,
                                     struct drift_error *err) DRIFT_MUST_USE;
enum drift_status drift_gguf_get_bool(const struct drift_gguf *gguf, const char *key, bool *ret,
                                      struct drift_error *err) DRIFT_MUST_USE;
enum drift_status drift_gguf_get_string(const struct drift_gguf *gguf, const char *key,
                                        struct drift_gguf_string *ret,
                                        struct drift_error *err) DRIFT_MUST_USE;
enum drift_status drift_gguf_get_array(const struct drift_gguf *gguf, const char *key,
                                       enum drift_gguf_kind kind, struct drift_gguf_array *ret,
                                       struct drift_error *err) DRIFT_MUST_USE;

/*
 * Element i of an array of KIND_INTEGER; false when i is out of range or the value exceeds int64_t.
 */
bool drift_gguf_array_i64(const struct drift_gguf_array *array, uint64_t i, int64_t *ret);
/* Element i of an array of KIND_FLOAT; false when i is out of range. May be NaN or infinite. */
bool drift_gguf_array_f32(const struct drift_gguf_array *array, uint64_t i, float *ret);
/* Element i of an array of KIND_BOOL; false when i is out of range. */
bool drift_gguf_array_bool(const struct drift_gguf_array *array, uint64_t i, bool *ret);

/* Strings are read in order: they have no fixed size. */
struct drift_gguf_strings {
    const uint8_t *at;
    uint64_t left; /* strings */
};

/* Start at the first string of an array of KIND_STRING. */
void drift_gguf_strings_init(struct drift_gguf_strings *it, const struct drift_gguf_array *array);
/* The next string; false at the end. */
bool drift_gguf_strings_next(struct drift_gguf_strings *it, struct drift_gguf_string *ret);

const char *drift_gguf_type_name(enum drift_gguf_type type);

/*
 * Write the file's description for a person: metadata (key, type, value; arrays and long strings
 * shortened), tensors (name, shape, type, bytes, offset) and totals per type, in aligned columns,
 * control characters escaped. A full buffer sets out->failed.
 */
void drift_gguf_print(const struct drift_gguf *gguf, struct drift_buf *out);

#endif
