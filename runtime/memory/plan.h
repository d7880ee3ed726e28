/*
 * Offsets of activations in one arena: lifetimes in, addresses out.
 *
 * Two tensors may share bytes when the closed intervals of the tasks that use them do not
 * intersect. The problem is NP-complete; this is the GREEDY BY SIZE heuristic for offsets of arXiv
 * 2001.03288: the largest tensor first, each into the smallest gap that its living neighbours
 * leave. It knows nothing of graphs or devices.
 */
#ifndef DRIFT_RUNTIME_MEMORY_PLAN_H
#define DRIFT_RUNTIME_MEMORY_PLAN_H

#include "runtime/base/error.h"

#include <stddef.h>
#include <stdint.h>

/* One tensor's need: size and the closed interval of task indices during which its bytes are its
 * own. */
struct drift_memory_usage {
    uint64_t size_bytes;
    uint32_t first_task, last_task;
};

/* All sizes rounded up to the alignment: lower_bound_bytes <= planned_bytes <= naive_bytes. */
struct drift_memory_report {
    uint64_t planned_bytes;     /* end of the furthest tensor */
    uint64_t naive_bytes;       /* every tensor with memory of its own */
    uint64_t lower_bound_bytes; /* the most bytes alive in one task; no plan can do with less */
};

/*
 * Choose offsets[i], a multiple of align (a power of two), for each of n usages. The same input
 * always gives the same plan. Errors: INVALID (first_task > last_task), LIMIT (the sum overflows 64
 * bits), NO_MEMORY. Thread: any.
 */
enum drift_status drift_memory_plan(const struct drift_memory_usage *usages, size_t n,
                                    uint64_t align, uint64_t *offsets,
                                    struct drift_memory_report *ret_report,
                                    struct drift_error *err) DRIFT_MUST_USE;

#endif
