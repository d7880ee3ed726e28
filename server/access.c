/* Host, Origin and keys; see access.h. */
#include "server/access.h"

#include "runtime/base/file.h"
#include "server/exchange.h"
#include "server/routes.h"
#include "server/server.h"

#include <string.h>
#include <strings.h>

#define MAX_KEYS      1000u
#define MIN_KEY_BYTES 8u
#define MAX_KEY_BYTES 256u

/* ---- keys ---- */

struct drift_access_keys {
    uint32_t count;
    uint16_t lens[MAX_KEYS];
    char bytes[MAX_KEYS][MAX_KEY_BYTES]; /* zero-padded, so that comparing looks at all of it */
};

static enum drift_status add_key(struct drift_access_keys *keys, const char *path, unsigned line_number,
                                 const char *line, size_t len, struct drift_error *err)
{
    while (len > 0 && (line[len - 1] == ' ' || line[len - 1] == '\r' || line[len - 1] == '\t'))
        len--;
    if (len == 0 || line[0] == '#')
        return DRIFT_STATUS_OK;
    if (keys->count == MAX_KEYS)
        return drift_error_set(err, DRIFT_STATUS_LIMIT, 0, "%s: more than %u keys", path, MAX_KEYS);
    bool printable = true;
    for (size_t i = 0; i < len; i++)
        printable = printable && line[i] > ' ' && line[i] < 127;
    if (len < MIN_KEY_BYTES || len > MAX_KEY_BYTES || !printable)
        return drift_error_set(err, DRIFT_STATUS_INVALID, 0,
                               "%s:%u: a key has %u to %u printable characters and no spaces", path,
                               line_number, MIN_KEY_BYTES, MAX_KEY_BYTES);
    memcpy(keys->bytes[keys->count], line, len);
    keys->lens[keys->count++] = (uint16_t)len;
    return DRIFT_STATUS_OK;
}

enum drift_status drift_access_keys_load(const char *path, struct drift_access_keys **ret_keys,
                                         struct drift_error *err)
{
    struct drift_buf text;
    drift_buf_init(&text, DRIFT_TAG_SERVER, 1u << 20);
    struct drift_access_keys *keys = drift_alloc(DRIFT_TAG_SERVER, 1, sizeof *keys);
    enum drift_status status = keys ? drift_file_read(path, &text, err)
                                    : drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "no memory for keys");
    const char *line = drift_buf_cstr(&text);
    for (unsigned n = 1; status == DRIFT_STATUS_OK && *line; n++) {
        size_t len = strcspn(line, "\n");
        status = add_key(keys, path, n, line, len, err);
        line += len + (line[len] == '\n');
    }
    if (status == DRIFT_STATUS_OK && keys->count == 0)
        status = drift_error_set(err, DRIFT_STATUS_INVALID, 0, "%s: there is no key in it", path);
    if (text.data)
        explicit_bzero(text.data, text.len);
    drift_buf_fini(&text);
    if (status == DRIFT_STATUS_OK)
        *ret_keys = keys;
    else
        drift_access_keys_destroy(keys);
    return status;
}

void drift_access_keys_destroy(struct drift_access_keys *keys)
{
    if (keys)
        explicit_bzero(keys, sizeof *keys);
    drift_free(keys);
}

static bool is_known(const struct drift_access_keys *keys, const char *given)
{
    size_t len = strnlen(given, MAX_KEY_BYTES + 1);
    char padded[MAX_KEY_BYTES] = {0};
    memcpy(padded, given, len < MAX_KEY_BYTES ? len : MAX_KEY_BYTES);
    unsigned found = 0;
    for (uint32_t k = 0; k < keys->count; k++) {
        unsigned difference = keys->lens[k] ^ (unsigned)len;
        for (size_t i = 0; i < MAX_KEY_BYTES; i++)
            difference |= (unsigned char)(keys->bytes[k][i] ^ padded[i]);
        found |= difference == 0;
    }
    return found;
}

bool drift_access_check_key(const struct drift_exchange *x, struct drift_api_error *error)
{
    const struct drift_access_keys *keys = x->server->keys;
    if (!keys || (x->route && x->route->is_public))
        return true;
    const char *given = MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, "Authorization");
    if (given && strncasecmp(given, "Bearer ", 7) == 0)
        given += 7;
    else
        given = MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, "x-api-key");
    if (given && is_known(keys, given))
        return true;
    return drift_api_refuse(error, DRIFT_API_FAILURE_INVALID_API_KEY, NULL,
                            given ? "the API key is not known here"
                                  : "an API key is needed: Authorization: Bearer KEY");
}

/* ---- hosts and origins ---- */

/* host[:port], the port being digits. */
static bool is_loopback_host(const char *host, size_t len)
{
    if (len > 0 && host[0] == '[') {
        const char *end = memchr(host, ']', len);
        return end && (size_t)(end - host) == 4 && memcmp(host, "[::1", 4) == 0 &&
               (end + 1 == host + len || end[1] == ':');
    }
    const char *colon = memchr(host, ':', len);
    size_t n = colon ? (size_t)(colon - host) : len;
    if (n == 9 && strncasecmp(host, "localhost", 9) == 0)
        return true;
    /* 127.x.y.z, digits and dots only: "127.0.0.1.example" is somebody's name */
    return n >= 7 && strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") >= n;
}

bool drift_access_check_host(const struct drift_exchange *x, struct drift_api_error *error)
{
    if (!x->listener->is_loopback || x->listener->is_unix)
        return true;
    const char *host = MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, "Host");
    if (!host || is_loopback_host(host, strlen(host)))
        return true;
    return drift_api_refuse(error, DRIFT_API_FAILURE_FORBIDDEN, NULL,
                            "this listener answers requests for localhost only, not for '%.100s'", host);
}

static bool is_loopback_origin(const char *origin)
{
    const char *host = strstr(origin, "://");
    bool is_http = strncasecmp(origin, "http://", 7) == 0 || strncasecmp(origin, "https://", 8) == 0;
    return host && is_http && is_loopback_host(host + 3, strlen(host + 3));
}

bool drift_access_check_origin(struct drift_exchange *x, struct drift_api_error *error)
{
    const char *origin = MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, "Origin");
    if (!origin)
        return true;
    const struct drift_config_server *config = &x->server->live->server;
    bool allowed = config->cors == DRIFT_CONFIG_CORS_ANY ||
                   (config->cors == DRIFT_CONFIG_CORS_LOOPBACK && is_loopback_origin(origin));
    for (size_t i = 0; i < config->n_cors_origins && !allowed; i++)
        allowed = strcasecmp(origin, config->cors_origins[i]) == 0;
    if (!allowed || strlen(origin) >= sizeof x->origin)
        return drift_api_refuse(error, DRIFT_API_FAILURE_FORBIDDEN, NULL,
                                "pages of '%.100s' may not use this server; see cors-origins", origin);
    memcpy(x->origin, origin, strlen(origin) + 1);
    return true;
}

void drift_access_reply_preflight(struct drift_exchange *x)
{
    x->is_preflight = true;
    drift_exchange_reply(x, 204, NULL);
}
