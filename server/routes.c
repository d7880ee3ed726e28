/* The table, and matching of paths. */
#include "server/routes.h"

#include "server/exchange.h"

#include <string.h>

static const struct drift_route routes[] = {
    {"POST", "/v1/chat/completions", false, drift_handle_chat_completions},
    {"POST", "/v1/completions", false, drift_handle_completions},
    {"GET", "/v1/models", false, drift_handle_models},
    {"GET", "/v1/models/{id}", false, drift_handle_model},
    {"GET", "/admin/models", false, drift_handle_admin_models},
    {"POST", "/admin/models/{id}/load", false, drift_handle_admin_load},
    {"POST", "/admin/models/{id}/unload", false, drift_handle_admin_unload},
    {"GET", "/health", true, drift_handle_health},
    {"GET", "/ready", true, drift_handle_ready},
    {"GET", "/metrics", false, drift_handle_metrics},
};
_Static_assert(DRIFT_COUNT_OF(routes) <= DRIFT_ROUTES_MAX, "the counters have a place for every route");

const struct drift_route *drift_routes_table(size_t *ret_n)
{
    *ret_n = DRIFT_COUNT_OF(routes);
    return routes;
}

/* Match a path with a pattern; what "{id}" takes goes to id when it fits. */
static bool matches(const char *pattern, const char *path, char *id, size_t size)
{
    const char *hole = strstr(pattern, "{id}");
    if (!hole)
        return strcmp(pattern, path) == 0;
    size_t before = (size_t)(hole - pattern), len = strlen(path), after = strlen(hole + 4);
    if (len <= before + after || strncmp(pattern, path, before) != 0 ||
        strcmp(hole + 4, path + len - after) != 0)
        return false;
    size_t n = len - before - after;
    if (n >= size)
        return false;
    memcpy(id, path + before, n);
    id[n] = '\0';
    return true;
}

bool drift_routes_find(struct drift_exchange *x, const char *method, struct drift_api_error *error)
{
    const struct drift_route *other = NULL;
    const char *wanted = x->is_head ? "GET" : method;
    /* A trailing slash is forgiven: clients join base URLs in both ways. */
    size_t len = strlen(x->path_copy);
    if (len > 1 && x->path_copy[len - 1] == '/')
        x->path_copy[len - 1] = '\0';
    for (size_t i = 0; i < DRIFT_COUNT_OF(routes); i++) {
        if (!matches(routes[i].path, x->path, x->id, sizeof x->id))
            continue;
        if (strcmp(routes[i].method, wanted) == 0) {
            x->route = &routes[i];
            return true;
        }
        other = &routes[i];
    }
    if (!other)
        return drift_api_refuse(error, DRIFT_API_FAILURE_NOT_FOUND, NULL, "there is nothing at %.200s",
                                x->path);
    x->allow = strcmp(other->method, "GET") == 0 ? "GET, HEAD, OPTIONS" : "POST, OPTIONS";
    return drift_api_refuse(error, DRIFT_API_FAILURE_METHOD_NOT_ALLOWED, NULL, "%.200s takes %s, not %.20s",
                            x->path, x->allow, method);
}

void drift_routes_run(struct drift_exchange *x)
{
    x->route->run(x);
}
