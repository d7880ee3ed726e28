/*
 * A model's hyper-parameters: numbers from GGUF metadata, read by tables of keys, every one
 * checked.
 *
 * What comes out is consistent: head counts divide, sizes fit the limits below, rotary settings are
 * ones that rope.c computes. Nothing else of the runtime reads these keys. Tensors and vocabulary
 * are not in here.
 */
#ifndef DRIFT_RUNTIME_MODEL_HPARAMS_H
#define DRIFT_RUNTIME_MODEL_HPARAMS_H

#include "backends/plan.h"
#include "runtime/base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct drift_arch;
struct drift_gguf;

#define DRIFT_MAX_LAYERS 1024u
#define DRIFT_MAX_HEADS  1024u
#define DRIFT_MAX_EMBD   (1u << 17)
#define DRIFT_MAX_FF     (1u << 20)
#define DRIFT_MAX_VOCAB  (1u << 24)
#define DRIFT_MAX_CTX    (1u << 24)

/* How positions beyond the trained context are mapped; llama3's factors are a tensor of the file
 * (rope.h). */
enum drift_rope_scaling {
    DRIFT_ROPE_SCALING_NONE,
    DRIFT_ROPE_SCALING_LINEAR,
    DRIFT_ROPE_SCALING_YARN,
    DRIFT_ROPE_SCALING_COUNT
};

/* Rotary embedding of a kind of layer. */
struct drift_rope_hparams {
    float base;
    enum drift_rope_scaling scaling;
    float factor;                 /* LINEAR, YARN: how many times longer; 1 ... */
    uint32_t original_ctx_tokens; /* YARN */
    float beta_fast,
        beta_slow; /* YARN: rotations over the original context; outside them nothing is blended */
    float ext_factor, attn_factor; /* YARN */
};

struct drift_hparams {
    const struct drift_arch *arch;
    uint32_t n_vocab; /* rows of token_embd.weight */
    uint32_t ctx_tokens, n_embd, n_ff, n_layers;
    uint32_t n_heads, n_kv_heads, head_dim, n_rot;
    float norm_eps;
    float embd_scale;   /* of token embeddings */
    float attn_scale;   /* of q . K */
    float attn_softcap; /* 0: none */
    float final_softcap;
    struct drift_rope_hparams rope;       /* layers that see everything */
    struct drift_rope_hparams rope_local; /* layers with a window */
    uint32_t window;                      /* tokens that a local layer sees; 0: no layer is local */
    bool is_local[DRIFT_MAX_LAYERS];
};

/*
 * Read and check. n_vocab comes from the tensor list, all else from metadata. Errors: UNSUPPORTED
 * (architecture, with the list of those there are; a value beyond the limits or a variant nobody
 * wrote, by key), CORRUPT (missing key, wrong type, values that contradict each other, by key).
 * Thread: any.
 */
enum drift_status drift_hparams_read(const struct drift_gguf *gguf,
                                     struct drift_hparams *ret_hparams,
                                     struct drift_error *err) DRIFT_MUST_USE;

#endif
