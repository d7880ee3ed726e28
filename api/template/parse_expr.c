/*
 * Operators, by precedence climbing. From loose to tight: inline if, or, and, not, comparisons,
 * plus and minus, the joining tilde, times and divisions, powers, signs; then what parse_value.c
 * reads.
 */
#include "api/template/parse.h"

#include <string.h>

struct binary_op {
    uint8_t token, op, level;
};

enum { LEVEL_ADD, LEVEL_CONCAT, LEVEL_MUL, LEVEL_POW, LEVEL_UNARY };

static const struct binary_op binary_ops[] = {
    {DRIFT_TMPL_TOKEN_ADD,      DRIFT_TMPL_OP_ADD,      LEVEL_ADD},
    {DRIFT_TMPL_TOKEN_SUB,      DRIFT_TMPL_OP_SUB,      LEVEL_ADD},
    {DRIFT_TMPL_TOKEN_MUL,      DRIFT_TMPL_OP_MUL,      LEVEL_MUL},
    {DRIFT_TMPL_TOKEN_DIV,      DRIFT_TMPL_OP_DIV,      LEVEL_MUL},
    {DRIFT_TMPL_TOKEN_FLOORDIV, DRIFT_TMPL_OP_FLOORDIV, LEVEL_MUL},
    {DRIFT_TMPL_TOKEN_MOD,      DRIFT_TMPL_OP_MOD,      LEVEL_MUL},
    {DRIFT_TMPL_TOKEN_POW,      DRIFT_TMPL_OP_POW,      LEVEL_POW},
};

static const struct {
    uint8_t token, op;
} compare_ops[] = {
    {DRIFT_TMPL_TOKEN_EQ, DRIFT_TMPL_OP_EQ},
    {DRIFT_TMPL_TOKEN_NE, DRIFT_TMPL_OP_NE},
    {DRIFT_TMPL_TOKEN_LT, DRIFT_TMPL_OP_LT},
    {DRIFT_TMPL_TOKEN_LE, DRIFT_TMPL_OP_LE},
    {DRIFT_TMPL_TOKEN_GT, DRIFT_TMPL_OP_GT},
    {DRIFT_TMPL_TOKEN_GE, DRIFT_TMPL_OP_GE},
};

static struct drift_tmpl_node *parse_or(struct drift_tmpl_parser *p);

static struct drift_tmpl_node *parse_unary(struct drift_tmpl_parser *p, bool with_filters)
{
    struct drift_tmpl_node *node = NULL;
    if (!drift_tmpl_parse_enter(p))
        return NULL;
    if (drift_tmpl_parse_skip(p, DRIFT_TMPL_TOKEN_SUB))
        node = drift_tmpl_parse_binary(p, DRIFT_TMPL_NODE_UNARY, DRIFT_TMPL_OP_NEG,
                                       parse_unary(p, false), NULL);
    else if (drift_tmpl_parse_skip(p, DRIFT_TMPL_TOKEN_ADD))
        node = drift_tmpl_parse_binary(p, DRIFT_TMPL_NODE_UNARY, DRIFT_TMPL_OP_POS,
                                       parse_unary(p, false), NULL);
    else
        node = drift_tmpl_parse_primary(p, 0);
    node = drift_tmpl_parse_postfix(p, node);
    if (with_filters)
        node = drift_tmpl_parse_filter_expr(p, node);
    drift_tmpl_parse_leave(p);
    return node;
}

static const struct binary_op *find_binary_op(uint8_t token, int level)
{
    for (size_t i = 0; i < DRIFT_COUNT_OF(binary_ops); i++) {
        if (binary_ops[i].token == token && binary_ops[i].level == level)
            return &binary_ops[i];
    }
    return NULL;
}

static struct drift_tmpl_node *parse_arithmetic(struct drift_tmpl_parser *p, int level)
{
    if (level == LEVEL_UNARY)
        return parse_unary(p, true);
    struct drift_tmpl_node *left = parse_arithmetic(p, level + 1);
    if (level == LEVEL_CONCAT) {
        if (p->cur.type != DRIFT_TMPL_TOKEN_TILDE || !left)
            return left;
        uint32_t mark = drift_tmpl_parse_mark(p), line = left->line;
        drift_tmpl_parse_push(p, left);
        while (drift_tmpl_parse_skip(p, DRIFT_TMPL_TOKEN_TILDE))
            drift_tmpl_parse_push(p, parse_arithmetic(p, level + 1));
        return drift_tmpl_parse_list_node(p, DRIFT_TMPL_NODE_CONCAT, mark, line);
    }
    const struct binary_op *op;
    while (left && (op = find_binary_op(p->cur.type, level)) != NULL) {
        drift_tmpl_parse_advance(p);
        left = drift_tmpl_parse_binary(p, DRIFT_TMPL_NODE_BINARY, op->op, left,
                                       parse_arithmetic(p, level + 1));
    }
    return left;
}

static uint8_t parse_compare_op(struct drift_tmpl_parser *p)
{
    for (size_t i = 0; i < DRIFT_COUNT_OF(compare_ops); i++) {
        if (drift_tmpl_parse_skip(p, compare_ops[i].token))
            return compare_ops[i].op;
    }
    if (drift_tmpl_parse_skip_name(p, "in"))
        return DRIFT_TMPL_OP_IN;
    if (drift_tmpl_parse_is_name(&p->cur, "not") &&
        drift_tmpl_parse_is_name(drift_tmpl_parse_look(p), "in")) {
        drift_tmpl_parse_advance(p);
        drift_tmpl_parse_advance(p);
        return DRIFT_TMPL_OP_NOT_IN;
    }
    return DRIFT_TMPL_OP_NONE;
}

static struct drift_tmpl_node *parse_compare(struct drift_tmpl_parser *p)
{
    struct drift_tmpl_node *first = parse_arithmetic(p, LEVEL_ADD);
    uint8_t ops[DRIFT_TEMPLATE_MAX_NESTING];
    uint32_t n = 0, mark = drift_tmpl_parse_mark(p);
    uint8_t op;
    while (first && (op = parse_compare_op(p)) != DRIFT_TMPL_OP_NONE) {
        if (n == DRIFT_COUNT_OF(ops))
            return drift_tmpl_parse_fail(p, DRIFT_STATUS_LIMIT, first->line,
                                         "too long a comparison");
        ops[n++] = op;
        drift_tmpl_parse_push(p, parse_arithmetic(p, LEVEL_ADD));
    }
    if (n == 0)
        return first;
    struct drift_tmpl_nodes rest = drift_tmpl_parse_take(p, mark);
    uint8_t *copy = drift_tmpl_parse_alloc(p, n, 1);
    struct drift_tmpl_node *node =
        copy ? drift_tmpl_parse_node(p, DRIFT_TMPL_NODE_COMPARE, first->line) : NULL;
    if (!node)
        return NULL;
    memcpy(copy, ops, n);
    node->compare.first = first;
    node->compare.rest = rest;
    node->compare.ops = copy;
    return node;
}

static struct drift_tmpl_node *parse_not(struct drift_tmpl_parser *p)
{
    if (!drift_tmpl_parse_skip_name(p, "not"))
        return parse_compare(p);
    if (!drift_tmpl_parse_enter(p))
        return NULL;
    struct drift_tmpl_node *node =
        drift_tmpl_parse_binary(p, DRIFT_TMPL_NODE_UNARY, DRIFT_TMPL_OP_NOT, parse_not(p), NULL);
    drift_tmpl_parse_leave(p);
    return node;
}

static struct drift_tmpl_node *parse_and(struct drift_tmpl_parser *p)
{
    struct drift_tmpl_node *left = parse_not(p);
    while (left && drift_tmpl_parse_skip_name(p, "and"))
        left =
            drift_tmpl_parse_binary(p, DRIFT_TMPL_NODE_AND, DRIFT_TMPL_OP_NONE, left, parse_not(p));
    return left;
}

static struct drift_tmpl_node *parse_or(struct drift_tmpl_parser *p)
{
    struct drift_tmpl_node *left = parse_and(p);
    while (left && drift_tmpl_parse_skip_name(p, "or"))
        left =
            drift_tmpl_parse_binary(p, DRIFT_TMPL_NODE_OR, DRIFT_TMPL_OP_NONE, left, parse_and(p));
    return left;
}

struct drift_tmpl_node *drift_tmpl_parse_expression(struct drift_tmpl_parser *p)
{
    if (!drift_tmpl_parse_enter(p))
        return NULL;
    struct drift_tmpl_node *yes = parse_or(p);
    while (yes && drift_tmpl_parse_skip_name(p, "if")) {
        struct drift_tmpl_node *test = parse_or(p);
        struct drift_tmpl_node *no = NULL;
        if (drift_tmpl_parse_skip_name(p, "else"))
            no = drift_tmpl_parse_expression(p);
        struct drift_tmpl_node *node = drift_tmpl_parse_node(p, DRIFT_TMPL_NODE_COND, yes->line);
        if (node) {
            node->cond.test = test;
            node->cond.yes = yes;
            node->cond.no = no;
        }
        yes = node;
    }
    drift_tmpl_parse_leave(p);
    return yes;
}

static bool at_tuple_end(const struct drift_tmpl_parser *p, unsigned flags)
{
    return p->cur.type == DRIFT_TMPL_TOKEN_VARIABLE_END ||
           p->cur.type == DRIFT_TMPL_TOKEN_BLOCK_END || p->cur.type == DRIFT_TMPL_TOKEN_RPAREN ||
           p->cur.type == DRIFT_TMPL_TOKEN_EOF ||
           ((flags & DRIFT_TMPL_TUPLE_FOR) && drift_tmpl_parse_is_name(&p->cur, "in"));
}

struct drift_tmpl_node *drift_tmpl_parse_tuple(struct drift_tmpl_parser *p, unsigned flags)
{
    uint32_t mark = drift_tmpl_parse_mark(p), line = p->cur.line, n = 0;
    bool is_tuple = false;
    struct drift_tmpl_node *node = NULL;
    while (!p->status && !at_tuple_end(p, flags)) {
        node = flags & DRIFT_TMPL_TUPLE_TARGET    ? drift_tmpl_parse_primary(p, flags)
               : flags & DRIFT_TMPL_TUPLE_NO_COND ? parse_or(p)
                                                  : drift_tmpl_parse_expression(p);
        n++;
        drift_tmpl_parse_push(p, node);
        if (!drift_tmpl_parse_skip(p, DRIFT_TMPL_TOKEN_COMMA))
            break;
        is_tuple = true;
    }
    if (!is_tuple && n == 1) {
        drift_tmpl_parse_drop(p, mark);
        return p->status ? NULL : node;
    }
    if (!is_tuple && !(flags & DRIFT_TMPL_TUPLE_PARENS))
        return drift_tmpl_parse_unexpected(p, "an expression");
    return drift_tmpl_parse_list_node(p, DRIFT_TMPL_NODE_TUPLE, mark, line);
}

static bool can_assign(const struct drift_tmpl_node *node)
{
    if (node->kind != DRIFT_TMPL_NODE_TUPLE)
        return node->kind == DRIFT_TMPL_NODE_NAME || node->kind == DRIFT_TMPL_NODE_NSREF;
    for (uint32_t i = 0; i < node->list.n; i++) {
        if (!can_assign(node->list.v[i]))
            return false;
    }
    return true;
}

struct drift_tmpl_node *drift_tmpl_parse_target(struct drift_tmpl_parser *p, unsigned flags)
{
    uint32_t line = p->cur.line;
    struct drift_tmpl_node *node = drift_tmpl_parse_tuple(p, flags | DRIFT_TMPL_TUPLE_TARGET);
    if (node && !can_assign(node))
        return drift_tmpl_parse_fail(p, DRIFT_STATUS_CORRUPT, line, "this can't be assigned to");
    return node;
}
