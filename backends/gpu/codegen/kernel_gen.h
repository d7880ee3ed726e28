/*
 * The kernel generator: a template, its tensors and its constants become one kernel's source and
 * its arguments.
 *
 * A template is text (kernels/NAME.k) over named objects: `args.src.Read<4>(b, x, y, s)`. Every
 * such accessor is replaced while the text is copied; what it needs (a pointer, a stride) becomes a
 * kernel argument at its first use, so only what occurs is passed, and equal text means an equal
 * kernel whatever the values are: layers and shapes share compiled kernels. Arguments of accessors
 * may hold accessors. The expansion is bounded in depth and bytes.
 *
 * Constants come in three classes: literal (#define in the text: a new variant), specialised (a
 * build option), dynamic (an argument, or the run-time parameter buffer `args.rt` for what changes
 * from batch to batch). Nothing of a request ever enters the text.
 *
 * Element-wise snippets linked to an object are applied to the value in its Write.
 *
 * Members of objects (N is the slice width 1, 4, 8 or 16, default 4):
 *   tensor   Read<N>(b, x, y, s)  Write<N>(v, b, x, y, s)  WriteSlot<N>(v, slot, y, s)  Int(i)
 *            Slices<N>()  Channels()  RowStride<N>()  BatchStride<N>()  Width()  Height()  Batch()
 * MaxPages() Rows(): how many rows it has in this batch weight   Scales(sc, sc_at, block, lane)
 * Load8(v, v_at, sc, sc_at, block, chunk, lane)  Blocks()  Groups() rt       Int(i): run-time
 * parameter i int, float constants: no member
 *
 * Sticky failure: add and link never fail visibly, finish reports the first thing that went wrong.
 * Thread: any.
 */
#ifndef DRIFT_BACKENDS_GPU_CODEGEN_KERNEL_GEN_H
#define DRIFT_BACKENDS_GPU_CODEGEN_KERNEL_GEN_H

#include "backends/gpu/codegen/language.h"
#include "backends/gpu/codegen/tensor_desc.h"
#include "backends/gpu/codegen/weight_desc.h"

#define DRIFT_GPU_MAX_OBJECTS   24u
#define DRIFT_GPU_MAX_ARGS      48u
#define DRIFT_GPU_MAX_CONSTANTS 32u
#define DRIFT_GPU_MAX_LINKS     4u
#define DRIFT_GPU_MAX_NAME      32u
#define DRIFT_GPU_MAX_DEPTH     16u
#define DRIFT_GPU_SOURCE_CAP    (256u * 1024u)

struct drift_gpu_buffer; /* device memory, gpu_api.h */

/* Which buffer a pointer argument is bound to; ARENA and INPUTS are bound when the commands are. */
enum drift_gpu_slot {
    DRIFT_GPU_SLOT_BUFFER,
    DRIFT_GPU_SLOT_ARENA,
    DRIFT_GPU_SLOT_INPUTS,
    DRIFT_GPU_SLOT_COUNT
};

struct drift_gpu_binding {
    enum drift_gpu_slot slot;
    struct drift_gpu_buffer *buffer; /* SLOT_BUFFER */
    uint64_t offset_bytes;           /* a multiple of 64 */
};

/* How many rows an object has in a batch: constant, or a run-time parameter. */
enum drift_gpu_count {
    DRIFT_GPU_COUNT_FIXED,
    DRIFT_GPU_COUNT_TOKENS,
    DRIFT_GPU_COUNT_OUTPUTS,
    DRIFT_GPU_COUNT_COUNT
};

/* Words of the run-time parameter block at the head of the inputs buffer. */
enum drift_gpu_rt { DRIFT_GPU_RT_N_TOKENS, DRIFT_GPU_RT_N_OUTPUTS, DRIFT_GPU_RT_COUNT };
#define DRIFT_GPU_RT_BYTES 64u

enum drift_gpu_arg_kind {
    DRIFT_GPU_ARG_POINTER,
    DRIFT_GPU_ARG_INT,
    DRIFT_GPU_ARG_FLOAT,
    DRIFT_GPU_ARG_COUNT
};

struct drift_gpu_arg {
    enum drift_gpu_arg_kind kind;
    bool is_written; /* POINTER */
    char name[DRIFT_GPU_MAX_NAME];
    char type[16];                    /* POINTER: element type in the dialect */
    struct drift_gpu_binding binding; /* POINTER */
    int32_t i;
    float f;
};

/* What finish makes: text and options name the compiled kernel, args its values in order. */
struct drift_gpu_kernel_source {
    char *text; /* drift_free */
    char options[256];
    uint64_t hash; /* of text and options */
    uint32_t local[3];
    struct drift_gpu_arg args[DRIFT_GPU_MAX_ARGS];
    uint32_t n_args;
};

enum drift_gpu_object_kind {
    DRIFT_GPU_OBJECT_TENSOR,
    DRIFT_GPU_OBJECT_WEIGHT,
    DRIFT_GPU_OBJECT_RT,
    DRIFT_GPU_OBJECT_INT,
    DRIFT_GPU_OBJECT_FLOAT,
    DRIFT_GPU_OBJECT_COUNT
};

struct drift_gpu_object {
    enum drift_gpu_object_kind kind;
    char name[DRIFT_GPU_MAX_NAME];
    union {
        struct {
            struct drift_gpu_tensor_desc desc;
            struct drift_gpu_binding binding;
            enum drift_gpu_count count;
        } tensor;
        struct {
            struct drift_gpu_weight_desc desc;
            struct drift_gpu_binding planes[DRIFT_GPU_PLANE_COUNT];
        } weight;
        int32_t i;
        float f;
    } u;
};

struct drift_gpu_constant {
    char name[DRIFT_GPU_MAX_NAME];
    int32_t value;
    bool is_specialised;
};

struct drift_gpu_link {
    const char *target;  /* object whose Write it joins */
    const char *snippet; /* in links.k */
    char operand[DRIFT_GPU_MAX_NAME];
};

struct drift_gpu_gen {
    const struct drift_gpu_language *language;
    const char *template_text;
    struct drift_gpu_object objects[DRIFT_GPU_MAX_OBJECTS];
    uint32_t n_objects;
    struct drift_gpu_constant constants[DRIFT_GPU_MAX_CONSTANTS];
    uint32_t n_constants;
    struct drift_gpu_link links[DRIFT_GPU_MAX_LINKS];
    uint32_t n_links;
    struct drift_gpu_arg args[DRIFT_GPU_MAX_ARGS];
    uint32_t n_args;
    struct drift_buf shared; /* work-group memory declarations */
    uint32_t depth;
    struct drift_error error; /* the first failure; OK while there is none */
};

/* Start a kernel from an embedded template ("matmul_lanes"). Unknown names fail at finish. */
void drift_gpu_gen_init(struct drift_gpu_gen *gen, const struct drift_gpu_language *language,
                        const char *template_name);
/* The same from text that outlives the generator: for tests. */
void drift_gpu_gen_init_text(struct drift_gpu_gen *gen, const struct drift_gpu_language *language,
                             const char *template_text);
void drift_gpu_gen_fini(struct drift_gpu_gen *gen);

void drift_gpu_gen_add_tensor(struct drift_gpu_gen *gen, const char *name,
                              const struct drift_gpu_tensor_desc *desc,
                              const struct drift_gpu_binding *binding, enum drift_gpu_count count);
void drift_gpu_gen_add_weight(struct drift_gpu_gen *gen, const char *name,
                              const struct drift_gpu_weight_desc *desc,
                              const struct drift_gpu_binding planes[DRIFT_GPU_PLANE_COUNT]);
void drift_gpu_gen_add_rt(struct drift_gpu_gen *gen);
void drift_gpu_gen_add_int(struct drift_gpu_gen *gen, const char *name, int32_t value);
void drift_gpu_gen_add_float(struct drift_gpu_gen *gen, const char *name, float value);
void drift_gpu_gen_set_literal(struct drift_gpu_gen *gen, const char *name, int32_t value);
void drift_gpu_gen_set_specialised(struct drift_gpu_gen *gen, const char *name, int32_t value);
/*
 * Apply a snippet of links.k to every value written to `target`, after those linked before.
 * `operand` names the object that the snippet's $operand stands for (a tensor read at the same
 * coordinates, a constant), NULL if none.
 */
void drift_gpu_gen_link(struct drift_gpu_gen *gen, const char *target, const char *snippet,
                        const char *operand);

/*
 * Expand. Errors: INVALID (a malformed template, an unknown object, member, snippet or width),
 * LIMIT (too deep, too long, too many arguments, an offset beyond 32 bits), NO_MEMORY.
 */
enum drift_status drift_gpu_gen_finish(struct drift_gpu_gen *gen, const uint32_t local[3],
                                       struct drift_gpu_kernel_source *ret_source,
                                       struct drift_error *err) DRIFT_MUST_USE;
void drift_gpu_kernel_source_fini(struct drift_gpu_kernel_source *source);

#endif
