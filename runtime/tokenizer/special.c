/*
 * A sorted list, narrowed byte by byte: after d bytes the entries [low, high) share the text's
 * first d bytes. The time at one position is bounded by the longest special token, whatever the
 * text is.
 */
#include "runtime/tokenizer/special.h"

#include <stdlib.h>
#include <string.h>

static bool is_special(enum drift_token_kind kind)
{
    return kind == DRIFT_TOKEN_CONTROL || kind == DRIFT_TOKEN_UNKNOWN ||
           kind == DRIFT_TOKEN_USER_DEFINED;
}

static int compare_texts(const void *a, const void *b, void *vocab)
{
    int32_t id_a = *(const int32_t *)a, id_b = *(const int32_t *)b;
    size_t len_a, len_b;
    const char *text_a = drift_vocab_text(vocab, id_a, &len_a);
    const char *text_b = drift_vocab_text(vocab, id_b, &len_b);
    int order = memcmp(text_a, text_b, len_a < len_b ? len_a : len_b);
    if (order)
        return order;
    if (len_a != len_b)
        return len_a < len_b ? -1 : 1;
    return id_a < id_b ? -1 : id_a > id_b;
}

static void mark_start(struct drift_special *s, uint32_t first, uint32_t second)
{
    uint32_t bit = first * 256 + second;
    s->starts[bit / 64] |= (uint64_t)1 << bit % 64;
}

enum drift_status drift_special_init(struct drift_special *special, const struct drift_vocab *vocab,
                                     struct drift_error *err)
{
    *special = (struct drift_special){.vocab = vocab};
    size_t n = 0, len;
    for (int32_t id = 0; id < vocab->n_tokens; id++)
        n += is_special(drift_vocab_kind(vocab, id));
    special->ids = drift_alloc(DRIFT_TAG_TOKENIZER, n, sizeof(*special->ids));
    if (!special->ids)
        return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "out of memory for special tokens");
    for (int32_t id = 0; id < vocab->n_tokens; id++) {
        if (!is_special(drift_vocab_kind(vocab, id)))
            continue;
        const char *text = drift_vocab_text(vocab, id, &len);
        if (len == 0)
            continue;
        special->ids[special->n++] = id;
        if (len > 1)
            mark_start(special, (uint8_t)text[0], (uint8_t)text[1]);
        for (uint32_t second = 0; len == 1 && second < 256; second++)
            mark_start(special, (uint8_t)text[0], second);
    }
    qsort_r(special->ids, special->n, sizeof(*special->ids), compare_texts,
            (void *)(uintptr_t)vocab);
    return DRIFT_STATUS_OK;
}

void drift_special_fini(struct drift_special *special)
{
    drift_free(special->ids);
    special->ids = NULL;
    special->n = 0;
}

/* The first of the entries [low, high) whose byte at depth is at least c. All are longer than
 * depth. */
static size_t lower_bound(const struct drift_special *s, size_t low, size_t high, size_t depth,
                          uint32_t c)
{
    while (low < high) {
        size_t middle = low + (high - low) / 2, len;
        uint8_t byte = (uint8_t)drift_vocab_text(s->vocab, s->ids[middle], &len)[depth];
        if (byte < c)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The longest accepted token that text starts with. */
static int32_t longest_at(const struct drift_special *s, const char *text, size_t len,
                          bool with_control, size_t *ret_len)
{
    size_t low = 0, high = s->n, entry_len;
    int32_t best = -1;
    for (size_t depth = 0; low < high; depth++) {
        for (; low < high; low++) { /* those that end here come first */
            drift_vocab_text(s->vocab, s->ids[low], &entry_len);
            if (entry_len != depth)
                break;
            bool accepted =
                with_control || drift_vocab_kind(s->vocab, s->ids[low]) == DRIFT_TOKEN_USER_DEFINED;
            if (accepted && (best < 0 || *ret_len < depth)) {
                best = s->ids[low];
                *ret_len = depth;
            }
        }
        if (depth == len)
            break;
        uint8_t c = (uint8_t)text[depth];
        low = lower_bound(s, low, high, depth, c);
        high = lower_bound(s, low, high, depth, c + 1u);
    }
    return best;
}

struct drift_special_match drift_special_next(const struct drift_special *special, const char *text,
                                              size_t len, size_t from, bool with_control)
{
    struct drift_special_match match = {.at = len, .id = -1};
    for (size_t at = from; at < len && special->n; at++) {
        /* only one-byte tokens fit at the last byte, and those are marked with every second byte */
        uint32_t bit =
            (uint32_t)(uint8_t)text[at] * 256 + (at + 1 < len ? (uint8_t)text[at + 1] : 0);
        if (!(special->starts[bit / 64] >> bit % 64 & 1))
            continue;
        match.id = longest_at(special, text + at, len - at, with_control, &match.len);
        if (match.id >= 0) {
            match.at = at;
            break;
        }
    }
    return match;
}

int32_t drift_special_find(const struct drift_special *special, const char *text, size_t len)
{
    size_t match_len = 0;
    int32_t id = longest_at(special, text, len, true, &match_len);
    return id >= 0 && match_len == len ? id : -1;
}
