/* The one table of what the server answers: method, path, who may ask, who answers. Thread: http. */
#ifndef DRIFT_SERVER_ROUTES_H
#define DRIFT_SERVER_ROUTES_H

#include "api/openai/error.h"

#include <stddef.h>

struct drift_exchange;
struct drift_server;

typedef void (*drift_route_handler_fn)(struct drift_exchange *x);

struct drift_route {
    const char *method;
    const char *path; /* may have one "{id}", which takes one or more characters, slashes too */
    bool is_public;   /* no API key */
    drift_route_handler_fn run;
};

#define DRIFT_ROUTES_MAX 32

const struct drift_route *drift_routes_table(size_t *ret_n);
/* Set x->route and x->id; 404 or 405 (x->allow set) otherwise. */
bool drift_routes_find(struct drift_exchange *x, const char *method, struct drift_api_error *error);
/* Let the handler answer. */
void drift_routes_run(struct drift_exchange *x);

/* ---- handlers ---- */
void drift_handle_chat_completions(struct drift_exchange *x);
void drift_handle_completions(struct drift_exchange *x);
void drift_handle_models(struct drift_exchange *x);
void drift_handle_model(struct drift_exchange *x);
void drift_handle_admin_models(struct drift_exchange *x);
void drift_handle_admin_load(struct drift_exchange *x);
void drift_handle_admin_unload(struct drift_exchange *x);
void drift_handle_health(struct drift_exchange *x);
void drift_handle_ready(struct drift_exchange *x);
void drift_handle_metrics(struct drift_exchange *x);

#endif
