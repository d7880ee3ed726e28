/* What single values cannot show: combinations of keys, names that have to exist, entries given
 * twice. */
#include "config/value.h"

#include <string.h>

static const struct drift_config_key *server_key(const char *name)
{
    return drift_config_key_find(DRIFT_CONFIG_SECTION_SERVER, name);
}

/* Refuse the value of a key outside of [model NAME], naming where it was set. */
#define REFUSE(build, err, key, ...)                                                               \
    drift_config_refuse(err, drift_config_origin_of(build, key, NULL), key, NULL, __VA_ARGS__)

/* Refuse one entry of the list of addresses; the list's origin only knows the last one. */
static enum drift_status refuse_listen(struct drift_config_build *build, const char *text,
                                       const char *why, struct drift_error *err)
{
    const struct drift_config_key *key = server_key("listen");
    struct drift_config_origin origin = *drift_config_origin_of(build, key, NULL);
    origin.text = text;
    return drift_config_refuse(err, &origin, key, NULL, "%s", why);
}

static enum drift_status check_listen(struct drift_config_build *build, struct drift_error *err)
{
    const struct drift_config_server *server = &build->config.server;
    bool guarded = server->api_key_file || server->allow_remote_without_key;
    for (size_t i = 0; i < server->n_listen; i++) {
        const struct drift_config_listen *listen = &server->listen[i];
        if (!listen->loopback && !guarded)
            return refuse_listen(build, listen->text,
                                 "other machines could reach this; set api-key-file, or "
                                 "allow-remote-without-key = on",
                                 err);
        for (size_t j = 0; j < i; j++) {
            bool any_port = listen->kind == DRIFT_CONFIG_LISTEN_TCP && listen->port == 0;
            if (!any_port && strcmp(server->listen[j].text, listen->text) == 0)
                return refuse_listen(build, listen->text, "given twice", err);
        }
    }
    return DRIFT_STATUS_OK;
}

static enum drift_status check_cors(struct drift_config_build *build, struct drift_error *err)
{
    const struct drift_config_server *server = &build->config.server;
    const struct drift_config_key *key = server_key("cors-origins");
    if (server->cors == DRIFT_CONFIG_CORS_ANY && server->n_cors_origins > 0)
        return REFUSE(build, err, key, "* allows every page, so nothing else may stand beside it");
    return DRIFT_STATUS_OK;
}

static enum drift_status check_default_model(struct drift_config_build *build,
                                             struct drift_error *err)
{
    const struct drift_config_models *models = &build->config.models;
    if (!models->default_model || models->models_dir)
        return DRIFT_STATUS_OK;
    for (size_t i = 0; i < models->n_models; i++) {
        if (strcmp(models->models[i].name, models->default_model) == 0)
            return DRIFT_STATUS_OK;
    }
    const struct drift_config_key *key =
        drift_config_key_find(DRIFT_CONFIG_SECTION_MODELS, "default-model");
    return REFUSE(build, err, key, "there is no such model, and no models-dir to find it in");
}

static enum drift_status check_models(struct drift_config_build *build, struct drift_error *err)
{
    const struct drift_config_models *models = &build->config.models;
    const struct drift_config_engine *engine = &build->config.engine;
    const struct drift_config_key *path = drift_config_key_find(DRIFT_CONFIG_SECTION_MODEL, "path");
    const struct drift_config_key *ctx = drift_config_key_find(DRIFT_CONFIG_SECTION_MODEL, "ctx");
    for (size_t i = 0; i < models->n_models; i++) {
        const struct drift_config_model *model = &models->models[i];
        if (!model->path)
            return drift_config_refuse(err, &build->model_declared[i], path, model->name,
                                       "a model needs the path of its file");
        if (engine->kv_cache_tokens && model->ctx_tokens > engine->kv_cache_tokens)
            return drift_config_refuse(err, drift_config_origin_of(build, ctx, model), ctx,
                                       model->name, "kv-cache-tokens is only %u",
                                       engine->kv_cache_tokens);
    }
    return DRIFT_STATUS_OK;
}

static enum drift_status check_engine(struct drift_config_build *build, struct drift_error *err)
{
    const struct drift_config_engine *engine = &build->config.engine;
    const struct drift_config_key *key =
        drift_config_key_find(DRIFT_CONFIG_SECTION_ENGINE, "kv-cache-tokens");
    if (engine->kv_cache_tokens && engine->kv_cache_tokens < engine->ctx_tokens)
        return REFUSE(build, err, key, "less than one sequence of ctx = %u tokens",
                      engine->ctx_tokens);
    return DRIFT_STATUS_OK;
}

enum drift_status drift_config_validate(struct drift_config_build *build, struct drift_error *err)
{
    static enum drift_status (*const checks[])(struct drift_config_build *,
                                               struct drift_error *) = {
        check_listen, check_cors, check_engine, check_models, check_default_model,
    };
    enum drift_status status = DRIFT_STATUS_OK;
    for (size_t i = 0; i < DRIFT_COUNT_OF(checks) && status == DRIFT_STATUS_OK; i++)
        status = checks[i](build, err);
    return status;
}
