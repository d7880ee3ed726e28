/*
 * driftctl's way to the daemon: HTTP requests through libcurl over TCP or a UNIX socket.
 *
 * A request can be stopped from a signal handler's flag: the transfer is looked at ten times a second and whenever
 * bytes arrive. Nothing of the server's code is used here; driftctl is a client like any other.
 */
#ifndef DRIFT_SERVER_DRIFTCTL_CLIENT_H
#define DRIFT_SERVER_DRIFTCTL_CLIENT_H

#include "runtime/base/buffer.h"
#include "runtime/base/error.h"

#include <signal.h>

struct drift_ctl_client {
    const char *url;      /* http://host:port or unix:/path */
    const char *api_key;  /* NULL: none */
    const volatile sig_atomic_t *stop; /* non-zero ends the transfer with CANCELLED; NULL: never */
};

/* Called for every line of a streamed body, without its end. False ends the transfer. */
typedef bool (*drift_ctl_line_fn)(void *ctx, const char *line, size_t len);

struct drift_ctl_response {
    long http_status;
    struct drift_buf body; /* whole body, or of a stream only what is not event-stream */
};

/* Once per process. Errors: INTERNAL. */
enum drift_status drift_ctl_start(struct drift_error *err) DRIFT_MUST_USE;
/*
 * Send a request; body may be NULL. on_line may be NULL, otherwise it takes the body of a reply whose status is 200.
 * The response is released with drift_ctl_response_fini, also after an error. Errors: INVALID (url), UNAVAILABLE (nobody
 * answers; says where), CANCELLED, NO_MEMORY, IO.
 */
enum drift_status drift_ctl_request(const struct drift_ctl_client *client, const char *method,
                                    const char *path, const char *body, drift_ctl_line_fn on_line,
                                    void *ctx, struct drift_ctl_response *ret_response,
                                    struct drift_error *err) DRIFT_MUST_USE;
void drift_ctl_response_fini(struct drift_ctl_response *response);
/* The server's message when the reply is an error object (then true), else untouched. */
bool drift_ctl_response_error(const struct drift_ctl_response *response, struct drift_error *err);

#endif
