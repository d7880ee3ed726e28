/* dtype.h against the gguf package (golden_base.h). */
#include "runtime/base/dtype.h"
#include "runtime/base/status.h"
#include "tests/unit/base/golden_base.h"
#include "tests/unit/unit.h"

static void test_dtype__table__equals_the_gguf_package(void **state)
{
    (void)state;
    assert_int_equal(DRIFT_COUNT_OF(golden_dtypes), DRIFT_DTYPE_COUNT);
    for (size_t i = 0; i < DRIFT_COUNT_OF(golden_dtypes); i++) {
        enum drift_dtype dtype;
        assert_true(drift_dtype_from_gguf(golden_dtypes[i].gguf_type, &dtype));
        const struct drift_dtype_info *info = drift_dtype_info(dtype);
        assert_string_equal(info->name, golden_dtypes[i].name);
        assert_int_equal(info->n_elements, golden_dtypes[i].n_elements);
        assert_int_equal(info->n_bytes, golden_dtypes[i].n_bytes);
    }
}

static void test_dtype__unknown_gguf_id__refused(void **state)
{
    (void)state;
    static const uint32_t ids[] = {4, 5, 9, 10, 15, 16, 31, 1000, UINT32_MAX};
    for (size_t i = 0; i < DRIFT_COUNT_OF(ids); i++) {
        enum drift_dtype dtype = DRIFT_DTYPE_F16;
        assert_false(drift_dtype_from_gguf(ids[i], &dtype));
        assert_int_equal(dtype, DRIFT_DTYPE_F16);
    }
}

static void test_dtype__row_bytes__whole_blocks_without_overflow(void **state)
{
    (void)state;
    uint64_t bytes = 1;
    assert_true(drift_dtype_row_bytes(DRIFT_DTYPE_Q4_K, 512, &bytes));
    assert_int_equal(bytes, 288);
    assert_true(drift_dtype_row_bytes(DRIFT_DTYPE_Q8_0, 0, &bytes));
    assert_int_equal(bytes, 0);
    assert_false(drift_dtype_row_bytes(DRIFT_DTYPE_Q4_K, 300, &bytes));
    assert_false(drift_dtype_row_bytes(DRIFT_DTYPE_F32, UINT64_MAX / 2, &bytes));
    assert_true(drift_dtype_row_bytes(DRIFT_DTYPE_Q8_0, UINT64_MAX / 64 * 32, &bytes));
    assert_false(drift_dtype_row_bytes(DRIFT_DTYPE_Q8_0, UINT64_MAX / 32 * 32, &bytes));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dtype__table__equals_the_gguf_package),
        cmocka_unit_test(test_dtype__unknown_gguf_id__refused),
        cmocka_unit_test(test_dtype__row_bytes__whole_blocks_without_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
