/* See normalize.h. Normalization itself is utf8proc's. */
#include "runtime/tokenizer/normalize.h"

#include "runtime/base/utf8.h"

#include <string.h>
#include <utf8proc.h>

#define REPLACEMENT   "\xef\xbf\xbd" /* U+FFFD */
#define MAX_MARKS     128u
#define FIRST_MARK    0xccu /* lead byte of U+0300: no text below it changes in form C */
#define STRETCH_BYTES 4096u

size_t drift_text_invalid_part(const char *s, size_t len)
{
    size_t n = 1;
    if (drift_utf8_complete_prefix(s, 1) != 0)
        return 1;
    while (n < len && drift_utf8_complete_prefix(s, n + 1) == 0)
        n++;
    return n;
}

void drift_text_append_valid(struct drift_buf *out, const char *s, size_t len)
{
    size_t start = 0, at = 0;
    uint32_t code;
    while (at < len) {
        size_t n = drift_utf8_decode(s + at, len - at, &code);
        if (n == 0) {
            drift_buf_append(out, s + start, at - start);
            drift_buf_append(out, REPLACEMENT, 3);
            at += drift_text_invalid_part(s + at, len - at);
            start = at;
        } else {
            at += n;
        }
    }
    drift_buf_append(out, s + start, len - start);
}

/* Nothing composes across the place before an ASCII character, so text is cut there into stretches.
 */
static size_t stretch_length(const char *s, size_t len, bool *ret_plain, bool *ret_too_many_marks)
{
    size_t at = 0, n_marks = 0;
    *ret_plain = true;
    *ret_too_many_marks = false;
    while (at < len && (at < STRETCH_BYTES || (uint8_t)s[at] >= 0x80)) {
        uint32_t code = 0;
        if ((uint8_t)s[at] < FIRST_MARK) {
            at += (uint8_t)s[at] < 0x80 ? 1 : 2;
            n_marks = 0;
            continue;
        }
        *ret_plain = false;
        at += drift_utf8_decode(s + at, len - at, &code);
        n_marks = utf8proc_get_property((utf8proc_int32_t)code)->combining_class ? n_marks + 1 : 0;
        if (n_marks > MAX_MARKS)
            *ret_too_many_marks = true;
    }
    return at;
}

struct code_points {
    utf8proc_int32_t *codes;
    size_t capacity;
};

static enum drift_status compose_stretch(struct drift_buf *out, const char *s, size_t len,
                                         struct code_points *work, struct drift_error *err)
{
    const utf8proc_option_t options = UTF8PROC_STABLE | UTF8PROC_COMPOSE;
    for (;;) {
        utf8proc_ssize_t n =
            utf8proc_decompose((const utf8proc_uint8_t *)s, (utf8proc_ssize_t)len, work->codes,
                               (utf8proc_ssize_t)work->capacity, options);
        if (n < 0) { /* not reached with valid UTF-8 */
            drift_buf_append(out, s, len);
            return DRIFT_STATUS_OK;
        }
        if ((size_t)n < work->capacity) { /* with room for the NUL that reencode adds */
            n = utf8proc_reencode(work->codes, n, options);
            drift_buf_append(out, work->codes, n < 0 ? 0 : (size_t)n);
            return DRIFT_STATUS_OK;
        }
        utf8proc_int32_t *codes = drift_realloc(DRIFT_TAG_TOKENIZER, work->codes,
                                                (size_t)n + STRETCH_BYTES, sizeof(*codes));
        if (!codes)
            return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "out of memory for tokenizing");
        work->codes = codes;
        work->capacity = (size_t)n + STRETCH_BYTES;
    }
}

enum drift_status drift_text_compose(struct drift_buf *out, const char *s, size_t len,
                                     struct drift_error *err)
{
    enum drift_status status = DRIFT_STATUS_OK;
    struct code_points work = {0};
    for (size_t at = 0; at < len && status == DRIFT_STATUS_OK;) {
        bool plain, too_many_marks;
        size_t n = stretch_length(s + at, len - at, &plain, &too_many_marks);
        if (plain || too_many_marks)
            drift_buf_append(out, s + at, n);
        else
            status = compose_stretch(out, s + at, n, &work, err);
        at += n;
    }
    drift_free(work.codes);
    if (status == DRIFT_STATUS_OK && out->failed)
        status = drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "out of memory for tokenizing");
    return status;
}
