#include "backends/gpu/codegen/tensor_desc.h"

#include "runtime/base/checked.h"

static const struct {
    const char *name;
    bool is_implemented;
} storages[DRIFT_GPU_STORAGE_COUNT] = {
#define X(id, storage_name, implemented) [DRIFT_GPU_STORAGE_##id] = {storage_name, implemented},
    DRIFT_GPU_STORAGE_MAP(X)
#undef X
};

const char *drift_gpu_storage_name(enum drift_gpu_storage storage)
{
    return storage < DRIFT_GPU_STORAGE_COUNT ? storages[storage].name : "?";
}

enum drift_status drift_gpu_tensor_desc_check(const struct drift_gpu_tensor_desc *desc,
                                              const char *name, struct drift_error *err)
{
    if (desc->storage >= DRIFT_GPU_STORAGE_COUNT || !storages[desc->storage].is_implemented)
        return drift_error_set(err, DRIFT_STATUS_UNSUPPORTED, 0,
                               "tensor %s: storage '%s' has no translation", name,
                               drift_gpu_storage_name(desc->storage));
    if (!desc->b || !desc->h || !desc->w || !desc->d || !desc->c)
        return drift_error_set(err, DRIFT_STATUS_INVALID, 0, "tensor %s: an axis of size 0", name);
    if (desc->d > 1)
        return drift_error_set(err, DRIFT_STATUS_UNSUPPORTED, 0,
                               "tensor %s: a depth axis has no translation", name);
    bool is_f16 = desc->dtype == DRIFT_DTYPE_F16;
    if (desc->dtype != DRIFT_DTYPE_F32 && desc->dtype != DRIFT_DTYPE_I32 &&
        !(is_f16 && desc->storage == DRIFT_GPU_STORAGE_PAGED))
        return drift_error_set(
            err, DRIFT_STATUS_UNSUPPORTED, 0, "tensor %s: kernels do not read %s from a %s", name,
            drift_dtype_info(desc->dtype)->name, drift_gpu_storage_name(desc->storage));
    uint64_t n = desc->c;
    if (!drift_mul_u64(n, desc->w, &n) || !drift_mul_u64(n, desc->h, &n) ||
        !drift_mul_u64(n, desc->b, &n) || n > INT32_MAX)
        return drift_error_set(err, DRIFT_STATUS_LIMIT, 0,
                               "tensor %s: more than 2^31 elements in one buffer", name);
    return DRIFT_STATUS_OK;
}

bool drift_gpu_tensor_desc_is_whole(const struct drift_gpu_tensor_desc *desc, uint32_t width)
{
    return desc->c % width == 0;
}

uint32_t drift_gpu_width(uint32_t n_channels, uint32_t max_width)
{
    static const uint32_t widths[] = {16, 4, 1};
    for (size_t i = 0; i < DRIFT_COUNT_OF(widths); ++i)
        if (widths[i] <= max_width && n_channels % widths[i] == 0)
            return widths[i];
    return 1;
}

static void rows_address(const struct drift_gpu_tensor_desc *desc, const char *name, uint32_t width,
                         const char *b, const char *x, const char *y, const char *s,
                         struct drift_buf *out)
{
    if (desc->b > 1)
        drift_buf_printf(out, "(%s) * args.%s.BatchStride<%u>() + ", b, name, width);
    if (desc->w > 1)
        drift_buf_printf(out, "(%s) * args.%s.RowStride<%u>() + ", x, name, width);
    if (desc->h > 1)
        drift_buf_printf(out, "(%s) * args.%s.Slices<%u>() + ", y, name, width);
    drift_buf_printf(out, "(%s)", s);
}

static void slices_address(const struct drift_gpu_tensor_desc *desc, const char *name,
                           const char *b, const char *x, const char *y, const char *s,
                           struct drift_buf *out)
{
    if (desc->b > 1)
        drift_buf_append_str(out, "(");
    if (desc->h > 1)
        drift_buf_printf(out, "((%s) * args.%s.Height() + (%s))", s, name, y);
    else
        drift_buf_printf(out, "(%s)", s);
    if (desc->w > 1)
        drift_buf_printf(out, " * args.%s.Width() + (%s)", name, x);
    if (desc->b > 1)
        drift_buf_printf(out, ") * args.%s.Batch() + (%s)", name, b);
}

static void page_address(const struct drift_gpu_tensor_desc *desc, const char *name, uint32_t width,
                         const char *page, const char *row, const char *y, const char *s,
                         struct drift_buf *out)
{
    if (desc->h > 1)
        drift_buf_printf(out, "(((%s) * args.%s.Height() + (%s)) * PAGE_TOKENS + %s)", page, name,
                         y, row);
    else
        drift_buf_printf(out, "((%s) * PAGE_TOKENS + %s)", page, row);
    drift_buf_printf(out, " * args.%s.Slices<%u>() + (%s)", name, width, s);
}

void drift_gpu_tensor_desc_address(const struct drift_gpu_tensor_desc *desc, const char *name,
                                   uint32_t width, const char *b, const char *x, const char *y,
                                   const char *s, struct drift_buf *out)
{
    if (desc->storage == DRIFT_GPU_STORAGE_PAGED) {
        struct drift_buf page, row;
        drift_buf_init(&page, DRIFT_TAG_BACKEND, out->cap_bytes);
        drift_buf_init(&row, DRIFT_TAG_BACKEND, out->cap_bytes);
        drift_buf_printf(&page,
                         "args.page_table.Int((%s) * args.%s.MaxPages() + (%s) / PAGE_TOKENS)", b,
                         name, x);
        drift_buf_printf(&row, "(%s) %% PAGE_TOKENS", x);
        page_address(desc, name, width, drift_buf_cstr(&page), drift_buf_cstr(&row), y, s, out);
        drift_buf_join_failure(out, &page);
        drift_buf_join_failure(out, &row);
        drift_buf_fini(&page);
        drift_buf_fini(&row);
    } else if (desc->layout == DRIFT_GPU_LAYOUT_SLICES && width == 1) {
        struct drift_buf slice;
        drift_buf_init(&slice, DRIFT_TAG_BACKEND, out->cap_bytes);
        drift_buf_printf(&slice, "(%s) / 4", s);
        drift_buf_append_str(out, "(");
        slices_address(desc, name, b, x, y, drift_buf_cstr(&slice), out);
        drift_buf_printf(out, ") * 4 + (%s) %% 4", s);
        drift_buf_join_failure(out, &slice);
        drift_buf_fini(&slice);
    } else if (desc->layout == DRIFT_GPU_LAYOUT_SLICES) {
        slices_address(desc, name, b, x, y, s, out);
    } else {
        rows_address(desc, name, width, b, x, y, s, out);
    }
}

void drift_gpu_tensor_desc_slot_address(const struct drift_gpu_tensor_desc *desc, const char *name,
                                        uint32_t width, const char *slot, const char *y,
                                        const char *s, struct drift_buf *out)
{
    struct drift_buf page, row;
    drift_buf_init(&page, DRIFT_TAG_BACKEND, out->cap_bytes);
    drift_buf_init(&row, DRIFT_TAG_BACKEND, out->cap_bytes);
    drift_buf_printf(&page, "(%s) / PAGE_TOKENS", slot);
    drift_buf_printf(&row, "(%s) %% PAGE_TOKENS", slot);
    page_address(desc, name, width, drift_buf_cstr(&page), drift_buf_cstr(&row), y, s, out);
    drift_buf_join_failure(out, &page);
    drift_buf_join_failure(out, &row);
    drift_buf_fini(&page);
    drift_buf_fini(&row);
}
