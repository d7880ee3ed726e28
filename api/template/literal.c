/* Digits may be grouped by single underscores, as in Python. */
#include "api/template/literal.h"

#include "runtime/base/utf8.h"

#include <stdlib.h>
#include <string.h>

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
}

/* Length of base-digits with single underscores between (and, if led, before) them. */
static size_t digits(const char *s, size_t len, int base, bool led)
{
    size_t n = 0;
    while (n < len) {
        size_t i = n + (s[n] == '_' && (n > 0 || led) && n + 1 < len);
        if (digit_value(s[i]) >= base)
            break;
        n = i + 1;
    }
    return n;
}

static size_t scan_int(const char *s, size_t len, int base, struct drift_tmpl_value *ret,
                       const char **what)
{
    uint64_t v = 0;
    for (size_t i = 0; i < len; i++) {
        if (s[i] == '_')
            continue;
        if (__builtin_mul_overflow(v, (uint64_t)base, &v) ||
            __builtin_add_overflow(v, (uint64_t)digit_value(s[i]), &v) || v > INT64_MAX) {
            *what = "an integer beyond 64 bits";
            return 0;
        }
    }
    *ret = drift_tmpl_int((int64_t)v);
    return len;
}

/* The length of a float's text at s, 0 when it is an integer. */
static size_t float_length(const char *s, size_t len)
{
    size_t whole = digits(s, len, 10, false), n = whole, frac = 0;
    if (n + 1 < len && s[n] == '.' && (frac = digits(s + n + 1, len - n - 1, 10, false)) > 0)
        n += 1 + frac;
    size_t e = n;
    if (e < len && (s[e] | 0x20) == 'e') {
        e++;
        e += e < len && (s[e] == '+' || s[e] == '-');
        size_t exp = digits(s + e, len - e, 10, false);
        if (exp)
            n = e + exp;
    }
    return n > whole ? n : 0;
}

static size_t scan_float(const char *s, size_t len, struct drift_tmpl_value *ret, const char **what)
{
    char text[400];
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        if (s[i] == '_')
            continue;
        if (n == sizeof text - 1) {
            *what = "a number with too many digits";
            return 0;
        }
        text[n++] = s[i];
    }
    text[n] = '\0';
    *ret = drift_tmpl_float(strtod(text, NULL));
    return len;
}

size_t drift_tmpl_scan_number(const char *s, size_t len, bool after_dot,
                              struct drift_tmpl_value *ret, const char **what)
{
    size_t n = after_dot ? 0 : float_length(s, len);
    if (n)
        return scan_float(s, n, ret, what);
    if (s[0] == '0' && len > 2) {
        char c = (char)(s[1] | 0x20);
        int base = c == 'x' ? 16 : c == 'o' ? 8 : c == 'b' ? 2 : 0;
        if (base && (n = digits(s + 2, len - 2, base, true)) > 0)
            return scan_int(s + 2, n, base, ret, what) ? n + 2 : 0;
    }
    /* a leading zero stands for zeros only */
    n = digits(s, len, s[0] == '0' ? 1 : 10, false);
    return scan_int(s, n, 10, ret, what);
}

static const char simple_escapes[][2] = {
    {'n',  '\n'},
    {'t',  '\t'},
    {'r',  '\r'},
    {'b',  '\b'},
    {'f',  '\f'},
    {'v',  '\v'},
    {'a',  '\a'},
    {'\\', '\\'},
    {'\'', '\''},
    {'"',  '"' },
    {'\n', '\0'}
};

struct unescaper {
    const char *s, *end;
    char *out;
    const char *what;
};

static enum drift_status put_code(struct unescaper *u, uint32_t code)
{
    size_t n = drift_utf8_encode(code, u->out);
    if (!n) {
        u->what = "an escape that names no character";
        return DRIFT_STATUS_CORRUPT;
    }
    u->out += n;
    return DRIFT_STATUS_OK;
}

static enum drift_status hex_escape(struct unescaper *u, int n)
{
    uint32_t code = 0;
    for (int i = 0; i < n; i++, u->s++) {
        int d = u->s < u->end ? digit_value(*u->s) : 99;
        if (d > 15) {
            u->what = "a cut-off \\x, \\u or \\U escape";
            return DRIFT_STATUS_CORRUPT;
        }
        code = code << 4 | (uint32_t)d;
    }
    return put_code(u, code);
}

static enum drift_status octal_escape(struct unescaper *u)
{
    uint32_t code = 0;
    for (int i = 0; i < 3 && u->s < u->end && *u->s >= '0' && *u->s <= '7'; i++)
        code = code * 8 + (uint32_t)(*u->s++ - '0');
    return put_code(u, code);
}

/* u->s is behind the backslash and before the end. */
static enum drift_status one_escape(struct unescaper *u)
{
    char c = *u->s;
    for (size_t i = 0; i < DRIFT_COUNT_OF(simple_escapes); i++) {
        if (simple_escapes[i][0] != c)
            continue;
        if (c != '\n')
            *u->out++ = simple_escapes[i][1];
        u->s++;
        return DRIFT_STATUS_OK;
    }
    if (c >= '0' && c <= '7')
        return octal_escape(u);
    if (c == 'N') {
        u->what = "\\N{...} escapes are not supported";
        return DRIFT_STATUS_UNSUPPORTED;
    }
    if (c == 'x' || c == 'u' || c == 'U') {
        u->s++;
        return hex_escape(u, c == 'x' ? 2 : c == 'u' ? 4 : 8);
    }
    *u->out++ = '\\'; /* no escape: both characters stay */
    return DRIFT_STATUS_OK;
}

enum drift_status drift_tmpl_unescape(const char *s, size_t len, struct drift_arena *arena,
                                      struct drift_tmpl_value *ret, const char **what)
{
    /* \377 (4 bytes) is the only kind that becomes as many as 2 bytes; no escape grows */
    char *out = drift_arena_alloc(arena, len + 4, 1);
    if (!out) {
        *what = "out of memory";
        return DRIFT_STATUS_NO_MEMORY;
    }
    struct unescaper u = {.s = s, .end = s + len, .out = out};
    while (u.s < u.end) {
        if (*u.s != '\\' || u.s + 1 == u.end) {
            *u.out++ = *u.s++;
            continue;
        }
        u.s++;
        enum drift_status st = one_escape(&u);
        if (st) {
            *what = u.what;
            return st;
        }
    }
    *ret = drift_tmpl_str(out, (size_t)(u.out - out));
    return DRIFT_STATUS_OK;
}
