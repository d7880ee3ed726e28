/* See vocab.h. The table's hash is seeded, and mixes by a 128-bit product, so that a file cannot
 * choose collisions. */
#include "runtime/tokenizer/vocab.h"

#include "runtime/base/hash.h"
#include "runtime/base/utf8.h"

#include <inttypes.h>
#include <string.h>

#define SPACE_SYMBOL "\xe2\x96\x81" /* U+2581 */

static uint64_t load_bytes(const char *s, size_t n)
{
    uint64_t v = 0;
    memcpy(&v, s, n);
    return v;
}

static uint64_t mix(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t hash_text(const char *s, size_t len, uint64_t seed)
{
    uint64_t h = seed ^ len;
    for (; len >= 8; s += 8, len -= 8)
        h = mix(h ^ load_bytes(s, 8), 0x9e3779b97f4a7c15u ^ seed);
    if (len >= 4)
        h ^= load_bytes(s, 4) << 32 | load_bytes(s + len - 4, 4);
    else if (len)
        h ^= (uint64_t)(uint8_t)s[0] << 16 | (uint64_t)(uint8_t)s[len / 2] << 8 |
             (uint8_t)s[len - 1];
    return mix(h, 0xd6e8feb86659fd93u ^ seed);
}

/* The slot that holds text, or the empty one where it belongs. */
static struct drift_vocab_slot *find_slot(const struct drift_vocab *vocab, const char *text,
                                          size_t len, uint32_t *ret_hash)
{
    uint64_t h = hash_text(text, len, vocab->seed);
    uint32_t upper = (uint32_t)(h >> 32);
    *ret_hash = upper;
    for (uint64_t i = h & vocab->mask;; i = (i + 1) & vocab->mask) {
        struct drift_vocab_slot *slot = &vocab->slots[i];
        if (slot->id < 0)
            return slot;
        if (slot->hash != upper)
            continue;
        size_t slot_len;
        const char *slot_text = drift_vocab_text(vocab, slot->id, &slot_len);
        if (slot_len == len && memcmp(slot_text, text, len) == 0)
            return slot;
    }
}

int32_t drift_vocab_find(const struct drift_vocab *vocab, const char *text, size_t len)
{
    uint32_t hash;
    return len > vocab->max_len ? -1 : find_slot(vocab, text, len, &hash)->id;
}

/* The first token with a text keeps it. */
static void add_to_table(struct drift_vocab *vocab, int32_t id)
{
    size_t len;
    uint32_t hash;
    const char *text = drift_vocab_text(vocab, id, &len);
    if (len == 0)
        return;
    struct drift_vocab_slot *slot = find_slot(vocab, text, len, &hash);
    if (slot->id >= 0)
        return;
    *slot = (struct drift_vocab_slot){.hash = hash, .id = id};
    if (len > vocab->max_len)
        vocab->max_len = len;
}

/*
 * The byte-level alphabet: the printable bytes of Latin-1 are themselves, the other 68 are U+0100
 * and up, in the order of the bytes.
 */
static bool is_own_character(uint32_t byte)
{
    return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) ||
           (byte >= 0xae && byte <= 0xff);
}

static int byte_of_character(uint32_t code)
{
    if (code < 0x100)
        return is_own_character(code) ? (int)code : -1;
    if (code <= 0x120) /* 0x00 ... 0x20 */
        return (int)(code - 0x100);
    if (code <= 0x142) /* 0x7f ... 0xa0 */
        return (int)(code - 0x121 + 0x7f);
    return code == 0x143 ? 0xad : -1;
}

size_t drift_vocab_decode_byte_level(const char *text, size_t len, char *out)
{
    size_t n_out = 0;
    for (size_t i = 0; i < len;) {
        uint32_t code;
        size_t n = drift_utf8_decode(text + i, len - i, &code);
        int byte = n ? byte_of_character(code) : -1;
        if (byte < 0)
            return SIZE_MAX;
        out[n_out++] = (char)byte;
        i += n;
    }
    return n_out;
}

static size_t decode_spaces(const char *text, size_t len, char *out)
{
    size_t n_out = 0;
    for (size_t i = 0; i < len;) {
        if (len - i >= 3 && memcmp(text + i, SPACE_SYMBOL, 3) == 0) {
            out[n_out++] = ' ';
            i += 3;
        } else {
            out[n_out++] = text[i++];
        }
    }
    return n_out;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The byte of "<0xXX>"; -1 for anything else. */
static int byte_of_name(const char *text, size_t len)
{
    if (len != 6 || memcmp(text, "<0x", 3) != 0 || text[5] != '>')
        return -1;
    int high = hex_digit(text[3]), low = hex_digit(text[4]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/* Write the bytes the token stands for to out (never more than len); SIZE_MAX for a byte token
 * without a byte. */
static size_t decode_token(enum drift_vocab_text form, enum drift_token_kind kind,
                           struct drift_gguf_string s, char *out)
{
    size_t n = SIZE_MAX;
    if (kind == DRIFT_TOKEN_BYTE) {
        int byte = byte_of_name(s.data, s.len);
        *out = (char)byte;
        return byte < 0 ? SIZE_MAX : 1;
    }
    if (kind == DRIFT_TOKEN_NORMAL && form == DRIFT_VOCAB_TEXT_BYTE_LEVEL)
        n = drift_vocab_decode_byte_level(s.data, s.len, out);
    else if (kind != DRIFT_TOKEN_CONTROL && form == DRIFT_VOCAB_TEXT_SPACES)
        n = decode_spaces(s.data, s.len, out);
    if (n == SIZE_MAX) {
        memcpy(out, s.data, s.len);
        n = s.len;
    }
    return n;
}

/* Kinds by tokenizer.ggml.token_type; a file without it has only normal tokens. */
static enum drift_status read_kinds(struct drift_vocab *vocab, const struct drift_gguf *gguf,
                                    struct drift_error *err)
{
    static const char key[] = "tokenizer.ggml.token_type";
    struct drift_gguf_array types;
    enum drift_status status =
        drift_gguf_get_array(gguf, key, DRIFT_GGUF_KIND_INTEGER, &types, err);
    if (status == DRIFT_STATUS_NOT_FOUND)
        return DRIFT_STATUS_OK;
    if (status != DRIFT_STATUS_OK)
        return status;
    if (types.count != (uint64_t)vocab->n_tokens)
        return drift_error_set(err, DRIFT_STATUS_CORRUPT, 0,
                               "the vocabulary has %" PRId32 " tokens but %" PRIu64 " token types",
                               vocab->n_tokens, types.count);
    for (int32_t i = 0; i < vocab->n_tokens; i++) {
        int64_t type = 0;
        if (!drift_gguf_array_i64(&types, (uint64_t)i, &type) || type < 1 ||
            type > DRIFT_TOKEN_COUNT)
            return drift_error_set(err, DRIFT_STATUS_CORRUPT, 0,
                                   "token %" PRId32 " has the unknown type %" PRId64, i, type);
        vocab->kinds[i] = (uint8_t)(type - 1);
    }
    return DRIFT_STATUS_OK;
}

static enum drift_status read_texts(struct drift_vocab *vocab,
                                    const struct drift_gguf_array *tokens,
                                    enum drift_vocab_text form, struct drift_error *err)
{
    struct drift_gguf_strings it;
    struct drift_gguf_string s;
    size_t used = 0;
    drift_gguf_strings_init(&it, tokens);
    for (int32_t i = 0; drift_gguf_strings_next(&it, &s); i++) {
        if (s.len > DRIFT_VOCAB_MAX_TOKEN_BYTES)
            return drift_error_set(err, DRIFT_STATUS_LIMIT, 0,
                                   "token %" PRId32 " has %zu bytes; at most %u are supported", i,
                                   s.len, DRIFT_VOCAB_MAX_TOKEN_BYTES);
        size_t n = decode_token(form, drift_vocab_kind(vocab, i), s, vocab->text + used);
        if (n == SIZE_MAX)
            return drift_error_set(err, DRIFT_STATUS_CORRUPT, 0,
                                   "token %" PRId32 " is a byte but not named like one", i);
        vocab->starts[i] = (uint32_t)used;
        used += n;
        vocab->text[used++] = '\0';
    }
    vocab->starts[vocab->n_tokens] = (uint32_t)used;
    return DRIFT_STATUS_OK;
}

static void fill_table(struct drift_vocab *vocab)
{
    for (uint64_t i = 0; i <= vocab->mask; i++)
        vocab->slots[i].id = -1;
    for (int32_t id = 0; id < vocab->n_tokens; id++) {
        if (drift_vocab_kind(vocab, id) == DRIFT_TOKEN_NORMAL)
            add_to_table(vocab, id);
    }
    for (int32_t id = 0; id < vocab->n_tokens; id++) {
        enum drift_token_kind kind = drift_vocab_kind(vocab, id);
        if (kind == DRIFT_TOKEN_USER_DEFINED || kind == DRIFT_TOKEN_UNUSED)
            add_to_table(vocab, id);
    }
}

static void fill_byte_ids(struct drift_vocab *vocab, enum drift_vocab_text form)
{
    size_t len;
    for (uint32_t b = 0; b < 256; b++) {
        char c = (char)b;
        vocab->byte_ids[b] =
            form == DRIFT_VOCAB_TEXT_BYTE_LEVEL ? drift_vocab_find(vocab, &c, 1) : -1;
    }
    for (int32_t id = 0; id < vocab->n_tokens && form == DRIFT_VOCAB_TEXT_SPACES; id++) {
        if (drift_vocab_kind(vocab, id) == DRIFT_TOKEN_BYTE)
            vocab->byte_ids[(uint8_t)*drift_vocab_text(vocab, id, &len)] = id;
    }
}

static enum drift_status allocate(struct drift_vocab *vocab, const struct drift_gguf_array *tokens,
                                  struct drift_error *err)
{
    size_t n = (size_t)tokens->count, n_slots = 16;
    while (n_slots < 2 * n)
        n_slots *= 2;
    vocab->n_tokens = (int32_t)n;
    vocab->mask = n_slots - 1;
    drift_random_bytes(&vocab->seed, sizeof(vocab->seed));
    vocab->kinds = drift_alloc(DRIFT_TAG_TOKENIZER, n, sizeof(*vocab->kinds));
    vocab->starts = drift_alloc(DRIFT_TAG_TOKENIZER, n + 1, sizeof(*vocab->starts));
    vocab->slots = drift_alloc(DRIFT_TAG_TOKENIZER, n_slots, sizeof(*vocab->slots));
    /* size_bytes has 8 bytes of length for each text, so there is room for every NUL */
    vocab->text = drift_alloc(DRIFT_TAG_TOKENIZER, (size_t)tokens->size_bytes + 8, 1);
    if (!vocab->kinds || !vocab->starts || !vocab->slots || !vocab->text)
        return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "out of memory for the vocabulary");
    return DRIFT_STATUS_OK;
}

enum drift_status drift_vocab_init(struct drift_vocab *vocab, const struct drift_gguf *gguf,
                                   enum drift_vocab_text text, struct drift_error *err)
{
    struct drift_gguf_array tokens;
    *vocab = (struct drift_vocab){0};
    enum drift_status status =
        drift_gguf_get_array(gguf, "tokenizer.ggml.tokens", DRIFT_GGUF_KIND_STRING, &tokens, err);
    if (status != DRIFT_STATUS_OK)
        return status;
    if (tokens.count == 0)
        return drift_error_set(err, DRIFT_STATUS_CORRUPT, 0, "the vocabulary is empty");
    if (tokens.count > DRIFT_VOCAB_MAX_TOKENS || tokens.size_bytes > UINT32_MAX / 2)
        return drift_error_set(err, DRIFT_STATUS_LIMIT, 0,
                               "the vocabulary has %" PRIu64 " tokens in %" PRIu64
                               " bytes; at most %d in %" PRIu32 " are supported",
                               tokens.count, tokens.size_bytes, DRIFT_VOCAB_MAX_TOKENS,
                               UINT32_MAX / 2);
    status = allocate(vocab, &tokens, err);
    if (status == DRIFT_STATUS_OK)
        status = read_kinds(vocab, gguf, err);
    if (status == DRIFT_STATUS_OK)
        status = read_texts(vocab, &tokens, text, err);
    if (status != DRIFT_STATUS_OK)
        return status;
    size_t used = vocab->starts[vocab->n_tokens];
    char *shrunk = drift_realloc(DRIFT_TAG_TOKENIZER, vocab->text, used, 1);
    if (shrunk)
        vocab->text = shrunk;
    fill_table(vocab);
    fill_byte_ids(vocab, text);
    return DRIFT_STATUS_OK;
}

void drift_vocab_fini(struct drift_vocab *vocab)
{
    drift_free(vocab->kinds);
    drift_free(vocab->starts);
    drift_free(vocab->slots);
    drift_free(vocab->text);
    *vocab = (struct drift_vocab){0};
}
