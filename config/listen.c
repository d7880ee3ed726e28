/*
 * The list of addresses to listen on.
 *
 * HOST:PORT | [IPV6]:PORT | *:PORT | unix:/PATH | unix:@NAME. Names are not resolved here;
 * only numeric addresses of the loopback net and the name localhost count as loopback.
 */
#include "config/value.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

#define MAX_HOST_BYTES 255u

static bool is_loopback(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return (ntohl(v4.s_addr) >> 24) == 127;
    if (inet_pton(AF_INET6, host, &v6) == 1)
        return IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
    return strcasecmp(host, "localhost") == 0;
}

static bool host_is_valid(const char *host, size_t n, bool brackets)
{
    if (n == 0 || n > MAX_HOST_BYTES)
        return false;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)host[i];
        bool valid = brackets ? isxdigit(c) || strchr(":.", c) : isalnum(c) || strchr("-._", c);
        if (!valid)
            return false;
    }
    return true;
}

static bool parse_port(const char *text, uint16_t *ret)
{
    unsigned value = 0;
    size_t n = 0;
    for (; text[n] >= '0' && text[n] <= '9' && n < 6; n++)
        value = value * 10 + (unsigned)(text[n] - '0');
    if (n == 0 || n > 5 || text[n] != '\0' || value > UINT16_MAX)
        return false;
    *ret = (uint16_t)value;
    return true;
}

static bool parse_unix(struct drift_arena *arena, const char *path, struct drift_config_listen *out)
{
    struct sockaddr_un address;
    size_t n = strlen(path);
    if (n < 2 || n >= sizeof address.sun_path || (path[0] != '/' && path[0] != '@'))
        return false;
    out->kind = DRIFT_CONFIG_LISTEN_UNIX;
    out->path = drift_arena_strndup(arena, path, n);
    out->loopback = true;
    return out->path != NULL;
}

static bool parse_tcp(struct drift_arena *arena, const char *text, struct drift_config_listen *out)
{
    const char *colon = strrchr(text, ':');
    if (!colon || !parse_port(colon + 1, &out->port))
        return false;
    const char *host = text;
    size_t n = (size_t)(colon - text);
    bool brackets = n >= 2 && host[0] == '[' && host[n - 1] == ']';
    if (brackets) {
        host++;
        n -= 2;
    }
    bool any = !brackets && n == 1 && host[0] == '*';
    if (!any && !host_is_valid(host, n, brackets))
        return false;
    char *copy = drift_arena_strndup(arena, host, n);
    if (!copy)
        return false;
    struct in6_addr v6;
    if (brackets && inet_pton(AF_INET6, copy, &v6) != 1)
        return false;
    out->kind = DRIFT_CONFIG_LISTEN_TCP;
    out->host = copy;
    out->loopback = is_loopback(copy);
    return true;
}

static bool parse_address(struct drift_arena *arena, const char *text,
                          struct drift_config_listen *ret)
{
    static const char scheme[] = "unix:";
    struct drift_config_listen out = {.text = drift_arena_strndup(arena, text, strlen(text))};
    if (!out.text)
        return false;
    bool valid = strncmp(text, scheme, sizeof scheme - 1) == 0
                     ? parse_unix(arena, text + sizeof scheme - 1, &out)
                     : parse_tcp(arena, text, &out);
    if (valid)
        *ret = out;
    return valid;
}

static bool parse_listen(struct drift_config_build *build, const struct drift_config_key *key,
                         void *base, const char *text)
{
    (void)base;
    struct drift_config_server *server = &build->config.server;
    if (!build->listen)
        build->listen = drift_arena_alloc(&build->arena, key->max, sizeof *build->listen);
    if (!build->listen || !parse_address(&build->arena, text, &build->listen[server->n_listen]))
        return false;
    server->listen = build->listen;
    server->n_listen++;
    return true;
}

static void format_listen(const struct drift_config_key *key, const void *base, size_t i,
                          struct drift_buf *out)
{
    (void)key;
    const struct drift_config *config = base;
    drift_buf_append_str(out, config->server.listen[i].text);
}

static bool equal_listen(const struct drift_config_key *key, const void *a, const void *b)
{
    (void)key;
    const struct drift_config_server *x = &((const struct drift_config *)a)->server;
    const struct drift_config_server *y = &((const struct drift_config *)b)->server;
    bool equal = x->n_listen == y->n_listen;
    for (size_t i = 0; equal && i < x->n_listen; i++)
        equal = strcmp(x->listen[i].text, y->listen[i].text) == 0;
    return equal;
}

static void allowed_listen(const struct drift_config_key *key, struct drift_buf *out)
{
    (void)key;
    drift_buf_append_str(out, "HOST:PORT, [IPV6]:PORT, *:PORT or unix:/PATH (at most 107 bytes)");
}

static void reset_listen(struct drift_config *config)
{
    config->server.n_listen = 0;
}

static size_t count_listen(const struct drift_config *config)
{
    return config->server.n_listen;
}

const struct drift_config_value_ops drift_config_listen_ops = {
    .parse = parse_listen,
    .format = format_listen,
    .equal = equal_listen,
    .allowed = allowed_listen,
    .reset = reset_listen,
    .count = count_listen,
};
