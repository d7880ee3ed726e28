/* The objects of running loops and macros. */
#ifndef DRIFT_API_TEMPLATE_MACRO_H
#define DRIFT_API_TEMPLATE_MACRO_H

#include "api/template/ops.h"

/* A macro's function with the slots of the function it was defined in. */
struct drift_tmpl_macro {
    const struct drift_tmpl_function *function;
    struct drift_tmpl_env *env;
};

/* What a loop's body sees as `loop`. Items are taken when asked for: at most one ahead of the body.
 */
struct drift_tmpl_loop {
    struct drift_tmpl_cursor cursor;
    const struct drift_tmpl_for *node;
    struct drift_tmpl_env *env; /* of the loop, for its filter */
    int64_t index0;
    int64_t length; /* -1: not asked for yet */
    struct drift_tmpl_value current, before, after;
    bool have_after, at_end;
    struct drift_tmpl_value changed;     /* a tuple; ABSENT at first */
    const struct drift_tmpl_value *rest; /* the items not yet visited, once length was asked for */
    uint32_t n_rest;
};

/* Move to the next item, filtered; *more is false at the end. */
bool drift_tmpl_loop_next(struct drift_tmpl_render *r, struct drift_tmpl_loop *loop, bool *more);
bool drift_tmpl_loop_attr(struct drift_tmpl_render *r, struct drift_tmpl_loop *loop,
                          enum drift_tmpl_loop_attr attr, struct drift_tmpl_value *ret);
/* loop.cycle(...) and loop.changed(...) */
bool drift_tmpl_loop_call(struct drift_tmpl_render *r, struct drift_tmpl_loop *loop,
                          enum drift_tmpl_loop_attr attr, const struct drift_tmpl_args *args,
                          struct drift_tmpl_value *ret);
enum drift_tmpl_loop_attr drift_tmpl_loop_attr_find(struct drift_tmpl_value name);

/* Run a macro or a call block's body; the text it writes is *ret. */
bool drift_tmpl_call_macro(struct drift_tmpl_render *r, const struct drift_tmpl_macro *macro,
                           const struct drift_tmpl_args *args, struct drift_tmpl_value *ret);

#endif
