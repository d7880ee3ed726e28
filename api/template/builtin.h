/*
 * Filters, tests, methods and functions: one table each, found by name when a template is compiled.
 */
#ifndef DRIFT_API_TEMPLATE_BUILTIN_H
#define DRIFT_API_TEMPLATE_BUILTIN_H

#include "api/template/ast.h"

struct drift_tmpl_render;

struct drift_tmpl_kwarg {
    struct drift_tmpl_value name, value;
};

/* Evaluated arguments of a call. */
struct drift_tmpl_args {
    const struct drift_tmpl_value *pos;
    uint32_t n_pos, n_kw;
    const struct drift_tmpl_kwarg *kw;
};

#define DRIFT_TMPL_MAX_PARAMS 6

/*
 * self is what it is applied to (ABSENT for functions); v the arguments by parameter, ABSENT where
 * not given, or NULL for variadic ones, which read args.
 */
typedef bool (*drift_tmpl_builtin_fn)(struct drift_tmpl_render *r, struct drift_tmpl_value self,
                                      const struct drift_tmpl_value *v,
                                      const struct drift_tmpl_args *args,
                                      struct drift_tmpl_value *ret);

struct drift_tmpl_builtin {
    const char *name;
    drift_tmpl_builtin_fn fn;
    const char *params; /* names with a blank between; NULL: variadic */
    uint8_t n_required;
};

/* A method with its object, as a value: {% set f = text.upper %}. */
struct drift_tmpl_method {
    const struct drift_tmpl_builtin *builtin;
    struct drift_tmpl_value self;
};

/* Stands for the methods that would change a list or dict: they are undefined, and calling one
 * fails. */
bool drift_tmpl_refuse_change(struct drift_tmpl_render *r, struct drift_tmpl_value self,
                              const struct drift_tmpl_value *v, const struct drift_tmpl_args *args,
                              struct drift_tmpl_value *ret);

/* NULL when there is none of that name. */
const struct drift_tmpl_builtin *drift_tmpl_find_filter(struct drift_tmpl_value name);
const struct drift_tmpl_builtin *drift_tmpl_find_test(struct drift_tmpl_value name);
const struct drift_tmpl_builtin *drift_tmpl_find_function(struct drift_tmpl_value name);
const struct drift_tmpl_builtin *drift_tmpl_find_string_method(struct drift_tmpl_value name);
const struct drift_tmpl_builtin *drift_tmpl_find_list_method(struct drift_tmpl_value name);
const struct drift_tmpl_builtin *drift_tmpl_find_tuple_method(struct drift_tmpl_value name);
const struct drift_tmpl_builtin *drift_tmpl_find_dict_method(struct drift_tmpl_value name);
/* Linear search in a table. */
const struct drift_tmpl_builtin *drift_tmpl_find_builtin(const struct drift_tmpl_builtin *table,
                                                         size_t n, struct drift_tmpl_value name);
/* Look an attribute's name up in all tables. */
void drift_tmpl_attr_init(struct drift_tmpl_attr *attr, struct drift_tmpl_value name);

/* Sort the arguments into parameters and call. Errors: too many, too few, unknown, given twice. */
bool drift_tmpl_call_builtin(struct drift_tmpl_render *r, const struct drift_tmpl_builtin *b,
                             struct drift_tmpl_value self, const struct drift_tmpl_args *args,
                             struct drift_tmpl_value *ret);

#endif
