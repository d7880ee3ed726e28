/*
 * Listening sockets inside the HTTP loop: one libmicrohttpd daemon each, polled from outside.
 *
 * libmicrohttpd keeps its sockets in an epoll set of its own; that set is one handle of the libuv loop, and the timeout
 * it asks for is a timer. Whoever resumes a connection must call drift_listener_kick, so that it is looked at.
 * Thread: http.
 */
#ifndef DRIFT_SERVER_LISTENER_H
#define DRIFT_SERVER_LISTENER_H

#include "config/config.h"
#include "runtime/base/error.h"

#include <microhttpd.h>
#include <uv.h>

struct drift_server;

struct drift_listener {
    struct drift_server *server;
    struct MHD_Daemon *daemon;
    uv_poll_t poll;
    uv_timer_t timer;
    bool is_loopback, is_unix;
    bool is_accepting;
    bool is_kicked; /* a connection was resumed and has not been looked at */
    char name[128];
    char unix_path[108]; /* unlinked at the end, "" if none */
    unsigned n_open; /* handles not closed yet */
};

/*
 * Bind, listen and join the loop. Errors: INVALID (an address that cannot be understood), UNAVAILABLE (in use; native is
 * errno), IO, NO_MEMORY.
 */
enum drift_status drift_listener_open(struct drift_listener *listener, struct drift_server *server,
                                      const struct drift_config_listen *address,
                                      struct drift_error *err) DRIFT_MUST_USE;
/* The same with a socket that is bound and listens already. The listener owns fd from here on, also on failure. */
enum drift_status drift_listener_adopt(struct drift_listener *listener, struct drift_server *server, int fd,
                                       const char *name, bool is_loopback, bool is_unix,
                                       struct drift_error *err) DRIFT_MUST_USE;
/* Accept nobody any more; connections that are open go on. */
void drift_listener_quiesce(struct drift_listener *listener);
/* Look at the connections in the next turn of the loop. */
void drift_listener_kick(struct drift_listener *listener);
/* Close all connections and leave the loop (which must turn once more). Nothing may be suspended. */
void drift_listener_close(struct drift_listener *listener);

#endif
