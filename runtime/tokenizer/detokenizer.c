/* Decoding, at once and token by token; see tokenizer.h. */
#include "runtime/base/utf8.h"
#include "runtime/tokenizer/normalize.h"
#include "runtime/tokenizer/tokenizer_impl.h"

#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

void drift_detokenizer_init(struct drift_detokenizer *d, const struct drift_tokenizer *tokenizer,
                            uint32_t flags)
{
    *d = (struct drift_detokenizer){
        .tokenizer = tokenizer, .flags = flags, .at_start = (flags & DRIFT_DECODE_TEXT_START) != 0};
}

void drift_detokenizer_flush(struct drift_detokenizer *d, struct drift_buf *out)
{
    if (d->n_pending)
        drift_buf_append(out, REPLACEMENT, 3);
    d->n_pending = 0;
}

/* Use bytes of s to finish or give up the pending character; how many were used. */
static size_t finish_pending(struct drift_detokenizer *d, const char *s, size_t len,
                             struct drift_buf *out)
{
    size_t used = 0;
    uint32_t code;
    while (d->n_pending && used < len) {
        char c[4];
        size_t n = d->n_pending;
        memcpy(c, d->pending, n);
        c[n++] = s[used];
        if (drift_utf8_decode(c, n, &code) == n) {
            drift_buf_append(out, c, n);
            d->n_pending = 0;
            used++;
        } else if (drift_utf8_complete_prefix(c, n) == 0) { /* so n < 4 */
            d->pending[d->n_pending++] = s[used++];
        } else { /* s[used] begins something else */
            drift_detokenizer_flush(d, out);
        }
    }
    return used;
}

static void push_bytes(struct drift_detokenizer *d, const char *s, size_t len,
                       struct drift_buf *out)
{
    size_t used = finish_pending(d, s, len, out);
    s += used;
    len -= used;
    if (len == 0)
        return;
    size_t complete = drift_utf8_complete_prefix(s, len);
    drift_text_append_valid(out, s, complete);
    memcpy(d->pending, s + complete, len - complete);
    d->n_pending = (uint8_t)(len - complete);
}

void drift_detokenizer_push(struct drift_detokenizer *d, int32_t id, struct drift_buf *out)
{
    const struct drift_tokenizer *t = d->tokenizer;
    enum drift_token_kind kind = drift_tokenizer_token_kind(t, id);
    size_t len;
    const char *text = drift_tokenizer_token_text(t, id, &len);
    bool is_text = kind != DRIFT_TOKEN_CONTROL && kind != DRIFT_TOKEN_UNKNOWN;
    if (!is_text && !(d->flags & DRIFT_DECODE_SPECIAL)) {
        if (kind == DRIFT_TOKEN_UNKNOWN)
            d->at_start = false;
        return;
    }
    if (is_text && d->at_start && t->add_space_prefix && len && text[0] == ' ') {
        text++;
        len--;
    }
    if (is_text)
        d->at_start = false;
    push_bytes(d, text, len, out);
}

void drift_tokenizer_decode(const struct drift_tokenizer *tokenizer, const int32_t *ids,
                            size_t count, uint32_t flags, struct drift_buf *out)
{
    struct drift_detokenizer d;
    drift_detokenizer_init(&d, tokenizer, flags);
    for (size_t i = 0; i < count; i++)
        drift_detokenizer_push(&d, ids[i], out);
    drift_detokenizer_flush(&d, out);
}
