/* The loop variable. */
#include "api/template/eval.h"

/* The next item that the loop's filter lets through. */
static bool fetch(struct drift_tmpl_render *r, struct drift_tmpl_loop *loop,
                  struct drift_tmpl_value *ret, bool *more)
{
    const struct drift_tmpl_for *node = loop->node;
    if (loop->rest) {
        *more = loop->n_rest > 0;
        if (*more) {
            *ret = *loop->rest++;
            loop->n_rest--;
        }
        return drift_tmpl_charge(r, 1);
    }
    for (;;) {
        struct drift_tmpl_value passes = drift_tmpl_bool(true);
        if (!drift_tmpl_cursor_next(r, &loop->cursor, ret, more))
            return false;
        if (!*more || !node->test)
            return true;
        if (!drift_tmpl_assign(r, loop->env, node->test_target, *ret) ||
            !drift_tmpl_enter_scope(r, loop->env, &node->test_scope) ||
            !drift_tmpl_eval(r, loop->env, node->test, &passes))
            return false;
        if (drift_tmpl_is_true(passes))
            return true;
    }
}

bool drift_tmpl_loop_next(struct drift_tmpl_render *r, struct drift_tmpl_loop *loop, bool *more)
{
    struct drift_tmpl_value v = loop->after;
    *more = loop->have_after;
    if (!loop->have_after && !loop->at_end && !fetch(r, loop, &v, more))
        return false;
    loop->have_after = false;
    if (!*more)
        return true;
    loop->before = loop->current;
    loop->current = v;
    loop->index0++;
    return true;
}

static bool peek(struct drift_tmpl_render *r, struct drift_tmpl_loop *loop)
{
    if (loop->have_after || loop->at_end)
        return true;
    bool more = false;
    if (!fetch(r, loop, &loop->after, &more))
        return false;
    loop->have_after = more;
    loop->at_end = !more;
    return true;
}

/* The length of what has none takes the rest of the items now. */
static bool length(struct drift_tmpl_render *r, struct drift_tmpl_loop *loop)
{
    if (loop->length >= 0)
        return true;
    if (!loop->node->test && loop->cursor.source.type != DRIFT_TMPL_ITER &&
        drift_tmpl_length(loop->cursor.source, &loop->length))
        return drift_tmpl_charge_bytes(
            r, loop->cursor.source.type == DRIFT_TMPL_STRING ? loop->cursor.source.len : 0);
    struct drift_tmpl_list_builder rest = {0};
    for (bool more = true; more;) {
        struct drift_tmpl_value v;
        if (!fetch(r, loop, &v, &more) || (more && !drift_tmpl_list_push(r, &rest, v)))
            return false;
    }
    loop->rest = rest.items ? rest.items : &drift_tmpl_no_items;
    loop->n_rest = rest.n;
    loop->length = loop->index0 + 1 + loop->have_after + rest.n;
    return true;
}

static struct drift_tmpl_value no_item(const char *why)
{
    return drift_tmpl_undefined(why, strlen(why));
}

bool drift_tmpl_loop_attr(struct drift_tmpl_render *r, struct drift_tmpl_loop *loop,
                          enum drift_tmpl_loop_attr attr, struct drift_tmpl_value *ret)
{
    bool needs_length = attr == DRIFT_TMPL_LOOP_LENGTH || attr == DRIFT_TMPL_LOOP_REVINDEX ||
                        attr == DRIFT_TMPL_LOOP_REVINDEX0;
    bool needs_next = attr == DRIFT_TMPL_LOOP_LAST || attr == DRIFT_TMPL_LOOP_NEXTITEM;
    if ((needs_length && !length(r, loop)) || (needs_next && !peek(r, loop)))
        return false;
    switch (attr) {
    case DRIFT_TMPL_LOOP_INDEX:
        *ret = drift_tmpl_int(loop->index0 + 1);
        return true;
    case DRIFT_TMPL_LOOP_INDEX0:
        *ret = drift_tmpl_int(loop->index0);
        return true;
    case DRIFT_TMPL_LOOP_REVINDEX:
        *ret = drift_tmpl_int(loop->length - loop->index0);
        return true;
    case DRIFT_TMPL_LOOP_REVINDEX0:
        *ret = drift_tmpl_int(loop->length - loop->index0 - 1);
        return true;
    case DRIFT_TMPL_LOOP_FIRST:
        *ret = drift_tmpl_bool(loop->index0 == 0);
        return true;
    case DRIFT_TMPL_LOOP_LAST:
        *ret = drift_tmpl_bool(!loop->have_after);
        return true;
    case DRIFT_TMPL_LOOP_LENGTH:
        *ret = drift_tmpl_int(loop->length);
        return true;
    case DRIFT_TMPL_LOOP_DEPTH:
    case DRIFT_TMPL_LOOP_DEPTH0:
        *ret = drift_tmpl_int(attr == DRIFT_TMPL_LOOP_DEPTH);
        return true;
    case DRIFT_TMPL_LOOP_PREVITEM:
        *ret = loop->index0 > 0 ? loop->before : no_item("previous item");
        return true;
    case DRIFT_TMPL_LOOP_NEXTITEM:
        *ret = loop->have_after ? loop->after : no_item("next item");
        return true;
    default:
        return drift_tmpl_fail(r, DRIFT_STATUS_UNSUPPORTED,
                               "loop.cycle and loop.changed can only be called");
    }
}

bool drift_tmpl_loop_call(struct drift_tmpl_render *r, struct drift_tmpl_loop *loop,
                          enum drift_tmpl_loop_attr attr, const struct drift_tmpl_args *args,
                          struct drift_tmpl_value *ret)
{
    if (args->n_kw)
        return drift_tmpl_fail(r, DRIFT_STATUS_INVALID,
                               "loop.cycle and loop.changed take no keywords");
    if (attr == DRIFT_TMPL_LOOP_CYCLE) {
        if (!args->n_pos)
            return drift_tmpl_fail(r, DRIFT_STATUS_INVALID, "loop.cycle needs items");
        *ret = args->pos[loop->index0 % args->n_pos];
        return true;
    }
    struct drift_tmpl_value now = drift_tmpl_seq(DRIFT_TMPL_TUPLE, args->pos, args->n_pos);
    bool same = false;
    if (loop->changed.type != DRIFT_TMPL_ABSENT && !drift_tmpl_equal(r, loop->changed, now, &same))
        return false;
    loop->changed = now;
    *ret = drift_tmpl_bool(!same);
    return true;
}

enum drift_tmpl_loop_attr drift_tmpl_loop_attr_find(struct drift_tmpl_value name)
{
    static const char *const names[] = {
        [DRIFT_TMPL_LOOP_INDEX] = "index",       [DRIFT_TMPL_LOOP_INDEX0] = "index0",
        [DRIFT_TMPL_LOOP_REVINDEX] = "revindex", [DRIFT_TMPL_LOOP_REVINDEX0] = "revindex0",
        [DRIFT_TMPL_LOOP_FIRST] = "first",       [DRIFT_TMPL_LOOP_LAST] = "last",
        [DRIFT_TMPL_LOOP_LENGTH] = "length",     [DRIFT_TMPL_LOOP_DEPTH] = "depth",
        [DRIFT_TMPL_LOOP_DEPTH0] = "depth0",     [DRIFT_TMPL_LOOP_PREVITEM] = "previtem",
        [DRIFT_TMPL_LOOP_NEXTITEM] = "nextitem", [DRIFT_TMPL_LOOP_CYCLE] = "cycle",
        [DRIFT_TMPL_LOOP_CHANGED] = "changed"};
    for (size_t i = 1; i < DRIFT_COUNT_OF(names); i++) {
        if (drift_tmpl_text_is(name, names[i]))
            return (enum drift_tmpl_loop_attr)i;
    }
    return DRIFT_TMPL_LOOP_NO_ATTR;
}
