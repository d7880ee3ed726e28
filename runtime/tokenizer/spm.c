/*
 * SentencePiece's BPE: characters are joined as long as what comes out is in the vocabulary, the
 * best score first; what is left and not in the vocabulary is spelled in byte tokens.
 *
 * A space is a character like any other (the vocabulary writes it U+2581), so in principle the
 * whole text is one word. In practice hardly any token has a space behind something else: text is
 * cut before spaces where no token can reach across, which changes nothing in the result.
 */
#include "runtime/base/utf8.h"
#include "runtime/tokenizer/tokenizer_impl.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define MAX_UNUSED_DEPTH 32

/* Map scores to integers whose ascending order is the scores' descending order. */
static uint32_t rank_of_score(float score)
{
    uint32_t bits;
    score += 0.0f; /* one zero */
    memcpy(&bits, &score, sizeof(bits));
    return bits & 0x80000000u ? bits : ~(bits | 0x80000000u);
}

static enum drift_status read_scores(struct drift_tokenizer *t, const struct drift_gguf *gguf,
                                     struct drift_error *err)
{
    struct drift_gguf_array scores;
    enum drift_status status =
        drift_gguf_get_array(gguf, "tokenizer.ggml.scores", DRIFT_GGUF_KIND_FLOAT, &scores, err);
    if (status != DRIFT_STATUS_OK)
        return status;
    if (scores.count != (uint64_t)t->vocab.n_tokens)
        return drift_error_set(err, DRIFT_STATUS_CORRUPT, 0,
                               "the vocabulary has %" PRId32 " tokens but %" PRIu64 " scores",
                               t->vocab.n_tokens, scores.count);
    t->ranks = drift_alloc(DRIFT_TAG_TOKENIZER, (size_t)t->vocab.n_tokens, sizeof(*t->ranks));
    if (!t->ranks)
        return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "out of memory for scores");
    for (int32_t id = 0; id < t->vocab.n_tokens; id++) {
        float score = NAN;
        if (!drift_gguf_array_f32(&scores, (uint64_t)id, &score) || isnan(score))
            return drift_error_set(err, DRIFT_STATUS_CORRUPT, 0,
                                   "the score of token %" PRId32 " is not a number", id);
        t->ranks[id] = rank_of_score(score);
    }
    return DRIFT_STATUS_OK;
}

static void scan_tokens(struct drift_tokenizer *t)
{
    for (int32_t id = 0; id < t->vocab.n_tokens; id++) {
        size_t len;
        const char *text = drift_vocab_text(&t->vocab, id, &len);
        t->has_unused = t->has_unused || drift_vocab_kind(&t->vocab, id) == DRIFT_TOKEN_UNUSED;
        for (size_t i = 1; i < len; i++) {
            if (text[i] == ' ')
                t->before_space[(uint8_t)text[i - 1]] = true;
        }
    }
}

static enum drift_status load(struct drift_tokenizer *t, const struct drift_gguf *gguf,
                              struct drift_error *err)
{
    enum drift_status status = read_scores(t, gguf, err);
    if (status != DRIFT_STATUS_OK)
        return status;
    t->add_space_prefix = true;
    status =
        drift_gguf_get_bool(gguf, "tokenizer.ggml.add_space_prefix", &t->add_space_prefix, err);
    if (status != DRIFT_STATUS_OK && status != DRIFT_STATUS_NOT_FOUND)
        return status;
    bool remove_spaces = false;
    status =
        drift_gguf_get_bool(gguf, "tokenizer.ggml.remove_extra_whitespaces", &remove_spaces, err);
    if (status != DRIFT_STATUS_OK && status != DRIFT_STATUS_NOT_FOUND)
        return status;
    if (remove_spaces)
        return drift_error_set(err, DRIFT_STATUS_UNSUPPORTED, 0,
                               "tokenizer.ggml.remove_extra_whitespaces is not supported");
    t->has_bytes = true;
    for (uint32_t b = 0; b < 256; b++)
        t->has_bytes = t->has_bytes && t->vocab.byte_ids[b] >= 0;
    scan_tokens(t);
    return DRIFT_STATUS_OK;
}

struct segment {
    const struct drift_tokenizer *tokenizer;
    const char *text;
    uint16_t *unused_cuts;
};

static bool find_pair(const void *ctx, const struct drift_symbol *left,
                      const struct drift_symbol *right, uint32_t *ret_rank, int32_t *ret_id)
{
    const struct segment *s = ctx;
    (void)right; /* it follows left in the text */
    int32_t id =
        drift_vocab_find(&s->tokenizer->vocab, s->text + left->start, left->len + right->len);
    if (id < 0)
        return false;
    *ret_id = id;
    *ret_rank = s->tokenizer->ranks[id];
    if (drift_vocab_kind(&s->tokenizer->vocab, id) == DRIFT_TOKEN_UNUSED)
        s->unused_cuts[id] = (uint16_t)left->len;
    return true;
}

static enum drift_status push(struct drift_encoder *e, int32_t id)
{
    return drift_tokens_push(e->out, id, e->err);
}

/* A piece that is no token: its bytes, or the unknown token once for a run of them. */
static enum drift_status push_unknown(struct drift_encoder *e, const char *text, size_t len)
{
    const struct drift_tokenizer *t = e->tokenizer;
    enum drift_status status = DRIFT_STATUS_OK;
    if (!t->has_bytes) {
        bool again = e->out->count && e->out->ids[e->out->count - 1] == t->info.unk;
        return t->info.unk < 0 || again ? status : push(e, t->info.unk);
    }
    for (size_t i = 0; i < len && status == DRIFT_STATUS_OK; i++)
        status = push(e, t->vocab.byte_ids[(uint8_t)text[i]]);
    return status;
}

/*
 * A token of kind UNUSED may be passed through while joining but not be the result: it is taken
 * apart again into what was joined to it last.
 */
static enum drift_status push_symbol(struct drift_encoder *e, const char *text, size_t len,
                                     int32_t id, int depth)
{
    const struct drift_tokenizer *t = e->tokenizer;
    if (id < 0)
        return push_unknown(e, text, len);
    size_t cut = 0;
    if (drift_vocab_kind(&t->vocab, id) == DRIFT_TOKEN_UNUSED && depth < MAX_UNUSED_DEPTH)
        cut = e->unused_cuts[id];
    if (cut == 0)
        return push(e, id);
    enum drift_status status =
        push_symbol(e, text, cut, drift_vocab_find(&t->vocab, text, cut), depth + 1);
    if (status != DRIFT_STATUS_OK)
        return status;
    return push_symbol(e, text + cut, len - cut, drift_vocab_find(&t->vocab, text + cut, len - cut),
                       depth + 1);
}

static enum drift_status encode_segment(struct drift_encoder *e, const char *text, size_t len)
{
    struct segment segment = {e->tokenizer, text, e->unused_cuts};
    struct drift_merger *m = &e->merger;
    enum drift_status status = drift_merger_begin(m, len, e->err);
    if (status != DRIFT_STATUS_OK)
        return status;
    for (size_t at = 0, n; at < len; at += n) {
        uint32_t code;
        n = drift_utf8_decode(text + at, len - at, &code);
        drift_merger_add(m, (uint32_t)at, (uint32_t)n, -1);
    }
    drift_merger_run(m, find_pair, &segment);
    for (uint32_t i = 0; i != DRIFT_SYMBOL_NONE && status == DRIFT_STATUS_OK;
         i = m->symbols[i].next) {
        const struct drift_symbol *s = &m->symbols[i];
        int32_t id =
            s->id >= 0 ? s->id : drift_vocab_find(&e->tokenizer->vocab, text + s->start, s->len);
        status = push_symbol(e, text + s->start, s->len, id, 0);
    }
    return status;
}

/* Where the segment that starts at byte at ends. */
static size_t segment_end(const struct drift_tokenizer *t, const char *text, size_t len, size_t at)
{
    size_t end = at + 1;
    while (end < len && end - at < DRIFT_MERGE_MAX_BYTES &&
           (t->has_unused || text[end] != ' ' || t->before_space[(uint8_t)text[end - 1]]))
        end++;
    if (end < len && end - at == DRIFT_MERGE_MAX_BYTES)
        end = at + drift_utf8_complete_prefix(text + at, DRIFT_MERGE_MAX_BYTES);
    return end;
}

static enum drift_status encode(struct drift_encoder *e, const char *text, size_t len)
{
    enum drift_status status = DRIFT_STATUS_OK;
    if (e->tokenizer->has_unused && !e->unused_cuts) {
        size_t n = (size_t)e->tokenizer->vocab.n_tokens;
        e->unused_cuts = drift_alloc(DRIFT_TAG_TOKENIZER, n, sizeof(*e->unused_cuts));
        if (!e->unused_cuts)
            return drift_error_set(e->err, DRIFT_STATUS_NO_MEMORY, 0,
                                   "out of memory for tokenizing");
    }
    for (size_t at = 0; at < len && status == DRIFT_STATUS_OK;) {
        size_t end = segment_end(e->tokenizer, text, len, at);
        status = encode_segment(e, text + at, end - at);
        at = end;
    }
    return status;
}

const struct drift_tokenizer_ops drift_tokenizer_spm_ops = {
    .model = "llama",
    .text = DRIFT_VOCAB_TEXT_SPACES,
    .add_bos = true,
    .bos_name = "<s>",
    .eos_name = "</s>",
    .load = load,
    .encode = encode,
};
