/* memory/plan.h: what a memory plan promises, on cases done by hand and on random lifetimes. */
#include "runtime/memory/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define ALIGN 64u

static void test_plan__chain__needs_two_buffers(void **state)
{
    (void)state;
    struct drift_memory_usage usages[10];
    uint64_t offsets[10];
    for (uint32_t i = 0; i < 10; i++)
        usages[i] = (struct drift_memory_usage){ALIGN, i, i + 1};
    struct drift_memory_report report;
    assert_int_equal(drift_memory_plan(usages, 10, ALIGN, offsets, &report, NULL), DRIFT_STATUS_OK);
    assert_int_equal(report.naive_bytes, 10 * ALIGN);
    assert_int_equal(report.planned_bytes, 2 * ALIGN);
    assert_int_equal(report.lower_bound_bytes, 2 * ALIGN);
}

static void test_plan__long_lived_between__small_one_takes_the_tightest_gap(void **state)
{
    (void)state;
    /* Largest first: a at 0; b and c conflict with a and lie behind it; d fits the gap that a
     * leaves. */
    const struct drift_memory_usage usages[] = {
        {8 * ALIGN, 0, 1},
        {4 * ALIGN, 0, 5},
        {2 * ALIGN, 3, 5},
        {ALIGN,     3, 4},
    };
    uint64_t offsets[4];
    struct drift_memory_report report;
    assert_int_equal(drift_memory_plan(usages, 4, ALIGN, offsets, &report, NULL), DRIFT_STATUS_OK);
    assert_int_equal(offsets[0], 0);
    assert_int_equal(offsets[1], 8 * ALIGN);
    assert_int_equal(offsets[2], 0);
    assert_int_equal(offsets[3], 2 * ALIGN);
    assert_int_equal(report.planned_bytes, 12 * ALIGN);
    assert_int_equal(report.lower_bound_bytes, 12 * ALIGN);
}

static void test_plan__sizes__are_aligned(void **state)
{
    (void)state;
    const struct drift_memory_usage usages[] = {
        {1,         0, 1},
        {ALIGN + 1, 1, 2},
    };
    uint64_t offsets[2];
    struct drift_memory_report report;
    assert_int_equal(drift_memory_plan(usages, 2, ALIGN, offsets, &report, NULL), DRIFT_STATUS_OK);
    assert_int_equal(offsets[1], 0);
    assert_int_equal(offsets[0], 2 * ALIGN);
    assert_int_equal(report.naive_bytes, 3 * ALIGN);
}

static void test_plan__empty__is_zero_bytes(void **state)
{
    (void)state;
    struct drift_memory_report report;
    assert_int_equal(drift_memory_plan(NULL, 0, ALIGN, NULL, &report, NULL), DRIFT_STATUS_OK);
    assert_int_equal(report.planned_bytes, 0);
}

static void test_plan__bad_input__refused(void **state)
{
    (void)state;
    const struct drift_memory_usage backwards = {1, 2, 1};
    const struct drift_memory_usage huge[] = {
        {UINT64_MAX / 2, 0, 0},
        {UINT64_MAX / 2, 0, 0},
        {UINT64_MAX / 2, 0, 0},
    };
    uint64_t offsets[3];
    struct drift_memory_report report;
    assert_int_equal(drift_memory_plan(&backwards, 1, ALIGN, offsets, &report, NULL),
                     DRIFT_STATUS_INVALID);
    assert_int_equal(drift_memory_plan(huge, 3, ALIGN, offsets, &report, NULL), DRIFT_STATUS_LIMIT);
}

static uint32_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

static uint64_t aligned(uint64_t bytes)
{
    return (bytes + ALIGN - 1) / ALIGN * ALIGN;
}

/* The lower bound by its definition: the largest sum of what is alive in one task. */
static uint64_t most_alive(const struct drift_memory_usage *usages, size_t n, uint32_t n_tasks)
{
    uint64_t most = 0;
    for (uint32_t task = 0; task < n_tasks; task++) {
        uint64_t live = 0;
        for (size_t i = 0; i < n; i++) {
            if (usages[i].first_task <= task && task <= usages[i].last_task)
                live += aligned(usages[i].size_bytes);
        }
        most = live > most ? live : most;
    }
    return most;
}

static void check_plan(const struct drift_memory_usage *usages, size_t n, uint32_t n_tasks)
{
    uint64_t offsets[128], end = 0, naive = 0;
    struct drift_memory_report report;
    assert_int_equal(drift_memory_plan(usages, n, ALIGN, offsets, &report, NULL), DRIFT_STATUS_OK);
    for (size_t i = 0; i < n; i++) {
        const struct drift_memory_usage *a = &usages[i];
        assert_int_equal(offsets[i] % ALIGN, 0);
        naive += aligned(a->size_bytes);
        if (offsets[i] + aligned(a->size_bytes) > end)
            end = offsets[i] + aligned(a->size_bytes);
        for (size_t j = 0; j < i; j++) {
            const struct drift_memory_usage *b = &usages[j];
            if (a->first_task > b->last_task || b->first_task > a->last_task)
                continue;
            assert_true(offsets[i] + a->size_bytes <= offsets[j] ||
                        offsets[j] + b->size_bytes <= offsets[i]);
        }
    }
    assert_int_equal(report.planned_bytes, end);
    assert_int_equal(report.naive_bytes, naive);
    assert_int_equal(report.lower_bound_bytes, most_alive(usages, n, n_tasks));
    assert_true(report.lower_bound_bytes <= report.planned_bytes);
    assert_true(report.planned_bytes <= report.naive_bytes);
}

static void test_plan__random_graphs__live_tensors_never_overlap(void **state)
{
    (void)state;
    uint64_t seed = 2505;
    for (int round = 0; round < 500; round++) {
        struct drift_memory_usage usages[128];
        size_t n = next_random(&seed) % 128;
        uint32_t n_tasks = 1 + next_random(&seed) % 60;
        for (size_t i = 0; i < n; i++) {
            uint32_t first = next_random(&seed) % n_tasks;
            uint32_t length = next_random(&seed) % (next_random(&seed) % 8 ? 5 : n_tasks);
            usages[i].size_bytes = next_random(&seed) % (1u << (next_random(&seed) % 16));
            usages[i].first_task = first;
            usages[i].last_task = first + length < n_tasks ? first + length : n_tasks - 1;
        }
        check_plan(usages, n, n_tasks);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plan__chain__needs_two_buffers),
        cmocka_unit_test(test_plan__long_lived_between__small_one_takes_the_tightest_gap),
        cmocka_unit_test(test_plan__sizes__are_aligned),
        cmocka_unit_test(test_plan__empty__is_zero_bytes),
        cmocka_unit_test(test_plan__bad_input__refused),
        cmocka_unit_test(test_plan__random_graphs__live_tensors_never_overlap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
