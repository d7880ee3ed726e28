/* A plan as text: one line of totals, then one line per op. */
#include "runtime/graph/graph.h"

#include <inttypes.h>

/* Of its own: drift_op_name would make a graph need the backends' library. */
static const char *const op_names[DRIFT_OP_COUNT] = {
#define X(id, name) [DRIFT_OP_##id] = name,
    DRIFT_OP_MAP(X)
#undef X
};

static const char *const stage_names[DRIFT_STAGE_COUNT] = {
    [DRIFT_STAGE_THIN] = "thin",
    [DRIFT_STAGE_TILED] = "tiled",
};

static const char *const activation_names[DRIFT_ACTIVATION_COUNT] = {
    [DRIFT_ACTIVATION_SILU] = "silu",
    [DRIFT_ACTIVATION_GELU_TANH] = "gelu_tanh",
};

static const char *const pairs_names[DRIFT_ROPE_COUNT] = {
    [DRIFT_ROPE_ADJACENT] = "adjacent",
    [DRIFT_ROPE_HALVES] = "halves",
};

static void dump_shape(const struct drift_tensor *tensor, struct drift_buf *out)
{
    if (tensor->rows == DRIFT_ROWS_FIXED)
        drift_buf_printf(out, " [%u, %u]", tensor->n_rows, tensor->n_cols);
    else
        drift_buf_printf(out, " [%s, %u]", tensor->rows == DRIFT_ROWS_TOKENS ? "tokens" : "outputs",
                         tensor->n_cols);
}

static void dump_attributes(const struct drift_op *op, struct drift_buf *out)
{
    switch (op->kind) {
    case DRIFT_OP_EMBED:
    case DRIFT_OP_SCALE:
        drift_buf_printf(out, " factor=%.9g", (double)op->attr.scale.factor);
        break;
    case DRIFT_OP_RMS_NORM:
        drift_buf_printf(out, " eps=%.3g group=%u", (double)op->attr.norm.eps, op->attr.norm.group);
        break;
    case DRIFT_OP_ROPE:
        drift_buf_printf(out, " %s head_dim=%u n_rot=%u magnitude=%.9g",
                         pairs_names[op->attr.rope.pairs], op->attr.rope.head_dim,
                         op->attr.rope.n_rot, (double)op->attr.rope.magnitude);
        break;
    case DRIFT_OP_ATTENTION:
        drift_buf_printf(out, " heads=%u/%u head_dim=%u window=%u scale=%.9g softcap=%.9g",
                         op->attr.attention.n_heads, op->attr.attention.n_kv_heads,
                         op->attr.attention.head_dim, op->attr.attention.window,
                         (double)op->attr.attention.scale, (double)op->attr.attention.softcap);
        break;
    case DRIFT_OP_GLU:
    case DRIFT_OP_ACTIVATE:
        drift_buf_printf(out, " %s", activation_names[op->attr.activation.kind]);
        break;
    case DRIFT_OP_SOFTCAP:
        drift_buf_printf(out, " cap=%.9g", (double)op->attr.softcap.cap);
        break;
    default:
        break;
    }
}

static void dump_op(const struct drift_plan *plan, const struct drift_op *op, struct drift_buf *out)
{
    drift_buf_printf(out, "%-11s", op_names[op->kind]);
    for (unsigned i = 0; i < DRIFT_OP_MAX_DST; i++) {
        if (op->dst[i] == DRIFT_TENSOR_NONE)
            continue;
        const struct drift_tensor *tensor = &plan->tensors[op->dst[i]];
        drift_buf_printf(out, " %s", tensor->name);
        dump_shape(tensor, out);
        drift_buf_printf(out, " @%" PRIu64, tensor->u.arena_offset);
    }
    drift_buf_append_str(out, " <-");
    for (unsigned i = 0; i < DRIFT_OP_MAX_SRC; i++) {
        if (op->src[i] != DRIFT_TENSOR_NONE)
            drift_buf_printf(out, " %s", plan->tensors[op->src[i]].name);
    }
    dump_attributes(op, out);
    drift_buf_append_char(out, '\n');
}

void drift_graph_dump(const struct drift_plan *plan, struct drift_buf *out)
{
    drift_buf_printf(
        out,
        "plan %s: %s, %u tokens, %u outputs, %u sequences of %u pages, %u ops, %u tensors, "
        "arena %" PRIu64 " bytes\n",
        plan->name, stage_names[plan->stage], plan->max_tokens, plan->max_outputs,
        plan->max_sequences, plan->max_pages, plan->n_ops, plan->n_tensors, plan->arena_bytes);
    for (uint32_t i = 0; i < plan->n_ops; i++)
        dump_op(plan, &plan->ops[i], out);
}
