/*
 * Strict, bounded JSON: a reader over cJSON and a writer into a struct drift_buf.
 *
 * cJSON is lenient and its own business here: the reader first scans the text itself and refuses what
 * RFC 8259 does (and what cJSON lets pass): invalid UTF-8, raw control characters, lone surrogates,
 * leading zeros, NaN, trailing bytes, and anything deeper, longer or wider than the limits, before cJSON
 * allocates a byte. Duplicate keys are refused: two readers must never see two different requests.
 * U+0000 in a string is refused too (C strings follow), and so are numbers of over 63 characters or
 * beyond a double's range. Integers are exact below 2^53; larger literals are refused by
 * drift_json_int64, not rounded.
 */
#ifndef DRIFT_RUNTIME_BASE_JSON_H
#define DRIFT_RUNTIME_BASE_JSON_H

#include "runtime/base/buffer.h"
#include "runtime/base/error.h"

#include <stdbool.h>
#include <stdint.h>

/* A value in a parsed document; owned by the document. */
struct drift_json;

enum drift_json_type {
    DRIFT_JSON_NULL,
    DRIFT_JSON_BOOL,
    DRIFT_JSON_NUMBER,
    DRIFT_JSON_STRING,
    DRIFT_JSON_ARRAY,
    DRIFT_JSON_OBJECT,
    DRIFT_JSON_TYPE_COUNT
};

struct drift_json_limits {
    size_t max_bytes;
    uint32_t max_depth;  /* of nested arrays and objects; at most 512 */
    uint32_t max_values; /* values in the whole document */
};

/* 16 MiB, 64 deep, 1,000,000 values. */
extern const struct drift_json_limits drift_json_default_limits;

/*
 * Parse len bytes. Errors: CORRUPT (the message says what, and at which byte or under which key), LIMIT, NO_MEMORY. *ret_doc is
 * the root value and is released with drift_json_destroy. Thread: any.
 */
enum drift_status drift_json_parse(const char *text, size_t len,
                                   const struct drift_json_limits *limits,
                                   struct drift_json **ret_doc, struct drift_error *err) DRIFT_MUST_USE;
/* Release a root value; NULL is accepted. */
void drift_json_destroy(struct drift_json *doc);

enum drift_json_type drift_json_type(const struct drift_json *v);
const char *drift_json_type_name(enum drift_json_type type); /* "null", "boolean", "number" ... */

/* Object member by exact key; NULL when absent, when v is NULL or no object. */
const struct drift_json *drift_json_get(const struct drift_json *v, const char *key);
/* Elements of an array or members of an object; 0 for others. */
uint32_t drift_json_size(const struct drift_json *v);
/* Iterate arrays and objects in document order: first child, then the next sibling; NULL at the end. */
const struct drift_json *drift_json_first(const struct drift_json *v);
const struct drift_json *drift_json_next(const struct drift_json *child);
/* The key of an object's member; NULL for others. */
const char *drift_json_key(const struct drift_json *child);

/* Each returns false and leaves *ret untouched when v is NULL or of another type. */
bool drift_json_bool(const struct drift_json *v, bool *ret);
bool drift_json_double(const struct drift_json *v, double *ret);
/* False too for fractions and for magnitudes of 2^53 and above (2^53 + 1 would read as 2^53). */
bool drift_json_int64(const struct drift_json *v, int64_t *ret);
/* Borrowed, NUL-terminated UTF-8, valid as long as the document. */
bool drift_json_string(const struct drift_json *v, const char **ret);

/*
 * Writer: emits commas itself. Misuse (a value without a key in an object, unbalanced ends) asserts;
 * running out of room sets out->failed. Invalid UTF-8 in strings is written as U+FFFD, so the output
 * is always valid JSON.
 */
#define DRIFT_JSON_WRITER_MAX_DEPTH 64

struct drift_json_writer {
    struct drift_buf *out;
    uint32_t depth;
    bool need_comma, after_key;
    uint64_t is_object; /* bit per depth */
};

void drift_json_writer_init(struct drift_json_writer *w, struct drift_buf *out);
void drift_json_begin_object(struct drift_json_writer *w);
void drift_json_end_object(struct drift_json_writer *w);
void drift_json_begin_array(struct drift_json_writer *w);
void drift_json_end_array(struct drift_json_writer *w);
void drift_json_write_key(struct drift_json_writer *w, const char *key);
void drift_json_write_string(struct drift_json_writer *w, const char *s, size_t len);
void drift_json_write_cstring(struct drift_json_writer *w, const char *s);
void drift_json_write_int(struct drift_json_writer *w, int64_t v);
/* Shortest form that reads back equal; NaN and infinities become null. */
void drift_json_write_double(struct drift_json_writer *w, double v);
void drift_json_write_bool(struct drift_json_writer *w, bool v);
void drift_json_write_null(struct drift_json_writer *w);
/* Copy a parsed value, members in document order. One that would exceed the writer's depth sets out->failed. */
void drift_json_write_value(struct drift_json_writer *w, const struct drift_json *v);

/* Key and value in one call. */
void drift_json_member_string(struct drift_json_writer *w, const char *key, const char *s);
void drift_json_member_int(struct drift_json_writer *w, const char *key, int64_t v);
void drift_json_member_double(struct drift_json_writer *w, const char *key, double v);
void drift_json_member_bool(struct drift_json_writer *w, const char *key, bool v);
void drift_json_member_null(struct drift_json_writer *w, const char *key);

#endif
