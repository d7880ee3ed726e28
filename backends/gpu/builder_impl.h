/* Between program_builder.c and the op functions. */
#ifndef DRIFT_BACKENDS_GPU_BUILDER_IMPL_H
#define DRIFT_BACKENDS_GPU_BUILDER_IMPL_H

#include "backends/gpu/program_builder.h"

/* An element-wise op applied to the value of a producer's Write. */
struct drift_gpu_linked_op {
    const char *snippet;
    uint32_t operand; /* tensor read at the same coordinates, or DRIFT_TENSOR_NONE */
    bool is_vector;   /* operand is a vector over the columns (a bias) */
    bool has_factor;
    float factor; /* SCALE, SOFTCAP */
};

struct drift_gpu_builder {
    struct drift_gpu_device *device;
    const struct drift_plan *plan;
    struct drift_gpu_inputs inputs;
    struct drift_gpu_dispatches *out;
    uint32_t capacity;
    const struct drift_op *op; /* being built */
    uint32_t dst; /* what its kernel writes: its result, or that of the last op linked to it */
    struct drift_gpu_linked_op links[DRIFT_GPU_MAX_LINKS];
    uint32_t n_links;
    struct drift_gpu_gen gen;
    struct drift_error *err;
};

/* Shape of a dispatch besides its arguments. */
struct drift_gpu_launch {
    uint32_t local[3];
    struct drift_gpu_grid_axis grid[3];
    enum drift_gpu_count when;
    uint32_t min, max;
    bool is_variant; /* another dispatch of this op has been counted already */
};

typedef enum drift_status (*drift_gpu_op_fn)(struct drift_gpu_builder *b);

/* The snippet that op is when something writes `value`, one of its sources. NULL: not element-wise.
 */
const char *drift_gpu_op_snippet(const struct drift_gpu_builder *b, const struct drift_op *op,
                                 uint32_t value, struct drift_gpu_linked_op *ret_link);

const struct drift_tensor *drift_gpu_tensor(const struct drift_gpu_builder *b, uint32_t index);
/* Start the op's generator from a template, with the run-time parameters. */
void drift_gpu_begin(struct drift_gpu_builder *b, const char *template_name);
/* Bind a tensor of the plan (activation, output, input, vector weight, cache) under a name. */
void drift_gpu_add(struct drift_gpu_builder *b, const char *name, uint32_t tensor);
void drift_gpu_add_matrix(struct drift_gpu_builder *b, const char *name, uint32_t tensor);
/* Bind "dst" and link what was found for it. */
void drift_gpu_add_dst(struct drift_gpu_builder *b);
/* Widest slice for n_channels, given the profile and that `tensor` is read with it. */
uint32_t drift_gpu_op_width(const struct drift_gpu_builder *b, uint32_t tensor,
                            uint32_t n_channels);
enum drift_gpu_count drift_gpu_row_count(const struct drift_tensor *tensor);
struct drift_gpu_grid_axis drift_gpu_fixed(uint32_t n_groups);
/* One group per `per_group` rows of the tensor. */
struct drift_gpu_grid_axis drift_gpu_rows(const struct drift_tensor *tensor, uint32_t per_group);
/* Expand, compile or share, append. Ends the generator whatever happens. */
enum drift_status drift_gpu_emit(struct drift_gpu_builder *b, const char *template_name,
                                 const struct drift_gpu_launch *launch) DRIFT_MUST_USE;
/* An item per slice of `width` along axis 0 (of n_slices), a group per row of dst along axis 1. */
enum drift_status drift_gpu_emit_slices(struct drift_gpu_builder *b, const char *template_name,
                                        uint32_t n_slices,
                                        const struct drift_tensor *rows) DRIFT_MUST_USE;
enum drift_status drift_gpu_op_unsupported(struct drift_gpu_builder *b, const char *what);

enum drift_status drift_gpu_op_embed(struct drift_gpu_builder *b);
enum drift_status drift_gpu_op_rms_norm(struct drift_gpu_builder *b);
enum drift_status drift_gpu_op_matmul(struct drift_gpu_builder *b);
enum drift_status drift_gpu_op_rope(struct drift_gpu_builder *b);
enum drift_status drift_gpu_op_cache_write(struct drift_gpu_builder *b);
enum drift_status drift_gpu_op_attention(struct drift_gpu_builder *b);
enum drift_status drift_gpu_op_elementwise(struct drift_gpu_builder *b);
enum drift_status drift_gpu_op_gather_rows(struct drift_gpu_builder *b);

#endif
