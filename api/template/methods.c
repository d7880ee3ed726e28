/* Methods of lists, tuples and dicts, and looking methods up. */
#include "api/template/filter.h"

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
    const struct drift_tmpl_builtin *found =
        drift_tmpl_find_builtin(drift_tmpl_text_methods, drift_tmpl_n_text_methods, name);
    return found ? found
                 : drift_tmpl_find_builtin(drift_tmpl_search_methods, drift_tmpl_n_search_methods,
                                           name);
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
