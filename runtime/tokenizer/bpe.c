/*
 * Byte-level BPE: every byte is a symbol, and inside each word that the pre-tokenizer finds
 * adjacent symbols are joined in the order of the list of merges.
 */
#include "runtime/base/hash.h"
#include "runtime/base/utf8.h"
#include "runtime/tokenizer/normalize.h"
#include "runtime/tokenizer/tokenizer_impl.h"

#include <inttypes.h>
#include <string.h>

#define MAX_MERGES (1u << 23)

static struct drift_bpe_slot *find_slot(const struct drift_tokenizer *t, int32_t left,
                                        int32_t right)
{
    uint64_t key = ((uint64_t)(uint32_t)left << 32 | (uint32_t)right) ^ t->merges_seed;
    unsigned __int128 product = (unsigned __int128)key * 0x9e3779b97f4a7c15u;
    uint64_t i = (uint64_t)product ^ (uint64_t)(product >> 64);
    for (i &= t->merges_mask;; i = (i + 1) & t->merges_mask) {
        struct drift_bpe_slot *slot = &t->merges[i];
        if (slot->left < 0 || (slot->left == left && slot->right == right))
            return slot;
    }
}

/* The tokens of the bytes that a merge's part in the byte-level alphabet stands for. */
struct part {
    char *bytes;
    size_t len;
};

static bool decode_part(const char *text, size_t len, struct part *part)
{
    part->len = drift_vocab_decode_byte_level(text, len, part->bytes);
    if (part->len == SIZE_MAX) { /* a token that is written as it is */
        memcpy(part->bytes, text, len);
        part->len = len;
    }
    return part->len > 0;
}

/* "left right", either of which may be any token. */
static enum drift_status add_merge(struct drift_tokenizer *t, uint32_t rank,
                                   struct drift_gguf_string s, char *work, struct drift_error *err)
{
    const struct drift_vocab *v = &t->vocab;
    const char *space = s.len > 2 ? memchr(s.data + 1, ' ', s.len - 2) : NULL;
    int32_t left = -1, right = -1, id = -1;
    if (space && s.len <= 2 * DRIFT_VOCAB_MAX_TOKEN_BYTES) {
        struct part a = {.bytes = work}, b = {0};
        size_t left_len = (size_t)(space - s.data);
        if (decode_part(s.data, left_len, &a)) {
            b.bytes = work + a.len;
            if (decode_part(space + 1, s.len - left_len - 1, &b)) {
                left = drift_vocab_find(v, a.bytes, a.len);
                right = drift_vocab_find(v, b.bytes, b.len);
                id = drift_vocab_find(v, work, a.len + b.len);
            }
        }
    }
    if (left < 0 || right < 0 || id < 0)
        return drift_error_set(err, DRIFT_STATUS_CORRUPT, 0,
                               "merge %" PRIu32 " ('%.*s') is not of two tokens that give a third",
                               rank, (int)(s.len < 80 ? s.len : 80), s.data);
    struct drift_bpe_slot *slot = find_slot(t, left, right);
    if (slot->left < 0)
        *slot = (struct drift_bpe_slot){.left = left, .right = right, .rank = rank, .id = id};
    return DRIFT_STATUS_OK;
}

static enum drift_status read_merges(struct drift_tokenizer *t, const struct drift_gguf *gguf,
                                     struct drift_error *err)
{
    struct drift_gguf_array merges;
    struct drift_gguf_strings it;
    struct drift_gguf_string s;
    enum drift_status status =
        drift_gguf_get_array(gguf, "tokenizer.ggml.merges", DRIFT_GGUF_KIND_STRING, &merges, err);
    if (status != DRIFT_STATUS_OK)
        return status;
    if (merges.count > MAX_MERGES)
        return drift_error_set(err, DRIFT_STATUS_LIMIT, 0,
                               "the vocabulary has %" PRIu64 " merges; at most %u are supported",
                               merges.count, MAX_MERGES);
    size_t n_slots = 16;
    while (n_slots < merges.count + merges.count / 2)
        n_slots *= 2;
    t->merges_mask = n_slots - 1;
    drift_random_bytes(&t->merges_seed, sizeof(t->merges_seed));
    t->merges = drift_alloc(DRIFT_TAG_TOKENIZER, n_slots, sizeof(*t->merges));
    char *work = drift_alloc(DRIFT_TAG_TOKENIZER, 2 * DRIFT_VOCAB_MAX_TOKEN_BYTES, 1);
    if (!t->merges || !work)
        status = drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "out of memory for merges");
    for (size_t i = 0; i < n_slots && t->merges; i++)
        t->merges[i].left = -1;
    drift_gguf_strings_init(&it, &merges);
    for (uint32_t rank = 0; status == DRIFT_STATUS_OK && drift_gguf_strings_next(&it, &s); rank++)
        status = add_merge(t, rank, s, work, err);
    drift_free(work);
    return status;
}

static enum drift_status load(struct drift_tokenizer *t, const struct drift_gguf *gguf,
                              struct drift_error *err)
{
    struct drift_gguf_string pre;
    enum drift_status status = drift_gguf_get_string(gguf, "tokenizer.ggml.pre", &pre, err);
    if (status == DRIFT_STATUS_NOT_FOUND)
        return drift_error_set(err, DRIFT_STATUS_UNSUPPORTED, 0,
                               "the file does not name its pre-tokenizer (tokenizer.ggml.pre)");
    if (status == DRIFT_STATUS_OK)
        status = drift_pretokenizer_init(&t->pretokenizer, pre.data, pre.len, err);
    if (status == DRIFT_STATUS_OK)
        status = read_merges(t, gguf, err);
    if (status != DRIFT_STATUS_OK)
        return status;
    t->info.pre = t->pretokenizer.rule->name;
    t->info.add_bos = t->pretokenizer.rule->add_bos;
    return DRIFT_STATUS_OK;
}

static bool find_pair(const void *ctx, const struct drift_symbol *left,
                      const struct drift_symbol *right, uint32_t *ret_rank, int32_t *ret_id)
{
    const struct drift_bpe_slot *slot = find_slot(ctx, left->id, right->id);
    if (slot->left < 0)
        return false;
    *ret_rank = slot->rank;
    *ret_id = slot->id;
    return true;
}

static enum drift_status encode_word(struct drift_encoder *e, const char *text, size_t len)
{
    const struct drift_tokenizer *t = e->tokenizer;
    struct drift_merger *m = &e->merger;
    if (len == 1 || t->pretokenizer.rule->whole_words) {
        int32_t id =
            len == 1 ? t->vocab.byte_ids[(uint8_t)*text] : drift_vocab_find(&t->vocab, text, len);
        if (id >= 0)
            return drift_tokens_push(e->out, id, e->err);
    }
    enum drift_status status = drift_merger_begin(m, len, e->err);
    if (status != DRIFT_STATUS_OK)
        return status;
    for (size_t i = 0; i < len; i++) {
        int32_t id = t->vocab.byte_ids[(uint8_t)text[i]];
        if (id >= 0) /* some vocabularies lack control characters; these are left out */
            drift_merger_add(m, (uint32_t)i, 1, id);
    }
    drift_merger_run(m, find_pair, t);
    uint32_t first = m->n_symbols ? 0 : DRIFT_SYMBOL_NONE;
    for (uint32_t i = first; i != DRIFT_SYMBOL_NONE && status == DRIFT_STATUS_OK;
         i = m->symbols[i].next)
        status = drift_tokens_push(e->out, m->symbols[i].id, e->err);
    return status;
}

static enum drift_status encode(struct drift_encoder *e, const char *text, size_t len)
{
    const struct drift_pretokenizer *p = &e->tokenizer->pretokenizer;
    enum drift_status status = DRIFT_STATUS_OK;
    if (!e->words.match)
        status = drift_pretokenizer_begin(p, &e->words, e->err);
    if (status == DRIFT_STATUS_OK && p->rule->compose) {
        drift_buf_reset(&e->piece);
        status = drift_text_compose(&e->piece, text, len, e->err);
        text = drift_buf_cstr(&e->piece);
        len = e->piece.len;
    }
    for (size_t at = 0, end = 0; at < len && status == DRIFT_STATUS_OK; at = end) {
        status = drift_pretokenizer_next(p, &e->words, text, len, at, &end, e->err);
        while (status == DRIFT_STATUS_OK && end - at > DRIFT_MERGE_MAX_BYTES) {
            size_t n = drift_utf8_complete_prefix(text + at, DRIFT_MERGE_MAX_BYTES);
            status = encode_word(e, text + at, n);
            at += n;
        }
        if (status == DRIFT_STATUS_OK)
            status = encode_word(e, text + at, end - at);
    }
    return status;
}

const struct drift_tokenizer_ops drift_tokenizer_bpe_ops = {
    .model = "gpt2",
    .text = DRIFT_VOCAB_TEXT_BYTE_LEVEL,
    .load = load,
    .encode = encode,
};
