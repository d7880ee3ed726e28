/*
 * Origins of web pages that may call the server: SCHEME://HOST[:PORT], or one of the words
 * loopback, * and none, which set drift_config_server.cors instead of adding an entry.
 */
#include "config/value.h"

#include <ctype.h>
#include <string.h>

#define MAX_ORIGIN_BYTES 300u

/* Browsers send origins in lower case and without a path; whatever else could never match. */
static bool parse_origin(struct drift_arena *arena, const char *text, const char **ret)
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

static bool parse_origins(struct drift_config_build *build, const struct drift_config_key *key,
                          void *base, const char *text)
{
    (void)base;
    struct drift_config_server *server = &build->config.server;
    if (strcmp(text, "loopback") == 0 || strcmp(text, "*") == 0) {
        server->cors = text[0] == '*' ? DRIFT_CONFIG_CORS_ANY : DRIFT_CONFIG_CORS_LOOPBACK;
        return true;
    }
    if (strcmp(text, "none") == 0)
        return true;
    if (!build->cors_origins)
        build->cors_origins = drift_arena_alloc(&build->arena, key->max, sizeof(char *));
    if (!build->cors_origins ||
        !parse_origin(&build->arena, text, &build->cors_origins[server->n_cors_origins]))
        return false;
    server->cors_origins = build->cors_origins;
    server->n_cors_origins++;
    return true;
}

static void format_origins(const struct drift_config_key *key, const void *base, size_t i,
                           struct drift_buf *out)
{
    (void)key;
    const struct drift_config_server *server = &((const struct drift_config *)base)->server;
    static const char *const words[DRIFT_CONFIG_CORS_COUNT] = {
        [DRIFT_CONFIG_CORS_LOOPBACK] = "loopback",
        [DRIFT_CONFIG_CORS_ANY] = "*",
        [DRIFT_CONFIG_CORS_LIST] = NULL,
    };
    const char *word = words[server->cors];
    if (!word && server->n_cors_origins == 0)
        word = "none";
    if (word && i == 0) {
        drift_buf_append_str(out, word);
        return;
    }
    drift_buf_append_str(out, server->cors_origins[word ? i - 1 : i]);
}

static bool equal_origins(const struct drift_config_key *key, const void *a, const void *b)
{
    (void)key;
    const struct drift_config_server *x = &((const struct drift_config *)a)->server;
    const struct drift_config_server *y = &((const struct drift_config *)b)->server;
    bool equal = x->cors == y->cors && x->n_cors_origins == y->n_cors_origins;
    for (size_t i = 0; equal && i < x->n_cors_origins; i++)
        equal = strcmp(x->cors_origins[i], y->cors_origins[i]) == 0;
    return equal;
}

static void allowed_origins(const struct drift_config_key *key, struct drift_buf *out)
{
    (void)key;
    drift_buf_append_str(out, "SCHEME://HOST[:PORT], loopback, * or none");
}

static void reset_origins(struct drift_config *config)
{
    config->server.cors = DRIFT_CONFIG_CORS_LIST;
    config->server.n_cors_origins = 0;
}

static size_t count_origins(const struct drift_config *config)
{
    const struct drift_config_server *server = &config->server;
    bool word = server->cors != DRIFT_CONFIG_CORS_LIST || server->n_cors_origins == 0;
    return server->n_cors_origins + (word ? 1 : 0);
}

const struct drift_config_value_ops drift_config_origins_ops = {
    .parse = parse_origins,
    .format = format_origins,
    .equal = equal_origins,
    .allowed = allowed_origins,
    .reset = reset_origins,
    .count = count_origins,
};
