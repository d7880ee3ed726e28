/* The life of an answer; see generation.h. */
#include "server/generation.h"

#include "runtime/base/clock.h"
#include "runtime/base/log.h"
#include "runtime/base/utf8.h"
#include "server/server.h"

#include <string.h>

/* Bodies above this are parsed and tokenized in the pool: a millisecond of work, more or less. */
#define POOL_BODY_BYTES (16u << 10)
#define TEXT_CAP_BYTES  (64u << 20)

/* ---- birth and death ---- */

static void release_runs(struct drift_generation *g)
{
    for (uint32_t i = 0; i < DRIFT_API_MAX_PROMPTS; i++) {
        drift_request_release(g->runs[i].handle);
        g->runs[i].handle = NULL;
        drift_free(g->runs[i].tokens);
        g->runs[i].tokens = NULL;
    }
}

static uint32_t n_choices(const struct drift_generation *g)
{
    return g->n_runs * g->request.n_choices;
}

static void destroy(struct drift_generation *g)
{
    if (g->prev)
        g->prev->next = g->next;
    else
        g->server->generations = g->next;
    if (g->next)
        g->next->prev = g->prev;
    g->server->n_generations--;
    release_runs(g);
    for (uint32_t i = 0; g->choices && i < n_choices(g); i++) {
        drift_buf_fini(&g->choices[i].text);
        drift_free(g->choices[i].logprobs);
    }
    drift_free(g->choices);
    drift_model_unref(g->model);
    if (g->is_parsed)
        drift_api_request_fini(&g->request);
    drift_buf_fini(&g->body);
    drift_free(g);
}

static void on_gone(struct drift_exchange_user *user)
{
    struct drift_generation *g = (struct drift_generation *)user;
    g->x = NULL;
    if (!g->is_in_pool)
        destroy(g);
}

/* The reply is on its way and needs nothing of g any more. */
static void part(struct drift_generation *g)
{
    g->x->user = NULL;
    destroy(g);
}

static void fail(struct drift_generation *g, const struct drift_api_error *error)
{
    struct drift_exchange *x = g->x;
    if (x->phase == DRIFT_EXCHANGE_STREAMING) {
        drift_buf_append_str(&x->out, "data: ");
        drift_api_write_error(&x->out, error);
        drift_buf_append_str(&x->out, "\n\ndata: [DONE]\n\n");
        part(g);
        drift_exchange_end_stream(x);
    } else {
        part(g);
        drift_exchange_fail(x, error);
    }
}

/* ---- work in the pool, or here when it is little ---- */

static void after_job(uv_work_t *work, int status)
{
    (void)status;
    struct drift_generation *g = work->data;
    g->is_in_pool = false;
    if (!g->x)
        destroy(g); /* the client left meanwhile */
    else if (!g->ok) {
        struct drift_api_error error = g->error; /* g goes first */
        fail(g, &error);
    } else
        g->then(g);
}

static void run_job(uv_work_t *work)
{
    struct drift_generation *g = work->data;
    g->ok = g->job(g, &g->error);
}

static void do_job(struct drift_generation *g,
                   bool (*job)(struct drift_generation *, struct drift_api_error *),
                   void (*then)(struct drift_generation *))
{
    g->work.data = g;
    g->job = job;
    g->then = then;
    g->is_in_pool = true;
    bool is_long = g->body.len > POOL_BODY_BYTES;
    if (is_long && uv_queue_work(&g->server->loop, &g->work, run_job, after_job) == 0)
        return;
    run_job(&g->work);
    after_job(&g->work, 0);
}

/* ---- events ---- */

static struct drift_api_token_text token_text(const struct drift_generation *g, int32_t token, float logprob)
{
    struct drift_api_token_text t = {.logprob = logprob};
    t.bytes = drift_model_token_text(g->model, token, &t.len);
    return t;
}

static struct drift_api_logprob logprob_of(const struct drift_generation *g, const struct drift_event *e,
                                           uint64_t offset)
{
    struct drift_api_logprob l = {.chosen = token_text(g, e->token, e->logprob), .n_top = e->n_top,
                                  .text_offset = offset};
    for (uint32_t i = 0; i < e->n_top; i++)
        l.top[i] = token_text(g, e->top[i].token, e->top[i].logprob);
    return l;
}

static uint64_t count_characters(const char *text, size_t len)
{
    uint64_t n = 0;
    for (size_t i = 0; i < len; i++)
        n += ((unsigned char)text[i] & 0xc0) != 0x80;
    return n;
}

static void write_chunk(struct drift_generation *g, const struct drift_api_choice *choice)
{
    struct drift_buf *out = &g->x->out;
    drift_buf_append_str(out, "data: ");
    drift_api_write_chunk(out, &g->reply, choice);
    drift_buf_append_str(out, "\n\n");
}

static bool keep_logprob(struct drift_generation_choice *c, const struct drift_api_logprob *l)
{
    if (c->n_logprobs == c->cap_logprobs) {
        size_t cap = c->cap_logprobs ? c->cap_logprobs * 2 : 32;
        struct drift_api_logprob *more = drift_realloc(DRIFT_TAG_API, c->logprobs, cap, sizeof *more);
        if (!more)
            return false;
        c->logprobs = more;
        c->cap_logprobs = cap;
    }
    c->logprobs[c->n_logprobs++] = *l;
    return true;
}

static bool take_token(struct drift_generation *g, uint32_t index, const struct drift_event *e)
{
    struct drift_generation_choice *c = &g->choices[index];
    bool wants_logprobs = g->request.n_top_logprobs >= 0 && e->token >= 0;
    struct drift_api_logprob l;
    if (wants_logprobs)
        l = logprob_of(g, e, c->n_characters);
    c->n_characters += count_characters(e->text, e->n_text);
    if (g->is_stream) {
        const struct drift_api_choice choice = {.index = index,
                                                .text = e->text,
                                                .n_text = e->n_text,
                                                .has_logprobs = g->request.n_top_logprobs >= 0,
                                                .logprobs = &l,
                                                .n_logprobs = wants_logprobs};
        if (e->n_text > 0 || wants_logprobs)
            write_chunk(g, &choice);
        return true;
    }
    drift_buf_append(&c->text, e->text, e->n_text);
    return !c->text.failed && (!wants_logprobs || keep_logprob(c, &l));
}

/* The role comes before anything else of a chat's choices. */
static void write_roles(struct drift_generation *g, uint32_t first)
{
    if (!g->is_stream || g->request.endpoint != DRIFT_API_CHAT)
        return;
    for (uint32_t i = 0; i < g->request.n_choices; i++)
        write_chunk(g, &(struct drift_api_choice){
                           .index = first + i, .text = "", .is_first = true,
                           .has_logprobs = g->request.n_top_logprobs >= 0});
}

static void take_finish(struct drift_generation *g, uint32_t index, enum drift_finish finish)
{
    struct drift_generation_choice *c = &g->choices[index];
    c->finish = finish == DRIFT_FINISH_LENGTH ? DRIFT_API_FINISH_LENGTH : DRIFT_API_FINISH_STOP;
    if (g->is_stream)
        write_chunk(g, &(struct drift_api_choice){.index = index, .text = "", .finish = c->finish});
}

static void complete(struct drift_generation *g)
{
    struct drift_exchange *x = g->x;
    if (g->is_stream) {
        if (g->reply.include_usage) {
            drift_buf_append_str(&x->out, "data: ");
            drift_api_write_usage_chunk(&x->out, &g->reply, &g->usage);
            drift_buf_append_str(&x->out, "\n\n");
        }
        drift_buf_append_str(&x->out, "data: [DONE]\n\n");
        part(g);
        drift_exchange_end_stream(x);
        return;
    }
    struct drift_api_choice *choices = drift_alloc(DRIFT_TAG_API, n_choices(g), sizeof *choices);
    for (uint32_t i = 0; choices && i < n_choices(g); i++)
        choices[i] = (struct drift_api_choice){.index = i,
                                               .text = drift_buf_cstr(&g->choices[i].text),
                                               .n_text = g->choices[i].text.len,
                                               .has_logprobs = g->request.n_top_logprobs >= 0,
                                               .logprobs = g->choices[i].logprobs,
                                               .n_logprobs = g->choices[i].n_logprobs,
                                               .finish = g->choices[i].finish};
    if (choices)
        drift_api_write_reply(&x->out, &g->reply, choices, n_choices(g), &g->usage);
    else
        x->out.failed = true; /* the exchange says so */
    drift_free(choices);
    part(g);
    drift_exchange_reply(x, 200, "application/json");
}

/* One event; false when the answer has ended (and g is gone). */
static bool take_event(struct drift_generation *g, uint32_t i_run, const struct drift_event *e)
{
    uint32_t first = i_run * g->request.n_choices;
    struct drift_api_error error;
    switch (e->kind) {
    case DRIFT_EVENT_STARTED:
        write_roles(g, first);
        return true;
    case DRIFT_EVENT_TOKEN:
        if (take_token(g, first + e->choice, e))
            return true;
        drift_api_refuse(&error, DRIFT_API_FAILURE_OUT_OF_MEMORY, NULL, "no memory for the answer");
        fail(g, &error);
        return false;
    case DRIFT_EVENT_FINISHED:
        if (e->finish != DRIFT_FINISH_CANCELLED) {
            take_finish(g, first + e->choice, e->finish);
            return true;
        }
        drift_api_refuse(&error, DRIFT_API_FAILURE_MODEL_UNAVAILABLE, NULL,
                         "the model was unloaded before the answer was complete");
        fail(g, &error);
        return false;
    case DRIFT_EVENT_DONE:
        g->usage.n_prompt_tokens += e->n_prompt_tokens;
        g->usage.n_cached_tokens += e->n_cached_tokens;
        g->usage.n_completion_tokens += e->n_completion_tokens;
        g->runs[i_run].is_done = true;
        if (++g->n_done < g->n_runs)
            return true;
        complete(g);
        return false;
    default:
        drift_api_refuse_status(&error, &e->error);
        fail(g, &error);
        return false;
    }
}

static void take_events(struct drift_generation *g)
{
    struct drift_exchange *x = g->x;
    for (uint32_t i = 0; i < g->n_runs; i++) {
        struct drift_event e;
        while (drift_exchange_has_room(x) && g->runs[i].handle && !g->runs[i].is_done &&
               drift_request_next_event(g->runs[i].handle, &e))
            if (!take_event(g, i, &e))
                return;
    }
    if (g->is_stream && x->out.len > 0)
        drift_exchange_flush(x);
}

static void on_room(struct drift_exchange_user *user)
{
    take_events((struct drift_generation *)user);
}

void drift_generations_take_events(struct drift_server *server)
{
    for (size_t i = 0; i < server->n_engines; i++) {
        struct drift_request *r;
        while ((r = drift_engine_next_ready(server->engines[i].engine)))
            take_events(drift_request_user(r));
    }
}

void drift_generations_fail_all(struct drift_server *server, const struct drift_api_error *error)
{
    for (struct drift_generation *g = server->generations, *next; g; g = next) {
        next = g->next;
        if (g->x && !g->is_in_pool)
            fail(g, error);
    }
}

/* ---- submit ---- */

static void fail_submit(struct drift_generation *g, const struct drift_error *err)
{
    struct drift_api_error error;
    drift_api_refuse_status(&error, err);
    if (err->status == DRIFT_STATUS_NO_MEMORY)
        error.failure = DRIFT_API_FAILURE_INSUFFICIENT_MEMORY;
    if (err->status == DRIFT_STATUS_CONTEXT_LENGTH)
        memcpy(error.param, g->request.endpoint == DRIFT_API_CHAT ? "messages" : "prompt",
               g->request.endpoint == DRIFT_API_CHAT ? 9 : 7);
    if (err->status == DRIFT_STATUS_BUSY || err->status == DRIFT_STATUS_UNAVAILABLE)
        error.retry_after_s = drift_engine_retry_after_s(g->engine);
    fail(g, &error);
}

static enum drift_status submit_run(struct drift_generation *g, uint32_t i, struct drift_error *err)
{
    const struct drift_api_request *request = &g->request;
    struct drift_generation_run *run = &g->runs[i];
    const struct drift_request_params params = {.id = g->request_id,
                                                .model = g->model,
                                                .prompt = run->tokens,
                                                .n_prompt = (uint32_t)run->n_tokens,
                                                .n_choices = request->n_choices,
                                                .max_tokens = request->max_tokens,
                                                .sampling = request->sampling,
                                                .stops = request->stops,
                                                .n_stops = request->n_stops,
                                                .n_top_logprobs = request->n_top_logprobs,
                                                .ignore_eos = request->ignore_eos,
                                                .user = g};
    enum drift_status status = drift_engine_submit(g->engine, &params, &run->handle, err);
    if (status != DRIFT_STATUS_OK || g->request.echo)
        return status;
    drift_free(run->tokens); /* the engine has its copy */
    run->tokens = NULL;
    return DRIFT_STATUS_OK;
}

/* The prompt's text comes first in every choice of its run. */
static bool echo_prompts(struct drift_generation *g)
{
    struct drift_buf text;
    drift_buf_init(&text, DRIFT_TAG_API, TEXT_CAP_BYTES);
    bool ok = true;
    for (uint32_t i = 0; i < g->n_runs && ok; i++) {
        const struct drift_api_prompt *prompt = &g->request.prompts[i];
        drift_buf_reset(&text);
        if (prompt->text)
            drift_buf_append(&text, prompt->text, prompt->n_text);
        for (size_t t = 0; !prompt->text && t < g->runs[i].n_tokens; t++) {
            size_t len;
            const char *bytes = drift_model_token_text(g->model, g->runs[i].tokens[t], &len);
            drift_buf_append(&text, bytes, len);
        }
        ok = !text.failed;
        for (uint32_t c = 0; c < g->request.n_choices && ok; c++) {
            uint32_t index = i * g->request.n_choices + c;
            g->choices[index].n_characters = count_characters(drift_buf_cstr(&text), text.len);
            if (g->is_stream)
                write_chunk(g, &(struct drift_api_choice){
                                   .index = index, .text = drift_buf_cstr(&text), .n_text = text.len});
            else
                drift_buf_append(&g->choices[index].text, drift_buf_cstr(&text), text.len);
        }
    }
    drift_buf_fini(&text);
    return ok;
}

static void submit(struct drift_generation *g)
{
    struct drift_error err = {0};
    g->choices = drift_alloc(DRIFT_TAG_API, n_choices(g), sizeof *g->choices);
    if (!g->choices) {
        drift_error_set(&err, DRIFT_STATUS_NO_MEMORY, 0, "no memory for %u answers", n_choices(g));
        fail_submit(g, &err);
        return;
    }
    for (uint32_t i = 0; i < n_choices(g); i++)
        drift_buf_init(&g->choices[i].text, DRIFT_TAG_API, TEXT_CAP_BYTES);
    for (uint32_t i = 0; i < g->n_runs; i++) {
        if (submit_run(g, i, &err) != DRIFT_STATUS_OK) {
            fail_submit(g, &err);
            return;
        }
    }
    g->is_stream = g->request.stream;
    g->reply.include_usage = g->request.include_usage;
    if (g->is_stream)
        drift_exchange_stream(g->x);
    if (g->request.echo && !echo_prompts(g)) {
        drift_error_set(&err, DRIFT_STATUS_NO_MEMORY, 0, "no memory to echo the prompt");
        fail_submit(g, &err);
        return;
    }
    take_events(g);
}

/* ---- model ---- */

static void fail_model(struct drift_generation *g, const struct drift_model_info *info,
                       const struct drift_error *err)
{
    struct drift_api_error error;
    switch (info->state) {
    case DRIFT_MODEL_ABSENT:
    case DRIFT_MODEL_QUEUED:
    case DRIFT_MODEL_LOADING:
    case DRIFT_MODEL_READY:
        drift_api_refuse(&error, DRIFT_API_FAILURE_MODEL_LOADING, NULL, "model '%s' is loading", info->name);
        error.retry_after_s = 1;
        break;
    case DRIFT_MODEL_FAILED:
        drift_api_refuse(&error, DRIFT_API_FAILURE_MODEL_FAILED, NULL, "model '%s' could not be loaded: %s",
                         info->name, info->error.msg[0] ? info->error.msg : err->msg);
        break;
    default:
        drift_api_refuse(&error, DRIFT_API_FAILURE_MODEL_UNAVAILABLE, NULL, "model '%s' is being unloaded",
                         info->name);
        error.retry_after_s = 1;
    }
    fail(g, &error);
}

static void find_model(struct drift_generation *g)
{
    struct drift_api_error error;
    const char *name = g->request.model;
    if (!name[0] && g->server->live->models.default_model)
        name = g->server->live->models.default_model;
    if (!name[0]) {
        drift_api_refuse(&error, DRIFT_API_FAILURE_MISSING, "model", "you must name a model; see GET /v1/models");
        fail(g, &error);
        return;
    }
    struct drift_model_info info;
    g->engine = drift_server_find_model(g->server, name, &info);
    if (!g->engine) {
        drift_api_refuse(&error, DRIFT_API_FAILURE_MODEL_NOT_FOUND, "model",
                         "the model '%.120s' does not exist; see GET /v1/models", name);
        fail(g, &error);
        return;
    }
    struct drift_error err = {0};
    if (drift_engine_ref_model(g->engine, name, &g->model, &err) != DRIFT_STATUS_OK) {
        if (info.state == DRIFT_MODEL_ABSENT) /* loaded on first use */
            (void)!drift_engine_load_model(g->engine, name, NULL);
        fail_model(g, &info, &err);
        return;
    }
    drift_api_reply_init(&g->reply, g->request.endpoint, drift_model_name(g->model),
                         drift_model_fingerprint(g->model), drift_clock_unix_s());
    do_job(g, drift_generation_make_prompts, submit);
}

/* ---- the handlers ---- */

static void handle(struct drift_exchange *x, enum drift_api_endpoint endpoint)
{
    struct drift_api_error error;
    if (x->server->is_draining) {
        drift_api_refuse(&error, DRIFT_API_FAILURE_DRAINING, NULL, "the server is shutting down");
        error.retry_after_s = 5;
        drift_exchange_fail(x, &error);
        return;
    }
    struct drift_generation *g = drift_alloc(DRIFT_TAG_API, 1, sizeof *g);
    if (!g) {
        drift_api_refuse(&error, DRIFT_API_FAILURE_OUT_OF_MEMORY, NULL, "no memory for the request");
        drift_exchange_fail(x, &error);
        return;
    }
    g->user = (struct drift_exchange_user){.on_gone = on_gone, .on_room = on_room};
    g->x = x;
    g->server = x->server;
    g->reply.endpoint = endpoint;
    memcpy(g->request_id, x->request_id, sizeof g->request_id);
    g->body = x->body;
    drift_buf_init(&x->body, DRIFT_TAG_SERVER, x->body.cap_bytes);
    g->next = g->server->generations;
    if (g->next)
        g->next->prev = g;
    g->server->generations = g;
    g->server->n_generations++;
    x->user = &g->user;
    do_job(g, drift_generation_parse, find_model);
}

void drift_handle_chat_completions(struct drift_exchange *x)
{
    handle(x, DRIFT_API_CHAT);
}

void drift_handle_completions(struct drift_exchange *x)
{
    handle(x, DRIFT_API_COMPLETION);
}
