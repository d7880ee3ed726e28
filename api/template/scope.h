/*
 * Which variable a name means: every name of the tree gets a slot, every scope the list of what its
 * names start as. The rules are those of Jinja's compiler, which decides them from the text alone:
 * a scope's assignments stay in it, an inner scope sees the names of outer ones, and a name
 * assigned in only one branch of an if keeps its outer value in the other.
 */
#ifndef DRIFT_API_TEMPLATE_SCOPE_H
#define DRIFT_API_TEMPLATE_SCOPE_H

#include "api/template/ast.h"
#include "runtime/base/error.h"

/* Names in one template, all scopes together. */
#define DRIFT_TMPL_MAX_SLOTS 4096u

/* Resolve tmpl->root.body. Errors: CORRUPT, LIMIT, NO_MEMORY. */
enum drift_status drift_tmpl_resolve_names(struct drift_template *tmpl,
                                           struct drift_error *err) DRIFT_MUST_USE;

#endif
