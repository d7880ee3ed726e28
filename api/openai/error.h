/*
 * Failures as an OpenAI client sees them: HTTP status, and {"error":{message,type,param,code}}.
 *
 * One table holds every failure; another maps enum drift_status to it. Whatever refuses a request, from
 * the routes to the engine, ends in a struct drift_api_error, so a client meets one shape only.
 */
#ifndef DRIFT_API_OPENAI_ERROR_H
#define DRIFT_API_OPENAI_ERROR_H

#include "runtime/base/buffer.h"
#include "runtime/base/error.h"

#include <stdbool.h>
#include <stdint.h>

/* A client library gives up when it is told to wait for longer. */
#define DRIFT_API_MAX_RETRY_AFTER_S 120u

/* Whether the same request can succeed later; decides x-should-retry. */
enum drift_api_retry {
    DRIFT_API_RETRY_UNSAID,
    DRIFT_API_RETRY_YES,
    DRIFT_API_RETRY_NO,
    DRIFT_API_RETRY_COUNT
};

/* X(enumerator, HTTP status, type, code or NULL, retry) */
#define DRIFT_API_FAILURE_MAP(X)                                                                   \
    X(BAD_REQUEST, 400, "invalid_request_error", NULL, UNSAID)                                     \
    X(INVALID_TYPE, 400, "invalid_request_error", "invalid_type", UNSAID)                          \
    X(INVALID_VALUE, 400, "invalid_request_error", "invalid_value", UNSAID)                        \
    X(MISSING, 400, "invalid_request_error", "missing_required_parameter", UNSAID)                 \
    X(UNSUPPORTED, 400, "invalid_request_error", "unsupported_parameter", UNSAID)                  \
    X(CONTEXT_LENGTH, 400, "invalid_request_error", "context_length_exceeded", UNSAID)             \
    X(INVALID_API_KEY, 401, "invalid_request_error", "invalid_api_key", UNSAID)                    \
    X(FORBIDDEN, 403, "permission_error", "forbidden", UNSAID)                                     \
    X(NOT_FOUND, 404, "invalid_request_error", "not_found", UNSAID)                                \
    X(MODEL_NOT_FOUND, 404, "invalid_request_error", "model_not_found", UNSAID)                    \
    X(METHOD_NOT_ALLOWED, 405, "invalid_request_error", "method_not_allowed", UNSAID)              \
    X(REQUEST_TIMEOUT, 408, "invalid_request_error", "request_timeout", UNSAID)                    \
    X(CONFLICT, 409, "invalid_request_error", "conflict", NO)                                      \
    X(REQUEST_TOO_LARGE, 413, "invalid_request_error", "request_too_large", UNSAID)                \
    X(QUEUE_FULL, 429, "rate_limit_error", "queue_full", YES)                                      \
    X(CLIENT_CLOSED, 499, "server_error", "client_closed", NO)                                     \
    X(INTERNAL, 500, "server_error", "internal_error", NO)                                         \
    X(TOO_MANY_CONNECTIONS, 503, "server_error", "too_many_connections", YES)                      \
    X(MODEL_LOADING, 503, "server_error", "model_loading", YES)                                    \
    X(MODEL_UNAVAILABLE, 503, "server_error", "model_unavailable", YES)                            \
    X(MODEL_FAILED, 503, "server_error", "model_failed", NO)                                       \
    X(DRAINING, 503, "server_error", "server_draining", YES)                                       \
    X(OUT_OF_MEMORY, 503, "server_error", "out_of_memory", YES)                                    \
    X(INSUFFICIENT_MEMORY, 503, "server_error", "insufficient_memory", NO)                         \
    X(DEVICE_LOST, 503, "server_error", "device_lost", YES)                                        \
    X(DEVICE_ERROR, 503, "server_error", "device_error", YES)                                      \
    X(STREAM_STALLED, 503, "server_error", "timeout", YES)

enum drift_api_failure {
#define X(id, http, type, code, retry) DRIFT_API_FAILURE_##id,
    DRIFT_API_FAILURE_MAP(X)
#undef X
    DRIFT_API_FAILURE_COUNT
};

struct drift_api_error {
    enum drift_api_failure failure;
    char param[96]; /* the field at fault, as "messages[0].content"; "" is null */
    char message[512];
    uint32_t retry_after_s; /* 0: no header */
};

uint16_t drift_api_failure_http_status(enum drift_api_failure failure);
const char *drift_api_failure_type(enum drift_api_failure failure);
const char *drift_api_failure_code(enum drift_api_failure failure); /* NULL is null */
enum drift_api_retry drift_api_failure_retry(enum drift_api_failure failure);

/* What a result code means to a client when nothing more is known. */
enum drift_api_failure drift_api_failure_of_status(enum drift_status status);

/*
 * Fill *ret and return false, so that a refusal is one statement. param may be NULL. Thread: any.
 */
bool drift_api_refuse(struct drift_api_error *ret, enum drift_api_failure failure,
                      const char *param, const char *fmt, ...) DRIFT_PRINTF(4, 5);
/* The same from a result of the runtime, its message taken over. */
bool drift_api_refuse_status(struct drift_api_error *ret, const struct drift_error *err);

/* Append {"error":{"message","type","param","code"}}: all four keys, always. */
void drift_api_write_error(struct drift_buf *out, const struct drift_api_error *error);

#endif
