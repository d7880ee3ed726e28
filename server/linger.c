/* See linger.h. */
#include "server/linger.h"

#include "runtime/base/alloc.h"
#include "server/server.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINGER_MS     2000u
#define MAX_LINGERING 256u
#define MAX_BYTES     (64u << 20)

struct drift_linger {
    struct drift_server *server;
    struct drift_linger *next, *prev;
    uv_poll_t poll;
    uv_timer_t timer;
    int fd, n_open;
    uint64_t n_bytes;
};

static void on_closed(uv_handle_t *handle)
{
    struct drift_linger *l = handle->data;
    if (--l->n_open > 0)
        return;
    close(l->fd);
    drift_free(l);
}

static void stop(struct drift_linger *l)
{
    if (l->prev)
        l->prev->next = l->next;
    else
        l->server->lingers = l->next;
    if (l->next)
        l->next->prev = l->prev;
    l->server->n_lingers--;
    uv_close((uv_handle_t *)&l->poll, on_closed);
    uv_close((uv_handle_t *)&l->timer, on_closed);
}

static void on_timer(uv_timer_t *timer)
{
    stop(timer->data);
}

static void on_input(uv_poll_t *poll, int status, int events)
{
    (void)events;
    struct drift_linger *l = poll->data;
    char scrap[16384];
    ssize_t n = status < 0 ? 0 : recv(l->fd, scrap, sizeof scrap, MSG_DONTWAIT);
    if (n > 0)
        l->n_bytes += (uint64_t)n;
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR) || l->n_bytes > MAX_BYTES)
        stop(l);
}

void drift_linger_start(struct drift_server *server, int fd)
{
    if (server->n_lingers == MAX_LINGERING)
        return; /* the reply may be lost then; memory and descriptors are not */
    struct drift_linger *l = drift_alloc(DRIFT_TAG_SERVER, 1, sizeof *l);
    if (!l)
        return;
    *l = (struct drift_linger){.server = server, .next = server->lingers, .n_open = 2};
    l->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (l->fd < 0 || uv_poll_init(&server->loop, &l->poll, l->fd) != 0) {
        if (l->fd >= 0)
            close(l->fd);
        drift_free(l);
        return;
    }
    uv_timer_init(&server->loop, &l->timer);
    l->poll.data = l->timer.data = l;
    if (l->next)
        l->next->prev = l;
    server->lingers = l;
    server->n_lingers++;
    uv_poll_start(&l->poll, UV_READABLE, on_input);
    uv_timer_start(&l->timer, on_timer, LINGER_MS, 0);
}

void drift_linger_stop_all(struct drift_server *server)
{
    while (server->lingers)
        stop(server->lingers);
}
