/* Creation, and questions about single tokens; see tokenizer.h. */
#include "runtime/tokenizer/tokenizer.h"

#include "runtime/tokenizer/tokenizer_impl.h"

#include <inttypes.h>
#include <string.h>

static const struct drift_tokenizer_ops *const families[] = {
    &drift_tokenizer_spm_ops,
    &drift_tokenizer_bpe_ops,
};

/* Control tokens after which nothing of the turn follows, in the order in which one is taken for
 * eot. */
static const char *const turn_ends[] = {
    "<|im_end|>", "<end_of_turn>",   "<|eot_id|>", "<|end|>",
    "<|eom_id|>", "<|end_of_turn|>", "<EOT>",
};
/* The same for the end of a text. */
static const char *const text_ends[] = {
    "<|endoftext|>", "<|end_of_text|>", "<eos>", "</s>", "<|eos|>",
};

/* An id from the metadata: -1 when absent or given as -1. */
static enum drift_status read_id(const struct drift_tokenizer *t, const struct drift_gguf *gguf,
                                 const char *key, const char *fallback, int32_t *ret,
                                 struct drift_error *err)
{
    int64_t id = -1;
    enum drift_status status = drift_gguf_get_i64(gguf, key, &id, err);
    if (status == DRIFT_STATUS_NOT_FOUND && fallback)
        id = drift_special_find(&t->special, fallback, strlen(fallback));
    else if (status != DRIFT_STATUS_OK && status != DRIFT_STATUS_NOT_FOUND)
        return status;
    if (id == UINT32_MAX)
        id = -1;
    if (id < -1 || id >= t->vocab.n_tokens)
        return drift_error_set(err, DRIFT_STATUS_CORRUPT, 0,
                               "%s is %" PRId64 "; the vocabulary has %" PRId32 " tokens", key, id,
                               t->vocab.n_tokens);
    *ret = (int32_t)id;
    return DRIFT_STATUS_OK;
}

static enum drift_status read_flag(const struct drift_gguf *gguf, const char *key, bool *flag,
                                   struct drift_error *err)
{
    enum drift_status status = drift_gguf_get_bool(gguf, key, flag, err);
    return status == DRIFT_STATUS_NOT_FOUND ? DRIFT_STATUS_OK : status;
}

static int32_t find_control(const struct drift_tokenizer *t, const char *name)
{
    return drift_special_find(&t->special, name, strlen(name));
}

static enum drift_status read_specials(struct drift_tokenizer *t, const struct drift_gguf *gguf,
                                       struct drift_error *err)
{
    struct drift_tokenizer_info *info = &t->info;
    const struct {
        const char *key, *fallback;
        int32_t *ret;
    } ids[] = {
        {"tokenizer.ggml.bos_token_id",     t->ops->bos_name, &info->bos},
        {"tokenizer.ggml.eos_token_id",     t->ops->eos_name, &info->eos},
        {"tokenizer.ggml.eot_token_id",     NULL,             &info->eot},
        {"tokenizer.ggml.unknown_token_id", NULL,             &info->unk},
        {"tokenizer.ggml.padding_token_id", NULL,             &info->pad},
    };
    enum drift_status status = DRIFT_STATUS_OK;
    for (size_t i = 0; i < DRIFT_COUNT_OF(ids) && status == DRIFT_STATUS_OK; i++)
        status = read_id(t, gguf, ids[i].key, ids[i].fallback, ids[i].ret, err);
    if (status == DRIFT_STATUS_OK)
        status = read_flag(gguf, "tokenizer.ggml.add_bos_token", &info->add_bos, err);
    if (status == DRIFT_STATUS_OK)
        status = read_flag(gguf, "tokenizer.ggml.add_eos_token", &info->add_eos, err);
    for (int32_t id = 0; id < t->vocab.n_tokens && info->unk < 0; id++) {
        if (drift_vocab_kind(&t->vocab, id) == DRIFT_TOKEN_UNKNOWN)
            info->unk = id;
    }
    for (size_t i = 0; i < DRIFT_COUNT_OF(turn_ends) && info->eot < 0; i++)
        info->eot = find_control(t, turn_ends[i]);
    return status;
}

static void mark_end(struct drift_tokenizer *t, int32_t id)
{
    if (id >= 0)
        t->is_end[id] = 1;
}

static enum drift_status mark_ends(struct drift_tokenizer *t, struct drift_error *err)
{
    t->is_end = drift_alloc(DRIFT_TAG_TOKENIZER, (size_t)t->vocab.n_tokens, sizeof(*t->is_end));
    if (!t->is_end)
        return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "out of memory for the tokenizer");
    mark_end(t, t->info.eos);
    mark_end(t, t->info.eot);
    for (size_t i = 0; i < DRIFT_COUNT_OF(turn_ends); i++)
        mark_end(t, find_control(t, turn_ends[i]));
    for (size_t i = 0; i < DRIFT_COUNT_OF(text_ends); i++) {
        int32_t id = find_control(t, text_ends[i]);
        if (id >= 0 && drift_vocab_kind(&t->vocab, id) == DRIFT_TOKEN_CONTROL)
            mark_end(t, id); /* "</s>" is HTML where it is not a control token */
    }
    return DRIFT_STATUS_OK;
}

static enum drift_status find_family(const struct drift_gguf *gguf,
                                     const struct drift_tokenizer_ops **ret,
                                     struct drift_error *err)
{
    struct drift_gguf_string model;
    enum drift_status status = drift_gguf_get_string(gguf, "tokenizer.ggml.model", &model, err);
    if (status != DRIFT_STATUS_OK)
        return status;
    for (size_t i = 0; i < DRIFT_COUNT_OF(families); i++) {
        if (strlen(families[i]->model) == model.len &&
            !memcmp(families[i]->model, model.data, model.len)) {
            *ret = families[i];
            return DRIFT_STATUS_OK;
        }
    }
    return drift_error_set(err, DRIFT_STATUS_UNSUPPORTED, 0,
                           "the tokenizer '%.*s' (tokenizer.ggml.model) is not supported",
                           (int)(model.len < 60 ? model.len : 60), model.data);
}

static enum drift_status load(struct drift_tokenizer *t, const struct drift_gguf *gguf,
                              struct drift_error *err)
{
    enum drift_status status = find_family(gguf, &t->ops, err);
    if (status != DRIFT_STATUS_OK)
        return status;
    t->info = (struct drift_tokenizer_info){
        .model = t->ops->model, .pre = "", .bos = -1, .eos = -1, .eot = -1, .unk = -1, .pad = -1};
    t->info.add_bos = t->ops->add_bos;
    status = drift_vocab_init(&t->vocab, gguf, t->ops->text, err);
    t->info.n_tokens = t->vocab.n_tokens;
    if (status == DRIFT_STATUS_OK)
        status = drift_special_init(&t->special, &t->vocab, err);
    if (status == DRIFT_STATUS_OK)
        status = t->ops->load(t, gguf, err);
    if (status == DRIFT_STATUS_OK)
        status = read_specials(t, gguf, err);
    return status == DRIFT_STATUS_OK ? mark_ends(t, err) : status;
}

enum drift_status drift_tokenizer_create(const struct drift_gguf *gguf,
                                         struct drift_tokenizer **ret_tokenizer,
                                         struct drift_error *err)
{
    struct drift_tokenizer *t = drift_alloc(DRIFT_TAG_TOKENIZER, 1, sizeof(*t));
    if (!t)
        return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "out of memory for the tokenizer");
    enum drift_status status = load(t, gguf, err);
    if (status == DRIFT_STATUS_OK)
        *ret_tokenizer = t;
    else
        drift_tokenizer_destroy(t);
    return status;
}

void drift_tokenizer_destroy(struct drift_tokenizer *tokenizer)
{
    if (!tokenizer)
        return;
    drift_vocab_fini(&tokenizer->vocab);
    drift_special_fini(&tokenizer->special);
    drift_pretokenizer_fini(&tokenizer->pretokenizer);
    drift_free(tokenizer->is_end);
    drift_free(tokenizer->merges);
    drift_free(tokenizer->ranks);
    drift_free(tokenizer);
}

const struct drift_tokenizer_info *drift_tokenizer_get_info(const struct drift_tokenizer *tokenizer)
{
    return &tokenizer->info;
}

static bool in_range(const struct drift_tokenizer *t, int32_t id)
{
    return id >= 0 && id < t->vocab.n_tokens;
}

bool drift_tokenizer_is_end(const struct drift_tokenizer *tokenizer, int32_t id)
{
    return in_range(tokenizer, id) && tokenizer->is_end[id];
}

enum drift_token_kind drift_tokenizer_token_kind(const struct drift_tokenizer *tokenizer,
                                                 int32_t id)
{
    return in_range(tokenizer, id) ? drift_vocab_kind(&tokenizer->vocab, id) : DRIFT_TOKEN_UNUSED;
}

const char *drift_tokenizer_token_text(const struct drift_tokenizer *tokenizer, int32_t id,
                                       size_t *ret_len)
{
    *ret_len = 0;
    return in_range(tokenizer, id) ? drift_vocab_text(&tokenizer->vocab, id, ret_len) : "";
}

int32_t drift_tokenizer_find_special(const struct drift_tokenizer *tokenizer, const char *text,
                                     size_t len)
{
    return drift_special_find(&tokenizer->special, text, len);
}
