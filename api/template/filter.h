/* What the files of filters and methods share. */
#ifndef DRIFT_API_TEMPLATE_FILTER_H
#define DRIFT_API_TEMPLATE_FILTER_H

#include "api/template/ops.h"

#define FILTER(id)                                                                                 \
    static bool id(struct drift_tmpl_render *r, struct drift_tmpl_value self,                      \
                   const struct drift_tmpl_value *v, const struct drift_tmpl_args *args,           \
                   struct drift_tmpl_value *ret)

extern const struct drift_tmpl_builtin drift_tmpl_text_filters[], drift_tmpl_seq_filters[],
    drift_tmpl_pick_filters[], drift_tmpl_value_filters[];
extern const size_t drift_tmpl_n_text_filters, drift_tmpl_n_seq_filters, drift_tmpl_n_pick_filters,
    drift_tmpl_n_value_filters;

extern const struct drift_tmpl_builtin drift_tmpl_text_methods[], drift_tmpl_search_methods[];
extern const size_t drift_tmpl_n_text_methods, drift_tmpl_n_search_methods;

static inline bool drift_tmpl_is_given(struct drift_tmpl_value v)
{
    return v.type != DRIFT_TMPL_ABSENT && v.type != DRIFT_TMPL_NONE;
}

static inline bool drift_tmpl_optional_int(struct drift_tmpl_render *r, struct drift_tmpl_value v,
                                           const char *what, int64_t fallback, int64_t *ret)
{
    *ret = fallback;
    return v.type == DRIFT_TMPL_ABSENT || drift_tmpl_get_int(r, v, what, ret);
}

/* The key that sorting and grouping compare: strings without their case, unless asked. */
bool drift_tmpl_sort_key(struct drift_tmpl_render *r, struct drift_tmpl_value item,
                         struct drift_tmpl_value attribute, bool case_sensitive,
                         struct drift_tmpl_value *ret);

#endif
