/* The table of failures, the table of result codes, and the error object. */
#include "api/openai/error.h"

#include "runtime/base/json.h"

#include <stdarg.h>
#include <stdio.h>

static const struct {
    uint16_t http_status;
    const char *type;
    const char *code;
    enum drift_api_retry retry;
} failures[DRIFT_API_FAILURE_COUNT] = {
#define X(id, http, type, code, retry)                                                             \
    [DRIFT_API_FAILURE_##id] = {http, type, code, DRIFT_API_RETRY_##retry},
    DRIFT_API_FAILURE_MAP(X)
#undef X
};

static const enum drift_api_failure of_status[DRIFT_STATUS_COUNT] = {
    [DRIFT_STATUS_OK] = DRIFT_API_FAILURE_INTERNAL,
    [DRIFT_STATUS_INVALID] = DRIFT_API_FAILURE_INVALID_VALUE,
    [DRIFT_STATUS_NOT_FOUND] = DRIFT_API_FAILURE_NOT_FOUND,
    [DRIFT_STATUS_EXISTS] = DRIFT_API_FAILURE_CONFLICT,
    [DRIFT_STATUS_LIMIT] = DRIFT_API_FAILURE_INVALID_VALUE,
    [DRIFT_STATUS_CONTEXT_LENGTH] = DRIFT_API_FAILURE_CONTEXT_LENGTH,
    [DRIFT_STATUS_CORRUPT] = DRIFT_API_FAILURE_BAD_REQUEST,
    [DRIFT_STATUS_UNSUPPORTED] = DRIFT_API_FAILURE_UNSUPPORTED,
    [DRIFT_STATUS_NO_MEMORY] = DRIFT_API_FAILURE_OUT_OF_MEMORY,
    [DRIFT_STATUS_BUSY] = DRIFT_API_FAILURE_QUEUE_FULL,
    [DRIFT_STATUS_UNAVAILABLE] = DRIFT_API_FAILURE_MODEL_UNAVAILABLE,
    [DRIFT_STATUS_CANCELLED] = DRIFT_API_FAILURE_CLIENT_CLOSED,
    [DRIFT_STATUS_TIMEOUT] = DRIFT_API_FAILURE_STREAM_STALLED,
    [DRIFT_STATUS_IO] = DRIFT_API_FAILURE_INTERNAL,
    [DRIFT_STATUS_DEVICE] = DRIFT_API_FAILURE_DEVICE_ERROR,
    [DRIFT_STATUS_DEVICE_LOST] = DRIFT_API_FAILURE_DEVICE_LOST,
    [DRIFT_STATUS_INTERNAL] = DRIFT_API_FAILURE_INTERNAL,
};

uint16_t drift_api_failure_http_status(enum drift_api_failure failure)
{
    return failures[failure].http_status;
}

const char *drift_api_failure_type(enum drift_api_failure failure)
{
    return failures[failure].type;
}

const char *drift_api_failure_code(enum drift_api_failure failure)
{
    return failures[failure].code;
}

enum drift_api_retry drift_api_failure_retry(enum drift_api_failure failure)
{
    return failures[failure].retry;
}

enum drift_api_failure drift_api_failure_of_status(enum drift_status status)
{
    return (unsigned)status < DRIFT_STATUS_COUNT ? of_status[status] : DRIFT_API_FAILURE_INTERNAL;
}

bool drift_api_refuse(struct drift_api_error *ret, enum drift_api_failure failure,
                      const char *param, const char *fmt, ...)
{
    *ret = (struct drift_api_error){.failure = failure};
    if (param)
        snprintf(ret->param, sizeof ret->param, "%s", param);
    va_list args;
    va_start(args, fmt);
    vsnprintf(ret->message, sizeof ret->message, fmt, args);
    va_end(args);
    return false;
}

bool drift_api_refuse_status(struct drift_api_error *ret, const struct drift_error *err)
{
    return drift_api_refuse(ret, drift_api_failure_of_status(err->status), NULL, "%s", err->msg);
}

void drift_api_write_error(struct drift_buf *out, const struct drift_api_error *error)
{
    struct drift_json_writer w;
    drift_json_writer_init(&w, out);
    drift_json_begin_object(&w);
    drift_json_write_key(&w, "error");
    drift_json_begin_object(&w);
    drift_json_member_string(&w, "message", error->message);
    drift_json_member_string(&w, "type", drift_api_failure_type(error->failure));
    if (error->param[0])
        drift_json_member_string(&w, "param", error->param);
    else
        drift_json_member_null(&w, "param");
    if (drift_api_failure_code(error->failure))
        drift_json_member_string(&w, "code", drift_api_failure_code(error->failure));
    else
        drift_json_member_null(&w, "code");
    drift_json_end_object(&w);
    drift_json_end_object(&w);
}
