/* The graph's inside, shared by the files of this folder only. */
#ifndef DRIFT_RUNTIME_GRAPH_GRAPH_IMPL_H
#define DRIFT_RUNTIME_GRAPH_GRAPH_IMPL_H

#include "runtime/base/arena.h"
#include "runtime/graph/graph.h"

struct drift_graph {
    struct drift_graph_params params;
    struct drift_arena names;
    struct drift_error error; /* the first failure; status OK until then */
    char scope[64];
    struct drift_tensor *tensors;
    uint32_t n_tensors, tensors_capacity;
    struct drift_op *ops;
    uint32_t n_ops, ops_capacity;
    uint32_t inputs[DRIFT_INPUT_COUNT]; /* DRIFT_TENSOR_NONE until asked for */
    uint32_t output;
    bool finished;
    struct drift_memory_report memory;
    struct drift_plan plan;
};

/* An op with all sources and results absent. */
struct drift_op drift_graph_blank_op(enum drift_op_kind kind);
/* Copy a tensor into the graph; its name is copied too, behind the scope when scoped. NONE after a
 * failure. */
uint32_t drift_graph_push_tensor(struct drift_graph *graph, const struct drift_tensor *tensor,
                                 bool scoped);
/* Copy an op into the graph; false after a failure. */
bool drift_graph_push_op(struct drift_graph *graph, const struct drift_op *op);
/* True when the graph has not failed and every tensor index is one of its tensors. */
bool drift_graph_usable(struct drift_graph *graph, const char *what, const uint32_t *tensors,
                        uint32_t n);

/* Run all passes of the table in passes.c in order. */
enum drift_status drift_graph_run_passes(struct drift_graph *graph, struct drift_error *err);

#endif
