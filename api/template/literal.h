/* Literals of the expression language: numbers and the escapes of strings. */
#ifndef DRIFT_API_TEMPLATE_LITERAL_H
#define DRIFT_API_TEMPLATE_LITERAL_H

#include "api/template/value.h"
#include "runtime/base/arena.h"
#include "runtime/base/status.h"

/*
 * Read the number that s (which starts with a digit) starts with. Returns the bytes taken; 0 with
 * *what set when it does not fit 64 bits. after_dot: the byte before is a dot, so no fraction
 * follows.
 */
size_t drift_tmpl_scan_number(const char *s, size_t len, bool after_dot,
                              struct drift_tmpl_value *ret, const char **what);
/* Replace Python's backslash escapes. Errors: CORRUPT, UNSUPPORTED, NO_MEMORY; *what says it. */
enum drift_status drift_tmpl_unescape(const char *s, size_t len, struct drift_arena *arena,
                                      struct drift_tmpl_value *ret,
                                      const char **what) DRIFT_MUST_USE;

#endif
