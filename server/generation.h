/*
 * An answer being generated: the handler of /v1/chat/completions and /v1/completions.
 *
 *     parse -> model -> prompts (template, tokens) -> submit -> events -> reply or stream
 *
 * Parsing and prompts of a long body run in the pool; everything else on the HTTP loop. When the client goes away in any of
 * these places, what was held is released at once (or when the pool gives it back). Thread: http.
 */
#ifndef DRIFT_SERVER_GENERATION_H
#define DRIFT_SERVER_GENERATION_H

#include "api/openai/response.h"
#include "runtime/engine.h"
#include "server/exchange.h"

struct drift_generation_choice {
    struct drift_buf text; /* of a whole reply */
    struct drift_api_logprob *logprobs;
    size_t n_logprobs, cap_logprobs;
    uint64_t n_characters; /* so far, for text_offset */
    enum drift_api_finish finish;
};

/* One prompt and the request that runs it. */
struct drift_generation_run {
    int32_t *tokens;
    size_t n_tokens;
    struct drift_request *handle; /* NULL: not submitted, or ended and released */
    bool is_done;
};

struct drift_generation {
    struct drift_exchange_user user; /* first: the exchange knows no more */
    struct drift_exchange *x;        /* NULL once the client is gone */
    struct drift_server *server;
    struct drift_engine *engine;
    struct drift_model *model;
    char request_id[68];
    struct drift_buf body; /* the exchange's, taken over: the pool may outlive the exchange */
    struct drift_api_request request;
    bool is_parsed, is_in_pool, is_stream;
    struct drift_api_reply reply;
    struct drift_generation_run runs[DRIFT_API_MAX_PROMPTS];
    uint32_t n_runs, n_done;
    struct drift_generation_choice *choices; /* [n_runs * n_choices] */
    struct drift_api_usage usage;
    uv_work_t work;
    bool ok; /* of the last piece of work; error says why not */
    struct drift_api_error error;
    void (*then)(struct drift_generation *g);
    bool (*job)(struct drift_generation *g, struct drift_api_error *error);
    struct drift_generation *next, *prev; /* the server's list */
};

/* Take the events of every request of an engine that has some. */
void drift_generations_take_events(struct drift_server *server);
/* End all that run with an error: the drain's time is over. */
void drift_generations_fail_all(struct drift_server *server, const struct drift_api_error *error);

/* prompts.c: run from the pool or the loop, touching nothing but g. */
bool drift_generation_parse(struct drift_generation *g, struct drift_api_error *error);
bool drift_generation_make_prompts(struct drift_generation *g, struct drift_api_error *error);

#endif
