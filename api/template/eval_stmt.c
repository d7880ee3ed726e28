/* Statements. */
#include "api/template/eval.h"

static enum drift_tmpl_flow flow_of(bool ok)
{
    return ok ? DRIFT_TMPL_FLOW_NEXT : DRIFT_TMPL_FLOW_ERROR;
}

static enum drift_tmpl_flow run_if(struct drift_tmpl_render *r, struct drift_tmpl_env *env,
                                   const struct drift_tmpl_node *node)
{
    for (uint32_t i = 0; i < node->branches.n; i++) {
        const struct drift_tmpl_branch *branch = &node->branches.v[i];
        struct drift_tmpl_value test = drift_tmpl_bool(true);
        if (branch->test && !drift_tmpl_eval(r, env, branch->test, &test))
            return DRIFT_TMPL_FLOW_ERROR;
        if (drift_tmpl_is_true(test))
            return drift_tmpl_run(r, env, &branch->body);
    }
    return DRIFT_TMPL_FLOW_NEXT;
}

static enum drift_tmpl_flow run_else(struct drift_tmpl_render *r, struct drift_tmpl_env *env,
                                     const struct drift_tmpl_for *node)
{
    if (!node->else_body.n)
        return DRIFT_TMPL_FLOW_NEXT;
    if (!drift_tmpl_enter_scope(r, env, &node->else_scope))
        return DRIFT_TMPL_FLOW_ERROR;
    return drift_tmpl_run(r, env, &node->else_body);
}

static enum drift_tmpl_flow run_for(struct drift_tmpl_render *r, struct drift_tmpl_env *env,
                                    const struct drift_tmpl_node *node)
{
    const struct drift_tmpl_for *f = node->loop;
    struct drift_tmpl_value iter;
    struct drift_tmpl_loop on_stack = {0}, *loop = &on_stack;
    bool completed = false; /* as in jinja2, a body left by break or continue does not count */
    if (!drift_tmpl_eval(r, env, f->iter, &iter))
        return DRIFT_TMPL_FLOW_ERROR;
    r->line = node->line;
    if (f->loop_slot != UINT16_MAX && !(loop = drift_tmpl_alloc(r, 1, sizeof *loop)))
        return DRIFT_TMPL_FLOW_ERROR; /* a loop that can be seen can be kept */
    loop->node = f;
    loop->env = env;
    loop->index0 = -1;
    loop->length = -1;
    if (!drift_tmpl_cursor_init(r, &loop->cursor, iter))
        return DRIFT_TMPL_FLOW_ERROR;
    for (;;) {
        bool more = false;
        if (!drift_tmpl_loop_next(r, loop, &more))
            return DRIFT_TMPL_FLOW_ERROR;
        if (!more)
            break;
        r->line = node->line;
        if (f->loop_slot != UINT16_MAX)
            env->slots[f->loop_slot] =
                (struct drift_tmpl_value){.type = DRIFT_TMPL_LOOP, .loop = loop};
        if (!drift_tmpl_assign(r, env, f->target, loop->current) ||
            !drift_tmpl_enter_scope(r, env, &f->scope))
            return DRIFT_TMPL_FLOW_ERROR;
        enum drift_tmpl_flow flow = drift_tmpl_run(r, env, &f->body);
        if (flow == DRIFT_TMPL_FLOW_ERROR)
            return flow;
        completed |= flow == DRIFT_TMPL_FLOW_NEXT;
        if (flow == DRIFT_TMPL_FLOW_BREAK)
            break;
    }
    return completed ? DRIFT_TMPL_FLOW_NEXT : run_else(r, env, f);
}

static bool run_set(struct drift_tmpl_render *r, struct drift_tmpl_env *env,
                    const struct drift_tmpl_node *node)
{
    struct drift_tmpl_value v;
    return drift_tmpl_eval(r, env, node->set.value, &v) && (r->line = node->line, true) &&
           drift_tmpl_assign(r, env, node->set.target, v);
}

/* Run a body and take what it wrote; a jump out of it drops that. */
static enum drift_tmpl_flow capture(struct drift_tmpl_render *r, struct drift_tmpl_env *env,
                                    const struct drift_tmpl_scope *scope,
                                    const struct drift_tmpl_nodes *body,
                                    struct drift_tmpl_value *ret)
{
    size_t start = drift_tmpl_capture_begin(r);
    if (!drift_tmpl_enter_scope(r, env, scope))
        return DRIFT_TMPL_FLOW_ERROR;
    enum drift_tmpl_flow flow = drift_tmpl_run(r, env, body);
    if (flow != DRIFT_TMPL_FLOW_NEXT) {
        if (flow != DRIFT_TMPL_FLOW_ERROR)
            drift_tmpl_capture_drop(r, start);
        return flow;
    }
    return flow_of(drift_tmpl_capture_end(r, start, ret));
}

/* Apply a block's filters, if any, to the text it captured. */
static bool filter_captured(struct drift_tmpl_render *r, struct drift_tmpl_env *env,
                            const struct drift_tmpl_node *filter, struct drift_tmpl_value *text)
{
    struct drift_tmpl_value saved = r->captured;
    r->captured = *text;
    bool ok = !filter || drift_tmpl_eval(r, env, filter, text);
    r->captured = saved;
    return ok;
}

static enum drift_tmpl_flow run_set_block(struct drift_tmpl_render *r, struct drift_tmpl_env *env,
                                          const struct drift_tmpl_node *node)
{
    struct drift_tmpl_value text;
    enum drift_tmpl_flow flow = capture(r, env, &node->set.scope, &node->set.body, &text);
    if (flow != DRIFT_TMPL_FLOW_NEXT)
        return flow;
    return flow_of(filter_captured(r, env, node->set.value, &text) &&
                   drift_tmpl_assign(r, env, node->set.target, text));
}

static enum drift_tmpl_flow run_filter_block(struct drift_tmpl_render *r,
                                             struct drift_tmpl_env *env,
                                             const struct drift_tmpl_node *node)
{
    struct drift_tmpl_value text;
    enum drift_tmpl_flow flow = capture(r, env, &node->block.scope, &node->block.body, &text);
    if (flow != DRIFT_TMPL_FLOW_NEXT)
        return flow;
    return flow_of(filter_captured(r, env, node->block.filter, &text) && drift_tmpl_print(r, text));
}

static bool new_macro(struct drift_tmpl_render *r, struct drift_tmpl_env *env,
                      const struct drift_tmpl_node *node, struct drift_tmpl_value *ret)
{
    struct drift_tmpl_macro *macro = drift_tmpl_alloc(r, 1, sizeof *macro);
    if (!macro)
        return false;
    *macro = (struct drift_tmpl_macro){.function = node->macro.function, .env = env};
    *ret = (struct drift_tmpl_value){.type = DRIFT_TMPL_MACRO, .macro = macro};
    return true;
}

static bool run_macro(struct drift_tmpl_render *r, struct drift_tmpl_env *env,
                      const struct drift_tmpl_node *node)
{
    return new_macro(r, env, node, &env->slots[node->macro.ref.slot]);
}

static bool run_call_block(struct drift_tmpl_render *r, struct drift_tmpl_env *env,
                           const struct drift_tmpl_node *node)
{
    struct drift_tmpl_value caller, v;
    return new_macro(r, env, node, &caller) &&
           drift_tmpl_eval_call(r, env, node->macro.call, caller, &v) && drift_tmpl_print(r, v);
}

static enum drift_tmpl_flow run_block(struct drift_tmpl_render *r, struct drift_tmpl_env *env,
                                      const struct drift_tmpl_node *node)
{
    struct drift_tmpl_value v;
    /* all values first: they may read names that the targets hide */
    struct drift_tmpl_list_builder values = {0};
    for (uint32_t i = 0; i < node->block.values.n; i++) {
        if (!drift_tmpl_eval(r, env, node->block.values.v[i], &v) ||
            !drift_tmpl_list_push(r, &values, v))
            return DRIFT_TMPL_FLOW_ERROR;
    }
    for (uint32_t i = 0; i < node->block.targets.n; i++) {
        if (!drift_tmpl_assign(r, env, node->block.targets.v[i], values.items[i]))
            return DRIFT_TMPL_FLOW_ERROR;
    }
    if (!drift_tmpl_enter_scope(r, env, &node->block.scope))
        return DRIFT_TMPL_FLOW_ERROR;
    return drift_tmpl_run(r, env, &node->block.body);
}

static enum drift_tmpl_flow run_node(struct drift_tmpl_render *r, struct drift_tmpl_env *env,
                                     const struct drift_tmpl_node *node)
{
    struct drift_tmpl_value v;
    switch (node->kind) {
    case DRIFT_TMPL_NODE_TEXT:
        return flow_of(drift_tmpl_write(r, node->value.s, node->value.len));
    case DRIFT_TMPL_NODE_PRINT:
        return flow_of(drift_tmpl_eval(r, env, node->print, &v) && drift_tmpl_print(r, v));
    case DRIFT_TMPL_NODE_IF:
        return run_if(r, env, node);
    case DRIFT_TMPL_NODE_FOR:
        return run_for(r, env, node);
    case DRIFT_TMPL_NODE_SET:
        return flow_of(run_set(r, env, node));
    case DRIFT_TMPL_NODE_SET_BLOCK:
        return run_set_block(r, env, node);
    case DRIFT_TMPL_NODE_MACRO:
        return flow_of(run_macro(r, env, node));
    case DRIFT_TMPL_NODE_CALL_BLOCK:
        return flow_of(run_call_block(r, env, node));
    case DRIFT_TMPL_NODE_FILTER_BLOCK:
        return run_filter_block(r, env, node);
    case DRIFT_TMPL_NODE_WITH:
    case DRIFT_TMPL_NODE_SCOPE:
        return run_block(r, env, node);
    case DRIFT_TMPL_NODE_BREAK:
        return DRIFT_TMPL_FLOW_BREAK;
    case DRIFT_TMPL_NODE_CONTINUE:
        return DRIFT_TMPL_FLOW_CONTINUE;
    default:
        return flow_of(drift_tmpl_fail(r, DRIFT_STATUS_INTERNAL, "a node of an unexpected kind"));
    }
}

enum drift_tmpl_flow drift_tmpl_run(struct drift_tmpl_render *r, struct drift_tmpl_env *env,
                                    const struct drift_tmpl_nodes *body)
{
    enum drift_tmpl_flow flow = flow_of(drift_tmpl_enter(r));
    for (uint32_t i = 0; flow == DRIFT_TMPL_FLOW_NEXT && i < body->n; i++) {
        r->line = body->v[i]->line;
        flow = drift_tmpl_charge(r, 1) ? run_node(r, env, body->v[i]) : DRIFT_TMPL_FLOW_ERROR;
    }
    drift_tmpl_leave(r);
    return flow;
}
