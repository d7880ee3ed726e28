/* str() and repr() as Python writes them, straight into the output. */
#include "api/template/macro.h"
#include "api/template/ops.h"
#include "api/template/unicode.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* The fewest digits that read back as f, as digits and a decimal exponent (d.ddd * 10^exp). */
static int shortest_digits(double f, char digits[20], int *exp)
{
    char text[40];
    for (int precision = 0; precision < 17; precision++) {
        snprintf(text, sizeof text, "%.*e", precision, f);
        if (strtod(text, NULL) == f)
            break;
    }
    int n = 0;
    const char *s = text;
    for (; *s && *s != 'e'; s++) {
        if (*s >= '0' && *s <= '9')
            digits[n++] = *s;
    }
    *exp = atoi(s + 1);
    return n;
}

size_t drift_tmpl_format_float(double f, char out[DRIFT_TMPL_FLOAT_CHARS])
{
    char digits[20] = "0";
    char *p = out;
    if (isnan(f))
        return (size_t)snprintf(out, DRIFT_TMPL_FLOAT_CHARS, "nan");
    if (signbit(f))
        *p++ = '-';
    f = fabs(f);
    if (isinf(f))
        return (size_t)(p - out) + (size_t)snprintf(p, 4, "inf");
    int exp = 0, n = f == 0 ? 1 : shortest_digits(f, digits, &exp);
    if (exp < -4 || exp >= 16) {
        *p++ = digits[0];
        if (n > 1)
            *p++ = '.';
        memcpy(p, digits + 1, (size_t)n - 1);
        p += n - 1;
        return (size_t)(p - out) + (size_t)snprintf(p, 8, "e%c%02d", exp < 0 ? '-' : '+', abs(exp));
    }
    int point = exp + 1; /* digits before the point */
    if (point <= 0) {
        *p++ = '0';
        *p++ = '.';
        for (int i = point; i < 0; i++)
            *p++ = '0';
        point = -1;
    }
    for (int i = 0; i < n || i < point; i++) {
        if (i == point)
            *p++ = '.';
        *p++ = i < n ? digits[i] : '0';
    }
    if (point >= n) {
        *p++ = '.';
        *p++ = '0';
    }
    return (size_t)(p - out);
}

static bool write_escape(struct drift_tmpl_render *r, uint32_t code)
{
    char s[16];
    int n = snprintf(s, sizeof s,
                     code < 0x100     ? "\\x%02x"
                     : code < 0x10000 ? "\\u%04x"
                                      : "\\U%08x",
                     (unsigned)code);
    return drift_tmpl_write(r, s, (size_t)n);
}

static bool print_quoted(struct drift_tmpl_render *r, struct drift_tmpl_value v)
{
    static const char named[][2] = {
        {'\n', 'n' },
        {'\r', 'r' },
        {'\t', 't' },
        {'\\', '\\'}
    };
    const char *s = v.s, *end = v.s + v.len;
    char quote = memchr(s, '\'', v.len) && !memchr(s, '"', v.len) ? '"' : '\'';
    if (!drift_tmpl_write_char(r, quote))
        return false;
    while (s < end) {
        const char *start = s;
        uint32_t code = drift_tmpl_next_code(&s, end);
        char pair[2] = {'\\', code == (uint32_t)quote ? quote : '\0'};
        for (size_t i = 0; i < DRIFT_COUNT_OF(named); i++) {
            if (code == (uint32_t)named[i][0])
                pair[1] = named[i][1];
        }
        bool ok = pair[1]                         ? drift_tmpl_write(r, pair, 2)
                  : drift_tmpl_is_printable(code) ? drift_tmpl_write(r, start, (size_t)(s - start))
                                                  : write_escape(r, code);
        if (!ok)
            return false;
    }
    return drift_tmpl_write_char(r, quote);
}

static bool print_items(struct drift_tmpl_render *r, const char *open,
                        const struct drift_tmpl_value *items, uint32_t n, const char *close)
{
    if (!drift_tmpl_write_cstr(r, open))
        return false;
    for (uint32_t i = 0; i < n; i++) {
        if ((i && !drift_tmpl_write_cstr(r, ", ")) || !drift_tmpl_print_repr(r, items[i]))
            return false;
    }
    return drift_tmpl_write_cstr(r, close);
}

/* {'a': 1}, or with which the keys, values or pairs alone. */
static bool print_entries(struct drift_tmpl_render *r, const struct drift_tmpl_entry *entries,
                          uint32_t n, int view)
{
    for (uint32_t i = 0; i < n; i++) {
        const struct drift_tmpl_entry *e = &entries[i];
        bool pair = view == DRIFT_TMPL_VIEW_ITEMS, key = view != DRIFT_TMPL_VIEW_VALUES;
        bool value = view != DRIFT_TMPL_VIEW_KEYS;
        if ((i && !drift_tmpl_write_cstr(r, ", ")) || (pair && !drift_tmpl_write_char(r, '(')) ||
            (key && !drift_tmpl_print_repr(r, e->key)) ||
            (key && value && !drift_tmpl_write_cstr(r, pair ? ", " : ": ")) ||
            (value && !drift_tmpl_print_repr(r, e->value)) ||
            (pair && !drift_tmpl_write_char(r, ')')))
            return false;
    }
    return true;
}

static bool print_dict(struct drift_tmpl_render *r, const struct drift_tmpl_entry *entries,
                       uint32_t n)
{
    return drift_tmpl_write_char(r, '{') && print_entries(r, entries, n, -1) &&
           drift_tmpl_write_char(r, '}');
}

static bool print_view(struct drift_tmpl_render *r, struct drift_tmpl_value v)
{
    static const char *const names[] = {"dict_keys([", "dict_values([", "dict_items(["};
    return drift_tmpl_write_cstr(r, names[v.view]) &&
           print_entries(r, v.dict->entries, v.dict->n, v.view) && drift_tmpl_write_cstr(r, "])");
}

static bool print_format(struct drift_tmpl_render *r, const char *fmt, int64_t a, int64_t b,
                         int64_t c)
{
    char s[100];
    int n = snprintf(s, sizeof s, fmt, a, b, c);
    return drift_tmpl_write(r, s, (size_t)n);
}

static bool print_range(struct drift_tmpl_render *r, const struct drift_tmpl_range *g)
{
    return print_format(r,
                        g->step == 1 ? "range(%" PRId64 ", %" PRId64 ")"
                                     : "range(%" PRId64 ", %" PRId64 ", %" PRId64 ")",
                        g->start, g->stop, g->step);
}

static bool print_loop(struct drift_tmpl_render *r, struct drift_tmpl_loop *loop)
{
    struct drift_tmpl_value length;
    return drift_tmpl_loop_attr(r, loop, DRIFT_TMPL_LOOP_LENGTH, &length) &&
           print_format(r, "<LoopContext %" PRId64 "/%" PRId64 ">", loop->index0 + 1, length.i, 0);
}

static bool print_macro(struct drift_tmpl_render *r, const struct drift_tmpl_macro *macro)
{
    struct drift_tmpl_value name = macro->function->name;
    if (!name.type)
        return drift_tmpl_write_cstr(r, "<Macro anonymous>");
    return drift_tmpl_write_cstr(r, "<Macro ") && drift_tmpl_print_repr(r, name) &&
           drift_tmpl_write_char(r, '>');
}

static bool print_nested(struct drift_tmpl_render *r, struct drift_tmpl_value v)
{
    switch (v.type) {
    case DRIFT_TMPL_LIST:
        return print_items(r, "[", v.items, v.len, "]");
    case DRIFT_TMPL_TUPLE:
        return print_items(r, "(", v.items, v.len, v.len == 1 ? ",)" : ")");
    case DRIFT_TMPL_DICT:
        return print_dict(r, v.dict->entries, v.dict->n);
    case DRIFT_TMPL_VIEW:
        return print_view(r, v);
    case DRIFT_TMPL_NAMESPACE:
        return drift_tmpl_write_cstr(r, "<Namespace ") && print_dict(r, v.ns->entries, v.ns->n) &&
               drift_tmpl_write_char(r, '>');
    default: /* Python would show an address */
        return drift_tmpl_fail(r, DRIFT_STATUS_UNSUPPORTED, "printing a value of type '%s'",
                               drift_tmpl_type_name(v));
    }
}

bool drift_tmpl_print_repr(struct drift_tmpl_render *r, struct drift_tmpl_value v)
{
    char number[DRIFT_TMPL_FLOAT_CHARS];
    switch (v.type) {
    case DRIFT_TMPL_ABSENT:
    case DRIFT_TMPL_UNDEFINED:
        return drift_tmpl_write_cstr(r, "Undefined");
    case DRIFT_TMPL_NONE:
        return drift_tmpl_write_cstr(r, "None");
    case DRIFT_TMPL_BOOL:
        return drift_tmpl_write_cstr(r, v.b ? "True" : "False");
    case DRIFT_TMPL_INT:
        return print_format(r, "%" PRId64, v.i, 0, 0);
    case DRIFT_TMPL_FLOAT:
        return drift_tmpl_write(r, number, drift_tmpl_format_float(v.f, number));
    case DRIFT_TMPL_STRING:
        if (!(v.flags & DRIFT_TMPL_FLAG_SAFE))
            return print_quoted(r, v);
        return drift_tmpl_write_cstr(r, "Markup(") && print_quoted(r, v) &&
               drift_tmpl_write_char(r, ')');
    case DRIFT_TMPL_RANGE:
        return print_range(r, v.range);
    case DRIFT_TMPL_MACRO:
        return print_macro(r, v.macro);
    case DRIFT_TMPL_LOOP:
        return print_loop(r, v.loop);
    default:
        break;
    }
    if (!drift_tmpl_enter(r) || !drift_tmpl_charge(r, 1))
        return false;
    bool ok = print_nested(r, v);
    drift_tmpl_leave(r);
    return ok;
}

bool drift_tmpl_print(struct drift_tmpl_render *r, struct drift_tmpl_value v)
{
    if (v.type == DRIFT_TMPL_STRING)
        return drift_tmpl_write(r, v.s, v.len);
    if (v.type == DRIFT_TMPL_UNDEFINED)
        return true;
    return drift_tmpl_print_repr(r, v);
}

bool drift_tmpl_to_text(struct drift_tmpl_render *r, struct drift_tmpl_value v,
                        struct drift_tmpl_value *ret)
{
    if (v.type == DRIFT_TMPL_STRING) {
        *ret = v;
        return true;
    }
    size_t start = drift_tmpl_capture_begin(r);
    return drift_tmpl_print(r, v) && drift_tmpl_capture_end(r, start, ret);
}

bool drift_tmpl_write_escaped(struct drift_tmpl_render *r, const char *s, size_t len)
{
    static const struct {
        char c;
        const char *entity;
    } entities[] = {
        {'&',  "&amp;"},
        {'<',  "&lt;" },
        {'>',  "&gt;" },
        {'\'', "&#39;"},
        {'"',  "&#34;"}
    };
    size_t done = 0;
    for (size_t i = 0; i < len; i++) {
        for (size_t e = 0; e < DRIFT_COUNT_OF(entities); e++) {
            if (s[i] != entities[e].c)
                continue;
            if (!drift_tmpl_write(r, s + done, i - done) ||
                !drift_tmpl_write_cstr(r, entities[e].entity))
                return false;
            done = i + 1;
        }
    }
    return drift_tmpl_write(r, s + done, len - done);
}

bool drift_tmpl_escape(struct drift_tmpl_render *r, struct drift_tmpl_value v,
                       struct drift_tmpl_value *ret)
{
    if (v.type == DRIFT_TMPL_STRING && (v.flags & DRIFT_TMPL_FLAG_SAFE)) {
        *ret = v;
        return true;
    }
    struct drift_tmpl_value text;
    if (!drift_tmpl_to_text(r, v, &text))
        return false;
    size_t start = drift_tmpl_capture_begin(r);
    if (!drift_tmpl_write_escaped(r, text.s, text.len) || !drift_tmpl_capture_end(r, start, ret))
        return false;
    ret->flags |= DRIFT_TMPL_FLAG_SAFE;
    return true;
}
