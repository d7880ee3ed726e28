/* request.h: any body is taken or refused with words; what is taken is within its ranges and can be written for templates. */
#include "api/openai/request.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_ranges(const struct drift_api_request *r)
{
    const struct drift_sampling *s = &r->sampling;
    DRIFT_ASSERT(r->n_choices >= 1 && r->n_choices <= DRIFT_MAX_CHOICES);
    DRIFT_ASSERT(r->n_stops <= DRIFT_MAX_STOPS && s->n_logit_bias <= DRIFT_MAX_LOGIT_BIAS);
    DRIFT_ASSERT(r->n_top_logprobs >= -1 && r->n_top_logprobs <= DRIFT_MAX_TOP_LOGPROBS);
    DRIFT_ASSERT(s->temperature >= 0 && s->temperature <= 2 && s->top_k >= 0);
    DRIFT_ASSERT(s->top_p >= 0 && s->top_p <= 1 && s->min_p >= 0 && s->min_p <= 1);
    DRIFT_ASSERT(s->typical_p > 0 && s->typical_p <= 1 && s->repetition_penalty > 0);
    for (uint32_t i = 0; i < r->n_stops; i++)
        DRIFT_ASSERT(r->stops[i][0] && strlen(r->stops[i]) <= DRIFT_MAX_STOP_BYTES);
    for (uint32_t i = 0; i < r->n_prompts; i++)
        for (uint32_t t = 0; t < r->prompts[i].n_tokens; t++)
            DRIFT_ASSERT(r->prompts[i].tokens[t] >= 0);
}

/* Templates get it as a JSON document, so it has to be one. */
static void check_context(const struct drift_api_request *r)
{
    static const struct drift_json_limits wide = {
        .max_bytes = 64u << 20, .max_depth = 256, .max_values = 1u << 22};
    struct drift_buf out;
    struct drift_json *doc = NULL;
    drift_buf_init(&out, DRIFT_TAG_API, 64u << 20);
    drift_api_write_template_context(&out, r, "<s>", "</s>");
    DRIFT_ASSERT(!out.failed);
    DRIFT_ASSERT(drift_json_parse(out.data, out.len, &wide, &doc, NULL) == DRIFT_STATUS_OK);
    drift_json_destroy(doc);
    drift_buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    for (int e = 0; e < DRIFT_API_ENDPOINT_COUNT; e++) {
        struct drift_api_request request;
        struct drift_api_error error;
        if (drift_api_request_parse((enum drift_api_endpoint)e, (const char *)data, len, &request, &error)) {
            check_ranges(&request);
            check_context(&request);
            drift_api_request_fini(&request);
        } else {
            DRIFT_ASSERT(error.message[0] && drift_api_failure_http_status(error.failure) >= 400);
            struct drift_buf out;
            drift_buf_init(&out, DRIFT_TAG_API, 64u << 10);
            drift_api_write_error(&out, &error);
            DRIFT_ASSERT(!out.failed);
            drift_buf_fini(&out);
        }
    }
    return 0;
}
