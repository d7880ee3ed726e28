/* Expressions. */
#include "api/template/eval.h"

static struct drift_tmpl_value *slot_of(struct drift_tmpl_env *env, struct drift_tmpl_ref ref)
{
    for (uint16_t i = 0; i < ref.hops; i++)
        env = env->outer;
    return &env->slots[ref.slot];
}

static bool eval_list(struct drift_tmpl_render *r, struct drift_tmpl_env *env,
                      const struct drift_tmpl_nodes *list, struct drift_tmpl_value **ret)
{
    struct drift_tmpl_value *items = drift_tmpl_alloc(r, list->n ? list->n : 1, sizeof *items);
    if (!items)
        return false;
    for (uint32_t i = 0; i < list->n; i++) {
        if (!drift_tmpl_eval(r, env, list->v[i], &items[i]))
            return false;
    }
    *ret = items;
    return true;
}

static bool eval_sequence(struct drift_tmpl_render *r, struct drift_tmpl_env *env,
                          const struct drift_tmpl_node *node, struct drift_tmpl_value *ret)
{
    struct drift_tmpl_value *items;
    if (!eval_list(r, env, &node->list, &items))
        return false;
    *ret = drift_tmpl_seq(node->kind == DRIFT_TMPL_NODE_LIST ? DRIFT_TMPL_LIST : DRIFT_TMPL_TUPLE,
                          items, node->list.n);
    return true;
}

static bool eval_dict(struct drift_tmpl_render *r, struct drift_tmpl_env *env,
                      const struct drift_tmpl_node *node, struct drift_tmpl_value *ret)
{
    uint32_t n = node->list.n / 2;
    struct drift_tmpl_dict *d = drift_tmpl_dict_new(r, n);
    if (!d)
        return false;
    for (; d->n < n; d->n++) {
        struct drift_tmpl_entry *e = &d->entries[d->n];
        if (!drift_tmpl_eval(r, env, node->list.v[2 * d->n], &e->key) ||
            !drift_tmpl_eval(r, env, node->list.v[2 * d->n + 1], &e->value))
            return false;
    }
    return drift_tmpl_dict_finish(r, d, ret);
}

static bool eval_slice(struct drift_tmpl_render *r, struct drift_tmpl_env *env,
                       const struct drift_tmpl_node *node, struct drift_tmpl_value object,
                       struct drift_tmpl_value *ret)
{
    const struct drift_tmpl_node *parts[3] = {node->slice.start, node->slice.stop,
                                              node->slice.step};
    struct drift_tmpl_value v[3] = {{0}, {0}, {0}};
    for (int i = 0; i < 3; i++) {
        if (parts[i] && !drift_tmpl_eval(r, env, parts[i], &v[i]))
            return false;
    }
    r->line = node->line;
    return drift_tmpl_slice(r, object, v[0], v[1], v[2], ret);
}

static bool eval_get(struct drift_tmpl_render *r, struct drift_tmpl_env *env,
                     const struct drift_tmpl_node *node, struct drift_tmpl_value *ret)
{
    struct drift_tmpl_value object, key;
    if (!drift_tmpl_eval(r, env, node->get.object, &object))
        return false;
    if (node->kind == DRIFT_TMPL_NODE_GETATTR) {
        r->line = node->line;
        return drift_tmpl_getattr(r, object, node->get.attr, ret);
    }
    if (node->get.key->kind == DRIFT_TMPL_NODE_SLICE)
        return eval_slice(r, env, node->get.key, object, ret);
    if (!drift_tmpl_eval(r, env, node->get.key, &key))
        return false;
    r->line = node->line;
    return drift_tmpl_getitem(r, object, key, ret);
}

/* ---- calls ---- */

static bool add_star(struct drift_tmpl_render *r, struct drift_tmpl_value star,
                     struct drift_tmpl_list_builder *pos)
{
    const struct drift_tmpl_value *items;
    uint32_t n;
    if (!drift_tmpl_items(r, star, &items, &n))
        return false;
    for (uint32_t i = 0; i < n; i++) {
        if (!drift_tmpl_list_push(r, pos, items[i]))
            return false;
    }
    return true;
}

static bool add_star_star(struct drift_tmpl_render *r, struct drift_tmpl_value star,
                          struct drift_tmpl_kwarg **kw, uint32_t *n)
{
    if (star.type != DRIFT_TMPL_DICT)
        return drift_tmpl_fail_type(r, "** needs a dict, not a value", star);
    struct drift_tmpl_kwarg *all = drift_tmpl_alloc(r, *n + star.dict->n + 1u, sizeof *all);
    if (!all)
        return false;
    if (*n)
        memcpy(all, *kw, *n * sizeof *all);
    for (uint32_t i = 0; i < star.dict->n; i++) {
        struct drift_tmpl_entry e = star.dict->entries[i];
        if (e.key.type != DRIFT_TMPL_STRING)
            return drift_tmpl_fail(r, DRIFT_STATUS_INVALID, "keywords must be strings");
        for (uint32_t k = 0; k < *n; k++) {
            if (drift_tmpl_text_equal(all[k].name, e.key))
                return drift_tmpl_fail(r, DRIFT_STATUS_INVALID,
                                       "a keyword argument is given twice");
        }
        all[*n + i] = (struct drift_tmpl_kwarg){.name = e.key, .value = e.value};
    }
    *kw = all;
    *n += star.dict->n;
    return true;
}

static bool eval_stars(struct drift_tmpl_render *r, struct drift_tmpl_env *env,
                       const struct drift_tmpl_args_node *node, struct drift_tmpl_args *args,
                       struct drift_tmpl_kwarg *kw)
{
    struct drift_tmpl_value v;
    if (node->star) {
        struct drift_tmpl_list_builder pos = {0};
        if (!drift_tmpl_eval(r, env, node->star, &v))
            return false;
        for (uint32_t i = 0; i < args->n_pos; i++) {
            if (!drift_tmpl_list_push(r, &pos, args->pos[i]))
                return false;
        }
        if (!add_star(r, v, &pos))
            return false;
        args->pos = pos.items;
        args->n_pos = pos.n;
    }
    if (node->star_star) {
        if (!drift_tmpl_eval(r, env, node->star_star, &v) || !add_star_star(r, v, &kw, &args->n_kw))
            return false;
        args->kw = kw;
    }
    return true;
}

bool drift_tmpl_eval_args(struct drift_tmpl_render *r, struct drift_tmpl_env *env,
                          const struct drift_tmpl_args_node *node, struct drift_tmpl_value caller,
                          struct drift_tmpl_args *ret)
{
    *ret = (struct drift_tmpl_args){0};
    struct drift_tmpl_value *pos = NULL;
    struct drift_tmpl_kwarg *kw = NULL;
    uint32_t n_kw = node->n_kw + (caller.type != DRIFT_TMPL_ABSENT);
    if (node->pos.n && !eval_list(r, env, &node->pos, &pos))
        return false;
    if (n_kw) {
        kw = drift_tmpl_alloc(r, n_kw, sizeof *kw);
        if (!kw)
            return false;
    }
    for (uint32_t i = 0; i < node->n_kw; i++) {
        kw[i].name = node->kw[i].name;
        if (!drift_tmpl_eval(r, env, node->kw[i].value, &kw[i].value))
            return false;
    }
    if (caller.type != DRIFT_TMPL_ABSENT)
        kw[node->n_kw] =
            (struct drift_tmpl_kwarg){.name = drift_tmpl_str("caller", 6), .value = caller};
    *ret = (struct drift_tmpl_args){.pos = pos, .n_pos = node->pos.n, .kw = kw, .n_kw = n_kw};
    return eval_stars(r, env, node, ret, kw);
}

static const struct drift_tmpl_builtin *method_of(struct drift_tmpl_value v,
                                                  const struct drift_tmpl_attr *attr)
{
    switch (v.type) {
    case DRIFT_TMPL_STRING:
        return attr->of_string;
    case DRIFT_TMPL_LIST:
        return attr->of_list;
    case DRIFT_TMPL_TUPLE:
        return attr->of_tuple;
    case DRIFT_TMPL_DICT:
        return attr->of_dict;
    default:
        return NULL;
    }
}

bool drift_tmpl_eval_call(struct drift_tmpl_render *r, struct drift_tmpl_env *env,
                          const struct drift_tmpl_node *node, struct drift_tmpl_value caller,
                          struct drift_tmpl_value *ret)
{
    const struct drift_tmpl_node *callee = node->call.callee;
    const struct drift_tmpl_builtin *method = NULL;
    struct drift_tmpl_value object = {0}, f = {0};
    struct drift_tmpl_args args;
    if (callee->kind == DRIFT_TMPL_NODE_GETATTR) { /* a method's call needs no method object */
        if (!drift_tmpl_eval(r, env, callee->get.object, &object))
            return false;
        r->line = callee->line;
        method = method_of(object, callee->get.attr);
        if (!method && object.type == DRIFT_TMPL_LOOP &&
            callee->get.attr->of_loop >= DRIFT_TMPL_LOOP_CYCLE) {
            return drift_tmpl_eval_args(r, env, node->call.args, caller, &args) &&
                   drift_tmpl_loop_call(r, object.loop,
                                        (enum drift_tmpl_loop_attr)callee->get.attr->of_loop, &args,
                                        ret);
        }
        if (!method && !drift_tmpl_getattr(r, object, callee->get.attr, &f))
            return false;
    } else if (!drift_tmpl_eval(r, env, callee, &f)) {
        return false;
    }
    if (!drift_tmpl_eval_args(r, env, node->call.args, caller, &args))
        return false;
    r->line = node->line;
    return method ? drift_tmpl_call_builtin(r, method, object, &args, ret)
                  : drift_tmpl_call(r, f, &args, ret);
}

static bool unknown_builtin(struct drift_tmpl_render *r, const struct drift_tmpl_node *node,
                            const char *what)
{
    return drift_tmpl_fail(r, DRIFT_STATUS_UNSUPPORTED, "there is no %s '%.*s'", what,
                           (int)(node->call.name.len < 80 ? node->call.name.len : 80),
                           node->call.name.s);
}

static bool eval_filter(struct drift_tmpl_render *r, struct drift_tmpl_env *env,
                        const struct drift_tmpl_node *node, struct drift_tmpl_value *ret)
{
    const char *what = node->kind == DRIFT_TMPL_NODE_FILTER ? "filter" : "test";
    struct drift_tmpl_value self;
    struct drift_tmpl_args args;
    r->line = node->line;
    if (!node->call.builtin)
        return unknown_builtin(r, node, what);
    if (!drift_tmpl_eval(r, env, node->call.callee, &self) ||
        !drift_tmpl_eval_args(r, env, node->call.args, (struct drift_tmpl_value){0}, &args))
        return false;
    r->line = node->line;
    return drift_tmpl_call_builtin(r, node->call.builtin, self, &args, ret);
}

/* ---- operators ---- */

static bool eval_unary(struct drift_tmpl_render *r, struct drift_tmpl_env *env,
                       const struct drift_tmpl_node *node, struct drift_tmpl_value *ret)
{
    struct drift_tmpl_value v;
    if (!drift_tmpl_eval(r, env, node->binary.left, &v))
        return false;
    if (node->op == DRIFT_TMPL_OP_NOT) {
        *ret = drift_tmpl_bool(!drift_tmpl_is_true(v));
        return true;
    }
    r->line = node->line;
    return drift_tmpl_negate(r, v, node->op == DRIFT_TMPL_OP_NEG, ret);
}

static bool eval_binary(struct drift_tmpl_render *r, struct drift_tmpl_env *env,
                        const struct drift_tmpl_node *node, struct drift_tmpl_value *ret)
{
    struct drift_tmpl_value a, b;
    if (!drift_tmpl_eval(r, env, node->binary.left, &a) ||
        !drift_tmpl_eval(r, env, node->binary.right, &b))
        return false;
    r->line = node->line;
    return drift_tmpl_arith(r, (enum drift_tmpl_op)node->op, a, b, ret);
}

static bool eval_concat(struct drift_tmpl_render *r, struct drift_tmpl_env *env,
                        const struct drift_tmpl_node *node, struct drift_tmpl_value *ret)
{
    struct drift_tmpl_value joined = drift_tmpl_str("", 0);
    for (uint32_t i = 0; i < node->list.n; i++) {
        struct drift_tmpl_value v, text;
        if (!drift_tmpl_eval(r, env, node->list.v[i], &v) || !drift_tmpl_to_text(r, v, &text) ||
            !drift_tmpl_join_text(r, joined, text, &joined))
            return false;
    }
    joined.flags &= (uint8_t)~DRIFT_TMPL_FLAG_SAFE;
    *ret = joined;
    return true;
}

static bool eval_logic(struct drift_tmpl_render *r, struct drift_tmpl_env *env,
                       const struct drift_tmpl_node *node, struct drift_tmpl_value *ret)
{
    if (!drift_tmpl_eval(r, env, node->binary.left, ret))
        return false;
    bool is_or = node->kind == DRIFT_TMPL_NODE_OR;
    return drift_tmpl_is_true(*ret) == is_or || drift_tmpl_eval(r, env, node->binary.right, ret);
}

static bool eval_compare(struct drift_tmpl_render *r, struct drift_tmpl_env *env,
                         const struct drift_tmpl_node *node, struct drift_tmpl_value *ret)
{
    struct drift_tmpl_value left, right;
    bool ok = drift_tmpl_eval(r, env, node->compare.first, &left), holds = true;
    for (uint32_t i = 0; ok && holds && i < node->compare.rest.n; i++) {
        ok = drift_tmpl_eval(r, env, node->compare.rest.v[i], &right);
        r->line = node->line;
        ok = ok &&
             drift_tmpl_compare(r, (enum drift_tmpl_op)node->compare.ops[i], left, right, &holds);
        left = right;
    }
    *ret = drift_tmpl_bool(holds);
    return ok;
}

static bool eval_cond(struct drift_tmpl_render *r, struct drift_tmpl_env *env,
                      const struct drift_tmpl_node *node, struct drift_tmpl_value *ret)
{
    struct drift_tmpl_value test;
    if (!drift_tmpl_eval(r, env, node->cond.test, &test))
        return false;
    const struct drift_tmpl_node *chosen =
        drift_tmpl_is_true(test) ? node->cond.yes : node->cond.no;
    if (chosen)
        return drift_tmpl_eval(r, env, chosen, ret);
    static const char why[] = "inline if without else";
    *ret = drift_tmpl_undefined(why, sizeof why - 1);
    return true;
}

static bool eval_name(struct drift_tmpl_env *env, const struct drift_tmpl_node *node,
                      struct drift_tmpl_value *ret)
{
    *ret = *slot_of(env, node->name.ref);
    if (ret->type == DRIFT_TMPL_ABSENT)
        *ret = drift_tmpl_undefined(node->name.name.s, node->name.name.len);
    return true;
}

static bool dispatch(struct drift_tmpl_render *r, struct drift_tmpl_env *env,
                     const struct drift_tmpl_node *node, struct drift_tmpl_value *ret)
{
    switch (node->kind) {
    case DRIFT_TMPL_NODE_TUPLE:
    case DRIFT_TMPL_NODE_LIST:
        return eval_sequence(r, env, node, ret);
    case DRIFT_TMPL_NODE_DICT:
        return eval_dict(r, env, node, ret);
    case DRIFT_TMPL_NODE_GETATTR:
    case DRIFT_TMPL_NODE_GETITEM:
        return eval_get(r, env, node, ret);
    case DRIFT_TMPL_NODE_CALL:
        return drift_tmpl_eval_call(r, env, node, (struct drift_tmpl_value){0}, ret);
    case DRIFT_TMPL_NODE_FILTER:
    case DRIFT_TMPL_NODE_TEST:
        return eval_filter(r, env, node, ret);
    case DRIFT_TMPL_NODE_UNARY:
        return eval_unary(r, env, node, ret);
    case DRIFT_TMPL_NODE_BINARY:
        return eval_binary(r, env, node, ret);
    case DRIFT_TMPL_NODE_CONCAT:
        return eval_concat(r, env, node, ret);
    case DRIFT_TMPL_NODE_AND:
    case DRIFT_TMPL_NODE_OR:
        return eval_logic(r, env, node, ret);
    case DRIFT_TMPL_NODE_COMPARE:
        return eval_compare(r, env, node, ret);
    case DRIFT_TMPL_NODE_COND:
        return eval_cond(r, env, node, ret);
    case DRIFT_TMPL_NODE_CAPTURED:
        *ret = r->captured;
        return true;
    default:
        return drift_tmpl_fail(r, DRIFT_STATUS_INTERNAL, "a node of an unexpected kind");
    }
}

bool drift_tmpl_eval(struct drift_tmpl_render *r, struct drift_tmpl_env *env,
                     const struct drift_tmpl_node *node, struct drift_tmpl_value *ret)
{
    if (!drift_tmpl_charge(r, 1))
        return false;
    if (node->kind == DRIFT_TMPL_NODE_CONST) {
        *ret = node->value;
        return true;
    }
    if (node->kind == DRIFT_TMPL_NODE_NAME)
        return eval_name(env, node, ret);
    if (!drift_tmpl_enter(r))
        return false;
    bool ok = dispatch(r, env, node, ret);
    drift_tmpl_leave(r);
    return ok;
}

/* ---- scopes and assignment ---- */

static struct drift_tmpl_value resolve(struct drift_tmpl_render *r, struct drift_tmpl_value name)
{
    const struct drift_tmpl_value *v = drift_tmpl_dict_get(r, r->context.dict, name);
    if (v)
        return *v;
    const struct drift_tmpl_builtin *f = drift_tmpl_find_function(name);
    if (f)
        return (struct drift_tmpl_value){.type = DRIFT_TMPL_FUNCTION, .function = f};
    return (struct drift_tmpl_value){0};
}

bool drift_tmpl_enter_scope(struct drift_tmpl_render *r, struct drift_tmpl_env *env,
                            const struct drift_tmpl_scope *scope)
{
    for (uint32_t i = 0; i < scope->n_loads; i++) {
        const struct drift_tmpl_load *load = &scope->loads[i];
        struct drift_tmpl_value *slot = &env->slots[load->slot];
        if (load->kind == DRIFT_TMPL_LOAD_RESOLVE)
            *slot = resolve(r, load->name);
        else if (load->kind == DRIFT_TMPL_LOAD_ALIAS)
            *slot = *slot_of(env, load->outer);
        else
            *slot = (struct drift_tmpl_value){0};
    }
    return !r->status && drift_tmpl_charge(r, scope->n_loads);
}

static bool unpack(struct drift_tmpl_render *r, struct drift_tmpl_env *env,
                   const struct drift_tmpl_nodes *targets, struct drift_tmpl_value v)
{
    const struct drift_tmpl_value *items;
    uint32_t n;
    if (!drift_tmpl_items(r, v, &items, &n))
        return false;
    if (n != targets->n)
        return drift_tmpl_fail(r, DRIFT_STATUS_INVALID, "%u values for %u variables", (unsigned)n,
                               (unsigned)targets->n);
    for (uint32_t i = 0; i < n; i++) {
        if (!drift_tmpl_assign(r, env, targets->v[i], items[i]))
            return false;
    }
    return true;
}

bool drift_tmpl_assign(struct drift_tmpl_render *r, struct drift_tmpl_env *env,
                       const struct drift_tmpl_node *target, struct drift_tmpl_value v)
{
    if (target->kind == DRIFT_TMPL_NODE_NAME) {
        *slot_of(env, target->name.ref) = v;
        return true;
    }
    if (target->kind == DRIFT_TMPL_NODE_TUPLE)
        return unpack(r, env, &target->list, v);
    struct drift_tmpl_value *ns = slot_of(env, target->name.ref);
    if (ns->type != DRIFT_TMPL_NAMESPACE)
        return drift_tmpl_fail(r, DRIFT_STATUS_INVALID, "only a namespace's attributes can be set");
    return drift_tmpl_namespace_set(r, ns->ns, target->name.attr, v);
}
