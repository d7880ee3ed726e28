/* clock.h: order and units. */
#include "runtime/base/clock.h"
#include "tests/unit/unit.h"

#include <time.h>

static void test_clock__monotonic__never_goes_back_and_counts_nanoseconds(void **state)
{
    (void)state;
    uint64_t start = drift_clock_ns(), last = start;
    for (int i = 0; i < 10000; i++) {
        uint64_t now = drift_clock_ns();
        assert_true(now >= last);
        last = now;
    }
    nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    assert_true(drift_clock_ns() - start >= 2000000);
}

static void test_clock__unix__is_the_systems_time(void **state)
{
    (void)state;
    time_t before = time(NULL);
    int64_t now = drift_clock_unix_s();
    assert_true(now >= before - 1 && now <= time(NULL) + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clock__monotonic__never_goes_back_and_counts_nanoseconds),
        cmocka_unit_test(test_clock__unix__is_the_systems_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
