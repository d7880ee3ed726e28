/* The daemon's loop; see server.h. */
#include "server/server.h"

#include "runtime/base/clock.h"
#include "runtime/base/file.h"
#include "runtime/base/log.h"
#include "server/access.h"
#include "server/declare.h"
#include "server/exchange.h"
#include "server/generation.h"
#include "server/linger.h"
#include "server/sd.h"
#include "server/templates.h"

#include <signal.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define TICK_MS 1000u
/* After the drain's time: how long the last replies may take to leave. */
#define LINGER_NS 2000000000u

/* ---- models ---- */

struct drift_engine *drift_server_find_model(struct drift_server *server, const char *name,
                                             struct drift_model_info *ret_info)
{
    for (size_t i = 0; i < server->n_engines; i++)
        if (drift_engine_get_model_info(server->engines[i].engine, name, ret_info, NULL) ==
            DRIFT_STATUS_OK)
            return server->engines[i].engine;
    return NULL;
}

size_t drift_server_list_models(struct drift_server *server, struct drift_model_info *infos, size_t max)
{
    size_t n = 0;
    for (size_t i = 0; i < server->n_engines; i++) {
        size_t here;
        drift_engine_list_models(server->engines[i].engine, infos + n, max - n, &here);
        n += here < max - n ? here : max - n;
    }
    return n;
}

/* What became of the models that were to be loaded at the start. */
struct preloads {
    uint32_t n, n_ready, n_pending, n_failed;
    struct drift_model_info last_failed;
};

static struct preloads look_at_preloads(struct drift_server *server)
{
    struct preloads p = {0};
    const struct drift_config_models *models = &server->config->models;
    for (size_t i = 0; i < models->n_models; i++) {
        struct drift_model_info info;
        if (!models->models[i].preload ||
            !drift_server_find_model(server, models->models[i].name, &info))
            continue;
        p.n++;
        p.n_ready += info.state == DRIFT_MODEL_READY;
        p.n_pending += info.state == DRIFT_MODEL_QUEUED || info.state == DRIFT_MODEL_LOADING;
        if (info.state == DRIFT_MODEL_FAILED) {
            p.n_failed++;
            p.last_failed = info;
        }
    }
    return p;
}

bool drift_server_is_ready(struct drift_server *server, const char **ret_why)
{
    struct preloads p = look_at_preloads(server);
    *ret_why = server->is_draining ? "the server is shutting down"
               : p.n_pending       ? "models are loading"
               : p.n_failed        ? "a model could not be loaded; see GET /admin/models"
                                   : NULL;
    return !*ret_why;
}

void drift_server_count_reply(struct drift_server *server, const struct drift_route *route, unsigned status)
{
    size_t n;
    size_t row = route ? (size_t)(route - drift_routes_table(&n)) : DRIFT_ROUTES_MAX;
    server->replies[row][status / 100 < 6 ? status / 100 : 5]++;
}

/* ---- draining and the end ---- */

static void end(struct drift_server *server)
{
    if (server->is_ended)
        return;
    server->is_ended = true;
    drift_exchange_abandon_all(server);
    for (size_t i = 0; i < server->n_listeners; i++)
        drift_listener_close(&server->listeners[i]);
    drift_linger_stop_all(server);
    uv_close((uv_handle_t *)&server->wake, NULL);
    uv_close((uv_handle_t *)&server->tick, NULL);
    for (size_t i = 0; i < DRIFT_COUNT_OF(server->signals); i++)
        uv_close((uv_handle_t *)&server->signals[i], NULL);
}

static void drain(struct drift_server *server)
{
    server->is_draining = true;
    server->drain_start_ns = drift_clock_ns();
    drift_log(DRIFT_LOG_INFO, "server", "draining running=%u timeout_ms=%llu", server->n_generations,
              (unsigned long long)server->live->server.drain_timeout_ms);
    drift_sd_notify_stopping("waiting for running requests");
    for (size_t i = 0; i < server->n_listeners; i++)
        drift_listener_quiesce(&server->listeners[i]);
}

static void continue_drain(struct drift_server *server, uint64_t now_ns)
{
    uint64_t spent_ns = now_ns - server->drain_start_ns;
    uint64_t timeout_ns = server->live->server.drain_timeout_ms * 1000000u;
    if (server->n_generations > 0 && spent_ns >= timeout_ns) {
        struct drift_api_error error;
        drift_api_refuse(&error, DRIFT_API_FAILURE_DRAINING, NULL, "the server is shutting down");
        error.retry_after_s = 5;
        drift_generations_fail_all(server, &error);
    }
    if (server->n_exchanges == 0 || spent_ns >= timeout_ns + LINGER_NS)
        end(server);
}

/* Nothing that was asked for at the start can be served: better to say so and end than to sit there. */
static void end_if_all_failed(struct drift_server *server, const struct preloads *p)
{
    if (server->is_ready_told || p->n == 0 || p->n_failed < p->n)
        return;
    const struct drift_error *err = &p->last_failed.error;
    bool is_file = err->status == DRIFT_STATUS_NOT_FOUND || err->status == DRIFT_STATUS_CORRUPT ||
                   err->status == DRIFT_STATUS_UNSUPPORTED || err->status == DRIFT_STATUS_IO;
    drift_log(DRIFT_LOG_ERROR, "server", "no model could be loaded, ending");
    server->exit_status = is_file ? EX_NOINPUT : EX_UNAVAILABLE;
    end(server);
}

/* ---- the loop's handles ---- */

static void tell_ready(struct drift_server *server, const struct preloads *p)
{
    if (p->n_pending > 0 || server->is_ready_told || (p->n > 0 && p->n_ready == 0))
        return;
    server->is_ready_told = true;
    drift_log(DRIFT_LOG_INFO, "server", "ready ms=%llu models=%u",
              (unsigned long long)((drift_clock_ns() - server->start_ns) / 1000000), p->n_ready);
    drift_sd_notify_ready("ready");
}

static void look(struct drift_server *server)
{
    if (server->is_ended)
        return;
    drift_generations_take_events(server);
    if (!server->is_ready_told && !server->is_draining) {
        struct preloads p = look_at_preloads(server);
        tell_ready(server, &p);
        end_if_all_failed(server, &p);
    } else if (server->is_draining && server->n_exchanges == 0) {
        end(server);
    }
}

static void on_wake(uv_async_t *async)
{
    look(async->data);
}

static void wake_from_engine(void *ctx)
{
    struct drift_server *server = ctx;
    uv_async_send(&server->wake);
}

static void on_tick(uv_timer_t *timer)
{
    struct drift_server *server = timer->data;
    uint64_t now_ns = drift_clock_ns();
    drift_exchange_sweep(server, now_ns);
    if (server->watchdog_ms && (now_ns - server->last_watchdog_ns) / 1000000 >= server->watchdog_ms) {
        drift_sd_notify_watchdog();
        server->last_watchdog_ns = now_ns;
    }
    if (server->is_draining)
        continue_drain(server, now_ns);
    else
        look(server);
}

static void on_signal(uv_signal_t *handle, int signum)
{
    struct drift_server *server = handle->data;
    if (signum == SIGHUP) {
        drift_server_reload(server);
        return;
    }
    if (server->is_draining) {
        drift_log(DRIFT_LOG_WARN, "server", "a second signal: ending at once");
        end(server);
        return;
    }
    drain(server);
    continue_drain(server, drift_clock_ns());
}

static void start_handles(struct drift_server *server)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    uv_async_init(&server->loop, &server->wake, on_wake);
    uv_timer_init(&server->loop, &server->tick);
    server->wake.data = server->tick.data = server;
    uv_timer_start(&server->tick, on_tick, TICK_MS, TICK_MS);
    for (size_t i = 0; i < DRIFT_COUNT_OF(numbers); i++) {
        uv_signal_init(&server->loop, &server->signals[i]);
        server->signals[i].data = server;
        uv_signal_start(&server->signals[i], on_signal, numbers[i]);
    }
    signal(SIGPIPE, SIG_IGN);
}

/* ---- creation ---- */

static enum drift_status open_listeners(struct drift_server *server, struct drift_error *err)
{
    struct drift_sd_socket sockets[DRIFT_SD_MAX_SOCKETS];
    size_t n_sockets = 0;
    const struct drift_config_server *config = &server->config->server;
    enum drift_status status = drift_sd_take_sockets(sockets, &n_sockets, err);
    for (size_t i = 0; i < n_sockets && status == DRIFT_STATUS_OK; i++) {
        if (!sockets[i].loopback && !config->api_key_file && !config->allow_remote_without_key)
            return drift_error_set(err, DRIFT_STATUS_INVALID, 0,
                                   "%s is reachable from other machines: set api-key-file, or "
                                   "allow-remote-without-key = true",
                                   sockets[i].name);
        status = drift_listener_adopt(&server->listeners[server->n_listeners++], server, sockets[i].fd,
                                      sockets[i].name, sockets[i].loopback, sockets[i].is_unix, err);
    }
    for (size_t i = 0; i < config->n_listen && n_sockets == 0 && status == DRIFT_STATUS_OK; i++)
        status = drift_listener_open(&server->listeners[server->n_listeners++], server,
                                     &config->listen[i], err);
    return status;
}

static int exit_status_of(enum drift_status status)
{
    switch (status) {
    case DRIFT_STATUS_INVALID:
        return EX_CONFIG;
    case DRIFT_STATUS_NOT_FOUND:
        return EX_NOINPUT;
    default:
        return EX_UNAVAILABLE;
    }
}

enum drift_status drift_server_create(struct drift_config *config, const struct drift_config_input *input,
                                      bool is_journald,
                                      struct drift_server **ret_server, int *ret_exit_status,
                                      struct drift_error *err)
{
    struct drift_server *server = drift_alloc(DRIFT_TAG_SERVER, 1, sizeof *server);
    if (!server) {
        drift_config_destroy(config);
        *ret_exit_status = EX_OSERR;
        return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "no memory for the server");
    }
    server->config = server->live = config;
    server->is_journald = is_journald;
    server->input = *input;
    server->start_ns = drift_clock_ns();
    uv_loop_init(&server->loop);
    start_handles(server);
    enum drift_status status = drift_chat_templates_create(&server->templates, err);
    if (status == DRIFT_STATUS_OK && config->server.api_key_file)
        status = drift_access_keys_load(config->server.api_key_file, &server->keys, err);
    if (status != DRIFT_STATUS_OK)
        status = err->status = DRIFT_STATUS_INVALID; /* an unreadable key file is a matter of configuration */
    if (status == DRIFT_STATUS_OK)
        status = open_listeners(server, err);
    if (status == DRIFT_STATUS_OK)
        status = drift_server_declare_models(server, wake_from_engine, err);
    if (status != DRIFT_STATUS_OK) {
        *ret_exit_status = exit_status_of(status);
        drift_server_destroy(server);
        return status;
    }
    *ret_server = server;
    return DRIFT_STATUS_OK;
}

int drift_server_run(struct drift_server *server)
{
    for (size_t i = 0; i < server->n_listeners; i++)
        drift_log(DRIFT_LOG_INFO, "server", "listening at=%s", server->listeners[i].name);
    server->watchdog_ms = drift_sd_watchdog_interval_ms();
    look(server);
    uv_run(&server->loop, UV_RUN_DEFAULT);
    drift_log(DRIFT_LOG_INFO, "server", "ended status=%d", server->exit_status);
    return server->exit_status;
}

void drift_server_destroy(struct drift_server *server)
{
    if (!server)
        return;
    end(server);
    uv_run(&server->loop, UV_RUN_DEFAULT);
    for (size_t i = 0; i < server->n_engines; i++)
        drift_engine_destroy(server->engines[i].engine);
    uv_loop_close(&server->loop);
    drift_access_keys_destroy(server->keys);
    drift_chat_templates_destroy(server->templates);
    if (server->live != server->config)
        drift_config_destroy(server->live);
    drift_config_destroy(server->config);
    drift_free(server);
}
