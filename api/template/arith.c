/* Python's operators on 64-bit integers, floats, strings and lists. */
#include "api/template/ops.h"

#include <math.h>

static bool overflow(struct drift_tmpl_render *r)
{
    return drift_tmpl_fail(r, DRIFT_STATUS_UNSUPPORTED, "an integer beyond 64 bits");
}

static bool zero_division(struct drift_tmpl_render *r)
{
    return drift_tmpl_fail(r, DRIFT_STATUS_INVALID, "division by zero");
}

bool drift_tmpl_get_int(struct drift_tmpl_render *r, struct drift_tmpl_value v, const char *what,
                        int64_t *ret)
{
    if (!drift_tmpl_is_integral(v)) {
        if (v.type == DRIFT_TMPL_UNDEFINED)
            return drift_tmpl_fail_undefined(r, v);
        return drift_tmpl_fail(r, DRIFT_STATUS_INVALID, "%s must be an integer, not '%s'", what,
                               drift_tmpl_type_name(v));
    }
    *ret = drift_tmpl_as_int(v);
    return true;
}

static bool no_operator(struct drift_tmpl_render *r, enum drift_tmpl_op op,
                        struct drift_tmpl_value a, struct drift_tmpl_value b)
{
    static const char *const signs[] = {
        [DRIFT_TMPL_OP_ADD] = "+", [DRIFT_TMPL_OP_SUB] = "-",       [DRIFT_TMPL_OP_MUL] = "*",
        [DRIFT_TMPL_OP_DIV] = "/", [DRIFT_TMPL_OP_FLOORDIV] = "//", [DRIFT_TMPL_OP_MOD] = "%",
        [DRIFT_TMPL_OP_POW] = "**"};
    if (a.type == DRIFT_TMPL_UNDEFINED || b.type == DRIFT_TMPL_UNDEFINED)
        return drift_tmpl_fail_undefined(r, a.type == DRIFT_TMPL_UNDEFINED ? a : b);
    return drift_tmpl_fail(r, DRIFT_STATUS_INVALID, "'%s' %s '%s' is not possible",
                           drift_tmpl_type_name(a), signs[op], drift_tmpl_type_name(b));
}

static bool int_power(struct drift_tmpl_render *r, int64_t base, int64_t exp,
                      struct drift_tmpl_value *ret)
{
    if (exp < 0) {
        if (base == 0)
            return zero_division(r);
        *ret = drift_tmpl_float(pow((double)base, (double)exp));
        return true;
    }
    int64_t v = 1;
    if (base == 0 || base == 1 || base == -1) {
        v = exp == 0 ? 1 : base == -1 && exp % 2 == 0 ? 1 : base;
        exp = 0;
    }
    for (; exp > 0; exp--) {
        if (__builtin_mul_overflow(v, base, &v))
            return overflow(r);
    }
    *ret = drift_tmpl_int(v);
    return true;
}

static bool int_division(struct drift_tmpl_render *r, enum drift_tmpl_op op, int64_t x, int64_t y,
                         struct drift_tmpl_value *ret)
{
    if (y == 0)
        return zero_division(r);
    if (op == DRIFT_TMPL_OP_DIV) {
        *ret = drift_tmpl_float((double)((long double)x / (long double)y));
        return true;
    }
    if (y == -1) { /* INT64_MIN / -1 traps */
        if (op == DRIFT_TMPL_OP_FLOORDIV && x == INT64_MIN)
            return overflow(r);
        *ret = drift_tmpl_int(op == DRIFT_TMPL_OP_MOD ? 0 : -x);
        return true;
    }
    int64_t q = x / y, m = x % y;
    if (m != 0 && (m < 0) != (y < 0)) {
        q--;
        m += y;
    }
    *ret = drift_tmpl_int(op == DRIFT_TMPL_OP_MOD ? m : q);
    return true;
}

static bool int_arith(struct drift_tmpl_render *r, enum drift_tmpl_op op, int64_t x, int64_t y,
                      struct drift_tmpl_value *ret)
{
    int64_t v = 0;
    bool over = false;
    switch (op) {
    case DRIFT_TMPL_OP_ADD:
        over = __builtin_add_overflow(x, y, &v);
        break;
    case DRIFT_TMPL_OP_SUB:
        over = __builtin_sub_overflow(x, y, &v);
        break;
    case DRIFT_TMPL_OP_MUL:
        over = __builtin_mul_overflow(x, y, &v);
        break;
    case DRIFT_TMPL_OP_POW:
        return int_power(r, x, y, ret);
    default:
        return int_division(r, op, x, y, ret);
    }
    *ret = drift_tmpl_int(v);
    return over ? overflow(r) : true;
}

/* The remainder takes the divisor's sign; the quotient is the floor that goes with it. */
static void float_divmod(double x, double y, double *quotient, double *remainder)
{
    double m = fmod(x, y), q = (x - m) / y;
    if (m != 0) {
        if ((y < 0) != (m < 0)) {
            m += y;
            q -= 1;
        }
    } else {
        m = copysign(0.0, y);
    }
    if (q != 0) {
        double whole = floor(q);
        q = q - whole > 0.5 ? whole + 1 : whole;
    } else {
        q = copysign(0.0, x / y);
    }
    *quotient = q;
    *remainder = m;
}

static bool float_arith(struct drift_tmpl_render *r, enum drift_tmpl_op op, double x, double y,
                        struct drift_tmpl_value *ret)
{
    double q = 0, m = 0, v;
    switch (op) {
    case DRIFT_TMPL_OP_ADD:
        v = x + y;
        break;
    case DRIFT_TMPL_OP_SUB:
        v = x - y;
        break;
    case DRIFT_TMPL_OP_MUL:
        v = x * y;
        break;
    case DRIFT_TMPL_OP_POW:
        if (x == 0 && y < 0)
            return zero_division(r);
        if (x < 0 && isfinite(x) && isfinite(y) && floor(y) != y)
            return drift_tmpl_fail(r, DRIFT_STATUS_UNSUPPORTED, "a complex number");
        v = pow(x, y);
        if (isinf(v) && isfinite(x) && isfinite(y))
            return drift_tmpl_fail(r, DRIFT_STATUS_INVALID, "the result of ** is too large");
        break;
    default:
        if (y == 0)
            return zero_division(r);
        float_divmod(x, y, &q, &m);
        v = op == DRIFT_TMPL_OP_DIV ? x / y : op == DRIFT_TMPL_OP_MOD ? m : q;
        break;
    }
    *ret = drift_tmpl_float(v);
    return true;
}

static bool repeat(struct drift_tmpl_render *r, struct drift_tmpl_value v, int64_t n,
                   struct drift_tmpl_value *ret)
{
    bool text = v.type == DRIFT_TMPL_STRING;
    size_t size = text ? 1 : sizeof(struct drift_tmpl_value), total;
    if (n < 0 || v.len == 0)
        n = 0;
    if (__builtin_mul_overflow((size_t)n, v.len * size, &total) || total > DRIFT_TMPL_MAX_BYTES)
        total = DRIFT_TMPL_MAX_BYTES + 1; /* refused below, with the limit's message */
    if (!text && !drift_tmpl_charge(r, total / size))
        return false;
    char *out = drift_tmpl_alloc_text(r, total);
    if (!out)
        return false;
    size_t unit = v.len * size;
    if (n > 0)
        memcpy(out, v.s, unit);
    for (size_t done = unit; n > 0 && done < total;) { /* doubling: few, long copies */
        size_t part = done < total - done ? done : total - done;
        memcpy(out + done, out, part);
        done += part;
    }
    *ret = v;
    ret->s = out;
    ret->len = (uint32_t)(total / size);
    return true;
}

bool drift_tmpl_add(struct drift_tmpl_render *r, struct drift_tmpl_value a,
                    struct drift_tmpl_value b, struct drift_tmpl_value *ret)
{
    if (a.type == DRIFT_TMPL_STRING && b.type == DRIFT_TMPL_STRING) {
        if (!((a.flags | b.flags) & DRIFT_TMPL_FLAG_SAFE))
            return drift_tmpl_join_text(r, a, b, ret);
        if (!drift_tmpl_escape(r, a, &a) || !drift_tmpl_escape(r, b, &b) ||
            !drift_tmpl_join_text(r, a, b, ret))
            return false;
        ret->flags |= DRIFT_TMPL_FLAG_SAFE;
        return true;
    }
    if ((a.type == DRIFT_TMPL_LIST || a.type == DRIFT_TMPL_TUPLE) && a.type == b.type)
        return drift_tmpl_join_items(r, a, b, ret);
    return no_operator(r, DRIFT_TMPL_OP_ADD, a, b);
}

static bool is_repeatable(struct drift_tmpl_value v)
{
    return v.type == DRIFT_TMPL_STRING || v.type == DRIFT_TMPL_LIST || v.type == DRIFT_TMPL_TUPLE;
}

bool drift_tmpl_arith(struct drift_tmpl_render *r, enum drift_tmpl_op op, struct drift_tmpl_value a,
                      struct drift_tmpl_value b, struct drift_tmpl_value *ret)
{
    if (drift_tmpl_is_integral(a) && drift_tmpl_is_integral(b))
        return int_arith(r, op, drift_tmpl_as_int(a), drift_tmpl_as_int(b), ret);
    if (drift_tmpl_is_number(a) && drift_tmpl_is_number(b))
        return float_arith(r, op, drift_tmpl_as_double(a), drift_tmpl_as_double(b), ret);
    if (op == DRIFT_TMPL_OP_ADD)
        return drift_tmpl_add(r, a, b, ret);
    if (op == DRIFT_TMPL_OP_MUL && is_repeatable(a) && drift_tmpl_is_integral(b))
        return repeat(r, a, drift_tmpl_as_int(b), ret);
    if (op == DRIFT_TMPL_OP_MUL && is_repeatable(b) && drift_tmpl_is_integral(a))
        return repeat(r, b, drift_tmpl_as_int(a), ret);
    if (op == DRIFT_TMPL_OP_MOD && a.type == DRIFT_TMPL_STRING)
        return drift_tmpl_printf(r, a, b, ret);
    return no_operator(r, op, a, b);
}

bool drift_tmpl_negate(struct drift_tmpl_render *r, struct drift_tmpl_value v, bool minus,
                       struct drift_tmpl_value *ret)
{
    if (v.type == DRIFT_TMPL_FLOAT) {
        *ret = drift_tmpl_float(minus ? -v.f : v.f);
        return true;
    }
    if (!drift_tmpl_is_integral(v))
        return drift_tmpl_fail_type(r, "a sign before a value", v);
    if (minus && drift_tmpl_as_int(v) == INT64_MIN)
        return overflow(r);
    *ret = drift_tmpl_int(minus ? -drift_tmpl_as_int(v) : drift_tmpl_as_int(v));
    return true;
}
