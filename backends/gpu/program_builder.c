#include "backends/gpu/program_builder.h"

#include "backends/gpu/builder_impl.h"
#include "runtime/base/alloc.h"

#include <stdio.h>
#include <string.h>

static const struct {
    drift_gpu_op_fn build;
    bool takes_links; /* its kernel writes through Write at the row and slice of the result */
} ops[DRIFT_OP_COUNT] = {
    [DRIFT_OP_EMBED] = {drift_gpu_op_embed,       true },
    [DRIFT_OP_RMS_NORM] = {drift_gpu_op_rms_norm,    true },
    [DRIFT_OP_MATMUL] = {drift_gpu_op_matmul,      true },
    [DRIFT_OP_ROPE] = {drift_gpu_op_rope,        false},
    [DRIFT_OP_CACHE_WRITE] = {drift_gpu_op_cache_write, false},
    [DRIFT_OP_ATTENTION] = {drift_gpu_op_attention,   false},
    [DRIFT_OP_ADD] = {drift_gpu_op_elementwise, true },
    [DRIFT_OP_MUL] = {drift_gpu_op_elementwise, true },
    [DRIFT_OP_GLU] = {drift_gpu_op_elementwise, true },
    [DRIFT_OP_ACTIVATE] = {drift_gpu_op_elementwise, true },
    [DRIFT_OP_SCALE] = {drift_gpu_op_elementwise, true },
    [DRIFT_OP_SOFTCAP] = {drift_gpu_op_elementwise, true },
    [DRIFT_OP_GATHER_ROWS] = {drift_gpu_op_gather_rows, true },
};

void drift_gpu_inputs_layout(const struct drift_plan *plan, struct drift_gpu_inputs *ret_inputs)
{
    const uint64_t n[DRIFT_INPUT_COUNT] = {
        [DRIFT_INPUT_TOKENS] = plan->max_tokens,
        [DRIFT_INPUT_POSITIONS] = plan->max_tokens,
        [DRIFT_INPUT_SEQUENCES] = plan->max_tokens,
        [DRIFT_INPUT_SLOTS] = plan->max_tokens,
        [DRIFT_INPUT_OUTPUT_ROWS] = plan->max_outputs,
        [DRIFT_INPUT_PAGE_TABLE] = (uint64_t)plan->max_sequences * plan->max_pages,
    };
    uint64_t at = DRIFT_GPU_RT_BYTES;
    for (enum drift_input i = 0; i <= DRIFT_INPUT_COUNT; ++i) {
        /* The page table goes behind the others: only the used rows of it are copied. */
        enum drift_input input = i == DRIFT_INPUT_COUNT ? DRIFT_INPUT_PAGE_TABLE : i;
        if (i == DRIFT_INPUT_PAGE_TABLE)
            continue;
        ret_inputs->offsets[input] = at;
        at += (n[input] * sizeof(int32_t) + DRIFT_GPU_INPUT_ALIGN - 1) / DRIFT_GPU_INPUT_ALIGN *
              DRIFT_GPU_INPUT_ALIGN;
    }
    ret_inputs->bytes = at;
}

const struct drift_tensor *drift_gpu_tensor(const struct drift_gpu_builder *b, uint32_t index)
{
    return &b->plan->tensors[index];
}

enum drift_status drift_gpu_op_unsupported(struct drift_gpu_builder *b, const char *what)
{
    return drift_error_set(b->err, DRIFT_STATUS_UNSUPPORTED, 0, "%s", what);
}

/* Outputs are copied to the host as they lie, so they and what is element-wise with them are rows.
 */
static enum drift_gpu_layout value_layout(const struct drift_gpu_builder *b,
                                          const struct drift_tensor *tensor)
{
    bool may_slice = tensor->rows == DRIFT_ROWS_TOKENS && tensor->role == DRIFT_TENSOR_ACTIVATION &&
                     tensor->n_cols % 4 == 0;
    return may_slice ? b->device->profile->layout : DRIFT_GPU_LAYOUT_ROWS;
}

enum drift_gpu_count drift_gpu_row_count(const struct drift_tensor *tensor)
{
    static const enum drift_gpu_count counts[DRIFT_ROWS_COUNT] = {
        [DRIFT_ROWS_FIXED] = DRIFT_GPU_COUNT_FIXED,
        [DRIFT_ROWS_TOKENS] = DRIFT_GPU_COUNT_TOKENS,
        [DRIFT_ROWS_OUTPUTS] = DRIFT_GPU_COUNT_OUTPUTS,
    };
    return counts[tensor->rows];
}

struct drift_gpu_grid_axis drift_gpu_fixed(uint32_t n_groups)
{
    return (struct drift_gpu_grid_axis){DRIFT_GPU_COUNT_FIXED, n_groups, 1};
}

struct drift_gpu_grid_axis drift_gpu_rows(const struct drift_tensor *tensor, uint32_t per_group)
{
    return (struct drift_gpu_grid_axis){drift_gpu_row_count(tensor),
                                        (tensor->n_rows + per_group - 1) / per_group, per_group};
}

uint32_t drift_gpu_op_width(const struct drift_gpu_builder *b, uint32_t tensor, uint32_t n_channels)
{
    bool is_sliced = value_layout(b, drift_gpu_tensor(b, tensor)) == DRIFT_GPU_LAYOUT_SLICES;
    return drift_gpu_width(n_channels, is_sliced ? 4 : b->device->profile->width);
}

void drift_gpu_begin(struct drift_gpu_builder *b, const char *template_name)
{
    drift_gpu_gen_init(&b->gen, b->device->gpu->api->language, template_name);
    drift_gpu_gen_add_rt(&b->gen);
}

/* K or V of a layer: tokens of all pages on W, heads on H. */
static void add_cache(struct drift_gpu_builder *b, const char *name,
                      const struct drift_tensor *tensor)
{
    const struct drift_gpu_cache *cache = (const struct drift_gpu_cache *)tensor->u.kv.cache;
    const struct drift_cache_desc *cd = &cache->base.desc;
    struct drift_gpu_tensor_desc desc = {
        .storage = DRIFT_GPU_STORAGE_PAGED,
        .dtype = cd->dtype,
        .b = 1,
        .h = cd->n_kv_heads,
        .w = cd->n_pages * cd->page_tokens,
        .d = 1,
        .c = cd->head_dim,
        .page_tokens = cd->page_tokens,
        .max_pages = b->plan->max_pages,
    };
    struct drift_gpu_binding binding = {
        .buffer = cache->buffers[tensor->u.kv.layer * 2 + (tensor->u.kv.is_v ? 1 : 0)]};
    drift_gpu_gen_add_tensor(&b->gen, name, &desc, &binding, DRIFT_GPU_COUNT_FIXED);
}

void drift_gpu_add(struct drift_gpu_builder *b, const char *name, uint32_t index)
{
    const struct drift_tensor *tensor = drift_gpu_tensor(b, index);
    struct drift_gpu_tensor_desc desc = {
        .storage = DRIFT_GPU_STORAGE_BUFFER,
        .layout = DRIFT_GPU_LAYOUT_ROWS,
        .dtype = tensor->dtype,
        .b = 1,
        .h = 1,
        .w = tensor->n_rows,
        .d = 1,
        .c = tensor->n_cols,
    };
    struct drift_gpu_binding binding = {.slot = DRIFT_GPU_SLOT_ARENA};
    switch (tensor->role) {
    case DRIFT_TENSOR_CACHE:
        add_cache(b, name, tensor);
        return;
    case DRIFT_TENSOR_WEIGHT:
        binding.slot = DRIFT_GPU_SLOT_BUFFER;
        binding.buffer = ((const struct drift_gpu_weight *)tensor->u.weight)->vector;
        break;
    case DRIFT_TENSOR_INPUT:
        binding.slot = DRIFT_GPU_SLOT_INPUTS;
        binding.offset_bytes = b->inputs.offsets[tensor->u.input];
        break;
    default:
        desc.layout = value_layout(b, tensor);
        binding.offset_bytes = tensor->u.arena_offset;
        break;
    }
    drift_gpu_gen_add_tensor(&b->gen, name, &desc, &binding, drift_gpu_row_count(tensor));
}

void drift_gpu_add_matrix(struct drift_gpu_builder *b, const char *name, uint32_t index)
{
    const struct drift_gpu_weight *weight =
        (const struct drift_gpu_weight *)drift_gpu_tensor(b, index)->u.weight;
    struct drift_gpu_binding planes[DRIFT_GPU_PLANE_COUNT] = {0};
    for (enum drift_gpu_plane p = 0; p < DRIFT_GPU_PLANE_COUNT; ++p)
        planes[p].buffer = weight->planes[p];
    drift_gpu_gen_add_weight(&b->gen, name, &weight->desc, planes);
}

void drift_gpu_add_dst(struct drift_gpu_builder *b)
{
    drift_gpu_add(b, "dst", b->dst);
    for (uint32_t i = 0; i < b->n_links; ++i) {
        const struct drift_gpu_linked_op *link = &b->links[i];
        char name[DRIFT_GPU_MAX_NAME];
        snprintf(name, sizeof name, "link%u", i);
        if (link->has_factor)
            drift_gpu_gen_add_float(&b->gen, name, link->factor);
        else if (link->operand != DRIFT_TENSOR_NONE)
            drift_gpu_add(b, name, link->operand);
        drift_gpu_gen_link(&b->gen, "dst", link->snippet, name);
    }
}

static enum drift_status grow(struct drift_gpu_builder *b)
{
    if (b->out->n < b->capacity)
        return DRIFT_STATUS_OK;
    uint32_t capacity = b->capacity ? 2 * b->capacity : 64;
    void *items = drift_realloc(DRIFT_TAG_BACKEND, b->out->items, capacity, sizeof *b->out->items);
    if (items)
        b->out->items = items;
    void *kernels =
        drift_realloc(DRIFT_TAG_BACKEND, b->out->kernels, capacity, sizeof *b->out->kernels);
    if (kernels)
        b->out->kernels = kernels;
    if (!items || !kernels)
        return drift_error_set(b->err, DRIFT_STATUS_NO_MEMORY, 0, "no memory for a program");
    b->capacity = capacity;
    return DRIFT_STATUS_OK;
}

static enum drift_status append(struct drift_gpu_builder *b, const char *template_name,
                                struct drift_gpu_kernel_source *source,
                                const struct drift_gpu_launch *launch)
{
    struct drift_gpu_cached_kernel *kernel;
    enum drift_status status = grow(b);
    if (status != DRIFT_STATUS_OK)
        return status;
    struct drift_gpu_arg *args =
        drift_alloc(DRIFT_TAG_BACKEND, source->n_args, sizeof *source->args);
    if (!args)
        return drift_error_set(b->err, DRIFT_STATUS_NO_MEMORY, 0, "no memory for a program");
    memcpy(args, source->args, source->n_args * sizeof *args);
    status = drift_gpu_kernel_acquire(b->device, template_name, source, &kernel, b->err);
    if (status != DRIFT_STATUS_OK) {
        drift_free(args);
        return status;
    }
    b->out->kernels[b->out->n] = kernel;
    struct drift_gpu_dispatch *item = &b->out->items[b->out->n++];
    *item = (struct drift_gpu_dispatch){
        .name = template_name,
        .kernel = kernel->kernel,
        .args = args,
        .n_args = source->n_args,
        .when = launch->when,
        .min = launch->min,
        .max = launch->max,
    };
    memcpy(item->local, launch->local, sizeof item->local);
    memcpy(item->grid, launch->grid, sizeof item->grid);
    b->out->n_in_batch += !launch->is_variant;
    return DRIFT_STATUS_OK;
}

enum drift_status drift_gpu_emit(struct drift_gpu_builder *b, const char *template_name,
                                 const struct drift_gpu_launch *launch)
{
    struct drift_gpu_kernel_source source;
    enum drift_status status = drift_gpu_gen_finish(&b->gen, launch->local, &source, b->err);
    if (status == DRIFT_STATUS_OK) {
        status = append(b, template_name, &source, launch);
        drift_gpu_kernel_source_fini(&source);
    }
    drift_gpu_gen_fini(&b->gen);
    return status;
}

enum drift_status drift_gpu_emit_slices(struct drift_gpu_builder *b, const char *template_name,
                                        uint32_t n_slices, const struct drift_tensor *rows)
{
    uint32_t local = b->device->profile->element_local;
    const struct drift_gpu_launch launch = {
        .local = {local,                1,  1},
        .grid = { drift_gpu_fixed((n_slices + local - 1) / local), drift_gpu_rows(rows, 1),
                  drift_gpu_fixed(1)},
    };
    return drift_gpu_emit(b, template_name, &launch);
}

static bool overlap(const struct drift_tensor *a, const struct drift_tensor *c)
{
    uint64_t a_bytes = (uint64_t)a->n_rows * a->n_cols * sizeof(float);
    uint64_t c_bytes = (uint64_t)c->n_rows * c->n_cols * sizeof(float);
    return a->u.arena_offset < c->u.arena_offset + c_bytes &&
           c->u.arena_offset < a->u.arena_offset + a_bytes;
}

static bool is_value(const struct drift_tensor *tensor)
{
    return tensor->role == DRIFT_TENSOR_ACTIVATION || tensor->role == DRIFT_TENSOR_OUTPUT;
}

/* May the kernel write dst while it reads src? Element-wise reading allows the very same place. */
static bool is_clear(const struct drift_gpu_builder *b, uint32_t src, uint32_t dst,
                     bool is_elementwise)
{
    if (src == DRIFT_TENSOR_NONE)
        return true;
    const struct drift_tensor *s = drift_gpu_tensor(b, src), *d = drift_gpu_tensor(b, dst);
    if (!is_value(s) || !overlap(s, d))
        return true;
    return is_elementwise && s->u.arena_offset == d->u.arena_offset && s->n_cols == d->n_cols &&
           s->rows == d->rows && value_layout(b, s) == value_layout(b, d);
}

/* How often ops read or write a tensor. */
static uint32_t count_uses(const struct drift_plan *plan, uint32_t tensor, bool writes)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < plan->n_ops; ++i) {
        const uint32_t *list = writes ? plan->ops[i].dst : plan->ops[i].src;
        for (uint32_t k = 0; k < (writes ? DRIFT_OP_MAX_DST : DRIFT_OP_MAX_SRC); ++k)
            n += list[k] == tensor;
    }
    return n;
}

/* Can `next` be linked behind what writes b->dst now? */
static bool try_link(struct drift_gpu_builder *b, const struct drift_op *next)
{
    struct drift_gpu_linked_op link;
    const struct drift_tensor *value = drift_gpu_tensor(b, b->dst);
    const char *snippet = drift_gpu_op_snippet(b, next, b->dst, &link);
    if (!snippet || b->n_links == DRIFT_GPU_MAX_LINKS || value->role != DRIFT_TENSOR_ACTIVATION ||
        count_uses(b->plan, b->dst, false) != 1 || count_uses(b->plan, b->dst, true) != 1)
        return false;
    uint32_t dst = next->dst[0];
    if (value_layout(b, drift_gpu_tensor(b, dst)) != value_layout(b, value) ||
        !is_clear(b, link.operand, dst, true))
        return false;
    for (uint32_t i = 0; i < b->n_links; ++i)
        if (!b->links[i].is_vector && !is_clear(b, b->links[i].operand, dst, true))
            return false;
    bool is_elementwise = ops[b->op->kind].build == drift_gpu_op_elementwise;
    for (uint32_t k = 0; k < DRIFT_OP_MAX_SRC; ++k)
        if (!is_clear(b, b->op->src[k], dst, is_elementwise))
            return false;
    b->links[b->n_links++] = link;
    b->dst = dst;
    return true;
}

static enum drift_status build_ops(struct drift_gpu_builder *b)
{
    const struct drift_plan *plan = b->plan;
    for (uint32_t i = 0; i < plan->n_ops; ++i) {
        b->op = &plan->ops[i];
        b->dst = b->op->dst[0];
        b->n_links = 0;
        if (b->op->kind == DRIFT_OP_MATMUL && b->op->src[2] != DRIFT_TENSOR_NONE)
            b->links[b->n_links++] = (struct drift_gpu_linked_op){
                .snippet = "bias", .operand = b->op->src[2], .is_vector = true};
        uint32_t i_op = i;
        while (ops[b->op->kind].takes_links && i + 1 < plan->n_ops &&
               try_link(b, &plan->ops[i + 1]))
            ++i;
        enum drift_status status = ops[b->op->kind].build(b);
        if (status != DRIFT_STATUS_OK) {
            const char *name = b->dst != DRIFT_TENSOR_NONE ? drift_gpu_tensor(b, b->dst)->name : "";
            drift_error_prefix(b->err, "op %u (%s) %s", i_op, drift_op_name(b->op->kind),
                               name ? name : "");
            return status;
        }
    }
    return DRIFT_STATUS_OK;
}

enum drift_status drift_gpu_build(struct drift_gpu_device *device, const struct drift_plan *plan,
                                  struct drift_gpu_dispatches *ret_dispatches,
                                  struct drift_error *err)
{
    struct drift_gpu_builder *b = drift_alloc(DRIFT_TAG_BACKEND, 1, sizeof *b);
    if (!b)
        return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "no memory for a program");
    struct drift_error local;
    memset(ret_dispatches, 0, sizeof *ret_dispatches);
    b->device = device;
    b->plan = plan;
    b->out = ret_dispatches;
    b->err = err ? err : &local;
    drift_gpu_inputs_layout(plan, &b->inputs);
    enum drift_status status = build_ops(b);
    if (status != DRIFT_STATUS_OK) {
        for (uint32_t i = 0; i < ret_dispatches->n; ++i)
            drift_gpu_kernel_release(device, ret_dispatches->kernels[i]);
        drift_free(ret_dispatches->kernels);
        ret_dispatches->kernels = NULL;
        drift_gpu_dispatches_fini(ret_dispatches);
    }
    drift_free(b);
    return status;
}

void drift_gpu_dispatches_fini(struct drift_gpu_dispatches *dispatches)
{
    for (uint32_t i = 0; i < dispatches->n; ++i)
        drift_free((void *)dispatches->items[i].args);
    drift_free(dispatches->items);
    dispatches->items = NULL;
    dispatches->n = 0;
}
