/* Stop strings are few and short: they are searched for in the held-back bytes with memcmp. */
#include "runtime/sched/text.h"

#include "runtime/base/utf8.h"

#include <string.h>

#define TEXT_RESERVE_BYTES 4096
#define TEXT_CAP_BYTES     (1u << 20)

enum drift_status drift_text_init(struct drift_text *text, const struct drift_tokenizer *tokenizer,
                                  const struct drift_text_stops *stops, bool show_special)
{
    *text = (struct drift_text){.stops = stops};
    drift_detokenizer_init(&text->detokenizer, tokenizer, show_special ? DRIFT_DECODE_SPECIAL : 0);
    drift_buf_init(&text->buf, DRIFT_TAG_ENGINE, TEXT_CAP_BYTES);
    drift_buf_reserve(&text->buf, TEXT_RESERVE_BYTES);
    return text->buf.failed ? DRIFT_STATUS_NO_MEMORY : DRIFT_STATUS_OK;
}

void drift_text_fini(struct drift_text *text)
{
    drift_buf_fini(&text->buf);
}

/* Offset of the first stop string that begins at or after from; len when there is none. */
static size_t find_stop(const struct drift_text *text, size_t from)
{
    size_t len = text->buf.len;
    for (size_t at = from; at < len; at++)
        for (uint32_t i = 0; i < text->stops->count; i++)
            if (text->stops->lens[i] <= len - at &&
                memcmp(text->buf.data + at, text->stops->strings[i], text->stops->lens[i]) == 0)
                return at;
    return len;
}

/* Offset where the longest suffix begins that is a beginning of some stop string; len when there is none. */
static size_t find_partial_stop(const struct drift_text *text, size_t from)
{
    size_t len = text->buf.len;
    for (size_t at = from; at < len; at++)
        for (uint32_t i = 0; i < text->stops->count; i++)
            if (len - at < text->stops->lens[i] &&
                memcmp(text->buf.data + at, text->stops->strings[i], len - at) == 0)
                return at;
    return len;
}

bool drift_text_push(struct drift_text *text, int32_t token)
{
    if (text->stopped)
        return true;
    drift_detokenizer_push(&text->detokenizer, token, &text->buf);
    size_t at = find_stop(text, text->n_certain);
    if (at < text->buf.len) {
        drift_buf_truncate(&text->buf, at);
        text->n_certain = at;
        text->stopped = true;
        return true;
    }
    text->n_certain = find_partial_stop(text, text->n_certain);
    return false;
}

void drift_text_finish(struct drift_text *text)
{
    if (!text->stopped)
        drift_detokenizer_flush(&text->detokenizer, &text->buf);
    text->n_certain = text->buf.len;
}

size_t drift_text_take(struct drift_text *text, char *out, size_t cap)
{
    size_t n = text->n_certain;
    if (n > cap)
        n = cap;
    n = n ? drift_utf8_complete_prefix(text->buf.data, n) : 0;
    memcpy(out, drift_buf_cstr(&text->buf), n);
    drift_buf_consume(&text->buf, n);
    text->n_certain -= n;
    return n;
}
