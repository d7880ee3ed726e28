/* The CPU device: opening, the arena, weights and caches. Programs are in schedule.c and execute.c.
 */
#include "backends/cpu/cpu.h"
#include "backends/cpu/dequant.h"
#include "backends/cpu/isa.h"
#include "backends/cpu/packing.h"
#include "runtime/base/checked.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MAX_THREADS 256u

static void read_processor_name(char *name, size_t size)
{
    FILE *file = fopen("/proc/cpuinfo", "re");
    char line[256];
    snprintf(name, size, "CPU");
    while (file && fgets(line, sizeof line, file)) {
        char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || !colon)
            continue;
        colon[strcspn(colon, "\n")] = '\0';
        snprintf(name, size, "%s", colon + 1 + (colon[1] == ' '));
        break;
    }
    if (file)
        fclose(file);
}

static void describe(struct drift_device_info *info, uint32_t n_threads, const char *isa)
{
    char processor[64];
    read_processor_name(processor, sizeof processor);
    *info = (struct drift_device_info){.id = "cpu", .usable = true};
    snprintf(info->name, sizeof info->name, "%s (%u thread%s, %s)", processor, n_threads,
             n_threads == 1 ? "" : "s", isa);
    long pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);
    if (pages > 0 && page_bytes > 0)
        info->memory_bytes = (uint64_t)pages * (uint64_t)page_bytes;
    size_t at = 0;
    for (size_t i = 0; i < drift_cpu_isa_n_levels && at < sizeof info->note; i++) {
        if (drift_cpu_isa_levels[i].is_supported())
            at += (size_t)snprintf(info->note + at, sizeof info->note - at, "%s%s", at ? " " : "",
                                   drift_cpu_isa_levels[i].kernels->name);
    }
}

static void cpu_list(struct drift_device_info *infos, size_t max, size_t *ret_n)
{
    const struct drift_cpu_kernels *kernels;
    *ret_n = 1;
    if (max > 0 && drift_cpu_isa_select(NULL, &kernels, NULL) == DRIFT_STATUS_OK)
        describe(&infos[0], drift_cpu_count_usable(), kernels->name);
}

static void cpu_close(struct drift_device *base)
{
    struct drift_cpu_device *device = (struct drift_cpu_device *)base;
    drift_cpu_pool_destroy(device->pool);
    drift_cpu_slabs_fini(&device->slabs);
    drift_free(device->arena);
    drift_free(device);
}

static enum drift_status cpu_reserve_arena(struct drift_device *base, uint64_t bytes,
                                           struct drift_error *err)
{
    struct drift_cpu_device *device = (struct drift_cpu_device *)base;
    if (bytes <= device->arena_bytes)
        return DRIFT_STATUS_OK;
    uint8_t *arena = bytes <= SIZE_MAX
                         ? drift_alloc_aligned(DRIFT_TAG_ARENA, DRIFT_ARENA_ALIGN, (size_t)bytes, 1)
                         : NULL;
    if (!arena)
        return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0,
                               "no memory for an arena of %llu bytes", (unsigned long long)bytes);
    drift_free(device->arena);
    device->arena = arena;
    device->arena_bytes = bytes;
    return DRIFT_STATUS_OK;
}

static void cpu_get_usage(const struct drift_device *base, struct drift_device_usage *ret_usage)
{
    const struct drift_cpu_device *device = (const struct drift_cpu_device *)base;
    *ret_usage = (struct drift_device_usage){
        .weights_bytes = atomic_load(&device->weights_bytes),
        .caches_bytes = atomic_load(&device->caches_bytes),
        .arena_bytes = device->arena_bytes,
        .programs_bytes = atomic_load(&device->programs_bytes),
    };
}

/* Bytes held for desc, and the layout of its packed form; UINT64_MAX when they overflow. */
static uint64_t weight_layout(const struct drift_weight_desc *desc, struct drift_cpu_packed *packed)
{
    uint64_t bytes = 0;
    *packed = (struct drift_cpu_packed){0};
    if (desc->use & DRIFT_WEIGHT_MATMUL) {
        if (!drift_cpu_packed_init(packed, desc->dtype, desc->n_rows, desc->n_cols))
            return UINT64_MAX;
        bytes = drift_cpu_packed_n_groups(packed) * packed->group_bytes;
    }
    if (desc->use & DRIFT_WEIGHT_VECTOR)
        bytes += (uint64_t)desc->n_cols * sizeof(float);
    return bytes;
}

static uint64_t cpu_weight_bytes(const struct drift_device *device,
                                 const struct drift_weight_desc *desc)
{
    (void)device;
    struct drift_cpu_packed packed;
    return weight_layout(desc, &packed);
}

static void cpu_weight_destroy(struct drift_weight *base)
{
    struct drift_cpu_weight *weight = (struct drift_cpu_weight *)base;
    struct drift_cpu_device *device = (struct drift_cpu_device *)base->device;
    atomic_fetch_sub(&device->weights_bytes, base->bytes);
    drift_cpu_slab_free(&device->slabs, weight->slab);
    drift_free(weight);
}

static void fill_weight(struct drift_cpu_weight *w, const struct drift_weight_desc *desc,
                        const struct drift_cpu_packed *packed)
{
    uint8_t *at = w->owned;
    if (desc->use & DRIFT_WEIGHT_MATMUL) {
        w->packed = *packed;
        w->packed.groups = at;
        drift_cpu_pack(packed, desc->dtype, desc->data, at);
        at += drift_cpu_packed_n_groups(packed) * packed->group_bytes;
    }
    if (desc->use & DRIFT_WEIGHT_VECTOR) {
        w->vector = (const float *)(const void *)at;
        memcpy(at, desc->data, desc->n_cols * sizeof(float));
    }
    if (desc->use & DRIFT_WEIGHT_LOOKUP) {
        const struct drift_dtype_info *info = drift_dtype_info(desc->dtype);
        w->rows = desc->data;
        w->row_bytes = (size_t)desc->n_cols / info->n_elements * info->n_bytes;
    }
}

static enum drift_status cpu_weight_create(struct drift_device *base,
                                           const struct drift_weight_desc *desc,
                                           struct drift_weight **ret_weight,
                                           struct drift_error *err)
{
    struct drift_cpu_device *device = (struct drift_cpu_device *)base;
    struct drift_cpu_packed packed;
    uint64_t bytes = weight_layout(desc, &packed);
    struct drift_cpu_weight *w = drift_alloc(DRIFT_TAG_WEIGHTS, 1, sizeof *w);
    struct drift_cpu_slab *slab = NULL;
    uint8_t *owned = w && bytes <= PTRDIFF_MAX
                         ? drift_cpu_slab_alloc(&device->slabs, (size_t)bytes, &slab)
                         : NULL;
    if (!w || !owned) {
        drift_free(w);
        return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0,
                               "no memory for weight %s (%llu bytes)", desc->name ? desc->name : "",
                               (unsigned long long)bytes);
    }
    w->base = (struct drift_weight){
        .device = base,
        .dtype = desc->dtype,
        .n_rows = desc->n_rows,
        .n_cols = desc->n_cols,
        .use = desc->use,
        .is_copied = (desc->use & DRIFT_WEIGHT_LOOKUP) == 0,
        .bytes = bytes,
    };
    w->owned = owned;
    w->slab = slab;
    fill_weight(w, desc, &packed);
    atomic_fetch_add(&device->weights_bytes, bytes);
    *ret_weight = &w->base;
    return DRIFT_STATUS_OK;
}

struct drift_cpu_kv_layer drift_cpu_cache_layer(const struct drift_cpu_cache *cache, uint32_t layer)
{
    const struct drift_cache_desc *desc = &cache->base.desc;
    uint8_t *k = cache->data + layer * (cache->k_bytes + cache->v_bytes);
    return (struct drift_cpu_kv_layer){
        .k = k,
        .v = k + cache->k_bytes,
        .is_f16 = desc->dtype == DRIFT_DTYPE_F16,
        .n_kv_heads = desc->n_kv_heads,
        .head_dim = desc->head_dim,
        .page_tokens = desc->page_tokens,
        .page_tiles = (desc->page_tokens + 15) / 16,
        .dim_stride = (desc->head_dim + 15) & ~15u,
    };
}

/* Bytes of one layer's K and V, each aligned to 64; the front has bounded every factor. */
static void cache_layout(const struct drift_cache_desc *desc, uint64_t *k_bytes, uint64_t *v_bytes)
{
    uint64_t element = drift_dtype_info(desc->dtype)->n_bytes;
    uint64_t heads = (uint64_t)desc->n_pages * desc->n_kv_heads;
    uint64_t positions = ((uint64_t)desc->page_tokens + 15) & ~15ull;
    uint64_t channels = ((uint64_t)desc->head_dim + 15) & ~15ull;
    *k_bytes = (heads * positions * desc->head_dim * element + 63) & ~63ull;
    *v_bytes = (heads * desc->page_tokens * channels * element + 63) & ~63ull;
}

static uint64_t cpu_cache_bytes(const struct drift_device *device,
                                const struct drift_cache_desc *desc)
{
    (void)device;
    uint64_t k_bytes, v_bytes;
    cache_layout(desc, &k_bytes, &v_bytes);
    return (k_bytes + v_bytes) * desc->n_layers;
}

static enum drift_status cpu_cache_create(struct drift_device *base,
                                          const struct drift_cache_desc *desc,
                                          struct drift_cache **ret_cache, struct drift_error *err)
{
    struct drift_cpu_device *device = (struct drift_cpu_device *)base;
    uint64_t k_bytes, v_bytes, bytes = cpu_cache_bytes(base, desc);
    cache_layout(desc, &k_bytes, &v_bytes);
    struct drift_cpu_cache *cache = drift_alloc(DRIFT_TAG_KV, 1, sizeof *cache);
    uint8_t *data = drift_alloc_aligned(DRIFT_TAG_KV, 64, (size_t)bytes, 1);
    if (!cache || !data) {
        drift_free(cache);
        drift_free(data);
        return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0,
                               "no memory for a cache of %llu bytes", (unsigned long long)bytes);
    }
    cache->base = (struct drift_cache){.device = base, .desc = *desc, .bytes = bytes};
    cache->data = data;
    cache->k_bytes = (size_t)k_bytes;
    cache->v_bytes = (size_t)v_bytes;
    atomic_fetch_add(&device->caches_bytes, bytes);
    *ret_cache = &cache->base;
    return DRIFT_STATUS_OK;
}

static void cpu_cache_destroy(struct drift_cache *base)
{
    struct drift_cpu_cache *cache = (struct drift_cpu_cache *)base;
    struct drift_cpu_device *device = (struct drift_cpu_device *)base->device;
    atomic_fetch_sub(&device->caches_bytes, base->bytes);
    drift_free(cache->data);
    drift_free(cache);
}

static enum drift_status cpu_program_submit(struct drift_program *program,
                                            const struct drift_batch *batch, drift_done_fn done,
                                            void *ctx, struct drift_error *err)
{
    struct drift_cpu_device *device = (struct drift_cpu_device *)program->device;
    struct drift_cpu_job job = {.program = program, .batch = *batch, .done = done, .done_ctx = ctx};
    if (!drift_cpu_pool_submit(device->pool, &job))
        return drift_error_set(err, DRIFT_STATUS_BUSY, 0, "too many submissions are waiting");
    return DRIFT_STATUS_OK;
}

static const struct drift_device_ops device_ops = {
    .close = cpu_close,
    .reserve_arena = cpu_reserve_arena,
    .get_usage = cpu_get_usage,
    .weight_bytes = cpu_weight_bytes,
    .weight_create = cpu_weight_create,
    .weight_destroy = cpu_weight_destroy,
    .cache_bytes = cpu_cache_bytes,
    .cache_create = cpu_cache_create,
    .cache_destroy = cpu_cache_destroy,
    .program_create = drift_cpu_program_create,
    .program_destroy = drift_cpu_program_destroy,
    .program_submit = cpu_program_submit,
};

static enum drift_status cpu_open(uint32_t index, const struct drift_device_params *params,
                                  struct drift_device **ret_device, struct drift_error *err)
{
    (void)index;
    const struct drift_cpu_kernels *kernels;
    enum drift_status status = drift_cpu_isa_select(params->cpu_isa, &kernels, err);
    if (status != DRIFT_STATUS_OK)
        return status;
    if (params->n_threads > MAX_THREADS)
        return drift_error_set(err, DRIFT_STATUS_INVALID, 0, "%u threads; at most %u are allowed",
                               params->n_threads, MAX_THREADS);
    struct drift_cpu_device *device = drift_alloc(DRIFT_TAG_BACKEND, 1, sizeof *device);
    if (!device)
        return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "no memory for a device");
    uint32_t usable = drift_cpu_count_usable();
    device->n_threads = params->n_threads      ? params->n_threads
                        : usable < MAX_THREADS ? usable
                                               : MAX_THREADS;
    device->kernels = kernels;
    device->float_activations = params->cpu_float_activations;
    drift_cpu_slabs_init(&device->slabs);
    device->base.ops = &device_ops;
    describe(&device->base.info, device->n_threads, kernels->name);
    status = drift_cpu_pool_create(device->n_threads, &drift_cpu_execute_ops, &device->pool, err);
    if (status != DRIFT_STATUS_OK) {
        drift_cpu_slabs_fini(&device->slabs);
        drift_free(device);
        return status;
    }
    *ret_device = &device->base;
    return DRIFT_STATUS_OK;
}

const struct drift_backend_ops drift_backend_cpu = {
    .name = "cpu",
    .list = cpu_list,
    .open = cpu_open,
};
