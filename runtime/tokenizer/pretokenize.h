/*
 * Pre-tokenizers: the patterns that cut text into words before merging, by the names of
 * tokenizer.ggml.pre.
 *
 * The patterns are those the models were trained with, written so that no character is tried more
 * than a few times (possessive repeats; what backtracks does so over white space, once), which
 * makes them linear in any text.
 */
#ifndef DRIFT_RUNTIME_TOKENIZER_PRETOKENIZE_H
#define DRIFT_RUNTIME_TOKENIZER_PRETOKENIZE_H

#include "runtime/base/error.h"

#include <stdbool.h>
#include <stddef.h>

/* What comes with a name. */
struct drift_pretokenizer_rule {
    const char *name;
    const char *pattern;
    bool whole_words; /* a word that is a token is that token, whatever its merges say */
    bool add_bos;     /* when the file does not say */
    bool compose;     /* text is brought to normalization form C before */
};

struct drift_pretokenizer {
    const struct drift_pretokenizer_rule *rule;
    void *memory; /* pcre2_general_context */
    void *code;   /* pcre2_code */
};

/* Work space of one thread; see begin. */
struct drift_pretokenizer_run {
    void *match; /* pcre2_match_data */
};

/* name [len] as in the file. Errors: UNSUPPORTED (unknown name; it is in the message), NO_MEMORY.
 * Blocks (compiles). */
enum drift_status drift_pretokenizer_init(struct drift_pretokenizer *p, const char *name,
                                          size_t len, struct drift_error *err) DRIFT_MUST_USE;
void drift_pretokenizer_fini(struct drift_pretokenizer *p);

/* Errors: NO_MEMORY. */
enum drift_status drift_pretokenizer_begin(const struct drift_pretokenizer *p,
                                           struct drift_pretokenizer_run *run,
                                           struct drift_error *err) DRIFT_MUST_USE;
void drift_pretokenizer_end(struct drift_pretokenizer_run *run);
/*
 * Find the word that starts at byte at < len of valid UTF-8; *ret_end > at is where it ends.
 * Errors: LIMIT (PCRE2's, only without its JIT and beyond
 * some million blanks in a row), NO_MEMORY, INTERNAL (PCRE2 failed; native holds its code).
 * Thread: any, one run each.
 */
enum drift_status drift_pretokenizer_next(const struct drift_pretokenizer *p,
                                          struct drift_pretokenizer_run *run, const char *text,
                                          size_t len, size_t at, size_t *ret_end,
                                          struct drift_error *err) DRIFT_MUST_USE;

#endif
