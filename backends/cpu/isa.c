/* Choosing a level; see isa.h. */
#include "backends/cpu/isa.h"

#include <string.h>

enum drift_status drift_cpu_isa_select(const char *name,
                                       const struct drift_cpu_kernels **ret_kernels,
                                       struct drift_error *err)
{
    bool is_auto = !name || strcmp(name, "auto") == 0;
    for (size_t i = 0; i < drift_cpu_isa_n_levels; i++) {
        const struct drift_cpu_isa_level *level = &drift_cpu_isa_levels[i];
        if (!is_auto && strcmp(level->kernels->name, name) != 0)
            continue;
        if (level->is_supported()) {
            *ret_kernels = level->kernels;
            return DRIFT_STATUS_OK;
        }
        if (!is_auto)
            return drift_error_set(err, DRIFT_STATUS_UNSUPPORTED, 0, "this processor lacks %s",
                                   name);
    }
    return drift_error_set(err, DRIFT_STATUS_NOT_FOUND, 0,
                           "no instruction-set level \"%.16s\" in this build", name ? name : "");
}
