/* The parser's plumbing: tokens, nodes, lists, errors. */
#include "api/template/parse.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void *drift_tmpl_parse_fail(struct drift_tmpl_parser *p, enum drift_status status, uint32_t line,
                            const char *fmt, ...)
{
    if (p->status)
        return NULL;
    char what[200];
    va_list args;
    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    p->status = drift_error_set(p->err, status, 0, "line %u: %s", (unsigned)line, what);
    return NULL;
}

void *drift_tmpl_parse_unexpected(struct drift_tmpl_parser *p, const char *what)
{
    const struct drift_tmpl_token *t = &p->cur;
    if (t->type == DRIFT_TMPL_TOKEN_NAME)
        return drift_tmpl_parse_fail(p, DRIFT_STATUS_CORRUPT, t->line, "expected %s, found '%.*s'",
                                     what, (int)(t->value.len < 60 ? t->value.len : 60),
                                     t->value.s);
    return drift_tmpl_parse_fail(p, DRIFT_STATUS_CORRUPT, t->line, "expected %s, found %s", what,
                                 drift_tmpl_token_name(t->type));
}

static void read_token(struct drift_tmpl_parser *p, struct drift_tmpl_token *ret)
{
    *ret = (struct drift_tmpl_token){.type = DRIFT_TMPL_TOKEN_EOF, .line = p->lexer.line};
    if (p->status)
        return;
    p->status = drift_tmpl_lexer_next(&p->lexer, ret);
    if (p->status)
        ret->type = DRIFT_TMPL_TOKEN_EOF;
}

void drift_tmpl_parse_advance(struct drift_tmpl_parser *p)
{
    if (p->have_ahead)
        p->cur = p->ahead;
    else
        read_token(p, &p->cur);
    p->have_ahead = false;
}

const struct drift_tmpl_token *drift_tmpl_parse_look(struct drift_tmpl_parser *p)
{
    if (!p->have_ahead)
        read_token(p, &p->ahead);
    p->have_ahead = true;
    return &p->ahead;
}

bool drift_tmpl_parse_is_name(const struct drift_tmpl_token *t, const char *name)
{
    size_t len = strlen(name);
    return t->type == DRIFT_TMPL_TOKEN_NAME && t->value.len == len &&
           !memcmp(t->value.s, name, len);
}

bool drift_tmpl_parse_skip(struct drift_tmpl_parser *p, enum drift_tmpl_token_type type)
{
    if (p->cur.type != type)
        return false;
    drift_tmpl_parse_advance(p);
    return true;
}

bool drift_tmpl_parse_skip_name(struct drift_tmpl_parser *p, const char *name)
{
    if (!drift_tmpl_parse_is_name(&p->cur, name))
        return false;
    drift_tmpl_parse_advance(p);
    return true;
}

bool drift_tmpl_parse_expect(struct drift_tmpl_parser *p, enum drift_tmpl_token_type type)
{
    if (drift_tmpl_parse_skip(p, type))
        return p->status == DRIFT_STATUS_OK;
    drift_tmpl_parse_unexpected(p, drift_tmpl_token_name(type));
    return false;
}

bool drift_tmpl_parse_expect_name(struct drift_tmpl_parser *p, struct drift_tmpl_value *ret)
{
    *ret = p->cur.value;
    return drift_tmpl_parse_expect(p, DRIFT_TMPL_TOKEN_NAME);
}

void *drift_tmpl_parse_alloc(struct drift_tmpl_parser *p, size_t n, size_t size)
{
    void *block = p->status ? NULL : drift_arena_alloc(p->arena, n, size);
    if (!block)
        drift_tmpl_parse_fail(p, DRIFT_STATUS_NO_MEMORY, p->cur.line, "out of memory");
    return block;
}

struct drift_tmpl_node *drift_tmpl_parse_node(struct drift_tmpl_parser *p,
                                              enum drift_tmpl_node_kind kind, uint32_t line)
{
    if (++p->n_nodes > DRIFT_TEMPLATE_MAX_NODES)
        return drift_tmpl_parse_fail(p, DRIFT_STATUS_LIMIT, line, "more than %u syntax nodes",
                                     DRIFT_TEMPLATE_MAX_NODES);
    struct drift_tmpl_node *node = drift_tmpl_parse_alloc(p, 1, sizeof *node);
    if (node) {
        node->kind = (uint8_t)kind;
        node->line = line;
    }
    return node;
}

uint32_t drift_tmpl_parse_mark(const struct drift_tmpl_parser *p)
{
    return p->n_stack;
}

void drift_tmpl_parse_push(struct drift_tmpl_parser *p, struct drift_tmpl_node *node)
{
    if (p->status || !node)
        return;
    if (p->n_stack == p->stack_capacity) {
        uint32_t capacity = p->stack_capacity ? p->stack_capacity * 2 : 64;
        struct drift_tmpl_node **stack =
            drift_realloc(DRIFT_TAG_API, p->stack, capacity, sizeof *stack);
        if (!stack) {
            drift_tmpl_parse_fail(p, DRIFT_STATUS_NO_MEMORY, node->line, "out of memory");
            return;
        }
        p->stack = stack;
        p->stack_capacity = capacity;
    }
    p->stack[p->n_stack++] = node;
}

struct drift_tmpl_nodes drift_tmpl_parse_take(struct drift_tmpl_parser *p, uint32_t mark)
{
    struct drift_tmpl_nodes list = {0};
    uint32_t n = p->n_stack - mark;
    p->n_stack = mark;
    if (p->status || n == 0)
        return list;
    list.v = drift_tmpl_parse_alloc(p, n, sizeof *list.v);
    if (!list.v)
        return list;
    memcpy(list.v, p->stack + mark, n * sizeof *list.v);
    list.n = n;
    return list;
}

void drift_tmpl_parse_drop(struct drift_tmpl_parser *p, uint32_t mark)
{
    p->n_stack = mark;
}

bool drift_tmpl_parse_enter(struct drift_tmpl_parser *p)
{
    if (++p->nesting > DRIFT_TEMPLATE_MAX_NESTING)
        drift_tmpl_parse_fail(p, DRIFT_STATUS_LIMIT, p->cur.line, "nested deeper than %u levels",
                              DRIFT_TEMPLATE_MAX_NESTING);
    return p->status == DRIFT_STATUS_OK;
}

void drift_tmpl_parse_leave(struct drift_tmpl_parser *p)
{
    p->nesting--;
}

struct drift_tmpl_node *drift_tmpl_parse_binary(struct drift_tmpl_parser *p,
                                                enum drift_tmpl_node_kind kind, uint8_t op,
                                                struct drift_tmpl_node *left,
                                                struct drift_tmpl_node *right)
{
    if (!left || (!right && kind != DRIFT_TMPL_NODE_UNARY))
        return NULL;
    struct drift_tmpl_node *node = drift_tmpl_parse_node(p, kind, left->line);
    if (node) {
        node->op = op;
        node->binary.left = left;
        node->binary.right = right;
    }
    return node;
}

struct drift_tmpl_node *drift_tmpl_parse_const(struct drift_tmpl_parser *p,
                                               struct drift_tmpl_value value, uint32_t line)
{
    struct drift_tmpl_node *node = drift_tmpl_parse_node(p, DRIFT_TMPL_NODE_CONST, line);
    if (node)
        node->value = value;
    return node;
}

struct drift_tmpl_node *drift_tmpl_parse_list_node(struct drift_tmpl_parser *p,
                                                   enum drift_tmpl_node_kind kind, uint32_t mark,
                                                   uint32_t line)
{
    struct drift_tmpl_nodes list = drift_tmpl_parse_take(p, mark);
    struct drift_tmpl_node *node = drift_tmpl_parse_node(p, kind, line);
    if (node)
        node->list = list;
    return node;
}
