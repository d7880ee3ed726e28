/*
 * Passes over the finished op list, in the order of the table at the end. Each leaves a graph that
 * computes the same rows of the same output.
 */
#include "runtime/graph/graph_impl.h"

#include <string.h>

typedef enum drift_status (*pass_fn)(struct drift_graph *graph, struct drift_error *err);

struct pass {
    const char *name;
    pass_fn run;
};

static enum drift_status no_memory(const struct drift_graph *graph, struct drift_error *err)
{
    return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "no memory for the passes of plan %s",
                           graph->params.name);
}

static bool reads(const struct drift_op *op, uint32_t tensor)
{
    for (unsigned i = 0; i < DRIFT_OP_MAX_SRC; i++) {
        if (op->src[i] == tensor)
            return true;
    }
    return false;
}

/* ---- dead ops: whose results reach neither the output nor the cache ---- */

static enum drift_status drop_dead_ops(struct drift_graph *graph, struct drift_error *err)
{
    bool *needed = drift_alloc(DRIFT_TAG_GRAPH, graph->n_tensors, sizeof *needed);
    bool *kept = drift_alloc(DRIFT_TAG_GRAPH, graph->n_ops, sizeof *kept);
    if (!needed || !kept) {
        drift_free(kept);
        drift_free(needed);
        return no_memory(graph, err);
    }
    if (graph->output != DRIFT_TENSOR_NONE)
        needed[graph->output] = true;
    for (uint32_t i = graph->n_ops; i-- > 0;) {
        const struct drift_op *op = &graph->ops[i];
        kept[i] = op->kind == DRIFT_OP_CACHE_WRITE;
        for (unsigned d = 0; d < DRIFT_OP_MAX_DST; d++)
            kept[i] |= op->dst[d] != DRIFT_TENSOR_NONE && needed[op->dst[d]];
        for (unsigned s = 0; kept[i] && s < DRIFT_OP_MAX_SRC; s++) {
            if (op->src[s] != DRIFT_TENSOR_NONE)
                needed[op->src[s]] = true;
        }
    }
    uint32_t n = 0;
    for (uint32_t i = 0; i < graph->n_ops; i++) {
        if (kept[i])
            graph->ops[n++] = graph->ops[i];
    }
    graph->n_ops = n;
    drift_free(kept);
    drift_free(needed);
    return DRIFT_STATUS_OK;
}

/* ---- early gather: rows that nobody asked for are dropped before the last layer's feed-forward
 * ---- */

/* Ops whose row t needs only row t of their sources, so that rows may be gathered before or after
 * them. */
static const bool is_row_wise[DRIFT_OP_COUNT] = {
    [DRIFT_OP_RMS_NORM] = true, [DRIFT_OP_MATMUL] = true,  [DRIFT_OP_ADD] = true,
    [DRIFT_OP_MUL] = true,      [DRIFT_OP_GLU] = true,     [DRIFT_OP_ACTIVATE] = true,
    [DRIFT_OP_SCALE] = true,    [DRIFT_OP_SOFTCAP] = true,
};

struct hoist {
    struct drift_graph *graph;
    uint32_t i_gather; /* the op that is moved up */
    bool *wanted;      /* [n_tensors] the gathered rows are computed from this one */
    bool *moved;       /* [n_ops] runs on gathered rows from now on */
    uint32_t *rows_of; /* [n_tensors] gathered copy of a tensor, DRIFT_TENSOR_NONE until made */
};

/* All ops that read a tensor after op i_op have been moved behind the gather (or are it). */
static bool only_moved_readers(const struct hoist *h, uint32_t i_op, uint32_t tensor)
{
    for (uint32_t i = i_op + 1; i < h->graph->n_ops; i++) {
        if (i != h->i_gather && !h->moved[i] && reads(&h->graph->ops[i], tensor))
            return false;
    }
    return true;
}

static bool is_token_rows(const struct drift_graph *graph, uint32_t tensor)
{
    return tensor != DRIFT_TENSOR_NONE && graph->tensors[tensor].role == DRIFT_TENSOR_ACTIVATION &&
           graph->tensors[tensor].rows == DRIFT_ROWS_TOKENS;
}

/* Walk up from the gather; returns the number of ops that can run on gathered rows. */
static uint32_t mark_moved(struct hoist *h)
{
    struct drift_graph *graph = h->graph;
    uint32_t n_moved = 0;
    h->wanted[graph->ops[h->i_gather].src[0]] = true;
    for (uint32_t i = h->i_gather; i-- > 0;) {
        const struct drift_op *op = &graph->ops[i];
        uint32_t dst = op->dst[0];
        if (dst == DRIFT_TENSOR_NONE || !h->wanted[dst] || !is_row_wise[op->kind] ||
            !only_moved_readers(h, i, dst))
            continue;
        h->moved[i] = true;
        n_moved++;
        for (unsigned s = 0; s < DRIFT_OP_MAX_SRC; s++) {
            if (is_token_rows(graph, op->src[s]))
                h->wanted[op->src[s]] = true;
        }
    }
    return n_moved;
}

/* The gathered rows of a tensor, by a gather op of its own appended here when it is the first to
 * ask. */
static uint32_t gathered(struct hoist *h, uint32_t tensor, const struct drift_op *gather)
{
    if (h->rows_of[tensor] != DRIFT_TENSOR_NONE)
        return h->rows_of[tensor];
    struct drift_graph *graph = h->graph;
    struct drift_tensor rows = graph->tensors[tensor];
    char name[160];
    size_t len = strlen(rows.name);
    len = len < sizeof name - 6 ? len : sizeof name - 6;
    memcpy(name, rows.name, len);
    memcpy(name + len, ":rows", 6);
    rows.name = name;
    rows.rows = DRIFT_ROWS_OUTPUTS;
    rows.n_rows = graph->params.max_outputs;
    struct drift_op op = *gather;
    op.src[0] = tensor;
    op.dst[0] = drift_graph_push_tensor(graph, &rows, false);
    (void)drift_graph_push_op(graph, &op); /* a failure sticks and is seen after the pass */
    return h->rows_of[tensor] = op.dst[0];
}

/* Write the op list anew: moved ops read gathered rows, the old gather is gone. */
static void rewrite(struct hoist *h, const struct drift_op *old, uint32_t n_old)
{
    struct drift_graph *graph = h->graph;
    const struct drift_op *gather = &old[h->i_gather];
    uint32_t from = gather->dst[0], to = gather->src[0];
    graph->n_ops = 0;
    for (uint32_t i = 0; i < n_old && !drift_graph_has_failed(graph); i++) {
        if (i == h->i_gather)
            continue;
        struct drift_op op = old[i];
        for (unsigned s = 0; s < DRIFT_OP_MAX_SRC; s++) {
            if (op.src[s] == from)
                op.src[s] = to;
            if (h->moved[i] && is_token_rows(graph, op.src[s]))
                op.src[s] = gathered(h, op.src[s], gather);
        }
        if (h->moved[i]) {
            graph->tensors[op.dst[0]].rows = DRIFT_ROWS_OUTPUTS;
            graph->tensors[op.dst[0]].n_rows = graph->params.max_outputs;
        }
        (void)drift_graph_push_op(graph, &op);
    }
}

static enum drift_status hoist_gather(struct drift_graph *graph, struct drift_error *err)
{
    uint32_t n_gathers = 0, n_old = graph->n_ops;
    struct hoist h = {.graph = graph};
    for (uint32_t i = 0; i < n_old; i++) {
        if (graph->ops[i].kind == DRIFT_OP_GATHER_ROWS) {
            h.i_gather = i;
            n_gathers++;
        }
    }
    /* Where every row is wanted there is nothing to gain. */
    if (n_gathers != 1 || graph->params.max_outputs == graph->params.max_tokens)
        return DRIFT_STATUS_OK;
    h.wanted = drift_alloc(DRIFT_TAG_GRAPH, graph->n_tensors, sizeof *h.wanted);
    h.moved = drift_alloc(DRIFT_TAG_GRAPH, n_old, sizeof *h.moved);
    h.rows_of = drift_alloc(DRIFT_TAG_GRAPH, graph->n_tensors, sizeof *h.rows_of);
    struct drift_op *old = drift_alloc(DRIFT_TAG_GRAPH, n_old, sizeof *old);
    enum drift_status status = DRIFT_STATUS_OK;
    if (!h.wanted || !h.moved || !h.rows_of || !old) {
        status = no_memory(graph, err);
        goto out;
    }
    for (uint32_t i = 0; i < graph->n_tensors; i++)
        h.rows_of[i] = DRIFT_TENSOR_NONE;
    memcpy(old, graph->ops, n_old * sizeof *old);
    /* x itself must be movable: otherwise the gather stays where it is. */
    if (mark_moved(&h) > 0)
        rewrite(&h, old, n_old);
out:
    drift_free(old);
    drift_free(h.rows_of);
    drift_free(h.moved);
    drift_free(h.wanted);
    return status;
}

/* ---- unused tensors: the backends need not look at what no op touches ---- */

static void mark(bool *used, const uint32_t *tensors, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (tensors[i] != DRIFT_TENSOR_NONE)
            used[tensors[i]] = true;
    }
}

static void renumber(const uint32_t *map, uint32_t *tensors, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (tensors[i] != DRIFT_TENSOR_NONE)
            tensors[i] = map[tensors[i]];
    }
}

static enum drift_status drop_unused_tensors(struct drift_graph *graph, struct drift_error *err)
{
    bool *used = drift_alloc(DRIFT_TAG_GRAPH, graph->n_tensors, sizeof *used);
    uint32_t *map = drift_alloc(DRIFT_TAG_GRAPH, graph->n_tensors, sizeof *map);
    if (!used || !map) {
        drift_free(map);
        drift_free(used);
        return no_memory(graph, err);
    }
    for (uint32_t i = 0; i < graph->n_ops; i++) {
        mark(used, graph->ops[i].src, DRIFT_OP_MAX_SRC);
        mark(used, graph->ops[i].dst, DRIFT_OP_MAX_DST);
    }
    uint32_t n = 0;
    for (uint32_t i = 0; i < graph->n_tensors; i++) {
        map[i] = used[i] ? n : DRIFT_TENSOR_NONE;
        if (used[i])
            graph->tensors[n++] = graph->tensors[i];
    }
    graph->n_tensors = n;
    for (uint32_t i = 0; i < graph->n_ops; i++) {
        renumber(map, graph->ops[i].src, DRIFT_OP_MAX_SRC);
        renumber(map, graph->ops[i].dst, DRIFT_OP_MAX_DST);
    }
    renumber(map, graph->inputs, DRIFT_INPUT_COUNT);
    renumber(map, &graph->output, 1);
    drift_free(map);
    drift_free(used);
    return DRIFT_STATUS_OK;
}

static const struct pass passes[] = {
    {"drop dead ops",       drop_dead_ops      },
    {"hoist gather",        hoist_gather       },
    {"drop unused tensors", drop_unused_tensors},
};

enum drift_status drift_graph_run_passes(struct drift_graph *graph, struct drift_error *err)
{
    for (size_t i = 0; i < DRIFT_COUNT_OF(passes); i++) {
        enum drift_status status = passes[i].run(graph, err);
        if (status == DRIFT_STATUS_OK && drift_graph_has_failed(graph)) {
            status = graph->error.status;
            if (err)
                *err = graph->error;
        }
        if (status != DRIFT_STATUS_OK) {
            drift_error_prefix(err, "pass \"%s\"", passes[i].name);
            return status;
        }
    }
    return DRIFT_STATUS_OK;
}
