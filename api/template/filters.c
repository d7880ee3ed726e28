/* Looking filters up, and those that turn one value into another. */
#include "api/template/filter.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

const struct drift_tmpl_builtin *drift_tmpl_find_filter(struct drift_tmpl_value name)
{
    const struct {
        const struct drift_tmpl_builtin *table;
        size_t n;
    } tables[] = {
        {drift_tmpl_value_filters, drift_tmpl_n_value_filters},
        {drift_tmpl_text_filters,  drift_tmpl_n_text_filters },
        {drift_tmpl_seq_filters,   drift_tmpl_n_seq_filters  },
        {drift_tmpl_pick_filters,  drift_tmpl_n_pick_filters }
    };
    const struct drift_tmpl_builtin *found = NULL;
    for (size_t i = 0; i < DRIFT_COUNT_OF(tables) && !found; i++)
        found = drift_tmpl_find_builtin(tables[i].table, tables[i].n, name);
    return found;
}

FILTER(filter_abs)
{
    (void)v;
    (void)args;
    if (self.type == DRIFT_TMPL_FLOAT) {
        *ret = drift_tmpl_float(fabs(self.f));
        return true;
    }
    return drift_tmpl_negate(r, self, drift_tmpl_is_integral(self) && drift_tmpl_as_int(self) < 0,
                             ret);
}

FILTER(filter_attr)
{
    (void)args;
    if (self.type == DRIFT_TMPL_UNDEFINED)
        return drift_tmpl_fail_undefined(r, self);
    if (!drift_tmpl_need_text(r, v[0], "attr takes a name, not a value"))
        return false;
    struct drift_tmpl_attr attr;
    drift_tmpl_attr_init(&attr, v[0]);
    if (self.type == DRIFT_TMPL_DICT && !attr.of_dict) { /* attributes only, no items */
        *ret = drift_tmpl_undefined(v[0].s, v[0].len);
        ret->flags = DRIFT_TMPL_FLAG_ATTR;
        return true;
    }
    return drift_tmpl_getattr(r, self, &attr, ret);
}

FILTER(filter_default)
{
    (void)args;
    bool use = self.type == DRIFT_TMPL_UNDEFINED ||
               (drift_tmpl_is_true(v[1]) && !drift_tmpl_is_true(self));
    *ret = !use ? self : v[0].type == DRIFT_TMPL_ABSENT ? drift_tmpl_str("", 0) : v[0];
    return drift_tmpl_charge(r, 1);
}

/* The text of a number for strtod or strtoll: without blanks around and underscores inside. */
static bool number_text(struct drift_tmpl_render *r, struct drift_tmpl_value v, char *out,
                        size_t size)
{
    struct drift_tmpl_value s;
    size_t n = 0;
    if (!drift_tmpl_strip(r, v, (struct drift_tmpl_value){0},
                          DRIFT_TMPL_SIDE_LEFT | DRIFT_TMPL_SIDE_RIGHT, &s) ||
        s.len >= size)
        return false;
    for (uint32_t i = 0; i < s.len; i++) {
        bool lone = i > 0 && i + 1 < s.len && s.s[i - 1] != '_' && s.s[i + 1] != '_';
        if (s.s[i] == '_' && lone)
            continue;
        if (s.s[i] == '_' || s.s[i] == '\0' || s.s[i] == ' ')
            return false;
        out[n++] = s.s[i];
    }
    out[n] = '\0';
    return n > 0;
}

/* float(text); false when it is no number. Hexadecimal, which strtod reads, is none. */
static bool parse_float(struct drift_tmpl_render *r, struct drift_tmpl_value v, double *ret)
{
    char text[400], *end;
    if (!number_text(r, v, text, sizeof text) || strpbrk(text, "xXpP(\t\n\v\f\r"))
        return false;
    *ret = strtod(text, &end);
    return *end == '\0';
}

enum parsed { PARSED_NOTHING, PARSED_INT, PARSED_TOO_LARGE };

static enum parsed parse_int(struct drift_tmpl_render *r, struct drift_tmpl_value v, int64_t base,
                             int64_t *ret)
{
    char text[200], *end;
    if (!number_text(r, v, text, sizeof text))
        return PARSED_NOTHING;
    const char *s = text;
    bool negative = *s == '-';
    s += *s == '-' || *s == '+';
    char kind = s[0] == '0' ? (char)(s[1] | 0x20) : '\0';
    int64_t prefix = kind == 'x' ? 16 : kind == 'o' ? 8 : kind == 'b' ? 2 : 0;
    if (prefix && (base == prefix || base == 0)) {
        s += 2;
        base = prefix;
    }
    base = base ? base : 10;
    if (base < 2 || base > 36 || !*s || strchr("+- \t\n\v\f\r", *s) ||
        (base == 16 && s[0] == '0' && (s[1] | 0x20) == 'x'))
        return PARSED_NOTHING;
    uint64_t value = strtoull(s, &end, (int)base);
    if (*end)
        return PARSED_NOTHING;
    if (value > INT64_MAX)
        return PARSED_TOO_LARGE;
    *ret = negative ? -(int64_t)value : (int64_t)value;
    return PARSED_INT;
}

static bool float_to_int(struct drift_tmpl_render *r, double f, struct drift_tmpl_value fallback,
                         struct drift_tmpl_value *ret)
{
    *ret = fallback;
    if (!isfinite(f))
        return true;
    if (f >= 9223372036854775808.0 || f < -9223372036854775808.0)
        return drift_tmpl_fail(r, DRIFT_STATUS_UNSUPPORTED, "an integer beyond 64 bits");
    *ret = drift_tmpl_int((int64_t)f);
    return true;
}

FILTER(filter_int)
{
    int64_t base, value = 0;
    double f;
    (void)args;
    struct drift_tmpl_value fallback = v[0].type == DRIFT_TMPL_ABSENT ? drift_tmpl_int(0) : v[0];
    if (!drift_tmpl_optional_int(r, v[1], "a base", 10, &base))
        return false;
    *ret = fallback;
    switch (self.type) {
    case DRIFT_TMPL_BOOL:
    case DRIFT_TMPL_INT:
        *ret = drift_tmpl_int(drift_tmpl_as_int(self));
        return true;
    case DRIFT_TMPL_FLOAT:
        return float_to_int(r, self.f, fallback, ret);
    case DRIFT_TMPL_STRING:
        break;
    case DRIFT_TMPL_UNDEFINED:
        return drift_tmpl_fail_undefined(r, self);
    default:
        return true;
    }
    enum parsed parsed = parse_int(r, self, base, &value);
    if (parsed == PARSED_TOO_LARGE)
        return drift_tmpl_fail(r, DRIFT_STATUS_UNSUPPORTED, "an integer beyond 64 bits");
    if (parsed == PARSED_INT)
        *ret = drift_tmpl_int(value);
    else if (parse_float(r, self, &f))
        return float_to_int(r, f, fallback, ret);
    return !r->status;
}

FILTER(filter_float)
{
    double f;
    (void)args;
    *ret = v[0].type == DRIFT_TMPL_ABSENT ? drift_tmpl_float(0) : v[0];
    if (self.type == DRIFT_TMPL_UNDEFINED)
        return drift_tmpl_fail_undefined(r, self);
    if (drift_tmpl_is_number(self))
        *ret = drift_tmpl_float(drift_tmpl_as_double(self));
    else if (self.type == DRIFT_TMPL_STRING && parse_float(r, self, &f))
        *ret = drift_tmpl_float(f);
    return !r->status;
}

/* Exact, ties to even, as the decimal digits of the binary value say. */
static double round_decimal(double f, int64_t precision)
{
    char text[700];
    if (!isfinite(f) || precision > 340)
        return f;
    if (precision < -310)
        return copysign(0, f);
    if (precision >= 0) {
        snprintf(text, sizeof text, "%.*f", (int)precision, f);
        return strtod(text, NULL);
    }
    double unit = pow(10, (double)-precision), whole = floor(fabs(f) / unit);
    double rest = fabs(f) - whole * unit;
    bool up = rest > unit / 2 || (!(rest < unit / 2) && fmod(whole, 2) != 0);
    return copysign((whole + (up ? 1 : 0)) * unit, f);
}

static bool round_int(struct drift_tmpl_render *r, int64_t value, int64_t precision,
                      struct drift_tmpl_value *ret)
{
    *ret = drift_tmpl_int(value);
    if (precision >= 0)
        return true;
    double rounded = round_decimal((double)value, precision);
    if (fabs(rounded) > 9007199254740992.0)
        return drift_tmpl_fail(r, DRIFT_STATUS_UNSUPPORTED, "rounding of an integer beyond 2^53");
    *ret = drift_tmpl_int((int64_t)rounded);
    return true;
}

FILTER(filter_round)
{
    int64_t precision;
    (void)args;
    struct drift_tmpl_value how =
        v[1].type == DRIFT_TMPL_ABSENT ? drift_tmpl_str("common", 6) : v[1];
    bool up = drift_tmpl_text_is(how, "ceil"), down = drift_tmpl_text_is(how, "floor");
    if (!drift_tmpl_optional_int(r, v[0], "a precision", 0, &precision))
        return false;
    if (!up && !down && !drift_tmpl_text_is(how, "common"))
        return drift_tmpl_fail(r, DRIFT_STATUS_INVALID, "round knows common, ceil and floor");
    if (!drift_tmpl_is_number(self))
        return drift_tmpl_fail_type(r, "round takes a number, not a value", self);
    double f = drift_tmpl_as_double(self), unit = pow(10, (double)precision);
    if (up || down) {
        *ret = drift_tmpl_float((up ? ceil(f * unit) : floor(f * unit)) / unit);
        return true;
    }
    if (self.type != DRIFT_TMPL_FLOAT)
        return round_int(r, drift_tmpl_as_int(self), precision, ret);
    *ret = drift_tmpl_float(round_decimal(f, precision));
    return true;
}

FILTER(filter_safe)
{
    (void)v;
    (void)args;
    if (!drift_tmpl_to_text(r, self, ret))
        return false;
    ret->flags |= DRIFT_TMPL_FLAG_SAFE;
    return true;
}

FILTER(filter_escape)
{
    (void)v;
    (void)args;
    return drift_tmpl_escape(r, self, ret);
}

FILTER(filter_forceescape)
{
    (void)v;
    (void)args;
    struct drift_tmpl_value text;
    if (!drift_tmpl_to_text(r, self, &text))
        return false;
    text.flags &= (uint8_t)~DRIFT_TMPL_FLAG_SAFE;
    return drift_tmpl_escape(r, text, ret);
}

FILTER(filter_string)
{
    (void)v;
    (void)args;
    return drift_tmpl_to_text(r, self, ret);
}

FILTER(filter_tojson)
{
    (void)args;
    return drift_tmpl_tojson(r, self, v, ret);
}

const struct drift_tmpl_builtin drift_tmpl_value_filters[] = {
    {"tojson",      filter_tojson,      "ensure_ascii indent separators sort_keys", 0},
    {"default",     filter_default,     "default_value boolean",                    0},
    {"d",           filter_default,     "default_value boolean",                    0},
    {"string",      filter_string,      "",                                         0},
    {"int",         filter_int,         "default base",                             0},
    {"float",       filter_float,       "default",                                  0},
    {"abs",         filter_abs,         "",                                         0},
    {"round",       filter_round,       "precision method",                         0},
    {"attr",        filter_attr,        "name",                                     1},
    {"safe",        filter_safe,        "",                                         0},
    {"escape",      filter_escape,      "",                                         0},
    {"e",           filter_escape,      "",                                         0},
    {"forceescape", filter_forceescape, "",                                         0},
};
const size_t drift_tmpl_n_value_filters = DRIFT_COUNT_OF(drift_tmpl_value_filters);
