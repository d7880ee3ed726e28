/* The static table of backends. One whose headers were missing is its stub (see CMakeLists.txt). */
#include "backends/registry.h"

static const struct drift_backend_ops *const backends[] = {
    &drift_backend_cpu,
    &drift_backend_opencl,
};

size_t drift_backend_count(void)
{
    return DRIFT_COUNT_OF(backends);
}

const struct drift_backend_ops *drift_backend_get(size_t i)
{
    DRIFT_ASSERT(i < DRIFT_COUNT_OF(backends));
    return backends[i];
}
