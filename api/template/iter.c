/* What a loop, a filter or a list() walks over. */
#include "api/template/ops.h"
#include "api/template/unicode.h"

const struct drift_tmpl_value drift_tmpl_no_items = {0};

bool drift_tmpl_is_iterable(struct drift_tmpl_value v)
{
    switch (v.type) {
    case DRIFT_TMPL_UNDEFINED:
    case DRIFT_TMPL_STRING:
    case DRIFT_TMPL_LIST:
    case DRIFT_TMPL_TUPLE:
    case DRIFT_TMPL_DICT:
    case DRIFT_TMPL_RANGE:
    case DRIFT_TMPL_VIEW:
    case DRIFT_TMPL_ITER:
        return true;
    default:
        return false;
    }
}

bool drift_tmpl_length(struct drift_tmpl_value v, int64_t *ret)
{
    switch (v.type) {
    case DRIFT_TMPL_UNDEFINED:
        *ret = 0;
        return true;
    case DRIFT_TMPL_STRING:
        *ret = drift_tmpl_text_length(&v);
        return true;
    case DRIFT_TMPL_LIST:
    case DRIFT_TMPL_TUPLE:
        *ret = v.len;
        return true;
    case DRIFT_TMPL_DICT:
    case DRIFT_TMPL_VIEW:
        *ret = v.dict->n;
        return true;
    case DRIFT_TMPL_RANGE:
        *ret = v.range->n;
        return true;
    default:
        return false;
    }
}

bool drift_tmpl_cursor_init(struct drift_tmpl_render *r, struct drift_tmpl_cursor *c,
                            struct drift_tmpl_value v)
{
    *c = (struct drift_tmpl_cursor){.source = v};
    if (!drift_tmpl_is_iterable(v))
        return drift_tmpl_fail(r, DRIFT_STATUS_INVALID, "'%s' can't be iterated",
                               drift_tmpl_type_name(v));
    if (v.type == DRIFT_TMPL_STRING)
        c->s = v.s;
    return true;
}

static bool next_of_view(struct drift_tmpl_render *r, struct drift_tmpl_cursor *c,
                         enum drift_tmpl_view_kind view, struct drift_tmpl_value *ret)
{
    const struct drift_tmpl_entry *e = &c->source.dict->entries[c->i++];
    if (view != DRIFT_TMPL_VIEW_ITEMS) {
        *ret = view == DRIFT_TMPL_VIEW_KEYS ? e->key : e->value;
        return true;
    }
    struct drift_tmpl_value *pair = drift_tmpl_alloc(r, 2, sizeof *pair);
    if (!pair)
        return false;
    pair[0] = e->key;
    pair[1] = e->value;
    *ret = drift_tmpl_seq(DRIFT_TMPL_TUPLE, pair, 2);
    return true;
}

bool drift_tmpl_cursor_next(struct drift_tmpl_render *r, struct drift_tmpl_cursor *c,
                            struct drift_tmpl_value *ret, bool *more)
{
    struct drift_tmpl_value v = c->source;
    *more = false;
    if (!drift_tmpl_charge(r, 1))
        return false;
    switch (v.type) {
    case DRIFT_TMPL_LIST:
    case DRIFT_TMPL_TUPLE:
        *more = c->i < v.len;
        if (*more)
            *ret = v.items[c->i++];
        return true;
    case DRIFT_TMPL_ITER:
        *more = v.iter->i_next < v.iter->n;
        if (*more)
            *ret = v.iter->items[v.iter->i_next++];
        return true;
    case DRIFT_TMPL_RANGE:
        *more = c->i < v.range->n;
        if (*more)
            *ret = drift_tmpl_range_at(v.range, c->i++);
        return true;
    case DRIFT_TMPL_STRING:
        *more = c->s < v.s + v.len;
        if (*more) {
            const char *start = c->s;
            drift_tmpl_next_code(&c->s, v.s + v.len);
            *ret = drift_tmpl_str(start, (size_t)(c->s - start));
            ret->flags = v.flags & DRIFT_TMPL_FLAG_ASCII;
        }
        return true;
    case DRIFT_TMPL_DICT:
    case DRIFT_TMPL_VIEW:
        *more = c->i < v.dict->n;
        return !*more || next_of_view(r, c,
                                      v.type == DRIFT_TMPL_DICT ? DRIFT_TMPL_VIEW_KEYS
                                                                : (enum drift_tmpl_view_kind)v.view,
                                      ret);
    default:
        return true;
    }
}

static bool collect_items(struct drift_tmpl_render *r, struct drift_tmpl_value v,
                          struct drift_tmpl_list_builder *list)
{
    struct drift_tmpl_cursor c;
    bool more = true;
    if (!drift_tmpl_cursor_init(r, &c, v))
        return false;
    for (;;) {
        struct drift_tmpl_value item;
        if (!drift_tmpl_cursor_next(r, &c, &item, &more))
            return false;
        if (!more)
            return true;
        if (!drift_tmpl_list_push(r, list, item))
            return false;
    }
}

bool drift_tmpl_items(struct drift_tmpl_render *r, struct drift_tmpl_value v,
                      const struct drift_tmpl_value **ret, uint32_t *ret_n)
{
    if (v.type == DRIFT_TMPL_LIST || v.type == DRIFT_TMPL_TUPLE) {
        *ret = v.items;
        *ret_n = v.len;
        return true;
    }
    if (v.type == DRIFT_TMPL_ITER) {
        *ret = v.iter->items + v.iter->i_next;
        *ret_n = v.iter->n - v.iter->i_next;
        v.iter->i_next = v.iter->n;
        return true;
    }
    struct drift_tmpl_list_builder list = {0};
    if (!collect_items(r, v, &list))
        return false;
    *ret = list.items ? list.items : &drift_tmpl_no_items;
    *ret_n = list.n;
    return true;
}

bool drift_tmpl_items_copy(struct drift_tmpl_render *r, struct drift_tmpl_value v,
                           struct drift_tmpl_value **ret, uint32_t *ret_n)
{
    const struct drift_tmpl_value *items;
    if (!drift_tmpl_items(r, v, &items, ret_n) || !drift_tmpl_charge(r, *ret_n))
        return false;
    *ret = drift_tmpl_alloc(r, *ret_n ? *ret_n : 1, sizeof **ret);
    if (!*ret)
        return false;
    if (*ret_n)
        memcpy(*ret, items, *ret_n * sizeof **ret);
    return true;
}

bool drift_tmpl_new_iter(struct drift_tmpl_render *r, const struct drift_tmpl_value *items,
                         uint32_t n, struct drift_tmpl_value *ret)
{
    struct drift_tmpl_iter *iter = drift_tmpl_alloc(r, 1, sizeof *iter);
    if (!iter)
        return false;
    *iter = (struct drift_tmpl_iter){.items = items ? items : &drift_tmpl_no_items, .n = n};
    *ret = (struct drift_tmpl_value){.type = DRIFT_TMPL_ITER, .iter = iter};
    return true;
}
