/* Element-wise ops, alone or linked, and ops over rows: RMS_NORM, GATHER_ROWS. */
#include "backends/gpu/builder_impl.h"

/* Snippets of links.k by op; GLU's depend on which source the value is. */
static const char *const activations[DRIFT_ACTIVATION_COUNT] = {
    [DRIFT_ACTIVATION_SILU] = "silu",
    [DRIFT_ACTIVATION_GELU_TANH] = "gelu_tanh",
};
static const char *const glus[DRIFT_ACTIVATION_COUNT][2] = {
    [DRIFT_ACTIVATION_SILU] = {"glu_silu_gate",      "glu_silu_up"     },
    [DRIFT_ACTIVATION_GELU_TANH] = {"glu_gelu_tanh_gate", "glu_gelu_tanh_up"},
};

static const char *op_snippet(const struct drift_op *op, bool value_is_second)
{
    switch (op->kind) {
    case DRIFT_OP_ADD:
        return "add";
    case DRIFT_OP_MUL:
        return "mul";
    case DRIFT_OP_GLU:
        return glus[op->attr.activation.kind][value_is_second];
    case DRIFT_OP_ACTIVATE:
        return activations[op->attr.activation.kind];
    case DRIFT_OP_SCALE:
        return "scale";
    case DRIFT_OP_SOFTCAP:
        return "softcap";
    default:
        return NULL;
    }
}

const char *drift_gpu_op_snippet(const struct drift_gpu_builder *b, const struct drift_op *op,
                                 uint32_t value, struct drift_gpu_linked_op *ret_link)
{
    (void)b;
    bool value_is_second = op->src[0] != value;
    *ret_link = (struct drift_gpu_linked_op){.operand = DRIFT_TENSOR_NONE};
    ret_link->snippet = op_snippet(op, value_is_second);
    if (!ret_link->snippet || (value_is_second && op->src[1] != value))
        return NULL;
    if (op->kind == DRIFT_OP_SCALE || op->kind == DRIFT_OP_SOFTCAP) {
        ret_link->has_factor = true;
        ret_link->factor =
            op->kind == DRIFT_OP_SCALE ? op->attr.scale.factor : op->attr.softcap.cap;
    } else {
        ret_link->operand = op->src[value_is_second ? 0 : 1];
    }
    return ret_link->snippet;
}

/* src -> dst with the op itself as the first link. */
enum drift_status drift_gpu_op_elementwise(struct drift_gpu_builder *b)
{
    const struct drift_tensor *dst = drift_gpu_tensor(b, b->dst);
    struct drift_gpu_linked_op own;
    if (b->n_links == DRIFT_GPU_MAX_LINKS || !drift_gpu_op_snippet(b, b->op, b->op->src[0], &own))
        return drift_gpu_op_unsupported(b, "more linked ops than a kernel takes");
    for (uint32_t i = b->n_links++; i > 0; --i)
        b->links[i] = b->links[i - 1];
    b->links[0] = own;
    uint32_t width = drift_gpu_op_width(b, b->dst, dst->n_cols);
    drift_gpu_begin(b, "elementwise");
    drift_gpu_gen_set_literal(&b->gen, "WIDTH", (int32_t)width);
    drift_gpu_add(b, "src", b->op->src[0]);
    drift_gpu_add_dst(b);
    return drift_gpu_emit_slices(b, "elementwise", dst->n_cols / width, dst);
}

enum drift_status drift_gpu_op_gather_rows(struct drift_gpu_builder *b)
{
    const struct drift_tensor *dst = drift_gpu_tensor(b, b->dst);
    uint32_t width = drift_gpu_op_width(b, b->op->src[0], dst->n_cols);
    drift_gpu_begin(b, "gather_rows");
    drift_gpu_gen_set_literal(&b->gen, "WIDTH", (int32_t)width);
    drift_gpu_add(b, "src", b->op->src[0]);
    drift_gpu_add(b, "rows", b->op->src[1]);
    drift_gpu_add_dst(b);
    return drift_gpu_emit_slices(b, "gather_rows", dst->n_cols / width, dst);
}

enum drift_status drift_gpu_op_rms_norm(struct drift_gpu_builder *b)
{
    const struct drift_tensor *dst = drift_gpu_tensor(b, b->dst);
    uint32_t group = b->op->attr.norm.group, local = b->device->profile->norm_local;
    /* dst and src have one shape, but a result for the host keeps its own layout. */
    uint32_t width = drift_gpu_op_width(b, b->op->src[0], group);
    uint32_t dst_width = drift_gpu_op_width(b, b->dst, group);
    width = dst_width < width ? dst_width : width;
    drift_gpu_begin(b, "rms_norm");
    drift_gpu_gen_set_literal(&b->gen, "WIDTH", (int32_t)width);
    drift_gpu_gen_set_literal(&b->gen, "LOCAL_X", (int32_t)local);
    drift_gpu_gen_set_literal(&b->gen, "PARTIALS", local > 1 ? (int32_t)local : 0);
    drift_gpu_add(b, "src", b->op->src[0]);
    drift_gpu_add(b, "weight", b->op->src[1]);
    drift_gpu_gen_add_float(&b->gen, "eps", b->op->attr.norm.eps);
    drift_gpu_add_dst(b);
    const struct drift_gpu_launch launch = {
        .local = {local,               1,  1                 },
        .grid = { drift_gpu_fixed(dst->n_cols / group), drift_gpu_rows(dst, 1), drift_gpu_fixed(1)},
    };
    return drift_gpu_emit(b, "rms_norm", &launch);
}
