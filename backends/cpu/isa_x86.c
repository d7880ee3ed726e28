/* Levels of x86. AVX-512 without VNNI is served by AVX2: its integer dot products would not be
 * faster. */
#include "backends/cpu/isa.h"

#include <cpuid.h>

/* Not every compiler's __builtin_cpu_supports knows it. CPUID leaf 1, ECX bit 29. */
static bool has_f16c(void)
{
    unsigned a, b, c = 0, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c >> 29 & 1u);
}

static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
}

static bool has_avx512(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512vnni");
}

static bool has_portable(void)
{
    return true;
}

const struct drift_cpu_isa_level drift_cpu_isa_levels[] = {
    {&drift_cpu_kernels_avx512,   has_avx512  },
    {&drift_cpu_kernels_avx2,     has_avx2    },
    {&drift_cpu_kernels_portable, has_portable},
};
const size_t drift_cpu_isa_n_levels = DRIFT_COUNT_OF(drift_cpu_isa_levels);
