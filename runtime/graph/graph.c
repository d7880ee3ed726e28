/* The graph object: growing tensor and op lists, names, the sticky failure. */
#include "runtime/graph/graph_impl.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* 64 bytes a name would be long. */
#define NAMES_CAP_BYTES (DRIFT_GRAPH_MAX_TENSORS * 128u)

static const char *params_fault(const struct drift_graph_params *params)
{
    if ((unsigned)params->stage >= DRIFT_STAGE_COUNT)
        return "unknown stage";
    if (params->max_tokens == 0 || params->max_sequences == 0 || params->max_pages == 0)
        return "a plan needs at least one token, one sequence and one page";
    if (params->stage == DRIFT_STAGE_THIN && params->max_tokens > DRIFT_THIN_MAX_TOKENS)
        return "too many tokens for the thin stage";
    if (params->max_outputs > params->max_tokens)
        return "more outputs than tokens";
    return NULL;
}

enum drift_status drift_graph_create(const struct drift_graph_params *params,
                                     struct drift_graph **ret_graph, struct drift_error *err)
{
    const char *fault = params_fault(params);
    if (fault)
        return drift_error_set(err, DRIFT_STATUS_INVALID, 0, "plan %s: %s", params->name, fault);
    struct drift_graph *graph = drift_alloc(DRIFT_TAG_GRAPH, 1, sizeof *graph);
    if (!graph)
        return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "no memory for a graph");
    graph->params = *params;
    drift_arena_init(&graph->names, DRIFT_TAG_GRAPH, NAMES_CAP_BYTES);
    for (unsigned i = 0; i < DRIFT_INPUT_COUNT; i++)
        graph->inputs[i] = DRIFT_TENSOR_NONE;
    graph->output = DRIFT_TENSOR_NONE;
    graph->params.name = drift_arena_strndup(&graph->names, params->name, strlen(params->name));
    if (!graph->params.name) {
        drift_graph_destroy(graph);
        return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "no memory for a graph");
    }
    *ret_graph = graph;
    return DRIFT_STATUS_OK;
}

void drift_graph_destroy(struct drift_graph *graph)
{
    if (!graph)
        return;
    drift_free(graph->ops);
    drift_free(graph->tensors);
    drift_arena_fini(&graph->names);
    drift_free(graph);
}

void drift_graph_set_scope(struct drift_graph *graph, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(graph->scope, sizeof graph->scope, fmt, ap);
    va_end(ap);
}

uint32_t drift_graph_fail(struct drift_graph *graph, enum drift_status status, const char *fmt, ...)
{
    if (graph->error.status != DRIFT_STATUS_OK)
        return DRIFT_TENSOR_NONE;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(graph->error.msg, sizeof graph->error.msg, fmt, ap);
    va_end(ap);
    graph->error.status = status;
    return DRIFT_TENSOR_NONE;
}

bool drift_graph_has_failed(const struct drift_graph *graph)
{
    return graph->error.status != DRIFT_STATUS_OK;
}

bool drift_graph_usable(struct drift_graph *graph, const char *what, const uint32_t *tensors,
                        uint32_t n)
{
    if (drift_graph_has_failed(graph))
        return false;
    DRIFT_ASSERT(!graph->finished);
    for (uint32_t i = 0; i < n; i++) {
        if (tensors[i] >= graph->n_tensors) {
            drift_graph_fail(graph, DRIFT_STATUS_INVALID, "%s%s: source %u is no tensor",
                             graph->scope, what, i);
            return false;
        }
    }
    return true;
}

/* Make room for one more element; false (and the graph failed) at the cap or without memory. */
static bool grow(struct drift_graph *graph, void **items, size_t size, uint32_t n,
                 uint32_t *capacity, uint32_t max)
{
    if (n < *capacity)
        return true;
    if (n >= max) {
        drift_graph_fail(graph, DRIFT_STATUS_LIMIT, "plan %s has more than %u tensors or ops",
                         graph->params.name, max);
        return false;
    }
    uint32_t wanted = *capacity ? *capacity * 2 : 256;
    void *grown = drift_realloc(DRIFT_TAG_GRAPH, *items, wanted, size);
    if (!grown) {
        drift_graph_fail(graph, DRIFT_STATUS_NO_MEMORY, "no memory for the graph of %s",
                         graph->params.name);
        return false;
    }
    *items = grown;
    *capacity = wanted;
    return true;
}

uint32_t drift_graph_push_tensor(struct drift_graph *graph, const struct drift_tensor *tensor,
                                 bool scoped)
{
    void *items = graph->tensors;
    if (drift_graph_has_failed(graph) || !grow(graph, &items, sizeof *tensor, graph->n_tensors,
                                               &graph->tensors_capacity, DRIFT_GRAPH_MAX_TENSORS))
        return DRIFT_TENSOR_NONE;
    graph->tensors = items;
    char name[192];
    int len = snprintf(name, sizeof name, "%s%s", scoped ? graph->scope : "", tensor->name);
    size_t used = len < 0 ? 0 : (size_t)len < sizeof name ? (size_t)len : sizeof name - 1;
    struct drift_tensor *copy = &graph->tensors[graph->n_tensors];
    *copy = *tensor;
    copy->name = drift_arena_strndup(&graph->names, name, used);
    if (!copy->name)
        return drift_graph_fail(graph, DRIFT_STATUS_NO_MEMORY, "no memory for the graph of %s",
                                graph->params.name);
    return graph->n_tensors++;
}

bool drift_graph_push_op(struct drift_graph *graph, const struct drift_op *op)
{
    void *items = graph->ops;
    if (drift_graph_has_failed(graph) ||
        !grow(graph, &items, sizeof *op, graph->n_ops, &graph->ops_capacity, DRIFT_GRAPH_MAX_OPS))
        return false;
    graph->ops = items;
    graph->ops[graph->n_ops++] = *op;
    return true;
}

struct drift_op drift_graph_blank_op(enum drift_op_kind kind)
{
    struct drift_op op = {.kind = kind};
    for (unsigned i = 0; i < DRIFT_OP_MAX_SRC; i++)
        op.src[i] = DRIFT_TENSOR_NONE;
    for (unsigned i = 0; i < DRIFT_OP_MAX_DST; i++)
        op.dst[i] = DRIFT_TENSOR_NONE;
    return op;
}

uint32_t drift_graph_weight(struct drift_graph *graph, const char *name, enum drift_dtype dtype,
                            uint32_t n_rows, uint32_t n_cols, const struct drift_weight *weight)
{
    struct drift_tensor tensor = {.name = name,
                                  .role = DRIFT_TENSOR_WEIGHT,
                                  .dtype = dtype,
                                  .rows = DRIFT_ROWS_FIXED,
                                  .n_rows = n_rows,
                                  .n_cols = n_cols};
    tensor.u.weight = weight;
    return drift_graph_push_tensor(graph, &tensor, false);
}

uint32_t drift_graph_cache(struct drift_graph *graph, const struct drift_graph_cache *desc,
                           uint32_t layer, bool is_v)
{
    struct drift_tensor tensor = {.name = is_v ? "v_cache" : "k_cache",
                                  .role = DRIFT_TENSOR_CACHE,
                                  .dtype = desc->dtype,
                                  .rows = DRIFT_ROWS_FIXED,
                                  .n_rows = desc->n_rows,
                                  .n_cols = desc->n_cols};
    tensor.u.kv.cache = desc->cache;
    tensor.u.kv.layer = layer;
    tensor.u.kv.is_v = is_v;
    return drift_graph_push_tensor(graph, &tensor, true);
}

uint32_t drift_graph_input(struct drift_graph *graph, enum drift_input input)
{
    static const char *const names[DRIFT_INPUT_COUNT] = {
        [DRIFT_INPUT_TOKENS] = "tokens",         [DRIFT_INPUT_POSITIONS] = "positions",
        [DRIFT_INPUT_SEQUENCES] = "sequences",   [DRIFT_INPUT_SLOTS] = "slots",
        [DRIFT_INPUT_PAGE_TABLE] = "page_table", [DRIFT_INPUT_OUTPUT_ROWS] = "output_rows",
    };
    DRIFT_ASSERT((unsigned)input < DRIFT_INPUT_COUNT);
    if (graph->inputs[input] != DRIFT_TENSOR_NONE)
        return graph->inputs[input];
    struct drift_tensor tensor = {.name = names[input],
                                  .role = DRIFT_TENSOR_INPUT,
                                  .dtype = DRIFT_DTYPE_I32,
                                  .rows = DRIFT_ROWS_TOKENS,
                                  .n_rows = graph->params.max_tokens,
                                  .n_cols = 1};
    tensor.u.input = input;
    if (input == DRIFT_INPUT_PAGE_TABLE) {
        tensor.rows = DRIFT_ROWS_FIXED;
        tensor.n_rows = graph->params.max_sequences;
        tensor.n_cols = graph->params.max_pages;
    } else if (input == DRIFT_INPUT_OUTPUT_ROWS) {
        tensor.rows = DRIFT_ROWS_OUTPUTS;
        tensor.n_rows = graph->params.max_outputs;
    }
    return graph->inputs[input] = drift_graph_push_tensor(graph, &tensor, false);
}
