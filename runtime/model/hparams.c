/* Tables of keys, one reader for all of them, then the checks that need several values at once. */
#include "runtime/model/hparams.h"

#include "runtime/model/arch.h"
#include "runtime/model/gguf.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define AT(field) offsetof(struct drift_hparams, field)

/* A row of the architecture with the same key comes before these. */
static const struct drift_hparam_key common_keys[] = {
    {"block_count",                          DRIFT_HPARAM_U32, AT(n_layers),                 1,     DRIFT_MAX_LAYERS,   true,  0    },
    {"context_length",                       DRIFT_HPARAM_U32, AT(ctx_tokens),               1,     DRIFT_MAX_CTX,      true,  0    },
    {"embedding_length",                     DRIFT_HPARAM_U32, AT(n_embd),                   1,     DRIFT_MAX_EMBD,     true,  0    },
    {"feed_forward_length",                  DRIFT_HPARAM_U32, AT(n_ff),                     1,     DRIFT_MAX_FF,       true,  0    },
    {"attention.head_count",                 DRIFT_HPARAM_U32, AT(n_heads),                  1,     DRIFT_MAX_HEADS,    true,  0    },
    {"attention.head_count_kv",              DRIFT_HPARAM_U32, AT(n_kv_heads),               1,     DRIFT_MAX_HEADS,    false, 0    },
    {"attention.key_length",                 DRIFT_HPARAM_U32, AT(head_dim),                 2,     DRIFT_MAX_HEAD_DIM, false, 0    },
    {"attention.layer_norm_rms_epsilon",     DRIFT_HPARAM_F32, AT(norm_eps),                 0,     1,                  true,  0    },
    {"attention.scale",                      DRIFT_HPARAM_F32, AT(attn_scale),               1e-6,  1e6,                false, 0    },
    {"rope.dimension_count",                 DRIFT_HPARAM_U32, AT(n_rot),                    2,     DRIFT_MAX_HEAD_DIM, false, 0    },
    {"rope.freq_base",                       DRIFT_HPARAM_F32, AT(rope.base),                1.001, 1e15,               false, 10000},
    {"rope.scaling.factor",                  DRIFT_HPARAM_F32, AT(rope.factor),              0,     1e6,                false, 1    },
    {"rope.scaling.original_context_length", DRIFT_HPARAM_U32, AT(rope.original_ctx_tokens), 1,
     DRIFT_MAX_CTX,                                                                                                     false, 0    },
    {"rope.scaling.yarn_beta_fast",          DRIFT_HPARAM_F32, AT(rope.beta_fast),           1e-3,  1e6,                false, 32   },
    {"rope.scaling.yarn_beta_slow",          DRIFT_HPARAM_F32, AT(rope.beta_slow),           1e-3,  1e6,                false, 1    },
    {"rope.scaling.yarn_ext_factor",         DRIFT_HPARAM_F32, AT(rope.ext_factor),          0,     1,                  false, 1    },
    {"rope.scaling.yarn_attn_factor",        DRIFT_HPARAM_F32, AT(rope.attn_factor),         1e-3,  1e3,                false, 1    },
};

/* Keys that would change what a layer computes: refused unless they say nothing. */
static const char *const refused_keys[] = {
    "expert_count",          "attention.clamp_kqv",    "attention.max_alibi_bias",
    "embedding_scale",       "residual_scale",         "logit_scale",
    "attention.q_lora_rank", "attention.kv_lora_rank", "rope.scaling.alpha"};

static const char *const scaling_names[DRIFT_ROPE_SCALING_COUNT] = {
    [DRIFT_ROPE_SCALING_NONE] = "none",
    [DRIFT_ROPE_SCALING_LINEAR] = "linear",
    [DRIFT_ROPE_SCALING_YARN] = "yarn",
};

struct reader {
    const struct drift_gguf *gguf;
    struct drift_hparams *hparams;
    struct drift_error *err;
    char key[128];
};

/* "<architecture>.<key>" into r->key. */
static const char *full_key(struct reader *r, const char *key)
{
    snprintf(r->key, sizeof r->key, "%s.%s", r->hparams->arch->name, key);
    return r->key;
}

static bool is_array(const struct reader *r, const char *key)
{
    const struct drift_gguf_kv *kv = drift_gguf_find_kv(r->gguf, key);
    return kv && kv->type == DRIFT_GGUF_TYPE_ARRAY;
}

/* One value per layer is taken when they are all the same. */
static enum drift_status read_uniform(struct reader *r, const char *key, uint32_t *ret)
{
    struct drift_gguf_array array;
    enum drift_status status =
        drift_gguf_get_array(r->gguf, key, DRIFT_GGUF_KIND_INTEGER, &array, r->err);
    if (status != DRIFT_STATUS_OK)
        return status;
    int64_t first = -1, value;
    for (uint64_t i = 0; i < array.count; i++) {
        if (!drift_gguf_array_i64(&array, i, &value) || value < 0 || value > UINT32_MAX)
            return drift_error_set(r->err, DRIFT_STATUS_CORRUPT, 0,
                                   "%s: value %llu is out of range", key, (unsigned long long)i);
        if (i > 0 && value != first)
            return drift_error_set(r->err, DRIFT_STATUS_UNSUPPORTED, 0,
                                   "%s differs between layers; that is not supported", key);
        first = value;
    }
    if (first < 0)
        return drift_error_set(r->err, DRIFT_STATUS_CORRUPT, 0, "%s is an empty array", key);
    *ret = (uint32_t)first;
    return DRIFT_STATUS_OK;
}

static enum drift_status check_range(struct reader *r, const struct drift_hparam_key *row,
                                     double value)
{
    if (value >= row->min && value <= row->max)
        return DRIFT_STATUS_OK;
    return drift_error_set(r->err,
                           value > row->max ? DRIFT_STATUS_UNSUPPORTED : DRIFT_STATUS_CORRUPT, 0,
                           "%s is %g, must be %g to %g", r->key, value, row->min, row->max);
}

static enum drift_status read_row(struct reader *r, const struct drift_hparam_key *row)
{
    char *field = (char *)r->hparams + row->offset;
    const char *key = full_key(r, row->key);
    uint32_t u32 = 0;
    float f32 = 0;
    enum drift_status status;
    if (row->type == DRIFT_HPARAM_F32)
        status = drift_gguf_get_f32(r->gguf, key, &f32, r->err);
    else
        status = is_array(r, key) ? read_uniform(r, key, &u32)
                                  : drift_gguf_get_u32(r->gguf, key, &u32, r->err);
    if (status == DRIFT_STATUS_NOT_FOUND) {
        if (row->required)
            return drift_error_set(r->err, DRIFT_STATUS_CORRUPT, 0, "%s is missing", key);
        u32 = row->type == DRIFT_HPARAM_U32 ? (uint32_t)row->fallback : 0;
        f32 = (float)row->fallback;
    } else if (status == DRIFT_STATUS_OK) {
        status = check_range(r, row, row->type == DRIFT_HPARAM_F32 ? (double)f32 : u32);
    }
    if (status != DRIFT_STATUS_OK && status != DRIFT_STATUS_NOT_FOUND)
        return status;
    if (row->type == DRIFT_HPARAM_F32)
        memcpy(field, &f32, sizeof f32);
    else
        memcpy(field, &u32, sizeof u32);
    return DRIFT_STATUS_OK;
}

static bool arch_has_key(const struct drift_arch *arch, const char *key)
{
    for (size_t i = 0; i < arch->n_keys; i++) {
        if (strcmp(arch->keys[i].key, key) == 0)
            return true;
    }
    return false;
}

static enum drift_status read_rows(struct reader *r)
{
    const struct drift_arch *arch = r->hparams->arch;
    enum drift_status status = DRIFT_STATUS_OK;
    for (size_t i = 0; status == DRIFT_STATUS_OK && i < DRIFT_COUNT_OF(common_keys); i++) {
        if (!arch_has_key(arch, common_keys[i].key))
            status = read_row(r, &common_keys[i]);
    }
    for (size_t i = 0; status == DRIFT_STATUS_OK && i < arch->n_keys; i++)
        status = read_row(r, &arch->keys[i]);
    return status;
}

/* A number that says "not used": 0, or 1 for a factor. */
static bool says_nothing(const struct drift_gguf *gguf, const char *key)
{
    float f32;
    uint64_t u64;
    if (drift_gguf_get_u64(gguf, key, &u64, NULL) == DRIFT_STATUS_OK)
        return u64 == 0;
    return drift_gguf_get_f32(gguf, key, &f32, NULL) == DRIFT_STATUS_OK && (f32 == 0 || f32 == 1);
}

static enum drift_status check_refused(struct reader *r)
{
    for (size_t i = 0; i < DRIFT_COUNT_OF(refused_keys); i++) {
        const char *key = full_key(r, refused_keys[i]);
        if (drift_gguf_find_kv(r->gguf, key) && !says_nothing(r->gguf, key))
            return drift_error_set(r->err, DRIFT_STATUS_UNSUPPORTED, 0,
                                   "%s is set; that variant of %s is not supported", key,
                                   r->hparams->arch->name);
    }
    return DRIFT_STATUS_OK;
}

/* Heads: key and value widths are one, and all of it divides. */
static enum drift_status finish_heads(struct reader *r)
{
    struct drift_hparams *h = r->hparams;
    uint32_t value_dim;
    if (h->n_kv_heads == 0)
        h->n_kv_heads = h->n_heads;
    if (h->n_heads % h->n_kv_heads != 0)
        return drift_error_set(r->err, DRIFT_STATUS_CORRUPT, 0,
                               "%u attention heads do not share %u K/V heads evenly", h->n_heads,
                               h->n_kv_heads);
    if (h->head_dim == 0) {
        h->head_dim = h->n_embd / h->n_heads;
        if (h->n_embd % h->n_heads != 0 || h->head_dim > DRIFT_MAX_HEAD_DIM || h->head_dim < 2)
            return drift_error_set(r->err, DRIFT_STATUS_CORRUPT, 0,
                                   "%u columns do not make %u attention heads of 2 to %u",
                                   h->n_embd, h->n_heads, DRIFT_MAX_HEAD_DIM);
    }
    value_dim = h->head_dim;
    const char *key = full_key(r, "attention.value_length");
    enum drift_status status = drift_gguf_get_u32(r->gguf, key, &value_dim, r->err);
    if (status != DRIFT_STATUS_OK && status != DRIFT_STATUS_NOT_FOUND)
        return status;
    if (value_dim != h->head_dim)
        return drift_error_set(r->err, DRIFT_STATUS_UNSUPPORTED, 0,
                               "heads of %u columns with values of %u are not supported",
                               h->head_dim, value_dim);
    if (h->attn_scale == 0) {
        bool wide = h->arch->wide_query_layers != 0 && h->n_layers == h->arch->wide_query_layers;
        h->attn_scale = 1.0f / sqrtf((float)(wide ? h->n_embd / h->n_heads : h->head_dim));
    }
    return DRIFT_STATUS_OK;
}

static enum drift_status read_scaling(struct reader *r)
{
    struct drift_rope_hparams *rope = &r->hparams->rope;
    struct drift_gguf_string name;
    const char *key = full_key(r, "rope.scaling.type");
    enum drift_status status = drift_gguf_get_string(r->gguf, key, &name, r->err);
    if (status == DRIFT_STATUS_NOT_FOUND) {
        /* A factor alone means linear; 0 and 1 mean nothing. */
        rope->scaling = rope->factor > 1 ? DRIFT_ROPE_SCALING_LINEAR : DRIFT_ROPE_SCALING_NONE;
        return DRIFT_STATUS_OK;
    }
    if (status != DRIFT_STATUS_OK)
        return status;
    for (unsigned i = 0; i < DRIFT_ROPE_SCALING_COUNT; i++) {
        if (strlen(scaling_names[i]) == name.len &&
            memcmp(scaling_names[i], name.data, name.len) == 0) {
            rope->scaling = (enum drift_rope_scaling)i;
            return DRIFT_STATUS_OK;
        }
    }
    return drift_error_set(r->err, DRIFT_STATUS_UNSUPPORTED, 0,
                           "%s is \"%.*s\"; supported are none, linear and yarn", key,
                           name.len < 32 ? (int)name.len : 32, name.data);
}

static enum drift_status finish_rope(struct reader *r)
{
    struct drift_hparams *h = r->hparams;
    enum drift_status status = read_scaling(r);
    if (status != DRIFT_STATUS_OK)
        return status;
    if (h->n_rot == 0)
        h->n_rot = h->head_dim;
    if (h->n_rot % 2 != 0 || h->n_rot > h->head_dim || h->head_dim % 2 != 0)
        return drift_error_set(r->err, DRIFT_STATUS_CORRUPT, 0,
                               "%u of a head's %u columns cannot be rotated in pairs", h->n_rot,
                               h->head_dim);
    if (h->rope.scaling != DRIFT_ROPE_SCALING_NONE && h->rope.factor < 1)
        return drift_error_set(r->err, DRIFT_STATUS_CORRUPT, 0, "%s is %g, must be at least 1",
                               full_key(r, "rope.scaling.factor"), (double)h->rope.factor);
    if (h->rope.original_ctx_tokens == 0)
        h->rope.original_ctx_tokens = h->ctx_tokens;
    float base = h->rope_local.base;
    if (base == 0)
        base = h->arch->local_rope_base != 0 ? h->arch->local_rope_base : h->rope.base;
    h->rope_local = (struct drift_rope_hparams){.base = base, .factor = 1};
    return DRIFT_STATUS_OK;
}

/* Which layers are local: an array of truth values, a period, or the architecture's period. */
static enum drift_status finish_window(struct reader *r)
{
    struct drift_hparams *h = r->hparams;
    uint32_t period = h->arch->local_pattern;
    if (h->window == 0 || period == 0) {
        h->window = 0;
        return DRIFT_STATUS_OK;
    }
    const char *key = full_key(r, "attention.sliding_window_pattern");
    struct drift_gguf_array array;
    if (is_array(r, key)) {
        enum drift_status status =
            drift_gguf_get_array(r->gguf, key, DRIFT_GGUF_KIND_BOOL, &array, r->err);
        if (status != DRIFT_STATUS_OK)
            return status;
        for (uint32_t i = 0; i < h->n_layers; i++) {
            if (!drift_gguf_array_bool(&array, i, &h->is_local[i]))
                return drift_error_set(r->err, DRIFT_STATUS_CORRUPT, 0,
                                       "%s has fewer values than layers", key);
        }
        return DRIFT_STATUS_OK;
    }
    enum drift_status status = drift_gguf_get_u32(r->gguf, key, &period, r->err);
    if (status != DRIFT_STATUS_OK && status != DRIFT_STATUS_NOT_FOUND)
        return status;
    for (uint32_t i = 0; i < h->n_layers; i++)
        h->is_local[i] = period != 0 && i % period != period - 1;
    return DRIFT_STATUS_OK;
}

static enum drift_status read_n_vocab(struct reader *r)
{
    const struct drift_gguf_tensor *embd = drift_gguf_find_tensor(r->gguf, "token_embd.weight");
    if (!embd)
        return drift_error_set(r->err, DRIFT_STATUS_CORRUPT, 0,
                               "tensor token_embd.weight is missing");
    if (embd->n_dims != 2 || embd->dims[1] == 0 || embd->dims[1] > DRIFT_MAX_VOCAB)
        return drift_error_set(r->err, DRIFT_STATUS_CORRUPT, 0,
                               "tensor token_embd.weight has %llu rows, must be 1 to %u",
                               (unsigned long long)embd->dims[1], DRIFT_MAX_VOCAB);
    r->hparams->n_vocab = (uint32_t)embd->dims[1];
    return DRIFT_STATUS_OK;
}

static enum drift_status find_arch(struct reader *r)
{
    struct drift_gguf_string name;
    enum drift_status status =
        drift_gguf_get_string(r->gguf, "general.architecture", &name, r->err);
    if (status == DRIFT_STATUS_NOT_FOUND)
        return drift_error_set(r->err, DRIFT_STATUS_CORRUPT, 0, "general.architecture is missing");
    if (status != DRIFT_STATUS_OK)
        return status;
    return drift_arch_find(name.data, name.len, &r->hparams->arch, r->err);
}

enum drift_status drift_hparams_read(const struct drift_gguf *gguf,
                                     struct drift_hparams *ret_hparams, struct drift_error *err)
{
    static enum drift_status (*const steps[])(struct reader *) = {
        find_arch,   read_rows,     check_refused, finish_heads,
        finish_rope, finish_window, read_n_vocab};
    struct drift_hparams hparams = {0};
    struct reader r = {.gguf = gguf, .hparams = &hparams, .err = err};
    for (size_t i = 0; i < DRIFT_COUNT_OF(steps); i++) {
        enum drift_status status = steps[i](&r);
        if (status != DRIFT_STATUS_OK)
            return status;
    }
    hparams.embd_scale = hparams.arch->has_embd_scale ? sqrtf((float)hparams.n_embd) : 1.0f;
    *ret_hparams = hparams;
    return DRIFT_STATUS_OK;
}
