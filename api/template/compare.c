/* Truth, equality and order, as Python has them for the types that exist here. */
#include "api/template/ops.h"

bool drift_tmpl_is_true(struct drift_tmpl_value v)
{
    switch (v.type) {
    case DRIFT_TMPL_ABSENT:
    case DRIFT_TMPL_UNDEFINED:
    case DRIFT_TMPL_NONE:
        return false;
    case DRIFT_TMPL_BOOL:
        return v.b;
    case DRIFT_TMPL_INT:
        return v.i != 0;
    case DRIFT_TMPL_FLOAT:
        return v.f != 0;
    case DRIFT_TMPL_STRING:
    case DRIFT_TMPL_LIST:
    case DRIFT_TMPL_TUPLE:
        return v.len != 0;
    case DRIFT_TMPL_DICT:
    case DRIFT_TMPL_VIEW:
        return v.dict->n != 0;
    case DRIFT_TMPL_RANGE:
        return v.range->n != 0;
    default:
        return true;
    }
}

bool drift_tmpl_same_object(struct drift_tmpl_value a, struct drift_tmpl_value b)
{
    if (a.type != b.type)
        return false;
    switch (a.type) {
    case DRIFT_TMPL_ABSENT:
    case DRIFT_TMPL_UNDEFINED:
    case DRIFT_TMPL_NONE:
        return true;
    case DRIFT_TMPL_BOOL:
        return a.b == b.b;
    case DRIFT_TMPL_INT:
        return a.i == b.i;
    case DRIFT_TMPL_FLOAT:
        return a.f == b.f;
    case DRIFT_TMPL_STRING:
        return drift_tmpl_text_equal(a, b);
    case DRIFT_TMPL_LIST:
    case DRIFT_TMPL_TUPLE:
        return a.items == b.items && a.len == b.len;
    default:
        return a.items == b.items;
    }
}

/* Exact even where a 64-bit integer does not fit a double. */
static int compare_int_double(int64_t i, double f)
{
    if (f != f)
        return 2;
    if (f >= 9223372036854775808.0)
        return -1;
    if (f < -9223372036854775808.0)
        return 1;
    int64_t whole = (int64_t)f;
    if (i != whole)
        return i < whole ? -1 : 1;
    double rest = f - (double)whole;
    return rest > 0 ? -1 : rest < 0;
}

/* -1, 0, 1; 2 when they have no order (NaN). */
static int compare_numbers(struct drift_tmpl_value a, struct drift_tmpl_value b)
{
    if (a.type == DRIFT_TMPL_FLOAT && b.type == DRIFT_TMPL_FLOAT)
        return a.f < b.f ? -1 : a.f > b.f ? 1 : a.f == b.f ? 0 : 2;
    if (a.type == DRIFT_TMPL_FLOAT) {
        int c = compare_int_double(drift_tmpl_as_int(b), a.f);
        return c == 2 ? 2 : -c;
    }
    if (b.type == DRIFT_TMPL_FLOAT)
        return compare_int_double(drift_tmpl_as_int(a), b.f);
    int64_t x = drift_tmpl_as_int(a), y = drift_tmpl_as_int(b);
    return x < y ? -1 : x > y;
}

static int compare_texts(struct drift_tmpl_value a, struct drift_tmpl_value b)
{
    uint32_t n = a.len < b.len ? a.len : b.len;
    int c = n ? memcmp(a.s, b.s, n) : 0; /* UTF-8 sorts as its code points do */
    if (c == 0)
        c = a.len < b.len ? -1 : a.len > b.len;
    return c < 0 ? -1 : c > 0;
}

bool drift_tmpl_text_equal(struct drift_tmpl_value a, struct drift_tmpl_value b)
{
    return a.len == b.len && (a.s == b.s || memcmp(a.s, b.s, a.len) == 0);
}

static bool equal_items(struct drift_tmpl_render *r, struct drift_tmpl_value a,
                        struct drift_tmpl_value b, bool *ret)
{
    *ret = a.len == b.len;
    for (uint32_t i = 0; i < a.len && *ret; i++) {
        if (!drift_tmpl_equal(r, a.items[i], b.items[i], ret))
            return false;
    }
    return true;
}

static bool equal_dicts(struct drift_tmpl_render *r, const struct drift_tmpl_dict *a,
                        const struct drift_tmpl_dict *b, bool *ret)
{
    *ret = a->n == b->n;
    for (uint32_t i = 0; i < a->n && *ret; i++) {
        const struct drift_tmpl_value *other = drift_tmpl_dict_get(r, b, a->entries[i].key);
        if (r->status)
            return false;
        *ret = other != NULL;
        if (other && !drift_tmpl_equal(r, a->entries[i].value, *other, ret))
            return false;
    }
    return true;
}

static bool equal_ranges(const struct drift_tmpl_range *a, const struct drift_tmpl_range *b)
{
    return a->n == b->n &&
           (a->n == 0 || (a->start == b->start && (a->n == 1 || a->step == b->step)));
}

bool drift_tmpl_equal(struct drift_tmpl_render *r, struct drift_tmpl_value a,
                      struct drift_tmpl_value b, bool *ret)
{
    if (drift_tmpl_is_number(a) && drift_tmpl_is_number(b)) {
        *ret = compare_numbers(a, b) == 0;
        return true;
    }
    if (a.type != b.type) {
        *ret = false;
        return true;
    }
    bool ok = true;
    switch (a.type) {
    case DRIFT_TMPL_STRING:
        *ret = drift_tmpl_text_equal(a, b);
        return a.len != b.len || drift_tmpl_charge_bytes(r, a.len);
    case DRIFT_TMPL_RANGE:
        *ret = equal_ranges(a.range, b.range);
        return true;
    case DRIFT_TMPL_LIST:
    case DRIFT_TMPL_TUPLE:
    case DRIFT_TMPL_DICT:
        if (!drift_tmpl_enter(r) || !drift_tmpl_charge(r, 1))
            return false;
        ok = a.type == DRIFT_TMPL_DICT ? equal_dicts(r, a.dict, b.dict, ret)
                                       : equal_items(r, a, b, ret);
        drift_tmpl_leave(r);
        return ok;
    default:
        *ret = drift_tmpl_same_object(a, b);
        return true;
    }
}

static bool not_ordered(struct drift_tmpl_render *r, struct drift_tmpl_value a,
                        struct drift_tmpl_value b)
{
    if (a.type == DRIFT_TMPL_UNDEFINED || b.type == DRIFT_TMPL_UNDEFINED)
        return drift_tmpl_fail_undefined(r, a.type == DRIFT_TMPL_UNDEFINED ? a : b);
    return drift_tmpl_fail(r, DRIFT_STATUS_INVALID, "'%s' and '%s' have no order",
                           drift_tmpl_type_name(a), drift_tmpl_type_name(b));
}

/* The first difference decides; *ret as compare_numbers. */
static bool order(struct drift_tmpl_render *r, struct drift_tmpl_value a, struct drift_tmpl_value b,
                  int *ret)
{
    if (drift_tmpl_is_number(a) && drift_tmpl_is_number(b)) {
        *ret = compare_numbers(a, b);
        return true;
    }
    if (a.type != b.type)
        return not_ordered(r, a, b);
    if (a.type == DRIFT_TMPL_STRING) {
        *ret = compare_texts(a, b);
        return drift_tmpl_charge_bytes(r, a.len < b.len ? a.len : b.len);
    }
    if (a.type != DRIFT_TMPL_LIST && a.type != DRIFT_TMPL_TUPLE)
        return not_ordered(r, a, b);
    if (!drift_tmpl_enter(r))
        return false;
    uint32_t n = a.len < b.len ? a.len : b.len;
    *ret = a.len < b.len ? -1 : a.len > b.len;
    bool ok = true, same = true;
    for (uint32_t i = 0; i < n && ok && same; i++) {
        ok = drift_tmpl_charge(r, 1) && drift_tmpl_equal(r, a.items[i], b.items[i], &same);
        if (ok && !same)
            ok = order(r, a.items[i], b.items[i], ret);
    }
    drift_tmpl_leave(r);
    return ok;
}

bool drift_tmpl_less(struct drift_tmpl_render *r, struct drift_tmpl_value a,
                     struct drift_tmpl_value b, bool *ret)
{
    int c = 0;
    if (!order(r, a, b, &c))
        return false;
    *ret = c == -1;
    return true;
}

bool drift_tmpl_compare(struct drift_tmpl_render *r, enum drift_tmpl_op op,
                        struct drift_tmpl_value a, struct drift_tmpl_value b, bool *ret)
{
    int c = 0;
    bool ok;
    switch (op) {
    case DRIFT_TMPL_OP_EQ:
    case DRIFT_TMPL_OP_NE:
        ok = drift_tmpl_equal(r, a, b, ret);
        *ret ^= op == DRIFT_TMPL_OP_NE;
        return ok;
    case DRIFT_TMPL_OP_IN:
    case DRIFT_TMPL_OP_NOT_IN:
        ok = drift_tmpl_contains(r, b, a, ret);
        *ret ^= op == DRIFT_TMPL_OP_NOT_IN;
        return ok;
    default:
        if (!order(r, a, b, &c))
            return false;
        *ret = op == DRIFT_TMPL_OP_LT   ? c == -1
               : op == DRIFT_TMPL_OP_LE ? c == -1 || c == 0
               : op == DRIFT_TMPL_OP_GT ? c == 1
                                        : c == 1 || c == 0;
        return true;
    }
}

bool drift_tmpl_contains(struct drift_tmpl_render *r, struct drift_tmpl_value container,
                         struct drift_tmpl_value item, bool *ret)
{
    *ret = false;
    if (container.type == DRIFT_TMPL_STRING) {
        if (item.type != DRIFT_TMPL_STRING)
            return drift_tmpl_fail_type(r, "'in' a string looks for strings, not for a value",
                                        item);
        *ret = item.len == 0 ||
               (container.len && memmem(container.s, container.len, item.s, item.len));
        return drift_tmpl_charge_bytes(r, container.len);
    }
    if (container.type == DRIFT_TMPL_DICT ||
        (container.type == DRIFT_TMPL_VIEW && container.view == DRIFT_TMPL_VIEW_KEYS)) {
        *ret = drift_tmpl_dict_get(r, container.dict, item) != NULL;
        return !r->status;
    }
    struct drift_tmpl_cursor c;
    if (!drift_tmpl_is_iterable(container))
        return drift_tmpl_fail_type(r, "'in' can't look into a value", container);
    bool more = true;
    if (!drift_tmpl_cursor_init(r, &c, container))
        return false;
    while (!*ret) {
        struct drift_tmpl_value v;
        if (!drift_tmpl_cursor_next(r, &c, &v, &more) ||
            (more && !drift_tmpl_equal(r, v, item, ret)))
            return false;
        if (!more)
            break;
    }
    return true;
}

/* ---- sorting: a stable merge of keys and items together ---- */

struct sorter {
    struct drift_tmpl_render *r;
    struct drift_tmpl_value *items, *keys, *items_tmp, *keys_tmp;
    bool reverse;
};

static bool merge(struct sorter *s, uint32_t lo, uint32_t mid, uint32_t hi)
{
    uint32_t i = lo, j = mid;
    for (uint32_t k = lo; k < hi; k++) {
        bool take_right = i == mid;
        if (i < mid && j < hi) {
            struct drift_tmpl_value a = s->keys[j], b = s->keys[i];
            if (!drift_tmpl_less(s->r, s->reverse ? b : a, s->reverse ? a : b, &take_right) ||
                !drift_tmpl_charge(s->r, 1))
                return false;
        }
        uint32_t from = take_right ? j++ : i++;
        s->items_tmp[k] = s->items[from];
        s->keys_tmp[k] = s->keys[from];
    }
    memcpy(s->items + lo, s->items_tmp + lo, (hi - lo) * sizeof *s->items);
    if (s->keys != s->items)
        memcpy(s->keys + lo, s->keys_tmp + lo, (hi - lo) * sizeof *s->keys);
    return true;
}

static bool merge_sort(struct sorter *s, uint32_t lo, uint32_t hi)
{
    if (hi - lo < 2)
        return true;
    uint32_t mid = lo + (hi - lo) / 2;
    return merge_sort(s, lo, mid) && merge_sort(s, mid, hi) && merge(s, lo, mid, hi);
}

bool drift_tmpl_sort(struct drift_tmpl_render *r, struct drift_tmpl_value *items,
                     struct drift_tmpl_value *keys, uint32_t n, bool reverse)
{
    struct sorter s = {.r = r, .items = items, .keys = keys, .reverse = reverse};
    if (n < 2)
        return true;
    s.items_tmp = drift_tmpl_alloc(r, n, sizeof *items);
    s.keys_tmp = keys == items ? s.items_tmp : drift_tmpl_alloc(r, n, sizeof *keys);
    return s.items_tmp && s.keys_tmp && merge_sort(&s, 0, n);
}
