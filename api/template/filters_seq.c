/* Filters of sequences: counting, ordering, grouping, joining. */
#include "api/template/filter.h"
#include "api/template/unicode.h"

static struct drift_tmpl_value nothing(const char *why)
{
    return drift_tmpl_undefined(why, strlen(why));
}

FILTER(filter_length)
{
    int64_t n;
    (void)v;
    (void)args;
    if (!drift_tmpl_length(self, &n))
        return drift_tmpl_fail(r, DRIFT_STATUS_INVALID, "'%s' has no length",
                               drift_tmpl_type_name(self));
    *ret = drift_tmpl_int(n);
    return self.type != DRIFT_TMPL_STRING || (self.flags & DRIFT_TMPL_FLAG_ASCII) ||
           drift_tmpl_charge_bytes(r, self.len);
}

FILTER(filter_first)
{
    struct drift_tmpl_cursor c;
    bool more;
    (void)v;
    (void)args;
    if (!drift_tmpl_cursor_init(r, &c, self) || !drift_tmpl_cursor_next(r, &c, ret, &more))
        return false;
    if (!more)
        *ret = nothing("first of nothing");
    return true;
}

FILTER(filter_last)
{
    const struct drift_tmpl_value *items;
    uint32_t n;
    (void)v;
    (void)args;
    if (self.type == DRIFT_TMPL_ITER)
        return drift_tmpl_fail(r, DRIFT_STATUS_INVALID,
                               "a generator has no last item; use |list|last");
    if (self.type == DRIFT_TMPL_STRING && self.len) {
        const char *end = self.s + self.len, *s = end;
        drift_tmpl_prev_code(self.s, &s);
        *ret = drift_tmpl_sub(self, s, (size_t)(end - s));
        return true;
    }
    if (!drift_tmpl_items(r, self, &items, &n))
        return false;
    *ret = n ? items[n - 1] : nothing("last of nothing");
    return true;
}

FILTER(filter_list)
{
    const struct drift_tmpl_value *items;
    uint32_t n;
    (void)v;
    (void)args;
    if (!drift_tmpl_items(r, self, &items, &n))
        return false;
    *ret = drift_tmpl_seq(DRIFT_TMPL_LIST, items, n);
    return true;
}

FILTER(filter_items)
{
    const struct drift_tmpl_value *items = NULL;
    uint32_t n = 0;
    (void)v;
    (void)args;
    if (self.type != DRIFT_TMPL_UNDEFINED && self.type != DRIFT_TMPL_DICT)
        return drift_tmpl_fail_type(r, "items takes a dict, not a value", self);
    self.view = DRIFT_TMPL_VIEW_ITEMS;
    if (self.type == DRIFT_TMPL_DICT) {
        self.type = DRIFT_TMPL_VIEW;
        if (!drift_tmpl_items(r, self, &items, &n))
            return false;
    }
    return drift_tmpl_new_iter(r, items, n, ret);
}

static bool reverse_text(struct drift_tmpl_render *r, struct drift_tmpl_value v,
                         struct drift_tmpl_value *ret)
{
    struct drift_tmpl_value none = {0};
    return drift_tmpl_slice(r, v, none, none, drift_tmpl_int(-1), ret);
}

FILTER(filter_reverse)
{
    struct drift_tmpl_value *items;
    uint32_t n;
    (void)v;
    (void)args;
    if (self.type == DRIFT_TMPL_STRING)
        return reverse_text(r, self, ret);
    bool generator = self.type == DRIFT_TMPL_ITER;
    if (!drift_tmpl_items_copy(r, self, &items, &n))
        return false;
    for (uint32_t i = 0; i < n / 2; i++) {
        struct drift_tmpl_value tmp = items[i];
        items[i] = items[n - 1 - i];
        items[n - 1 - i] = tmp;
    }
    *ret = drift_tmpl_seq(DRIFT_TMPL_LIST, items, n);
    return generator || drift_tmpl_new_iter(r, items, n, ret);
}

FILTER(filter_join)
{
    struct drift_tmpl_value by = drift_tmpl_str("", 0), item;
    struct drift_tmpl_cursor c;
    bool more = true, first = true;
    (void)args;
    if ((v[0].type != DRIFT_TMPL_ABSENT && !drift_tmpl_to_text(r, v[0], &by)) ||
        !drift_tmpl_cursor_init(r, &c, self))
        return false;
    size_t start = drift_tmpl_capture_begin(r);
    for (;;) {
        if (!drift_tmpl_cursor_next(r, &c, &item, &more))
            return false;
        if (!more)
            return drift_tmpl_capture_end(r, start, ret);
        if ((!first && !drift_tmpl_write(r, by.s, by.len)) ||
            !drift_tmpl_get_path(r, item, v[1], (struct drift_tmpl_value){0}, &item) ||
            !drift_tmpl_print(r, item))
            return false;
        first = false;
    }
}

FILTER(filter_sum)
{
    struct drift_tmpl_value total = v[1].type == DRIFT_TMPL_ABSENT ? drift_tmpl_int(0) : v[1], item;
    struct drift_tmpl_cursor c;
    bool more = true;
    (void)args;
    if (!drift_tmpl_cursor_init(r, &c, self))
        return false;
    if (total.type == DRIFT_TMPL_STRING)
        return drift_tmpl_fail(r, DRIFT_STATUS_INVALID, "sum does not add strings; use join");
    for (;;) {
        if (!drift_tmpl_cursor_next(r, &c, &item, &more))
            return false;
        if (!more)
            break;
        if (!drift_tmpl_get_path(r, item, v[0], (struct drift_tmpl_value){0}, &item) ||
            !drift_tmpl_arith(r, DRIFT_TMPL_OP_ADD, total, item, &total))
            return false;
    }
    *ret = total;
    return true;
}

/* ---- ordering ---- */

static bool fold_key(struct drift_tmpl_render *r, struct drift_tmpl_value key, bool case_sensitive,
                     struct drift_tmpl_value *ret)
{
    *ret = key;
    return case_sensitive || key.type != DRIFT_TMPL_STRING ||
           drift_tmpl_change_case(r, key, DRIFT_TMPL_CHANGE_LOWER, ret);
}

bool drift_tmpl_sort_key(struct drift_tmpl_render *r, struct drift_tmpl_value item,
                         struct drift_tmpl_value attribute, bool case_sensitive,
                         struct drift_tmpl_value *ret)
{
    return drift_tmpl_get_path(r, item, attribute, (struct drift_tmpl_value){0}, &item) &&
           fold_key(r, item, case_sensitive, ret);
}

/* The attribute may be several with commas between: the key is then a list. */
static bool multi_key(struct drift_tmpl_render *r, struct drift_tmpl_value item,
                      struct drift_tmpl_value attribute, bool case_sensitive,
                      struct drift_tmpl_value *ret)
{
    struct drift_tmpl_list_builder keys = {0};
    if (attribute.type != DRIFT_TMPL_STRING || !memchr(attribute.s, ',', attribute.len)) {
        if (!drift_tmpl_sort_key(r, item, attribute, case_sensitive, ret))
            return false;
        if (ret->type == DRIFT_TMPL_STRING || drift_tmpl_is_number(*ret))
            return true;
        /* in a list, so that equal values need no order */
        if (!drift_tmpl_list_push(r, &keys, *ret))
            return false;
        *ret = drift_tmpl_seq(DRIFT_TMPL_LIST, keys.items, keys.n);
        return true;
    }
    const char *s = attribute.s, *end = s + attribute.len;
    while (s) {
        const char *comma = memchr(s, ',', (size_t)(end - s));
        struct drift_tmpl_value path = drift_tmpl_str(s, (size_t)((comma ? comma : end) - s)), key;
        if (!drift_tmpl_sort_key(r, item, path, case_sensitive, &key) ||
            !drift_tmpl_list_push(r, &keys, key))
            return false;
        s = comma ? comma + 1 : NULL;
    }
    *ret = drift_tmpl_seq(DRIFT_TMPL_LIST, keys.items, keys.n);
    return true;
}

static bool sorted_copy(struct drift_tmpl_render *r, struct drift_tmpl_value v,
                        struct drift_tmpl_value attribute, bool case_sensitive, bool reverse,
                        struct drift_tmpl_value **ret, struct drift_tmpl_value **ret_keys,
                        uint32_t *ret_n)
{
    if (!drift_tmpl_items_copy(r, v, ret, ret_n))
        return false;
    struct drift_tmpl_value *keys = drift_tmpl_alloc(r, *ret_n ? *ret_n : 1, sizeof *keys);
    if (!keys)
        return false;
    for (uint32_t i = 0; i < *ret_n; i++) {
        if (!multi_key(r, (*ret)[i], attribute, case_sensitive, &keys[i]))
            return false;
    }
    *ret_keys = keys;
    return drift_tmpl_sort(r, *ret, keys, *ret_n, reverse);
}

FILTER(filter_sort)
{
    struct drift_tmpl_value *items, *keys;
    uint32_t n;
    (void)args;
    if (!sorted_copy(r, self, v[2], drift_tmpl_is_true(v[1]), drift_tmpl_is_true(v[0]), &items,
                     &keys, &n))
        return false;
    *ret = drift_tmpl_seq(DRIFT_TMPL_LIST, items, n);
    return true;
}

FILTER(filter_dictsort)
{
    struct drift_tmpl_value *items, *keys;
    uint32_t n;
    (void)args;
    struct drift_tmpl_value by = v[1].type == DRIFT_TMPL_ABSENT ? drift_tmpl_str("key", 3) : v[1];
    bool by_value = drift_tmpl_text_is(by, "value");
    if (!by_value && !drift_tmpl_text_is(by, "key"))
        return drift_tmpl_fail(r, DRIFT_STATUS_INVALID, "dictsort sorts by 'key' or 'value'");
    if (self.type != DRIFT_TMPL_DICT)
        return drift_tmpl_fail_type(r, "dictsort takes a dict, not a value", self);
    self.type = DRIFT_TMPL_VIEW;
    self.view = DRIFT_TMPL_VIEW_ITEMS;
    if (!sorted_copy(r, self, drift_tmpl_int(by_value), drift_tmpl_is_true(v[0]),
                     drift_tmpl_is_true(v[2]), &items, &keys, &n))
        return false;
    *ret = drift_tmpl_seq(DRIFT_TMPL_LIST, items, n);
    return true;
}

static bool extreme(struct drift_tmpl_render *r, struct drift_tmpl_value self,
                    const struct drift_tmpl_value *v, bool max, struct drift_tmpl_value *ret)
{
    struct drift_tmpl_cursor c;
    struct drift_tmpl_value item, key, best = {0}, best_key = {0};
    bool more = true, better = true;
    if (!drift_tmpl_cursor_init(r, &c, self))
        return false;
    for (;;) {
        if (!drift_tmpl_cursor_next(r, &c, &item, &more))
            return false;
        if (!more)
            break;
        if (!drift_tmpl_sort_key(r, item, v[1], drift_tmpl_is_true(v[0]), &key))
            return false;
        if (best_key.type != DRIFT_TMPL_ABSENT &&
            !drift_tmpl_less(r, max ? best_key : key, max ? key : best_key, &better))
            return false;
        if (better) {
            best = item;
            best_key = key;
        }
    }
    *ret = best_key.type == DRIFT_TMPL_ABSENT ? nothing("extreme of nothing") : best;
    return true;
}

FILTER(filter_min)
{
    (void)args;
    return extreme(r, self, v, false, ret);
}

FILTER(filter_max)
{
    (void)args;
    return extreme(r, self, v, true, ret);
}

/* ---- grouping ---- */

FILTER(filter_unique)
{
    struct drift_tmpl_cursor c;
    struct drift_tmpl_value item, key;
    struct drift_tmpl_list_builder seen = {0}, list = {0};
    bool more = true;
    (void)args;
    if (!drift_tmpl_cursor_init(r, &c, self))
        return false;
    for (;;) {
        bool known = false;
        if (!drift_tmpl_cursor_next(r, &c, &item, &more))
            return false;
        if (!more)
            return drift_tmpl_new_iter(r, list.items, list.n, ret);
        if (!drift_tmpl_sort_key(r, item, v[1], drift_tmpl_is_true(v[0]), &key))
            return false;
        if (!drift_tmpl_is_hashable(key))
            return drift_tmpl_fail_type(r, "unique can't compare values", key);
        for (uint32_t i = 0; i < seen.n && !known; i++) {
            if (!drift_tmpl_charge(r, i % 4 == 0) ||
                !drift_tmpl_equal(r, seen.items[i], key, &known))
                return false;
        }
        if (!known &&
            (!drift_tmpl_list_push(r, &seen, key) || !drift_tmpl_list_push(r, &list, item)))
            return false;
    }
}

/* One group of items[i..n) that share a key. */
static bool push_group(struct drift_tmpl_render *r, struct drift_tmpl_list_builder *groups,
                       struct drift_tmpl_value grouper, const struct drift_tmpl_value *items,
                       uint32_t n)
{
    struct drift_tmpl_value *pair = drift_tmpl_alloc(r, 2, sizeof *pair);
    if (!pair)
        return false;
    pair[0] = grouper;
    pair[1] = drift_tmpl_seq(DRIFT_TMPL_LIST, items, n);
    struct drift_tmpl_value group = drift_tmpl_seq(DRIFT_TMPL_TUPLE, pair, 2);
    group.flags = DRIFT_TMPL_FLAG_GROUP;
    return drift_tmpl_list_push(r, groups, group);
}

FILTER(filter_groupby)
{
    struct drift_tmpl_value *items, *keys, grouper;
    uint32_t n;
    struct drift_tmpl_list_builder groups = {0};
    struct drift_tmpl_value fallback =
        v[1].type == DRIFT_TMPL_NONE ? (struct drift_tmpl_value){0} : v[1];
    (void)args;
    if (!drift_tmpl_items_copy(r, self, &items, &n) ||
        !(keys = drift_tmpl_alloc(r, n ? n : 1, sizeof *keys)))
        return false;
    for (uint32_t i = 0; i < n; i++) {
        if (!drift_tmpl_get_path(r, items[i], v[0], fallback, &keys[i]) ||
            !fold_key(r, keys[i], drift_tmpl_is_true(v[2]), &keys[i]))
            return false;
    }
    if (!drift_tmpl_sort(r, items, keys, n, false))
        return false;
    for (uint32_t i = 0, first = 0; i < n; i++) {
        bool same = false;
        if (i + 1 < n && !drift_tmpl_equal(r, keys[first], keys[i + 1], &same))
            return false;
        if (same)
            continue;
        if (!drift_tmpl_get_path(r, items[first], v[0], fallback, &grouper) ||
            !push_group(r, &groups, grouper, items + first, i + 1 - first))
            return false;
        first = i + 1;
    }
    *ret = drift_tmpl_seq(DRIFT_TMPL_LIST, groups.items, groups.n);
    return true;
}

/* items[i..n) and fill after them, as a list. */
static bool push_part(struct drift_tmpl_render *r, struct drift_tmpl_list_builder *parts,
                      const struct drift_tmpl_value *items, uint32_t n,
                      struct drift_tmpl_value fill, uint32_t n_fill)
{
    struct drift_tmpl_value *copy = drift_tmpl_alloc(r, (size_t)n + n_fill + 1, sizeof *copy);
    if (!copy || !drift_tmpl_charge(r, (uint64_t)n + n_fill))
        return false;
    if (n)
        memcpy(copy, items, n * sizeof *copy);
    for (uint32_t i = 0; i < n_fill; i++)
        copy[n + i] = fill;
    return drift_tmpl_list_push(r, parts, drift_tmpl_seq(DRIFT_TMPL_LIST, copy, n + n_fill));
}

FILTER(filter_batch)
{
    const struct drift_tmpl_value *items;
    uint32_t n;
    int64_t size;
    struct drift_tmpl_list_builder parts = {0};
    (void)args;
    if (!drift_tmpl_get_int(r, v[0], "a batch's size", &size) ||
        !drift_tmpl_items(r, self, &items, &n))
        return false;
    if (size <= 0 || size > INT32_MAX)
        return drift_tmpl_fail(r, DRIFT_STATUS_INVALID, "a batch's size must be at least 1");
    for (uint32_t i = 0; i < n; i += (uint32_t)size) {
        uint32_t part = n - i < (uint32_t)size ? n - i : (uint32_t)size;
        uint32_t n_fill = drift_tmpl_is_given(v[1]) ? (uint32_t)size - part : 0;
        if (!push_part(r, &parts, items + i, part, v[1], n_fill))
            return false;
    }
    return drift_tmpl_new_iter(r, parts.items, parts.n, ret);
}

FILTER(filter_slice)
{
    const struct drift_tmpl_value *items;
    uint32_t n;
    int64_t slices;
    struct drift_tmpl_list_builder parts = {0};
    (void)args;
    if (!drift_tmpl_get_int(r, v[0], "the number of slices", &slices) ||
        !drift_tmpl_items(r, self, &items, &n))
        return false;
    if (slices == 0)
        return drift_tmpl_fail(r, DRIFT_STATUS_INVALID, "the number of slices can't be zero");
    uint32_t at = 0;
    for (int64_t i = 0; i < slices; i++) {
        bool longer = i < n % slices;
        uint32_t part = (uint32_t)(n / slices) + longer;
        if (!push_part(r, &parts, n ? items + at : NULL, part, v[1],
                       drift_tmpl_is_given(v[1]) && !longer))
            return false;
        at += part;
    }
    return drift_tmpl_new_iter(r, parts.items, parts.n, ret);
}

const struct drift_tmpl_builtin drift_tmpl_seq_filters[] = {
    {"length",   filter_length,   "",                                 0},
    {"count",    filter_length,   "",                                 0},
    {"first",    filter_first,    "",                                 0},
    {"last",     filter_last,     "",                                 0},
    {"list",     filter_list,     "",                                 0},
    {"items",    filter_items,    "",                                 0},
    {"join",     filter_join,     "d attribute",                      0},
    {"reverse",  filter_reverse,  "",                                 0},
    {"sort",     filter_sort,     "reverse case_sensitive attribute", 0},
    {"dictsort", filter_dictsort, "case_sensitive by reverse",        0},
    {"sum",      filter_sum,      "attribute start",                  0},
    {"min",      filter_min,      "case_sensitive attribute",         0},
    {"max",      filter_max,      "case_sensitive attribute",         0},
    {"unique",   filter_unique,   "case_sensitive attribute",         0},
    {"groupby",  filter_groupby,  "attribute default case_sensitive", 1},
    {"batch",    filter_batch,    "linecount fill_with",              1},
    {"slice",    filter_slice,    "slices fill_with",                 1},
};
const size_t drift_tmpl_n_seq_filters = DRIFT_COUNT_OF(drift_tmpl_seq_filters);
