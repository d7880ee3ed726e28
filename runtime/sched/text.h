/*
 * The text side of one sequence: tokens in, text that is certain out.
 *
 * Text is certain when no stop string can begin in it any more. A stop string ends the text just before itself, also
 * when it begins inside a token or runs across several. What comes out is whole UTF-8 characters. It allocates only when
 * one token's text is larger than what was set aside at init.
 */
#ifndef DRIFT_RUNTIME_SCHED_TEXT_H
#define DRIFT_RUNTIME_SCHED_TEXT_H

#include "runtime/base/buffer.h"
#include "runtime/sample/params.h"
#include "runtime/tokenizer/tokenizer.h"

struct drift_text_stops {
    const char *strings[DRIFT_MAX_STOPS]; /* not empty; borrowed */
    size_t lens[DRIFT_MAX_STOPS];
    uint32_t count;
};

struct drift_text {
    struct drift_detokenizer detokenizer;
    const struct drift_text_stops *stops; /* borrowed */
    struct drift_buf buf; /* not yet taken; the first n_certain bytes are certain */
    size_t n_certain;
    bool stopped; /* a stop string was found: everything in buf is certain and nothing more comes */
};

/* tokenizer and stops must outlive text. Errors: NO_MEMORY. */
enum drift_status drift_text_init(struct drift_text *text, const struct drift_tokenizer *tokenizer,
                                  const struct drift_text_stops *stops, bool show_special) DRIFT_MUST_USE;
void drift_text_fini(struct drift_text *text);
/* Add a token; true when it completed a stop string (see stopped). */
bool drift_text_push(struct drift_text *text, int32_t token);
/* No token follows: everything held back becomes certain. */
void drift_text_finish(struct drift_text *text);
/* Move up to cap certain bytes to out, cut between characters; how many. cap >= 4. */
size_t drift_text_take(struct drift_text *text, char *out, size_t cap);

#endif
