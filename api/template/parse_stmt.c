/* Statements: one function per tag, found in a table. */
#include "api/template/parse.h"

#include <string.h>

typedef struct drift_tmpl_node *(*parse_tag_fn)(struct drift_tmpl_parser *p, uint32_t line);

/* The tags that may end a body, up to three. */
struct ends {
    const char *v[3];
};

static struct drift_tmpl_node *parse_statement(struct drift_tmpl_parser *p);

static const char *match_end(const struct drift_tmpl_parser *p, const struct ends *ends)
{
    for (size_t i = 0; i < DRIFT_COUNT_OF(ends->v) && ends->v[i]; i++) {
        if (drift_tmpl_parse_is_name(&p->cur, ends->v[i]))
            return ends->v[i];
    }
    return NULL;
}

static struct drift_tmpl_node *parse_data(struct drift_tmpl_parser *p)
{
    struct drift_tmpl_node *node = drift_tmpl_parse_node(p, DRIFT_TMPL_NODE_TEXT, p->cur.line);
    if (node)
        node->value = p->cur.value;
    drift_tmpl_parse_advance(p);
    return node;
}

static struct drift_tmpl_node *print_node(struct drift_tmpl_parser *p,
                                          struct drift_tmpl_node *value)
{
    struct drift_tmpl_node *node =
        value ? drift_tmpl_parse_node(p, DRIFT_TMPL_NODE_PRINT, value->line) : NULL;
    if (node)
        node->print = value;
    return node;
}

/* Statements up to one of the end tags, whose name stays the current token; returns that name. */
static const char *parse_until(struct drift_tmpl_parser *p, const struct ends *ends,
                               struct drift_tmpl_nodes *ret)
{
    const char *end = NULL;
    uint32_t mark = drift_tmpl_parse_mark(p);
    if (!drift_tmpl_parse_enter(p))
        return NULL;
    while (!p->status && !end) {
        if (p->cur.type == DRIFT_TMPL_TOKEN_DATA) {
            drift_tmpl_parse_push(p, parse_data(p));
        } else if (drift_tmpl_parse_skip(p, DRIFT_TMPL_TOKEN_VARIABLE_BEGIN)) {
            drift_tmpl_parse_push(p, print_node(p, drift_tmpl_parse_tuple(p, 0)));
            (void)drift_tmpl_parse_expect(p, DRIFT_TMPL_TOKEN_VARIABLE_END);
        } else if (drift_tmpl_parse_skip(p, DRIFT_TMPL_TOKEN_BLOCK_BEGIN)) {
            end = match_end(p, ends);
            if (end)
                break;
            drift_tmpl_parse_push(p, parse_statement(p));
            (void)drift_tmpl_parse_expect(p, DRIFT_TMPL_TOKEN_BLOCK_END);
        } else if (ends->v[0]) {
            drift_tmpl_parse_fail(p, DRIFT_STATUS_CORRUPT, p->cur.line,
                                  "the template ends where '%s' was expected", ends->v[0]);
        } else {
            break;
        }
    }
    *ret = drift_tmpl_parse_take(p, mark);
    drift_tmpl_parse_leave(p);
    return end;
}

/* The rest of the opening tag, then its body. */
static const char *parse_body(struct drift_tmpl_parser *p, const struct ends *ends,
                              struct drift_tmpl_nodes *ret)
{
    drift_tmpl_parse_skip(p, DRIFT_TMPL_TOKEN_COLON);
    if (!drift_tmpl_parse_expect(p, DRIFT_TMPL_TOKEN_BLOCK_END))
        return NULL;
    return parse_until(p, ends, ret);
}

/* A body with one possible end, which is taken. */
static void parse_whole_body(struct drift_tmpl_parser *p, const char *end,
                             struct drift_tmpl_nodes *ret)
{
    if (parse_body(p, &(struct ends){{end}}, ret))
        drift_tmpl_parse_advance(p);
}

static struct drift_tmpl_node *parse_if(struct drift_tmpl_parser *p, uint32_t line)
{
    static const struct ends ends = {
        {"endif", "elif", "else"}
    };
    struct drift_tmpl_branch *branches = NULL;
    uint32_t n = 0, capacity = 0;
    const char *end = "if";
    while (!p->status && strcmp(end, "endif") != 0) {
        bool is_else = !strcmp(end, "else");
        if (n == capacity) {
            capacity = capacity ? capacity * 2 : 2;
            struct drift_tmpl_branch *grown = drift_tmpl_parse_alloc(p, capacity, sizeof *grown);
            if (!grown)
                return NULL;
            if (n)
                memcpy(grown, branches, n * sizeof *grown);
            branches = grown;
        }
        struct drift_tmpl_branch *branch = &branches[n++];
        *branch = (struct drift_tmpl_branch){0};
        if (is_else) {
            parse_whole_body(p, "endif", &branch->body);
            break;
        }
        branch->test = drift_tmpl_parse_tuple(p, DRIFT_TMPL_TUPLE_NO_COND);
        end = parse_body(p, &ends, &branch->body);
        drift_tmpl_parse_advance(p);
        if (!end)
            return NULL;
    }
    struct drift_tmpl_node *node = drift_tmpl_parse_node(p, DRIFT_TMPL_NODE_IF, line);
    if (node) {
        node->branches.v = branches;
        node->branches.n = n;
    }
    return node;
}

/* A second tree of the same names: the filter of a loop has variables of its own. */
static struct drift_tmpl_node *copy_target(struct drift_tmpl_parser *p,
                                           const struct drift_tmpl_node *target)
{
    struct drift_tmpl_node *copy =
        drift_tmpl_parse_node(p, (enum drift_tmpl_node_kind)target->kind, target->line);
    if (!copy)
        return NULL;
    *copy = *target;
    if (target->kind == DRIFT_TMPL_NODE_TUPLE) {
        uint32_t mark = drift_tmpl_parse_mark(p);
        for (uint32_t i = 0; i < target->list.n; i++)
            drift_tmpl_parse_push(p, copy_target(p, target->list.v[i]));
        copy->list = drift_tmpl_parse_take(p, mark);
    }
    return copy;
}

static struct drift_tmpl_node *parse_for(struct drift_tmpl_parser *p, uint32_t line)
{
    static const struct ends ends = {
        {"endfor", "else"}
    };
    struct drift_tmpl_for *loop = drift_tmpl_parse_alloc(p, 1, sizeof *loop);
    if (!loop)
        return NULL;
    loop->target = drift_tmpl_parse_target(p, DRIFT_TMPL_TUPLE_FOR);
    if (!drift_tmpl_parse_skip_name(p, "in"))
        return drift_tmpl_parse_unexpected(p, "'in'");
    loop->iter = drift_tmpl_parse_tuple(p, DRIFT_TMPL_TUPLE_NO_COND);
    if (drift_tmpl_parse_skip_name(p, "if")) {
        loop->test = drift_tmpl_parse_expression(p);
        loop->test_target = p->status ? NULL : copy_target(p, loop->target);
    }
    if (drift_tmpl_parse_is_name(&p->cur, "recursive"))
        return drift_tmpl_parse_fail(p, DRIFT_STATUS_UNSUPPORTED, line, "recursive loops");
    p->loop_nesting++;
    const char *end = parse_body(p, &ends, &loop->body);
    p->loop_nesting--;
    drift_tmpl_parse_advance(p);
    if (end && !strcmp(end, "else"))
        parse_whole_body(p, "endfor", &loop->else_body);
    struct drift_tmpl_node *node = drift_tmpl_parse_node(p, DRIFT_TMPL_NODE_FOR, line);
    if (node)
        node->loop = loop;
    return node;
}

static struct drift_tmpl_node *parse_set(struct drift_tmpl_parser *p, uint32_t line)
{
    struct drift_tmpl_node *target = drift_tmpl_parse_target(p, DRIFT_TMPL_TUPLE_NSREF);
    if (drift_tmpl_parse_skip(p, DRIFT_TMPL_TOKEN_ASSIGN)) {
        struct drift_tmpl_node *value = drift_tmpl_parse_tuple(p, 0);
        struct drift_tmpl_node *node = drift_tmpl_parse_node(p, DRIFT_TMPL_NODE_SET, line);
        if (node) {
            node->set.target = target;
            node->set.value = value;
        }
        return node;
    }
    struct drift_tmpl_node *filter = NULL;
    if (p->cur.type == DRIFT_TMPL_TOKEN_PIPE)
        filter = drift_tmpl_parse_filters(
            p, drift_tmpl_parse_node(p, DRIFT_TMPL_NODE_CAPTURED, line), false);
    struct drift_tmpl_node *node = drift_tmpl_parse_node(p, DRIFT_TMPL_NODE_SET_BLOCK, line);
    if (!node)
        return NULL;
    node->set.target = target;
    node->set.value = filter;
    parse_whole_body(p, "endset", &node->set.body);
    return node;
}

static void parse_signature(struct drift_tmpl_parser *p, struct drift_tmpl_function *f)
{
    uint32_t mark = drift_tmpl_parse_mark(p), n_params = 0, n_defaults = 0;
    struct drift_tmpl_node *defaults[DRIFT_TEMPLATE_MAX_NESTING];
    if (!drift_tmpl_parse_expect(p, DRIFT_TMPL_TOKEN_LPAREN))
        return;
    while (!p->status && p->cur.type != DRIFT_TMPL_TOKEN_RPAREN) {
        if (n_params == DRIFT_COUNT_OF(defaults)) {
            drift_tmpl_parse_fail(p, DRIFT_STATUS_LIMIT, p->cur.line, "too many parameters");
            return;
        }
        if (n_params++ && !drift_tmpl_parse_expect(p, DRIFT_TMPL_TOKEN_COMMA))
            return;
        struct drift_tmpl_node *name = drift_tmpl_parse_node(p, DRIFT_TMPL_NODE_NAME, p->cur.line);
        if (!name || !drift_tmpl_parse_expect_name(p, &name->name.name))
            return;
        drift_tmpl_parse_push(p, name);
        if (drift_tmpl_parse_skip(p, DRIFT_TMPL_TOKEN_ASSIGN))
            defaults[n_defaults++] = drift_tmpl_parse_expression(p);
        else if (n_defaults)
            drift_tmpl_parse_fail(p, DRIFT_STATUS_CORRUPT, p->cur.line,
                                  "a parameter without default follows one with a default");
    }
    drift_tmpl_parse_advance(p);
    f->params = drift_tmpl_parse_take(p, mark);
    for (uint32_t i = 0; i < n_defaults; i++)
        drift_tmpl_parse_push(p, defaults[i]);
    f->defaults = drift_tmpl_parse_take(p, mark);
}

static struct drift_tmpl_function *new_function(struct drift_tmpl_parser *p)
{
    return drift_tmpl_parse_alloc(p, 1, sizeof(struct drift_tmpl_function));
}

/* The body of a macro is a function: break does not reach a loop around it. */
static void parse_function_body(struct drift_tmpl_parser *p, const char *end,
                                struct drift_tmpl_function *f)
{
    uint32_t loops = p->loop_nesting;
    p->loop_nesting = 0;
    parse_whole_body(p, end, &f->body);
    p->loop_nesting = loops;
}

static struct drift_tmpl_node *parse_macro(struct drift_tmpl_parser *p, uint32_t line)
{
    struct drift_tmpl_function *f = new_function(p);
    if (!f || !drift_tmpl_parse_expect_name(p, &f->name))
        return NULL;
    parse_signature(p, f);
    parse_function_body(p, "endmacro", f);
    struct drift_tmpl_node *node = drift_tmpl_parse_node(p, DRIFT_TMPL_NODE_MACRO, line);
    if (node)
        node->macro.function = f;
    return node;
}

static struct drift_tmpl_node *parse_call_block(struct drift_tmpl_parser *p, uint32_t line)
{
    struct drift_tmpl_function *f = new_function(p);
    if (f && p->cur.type == DRIFT_TMPL_TOKEN_LPAREN)
        parse_signature(p, f);
    struct drift_tmpl_node *call = drift_tmpl_parse_expression(p);
    if (!f || !call)
        return NULL;
    if (call->kind != DRIFT_TMPL_NODE_CALL)
        return drift_tmpl_parse_fail(p, DRIFT_STATUS_CORRUPT, line, "'call' needs a macro call");
    parse_function_body(p, "endcall", f);
    struct drift_tmpl_node *node = drift_tmpl_parse_node(p, DRIFT_TMPL_NODE_CALL_BLOCK, line);
    if (node) {
        node->macro.function = f;
        node->macro.call = call;
    }
    return node;
}

static struct drift_tmpl_node *parse_filter_block(struct drift_tmpl_parser *p, uint32_t line)
{
    struct drift_tmpl_node *filter =
        drift_tmpl_parse_filters(p, drift_tmpl_parse_node(p, DRIFT_TMPL_NODE_CAPTURED, line), true);
    struct drift_tmpl_node *node = drift_tmpl_parse_node(p, DRIFT_TMPL_NODE_FILTER_BLOCK, line);
    if (!node)
        return NULL;
    node->block.filter = filter;
    parse_whole_body(p, "endfilter", &node->block.body);
    return node;
}

static struct drift_tmpl_node *parse_with(struct drift_tmpl_parser *p, uint32_t line)
{
    struct drift_tmpl_node *targets[DRIFT_TEMPLATE_MAX_NESTING];
    uint32_t n = 0, mark = drift_tmpl_parse_mark(p);
    while (!p->status && p->cur.type != DRIFT_TMPL_TOKEN_BLOCK_END) {
        if (n == DRIFT_COUNT_OF(targets))
            return drift_tmpl_parse_fail(p, DRIFT_STATUS_LIMIT, line,
                                         "too many variables in 'with'");
        if (n && !drift_tmpl_parse_expect(p, DRIFT_TMPL_TOKEN_COMMA))
            return NULL;
        targets[n++] = drift_tmpl_parse_target(p, 0);
        if (!drift_tmpl_parse_expect(p, DRIFT_TMPL_TOKEN_ASSIGN))
            return NULL;
        drift_tmpl_parse_push(p, drift_tmpl_parse_expression(p));
    }
    struct drift_tmpl_node *node = drift_tmpl_parse_node(p, DRIFT_TMPL_NODE_WITH, line);
    if (!node)
        return NULL;
    node->block.values = drift_tmpl_parse_take(p, mark);
    for (uint32_t i = 0; i < n; i++)
        drift_tmpl_parse_push(p, targets[i]);
    node->block.targets = drift_tmpl_parse_take(p, mark);
    parse_whole_body(p, "endwith", &node->block.body);
    return node;
}

/* Marks the assistant's part for training; here it is only a scope. */
static struct drift_tmpl_node *parse_generation(struct drift_tmpl_parser *p, uint32_t line)
{
    struct drift_tmpl_node *node = drift_tmpl_parse_node(p, DRIFT_TMPL_NODE_SCOPE, line);
    uint32_t loops = p->loop_nesting;
    if (!node)
        return NULL;
    p->loop_nesting = 0;
    parse_whole_body(p, "endgeneration", &node->block.body);
    p->loop_nesting = loops;
    return node;
}

static struct drift_tmpl_node *parse_print(struct drift_tmpl_parser *p, uint32_t line)
{
    struct drift_tmpl_node *node = print_node(p, drift_tmpl_parse_expression(p));
    if (p->cur.type == DRIFT_TMPL_TOKEN_COMMA)
        return drift_tmpl_parse_fail(p, DRIFT_STATUS_UNSUPPORTED, line,
                                     "'print' of several values");
    return node;
}

static struct drift_tmpl_node *parse_jump(struct drift_tmpl_parser *p, uint32_t line,
                                          enum drift_tmpl_node_kind kind)
{
    if (!p->loop_nesting)
        return drift_tmpl_parse_fail(p, DRIFT_STATUS_CORRUPT, line,
                                     "'break' or 'continue' outside a loop");
    return drift_tmpl_parse_node(p, kind, line);
}

static struct drift_tmpl_node *parse_break(struct drift_tmpl_parser *p, uint32_t line)
{
    return parse_jump(p, line, DRIFT_TMPL_NODE_BREAK);
}

static struct drift_tmpl_node *parse_continue(struct drift_tmpl_parser *p, uint32_t line)
{
    return parse_jump(p, line, DRIFT_TMPL_NODE_CONTINUE);
}

static const struct {
    const char *name;
    parse_tag_fn parse; /* NULL: known and refused */
} tags[] = {
    {"if",         parse_if          },
    {"for",        parse_for         },
    {"set",        parse_set         },
    {"macro",      parse_macro       },
    {"call",       parse_call_block  },
    {"filter",     parse_filter_block},
    {"with",       parse_with        },
    {"generation", parse_generation  },
    {"print",      parse_print       },
    {"break",      parse_break       },
    {"continue",   parse_continue    },
    {"autoescape", NULL              },
    {"block",      NULL              },
    {"extends",    NULL              },
    {"from",       NULL              },
    {"import",     NULL              },
    {"include",    NULL              },
    {"do",         NULL              },
    {"trans",      NULL              },
};

static struct drift_tmpl_node *parse_statement(struct drift_tmpl_parser *p)
{
    struct drift_tmpl_token t = p->cur;
    if (t.type != DRIFT_TMPL_TOKEN_NAME)
        return drift_tmpl_parse_unexpected(p, "a tag's name");
    for (size_t i = 0; i < DRIFT_COUNT_OF(tags); i++) {
        if (!drift_tmpl_parse_is_name(&t, tags[i].name))
            continue;
        if (!tags[i].parse)
            return drift_tmpl_parse_fail(p, DRIFT_STATUS_UNSUPPORTED, t.line,
                                         "the tag '%s' is not supported", tags[i].name);
        drift_tmpl_parse_advance(p);
        return tags[i].parse(p, t.line);
    }
    return drift_tmpl_parse_unexpected(p, "a known tag");
}

enum drift_status drift_tmpl_parse(const char *text, size_t len, struct drift_arena *arena,
                                   struct drift_tmpl_nodes *ret_body, struct drift_error *err)
{
    struct drift_tmpl_parser p = {.arena = arena, .err = err};
    drift_tmpl_lexer_init(&p.lexer, text, len, arena, err);
    drift_tmpl_parse_advance(&p);
    parse_until(&p, &(struct ends){{NULL}}, ret_body);
    drift_free(p.stack);
    return p.status;
}
