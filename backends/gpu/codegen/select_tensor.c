/* Members of tensors: the coordinate translation as text. */
#include "backends/gpu/codegen/gen_impl.h"

#include <stdio.h>
#include <string.h>

static const char *arg(const struct drift_gpu_call *call, uint32_t i)
{
    return drift_buf_cstr(&call->args[i]);
}

static const char *const element_types[][DRIFT_GPU_MAX_WIDTH + 1] = {
    [DRIFT_DTYPE_F32] = {[1] = "FLT",  [4] = "FLT4", [8] = "FLT8", [16] = "FLT16"},
    [DRIFT_DTYPE_F16] = {[1] = "HALF", [4] = "HALF", [8] = "HALF", [16] = "HALF" },
    [DRIFT_DTYPE_I32] = {[1] = "INT",  [4] = "INT4", [8] = "INT8", [16] = "INT16"},
};

/* Append "offset + " unless the tensor begins at its buffer's first byte. */
static void append_offset(struct drift_gpu_gen *gen, const struct drift_gpu_object *object,
                          uint32_t width, struct drift_buf *out)
{
    const struct drift_gpu_binding *binding = &object->u.tensor.binding;
    if (binding->slot == DRIFT_GPU_SLOT_BUFFER && binding->offset_bytes == 0)
        return;
    uint64_t unit = (uint64_t)drift_dtype_info(object->u.tensor.desc.dtype)->n_bytes * width;
    if (binding->offset_bytes % unit) {
        drift_gpu_gen_fail(gen, DRIFT_STATUS_INVALID, "args.%s: offset %llu is not aligned",
                           object->name, (unsigned long long)binding->offset_bytes);
        return;
    }
    char suffix[16];
    snprintf(suffix, sizeof suffix, "offset%u", width);
    drift_buf_printf(out, "%s + ",
                     drift_gpu_gen_int(gen, object->name, suffix, binding->offset_bytes / unit));
}

static const char *pointer(struct drift_gpu_gen *gen, const struct drift_gpu_object *object,
                           uint32_t width, bool is_written)
{
    return drift_gpu_gen_pointer(gen, object->name,
                                 element_types[object->u.tensor.desc.dtype][width],
                                 &object->u.tensor.binding, is_written);
}

/* The address text may hold members of its own: expand it into out. */
static void expand_into(struct drift_gpu_gen *gen, const struct drift_buf *text,
                        struct drift_buf *out)
{
    drift_gpu_gen_check(gen, text);
    if (!text->failed)
        drift_gpu_expand(gen, drift_buf_cstr(text), text->len, out);
}

/* Where an accessor points: a whole slice, or the first element of one that may reach beyond the
 * channels. */
struct place {
    struct drift_buf index;
    struct drift_buf rest; /* channels from the slice's first to the end; empty for whole slices */
    uint32_t width;        /* of the pointer */
};

static void place_fini(struct place *place)
{
    drift_buf_fini(&place->index);
    drift_buf_fini(&place->rest);
}

static void place_init(struct drift_gpu_gen *gen, const struct drift_gpu_call *call, bool by_slot,
                       const char *const coords[4], struct place *place)
{
    const struct drift_gpu_tensor_desc *desc = &call->object->u.tensor.desc;
    const char *name = call->object->name;
    struct drift_buf address, s;
    drift_buf_init(&address, DRIFT_TAG_BACKEND, DRIFT_GPU_SOURCE_CAP);
    drift_buf_init(&s, DRIFT_TAG_BACKEND, DRIFT_GPU_SOURCE_CAP);
    drift_buf_init(&place->index, DRIFT_TAG_BACKEND, DRIFT_GPU_SOURCE_CAP);
    drift_buf_init(&place->rest, DRIFT_TAG_BACKEND, DRIFT_GPU_SOURCE_CAP);
    bool is_whole = drift_gpu_tensor_desc_is_whole(desc, call->width);
    place->width = is_whole ? call->width : 1;
    drift_buf_append_str(&s, coords[3]);
    if (!is_whole) {
        drift_buf_reset(&s);
        drift_buf_printf(&s, "(%s) * %u", coords[3], call->width);
        struct drift_buf rest;
        drift_buf_init(&rest, DRIFT_TAG_BACKEND, DRIFT_GPU_SOURCE_CAP);
        drift_buf_printf(&rest, "args.%s.Channels() - (%s) * %u", name, coords[3], call->width);
        expand_into(gen, &rest, &place->rest);
        drift_buf_fini(&rest);
    }
    if (by_slot)
        drift_gpu_tensor_desc_slot_address(desc, name, place->width, coords[1], coords[2],
                                           drift_buf_cstr(&s), &address);
    else
        drift_gpu_tensor_desc_address(desc, name, place->width, coords[0], coords[1], coords[2],
                                      drift_buf_cstr(&s), &address);
    append_offset(gen, call->object, place->width, &place->index);
    drift_buf_join_failure(&address, &s);
    expand_into(gen, &address, &place->index);
    drift_buf_fini(&address);
    drift_buf_fini(&s);
}

static void select_read(struct drift_gpu_gen *gen, const struct drift_gpu_call *call,
                        struct drift_buf *out)
{
    const char *coords[4] = {arg(call, 0), arg(call, 1), arg(call, 2), arg(call, 3)};
    struct place place;
    place_init(gen, call, false, coords, &place);
    const char *ptr = pointer(gen, call->object, place.width, false);
    const char *index = drift_buf_cstr(&place.index);
    if (place.rest.len)
        drift_buf_printf(out, "LOAD_TAIL%u(%s, %s, %s)", call->width, ptr, index,
                         drift_buf_cstr(&place.rest));
    else if (call->object->u.tensor.desc.dtype == DRIFT_DTYPE_F16)
        drift_buf_printf(out, "LOAD_HALF%u(%s, %s)", call->width, ptr, index);
    else
        drift_buf_printf(out, "%s[%s]", ptr, index);
    place_fini(&place);
}

/* Apply the snippets linked to this object to value_. */
static void append_links(struct drift_gpu_gen *gen, const struct drift_gpu_call *call,
                         const char *const coords[4], struct drift_buf *out)
{
    char width[8];
    snprintf(width, sizeof width, "%u", call->width);
    for (uint32_t i = 0; i < gen->n_links; ++i) {
        const struct drift_gpu_link *link = &gen->links[i];
        if (strcmp(link->target, call->object->name) != 0)
            continue;
        const struct drift_gpu_param params[] = {
            {"value",   "value_"     },
            {"operand", link->operand},
            {"N",       width        },
            {"b",       coords[0]    },
            {"x",       coords[1]    },
            {"y",       coords[2]    },
            {"s",       coords[3]    },
        };
        drift_gpu_expand_snippet(gen, "links", link->snippet, params, DRIFT_COUNT_OF(params), out);
    }
}

static void append_store(struct drift_gpu_gen *gen, const struct drift_gpu_call *call, bool by_slot,
                         const char *const coords[4], struct drift_buf *out)
{
    struct place place;
    place_init(gen, call, by_slot, coords, &place);
    const char *ptr = pointer(gen, call->object, place.width, true);
    const char *index = drift_buf_cstr(&place.index);
    if (place.rest.len)
        drift_buf_printf(out, "STORE_TAIL%u(%s, %s, %s, value_); }", call->width, ptr, index,
                         drift_buf_cstr(&place.rest));
    else if (call->object->u.tensor.desc.dtype == DRIFT_DTYPE_F16)
        drift_buf_printf(out, "STORE_HALF%u(%s, %s, value_); }", call->width, ptr, index);
    else
        drift_buf_printf(out, "%s[%s] = value_; }", ptr, index);
    place_fini(&place);
}

static void select_write(struct drift_gpu_gen *gen, const struct drift_gpu_call *call,
                         struct drift_buf *out)
{
    const char *coords[4] = {arg(call, 1), arg(call, 2), arg(call, 3), arg(call, 4)};
    drift_buf_printf(out, "{ %s value_ = %s; ", element_types[DRIFT_DTYPE_F32][call->width],
                     arg(call, 0));
    append_links(gen, call, coords, out);
    append_store(gen, call, false, coords, out);
}

static void select_write_slot(struct drift_gpu_gen *gen, const struct drift_gpu_call *call,
                              struct drift_buf *out)
{
    const char *coords[4] = {"0", arg(call, 1), arg(call, 2), arg(call, 3)};
    if (call->object->u.tensor.desc.storage != DRIFT_GPU_STORAGE_PAGED) {
        drift_gpu_gen_fail(gen, DRIFT_STATUS_INVALID, "args.%s is not paged", call->object->name);
        return;
    }
    drift_buf_printf(out, "{ %s value_ = %s; ", element_types[DRIFT_DTYPE_F32][call->width],
                     arg(call, 0));
    append_store(gen, call, true, coords, out);
}

static void select_int(struct drift_gpu_gen *gen, const struct drift_gpu_call *call,
                       struct drift_buf *out)
{
    struct drift_buf offset;
    drift_buf_init(&offset, DRIFT_TAG_BACKEND, 256);
    append_offset(gen, call->object, 1, &offset);
    drift_gpu_gen_check(gen, &offset);
    drift_buf_printf(out, "%s[%s(%s)]", pointer(gen, call->object, 1, false),
                     drift_buf_cstr(&offset), arg(call, 0));
    drift_buf_fini(&offset);
}

static void select_rows(struct drift_gpu_gen *gen, const struct drift_gpu_call *call,
                        struct drift_buf *out)
{
    static const char *const texts[DRIFT_GPU_COUNT_COUNT] = {
        [DRIFT_GPU_COUNT_FIXED] = NULL,
        [DRIFT_GPU_COUNT_TOKENS] = "args.rt.Int(0)",
        [DRIFT_GPU_COUNT_OUTPUTS] = "args.rt.Int(1)",
    };
    const char *text = texts[call->object->u.tensor.count];
    if (text)
        drift_gpu_expand(gen, text, strlen(text), out);
    else
        drift_buf_append_str(
            out, drift_gpu_gen_int(gen, call->object->name, "rows", call->object->u.tensor.desc.w));
}

/* Sizes: the value of each member for a width. */
enum size_member {
    MEMBER_SLICES,
    MEMBER_CHANNELS,
    MEMBER_ROW_STRIDE,
    MEMBER_BATCH_STRIDE,
    MEMBER_OF_W,
    MEMBER_HEIGHT,
    MEMBER_BATCH,
    MEMBER_PAGES,
    MEMBER_COUNT
};

static const struct {
    const char *method;
    const char *suffix;
    bool by_width;
} sizes[MEMBER_COUNT] = {
    [MEMBER_SLICES] = {"Slices",      "slices",       true },
    [MEMBER_CHANNELS] = {"Channels",    "channels",     false},
    [MEMBER_ROW_STRIDE] = {"RowStride",   "row",          true },
    [MEMBER_BATCH_STRIDE] = {"BatchStride", "batch_stride", true },
    [MEMBER_OF_W] = {"Width",       "width",        false},
    [MEMBER_HEIGHT] = {"Height",      "height",       false},
    [MEMBER_BATCH] = {"Batch",       "batch",        false},
    [MEMBER_PAGES] = {"MaxPages",    "max_pages",    false},
};

static uint64_t size_value(const struct drift_gpu_tensor_desc *desc, enum size_member member,
                           uint32_t width)
{
    uint64_t slices = desc->c / width + (desc->c % width != 0);
    switch (member) {
    case MEMBER_SLICES:
        return slices;
    case MEMBER_CHANNELS:
        return desc->c;
    case MEMBER_ROW_STRIDE:
        return slices * desc->h;
    case MEMBER_BATCH_STRIDE:
        return slices * desc->h * desc->w;
    case MEMBER_OF_W:
        return desc->w;
    case MEMBER_HEIGHT:
        return desc->h;
    case MEMBER_BATCH:
        return desc->b;
    case MEMBER_PAGES:
        return desc->max_pages;
    case MEMBER_COUNT:
        break;
    }
    return 0;
}

static bool select_size(struct drift_gpu_gen *gen, const struct drift_gpu_call *call,
                        struct drift_buf *out)
{
    for (enum size_member m = 0; m < MEMBER_COUNT; ++m) {
        if (strcmp(sizes[m].method, call->method) != 0 || call->n_args != 0)
            continue;
        char suffix[DRIFT_GPU_MAX_NAME];
        if (sizes[m].by_width)
            snprintf(suffix, sizeof suffix, "%s%u", sizes[m].suffix, call->width);
        else
            snprintf(suffix, sizeof suffix, "%s", sizes[m].suffix);
        drift_buf_append_str(
            out, drift_gpu_gen_int(gen, call->object->name, suffix,
                                   size_value(&call->object->u.tensor.desc, m, call->width)));
        return true;
    }
    return false;
}

static const struct {
    const char *method;
    uint32_t n_args;
    bool for_ints;
    void (*select)(struct drift_gpu_gen *gen, const struct drift_gpu_call *call,
                   struct drift_buf *out);
} members[] = {
    {"Read",      4, false, select_read      },
    {"Write",     5, false, select_write     },
    {"WriteSlot", 4, false, select_write_slot},
    {"Int",       1, true,  select_int       },
    {"Rows",      0, false, select_rows      },
};

void drift_gpu_select_tensor(struct drift_gpu_gen *gen, const struct drift_gpu_call *call,
                             struct drift_buf *out)
{
    const struct drift_gpu_tensor_desc *desc = &call->object->u.tensor.desc;
    if (desc->layout == DRIFT_GPU_LAYOUT_SLICES && call->width != 4 && call->width != 1 &&
        desc->storage == DRIFT_GPU_STORAGE_BUFFER) {
        drift_gpu_gen_fail(gen, DRIFT_STATUS_INVALID, "args.%s lies in slices of 4, not of %u",
                           call->object->name, call->width);
        return;
    }
    for (size_t i = 0; i < DRIFT_COUNT_OF(members); ++i)
        if (strcmp(members[i].method, call->method) == 0 && members[i].n_args == call->n_args &&
            (!members[i].for_ints || desc->dtype == DRIFT_DTYPE_I32)) {
            members[i].select(gen, call, out);
            return;
        }
    if (!select_size(gen, call, out))
        drift_gpu_gen_fail(gen, DRIFT_STATUS_INVALID, "args.%s has no member %s with %u arguments",
                           call->object->name, call->method, call->n_args);
}
