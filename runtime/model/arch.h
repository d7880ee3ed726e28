/*
 * Architectures: what a name in general.architecture means, as a row of a table and a builder.
 *
 * To add one: write build(), add its row to arch.c, add it to tests/oracle/. A builder calls the
 * graph's ops and the blocks below; it declares every tensor it reads by name and shape through
 * drift_build_weight, so the same run of it checks the file, adds up the memory, and binds the
 * weights.
 */
#ifndef DRIFT_RUNTIME_MODEL_ARCH_H
#define DRIFT_RUNTIME_MODEL_ARCH_H

#include "runtime/graph/graph.h"
#include "runtime/model/hparams.h"
#include "runtime/model/weights.h"

#include <stddef.h>

enum drift_hparam_type {
    DRIFT_HPARAM_U32, /* or an array of equal ones, one per layer */
    DRIFT_HPARAM_F32,
};

/* One metadata key "<architecture>.<key>" and where its value goes. */
struct drift_hparam_key {
    const char *key;
    enum drift_hparam_type type;
    size_t offset; /* in struct drift_hparams */
    double min, max;
    bool required;
    double fallback; /* when it is missing and not required */
};

/* What is built into: one of these per plan. */
struct drift_build {
    struct drift_graph *graph;
    const struct drift_hparams *hparams;
    struct drift_weight_set *weights;
    struct drift_graph_cache cache;
};

struct drift_arch {
    const char *name;
    const struct drift_hparam_key *keys; /* [n_keys], instead of common ones of the same name */
    size_t n_keys;
    enum drift_rope_pairs rope_pairs;
    bool has_qk_norm;  /* attn_q_norm.weight and attn_k_norm.weight, over each head */
    bool has_qkv_bias; /* attn_{q,k,v}.bias must be there; elsewhere biases are taken when there */
    bool has_embd_scale; /* token embeddings times sqrt(n_embd) */
    uint32_t
        local_pattern; /* every so manieth layer is global, the others local; 0: no local layers */
    float local_rope_base;      /* when the file does not say; 0: as the global one */
    uint32_t wide_query_layers; /* with that many layers the attention scale is 1/sqrt(n_embd /
                                   n_heads); 0: never */
    void (*build)(struct drift_build *build);
};

/* By general.architecture. Errors: UNSUPPORTED naming it and listing the others. Thread: any. */
enum drift_status drift_arch_find(const char *name, size_t len, const struct drift_arch **ret_arch,
                                  struct drift_error *err) DRIFT_MUST_USE;
/* The i-th architecture's name, NULL beyond the last: for lists. */
const char *drift_arch_name_at(size_t i);

/* ---- for builders; a failure sticks to the graph ---- */

/* Tensor "<fmt>" [n_rows, n_cols]. A missing one or another shape fails the graph. Returns the
 * graph's tensor. */
uint32_t drift_build_weight(struct drift_build *build, enum drift_weight_use use, uint32_t n_rows,
                            uint32_t n_cols, const char *fmt, ...) DRIFT_PRINTF(5, 6);
/* The same, F32 of one row; DRIFT_TENSOR_NONE when the file has none. */
uint32_t drift_build_vector_if_any(struct drift_build *build, uint32_t n_cols, const char *fmt, ...)
    DRIFT_PRINTF(3, 4);

/* Token ids to rows of n_embd. */
uint32_t drift_build_embedding(struct drift_build *build);
/* "blk.<layer>.<name>.weight" over all columns. */
uint32_t drift_build_norm(struct drift_build *build, uint32_t layer, const char *name, uint32_t x);
/* Q, K, V, their norms and rotation, the cache, attention, output projection; x is normalized
 * already. */
uint32_t drift_build_attention(struct drift_build *build, uint32_t layer, uint32_t x);
/* down(activation(gate x) * up x); x is normalized already. */
uint32_t drift_build_feed_forward(struct drift_build *build, uint32_t layer, uint32_t x,
                                  enum drift_activation activation);
/* Last norm and projection to the vocabulary; output.weight, or the embedding when the file has
 * none. */
void drift_build_head(struct drift_build *build, uint32_t x);

void drift_arch_llama_build(struct drift_build *build);
void drift_arch_gemma3_build(struct drift_build *build);

#endif
