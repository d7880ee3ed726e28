/* From a request's bytes to token ids: the part of a generation that may run in the pool. */
#include "server/generation.h"

#include "runtime/base/log.h"
#include "server/server.h"
#include "server/templates.h"

#include <string.h>

#define PROMPT_CAP_BYTES (64u << 20)
/* A prompt is counted up to here; one that is longer still is only called longer. */
#define MAX_COUNTED_TOKENS (1u << 20)

bool drift_generation_parse(struct drift_generation *g, struct drift_api_error *error)
{
    g->is_parsed = drift_api_request_parse(g->reply.endpoint, drift_buf_cstr(&g->body), g->body.len,
                                           &g->request, error);
    return g->is_parsed;
}

static bool refuse_too_long(const struct drift_generation *g, const struct drift_error *err,
                            struct drift_api_error *error)
{
    if (err->status != DRIFT_STATUS_LIMIT)
        return drift_api_refuse_status(error, err);
    return drift_api_refuse(error, DRIFT_API_FAILURE_CONTEXT_LENGTH,
                            g->request.endpoint == DRIFT_API_CHAT ? "messages" : "prompt",
                            "This model's maximum context length is %u tokens; the prompt has more than %u",
                            drift_model_ctx_tokens(g->model), MAX_COUNTED_TOKENS);
}

static bool tokenize(struct drift_generation *g, struct drift_generation_run *run, const char *text,
                     size_t len, uint32_t flags, struct drift_api_error *error)
{
    struct drift_error err = {0};
    if (drift_model_tokenize(g->model, text, len, flags, MAX_COUNTED_TOKENS, &run->tokens, &run->n_tokens,
                             &err) != DRIFT_STATUS_OK)
        return refuse_too_long(g, &err, error);
    if (run->n_tokens == 0)
        return drift_api_refuse(error, DRIFT_API_FAILURE_INVALID_VALUE,
                                g->request.endpoint == DRIFT_API_CHAT ? "messages" : "prompt",
                                "the prompt is empty");
    return true;
}

/* ---- chat ---- */

static bool render(struct drift_generation *g, struct drift_buf *out, struct drift_api_error *error)
{
    const char *source = drift_model_chat_template(g->model);
    if (!source)
        return drift_api_refuse(error, DRIFT_API_FAILURE_UNSUPPORTED, "messages",
                                "model '%s' has no chat template; give it one with chat-template-file, or use "
                                "/v1/completions",
                                drift_model_name(g->model));
    struct drift_buf context;
    drift_buf_init(&context, DRIFT_TAG_API, PROMPT_CAP_BYTES);
    drift_api_write_template_context(&context, &g->request, drift_model_bos_text(g->model),
                                     drift_model_eos_text(g->model));
    struct drift_error err = {.status = DRIFT_STATUS_NO_MEMORY, .msg = "no memory for the messages"};
    struct drift_json *doc = NULL;
    struct drift_chat_template *t = NULL;
    const struct drift_json_limits json_limits = {
        .max_bytes = PROMPT_CAP_BYTES, .max_depth = 256, .max_values = 4000000};
    struct drift_template_limits limits = drift_template_default_limits;
    limits.now_unix_s = g->reply.created_unix_s;
    limits.max_output_bytes = PROMPT_CAP_BYTES;
    bool ok = !context.failed &&
              drift_json_parse(drift_buf_cstr(&context), context.len, &json_limits, &doc, &err) ==
                  DRIFT_STATUS_OK &&
              drift_chat_templates_get(g->server->templates, source, &t, &err) == DRIFT_STATUS_OK &&
              drift_template_render(drift_chat_template_compiled(t), doc, &limits, out, &err) ==
                  DRIFT_STATUS_OK;
    drift_chat_template_unref(t);
    drift_json_destroy(doc);
    drift_buf_fini(&context);
    if (ok)
        return true;
    drift_api_refuse_status(error, &err);
    if (err.status == DRIFT_STATUS_INVALID || err.status == DRIFT_STATUS_LIMIT)
        drift_api_refuse(error, DRIFT_API_FAILURE_INVALID_VALUE, "messages",
                         "the model's chat template refuses the messages: %s", err.msg);
    return false;
}

static bool make_chat_prompt(struct drift_generation *g, struct drift_api_error *error)
{
    struct drift_buf text;
    drift_buf_init(&text, DRIFT_TAG_API, PROMPT_CAP_BYTES);
    bool ok = render(g, &text, error);
    if (ok && g->server->live->server.log_prompts)
        drift_log(DRIFT_LOG_DEBUG, "prompt", "id=%s text=\"%s\"", g->request_id, drift_buf_cstr(&text));
    if (ok) {
        g->n_runs = 1;
        ok = tokenize(g, &g->runs[0], drift_buf_cstr(&text), text.len,
                      DRIFT_TOKENIZE_ADD_SPECIAL | DRIFT_TOKENIZE_PARSE_SPECIAL, error);
    }
    drift_buf_fini(&text);
    return ok;
}

/* ---- completions ---- */

static bool copy_tokens(struct drift_generation_run *run, const struct drift_api_prompt *prompt,
                        struct drift_api_error *error)
{
    if (prompt->n_tokens == 0)
        return drift_api_refuse(error, DRIFT_API_FAILURE_INVALID_VALUE, "prompt", "the prompt is empty");
    run->tokens = drift_alloc(DRIFT_TAG_API, prompt->n_tokens, sizeof *run->tokens);
    if (!run->tokens)
        return drift_api_refuse(error, DRIFT_API_FAILURE_OUT_OF_MEMORY, NULL, "no memory for the prompt");
    memcpy(run->tokens, prompt->tokens, prompt->n_tokens * sizeof *run->tokens);
    run->n_tokens = prompt->n_tokens;
    return true;
}

bool drift_generation_make_prompts(struct drift_generation *g, struct drift_api_error *error)
{
    if (g->request.endpoint == DRIFT_API_CHAT)
        return make_chat_prompt(g, error);
    for (uint32_t i = 0; i < g->request.n_prompts; i++) {
        const struct drift_api_prompt *prompt = &g->request.prompts[i];
        struct drift_generation_run *run = &g->runs[g->n_runs++];
        bool ok = prompt->text ? tokenize(g, run, prompt->text, prompt->n_text,
                                          DRIFT_TOKENIZE_ADD_SPECIAL | DRIFT_TOKENIZE_PARSE_SPECIAL, error)
                               : copy_tokens(run, prompt, error);
        if (!ok)
            return false;
    }
    return true;
}
