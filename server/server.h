/*
 * The daemon: one HTTP loop with its listeners and exchanges, and the engines behind it.
 *
 * Life: create (engines opened, models declared, sockets bound) - run (preloaded models load while /health answers
 * already) - drain (SIGTERM: nothing new is accepted, what runs may finish) - end. Thread: http.
 */
#ifndef DRIFT_SERVER_SERVER_H
#define DRIFT_SERVER_SERVER_H

#include "config/config.h"
#include "runtime/engine.h"
#include "server/listener.h"
#include "server/routes.h"

#include <uv.h>

#define DRIFT_SERVER_MAX_LISTENERS 32
#define DRIFT_SERVER_MAX_ENGINES   8
#define DRIFT_SERVER_MAX_MODELS    512

struct drift_access_keys;
struct drift_exchange;
struct drift_generation;
struct drift_chat_templates;
struct socket_state;
struct drift_linger;

struct drift_server_engine {
    const char *device; /* as configured */
    struct drift_engine *engine;
};

struct drift_server {
    struct drift_config *config; /* owned; as at the start: what a reload cannot change */
    struct drift_config *live;   /* the last one read, for what it can; config itself until then */
    struct drift_config_input input; /* what a reload reads again */
    uv_loop_t loop;
    uv_async_t wake;  /* engines have news */
    uv_timer_t tick;  /* once a second */
    uv_signal_t signals[3];
    struct drift_listener listeners[DRIFT_SERVER_MAX_LISTENERS];
    size_t n_listeners;
    struct drift_server_engine engines[DRIFT_SERVER_MAX_ENGINES];
    size_t n_engines;
    struct drift_access_keys *keys; /* NULL: no key is needed */
    struct drift_chat_templates *templates;

    struct drift_exchange *exchanges;
    uint32_t n_exchanges;
    struct socket_state *sockets;
    struct drift_generation *generations; /* running answers */
    uint32_t n_generations;
    struct drift_linger *lingers; /* refused connections whose clients still send */
    uint32_t n_lingers;

    bool is_draining, is_ended, is_ready_told;
    uint64_t drain_start_ns;
    uint64_t watchdog_ms, last_watchdog_ns;
    bool is_journald; /* how log lines look with log-format = auto */
    int exit_status;
    uint64_t start_ns;
    uint64_t replies[DRIFT_ROUTES_MAX + 1][6]; /* by route (the last: none) and status / 100 */
};

/* Errors as of drift_engine_create and drift_listener_open; NOT_FOUND for a model file. *ret_exit_status follows sysexits. */
enum drift_status drift_server_create(struct drift_config *config, const struct drift_config_input *input,
                                      bool is_journald,
                                      struct drift_server **ret_server, int *ret_exit_status,
                                      struct drift_error *err) DRIFT_MUST_USE;
/* Serve until a signal has ended it; the exit status. */
int drift_server_run(struct drift_server *server);
void drift_server_destroy(struct drift_server *server);

/* The engine that has declared this model, NULL when none has; *ret_info is filled otherwise. */
struct drift_engine *drift_server_find_model(struct drift_server *server, const char *name,
                                             struct drift_model_info *ret_info);
/* States of all models, in order of declaration; as many as fit. Returns how many. */
size_t drift_server_list_models(struct drift_server *server, struct drift_model_info *infos, size_t max);
/* True when every model that was to be loaded at the start has been and the server is not draining. */
bool drift_server_is_ready(struct drift_server *server, const char **ret_why);
void drift_server_count_reply(struct drift_server *server, const struct drift_route *route, unsigned status);

#endif
