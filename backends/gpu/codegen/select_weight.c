/* Members of weights: their formats' snippets of kernels/weights.k. The constant LANES is the rows
 * of a work-item. */
#include "backends/gpu/codegen/gen_impl.h"

#include <stdio.h>
#include <string.h>

static const char *const word_types[DRIFT_GPU_MAX_WIDTH + 1] = {
    [1] = "UINT", [4] = "UINT4", [8] = "UINT8", [16] = "UINT16"};

static void select_plane(struct drift_gpu_gen *gen, const struct drift_gpu_call *call,
                         enum drift_gpu_plane plane, uint32_t bits, struct drift_buf *out)
{
    static const char *const suffixes[DRIFT_GPU_PLANE_COUNT] = {"quants", "scales", "supers"};
    int32_t lanes = 0;
    if (!drift_gpu_gen_constant(gen, "LANES", 5, &lanes) ||
        (lanes != 1 && lanes != 4 && lanes != 16)) {
        drift_gpu_gen_fail(gen, DRIFT_STATUS_INVALID, "LANES is not 1, 4 or 16");
        return;
    }
    /* A 16-bit plane has 8 words for 16 lanes. */
    uint32_t width = bits == 16 && lanes == 16 ? 8 : (uint32_t)lanes;
    char name[DRIFT_GPU_MAX_NAME];
    snprintf(name, sizeof name, "%.20s_%s", call->object->name, suffixes[plane]);
    drift_buf_append_str(out, drift_gpu_gen_pointer(gen, name, word_types[width],
                                                    &call->object->u.weight.planes[plane], false));
}

static void select_snippet(struct drift_gpu_gen *gen, const struct drift_gpu_call *call,
                           const char *prefix, const char *suffix, struct drift_buf *out)
{
    static const char *const names[2][7] = {
        {"sc",     "sc_at", "block", "lane"},
        { "v", "v_at", "sc", "sc_at", "block", "chunk", "lane"}
    };
    char name[64];
    snprintf(name, sizeof name, "%s.%s", prefix, suffix);
    struct drift_gpu_param params[8] = {
        {"w", call->object->name}
    };
    for (uint32_t i = 0; i < call->n_args; ++i)
        params[i + 1] =
            (struct drift_gpu_param){names[call->n_args == 7][i], drift_buf_cstr(&call->args[i])};
    drift_gpu_expand_snippet(gen, "weights", name, params, call->n_args + 1, out);
}

void drift_gpu_select_weight(struct drift_gpu_gen *gen, const struct drift_gpu_call *call,
                             struct drift_buf *out)
{
    const struct drift_gpu_weight_desc *desc = &call->object->u.weight.desc;
    const struct drift_gpu_weight_format *format = drift_gpu_weight_format(desc->dtype);
    const char *method = call->method;
    if (strcmp(method, "Scales") == 0 && call->n_args == 4)
        select_snippet(gen, call, format->name, "scales", out);
    else if (strcmp(method, "Load8") == 0 && call->n_args == 7)
        select_snippet(gen, call, format->load, "load8", out);
    else if (strcmp(method, "QuantPlane") == 0)
        select_plane(gen, call, DRIFT_GPU_PLANE_QUANTS, 32, out);
    else if (strcmp(method, "ScalePlane") == 0)
        select_plane(gen, call, DRIFT_GPU_PLANE_SCALES, format->scale_bits, out);
    else if (strcmp(method, "SuperPlane") == 0)
        select_plane(gen, call, DRIFT_GPU_PLANE_SUPERS, format->super_bits, out);
    else if (strcmp(method, "Blocks") == 0)
        drift_buf_append_str(out, drift_gpu_gen_int(gen, call->object->name, "blocks",
                                                    drift_gpu_weight_blocks(desc)));
    else if (strcmp(method, "Groups") == 0)
        drift_buf_append_str(out, drift_gpu_gen_int(gen, call->object->name, "groups",
                                                    drift_gpu_weight_groups(desc)));
    else
        drift_gpu_gen_fail(gen, DRIFT_STATUS_INVALID, "args.%s has no member %s with %u arguments",
                           call->object->name, method, call->n_args);
}
