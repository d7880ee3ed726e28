/*
 * POST /v1/chat/completions and /v1/completions: a JSON body to a struct of native values.
 *
 * Each endpoint is one table of fields (fields.h). Known fields are honoured, or accepted and ignored
 * where ignoring cannot change the answer, or refused by name; unknown fields are ignored, because every
 * client sends some. null means absent. Ranges are checked here and nowhere later.
 *
 * Not here: which models exist, how many tokens a text has, the template itself.
 */
#ifndef DRIFT_API_OPENAI_REQUEST_H
#define DRIFT_API_OPENAI_REQUEST_H

#include "api/openai/error.h"
#include "runtime/base/arena.h"
#include "runtime/base/json.h"
#include "runtime/sample/params.h"

#include <stdbool.h>
#include <stdint.h>

/* Caps of one request. */
#define DRIFT_API_MAX_MODEL_BYTES    256u
#define DRIFT_API_MAX_MESSAGES       8192u
#define DRIFT_API_MAX_PROMPTS        64u
#define DRIFT_API_MAX_TOP_LOGPROBS   20u
#define DRIFT_API_MAX_OLD_LOGPROBS   5u
#define DRIFT_API_COMPLETION_TOKENS  16u /* what /v1/completions generates when max_tokens is absent */

enum drift_api_endpoint {
    DRIFT_API_CHAT,
    DRIFT_API_COMPLETION,
    DRIFT_API_ENDPOINT_COUNT
};

enum drift_api_role {
    DRIFT_API_ROLE_SYSTEM, /* "developer" too */
    DRIFT_API_ROLE_USER,
    DRIFT_API_ROLE_ASSISTANT,
    DRIFT_API_ROLE_TOOL,
    DRIFT_API_ROLE_COUNT
};
const char *drift_api_role_name(enum drift_api_role role);

struct drift_api_message {
    enum drift_api_role role;
    const char *content; /* NULL: none (an assistant's tool calls stand alone) */
    size_t n_content;
    const char *name;                    /* NULL: none */
    const char *tool_call_id;            /* role tool */
    const char *reasoning;               /* role assistant: what it thought, NULL: none */
    const struct drift_json *tool_calls; /* role assistant, NULL: none */
};

/* One prompt of /v1/completions: a text or token ids. */
struct drift_api_prompt {
    const char *text; /* NULL: tokens */
    size_t n_text;
    const int32_t *tokens; /* [n_tokens] */
    uint32_t n_tokens;
};

/* Strings and arrays live as long as the request. */
struct drift_api_request {
    enum drift_api_endpoint endpoint;
    const char *model; /* "" when the body names none */

    const struct drift_api_message *messages; /* [n_messages], chat */
    uint32_t n_messages;
    const struct drift_json *template_kwargs; /* object, NULL: none */
    const char *reasoning_effort;             /* NULL: not said */
    bool has_enable_thinking, enable_thinking;

    const struct drift_api_prompt *prompts; /* [n_prompts], completion */
    uint32_t n_prompts;
    bool echo;

    bool stream, include_usage;
    uint32_t n_choices;
    uint32_t max_tokens; /* 0: to the end of the context */
    struct drift_sampling sampling;
    const char *const *stops; /* [n_stops] */
    uint32_t n_stops;
    int32_t n_top_logprobs; /* -1: no log-probabilities */
    bool ignore_eos;

    /* What the tables fill on the way to the above; not for callers. */
    struct {
        bool logprobs;
        uint32_t top_logprobs, old_logprobs, best_of, max_completion_tokens, max_tokens;
        bool has_top_logprobs, has_old_logprobs, has_best_of, has_stream_options;
    } raw;

    struct drift_json *doc;
    struct drift_arena arena;
};

/*
 * Parse len bytes. On success *ret is released with drift_api_request_fini; on failure it is released
 * already and *error says which field and why. Needs about a millisecond per 100 KB. Thread: any.
 */
bool drift_api_request_parse(enum drift_api_endpoint endpoint, const char *body, size_t len,
                             struct drift_api_request *ret,
                             struct drift_api_error *error) DRIFT_MUST_USE;
void drift_api_request_fini(struct drift_api_request *request);

/*
 * Append the JSON object that chat templates see: messages (role, content ...), add_generation_prompt,
 * bos_token, eos_token, and the request's template arguments, which cannot replace those.
 */
void drift_api_write_template_context(struct drift_buf *out, const struct drift_api_request *request,
                                      const char *bos_text, const char *eos_text);

#endif
