/* What expressions are made of: literals, names, subscripts, calls, filters and tests. */
#include "api/template/builtin.h"
#include "api/template/parse.h"

#include <string.h>

/* ---- literals and names ---- */

static struct drift_tmpl_node *parse_name(struct drift_tmpl_parser *p, unsigned flags)
{
    static const struct {
        const char *name;
        uint8_t type, b;
    } constants[] = {
        {"true",  DRIFT_TMPL_BOOL, 1},
        {"True",  DRIFT_TMPL_BOOL, 1},
        {"false", DRIFT_TMPL_BOOL, 0},
        {"False", DRIFT_TMPL_BOOL, 0},
        {"none",  DRIFT_TMPL_NONE, 0},
        {"None",  DRIFT_TMPL_NONE, 0}
    };
    struct drift_tmpl_token t = p->cur;
    drift_tmpl_parse_advance(p);
    for (size_t i = 0; i < DRIFT_COUNT_OF(constants); i++) {
        if (drift_tmpl_parse_is_name(&t, constants[i].name))
            return drift_tmpl_parse_const(
                p, (struct drift_tmpl_value){.type = constants[i].type, .b = constants[i].b},
                t.line);
    }
    struct drift_tmpl_value attr = {0};
    if ((flags & DRIFT_TMPL_TUPLE_NSREF) && drift_tmpl_parse_skip(p, DRIFT_TMPL_TOKEN_DOT) &&
        !drift_tmpl_parse_expect_name(p, &attr))
        return NULL;
    struct drift_tmpl_node *node =
        drift_tmpl_parse_node(p, attr.type ? DRIFT_TMPL_NODE_NSREF : DRIFT_TMPL_NODE_NAME, t.line);
    if (node) {
        node->name.name = t.value;
        node->name.attr = attr;
    }
    return node;
}

/* Adjacent strings are one. */
static struct drift_tmpl_node *parse_string(struct drift_tmpl_parser *p)
{
    struct drift_tmpl_token first = p->cur;
    drift_tmpl_parse_advance(p);
    if (p->cur.type != DRIFT_TMPL_TOKEN_STRING)
        return drift_tmpl_parse_const(p, first.value, first.line);
    struct drift_buf buf;
    drift_buf_init(&buf, DRIFT_TAG_API, DRIFT_TEMPLATE_MAX_SOURCE_BYTES);
    drift_buf_append(&buf, first.value.s, first.value.len);
    while (p->cur.type == DRIFT_TMPL_TOKEN_STRING) {
        drift_buf_append(&buf, p->cur.value.s, p->cur.value.len);
        drift_tmpl_parse_advance(p);
    }
    char *s = buf.failed ? NULL : drift_tmpl_parse_alloc(p, buf.len + 1, 1);
    struct drift_tmpl_node *node = NULL;
    if (s) {
        memcpy(s, drift_buf_cstr(&buf), buf.len);
        node = drift_tmpl_parse_const(p, drift_tmpl_str(s, buf.len), first.line);
    } else {
        drift_tmpl_parse_fail(p, DRIFT_STATUS_NO_MEMORY, first.line, "out of memory");
    }
    drift_buf_fini(&buf);
    return node;
}

static struct drift_tmpl_node *parse_list(struct drift_tmpl_parser *p)
{
    uint32_t mark = drift_tmpl_parse_mark(p), line = p->cur.line;
    drift_tmpl_parse_advance(p);
    while (!p->status && p->cur.type != DRIFT_TMPL_TOKEN_RBRACKET) {
        drift_tmpl_parse_push(p, drift_tmpl_parse_expression(p));
        if (p->cur.type != DRIFT_TMPL_TOKEN_RBRACKET)
            (void)drift_tmpl_parse_expect(p, DRIFT_TMPL_TOKEN_COMMA);
    }
    drift_tmpl_parse_advance(p);
    return drift_tmpl_parse_list_node(p, DRIFT_TMPL_NODE_LIST, mark, line);
}

static struct drift_tmpl_node *parse_dict(struct drift_tmpl_parser *p)
{
    uint32_t mark = drift_tmpl_parse_mark(p), line = p->cur.line;
    drift_tmpl_parse_advance(p);
    while (!p->status && p->cur.type != DRIFT_TMPL_TOKEN_RBRACE) {
        drift_tmpl_parse_push(p, drift_tmpl_parse_expression(p));
        (void)drift_tmpl_parse_expect(p, DRIFT_TMPL_TOKEN_COLON);
        drift_tmpl_parse_push(p, drift_tmpl_parse_expression(p));
        if (p->cur.type != DRIFT_TMPL_TOKEN_RBRACE)
            (void)drift_tmpl_parse_expect(p, DRIFT_TMPL_TOKEN_COMMA);
    }
    drift_tmpl_parse_advance(p);
    return drift_tmpl_parse_list_node(p, DRIFT_TMPL_NODE_DICT, mark, line);
}

struct drift_tmpl_node *drift_tmpl_parse_primary(struct drift_tmpl_parser *p, unsigned flags)
{
    struct drift_tmpl_token t = p->cur;
    struct drift_tmpl_node *node;
    switch (t.type) {
    case DRIFT_TMPL_TOKEN_NAME:
        return parse_name(p, flags);
    case DRIFT_TMPL_TOKEN_STRING:
        return parse_string(p);
    case DRIFT_TMPL_TOKEN_INTEGER:
    case DRIFT_TMPL_TOKEN_FLOAT:
        drift_tmpl_parse_advance(p);
        return drift_tmpl_parse_const(p, t.value, t.line);
    case DRIFT_TMPL_TOKEN_LPAREN:
        drift_tmpl_parse_advance(p);
        node = drift_tmpl_parse_tuple(p, DRIFT_TMPL_TUPLE_PARENS);
        return drift_tmpl_parse_expect(p, DRIFT_TMPL_TOKEN_RPAREN) ? node : NULL;
    case DRIFT_TMPL_TOKEN_LBRACKET:
        return parse_list(p);
    case DRIFT_TMPL_TOKEN_LBRACE:
        return parse_dict(p);
    default:
        return drift_tmpl_parse_unexpected(p, "an expression");
    }
}

/* ---- what follows a value ---- */

static struct drift_tmpl_node *parse_slice_part(struct drift_tmpl_parser *p)
{
    if (p->cur.type == DRIFT_TMPL_TOKEN_COLON || p->cur.type == DRIFT_TMPL_TOKEN_RBRACKET ||
        p->cur.type == DRIFT_TMPL_TOKEN_COMMA)
        return NULL;
    return drift_tmpl_parse_expression(p);
}

static struct drift_tmpl_node *parse_subscript(struct drift_tmpl_parser *p)
{
    uint32_t line = p->cur.line;
    struct drift_tmpl_node *start = NULL, *stop = NULL, *step = NULL;
    if (p->cur.type != DRIFT_TMPL_TOKEN_COLON) {
        start = drift_tmpl_parse_expression(p);
        if (p->cur.type != DRIFT_TMPL_TOKEN_COLON)
            return start;
    }
    drift_tmpl_parse_advance(p);
    stop = parse_slice_part(p);
    if (drift_tmpl_parse_skip(p, DRIFT_TMPL_TOKEN_COLON))
        step = parse_slice_part(p);
    struct drift_tmpl_node *node = drift_tmpl_parse_node(p, DRIFT_TMPL_NODE_SLICE, line);
    if (node) {
        node->slice.start = start;
        node->slice.stop = stop;
        node->slice.step = step;
    }
    return node;
}

static struct drift_tmpl_node *getitem_node(struct drift_tmpl_parser *p,
                                            struct drift_tmpl_node *object,
                                            struct drift_tmpl_node *key, uint32_t line)
{
    struct drift_tmpl_node *node =
        key ? drift_tmpl_parse_node(p, DRIFT_TMPL_NODE_GETITEM, line) : NULL;
    if (node) {
        node->get.object = object;
        node->get.key = key;
    }
    return node;
}

static struct drift_tmpl_node *parse_brackets(struct drift_tmpl_parser *p,
                                              struct drift_tmpl_node *object)
{
    uint32_t mark = drift_tmpl_parse_mark(p), line = p->cur.line;
    drift_tmpl_parse_advance(p);
    struct drift_tmpl_node *key = NULL;
    uint32_t n = 0;
    while (!p->status && p->cur.type != DRIFT_TMPL_TOKEN_RBRACKET) {
        if (n++ && !drift_tmpl_parse_expect(p, DRIFT_TMPL_TOKEN_COMMA))
            break;
        key = parse_subscript(p);
        if (key && key->kind == DRIFT_TMPL_NODE_SLICE &&
            (n > 1 || p->cur.type == DRIFT_TMPL_TOKEN_COMMA))
            return drift_tmpl_parse_fail(p, DRIFT_STATUS_UNSUPPORTED, line,
                                         "slices of several dimensions");
        drift_tmpl_parse_push(p, key);
    }
    drift_tmpl_parse_advance(p);
    if (n != 1)
        key = drift_tmpl_parse_list_node(p, DRIFT_TMPL_NODE_TUPLE, mark, line);
    else
        drift_tmpl_parse_drop(p, mark);
    return getitem_node(p, object, key, line);
}

static struct drift_tmpl_node *parse_dot(struct drift_tmpl_parser *p,
                                         struct drift_tmpl_node *object)
{
    uint32_t line = p->cur.line;
    drift_tmpl_parse_advance(p);
    struct drift_tmpl_token t = p->cur;
    if (drift_tmpl_parse_skip(p, DRIFT_TMPL_TOKEN_INTEGER))
        return getitem_node(p, object, drift_tmpl_parse_const(p, t.value, t.line), line);
    if (!drift_tmpl_parse_skip(p, DRIFT_TMPL_TOKEN_NAME))
        return drift_tmpl_parse_unexpected(p, "an attribute's name or a number");
    struct drift_tmpl_attr *attr = drift_tmpl_parse_alloc(p, 1, sizeof *attr);
    struct drift_tmpl_node *node =
        attr ? drift_tmpl_parse_node(p, DRIFT_TMPL_NODE_GETATTR, line) : NULL;
    if (!node)
        return NULL;
    drift_tmpl_attr_init(attr, t.value);
    node->get.object = object;
    node->get.attr = attr;
    return node;
}

struct kwarg_list {
    struct drift_tmpl_kwarg_node *v;
    uint32_t n, capacity;
};

static void add_kwarg(struct drift_tmpl_parser *p, struct kwarg_list *list,
                      struct drift_tmpl_value name, struct drift_tmpl_node *value)
{
    if (p->status || !value)
        return;
    for (uint32_t i = 0; i < list->n; i++) {
        if (list->v[i].name.len == name.len && !memcmp(list->v[i].name.s, name.s, name.len)) {
            drift_tmpl_parse_fail(p, DRIFT_STATUS_CORRUPT, value->line,
                                  "keyword argument repeated");
            return;
        }
    }
    if (list->n == list->capacity) {
        uint32_t capacity = list->capacity ? list->capacity * 2 : 4;
        struct drift_tmpl_kwarg_node *v = drift_tmpl_parse_alloc(p, capacity, sizeof *v);
        if (!v)
            return;
        if (list->n)
            memcpy(v, list->v, list->n * sizeof *v);
        list->v = v;
        list->capacity = capacity;
    }
    list->v[list->n++] = (struct drift_tmpl_kwarg_node){.name = name, .value = value};
}

static void parse_argument(struct drift_tmpl_parser *p, struct drift_tmpl_args_node *args,
                           struct kwarg_list *kw)
{
    bool ok = !args->star_star;
    if (drift_tmpl_parse_skip(p, DRIFT_TMPL_TOKEN_MUL)) {
        ok = ok && !args->star;
        args->star = drift_tmpl_parse_expression(p);
    } else if (drift_tmpl_parse_skip(p, DRIFT_TMPL_TOKEN_POW)) {
        args->star_star = drift_tmpl_parse_expression(p);
    } else if (p->cur.type == DRIFT_TMPL_TOKEN_NAME &&
               drift_tmpl_parse_look(p)->type == DRIFT_TMPL_TOKEN_ASSIGN) {
        struct drift_tmpl_value name = p->cur.value;
        drift_tmpl_parse_advance(p);
        drift_tmpl_parse_advance(p);
        add_kwarg(p, kw, name, drift_tmpl_parse_expression(p));
    } else {
        ok = ok && !args->star && !kw->n;
        drift_tmpl_parse_push(p, drift_tmpl_parse_expression(p));
    }
    if (!ok)
        drift_tmpl_parse_fail(p, DRIFT_STATUS_CORRUPT, p->cur.line, "arguments in a wrong order");
}

/* "(" ... ")", or no arguments where there is no parenthesis. */
static struct drift_tmpl_args_node *parse_args(struct drift_tmpl_parser *p)
{
    struct drift_tmpl_args_node *args = drift_tmpl_parse_alloc(p, 1, sizeof *args);
    if (!args || !drift_tmpl_parse_skip(p, DRIFT_TMPL_TOKEN_LPAREN))
        return args;
    uint32_t mark = drift_tmpl_parse_mark(p);
    struct kwarg_list kw = {0};
    while (!p->status && p->cur.type != DRIFT_TMPL_TOKEN_RPAREN) {
        parse_argument(p, args, &kw);
        if (p->cur.type != DRIFT_TMPL_TOKEN_RPAREN)
            (void)drift_tmpl_parse_expect(p, DRIFT_TMPL_TOKEN_COMMA);
    }
    drift_tmpl_parse_advance(p);
    args->pos = drift_tmpl_parse_take(p, mark);
    args->kw = kw.v;
    args->n_kw = kw.n;
    return args;
}

static struct drift_tmpl_node *call_node(struct drift_tmpl_parser *p,
                                         enum drift_tmpl_node_kind kind,
                                         struct drift_tmpl_node *callee,
                                         struct drift_tmpl_args_node *args, uint32_t line)
{
    struct drift_tmpl_node *node = callee && args ? drift_tmpl_parse_node(p, kind, line) : NULL;
    if (node) {
        node->call.callee = callee;
        node->call.args = args;
    }
    return node;
}

struct drift_tmpl_node *drift_tmpl_parse_postfix(struct drift_tmpl_parser *p,
                                                 struct drift_tmpl_node *node)
{
    while (!p->status && node) {
        if (p->cur.type == DRIFT_TMPL_TOKEN_DOT) {
            node = parse_dot(p, node);
        } else if (p->cur.type == DRIFT_TMPL_TOKEN_LBRACKET) {
            node = parse_brackets(p, node);
        } else if (p->cur.type == DRIFT_TMPL_TOKEN_LPAREN) {
            uint32_t line = p->cur.line;
            node = call_node(p, DRIFT_TMPL_NODE_CALL, node, parse_args(p), line);
        } else {
            break;
        }
    }
    return node;
}

/* A filter's or test's name, which may be dotted (no such one exists: it is refused when reached).
 */
static bool parse_builtin_name(struct drift_tmpl_parser *p, struct drift_tmpl_value *ret)
{
    if (!drift_tmpl_parse_expect_name(p, ret))
        return false;
    while (drift_tmpl_parse_skip(p, DRIFT_TMPL_TOKEN_DOT)) {
        struct drift_tmpl_value part;
        if (!drift_tmpl_parse_expect_name(p, &part))
            return false;
        ret->len = (uint32_t)(part.s + part.len - ret->s);
    }
    return true;
}

struct drift_tmpl_node *drift_tmpl_parse_filters(struct drift_tmpl_parser *p,
                                                 struct drift_tmpl_node *node, bool start_inline)
{
    while (!p->status && node && (start_inline || p->cur.type == DRIFT_TMPL_TOKEN_PIPE)) {
        if (!start_inline)
            drift_tmpl_parse_advance(p);
        start_inline = false;
        uint32_t line = p->cur.line;
        struct drift_tmpl_value name;
        if (!parse_builtin_name(p, &name))
            return NULL;
        node = call_node(p, DRIFT_TMPL_NODE_FILTER, node, parse_args(p), line);
        if (node) {
            node->call.name = name;
            node->call.builtin = drift_tmpl_find_filter(name);
        }
    }
    return node;
}

/* The one argument a test may have without parentheses: "is divisibleby 3". */
static struct drift_tmpl_args_node *parse_test_args(struct drift_tmpl_parser *p)
{
    static const uint8_t starts[] = {DRIFT_TMPL_TOKEN_NAME,     DRIFT_TMPL_TOKEN_STRING,
                                     DRIFT_TMPL_TOKEN_INTEGER,  DRIFT_TMPL_TOKEN_FLOAT,
                                     DRIFT_TMPL_TOKEN_LBRACKET, DRIFT_TMPL_TOKEN_LBRACE};
    bool bare = memchr(starts, p->cur.type, sizeof starts) != NULL;
    if (!bare || drift_tmpl_parse_is_name(&p->cur, "else") ||
        drift_tmpl_parse_is_name(&p->cur, "or") || drift_tmpl_parse_is_name(&p->cur, "and"))
        return parse_args(p);
    if (drift_tmpl_parse_is_name(&p->cur, "is"))
        return drift_tmpl_parse_fail(p, DRIFT_STATUS_CORRUPT, p->cur.line,
                                     "tests can't be chained");
    struct drift_tmpl_args_node *args = drift_tmpl_parse_alloc(p, 1, sizeof *args);
    uint32_t mark = drift_tmpl_parse_mark(p);
    drift_tmpl_parse_push(p, drift_tmpl_parse_postfix(p, drift_tmpl_parse_primary(p, 0)));
    struct drift_tmpl_nodes pos = drift_tmpl_parse_take(p, mark);
    if (args)
        args->pos = pos;
    return args;
}

static struct drift_tmpl_node *parse_test(struct drift_tmpl_parser *p, struct drift_tmpl_node *node)
{
    uint32_t line = p->cur.line;
    drift_tmpl_parse_advance(p);
    bool negated = drift_tmpl_parse_skip_name(p, "not");
    struct drift_tmpl_value name;
    if (!parse_builtin_name(p, &name))
        return NULL;
    node = call_node(p, DRIFT_TMPL_NODE_TEST, node, parse_test_args(p), line);
    if (node) {
        node->call.name = name;
        node->call.builtin = drift_tmpl_find_test(name);
    }
    return negated
               ? drift_tmpl_parse_binary(p, DRIFT_TMPL_NODE_UNARY, DRIFT_TMPL_OP_NOT, node, NULL)
               : node;
}

struct drift_tmpl_node *drift_tmpl_parse_filter_expr(struct drift_tmpl_parser *p,
                                                     struct drift_tmpl_node *node)
{
    while (!p->status && node) {
        if (p->cur.type == DRIFT_TMPL_TOKEN_PIPE) {
            node = drift_tmpl_parse_filters(p, node, false);
        } else if (drift_tmpl_parse_is_name(&p->cur, "is")) {
            node = parse_test(p, node);
        } else if (p->cur.type == DRIFT_TMPL_TOKEN_LPAREN) {
            uint32_t line = p->cur.line;
            node = call_node(p, DRIFT_TMPL_NODE_CALL, node, parse_args(p), line);
        } else {
            break;
        }
    }
    return node;
}
