/*
 * The graph builder: one function per op, checked shapes, and at the end a plan for one stage.
 *
 * Architectures (runtime/model/arch_*.c) call these functions; nothing here knows a model. Failures
 * stick: after the first one every function returns DRIFT_TENSOR_NONE and changes nothing, and
 * drift_graph_finish reports it, so a builder reads as the formulas it stands for. All that is
 * allocated here belongs to the graph; running a plan touches none of it. Not in here: kernels,
 * storage, fusion into kernels (the backends' part).
 *
 * Tensors are indices into the graph, rows are tokens, columns are channels (backends/plan.h).
 */
#ifndef DRIFT_RUNTIME_GRAPH_GRAPH_H
#define DRIFT_RUNTIME_GRAPH_GRAPH_H

#include "backends/plan.h"
#include "runtime/base/buffer.h"
#include "runtime/memory/plan.h"

/* A transformer layer is about 20 tensors and 20 ops: enough for a thousand of them. */
#define DRIFT_GRAPH_MAX_TENSORS 65536u
#define DRIFT_GRAPH_MAX_OPS     65536u

struct drift_graph;

struct drift_graph_params {
    const char *name; /* of the plan */
    enum drift_stage stage;
    uint32_t max_tokens;    /* 1 ...; at most DRIFT_THIN_MAX_TOKENS when THIN */
    uint32_t max_outputs;   /* 0 (no logits at all) ... max_tokens */
    uint32_t max_sequences; /* 1 ... */
    uint32_t max_pages;     /* 1 ... */
};

/* Errors: NO_MEMORY, INVALID (params). Thread: one at a time. */
enum drift_status drift_graph_create(const struct drift_graph_params *params,
                                     struct drift_graph **ret_graph,
                                     struct drift_error *err) DRIFT_MUST_USE;
/* NULL is accepted. The plan goes with the graph. */
void drift_graph_destroy(struct drift_graph *graph);

/* Prefix the names of what is built from here on ("blk.3."); an empty text ends it. Cut at 63
 * bytes. */
void drift_graph_set_scope(struct drift_graph *graph, const char *fmt, ...) DRIFT_PRINTF(2, 3);
/* Make the graph fail with a reason of the caller's, unless it has failed already; returns
 * DRIFT_TENSOR_NONE. */
uint32_t drift_graph_fail(struct drift_graph *graph, enum drift_status status, const char *fmt, ...)
    DRIFT_PRINTF(3, 4);
/* True from the first failure on. */
bool drift_graph_has_failed(const struct drift_graph *graph);

/* ---- constants and state ---- */

/* [n_rows, n_cols]; weight may be NULL in a graph that only estimates. name is used as it is,
 * without the scope. */
uint32_t drift_graph_weight(struct drift_graph *graph, const char *name, enum drift_dtype dtype,
                            uint32_t n_rows, uint32_t n_cols, const struct drift_weight *weight);
struct drift_graph_cache {
    struct drift_cache *cache; /* NULL in a graph that only estimates */
    enum drift_dtype dtype;    /* F16 or F32 */
    uint32_t n_rows, n_cols;   /* pages * page_tokens; n_kv_heads * head_dim */
};
uint32_t drift_graph_cache(struct drift_graph *graph, const struct drift_graph_cache *desc,
                           uint32_t layer, bool is_v);
/* One field of the batch; the same one gives the same tensor. */
uint32_t drift_graph_input(struct drift_graph *graph, enum drift_input input);

/* ---- ops: name is of the result, behind the scope; rows are those of x ---- */

/* table [n_vocab, n_cols] -> [n_tokens, n_cols], times factor */
uint32_t drift_graph_embed(struct drift_graph *graph, const char *name, uint32_t table,
                           float factor);
/* weight [1, group]; x's columns are whole groups, each normalized on its own. */
uint32_t drift_graph_rms_norm(struct drift_graph *graph, const char *name, uint32_t x,
                              uint32_t weight, float eps);
/* w [N, K], x [rows, K], bias [1, N] or DRIFT_TENSOR_NONE -> [rows, N] */
uint32_t drift_graph_matmul(struct drift_graph *graph, const char *name, uint32_t x, uint32_t w,
                            uint32_t bias);
struct drift_graph_rope {
    enum drift_rope_pairs pairs;
    uint32_t head_dim; /* even; x's columns are whole heads */
    float magnitude;
};
/* inv_freq [1, n_rot / 2] with n_rot <= head_dim */
uint32_t drift_graph_rope(struct drift_graph *graph, const char *name, uint32_t x,
                          uint32_t inv_freq, const struct drift_graph_rope *rope);
/* k and v [n_tokens, cache columns] */
void drift_graph_cache_write(struct drift_graph *graph, uint32_t k, uint32_t v, uint32_t k_cache,
                             uint32_t v_cache);
struct drift_graph_attention {
    uint32_t n_heads, n_kv_heads, head_dim; /* n_kv_heads divides n_heads */
    uint32_t window;                        /* 0: everything before */
    float scale;
    float softcap; /* 0: none */
};
/* q [n_tokens, n_heads * head_dim] -> the same shape */
uint32_t drift_graph_attention(struct drift_graph *graph, const char *name, uint32_t q,
                               uint32_t k_cache, uint32_t v_cache,
                               const struct drift_graph_attention *attention);
uint32_t drift_graph_add(struct drift_graph *graph, const char *name, uint32_t a, uint32_t b);
uint32_t drift_graph_mul(struct drift_graph *graph, const char *name, uint32_t a, uint32_t b);
uint32_t drift_graph_glu(struct drift_graph *graph, const char *name, uint32_t gate, uint32_t up,
                         enum drift_activation activation);
uint32_t drift_graph_activate(struct drift_graph *graph, const char *name, uint32_t x,
                              enum drift_activation activation);
uint32_t drift_graph_scale(struct drift_graph *graph, const char *name, uint32_t x, float factor);
uint32_t drift_graph_softcap(struct drift_graph *graph, const char *name, uint32_t x, float cap);
/* [n_tokens, n_cols] -> [n_outputs, n_cols]: the rows that batch.output_rows lists */
uint32_t drift_graph_gather_rows(struct drift_graph *graph, const char *name, uint32_t x);
/* x [n_outputs, n_cols] is what the batch's outputs receive. Exactly one per graph, unless
 * max_outputs is 0. */
void drift_graph_set_output(struct drift_graph *graph, uint32_t x);

/* ---- the end ---- */

/*
 * Run the passes, place the activations, and make the plan; nothing may be added afterwards.
 * *ret_plan belongs to the graph. Errors: the graph's first failure, INVALID (no output),
 * NO_MEMORY, LIMIT.
 */
enum drift_status drift_graph_finish(struct drift_graph *graph, const struct drift_plan **ret_plan,
                                     struct drift_error *err) DRIFT_MUST_USE;
/* Activation memory of the finished plan: planned, naive and lower bound. */
void drift_graph_get_memory(const struct drift_graph *graph,
                            struct drift_memory_report *ret_report);

/* Write one line per op with names, shapes, arena offsets and attributes, for tests and for people.
 */
void drift_graph_dump(const struct drift_plan *plan, struct drift_buf *out);

#endif
