/*
 * One HTTP exchange: a request with its body, and the reply to it, whole or streamed.
 *
 * Life: created with the request line and headers; the route is found and what can be refused early is; the body is
 * collected under the route's limit; the handler runs and either replies at once or keeps the exchange waiting. A waiting
 * exchange is suspended in libmicrohttpd, and its socket is watched here, because a suspended connection notices nothing:
 * when the client goes away, `on_gone` is called and the connection is closed. Thread: http.
 */
#ifndef DRIFT_SERVER_EXCHANGE_H
#define DRIFT_SERVER_EXCHANGE_H

#include "api/openai/error.h"
#include "runtime/base/arena.h"
#include "runtime/base/buffer.h"
#include "server/listener.h"

struct drift_exchange;
struct drift_route;

/* A handler's own state, so that the exchange can tell it what happens to its client. */
struct drift_exchange_user {
    /* The client is gone or the exchange ends: release what is held. Called once; the exchange dies after it. */
    void (*on_gone)(struct drift_exchange_user *user);
    /* A stream's reader has taken bytes: there is room again. May be NULL. */
    void (*on_room)(struct drift_exchange_user *user);
};

enum drift_exchange_phase {
    DRIFT_EXCHANGE_BODY,      /* the body arrives */
    DRIFT_EXCHANGE_WAITING,   /* the handler has it; no reply yet */
    DRIFT_EXCHANGE_REPLYING,  /* a whole reply is ready or on its way */
    DRIFT_EXCHANGE_STREAMING, /* headers are out, events follow */
    DRIFT_EXCHANGE_PHASE_COUNT
};

struct drift_exchange {
    struct drift_server *server;
    struct drift_listener *listener;
    struct MHD_Connection *connection;
    const struct drift_route *route; /* NULL: none matches */
    char request_id[68];
    char origin[128]; /* allowed Origin to answer to, "" for none */
    const char *path; /* valid as long as the exchange */
    char *path_copy;
    char id[192]; /* the {id} in the route's pattern, decoded */
    bool is_head;
    enum drift_exchange_phase phase;
    bool is_suspended, is_gone, is_too_large, close_after, is_preflight;
    bool is_refused_early; /* before the body was read */
    struct drift_buf body;
    uint64_t start_ns, body_bytes;

    struct drift_exchange_user *user;

    /* a whole reply */
    unsigned status;
    struct drift_buf out; /* also the stream's pending bytes */
    const char *content_type;
    struct drift_api_error error; /* its headers, when status >= 400 */
    bool has_error;
    const char *allow; /* 405 */

    /* a stream */
    bool is_stream_ended;
    uint64_t last_write_ns;

    uv_poll_t *watch; /* on a duplicate of the socket, while suspended; NULL: none */
    int watch_fd;
    struct drift_exchange *next, *prev; /* the server's list */
};

/* Stream bytes that may wait for a slow reader; beyond, handlers stop taking events. */
#define DRIFT_EXCHANGE_STREAM_HIGH_BYTES (256u << 10)

/* Reply whole with what is in out; status and type as given. The exchange must not be replying yet. */
void drift_exchange_reply(struct drift_exchange *x, unsigned status, const char *content_type);
/* Reply with an error object. */
void drift_exchange_fail(struct drift_exchange *x, const struct drift_api_error *error);
/* Begin to stream events: the headers go out now, what is appended to out follows. */
void drift_exchange_stream(struct drift_exchange *x);
/* Bytes were appended to out. */
void drift_exchange_flush(struct drift_exchange *x);
/* What is in out is the end of the stream. */
void drift_exchange_end_stream(struct drift_exchange *x);
/* True while the stream's pending bytes are below the high mark. */
bool drift_exchange_has_room(const struct drift_exchange *x);

/* libmicrohttpd's callbacks; cls is the listener. */
enum MHD_Result drift_exchange_on_request(void *cls, struct MHD_Connection *connection, const char *url,
                                          const char *method, const char *version,
                                          const char *upload_data, size_t *upload_size, void **con_cls);
void drift_exchange_on_completed(void *cls, struct MHD_Connection *connection, void **con_cls,
                                 enum MHD_RequestTerminationCode code);
void drift_exchange_on_connection(void *cls, struct MHD_Connection *connection, void **socket_ctx,
                                  enum MHD_ConnectionNotificationCode code);
/* Once a second: close connections whose headers or bodies take too long, write keep-alive comments. */
void drift_exchange_sweep(struct drift_server *server, uint64_t now_ns);
/* Make every suspended exchange look again, so that the daemons can be stopped. */
void drift_exchange_abandon_all(struct drift_server *server);

#endif
