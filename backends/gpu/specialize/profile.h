/*
 * Device specialization: the table from what a device is to how kernels are shaped for it.
 *
 * A profile is data; kernels take its numbers as constants. The first row whose conditions a device
 * meets is used; any can be asked for by name (tests run the GPU shapes on a CPU driver). A tuner
 * may later replace single numbers.
 */
#ifndef DRIFT_BACKENDS_GPU_SPECIALIZE_PROFILE_H
#define DRIFT_BACKENDS_GPU_SPECIALIZE_PROFILE_H

#include "backends/gpu/gpu_api.h"

enum drift_gpu_matmul {
    DRIFT_GPU_MATMUL_NONE, /* end of a list */
    DRIFT_GPU_MATMUL_LANES,
    DRIFT_GPU_MATMUL_TILED,
    DRIFT_GPU_MATMUL_COUNT
};

#define DRIFT_GPU_MAX_VARIANTS 3u

/* How a linear layer is computed when it has at most max_rows rows. Variants of one stage must add
 * in one order. */
struct drift_gpu_matmul_variant {
    enum drift_gpu_matmul kind;
    uint32_t max_rows;   /* 0: any number */
    uint32_t lanes;      /* weight rows of a work-item: 4 or 16 */
    uint32_t row_groups; /* groups of 16 weight rows of a work-item, when lanes is 16 */
    uint32_t tokens;     /* rows of src of a work-item */
    uint32_t ksplit;     /* work-items that share a row's columns, at most */
    uint32_t local_x;    /* work-items of a work-group beside each other */
};

struct drift_gpu_profile {
    const char *name;
    bool for_cpu, for_gpu;
    uint32_t min_group_items;
    enum drift_gpu_layout layout; /* of activations */
    uint32_t width;               /* channels of a work-item in element-wise kernels, at most */
    uint32_t element_local;
    uint32_t norm_local;
    uint32_t attention_local, attention_tile;
    bool rope_splits_heads; /* a work-item per head instead of one that turns all of them */
    struct drift_gpu_matmul_variant matmul[DRIFT_STAGE_COUNT][DRIFT_GPU_MAX_VARIANTS];
};

extern const struct drift_gpu_profile drift_gpu_profiles[];
extern const size_t drift_gpu_n_profiles;

/* The profile called name, or the first that fits the facts when name is NULL; NULL if there is
 * none. */
const struct drift_gpu_profile *drift_gpu_profile_find(const struct drift_gpu_facts *facts,
                                                       const char *name);

#endif
