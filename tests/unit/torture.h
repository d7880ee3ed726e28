/*
 * Torture: run a scenario again and again with the 1st, 2nd, 3rd ... allocation failing, until it
 * gets through without meeting a failure.
 *
 * The scenario makes everything it needs, uses it, releases it, and returns OK or the error it got.
 * Under an injected failure it must return NO_MEMORY (or OK, where the code has a way round), must
 * not crash, and must leave the heap as it was.
 */
#ifndef DRIFT_TESTS_UNIT_TORTURE_H
#define DRIFT_TESTS_UNIT_TORTURE_H

#include "runtime/base/alloc.h"
#include "tests/unit/unit.h"

#define DRIFT_TORTURE_MAX_RUNS 100000u

typedef enum drift_status (*drift_torture_fn)(void *ctx);

/* Return how many allocations were made to fail in turn. persistent: all later ones fail as well.
 */
static inline uint64_t drift_torture(drift_torture_fn scenario, void *ctx, int persistent)
{
    /* Once undisturbed: it has to work at all, and what is made once per process is made here. */
    assert_int_equal(scenario(ctx), DRIFT_STATUS_OK);
    uint64_t before = drift_alloc_live_bytes(DRIFT_TAG_COUNT);
    for (uint64_t n = 1; n <= DRIFT_TORTURE_MAX_RUNS; n++) {
        drift_alloc_fail_nth(n, persistent);
        enum drift_status status = scenario(ctx);
        int failed = drift_alloc_fail_happened();
        drift_alloc_fail_nth(0, 0);
        if (drift_alloc_live_bytes(DRIFT_TAG_COUNT) != before)
            fail_msg("bytes leaked when allocation %llu failed", (unsigned long long)n);
        if (!failed) {
            assert_int_equal(status, DRIFT_STATUS_OK);
            return n - 1;
        }
        if (status != DRIFT_STATUS_OK && status != DRIFT_STATUS_NO_MEMORY)
            fail_msg("allocation %llu failed and the scenario returned %s", (unsigned long long)n,
                     drift_status_name(status));
    }
    fail_msg("no end after %u runs", DRIFT_TORTURE_MAX_RUNS);
    return 0;
}

#endif
