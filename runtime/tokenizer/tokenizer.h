/*
 * Text to token ids and back, by the vocabulary and rules in a model file's metadata.
 *
 * Two families (tokenizer.ggml.model): "llama", SentencePiece-style merges by score over characters
 * with byte fallback, and "gpt2", byte-level BPE with ranked merges inside the words that a
 * pre-tokenizer pattern (tokenizer.ggml.pre) finds. Anything else is refused by name. A tokenizer
 * never changes after creation, so any number of threads may use it; encoding takes time about
 * linear in the text whatever the text is. It knows nothing of chat templates, of models' context
 * lengths, or of stop strings.
 */
#ifndef DRIFT_RUNTIME_TOKENIZER_TOKENIZER_H
#define DRIFT_RUNTIME_TOKENIZER_TOKENIZER_H

#include "runtime/base/buffer.h"
#include "runtime/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct drift_gguf;
struct drift_tokenizer;

/* The longest text that is encoded in one call. */
#define DRIFT_TOKENIZER_MAX_TEXT_BYTES (256u << 20)

/* The numbering of tokenizer.ggml.token_type, less one. */
enum drift_token_kind {
    DRIFT_TOKEN_NORMAL,
    DRIFT_TOKEN_UNKNOWN,
    DRIFT_TOKEN_CONTROL,      /* structure, not text: <bos>, <|im_start|> ... */
    DRIFT_TOKEN_USER_DEFINED, /* text that is always one token */
    DRIFT_TOKEN_UNUSED,
    DRIFT_TOKEN_BYTE, /* <0xXX> */
    DRIFT_TOKEN_COUNT
};

/* Special ids; -1 when the model has none. */
struct drift_tokenizer_info {
    const char *model; /* "llama" or "gpt2" */
    const char *pre;   /* the pre-tokenizer pattern's name; "" for "llama" */
    int32_t n_tokens;
    int32_t bos, eos, eot, unk, pad;
    bool add_bos, add_eos; /* what DRIFT_ENCODE_ADD_SPECIAL does */
};

/*
 * Build from a file's metadata; everything needed is copied, the file may be closed afterwards.
 * Errors: NOT_FOUND (no vocabulary in the file), CORRUPT (inconsistent vocabulary, says what),
 * UNSUPPORTED (another tokenizer model or pre-tokenizer; named), LIMIT, NO_MEMORY. Blocks (up to
 * ~0.1 s of computing). Thread: any.
 */
enum drift_status drift_tokenizer_create(const struct drift_gguf *gguf,
                                         struct drift_tokenizer **ret_tokenizer,
                                         struct drift_error *err) DRIFT_MUST_USE;
void drift_tokenizer_destroy(struct drift_tokenizer *tokenizer);

/* Everything below: Thread: any, at the same time. */
const struct drift_tokenizer_info *
drift_tokenizer_get_info(const struct drift_tokenizer *tokenizer);
/*
 * True for the ids after which generation stops: eos, eot and the other turn or text ends the
 * vocabulary has.
 */
bool drift_tokenizer_is_end(const struct drift_tokenizer *tokenizer, int32_t id);
/* Kind of a token; UNUSED for an id outside the vocabulary. */
enum drift_token_kind drift_tokenizer_token_kind(const struct drift_tokenizer *tokenizer,
                                                 int32_t id);
/*
 * The bytes a token stands for (they need not be whole UTF-8 characters): a control token's name, a
 * byte token's byte. Borrowed from the tokenizer, also NUL-terminated; empty for an id outside the
 * vocabulary.
 */
const char *drift_tokenizer_token_text(const struct drift_tokenizer *tokenizer, int32_t id,
                                       size_t *ret_len);
/* The id of the control or user-defined token with this text; -1 when there is none. */
int32_t drift_tokenizer_find_special(const struct drift_tokenizer *tokenizer, const char *text,
                                     size_t len);

/* A growing array of token ids that refuses to grow beyond max_count. */
struct drift_tokens {
    int32_t *ids; /* [count] */
    size_t count, capacity, max_count;
};

/* Prepare an empty array. Allocates nothing. */
void drift_tokens_init(struct drift_tokens *tokens, size_t max_count);
void drift_tokens_fini(struct drift_tokens *tokens);
/* Errors: LIMIT, NO_MEMORY. */
enum drift_status drift_tokens_push(struct drift_tokens *tokens, int32_t id,
                                    struct drift_error *err) DRIFT_MUST_USE;

enum drift_encode_flag {
    /*
     * Put BOS before and EOS after, as the model's metadata says. BOS is not added when the text
     * itself starts with it (and is parsed), so a rendered chat template may be encoded with both
     * flags whether or not it writes BOS.
     */
    DRIFT_ENCODE_ADD_SPECIAL = 1,
    /*
     * Control tokens' names in the text become those tokens. Without it they are plain text, as a
     * user's words must be.
     */
    DRIFT_ENCODE_PARSE_SPECIAL = 2,
};

/*
 * Append the tokens of len bytes of text. User-defined tokens are always recognised (leftmost,
 * longest first). Invalid UTF-8 is read as U+FFFD, one for each maximal invalid part. Bytes for
 * which a byte-level vocabulary has no token (SmolLM2 lacks a few control characters) are left out.
 * Errors: LIMIT (more than max_count tokens, or text over the cap above), NO_MEMORY; *tokens then
 * holds what it held before. Does not block, but a megabyte takes up to some 0.2 s of computing.
 */
enum drift_status drift_tokenizer_encode(const struct drift_tokenizer *tokenizer, const char *text,
                                         size_t len, uint32_t flags, struct drift_tokens *tokens,
                                         struct drift_error *err) DRIFT_MUST_USE;

enum drift_decode_flag {
    /* Emit the names of control and unknown tokens, which otherwise emit nothing. */
    DRIFT_DECODE_SPECIAL = 1,
    /*
     * The ids begin a text: drop the space that encoding put before it (models with
     * add_space_prefix).
     */
    DRIFT_DECODE_TEXT_START = 2,
};

/*
 * Append the text of ids [count] to out, which receives valid UTF-8: broken sequences become
 * U+FFFD. Ids outside the vocabulary emit nothing. Running out of room sets out->failed.
 */
void drift_tokenizer_decode(const struct drift_tokenizer *tokenizer, const int32_t *ids,
                            size_t count, uint32_t flags, struct drift_buf *out);

/*
 * Incremental decoding: out only ever receives whole characters, whatever the ids are. Allocates
 * nothing itself.
 */
struct drift_detokenizer {
    const struct drift_tokenizer *tokenizer;
    uint32_t flags;
    uint8_t n_pending; /* bytes of an unfinished character */
    char pending[3];
    bool at_start;
};

void drift_detokenizer_init(struct drift_detokenizer *d, const struct drift_tokenizer *tokenizer,
                            uint32_t flags);
/* Append what id completes; may be nothing. */
void drift_detokenizer_push(struct drift_detokenizer *d, int32_t id, struct drift_buf *out);
/*
 * The sequence has ended: append U+FFFD if a character is unfinished. The detokenizer can go on
 * afterwards.
 */
void drift_detokenizer_flush(struct drift_detokenizer *d, struct drift_buf *out);

#endif
