/*
 * A growing byte string with a cap and a sticky failed flag, always NUL-terminated.
 *
 * Used by every writer (SSE, JSON, logs, generated kernels): append without checking, check failed
 * once at the end. Nothing is appended after a failure, so a prefix is never mistaken for the whole.
 */
#ifndef DRIFT_RUNTIME_BASE_BUFFER_H
#define DRIFT_RUNTIME_BASE_BUFFER_H

#include "runtime/base/alloc.h"

#include <stdbool.h>

struct drift_buf {
    char *data; /* NULL until the first append; drift_buf_cstr is never NULL */
    size_t len; /* without the NUL */
    size_t capacity;
    size_t cap_bytes; /* len never exceeds this */
    enum drift_tag tag;
    bool failed;
    bool no_memory; /* failed because the heap was exhausted, not because of the cap */
};

void drift_buf_init(struct drift_buf *buf, enum drift_tag tag, size_t cap_bytes);
void drift_buf_fini(struct drift_buf *buf);
/* Forget the contents and the failure, keep the memory. */
void drift_buf_reset(struct drift_buf *buf);
/* Make room for extra more bytes, so that appending them allocates nothing. */
void drift_buf_reserve(struct drift_buf *buf, size_t extra);
void drift_buf_append(struct drift_buf *buf, const void *data, size_t len);
void drift_buf_append_str(struct drift_buf *buf, const char *s);
void drift_buf_append_char(struct drift_buf *buf, char c);
void drift_buf_printf(struct drift_buf *buf, const char *fmt, ...) DRIFT_PRINTF(2, 3);
/* Take over the failure of a part that was written elsewhere and appended. */
void drift_buf_join_failure(struct drift_buf *buf, const struct drift_buf *part);
/* Remove the first n bytes (n <= len). */
void drift_buf_consume(struct drift_buf *buf, size_t n);
/* Cut to len bytes (len <= buf->len). */
void drift_buf_truncate(struct drift_buf *buf, size_t len);
const char *drift_buf_cstr(const struct drift_buf *buf);
/* Move the bytes out (drift_free releases them) and leave the buffer empty; NULL when failed. */
char *drift_buf_take(struct drift_buf *buf, size_t *ret_len) DRIFT_MUST_USE;

#endif
