/*
 * Devices, for implementers: the tables behind backend.h.
 *
 * backend.c checks arguments, plans and batches before it calls these, so implementations may rely on what
 * backend.h promises. Members are mandatory. Objects begin with the struct of the same name declared here.
 * The registry is a static array in registry.c; a backend that is not built in is replaced there by CMake.
 */
#ifndef DRIFT_BACKENDS_BACKEND_IMPL_H
#define DRIFT_BACKENDS_BACKEND_IMPL_H

#include "backends/backend.h"

struct drift_backend_ops {
    const char *name; /* "cpu", "opencl", "vulkan": the part of an id before ':' */
    /* Describe devices as drift_device_list does. */
    void (*list)(struct drift_device_info *infos, size_t max, size_t *ret_n);
    /* Open the index-th device of list. */
    enum drift_status (*open)(uint32_t index, const struct drift_device_params *params,
                              struct drift_device **ret_device, struct drift_error *err);
};

struct drift_device_ops {
    void (*close)(struct drift_device *device);
    enum drift_status (*reserve_arena)(struct drift_device *device, uint64_t bytes,
                                       struct drift_error *err);
    void (*get_usage)(const struct drift_device *device, struct drift_device_usage *ret_usage);

    uint64_t (*weight_bytes)(const struct drift_device *device, const struct drift_weight_desc *desc);
    enum drift_status (*weight_create)(struct drift_device *device,
                                       const struct drift_weight_desc *desc,
                                       struct drift_weight **ret_weight, struct drift_error *err);
    void (*weight_destroy)(struct drift_weight *weight);

    uint64_t (*cache_bytes)(const struct drift_device *device, const struct drift_cache_desc *desc);
    enum drift_status (*cache_create)(struct drift_device *device, const struct drift_cache_desc *desc,
                                      struct drift_cache **ret_cache, struct drift_error *err);
    void (*cache_destroy)(struct drift_cache *cache);

    enum drift_status (*program_create)(struct drift_device *device, const struct drift_plan *plan,
                                        struct drift_program **ret_program, struct drift_error *err);
    void (*program_destroy)(struct drift_program *program);
    /* Must not wait for the device; done is called exactly once if OK is returned. */
    enum drift_status (*program_submit)(struct drift_program *program, const struct drift_batch *batch,
                                        drift_done_fn done, void *ctx, struct drift_error *err);
};

struct drift_device {
    const struct drift_device_ops *ops;
    struct drift_device_info info;
};

struct drift_weight {
    struct drift_device *device;
    enum drift_dtype dtype;
    uint32_t n_rows, n_cols, use;
    bool is_copied;
    uint64_t bytes;
};

struct drift_cache {
    struct drift_device *device;
    struct drift_cache_desc desc;
    uint64_t bytes;
};

/* backend.c fills the fields from the plan after program_create; submit checks batches against them. */
struct drift_program {
    struct drift_device *device;
    struct drift_program_info info;
    uint32_t max_tokens, max_outputs, max_sequences, max_pages;
    uint32_t n_vocab;       /* rows of EMBED's table; 0 without one */
    uint32_t n_output_cols; /* columns of the OUTPUT tensor */
    uint32_t n_cache_rows;  /* rows of the caches; 0 without one */
    uint32_t page_tokens;
    uint64_t arena_bytes;
    bool *seen; /* [max_sequences], the front's scratch for checking batches */
};

extern const struct drift_backend_ops drift_backend_cpu;
extern const struct drift_backend_ops drift_backend_opencl;

#endif
