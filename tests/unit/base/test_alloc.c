/* alloc.h: counting, overflow, injected failure. */
#include "runtime/base/alloc.h"
#include "tests/unit/unit.h"

static void test_alloc__overflowing_product__refused(void **state)
{
    (void)state;
    assert_null(drift_alloc(DRIFT_TAG_BASE, SIZE_MAX / 2, 3));
    assert_null(drift_alloc(DRIFT_TAG_BASE, SIZE_MAX, 1));
}

static void test_alloc__live_bytes__follow_alloc_realloc_free(void **state)
{
    (void)state;
    uint64_t before = drift_alloc_live_bytes(DRIFT_TAG_KV);
    char *p = drift_alloc(DRIFT_TAG_KV, 10, 10);
    assert_non_null(p);
    assert_int_equal(drift_alloc_live_bytes(DRIFT_TAG_KV) - before, 100);
    p = drift_realloc(DRIFT_TAG_KV, p, 300, 1);
    assert_non_null(p);
    for (int i = 0; i < 300; i++)
        assert_int_equal(p[i], 0);
    assert_int_equal(drift_alloc_live_bytes(DRIFT_TAG_KV) - before, 300);
    drift_free(p);
    assert_int_equal(drift_alloc_live_bytes(DRIFT_TAG_KV), before);
}

static void test_alloc__aligned__is_aligned_and_zeroed(void **state)
{
    (void)state;
    for (size_t align = 16; align <= 4096; align *= 2) {
        unsigned char *p = drift_alloc_aligned(DRIFT_TAG_BASE, align, 33, 1);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % align, 0);
        for (int i = 0; i < 33; i++)
            assert_int_equal(p[i], 0);
        drift_free(p);
    }
}

static void test_alloc__fail_nth__fails_exactly_that_one(void **state)
{
    (void)state;
    drift_alloc_fail_nth(2, 0);
    void *a = drift_alloc(DRIFT_TAG_BASE, 1, 1);
    void *b = drift_alloc(DRIFT_TAG_BASE, 1, 1);
    void *c = drift_alloc(DRIFT_TAG_BASE, 1, 1);
    assert_true(drift_alloc_fail_happened());
    drift_alloc_fail_nth(0, 0);
    assert_non_null(a);
    assert_null(b);
    assert_non_null(c);
    drift_free(a);
    drift_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alloc__overflowing_product__refused),
        cmocka_unit_test(test_alloc__live_bytes__follow_alloc_realloc_free),
        cmocka_unit_test(test_alloc__aligned__is_aligned_and_zeroed),
        cmocka_unit_test(test_alloc__fail_nth__fails_exactly_that_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
