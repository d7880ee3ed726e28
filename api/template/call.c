/* Calling what can be called: built-in functions, methods and macros. */
#include "api/template/eval.h"

const struct drift_tmpl_builtin *drift_tmpl_find_builtin(const struct drift_tmpl_builtin *table,
                                                         size_t n, struct drift_tmpl_value name)
{
    for (size_t i = 0; i < n; i++) {
        if (drift_tmpl_text_is(name, table[i].name))
            return &table[i];
    }
    return NULL;
}

void drift_tmpl_attr_init(struct drift_tmpl_attr *attr, struct drift_tmpl_value name)
{
    *attr = (struct drift_tmpl_attr){
        .name = name,
        .of_string = drift_tmpl_find_string_method(name),
        .of_list = drift_tmpl_find_list_method(name),
        .of_tuple = drift_tmpl_find_tuple_method(name),
        .of_dict = drift_tmpl_find_dict_method(name),
        .of_loop = (uint8_t)drift_tmpl_loop_attr_find(name),
    };
}

/* The position of a parameter in "a b c", -1 when there is none of that name. */
static int find_param(const char *params, struct drift_tmpl_value name)
{
    for (int i = 0; *params; i++) {
        size_t len = strcspn(params, " ");
        if (len == name.len && !memcmp(params, name.s, len))
            return i;
        params += len;
        params += *params == ' ';
    }
    return -1;
}

static uint32_t count_params(const char *params)
{
    uint32_t n = *params != '\0';
    for (; *params; params++)
        n += *params == ' ';
    return n;
}

static bool bind_params(struct drift_tmpl_render *r, const struct drift_tmpl_builtin *b,
                        const struct drift_tmpl_args *args,
                        struct drift_tmpl_value v[DRIFT_TMPL_MAX_PARAMS])
{
    uint32_t n = count_params(b->params);
    if (args->n_pos > n)
        return drift_tmpl_fail(r, DRIFT_STATUS_INVALID, "'%s' takes at most %u arguments", b->name,
                               (unsigned)n);
    for (uint32_t i = 0; i < args->n_pos; i++)
        v[i] = args->pos[i];
    for (uint32_t i = 0; i < args->n_kw; i++) {
        int at = find_param(b->params, args->kw[i].name);
        if (at < 0 || v[at].type != DRIFT_TMPL_ABSENT)
            return drift_tmpl_fail(r, DRIFT_STATUS_INVALID,
                                   "'%s' does not take the argument '%.*s'%s", b->name,
                                   (int)(args->kw[i].name.len < 60 ? args->kw[i].name.len : 60),
                                   args->kw[i].name.s, at < 0 ? "" : " twice");
        v[at] = args->kw[i].value;
    }
    for (uint32_t i = 0; i < b->n_required; i++) {
        if (v[i].type == DRIFT_TMPL_ABSENT)
            return drift_tmpl_fail(r, DRIFT_STATUS_INVALID, "'%s' needs %u arguments", b->name,
                                   (unsigned)b->n_required);
    }
    return true;
}

bool drift_tmpl_call_builtin(struct drift_tmpl_render *r, const struct drift_tmpl_builtin *b,
                             struct drift_tmpl_value self, const struct drift_tmpl_args *args,
                             struct drift_tmpl_value *ret)
{
    struct drift_tmpl_value v[DRIFT_TMPL_MAX_PARAMS] = {{0}};
    if (!drift_tmpl_charge(r, 1))
        return false;
    if (!b->params)
        return b->fn(r, self, NULL, args, ret);
    return bind_params(r, b, args, v) && b->fn(r, self, v, args, ret);
}

/* ---- macros ---- */

static uint32_t find_parameter(const struct drift_tmpl_function *f, struct drift_tmpl_value name)
{
    uint32_t i = 0;
    while (i < f->params.n && !drift_tmpl_text_equal(f->params.v[i]->name.name, name))
        i++;
    return i;
}

static bool collect_varargs(struct drift_tmpl_render *r, const struct drift_tmpl_function *f,
                            const struct drift_tmpl_args *args, struct drift_tmpl_env *env)
{
    uint32_t n = args->n_pos > f->params.n ? args->n_pos - f->params.n : 0;
    if (f->varargs_slot != UINT16_MAX) {
        env->slots[f->varargs_slot] =
            drift_tmpl_seq(DRIFT_TMPL_TUPLE, n ? args->pos + f->params.n : NULL, n);
    } else if (n) {
        return drift_tmpl_fail(r, DRIFT_STATUS_INVALID, "macro '%.*s' takes at most %u arguments",
                               (int)(f->name.len < 60 ? f->name.len : 60),
                               f->name.len ? f->name.s : "", (unsigned)f->params.n);
    }
    return true;
}

/* Keywords go to parameters by name, "caller" to the caller, the rest to kwargs or nowhere. */
static bool bind_keywords(struct drift_tmpl_render *r, const struct drift_tmpl_function *f,
                          const struct drift_tmpl_args *args, struct drift_tmpl_env *env)
{
    struct drift_tmpl_dict *kwargs = NULL;
    if (f->kwargs_slot != UINT16_MAX && !(kwargs = drift_tmpl_dict_new(r, args->n_kw)))
        return false;
    if (f->caller_slot != UINT16_MAX) {
        static const char why[] = "caller";
        env->slots[f->caller_slot] = drift_tmpl_undefined(why, sizeof why - 1);
    }
    for (uint32_t i = 0; i < args->n_kw; i++) {
        const struct drift_tmpl_kwarg *kw = &args->kw[i];
        uint32_t at = find_parameter(f, kw->name);
        if (at < f->params.n && at >= args->n_pos) {
            env->slots[f->params.v[at]->name.ref.slot] = kw->value;
        } else if (f->caller_slot != UINT16_MAX && drift_tmpl_text_is(kw->name, "caller")) {
            if (kw->value.type != DRIFT_TMPL_NONE)
                env->slots[f->caller_slot] = kw->value;
        } else if (kwargs) {
            kwargs->entries[kwargs->n++] =
                (struct drift_tmpl_entry){.key = kw->name, .value = kw->value};
        } else {
            return drift_tmpl_fail(r, DRIFT_STATUS_INVALID, "the macro takes no keyword '%.*s'",
                                   (int)(kw->name.len < 60 ? kw->name.len : 60), kw->name.s);
        }
    }
    return !kwargs || drift_tmpl_dict_finish(r, kwargs, &env->slots[f->kwargs_slot]);
}

static bool fill_defaults(struct drift_tmpl_render *r, const struct drift_tmpl_function *f,
                          struct drift_tmpl_env *env)
{
    for (uint32_t i = 0; i < f->params.n; i++) {
        const struct drift_tmpl_node *param = f->params.v[i];
        struct drift_tmpl_value *slot = &env->slots[param->name.ref.slot];
        uint32_t n_without = f->params.n - f->defaults.n;
        if (slot->type != DRIFT_TMPL_ABSENT)
            continue;
        if (i < n_without)
            *slot = drift_tmpl_undefined(param->name.name.s, param->name.name.len);
        else if (!drift_tmpl_eval(r, env, f->defaults.v[i - n_without], slot))
            return false;
    }
    return true;
}

static bool run_macro(struct drift_tmpl_render *r, const struct drift_tmpl_macro *macro,
                      const struct drift_tmpl_args *args, struct drift_tmpl_value *ret)
{
    const struct drift_tmpl_function *f = macro->function;
    /* in the arena: macros defined inside keep these slots */
    struct drift_tmpl_env *env = drift_tmpl_alloc(r, 1, sizeof *env);
    if (!env)
        return false;
    env->outer = macro->env;
    env->slots = drift_tmpl_alloc(r, f->n_slots + 1u, sizeof *env->slots);
    if (!env->slots)
        return false;
    for (uint32_t i = 0; i < args->n_pos && i < f->params.n; i++)
        env->slots[f->params.v[i]->name.ref.slot] = args->pos[i];
    if (!collect_varargs(r, f, args, env) || !bind_keywords(r, f, args, env) ||
        !drift_tmpl_enter_scope(r, env, &f->scope) || !fill_defaults(r, f, env))
        return false;
    size_t start = drift_tmpl_capture_begin(r);
    return drift_tmpl_run(r, env, &f->body) != DRIFT_TMPL_FLOW_ERROR &&
           drift_tmpl_capture_end(r, start, ret);
}

bool drift_tmpl_call_macro(struct drift_tmpl_render *r, const struct drift_tmpl_macro *macro,
                           const struct drift_tmpl_args *args, struct drift_tmpl_value *ret)
{
    struct drift_tmpl_value captured = r->captured;
    uint32_t line = r->line;
    if (!drift_tmpl_enter(r) || !drift_tmpl_charge(r, macro->function->n_slots))
        return false;
    bool ok = run_macro(r, macro, args, ret);
    drift_tmpl_leave(r);
    r->captured = captured;
    if (ok)
        r->line = line;
    return ok;
}

/* A joiner is empty the first time it is called. */
static bool call_joiner(struct drift_tmpl_render *r, struct drift_tmpl_cycler *joiner,
                        const struct drift_tmpl_args *args, struct drift_tmpl_value *ret)
{
    if (args->n_pos || args->n_kw)
        return drift_tmpl_fail(r, DRIFT_STATUS_INVALID, "a joiner takes no arguments");
    *ret = joiner->i_next++ ? joiner->items : drift_tmpl_str("", 0);
    return true;
}

bool drift_tmpl_call(struct drift_tmpl_render *r, struct drift_tmpl_value callee,
                     const struct drift_tmpl_args *args, struct drift_tmpl_value *ret)
{
    switch (callee.type) {
    case DRIFT_TMPL_MACRO:
        return drift_tmpl_call_macro(r, callee.macro, args, ret);
    case DRIFT_TMPL_FUNCTION:
        return drift_tmpl_call_builtin(r, callee.function, (struct drift_tmpl_value){0}, args, ret);
    case DRIFT_TMPL_METHOD:
        return drift_tmpl_call_builtin(r, callee.method->builtin, callee.method->self, args, ret);
    case DRIFT_TMPL_JOINER:
        return call_joiner(r, callee.cycler, args, ret);
    case DRIFT_TMPL_UNDEFINED:
        return drift_tmpl_fail_undefined(r, callee);
    default:
        return drift_tmpl_fail(r, DRIFT_STATUS_INVALID, "'%s' can't be called",
                               drift_tmpl_type_name(callee));
    }
}
