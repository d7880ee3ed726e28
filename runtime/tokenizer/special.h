/* Finding control and user-defined tokens in a text: leftmost, and of those the longest. */
#ifndef DRIFT_RUNTIME_TOKENIZER_SPECIAL_H
#define DRIFT_RUNTIME_TOKENIZER_SPECIAL_H

#include "runtime/tokenizer/vocab.h"

struct drift_special {
    const struct drift_vocab *vocab; /* borrowed */
    int32_t *ids;                    /* [n] sorted by text */
    size_t n;
    /* Bit first byte * 256 + second byte: some text starts like this. Nearly all positions are
     * dismissed by it. */
    uint64_t starts[1024];
};

struct drift_special_match {
    size_t at, len;
    int32_t id; /* -1: nothing found, at is the text's length */
};

/* vocab must outlive the object. Errors: NO_MEMORY. */
enum drift_status drift_special_init(struct drift_special *special, const struct drift_vocab *vocab,
                                     struct drift_error *err) DRIFT_MUST_USE;
void drift_special_fini(struct drift_special *special);
/* The next one in text[from, len); control and unknown tokens only if with_control. Thread: any. */
struct drift_special_match drift_special_next(const struct drift_special *special, const char *text,
                                              size_t len, size_t from, bool with_control);
/* The token that is exactly text; -1 when there is none. Thread: any. */
int32_t drift_special_find(const struct drift_special *special, const char *text, size_t len);

#endif
