/* error.h and status.h: what a caller reads after a failure. */
#include "runtime/base/error.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>

static void test_error__set__returns_the_status_and_formats(void **state)
{
    (void)state;
    struct drift_error err = {0};
    assert_int_equal(drift_error_set(&err, DRIFT_STATUS_LIMIT, 7, "%d of %s", 3, "many"),
                     DRIFT_STATUS_LIMIT);
    assert_int_equal(err.status, DRIFT_STATUS_LIMIT);
    assert_int_equal(err.native, 7);
    assert_string_equal(err.msg, "3 of many");
}

static void test_error__null__accepted_everywhere(void **state)
{
    (void)state;
    assert_int_equal(drift_error_set(NULL, DRIFT_STATUS_BUSY, 0, "x"), DRIFT_STATUS_BUSY);
    assert_int_equal(drift_error_set_errno(NULL, EACCES, "x"), DRIFT_STATUS_IO);
    drift_error_prefix(NULL, "x");
}

static void test_error__prefix__goes_before_and_long_text_is_cut(void **state)
{
    (void)state;
    struct drift_error err;
    drift_error_set(&err, DRIFT_STATUS_CORRUPT, 0, "bad magic");
    drift_error_prefix(&err, "model %s", "m.gguf");
    assert_string_equal(err.msg, "model m.gguf: bad magic");
    assert_int_equal(err.status, DRIFT_STATUS_CORRUPT);
    for (int i = 0; i < 50; i++)
        drift_error_prefix(&err, "level %d", i);
    assert_int_equal(strlen(err.msg), sizeof err.msg - 1);
    assert_memory_equal(err.msg, "level 49: level 48: ", 20);
    drift_error_prefix(&err, "%0300d", 0);
    assert_int_equal(strlen(err.msg), sizeof err.msg - 1);
}

static void test_error__errno__mapped_and_explained(void **state)
{
    (void)state;
    static const struct {
        int errnum;
        enum drift_status status;
    } cases[] = {
        {ENOENT, DRIFT_STATUS_NOT_FOUND},
        {ENOMEM, DRIFT_STATUS_NO_MEMORY},
        {EACCES, DRIFT_STATUS_IO       }
    };
    for (size_t i = 0; i < DRIFT_COUNT_OF(cases); i++) {
        struct drift_error err;
        char expected[256] = "cannot open x: ";
        strcat(expected, strerror(cases[i].errnum));
        assert_int_equal(drift_error_set_errno(&err, cases[i].errnum, "cannot open %s", "x"),
                         cases[i].status);
        assert_int_equal(err.native, cases[i].errnum);
        assert_string_equal(err.msg, expected);
    }
}

static void test_error__status_names__all_different_and_none_outside(void **state)
{
    (void)state;
    for (int i = 0; i < DRIFT_STATUS_COUNT; i++) {
        assert_true(strlen(drift_status_text((enum drift_status)i)) > 3);
        for (int k = 0; k < i; k++)
            assert_string_not_equal(drift_status_name((enum drift_status)i),
                                    drift_status_name((enum drift_status)k));
    }
    assert_string_equal(drift_status_name((enum drift_status)DRIFT_STATUS_COUNT), "?");
    assert_string_equal(drift_status_text((enum drift_status) - 1), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_error__set__returns_the_status_and_formats),
        cmocka_unit_test(test_error__null__accepted_everywhere),
        cmocka_unit_test(test_error__prefix__goes_before_and_long_text_is_cut),
        cmocka_unit_test(test_error__errno__mapped_and_explained),
        cmocka_unit_test(test_error__status_names__all_different_and_none_outside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
