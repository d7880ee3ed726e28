/* Levels of processors without kernels of their own. */
#include "backends/cpu/isa.h"

static bool has_portable(void)
{
    return true;
}

const struct drift_cpu_isa_level drift_cpu_isa_levels[] = {
    {&drift_cpu_kernels_portable, has_portable},
};
const size_t drift_cpu_isa_n_levels = DRIFT_COUNT_OF(drift_cpu_isa_levels);
