/*
 * Devices, for callers: the only door from the runtime to CPU, OpenCL and Vulkan.
 *
 * A device holds weights, caches, one arena and programs. A program is a plan made ready for the device; it is
 * submitted with a batch and completes on a thread of the backend, which only calls the completion function.
 * Submissions of one device run in order, one after the other; programs of all models share the arena because of
 * that. All functions except the completion are called from one thread per device (the engine loop or a loader that
 * the engine has handed the device to), unless their comment says "any".
 */
#ifndef DRIFT_BACKENDS_BACKEND_H
#define DRIFT_BACKENDS_BACKEND_H

#include "backends/plan.h"
#include "runtime/base/error.h"

#include <stddef.h>

struct drift_device;
struct drift_weight;
struct drift_cache;
struct drift_program;

struct drift_device_info {
    char id[32];       /* what --device takes: "cpu", "opencl:0", "vulkan:1" */
    char name[128];    /* "AMD EPYC (2 threads, avx512)", "pthread-AMD EPYC" */
    char driver[128];  /* platform and version; empty for the CPU */
    char note[256];    /* features found, or why the device cannot be used */
    uint64_t memory_bytes;         /* 0: unknown */
    uint64_t max_allocation_bytes; /* one buffer; 0: no limit */
    bool usable;
    bool is_gpu; /* `auto` prefers these */
};

struct drift_device_params {
    uint32_t n_threads;    /* CPU: 0 = all that affinity and cgroup allow */
    const char *cpu_isa;   /* "auto", "portable", "avx2", "avx512"; NULL = auto */
    bool cpu_float_activations; /* CPU: do not quantize activations; slow, for comparison with references */
    const char *cache_dir; /* for program binaries; NULL: no cache */
    const char *gpu_profile; /* how kernels are shaped, by name; NULL: the profile that fits */
};

/*
 * Describe up to max devices into infos; *ret_n is how many there are. A backend without a driver contributes one
 * unusable entry that says so. Blocks. Thread: any.
 */
void drift_device_list(struct drift_device_info *infos, size_t max, size_t *ret_n);

/*
 * Open a device by id; "auto" takes the first usable GPU, else the CPU; "opencl" means "opencl:0".
 * Errors: NOT_FOUND (no such id; lists those there are), UNSUPPORTED (not built in, or below what is needed), DEVICE.
 */
enum drift_status drift_device_open(const char *id, const struct drift_device_params *params,
                                    struct drift_device **ret_device,
                                    struct drift_error *err) DRIFT_MUST_USE;
/* Every weight, cache and program of the device must be gone. NULL is accepted. */
void drift_device_close(struct drift_device *device);
const struct drift_device_info *drift_device_get_info(const struct drift_device *device);

/*
 * Make the arena at least this large. Contents are lost. Must not be called while a submission is in flight.
 * Errors: NO_MEMORY.
 */
enum drift_status drift_device_reserve_arena(struct drift_device *device, uint64_t bytes,
                                             struct drift_error *err) DRIFT_MUST_USE;
/* Bytes the device holds right now. Thread: the device's. */
struct drift_device_usage {
    uint64_t weights_bytes, caches_bytes, arena_bytes, programs_bytes;
};
void drift_device_get_usage(const struct drift_device *device, struct drift_device_usage *ret_usage);

/* How ops will read a weight; decides its layout on the device. A tied embedding has LOOKUP | MATMUL. */
enum drift_weight_use {
    DRIFT_WEIGHT_LOOKUP = 1, /* EMBED's table */
    DRIFT_WEIGHT_MATMUL = 2, /* MATMUL's w */
    DRIFT_WEIGHT_VECTOR = 4, /* norm weights, bias, inv_freq; F32, n_rows == 1 */
};

struct drift_weight_desc {
    const char *name;
    enum drift_dtype dtype;
    uint32_t n_rows, n_cols; /* [n_rows, n_cols], rows of whole blocks */
    uint32_t use;            /* enum drift_weight_use bits */
    /*
     * n_rows rows in the GGUF layout. Must stay valid and unchanged for the weight's life (a file mapping): a
     * backend may use it in place for LOOKUP; it does not touch it after creation for MATMUL and VECTOR only.
     */
    const void *data;
};

/* Device bytes that drift_weight_create will hold for desc (data may be NULL). Thread: any. */
uint64_t drift_weight_bytes(const struct drift_device *device, const struct drift_weight_desc *desc);
/* Rearrange and upload. Errors: NO_MEMORY, UNSUPPORTED (type or shape), DEVICE. Blocks; many per model are normal. Thread: any. */
enum drift_status drift_weight_create(struct drift_device *device, const struct drift_weight_desc *desc,
                                      struct drift_weight **ret_weight,
                                      struct drift_error *err) DRIFT_MUST_USE;
void drift_weight_destroy(struct drift_weight *weight);
/* True when data of the desc is no longer needed by the backend (it was copied). */
bool drift_weight_is_copied(const struct drift_weight *weight);

/*
 * A paged KV cache: row r of a layer's K (or V) is [n_kv_heads * head_dim] values of one token; page p is the rows
 * [p * page_tokens, (p + 1) * page_tokens) of every layer. The physical layout is the backend's.
 */
struct drift_cache_desc {
    uint32_t n_layers, n_pages, page_tokens, n_kv_heads, head_dim;
    enum drift_dtype dtype; /* F16 or F32 */
};

uint64_t drift_cache_bytes(const struct drift_device *device, const struct drift_cache_desc *desc);
/* Contents start as zeros. Errors: NO_MEMORY, UNSUPPORTED, DEVICE. */
enum drift_status drift_cache_create(struct drift_device *device, const struct drift_cache_desc *desc,
                                     struct drift_cache **ret_cache,
                                     struct drift_error *err) DRIFT_MUST_USE;
void drift_cache_destroy(struct drift_cache *cache);

/*
 * Make a plan ready: choose and build kernels, bind weights and caches. The plan is validated and not kept; weights
 * and caches must outlive the program. Errors: INVALID, UNSUPPORTED (op, type or shape; named), NO_MEMORY, DEVICE.
 * Blocks (compiles). Thread: any.
 */
enum drift_status drift_program_create(struct drift_device *device, const struct drift_plan *plan,
                                       struct drift_program **ret_program,
                                       struct drift_error *err) DRIFT_MUST_USE;
void drift_program_destroy(struct drift_program *program);

struct drift_program_info {
    uint32_t n_dispatches; /* kernel launches (GPU) or parallel regions (CPU) per batch */
    uint64_t bytes;        /* device memory of the program itself */
};
void drift_program_get_info(const struct drift_program *program, struct drift_program_info *ret_info);

/* One step's run-time values. All arrays are borrowed until the completion function has been called. */
struct drift_batch {
    uint32_t n_tokens;    /* 1 ... plan.max_tokens */
    uint32_t n_outputs;   /* 0 ... plan.max_outputs */
    uint32_t n_sequences; /* rows of page_table, 1 ... plan.max_sequences */
    const int32_t *tokens;      /* [n_tokens] */
    const int32_t *positions;   /* [n_tokens] */
    const int32_t *sequences;   /* [n_tokens], < n_sequences; a sequence's tokens are adjacent, positions ascending */
    const int32_t *slots;       /* [n_tokens]; page * page_tokens + position % page_tokens */
    const int32_t *page_table;  /* [n_sequences, plan.max_pages]; entries beyond a sequence's pages are 0 */
    const int32_t *output_rows; /* [n_outputs], < n_tokens */
    float *outputs;             /* [n_outputs, n_cols of the OUTPUT tensor]; filled before the completion */
};

/* Called once per submission from a thread of the backend; must not block or call back into the device. */
typedef void (*drift_done_fn)(void *ctx, enum drift_status status, const struct drift_error *err);

/*
 * Start a batch. The batch is checked (counts, ids, rows, pages against the plan's bounds) before anything runs.
 * Errors (done is not called): INVALID (also when the arena is smaller than the plan's), BUSY (too many submissions
 * are waiting), DEVICE, DEVICE_LOST. Allocates nothing. Does not wait.
 */
enum drift_status drift_program_submit(struct drift_program *program, const struct drift_batch *batch,
                                       drift_done_fn done, void *ctx,
                                       struct drift_error *err) DRIFT_MUST_USE;
/* Submit and wait: for tests, the oracle tools and drift-bench. Blocks. */
enum drift_status drift_program_run(struct drift_program *program, const struct drift_batch *batch,
                                    struct drift_error *err) DRIFT_MUST_USE;

#endif
