/*
 * Addresses to listen on and origins of web pages, from text.
 *
 * Address: HOST:PORT | [IPV6]:PORT | *:PORT | unix:/PATH | unix:@NAME. Names are not resolved here;
 * only numeric addresses of the loopback net and the name localhost count as loopback.
 */
#include "config/value.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

#define MAX_HOST_BYTES   255u
#define MAX_ORIGIN_BYTES 300u

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

bool drift_config_parse_listen(struct drift_arena *arena, const char *text,
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

/* Browsers send origins in lower case and without a path; whatever else could never match. */
bool drift_config_parse_origin(struct drift_arena *arena, const char *text, const char **ret)
{
    const char *rest = strstr(text, "://");
    size_t n = strlen(text);
    if (!rest || rest == text || rest[3] == '\0' || n > MAX_ORIGIN_BYTES)
        return false;
    for (const char *p = text; *p; p++) {
        unsigned char c = (unsigned char)*p;
        const char *marks = p < rest ? "+-." : ".-_:[]";
        bool separator = p >= rest && p < rest + 3;
        if (!separator && !isalnum(c) && !strchr(marks, c))
            return false;
    }
    char *copy = drift_arena_strndup(arena, text, n);
    if (!copy)
        return false;
    for (char *p = copy; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    *ret = copy;
    return true;
}
