/*
 * The CPU device's objects, shared by device.c, schedule.c and execute.c. Kernels know none of
 * them.
 */
#ifndef DRIFT_BACKENDS_CPU_CPU_H
#define DRIFT_BACKENDS_CPU_CPU_H

#include "backends/backend_impl.h"
#include "backends/cpu/kernels.h"
#include "backends/cpu/pool.h"
#include "backends/cpu/slab.h"
#include "runtime/base/arena.h"

#include <stdatomic.h>

struct drift_cpu_device {
    struct drift_device base;
    const struct drift_cpu_kernels *kernels;
    bool float_activations;
    uint32_t n_threads;
    struct drift_cpu_pool *pool;
    struct drift_cpu_slabs slabs; /* packed weights */
    uint8_t *arena;
    uint64_t arena_bytes;
    _Atomic uint64_t weights_bytes, caches_bytes, programs_bytes;
};

struct drift_cpu_weight {
    struct drift_weight base;
    const uint8_t *rows; /* LOOKUP: the caller's */
    size_t row_bytes;
    uint8_t *owned; /* what packed or vector point into */
    struct drift_cpu_slab *slab;
    struct drift_cpu_packed packed; /* MATMUL */
    const float *vector;            /* VECTOR */
};

struct drift_cpu_cache {
    struct drift_cache base;
    uint8_t *data; /* per layer: K, then V */
    size_t k_bytes, v_bytes;
};

/* K and V of one layer, as kernels take them. */
struct drift_cpu_kv_layer drift_cpu_cache_layer(const struct drift_cpu_cache *cache,
                                                uint32_t layer);

/* What a step of a program consists of. */
enum drift_cpu_step_kind {
    DRIFT_CPU_STEP_ROWS,   /* ops over single rows, chained: a thread takes some rows through all of
                              them */
    DRIFT_CPU_STEP_MATMUL, /* independent matmuls */
    DRIFT_CPU_STEP_ATTENTION, /* one op */
};

/* An op as it is run; two kinds exist only here. */
#define DRIFT_CPU_OP_QUANTIZE   DRIFT_OP_COUNT       /* src[0] -> the program's q8 rows */
#define DRIFT_CPU_OP_ROPE_TABLE (DRIFT_OP_COUNT + 1) /* positions -> rope_tables[i_table] */

struct drift_cpu_op {
    int kind; /* enum drift_op_kind or one of the above */
    uint32_t i_table;
    struct drift_op op;
};

struct drift_cpu_step {
    enum drift_cpu_step_kind kind;
    enum drift_rows rows;
    uint32_t first_op, n_ops; /* in cpu_program.ops */
    uint32_t row_cost;        /* columns touched per row, weighted */
    uint32_t n_groups;        /* MATMUL: of all ops together */
};

/* Cosines, then sines, of every token's position for one set of frequencies. */
struct drift_cpu_rope_table {
    const struct drift_weight *inv_freq;
    float magnitude;
    uint32_t n_rot;
    float *values; /* [max_tokens, n_rot] */
};

/* Tokens [begin, end) of one sequence that share a pass over its K and V. */
struct drift_cpu_run {
    uint32_t begin, end;
};
#define DRIFT_CPU_RUN_TOKENS 8u

struct drift_cpu_program {
    struct drift_program base;
    struct drift_arena memory; /* everything below */
    struct drift_tensor *tensors;
    uint32_t n_tensors;
    struct drift_cpu_op *ops;
    uint32_t n_ops;
    struct drift_cpu_step *steps;
    uint32_t n_steps;
    struct drift_cpu_rope_table *rope_tables;
    uint32_t n_rope_tables;
    int8_t *q; /* quantized activations, [max rows, widest source] */
    struct drift_cpu_q8_meta *meta;

    /* of the batch that is running */
    struct drift_batch batch;
    uint32_t n_rows[DRIFT_ROWS_COUNT];
    float **values;             /* [n_tensors], activations and outputs */
    struct drift_cpu_run *runs; /* [max_tokens] */
    uint32_t n_runs;
    uint32_t *n_chunks; /* [n_steps] */
};

/* Turn a valid plan into steps. Errors: NO_MEMORY, UNSUPPORTED. */
enum drift_status drift_cpu_program_create(struct drift_device *device,
                                           const struct drift_plan *plan,
                                           struct drift_program **ret_program,
                                           struct drift_error *err);
void drift_cpu_program_destroy(struct drift_program *program);

/* Runs the steps of programs. */
extern const struct drift_cpu_job_ops drift_cpu_execute_ops;

#endif
