/* What can be done with values: the operators, printing, iteration, look-up. */
#ifndef DRIFT_API_TEMPLATE_OPS_H
#define DRIFT_API_TEMPLATE_OPS_H

#include "api/template/builtin.h"
#include "api/template/render.h"

/* ---- truth, equality, order (compare.c) ---- */
bool drift_tmpl_is_true(struct drift_tmpl_value v);
bool drift_tmpl_equal(struct drift_tmpl_render *r, struct drift_tmpl_value a,
                      struct drift_tmpl_value b, bool *ret);
/* a < b, INVALID for types without a common order. */
bool drift_tmpl_less(struct drift_tmpl_render *r, struct drift_tmpl_value a,
                     struct drift_tmpl_value b, bool *ret);
bool drift_tmpl_compare(struct drift_tmpl_render *r, enum drift_tmpl_op op,
                        struct drift_tmpl_value a, struct drift_tmpl_value b, bool *ret);
/* item in container */
bool drift_tmpl_contains(struct drift_tmpl_render *r, struct drift_tmpl_value container,
                         struct drift_tmpl_value item, bool *ret);
bool drift_tmpl_same_object(struct drift_tmpl_value a, struct drift_tmpl_value b);
/* Sort n items in place, stable; keys[i] orders items[i] (keys may be items). */
bool drift_tmpl_sort(struct drift_tmpl_render *r, struct drift_tmpl_value *items,
                     struct drift_tmpl_value *keys, uint32_t n, bool reverse);

/* ---- arithmetic (arith.c) ---- */
bool drift_tmpl_arith(struct drift_tmpl_render *r, enum drift_tmpl_op op, struct drift_tmpl_value a,
                      struct drift_tmpl_value b, struct drift_tmpl_value *ret);
bool drift_tmpl_add(struct drift_tmpl_render *r, struct drift_tmpl_value a,
                    struct drift_tmpl_value b, struct drift_tmpl_value *ret);
bool drift_tmpl_negate(struct drift_tmpl_render *r, struct drift_tmpl_value v, bool minus,
                       struct drift_tmpl_value *ret);
/* An index or count: INT or BOOL, else INVALID naming what. */
bool drift_tmpl_get_int(struct drift_tmpl_render *r, struct drift_tmpl_value v, const char *what,
                        int64_t *ret);

/* ---- printing (print.c) ---- */
/* Python's repr of a float; out holds DRIFT_TMPL_FLOAT_CHARS. Returns the length. */
#define DRIFT_TMPL_FLOAT_CHARS 32
size_t drift_tmpl_format_float(double f, char out[DRIFT_TMPL_FLOAT_CHARS]);
/* Append str(v) or repr(v) to the output. */
bool drift_tmpl_print(struct drift_tmpl_render *r, struct drift_tmpl_value v);
bool drift_tmpl_print_repr(struct drift_tmpl_render *r, struct drift_tmpl_value v);
/* str(v) as a string value; strings are returned as they are. */
bool drift_tmpl_to_text(struct drift_tmpl_render *r, struct drift_tmpl_value v,
                        struct drift_tmpl_value *ret);
/* HTML-escape, result marked safe. */
bool drift_tmpl_escape(struct drift_tmpl_render *r, struct drift_tmpl_value v,
                       struct drift_tmpl_value *ret);
bool drift_tmpl_write_escaped(struct drift_tmpl_render *r, const char *s, size_t len);
/* printf-style % on a string (printf.c) and str.format (format.c). */
bool drift_tmpl_printf(struct drift_tmpl_render *r, struct drift_tmpl_value fmt,
                       struct drift_tmpl_value args, struct drift_tmpl_value *ret);
bool drift_tmpl_format(struct drift_tmpl_render *r, struct drift_tmpl_value fmt,
                       const struct drift_tmpl_args *args, struct drift_tmpl_value *ret);

/* ---- strings (text.c) ---- */
/* Number of code points. */
uint32_t drift_tmpl_text_length(struct drift_tmpl_value *v);
bool drift_tmpl_text_equal(struct drift_tmpl_value a, struct drift_tmpl_value b);
enum drift_tmpl_case_change {
    DRIFT_TMPL_CHANGE_LOWER,
    DRIFT_TMPL_CHANGE_UPPER,
    DRIFT_TMPL_CHANGE_CAPITALIZE,
    DRIFT_TMPL_CHANGE_TITLE,
    DRIFT_TMPL_CHANGE_SWAP,
    DRIFT_TMPL_CHANGE_FOLD
};

bool drift_tmpl_change_case(struct drift_tmpl_render *r, struct drift_tmpl_value v,
                            enum drift_tmpl_case_change how, struct drift_tmpl_value *ret);

enum { DRIFT_TMPL_SIDE_LEFT = 1, DRIFT_TMPL_SIDE_RIGHT = 2 };

/* Cut white space (chars ABSENT or NONE) or any of chars off the sides. */
bool drift_tmpl_strip(struct drift_tmpl_render *r, struct drift_tmpl_value v,
                      struct drift_tmpl_value chars, int sides, struct drift_tmpl_value *ret);
/* INVALID ("what of type ...") unless v is a string. */
bool drift_tmpl_need_text(struct drift_tmpl_render *r, struct drift_tmpl_value v, const char *what);
/* Replace at most max (all when negative) occurrences. */
bool drift_tmpl_replace(struct drift_tmpl_render *r, struct drift_tmpl_value v,
                        struct drift_tmpl_value old, struct drift_tmpl_value with, int64_t max,
                        struct drift_tmpl_value *ret);
bool drift_tmpl_splitlines(struct drift_tmpl_render *r, struct drift_tmpl_value v, bool keep_ends,
                           struct drift_tmpl_value *ret);
bool drift_tmpl_is_cased_as(struct drift_tmpl_value v, bool upper);

/* ---- dicts (dict.c) ---- */
struct drift_tmpl_dict *drift_tmpl_dict_new(struct drift_tmpl_render *r, uint32_t capacity);
/* Entries may repeat keys until this is called: the last value wins, in the first one's place. */
bool drift_tmpl_dict_finish(struct drift_tmpl_render *r, struct drift_tmpl_dict *d,
                            struct drift_tmpl_value *ret);
/* NULL when absent (or, for a key that can't be one, with r->status set). */
const struct drift_tmpl_value *drift_tmpl_dict_get(struct drift_tmpl_render *r,
                                                   const struct drift_tmpl_dict *d,
                                                   struct drift_tmpl_value key);
bool drift_tmpl_is_hashable(struct drift_tmpl_value v);
/* Make a dict from mapping-or-pairs (may be ABSENT) and keywords: dict(x, a=1). */
bool drift_tmpl_dict_build(struct drift_tmpl_render *r, const struct drift_tmpl_args *args,
                           struct drift_tmpl_value *ret);

/* ---- attributes and items (access.c) ---- */
enum drift_tmpl_loop_attr {
    DRIFT_TMPL_LOOP_NO_ATTR,
    DRIFT_TMPL_LOOP_INDEX,
    DRIFT_TMPL_LOOP_INDEX0,
    DRIFT_TMPL_LOOP_REVINDEX,
    DRIFT_TMPL_LOOP_REVINDEX0,
    DRIFT_TMPL_LOOP_FIRST,
    DRIFT_TMPL_LOOP_LAST,
    DRIFT_TMPL_LOOP_LENGTH,
    DRIFT_TMPL_LOOP_DEPTH,
    DRIFT_TMPL_LOOP_DEPTH0,
    DRIFT_TMPL_LOOP_PREVITEM,
    DRIFT_TMPL_LOOP_NEXTITEM,
    DRIFT_TMPL_LOOP_CYCLE,
    DRIFT_TMPL_LOOP_CHANGED
};

struct drift_tmpl_namespace {
    struct drift_tmpl_entry *entries;
    uint32_t n, capacity;
};

/* v.name */
bool drift_tmpl_getattr(struct drift_tmpl_render *r, struct drift_tmpl_value v,
                        const struct drift_tmpl_attr *attr, struct drift_tmpl_value *ret);
/* v[key] */
bool drift_tmpl_getitem(struct drift_tmpl_render *r, struct drift_tmpl_value v,
                        struct drift_tmpl_value key, struct drift_tmpl_value *ret);
/* v["a"]["b"] for "a.b", as the attribute= of filters reads; fallback (or ABSENT) for undefined. */
bool drift_tmpl_get_path(struct drift_tmpl_render *r, struct drift_tmpl_value v,
                         struct drift_tmpl_value path, struct drift_tmpl_value fallback,
                         struct drift_tmpl_value *ret);
/* v[start:stop:step]; ABSENT or NONE where left out. */
bool drift_tmpl_slice(struct drift_tmpl_render *r, struct drift_tmpl_value v,
                      struct drift_tmpl_value start, struct drift_tmpl_value stop,
                      struct drift_tmpl_value step, struct drift_tmpl_value *ret);
bool drift_tmpl_namespace_set(struct drift_tmpl_render *r, struct drift_tmpl_namespace *ns,
                              struct drift_tmpl_value name, struct drift_tmpl_value v);
bool drift_tmpl_namespace_new(struct drift_tmpl_render *r, const struct drift_tmpl_args *args,
                              struct drift_tmpl_value *ret);

/* ---- iteration (iter.c) ---- */
struct drift_tmpl_cursor {
    struct drift_tmpl_value source;
    uint32_t i;    /* next item */
    const char *s; /* next code point of a string */
};

bool drift_tmpl_is_iterable(struct drift_tmpl_value v);
/* len(v); false without an error for what has none. */
bool drift_tmpl_length(struct drift_tmpl_value v, int64_t *ret);
/* INVALID for what can't be iterated. */
bool drift_tmpl_cursor_init(struct drift_tmpl_render *r, struct drift_tmpl_cursor *c,
                            struct drift_tmpl_value v);
/* *more is false at the end. */
bool drift_tmpl_cursor_next(struct drift_tmpl_render *r, struct drift_tmpl_cursor *c,
                            struct drift_tmpl_value *ret, bool *more);
/* All items; the array may be shared with v and must not be written. */
bool drift_tmpl_items(struct drift_tmpl_render *r, struct drift_tmpl_value v,
                      const struct drift_tmpl_value **ret, uint32_t *ret_n);
/* All items in an array that the caller may write. */
bool drift_tmpl_items_copy(struct drift_tmpl_render *r, struct drift_tmpl_value v,
                           struct drift_tmpl_value **ret, uint32_t *ret_n);
bool drift_tmpl_new_iter(struct drift_tmpl_render *r, const struct drift_tmpl_value *items,
                         uint32_t n, struct drift_tmpl_value *ret);
/* The i-th of a range (i < n). */
static inline struct drift_tmpl_value drift_tmpl_range_at(const struct drift_tmpl_range *g,
                                                          uint32_t i)
{
    return drift_tmpl_int(g->start + (int64_t)i * g->step);
}

/* ---- JSON (tojson.c, context.c) ---- */
bool drift_tmpl_tojson(struct drift_tmpl_render *r, struct drift_tmpl_value v,
                       const struct drift_tmpl_value *opts, struct drift_tmpl_value *ret);
/* The context as a dict value. */
bool drift_tmpl_from_json(struct drift_tmpl_render *r, const struct drift_json *json,
                          struct drift_tmpl_value *ret);

/* ---- time (strftime.c) ---- */
bool drift_tmpl_strftime(struct drift_tmpl_render *r, struct drift_tmpl_value fmt,
                         struct drift_tmpl_value *ret);

/* ---- calls (call.c) ---- */
bool drift_tmpl_call(struct drift_tmpl_render *r, struct drift_tmpl_value callee,
                     const struct drift_tmpl_args *args, struct drift_tmpl_value *ret);

#endif
