/* UTF-8 as RFC 3629 defines it: no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef DRIFT_RUNTIME_BASE_UTF8_H
#define DRIFT_RUNTIME_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decode one code point at s (len >= 1 bytes). Returns its length 1..4, or 0 when invalid or cut off. */
size_t drift_utf8_decode(const char *s, size_t len, uint32_t *ret_code);
/* Encode into out (4 bytes); returns the length, 0 for what is no code point. */
size_t drift_utf8_encode(uint32_t code, char out[4]);
bool drift_utf8_is_valid(const char *s, size_t len);
/*
 * Length of the longest prefix that does not end within a sequence: what follows it (0..3 bytes) may still
 * become a valid character when more bytes come. Invalid bytes count as complete.
 */
size_t drift_utf8_complete_prefix(const char *s, size_t len);

#endif
