/* Engines, models and reloading; see declare.h. */
#include "server/declare.h"

#include "runtime/base/file.h"
#include "runtime/base/log.h"
#include "server/access.h"
#include "server/sd.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEMPLATE_CAP_BYTES (1u << 20)

/* ---- engines ---- */

static enum drift_status find_engine(struct drift_server *server, const char *device,
                                     drift_engine_wake_fn wake, struct drift_engine **ret_engine,
                                     struct drift_error *err)
{
    const struct drift_config *config = server->config;
    if (!device)
        device = config->engine.device;
    for (size_t i = 0; i < server->n_engines; i++) {
        if (strcmp(server->engines[i].device, device) == 0) {
            *ret_engine = server->engines[i].engine;
            return DRIFT_STATUS_OK;
        }
    }
    if (server->n_engines == DRIFT_SERVER_MAX_ENGINES)
        return drift_error_set(err, DRIFT_STATUS_LIMIT, 0, "at most %d devices can be used",
                               DRIFT_SERVER_MAX_ENGINES);
    const struct drift_engine_params params = {
        .device = device,
        .n_threads = config->cpu.n_threads,
        .cpu_isa = drift_config_isa_name(config->cpu.isa),
        .cache_dir = config->cache.dir,
        .memory_budget_bytes = config->engine.memory_budget_bytes,
        .max_sequences = config->engine.max_sequences,
        .max_queued_requests = config->server.max_queue_requests,
        .prefill_chunk_tokens = config->engine.prefill_chunk_tokens,
        .kv_f32 = config->engine.kv_dtype == DRIFT_DTYPE_F32,
        .wake = wake,
        .wake_ctx = server};
    struct drift_server_engine *e = &server->engines[server->n_engines];
    enum drift_status status = drift_engine_create(&params, &e->engine, err);
    if (status != DRIFT_STATUS_OK)
        return status;
    e->device = device;
    server->n_engines++;
    struct drift_engine_device info;
    drift_engine_get_device(e->engine, &info);
    drift_log(DRIFT_LOG_INFO, "server", "device id=%s name=\"%s\"", info.id, info.name);
    *ret_engine = e->engine;
    return DRIFT_STATUS_OK;
}

/* ---- models ---- */

static enum drift_status declare(struct drift_server *server, const struct drift_config_model *model,
                                 drift_engine_wake_fn wake, struct drift_error *err)
{
    if (access(model->path, R_OK) != 0) {
        int errnum = errno;
        drift_error_set_errno(err, errnum, "model %s: %.160s", model->name, model->path);
        return err->status = DRIFT_STATUS_NOT_FOUND;
    }
    struct drift_buf source;
    drift_buf_init(&source, DRIFT_TAG_SERVER, TEMPLATE_CAP_BYTES);
    enum drift_status status = DRIFT_STATUS_OK;
    if (model->chat_template_file)
        status = drift_file_read(model->chat_template_file, &source, err);
    struct drift_engine *engine = NULL;
    if (status == DRIFT_STATUS_OK)
        status = find_engine(server, model->device, wake, &engine, err);
    const struct drift_model_params params = {
        .name = model->name,
        .path = model->path,
        .ctx_tokens = model->ctx_tokens ? model->ctx_tokens : server->config->engine.ctx_tokens,
        .kv_cache_tokens = server->config->engine.kv_cache_tokens,
        .chat_template = model->chat_template_file ? drift_buf_cstr(&source) : NULL};
    if (status == DRIFT_STATUS_OK)
        status = drift_engine_declare_model(engine, &params, err);
    if (status == DRIFT_STATUS_OK && model->preload)
        status = drift_engine_load_model(engine, model->name, err);
    drift_buf_fini(&source);
    return status;
}

static int is_model_file(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);
    return entry->d_name[0] != '.' && len > 5 && strcmp(entry->d_name + len - 5, ".gguf") == 0;
}

/* "NAME.gguf" becomes NAME, loaded on first use; a file whose name cannot be a model's is left out and said. */
static void declare_file(struct drift_server *server, struct drift_engine *engine, const char *folder,
                         const char *file)
{
    char path[1024], name[128];
    int n = snprintf(path, sizeof path, "%s/%s", folder, file);
    int m = snprintf(name, sizeof name, "%.*s", (int)strlen(file) - 5, file);
    struct drift_model_info known;
    struct drift_error err = {0};
    if (n < 0 || (size_t)n >= sizeof path || m < 0 || (size_t)m >= sizeof name)
        drift_error_set(&err, DRIFT_STATUS_LIMIT, 0, "the name is too long");
    else if (drift_server_find_model(server, name, &known))
        return; /* the configuration has said more about it */
    else {
        const struct drift_model_params params = {.name = name,
                                                  .path = path,
                                                  .ctx_tokens = server->config->engine.ctx_tokens,
                                                  .kv_cache_tokens =
                                                      server->config->engine.kv_cache_tokens};
        if (drift_engine_declare_model(engine, &params, &err) == DRIFT_STATUS_OK)
            return;
    }
    drift_log(DRIFT_LOG_WARN, "server", "left out file=%s/%s reason=\"%s\"", folder, file, err.msg);
}

static enum drift_status declare_folder(struct drift_server *server, const char *folder,
                                        drift_engine_wake_fn wake, struct drift_error *err)
{
    struct drift_engine *engine;
    enum drift_status status = find_engine(server, NULL, wake, &engine, err);
    if (status != DRIFT_STATUS_OK)
        return status;
    struct dirent **entries;
    int n = scandir(folder, &entries, is_model_file, alphasort);
    if (n < 0)
        return drift_error_set_errno(err, errno, "models-dir %.160s", folder);
    for (int i = 0; i < n; i++) {
        declare_file(server, engine, folder, entries[i]->d_name);
        free(entries[i]); /* scandir's */
    }
    free(entries);
    return DRIFT_STATUS_OK;
}

enum drift_status drift_server_declare_models(struct drift_server *server, drift_engine_wake_fn wake,
                                              struct drift_error *err)
{
    const struct drift_config_models *models = &server->config->models;
    for (size_t i = 0; i < models->n_models; i++) {
        enum drift_status status = declare(server, &models->models[i], wake, err);
        if (status != DRIFT_STATUS_OK)
            return status;
    }
    if (models->models_dir)
        return declare_folder(server, models->models_dir, wake, err);
    struct drift_engine *engine; /* an unusable device is an error also while there are no models */
    return server->n_engines ? DRIFT_STATUS_OK : find_engine(server, NULL, wake, &engine, err);
}

/* ---- reloading ---- */

void drift_server_configure_log(const struct drift_config *config, bool is_journald)
{
    enum drift_config_log_format format = config->server.log_format;
    drift_log_configure(config->server.log_level,
                        format == DRIFT_CONFIG_LOG_FORMAT_JOURNALD ||
                            (format == DRIFT_CONFIG_LOG_FORMAT_AUTO && is_journald));
}

static void report(const struct drift_config *before, const struct drift_config *after)
{
    struct drift_config_change changes[DRIFT_CONFIG_MAX_CHANGES];
    size_t n = drift_config_diff(before, after, changes, DRIFT_COUNT_OF(changes));
    for (size_t i = 0; i < n; i++)
        drift_log(changes[i].needs_restart ? DRIFT_LOG_WARN : DRIFT_LOG_INFO, "server",
                  "reload section=%s%s%s key=%s %s", changes[i].section,
                  changes[i].model_name ? " model=" : "",
                  changes[i].model_name ? changes[i].model_name : "", changes[i].key,
                  changes[i].needs_restart ? "needs a restart" : "applied");
    if (n == 0)
        drift_log(DRIFT_LOG_INFO, "server", "reload: nothing has changed");
}

void drift_server_reload(struct drift_server *server)
{
    drift_sd_notify_reloading();
    struct drift_config *fresh = NULL;
    struct drift_access_keys *keys = NULL;
    struct drift_error err = {0};
    enum drift_status status = drift_config_load(&server->input, &fresh, &err);
    if (status == DRIFT_STATUS_OK && fresh->server.api_key_file)
        status = drift_access_keys_load(fresh->server.api_key_file, &keys, &err);
    if (status != DRIFT_STATUS_OK) {
        drift_log(DRIFT_LOG_ERROR, "server", "reload refused, all stays as it was: %s", err.msg);
        drift_config_destroy(fresh);
    } else {
        report(server->live, fresh);
        if (server->live != server->config)
            drift_config_destroy(server->live);
        server->live = fresh;
        drift_access_keys_destroy(server->keys);
        server->keys = keys;
        drift_server_configure_log(fresh, server->is_journald);
    }
    drift_sd_notify_ready("ready");
}
