/* One function per op: check shapes, make the result, append. The rules are the table in
 * backends/plan.h. */
#include "runtime/graph/graph_impl.h"

#include <math.h>

/* A result with x's rows and n_cols columns. */
static uint32_t push_result(struct drift_graph *graph, const char *name, uint32_t x,
                            uint32_t n_cols)
{
    struct drift_tensor tensor = {.name = name,
                                  .role = DRIFT_TENSOR_ACTIVATION,
                                  .dtype = DRIFT_DTYPE_F32,
                                  .rows = graph->tensors[x].rows,
                                  .n_rows = graph->tensors[x].n_rows,
                                  .n_cols = n_cols};
    return drift_graph_push_tensor(graph, &tensor, true);
}

/* Append op with a fresh result; returns the result. */
static uint32_t push(struct drift_graph *graph, struct drift_op *op, const char *name,
                     uint32_t rows_of, uint32_t n_cols)
{
    op->dst[0] = push_result(graph, name, rows_of, n_cols);
    return drift_graph_push_op(graph, op) ? op->dst[0] : DRIFT_TENSOR_NONE;
}

static uint32_t fail_shape(struct drift_graph *graph, const char *name, const char *what,
                           uint32_t found, uint32_t wanted)
{
    return drift_graph_fail(graph, DRIFT_STATUS_INVALID, "%s%s: %s is %u, expected %u",
                            graph->scope, name, what, found, wanted);
}

/* A vector constant: one row of F32. */
static bool is_vector(const struct drift_tensor *tensor)
{
    return tensor->role == DRIFT_TENSOR_WEIGHT && tensor->n_rows == 1 &&
           tensor->dtype == DRIFT_DTYPE_F32;
}

static bool is_activation(struct drift_graph *graph, const char *name, uint32_t x)
{
    if (graph->tensors[x].role == DRIFT_TENSOR_ACTIVATION)
        return true;
    drift_graph_fail(graph, DRIFT_STATUS_INVALID, "%s%s: %s is no activation", graph->scope, name,
                     graph->tensors[x].name);
    return false;
}

uint32_t drift_graph_embed(struct drift_graph *graph, const char *name, uint32_t table,
                           float factor)
{
    uint32_t tokens = drift_graph_input(graph, DRIFT_INPUT_TOKENS);
    if (!drift_graph_usable(graph, name, (uint32_t[]){table, tokens}, 2))
        return DRIFT_TENSOR_NONE;
    if (graph->tensors[table].role != DRIFT_TENSOR_WEIGHT)
        return drift_graph_fail(graph, DRIFT_STATUS_INVALID, "%s%s: the table is no weight",
                                graph->scope, name);
    struct drift_op op = drift_graph_blank_op(DRIFT_OP_EMBED);
    op.src[0] = table;
    op.src[1] = tokens;
    op.attr.scale.factor = factor;
    return push(graph, &op, name, tokens, graph->tensors[table].n_cols);
}

uint32_t drift_graph_rms_norm(struct drift_graph *graph, const char *name, uint32_t x,
                              uint32_t weight, float eps)
{
    if (!drift_graph_usable(graph, name, (uint32_t[]){x, weight}, 2) ||
        !is_activation(graph, name, x))
        return DRIFT_TENSOR_NONE;
    const struct drift_tensor *w = &graph->tensors[weight];
    if (!is_vector(w) || w->n_cols == 0 || graph->tensors[x].n_cols % w->n_cols != 0)
        return fail_shape(graph, name, "the norm's width", w->n_cols, graph->tensors[x].n_cols);
    struct drift_op op = drift_graph_blank_op(DRIFT_OP_RMS_NORM);
    op.src[0] = x;
    op.src[1] = weight;
    op.attr.norm.eps = eps;
    op.attr.norm.group = w->n_cols;
    return push(graph, &op, name, x, graph->tensors[x].n_cols);
}

uint32_t drift_graph_matmul(struct drift_graph *graph, const char *name, uint32_t x, uint32_t w,
                            uint32_t bias)
{
    bool has_bias = bias != DRIFT_TENSOR_NONE;
    if (!drift_graph_usable(graph, name, (uint32_t[]){x, w, bias}, has_bias ? 3 : 2) ||
        !is_activation(graph, name, x))
        return DRIFT_TENSOR_NONE;
    uint32_t n_out = graph->tensors[w].n_rows;
    if (graph->tensors[w].role != DRIFT_TENSOR_WEIGHT)
        return drift_graph_fail(graph, DRIFT_STATUS_INVALID, "%s%s: %s is no weight", graph->scope,
                                name, graph->tensors[w].name);
    if (graph->tensors[x].n_cols != graph->tensors[w].n_cols)
        return fail_shape(graph, name, "the input's width", graph->tensors[x].n_cols,
                          graph->tensors[w].n_cols);
    if (has_bias && (!is_vector(&graph->tensors[bias]) || graph->tensors[bias].n_cols != n_out))
        return fail_shape(graph, name, "the bias's width", graph->tensors[bias].n_cols, n_out);
    struct drift_op op = drift_graph_blank_op(DRIFT_OP_MATMUL);
    op.src[0] = x;
    op.src[1] = w;
    op.src[2] = bias;
    return push(graph, &op, name, x, n_out);
}

uint32_t drift_graph_rope(struct drift_graph *graph, const char *name, uint32_t x,
                          uint32_t inv_freq, const struct drift_graph_rope *rope)
{
    uint32_t positions = drift_graph_input(graph, DRIFT_INPUT_POSITIONS);
    if (!drift_graph_usable(graph, name, (uint32_t[]){x, inv_freq, positions}, 3) ||
        !is_activation(graph, name, x))
        return DRIFT_TENSOR_NONE;
    uint32_t n_cols = graph->tensors[x].n_cols, n_freqs = graph->tensors[inv_freq].n_cols;
    if (rope->head_dim == 0 || rope->head_dim % 2 != 0 || rope->head_dim > DRIFT_MAX_HEAD_DIM ||
        n_cols % rope->head_dim != 0)
        return fail_shape(graph, name, "the head size", rope->head_dim, n_cols);
    if (!is_vector(&graph->tensors[inv_freq]) || n_freqs == 0 || n_freqs > rope->head_dim / 2)
        return fail_shape(graph, name, "the number of frequencies", n_freqs, rope->head_dim / 2);
    struct drift_op op = drift_graph_blank_op(DRIFT_OP_ROPE);
    op.src[0] = x;
    op.src[1] = positions;
    op.src[2] = inv_freq;
    op.attr.rope.pairs = rope->pairs;
    op.attr.rope.head_dim = rope->head_dim;
    op.attr.rope.n_rot = 2 * n_freqs;
    op.attr.rope.magnitude = rope->magnitude;
    return push(graph, &op, name, x, n_cols);
}

/* Both halves of a layer's cache, in order and of equal width. */
static bool check_caches(struct drift_graph *graph, const char *name, uint32_t k_cache,
                         uint32_t v_cache)
{
    const struct drift_tensor *k = &graph->tensors[k_cache], *v = &graph->tensors[v_cache];
    if (k->role == DRIFT_TENSOR_CACHE && v->role == DRIFT_TENSOR_CACHE && !k->u.kv.is_v &&
        v->u.kv.is_v && k->u.kv.layer == v->u.kv.layer && k->n_cols == v->n_cols)
        return true;
    drift_graph_fail(graph, DRIFT_STATUS_INVALID, "%s%s: not the K and V cache of one layer",
                     graph->scope, name);
    return false;
}

void drift_graph_cache_write(struct drift_graph *graph, uint32_t k, uint32_t v, uint32_t k_cache,
                             uint32_t v_cache)
{
    static const char name[] = "cache_write";
    uint32_t slots = drift_graph_input(graph, DRIFT_INPUT_SLOTS);
    if (!drift_graph_usable(graph, name, (uint32_t[]){k, v, slots, k_cache, v_cache}, 5) ||
        !is_activation(graph, name, k) || !is_activation(graph, name, v) ||
        !check_caches(graph, name, k_cache, v_cache))
        return;
    uint32_t n_cols = graph->tensors[k_cache].n_cols;
    if (graph->tensors[k].n_cols != n_cols || graph->tensors[v].n_cols != n_cols) {
        fail_shape(graph, name, "K's or V's width", graph->tensors[k].n_cols, n_cols);
        return;
    }
    struct drift_op op = drift_graph_blank_op(DRIFT_OP_CACHE_WRITE);
    op.src[0] = k;
    op.src[1] = v;
    op.src[2] = slots;
    op.src[3] = k_cache;
    op.src[4] = v_cache;
    (void)drift_graph_push_op(graph, &op); /* a failure sticks */
}

uint32_t drift_graph_attention(struct drift_graph *graph, const char *name, uint32_t q,
                               uint32_t k_cache, uint32_t v_cache,
                               const struct drift_graph_attention *attention)
{
    uint32_t positions = drift_graph_input(graph, DRIFT_INPUT_POSITIONS);
    uint32_t sequences = drift_graph_input(graph, DRIFT_INPUT_SEQUENCES);
    uint32_t page_table = drift_graph_input(graph, DRIFT_INPUT_PAGE_TABLE);
    if (!drift_graph_usable(
            graph, name, (uint32_t[]){q, k_cache, v_cache, positions, sequences, page_table}, 6) ||
        !is_activation(graph, name, q) || !check_caches(graph, name, k_cache, v_cache))
        return DRIFT_TENSOR_NONE;
    const struct drift_graph_attention *a = attention;
    if (a->head_dim == 0 || a->head_dim > DRIFT_MAX_HEAD_DIM || a->n_kv_heads == 0 ||
        a->n_heads == 0 || a->n_heads % a->n_kv_heads != 0)
        return drift_graph_fail(graph, DRIFT_STATUS_INVALID,
                                "%s%s: %u heads of %u columns over %u K/V heads", graph->scope,
                                name, a->n_heads, a->head_dim, a->n_kv_heads);
    if ((uint64_t)a->n_heads * a->head_dim != graph->tensors[q].n_cols)
        return fail_shape(graph, name, "q's width", graph->tensors[q].n_cols,
                          a->n_heads * a->head_dim);
    if ((uint64_t)a->n_kv_heads * a->head_dim != graph->tensors[k_cache].n_cols)
        return fail_shape(graph, name, "the cache's width", graph->tensors[k_cache].n_cols,
                          a->n_kv_heads * a->head_dim);
    struct drift_op op = drift_graph_blank_op(DRIFT_OP_ATTENTION);
    op.src[0] = q;
    op.src[1] = k_cache;
    op.src[2] = v_cache;
    op.src[3] = positions;
    op.src[4] = sequences;
    op.src[5] = page_table;
    op.attr.attention.n_heads = a->n_heads;
    op.attr.attention.n_kv_heads = a->n_kv_heads;
    op.attr.attention.head_dim = a->head_dim;
    op.attr.attention.window = a->window;
    op.attr.attention.scale = a->scale;
    op.attr.attention.softcap = a->softcap;
    return push(graph, &op, name, q, graph->tensors[q].n_cols);
}

/* Two sources of one shape, element by element. */
static uint32_t binary(struct drift_graph *graph, const char *name, uint32_t a, uint32_t b,
                       struct drift_op *op)
{
    if (!drift_graph_usable(graph, name, (uint32_t[]){a, b}, 2) || !is_activation(graph, name, a) ||
        !is_activation(graph, name, b))
        return DRIFT_TENSOR_NONE;
    if (graph->tensors[a].n_cols != graph->tensors[b].n_cols)
        return fail_shape(graph, name, "the second source's width", graph->tensors[b].n_cols,
                          graph->tensors[a].n_cols);
    if (graph->tensors[a].rows != graph->tensors[b].rows)
        return drift_graph_fail(graph, DRIFT_STATUS_INVALID,
                                "%s%s: one row per token meets one per output", graph->scope, name);
    op->src[0] = a;
    op->src[1] = b;
    return push(graph, op, name, a, graph->tensors[a].n_cols);
}

static uint32_t unary(struct drift_graph *graph, const char *name, uint32_t x, struct drift_op *op)
{
    if (!drift_graph_usable(graph, name, &x, 1) || !is_activation(graph, name, x))
        return DRIFT_TENSOR_NONE;
    op->src[0] = x;
    return push(graph, op, name, x, graph->tensors[x].n_cols);
}

uint32_t drift_graph_add(struct drift_graph *graph, const char *name, uint32_t a, uint32_t b)
{
    struct drift_op op = drift_graph_blank_op(DRIFT_OP_ADD);
    return binary(graph, name, a, b, &op);
}

uint32_t drift_graph_mul(struct drift_graph *graph, const char *name, uint32_t a, uint32_t b)
{
    struct drift_op op = drift_graph_blank_op(DRIFT_OP_MUL);
    return binary(graph, name, a, b, &op);
}

uint32_t drift_graph_glu(struct drift_graph *graph, const char *name, uint32_t gate, uint32_t up,
                         enum drift_activation activation)
{
    struct drift_op op = drift_graph_blank_op(DRIFT_OP_GLU);
    op.attr.activation.kind = activation;
    return binary(graph, name, gate, up, &op);
}

uint32_t drift_graph_activate(struct drift_graph *graph, const char *name, uint32_t x,
                              enum drift_activation activation)
{
    struct drift_op op = drift_graph_blank_op(DRIFT_OP_ACTIVATE);
    op.attr.activation.kind = activation;
    return unary(graph, name, x, &op);
}

uint32_t drift_graph_scale(struct drift_graph *graph, const char *name, uint32_t x, float factor)
{
    struct drift_op op = drift_graph_blank_op(DRIFT_OP_SCALE);
    op.attr.scale.factor = factor;
    return unary(graph, name, x, &op);
}

uint32_t drift_graph_softcap(struct drift_graph *graph, const char *name, uint32_t x, float cap)
{
    if (!(cap > 0) || !isfinite(cap))
        return drift_graph_fail(graph, DRIFT_STATUS_INVALID, "%s%s: the cap is not above 0",
                                graph->scope, name);
    struct drift_op op = drift_graph_blank_op(DRIFT_OP_SOFTCAP);
    op.attr.softcap.cap = cap;
    return unary(graph, name, x, &op);
}

uint32_t drift_graph_gather_rows(struct drift_graph *graph, const char *name, uint32_t x)
{
    uint32_t rows = drift_graph_input(graph, DRIFT_INPUT_OUTPUT_ROWS);
    if (!drift_graph_usable(graph, name, (uint32_t[]){x, rows}, 2) ||
        !is_activation(graph, name, x))
        return DRIFT_TENSOR_NONE;
    if (graph->tensors[x].rows != DRIFT_ROWS_TOKENS)
        return drift_graph_fail(graph, DRIFT_STATUS_INVALID, "%s%s: rows are gathered already",
                                graph->scope, name);
    struct drift_op op = drift_graph_blank_op(DRIFT_OP_GATHER_ROWS);
    op.src[0] = x;
    op.src[1] = rows;
    return push(graph, &op, name, rows, graph->tensors[x].n_cols);
}

void drift_graph_set_output(struct drift_graph *graph, uint32_t x)
{
    if (!drift_graph_usable(graph, "output", &x, 1) || !is_activation(graph, "output", x))
        return;
    if (graph->params.max_outputs == 0)
        return; /* nobody reads it: what only it needs is dead */
    if (graph->output != DRIFT_TENSOR_NONE || graph->tensors[x].rows != DRIFT_ROWS_OUTPUTS) {
        drift_graph_fail(graph, DRIFT_STATUS_INVALID,
                         "plan %s: %s cannot be the output: a second one, or not gathered",
                         graph->params.name, graph->tensors[x].name);
        return;
    }
    graph->tensors[x].role = DRIFT_TENSOR_OUTPUT;
    graph->output = x;
}
