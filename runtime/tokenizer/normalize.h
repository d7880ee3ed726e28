/* What happens to a text before it is cut into words. */
#ifndef DRIFT_RUNTIME_TOKENIZER_NORMALIZE_H
#define DRIFT_RUNTIME_TOKENIZER_NORMALIZE_H

#include "runtime/base/buffer.h"
#include "runtime/base/error.h"

/* Length of the maximal part at s [len >= 1] that is no character and cannot become one: at
 * least 1. */
size_t drift_text_invalid_part(const char *s, size_t len);
/* Append s to out with every maximal invalid part replaced by U+FFFD. */
void drift_text_append_valid(struct drift_buf *out, const char *s, size_t len);
/*
 * Compose: append valid UTF-8 in Unicode's normalization form C to out. A stretch (of some 4 KiB)
 * in which one character carries more than 128 combining marks is appended as it is: ordering marks
 * takes quadratic time. Errors: NO_MEMORY.
 */
enum drift_status drift_text_compose(struct drift_buf *out, const char *s, size_t len,
                                     struct drift_error *err) DRIFT_MUST_USE;

#endif
