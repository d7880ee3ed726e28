/* buffer.h: growth, the cap, the sticky flag, cutting at both ends. */
#include "runtime/base/buffer.h"
#include "tests/unit/torture.h"

#include <string.h>

static void test_buffer__appends__form_one_terminated_string(void **state)
{
    (void)state;
    struct drift_buf buf;
    drift_buf_init(&buf, DRIFT_TAG_BASE, 100000);
    assert_string_equal(drift_buf_cstr(&buf), "");
    drift_buf_append_str(&buf, "ab");
    drift_buf_append_char(&buf, 'c');
    drift_buf_append(&buf, NULL, 0);
    drift_buf_printf(&buf, "%d-%s", 42, "x");
    assert_string_equal(drift_buf_cstr(&buf), "abc42-x");
    for (int i = 0; i < 5000; i++)
        drift_buf_printf(&buf, "%04d,", i);
    assert_false(buf.failed);
    assert_int_equal(buf.len, 7 + 5000 * 5);
    assert_string_equal(buf.data + buf.len - 10, "4998,4999,");
    drift_buf_fini(&buf);
}

static void test_buffer__exactly_the_cap__fits_and_one_more_fails(void **state)
{
    (void)state;
    struct drift_buf buf;
    drift_buf_init(&buf, DRIFT_TAG_BASE, 8);
    drift_buf_append_str(&buf, "12345678");
    assert_false(buf.failed);
    drift_buf_append(&buf, NULL, 0);
    assert_false(buf.failed);
    drift_buf_append_char(&buf, '9');
    assert_true(buf.failed);
    assert_string_equal(drift_buf_cstr(&buf), "12345678");
    drift_buf_fini(&buf);
}

static void test_buffer__overflowing_length__refused(void **state)
{
    (void)state;
    struct drift_buf buf;
    drift_buf_init(&buf, DRIFT_TAG_BASE, SIZE_MAX);
    drift_buf_append_str(&buf, "1");
    drift_buf_append(&buf, "x", SIZE_MAX - 1); /* with the NUL it would wrap to 0 */
    assert_true(buf.failed);
    drift_buf_fini(&buf);
}

static void test_buffer__after_failure__nothing_is_appended_until_reset(void **state)
{
    (void)state;
    struct drift_buf buf;
    drift_buf_init(&buf, DRIFT_TAG_BASE, 8);
    drift_buf_append_str(&buf, "123");
    drift_buf_printf(&buf, "%s", "too long for it");
    drift_buf_append_str(&buf, "4");
    assert_true(buf.failed);
    assert_string_equal(drift_buf_cstr(&buf), "123");
    assert_null(drift_buf_take(&buf, NULL));
    drift_buf_reset(&buf);
    drift_buf_append_str(&buf, "4");
    assert_false(buf.failed);
    assert_string_equal(drift_buf_cstr(&buf), "4");
    drift_buf_fini(&buf);
}

static void test_buffer__consume_and_truncate__keep_the_middle(void **state)
{
    (void)state;
    struct drift_buf buf;
    drift_buf_init(&buf, DRIFT_TAG_BASE, 100);
    drift_buf_consume(&buf, 0);
    drift_buf_truncate(&buf, 0);
    drift_buf_append_str(&buf, "abcdefgh");
    drift_buf_consume(&buf, 2);
    drift_buf_truncate(&buf, 4);
    assert_string_equal(drift_buf_cstr(&buf), "cdef");
    drift_buf_consume(&buf, 4);
    assert_string_equal(drift_buf_cstr(&buf), "");
    drift_buf_fini(&buf);
}

static void test_buffer__take__moves_the_bytes_out(void **state)
{
    (void)state;
    struct drift_buf buf;
    size_t len = 99;
    drift_buf_init(&buf, DRIFT_TAG_BASE, 100);
    char *empty = drift_buf_take(&buf, &len);
    assert_string_equal(empty, "");
    assert_int_equal(len, 0);
    drift_buf_append(&buf, "a\0b", 3);
    char *data = drift_buf_take(&buf, &len);
    assert_int_equal(len, 3);
    assert_memory_equal(data, "a\0b", 4);
    assert_int_equal(buf.len, 0);
    drift_buf_append_str(&buf, "again");
    assert_string_equal(drift_buf_cstr(&buf), "again");
    drift_free(empty);
    drift_free(data);
    drift_buf_fini(&buf);
}

static enum drift_status fill_buffer(void *ctx)
{
    (void)ctx;
    struct drift_buf buf;
    drift_buf_init(&buf, DRIFT_TAG_BASE, 1u << 20);
    for (int i = 0; i < 3000; i++)
        drift_buf_printf(&buf, "%d ", i);
    char *data = drift_buf_take(&buf, NULL);
    if (data)
        assert_string_equal(data + strlen(data) - 10, "2998 2999 ");
    drift_free(data);
    drift_buf_fini(&buf);
    return data ? DRIFT_STATUS_OK : DRIFT_STATUS_NO_MEMORY;
}

static void test_buffer__any_allocation_fails__no_leak(void **state)
{
    (void)state;
    assert_true(drift_torture(fill_buffer, NULL, 0) > 5);
    assert_true(drift_torture(fill_buffer, NULL, 1) > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buffer__appends__form_one_terminated_string),
        cmocka_unit_test(test_buffer__exactly_the_cap__fits_and_one_more_fails),
        cmocka_unit_test(test_buffer__overflowing_length__refused),
        cmocka_unit_test(test_buffer__after_failure__nothing_is_appended_until_reset),
        cmocka_unit_test(test_buffer__consume_and_truncate__keep_the_middle),
        cmocka_unit_test(test_buffer__take__moves_the_bytes_out),
        cmocka_unit_test(test_buffer__any_allocation_fails__no_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
