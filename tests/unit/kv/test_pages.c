/* kv/pages.h: promises, sharing, and a random walk against a plain model. */
#include "runtime/kv/pages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

static void test_pages__promise__bounds_what_others_get(void **state)
{
    (void)state;
    struct drift_kv_pool pool;
    assert_int_equal(drift_kv_pool_init(&pool, 4, NULL), DRIFT_STATUS_OK);
    assert_true(drift_kv_pool_promise(&pool, 3));
    assert_false(drift_kv_pool_promise(&pool, 2));
    int32_t page = drift_kv_page_alloc(&pool);
    assert_false(drift_kv_pool_promise(&pool, 2)); /* two are free but promised, one more is free */
    assert_true(drift_kv_pool_promise(&pool, 1));
    drift_kv_pool_forgo(&pool, 3);
    drift_kv_page_release(&pool, page);
    assert_int_equal(drift_kv_pool_used(&pool), 0);
    assert_true(drift_kv_pool_promise(&pool, 4));
    drift_kv_pool_fini(&pool);
}

static void test_pages__shared_page__lives_until_the_last_holder(void **state)
{
    (void)state;
    struct drift_kv_pool pool;
    assert_int_equal(drift_kv_pool_init(&pool, 2, NULL), DRIFT_STATUS_OK);
    assert_true(drift_kv_pool_promise(&pool, 1));
    int32_t page = drift_kv_page_alloc(&pool);
    drift_kv_page_ref(&pool, page);
    drift_kv_page_release(&pool, page);
    assert_int_equal(drift_kv_pool_used(&pool), 1);
    drift_kv_page_release(&pool, page);
    assert_int_equal(drift_kv_pool_used(&pool), 0);
    drift_kv_pool_fini(&pool);
}

static void test_pages__random_walk__no_page_has_two_owners(void **state)
{
    (void)state;
    enum { PAGES = 64 };
    struct drift_kv_pool pool;
    assert_int_equal(drift_kv_pool_init(&pool, PAGES, NULL), DRIFT_STATUS_OK);
    int refs[PAGES] = {0};
    uint32_t held = 0;
    srand(7);
    for (int i = 0; i < 200000; i++) {
        int32_t page = rand() % PAGES;
        int action = rand() % 3;
        if (action == 0 && drift_kv_pool_promise(&pool, 1)) {
            page = drift_kv_page_alloc(&pool);
            assert_int_equal(refs[page], 0);
            refs[page] = 1;
            held++;
        } else if (action == 1 && refs[page] > 0) {
            drift_kv_page_ref(&pool, page);
            refs[page]++;
        } else if (action == 2 && refs[page] > 0) {
            drift_kv_page_release(&pool, page);
            held -= --refs[page] == 0;
        }
        assert_int_equal(drift_kv_pool_used(&pool), held);
    }
    drift_kv_pool_fini(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pages__promise__bounds_what_others_get),
        cmocka_unit_test(test_pages__shared_page__lives_until_the_last_holder),
        cmocka_unit_test(test_pages__random_walk__no_page_has_two_owners),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
