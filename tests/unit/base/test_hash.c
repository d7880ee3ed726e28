/* hash.h against the xxhash package (golden_base.h). */
#include "runtime/base/hash.h"
#include "runtime/base/status.h"
#include "tests/unit/base/golden_base.h"
#include "tests/unit/unit.h"

#include <string.h>

static void test_hash__golden__equals_an_independent_xxh64(void **state)
{
    (void)state;
    uint8_t bytes[1001];
    for (unsigned i = 0; i < 1000; i++)
        bytes[i + 1] = (uint8_t)(i * 131 + 7);
    for (size_t i = 0; i < DRIFT_COUNT_OF(golden_hashes); i++) /* at an odd address, too */
        assert_int_equal(drift_hash64(bytes + 1, golden_hashes[i].len, golden_hashes[i].seed),
                         golden_hashes[i].hash);
}

static void test_hash__random_bytes__fill_all_and_differ(void **state)
{
    (void)state;
    uint8_t a[600], b[600], never[600] = {0};
    for (int i = 0; i < 16; i++) { /* a byte left alone would stay zero each time */
        drift_random_bytes(a, sizeof a);
        drift_random_bytes(b, sizeof b);
        assert_memory_not_equal(a, b, sizeof a);
        for (size_t k = 0; k < sizeof a; k++)
            never[k] |= a[k];
    }
    assert_null(memchr(never, 0, sizeof never));
    drift_random_bytes(a, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash__golden__equals_an_independent_xxh64),
        cmocka_unit_test(test_hash__random_bytes__fill_all_and_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
