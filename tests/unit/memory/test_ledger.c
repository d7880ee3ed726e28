/* memory/ledger.h: promises never exceed the budget, and a refusal shows its numbers. */
#include "runtime/memory/ledger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define MIB ((uint64_t)1 << 20)

static struct drift_ledger *make_ledger(uint64_t budget, uint64_t margin)
{
    struct drift_ledger *ledger = NULL;
    assert_int_equal(drift_ledger_create(budget, margin, &ledger, NULL), DRIFT_STATUS_OK);
    return ledger;
}

static void test_ledger__reserve__all_or_nothing(void **state)
{
    (void)state;
    struct drift_ledger *ledger = make_ledger(100 * MIB, 10 * MIB);
    const struct drift_ledger_item a[] = {
        {DRIFT_LEDGER_WEIGHTS, 60 * MIB},
        {DRIFT_LEDGER_KV,      20 * MIB},
    };
    const struct drift_ledger_item b[] = {
        {DRIFT_LEDGER_KV,      MIB     },
        {DRIFT_LEDGER_WEIGHTS, 10 * MIB},
    };
    struct drift_error err = {0};
    struct drift_ledger_usage usage;
    assert_int_equal(drift_ledger_reserve(ledger, "a", a, 2, &err), DRIFT_STATUS_OK);
    assert_int_equal(drift_ledger_reserve(ledger, "b", b, 2, &err), DRIFT_STATUS_NO_MEMORY);
    assert_non_null(strstr(err.msg, "b needs 11.0 MiB (weights 10.0 MiB, kv 1.00 MiB)"));
    assert_non_null(strstr(err.msg, "90.0 MiB of the budget of 100.0 MiB are reserved"));
    assert_non_null(strstr(err.msg, "weights 60.0 MiB, kv 20.0 MiB, margin 10.0 MiB"));
    drift_ledger_get_usage(ledger, &usage);
    assert_int_equal(usage.reserved_bytes, 90 * MIB);
    assert_int_equal(usage.reserved_by_kind[DRIFT_LEDGER_KV], 20 * MIB);
    drift_ledger_release_owner(ledger, "a");
    assert_int_equal(drift_ledger_reserve(ledger, "b", b, 2, &err), DRIFT_STATUS_OK);
    drift_ledger_destroy(ledger);
}

static void test_ledger__huge_requests__refused_without_wrapping(void **state)
{
    (void)state;
    struct drift_ledger *ledger = make_ledger(100 * MIB, 0);
    const struct drift_ledger_item wrap[] = {
        {DRIFT_LEDGER_WEIGHTS, UINT64_MAX},
        {DRIFT_LEDGER_KV,      2         },
    };
    assert_int_equal(drift_ledger_reserve(ledger, "m", wrap, 1, NULL), DRIFT_STATUS_NO_MEMORY);
    assert_int_equal(drift_ledger_reserve(ledger, "m", wrap, 2, NULL), DRIFT_STATUS_NO_MEMORY);
    drift_ledger_destroy(ledger);
}

static void test_ledger__commit__stays_within_the_reservation(void **state)
{
    (void)state;
    struct drift_ledger *ledger = make_ledger(100, 0);
    const struct drift_ledger_item kv = {DRIFT_LEDGER_KV, 50};
    struct drift_ledger_usage usage;
    assert_int_equal(drift_ledger_reserve(ledger, "m", &kv, 1, NULL), DRIFT_STATUS_OK);
    assert_int_equal(drift_ledger_commit(ledger, "m", DRIFT_LEDGER_KV, 30, NULL), DRIFT_STATUS_OK);
    assert_int_equal(drift_ledger_commit(ledger, "m", DRIFT_LEDGER_KV, 30, NULL),
                     DRIFT_STATUS_NO_MEMORY);
    assert_int_equal(drift_ledger_commit(ledger, "x", DRIFT_LEDGER_KV, 1, NULL),
                     DRIFT_STATUS_NO_MEMORY);
    drift_ledger_release(ledger, "m", DRIFT_LEDGER_KV, 20);
    drift_ledger_get_usage(ledger, &usage);
    assert_int_equal(usage.reserved_bytes, 30);
    assert_int_equal(usage.committed_bytes, 30);
    drift_ledger_uncommit(ledger, "m", DRIFT_LEDGER_KV, 30);
    drift_ledger_release(ledger, "m", DRIFT_LEDGER_KV, 30);
    size_t n = 1;
    drift_ledger_list(ledger, NULL, 0, &n);
    assert_int_equal(n, 1); /* the margin of 0 bytes */
    drift_ledger_destroy(ledger);
}

static void test_ledger__smaller_budget__refused_while_more_is_promised(void **state)
{
    (void)state;
    struct drift_ledger *ledger = make_ledger(100, 0);
    const struct drift_ledger_item weights = {DRIFT_LEDGER_WEIGHTS, 80};
    assert_int_equal(drift_ledger_reserve(ledger, "m", &weights, 1, NULL), DRIFT_STATUS_OK);
    assert_int_equal(drift_ledger_set_budget(ledger, 79, NULL), DRIFT_STATUS_NO_MEMORY);
    assert_int_equal(drift_ledger_set_budget(ledger, 80, NULL), DRIFT_STATUS_OK);
    assert_int_equal(drift_ledger_reserve(ledger, "m", &weights, 1, NULL), DRIFT_STATUS_NO_MEMORY);
    drift_ledger_destroy(ledger);
}

static void test_ledger__random_traffic__sum_is_kept_and_below_budget(void **state)
{
    (void)state;
    static const char *const owners[] = {"", "a", "b", "c"};
    struct drift_ledger *ledger = make_ledger(1000, 50);
    uint64_t seed = 7;
    for (int i = 0; i < 5000; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        uint32_t r = (uint32_t)(seed >> 33);
        const char *owner = owners[r % 4];
        struct drift_ledger_item item = {(enum drift_ledger_kind)(r / 4 % 5), r / 64 % 300};
        if (r / 32 % 4 == 0)
            drift_ledger_release_owner(ledger, owner);
        else if (drift_ledger_reserve(ledger, owner, &item, 1, NULL) == DRIFT_STATUS_OK)
            assert_int_equal(drift_ledger_commit(ledger, owner, item.kind, item.bytes / 2, NULL),
                             DRIFT_STATUS_OK);
        struct drift_ledger_usage usage;
        struct drift_ledger_account accounts[32];
        size_t n;
        uint64_t sum = 0;
        drift_ledger_get_usage(ledger, &usage);
        drift_ledger_list(ledger, accounts, 32, &n);
        assert_true(n <= 32);
        for (size_t j = 0; j < n; j++) {
            sum += accounts[j].reserved_bytes;
            assert_true(accounts[j].committed_bytes <= accounts[j].reserved_bytes);
        }
        assert_int_equal(sum, usage.reserved_bytes);
        assert_true(usage.reserved_bytes <= usage.budget_bytes);
    }
    drift_ledger_destroy(ledger);
}

static void test_ledger__margin_above_budget__refused(void **state)
{
    (void)state;
    struct drift_ledger *ledger = NULL;
    assert_int_equal(drift_ledger_create(10, 11, &ledger, NULL), DRIFT_STATUS_INVALID);
    assert_null(ledger);
}

static void test_ledger__bytes_text__picks_the_unit(void **state)
{
    (void)state;
    char text[24];
    assert_string_equal(drift_bytes_text(0, text), "0 B");
    assert_string_equal(drift_bytes_text(1023, text), "1023 B");
    assert_string_equal(drift_bytes_text(1536, text), "1.50 KiB");
    assert_string_equal(drift_bytes_text(94 * MIB + MIB / 10, text), "94.1 MiB");
    assert_string_equal(drift_bytes_text(UINT64_MAX, text), "16.0 EiB");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ledger__reserve__all_or_nothing),
        cmocka_unit_test(test_ledger__huge_requests__refused_without_wrapping),
        cmocka_unit_test(test_ledger__commit__stays_within_the_reservation),
        cmocka_unit_test(test_ledger__smaller_budget__refused_while_more_is_promised),
        cmocka_unit_test(test_ledger__random_traffic__sum_is_kept_and_below_budget),
        cmocka_unit_test(test_ledger__margin_above_budget__refused),
        cmocka_unit_test(test_ledger__bytes_text__picks_the_unit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
