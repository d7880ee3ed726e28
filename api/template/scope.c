/*
 * Two walks over each scope: collect() notes the names it loads and stores, in the order of
 * execution and without entering the scopes inside it; bind() then gives every name its slot and
 * opens those.
 */
#include "api/template/scope.h"

#include "runtime/base/hash.h"

#include <string.h>

#define MAX_WALK_DEPTH 1000u
#define NO_SLOT        UINT16_MAX

struct symbol {
    struct symbol *next, *next_stored;
    struct drift_tmpl_value name;
    uint64_t hash;
    uint16_t slot;
    uint8_t load;
    bool stored, used;
    struct drift_tmpl_ref outer;
};

struct frame {
    struct frame *parent;
    struct drift_tmpl_function *function;
    struct symbol *first, *last, *first_stored, *last_stored;
    uint32_t n;
    bool in_loop;
};

struct resolver {
    struct drift_template *tmpl;
    struct drift_error *err;
    enum drift_status status;
    uint32_t depth, n_symbols;
};

static void collect(struct resolver *rs, struct frame *f, const struct drift_tmpl_node *node);
static void bind(struct resolver *rs, struct frame *f, struct drift_tmpl_node *node);

static void fail(struct resolver *rs, enum drift_status status, uint32_t line, const char *what)
{
    if (!rs->status)
        rs->status = drift_error_set(rs->err, status, 0, "line %u: %s", (unsigned)line, what);
}

static void *alloc(struct resolver *rs, size_t n, size_t size)
{
    void *block = drift_arena_alloc(&rs->tmpl->arena, n, size);
    if (!block)
        fail(rs, DRIFT_STATUS_NO_MEMORY, 0, "out of memory");
    return block;
}

/* ---- symbols ---- */

static struct symbol *find_own(const struct frame *f, struct drift_tmpl_value name, uint64_t hash)
{
    for (struct symbol *s = f->first; s; s = s->next) {
        if (s->hash == hash && s->name.len == name.len && !memcmp(s->name.s, name.s, name.len))
            return s;
    }
    return NULL;
}

/* The symbol in f or the nearest frame around it, and how to reach it from f. */
static struct symbol *find(const struct frame *f, struct drift_tmpl_value name,
                           struct drift_tmpl_ref *ret)
{
    uint64_t hash = drift_hash64(name.s, name.len, 0);
    uint16_t hops = 0;
    for (; f; f = f->parent) {
        struct symbol *s = find_own(f, name, hash);
        if (s) {
            *ret = (struct drift_tmpl_ref){.hops = hops, .slot = s->slot};
            return s;
        }
        if (f->parent && f->parent->function != f->function)
            hops++;
    }
    return NULL;
}

static struct symbol *define(struct resolver *rs, struct frame *f, struct drift_tmpl_value name,
                             enum drift_tmpl_load_kind load)
{
    if (++rs->n_symbols > DRIFT_TMPL_MAX_SLOTS) {
        fail(rs, DRIFT_STATUS_LIMIT, 0, "too many different names");
        return NULL;
    }
    struct symbol *s = alloc(rs, 1, sizeof *s);
    if (!s)
        return NULL;
    s->name = name;
    s->hash = drift_hash64(name.s, name.len, 0);
    s->slot = f->function->n_slots++;
    s->load = (uint8_t)load;
    if (f->last)
        f->last->next = s;
    else
        f->first = s;
    f->last = s;
    f->n++;
    return s;
}

static struct symbol *own(const struct frame *f, struct drift_tmpl_value name)
{
    return find_own(f, name, drift_hash64(name.s, name.len, 0));
}

static void mark_stored(struct frame *f, struct symbol *s)
{
    if (!s || s->stored)
        return;
    s->stored = true;
    if (f->last_stored)
        f->last_stored->next_stored = s;
    else
        f->first_stored = s;
    f->last_stored = s;
}

static void load_name(struct resolver *rs, struct frame *f, struct drift_tmpl_value name)
{
    struct drift_tmpl_ref ref;
    if (!find(f, name, &ref))
        define(rs, f, name, DRIFT_TMPL_LOAD_RESOLVE);
}

static void store_name(struct resolver *rs, struct frame *f, struct drift_tmpl_value name,
                       uint32_t line)
{
    if (f->in_loop && drift_tmpl_text_is(name, "loop"))
        fail(rs, DRIFT_STATUS_CORRUPT, line, "'loop' can't be assigned inside a loop");
    struct symbol *s = own(f, name);
    if (!s) {
        struct drift_tmpl_ref outer;
        bool alias = f->parent && find(f, name, &outer);
        s = define(rs, f, name, alias ? DRIFT_TMPL_LOAD_ALIAS : DRIFT_TMPL_LOAD_UNDEFINED);
        if (s && alias)
            s->outer = outer;
    }
    mark_stored(f, s);
}

static struct symbol *declare_parameter(struct resolver *rs, struct frame *f,
                                        struct drift_tmpl_value name)
{
    struct symbol *s = own(f, name);
    if (!s)
        s = define(rs, f, name, DRIFT_TMPL_LOAD_PARAMETER);
    else
        s->load = DRIFT_TMPL_LOAD_PARAMETER;
    mark_stored(f, s);
    return s;
}

/* ---- first walk ---- */

static void collect_list(struct resolver *rs, struct frame *f, const struct drift_tmpl_nodes *list)
{
    for (uint32_t i = 0; i < list->n && !rs->status; i++)
        collect(rs, f, list->v[i]);
}

static void collect_args(struct resolver *rs, struct frame *f,
                         const struct drift_tmpl_args_node *args)
{
    collect_list(rs, f, &args->pos);
    for (uint32_t i = 0; i < args->n_kw; i++)
        collect(rs, f, args->kw[i].value);
    collect(rs, f, args->star);
    collect(rs, f, args->star_star);
}

static void collect_target(struct resolver *rs, struct frame *f,
                           const struct drift_tmpl_node *target, bool as_parameter)
{
    if (target->kind == DRIFT_TMPL_NODE_TUPLE) {
        for (uint32_t i = 0; i < target->list.n && !rs->status; i++)
            collect_target(rs, f, target->list.v[i], as_parameter);
    } else if (target->kind == DRIFT_TMPL_NODE_NSREF) {
        load_name(rs, f, target->name.name);
    } else if (as_parameter) {
        declare_parameter(rs, f, target->name.name);
    } else {
        store_name(rs, f, target->name.name, target->line);
    }
}

/* What was first stored inside the branches may not have been: it starts as what is outside. */
static void collect_if(struct resolver *rs, struct frame *f, const struct drift_tmpl_node *node)
{
    if (node->branches.n)
        collect(rs, f, node->branches.v[0].test);
    struct symbol *before = f->last_stored;
    for (uint32_t i = 0; i < node->branches.n && !rs->status; i++) {
        if (i)
            collect(rs, f, node->branches.v[i].test);
        collect_list(rs, f, &node->branches.v[i].body);
    }
    struct symbol *s = before ? before->next_stored : f->first_stored;
    for (; s; s = s->next_stored) {
        struct drift_tmpl_ref outer;
        bool alias = f->parent && find(f->parent, s->name, &outer);
        s->load = alias ? DRIFT_TMPL_LOAD_ALIAS : DRIFT_TMPL_LOAD_RESOLVE;
        if (alias) {
            s->outer = outer;
            s->outer.hops = (uint16_t)(outer.hops + (f->parent->function != f->function));
        }
    }
}

static void collect_expression(struct resolver *rs, struct frame *f,
                               const struct drift_tmpl_node *node)
{
    switch (node->kind) {
    case DRIFT_TMPL_NODE_NAME:
        load_name(rs, f, node->name.name);
        break;
    case DRIFT_TMPL_NODE_TUPLE:
    case DRIFT_TMPL_NODE_LIST:
    case DRIFT_TMPL_NODE_DICT:
    case DRIFT_TMPL_NODE_CONCAT:
        collect_list(rs, f, &node->list);
        break;
    case DRIFT_TMPL_NODE_GETATTR:
    case DRIFT_TMPL_NODE_GETITEM:
        collect(rs, f, node->get.object);
        collect(rs, f, node->get.key);
        break;
    case DRIFT_TMPL_NODE_SLICE:
        collect(rs, f, node->slice.start);
        collect(rs, f, node->slice.stop);
        collect(rs, f, node->slice.step);
        break;
    case DRIFT_TMPL_NODE_CALL:
    case DRIFT_TMPL_NODE_FILTER:
    case DRIFT_TMPL_NODE_TEST:
        collect(rs, f, node->call.callee);
        collect_args(rs, f, node->call.args);
        break;
    case DRIFT_TMPL_NODE_UNARY:
    case DRIFT_TMPL_NODE_BINARY:
    case DRIFT_TMPL_NODE_AND:
    case DRIFT_TMPL_NODE_OR:
        collect(rs, f, node->binary.left);
        collect(rs, f, node->binary.right);
        break;
    case DRIFT_TMPL_NODE_COMPARE:
        collect(rs, f, node->compare.first);
        collect_list(rs, f, &node->compare.rest);
        break;
    case DRIFT_TMPL_NODE_COND:
        collect(rs, f, node->cond.test);
        collect(rs, f, node->cond.yes);
        collect(rs, f, node->cond.no);
        break;
    default:
        break;
    }
}

static void collect_statement(struct resolver *rs, struct frame *f,
                              const struct drift_tmpl_node *node)
{
    switch (node->kind) {
    case DRIFT_TMPL_NODE_PRINT:
        collect(rs, f, node->print);
        break;
    case DRIFT_TMPL_NODE_IF:
        collect_if(rs, f, node);
        break;
    case DRIFT_TMPL_NODE_FOR:
        collect(rs, f, node->loop->iter);
        break;
    case DRIFT_TMPL_NODE_SET:
        collect(rs, f, node->set.value);
        collect_target(rs, f, node->set.target, false);
        break;
    case DRIFT_TMPL_NODE_SET_BLOCK:
        collect_target(rs, f, node->set.target, false);
        break;
    case DRIFT_TMPL_NODE_MACRO:
        store_name(rs, f, node->macro.function->name, node->line);
        break;
    case DRIFT_TMPL_NODE_CALL_BLOCK:
        collect(rs, f, node->macro.call);
        break;
    case DRIFT_TMPL_NODE_FILTER_BLOCK:
        collect(rs, f, node->block.filter);
        break;
    case DRIFT_TMPL_NODE_WITH:
        collect_list(rs, f, &node->block.values);
        break;
    default:
        break;
    }
}

static void collect(struct resolver *rs, struct frame *f, const struct drift_tmpl_node *node)
{
    if (!node || rs->status)
        return;
    if (++rs->depth > MAX_WALK_DEPTH)
        fail(rs, DRIFT_STATUS_LIMIT, node->line, "an expression is too long or too deep");
    else if (node->kind < DRIFT_TMPL_NODE_TEXT)
        collect_expression(rs, f, node);
    else
        collect_statement(rs, f, node);
    rs->depth--;
}

/* ---- second walk ---- */

static void bind_list(struct resolver *rs, struct frame *f, const struct drift_tmpl_nodes *list)
{
    for (uint32_t i = 0; i < list->n && !rs->status; i++)
        bind(rs, f, list->v[i]);
}

static void bind_args(struct resolver *rs, struct frame *f, const struct drift_tmpl_args_node *args)
{
    bind_list(rs, f, &args->pos);
    for (uint32_t i = 0; i < args->n_kw; i++)
        bind(rs, f, args->kw[i].value);
    bind(rs, f, args->star);
    bind(rs, f, args->star_star);
}

static void bind_name(struct resolver *rs, struct frame *f, struct drift_tmpl_value name,
                      struct drift_tmpl_ref *ret, uint32_t line)
{
    struct symbol *s = find(f, name, ret);
    if (s)
        s->used = true;
    else
        fail(rs, DRIFT_STATUS_INTERNAL, line, "a name without a scope");
}

static struct frame child_frame(struct frame *parent, struct drift_tmpl_function *function)
{
    return (struct frame){
        .parent = parent, .function = function, .in_loop = parent && parent->in_loop};
}

/* Turn a finished frame's symbols into what entering the scope does. */
static void finish_frame(struct resolver *rs, const struct frame *f, struct drift_tmpl_scope *ret)
{
    if (rs->status)
        return;
    struct drift_tmpl_load *loads = alloc(rs, f->n ? f->n : 1, sizeof *loads);
    if (!loads)
        return;
    uint32_t n = 0;
    for (const struct symbol *s = f->first; s; s = s->next) {
        if (s->load == DRIFT_TMPL_LOAD_PARAMETER)
            continue;
        loads[n++] = (struct drift_tmpl_load){
            .name = s->name, .slot = s->slot, .kind = s->load, .outer = s->outer};
        if (s->load == DRIFT_TMPL_LOAD_RESOLVE)
            rs->tmpl->reads[rs->tmpl->n_reads++] = s->name;
    }
    *ret = (struct drift_tmpl_scope){.loads = loads, .n_loads = n};
}

static bool names_loop(const struct drift_tmpl_node *target)
{
    if (target->kind == DRIFT_TMPL_NODE_NAME)
        return drift_tmpl_text_is(target->name.name, "loop");
    for (uint32_t i = 0; target->kind == DRIFT_TMPL_NODE_TUPLE && i < target->list.n; i++) {
        if (names_loop(target->list.v[i]))
            return true;
    }
    return false;
}

static void bind_for(struct resolver *rs, struct frame *f, struct drift_tmpl_for *loop)
{
    if (names_loop(loop->target))
        fail(rs, DRIFT_STATUS_CORRUPT, loop->target->line, "'loop' can't be a loop's own variable");
    bind(rs, f, loop->iter);
    if (loop->test) {
        struct frame test = child_frame(f, f->function);
        collect_target(rs, &test, loop->test_target, true);
        collect(rs, &test, loop->test);
        bind(rs, &test, loop->test_target);
        bind(rs, &test, loop->test);
        finish_frame(rs, &test, &loop->test_scope);
    }
    struct frame body = child_frame(f, f->function);
    body.in_loop = true;
    struct symbol *s = declare_parameter(rs, &body, drift_tmpl_str("loop", 4));
    collect_target(rs, &body, loop->target, true);
    collect_list(rs, &body, &loop->body);
    bind(rs, &body, loop->target);
    bind_list(rs, &body, &loop->body);
    finish_frame(rs, &body, &loop->scope);
    loop->loop_slot = s && s->used ? s->slot : NO_SLOT;

    struct frame other = child_frame(f, f->function);
    other.in_loop = true;
    collect_list(rs, &other, &loop->else_body);
    bind_list(rs, &other, &loop->else_body);
    finish_frame(rs, &other, &loop->else_scope);
}

/* Names that a macro's body may use without declaring them; NO_SLOT where it does not. */
static struct symbol *special_parameter(struct resolver *rs, struct frame *f, const char *name)
{
    struct drift_tmpl_value v = drift_tmpl_str(name, strlen(name));
    struct symbol *s = own(f, v);
    return s && s->load == DRIFT_TMPL_LOAD_PARAMETER ? NULL : declare_parameter(rs, f, v);
}

static uint16_t used_slot(const struct symbol *s)
{
    return s && s->used ? s->slot : NO_SLOT;
}

static void bind_function(struct resolver *rs, struct frame *outer,
                          struct drift_tmpl_function *function)
{
    struct frame f = child_frame(outer, function);
    if (outer)
        outer->function->has_closures = true;
    for (uint32_t i = 0; i < function->params.n; i++)
        collect_target(rs, &f, function->params.v[i], true);
    struct symbol *caller = NULL, *kwargs = NULL, *varargs = NULL;
    if (outer) {
        caller = special_parameter(rs, &f, "caller");
        kwargs = special_parameter(rs, &f, "kwargs");
        varargs = special_parameter(rs, &f, "varargs");
    }
    collect_list(rs, &f, &function->defaults);
    collect_list(rs, &f, &function->body);
    bind_list(rs, &f, &function->params);
    bind_list(rs, &f, &function->defaults);
    bind_list(rs, &f, &function->body);
    finish_frame(rs, &f, &function->scope);
    function->caller_slot = used_slot(caller);
    function->kwargs_slot = used_slot(kwargs);
    function->varargs_slot = used_slot(varargs);
}

static void bind_block(struct resolver *rs, struct frame *f, struct drift_tmpl_node *node)
{
    struct frame inner = child_frame(f, f->function);
    bind_list(rs, f, &node->block.values);
    for (uint32_t i = 0; i < node->block.targets.n; i++)
        collect_target(rs, &inner, node->block.targets.v[i], true);
    collect_list(rs, &inner, &node->block.body);
    collect(rs, &inner, node->block.filter);
    bind_list(rs, &inner, &node->block.targets);
    bind_list(rs, &inner, &node->block.body);
    bind(rs, &inner, node->block.filter);
    finish_frame(rs, &inner, &node->block.scope);
}

static void bind_set_block(struct resolver *rs, struct frame *f, struct drift_tmpl_node *node)
{
    struct frame inner = child_frame(f, f->function);
    collect_list(rs, &inner, &node->set.body);
    collect(rs, &inner, node->set.value);
    bind_list(rs, &inner, &node->set.body);
    bind(rs, &inner, node->set.value);
    finish_frame(rs, &inner, &node->set.scope);
    bind(rs, f, node->set.target);
}

static void bind_expression(struct resolver *rs, struct frame *f, struct drift_tmpl_node *node)
{
    switch (node->kind) {
    case DRIFT_TMPL_NODE_NAME:
    case DRIFT_TMPL_NODE_NSREF:
        bind_name(rs, f, node->name.name, &node->name.ref, node->line);
        break;
    case DRIFT_TMPL_NODE_TUPLE:
    case DRIFT_TMPL_NODE_LIST:
    case DRIFT_TMPL_NODE_DICT:
    case DRIFT_TMPL_NODE_CONCAT:
        bind_list(rs, f, &node->list);
        break;
    case DRIFT_TMPL_NODE_GETATTR:
    case DRIFT_TMPL_NODE_GETITEM:
        bind(rs, f, node->get.object);
        bind(rs, f, node->get.key);
        break;
    case DRIFT_TMPL_NODE_SLICE:
        bind(rs, f, node->slice.start);
        bind(rs, f, node->slice.stop);
        bind(rs, f, node->slice.step);
        break;
    case DRIFT_TMPL_NODE_CALL:
    case DRIFT_TMPL_NODE_FILTER:
    case DRIFT_TMPL_NODE_TEST:
        bind(rs, f, node->call.callee);
        bind_args(rs, f, node->call.args);
        break;
    case DRIFT_TMPL_NODE_UNARY:
    case DRIFT_TMPL_NODE_BINARY:
    case DRIFT_TMPL_NODE_AND:
    case DRIFT_TMPL_NODE_OR:
        bind(rs, f, node->binary.left);
        bind(rs, f, node->binary.right);
        break;
    case DRIFT_TMPL_NODE_COMPARE:
        bind(rs, f, node->compare.first);
        bind_list(rs, f, &node->compare.rest);
        break;
    case DRIFT_TMPL_NODE_COND:
        bind(rs, f, node->cond.test);
        bind(rs, f, node->cond.yes);
        bind(rs, f, node->cond.no);
        break;
    default:
        break;
    }
}

static void bind_statement(struct resolver *rs, struct frame *f, struct drift_tmpl_node *node)
{
    switch (node->kind) {
    case DRIFT_TMPL_NODE_PRINT:
        bind(rs, f, node->print);
        break;
    case DRIFT_TMPL_NODE_IF:
        for (uint32_t i = 0; i < node->branches.n; i++) {
            bind(rs, f, node->branches.v[i].test);
            bind_list(rs, f, &node->branches.v[i].body);
        }
        break;
    case DRIFT_TMPL_NODE_FOR:
        bind_for(rs, f, node->loop);
        break;
    case DRIFT_TMPL_NODE_SET:
        bind(rs, f, node->set.value);
        bind(rs, f, node->set.target);
        break;
    case DRIFT_TMPL_NODE_SET_BLOCK:
        bind_set_block(rs, f, node);
        break;
    case DRIFT_TMPL_NODE_MACRO:
        bind_name(rs, f, node->macro.function->name, &node->macro.ref, node->line);
        bind_function(rs, f, node->macro.function);
        break;
    case DRIFT_TMPL_NODE_CALL_BLOCK:
        bind(rs, f, node->macro.call);
        bind_function(rs, f, node->macro.function);
        break;
    case DRIFT_TMPL_NODE_FILTER_BLOCK:
    case DRIFT_TMPL_NODE_WITH:
    case DRIFT_TMPL_NODE_SCOPE:
        bind_block(rs, f, node);
        break;
    default:
        break;
    }
}

static void bind(struct resolver *rs, struct frame *f, struct drift_tmpl_node *node)
{
    if (!node || rs->status)
        return;
    if (++rs->depth > MAX_WALK_DEPTH)
        fail(rs, DRIFT_STATUS_LIMIT, node->line, "an expression is too long or too deep");
    else if (node->kind < DRIFT_TMPL_NODE_TEXT)
        bind_expression(rs, f, node);
    else
        bind_statement(rs, f, node);
    rs->depth--;
}

enum drift_status drift_tmpl_resolve_names(struct drift_template *tmpl, struct drift_error *err)
{
    struct resolver rs = {.tmpl = tmpl, .err = err};
    tmpl->reads = alloc(&rs, DRIFT_TMPL_MAX_SLOTS, sizeof *tmpl->reads);
    if (!rs.status)
        bind_function(&rs, NULL, &tmpl->root);
    return rs.status;
}
