/* The immutable part of a served model: made from the opened file, then only read. */
#include "runtime/sched/served.h"

#include "runtime/base/hash.h"
#include "runtime/model/gguf.h"
#include "runtime/model/hparams.h"
#include "runtime/sched/engine_impl.h"
#include "runtime/tokenizer/tokenizer.h"

#include <stdio.h>
#include <string.h>

_Static_assert((int)DRIFT_TOKENIZE_ADD_SPECIAL == (int)DRIFT_ENCODE_ADD_SPECIAL &&
                   (int)DRIFT_TOKENIZE_PARSE_SPECIAL == (int)DRIFT_ENCODE_PARSE_SPECIAL,
               "the flags are passed through");

struct drift_model *drift_model_ref(struct drift_model *model)
{
    atomic_fetch_add(&model->n_refs, 1);
    return model;
}

void drift_model_unref(struct drift_model *model)
{
    if (!model || atomic_fetch_sub(&model->n_refs, 1) != 1)
        return;
    drift_free(model->chat_template);
    drift_free(model->bos_text);
    drift_free(model->eos_text);
    drift_tokenizer_destroy(model->tokenizer);
    drift_free(model);
}

const char *drift_model_name(const struct drift_model *model)
{
    return model->name;
}

uint32_t drift_model_ctx_tokens(const struct drift_model *model)
{
    return model->ctx_tokens;
}

uint32_t drift_model_n_vocab(const struct drift_model *model)
{
    return model->n_vocab;
}

const char *drift_model_chat_template(const struct drift_model *model)
{
    return model->chat_template;
}

const char *drift_model_bos_text(const struct drift_model *model)
{
    return model->bos_text ? model->bos_text : "";
}

const char *drift_model_eos_text(const struct drift_model *model)
{
    return model->eos_text ? model->eos_text : "";
}

const char *drift_model_fingerprint(const struct drift_model *model)
{
    return model->fingerprint;
}

enum drift_status drift_model_tokenize(const struct drift_model *model, const char *text, size_t len,
                                       uint32_t flags, size_t max_tokens, int32_t **ret_tokens,
                                       size_t *ret_n, struct drift_error *err)
{
    struct drift_tokens tokens;
    drift_tokens_init(&tokens, max_tokens);
    enum drift_status status =
        drift_tokenizer_encode(model->tokenizer, text, len, flags, &tokens, err);
    if (status != DRIFT_STATUS_OK) {
        drift_tokens_fini(&tokens);
        return status;
    }
    *ret_tokens = tokens.ids;
    *ret_n = tokens.count;
    return DRIFT_STATUS_OK;
}

const char *drift_model_token_text(const struct drift_model *model, int32_t token, size_t *ret_len)
{
    return drift_tokenizer_token_text(model->tokenizer, token, ret_len);
}

/* ---- creation ---- */

/*
 * Templates of families whose files sometimes come without one, found by the turn markers in the vocabulary. They are the
 * published formats of ChatML and of Gemma, without tools.
 */
static const struct {
    const char *marker;
    const char *source;
} family_templates[] = {
    {"<|im_start|>", "{% for message in messages %}"
                     "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
                     "{% endfor %}"
                     "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"},
    {"<start_of_turn>",
     "{{ bos_token }}{% set ns = namespace(system='') %}{% for message in messages %}"
     "{% if message['role'] == 'system' %}{% set ns.system = message['content'] | trim + '\n\n' %}"
     "{% else %}{{ '<start_of_turn>' + ('model' if message['role'] == 'assistant' else message['role'])"
     " + '\n' + ns.system + message['content'] | trim + '<end_of_turn>\n' }}{% set ns.system = '' %}"
     "{% endif %}{% endfor %}"
     "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"},
};

static const char *family_template(const struct drift_tokenizer *tokenizer)
{
    for (size_t i = 0; i < DRIFT_COUNT_OF(family_templates); i++) {
        const char *marker = family_templates[i].marker;
        if (drift_tokenizer_find_special(tokenizer, marker, strlen(marker)) >= 0)
            return family_templates[i].source;
    }
    return NULL;
}

static char *choose_template(const struct drift_model_slot *slot, const struct drift_gguf *gguf,
                             const struct drift_tokenizer *tokenizer)
{
    if (slot->chat_template)
        return drift_strdup(DRIFT_TAG_MODEL, slot->chat_template);
    struct drift_gguf_string text;
    if (drift_gguf_get_string(gguf, "tokenizer.chat_template", &text, NULL) == DRIFT_STATUS_OK)
        return drift_strndup(DRIFT_TAG_MODEL, text.data, text.len);
    const char *family = family_template(tokenizer);
    return family ? drift_strdup(DRIFT_TAG_MODEL, family) : NULL;
}

static char *token_copy(const struct drift_tokenizer *tokenizer, int32_t id)
{
    size_t len;
    const char *text = drift_tokenizer_token_text(tokenizer, id, &len);
    return drift_strndup(DRIFT_TAG_MODEL, text, len);
}

static void copy_string(const struct drift_gguf *gguf, const char *key, char *out, size_t size)
{
    struct drift_gguf_string text;
    if (drift_gguf_get_string(gguf, key, &text, NULL) != DRIFT_STATUS_OK)
        return;
    size_t len = text.len < size ? text.len : size - 1;
    memcpy(out, text.data, len);
    out[len] = '\0';
}

static uint32_t count_of(const struct drift_gguf *gguf, const char *architecture, const char *suffix)
{
    char key[96];
    uint32_t value = 0;
    snprintf(key, sizeof key, "%s.%s", architecture, suffix);
    return drift_gguf_get_u32(gguf, key, &value, NULL) == DRIFT_STATUS_OK ? value : 0;
}

/* Parameters, and the data type that most bytes have. */
static void describe_tensors(const struct drift_gguf *gguf, struct drift_model_info *info)
{
    struct drift_gguf_info file;
    drift_gguf_get_info(gguf, &file);
    uint64_t bytes[DRIFT_DTYPE_COUNT] = {0};
    unsigned best = 0;
    for (uint64_t i = 0; i < file.n_tensors; i++) {
        const struct drift_gguf_tensor *t = drift_gguf_tensor_at(gguf, i);
        info->n_params += t->dims[0] * t->dims[1] * t->dims[2] * t->dims[3];
        if (!t->known_type)
            continue;
        bytes[t->dtype] += t->size_bytes;
        if (bytes[t->dtype] > bytes[best])
            best = t->dtype;
    }
    snprintf(info->file_type, sizeof info->file_type, "%s",
             drift_dtype_info((enum drift_dtype)best)->name);
}

static void describe(struct drift_model_slot *slot, const struct drift_gguf *gguf,
                     const struct drift_model *model)
{
    struct drift_model_info found = {0};
    copy_string(gguf, "general.architecture", found.architecture, sizeof found.architecture);
    copy_string(gguf, "general.name", found.description, sizeof found.description);
    describe_tensors(gguf, &found);
    pthread_mutex_lock(&slot->engine->lock);
    struct drift_model_info *info = &slot->info;
    memcpy(info->architecture, found.architecture, sizeof info->architecture);
    memcpy(info->description, found.description, sizeof info->description);
    memcpy(info->file_type, found.file_type, sizeof info->file_type);
    info->n_params = found.n_params;
    info->ctx_tokens = model->ctx_tokens;
    info->n_vocab = model->n_vocab;
    info->n_layers = count_of(gguf, found.architecture, "block_count");
    info->n_embd = count_of(gguf, found.architecture, "embedding_length");
    info->has_chat_template = model->chat_template != NULL;
    pthread_mutex_unlock(&slot->engine->lock);
}

static void set_fingerprint(struct drift_model *model, const struct drift_gguf *gguf,
                            const struct drift_model_slot *slot)
{
    struct drift_gguf_info file;
    drift_gguf_get_info(gguf, &file);
    uint64_t hash = drift_hash64(DRIFT_VERSION, strlen(DRIFT_VERSION), 0);
    hash = drift_hash64(slot->engine->device_id, strlen(slot->engine->device_id), hash);
    hash = drift_hash64(&file.file_bytes, sizeof file.file_bytes, hash);
    hash = drift_hash64(&slot->info.created_unix_s, sizeof slot->info.created_unix_s, hash);
    if (model->chat_template)
        hash = drift_hash64(model->chat_template, strlen(model->chat_template), hash);
    snprintf(model->fingerprint, sizeof model->fingerprint, "fp_%016llx", (unsigned long long)hash);
}

enum drift_status drift_served_create(struct drift_model_slot *slot, struct drift_model **ret_model,
                                      struct drift_error *err)
{
    const struct drift_gguf *gguf = drift_load_gguf(slot->loaded);
    struct drift_model *model = drift_alloc(DRIFT_TAG_MODEL, 1, sizeof *model);
    if (!model)
        return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "no memory for a model");
    atomic_init(&model->n_refs, 1);
    model->slot = slot;
    memcpy(model->name, slot->info.name, sizeof model->name);
    model->ctx_tokens = drift_load_ctx_tokens(slot->loaded);
    enum drift_status status = drift_tokenizer_create(gguf, &model->tokenizer, err);
    if (status != DRIFT_STATUS_OK)
        goto fail;
    const struct drift_tokenizer_info *info = drift_tokenizer_get_info(model->tokenizer);
    model->n_vocab = (uint32_t)info->n_tokens;
    uint32_t n_embeddings = drift_load_hparams(slot->loaded)->n_vocab;
    if (n_embeddings != model->n_vocab) {
        status = drift_error_set(err, DRIFT_STATUS_CORRUPT, 0,
                                 "the tokenizer has %u tokens and the embedding table %u rows",
                                 model->n_vocab, n_embeddings);
        goto fail;
    }
    model->bos_text = token_copy(model->tokenizer, info->bos);
    model->eos_text = token_copy(model->tokenizer, info->eos);
    model->chat_template = choose_template(slot, gguf, model->tokenizer);
    if (!model->bos_text || !model->eos_text) {
        status = drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "no memory for a model");
        goto fail;
    }
    set_fingerprint(model, gguf, slot);
    describe(slot, gguf, model);
    *ret_model = model;
    return DRIFT_STATUS_OK;
fail:
    drift_model_unref(model);
    return status;
}
