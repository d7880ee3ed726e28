/* A body through the endpoint's table, then the rules that concern more than one field. */
#include "api/openai/fields.h"

#include <string.h>

/* Prompts as token arrays are the largest: 4 bytes for at least 2 of the body, and joined parts. */
#define ARENA_BYTES (64u << 20)

static const struct drift_json_limits limits = {
    .max_bytes = 256u << 20, /* the server's own limit on bodies is lower */
    .max_depth = 64,
    .max_values = 4u << 20,
};

static bool finish_chat(struct drift_api_request *request, struct drift_api_error *error)
{
    request->max_tokens = request->raw.max_completion_tokens ? request->raw.max_completion_tokens
                                                             : request->raw.max_tokens;
    if (request->raw.has_top_logprobs && !request->raw.logprobs)
        return drift_api_refuse(error, DRIFT_API_FAILURE_INVALID_VALUE, "top_logprobs",
                                "Invalid value for 'top_logprobs': it needs 'logprobs' to be "
                                "true.");
    if (request->raw.logprobs)
        request->n_top_logprobs = (int32_t)request->raw.top_logprobs;
    return true;
}

static bool finish_completion(struct drift_api_request *request, struct drift_api_error *error)
{
    request->max_tokens =
        request->raw.max_tokens ? request->raw.max_tokens : DRIFT_API_COMPLETION_TOKENS;
    if (request->raw.has_old_logprobs)
        request->n_top_logprobs = (int32_t)request->raw.old_logprobs;
    if (request->raw.has_best_of && request->raw.best_of != 1 &&
        request->raw.best_of != request->n_choices)
        return drift_api_refuse(error, DRIFT_API_FAILURE_UNSUPPORTED, "best_of",
                                "Unsupported value for 'best_of': it must be 1 or equal to 'n'.");
    if (request->echo && request->raw.has_old_logprobs)
        return drift_api_refuse(error, DRIFT_API_FAILURE_UNSUPPORTED, "logprobs",
                                "Unsupported parameter: 'logprobs' together with 'echo' is not "
                                "supported yet.");
    if ((uint64_t)request->n_prompts * request->n_choices > DRIFT_API_MAX_PROMPTS)
        return drift_api_refuse(error, DRIFT_API_FAILURE_INVALID_VALUE, "n",
                                "Invalid value for 'n': prompts times 'n' must be at most %u.",
                                DRIFT_API_MAX_PROMPTS);
    return true;
}

static bool parse_body(const char *body, size_t len, struct drift_json **ret_doc,
                       struct drift_api_error *error)
{
    struct drift_error err;
    enum drift_status status = drift_json_parse(body, len, &limits, ret_doc, &err);
    if (status == DRIFT_STATUS_OK) {
        if (drift_json_type(*ret_doc) == DRIFT_JSON_OBJECT)
            return true;
        drift_json_destroy(*ret_doc);
        return drift_api_refuse(error, DRIFT_API_FAILURE_BAD_REQUEST, NULL,
                                "The request body must be a JSON object.");
    }
    if (status == DRIFT_STATUS_NO_MEMORY)
        return drift_api_refuse_memory(error);
    return drift_api_refuse(error, DRIFT_API_FAILURE_BAD_REQUEST, NULL,
                            "The request body could not be parsed: %s", err.msg);
}

static bool parse_fields(struct drift_api_request *request, struct drift_api_error *error)
{
    size_t n;
    const struct drift_api_field *fields = request->endpoint == DRIFT_API_CHAT
                                               ? drift_api_chat_fields(&n)
                                               : drift_api_completion_fields(&n);
    if (!drift_api_fields_parse(fields, n, request, request->doc, error))
        return false;
    if (request->raw.has_stream_options && !request->stream)
        return drift_api_refuse(error, DRIFT_API_FAILURE_INVALID_VALUE, "stream_options",
                                "Invalid value for 'stream_options': it needs 'stream' to be "
                                "true.");
    if (request->sampling.top_k < 0)
        request->sampling.top_k = 0;
    return request->endpoint == DRIFT_API_CHAT ? finish_chat(request, error)
                                               : finish_completion(request, error);
}

bool drift_api_request_parse(enum drift_api_endpoint endpoint, const char *body, size_t len,
                             struct drift_api_request *ret, struct drift_api_error *error)
{
    struct drift_api_request request = {
        .endpoint = endpoint,
        .model = "",
        .n_choices = 1,
        .sampling = DRIFT_SAMPLING_DEFAULT,
        .n_top_logprobs = -1,
    };
    if (!parse_body(body, len, &request.doc, error))
        return false;
    drift_arena_init(&request.arena, DRIFT_TAG_API, ARENA_BYTES);
    if (!parse_fields(&request, error)) {
        drift_api_request_fini(&request);
        return false;
    }
    *ret = request;
    return true;
}

void drift_api_request_fini(struct drift_api_request *request)
{
    drift_arena_fini(&request->arena);
    drift_json_destroy(request->doc);
    request->doc = NULL;
}
