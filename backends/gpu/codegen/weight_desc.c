#include "backends/gpu/codegen/weight_desc.h"

static const struct drift_gpu_weight_format formats[DRIFT_DTYPE_COUNT] = {
    [DRIFT_DTYPE_F32] = {"plain",       "f32",   32, 0,  0 },
    [DRIFT_DTYPE_F16] = {"plain",       "f16",   16, 0,  0 },
    [DRIFT_DTYPE_BF16] = {"plain",       "bf16",  16, 0,  0 },
    [DRIFT_DTYPE_Q4_0] = {"q4_0",        "bits4", 4,  16, 0 },
    [DRIFT_DTYPE_Q4_1] = {"scale_min",   "bits4", 4,  32, 0 },
    [DRIFT_DTYPE_Q5_0] = {"q5_0",        "bits5", 5,  16, 0 },
    [DRIFT_DTYPE_Q5_1] = {"scale_min",   "bits5", 5,  32, 0 },
    [DRIFT_DTYPE_Q8_0] = {"q8_0",        "bits8", 8,  16, 0 },
    [DRIFT_DTYPE_Q4_K] = {"k_scale_min", "bits4", 4,  16, 32},
    [DRIFT_DTYPE_Q5_K] = {"k_scale_min", "bits5", 5,  16, 32},
    [DRIFT_DTYPE_Q6_K] = {"q6_k",        "bits6", 6,  16, 16},
};

const struct drift_gpu_weight_format *drift_gpu_weight_format(enum drift_dtype dtype)
{
    return &formats[dtype];
}

uint32_t drift_gpu_weight_groups(const struct drift_gpu_weight_desc *desc)
{
    return desc->n_rows / DRIFT_GPU_WEIGHT_LANES + (desc->n_rows % DRIFT_GPU_WEIGHT_LANES != 0);
}

uint32_t drift_gpu_weight_blocks(const struct drift_gpu_weight_desc *desc)
{
    return desc->n_cols / DRIFT_GPU_WEIGHT_BLOCK + (desc->n_cols % DRIFT_GPU_WEIGHT_BLOCK != 0);
}

uint64_t drift_gpu_weight_group_words(const struct drift_gpu_weight_desc *desc,
                                      enum drift_gpu_plane plane)
{
    const struct drift_gpu_weight_format *format = &formats[desc->dtype];
    uint64_t n_blocks = drift_gpu_weight_blocks(desc);
    uint64_t per_super = DRIFT_GPU_WEIGHT_SUPER / DRIFT_GPU_WEIGHT_BLOCK;
    switch (plane) {
    case DRIFT_GPU_PLANE_QUANTS:
        return n_blocks * format->n_quant_words * DRIFT_GPU_WEIGHT_LANES;
    case DRIFT_GPU_PLANE_SCALES:
        return n_blocks * format->scale_bits * DRIFT_GPU_WEIGHT_LANES / 32;
    case DRIFT_GPU_PLANE_SUPERS:
        return n_blocks / per_super * format->super_bits * DRIFT_GPU_WEIGHT_LANES / 32;
    case DRIFT_GPU_PLANE_COUNT:
        break;
    }
    return 0;
}

uint64_t drift_gpu_weight_plane_bytes(const struct drift_gpu_weight_desc *desc,
                                      enum drift_gpu_plane plane)
{
    return drift_gpu_weight_group_words(desc, plane) * drift_gpu_weight_groups(desc) * 4;
}
