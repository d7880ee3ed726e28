/* Insertion-ordered dicts; large ones are searched through an index sorted by key. */
#include "api/template/ops.h"

#define N_LINEAR 8u

bool drift_tmpl_is_hashable(struct drift_tmpl_value v)
{
    return v.type != DRIFT_TMPL_LIST && v.type != DRIFT_TMPL_DICT && v.type != DRIFT_TMPL_VIEW;
}

/* Keys are scalars or tuples of scalars, so that comparing two of them is bounded by their length.
 */
static bool check_key(struct drift_tmpl_render *r, struct drift_tmpl_value key)
{
    if (key.type != DRIFT_TMPL_TUPLE)
        return drift_tmpl_is_hashable(key) || drift_tmpl_fail_type(r, "a dict's key can't be", key);
    for (uint32_t i = 0; i < key.len; i++) {
        if (!drift_tmpl_is_hashable(key.items[i]))
            return drift_tmpl_fail_type(r, "a dict's key can't contain a value", key.items[i]);
        if (key.items[i].type == DRIFT_TMPL_TUPLE)
            return drift_tmpl_fail(r, DRIFT_STATUS_UNSUPPORTED, "a dict's key of nested tuples");
    }
    return drift_tmpl_charge(r, 16 * (uint64_t)key.len);
}

/* Numbers of different types may be equal, so they share a class. */
static int key_class(struct drift_tmpl_value v)
{
    return drift_tmpl_is_number(v) ? DRIFT_TMPL_INT : v.type;
}

static int compare_pointers(const void *a, const void *b)
{
    return (uintptr_t)a < (uintptr_t)b ? -1 : (uintptr_t)a > (uintptr_t)b;
}

static int compare_numeric_keys(struct drift_tmpl_value a, struct drift_tmpl_value b)
{
    if (a.type != DRIFT_TMPL_FLOAT && b.type != DRIFT_TMPL_FLOAT) {
        int64_t x = drift_tmpl_as_int(a), y = drift_tmpl_as_int(b);
        return x < y ? -1 : x > y;
    }
    long double x =
        a.type == DRIFT_TMPL_FLOAT ? (long double)a.f : (long double)drift_tmpl_as_int(a);
    long double y =
        b.type == DRIFT_TMPL_FLOAT ? (long double)b.f : (long double)drift_tmpl_as_int(b);
    return x < y ? -1 : x > y;
}

static int compare_keys(struct drift_tmpl_value a, struct drift_tmpl_value b);

static int compare_tuples(struct drift_tmpl_value a, struct drift_tmpl_value b)
{
    int c = a.len < b.len ? -1 : a.len > b.len;
    for (uint32_t i = 0; i < a.len && c == 0; i++)
        c = compare_keys(a.items[i], b.items[i]);
    return c;
}

/* Any total order in which equal keys are equal. */
static int compare_keys(struct drift_tmpl_value a, struct drift_tmpl_value b)
{
    int c = key_class(a) - key_class(b);
    if (c)
        return c;
    switch (key_class(a)) {
    case DRIFT_TMPL_STRING:
        if (a.len != b.len)
            return a.len < b.len ? -1 : 1;
        return a.len ? memcmp(a.s, b.s, a.len) : 0;
    case DRIFT_TMPL_INT:
        return compare_numeric_keys(a, b);
    case DRIFT_TMPL_TUPLE:
        return compare_tuples(a, b);
    default:
        return drift_tmpl_same_object(a, b) ? 0 : compare_pointers(a.items, b.items);
    }
}

struct drift_tmpl_dict *drift_tmpl_dict_new(struct drift_tmpl_render *r, uint32_t capacity)
{
    struct drift_tmpl_dict *d = drift_tmpl_alloc(r, 1, sizeof *d);
    if (!d)
        return NULL;
    d->entries = drift_tmpl_alloc(r, capacity ? capacity : 1, sizeof *d->entries);
    return d->entries ? d : NULL;
}

/* Stable merge sort of positions by key. */
static void sort_index(const struct drift_tmpl_entry *entries, uint32_t *index, uint32_t *tmp,
                       uint32_t n)
{
    if (n < 2)
        return;
    uint32_t mid = n / 2;
    sort_index(entries, index, tmp, mid);
    sort_index(entries, index + mid, tmp + mid, n - mid);
    uint32_t i = 0, j = mid;
    for (uint32_t k = 0; k < n; k++) {
        bool right =
            i == mid || (j < n && compare_keys(entries[index[j]].key, entries[index[i]].key) < 0);
        tmp[k] = index[right ? j++ : i++];
    }
    memcpy(index, tmp, n * sizeof *index);
}

static bool make_index(struct drift_tmpl_render *r, struct drift_tmpl_dict *d)
{
    uint32_t *index = drift_tmpl_alloc(r, d->n, sizeof *index);
    uint32_t *tmp = index ? drift_tmpl_alloc(r, d->n, sizeof *tmp) : NULL;
    if (!tmp || !drift_tmpl_charge(r, d->n))
        return false;
    for (uint32_t i = 0; i < d->n; i++)
        index[i] = i;
    sort_index(d->entries, index, tmp, d->n);
    d->index = index;
    return true;
}

static int64_t find_indexed(const struct drift_tmpl_dict *d, struct drift_tmpl_value key)
{
    uint32_t lo = 0, hi = d->n;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        int c = compare_keys(d->entries[d->index[mid]].key, key);
        if (c == 0)
            return d->index[mid];
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return -1;
}

static int64_t find_linear(const struct drift_tmpl_dict *d, uint32_t n, struct drift_tmpl_value key)
{
    for (uint32_t i = 0; i < n; i++) {
        if (compare_keys(d->entries[i].key, key) == 0)
            return i;
    }
    return -1;
}

static int64_t find_text(const struct drift_tmpl_dict *d, struct drift_tmpl_value key)
{
    for (uint32_t i = 0; i < d->n; i++) {
        struct drift_tmpl_value k = d->entries[i].key;
        if (k.len == key.len && k.type == DRIFT_TMPL_STRING && memcmp(k.s, key.s, key.len) == 0)
            return i;
    }
    return -1;
}

const struct drift_tmpl_value *drift_tmpl_dict_get(struct drift_tmpl_render *r,
                                                   const struct drift_tmpl_dict *d,
                                                   struct drift_tmpl_value key)
{
    int64_t i;
    if (!check_key(r, key))
        return NULL;
    if (d->n <= N_LINEAR)
        i = key.type == DRIFT_TMPL_STRING ? find_text(d, key) : find_linear(d, d->n, key);
    else if (!d->index && !make_index(r, (struct drift_tmpl_dict *)d))
        return NULL;
    else
        i = find_indexed(d, key);
    return i < 0 ? NULL : &d->entries[i].value;
}

static void drop_duplicates(struct drift_tmpl_dict *d)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < d->n; i++) {
        int64_t at = find_linear(d, n, d->entries[i].key);
        if (at < 0)
            d->entries[n++] = d->entries[i];
        else
            d->entries[at].value = d->entries[i].value;
    }
    d->n = n;
}

/* With the index, in which equal keys are neighbours in order of insertion. */
static bool drop_duplicates_indexed(struct drift_tmpl_render *r, struct drift_tmpl_dict *d)
{
    if (!make_index(r, d))
        return false;
    uint32_t n = 0;
    bool *drop = drift_tmpl_alloc(r, d->n, sizeof *drop);
    if (!drop)
        return false;
    for (uint32_t i = 1, first = d->index[0]; i < d->n; i++) {
        struct drift_tmpl_entry *e = &d->entries[d->index[i]];
        drop[d->index[i]] = compare_keys(e->key, d->entries[first].key) == 0;
        if (drop[d->index[i]])
            d->entries[first].value = e->value;
        else
            first = d->index[i];
    }
    for (uint32_t i = 0; i < d->n; i++) {
        if (!drop[i])
            d->entries[n++] = d->entries[i];
    }
    d->n = n;
    d->index = NULL;
    return true;
}

bool drift_tmpl_dict_finish(struct drift_tmpl_render *r, struct drift_tmpl_dict *d,
                            struct drift_tmpl_value *ret)
{
    for (uint32_t i = 0; i < d->n; i++) {
        if (!check_key(r, d->entries[i].key))
            return false;
    }
    if (d->n <= N_LINEAR)
        drop_duplicates(d);
    else if (!drop_duplicates_indexed(r, d))
        return false;
    *ret = (struct drift_tmpl_value){.type = DRIFT_TMPL_DICT, .dict = d};
    return true;
}

/* dict(pairs): every item has two items. */
static bool add_pairs(struct drift_tmpl_render *r, struct drift_tmpl_dict *d,
                      const struct drift_tmpl_value *items, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        const struct drift_tmpl_value *pair;
        uint32_t n_pair;
        if (!drift_tmpl_items(r, items[i], &pair, &n_pair))
            return false;
        if (n_pair != 2)
            return drift_tmpl_fail(r, DRIFT_STATUS_INVALID, "a dict is made of pairs");
        d->entries[d->n++] = (struct drift_tmpl_entry){.key = pair[0], .value = pair[1]};
    }
    return true;
}

bool drift_tmpl_dict_build(struct drift_tmpl_render *r, const struct drift_tmpl_args *args,
                           struct drift_tmpl_value *ret)
{
    const struct drift_tmpl_value *items = NULL;
    uint32_t n = 0;
    if (args->n_pos > 1)
        return drift_tmpl_fail(r, DRIFT_STATUS_INVALID, "dict() takes one positional argument");
    bool from_dict = args->n_pos && args->pos[0].type == DRIFT_TMPL_DICT;
    if (from_dict)
        n = args->pos[0].dict->n;
    else if (args->n_pos && !drift_tmpl_items(r, args->pos[0], &items, &n))
        return false;
    struct drift_tmpl_dict *d = drift_tmpl_dict_new(r, n + args->n_kw);
    if (!d || !drift_tmpl_charge(r, n))
        return false;
    if (from_dict) {
        memcpy(d->entries, args->pos[0].dict->entries, n * sizeof *d->entries);
        d->n = n;
    } else if (!add_pairs(r, d, items, n)) {
        return false;
    }
    for (uint32_t i = 0; i < args->n_kw; i++)
        d->entries[d->n++] =
            (struct drift_tmpl_entry){.key = args->kw[i].name, .value = args->kw[i].value};
    return drift_tmpl_dict_finish(r, d, ret);
}
