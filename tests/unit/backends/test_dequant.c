/* dequant.h against the `gguf` package's values, and the half-precision conversions against
 * themselves. */
#include "backends/cpu/dequant.h"
#include "runtime/base/status.h"
#include "tests/unit/backends/golden_dequant.h"
#include "tests/unit/unit.h"

#include <math.h>
#include <string.h>

struct golden {
    enum drift_dtype dtype;
    const uint8_t *bytes;
    const uint32_t *values;
    size_t n;
};

#define GOLDEN(type)                                                                               \
    {                                                                                              \
        DRIFT_DTYPE_##type, golden_##type##_bytes, golden_##type##_values,                         \
            DRIFT_COUNT_OF(golden_##type##_values)                                                 \
    }

static const struct golden goldens[] = {
    GOLDEN(Q4_0), GOLDEN(Q4_1), GOLDEN(Q5_0), GOLDEN(Q5_1), GOLDEN(Q8_0),
    GOLDEN(Q4_K), GOLDEN(Q5_K), GOLDEN(Q6_K), GOLDEN(F16),  GOLDEN(BF16),
};

/* The package multiplies in another order in places, so the last bit may differ. */
static void test_dequant__every_type__equals_the_package(void **state)
{
    (void)state;
    for (size_t g = 0; g < DRIFT_COUNT_OF(goldens); g++) {
        float values[512];
        assert_true(goldens[g].n <= DRIFT_COUNT_OF(values));
        drift_dequantize(goldens[g].dtype, goldens[g].bytes, values, goldens[g].n);
        for (size_t i = 0; i < goldens[g].n; i++) {
            float expected;
            memcpy(&expected, &goldens[g].values[i], sizeof expected);
            if (isinf(expected))
                assert_true(values[i] == expected);
            else
                assert_true(fabsf(values[i] - expected) <= 3e-7f * (fabsf(expected) + 1.0f));
        }
    }
}

static void test_dequant__unaligned_rows__read_the_same(void **state)
{
    (void)state;
    uint8_t shifted[sizeof golden_Q6_K_bytes + 1];
    float a[512], b[512];
    memcpy(shifted + 1, golden_Q6_K_bytes, sizeof golden_Q6_K_bytes);
    drift_dequantize(DRIFT_DTYPE_Q6_K, golden_Q6_K_bytes, a, 512);
    drift_dequantize(DRIFT_DTYPE_Q6_K, shifted + 1, b, 512);
    assert_memory_equal(a, b, sizeof a);
}

static void test_dequant__every_half__survives_the_way_through_f32(void **state)
{
    (void)state;
    for (uint32_t half = 0; half <= 0xffff; half++) {
        float value = drift_f16_to_f32((uint16_t)half);
        bool is_nan = (half & 0x7c00u) == 0x7c00u && (half & 0x3ffu) != 0;
        if (is_nan)
            assert_true(isnan(value) && isnan(drift_f16_to_f32(drift_f32_to_f16(value))));
        else
            assert_int_equal(drift_f32_to_f16(value), half);
    }
}

static void test_dequant__f32_between_halves__rounds_to_even(void **state)
{
    (void)state;
    assert_int_equal(drift_f32_to_f16(1.0f + 0x1p-11f), 0x3c00);            /* tie: down to even */
    assert_int_equal(drift_f32_to_f16(1.0f + 0x1p-10f + 0x1p-11f), 0x3c02); /* tie: up to even */
    assert_int_equal(drift_f32_to_f16(1.0f + 0x1p-11f + 0x1p-20f), 0x3c01);
    assert_int_equal(drift_f32_to_f16(65519.0f), 0x7bff);
    assert_int_equal(drift_f32_to_f16(65520.0f), 0x7c00);
    assert_int_equal(drift_f32_to_f16(0x1p-25f), 0x0000); /* tie with zero */
    assert_int_equal(drift_f32_to_f16(0x1.8p-25f), 0x0001);
    assert_int_equal(drift_f32_to_f16(-1e30f), 0xfc00);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dequant__every_type__equals_the_package),
        cmocka_unit_test(test_dequant__unaligned_rows__read_the_same),
        cmocka_unit_test(test_dequant__every_half__survives_the_way_through_f32),
        cmocka_unit_test(test_dequant__f32_between_halves__rounds_to_even),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
