/*
 * The compiled form: a tree of nodes in one arena, with every name resolved to a slot.
 *
 * A function (the template itself, a macro, a call block's body) has one array of slots; the scopes
 * within it (loop bodies, with, set blocks ...) use disjoint parts of that array and say in `loads`
 * what each of their names starts as. hops counts enclosing functions, as macros see the names
 * around them.
 */
#ifndef DRIFT_API_TEMPLATE_AST_H
#define DRIFT_API_TEMPLATE_AST_H

#include "api/template/value.h"
#include "runtime/base/arena.h"

enum drift_tmpl_node_kind {
    /* expressions */
    DRIFT_TMPL_NODE_CONST,
    DRIFT_TMPL_NODE_NAME,
    DRIFT_TMPL_NODE_NSREF, /* only as a target: name.attr */
    DRIFT_TMPL_NODE_TUPLE,
    DRIFT_TMPL_NODE_LIST,
    DRIFT_TMPL_NODE_DICT,
    DRIFT_TMPL_NODE_GETATTR,
    DRIFT_TMPL_NODE_GETITEM,
    DRIFT_TMPL_NODE_SLICE, /* only as a subscript */
    DRIFT_TMPL_NODE_CALL,
    DRIFT_TMPL_NODE_FILTER,
    DRIFT_TMPL_NODE_TEST,
    DRIFT_TMPL_NODE_UNARY,
    DRIFT_TMPL_NODE_BINARY,
    DRIFT_TMPL_NODE_CONCAT,
    DRIFT_TMPL_NODE_AND,
    DRIFT_TMPL_NODE_OR,
    DRIFT_TMPL_NODE_COMPARE,
    DRIFT_TMPL_NODE_COND,
    DRIFT_TMPL_NODE_CAPTURED, /* the captured text that a block's filters start from */
    /* statements */
    DRIFT_TMPL_NODE_TEXT,
    DRIFT_TMPL_NODE_PRINT,
    DRIFT_TMPL_NODE_IF,
    DRIFT_TMPL_NODE_FOR,
    DRIFT_TMPL_NODE_SET,
    DRIFT_TMPL_NODE_SET_BLOCK,
    DRIFT_TMPL_NODE_MACRO,
    DRIFT_TMPL_NODE_CALL_BLOCK,
    DRIFT_TMPL_NODE_FILTER_BLOCK,
    DRIFT_TMPL_NODE_WITH,
    DRIFT_TMPL_NODE_SCOPE,
    DRIFT_TMPL_NODE_BREAK,
    DRIFT_TMPL_NODE_CONTINUE,
    DRIFT_TMPL_NODE_KIND_COUNT
};

enum drift_tmpl_op {
    DRIFT_TMPL_OP_NONE,
    /* unary */
    DRIFT_TMPL_OP_NEG,
    DRIFT_TMPL_OP_POS,
    DRIFT_TMPL_OP_NOT,
    /* arithmetic */
    DRIFT_TMPL_OP_ADD,
    DRIFT_TMPL_OP_SUB,
    DRIFT_TMPL_OP_MUL,
    DRIFT_TMPL_OP_DIV,
    DRIFT_TMPL_OP_FLOORDIV,
    DRIFT_TMPL_OP_MOD,
    DRIFT_TMPL_OP_POW,
    /* comparison */
    DRIFT_TMPL_OP_EQ,
    DRIFT_TMPL_OP_NE,
    DRIFT_TMPL_OP_LT,
    DRIFT_TMPL_OP_LE,
    DRIFT_TMPL_OP_GT,
    DRIFT_TMPL_OP_GE,
    DRIFT_TMPL_OP_IN,
    DRIFT_TMPL_OP_NOT_IN
};

struct drift_tmpl_node;

struct drift_tmpl_nodes {
    struct drift_tmpl_node **v;
    uint32_t n;
};

enum drift_tmpl_load_kind {
    DRIFT_TMPL_LOAD_UNDEFINED, /* set somewhere in the scope, not before it */
    DRIFT_TMPL_LOAD_PARAMETER, /* given by whoever enters the scope */
    DRIFT_TMPL_LOAD_RESOLVE,   /* from the context, else the global functions */
    DRIFT_TMPL_LOAD_ALIAS      /* a copy of the same name outside */
};

struct drift_tmpl_ref {
    uint16_t hops, slot;
};

struct drift_tmpl_load {
    struct drift_tmpl_value name; /* a string */
    uint16_t slot;
    uint8_t kind; /* enum drift_tmpl_load_kind */
    struct drift_tmpl_ref outer;
};

struct drift_tmpl_scope {
    struct drift_tmpl_load *loads;
    uint32_t n_loads;
};

struct drift_tmpl_kwarg_node {
    struct drift_tmpl_value name;
    struct drift_tmpl_node *value;
};

/* Arguments of a call, filter or test. */
struct drift_tmpl_args_node {
    struct drift_tmpl_nodes pos;
    struct drift_tmpl_kwarg_node *kw;
    uint32_t n_kw;
    struct drift_tmpl_node *star, *star_star;
};

/* A macro, or the body of a call block (without a name). */
struct drift_tmpl_function {
    struct drift_tmpl_value name;
    struct drift_tmpl_nodes params;   /* names */
    struct drift_tmpl_nodes defaults; /* of the last params */
    struct drift_tmpl_nodes body;
    struct drift_tmpl_scope scope;
    uint16_t n_slots;
    uint16_t kwargs_slot, varargs_slot, caller_slot; /* UINT16_MAX: not used in the body */
    bool has_closures; /* defines macros, which keep the slots alive */
};

/* An attribute's name with what it may mean, found once. */
struct drift_tmpl_attr {
    struct drift_tmpl_value name;
    const struct drift_tmpl_builtin *of_string, *of_list, *of_tuple, *of_dict;
    uint8_t of_loop; /* enum drift_tmpl_loop_attr */
};

struct drift_tmpl_branch {
    struct drift_tmpl_node *test; /* NULL: else */
    struct drift_tmpl_nodes body;
};

struct drift_tmpl_for {
    struct drift_tmpl_node *target, *test_target, *iter, *test;
    struct drift_tmpl_nodes body, else_body;
    struct drift_tmpl_scope scope, test_scope, else_scope;
    uint16_t loop_slot; /* UINT16_MAX: the body does not use it */
};

struct drift_tmpl_node {
    uint8_t kind; /* enum drift_tmpl_node_kind */
    uint8_t op;   /* enum drift_tmpl_op */
    uint32_t line;
    union {
        struct drift_tmpl_value value; /* CONST, TEXT */
        struct {
            struct drift_tmpl_value name;
            struct drift_tmpl_ref ref;
            struct drift_tmpl_value attr; /* NSREF */
        } name;
        struct drift_tmpl_nodes list; /* TUPLE, LIST, CONCAT; DICT: key, value, key, value ... */
        struct {
            struct drift_tmpl_node *object;
            struct drift_tmpl_attr *attr; /* GETATTR */
            struct drift_tmpl_node *key;  /* GETITEM */
        } get;
        struct {
            struct drift_tmpl_node *start, *stop, *step;
        } slice;
        struct {
            struct drift_tmpl_node
                *callee; /* CALL; for FILTER and TEST the value it is applied to */
            struct drift_tmpl_args_node *args;
            struct drift_tmpl_value name; /* FILTER, TEST */
            const struct drift_tmpl_builtin *builtin;
        } call;
        struct {
            struct drift_tmpl_node *left, *right; /* UNARY: left */
        } binary;
        struct {
            struct drift_tmpl_node *first;
            struct drift_tmpl_nodes rest;
            uint8_t *ops;
        } compare;
        struct {
            struct drift_tmpl_node *test, *yes, *no; /* no may be NULL */
        } cond;
        struct drift_tmpl_node *print;
        struct {
            struct drift_tmpl_branch *v;
            uint32_t n;
        } branches; /* IF */
        struct drift_tmpl_for *loop;
        struct {
            struct drift_tmpl_node *target,
                *value; /* SET_BLOCK: value is the filter chain, or NULL */
            struct drift_tmpl_nodes body;
            struct drift_tmpl_scope scope;
        } set;
        struct {
            struct drift_tmpl_function *function;
            struct drift_tmpl_ref ref;    /* MACRO: where it is stored */
            struct drift_tmpl_node *call; /* CALL_BLOCK */
        } macro;
        struct {
            struct drift_tmpl_nodes targets, values; /* WITH */
            struct drift_tmpl_node *filter;          /* FILTER_BLOCK */
            struct drift_tmpl_nodes body;
            struct drift_tmpl_scope scope;
        } block; /* WITH, FILTER_BLOCK, SCOPE */
    };
};

struct drift_template {
    struct drift_arena arena;
    struct drift_tmpl_function root;
    struct drift_tmpl_value *reads; /* names looked up in the context */
    uint32_t n_reads;
};

#endif
