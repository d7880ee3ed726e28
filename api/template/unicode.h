/* Code points the way Python's str sees them: classes, case, counting. Strings are valid UTF-8. */
#ifndef DRIFT_API_TEMPLATE_UNICODE_H
#define DRIFT_API_TEMPLATE_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The code point at *s, which is moved behind it (*s < end). */
uint32_t drift_tmpl_next_code(const char **s, const char *end);
/* The code point before *s, which is moved to its start (*s > begin). */
uint32_t drift_tmpl_prev_code(const char *begin, const char **s);
size_t drift_tmpl_count_codes(const char *s, size_t len);
/* Byte offset of the n-th code point, len when there are fewer. */
size_t drift_tmpl_code_offset(const char *s, size_t len, size_t n);

/* str.isspace of one code point. */
bool drift_tmpl_is_space(uint32_t code);
/* str.splitlines breaks here. */
bool drift_tmpl_is_line_break(uint32_t code);
bool drift_tmpl_is_alpha(uint32_t code);
bool drift_tmpl_is_decimal(uint32_t code);
bool drift_tmpl_is_digit(uint32_t code);
bool drift_tmpl_is_numeric(uint32_t code);
bool drift_tmpl_is_printable(uint32_t code);
/* May stand in an identifier (\w). */
bool drift_tmpl_is_word(uint32_t code);
bool drift_tmpl_is_upper(uint32_t code);
bool drift_tmpl_is_lower(uint32_t code);
bool drift_tmpl_is_title(uint32_t code);
/* Neither: marks and modifiers that casing looks through. */
bool drift_tmpl_is_case_ignorable(uint32_t code);
bool drift_tmpl_is_cased(uint32_t code);

#define DRIFT_TMPL_MAX_CASE_CODES 4

enum drift_tmpl_case {
    DRIFT_TMPL_CASE_LOWER,
    DRIFT_TMPL_CASE_UPPER,
    DRIFT_TMPL_CASE_TITLE,
    DRIFT_TMPL_CASE_FOLD
};

/* The full mapping of one code point (a sharp s becomes two); returns how many were written. */
int drift_tmpl_map_case(uint32_t code, enum drift_tmpl_case to,
                        uint32_t out[DRIFT_TMPL_MAX_CASE_CODES]);

#endif
