/*
 * Plan -> dispatches: which template, constants, arguments and grid each op becomes, independent of
 * the GPU API.
 *
 * One function per kind of op (ops_*.c) fills a generator; the builder finishes it, shares the
 * compiled kernel and notes the dispatch. Element-wise ops that follow their producer directly and
 * are its only reader are linked into the producer's Write, as long as the memory plan allows it,
 * and cost no dispatch of their own.
 */
#ifndef DRIFT_BACKENDS_GPU_PROGRAM_BUILDER_H
#define DRIFT_BACKENDS_GPU_PROGRAM_BUILDER_H

#include "backends/gpu/gpu_device.h"

#define DRIFT_GPU_INPUT_ALIGN 64u

/* Where each input lies in the inputs buffer, behind the run-time parameters; the page table is
 * last. */
struct drift_gpu_inputs {
    uint64_t offsets[DRIFT_INPUT_COUNT];
    uint64_t bytes;
};
void drift_gpu_inputs_layout(const struct drift_plan *plan, struct drift_gpu_inputs *ret_inputs);

/* The program's dispatches and the kernels they hold. */
struct drift_gpu_dispatches {
    struct drift_gpu_dispatch *items;
    struct drift_gpu_cached_kernel **kernels; /* [n], acquired */
    uint32_t n;
    uint32_t
        n_in_batch; /* of which at most so many run in one batch: variants of an op count once */
};

/* Errors: UNSUPPORTED (named op, type or shape), LIMIT, NO_MEMORY, DEVICE. Compiles. */
enum drift_status drift_gpu_build(struct drift_gpu_device *device, const struct drift_plan *plan,
                                  struct drift_gpu_dispatches *ret_dispatches,
                                  struct drift_error *err) DRIFT_MUST_USE;
/* Forget the list; kernels stay acquired. */
void drift_gpu_dispatches_fini(struct drift_gpu_dispatches *dispatches);

#endif
