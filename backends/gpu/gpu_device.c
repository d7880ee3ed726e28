#include "backends/gpu/gpu_device.h"

#include "runtime/base/alloc.h"

#include <stdio.h>
#include <string.h>

static struct drift_gpu_device *from_base(struct drift_device *device)
{
    return (struct drift_gpu_device *)device;
}

static void kernel_drop(struct drift_gpu_device *device, struct drift_gpu_cached_kernel *kernel)
{
    DRIFT_ASSERT(kernel->n_users == 0);
    device->gpu->api->kernel_destroy(kernel->kernel);
    drift_free(kernel->text);
    drift_free(kernel);
}

static void device_close(struct drift_device *base)
{
    struct drift_gpu_device *device = from_base(base);
    const struct drift_gpu_api *api = device->gpu->api;
    for (uint32_t i = 0; i < device->n_kernels; ++i)
        kernel_drop(device, device->kernels[i]);
    drift_free(device->kernels);
    if (device->arena)
        api->buffer_destroy(device->arena);
    api->close(device->gpu);
    pthread_mutex_destroy(&device->lock);
    drift_free(device);
}

static enum drift_status device_reserve_arena(struct drift_device *base, uint64_t bytes,
                                              struct drift_error *err)
{
    struct drift_gpu_device *device = from_base(base);
    struct drift_gpu_buffer *arena;
    if (bytes == 0 || (device->arena && device->arena->bytes >= bytes))
        return DRIFT_STATUS_OK;
    enum drift_status status = device->gpu->api->buffer_create(device->gpu, bytes, &arena, err);
    if (status != DRIFT_STATUS_OK) {
        drift_error_prefix(err, "arena of %llu bytes", (unsigned long long)bytes);
        return status;
    }
    if (device->arena)
        device->gpu->api->buffer_destroy(device->arena);
    device->arena = arena;
    ++device->arena_generation;
    return DRIFT_STATUS_OK;
}

static void device_get_usage(const struct drift_device *base, struct drift_device_usage *ret_usage)
{
    struct drift_gpu_device *device = (struct drift_gpu_device *)base;
    *ret_usage = (struct drift_device_usage){
        .weights_bytes = atomic_load(&device->weights_bytes),
        .caches_bytes = atomic_load(&device->caches_bytes),
        .programs_bytes = atomic_load(&device->programs_bytes),
        .arena_bytes = device->arena ? device->arena->bytes : 0,
    };
}

static const struct drift_device_ops device_ops;

enum drift_status drift_gpu_device_create(struct drift_gpu *gpu,
                                          const struct drift_device_info *info, const char *profile,
                                          struct drift_device **ret_device, struct drift_error *err)
{
    enum drift_status status;
    struct drift_gpu_device *device = NULL;
    const struct drift_gpu_profile *found = drift_gpu_profile_find(&gpu->facts, profile);
    if (!found) {
        status = profile ? drift_error_set(err, DRIFT_STATUS_NOT_FOUND, 0,
                                           "%s: there is no kernel profile %s", info->id, profile)
                         : drift_error_set(err, DRIFT_STATUS_UNSUPPORTED, 0,
                                           "%s: work-groups of %u items are too small", info->id,
                                           gpu->facts.max_group_items);
        goto fail;
    }
    device = drift_alloc(DRIFT_TAG_BACKEND, 1, sizeof *device);
    if (!device || pthread_mutex_init(&device->lock, NULL) != 0) {
        status = drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "no memory for a device");
        goto fail;
    }
    device->base.ops = &device_ops;
    device->base.info = *info;
    device->gpu = gpu;
    device->profile = found;
    *ret_device = &device->base;
    return DRIFT_STATUS_OK;
fail:
    drift_free(device);
    gpu->api->close(gpu);
    return status;
}

/* The list grows by one; the caller holds the lock. */
static enum drift_status kernel_add(struct drift_gpu_device *device, const char *name,
                                    struct drift_gpu_kernel_source *source,
                                    struct drift_gpu_cached_kernel **ret_kernel,
                                    struct drift_error *err)
{
    const struct drift_gpu_api *api = device->gpu->api;
    struct drift_gpu_cached_kernel *entry = drift_alloc(DRIFT_TAG_BACKEND, 1, sizeof *entry);
    struct drift_gpu_cached_kernel **list =
        drift_realloc(DRIFT_TAG_BACKEND, device->kernels, device->n_kernels + 1, sizeof(void *));
    if (list)
        device->kernels = list;
    if (!list || !entry) {
        drift_free(entry);
        return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "no memory for a kernel");
    }
    enum drift_status status = api->kernel_create(device->gpu, source, name, &entry->kernel, err);
    if (status != DRIFT_STATUS_OK) {
        drift_error_prefix(err, "kernel %s", name);
        drift_free(entry);
        return status;
    }
    entry->hash = source->hash;
    entry->text = source->text;
    source->text = NULL;
    snprintf(entry->options, sizeof entry->options, "%s", source->options);
    snprintf(entry->name, sizeof entry->name, "%s", name);
    device->kernels[device->n_kernels++] = entry;
    *ret_kernel = entry;
    return DRIFT_STATUS_OK;
}

enum drift_status drift_gpu_kernel_acquire(struct drift_gpu_device *device, const char *name,
                                           struct drift_gpu_kernel_source *source,
                                           struct drift_gpu_cached_kernel **ret_kernel,
                                           struct drift_error *err)
{
    enum drift_status status = DRIFT_STATUS_OK;
    struct drift_gpu_cached_kernel *found = NULL;
    pthread_mutex_lock(&device->lock);
    for (uint32_t i = 0; i < device->n_kernels && !found; ++i) {
        struct drift_gpu_cached_kernel *entry = device->kernels[i];
        if (entry->hash == source->hash && strcmp(entry->options, source->options) == 0 &&
            strcmp(entry->text, source->text) == 0)
            found = entry;
    }
    if (!found)
        status = kernel_add(device, name, source, &found, err);
    if (status == DRIFT_STATUS_OK) {
        ++found->n_users;
        *ret_kernel = found;
    }
    pthread_mutex_unlock(&device->lock);
    return status;
}

void drift_gpu_kernel_release(struct drift_gpu_device *device,
                              struct drift_gpu_cached_kernel *kernel)
{
    pthread_mutex_lock(&device->lock);
    if (--kernel->n_users == 0 && device->n_kernels > DRIFT_GPU_MAX_KEPT_KERNELS) {
        uint32_t i = 0;
        while (device->kernels[i] != kernel)
            ++i;
        device->kernels[i] = device->kernels[--device->n_kernels];
        kernel_drop(device, kernel);
    }
    pthread_mutex_unlock(&device->lock);
}

const char *drift_gpu_kernel_text(const struct drift_gpu_device *device, uint32_t i,
                                  const char **ret_name)
{
    if (i >= device->n_kernels)
        return NULL;
    *ret_name = device->kernels[i]->name;
    return device->kernels[i]->text;
}

static const struct drift_device_ops device_ops = {
    .close = device_close,
    .reserve_arena = device_reserve_arena,
    .get_usage = device_get_usage,
    .weight_bytes = drift_gpu_weight_bytes,
    .weight_create = drift_gpu_weight_create,
    .weight_destroy = drift_gpu_weight_destroy,
    .cache_bytes = drift_gpu_cache_bytes,
    .cache_create = drift_gpu_cache_create,
    .cache_destroy = drift_gpu_cache_destroy,
    .program_create = drift_gpu_program_create,
    .program_destroy = drift_gpu_program_destroy,
    .program_submit = drift_gpu_program_submit,
};
