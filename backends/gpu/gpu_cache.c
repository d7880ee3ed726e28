/* A paged KV cache on a GPU: a buffer each for K and V of every layer, [page][head][row in
 * page][channel]. */
#include "backends/gpu/gpu_device.h"

#include "runtime/base/alloc.h"

static uint64_t layer_bytes(const struct drift_cache_desc *desc)
{
    return (uint64_t)desc->n_pages * desc->page_tokens * desc->n_kv_heads * desc->head_dim *
           drift_dtype_info(desc->dtype)->n_bytes;
}

uint64_t drift_gpu_cache_bytes(const struct drift_device *device,
                               const struct drift_cache_desc *desc)
{
    (void)device;
    return layer_bytes(desc) * 2 * desc->n_layers;
}

enum drift_status drift_gpu_cache_create(struct drift_device *base,
                                         const struct drift_cache_desc *desc,
                                         struct drift_cache **ret_cache, struct drift_error *err)
{
    struct drift_gpu_device *device = (struct drift_gpu_device *)base;
    const struct drift_gpu_api *api = device->gpu->api;
    struct drift_gpu_cache *cache = drift_alloc(DRIFT_TAG_BACKEND, 1, sizeof *cache);
    if (!cache)
        return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "no memory for a cache");
    cache->base.device = base;
    cache->base.desc = *desc;
    uint64_t bytes = layer_bytes(desc), n_buffers = 2 * (uint64_t)desc->n_layers;
    enum drift_status status = DRIFT_STATUS_OK;
    cache->buffers = drift_alloc(DRIFT_TAG_BACKEND, n_buffers, sizeof *cache->buffers);
    if (!cache->buffers)
        status = drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "no memory for a cache");
    for (uint64_t i = 0; i < n_buffers && status == DRIFT_STATUS_OK; ++i) {
        status = api->buffer_create(device->gpu, bytes, &cache->buffers[i], err);
        if (status == DRIFT_STATUS_OK)
            status = api->buffer_write(cache->buffers[i], 0, NULL, bytes, err);
    }
    if (status == DRIFT_STATUS_OK) {
        cache->base.bytes = drift_gpu_cache_bytes(base, desc);
        atomic_fetch_add(&device->caches_bytes, cache->base.bytes);
        *ret_cache = &cache->base;
    } else {
        drift_error_prefix(err, "cache of %u layers", desc->n_layers);
        drift_gpu_cache_destroy(&cache->base);
    }
    return status;
}

void drift_gpu_cache_destroy(struct drift_cache *base)
{
    struct drift_gpu_cache *cache = (struct drift_gpu_cache *)base;
    struct drift_gpu_device *device = (struct drift_gpu_device *)base->device;
    for (uint64_t i = 0; cache->buffers && i < 2 * (uint64_t)base->desc.n_layers; ++i)
        if (cache->buffers[i])
            device->gpu->api->buffer_destroy(cache->buffers[i]);
    atomic_fetch_sub(&device->caches_bytes, base->bytes);
    drift_free(cache->buffers);
    drift_free(cache);
}
