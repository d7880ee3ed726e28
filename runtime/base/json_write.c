/* The writer: text straight into the buffer, with just enough state to place commas. */
#include "runtime/base/json.h"

#include "runtime/base/utf8.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void drift_json_writer_init(struct drift_json_writer *w, struct drift_buf *out)
{
    *w = (struct drift_json_writer){.out = out};
}

static bool in_object(const struct drift_json_writer *w)
{
    return w->depth > 0 && (w->is_object >> (w->depth - 1) & 1);
}

/* Every value passes here before its first byte. */
static void begin_value(struct drift_json_writer *w)
{
    DRIFT_ASSERT(in_object(w) == w->after_key);
    DRIFT_ASSERT(w->depth > 0 || !w->need_comma); /* one value per document */
    if (w->need_comma && !w->after_key)
        drift_buf_append_char(w->out, ',');
    w->after_key = false;
    w->need_comma = true;
}

static void begin_container(struct drift_json_writer *w, bool is_object)
{
    begin_value(w);
    DRIFT_ASSERT(w->depth < DRIFT_JSON_WRITER_MAX_DEPTH);
    uint64_t bit = (uint64_t)1 << w->depth;
    w->is_object = is_object ? w->is_object | bit : w->is_object & ~bit;
    w->depth++;
    w->need_comma = false;
    drift_buf_append_char(w->out, is_object ? '{' : '[');
}

static void end_container(struct drift_json_writer *w, bool is_object)
{
    DRIFT_ASSERT(w->depth > 0 && in_object(w) == is_object && !w->after_key);
    w->depth--;
    w->need_comma = true;
    drift_buf_append_char(w->out, is_object ? '}' : ']');
}

void drift_json_begin_object(struct drift_json_writer *w)
{
    begin_container(w, true);
}

void drift_json_end_object(struct drift_json_writer *w)
{
    end_container(w, true);
}

void drift_json_begin_array(struct drift_json_writer *w)
{
    begin_container(w, false);
}

void drift_json_end_array(struct drift_json_writer *w)
{
    end_container(w, false);
}

/* The two-character escape of c; 0 when it has none. */
static char short_escape(unsigned char c)
{
    switch (c) {
    case '"':
    case '\\':
        return (char)c;
    case '\b':
        return 'b';
    case '\f':
        return 'f';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    default:
        return 0;
    }
}

static void append_escaped(struct drift_buf *out, unsigned char c)
{
    char escape = short_escape(c);
    if (c >= 0x80)
        drift_buf_append_str(out, "\xEF\xBF\xBD");
    else if (escape)
        drift_buf_append(out, (const char[]){'\\', escape}, 2);
    else
        drift_buf_printf(out, "\\u%04x", (unsigned)c);
}

static void append_quoted(struct drift_buf *out, const char *s, size_t len)
{
    drift_buf_append_char(out, '"');
    size_t run = 0; /* start of the bytes that go out as they are */
    for (size_t i = 0; i < len;) {
        unsigned char c = (unsigned char)s[i];
        uint32_t code;
        size_t n = c >= 0x80                           ? drift_utf8_decode(s + i, len - i, &code)
                   : c < 0x20 || c == '"' || c == '\\' ? 0
                                                       : 1;
        if (n > 0) {
            i += n;
            continue;
        }
        drift_buf_append(out, s + run, i - run);
        append_escaped(out, c);
        run = ++i;
    }
    drift_buf_append(out, s + run, len - run);
    drift_buf_append_char(out, '"');
}

void drift_json_write_key(struct drift_json_writer *w, const char *key)
{
    DRIFT_ASSERT(in_object(w) && !w->after_key);
    if (w->need_comma)
        drift_buf_append_char(w->out, ',');
    append_quoted(w->out, key, strlen(key));
    drift_buf_append_char(w->out, ':');
    w->after_key = true;
}

void drift_json_write_string(struct drift_json_writer *w, const char *s, size_t len)
{
    begin_value(w);
    append_quoted(w->out, s, len);
}

void drift_json_write_cstring(struct drift_json_writer *w, const char *s)
{
    drift_json_write_string(w, s, strlen(s));
}

void drift_json_write_int(struct drift_json_writer *w, int64_t v)
{
    begin_value(w);
    drift_buf_printf(w->out, "%" PRId64, v);
}

void drift_json_write_double(struct drift_json_writer *w, double v)
{
    begin_value(w);
    if (!isfinite(v)) {
        drift_buf_append_str(w->out, "null");
        return;
    }
    /* 15 digits always survive the way there and back, so no shorter form is missed (but below
     * DBL_MIN, where fewer digits are significant). */
    char text[32];
    for (int digits = fabs(v) < DBL_MIN ? 1 : 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, v);
        if (strtod(text, NULL) == v)
            break;
    }
    drift_buf_append_str(w->out, text);
}

void drift_json_write_bool(struct drift_json_writer *w, bool v)
{
    begin_value(w);
    drift_buf_append_str(w->out, v ? "true" : "false");
}

void drift_json_write_null(struct drift_json_writer *w)
{
    begin_value(w);
    drift_buf_append_str(w->out, "null");
}

static void write_number(struct drift_json_writer *w, const struct drift_json *v)
{
    int64_t i = 0;
    double d = 0;
    if (drift_json_int64(v, &i) && i != 0)
        drift_json_write_int(w, i);
    else if (drift_json_double(v, &d))
        drift_json_write_double(w, d);
}

/* Recursion ends at the writer's depth, whatever the document's is. */
static void write_children(struct drift_json_writer *w, const struct drift_json *v, bool is_object)
{
    if (w->depth == DRIFT_JSON_WRITER_MAX_DEPTH) {
        w->out->failed = true;
        drift_json_write_null(w);
        return;
    }
    begin_container(w, is_object);
    for (const struct drift_json *m = drift_json_first(v); m; m = drift_json_next(m)) {
        if (is_object)
            drift_json_write_key(w, drift_json_key(m));
        drift_json_write_value(w, m);
    }
    end_container(w, is_object);
}

void drift_json_write_value(struct drift_json_writer *w, const struct drift_json *v)
{
    const char *s = "";
    bool b = false;
    switch (drift_json_type(v)) {
    case DRIFT_JSON_OBJECT:
    case DRIFT_JSON_ARRAY:
        write_children(w, v, drift_json_type(v) == DRIFT_JSON_OBJECT);
        break;
    case DRIFT_JSON_STRING:
        if (drift_json_string(v, &s))
            drift_json_write_cstring(w, s);
        break;
    case DRIFT_JSON_NUMBER:
        write_number(w, v);
        break;
    case DRIFT_JSON_BOOL:
        if (drift_json_bool(v, &b))
            drift_json_write_bool(w, b);
        break;
    case DRIFT_JSON_NULL:
    case DRIFT_JSON_TYPE_COUNT:
        drift_json_write_null(w);
        break;
    }
}

void drift_json_member_string(struct drift_json_writer *w, const char *key, const char *s)
{
    drift_json_write_key(w, key);
    drift_json_write_cstring(w, s);
}

void drift_json_member_int(struct drift_json_writer *w, const char *key, int64_t v)
{
    drift_json_write_key(w, key);
    drift_json_write_int(w, v);
}

void drift_json_member_double(struct drift_json_writer *w, const char *key, double v)
{
    drift_json_write_key(w, key);
    drift_json_write_double(w, v);
}

void drift_json_member_bool(struct drift_json_writer *w, const char *key, bool v)
{
    drift_json_write_key(w, key);
    drift_json_write_bool(w, v);
}

void drift_json_member_null(struct drift_json_writer *w, const char *key)
{
    drift_json_write_key(w, key);
    drift_json_write_null(w);
}
