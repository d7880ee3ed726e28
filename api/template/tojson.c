/* JSON as Python's json.dumps writes it: blanks after separators, floats by repr, order kept. */
#include "api/template/filter.h"
#include "api/template/unicode.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

struct writer {
    struct drift_tmpl_render *r;
    bool ascii, sort;
    bool pretty;
    struct drift_tmpl_value indent; /* one level */
    struct drift_tmpl_value item_separator, key_separator;
};

static bool write_value(const struct writer *w, struct drift_tmpl_value v, uint32_t depth);

static bool write_unicode(const struct writer *w, uint32_t code)
{
    char s[16];
    int n = snprintf(s, sizeof s, "\\u%04x", (unsigned)code);
    return drift_tmpl_write(w->r, s, (size_t)n);
}

static bool write_ascii(const struct writer *w, uint32_t code)
{
    if (code < 0x10000)
        return write_unicode(w, code);
    return write_unicode(w, 0xD800 + ((code - 0x10000) >> 10)) &&
           write_unicode(w, 0xDC00 + ((code - 0x10000) & 0x3FF));
}

static bool write_string(const struct writer *w, struct drift_tmpl_value v)
{
    static const char named[][2] = {
        {'"',  '"' },
        {'\\', '\\'},
        {'\n', 'n' },
        {'\r', 'r' },
        {'\t', 't' },
        {'\f', 'f' },
        {'\b', 'b' }
    };
    const char *s = v.s, *end = v.s + v.len, *done = v.s;
    if (!drift_tmpl_write_char(w->r, '"'))
        return false;
    while (s < end) {
        unsigned char c = (unsigned char)*s;
        if (c >= 0x20 && c != '"' && c != '\\' && (c < 0x80 || !w->ascii)) {
            s++;
            continue;
        }
        char pair[2] = {'\\', '\0'};
        for (size_t i = 0; i < DRIFT_COUNT_OF(named); i++) {
            if (named[i][0] == *s)
                pair[1] = named[i][1];
        }
        if (!drift_tmpl_write(w->r, done, (size_t)(s - done)))
            return false;
        uint32_t code = drift_tmpl_next_code(&s, end);
        done = s;
        if (pair[1] ? !drift_tmpl_write(w->r, pair, 2) : !write_ascii(w, code))
            return false;
    }
    return drift_tmpl_write(w->r, done, (size_t)(s - done)) && drift_tmpl_write_char(w->r, '"');
}

static bool write_float(const struct writer *w, double f)
{
    char s[DRIFT_TMPL_FLOAT_CHARS];
    if (isnan(f))
        return drift_tmpl_write_cstr(w->r, "NaN");
    if (isinf(f))
        return drift_tmpl_write_cstr(w->r, f < 0 ? "-Infinity" : "Infinity");
    return drift_tmpl_write(w->r, s, drift_tmpl_format_float(f, s));
}

static bool write_int(const struct writer *w, int64_t i)
{
    char s[32];
    int n = snprintf(s, sizeof s, "%" PRId64, i);
    return drift_tmpl_write(w->r, s, (size_t)n);
}

static bool write_line(const struct writer *w, uint32_t depth)
{
    if (!w->pretty)
        return true;
    bool ok = drift_tmpl_write_char(w->r, '\n');
    for (uint32_t i = 0; i < depth && ok; i++)
        ok = drift_tmpl_write(w->r, w->indent.s, w->indent.len);
    return ok;
}

static bool write_separator(const struct writer *w, uint32_t i, uint32_t depth)
{
    if (i && !drift_tmpl_write(w->r, w->item_separator.s, w->item_separator.len))
        return false;
    return write_line(w, depth);
}

static bool write_list(const struct writer *w, struct drift_tmpl_value v, uint32_t depth)
{
    if (!v.len)
        return drift_tmpl_write_cstr(w->r, "[]");
    if (!drift_tmpl_write_char(w->r, '['))
        return false;
    for (uint32_t i = 0; i < v.len; i++) {
        if (!write_separator(w, i, depth + 1) || !write_value(w, v.items[i], depth + 1))
            return false;
    }
    return write_line(w, depth) && drift_tmpl_write_char(w->r, ']');
}

/* Keys are strings; numbers, booleans and none become the text of their JSON. */
static bool write_key(const struct writer *w, struct drift_tmpl_value key)
{
    if (key.type == DRIFT_TMPL_STRING)
        return write_string(w, key);
    if (!drift_tmpl_is_number(key) && key.type != DRIFT_TMPL_NONE)
        return drift_tmpl_fail_type(w->r, "tojson: a key can't be", key);
    return drift_tmpl_write_char(w->r, '"') && write_value(w, key, 0) &&
           drift_tmpl_write_char(w->r, '"');
}

static bool sorted_entries(const struct writer *w, struct drift_tmpl_dict *d)
{
    struct drift_tmpl_render *r = w->r;
    struct drift_tmpl_value *keys = drift_tmpl_alloc(r, d->n, sizeof *keys);
    struct drift_tmpl_value *at = drift_tmpl_alloc(r, d->n, sizeof *at);
    struct drift_tmpl_entry *entries = drift_tmpl_alloc(r, d->n, sizeof *entries);
    if (!keys || !at || !entries)
        return false;
    for (uint32_t i = 0; i < d->n; i++) {
        keys[i] = d->entries[i].key;
        at[i] = drift_tmpl_int(i);
    }
    if (!drift_tmpl_sort(r, at, keys, d->n, false))
        return false;
    for (uint32_t i = 0; i < d->n; i++)
        entries[i] = d->entries[at[i].i];
    d->entries = entries;
    return true;
}

static bool write_dict(const struct writer *w, const struct drift_tmpl_dict *dict, uint32_t depth)
{
    struct drift_tmpl_dict d = *dict;
    if (!d.n)
        return drift_tmpl_write_cstr(w->r, "{}");
    if ((w->sort && !sorted_entries(w, &d)) || !drift_tmpl_write_char(w->r, '{'))
        return false;
    for (uint32_t i = 0; i < d.n; i++) {
        if (!write_separator(w, i, depth + 1) || !write_key(w, d.entries[i].key) ||
            !drift_tmpl_write(w->r, w->key_separator.s, w->key_separator.len) ||
            !write_value(w, d.entries[i].value, depth + 1))
            return false;
    }
    return write_line(w, depth) && drift_tmpl_write_char(w->r, '}');
}

static bool write_value(const struct writer *w, struct drift_tmpl_value v, uint32_t depth)
{
    bool ok;
    if (!drift_tmpl_charge(w->r, 1))
        return false;
    switch (v.type) {
    case DRIFT_TMPL_NONE:
        return drift_tmpl_write_cstr(w->r, "null");
    case DRIFT_TMPL_BOOL:
        return drift_tmpl_write_cstr(w->r, v.b ? "true" : "false");
    case DRIFT_TMPL_INT:
        return write_int(w, v.i);
    case DRIFT_TMPL_FLOAT:
        return write_float(w, v.f);
    case DRIFT_TMPL_STRING:
        return write_string(w, v);
    case DRIFT_TMPL_LIST:
    case DRIFT_TMPL_TUPLE:
    case DRIFT_TMPL_DICT:
        if (!drift_tmpl_enter(w->r))
            return false;
        ok = v.type == DRIFT_TMPL_DICT ? write_dict(w, v.dict, depth) : write_list(w, v, depth);
        drift_tmpl_leave(w->r);
        return ok;
    default:
        return drift_tmpl_fail_type(w->r, "tojson can't write a value", v);
    }
}

static bool get_indent(struct writer *w, struct drift_tmpl_value v)
{
    w->pretty = drift_tmpl_is_given(v);
    w->indent = drift_tmpl_str("", 0);
    if (!w->pretty)
        return true;
    if (v.type == DRIFT_TMPL_STRING) {
        w->indent = v;
        return true;
    }
    return drift_tmpl_is_integral(v)
               ? drift_tmpl_arith(w->r, DRIFT_TMPL_OP_MUL, drift_tmpl_str(" ", 1), v, &w->indent)
               : drift_tmpl_fail_type(w->r, "tojson: indent can't be", v);
}

static bool get_separators(struct writer *w, struct drift_tmpl_value v)
{
    w->item_separator = w->pretty ? drift_tmpl_str(",", 1) : drift_tmpl_str(", ", 2);
    w->key_separator = drift_tmpl_str(": ", 2);
    if (!drift_tmpl_is_given(v))
        return true;
    const struct drift_tmpl_value *items;
    uint32_t n;
    if (!drift_tmpl_items(w->r, v, &items, &n))
        return false;
    if (n != 2 || items[0].type != DRIFT_TMPL_STRING || items[1].type != DRIFT_TMPL_STRING)
        return drift_tmpl_fail(w->r, DRIFT_STATUS_INVALID, "tojson: separators are two strings");
    w->item_separator = items[0];
    w->key_separator = items[1];
    return true;
}

bool drift_tmpl_tojson(struct drift_tmpl_render *r, struct drift_tmpl_value v,
                       const struct drift_tmpl_value *opts, struct drift_tmpl_value *ret)
{
    struct writer w = {
        .r = r, .ascii = drift_tmpl_is_true(opts[0]), .sort = drift_tmpl_is_true(opts[3])};
    if (!get_indent(&w, opts[1]) || !get_separators(&w, opts[2]))
        return false;
    size_t start = drift_tmpl_capture_begin(r);
    return write_value(&w, v, 0) && drift_tmpl_capture_end(r, start, ret);
}
