/*
 * The exchange's machinery around libmicrohttpd. Two rules of the library shape it: a reply can only be queued inside its
 * request callback, so a late reply resumes the connection and is queued when the callback comes again; and a stream's
 * reader that has nothing to give must suspend the connection.
 */
#include "server/exchange.h"

#include "runtime/base/clock.h"
#include "runtime/base/hash.h"
#include "runtime/base/log.h"
#include "server/access.h"
#include "server/linger.h"
#include "server/routes.h"
#include "server/server.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define STREAM_BLOCK_BYTES 16384u
#define STREAM_CAP_BYTES   (8u << 20)
#define REPLY_CAP_BYTES    (256u << 20)
/* A body may trickle no slower than this after the header timeout has passed. */
#define MIN_BODY_BYTES_PER_S 16384u
/* Past the limit a body is read and thrown away for so long, so that the client sees the 413. */
#define MAX_DISCARD_BYTES (64u << 20)

/* A connection between and during its requests. */
struct socket_state {
    struct drift_server *server;
    int fd;
    uint64_t since_ns; /* of the connection, or the end of the last request */
    bool is_first, in_request;
    struct socket_state *next, *prev;
};

/* ---- suspending and watching ---- */

static void on_watch_closed(uv_handle_t *handle)
{
    drift_free(handle);
}

static void stop_watch(struct drift_exchange *x)
{
    if (!x->watch)
        return;
    uv_poll_stop(x->watch);
    uv_close((uv_handle_t *)x->watch, on_watch_closed);
    close(x->watch_fd);
    x->watch = NULL;
}

static void let_go(struct drift_exchange *x)
{
    struct drift_exchange_user *user = x->user;
    x->user = NULL;
    if (user)
        user->on_gone(user);
}

static void resume(struct drift_exchange *x)
{
    if (!x->is_suspended)
        return;
    x->is_suspended = false;
    MHD_resume_connection(x->connection);
    drift_listener_kick(x->listener);
}

/* The client has closed its end (a half-closed one too: nobody waits for an answer to talk on). */
static void on_watch(uv_poll_t *watch, int status, int events)
{
    (void)status;
    (void)events;
    struct drift_exchange *x = watch->data;
    stop_watch(x);
    x->is_gone = true;
    let_go(x);
    resume(x);
}

/* The library's own descriptor is in its epoll set; ours is a duplicate, so that closing one leaves the other alone. */
static void start_watch(struct drift_exchange *x)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (x->watch || !info)
        return;
    x->watch_fd = fcntl(info->connect_fd, F_DUPFD_CLOEXEC, 3);
    if (x->watch_fd < 0)
        return;
    x->watch = drift_alloc(DRIFT_TAG_SERVER, 1, sizeof *x->watch);
    if (!x->watch || uv_poll_init(&x->server->loop, x->watch, x->watch_fd) != 0) {
        drift_free(x->watch);
        x->watch = NULL;
        close(x->watch_fd);
        return;
    }
    x->watch->data = x;
    uv_poll_start(x->watch, UV_DISCONNECT, on_watch);
}

static void suspend(struct drift_exchange *x)
{
    if (x->is_suspended)
        return;
    x->is_suspended = true;
    MHD_suspend_connection(x->connection);
    start_watch(x);
}

/* ---- headers ---- */

static void add(struct MHD_Response *response, const char *name, const char *value)
{
    if (value[0])
        MHD_add_response_header(response, name, value);
}

static void add_error_headers(struct MHD_Response *response, const struct drift_exchange *x)
{
    const struct drift_api_error *e = &x->error;
    char text[24];
    if (e->retry_after_s) {
        uint32_t seconds = e->retry_after_s < DRIFT_API_MAX_RETRY_AFTER_S ? e->retry_after_s
                                                                          : DRIFT_API_MAX_RETRY_AFTER_S;
        snprintf(text, sizeof text, "%u", seconds);
        add(response, "Retry-After", text);
        snprintf(text, sizeof text, "%u000", seconds);
        add(response, "retry-after-ms", text);
    }
    enum drift_api_retry retry = drift_api_failure_retry(e->failure);
    if (retry != DRIFT_API_RETRY_UNSAID)
        add(response, "x-should-retry", retry == DRIFT_API_RETRY_YES ? "true" : "false");
    if (drift_api_failure_http_status(e->failure) == 401)
        add(response, "WWW-Authenticate", "Bearer");
}

/* What a page may send: what it asks for, since client libraries add headers of their own with every version. */
static void add_preflight_headers(struct MHD_Response *response, const struct drift_exchange *x)
{
    const char *asked =
        MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, "Access-Control-Request-Headers");
    add(response, "Access-Control-Allow-Methods", "GET, POST, OPTIONS");
    add(response, "Access-Control-Allow-Headers",
        asked ? asked : "authorization, content-type, x-api-key, x-request-id");
    add(response, "Access-Control-Max-Age", "600");
}

static void add_common_headers(struct MHD_Response *response, const struct drift_exchange *x)
{
    add(response, "x-request-id", x->request_id);
    add(response, "Vary", "Origin");
    if (x->origin[0]) {
        add(response, "Access-Control-Allow-Origin", x->origin);
        add(response, "Access-Control-Expose-Headers", "x-request-id, retry-after, retry-after-ms");
    }
    if (x->is_preflight)
        add_preflight_headers(response, x);
    if (x->allow)
        add(response, "Allow", x->allow);
    if (x->has_error)
        add_error_headers(response, x);
    if (x->close_after || x->server->is_draining)
        add(response, "Connection", "close");
}

static enum MHD_Result queue(struct drift_exchange *x, struct MHD_Response *response)
{
    add_common_headers(response, x);
    enum MHD_Result result = MHD_queue_response(x->connection, x->status, response);
    MHD_destroy_response(response);
    drift_server_count_reply(x->server, x->route, x->status);
    return result;
}

static enum MHD_Result queue_whole(struct drift_exchange *x)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        x->out.len, (void *)(uintptr_t)drift_buf_cstr(&x->out), MHD_RESPMEM_PERSISTENT);
    if (!response)
        return MHD_NO;
    if (x->content_type)
        add(response, "Content-Type", x->content_type);
    return queue(x, response);
}

/* ---- streaming ---- */

static ssize_t read_stream(void *cls, uint64_t position, char *out, size_t max)
{
    (void)position;
    struct drift_exchange *x = cls;
    if (x->is_gone)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (x->out.len == 0) {
        if (x->is_stream_ended)
            return MHD_CONTENT_READER_END_OF_STREAM;
        suspend(x);
        return 0;
    }
    size_t n = x->out.len < max ? x->out.len : max;
    memcpy(out, x->out.data, n);
    drift_buf_consume(&x->out, n);
    if (x->user && x->user->on_room && drift_exchange_has_room(x))
        x->user->on_room(x->user);
    return (ssize_t)n;
}

static enum MHD_Result queue_stream(struct drift_exchange *x)
{
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK_BYTES, read_stream, x, NULL);
    if (!response)
        return MHD_NO;
    add(response, "Content-Type", "text/event-stream; charset=utf-8");
    add(response, "Cache-Control", "no-cache");
    add(response, "X-Accel-Buffering", "no");
    return queue(x, response);
}

/* ---- what handlers call ---- */

void drift_exchange_reply(struct drift_exchange *x, unsigned status, const char *content_type)
{
    DRIFT_ASSERT(x->phase < DRIFT_EXCHANGE_REPLYING);
    x->phase = DRIFT_EXCHANGE_REPLYING;
    x->status = status;
    x->content_type = content_type;
    if (x->out.failed) {
        drift_buf_reset(&x->out);
        drift_api_refuse(&x->error, DRIFT_API_FAILURE_INTERNAL, NULL, "no memory for the reply");
        x->has_error = true;
        x->status = 500;
        drift_api_write_error(&x->out, &x->error);
    }
    resume(x);
}

void drift_exchange_fail(struct drift_exchange *x, const struct drift_api_error *error)
{
    drift_buf_reset(&x->out);
    drift_api_write_error(&x->out, error);
    x->error = *error;
    x->has_error = true;
    drift_exchange_reply(x, drift_api_failure_http_status(error->failure), "application/json");
}

void drift_exchange_stream(struct drift_exchange *x)
{
    DRIFT_ASSERT(x->phase < DRIFT_EXCHANGE_REPLYING);
    x->phase = DRIFT_EXCHANGE_STREAMING;
    x->status = 200;
    x->out.cap_bytes = STREAM_CAP_BYTES;
    x->last_write_ns = drift_clock_ns();
    resume(x);
}

void drift_exchange_flush(struct drift_exchange *x)
{
    if (x->out.len > 0)
        x->last_write_ns = drift_clock_ns();
    if (x->out.failed)
        x->is_gone = true; /* a part of an event must not be sent */
    resume(x);
}

void drift_exchange_end_stream(struct drift_exchange *x)
{
    x->is_stream_ended = true;
    drift_exchange_flush(x);
}

bool drift_exchange_has_room(const struct drift_exchange *x)
{
    return x->out.len < DRIFT_EXCHANGE_STREAM_HIGH_BYTES;
}

/* ---- the request arrives ---- */

/* A client's own id is kept when it is harmless in a header and a log. */
static void choose_request_id(struct drift_exchange *x)
{
    const char *given = MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, "x-request-id");
    size_t len = given ? strlen(given) : 0;
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    if (len > 0 && len <= 64 && strspn(given, allowed) == len) {
        memcpy(x->request_id, given, len + 1);
        return;
    }
    unsigned char random[12];
    drift_random_bytes(random, sizeof random);
    int n = snprintf(x->request_id, sizeof x->request_id, "req_");
    for (size_t i = 0; i < sizeof random; i++)
        n += snprintf(x->request_id + n, sizeof x->request_id - (size_t)n, "%02x", random[i]);
}

static struct drift_exchange *create(struct drift_listener *listener, struct MHD_Connection *connection,
                                     const char *url, const char *method)
{
    struct drift_server *server = listener->server;
    struct drift_exchange *x = drift_alloc(DRIFT_TAG_SERVER, 1, sizeof *x);
    if (!x)
        return NULL;
    x->server = server;
    x->listener = listener;
    x->connection = connection;
    x->start_ns = drift_clock_ns();
    x->is_head = strcmp(method, "HEAD") == 0;
    drift_buf_init(&x->body, DRIFT_TAG_SERVER, server->live->server.max_body_bytes);
    drift_buf_init(&x->out, DRIFT_TAG_SERVER, REPLY_CAP_BYTES);
    x->path_copy = drift_strdup(DRIFT_TAG_SERVER, url);
    if (!x->path_copy) {
        drift_free(x);
        return NULL;
    }
    x->path = x->path_copy;
    choose_request_id(x);
    x->next = server->exchanges;
    if (x->next)
        x->next->prev = x;
    server->exchanges = x;
    server->n_exchanges++;
    return x;
}

static bool declared_too_large(struct drift_exchange *x)
{
    const char *length = MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, "Content-Length");
    if (!length)
        return false;
    unsigned long long n = 0;
    return sscanf(length, "%llu", &n) == 1 && n > x->body.cap_bytes;
}

static bool has_body(const struct drift_exchange *x)
{
    return MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, "Content-Length") ||
           MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, "Transfer-Encoding");
}

static void fail_too_large(struct drift_exchange *x)
{
    struct drift_api_error error;
    drift_api_refuse(&error, DRIFT_API_FAILURE_REQUEST_TOO_LARGE, NULL,
                     "the request body is larger than %zu bytes", x->body.cap_bytes);
    x->close_after = true;
    drift_exchange_fail(x, &error);
}

/* Everything that can be said before the body is read. */
static void begin(struct drift_exchange *x, const char *method)
{
    struct drift_api_error error;
    if (!drift_access_check_host(x, &error) || !drift_access_check_origin(x, &error)) {
        drift_exchange_fail(x, &error);
        return;
    }
    if (strcmp(method, "OPTIONS") == 0) {
        drift_access_reply_preflight(x);
        return;
    }
    if (!drift_routes_find(x, method, &error) || !drift_access_check_key(x, &error))
        drift_exchange_fail(x, &error);
    else if (declared_too_large(x))
        fail_too_large(x);
}

static enum MHD_Result answer(struct drift_exchange *x)
{
    if (x->is_gone)
        return MHD_NO;
    if (x->phase == DRIFT_EXCHANGE_REPLYING)
        return queue_whole(x);
    if (x->phase == DRIFT_EXCHANGE_STREAMING)
        return queue_stream(x);
    suspend(x);
    return MHD_YES;
}

static enum MHD_Result take_body(struct drift_exchange *x, const char *data, size_t *size)
{
    x->body_bytes += *size;
    if (x->body_bytes > x->body.cap_bytes)
        x->is_too_large = true;
    else
        drift_buf_append(&x->body, data, *size);
    *size = 0;
    return x->body_bytes > x->body.cap_bytes + MAX_DISCARD_BYTES ? MHD_NO : MHD_YES;
}

enum MHD_Result drift_exchange_on_request(void *cls, struct MHD_Connection *connection, const char *url,
                                          const char *method, const char *version,
                                          const char *upload_data, size_t *upload_size, void **con_cls)
{
    (void)version;
    struct drift_exchange *x = *con_cls;
    if (!x) {
        x = create(cls, connection, url, method);
        if (!x)
            return MHD_NO;
        *con_cls = x;
        begin(x, method);
        x->is_refused_early = x->phase == DRIFT_EXCHANGE_REPLYING && has_body(x);
        return x->phase == DRIFT_EXCHANGE_REPLYING ? answer(x) : MHD_YES;
    }
    if (*upload_size > 0)
        return take_body(x, upload_data, upload_size);
    if (x->phase == DRIFT_EXCHANGE_BODY) {
        x->phase = DRIFT_EXCHANGE_WAITING;
        struct drift_api_error error;
        if (x->is_too_large)
            fail_too_large(x);
        else if (x->body.failed) {
            drift_api_refuse(&error, DRIFT_API_FAILURE_OUT_OF_MEMORY, NULL, "no memory for the request");
            drift_exchange_fail(x, &error);
        } else
            drift_routes_run(x);
    }
    return answer(x);
}

static void destroy(struct drift_exchange *x)
{
    let_go(x);
    stop_watch(x);
    if (x->prev)
        x->prev->next = x->next;
    else
        x->server->exchanges = x->next;
    if (x->next)
        x->next->prev = x->prev;
    x->server->n_exchanges--;
    drift_buf_fini(&x->body);
    drift_buf_fini(&x->out);
    drift_free(x->path_copy);
    drift_free(x);
}

/* ---- connections ---- */

static struct socket_state *socket_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

void drift_exchange_on_completed(void *cls, struct MHD_Connection *connection, void **con_cls,
                                 enum MHD_RequestTerminationCode code)
{
    (void)cls;
    struct drift_exchange *x = *con_cls;
    struct socket_state *s = socket_of(connection);
    /* Refused with the header: the body, if there is one, is still on its way. */
    if (s && x && code == MHD_REQUEST_TERMINATED_COMPLETED_OK && x->status >= 400 && x->is_refused_early)
        drift_linger_start(s->server, s->fd);
    if (s) {
        s->since_ns = drift_clock_ns();
        s->is_first = false;
    }
    if (x) {
        drift_log(DRIFT_LOG_DEBUG, "http", "request id=%s status=%u ms=%llu", x->request_id, x->status,
                  (unsigned long long)((drift_clock_ns() - x->start_ns) / 1000000));
        destroy(x);
    }
    *con_cls = NULL;
}

void drift_exchange_on_connection(void *cls, struct MHD_Connection *connection, void **socket_ctx,
                                  enum MHD_ConnectionNotificationCode code)
{
    struct drift_server *server = ((struct drift_listener *)cls)->server;
    struct socket_state *s = *socket_ctx;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        if (!s)
            return;
        if (s->prev)
            s->prev->next = s->next;
        else
            server->sockets = s->next;
        if (s->next)
            s->next->prev = s->prev;
        drift_free(s);
        /* At the limit of connections the library takes the listening socket out of its set, and puts it back only
         * with the next pass. */
        drift_listener_kick(cls);
        return;
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    s = drift_alloc(DRIFT_TAG_SERVER, 1, sizeof *s);
    if (!s || !info) {
        drift_free(s);
        return;
    }
    *s = (struct socket_state){.server = server,
                               .fd = info->connect_fd,
                               .since_ns = drift_clock_ns(),
                               .is_first = true,
                               .next = server->sockets};
    if (s->next)
        s->next->prev = s;
    server->sockets = s;
    *socket_ctx = s;
}

/* ---- once a second ---- */

static void sweep_exchange(struct drift_exchange *x, uint64_t now_ns)
{
    const struct drift_config_server *config = &x->server->live->server;
    struct socket_state *s = socket_of(x->connection);
    if (s)
        s->in_request = true;
    if (x->phase == DRIFT_EXCHANGE_BODY && s) {
        uint64_t allowed_ms = config->header_timeout_ms + x->body_bytes * 1000 / MIN_BODY_BYTES_PER_S;
        if ((now_ns - x->start_ns) / 1000000 > allowed_ms)
            shutdown(s->fd, SHUT_RDWR);
    }
    if (x->phase == DRIFT_EXCHANGE_STREAMING && !x->is_stream_ended && config->sse_ping_interval_ms &&
        x->out.len == 0 && (now_ns - x->last_write_ns) / 1000000 >= config->sse_ping_interval_ms) {
        drift_buf_append_str(&x->out, ": ping\n\n");
        drift_exchange_flush(x);
    }
}

/* A header block must be there in time, however slowly its bytes drip; the library only knows idle time. */
static void sweep_socket(struct socket_state *s, uint64_t now_ns)
{
    const struct drift_config_server *config = &s->server->live->server;
    uint64_t allowed_ms = config->header_timeout_ms + (s->is_first ? 0 : config->idle_timeout_ms);
    if (!s->in_request && (now_ns - s->since_ns) / 1000000 > allowed_ms)
        shutdown(s->fd, SHUT_RDWR);
}

void drift_exchange_sweep(struct drift_server *server, uint64_t now_ns)
{
    for (struct socket_state *s = server->sockets; s; s = s->next)
        s->in_request = false;
    for (struct drift_exchange *x = server->exchanges, *next; x; x = next) {
        next = x->next;
        sweep_exchange(x, now_ns);
    }
    for (struct socket_state *s = server->sockets; s; s = s->next)
        sweep_socket(s, now_ns);
}

void drift_exchange_abandon_all(struct drift_server *server)
{
    for (struct drift_exchange *x = server->exchanges; x; x = x->next) {
        x->is_gone = true;
        let_go(x);
        stop_watch(x);
        resume(x);
    }
}
