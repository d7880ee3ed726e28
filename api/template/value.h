/*
 * Values of a render: 16 bytes, copied freely, never freed alone (the render's arena owns what they
 * point to). Strings, lists, tuples and dicts never change once made; only namespaces, loops,
 * joiners, cyclers and iterators do.
 */
#ifndef DRIFT_API_TEMPLATE_VALUE_H
#define DRIFT_API_TEMPLATE_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* X(enumerator, the name Python gives the type) */
#define DRIFT_TMPL_TYPE_MAP(X)                                                                     \
    X(ABSENT, "absent") /* an argument not given, a variable not set; never seen by a template */  \
    X(UNDEFINED, "Undefined")                                                                      \
    X(NONE, "NoneType")                                                                            \
    X(BOOL, "bool")                                                                                \
    X(INT, "int")                                                                                  \
    X(FLOAT, "float")                                                                              \
    X(STRING, "str")                                                                               \
    X(LIST, "list")                                                                                \
    X(TUPLE, "tuple")                                                                              \
    X(DICT, "dict")                                                                                \
    X(RANGE, "range")                                                                              \
    X(VIEW, "dict view")                                                                           \
    X(ITER, "generator")                                                                           \
    X(NAMESPACE, "Namespace")                                                                      \
    X(MACRO, "Macro")                                                                              \
    X(FUNCTION, "function")                                                                        \
    X(METHOD, "method")                                                                            \
    X(LOOP, "LoopContext")                                                                         \
    X(CYCLER, "Cycler")                                                                            \
    X(JOINER, "Joiner")

enum drift_tmpl_type {
#define X(id, name) DRIFT_TMPL_##id,
    DRIFT_TMPL_TYPE_MAP(X)
#undef X
        DRIFT_TMPL_TYPE_COUNT
};

enum drift_tmpl_flag {
    DRIFT_TMPL_FLAG_ASCII = 1, /* strings: known to be ASCII, so bytes are code points */
    DRIFT_TMPL_FLAG_SAFE =
        2, /* strings: marked by escape or safe; + escapes what is joined to it */
    DRIFT_TMPL_FLAG_GROUP = 4, /* tuples: of groupby, with .grouper and .list */
    DRIFT_TMPL_FLAG_ATTR = 8,  /* undefined: a missing attribute or item, not a missing variable */
};

enum drift_tmpl_view_kind { DRIFT_TMPL_VIEW_KEYS, DRIFT_TMPL_VIEW_VALUES, DRIFT_TMPL_VIEW_ITEMS };

struct drift_tmpl_builtin;
struct drift_tmpl_cycler;
struct drift_tmpl_dict;
struct drift_tmpl_iter;
struct drift_tmpl_loop;
struct drift_tmpl_macro;
struct drift_tmpl_method;
struct drift_tmpl_namespace;
struct drift_tmpl_range;

struct drift_tmpl_value {
    uint8_t type;  /* enum drift_tmpl_type */
    uint8_t flags; /* enum drift_tmpl_flag */
    uint16_t view; /* enum drift_tmpl_view_kind, of VIEW */
    uint32_t len;  /* bytes of STRING and of an UNDEFINED's name, items of LIST and TUPLE */
    union {
        bool b;
        int64_t i;
        double f;
        const char *s; /* STRING (no NUL is promised) and the name of an UNDEFINED */
        const struct drift_tmpl_value *items;
        struct drift_tmpl_dict *dict; /* DICT and VIEW */
        const struct drift_tmpl_range *range;
        struct drift_tmpl_iter *iter;
        struct drift_tmpl_namespace *ns;
        const struct drift_tmpl_macro *macro;
        const struct drift_tmpl_builtin *function;
        const struct drift_tmpl_method *method;
        struct drift_tmpl_loop *loop;
        struct drift_tmpl_cycler *cycler; /* CYCLER and JOINER */
    };
};

struct drift_tmpl_range {
    int64_t start, step;
    uint32_t n;
    int64_t stop; /* as it was given, for printing */
};

/* What generators are here: the items are known, but can be taken once only. */
struct drift_tmpl_iter {
    const struct drift_tmpl_value *items;
    uint32_t n, i_next;
};

struct drift_tmpl_cycler {
    struct drift_tmpl_value items; /* a tuple; of a joiner: the separator */
    uint32_t i_next;
};

struct drift_tmpl_entry {
    struct drift_tmpl_value key, value;
};

/* In insertion order; the index (positions sorted by key) is made at the first look-up of a large
 * one. */
struct drift_tmpl_dict {
    struct drift_tmpl_entry *entries;
    uint32_t n;
    uint32_t *index;
};

static inline struct drift_tmpl_value drift_tmpl_none(void)
{
    return (struct drift_tmpl_value){.type = DRIFT_TMPL_NONE};
}

static inline struct drift_tmpl_value drift_tmpl_bool(bool b)
{
    return (struct drift_tmpl_value){.type = DRIFT_TMPL_BOOL, .b = b};
}

static inline struct drift_tmpl_value drift_tmpl_int(int64_t i)
{
    return (struct drift_tmpl_value){.type = DRIFT_TMPL_INT, .i = i};
}

static inline struct drift_tmpl_value drift_tmpl_float(double f)
{
    return (struct drift_tmpl_value){.type = DRIFT_TMPL_FLOAT, .f = f};
}

static inline struct drift_tmpl_value drift_tmpl_str(const char *s, size_t len)
{
    return (struct drift_tmpl_value){.type = DRIFT_TMPL_STRING, .len = (uint32_t)len, .s = s};
}

/* A part of a string: what is known of the whole holds for it. */
static inline struct drift_tmpl_value drift_tmpl_sub(struct drift_tmpl_value whole, const char *s,
                                                     size_t len)
{
    return (struct drift_tmpl_value){
        .type = DRIFT_TMPL_STRING, .flags = whole.flags, .len = (uint32_t)len, .s = s};
}

static inline struct drift_tmpl_value drift_tmpl_undefined(const char *name, size_t len)
{
    return (struct drift_tmpl_value){.type = DRIFT_TMPL_UNDEFINED, .len = (uint32_t)len, .s = name};
}

/* What items of an empty list may point to: never NULL, so that arithmetic on it is defined. */
extern const struct drift_tmpl_value drift_tmpl_no_items;

static inline struct drift_tmpl_value
drift_tmpl_seq(enum drift_tmpl_type type, const struct drift_tmpl_value *items, uint32_t n)
{
    return (struct drift_tmpl_value){
        .type = (uint8_t)type, .len = n, .items = items ? items : &drift_tmpl_no_items};
}

static inline bool drift_tmpl_is_integral(struct drift_tmpl_value v)
{
    return v.type == DRIFT_TMPL_INT || v.type == DRIFT_TMPL_BOOL;
}

static inline bool drift_tmpl_is_number(struct drift_tmpl_value v)
{
    return drift_tmpl_is_integral(v) || v.type == DRIFT_TMPL_FLOAT;
}

/* INT and BOOL as an integer. */
static inline int64_t drift_tmpl_as_int(struct drift_tmpl_value v)
{
    return v.type == DRIFT_TMPL_BOOL ? v.b : v.i;
}

static inline double drift_tmpl_as_double(struct drift_tmpl_value v)
{
    return v.type == DRIFT_TMPL_FLOAT ? v.f : (double)drift_tmpl_as_int(v);
}

static inline bool drift_tmpl_text_is(struct drift_tmpl_value v, const char *s)
{
    size_t n = strlen(s);
    return v.type == DRIFT_TMPL_STRING && v.len == n && memcmp(v.s, s, n) == 0;
}

/* The name Python gives the value's type. */
const char *drift_tmpl_type_name(struct drift_tmpl_value v);

#endif
