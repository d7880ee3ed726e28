/* See sd.h. The notifications are lines of NAME=value as sd_notify(3) defines them. */
#include "server/sd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#define STATUS_BYTES 256

/* A value ends at a line feed, so that one within it could pretend to be another notification. */
static void one_line(char out[STATUS_BYTES], const char *text)
{
    snprintf(out, STATUS_BYTES, "%s", text ? text : "");
    for (char *p = out; *p; p++) {
        if (*p == '\n')
            *p = ' ';
    }
}

void drift_sd_notify_ready(const char *status)
{
    char line[STATUS_BYTES];
    one_line(line, status);
    sd_notifyf(0, "READY=1\nSTATUS=%s", line);
}

void drift_sd_notify_reloading(void)
{
    /* Since version 253 systemd wants to know since when, to tell this reload from an older one. */
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    unsigned long long usec =
        (unsigned long long)now.tv_sec * 1000000ull + (unsigned long long)now.tv_nsec / 1000ull;
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu\nSTATUS=reloading", usec);
}

void drift_sd_notify_stopping(const char *status)
{
    char line[STATUS_BYTES];
    one_line(line, status);
    sd_notifyf(0, "STOPPING=1\nSTATUS=%s", line);
}

void drift_sd_notify_status(const char *fmt, ...)
{
    char text[STATUS_BYTES], line[STATUS_BYTES];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    one_line(line, text);
    sd_notifyf(0, "STATUS=%s", line);
}

void drift_sd_notify_extend_timeout(uint64_t extend_ms)
{
    sd_notifyf(0, "EXTEND_TIMEOUT_USEC=%llu", (unsigned long long)extend_ms * 1000ull);
}

void drift_sd_notify_watchdog(void)
{
    sd_notify(0, "WATCHDOG=1");
}

uint64_t drift_sd_watchdog_interval_ms(void)
{
    uint64_t usec = 0;
    if (sd_watchdog_enabled(0, &usec) <= 0)
        return 0;
    uint64_t half_ms = usec / 2000;
    return half_ms ? half_ms : 1;
}

static void describe_v4(struct drift_sd_socket *out, const struct sockaddr_in *address)
{
    char host[INET_ADDRSTRLEN] = "";
    inet_ntop(AF_INET, &address->sin_addr, host, sizeof host);
    out->loopback = (ntohl(address->sin_addr.s_addr) >> 24) == 127;
    snprintf(out->name, sizeof out->name, "%s:%u", host, ntohs(address->sin_port));
}

static void describe_v6(struct drift_sd_socket *out, const struct sockaddr_in6 *address)
{
    char host[INET6_ADDRSTRLEN] = "";
    inet_ntop(AF_INET6, &address->sin6_addr, host, sizeof host);
    out->loopback = IN6_IS_ADDR_LOOPBACK(&address->sin6_addr);
    snprintf(out->name, sizeof out->name, "[%s]:%u", host, ntohs(address->sin6_port));
}

static void describe_unix(struct drift_sd_socket *out, const struct sockaddr_un *address,
                          size_t size)
{
    size_t n = size - offsetof(struct sockaddr_un, sun_path);
    bool is_abstract = n > 0 && address->sun_path[0] == '\0';
    out->is_unix = true;
    out->loopback = true;
    /* Neither the terminating zero of a path nor its absence at full length is to be relied on. */
    const char *path = is_abstract ? address->sun_path + 1 : address->sun_path;
    n = is_abstract ? n - 1 : strnlen(path, n);
    snprintf(out->name, sizeof out->name, "unix:%s%.*s", is_abstract ? "@" : "", (int)n, path);
}

static enum drift_status take_socket(int fd, struct drift_sd_socket *out, struct drift_error *err)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un local;
        struct sockaddr_storage storage;
    } address = {0};
    socklen_t size = sizeof address;
    if (sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) <= 0)
        return drift_error_set(err, DRIFT_STATUS_INVALID, 0,
                               "descriptor %d from systemd is no listening stream socket", fd);
    if (getsockname(fd, &address.any, &size) < 0)
        return drift_error_set_errno(err, errno, "address of descriptor %d from systemd", fd);
    *out = (struct drift_sd_socket){.fd = fd};
    switch (address.any.sa_family) {
    case AF_INET:
        describe_v4(out, &address.v4);
        break;
    case AF_INET6:
        describe_v6(out, &address.v6);
        break;
    case AF_UNIX:
        describe_unix(out, &address.local, size);
        break;
    default:
        return drift_error_set(err, DRIFT_STATUS_INVALID, 0,
                               "descriptor %d from systemd is of address family %d", fd,
                               address.any.sa_family);
    }
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return drift_error_set_errno(err, errno, "flags of descriptor %d from systemd", fd);
    return DRIFT_STATUS_OK;
}

enum drift_status drift_sd_take_sockets(struct drift_sd_socket sockets[DRIFT_SD_MAX_SOCKETS],
                                        size_t *ret_n, struct drift_error *err)
{
    int n = sd_listen_fds(1);
    if (n < 0)
        return drift_error_set_errno(err, -n, "sockets from systemd");
    if ((unsigned)n > DRIFT_SD_MAX_SOCKETS)
        return drift_error_set(err, DRIFT_STATUS_LIMIT, 0,
                               "%d sockets from systemd, at most %u are allowed", n,
                               DRIFT_SD_MAX_SOCKETS);
    struct drift_sd_socket taken[DRIFT_SD_MAX_SOCKETS];
    for (int i = 0; i < n; i++) {
        enum drift_status status = take_socket(SD_LISTEN_FDS_START + i, &taken[i], err);
        if (status != DRIFT_STATUS_OK)
            return status;
    }
    memcpy(sockets, taken, (size_t)n * sizeof taken[0]);
    *ret_n = (size_t)n;
    return DRIFT_STATUS_OK;
}
