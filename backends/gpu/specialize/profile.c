#include "backends/gpu/specialize/profile.h"

#include <string.h>

/*
 * cpu: a CPU driver runs a work-group on one thread, so work-items are single vectors of 16,
 * work-groups are small and nothing needs a barrier. gpu: neighbouring work-items read neighbouring
 * words, work-groups of 64 ... 128 items. gpu_slices: the same with the paper's slice-major
 * activations; chosen by name.
 */
const struct drift_gpu_profile drift_gpu_profiles[] = {
    {
     .name = "cpu",
     .for_cpu = true,
     .min_group_items = 8,
     .layout = DRIFT_GPU_LAYOUT_ROWS,
     .width = 16,
     .element_local = 8,
     .norm_local = 1,
     .attention_local = 1,
     .attention_tile = 64,
     .matmul =
            {
                [DRIFT_STAGE_THIN] =
                    {
                        {DRIFT_GPU_MATMUL_LANES, 1, 16, 2, 1, 1, 1},
                        {DRIFT_GPU_MATMUL_LANES, 4, 16, 1, 4, 1, 1},
                        {DRIFT_GPU_MATMUL_LANES, 0, 16, 1, 8, 1, 1},
                    },
                [DRIFT_STAGE_TILED] =
                    {
                        {DRIFT_GPU_MATMUL_LANES, 1, 16, 2, 1, 1, 1},
                        {DRIFT_GPU_MATMUL_LANES, 0, 16, 1, 8, 1, 1},
                    },
            }, },
    {
     .name = "gpu",
     .for_gpu = true,
     .min_group_items = 128,
     .layout = DRIFT_GPU_LAYOUT_ROWS,
     .width = 4,
     .element_local = 64,
     .norm_local = 64,
     .attention_local = 64,
     .attention_tile = 64,
     .rope_splits_heads = true,
     .matmul =
            {
                [DRIFT_STAGE_THIN] =
                    {
                        {DRIFT_GPU_MATMUL_LANES, 1, 4, 1, 1, 8, 16},
                        {DRIFT_GPU_MATMUL_LANES, 0, 4, 1, 4, 8, 16},
                    },
                [DRIFT_STAGE_TILED] =
                    {
                        {DRIFT_GPU_MATMUL_LANES, 1, 4, 1, 1, 1, 64},
                        {DRIFT_GPU_MATMUL_TILED, 0, 4, 1, 32, 1, 16},
                    },
            }, },
    {
     .name = "gpu_slices",
     .min_group_items = 128,
     .layout = DRIFT_GPU_LAYOUT_SLICES,
     .width = 4,
     .element_local = 64,
     .norm_local = 32,
     .attention_local = 32,
     .attention_tile = 32,
     .matmul =
            {
                [DRIFT_STAGE_THIN] =
                    {
                        {DRIFT_GPU_MATMUL_LANES, 0, 4, 1, 2, 4, 16},
                    },
                [DRIFT_STAGE_TILED] =
                    {
                        {DRIFT_GPU_MATMUL_TILED, 0, 4, 1, 32, 1, 16},
                    },
            }, },
};

const size_t drift_gpu_n_profiles = DRIFT_COUNT_OF(drift_gpu_profiles);

const struct drift_gpu_profile *drift_gpu_profile_find(const struct drift_gpu_facts *facts,
                                                       const char *name)
{
    for (size_t i = 0; i < drift_gpu_n_profiles; ++i) {
        const struct drift_gpu_profile *profile = &drift_gpu_profiles[i];
        bool is_for_kind = facts->is_cpu ? profile->for_cpu : profile->for_gpu;
        if (name ? strcmp(profile->name, name) == 0
                 : is_for_kind && facts->max_group_items >= profile->min_group_items)
            return profile;
    }
    return NULL;
}
