/* str.format: replacement fields with their specifications. */
#include "api/template/spec.h"
#include "api/template/unicode.h"

#define MAX_NESTED_FIELDS 2

struct formatter {
    struct drift_tmpl_render *r;
    const struct drift_tmpl_args *args;
    uint32_t i_auto; /* next unnumbered field */
    bool automatic, manual;
};

static bool malformed(struct formatter *f)
{
    return drift_tmpl_fail(f->r, DRIFT_STATUS_INVALID, "str.format: the format is malformed");
}

static bool format_into(struct formatter *f, const char *s, const char *end, int depth);

/* All digits and not too many: its value, else -1. */
static int64_t as_number(const char *s, const char *end)
{
    int64_t n = 0;
    if (s == end || end - s > 9)
        return -1;
    for (; s < end; s++) {
        if (*s < '0' || *s > '9')
            return -1;
        n = n * 10 + (*s - '0');
    }
    return n;
}

static bool find_arg(struct formatter *f, const char *s, const char *end,
                     struct drift_tmpl_value *ret)
{
    int64_t n = as_number(s, end);
    if (s == end) {
        n = f->i_auto++;
        f->automatic = true;
    } else if (n >= 0) {
        f->manual = true;
    }
    if (f->automatic && f->manual)
        return drift_tmpl_fail(f->r, DRIFT_STATUS_INVALID,
                               "str.format: numbered and unnumbered fields");
    if (n >= 0 && n < f->args->n_pos) {
        *ret = f->args->pos[n];
        return true;
    }
    for (uint32_t i = 0; n < 0 && i < f->args->n_kw; i++) {
        if (drift_tmpl_text_equal(f->args->kw[i].name, drift_tmpl_str(s, (size_t)(end - s)))) {
            *ret = f->args->kw[i].value;
            return true;
        }
    }
    return drift_tmpl_fail(f->r, DRIFT_STATUS_INVALID, "str.format: no such argument");
}

/* name.attr[item] ... */
static bool find_value(struct formatter *f, const char *s, const char *end,
                       struct drift_tmpl_value *ret)
{
    const char *stop = s;
    while (stop < end && *stop != '.' && *stop != '[')
        stop++;
    if (!find_arg(f, s, stop, ret))
        return false;
    for (s = stop; s < end; s = stop) {
        bool item = *s++ == '[';
        for (stop = s; stop < end && (item ? *stop != ']' : *stop != '.' && *stop != '[');)
            stop++;
        struct drift_tmpl_value name = drift_tmpl_str(s, (size_t)(stop - s));
        if (stop == s || (item && stop == end))
            return malformed(f);
        if (item) {
            int64_t n = as_number(s, stop);
            if (!drift_tmpl_getitem(f->r, *ret, n >= 0 ? drift_tmpl_int(n) : name, ret))
                return false;
            stop++;
        } else {
            struct drift_tmpl_attr attr;
            drift_tmpl_attr_init(&attr, name);
            if (!drift_tmpl_getattr(f->r, *ret, &attr, ret))
                return false;
        }
    }
    return true;
}

static bool read_number(struct formatter *f, const char **s, const char *end, int64_t *ret)
{
    for (*ret = 0; *s < end && **s >= '0' && **s <= '9'; (*s)++) {
        *ret = *ret * 10 + (**s - '0');
        if (*ret > INT32_MAX)
            return drift_tmpl_fail(f->r, DRIFT_STATUS_LIMIT, "str.format: a width too large");
    }
    return true;
}

static bool is_align(char c)
{
    return c == '<' || c == '>' || c == '^' || c == '=';
}

/* [[fill]align][sign][#][0][width][grouping][.precision][type] */
static bool parse_spec(struct formatter *f, struct drift_tmpl_value text,
                       struct drift_tmpl_spec *spec)
{
    const char *s = text.s, *end = s + text.len;
    *spec = (struct drift_tmpl_spec){.precision = -1};
    if (s < end) {
        const char *after = s;
        uint32_t fill = drift_tmpl_next_code(&after, end);
        if (after < end && is_align(*after)) {
            spec->fill = fill;
            spec->align = *after;
            s = after + 1;
        } else if (is_align(*s)) {
            spec->align = *s++;
        }
    }
    if (s < end && (*s == '+' || *s == '-' || *s == ' '))
        spec->sign = *s++;
    if (s < end && *s == '#') {
        spec->alt = true;
        s++;
    }
    if (s < end && *s == '0') {
        spec->fill = spec->fill ? spec->fill : '0';
        spec->align = spec->align ? spec->align : '=';
        s++;
    }
    if (!read_number(f, &s, end, &spec->width))
        return false;
    if (s < end && (*s == ',' || *s == '_'))
        spec->grouping = *s++;
    if (s < end && *s == '.') {
        s++;
        if (s == end || *s < '0' || *s > '9')
            return malformed(f);
        if (!read_number(f, &s, end, &spec->precision))
            return false;
    }
    if (s < end)
        spec->type = *s++;
    return s == end || malformed(f);
}

static bool write_value(struct formatter *f, struct drift_tmpl_value v,
                        struct drift_tmpl_value spec_text)
{
    struct drift_tmpl_spec spec;
    if (!spec_text.len)
        return drift_tmpl_print(f->r, v);
    if (!parse_spec(f, spec_text, &spec))
        return false;
    if (v.type == DRIFT_TMPL_STRING) {
        if ((spec.type && spec.type != 's') || spec.sign || spec.grouping || spec.alt)
            return drift_tmpl_fail(f->r, DRIFT_STATUS_INVALID,
                                   "str.format: no format for a string");
        spec.align = spec.align == '=' ? '<' : spec.align;
        return drift_tmpl_write_text(f->r, v, &spec);
    }
    if (drift_tmpl_is_integral(v)) {
        if (spec.precision >= 0 && (!spec.type || !strchr("eEfFgG%", spec.type)))
            return drift_tmpl_fail(f->r, DRIFT_STATUS_INVALID,
                                   "str.format: an integer's precision");
        return drift_tmpl_write_int(f->r, drift_tmpl_as_int(v), &spec);
    }
    if (v.type == DRIFT_TMPL_FLOAT)
        return drift_tmpl_write_float(f->r, v.f, &spec);
    return drift_tmpl_fail_type(f->r, "str.format: no format for a value", v);
}

static bool convert(struct formatter *f, char how, struct drift_tmpl_value *v)
{
    size_t start = drift_tmpl_capture_begin(f->r);
    if (how == 's')
        return drift_tmpl_to_text(f->r, *v, v);
    if (how == 'r')
        return drift_tmpl_print_repr(f->r, *v) && drift_tmpl_capture_end(f->r, start, v);
    return drift_tmpl_fail(f->r, DRIFT_STATUS_UNSUPPORTED, "str.format: the conversion '!%c'", how);
}

/* [s, end) is what stands between the braces. */
static bool write_field(struct formatter *f, const char *s, const char *end, int depth)
{
    const char *name_end = s;
    while (name_end < end && *name_end != '!' && *name_end != ':')
        name_end += *name_end == '[' && memchr(name_end, ']', (size_t)(end - name_end))
                        ? (const char *)memchr(name_end, ']', (size_t)(end - name_end)) - name_end
                        : 1;
    struct drift_tmpl_value v, spec = drift_tmpl_str("", 0);
    if (!find_value(f, s, name_end, &v))
        return false;
    s = name_end;
    if (s < end && *s == '!') {
        if (end - s < 2 || (end - s > 2 && s[2] != ':'))
            return malformed(f);
        if (!convert(f, s[1], &v))
            return false;
        s += 2;
    }
    if (s < end) { /* the specification may hold fields itself */
        size_t start = drift_tmpl_capture_begin(f->r);
        if (!format_into(f, s + 1, end, depth + 1) || !drift_tmpl_capture_end(f->r, start, &spec))
            return false;
    }
    return write_value(f, v, spec);
}

/* The brace that closes the one before s, NULL when there is none. */
static const char *closing_brace(const char *s, const char *end)
{
    int open = 1;
    for (; s < end; s++) {
        open += (*s == '{') - (*s == '}');
        if (!open)
            return s;
    }
    return NULL;
}

static bool format_into(struct formatter *f, const char *s, const char *end, int depth)
{
    if (depth > MAX_NESTED_FIELDS)
        return malformed(f);
    while (s < end) {
        const char *at = s;
        while (s < end && *s != '{' && *s != '}')
            s++;
        if (!drift_tmpl_write(f->r, at, (size_t)(s - at)))
            return false;
        if (s == end)
            break;
        if (s + 1 < end && s[1] == *s && depth == 0) {
            if (!drift_tmpl_write_char(f->r, *s))
                return false;
            s += 2;
            continue;
        }
        const char *close = *s == '{' ? closing_brace(s + 1, end) : NULL;
        if (!close)
            return malformed(f);
        if (!drift_tmpl_charge(f->r, 1) || !write_field(f, s + 1, close, depth))
            return false;
        s = close + 1;
    }
    return true;
}

bool drift_tmpl_format(struct drift_tmpl_render *r, struct drift_tmpl_value fmt,
                       const struct drift_tmpl_args *args, struct drift_tmpl_value *ret)
{
    struct formatter f = {.r = r, .args = args};
    size_t start = drift_tmpl_capture_begin(r);
    return format_into(&f, fmt.s, fmt.s + fmt.len, 0) && drift_tmpl_capture_end(r, start, ret);
}
