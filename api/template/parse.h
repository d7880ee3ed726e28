/*
 * Tokens to nodes: what the expression and the statement half of the parser share. Names are not
 * yet resolved here (scope.h does that).
 */
#ifndef DRIFT_API_TEMPLATE_PARSE_H
#define DRIFT_API_TEMPLATE_PARSE_H

#include "api/template/lex.h"

struct drift_tmpl_parser {
    struct drift_tmpl_lexer lexer;
    struct drift_tmpl_token cur, ahead;
    bool have_ahead;
    struct drift_arena *arena;
    struct drift_error *err;
    enum drift_status status;       /* the first error; sticky */
    struct drift_tmpl_node **stack; /* children of the lists being read */
    uint32_t n_stack, stack_capacity;
    uint32_t n_nodes, nesting, loop_nesting;
};

/* Parse a whole template's text into body. */
enum drift_status drift_tmpl_parse(const char *text, size_t len, struct drift_arena *arena,
                                   struct drift_tmpl_nodes *ret_body,
                                   struct drift_error *err) DRIFT_MUST_USE;

/* Record the first error, "line N: what"; returns NULL. */
void *drift_tmpl_parse_fail(struct drift_tmpl_parser *p, enum drift_status status, uint32_t line,
                            const char *fmt, ...) DRIFT_PRINTF(4, 5);
/* "expected what, found ..." at the current token. */
void *drift_tmpl_parse_unexpected(struct drift_tmpl_parser *p, const char *what);
void drift_tmpl_parse_advance(struct drift_tmpl_parser *p);
/* The token after the current one. */
const struct drift_tmpl_token *drift_tmpl_parse_look(struct drift_tmpl_parser *p);
bool drift_tmpl_parse_is_name(const struct drift_tmpl_token *t, const char *name);
bool drift_tmpl_parse_skip(struct drift_tmpl_parser *p, enum drift_tmpl_token_type type);
bool drift_tmpl_parse_skip_name(struct drift_tmpl_parser *p, const char *name);
/* False (and an error) when the current token is another. */
bool drift_tmpl_parse_expect(struct drift_tmpl_parser *p, enum drift_tmpl_token_type type);
bool drift_tmpl_parse_expect_name(struct drift_tmpl_parser *p, struct drift_tmpl_value *ret);

void *drift_tmpl_parse_alloc(struct drift_tmpl_parser *p, size_t n, size_t size);
struct drift_tmpl_node *drift_tmpl_parse_node(struct drift_tmpl_parser *p,
                                              enum drift_tmpl_node_kind kind, uint32_t line);
/* Lists: mark, push each, take (or drop). All are harmless after an error. */
uint32_t drift_tmpl_parse_mark(const struct drift_tmpl_parser *p);
void drift_tmpl_parse_push(struct drift_tmpl_parser *p, struct drift_tmpl_node *node);
struct drift_tmpl_nodes drift_tmpl_parse_take(struct drift_tmpl_parser *p, uint32_t mark);
void drift_tmpl_parse_drop(struct drift_tmpl_parser *p, uint32_t mark);
/* Nodes of one shape; NULL parts (of what failed before) give NULL. */
struct drift_tmpl_node *drift_tmpl_parse_binary(struct drift_tmpl_parser *p,
                                                enum drift_tmpl_node_kind kind, uint8_t op,
                                                struct drift_tmpl_node *left,
                                                struct drift_tmpl_node *right);
struct drift_tmpl_node *drift_tmpl_parse_const(struct drift_tmpl_parser *p,
                                               struct drift_tmpl_value value, uint32_t line);
/* TUPLE, LIST, DICT or CONCAT of what was pushed since mark. */
struct drift_tmpl_node *drift_tmpl_parse_list_node(struct drift_tmpl_parser *p,
                                                   enum drift_tmpl_node_kind kind, uint32_t mark,
                                                   uint32_t line);
/* Recursion guard around everything that nests; false (and an error) when too deep. */
bool drift_tmpl_parse_enter(struct drift_tmpl_parser *p);
void drift_tmpl_parse_leave(struct drift_tmpl_parser *p);

enum drift_tmpl_tuple_flag {
    DRIFT_TMPL_TUPLE_NO_COND = 1, /* no inline if: "for x in a if b" */
    DRIFT_TMPL_TUPLE_PARENS = 2,  /* between parentheses, where () is a tuple */
    DRIFT_TMPL_TUPLE_TARGET = 4,  /* names to assign to */
    DRIFT_TMPL_TUPLE_NSREF = 8,   /* with name.attr among them */
    DRIFT_TMPL_TUPLE_FOR = 16     /* up to "in" */
};

struct drift_tmpl_node *drift_tmpl_parse_expression(struct drift_tmpl_parser *p);
/* An expression, or several with commas. */
struct drift_tmpl_node *drift_tmpl_parse_tuple(struct drift_tmpl_parser *p, unsigned flags);
/* A name, literal or bracketed expression; flags: DRIFT_TMPL_TUPLE_NSREF. */
struct drift_tmpl_node *drift_tmpl_parse_primary(struct drift_tmpl_parser *p, unsigned flags);
/* Attributes, subscripts and calls behind node; then also filters and tests. */
struct drift_tmpl_node *drift_tmpl_parse_postfix(struct drift_tmpl_parser *p,
                                                 struct drift_tmpl_node *node);
struct drift_tmpl_node *drift_tmpl_parse_filter_expr(struct drift_tmpl_parser *p,
                                                     struct drift_tmpl_node *node);
/* Filters after "|" (start_inline: the first without it) applied to node. */
struct drift_tmpl_node *drift_tmpl_parse_filters(struct drift_tmpl_parser *p,
                                                 struct drift_tmpl_node *node, bool start_inline);
/* A tuple or name that can be assigned to. */
struct drift_tmpl_node *drift_tmpl_parse_target(struct drift_tmpl_parser *p, unsigned flags);

#endif
