/* Writers of answers; see response.h. */
#include "api/openai/response.h"

#include "runtime/base/hash.h"

#include <stdio.h>
#include <string.h>

void drift_api_reply_init(struct drift_api_reply *reply, enum drift_api_endpoint endpoint,
                          const char *model, const char *fingerprint, int64_t created_unix_s)
{
    *reply = (struct drift_api_reply){.endpoint = endpoint,
                                      .created_unix_s = created_unix_s,
                                      .model = model,
                                      .fingerprint = fingerprint};
    unsigned char random[12];
    drift_random_bytes(random, sizeof random);
    int n = snprintf(reply->id, sizeof reply->id, "%s",
                     endpoint == DRIFT_API_CHAT ? "chatcmpl-" : "cmpl-");
    for (size_t i = 0; i < sizeof random; i++)
        n += snprintf(reply->id + n, sizeof reply->id - (size_t)n, "%02x", random[i]);
}

static void begin_object(struct drift_json_writer *w, const struct drift_api_reply *reply,
                         bool is_chunk)
{
    const char *kind = reply->endpoint == DRIFT_API_COMPLETION ? "text_completion"
                       : is_chunk                              ? "chat.completion.chunk"
                                                               : "chat.completion";
    drift_json_begin_object(w);
    drift_json_member_string(w, "id", reply->id);
    drift_json_member_string(w, "object", kind);
    drift_json_member_int(w, "created", reply->created_unix_s);
    drift_json_member_string(w, "model", reply->model);
    drift_json_member_string(w, "system_fingerprint", reply->fingerprint);
}

static void write_usage(struct drift_json_writer *w, const struct drift_api_usage *usage)
{
    drift_json_write_key(w, "usage");
    drift_json_begin_object(w);
    drift_json_member_int(w, "prompt_tokens", usage->n_prompt_tokens);
    drift_json_member_int(w, "completion_tokens", usage->n_completion_tokens);
    drift_json_member_int(w, "total_tokens",
                          (int64_t)usage->n_prompt_tokens + usage->n_completion_tokens);
    drift_json_write_key(w, "prompt_tokens_details");
    drift_json_begin_object(w);
    drift_json_member_int(w, "cached_tokens", usage->n_cached_tokens);
    drift_json_end_object(w);
    drift_json_write_key(w, "completion_tokens_details");
    drift_json_begin_object(w);
    drift_json_member_int(w, "reasoning_tokens", 0);
    drift_json_end_object(w);
    drift_json_end_object(w);
}

/* ---- logprobs, in the two shapes ---- */

static void write_token(struct drift_json_writer *w, const struct drift_api_token_text *token)
{
    drift_json_write_key(w, "token");
    drift_json_write_string(w, token->bytes, token->len);
    drift_json_member_double(w, "logprob", (double)token->logprob);
    drift_json_write_key(w, "bytes");
    drift_json_begin_array(w);
    for (size_t i = 0; i < token->len; i++)
        drift_json_write_int(w, (unsigned char)token->bytes[i]);
    drift_json_end_array(w);
}

static void write_chat_logprobs(struct drift_json_writer *w, const struct drift_api_choice *choice)
{
    drift_json_begin_object(w);
    drift_json_write_key(w, "content");
    drift_json_begin_array(w);
    for (size_t i = 0; i < choice->n_logprobs; i++) {
        const struct drift_api_logprob *l = &choice->logprobs[i];
        drift_json_begin_object(w);
        write_token(w, &l->chosen);
        drift_json_write_key(w, "top_logprobs");
        drift_json_begin_array(w);
        for (uint32_t k = 0; k < l->n_top; k++) {
            drift_json_begin_object(w);
            write_token(w, &l->top[k]);
            drift_json_end_object(w);
        }
        drift_json_end_array(w);
        drift_json_end_object(w);
    }
    drift_json_end_array(w);
    drift_json_member_null(w, "refusal");
    drift_json_end_object(w);
}

/* A key of top_logprobs must be text: bytes that are no character of their own get a readable name. */
static void write_key_bytes(struct drift_json_writer *w, const struct drift_api_token_text *token)
{
    char key[512];
    size_t n = token->len < sizeof key ? token->len : sizeof key - 1;
    memcpy(key, token->bytes, n);
    key[n] = '\0';
    drift_json_write_key(w, key);
}

static bool seen_before(const struct drift_api_logprob *l, uint32_t k)
{
    for (uint32_t i = 0; i < k; i++)
        if (l->top[i].len == l->top[k].len && memcmp(l->top[i].bytes, l->top[k].bytes, l->top[k].len) == 0)
            return true;
    return false;
}

static void write_completion_logprobs(struct drift_json_writer *w,
                                      const struct drift_api_choice *choice)
{
    drift_json_begin_object(w);
    drift_json_write_key(w, "tokens");
    drift_json_begin_array(w);
    for (size_t i = 0; i < choice->n_logprobs; i++)
        drift_json_write_string(w, choice->logprobs[i].chosen.bytes, choice->logprobs[i].chosen.len);
    drift_json_end_array(w);
    drift_json_write_key(w, "token_logprobs");
    drift_json_begin_array(w);
    for (size_t i = 0; i < choice->n_logprobs; i++)
        drift_json_write_double(w, (double)choice->logprobs[i].chosen.logprob);
    drift_json_end_array(w);
    drift_json_write_key(w, "top_logprobs");
    drift_json_begin_array(w);
    for (size_t i = 0; i < choice->n_logprobs; i++) {
        const struct drift_api_logprob *l = &choice->logprobs[i];
        drift_json_begin_object(w);
        for (uint32_t k = 0; k < l->n_top; k++) {
            if (seen_before(l, k))
                continue;
            write_key_bytes(w, &l->top[k]);
            drift_json_write_double(w, (double)l->top[k].logprob);
        }
        drift_json_end_object(w);
    }
    drift_json_end_array(w);
    drift_json_write_key(w, "text_offset");
    drift_json_begin_array(w);
    for (size_t i = 0; i < choice->n_logprobs; i++)
        drift_json_write_int(w, (int64_t)choice->logprobs[i].text_offset);
    drift_json_end_array(w);
    drift_json_end_object(w);
}

static void write_logprobs(struct drift_json_writer *w, const struct drift_api_reply *reply,
                           const struct drift_api_choice *choice)
{
    drift_json_write_key(w, "logprobs");
    if (!choice->has_logprobs || (choice->n_logprobs == 0 && choice->finish == DRIFT_API_FINISH_NONE))
        drift_json_write_null(w);
    else if (reply->endpoint == DRIFT_API_CHAT)
        write_chat_logprobs(w, choice);
    else
        write_completion_logprobs(w, choice);
}

static void write_finish(struct drift_json_writer *w, enum drift_api_finish finish)
{
    static const char *const names[DRIFT_API_FINISH_COUNT] = {NULL, "stop", "length"};
    if (names[finish])
        drift_json_member_string(w, "finish_reason", names[finish]);
    else
        drift_json_member_null(w, "finish_reason");
}

/* ---- choices ---- */

static void write_choice(struct drift_json_writer *w, const struct drift_api_reply *reply,
                         const struct drift_api_choice *choice, bool is_chunk)
{
    drift_json_begin_object(w);
    drift_json_member_int(w, "index", choice->index);
    if (reply->endpoint == DRIFT_API_COMPLETION) {
        drift_json_write_key(w, "text");
        drift_json_write_string(w, choice->text, choice->n_text);
    } else {
        drift_json_write_key(w, is_chunk ? "delta" : "message");
        drift_json_begin_object(w);
        if (choice->is_first || !is_chunk)
            drift_json_member_string(w, "role", "assistant");
        if (choice->is_first || !is_chunk || choice->n_text > 0) {
            drift_json_write_key(w, "content");
            drift_json_write_string(w, choice->text, choice->n_text);
        }
        if (!is_chunk)
            drift_json_member_null(w, "refusal");
        drift_json_end_object(w);
    }
    write_logprobs(w, reply, choice);
    write_finish(w, choice->finish);
    drift_json_end_object(w);
}

void drift_api_write_reply(struct drift_buf *out, const struct drift_api_reply *reply,
                           const struct drift_api_choice *choices, size_t n_choices,
                           const struct drift_api_usage *usage)
{
    struct drift_json_writer w;
    drift_json_writer_init(&w, out);
    begin_object(&w, reply, false);
    drift_json_write_key(&w, "choices");
    drift_json_begin_array(&w);
    for (size_t i = 0; i < n_choices; i++)
        write_choice(&w, reply, &choices[i], false);
    drift_json_end_array(&w);
    write_usage(&w, usage);
    drift_json_end_object(&w);
}

void drift_api_write_chunk(struct drift_buf *out, const struct drift_api_reply *reply,
                           const struct drift_api_choice *choice)
{
    struct drift_json_writer w;
    drift_json_writer_init(&w, out);
    begin_object(&w, reply, true);
    drift_json_write_key(&w, "choices");
    drift_json_begin_array(&w);
    write_choice(&w, reply, choice, true);
    drift_json_end_array(&w);
    if (reply->include_usage)
        drift_json_member_null(&w, "usage");
    drift_json_end_object(&w);
}

void drift_api_write_usage_chunk(struct drift_buf *out, const struct drift_api_reply *reply,
                                 const struct drift_api_usage *usage)
{
    struct drift_json_writer w;
    drift_json_writer_init(&w, out);
    begin_object(&w, reply, true);
    drift_json_write_key(&w, "choices");
    drift_json_begin_array(&w);
    drift_json_end_array(&w);
    write_usage(&w, usage);
    drift_json_end_object(&w);
}

void drift_api_write_model(struct drift_json_writer *w, const struct drift_api_model *model)
{
    drift_json_begin_object(w);
    drift_json_member_string(w, "id", model->id);
    drift_json_member_string(w, "object", "model");
    drift_json_member_int(w, "created", model->created_unix_s);
    drift_json_member_string(w, "owned_by", "driftd");
    drift_json_member_string(w, "status", model->status);
    if (model->ctx_tokens)
        drift_json_member_int(w, "max_model_len", model->ctx_tokens);
    drift_json_end_object(w);
}
