/* Methods of strings that look at the string alone: case, classes, stripping, padding. */
#include "api/template/filter.h"
#include "api/template/unicode.h"

/* ---- case and classes ---- */

#define CASE_METHOD(id, how)                                                                       \
    FILTER(id)                                                                                     \
    {                                                                                              \
        (void)v;                                                                                   \
        (void)args;                                                                                \
        return drift_tmpl_change_case(r, self, how, ret);                                          \
    }

CASE_METHOD(str_lower, DRIFT_TMPL_CHANGE_LOWER)
CASE_METHOD(str_upper, DRIFT_TMPL_CHANGE_UPPER)
CASE_METHOD(str_capitalize, DRIFT_TMPL_CHANGE_CAPITALIZE)
CASE_METHOD(str_title, DRIFT_TMPL_CHANGE_TITLE)
CASE_METHOD(str_swapcase, DRIFT_TMPL_CHANGE_SWAP)
CASE_METHOD(str_casefold, DRIFT_TMPL_CHANGE_FOLD)

static bool all_codes(struct drift_tmpl_value v, bool (*is)(uint32_t code))
{
    const char *s = v.s, *end = v.s + v.len;
    while (s < end) {
        if (!is(drift_tmpl_next_code(&s, end)))
            return false;
    }
    return true;
}

static bool is_alnum(uint32_t code)
{
    return drift_tmpl_is_alpha(code) || drift_tmpl_is_numeric(code);
}

static bool is_ascii(uint32_t code)
{
    return code < 0x80;
}

/* True of the empty string: isascii and isprintable. */
#define CLASS_METHOD(id, is, of_empty)                                                             \
    FILTER(id)                                                                                     \
    {                                                                                              \
        (void)v;                                                                                   \
        (void)args;                                                                                \
        *ret = drift_tmpl_bool((self.len || (of_empty)) && all_codes(self, is));                   \
        return drift_tmpl_charge_bytes(r, self.len);                                               \
    }

CLASS_METHOD(str_isspace, drift_tmpl_is_space, false)
CLASS_METHOD(str_isalpha, drift_tmpl_is_alpha, false)
CLASS_METHOD(str_isalnum, is_alnum, false)
CLASS_METHOD(str_isdecimal, drift_tmpl_is_decimal, false)
CLASS_METHOD(str_isdigit, drift_tmpl_is_digit, false)
CLASS_METHOD(str_isnumeric, drift_tmpl_is_numeric, false)
CLASS_METHOD(str_isascii, is_ascii, true)
CLASS_METHOD(str_isprintable, drift_tmpl_is_printable, true)

FILTER(str_isupper)
{
    (void)v;
    (void)args;
    *ret = drift_tmpl_bool(drift_tmpl_is_cased_as(self, true));
    return drift_tmpl_charge_bytes(r, self.len);
}

FILTER(str_islower)
{
    (void)v;
    (void)args;
    *ret = drift_tmpl_bool(drift_tmpl_is_cased_as(self, false));
    return drift_tmpl_charge_bytes(r, self.len);
}

FILTER(str_istitle)
{
    (void)v;
    (void)args;
    const char *s = self.s, *end = self.s + self.len;
    bool in_word = false, cased = false, ok = true;
    while (s < end && ok) {
        uint32_t code = drift_tmpl_next_code(&s, end);
        bool up = drift_tmpl_is_upper(code) || drift_tmpl_is_title(code),
             low = drift_tmpl_is_lower(code);
        ok = !(up && in_word) && !(low && !in_word);
        in_word = up || low;
        cased |= in_word;
    }
    *ret = drift_tmpl_bool(ok && cased);
    return drift_tmpl_charge_bytes(r, self.len);
}

/* ---- stripping and padding ---- */

FILTER(str_strip)
{
    (void)args;
    return drift_tmpl_strip(r, self, v[0], DRIFT_TMPL_SIDE_LEFT | DRIFT_TMPL_SIDE_RIGHT, ret);
}

FILTER(str_lstrip)
{
    (void)args;
    return drift_tmpl_strip(r, self, v[0], DRIFT_TMPL_SIDE_LEFT, ret);
}

FILTER(str_rstrip)
{
    (void)args;
    return drift_tmpl_strip(r, self, v[0], DRIFT_TMPL_SIDE_RIGHT, ret);
}

static bool pad(struct drift_tmpl_render *r, struct drift_tmpl_value self, int64_t left,
                int64_t right, struct drift_tmpl_value fill, struct drift_tmpl_value *ret)
{
    struct drift_tmpl_value space = drift_tmpl_str(" ", 1), before, after;
    if (!drift_tmpl_is_given(fill))
        fill = space;
    if (!drift_tmpl_need_text(r, fill, "padding needs a character, not a value"))
        return false;
    if (drift_tmpl_text_length(&fill) != 1)
        return drift_tmpl_fail(r, DRIFT_STATUS_INVALID, "padding needs one character");
    return drift_tmpl_arith(r, DRIFT_TMPL_OP_MUL, fill, drift_tmpl_int(left), &before) &&
           drift_tmpl_arith(r, DRIFT_TMPL_OP_MUL, fill, drift_tmpl_int(right), &after) &&
           drift_tmpl_join_text(r, before, self, ret) && drift_tmpl_join_text(r, *ret, after, ret);
}

/* The missing code points up to the width. */
static bool get_padding(struct drift_tmpl_render *r, struct drift_tmpl_value self,
                        struct drift_tmpl_value width, int64_t *ret)
{
    if (!drift_tmpl_get_int(r, width, "a width", ret))
        return false;
    int64_t n = drift_tmpl_text_length(&self);
    *ret = *ret > n ? *ret - n : 0;
    return drift_tmpl_charge_bytes(r, self.len);
}

FILTER(str_ljust)
{
    int64_t n;
    (void)args;
    return get_padding(r, self, v[0], &n) && pad(r, self, 0, n, v[1], ret);
}

FILTER(str_rjust)
{
    int64_t n;
    (void)args;
    return get_padding(r, self, v[0], &n) && pad(r, self, n, 0, v[1], ret);
}

FILTER(str_center)
{
    int64_t n, width;
    (void)args;
    if (!get_padding(r, self, v[0], &n) || !drift_tmpl_get_int(r, v[0], "a width", &width))
        return false;
    int64_t left = n / 2 + (n & width & 1); /* where an odd blank goes is Python's habit */
    return pad(r, self, left, n - left, v[1], ret);
}

FILTER(str_zfill)
{
    int64_t n;
    struct drift_tmpl_value zeros, rest = self, sign = drift_tmpl_str("", 0);
    (void)args;
    if (!get_padding(r, self, v[0], &n))
        return false;
    if (self.len && (self.s[0] == '-' || self.s[0] == '+')) {
        sign = drift_tmpl_sub(self, self.s, 1);
        rest = drift_tmpl_sub(self, self.s + 1, self.len - 1);
    }
    return drift_tmpl_arith(r, DRIFT_TMPL_OP_MUL, drift_tmpl_str("0", 1), drift_tmpl_int(n),
                            &zeros) &&
           drift_tmpl_join_text(r, sign, zeros, ret) && drift_tmpl_join_text(r, *ret, rest, ret);
}

FILTER(str_expandtabs)
{
    int64_t size, column = 0;
    (void)args;
    if (!drift_tmpl_optional_int(r, v[0], "a tab's size", 8, &size))
        return false;
    size = size > 1000 ? 1000 : size;
    size_t start = drift_tmpl_capture_begin(r);
    const char *s = self.s, *end = self.s + self.len;
    while (s < end) {
        const char *at = s;
        uint32_t code = drift_tmpl_next_code(&s, end);
        if (code == '\t') {
            int64_t n = size > 0 ? size - column % size : 0;
            column += n;
            for (; n > 0; n--) {
                if (!drift_tmpl_write_char(r, ' '))
                    return false;
            }
            continue;
        }
        column = code == '\n' || code == '\r' ? 0 : column + 1;
        if (!drift_tmpl_write(r, at, (size_t)(s - at)))
            return false;
    }
    return drift_tmpl_capture_end(r, start, ret);
}

const struct drift_tmpl_builtin drift_tmpl_text_methods[] = {
    {"strip",       str_strip,       "chars",          0},
    {"lstrip",      str_lstrip,      "chars",          0},
    {"rstrip",      str_rstrip,      "chars",          0},
    {"upper",       str_upper,       "",               0},
    {"lower",       str_lower,       "",               0},
    {"title",       str_title,       "",               0},
    {"capitalize",  str_capitalize,  "",               0},
    {"swapcase",    str_swapcase,    "",               0},
    {"casefold",    str_casefold,    "",               0},
    {"ljust",       str_ljust,       "width fillchar", 1},
    {"rjust",       str_rjust,       "width fillchar", 1},
    {"center",      str_center,      "width fillchar", 1},
    {"zfill",       str_zfill,       "width",          1},
    {"expandtabs",  str_expandtabs,  "tabsize",        0},
    {"isspace",     str_isspace,     "",               0},
    {"isalpha",     str_isalpha,     "",               0},
    {"isalnum",     str_isalnum,     "",               0},
    {"isdecimal",   str_isdecimal,   "",               0},
    {"isdigit",     str_isdigit,     "",               0},
    {"isnumeric",   str_isnumeric,   "",               0},
    {"isascii",     str_isascii,     "",               0},
    {"isprintable", str_isprintable, "",               0},
    {"isupper",     str_isupper,     "",               0},
    {"islower",     str_islower,     "",               0},
    {"istitle",     str_istitle,     "",               0},
};
const size_t drift_tmpl_n_text_methods = DRIFT_COUNT_OF(drift_tmpl_text_methods);
