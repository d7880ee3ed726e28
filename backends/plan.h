/*
 * What a backend executes: a plan, i.e. tensors and the ops over them in order.
 *
 * The graph (runtime/graph) builds plans; every backend runs the same plan. Tensors are logical: a plan says
 * what a value is (rows = tokens on axis W, columns = channels on axis C) and leaves its physical storage and
 * layout to the backend. Heads are a property of the ops that need them (head h of a row is its columns
 * [h * head_dim, (h + 1) * head_dim)), so no op ever moves data only to reshape it.
 *
 * Row independence (DESIGN §9.2): what an op writes into a row depends on that row's inputs, on the shape of its
 * columns and on plan.stage, never on how many rows the batch has or on what stands in the others.
 *
 * A result never overlaps its op's sources in the arena, except that the elementwise ops (ADD, MUL, GLU, ACTIVATE,
 * SCALE, SOFTCAP) may write exactly in place. A plan has at most one OUTPUT.
 *
 * A plan is built once per (device, model, stage, max_tokens) and serves every batch with n_tokens <= max_tokens.
 */
#ifndef DRIFT_BACKENDS_PLAN_H
#define DRIFT_BACKENDS_PLAN_H

#include "runtime/base/dtype.h"
#include "runtime/base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct drift_weight; /* a constant on a device, backend.h */
struct drift_cache;  /* a model's K and V on a device, backend.h */

#define DRIFT_TENSOR_NONE  UINT32_MAX
#define DRIFT_OP_MAX_SRC   6
#define DRIFT_OP_MAX_DST   2
#define DRIFT_MAX_HEAD_DIM 512
/* Tokens of the thin family at most; more decoding sequences run in groups of this. */
#define DRIFT_THIN_MAX_TOKENS 16

/* Which kernel family computes a plan's linear layers; it follows from the tokens' stage, not from their number. */
enum drift_stage {
    DRIFT_STAGE_THIN,  /* generated tokens, at most DRIFT_THIN_MAX_TOKENS rows: bound by memory */
    DRIFT_STAGE_TILED, /* prompt tokens: bound by arithmetic */
    DRIFT_STAGE_COUNT
};

enum drift_tensor_role {
    DRIFT_TENSOR_ACTIVATION, /* lives in the device's arena at arena_offset while the plan runs */
    DRIFT_TENSOR_WEIGHT,     /* constant, `weight` */
    DRIFT_TENSOR_CACHE,      /* K or V of one layer of `cache` */
    DRIFT_TENSOR_INPUT,      /* written from struct drift_batch before the first op, `input` says which field */
    DRIFT_TENSOR_OUTPUT,     /* [n_outputs, n_cols] f32, copied to the host after the last op */
    DRIFT_TENSOR_ROLE_COUNT
};

/*
 * Which field of struct drift_batch an INPUT tensor is; all are i32. One column each, rows TOKENS or OUTPUTS;
 * the page table is FIXED [max_sequences, max_pages].
 */
enum drift_input {
    DRIFT_INPUT_TOKENS,      /* [n_tokens] token ids */
    DRIFT_INPUT_POSITIONS,   /* [n_tokens] position within the sequence */
    DRIFT_INPUT_SEQUENCES,   /* [n_tokens] row of the page table */
    DRIFT_INPUT_SLOTS,       /* [n_tokens] cache row that takes the token's K and V */
    DRIFT_INPUT_PAGE_TABLE,  /* [n_sequences, max_pages] page numbers */
    DRIFT_INPUT_OUTPUT_ROWS, /* [n_outputs] rows whose logits are wanted */
    DRIFT_INPUT_COUNT
};

/* How many rows a tensor has in a batch. */
enum drift_rows {
    DRIFT_ROWS_FIXED,   /* n_rows */
    DRIFT_ROWS_TOKENS,  /* batch.n_tokens, at most n_rows == plan.max_tokens */
    DRIFT_ROWS_OUTPUTS, /* batch.n_outputs, at most n_rows == plan.max_outputs */
    DRIFT_ROWS_COUNT
};

struct drift_tensor {
    const char *name; /* "blk.3.ffn_down", "blk.3.attn_q:out"; for dumps and errors */
    enum drift_tensor_role role;
    enum drift_dtype dtype; /* F32 for activations and outputs, I32 for inputs */
    enum drift_rows rows;
    uint32_t n_rows, n_cols; /* of a cache: n_pages * page_tokens, n_kv_heads * head_dim */
    union {
        uint64_t arena_offset;             /* ACTIVATION, OUTPUT: bytes, aligned to DRIFT_ARENA_ALIGN */
        const struct drift_weight *weight; /* WEIGHT */
        enum drift_input input;            /* INPUT */
        struct {
            struct drift_cache *cache;
            uint32_t layer;
            bool is_v;
        } kv; /* CACHE */
    } u;
};

/* 256: no device here asks for more (CL_DEVICE_MEM_BASE_ADDR_ALIGN, minStorageBufferOffsetAlignment). */
#define DRIFT_ARENA_ALIGN 256u

enum drift_activation {
    DRIFT_ACTIVATION_SILU,      /* x / (1 + exp(-x)) */
    DRIFT_ACTIVATION_GELU_TANH, /* 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) */
    DRIFT_ACTIVATION_COUNT
};

enum drift_rope_pairs {
    DRIFT_ROPE_ADJACENT, /* rotates (x[2i], x[2i+1]): GGUF's llama family */
    DRIFT_ROPE_HALVES,   /* rotates (x[i], x[i + n_rot/2]): gemma, qwen, phi ("neox") */
    DRIFT_ROPE_COUNT
};

/*
 * X(enumerator, name)
 *
 *   EMBED         dst[t, :] = table[tokens[t], :] * scale                      src: table, tokens
 *   RMS_NORM      dst = src / sqrt(mean(src^2) + eps) * weight, over every
 *                 consecutive group of `group` columns                        src: x, weight [group]
 *   MATMUL        dst[t, n] = sum_k src[t, k] * w[n, k] (+ bias[n])            src: x, w [N, K], bias or NONE
 *   ROPE          rotate the first n_rot columns of every head by
 *                 position * inv_freq[i], times magnitude                     src: x, positions, inv_freq [n_rot/2]
 *   CACHE_WRITE   cache rows slots[t] = k[t], v[t]; no dst                     src: k, v, slots, k_cache, v_cache
 *   ATTENTION     per query head: softmax(softcap(q . K * scale)) . V over the
 *                 sequence's positions (pos - window, pos]                    src: q, k_cache, v_cache, positions,
 *                                                                                  sequences, page_table
 *   ADD           dst = a + b                                                 src: a, b
 *   MUL           dst = a * b                                                 src: a, b
 *   GLU           dst = activation(gate) * up                                 src: gate, up
 *   ACTIVATE      dst = activation(x)                                         src: x
 *   SCALE         dst = x * scale                                             src: x
 *   SOFTCAP       dst = cap * tanh(x / cap)                                   src: x
 *   GATHER_ROWS   dst[i, :] = x[output_rows[i], :]                             src: x, output_rows
 */
#define DRIFT_OP_MAP(X)                                                                            \
    X(EMBED, "embed")                                                                              \
    X(RMS_NORM, "rms_norm")                                                                        \
    X(MATMUL, "matmul")                                                                            \
    X(ROPE, "rope")                                                                                \
    X(CACHE_WRITE, "cache_write")                                                                  \
    X(ATTENTION, "attention")                                                                      \
    X(ADD, "add")                                                                                  \
    X(MUL, "mul")                                                                                  \
    X(GLU, "glu")                                                                                  \
    X(ACTIVATE, "activate")                                                                        \
    X(SCALE, "scale")                                                                              \
    X(SOFTCAP, "softcap")                                                                          \
    X(GATHER_ROWS, "gather_rows")

enum drift_op_kind {
#define X(id, name) DRIFT_OP_##id,
    DRIFT_OP_MAP(X)
#undef X
    DRIFT_OP_COUNT
};

struct drift_op {
    enum drift_op_kind kind;
    uint32_t src[DRIFT_OP_MAX_SRC]; /* tensor indices in the order above, DRIFT_TENSOR_NONE when absent */
    uint32_t dst[DRIFT_OP_MAX_DST];
    union {
        struct {
            float factor;
        } scale; /* EMBED, SCALE */
        struct {
            float cap;
        } softcap;
        struct {
            float eps;
            uint32_t group;
        } norm;
        struct {
            enum drift_rope_pairs pairs;
            uint32_t head_dim, n_rot;
            float magnitude; /* YaRN's attention factor; 1 otherwise */
        } rope;
        struct {
            uint32_t n_heads, n_kv_heads, head_dim;
            uint32_t window; /* tokens a query sees, itself included; 0: all before it */
            float scale;
            float softcap; /* 0: none */
        } attention;
        struct {
            enum drift_activation kind;
        } activation; /* GLU, ACTIVATE */
    } attr;
};

struct drift_plan {
    const char *name; /* "smollm2 decode" */
    enum drift_stage stage;
    uint32_t max_tokens, max_outputs, max_sequences;
    uint32_t max_pages; /* columns of the page table */
    const struct drift_tensor *tensors;
    uint32_t n_tensors;
    const struct drift_op *ops;
    uint32_t n_ops;
    uint64_t arena_bytes;
};

const char *drift_op_name(enum drift_op_kind kind);

/*
 * Check a plan's indices, shapes, types and attributes against the table above; every backend may rely on it
 * afterwards. Everything the drift_weight and drift_cache pointers lead to must exist. Errors: INVALID naming op and tensor. Thread: any.
 */
enum drift_status drift_plan_validate(const struct drift_plan *plan, struct drift_error *err) DRIFT_MUST_USE;

#endif
