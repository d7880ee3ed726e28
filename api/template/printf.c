/* The % operator of strings. */
#include "api/template/spec.h"
#include "api/template/unicode.h"

#include <math.h>

struct formatter {
    struct drift_tmpl_render *r;
    const char *s, *end;
    struct drift_tmpl_value args; /* a tuple, a dict, or the one value */
    uint32_t i_arg;
    bool used_names;
};

static bool next_arg(struct formatter *f, struct drift_tmpl_value *ret)
{
    bool tuple = f->args.type == DRIFT_TMPL_TUPLE;
    if (f->i_arg >= (tuple ? f->args.len : 1))
        return drift_tmpl_fail(f->r, DRIFT_STATUS_INVALID, "%% formatting has too few values");
    *ret = tuple ? f->args.items[f->i_arg] : f->args;
    f->i_arg++;
    return true;
}

static char peek(const struct formatter *f)
{
    return f->s < f->end ? *f->s : '\0';
}

/* "(name)": looks the value up. */
static bool named_arg(struct formatter *f, struct drift_tmpl_value *ret)
{
    const char *close = memchr(f->s, ')', (size_t)(f->end - f->s));
    if (!close || f->args.type != DRIFT_TMPL_DICT)
        return drift_tmpl_fail(f->r, DRIFT_STATUS_INVALID, "%%(name) needs a dict and a ')'");
    struct drift_tmpl_value key = drift_tmpl_str(f->s + 1, (size_t)(close - f->s - 1));
    const struct drift_tmpl_value *v = drift_tmpl_dict_get(f->r, f->args.dict, key);
    if (!v)
        return drift_tmpl_fail(f->r, DRIFT_STATUS_INVALID, "%%(name): no such name in the dict");
    f->s = close + 1;
    f->used_names = true;
    *ret = *v;
    return true;
}

/* Digits, or * for the next value. */
static bool read_count(struct formatter *f, int64_t *ret)
{
    struct drift_tmpl_value v;
    *ret = 0;
    if (peek(f) == '*') {
        f->s++;
        return next_arg(f, &v) && drift_tmpl_get_int(f->r, v, "a width", ret);
    }
    for (; peek(f) >= '0' && peek(f) <= '9'; f->s++) {
        *ret = *ret * 10 + (*f->s - '0');
        if (*ret > INT32_MAX)
            return drift_tmpl_fail(f->r, DRIFT_STATUS_LIMIT, "%% formatting: a width too large");
    }
    return true;
}

static bool read_spec(struct formatter *f, struct drift_tmpl_spec *spec, bool *zero)
{
    bool left = false;
    *zero = false;
    for (char c; (c = peek(f)) != '\0' && strchr("-+ #0", c); f->s++) {
        left |= c == '-';
        *zero |= c == '0';
        spec->alt |= c == '#';
        if (c == '+' || (c == ' ' && spec->sign != '+'))
            spec->sign = c;
    }
    if (!read_count(f, &spec->width))
        return false;
    if (spec->width < 0) {
        left = true;
        spec->width = -spec->width;
    }
    spec->align = left ? '<' : '>';
    *zero = *zero && !left;
    spec->precision = -1;
    if (peek(f) == '.') {
        f->s++;
        if (!read_count(f, &spec->precision))
            return false;
        spec->precision = spec->precision < 0 ? 0 : spec->precision;
    }
    while (peek(f) == 'h' || peek(f) == 'l' || peek(f) == 'L')
        f->s++;
    spec->type = peek(f);
    return f->s++ < f->end ||
           drift_tmpl_fail(f->r, DRIFT_STATUS_INVALID, "%% formatting: the format is cut off");
}

static bool write_text(struct formatter *f, struct drift_tmpl_value v,
                       const struct drift_tmpl_spec *spec)
{
    struct drift_tmpl_render *r = f->r;
    struct drift_tmpl_value text;
    if (spec->type == 's') {
        if (!drift_tmpl_to_text(r, v, &text))
            return false;
        return drift_tmpl_write_text(r, text, spec);
    }
    size_t start = drift_tmpl_capture_begin(r);
    return drift_tmpl_print_repr(r, v) && drift_tmpl_capture_end(r, start, &text) &&
           drift_tmpl_write_text(r, text, spec);
}

static bool write_char(struct formatter *f, struct drift_tmpl_value v,
                       const struct drift_tmpl_spec *spec)
{
    struct drift_tmpl_value text = v;
    if (drift_tmpl_is_integral(v)) {
        int64_t code = drift_tmpl_as_int(v);
        size_t start = drift_tmpl_capture_begin(f->r);
        if (code < 0 || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000))
            return drift_tmpl_fail(f->r, DRIFT_STATUS_INVALID, "%%c: no such character");
        if (!drift_tmpl_write_code(f->r, (uint32_t)code) ||
            !drift_tmpl_capture_end(f->r, start, &text))
            return false;
    }
    if (text.type != DRIFT_TMPL_STRING || drift_tmpl_text_length(&text) != 1)
        return drift_tmpl_fail(f->r, DRIFT_STATUS_INVALID, "%%c takes one character");
    return drift_tmpl_write_text(f->r, text, spec);
}

static bool write_number(struct formatter *f, struct drift_tmpl_value v,
                         struct drift_tmpl_spec *spec)
{
    if (!drift_tmpl_is_number(v))
        return drift_tmpl_fail_type(f->r, "% formatting of a number can't take a value", v);
    if (strchr("eEfFgG", spec->type))
        return drift_tmpl_write_float(f->r, drift_tmpl_as_double(v), spec);
    if (v.type == DRIFT_TMPL_FLOAT) {
        if (spec->type != 'd' && spec->type != 'i' && spec->type != 'u')
            return drift_tmpl_fail_type(f->r, "%x and %o can't take a value", v);
        if (!(fabs(v.f) < 9223372036854775808.0))
            return drift_tmpl_fail(f->r, DRIFT_STATUS_UNSUPPORTED, "an integer beyond 64 bits");
        v = drift_tmpl_int((int64_t)v.f);
    }
    return drift_tmpl_write_int(f->r, drift_tmpl_as_int(v), spec);
}

/* f->s is behind the '%'. */
static bool write_one(struct formatter *f)
{
    struct drift_tmpl_spec spec = {0};
    struct drift_tmpl_value v = {0};
    bool zero;
    if (peek(f) == '(' && !named_arg(f, &v))
        return false;
    if (!read_spec(f, &spec, &zero))
        return false;
    if (spec.type == '%')
        return drift_tmpl_write_char(f->r, '%');
    if (!strchr("srcdiuoxXeEfFgG", spec.type))
        return drift_tmpl_fail(f->r, DRIFT_STATUS_UNSUPPORTED, "%% formatting: the type '%c'",
                               spec.type);
    if (v.type == DRIFT_TMPL_ABSENT && !next_arg(f, &v))
        return false;
    if (spec.type == 's' || spec.type == 'r')
        return write_text(f, v, &spec);
    if (spec.type == 'c')
        return write_char(f, v, &spec);
    if (zero) {
        spec.fill = '0';
        spec.align = '=';
    }
    return write_number(f, v, &spec);
}

bool drift_tmpl_printf(struct drift_tmpl_render *r, struct drift_tmpl_value fmt,
                       struct drift_tmpl_value args, struct drift_tmpl_value *ret)
{
    struct formatter f = {.r = r, .s = fmt.s, .end = fmt.s + fmt.len, .args = args};
    size_t start = drift_tmpl_capture_begin(r);
    while (f.s < f.end) {
        const char *percent = memchr(f.s, '%', (size_t)(f.end - f.s));
        const char *stop = percent ? percent : f.end;
        if (!drift_tmpl_write(r, f.s, (size_t)(stop - f.s)))
            return false;
        f.s = stop;
        if (f.s++ < f.end && (!drift_tmpl_charge(r, 1) || !write_one(&f)))
            return false;
    }
    /* what has items counts as a mapping, of which not all need be used */
    bool mapping = args.type == DRIFT_TMPL_DICT || args.type == DRIFT_TMPL_LIST ||
                   args.type == DRIFT_TMPL_RANGE || args.type == DRIFT_TMPL_UNDEFINED;
    bool all = mapping || f.used_names || f.i_arg == (args.type == DRIFT_TMPL_TUPLE ? args.len : 1);
    if (!all)
        return drift_tmpl_fail(r, DRIFT_STATUS_INVALID, "%% formatting has too many values");
    return drift_tmpl_capture_end(r, start, ret);
}
