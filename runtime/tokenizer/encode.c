/* Encoding: what both families have in common, which is everything around plain text. See
 * tokenizer.h. */
#include "runtime/base/utf8.h"
#include "runtime/tokenizer/normalize.h"
#include "runtime/tokenizer/tokenizer_impl.h"

#include <string.h>

#define SPACE_SYMBOL "\xe2\x96\x81" /* U+2581 */

static bool contains(const char *text, size_t len, const char *part, size_t part_len)
{
    return memmem(text, len, part, part_len) != NULL;
}

/* SentencePiece cannot tell its symbol for a space from one. */
static void replace_space_symbols(struct drift_buf *buf)
{
    size_t used = 0;
    for (size_t i = 0; i < buf->len;) {
        bool symbol = buf->len - i >= 3 && memcmp(buf->data + i, SPACE_SYMBOL, 3) == 0;
        buf->data[used++] = symbol ? ' ' : buf->data[i];
        i += symbol ? 3 : 1;
    }
    drift_buf_truncate(buf, used);
}

/* Replace *text by a copy in e->text where it cannot be used as it is. */
static enum drift_status clean_text(struct drift_encoder *e, const char **text, size_t *len)
{
    bool valid = drift_utf8_is_valid(*text, *len);
    bool symbols = e->tokenizer->ops->text == DRIFT_VOCAB_TEXT_SPACES &&
                   contains(*text, *len, SPACE_SYMBOL, 3);
    if (valid && !symbols)
        return DRIFT_STATUS_OK;
    drift_text_append_valid(&e->text, *text, *len);
    if (e->text.failed)
        return drift_error_set(e->err, DRIFT_STATUS_NO_MEMORY, 0, "out of memory for tokenizing");
    if (symbols)
        replace_space_symbols(&e->text);
    *text = drift_buf_cstr(&e->text);
    *len = e->text.len;
    return DRIFT_STATUS_OK;
}

/* Text between special tokens, possibly empty, with a space put before it if the model's rules want
 * one. */
static enum drift_status encode_piece(struct drift_encoder *e, const char *text, size_t len,
                                      bool prefix)
{
    if (prefix) {
        drift_buf_reset(&e->piece);
        drift_buf_append_char(&e->piece, ' ');
        drift_buf_append(&e->piece, text, len);
        if (e->piece.failed)
            return drift_error_set(e->err, DRIFT_STATUS_NO_MEMORY, 0,
                                   "out of memory for tokenizing");
        text = e->piece.data;
        len = e->piece.len;
    }
    return len ? e->tokenizer->ops->encode(e, text, len) : DRIFT_STATUS_OK;
}

static enum drift_status encode_text(struct drift_encoder *e, const char *text, size_t len,
                                     bool parse)
{
    const struct drift_tokenizer *t = e->tokenizer;
    enum drift_status status = clean_text(e, &text, &len);
    bool prefix = t->add_space_prefix; /* at the start, and anew after each control token */
    for (size_t at = 0; at < len && status == DRIFT_STATUS_OK;) {
        struct drift_special_match next = drift_special_next(&t->special, text, len, at, parse);
        bool control =
            next.id >= 0 && drift_vocab_kind(&t->vocab, next.id) != DRIFT_TOKEN_USER_DEFINED;
        bool with_prefix = prefix && !(control && next.at == at);
        status = encode_piece(e, text + at, next.at - at, with_prefix);
        if (status == DRIFT_STATUS_OK && next.id >= 0)
            status = drift_tokens_push(e->out, next.id, e->err);
        prefix = control && t->add_space_prefix;
        at = next.id >= 0 ? next.at + next.len : len;
    }
    return status;
}

static enum drift_status encode(struct drift_encoder *e, const char *text, size_t len,
                                uint32_t flags)
{
    const struct drift_tokenizer_info *info = &e->tokenizer->info;
    struct drift_tokens *out = e->out;
    size_t start = out->count;
    bool parse = (flags & DRIFT_ENCODE_PARSE_SPECIAL) != 0;
    bool bos = (flags & DRIFT_ENCODE_ADD_SPECIAL) && info->add_bos && info->bos >= 0;
    bool eos = (flags & DRIFT_ENCODE_ADD_SPECIAL) && info->add_eos && info->eos >= 0;
    size_t bos_len = 0;
    if (bos && parse) { /* not twice */
        const char *name = drift_vocab_text(&e->tokenizer->vocab, info->bos, &bos_len);
        bos = bos_len == 0 || len < bos_len || memcmp(text, name, bos_len) != 0;
    }
    enum drift_status status = bos ? drift_tokens_push(out, info->bos, e->err) : DRIFT_STATUS_OK;
    if (status == DRIFT_STATUS_OK)
        status = encode_text(e, text, len, parse);
    if (status == DRIFT_STATUS_OK && eos)
        status = drift_tokens_push(out, info->eos, e->err);
    if (status != DRIFT_STATUS_OK)
        out->count = start;
    return status;
}

enum drift_status drift_tokenizer_encode(const struct drift_tokenizer *tokenizer, const char *text,
                                         size_t len, uint32_t flags, struct drift_tokens *tokens,
                                         struct drift_error *err)
{
    if (len > DRIFT_TOKENIZER_MAX_TEXT_BYTES)
        return drift_error_set(err, DRIFT_STATUS_LIMIT, 0,
                               "the text has %zu bytes; at most %u can be tokenized at once", len,
                               DRIFT_TOKENIZER_MAX_TEXT_BYTES);
    struct drift_encoder e = {.tokenizer = tokenizer, .out = tokens, .err = err};
    drift_buf_init(&e.text, DRIFT_TAG_TOKENIZER, SIZE_MAX / 4);
    drift_buf_init(&e.piece, DRIFT_TAG_TOKENIZER, SIZE_MAX / 4);
    enum drift_status status = encode(&e, text, len, flags);
    drift_buf_fini(&e.text);
    drift_buf_fini(&e.piece);
    drift_merger_fini(&e.merger);
    drift_pretokenizer_end(&e.words);
    drift_free(e.unused_cuts);
    return status;
}
