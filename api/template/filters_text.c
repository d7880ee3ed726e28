/* Filters of text. What is not a string is taken as what printing it would show. */
#include "api/template/filter.h"
#include "api/template/unicode.h"

#define CASE_FILTER(id, how)                                                                       \
    FILTER(id)                                                                                     \
    {                                                                                              \
        (void)v;                                                                                   \
        (void)args;                                                                                \
        return drift_tmpl_to_text(r, self, &self) && drift_tmpl_change_case(r, self, how, ret);    \
    }

CASE_FILTER(filter_lower, DRIFT_TMPL_CHANGE_LOWER)
CASE_FILTER(filter_upper, DRIFT_TMPL_CHANGE_UPPER)
CASE_FILTER(filter_capitalize, DRIFT_TMPL_CHANGE_CAPITALIZE)

FILTER(filter_trim)
{
    (void)args;
    return drift_tmpl_to_text(r, self, &self) &&
           drift_tmpl_strip(r, self, v[0], DRIFT_TMPL_SIDE_LEFT | DRIFT_TMPL_SIDE_RIGHT, ret);
}

FILTER(filter_replace)
{
    struct drift_tmpl_value text, old, with;
    int64_t max = -1;
    (void)args;
    if (drift_tmpl_is_given(v[2]) && !drift_tmpl_get_int(r, v[2], "a count", &max))
        return false;
    return drift_tmpl_to_text(r, self, &text) && drift_tmpl_to_text(r, v[0], &old) &&
           drift_tmpl_to_text(r, v[1], &with) && drift_tmpl_replace(r, text, old, with, max, ret);
}

static bool starts_word(uint32_t code)
{
    return drift_tmpl_is_space(code) || code == '-' || code == '(' || code == '{' || code == '[' ||
           code == '<';
}

FILTER(filter_title)
{
    (void)v;
    (void)args;
    if (!drift_tmpl_to_text(r, self, &self))
        return false;
    const char *s = self.s, *end = self.s + self.len;
    size_t start = drift_tmpl_capture_begin(r);
    while (s < end) {
        const char *word = s, *first;
        uint32_t code = drift_tmpl_next_code(&s, end);
        bool is_break = starts_word(code);
        first = s;
        while (s < end) {
            const char *next = s;
            if (starts_word(drift_tmpl_next_code(&next, end)) != is_break)
                break;
            s = next;
        }
        struct drift_tmpl_value head, tail;
        if (!drift_tmpl_change_case(r, drift_tmpl_sub(self, word, (size_t)(first - word)),
                                    DRIFT_TMPL_CHANGE_UPPER, &head) ||
            !drift_tmpl_change_case(r, drift_tmpl_sub(self, first, (size_t)(s - first)),
                                    DRIFT_TMPL_CHANGE_LOWER, &tail) ||
            !drift_tmpl_write(r, head.s, head.len) || !drift_tmpl_write(r, tail.s, tail.len))
            return false;
    }
    return drift_tmpl_capture_end(r, start, ret);
}

FILTER(filter_wordcount)
{
    int64_t n = 0;
    bool in_word = false;
    (void)v;
    (void)args;
    if (!drift_tmpl_to_text(r, self, &self))
        return false;
    const char *s = self.s, *end = self.s + self.len;
    while (s < end) {
        bool word = drift_tmpl_is_word(drift_tmpl_next_code(&s, end));
        n += word && !in_word;
        in_word = word;
    }
    *ret = drift_tmpl_int(n);
    return drift_tmpl_charge_bytes(r, self.len);
}

/* The width of indent: a count of blanks, or the text itself. */
static bool get_indention(struct drift_tmpl_render *r, struct drift_tmpl_value width,
                          struct drift_tmpl_value *ret)
{
    if (width.type == DRIFT_TMPL_STRING) {
        *ret = width;
        return true;
    }
    if (width.type == DRIFT_TMPL_ABSENT)
        width = drift_tmpl_int(4);
    int64_t n;
    return drift_tmpl_get_int(r, width, "a width", &n) &&
           drift_tmpl_arith(r, DRIFT_TMPL_OP_MUL, drift_tmpl_str(" ", 1), width, ret);
}

FILTER(filter_indent)
{
    struct drift_tmpl_value indention, lines;
    bool first = drift_tmpl_is_true(v[1]), blank = drift_tmpl_is_true(v[2]);
    (void)args;
    if (!drift_tmpl_need_text(r, self, "indent takes a string, not a value") ||
        !get_indention(r, v[0], &indention))
        return false;
    /* a line break at the end leaves an empty last line */
    struct drift_tmpl_value ended;
    if (!drift_tmpl_join_text(r, self, drift_tmpl_str("\n", 1), &ended) ||
        !drift_tmpl_splitlines(r, ended, false, &lines))
        return false;
    size_t start = drift_tmpl_capture_begin(r);
    for (uint32_t i = 0; i < lines.len; i++) {
        struct drift_tmpl_value line = lines.items[i];
        bool indented = i == 0 ? first : blank || line.len;
        if ((i && !drift_tmpl_write_char(r, '\n')) ||
            (indented && !drift_tmpl_write(r, indention.s, indention.len)) ||
            !drift_tmpl_write(r, line.s, line.len))
            return false;
    }
    return drift_tmpl_capture_end(r, start, ret);
}

FILTER(filter_truncate)
{
    int64_t length, leeway;
    struct drift_tmpl_value end = v[2].type == DRIFT_TMPL_ABSENT ? drift_tmpl_str("...", 3) : v[2],
                            cut;
    (void)args;
    if (!drift_tmpl_optional_int(r, v[0], "a length", 255, &length) ||
        !drift_tmpl_optional_int(r,
                                 v[3].type == DRIFT_TMPL_NONE ? (struct drift_tmpl_value){0} : v[3],
                                 "a leeway", 5, &leeway) ||
        !drift_tmpl_need_text(r, end, "truncate ends with a string, not a value"))
        return false;
    int64_t n_end = drift_tmpl_text_length(&end), n;
    if (!drift_tmpl_length(self, &n))
        return drift_tmpl_fail_type(r, "truncate can't take a value", self);
    if (length < n_end || leeway < 0)
        return drift_tmpl_fail(r, DRIFT_STATUS_INVALID, "truncate: length or leeway is too small");
    *ret = self;
    if (n <= length || n - length <= leeway)
        return true;
    if (!drift_tmpl_need_text(r, self, "truncate can't cut a value"))
        return false;
    struct drift_tmpl_value none = {0};
    if (!drift_tmpl_slice(r, self, none, drift_tmpl_int(length - n_end), none, &cut))
        return false;
    const char *space = drift_tmpl_is_true(v[1]) ? NULL : memrchr(cut.s, ' ', cut.len);
    if (space)
        cut.len = (uint32_t)(space - cut.s);
    return drift_tmpl_join_text(r, cut, end, ret);
}

FILTER(filter_center)
{
    (void)args;
    const struct drift_tmpl_builtin *center =
        drift_tmpl_find_string_method(drift_tmpl_str("center", 6));
    struct drift_tmpl_value params[DRIFT_TMPL_MAX_PARAMS] = {v[0].type ? v[0] : drift_tmpl_int(80)};
    return drift_tmpl_to_text(r, self, &self) && center->fn(r, self, params, args, ret);
}

FILTER(filter_format)
{
    (void)v;
    struct drift_tmpl_value values = drift_tmpl_seq(DRIFT_TMPL_TUPLE, args->pos, args->n_pos);
    if (args->n_pos && args->n_kw)
        return drift_tmpl_fail(r, DRIFT_STATUS_INVALID,
                               "format takes positions or keywords, not both");
    if (args->n_kw) {
        struct drift_tmpl_args keywords = {.kw = args->kw, .n_kw = args->n_kw};
        if (!drift_tmpl_dict_build(r, &keywords, &values))
            return false;
    }
    return drift_tmpl_to_text(r, self, &self) && drift_tmpl_printf(r, self, values, ret);
}

static bool write_quoted(struct drift_tmpl_render *r, struct drift_tmpl_value v, bool query)
{
    static const char hex[] = "0123456789ABCDEF";
    struct drift_tmpl_value text;
    if (!drift_tmpl_to_text(r, v, &text))
        return false;
    for (uint32_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.s[i];
        bool plain =
            c < 0x80 && (drift_tmpl_is_alpha(c) || drift_tmpl_is_decimal(c) || strchr("_.-~", c));
        char out[3] = {'%', hex[c >> 4], hex[c & 15]};
        bool ok = c && (plain || (c == '/' && !query)) ? drift_tmpl_write_char(r, (char)c)
                  : query && c == ' '                  ? drift_tmpl_write_char(r, '+')
                                                       : drift_tmpl_write(r, out, 3);
        if (!ok)
            return false;
    }
    return true;
}

FILTER(filter_urlencode)
{
    const struct drift_tmpl_value *items;
    uint32_t n;
    (void)v;
    (void)args;
    size_t start = drift_tmpl_capture_begin(r);
    if (self.type == DRIFT_TMPL_STRING || !drift_tmpl_is_iterable(self))
        return write_quoted(r, self, false) && drift_tmpl_capture_end(r, start, ret);
    if (self.type == DRIFT_TMPL_DICT) {
        self.type = DRIFT_TMPL_VIEW;
        self.view = DRIFT_TMPL_VIEW_ITEMS;
    }
    if (!drift_tmpl_items(r, self, &items, &n))
        return false;
    for (uint32_t i = 0; i < n; i++) {
        const struct drift_tmpl_value *pair;
        uint32_t n_pair;
        if (!drift_tmpl_items(r, items[i], &pair, &n_pair))
            return false;
        if (n_pair != 2)
            return drift_tmpl_fail(r, DRIFT_STATUS_INVALID, "urlencode takes pairs");
        if ((i && !drift_tmpl_write_char(r, '&')) || !write_quoted(r, pair[0], true) ||
            !drift_tmpl_write_char(r, '=') || !write_quoted(r, pair[1], true))
            return false;
    }
    return drift_tmpl_capture_end(r, start, ret);
}

const struct drift_tmpl_builtin drift_tmpl_text_filters[] = {
    {"trim",       filter_trim,       "chars",                       0},
    {"replace",    filter_replace,    "old new count",               2},
    {"upper",      filter_upper,      "",                            0},
    {"lower",      filter_lower,      "",                            0},
    {"capitalize", filter_capitalize, "",                            0},
    {"title",      filter_title,      "",                            0},
    {"indent",     filter_indent,     "width first blank",           0},
    {"truncate",   filter_truncate,   "length killwords end leeway", 0},
    {"center",     filter_center,     "width",                       0},
    {"format",     filter_format,     NULL,                          0},
    {"wordcount",  filter_wordcount,  "",                            0},
    {"urlencode",  filter_urlencode,  "",                            0},
};
const size_t drift_tmpl_n_text_filters = DRIFT_COUNT_OF(drift_tmpl_text_filters);
