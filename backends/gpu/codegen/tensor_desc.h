/*
 * Tensor descriptors: what a kernel's tensor means (logical axes) and where its elements lie
 * (storage, layout).
 *
 * Kernels name elements by logical coordinates (b, x, y, s): batch, token, head or row, slice of N
 * channels. The translation to a physical address is text that the generator substitutes (ML Drift,
 * arXiv 2505.00232 §3.1-3.3, Table 1), so a compiled kernel holds no descriptor. Axes: B batch, H
 * heads, W tokens, D depth, C channels.
 *
 * Two layouts of a buffer, in units of slices (S = ceil(C / N)):
 *   SLICES  ((s * H + y) * W + x) * B + b     the paper's: slices outermost, tokens adjacent
 *   ROWS    ((b * W + x) * H + y) * S + s     token-major
 * ROWS is the default for activations. With one token (decode) both are the same run of channels if
 * W is 1, but a plan serves 1 ... max_tokens rows, and SLICES would then stride by max_tokens
 * through every read. ROWS makes a row's address independent of the batch, reads whole cache lines
 * when a prompt tile takes 32 channels of each token, lets the norms and attention stream rows, and
 * an output can be copied to the host as it lies. Channels that are no multiple of N need no
 * padding in ROWS: such a tensor is read element-wise with zeros beyond the end.
 *
 * Slices of SLICES are always 4 channels; single channels (N = 1) can be addressed inside them.
 *
 * PAGED is the KV cache: (b, x) = (sequence, position) goes through the page table, y is the KV
 * head:
 *   ((table[b * max_pages + x / page_tokens] * H + y) * page_tokens + x % page_tokens) * S + s
 *
 * Image storages are rows of the same table; those that no backend implements yet are refused by
 * name.
 */
#ifndef DRIFT_BACKENDS_GPU_CODEGEN_TENSOR_DESC_H
#define DRIFT_BACKENDS_GPU_CODEGEN_TENSOR_DESC_H

#include "runtime/base/buffer.h"
#include "runtime/base/dtype.h"
#include "runtime/base/error.h"

/* X(enumerator, name, translation is implemented) */
#define DRIFT_GPU_STORAGE_MAP(X)                                                                   \
    X(BUFFER, "buffer", true)                                                                      \
    X(PAGED, "paged", true)                                                                        \
    X(IMAGE_BUFFER, "image buffer", false)                                                         \
    X(IMAGE_2D, "2D image", false)                                                                 \
    X(IMAGE_2D_ARRAY, "2D image array", false)                                                     \
    X(IMAGE_3D, "3D image", false)

enum drift_gpu_storage {
#define X(id, name, implemented) DRIFT_GPU_STORAGE_##id,
    DRIFT_GPU_STORAGE_MAP(X)
#undef X
        DRIFT_GPU_STORAGE_COUNT
};

enum drift_gpu_layout { DRIFT_GPU_LAYOUT_ROWS, DRIFT_GPU_LAYOUT_SLICES, DRIFT_GPU_LAYOUT_COUNT };

/* Widest slice a kernel can ask for: Read<16>. */
#define DRIFT_GPU_MAX_WIDTH 16u

struct drift_gpu_tensor_desc {
    enum drift_gpu_storage storage;
    enum drift_gpu_layout layout;
    enum drift_dtype dtype; /* F32, I32; PAGED: F16 or F32 */
    uint32_t b, h, w, d, c; /* logical sizes, all >= 1; w is the most tokens there can be */
    uint32_t page_tokens;   /* PAGED */
    uint32_t max_pages;     /* PAGED: columns of the page table */
};

/*
 * Check sizes and storage. Errors: UNSUPPORTED (a storage without translation, D > 1, a type no
 * kernel reads), LIMIT (more elements than a kernel's 32-bit index reaches), INVALID (a zero size).
 */
enum drift_status drift_gpu_tensor_desc_check(const struct drift_gpu_tensor_desc *desc,
                                              const char *name,
                                              struct drift_error *err) DRIFT_MUST_USE;
const char *drift_gpu_storage_name(enum drift_gpu_storage storage);

/* True when the elements of a slice of `width` lie together and aligned, i.e. one vector load reads
 * them. */
bool drift_gpu_tensor_desc_is_whole(const struct drift_gpu_tensor_desc *desc, uint32_t width);
/* The widest of 16, 4 and 1, at most max_width, into which n channels divide. */
uint32_t drift_gpu_width(uint32_t n_channels, uint32_t max_width);

/*
 * Append the address of slice s at (b, x, y) in units of `width` elements, without the tensor's
 * offset. The coordinates are expressions in the kernel language. Sizes appear as
 * `args.NAME.METHOD<width>` members, which the generator turns into kernel arguments, and only
 * those that the translation needs.
 */
void drift_gpu_tensor_desc_address(const struct drift_gpu_tensor_desc *desc, const char *name,
                                   uint32_t width, const char *b, const char *x, const char *y,
                                   const char *s, struct drift_buf *out);
/* PAGED only: the same for cache row `slot` = page * page_tokens + row in page, which needs no page
 * table. */
void drift_gpu_tensor_desc_slot_address(const struct drift_gpu_tensor_desc *desc, const char *name,
                                        uint32_t width, const char *slot, const char *y,
                                        const char *s, struct drift_buf *out);

#endif
