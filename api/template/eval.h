/* The tree walk: expressions to values, statements to output. */
#ifndef DRIFT_API_TEMPLATE_EVAL_H
#define DRIFT_API_TEMPLATE_EVAL_H

#include "api/template/macro.h"

/* How a body ended. */
enum drift_tmpl_flow {
    DRIFT_TMPL_FLOW_ERROR,
    DRIFT_TMPL_FLOW_NEXT,
    DRIFT_TMPL_FLOW_BREAK,
    DRIFT_TMPL_FLOW_CONTINUE
};

bool drift_tmpl_eval(struct drift_tmpl_render *r, struct drift_tmpl_env *env,
                     const struct drift_tmpl_node *node, struct drift_tmpl_value *ret);
/* Evaluate the arguments of a call into the render's arena; caller (or ABSENT) becomes a keyword.
 */
bool drift_tmpl_eval_args(struct drift_tmpl_render *r, struct drift_tmpl_env *env,
                          const struct drift_tmpl_args_node *node, struct drift_tmpl_value caller,
                          struct drift_tmpl_args *ret);
/* A CALL node, with the caller of a call block. */
bool drift_tmpl_eval_call(struct drift_tmpl_render *r, struct drift_tmpl_env *env,
                          const struct drift_tmpl_node *node, struct drift_tmpl_value caller,
                          struct drift_tmpl_value *ret);
/* Give every name of a scope its first value. */
bool drift_tmpl_enter_scope(struct drift_tmpl_render *r, struct drift_tmpl_env *env,
                            const struct drift_tmpl_scope *scope);
bool drift_tmpl_assign(struct drift_tmpl_render *r, struct drift_tmpl_env *env,
                       const struct drift_tmpl_node *target, struct drift_tmpl_value v);
enum drift_tmpl_flow drift_tmpl_run(struct drift_tmpl_render *r, struct drift_tmpl_env *env,
                                    const struct drift_tmpl_nodes *body);

#endif
