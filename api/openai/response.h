/*
 * Answers of /v1/chat/completions and /v1/completions: whole ones and the chunks of a stream.
 *
 * Each function appends one JSON object to out; framing it (SSE or a body) is the server's. What makes strict clients
 * content is kept here: id, created, model and fingerprint are constant, the role comes in the first delta, "usage" is
 * null on chunks only when the last one was asked for, text is valid UTF-8.
 */
#ifndef DRIFT_API_OPENAI_RESPONSE_H
#define DRIFT_API_OPENAI_RESPONSE_H

#include "api/openai/request.h"
#include "runtime/base/buffer.h"

/* What all objects of one answer share. */
struct drift_api_reply {
    enum drift_api_endpoint endpoint;
    char id[48]; /* "chatcmpl-..." or "cmpl-..." */
    int64_t created_unix_s;
    const char *model, *fingerprint;
    bool include_usage; /* chunks carry "usage": null */
};

/* Make an id from 12 random bytes. */
void drift_api_reply_init(struct drift_api_reply *reply, enum drift_api_endpoint endpoint,
                          const char *model, const char *fingerprint, int64_t created_unix_s);

struct drift_api_token_text {
    const char *bytes; /* [len], perhaps part of a character */
    size_t len;
    float logprob;
};

/* A generated token with its alternatives, for "logprobs". */
struct drift_api_logprob {
    struct drift_api_token_text chosen;
    struct drift_api_token_text top[DRIFT_API_MAX_TOP_LOGPROBS];
    uint32_t n_top;
    uint64_t text_offset; /* completions: where the token's text begins, in characters */
};

enum drift_api_finish {
    DRIFT_API_FINISH_NONE,
    DRIFT_API_FINISH_STOP,
    DRIFT_API_FINISH_LENGTH,
    DRIFT_API_FINISH_COUNT
};

/* One choice of a whole answer, or what a chunk adds to it. */
struct drift_api_choice {
    uint32_t index;
    const char *text; /* [n_text] */
    size_t n_text;
    bool is_first; /* chunks: the choice's first one, which has the role */
    bool has_logprobs;
    const struct drift_api_logprob *logprobs; /* [n_logprobs] */
    size_t n_logprobs;
    enum drift_api_finish finish; /* NONE: goes on */
};

struct drift_api_usage {
    uint32_t n_prompt_tokens, n_cached_tokens, n_completion_tokens;
};

void drift_api_write_reply(struct drift_buf *out, const struct drift_api_reply *reply,
                           const struct drift_api_choice *choices, size_t n_choices,
                           const struct drift_api_usage *usage);
void drift_api_write_chunk(struct drift_buf *out, const struct drift_api_reply *reply,
                           const struct drift_api_choice *choice);
/* The last chunk when include_usage is set: no choices, the counts. */
void drift_api_write_usage_chunk(struct drift_buf *out, const struct drift_api_reply *reply,
                                 const struct drift_api_usage *usage);

/* An entry of GET /v1/models, and the object of GET /v1/models/{id}. */
struct drift_api_model {
    const char *id;
    int64_t created_unix_s;
    const char *status; /* an extra key: "ready", "absent" ... */
    uint32_t ctx_tokens; /* an extra key, 0: left out */
};
void drift_api_write_model(struct drift_json_writer *w, const struct drift_api_model *model);

#endif
