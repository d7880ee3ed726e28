/*
 * The tokens of a vocabulary: their bytes, kinds, and a table from bytes to id.
 *
 * Texts are stored as the bytes they stand for, so that encoding and decoding need no escaping:
 * SentencePiece's U+2581 is a space, byte tokens are their byte, and the byte-level alphabet of
 * "gpt2" is undone.
 */
#ifndef DRIFT_RUNTIME_TOKENIZER_VOCAB_H
#define DRIFT_RUNTIME_TOKENIZER_VOCAB_H

#include "runtime/model/gguf.h"
#include "runtime/tokenizer/tokenizer.h"

#define DRIFT_VOCAB_MAX_TOKENS      (1 << 22)
#define DRIFT_VOCAB_MAX_TOKEN_BYTES 65535u

enum drift_vocab_text {
    DRIFT_VOCAB_TEXT_SPACES,    /* "llama": U+2581 and <0xXX> */
    DRIFT_VOCAB_TEXT_BYTE_LEVEL /* "gpt2": every byte is a printable character */
};

struct drift_vocab_slot {
    uint32_t hash; /* upper bits */
    int32_t id;    /* -1: empty */
};

struct drift_vocab {
    int32_t n_tokens;
    char *text;       /* all texts, each followed by a NUL */
    uint32_t *starts; /* [n_tokens + 1] */
    uint8_t *kinds;   /* [n_tokens] enum drift_token_kind */
    /* Texts that plain text can become: all but control, unknown and byte tokens. */
    struct drift_vocab_slot *slots; /* [mask + 1], at most half full */
    uint64_t mask, seed;
    size_t max_len;        /* longest text in the table */
    int32_t byte_ids[256]; /* the token for a single byte; -1 when there is none */
};

/* Errors: NOT_FOUND (no tokens in the file), CORRUPT, LIMIT, NO_MEMORY; fini releases what was
 * made. */
enum drift_status drift_vocab_init(struct drift_vocab *vocab, const struct drift_gguf *gguf,
                                   enum drift_vocab_text text,
                                   struct drift_error *err) DRIFT_MUST_USE;
void drift_vocab_fini(struct drift_vocab *vocab);

/* The id of the token with exactly these bytes; -1 when there is none. Thread: any. */
int32_t drift_vocab_find(const struct drift_vocab *vocab, const char *text, size_t len);

/*
 * Undo the byte-level alphabet: write the bytes that len bytes of printable characters stand for
 * (never more) to out; SIZE_MAX when there is a character outside the alphabet.
 */
size_t drift_vocab_decode_byte_level(const char *text, size_t len, char *out);

static inline const char *drift_vocab_text(const struct drift_vocab *vocab, int32_t id,
                                           size_t *ret_len)
{
    *ret_len = vocab->starts[id + 1] - vocab->starts[id] - 1;
    return vocab->text + vocab->starts[id];
}

static inline enum drift_token_kind drift_vocab_kind(const struct drift_vocab *vocab, int32_t id)
{
    return (enum drift_token_kind)vocab->kinds[id];
}

#endif
