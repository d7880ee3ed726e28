/* Methods of strings that look for another one: find, count, replace, split, join, format. */
#include "api/template/filter.h"
#include "api/template/unicode.h"

/* ---- searching ---- */

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

const struct drift_tmpl_builtin drift_tmpl_search_methods[] = {
    {"split",        str_split,        "sep maxsplit",     0},
    {"startswith",   str_startswith,   "prefix start end", 1},
    {"endswith",     str_endswith,     "suffix start end", 1},
    {"replace",      str_replace,      "old new count",    2},
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
};
const size_t drift_tmpl_n_search_methods = DRIFT_COUNT_OF(drift_tmpl_search_methods);
