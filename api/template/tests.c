/* What may follow `is`. */
#include "api/template/filter.h"

#define TEST(id) FILTER(id)

static bool answer(struct drift_tmpl_render *r, bool yes, struct drift_tmpl_value *ret)
{
    *ret = drift_tmpl_bool(yes);
    return drift_tmpl_charge(r, 1);
}

#define SIMPLE_TEST(id, condition)                                                                 \
    TEST(id)                                                                                       \
    {                                                                                              \
        (void)v;                                                                                   \
        (void)args;                                                                                \
        return answer(r, condition, ret);                                                          \
    }

SIMPLE_TEST(test_defined, self.type != DRIFT_TMPL_UNDEFINED)
SIMPLE_TEST(test_undefined, self.type == DRIFT_TMPL_UNDEFINED)
SIMPLE_TEST(test_none, self.type == DRIFT_TMPL_NONE)
SIMPLE_TEST(test_boolean, self.type == DRIFT_TMPL_BOOL)
SIMPLE_TEST(test_true, self.type == DRIFT_TMPL_BOOL && self.b)
SIMPLE_TEST(test_false, self.type == DRIFT_TMPL_BOOL && !self.b)
SIMPLE_TEST(test_integer, self.type == DRIFT_TMPL_INT)
SIMPLE_TEST(test_float, self.type == DRIFT_TMPL_FLOAT)
SIMPLE_TEST(test_number, drift_tmpl_is_number(self))
SIMPLE_TEST(test_string, self.type == DRIFT_TMPL_STRING)
SIMPLE_TEST(test_mapping, self.type == DRIFT_TMPL_DICT)
SIMPLE_TEST(test_iterable, drift_tmpl_is_iterable(self) || self.type == DRIFT_TMPL_LOOP)
SIMPLE_TEST(test_sequence, self.type == DRIFT_TMPL_UNDEFINED || self.type == DRIFT_TMPL_STRING ||
                               self.type == DRIFT_TMPL_LIST || self.type == DRIFT_TMPL_TUPLE ||
                               self.type == DRIFT_TMPL_DICT || self.type == DRIFT_TMPL_RANGE)
SIMPLE_TEST(test_callable, self.type == DRIFT_TMPL_UNDEFINED || self.type == DRIFT_TMPL_MACRO ||
                               self.type == DRIFT_TMPL_FUNCTION || self.type == DRIFT_TMPL_METHOD ||
                               self.type == DRIFT_TMPL_JOINER || self.type == DRIFT_TMPL_LOOP)
SIMPLE_TEST(test_escaped, self.type == DRIFT_TMPL_STRING && (self.flags & DRIFT_TMPL_FLAG_SAFE))
SIMPLE_TEST(test_sameas, drift_tmpl_same_object(self, v[0]))
SIMPLE_TEST(test_filter, self.type == DRIFT_TMPL_STRING && drift_tmpl_find_filter(self))
SIMPLE_TEST(test_test, self.type == DRIFT_TMPL_STRING && drift_tmpl_find_test(self))

static bool test_case(struct drift_tmpl_render *r, struct drift_tmpl_value self, bool upper,
                      struct drift_tmpl_value *ret)
{
    struct drift_tmpl_value text;
    return drift_tmpl_to_text(r, self, &text) && drift_tmpl_charge_bytes(r, text.len) &&
           answer(r, drift_tmpl_is_cased_as(text, upper), ret);
}

TEST(test_lower)
{
    (void)v;
    (void)args;
    return test_case(r, self, false, ret);
}

TEST(test_upper)
{
    (void)v;
    (void)args;
    return test_case(r, self, true, ret);
}

static bool test_remainder(struct drift_tmpl_render *r, struct drift_tmpl_value self,
                           struct drift_tmpl_value by, int64_t wanted, struct drift_tmpl_value *ret)
{
    struct drift_tmpl_value rest;
    bool equal;
    if (!drift_tmpl_arith(r, DRIFT_TMPL_OP_MOD, self, by, &rest) ||
        !drift_tmpl_equal(r, rest, drift_tmpl_int(wanted), &equal))
        return false;
    return answer(r, equal, ret);
}

TEST(test_odd)
{
    (void)v;
    (void)args;
    return test_remainder(r, self, drift_tmpl_int(2), 1, ret);
}

TEST(test_even)
{
    (void)v;
    (void)args;
    return test_remainder(r, self, drift_tmpl_int(2), 0, ret);
}

TEST(test_divisibleby)
{
    (void)args;
    return test_remainder(r, self, v[0], 0, ret);
}

static bool test_op(struct drift_tmpl_render *r, enum drift_tmpl_op op,
                    struct drift_tmpl_value self, struct drift_tmpl_value other,
                    struct drift_tmpl_value *ret)
{
    bool yes = false;
    return drift_tmpl_compare(r, op, self, other, &yes) && answer(r, yes, ret);
}

#define OP_TEST(id, op)                                                                            \
    TEST(id)                                                                                       \
    {                                                                                              \
        (void)args;                                                                                \
        return test_op(r, op, self, v[0], ret);                                                    \
    }

OP_TEST(test_eq, DRIFT_TMPL_OP_EQ)
OP_TEST(test_ne, DRIFT_TMPL_OP_NE)
OP_TEST(test_lt, DRIFT_TMPL_OP_LT)
OP_TEST(test_le, DRIFT_TMPL_OP_LE)
OP_TEST(test_gt, DRIFT_TMPL_OP_GT)
OP_TEST(test_ge, DRIFT_TMPL_OP_GE)
OP_TEST(test_in, DRIFT_TMPL_OP_IN)

static const struct drift_tmpl_builtin tests[] = {
    {"defined",     test_defined,     "",      0},
    {"undefined",   test_undefined,   "",      0},
    {"none",        test_none,        "",      0},
    {"string",      test_string,      "",      0},
    {"mapping",     test_mapping,     "",      0},
    {"iterable",    test_iterable,    "",      0},
    {"sequence",    test_sequence,    "",      0},
    {"boolean",     test_boolean,     "",      0},
    {"true",        test_true,        "",      0},
    {"false",       test_false,       "",      0},
    {"integer",     test_integer,     "",      0},
    {"float",       test_float,       "",      0},
    {"number",      test_number,      "",      0},
    {"callable",    test_callable,    "",      0},
    {"escaped",     test_escaped,     "",      0},
    {"sameas",      test_sameas,      "other", 1},
    {"filter",      test_filter,      "",      0},
    {"test",        test_test,        "",      0},
    {"lower",       test_lower,       "",      0},
    {"upper",       test_upper,       "",      0},
    {"odd",         test_odd,         "",      0},
    {"even",        test_even,        "",      0},
    {"divisibleby", test_divisibleby, "num",   1},
    {"in",          test_in,          "seq",   1},
    {"eq",          test_eq,          "b",     1},
    {"equalto",     test_eq,          "b",     1},
    {"==",          test_eq,          "b",     1},
    {"ne",          test_ne,          "b",     1},
    {"!=",          test_ne,          "b",     1},
    {"lt",          test_lt,          "b",     1},
    {"lessthan",    test_lt,          "b",     1},
    {"<",           test_lt,          "b",     1},
    {"le",          test_le,          "b",     1},
    {"<=",          test_le,          "b",     1},
    {"gt",          test_gt,          "b",     1},
    {"greaterthan", test_gt,          "b",     1},
    {">",           test_gt,          "b",     1},
    {"ge",          test_ge,          "b",     1},
    {">=",          test_ge,          "b",     1},
};

const struct drift_tmpl_builtin *drift_tmpl_find_test(struct drift_tmpl_value name)
{
    return drift_tmpl_find_builtin(tests, DRIFT_COUNT_OF(tests), name);
}
