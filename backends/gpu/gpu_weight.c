/* Weights on a GPU: rearranged on the host a few groups of rows at a time, uploaded in pieces. */
#include "backends/gpu/gpu_device.h"

#include "backends/gpu/weight_pack.h"
#include "runtime/base/alloc.h"

#include <string.h>

/* Host memory for rearranging, per weight that is being created. */
#define PIECE_BYTES (4u * 1024u * 1024u)

static bool is_vector(uint32_t use)
{
    return (use & (uint32_t)DRIFT_WEIGHT_VECTOR) != 0;
}

static bool is_matrix(uint32_t use)
{
    return (use & (uint32_t)(DRIFT_WEIGHT_LOOKUP | DRIFT_WEIGHT_MATMUL)) != 0;
}

/* Vectors are padded to the widest slice. */
static uint64_t vector_bytes(uint32_t n_cols)
{
    return ((uint64_t)n_cols + DRIFT_GPU_MAX_WIDTH - 1) / DRIFT_GPU_MAX_WIDTH *
           DRIFT_GPU_MAX_WIDTH * sizeof(float);
}

uint64_t drift_gpu_weight_bytes(const struct drift_device *device,
                                const struct drift_weight_desc *desc)
{
    (void)device;
    struct drift_gpu_weight_desc layout = {desc->dtype, desc->n_rows, desc->n_cols};
    uint64_t bytes = is_vector(desc->use) ? vector_bytes(desc->n_cols) : 0;
    for (enum drift_gpu_plane p = 0; is_matrix(desc->use) && p < DRIFT_GPU_PLANE_COUNT; ++p)
        bytes += drift_gpu_weight_plane_bytes(&layout, p);
    return bytes;
}

/* Rearrange and upload n_groups groups from first_group on; planes hold room for them. */
static enum drift_status upload_groups(const struct drift_gpu_weight *weight, const uint8_t *data,
                                       uint32_t first_group, uint32_t n_groups,
                                       uint32_t *const planes[DRIFT_GPU_PLANE_COUNT],
                                       struct drift_error *err)
{
    const struct drift_gpu_weight_desc *desc = &weight->desc;
    uint64_t words[DRIFT_GPU_PLANE_COUNT], row_bytes = 0;
    DRIFT_ASSERT(drift_dtype_row_bytes(desc->dtype, desc->n_cols, &row_bytes));
    for (enum drift_gpu_plane p = 0; p < DRIFT_GPU_PLANE_COUNT; ++p) {
        words[p] = drift_gpu_weight_group_words(desc, p);
        memset(planes[p], 0, words[p] * n_groups * 4);
    }
    for (uint32_t g = 0; g < n_groups; ++g) {
        uint32_t row = (first_group + g) * DRIFT_GPU_WEIGHT_LANES, rest = desc->n_rows - row;
        uint32_t *out[DRIFT_GPU_PLANE_COUNT];
        for (enum drift_gpu_plane p = 0; p < DRIFT_GPU_PLANE_COUNT; ++p)
            out[p] = planes[p] + g * words[p];
        drift_gpu_weight_pack_group(desc, data + row * row_bytes,
                                    rest < DRIFT_GPU_WEIGHT_LANES ? rest : DRIFT_GPU_WEIGHT_LANES,
                                    out);
    }
    for (enum drift_gpu_plane p = 0; p < DRIFT_GPU_PLANE_COUNT; ++p) {
        if (!words[p])
            continue;
        enum drift_status status = weight->planes[p]->gpu->api->buffer_write(
            weight->planes[p], first_group * words[p] * 4, planes[p], n_groups * words[p] * 4, err);
        if (status != DRIFT_STATUS_OK)
            return status;
    }
    return DRIFT_STATUS_OK;
}

static enum drift_status upload_matrix(struct drift_gpu_weight *weight, const uint8_t *data,
                                       struct drift_error *err)
{
    const struct drift_gpu_weight_desc *desc = &weight->desc;
    struct drift_gpu_device *device = (struct drift_gpu_device *)weight->base.device;
    uint32_t n_groups = drift_gpu_weight_groups(desc);
    uint64_t words[DRIFT_GPU_PLANE_COUNT], group_words = 0;
    for (enum drift_gpu_plane p = 0; p < DRIFT_GPU_PLANE_COUNT; ++p) {
        words[p] = drift_gpu_weight_group_words(desc, p);
        group_words += words[p];
        if (!words[p])
            continue;
        if (words[p] > INT32_MAX / n_groups)
            return drift_error_set(err, DRIFT_STATUS_LIMIT, 0,
                                   "more words than a kernel's 32-bit index reaches");
        enum drift_status status = device->gpu->api->buffer_create(
            device->gpu, words[p] * n_groups * 4, &weight->planes[p], err);
        if (status != DRIFT_STATUS_OK)
            return status;
    }
    uint64_t at_once = PIECE_BYTES / (group_words * 4);
    uint32_t step = at_once < 1 ? 1 : at_once < n_groups ? (uint32_t)at_once : n_groups;
    uint32_t *memory = drift_alloc(DRIFT_TAG_WEIGHTS, group_words * step, 4);
    if (!memory)
        return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "no memory to rearrange");
    uint32_t *planes[DRIFT_GPU_PLANE_COUNT], *next = memory;
    for (enum drift_gpu_plane p = 0; p < DRIFT_GPU_PLANE_COUNT; ++p) {
        planes[p] = next;
        next += words[p] * step;
    }
    enum drift_status status = DRIFT_STATUS_OK;
    for (uint32_t g = 0; g < n_groups && status == DRIFT_STATUS_OK; g += step)
        status =
            upload_groups(weight, data, g, n_groups - g < step ? n_groups - g : step, planes, err);
    drift_free(memory);
    return status;
}

static enum drift_status upload_vector(struct drift_gpu_weight *weight, const void *data,
                                       struct drift_error *err)
{
    struct drift_gpu_device *device = (struct drift_gpu_device *)weight->base.device;
    uint64_t bytes = vector_bytes(weight->desc.n_cols);
    enum drift_status status =
        device->gpu->api->buffer_create(device->gpu, bytes, &weight->vector, err);
    if (status == DRIFT_STATUS_OK)
        status = device->gpu->api->buffer_write(weight->vector, 0, NULL, bytes, err);
    if (status == DRIFT_STATUS_OK)
        status = device->gpu->api->buffer_write(weight->vector, 0, data,
                                                (uint64_t)weight->desc.n_cols * sizeof(float), err);
    return status;
}

enum drift_status drift_gpu_weight_create(struct drift_device *base,
                                          const struct drift_weight_desc *desc,
                                          struct drift_weight **ret_weight, struct drift_error *err)
{
    struct drift_gpu_device *device = (struct drift_gpu_device *)base;
    struct drift_gpu_weight *weight = drift_alloc(DRIFT_TAG_BACKEND, 1, sizeof *weight);
    if (!weight)
        return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "no memory for a weight");
    weight->base = (struct drift_weight){
        .device = base,
        .dtype = desc->dtype,
        .n_rows = desc->n_rows,
        .n_cols = desc->n_cols,
        .use = desc->use,
        .is_copied = true,
    };
    weight->desc = (struct drift_gpu_weight_desc){desc->dtype, desc->n_rows, desc->n_cols};
    enum drift_status status = DRIFT_STATUS_OK;
    if (is_matrix(desc->use))
        status = upload_matrix(weight, desc->data, err);
    if (status == DRIFT_STATUS_OK && is_vector(desc->use))
        status = upload_vector(weight, desc->data, err);
    if (status == DRIFT_STATUS_OK) {
        weight->base.bytes = drift_gpu_weight_bytes(base, desc);
        atomic_fetch_add(&device->weights_bytes, weight->base.bytes);
        *ret_weight = &weight->base;
    } else {
        drift_error_prefix(err, "weight %s", desc->name ? desc->name : "(unnamed)");
        drift_gpu_weight_destroy(&weight->base);
    }
    return status;
}

void drift_gpu_weight_destroy(struct drift_weight *base)
{
    struct drift_gpu_weight *weight = (struct drift_gpu_weight *)base;
    struct drift_gpu_device *device = (struct drift_gpu_device *)base->device;
    for (enum drift_gpu_plane p = 0; p < DRIFT_GPU_PLANE_COUNT; ++p)
        if (weight->planes[p])
            device->gpu->api->buffer_destroy(weight->planes[p]);
    if (weight->vector)
        device->gpu->api->buffer_destroy(weight->vector);
    atomic_fetch_sub(&device->weights_bytes, base->bytes);
    drift_free(weight);
}
