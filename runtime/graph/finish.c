/* The end of a graph: passes, lifetimes, offsets, plan. */
#include "runtime/graph/graph_impl.h"

#include "runtime/base/checked.h"

static bool is_in_arena(const struct drift_tensor *tensor)
{
    return tensor->role == DRIFT_TENSOR_ACTIVATION || tensor->role == DRIFT_TENSOR_OUTPUT;
}

static void widen(struct drift_memory_usage *usage, uint32_t task)
{
    if (task < usage->first_task)
        usage->first_task = task;
    if (task > usage->last_task)
        usage->last_task = task;
}

static const bool is_elementwise[DRIFT_OP_COUNT] = {
    [DRIFT_OP_ADD] = true,      [DRIFT_OP_MUL] = true,   [DRIFT_OP_GLU] = true,
    [DRIFT_OP_ACTIVATE] = true, [DRIFT_OP_SCALE] = true, [DRIFT_OP_SOFTCAP] = true,
};

/*
 * The last of the element-wise ops that follow op i directly, each on the result of the one before.
 * A backend may run them in op i's kernel, which writes the last result while it still reads op i's
 * sources, so those live as long.
 */
static uint32_t last_linked(const struct drift_graph *graph, uint32_t i)
{
    while (i + 1 < graph->n_ops && is_elementwise[graph->ops[i + 1].kind] &&
           graph->ops[i].dst[0] != DRIFT_TENSOR_NONE &&
           (graph->ops[i + 1].src[0] == graph->ops[i].dst[0] ||
            graph->ops[i + 1].src[1] == graph->ops[i].dst[0]))
        i++;
    return i;
}

/* Usage records of all tensors by index; those outside the arena keep size 0 and cost nothing. */
static enum drift_status collect_usages(const struct drift_graph *graph,
                                        struct drift_memory_usage *usages, struct drift_error *err)
{
    for (uint32_t i = 0; i < graph->n_tensors; i++) {
        const struct drift_tensor *tensor = &graph->tensors[i];
        usages[i] = (struct drift_memory_usage){.first_task = UINT32_MAX};
        if (is_in_arena(tensor) && !drift_mul_u64((uint64_t)tensor->n_rows * tensor->n_cols,
                                                  sizeof(float), &usages[i].size_bytes))
            return drift_error_set(err, DRIFT_STATUS_LIMIT, 0, "%s of %u x %u is too large",
                                   tensor->name, tensor->n_rows, tensor->n_cols);
    }
    for (uint32_t i = 0; i < graph->n_ops; i++) {
        const struct drift_op *op = &graph->ops[i];
        uint32_t last = last_linked(graph, i);
        for (unsigned s = 0; s < DRIFT_OP_MAX_SRC; s++) {
            if (op->src[s] == DRIFT_TENSOR_NONE)
                continue;
            widen(&usages[op->src[s]], i);
            widen(&usages[op->src[s]], last);
        }
        for (unsigned d = 0; d < DRIFT_OP_MAX_DST; d++) {
            if (op->dst[d] != DRIFT_TENSOR_NONE)
                widen(&usages[op->dst[d]], i);
        }
    }
    /* The output is copied to the host after the last op. */
    if (graph->output != DRIFT_TENSOR_NONE)
        widen(&usages[graph->output], graph->n_ops);
    return DRIFT_STATUS_OK;
}

static enum drift_status place(struct drift_graph *graph, struct drift_error *err)
{
    struct drift_memory_usage *usages =
        drift_alloc(DRIFT_TAG_GRAPH, graph->n_tensors, sizeof *usages);
    uint64_t *offsets = drift_alloc(DRIFT_TAG_GRAPH, graph->n_tensors, sizeof *offsets);
    enum drift_status status;
    if (!usages || !offsets) {
        status = drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "no memory to place activations");
        goto out;
    }
    status = collect_usages(graph, usages, err);
    if (status == DRIFT_STATUS_OK)
        status = drift_memory_plan(usages, graph->n_tensors, DRIFT_ARENA_ALIGN, offsets,
                                   &graph->memory, err);
    for (uint32_t i = 0; status == DRIFT_STATUS_OK && i < graph->n_tensors; i++) {
        if (is_in_arena(&graph->tensors[i]))
            graph->tensors[i].u.arena_offset = offsets[i];
    }
out:
    drift_free(offsets);
    drift_free(usages);
    return status;
}

enum drift_status drift_graph_finish(struct drift_graph *graph, const struct drift_plan **ret_plan,
                                     struct drift_error *err)
{
    DRIFT_ASSERT(!graph->finished);
    if (!drift_graph_has_failed(graph) && graph->params.max_outputs > 0 &&
        graph->output == DRIFT_TENSOR_NONE)
        drift_graph_fail(graph, DRIFT_STATUS_INVALID, "plan %s has no output", graph->params.name);
    if (drift_graph_has_failed(graph)) {
        if (err)
            *err = graph->error;
        return graph->error.status;
    }
    graph->scope[0] = '\0';
    enum drift_status status = drift_graph_run_passes(graph, err);
    if (status == DRIFT_STATUS_OK)
        status = place(graph, err);
    if (status != DRIFT_STATUS_OK)
        return status;
    graph->finished = true;
    graph->plan = (struct drift_plan){.name = graph->params.name,
                                      .stage = graph->params.stage,
                                      .max_tokens = graph->params.max_tokens,
                                      .max_outputs = graph->params.max_outputs,
                                      .max_sequences = graph->params.max_sequences,
                                      .max_pages = graph->params.max_pages,
                                      .tensors = graph->tensors,
                                      .n_tensors = graph->n_tensors,
                                      .ops = graph->ops,
                                      .n_ops = graph->n_ops,
                                      .arena_bytes = graph->memory.planned_bytes};
    *ret_plan = &graph->plan;
    return DRIFT_STATUS_OK;
}

void drift_graph_get_memory(const struct drift_graph *graph, struct drift_memory_report *ret_report)
{
    *ret_report = graph->memory;
}
