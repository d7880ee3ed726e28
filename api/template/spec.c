/* Sign, digits, grouping and padding. */
#include "api/template/spec.h"

#include "api/template/unicode.h"

#include <math.h>
#include <stdio.h>

static bool write_fill(struct drift_tmpl_render *r, const struct drift_tmpl_spec *spec, int64_t n)
{
    if (!drift_tmpl_charge(r, n > 0 ? (uint64_t)n / 16 : 0))
        return false;
    for (int64_t i = 0; i < n; i++) {
        if (!drift_tmpl_write_code(r, spec->fill ? spec->fill : ' '))
            return false;
    }
    return true;
}

/* head (sign and prefix) and body, with the fill around or, for '=', between. */
static bool write_aligned(struct drift_tmpl_render *r, const char *head, size_t n_head,
                          struct drift_tmpl_value body, const struct drift_tmpl_spec *spec,
                          char align)
{
    int64_t n = (int64_t)n_head + drift_tmpl_text_length(&body);
    int64_t room = spec->width > n ? spec->width - n : 0;
    int64_t left = align == '>' ? room : align == '^' ? room / 2 : 0;
    int64_t inside = align == '=' ? room : 0;
    return write_fill(r, spec, left) && drift_tmpl_write(r, head, n_head) &&
           write_fill(r, spec, inside) && drift_tmpl_write(r, body.s, body.len) &&
           write_fill(r, spec, room - left - inside);
}

bool drift_tmpl_write_text(struct drift_tmpl_render *r, struct drift_tmpl_value text,
                           const struct drift_tmpl_spec *spec)
{
    if (spec->precision >= 0) {
        size_t end = drift_tmpl_code_offset(text.s, text.len, (size_t)spec->precision);
        text = drift_tmpl_sub(text, text.s, end);
    }
    return drift_tmpl_charge_bytes(r, text.len) &&
           write_aligned(r, "", 0, text, spec, spec->align ? spec->align : '<');
}

static size_t sign_of(bool negative, const struct drift_tmpl_spec *spec, char *out)
{
    if (negative)
        *out = '-';
    else if (spec->sign == '+' || spec->sign == ' ')
        *out = spec->sign;
    else
        return 0;
    return 1;
}

/* Put a separator between every size digits of the first n characters, in place. */
static size_t group_digits(char *s, size_t n, size_t len, size_t size, char separator)
{
    size_t n_separators = n ? (n - 1) / size : 0;
    memmove(s + n + n_separators, s + n, len - n);
    size_t from = n, to = n + n_separators;
    for (size_t i = 0; from > 0; i++) {
        if (i && i % size == 0)
            s[--to] = separator;
        s[--to] = s[--from];
    }
    return len + n_separators;
}

static bool write_number(struct drift_tmpl_render *r, const char *head, size_t n_head, char *digits,
                         size_t len, size_t n_whole, const struct drift_tmpl_spec *spec)
{
    char align = spec->align ? spec->align : '>';
    if (spec->grouping) {
        if (align == '=' && spec->fill == '0')
            return drift_tmpl_fail(r, DRIFT_STATUS_UNSUPPORTED, "format: zeros with groups");
        bool decimal =
            spec->type != 'x' && spec->type != 'X' && spec->type != 'b' && spec->type != 'o';
        len = group_digits(digits, n_whole, len, decimal ? 3 : 4, spec->grouping);
    }
    return write_aligned(r, head, n_head, drift_tmpl_str(digits, len), spec, align);
}

static size_t int_digits(uint64_t v, unsigned base, bool upper, char *out)
{
    char reversed[64];
    size_t n = 0;
    do {
        reversed[n++] = (upper ? "0123456789ABCDEF" : "0123456789abcdef")[v % base];
        v /= base;
    } while (v);
    for (size_t i = 0; i < n; i++)
        out[i] = reversed[n - 1 - i];
    return n;
}

bool drift_tmpl_write_int(struct drift_tmpl_render *r, int64_t value,
                          const struct drift_tmpl_spec *spec)
{
    static const char float_types[] = "eEfFgG%";
    char head[4], digits[DRIFT_TMPL_MAX_SPEC_DIGITS], type = spec->type ? spec->type : 'd';
    if (strchr(float_types, type))
        return drift_tmpl_write_float(r, (double)value, spec);
    unsigned base = type == 'x' || type == 'X' ? 16 : type == 'o' ? 8 : type == 'b' ? 2 : 10;
    if (base == 10 && type != 'd' && type != 'i' && type != 'u' && type != 'n')
        return drift_tmpl_fail(r, DRIFT_STATUS_INVALID, "format: an integer has no type '%c'",
                               type);
    size_t n_head = sign_of(value < 0, spec, head);
    if (spec->alt && base != 10) {
        head[n_head++] = '0';
        head[n_head++] = type;
    }
    uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    char plain[64];
    size_t n = int_digits(magnitude, base, type == 'X', plain), pad = 0;
    if (spec->precision > 200)
        return drift_tmpl_fail(r, DRIFT_STATUS_UNSUPPORTED, "format: a precision above 200");
    if (spec->precision > (int64_t)n)
        pad = (size_t)spec->precision - n;
    memset(digits, '0', pad);
    memcpy(digits + pad, plain, n);
    return write_number(r, head, n_head, digits, n + pad, n + pad, spec);
}

bool drift_tmpl_write_float(struct drift_tmpl_render *r, double value,
                            const struct drift_tmpl_spec *spec)
{
    char head[4], digits[2 * DRIFT_TMPL_MAX_SPEC_DIGITS], type = spec->type;
    bool percent = type == '%', is_repr = type == 0 || type == 'n';
    int precision = spec->precision < 0 ? 6 : (int)spec->precision;
    if (!is_repr && !percent && !strchr("eEfFgG", type))
        return drift_tmpl_fail(r, DRIFT_STATUS_INVALID, "format: a float has no type '%c'", type);
    if (spec->precision > 60 || (is_repr && spec->precision >= 0))
        return drift_tmpl_fail(r, DRIFT_STATUS_UNSUPPORTED,
                               "format: a precision above 60 or without type");
    size_t n_head = sign_of(signbit(value) && !isnan(value), spec, head), len;
    double magnitude = fabs(percent ? value * 100 : value);
    if (is_repr) {
        len = drift_tmpl_format_float(magnitude, digits);
    } else {
        char format[] = {'%', '#', '.', '*', percent ? 'f' : type, '\0'};
        if (!spec->alt)
            memmove(format + 1, format + 2, 4);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        len = (size_t)snprintf(digits, DRIFT_TMPL_MAX_SPEC_DIGITS, format, precision, magnitude);
#pragma GCC diagnostic pop
    }
    if (percent)
        digits[len++] = '%';
    size_t n_whole = strspn(digits, "0123456789");
    return write_number(r, head, n_head, digits, len, n_whole, spec);
}
