/* The global functions. */
#include "api/template/filter.h"

#define MAX_RANGE 100000

#define FUNCTION(id) FILTER(id)

FUNCTION(call_range)
{
    int64_t start = 0, stop, step = 1;
    (void)self;
    (void)args;
    bool one = v[1].type == DRIFT_TMPL_ABSENT;
    if (!drift_tmpl_get_int(r, v[0], "a range's bound", one ? &stop : &start) ||
        (!one && !drift_tmpl_get_int(r, v[1], "a range's bound", &stop)) ||
        !drift_tmpl_optional_int(r, v[2], "a range's step", 1, &step))
        return false;
    if (step == 0)
        return drift_tmpl_fail(r, DRIFT_STATUS_INVALID, "a range's step can't be zero");
    uint64_t span = 0, stride = step > 0 ? (uint64_t)step : 0 - (uint64_t)step;
    if (step > 0 ? start < stop : start > stop)
        span = step > 0 ? (uint64_t)stop - (uint64_t)start : (uint64_t)start - (uint64_t)stop;
    uint64_t n = span ? (span - 1) / stride + 1 : 0;
    if (n > MAX_RANGE)
        return drift_tmpl_fail(r, DRIFT_STATUS_LIMIT, "a range of more than %d", MAX_RANGE);
    struct drift_tmpl_range *range = drift_tmpl_alloc(r, 1, sizeof *range);
    if (!range)
        return false;
    *range =
        (struct drift_tmpl_range){.start = start, .stop = stop, .step = step, .n = (uint32_t)n};
    *ret = (struct drift_tmpl_value){.type = DRIFT_TMPL_RANGE, .range = range};
    return true;
}

FUNCTION(call_dict)
{
    (void)self;
    (void)v;
    return drift_tmpl_dict_build(r, args, ret);
}

FUNCTION(call_namespace)
{
    (void)self;
    (void)v;
    return drift_tmpl_namespace_new(r, args, ret);
}

static bool new_cycler(struct drift_tmpl_render *r, enum drift_tmpl_type type,
                       struct drift_tmpl_value items, struct drift_tmpl_value *ret)
{
    struct drift_tmpl_cycler *c = drift_tmpl_alloc(r, 1, sizeof *c);
    if (!c)
        return false;
    c->items = items;
    *ret = (struct drift_tmpl_value){.type = (uint8_t)type, .cycler = c};
    return true;
}

FUNCTION(call_cycler)
{
    (void)self;
    (void)v;
    if (!args->n_pos || args->n_kw)
        return drift_tmpl_fail(r, DRIFT_STATUS_INVALID,
                               "cycler takes one item at least, no keywords");
    return new_cycler(r, DRIFT_TMPL_CYCLER,
                      drift_tmpl_seq(DRIFT_TMPL_TUPLE, args->pos, args->n_pos), ret);
}

FUNCTION(call_joiner)
{
    (void)self;
    (void)args;
    return new_cycler(r, DRIFT_TMPL_JOINER,
                      v[0].type == DRIFT_TMPL_ABSENT ? drift_tmpl_str(", ", 2) : v[0], ret);
}

FUNCTION(call_raise_exception)
{
    (void)self;
    (void)args;
    (void)ret;
    struct drift_tmpl_value text;
    if (!drift_tmpl_to_text(r, v[0], &text))
        return false;
    if (!r->status) /* the template's own words, without a line */
        r->status = drift_error_set(&r->error, DRIFT_STATUS_INVALID, 0, "%.*s",
                                    (int)(text.len < 250 ? text.len : 250), text.len ? text.s : "");
    return false;
}

FUNCTION(call_strftime_now)
{
    (void)self;
    (void)args;
    return drift_tmpl_need_text(r, v[0], "strftime_now takes a format, not a value") &&
           drift_tmpl_strftime(r, v[0], ret);
}

static const struct drift_tmpl_builtin functions[] = {
    {"range",           call_range,           "start stop step", 1},
    {"dict",            call_dict,            NULL,              0},
    {"namespace",       call_namespace,       NULL,              0},
    {"cycler",          call_cycler,          NULL,              0},
    {"joiner",          call_joiner,          "sep",             0},
    {"raise_exception", call_raise_exception, "message",         1},
    {"strftime_now",    call_strftime_now,    "format",          1},
};

const struct drift_tmpl_builtin *drift_tmpl_find_function(struct drift_tmpl_value name)
{
    return drift_tmpl_find_builtin(functions, DRIFT_COUNT_OF(functions), name);
}
