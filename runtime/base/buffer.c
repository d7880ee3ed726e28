/* Doubling growth under a cap; see buffer.h. */
#include "runtime/base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void drift_buf_init(struct drift_buf *buf, enum drift_tag tag, size_t cap_bytes)
{
    *buf = (struct drift_buf){.tag = tag, .cap_bytes = cap_bytes};
}

void drift_buf_fini(struct drift_buf *buf)
{
    drift_free(buf->data);
    drift_buf_init(buf, buf->tag, buf->cap_bytes);
}

void drift_buf_reset(struct drift_buf *buf)
{
    drift_buf_truncate(buf, 0);
    buf->failed = buf->no_memory = false;
}

void drift_buf_join_failure(struct drift_buf *buf, const struct drift_buf *part)
{
    buf->failed |= part->failed;
    buf->no_memory |= part->no_memory;
}

static bool reserve(struct drift_buf *buf, size_t extra)
{
    if (buf->failed || extra > buf->cap_bytes - buf->len ||
        extra >= SIZE_MAX - buf->len) {
        buf->failed = true;
        return false;
    }
    size_t need = buf->len + extra + 1;
    if (need <= buf->capacity)
        return true;
    size_t capacity = buf->capacity ? buf->capacity : 64;
    while (capacity < need)
        capacity = capacity > SIZE_MAX / 2 ? need : capacity * 2;
    char *data = drift_realloc(buf->tag, buf->data, capacity, 1);
    if (!data) {
        buf->failed = buf->no_memory = true;
        return false;
    }
    buf->data = data;
    buf->capacity = capacity;
    return true;
}

void drift_buf_reserve(struct drift_buf *buf, size_t extra)
{
    reserve(buf, extra);
}

void drift_buf_append(struct drift_buf *buf, const void *data, size_t len)
{
    if (!reserve(buf, len))
        return;
    if (len)
        memcpy(buf->data + buf->len, data, len);
    buf->len += len;
    buf->data[buf->len] = '\0';
}

void drift_buf_append_str(struct drift_buf *buf, const char *s)
{
    drift_buf_append(buf, s, strlen(s));
}

void drift_buf_append_char(struct drift_buf *buf, char c)
{
    drift_buf_append(buf, &c, 1);
}

void drift_buf_printf(struct drift_buf *buf, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (n < 0) {
        buf->failed = true;
        return;
    }
    if (!reserve(buf, (size_t)n))
        return;
    va_start(args, fmt);
    vsnprintf(buf->data + buf->len, (size_t)n + 1, fmt, args);
    va_end(args);
    buf->len += (size_t)n;
}

void drift_buf_consume(struct drift_buf *buf, size_t n)
{
    DRIFT_ASSERT(n <= buf->len);
    if (n == 0)
        return;
    memmove(buf->data, buf->data + n, buf->len - n + 1);
    buf->len -= n;
}

void drift_buf_truncate(struct drift_buf *buf, size_t len)
{
    DRIFT_ASSERT(len <= buf->len);
    buf->len = len;
    if (buf->data)
        buf->data[len] = '\0';
}

const char *drift_buf_cstr(const struct drift_buf *buf)
{
    return buf->data ? buf->data : "";
}

char *drift_buf_take(struct drift_buf *buf, size_t *ret_len)
{
    if (!buf->data && !buf->failed)
        reserve(buf, 0);
    if (buf->failed)
        return NULL;
    buf->data[buf->len] = '\0';
    char *data = buf->data;
    if (ret_len)
        *ret_len = buf->len;
    drift_buf_init(buf, buf->tag, buf->cap_bytes);
    return data;
}
