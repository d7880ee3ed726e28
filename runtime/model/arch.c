/* The architectures there are, and the parts that their builders share. */
#include "runtime/model/arch.h"

#include "runtime/base/buffer.h"
#include "runtime/model/rope.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define AT(field) offsetof(struct drift_hparams, field)

static const struct drift_hparam_key gemma2_keys[] = {
    {"attention.sliding_window", DRIFT_HPARAM_U32, AT(window),        0, DRIFT_MAX_CTX, false, 4096},
    {"attn_logit_softcapping",   DRIFT_HPARAM_F32, AT(attn_softcap),  0, 1e6,           false, 50  },
    {"final_logit_softcapping",  DRIFT_HPARAM_F32, AT(final_softcap), 0, 1e6,           false, 30  },
};

static const struct drift_hparam_key gemma3_keys[] = {
    {"attention.sliding_window", DRIFT_HPARAM_U32, AT(window),          0,     DRIFT_MAX_CTX, false, 0},
    {"rope.freq_base_swa",       DRIFT_HPARAM_F32, AT(rope_local.base), 1.001, 1e15,          false, 0},
    {"attn_logit_softcapping",   DRIFT_HPARAM_F32, AT(attn_softcap),    0,     1e6,           false, 0},
    {"final_logit_softcapping",  DRIFT_HPARAM_F32, AT(final_softcap),   0,     1e6,           false, 0},
};

/* clang-format off */
static const struct drift_arch archs[] = {
    {.name = "llama", .rope_pairs = DRIFT_ROPE_ADJACENT, .build = drift_arch_llama_build},
    {.name = "qwen2",
     .rope_pairs = DRIFT_ROPE_HALVES,
     .has_qkv_bias = true,
     .build = drift_arch_llama_build},
    {.name = "qwen3",
     .rope_pairs = DRIFT_ROPE_HALVES,
     .has_qk_norm = true,
     .build = drift_arch_llama_build},
    {.name = "gemma2",
     .keys = gemma2_keys,
     .n_keys = DRIFT_COUNT_OF(gemma2_keys),
     .rope_pairs = DRIFT_ROPE_HALVES,
     .has_embd_scale = true,
     .local_pattern = 2,
     .wide_query_layers = 46, /* the 27B, whose queries are scaled by the width of a head's share */
     .build = drift_arch_gemma3_build},
    {.name = "gemma3",
     .keys = gemma3_keys,
     .n_keys = DRIFT_COUNT_OF(gemma3_keys),
     .rope_pairs = DRIFT_ROPE_HALVES,
     .has_qk_norm = true,
     .has_embd_scale = true,
     .local_pattern = 6,
     .local_rope_base = 10000,
     .wide_query_layers = 62, /* the 27B again */
     .build = drift_arch_gemma3_build},
};
/* clang-format on */

const char *drift_arch_name_at(size_t i)
{
    return i < DRIFT_COUNT_OF(archs) ? archs[i].name : NULL;
}

enum drift_status drift_arch_find(const char *name, size_t len, const struct drift_arch **ret_arch,
                                  struct drift_error *err)
{
    struct drift_buf list;
    drift_buf_init(&list, DRIFT_TAG_MODEL, 256);
    for (size_t i = 0; i < DRIFT_COUNT_OF(archs); i++) {
        if (strlen(archs[i].name) == len && memcmp(archs[i].name, name, len) == 0) {
            drift_buf_fini(&list);
            *ret_arch = &archs[i];
            return DRIFT_STATUS_OK;
        }
        drift_buf_printf(&list, "%s%s", i ? ", " : "", archs[i].name);
    }
    enum drift_status status =
        drift_error_set(err, DRIFT_STATUS_UNSUPPORTED, 0,
                        "the architecture \"%.*s\" is not supported; supported are %s",
                        len < 64 ? (int)len : 64, name, drift_buf_cstr(&list));
    drift_buf_fini(&list);
    return status;
}

/* ---- tensors ---- */

/* The graph's tensor of an entry; the graph fails with err when there is none. */
static uint32_t bind(struct drift_build *build, enum drift_status status,
                     const struct drift_weight_entry *entry, const struct drift_error *err)
{
    if (status != DRIFT_STATUS_OK)
        return drift_graph_fail(build->graph, status, "%s", err->msg);
    return drift_graph_weight(build->graph, entry->desc.name, entry->desc.dtype, entry->desc.n_rows,
                              entry->desc.n_cols, entry->weight);
}

uint32_t drift_build_weight(struct drift_build *build, enum drift_weight_use use, uint32_t n_rows,
                            uint32_t n_cols, const char *fmt, ...)
{
    if (drift_graph_has_failed(build->graph))
        return DRIFT_TENSOR_NONE;
    char name[96];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(name, sizeof name, fmt, ap);
    va_end(ap);
    struct drift_error err = {0};
    const struct drift_weight_entry *entry = NULL;
    enum drift_status status =
        drift_weight_set_declare(build->weights, name, use, n_rows, n_cols, &entry, &err);
    if (status == DRIFT_STATUS_NOT_FOUND)
        status = DRIFT_STATUS_CORRUPT; /* the file is whole, but not of this architecture */
    return bind(build, status, entry, &err);
}

uint32_t drift_build_vector_if_any(struct drift_build *build, uint32_t n_cols, const char *fmt, ...)
{
    if (drift_graph_has_failed(build->graph))
        return DRIFT_TENSOR_NONE;
    char name[96];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(name, sizeof name, fmt, ap);
    va_end(ap);
    if (!drift_gguf_find_tensor(build->weights->gguf, name))
        return DRIFT_TENSOR_NONE;
    return drift_build_weight(build, DRIFT_WEIGHT_VECTOR, 1, n_cols, "%s", name);
}

/* Llama 3's divisors per pair, read on the host; NULL when the file has none. */
static const float *rope_divisors(struct drift_build *build, uint32_t n_rot)
{
    const char *name = "rope_freqs.weight";
    if (!drift_gguf_find_tensor(build->weights->gguf, name))
        return NULL;
    struct drift_error err = {0};
    const struct drift_weight_entry *entry = NULL;
    enum drift_status status =
        drift_weight_set_declare(build->weights, name, 0, 1, n_rot / 2, &entry, &err);
    if (status != DRIFT_STATUS_OK) {
        drift_graph_fail(build->graph, status, "%s", err.msg);
        return NULL;
    }
    if (entry->desc.dtype != DRIFT_DTYPE_F32) {
        drift_graph_fail(build->graph, DRIFT_STATUS_UNSUPPORTED, "tensor %s is %s, must be F32",
                         name, drift_dtype_info(entry->desc.dtype)->name);
        return NULL;
    }
    return entry->desc.data;
}

/* The rotation of a kind of layer as a computed constant, with its factor for cos and sin. */
static uint32_t rope_constant(struct drift_build *build, bool is_local, float *ret_magnitude)
{
    const struct drift_hparams *h = build->hparams;
    const struct drift_rope_hparams *rope = is_local ? &h->rope_local : &h->rope;
    float inv_freq[DRIFT_MAX_HEAD_DIM / 2], divisors[DRIFT_MAX_HEAD_DIM / 2];
    const float *file_divisors = is_local ? NULL : rope_divisors(build, h->n_rot);
    *ret_magnitude = 1.0f;
    if (drift_graph_has_failed(build->graph))
        return DRIFT_TENSOR_NONE;
    for (uint32_t i = 0; file_divisors && i < h->n_rot / 2; i++) {
        memcpy(&divisors[i], &file_divisors[i], sizeof(float));
        if (!(divisors[i] > 0) || !isfinite(divisors[i]))
            return drift_graph_fail(build->graph, DRIFT_STATUS_CORRUPT,
                                    "tensor rope_freqs.weight: value %u is not above 0", i);
    }
    drift_rope_frequencies(rope, h->n_rot, file_divisors ? divisors : NULL, inv_freq,
                           ret_magnitude);
    struct drift_error err = {0};
    const struct drift_weight_entry *entry = NULL;
    enum drift_status status =
        drift_weight_set_compute(build->weights, is_local ? "rope.inv_freq_local" : "rope.inv_freq",
                                 inv_freq, h->n_rot / 2, &entry, &err);
    return bind(build, status, entry, &err);
}

/* ---- blocks ---- */

uint32_t drift_build_embedding(struct drift_build *build)
{
    const struct drift_hparams *h = build->hparams;
    uint32_t table =
        drift_build_weight(build, DRIFT_WEIGHT_LOOKUP, h->n_vocab, h->n_embd, "token_embd.weight");
    return drift_graph_embed(build->graph, "embd", table, h->embd_scale);
}

uint32_t drift_build_norm(struct drift_build *build, uint32_t layer, const char *name, uint32_t x)
{
    const struct drift_hparams *h = build->hparams;
    uint32_t weight = drift_build_weight(build, DRIFT_WEIGHT_VECTOR, 1, h->n_embd,
                                         "blk.%u.%s.weight", layer, name);
    return drift_graph_rms_norm(build->graph, name, x, weight, h->norm_eps);
}

/* x times "blk.<layer>.<name>.weight" plus "blk.<layer>.<name>.bias" if there is one (or must be).
 */
static uint32_t project(struct drift_build *build, uint32_t layer, const char *name, uint32_t x,
                        uint32_t n_in, uint32_t n_out, bool must_have_bias)
{
    uint32_t w = drift_build_weight(build, DRIFT_WEIGHT_MATMUL, n_out, n_in, "blk.%u.%s.weight",
                                    layer, name);
    uint32_t bias = must_have_bias
                        ? drift_build_weight(build, DRIFT_WEIGHT_VECTOR, 1, n_out, "blk.%u.%s.bias",
                                             layer, name)
                        : drift_build_vector_if_any(build, n_out, "blk.%u.%s.bias", layer, name);
    return drift_graph_matmul(build->graph, name, x, w, bias);
}

/* The norm over each head when the architecture has one, then the rotation. */
static uint32_t norm_and_rotate(struct drift_build *build, uint32_t layer, const char *name,
                                uint32_t x, const char *rotated_name)
{
    const struct drift_hparams *h = build->hparams;
    bool is_local = h->is_local[layer];
    if (h->arch->has_qk_norm) {
        uint32_t weight = drift_build_weight(build, DRIFT_WEIGHT_VECTOR, 1, h->head_dim,
                                             "blk.%u.%s.weight", layer, name);
        x = drift_graph_rms_norm(build->graph, name, x, weight, h->norm_eps);
    }
    struct drift_graph_rope rope = {.pairs = h->arch->rope_pairs, .head_dim = h->head_dim};
    uint32_t inv_freq = rope_constant(build, is_local, &rope.magnitude);
    return drift_graph_rope(build->graph, rotated_name, x, inv_freq, &rope);
}

uint32_t drift_build_attention(struct drift_build *build, uint32_t layer, uint32_t x)
{
    const struct drift_hparams *h = build->hparams;
    struct drift_graph *graph = build->graph;
    uint32_t n_q = h->n_heads * h->head_dim, n_kv = h->n_kv_heads * h->head_dim;
    bool bias = h->arch->has_qkv_bias;
    uint32_t q = project(build, layer, "attn_q", x, h->n_embd, n_q, bias);
    uint32_t k = project(build, layer, "attn_k", x, h->n_embd, n_kv, bias);
    uint32_t v = project(build, layer, "attn_v", x, h->n_embd, n_kv, bias);
    q = norm_and_rotate(build, layer, "attn_q_norm", q, "q");
    k = norm_and_rotate(build, layer, "attn_k_norm", k, "k");
    uint32_t k_cache = drift_graph_cache(graph, &build->cache, layer, false);
    uint32_t v_cache = drift_graph_cache(graph, &build->cache, layer, true);
    drift_graph_cache_write(graph, k, v, k_cache, v_cache);
    const struct drift_graph_attention attention = {.n_heads = h->n_heads,
                                                    .n_kv_heads = h->n_kv_heads,
                                                    .head_dim = h->head_dim,
                                                    .window = h->is_local[layer] ? h->window : 0,
                                                    .scale = h->attn_scale,
                                                    .softcap = h->attn_softcap};
    x = drift_graph_attention(graph, "attn", q, k_cache, v_cache, &attention);
    return project(build, layer, "attn_output", x, n_q, h->n_embd, false);
}

uint32_t drift_build_feed_forward(struct drift_build *build, uint32_t layer, uint32_t x,
                                  enum drift_activation activation)
{
    const struct drift_hparams *h = build->hparams;
    uint32_t gate = project(build, layer, "ffn_gate", x, h->n_embd, h->n_ff, false);
    uint32_t up = project(build, layer, "ffn_up", x, h->n_embd, h->n_ff, false);
    x = drift_graph_glu(build->graph, "ffn_act", gate, up, activation);
    return project(build, layer, "ffn_down", x, h->n_ff, h->n_embd, false);
}

void drift_build_head(struct drift_build *build, uint32_t x)
{
    const struct drift_hparams *h = build->hparams;
    struct drift_graph *graph = build->graph;
    drift_graph_set_scope(graph, "%s", "");
    uint32_t norm =
        drift_build_weight(build, DRIFT_WEIGHT_VECTOR, 1, h->n_embd, "output_norm.weight");
    bool tied = !drift_gguf_find_tensor(build->weights->gguf, "output.weight");
    uint32_t w = drift_build_weight(build, DRIFT_WEIGHT_MATMUL, h->n_vocab, h->n_embd, "%s",
                                    tied ? "token_embd.weight" : "output.weight");
    x = drift_graph_gather_rows(graph, "output_rows_only", x);
    x = drift_graph_rms_norm(graph, "output_norm", x, norm, h->norm_eps);
    x = drift_graph_matmul(graph, "logits", x, w, DRIFT_TENSOR_NONE);
    if (h->final_softcap != 0)
        x = drift_graph_softcap(graph, "capped_logits", x, h->final_softcap);
    drift_graph_set_output(graph, x);
}
