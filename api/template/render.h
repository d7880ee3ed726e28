/*
 * The state of one render, and the services every part of the evaluator uses: errors, the step
 * budget, memory, growing strings and lists.
 *
 * Functions that can fail return false after recording the error; *ret is then not to be used.
 */
#ifndef DRIFT_API_TEMPLATE_RENDER_H
#define DRIFT_API_TEMPLATE_RENDER_H

#include "api/template/ast.h"
#include "api/template/template.h"

#include <string.h>

#define DRIFT_TMPL_N_EXTENTS    8
#define DRIFT_TMPL_MAX_BYTES    (UINT32_MAX - 64u)
#define DRIFT_TMPL_BYTES_A_STEP 256u

/* Room behind a string or list that was just joined, so that joining more to it does not copy. */
struct drift_tmpl_extent {
    char *end, *limit;
    uint64_t worth; /* the least worthy is given up for a new one */
};

/* The slots of a running function. */
struct drift_tmpl_env {
    struct drift_tmpl_env *outer;
    struct drift_tmpl_value *slots;
};

struct drift_tmpl_render {
    const struct drift_template *tmpl;
    struct drift_arena arena;
    struct drift_tmpl_value context; /* a dict */
    struct drift_buf *out;
    size_t out_limit; /* out->len does not pass this */
    uint64_t n_steps, max_steps;
    uint32_t depth, max_depth;
    uint32_t line; /* being evaluated */
    int64_t now_unix_s;
    struct drift_tmpl_value captured; /* the text a block's filters start from */
    struct drift_tmpl_extent extents[DRIFT_TMPL_N_EXTENTS];
    uint64_t n_extents; /* made so far */
    enum drift_status status;
    struct drift_error error;
};

/* Record the first error; "line N: " is put before it. Returns false. */
bool drift_tmpl_fail(struct drift_tmpl_render *r, enum drift_status status, const char *fmt, ...)
    DRIFT_PRINTF(3, 4);
/* "what: can't be done with a list" and the like, INVALID. */
bool drift_tmpl_fail_type(struct drift_tmpl_render *r, const char *what, struct drift_tmpl_value v);
/* Use of an undefined value: names it. */
bool drift_tmpl_fail_undefined(struct drift_tmpl_render *r, struct drift_tmpl_value v);

bool drift_tmpl_fail_steps(struct drift_tmpl_render *r);
bool drift_tmpl_fail_depth(struct drift_tmpl_render *r);

/* Take n steps from the budget. */
static inline bool drift_tmpl_charge(struct drift_tmpl_render *r, uint64_t n)
{
    r->n_steps += n;
    return r->n_steps <= r->max_steps || drift_tmpl_fail_steps(r);
}

static inline bool drift_tmpl_charge_bytes(struct drift_tmpl_render *r, size_t n_bytes)
{
    return drift_tmpl_charge(r, n_bytes / DRIFT_TMPL_BYTES_A_STEP);
}

/* Around everything that recurses. */
static inline bool drift_tmpl_enter(struct drift_tmpl_render *r)
{
    return r->depth++ < r->max_depth || drift_tmpl_fail_depth(r);
}

static inline void drift_tmpl_leave(struct drift_tmpl_render *r)
{
    r->depth--;
}

/* n * size zeroed bytes of the render's arena; NULL after recording the error. */
void *drift_tmpl_alloc(struct drift_tmpl_render *r, size_t n, size_t size);
/* Room for a new string; charges for its length. */
char *drift_tmpl_alloc_text(struct drift_tmpl_render *r, size_t len);
/* A copy, or a value that borrows text which lives as long as the render. */
bool drift_tmpl_copy_text(struct drift_tmpl_render *r, const char *s, size_t len,
                          struct drift_tmpl_value *ret);
/* a followed by b; in place when a is the newest end of an earlier join. */
bool drift_tmpl_join_text(struct drift_tmpl_render *r, struct drift_tmpl_value a,
                          struct drift_tmpl_value b, struct drift_tmpl_value *ret);
/* The same for lists and tuples. */
bool drift_tmpl_join_items(struct drift_tmpl_render *r, struct drift_tmpl_value a,
                           struct drift_tmpl_value b, struct drift_tmpl_value *ret);

/* A list under construction: push what comes, then finish. */
struct drift_tmpl_list_builder {
    struct drift_tmpl_value *items;
    uint32_t n, capacity;
};

bool drift_tmpl_list_push(struct drift_tmpl_render *r, struct drift_tmpl_list_builder *b,
                          struct drift_tmpl_value v);

/*
 * Output goes to r->out. A capture notes where it starts, and what was written since is taken away
 * as a string (or dropped by drift_tmpl_capture_drop).
 */
static inline size_t drift_tmpl_capture_begin(const struct drift_tmpl_render *r)
{
    return r->out->len;
}

bool drift_tmpl_capture_end(struct drift_tmpl_render *r, size_t start,
                            struct drift_tmpl_value *ret);
void drift_tmpl_capture_drop(struct drift_tmpl_render *r, size_t start);
bool drift_tmpl_write(struct drift_tmpl_render *r, const char *s, size_t len);
bool drift_tmpl_write_char(struct drift_tmpl_render *r, char c);
bool drift_tmpl_write_code(struct drift_tmpl_render *r, uint32_t code);

static inline bool drift_tmpl_write_cstr(struct drift_tmpl_render *r, const char *s)
{
    return drift_tmpl_write(r, s, strlen(s));
}

#endif
