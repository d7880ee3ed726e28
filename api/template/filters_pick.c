/* Filters that apply another filter or a test to every item: map, select, reject and theirs. */
#include "api/template/filter.h"

struct picker {
    struct drift_tmpl_value attribute;     /* ABSENT: the item itself */
    const struct drift_tmpl_builtin *test; /* NULL: truth */
    struct drift_tmpl_args args;
};

/* args without the first n positions. */
static struct drift_tmpl_args rest_of(const struct drift_tmpl_args *args, uint32_t n)
{
    struct drift_tmpl_args rest = *args;
    rest.pos = args->n_pos > n ? args->pos + n : NULL;
    rest.n_pos = args->n_pos > n ? args->n_pos - n : 0;
    return rest;
}

static bool find_named(struct drift_tmpl_render *r, struct drift_tmpl_value name,
                       const struct drift_tmpl_builtin *(*find)(struct drift_tmpl_value),
                       const char *what, const struct drift_tmpl_builtin **ret)
{
    if (!drift_tmpl_need_text(r, name, "a filter or test is named by a string, not a value"))
        return false;
    *ret = find(name);
    return *ret || drift_tmpl_fail(r, DRIFT_STATUS_UNSUPPORTED, "there is no %s '%.*s'", what,
                                   (int)(name.len < 80 ? name.len : 80), name.s);
}

static const struct drift_tmpl_value *find_keyword(const struct drift_tmpl_args *args,
                                                   const char *name)
{
    for (uint32_t i = 0; i < args->n_kw; i++) {
        if (drift_tmpl_text_is(args->kw[i].name, name))
            return &args->kw[i].value;
    }
    return NULL;
}

/* map(attribute="a.b", default=x) */
static bool map_attribute(struct drift_tmpl_render *r, struct drift_tmpl_value self,
                          const struct drift_tmpl_args *args, struct drift_tmpl_list_builder *list)
{
    const struct drift_tmpl_value *path = find_keyword(args, "attribute");
    const struct drift_tmpl_value *given = find_keyword(args, "default");
    struct drift_tmpl_value fallback =
        given && given->type != DRIFT_TMPL_NONE ? *given : (struct drift_tmpl_value){0};
    const struct drift_tmpl_value *items;
    uint32_t n;
    if (!path || args->n_kw != 1u + (given != NULL))
        return drift_tmpl_fail(r, DRIFT_STATUS_INVALID, "map needs a filter's name or attribute=");
    if (!drift_tmpl_items(r, self, &items, &n))
        return false;
    for (uint32_t i = 0; i < n; i++) {
        struct drift_tmpl_value v;
        if (!drift_tmpl_get_path(r, items[i], *path, fallback, &v) ||
            !drift_tmpl_list_push(r, list, v))
            return false;
    }
    return true;
}

FILTER(filter_map)
{
    struct drift_tmpl_list_builder list = {0};
    const struct drift_tmpl_builtin *filter;
    const struct drift_tmpl_value *items;
    uint32_t n;
    (void)v;
    if (!drift_tmpl_is_true(self))
        return drift_tmpl_new_iter(r, NULL, 0, ret);
    if (!args->n_pos)
        return map_attribute(r, self, args, &list) &&
               drift_tmpl_new_iter(r, list.items, list.n, ret);
    struct drift_tmpl_args rest = rest_of(args, 1);
    if (!find_named(r, args->pos[0], drift_tmpl_find_filter, "filter", &filter) ||
        !drift_tmpl_items(r, self, &items, &n) || !drift_tmpl_enter(r))
        return false;
    for (uint32_t i = 0; i < n; i++) {
        struct drift_tmpl_value mapped;
        if (!drift_tmpl_call_builtin(r, filter, items[i], &rest, &mapped) ||
            !drift_tmpl_list_push(r, &list, mapped))
            return false;
    }
    drift_tmpl_leave(r);
    return drift_tmpl_new_iter(r, list.items, list.n, ret);
}

static bool passes(struct drift_tmpl_render *r, const struct picker *p,
                   struct drift_tmpl_value item, bool *ret)
{
    struct drift_tmpl_value v;
    if (!drift_tmpl_get_path(r, item, p->attribute, (struct drift_tmpl_value){0}, &v))
        return false;
    if (p->test && !drift_tmpl_call_builtin(r, p->test, v, &p->args, &v))
        return false;
    *ret = drift_tmpl_is_true(v);
    return true;
}

static bool pick(struct drift_tmpl_render *r, struct drift_tmpl_value self,
                 const struct drift_tmpl_args *args, bool by_attribute, bool wanted,
                 struct drift_tmpl_value *ret)
{
    struct picker p = {.args = rest_of(args, by_attribute ? 2 : 1)};
    struct drift_tmpl_list_builder list = {0};
    const struct drift_tmpl_value *items;
    uint32_t n;
    if (!drift_tmpl_is_true(self))
        return drift_tmpl_new_iter(r, NULL, 0, ret);
    if (by_attribute && !args->n_pos)
        return drift_tmpl_fail(r, DRIFT_STATUS_INVALID, "the attribute's name is missing");
    if (by_attribute)
        p.attribute = args->pos[0];
    if (args->n_pos > by_attribute &&
        !find_named(r, args->pos[by_attribute], drift_tmpl_find_test, "test", &p.test))
        return false;
    if (!drift_tmpl_items(r, self, &items, &n))
        return false;
    for (uint32_t i = 0; i < n; i++) {
        bool pass;
        if (!passes(r, &p, items[i], &pass) ||
            (pass == wanted && !drift_tmpl_list_push(r, &list, items[i])) ||
            !drift_tmpl_charge(r, 1))
            return false;
    }
    return drift_tmpl_new_iter(r, list.items, list.n, ret);
}

#define PICK_FILTER(id, by_attribute, wanted)                                                      \
    FILTER(id)                                                                                     \
    {                                                                                              \
        (void)v;                                                                                   \
        return pick(r, self, args, by_attribute, wanted, ret);                                     \
    }

PICK_FILTER(filter_select, false, true)
PICK_FILTER(filter_reject, false, false)
PICK_FILTER(filter_selectattr, true, true)
PICK_FILTER(filter_rejectattr, true, false)

const struct drift_tmpl_builtin drift_tmpl_pick_filters[] = {
    {"map",        filter_map,        NULL, 0},
    {"select",     filter_select,     NULL, 0},
    {"reject",     filter_reject,     NULL, 0},
    {"selectattr", filter_selectattr, NULL, 0},
    {"rejectattr", filter_rejectattr, NULL, 0},
};
const size_t drift_tmpl_n_pick_filters = DRIFT_COUNT_OF(drift_tmpl_pick_filters);
