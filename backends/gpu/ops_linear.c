/* EMBED and MATMUL: the ops over weights. */
#include "backends/gpu/builder_impl.h"

enum drift_status drift_gpu_op_embed(struct drift_gpu_builder *b)
{
    const struct drift_tensor *dst = drift_gpu_tensor(b, b->dst);
    drift_gpu_begin(b, "embed");
    drift_gpu_gen_set_literal(&b->gen, "LANES", 1);
    drift_gpu_add_matrix(b, "w", b->op->src[0]);
    drift_gpu_add(b, "tokens", b->op->src[1]);
    drift_gpu_gen_add_float(&b->gen, "factor", b->op->attr.scale.factor);
    drift_gpu_add_dst(b);
    return drift_gpu_emit_slices(b, "embed", (dst->n_cols + 7) / 8, dst);
}

/* Largest power of two that is at most n and at most max. */
static uint32_t power_of_two(uint32_t n, uint32_t max)
{
    uint32_t p = 1;
    while (2 * p <= n && 2 * p <= max)
        p *= 2;
    return p;
}

static enum drift_status emit_matmul(struct drift_gpu_builder *b,
                                     const struct drift_gpu_matmul_variant *variant,
                                     struct drift_gpu_launch *launch)
{
    const struct drift_tensor *src = drift_gpu_tensor(b, b->op->src[0]);
    const struct drift_tensor *dst = drift_gpu_tensor(b, b->dst);
    const char *template_name =
        variant->kind == DRIFT_GPU_MATMUL_TILED ? "matmul_tiled" : "matmul_lanes";
    struct drift_gpu_weight_desc weight = {drift_gpu_tensor(b, b->op->src[1])->dtype, dst->n_cols,
                                           src->n_cols};
    uint32_t n_groups = drift_gpu_weight_groups(&weight);
    uint32_t n_items = (n_groups + variant->row_groups - 1) / variant->row_groups *
                       (DRIFT_GPU_WEIGHT_LANES / variant->lanes);
    uint32_t local_y, partials = 0;
    drift_gpu_begin(b, template_name);
    drift_gpu_gen_set_literal(&b->gen, "LANES", (int32_t)variant->lanes);
    drift_gpu_gen_set_literal(&b->gen, "K_TAIL", src->n_cols % DRIFT_GPU_WEIGHT_BLOCK != 0);
    if (variant->kind == DRIFT_GPU_MATMUL_LANES) {
        local_y = power_of_two(drift_gpu_weight_blocks(&weight), variant->ksplit);
        partials =
            local_y > 1 ? variant->local_x * local_y * variant->tokens * variant->row_groups : 0;
        drift_gpu_gen_set_literal(&b->gen, "ROW_GROUPS", (int32_t)variant->row_groups);
        drift_gpu_gen_set_literal(&b->gen, "TOKENS", (int32_t)variant->tokens);
        drift_gpu_gen_set_literal(&b->gen, "KSPLIT", (int32_t)local_y);
        drift_gpu_gen_set_literal(&b->gen, "PARTIALS", (int32_t)partials);
        drift_gpu_gen_set_literal(
            &b->gen, "WRITE_WIDTH",
            variant->lanes == 16 && drift_gpu_op_width(b, b->dst, dst->n_cols) == 16 ? 16 : 4);
    } else {
        local_y = 4; /* matmul_tiled.k: 64 rows for 16 x 4 items */
    }
    drift_gpu_add(b, "src", b->op->src[0]);
    drift_gpu_add_matrix(b, "w", b->op->src[1]);
    drift_gpu_add_dst(b);
    launch->local[0] = variant->local_x;
    launch->local[1] = local_y;
    launch->local[2] = 1;
    launch->grid[0] = drift_gpu_fixed((n_items + variant->local_x - 1) / variant->local_x);
    launch->grid[1] = drift_gpu_fixed(1);
    launch->grid[2] = drift_gpu_rows(dst, variant->tokens);
    return drift_gpu_emit(b, template_name, launch);
}

enum drift_status drift_gpu_op_matmul(struct drift_gpu_builder *b)
{
    const struct drift_gpu_matmul_variant *variants = b->device->profile->matmul[b->plan->stage];
    const struct drift_tensor *dst = drift_gpu_tensor(b, b->dst);
    struct drift_gpu_launch launch = {.when = drift_gpu_row_count(dst), .min = 1};
    for (uint32_t i = 0; i < DRIFT_GPU_MAX_VARIANTS && variants[i].kind != DRIFT_GPU_MATMUL_NONE;
         ++i) {
        launch.max = variants[i].max_rows ? variants[i].max_rows : UINT32_MAX;
        bool is_possible = launch.when == DRIFT_GPU_COUNT_FIXED
                               ? dst->n_rows >= launch.min && dst->n_rows <= launch.max
                               : dst->n_rows >= launch.min;
        if (is_possible) {
            enum drift_status status = emit_matmul(b, &variants[i], &launch);
            if (status != DRIFT_STATUS_OK)
                return status;
            launch.is_variant = true;
        }
        if (launch.max == UINT32_MAX)
            break;
        launch.min = launch.max + 1;
    }
    return DRIFT_STATUS_OK;
}
