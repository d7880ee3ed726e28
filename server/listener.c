/* Sockets, and libmicrohttpd's epoll set as a handle of the loop. */
#include "server/listener.h"

#include "runtime/base/log.h"
#include "server/exchange.h"
#include "server/server.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 512
/* One request's header block, and what libmicrohttpd needs around it. */
#define CONNECTION_MEMORY_BYTES (64u << 10)

/* ---- sockets ---- */

static enum drift_status bind_error(int errnum, const char *name, struct drift_error *err)
{
    return drift_error_set(err, errnum == EADDRINUSE ? DRIFT_STATUS_UNAVAILABLE : DRIFT_STATUS_IO, errnum,
                           "cannot listen at %s: %s%s", name, strerror(errnum),
                           errnum == EADDRINUSE ? " (another program has this port; choose one with --listen)"
                                                : "");
}

static int open_socket(const struct addrinfo *address)
{
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (address->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

static enum drift_status listen_tcp(const struct drift_config_listen *l, int *ret_fd, struct drift_error *err)
{
    char port[8];
    snprintf(port, sizeof port, "%u", l->port);
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found;
    int rc = getaddrinfo(strcmp(l->host, "*") == 0 ? "0.0.0.0" : l->host, port, &hints, &found);
    if (rc != 0)
        return drift_error_set(err, DRIFT_STATUS_INVALID, rc, "cannot listen at %s: %s", l->text,
                               gai_strerror(rc));
    int fd = -1;
    for (const struct addrinfo *a = found; a && fd < 0; a = a->ai_next)
        fd = open_socket(a);
    int errnum = errno;
    freeaddrinfo(found);
    if (fd < 0)
        return bind_error(errnum, l->text, err);
    *ret_fd = fd;
    return DRIFT_STATUS_OK;
}

/* A socket file that nobody listens at is left over from a daemon that died. */
static void remove_stale(const struct sockaddr_un *address, socklen_t len)
{
    struct stat st;
    if (lstat(address->sun_path, &st) != 0 || !S_ISSOCK(st.st_mode))
        return;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)address, len) != 0 && errno == ECONNREFUSED)
        unlink(address->sun_path);
    if (fd >= 0)
        close(fd);
}

static enum drift_status listen_unix(const struct drift_config_listen *l, int *ret_fd, struct drift_error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(l->path);
    if (len >= sizeof address.sun_path)
        return drift_error_set(err, DRIFT_STATUS_INVALID, 0, "%s: the path is too long", l->text);
    memcpy(address.sun_path, l->path, len);
    bool is_abstract = l->path[0] == '@';
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + !is_abstract);
    if (is_abstract)
        address.sun_path[0] = '\0';
    else
        remove_stale(&address, size);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, size) != 0 || listen(fd, BACKLOG) != 0) {
        int errnum = errno;
        if (fd >= 0)
            close(fd);
        return bind_error(errnum, l->text, err);
    }
    *ret_fd = fd;
    return DRIFT_STATUS_OK;
}

/* "http://127.0.0.1:8080" of what was bound, the port that the system chose included. */
static void name_tcp(struct drift_listener *listener, int fd)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    char host[64], port[8];
    if (getsockname(fd, (struct sockaddr *)&address, &len) != 0 ||
        getnameinfo((struct sockaddr *)&address, len, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return;
    bool is_v6 = address.ss_family == AF_INET6;
    snprintf(listener->name, sizeof listener->name, "http://%s%s%s:%s", is_v6 ? "[" : "", host,
             is_v6 ? "]" : "", port);
}

/* ---- in the loop ---- */

static void on_timer(uv_timer_t *timer);

static void run(struct drift_listener *listener)
{
    /* What a pass makes ready (a resumed connection, a finished request) is served by the next one. */
    for (int pass = 0; pass < 8; pass++) {
        listener->is_kicked = false;
        MHD_run(listener->daemon);
        if (!listener->is_kicked)
            break;
    }
    MHD_UNSIGNED_LONG_LONG ms;
    if (listener->is_kicked)
        uv_timer_start(&listener->timer, on_timer, 0, 0);
    else if (MHD_get_timeout(listener->daemon, &ms) == MHD_YES)
        uv_timer_start(&listener->timer, on_timer, ms, 0);
    else
        uv_timer_stop(&listener->timer);
}

static void on_timer(uv_timer_t *timer)
{
    run(timer->data);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    run(poll->data);
}

void drift_listener_kick(struct drift_listener *listener)
{
    listener->is_kicked = true;
    uv_timer_start(&listener->timer, on_timer, 0, 0);
}

static void on_mhd_log(void *ctx, const char *format, va_list args)
{
    (void)ctx;
    char line[512];
    vsnprintf(line, sizeof line, format, args);
    line[strcspn(line, "\n")] = '\0';
    drift_log(DRIFT_LOG_DEBUG, "http", "%s", line);
}

static enum drift_status start_daemon(struct drift_listener *listener, int fd, struct drift_error *err)
{
    const struct drift_config_server *config = &listener->server->config->server;
    listener->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL,
        drift_exchange_on_request, listener, MHD_OPTION_EXTERNAL_LOGGER, on_mhd_log, NULL,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)config->max_connections,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)((config->idle_timeout_ms + 999) / 1000),
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY_BYTES,
        MHD_OPTION_NOTIFY_COMPLETED, drift_exchange_on_completed, listener,
        MHD_OPTION_NOTIFY_CONNECTION, drift_exchange_on_connection, listener, MHD_OPTION_END);
    if (listener->daemon)
        return DRIFT_STATUS_OK;
    close(fd);
    return drift_error_set(err, DRIFT_STATUS_INTERNAL, 0, "the HTTP library cannot be started at %s",
                           listener->name);
}

enum drift_status drift_listener_adopt(struct drift_listener *listener, struct drift_server *server, int fd,
                                       const char *name, bool is_loopback, bool is_unix,
                                       struct drift_error *err)
{
    listener->server = server;
    listener->is_loopback = is_loopback;
    listener->is_unix = is_unix;
    snprintf(listener->name, sizeof listener->name, "%s", name);
    if (!is_unix)
        name_tcp(listener, fd);
    enum drift_status status = start_daemon(listener, fd, err);
    if (status != DRIFT_STATUS_OK)
        return status;
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(listener->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    int rc = info ? uv_poll_init(&server->loop, &listener->poll, info->epoll_fd) : UV_EINVAL;
    if (rc != 0) {
        MHD_stop_daemon(listener->daemon);
        listener->daemon = NULL;
        return drift_error_set(err, DRIFT_STATUS_INTERNAL, rc, "%s: %s", listener->name, uv_strerror(rc));
    }
    uv_timer_init(&server->loop, &listener->timer);
    listener->poll.data = listener->timer.data = listener;
    listener->n_open = 2;
    listener->is_accepting = true;
    uv_poll_start(&listener->poll, UV_READABLE, on_poll);
    return DRIFT_STATUS_OK;
}

enum drift_status drift_listener_open(struct drift_listener *listener, struct drift_server *server,
                                      const struct drift_config_listen *address, struct drift_error *err)
{
    bool is_unix = address->kind == DRIFT_CONFIG_LISTEN_UNIX;
    int fd = -1;
    enum drift_status status =
        is_unix ? listen_unix(address, &fd, err) : listen_tcp(address, &fd, err);
    if (status != DRIFT_STATUS_OK)
        return status;
    if (is_unix && address->path[0] != '@')
        snprintf(listener->unix_path, sizeof listener->unix_path, "%s", address->path);
    return drift_listener_adopt(listener, server, fd, address->text, address->loopback, is_unix, err);
}

void drift_listener_quiesce(struct drift_listener *listener)
{
    if (!listener->daemon || !listener->is_accepting)
        return;
    listener->is_accepting = false;
    MHD_socket fd = MHD_quiesce_daemon(listener->daemon); /* ours again */
    if (fd != MHD_INVALID_SOCKET)
        close(fd);
    if (listener->unix_path[0])
        unlink(listener->unix_path);
}

static void on_closed(uv_handle_t *handle)
{
    struct drift_listener *listener = handle->data;
    listener->n_open--;
}

void drift_listener_close(struct drift_listener *listener)
{
    if (!listener->daemon)
        return;
    drift_listener_quiesce(listener);
    uv_poll_stop(&listener->poll);
    uv_close((uv_handle_t *)&listener->poll, on_closed);
    uv_close((uv_handle_t *)&listener->timer, on_closed);
    MHD_stop_daemon(listener->daemon);
    listener->daemon = NULL;
}
