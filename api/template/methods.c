/* Methods of strings, lists, tuples and dicts; those that would change a list or dict do not exist.
 */
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

static bool has_prefix(struct drift_tmpl_value v, struct drift_tmpl_value prefix)
{
    return prefix.len <= v.len && memcmp(v.s, prefix.s, prefix.len) == 0;
}

static bool has_suffix(struct drift_tmpl_value v, struct drift_tmpl_value suffix)
{
    return suffix.len <= v.len && memcmp(v.s + v.len - suffix.len, suffix.s, suffix.len) == 0;
}

FILTER(str_removeprefix)
{
    (void)args;
    if (!drift_tmpl_need_text(r, v[0], "removeprefix takes a string, not a value"))
        return false;
    uint32_t cut = has_prefix(self, v[0]) ? v[0].len : 0;
    *ret = drift_tmpl_sub(self, self.s + cut, self.len - cut);
    return true;
}

FILTER(str_removesuffix)
{
    (void)args;
    if (!drift_tmpl_need_text(r, v[0], "removesuffix takes a string, not a value"))
        return false;
    *ret = drift_tmpl_sub(self, self.s, self.len - (has_suffix(self, v[0]) ? v[0].len : 0));
    return true;
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

/* ---- searching ---- */

/* The part of self that start and end (in code points, as slices) leave, and where it begins. */
static bool get_window(struct drift_tmpl_render *r, struct drift_tmpl_value *self,
                       struct drift_tmpl_value start, struct drift_tmpl_value end,
                       int64_t *ret_offset, bool *ret_valid)
{
    int64_t n = drift_tmpl_text_length(self), from = 0;
    *ret_offset = 0;
    *ret_valid = true;
    if (!drift_tmpl_is_given(start) && !drift_tmpl_is_given(end))
        return true;
    if (drift_tmpl_is_given(start) && !drift_tmpl_get_int(r, start, "a start", &from))
        return false;
    from = from < 0 ? (from + n < 0 ? 0 : from + n) : from;
    *ret_valid = from <= n;
    *ret_offset = from;
    return drift_tmpl_slice(r, *self, start, end, (struct drift_tmpl_value){0}, self);
}

/* sub is neither empty nor longer than v. Long comparisons cost steps. */
static const char *find_last(struct drift_tmpl_render *r, struct drift_tmpl_value v,
                             struct drift_tmpl_value sub)
{
    for (size_t i = v.len - sub.len + 1; i-- > 0;) {
        if (v.s[i] != sub.s[0] || v.s[i + sub.len - 1] != sub.s[sub.len - 1])
            continue;
        if (!drift_tmpl_charge_bytes(r, sub.len))
            return NULL;
        if (memcmp(v.s + i, sub.s, sub.len) == 0)
            return v.s + i;
    }
    return NULL;
}

static bool find(struct drift_tmpl_render *r, struct drift_tmpl_value self,
                 const struct drift_tmpl_value *v, bool last, int64_t *ret)
{
    int64_t offset;
    bool valid;
    if (!drift_tmpl_need_text(r, v[0], "find takes a string, not a value") ||
        !get_window(r, &self, v[1], v[2], &offset, &valid))
        return false;
    const char *hit = NULL;
    if (valid && v[0].len <= self.len)
        hit = !v[0].len ? (last ? self.s + self.len : self.s)
              : last    ? find_last(r, self, v[0])
                        : memmem(self.s, self.len, v[0].s, v[0].len);
    *ret = hit ? offset + (int64_t)drift_tmpl_count_codes(self.s, (size_t)(hit - self.s)) : -1;
    return !r->status && drift_tmpl_charge_bytes(r, self.len);
}

FILTER(str_find)
{
    int64_t at;
    (void)args;
    if (!find(r, self, v, false, &at))
        return false;
    *ret = drift_tmpl_int(at);
    return true;
}

FILTER(str_rfind)
{
    int64_t at;
    (void)args;
    if (!find(r, self, v, true, &at))
        return false;
    *ret = drift_tmpl_int(at);
    return true;
}

FILTER(str_index)
{
    if (!str_find(r, self, v, args, ret))
        return false;
    return ret->i >= 0 || drift_tmpl_fail(r, DRIFT_STATUS_INVALID, "index: substring not found");
}

FILTER(str_rindex)
{
    if (!str_rfind(r, self, v, args, ret))
        return false;
    return ret->i >= 0 || drift_tmpl_fail(r, DRIFT_STATUS_INVALID, "rindex: substring not found");
}

FILTER(str_count)
{
    int64_t offset, n = 0;
    bool valid;
    (void)args;
    if (!drift_tmpl_need_text(r, v[0], "count takes a string, not a value") ||
        !get_window(r, &self, v[1], v[2], &offset, &valid))
        return false;
    const char *s = self.s, *end = self.s + self.len;
    if (!v[0].len)
        n = valid ? drift_tmpl_text_length(&self) + 1 : 0;
    while (v[0].len && s < end && (s = memmem(s, (size_t)(end - s), v[0].s, v[0].len))) {
        s += v[0].len;
        n++;
    }
    *ret = drift_tmpl_int(n);
    return drift_tmpl_charge_bytes(r, self.len);
}

/* v[0] is a string or a tuple of them. */
static bool match_any(struct drift_tmpl_render *r, struct drift_tmpl_value self,
                      const struct drift_tmpl_value *v,
                      bool (*matches)(struct drift_tmpl_value, struct drift_tmpl_value),
                      struct drift_tmpl_value *ret)
{
    int64_t offset;
    bool valid, hit = false;
    const struct drift_tmpl_value *parts = v;
    uint32_t n = 1;
    if (v[0].type == DRIFT_TMPL_TUPLE) {
        parts = v[0].items;
        n = v[0].len;
    }
    if (!get_window(r, &self, v[1], v[2], &offset, &valid))
        return false;
    for (uint32_t i = 0; i < n && !hit; i++) {
        if (!drift_tmpl_need_text(r, parts[i],
                                  "startswith and endswith take strings, not a value") ||
            !drift_tmpl_charge_bytes(r, parts[i].len))
            return false;
        hit = valid && matches(self, parts[i]);
    }
    *ret = drift_tmpl_bool(hit);
    return drift_tmpl_charge(r, n);
}

FILTER(str_startswith)
{
    (void)args;
    return match_any(r, self, v, has_prefix, ret);
}

FILTER(str_endswith)
{
    (void)args;
    return match_any(r, self, v, has_suffix, ret);
}

FILTER(str_replace)
{
    int64_t max;
    (void)args;
    return drift_tmpl_optional_int(r, v[2], "a count", -1, &max) &&
           drift_tmpl_replace(r, self, v[0], v[1], max, ret);
}

/* ---- splitting and joining ---- */

static bool push_part(struct drift_tmpl_render *r, struct drift_tmpl_list_builder *list,
                      struct drift_tmpl_value whole, const char *s, const char *end)
{
    return drift_tmpl_list_push(r, list, drift_tmpl_sub(whole, s, (size_t)(end - s)));
}

static const char *skip_space(const char *s, const char *end)
{
    while (s < end) {
        const char *next = s;
        if (!drift_tmpl_is_space(drift_tmpl_next_code(&next, end)))
            break;
        s = next;
    }
    return s;
}

static bool split_space(struct drift_tmpl_render *r, struct drift_tmpl_value v, int64_t max,
                        struct drift_tmpl_list_builder *list)
{
    const char *end = v.s + v.len;
    for (const char *s = skip_space(v.s, end); s < end; s = skip_space(s, end)) {
        const char *word = s;
        while (s < end && (max < 0 || list->n < max)) {
            const char *next = s;
            if (drift_tmpl_is_space(drift_tmpl_next_code(&next, end)))
                break;
            s = next;
        }
        if (max >= 0 && list->n >= max) /* the rest as it is */
            return push_part(r, list, v, word, end);
        if (!push_part(r, list, v, word, s))
            return false;
    }
    return true;
}

static bool split_by(struct drift_tmpl_render *r, struct drift_tmpl_value v,
                     struct drift_tmpl_value sep, int64_t max, struct drift_tmpl_list_builder *list)
{
    const char *s = v.s, *end = v.s + v.len, *hit;
    while ((max < 0 || list->n < max) && (size_t)(end - s) >= sep.len &&
           (hit = memmem(s, (size_t)(end - s), sep.s, sep.len)) != NULL) {
        if (!push_part(r, list, v, s, hit))
            return false;
        s = hit + sep.len;
    }
    return push_part(r, list, v, s, end);
}

/* Parts are found from the end, and put in order afterwards. */
static bool rsplit_by(struct drift_tmpl_render *r, struct drift_tmpl_value v,
                      struct drift_tmpl_value sep, int64_t max,
                      struct drift_tmpl_list_builder *list)
{
    struct drift_tmpl_value rest = v;
    while ((max < 0 || list->n < max) && rest.len >= sep.len) {
        const char *hit = find_last(r, rest, sep);
        if (!hit)
            break;
        const char *after = hit + sep.len;
        if (!push_part(r, list, v, after, rest.s + rest.len))
            return false;
        rest.len = (uint32_t)(hit - rest.s);
    }
    return !r->status && push_part(r, list, v, rest.s, rest.s + rest.len);
}

static bool rsplit_space(struct drift_tmpl_render *r, struct drift_tmpl_value v, int64_t max,
                         struct drift_tmpl_list_builder *list)
{
    struct drift_tmpl_value rest = v, none = {0};
    for (;;) {
        if (!drift_tmpl_strip(r, rest, none, DRIFT_TMPL_SIDE_RIGHT, &rest))
            return false;
        const char *end = rest.s + rest.len, *s = end;
        while (s > rest.s && (max < 0 || list->n < max)) {
            const char *prev = s;
            if (drift_tmpl_is_space(drift_tmpl_prev_code(rest.s, &prev)))
                break;
            s = prev;
        }
        if (!rest.len)
            return true;
        if (max >= 0 && list->n >= max)
            return drift_tmpl_list_push(r, list, rest);
        if (!push_part(r, list, v, s, end))
            return false;
        rest.len = (uint32_t)(s - rest.s);
    }
}

static void reverse_items(struct drift_tmpl_list_builder *list)
{
    for (uint32_t i = 0; i < list->n / 2; i++) {
        struct drift_tmpl_value tmp = list->items[i];
        list->items[i] = list->items[list->n - 1 - i];
        list->items[list->n - 1 - i] = tmp;
    }
}

static bool split(struct drift_tmpl_render *r, struct drift_tmpl_value self,
                  const struct drift_tmpl_value *v, bool from_end, struct drift_tmpl_value *ret)
{
    struct drift_tmpl_list_builder list = {0};
    int64_t max;
    bool ok, by_space = !drift_tmpl_is_given(v[0]);
    if (!drift_tmpl_optional_int(r, v[1], "maxsplit", -1, &max))
        return false;
    if (!by_space && !drift_tmpl_need_text(r, v[0], "split takes a string, not a value"))
        return false;
    if (!by_space && !v[0].len)
        return drift_tmpl_fail(r, DRIFT_STATUS_INVALID, "split by an empty string");
    if (from_end)
        ok = by_space ? rsplit_space(r, self, max, &list) : rsplit_by(r, self, v[0], max, &list);
    else
        ok = by_space ? split_space(r, self, max, &list) : split_by(r, self, v[0], max, &list);
    if (from_end)
        reverse_items(&list);
    *ret = drift_tmpl_seq(DRIFT_TMPL_LIST, list.items, list.n);
    return ok && drift_tmpl_charge_bytes(r, self.len);
}

FILTER(str_split)
{
    (void)args;
    return split(r, self, v, false, ret);
}

FILTER(str_rsplit)
{
    (void)args;
    return split(r, self, v, true, ret);
}

FILTER(str_splitlines)
{
    (void)args;
    return drift_tmpl_splitlines(r, self, drift_tmpl_is_true(v[0]), ret);
}

static bool partition(struct drift_tmpl_render *r, struct drift_tmpl_value self,
                      struct drift_tmpl_value sep, bool last, struct drift_tmpl_value *ret)
{
    struct drift_tmpl_value *parts = drift_tmpl_alloc(r, 3, sizeof *parts);
    if (!parts || !drift_tmpl_need_text(r, sep, "partition takes a string, not a value"))
        return false;
    if (!sep.len)
        return drift_tmpl_fail(r, DRIFT_STATUS_INVALID, "partition by an empty string");
    const char *hit = NULL, *end = self.s + self.len;
    if (sep.len <= self.len)
        hit = last ? find_last(r, self, sep) : memmem(self.s, self.len, sep.s, sep.len);
    parts[0] = parts[1] = parts[2] = drift_tmpl_str("", 0);
    if (hit) {
        parts[0] = drift_tmpl_sub(self, self.s, (size_t)(hit - self.s));
        parts[1] = sep;
        parts[2] = drift_tmpl_sub(self, hit + sep.len, (size_t)(end - hit) - sep.len);
    } else {
        parts[last ? 2 : 0] = self;
    }
    *ret = drift_tmpl_seq(DRIFT_TMPL_TUPLE, parts, 3);
    return !r->status && drift_tmpl_charge_bytes(r, self.len);
}

FILTER(str_partition)
{
    (void)args;
    return partition(r, self, v[0], false, ret);
}

FILTER(str_rpartition)
{
    (void)args;
    return partition(r, self, v[0], true, ret);
}

FILTER(str_join)
{
    const struct drift_tmpl_value *items;
    uint32_t n;
    (void)args;
    if (!drift_tmpl_items(r, v[0], &items, &n))
        return false;
    size_t start = drift_tmpl_capture_begin(r);
    for (uint32_t i = 0; i < n; i++) {
        if (!drift_tmpl_need_text(r, items[i], "join joins strings, not a value") ||
            (i && !drift_tmpl_write(r, self.s, self.len)) ||
            !drift_tmpl_write(r, items[i].s, items[i].len) || !drift_tmpl_charge(r, 1))
            return false;
    }
    return drift_tmpl_capture_end(r, start, ret);
}

FILTER(str_format)
{
    (void)v;
    return drift_tmpl_format(r, self, args, ret);
}

/* ---- lists, tuples, dicts ---- */

FILTER(seq_index)
{
    int64_t start, stop;
    (void)args;
    if (!drift_tmpl_optional_int(r, v[1], "a start", 0, &start) ||
        !drift_tmpl_optional_int(r, v[2], "a stop", INT64_MAX, &stop))
        return false;
    start = start < 0 ? (start + self.len < 0 ? 0 : start + self.len) : start;
    stop = stop < 0 ? stop + self.len : stop;
    for (int64_t i = start; i < self.len && i < stop; i++) {
        bool equal;
        if (!drift_tmpl_charge(r, 1) || !drift_tmpl_equal(r, self.items[i], v[0], &equal))
            return false;
        if (equal) {
            *ret = drift_tmpl_int(i);
            return true;
        }
    }
    return drift_tmpl_fail(r, DRIFT_STATUS_INVALID, "index: the value is not in the list");
}

FILTER(seq_count)
{
    int64_t n = 0;
    (void)args;
    for (uint32_t i = 0; i < self.len; i++) {
        bool equal;
        if (!drift_tmpl_charge(r, 1) || !drift_tmpl_equal(r, self.items[i], v[0], &equal))
            return false;
        n += equal;
    }
    *ret = drift_tmpl_int(n);
    return true;
}

FILTER(any_copy)
{
    (void)v;
    (void)args;
    *ret = self; /* nothing can tell it from a copy, as nothing can change it */
    return drift_tmpl_charge(r, 1);
}

#define VIEW_METHOD(id, kind)                                                                      \
    FILTER(id)                                                                                     \
    {                                                                                              \
        (void)v;                                                                                   \
        (void)args;                                                                                \
        *ret =                                                                                     \
            (struct drift_tmpl_value){.type = DRIFT_TMPL_VIEW, .view = kind, .dict = self.dict};   \
        return drift_tmpl_charge(r, 1);                                                            \
    }

VIEW_METHOD(dict_keys, DRIFT_TMPL_VIEW_KEYS)
VIEW_METHOD(dict_values, DRIFT_TMPL_VIEW_VALUES)
VIEW_METHOD(dict_items, DRIFT_TMPL_VIEW_ITEMS)

FILTER(dict_get)
{
    (void)args;
    const struct drift_tmpl_value *item = drift_tmpl_dict_get(r, self.dict, v[0]);
    *ret = item ? *item : v[1].type == DRIFT_TMPL_ABSENT ? drift_tmpl_none() : v[1];
    return !r->status;
}

bool drift_tmpl_refuse_change(struct drift_tmpl_render *r, struct drift_tmpl_value self,
                              const struct drift_tmpl_value *v, const struct drift_tmpl_args *args,
                              struct drift_tmpl_value *ret)
{
    (void)v;
    (void)args;
    (void)ret;
    return drift_tmpl_fail(r, DRIFT_STATUS_INVALID, "a %s can't be changed",
                           drift_tmpl_type_name(self));
}

static const struct drift_tmpl_builtin string_methods[] = {
    {"strip",        str_strip,        "chars",            0},
    {"lstrip",       str_lstrip,       "chars",            0},
    {"rstrip",       str_rstrip,       "chars",            0},
    {"split",        str_split,        "sep maxsplit",     0},
    {"startswith",   str_startswith,   "prefix start end", 1},
    {"endswith",     str_endswith,     "suffix start end", 1},
    {"replace",      str_replace,      "old new count",    2},
    {"upper",        str_upper,        "",                 0},
    {"lower",        str_lower,        "",                 0},
    {"title",        str_title,        "",                 0},
    {"capitalize",   str_capitalize,   "",                 0},
    {"swapcase",     str_swapcase,     "",                 0},
    {"casefold",     str_casefold,     "",                 0},
    {"rsplit",       str_rsplit,       "sep maxsplit",     0},
    {"splitlines",   str_splitlines,   "keepends",         0},
    {"partition",    str_partition,    "sep",              1},
    {"rpartition",   str_rpartition,   "sep",              1},
    {"join",         str_join,         "iterable",         1},
    {"format",       str_format,       NULL,               0},
    {"find",         str_find,         "sub start end",    1},
    {"rfind",        str_rfind,        "sub start end",    1},
    {"index",        str_index,        "sub start end",    1},
    {"rindex",       str_rindex,       "sub start end",    1},
    {"count",        str_count,        "sub start end",    1},
    {"removeprefix", str_removeprefix, "prefix",           1},
    {"removesuffix", str_removesuffix, "suffix",           1},
    {"ljust",        str_ljust,        "width fillchar",   1},
    {"rjust",        str_rjust,        "width fillchar",   1},
    {"center",       str_center,       "width fillchar",   1},
    {"zfill",        str_zfill,        "width",            1},
    {"expandtabs",   str_expandtabs,   "tabsize",          0},
    {"isspace",      str_isspace,      "",                 0},
    {"isalpha",      str_isalpha,      "",                 0},
    {"isalnum",      str_isalnum,      "",                 0},
    {"isdecimal",    str_isdecimal,    "",                 0},
    {"isdigit",      str_isdigit,      "",                 0},
    {"isnumeric",    str_isnumeric,    "",                 0},
    {"isascii",      str_isascii,      "",                 0},
    {"isprintable",  str_isprintable,  "",                 0},
    {"isupper",      str_isupper,      "",                 0},
    {"islower",      str_islower,      "",                 0},
    {"istitle",      str_istitle,      "",                 0},
};

static const struct drift_tmpl_builtin list_methods[] = {
    {"index",   seq_index,                "value start stop", 1},
    {"count",   seq_count,                "value",            1},
    {"copy",    any_copy,                 "",                 0},
    {"append",  drift_tmpl_refuse_change, NULL,               0},
    {"clear",   drift_tmpl_refuse_change, NULL,               0},
    {"extend",  drift_tmpl_refuse_change, NULL,               0},
    {"insert",  drift_tmpl_refuse_change, NULL,               0},
    {"pop",     drift_tmpl_refuse_change, NULL,               0},
    {"remove",  drift_tmpl_refuse_change, NULL,               0},
    {"reverse", drift_tmpl_refuse_change, NULL,               0},
    {"sort",    drift_tmpl_refuse_change, NULL,               0},
};

static const struct drift_tmpl_builtin tuple_methods[] = {
    {"index", seq_index, "value start stop", 1},
    {"count", seq_count, "value",            1},
};

static const struct drift_tmpl_builtin dict_methods[] = {
    {"items",      dict_items,               "",            0},
    {"keys",       dict_keys,                "",            0},
    {"values",     dict_values,              "",            0},
    {"get",        dict_get,                 "key default", 1},
    {"copy",       any_copy,                 "",            0},
    {"clear",      drift_tmpl_refuse_change, NULL,          0},
    {"pop",        drift_tmpl_refuse_change, NULL,          0},
    {"popitem",    drift_tmpl_refuse_change, NULL,          0},
    {"setdefault", drift_tmpl_refuse_change, NULL,          0},
    {"update",     drift_tmpl_refuse_change, NULL,          0},
};

const struct drift_tmpl_builtin *drift_tmpl_find_string_method(struct drift_tmpl_value name)
{
    return drift_tmpl_find_builtin(string_methods, DRIFT_COUNT_OF(string_methods), name);
}

const struct drift_tmpl_builtin *drift_tmpl_find_list_method(struct drift_tmpl_value name)
{
    return drift_tmpl_find_builtin(list_methods, DRIFT_COUNT_OF(list_methods), name);
}

const struct drift_tmpl_builtin *drift_tmpl_find_tuple_method(struct drift_tmpl_value name)
{
    return drift_tmpl_find_builtin(tuple_methods, DRIFT_COUNT_OF(tuple_methods), name);
}

const struct drift_tmpl_builtin *drift_tmpl_find_dict_method(struct drift_tmpl_value name)
{
    return drift_tmpl_find_builtin(dict_methods, DRIFT_COUNT_OF(dict_methods), name);
}
