/* arena.h: alignment, zeroes, the cap, the sticky flag. */
#include "runtime/base/arena.h"
#include "tests/unit/torture.h"

#include <string.h>

static void test_arena__many_sizes__zeroed_aligned_and_apart(void **state)
{
    (void)state;
    struct drift_arena arena;
    unsigned char *blocks[200];
    drift_arena_init(&arena, DRIFT_TAG_ARENA, 1u << 24);
    for (size_t i = 0; i < 200; i++) {
        size_t size = i * i + (i == 150 ? 3u << 20 : 0); /* one larger than any chunk */
        blocks[i] = drift_arena_alloc(&arena, size, 1);
        assert_non_null(blocks[i]);
        assert_int_equal((uintptr_t)blocks[i] % 16, 0);
        for (size_t k = 0; k < size; k++)
            assert_int_equal(blocks[i][k], 0);
        memset(blocks[i], (int)i, size);
    }
    for (size_t i = 1; i < 200; i++) {
        assert_int_equal(blocks[i][0], i);
        assert_int_equal(blocks[i][i * i - 1], i);
    }
    drift_arena_fini(&arena);
    assert_int_equal(drift_alloc_live_bytes(DRIFT_TAG_ARENA), 0);
}

static void test_arena__over_cap__refused_and_sticky(void **state)
{
    (void)state;
    struct drift_arena arena;
    drift_arena_init(&arena, DRIFT_TAG_ARENA, 1000);
    assert_non_null(drift_arena_alloc(&arena, 900, 1));
    assert_false(arena.failed);
    assert_null(drift_arena_alloc(&arena, 200, 1));
    assert_true(arena.failed);
    assert_null(drift_arena_alloc(&arena, 1, 1));
    drift_arena_fini(&arena);
    assert_false(arena.failed);
    assert_non_null(drift_arena_alloc(&arena, 900, 1));
    drift_arena_fini(&arena);
}

static void test_arena__overflowing_sizes__refused(void **state)
{
    (void)state;
    static const size_t sizes[][2] = {
        {SIZE_MAX,      2             },
        {SIZE_MAX,      1             },
        {SIZE_MAX - 15, 1             },
        {1u << 20,      SIZE_MAX >> 10}
    };
    for (size_t i = 0; i < DRIFT_COUNT_OF(sizes); i++) {
        struct drift_arena arena;
        drift_arena_init(&arena, DRIFT_TAG_ARENA, SIZE_MAX);
        assert_null(drift_arena_alloc(&arena, sizes[i][0], sizes[i][1]));
        assert_true(arena.failed);
        assert_null(drift_arena_strndup(&arena, "x", SIZE_MAX));
        drift_arena_fini(&arena);
    }
}

static void test_arena__strndup__copies_and_terminates(void **state)
{
    (void)state;
    struct drift_arena arena;
    drift_arena_init(&arena, DRIFT_TAG_ARENA, 1000);
    assert_string_equal(drift_arena_strndup(&arena, "abcdef", 3), "abc");
    assert_string_equal(drift_arena_strndup(&arena, NULL, 0), "");
    drift_arena_fini(&arena);
}

static enum drift_status fill_arena(void *ctx)
{
    (void)ctx;
    struct drift_arena arena;
    drift_arena_init(&arena, DRIFT_TAG_ARENA, 1u << 24);
    for (size_t i = 0; i < 60; i++) {
        char *copy = drift_arena_strndup(&arena, "0123456789", i % 11);
        void *block = drift_arena_alloc(&arena, i, 997);
        if (arena.failed)
            assert_true(!copy || !block);
    }
    enum drift_status status = arena.failed ? DRIFT_STATUS_NO_MEMORY : DRIFT_STATUS_OK;
    drift_arena_fini(&arena);
    return status;
}

static void test_arena__any_allocation_fails__no_leak(void **state)
{
    (void)state;
    assert_true(drift_torture(fill_arena, NULL, 0) > 5);
    assert_true(drift_torture(fill_arena, NULL, 1) > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arena__many_sizes__zeroed_aligned_and_apart),
        cmocka_unit_test(test_arena__over_cap__refused_and_sticky),
        cmocka_unit_test(test_arena__overflowing_sizes__refused),
        cmocka_unit_test(test_arena__strndup__copies_and_terminates),
        cmocka_unit_test(test_arena__any_allocation_fails__no_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
