/*
 * What an API (OpenCL, later Vulkan) does for the shared GPU backend: buffers, kernels, recorded
 * commands, fences.
 *
 * gpu_device.c builds weights, caches and programs on these functions; an API knows nothing of
 * plans, ops or layouts. Commands are recorded once and submitted many times: what changes between
 * batches is the inputs buffer (whose first words are the run-time parameters) and the group counts
 * that follow from them. Objects begin with the struct of the same name declared here; the API
 * extends them. Members are mandatory.
 */
#ifndef DRIFT_BACKENDS_GPU_GPU_API_H
#define DRIFT_BACKENDS_GPU_GPU_API_H

#include "backends/backend.h"
#include "backends/gpu/codegen/kernel_gen.h"

struct drift_gpu;          /* an opened device of an API */
struct drift_gpu_kernel;   /* a compiled kernel */
struct drift_gpu_commands; /* recorded dispatches */

/* Work-groups along one axis: `fixed`, or ceil(count / per_group) of a run-time count. */
struct drift_gpu_grid_axis {
    enum drift_gpu_count count;
    uint32_t fixed;
    uint32_t per_group;
};

struct drift_gpu_dispatch {
    const char *name; /* of the op's result, for errors; need not outlive commands_create */
    struct drift_gpu_kernel *kernel;
    const struct drift_gpu_arg *args;
    uint32_t n_args;
    uint32_t local[3];
    struct drift_gpu_grid_axis grid[3];
    /* Runs only in batches whose `when` lies in [min, max]; COUNT_FIXED: always. Several variants
     * of one op use it. */
    enum drift_gpu_count when;
    uint32_t min, max;
};

/* Whom to tell that a batch is done. */
struct drift_gpu_completion {
    drift_done_fn done;
    void *ctx;
};

/* One batch: copies in, all dispatches, a copy out, a completion. The memory named here stays valid
 * until it is done. */
struct drift_gpu_submission {
    struct drift_gpu_buffer *inputs;
    const void *in_data; /* to the beginning of inputs */
    uint64_t in_bytes;
    uint32_t counts[DRIFT_GPU_COUNT_COUNT]; /* by enum drift_gpu_count; FIXED is unused */
    struct drift_gpu_buffer *out_buffer;
    uint64_t out_offset_bytes, out_bytes; /* 0 bytes: nothing to copy */
    void *out_data;
    const struct drift_gpu_completion *completion;
};

struct drift_gpu_facts {
    bool is_cpu;
    uint32_t max_group_items;
    uint32_t max_group_size[3];
    uint64_t local_bytes;
    uint64_t max_allocation_bytes;
};

struct drift_gpu_api {
    const char *name;
    const struct drift_gpu_language *language;
    void (*close)(struct drift_gpu *gpu);
    /* Contents are undefined. Errors: NO_MEMORY, LIMIT (larger than one allocation may be), DEVICE.
     * Thread: any. */
    enum drift_status (*buffer_create)(struct drift_gpu *gpu, uint64_t bytes,
                                       struct drift_gpu_buffer **ret_buffer,
                                       struct drift_error *err);
    void (*buffer_destroy)(struct drift_gpu_buffer *buffer);
    /* Copy to the device, or fill with zeros when data is NULL. Blocks. Thread: any. */
    enum drift_status (*buffer_write)(struct drift_gpu_buffer *buffer, uint64_t offset_bytes,
                                      const void *data, uint64_t bytes, struct drift_error *err);
    /* Compile. Errors: DEVICE with the first lines of the build log. Blocks. Thread: any. */
    enum drift_status (*kernel_create)(struct drift_gpu *gpu,
                                       const struct drift_gpu_kernel_source *source,
                                       const char *name, struct drift_gpu_kernel **ret_kernel,
                                       struct drift_error *err);
    void (*kernel_destroy)(struct drift_gpu_kernel *kernel);
    /* Record; kernels must outlive the commands. Pointers to ARENA and INPUTS are bound by
     * commands_bind. */
    enum drift_status (*commands_create)(struct drift_gpu *gpu,
                                         const struct drift_gpu_dispatch *dispatches, uint32_t n,
                                         struct drift_gpu_commands **ret_commands,
                                         struct drift_error *err);
    void (*commands_destroy)(struct drift_gpu_commands *commands);
    /* Point every argument of a slot at a buffer. Must not be called while the commands run. */
    enum drift_status (*commands_bind)(struct drift_gpu_commands *commands,
                                       enum drift_gpu_slot slot, struct drift_gpu_buffer *buffer,
                                       struct drift_error *err);
    /*
     * Enqueue behind everything submitted before. The completion is called once, from a thread of
     * the driver, if OK is returned. Does not wait; after a driver error in the middle it drains
     * the queue before it returns.
     */
    enum drift_status (*commands_submit)(struct drift_gpu_commands *commands,
                                         const struct drift_gpu_submission *submission,
                                         struct drift_error *err);
};

struct drift_gpu {
    const struct drift_gpu_api *api;
    struct drift_gpu_facts facts;
};

struct drift_gpu_buffer {
    struct drift_gpu *gpu;
    uint64_t bytes;
};

#endif
