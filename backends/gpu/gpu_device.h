/*
 * The device table of backend_impl.h over any GPU API: weights, caches, programs. Internal to
 * backends/gpu, except drift_gpu_device_create, which an API's `open` calls.
 */
#ifndef DRIFT_BACKENDS_GPU_GPU_DEVICE_H
#define DRIFT_BACKENDS_GPU_GPU_DEVICE_H

#include "backends/backend_impl.h"
#include "backends/gpu/gpu_api.h"
#include "backends/gpu/specialize/profile.h"

#include <pthread.h>
#include <stdatomic.h>

/* Compiled kernels by their text, shared by all programs of a device. */
struct drift_gpu_cached_kernel {
    uint64_t hash;
    char *text; /* expanded source; also what a dump shows */
    char options[256];
    char name[48];
    struct drift_gpu_kernel *kernel;
    uint32_t n_users;
};

struct drift_gpu_device {
    struct drift_device base;
    struct drift_gpu *gpu;
    const struct drift_gpu_profile *profile;
    pthread_mutex_t lock; /* kernels */
    struct drift_gpu_cached_kernel **kernels;
    uint32_t n_kernels;
    struct drift_gpu_buffer *arena;
    uint64_t arena_generation; /* counts up when the arena moves */
    _Atomic uint64_t weights_bytes, caches_bytes, programs_bytes;
};

struct drift_gpu_weight {
    struct drift_weight base;
    struct drift_gpu_weight_desc desc;
    struct drift_gpu_buffer
        *planes[DRIFT_GPU_PLANE_COUNT]; /* LOOKUP and MATMUL; NULL where the format has none */
    struct drift_gpu_buffer *vector;    /* VECTOR: n_cols floats */
};

struct drift_gpu_cache {
    struct drift_cache base;
    struct drift_gpu_buffer **buffers; /* [n_layers * 2]: K, V of a layer */
};

/*
 * Take over an opened gpu and make it a device. profile: NULL for the one that fits. Errors:
 * NOT_FOUND (no such profile), UNSUPPORTED (none fits), NO_MEMORY; gpu is closed then.
 */
enum drift_status drift_gpu_device_create(struct drift_gpu *gpu,
                                          const struct drift_device_info *info, const char *profile,
                                          struct drift_device **ret_device,
                                          struct drift_error *err) DRIFT_MUST_USE;

/* Compiled kernels that no program uses are kept for the next one, up to so many kernels in all. */
#define DRIFT_GPU_MAX_KEPT_KERNELS 256u

/* Find or compile; release when the program is gone. Thread: any. */
enum drift_status drift_gpu_kernel_acquire(struct drift_gpu_device *device, const char *name,
                                           struct drift_gpu_kernel_source *source,
                                           struct drift_gpu_cached_kernel **ret_kernel,
                                           struct drift_error *err) DRIFT_MUST_USE;
void drift_gpu_kernel_release(struct drift_gpu_device *device,
                              struct drift_gpu_cached_kernel *kernel);
/* The expanded source of the i-th kernel that programs of the device use; NULL past the end. For
 * dumps. */
const char *drift_gpu_kernel_text(const struct drift_gpu_device *device, uint32_t i,
                                  const char **ret_name);

/* Members of the device table, gpu_weight.c, gpu_cache.c and gpu_program.c. */
uint64_t drift_gpu_weight_bytes(const struct drift_device *device,
                                const struct drift_weight_desc *desc);
enum drift_status drift_gpu_weight_create(struct drift_device *device,
                                          const struct drift_weight_desc *desc,
                                          struct drift_weight **ret_weight,
                                          struct drift_error *err) DRIFT_MUST_USE;
void drift_gpu_weight_destroy(struct drift_weight *weight);
uint64_t drift_gpu_cache_bytes(const struct drift_device *device,
                               const struct drift_cache_desc *desc);
enum drift_status drift_gpu_cache_create(struct drift_device *device,
                                         const struct drift_cache_desc *desc,
                                         struct drift_cache **ret_cache,
                                         struct drift_error *err) DRIFT_MUST_USE;
void drift_gpu_cache_destroy(struct drift_cache *cache);
enum drift_status drift_gpu_program_create(struct drift_device *device,
                                           const struct drift_plan *plan,
                                           struct drift_program **ret_program,
                                           struct drift_error *err) DRIFT_MUST_USE;
void drift_gpu_program_destroy(struct drift_program *program);
enum drift_status drift_gpu_program_submit(struct drift_program *program,
                                           const struct drift_batch *batch, drift_done_fn done,
                                           void *ctx, struct drift_error *err) DRIFT_MUST_USE;

#endif
