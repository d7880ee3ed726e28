/* Inside of struct drift_tokenizer, and the work space of one encoding. */
#ifndef DRIFT_RUNTIME_TOKENIZER_TOKENIZER_IMPL_H
#define DRIFT_RUNTIME_TOKENIZER_TOKENIZER_IMPL_H

#include "runtime/tokenizer/merge.h"
#include "runtime/tokenizer/pretokenize.h"
#include "runtime/tokenizer/special.h"
#include "runtime/tokenizer/tokenizer.h"
#include "runtime/tokenizer/vocab.h"

struct drift_encoder;

/* A family of tokenizers. */
struct drift_tokenizer_ops {
    const char *model; /* tokenizer.ggml.model */
    enum drift_vocab_text text;
    bool add_bos;                    /* when the file does not say */
    const char *bos_name, *eos_name; /* looked for when the file names none; NULL: none */
    /* Read what the family needs beside the vocabulary. Errors as drift_tokenizer_create. */
    enum drift_status (*load)(struct drift_tokenizer *t, const struct drift_gguf *gguf,
                              struct drift_error *err);
    /* Append the tokens of text [len > 0], valid UTF-8 without special tokens. Errors: LIMIT,
     * NO_MEMORY. */
    enum drift_status (*encode)(struct drift_encoder *e, const char *text, size_t len);
};

extern const struct drift_tokenizer_ops drift_tokenizer_spm_ops;
extern const struct drift_tokenizer_ops drift_tokenizer_bpe_ops;

/* What joining two tokens gives. */
struct drift_bpe_slot {
    int32_t left, right; /* left -1: empty */
    uint32_t rank;
    int32_t id;
};

struct drift_tokenizer {
    const struct drift_tokenizer_ops *ops;
    struct drift_tokenizer_info info;
    struct drift_vocab vocab;
    struct drift_special special;
    uint8_t *is_end; /* [n_tokens] */
    /* "gpt2" */
    struct drift_pretokenizer pretokenizer;
    struct drift_bpe_slot *merges; /* [merges_mask + 1] */
    uint64_t merges_mask, merges_seed;
    /* "llama" */
    bool add_space_prefix;
    bool has_bytes;         /* byte tokens for all 256 */
    uint32_t *ranks;        /* [n_tokens] ascending: better scores first */
    bool has_unused;        /* some token is of kind UNUSED */
    bool before_space[256]; /* some token has this byte right before a space */
};

struct drift_encoder {
    const struct drift_tokenizer *tokenizer;
    struct drift_tokens *out;
    struct drift_error *err;
    struct drift_merger merger;
    struct drift_buf text;  /* the text with broken UTF-8 replaced, if there was any */
    struct drift_buf piece; /* a family's normalized piece of it */
    struct drift_pretokenizer_run words;
    uint16_t
        *unused_cuts; /* [n_tokens] where an unused token was joined last; only if there are any */
};

#endif
