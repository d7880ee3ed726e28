/* Laying out one value in a width: the common end of % and of str.format. */
#ifndef DRIFT_API_TEMPLATE_SPEC_H
#define DRIFT_API_TEMPLATE_SPEC_H

#include "api/template/ops.h"

#define DRIFT_TMPL_MAX_SPEC_DIGITS 400

struct drift_tmpl_spec {
    uint32_t fill;     /* a code point, 0: blank */
    char align;        /* '<' '>' '^' '=', 0: the type's own */
    char sign;         /* '+' ' ' '-' or 0 */
    char grouping;     /* ',' '_' or 0 */
    char type;         /* 0: none given */
    bool alt;          /* '#' */
    int64_t width;     /* code points */
    int64_t precision; /* -1: none given */
};

/* Errors: INVALID for a type that the value can't have, UNSUPPORTED. */
bool drift_tmpl_write_text(struct drift_tmpl_render *r, struct drift_tmpl_value text,
                           const struct drift_tmpl_spec *spec);
bool drift_tmpl_write_int(struct drift_tmpl_render *r, int64_t value,
                          const struct drift_tmpl_spec *spec);
bool drift_tmpl_write_float(struct drift_tmpl_render *r, double value,
                            const struct drift_tmpl_spec *spec);

#endif
