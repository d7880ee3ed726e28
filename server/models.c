/* GET /v1/models, and the admin's view of models with loading and unloading. */
#include "api/openai/response.h"
#include "runtime/base/json.h"
#include "server/exchange.h"
#include "server/server.h"

#include <string.h>

static struct drift_model_info *list(struct drift_exchange *x, size_t *ret_n)
{
    struct drift_model_info *infos =
        drift_alloc(DRIFT_TAG_SERVER, DRIFT_SERVER_MAX_MODELS, sizeof *infos);
    if (!infos) {
        struct drift_api_error error;
        drift_api_refuse(&error, DRIFT_API_FAILURE_OUT_OF_MEMORY, NULL, "no memory for the list of models");
        drift_exchange_fail(x, &error);
        return NULL;
    }
    *ret_n = drift_server_list_models(x->server, infos, DRIFT_SERVER_MAX_MODELS);
    return infos;
}

static void write_public(struct drift_json_writer *w, const struct drift_model_info *info)
{
    const struct drift_api_model model = {.id = info->name,
                                          .created_unix_s = info->created_unix_s,
                                          .status = drift_model_state_name(info->state),
                                          .ctx_tokens = info->ctx_tokens};
    drift_api_write_model(w, &model);
}

static void write_admin(struct drift_json_writer *w, const struct drift_model_info *info)
{
    drift_json_begin_object(w);
    drift_json_member_string(w, "id", info->name);
    drift_json_member_string(w, "object", "model");
    drift_json_member_string(w, "state", drift_model_state_name(info->state));
    drift_json_member_double(w, "progress", (double)info->progress);
    if (info->error.status != DRIFT_STATUS_OK) {
        drift_json_write_key(w, "error");
        drift_json_begin_object(w);
        drift_json_member_string(w, "status", drift_status_name(info->error.status));
        drift_json_member_string(w, "message", info->error.msg);
        drift_json_end_object(w);
    } else {
        drift_json_member_null(w, "error");
    }
    drift_json_member_string(w, "path", info->path);
    drift_json_member_string(w, "architecture", info->architecture);
    drift_json_member_string(w, "description", info->description);
    drift_json_member_string(w, "file_type", info->file_type);
    drift_json_member_bool(w, "chat_template", info->has_chat_template);
    drift_json_member_int(w, "created", info->created_unix_s);
    drift_json_member_int(w, "parameters", (int64_t)info->n_params);
    drift_json_member_int(w, "layers", info->n_layers);
    drift_json_member_int(w, "embedding", info->n_embd);
    drift_json_member_int(w, "vocabulary", info->n_vocab);
    drift_json_member_int(w, "ctx_tokens", info->ctx_tokens);
    drift_json_member_int(w, "weights_bytes", (int64_t)info->weights_bytes);
    drift_json_member_int(w, "kv_bytes", (int64_t)info->kv_bytes);
    drift_json_member_int(w, "kv_tokens_total", (int64_t)info->kv_tokens_total);
    drift_json_member_int(w, "kv_tokens_used", (int64_t)info->kv_tokens_used);
    drift_json_member_int(w, "running", info->n_running);
    drift_json_member_int(w, "queued", info->n_queued);
    drift_json_member_int(w, "load_ms", (int64_t)info->load_ms);
    drift_json_end_object(w);
}

static void reply_list(struct drift_exchange *x,
                       void (*write)(struct drift_json_writer *w, const struct drift_model_info *info))
{
    size_t n;
    struct drift_model_info *infos = list(x, &n);
    if (!infos)
        return;
    struct drift_json_writer w;
    drift_json_writer_init(&w, &x->out);
    drift_json_begin_object(&w);
    drift_json_member_string(&w, "object", "list");
    drift_json_write_key(&w, "data");
    drift_json_begin_array(&w);
    for (size_t i = 0; i < n; i++)
        write(&w, &infos[i]);
    drift_json_end_array(&w);
    drift_json_end_object(&w);
    drift_free(infos);
    drift_exchange_reply(x, 200, "application/json");
}

void drift_handle_models(struct drift_exchange *x)
{
    reply_list(x, write_public);
}

void drift_handle_admin_models(struct drift_exchange *x)
{
    reply_list(x, write_admin);
}

/* The engine of x->id, or a 404. */
static struct drift_engine *find(struct drift_exchange *x, struct drift_model_info *info)
{
    struct drift_engine *engine = drift_server_find_model(x->server, x->id, info);
    if (!engine) {
        struct drift_api_error error;
        drift_api_refuse(&error, DRIFT_API_FAILURE_MODEL_NOT_FOUND, "model",
                         "the model '%.120s' does not exist; see GET /v1/models", x->id);
        drift_exchange_fail(x, &error);
    }
    return engine;
}

void drift_handle_model(struct drift_exchange *x)
{
    struct drift_model_info info;
    if (!find(x, &info))
        return;
    struct drift_json_writer w;
    drift_json_writer_init(&w, &x->out);
    write_public(&w, &info);
    drift_exchange_reply(x, 200, "application/json");
}

/* 202 with the state as it is now: GET /admin/models tells when it is done. */
static void reply_state(struct drift_exchange *x, struct drift_engine *engine, enum drift_status status,
                        const struct drift_error *err)
{
    struct drift_api_error error;
    struct drift_model_info info;
    if (status != DRIFT_STATUS_OK ||
        drift_engine_get_model_info(engine, x->id, &info, NULL) != DRIFT_STATUS_OK) {
        drift_api_refuse_status(&error, err);
        error.retry_after_s = 1;
        drift_exchange_fail(x, &error);
        return;
    }
    struct drift_json_writer w;
    drift_json_writer_init(&w, &x->out);
    write_admin(&w, &info);
    drift_exchange_reply(x, 202, "application/json");
}

void drift_handle_admin_load(struct drift_exchange *x)
{
    struct drift_model_info info;
    struct drift_error err = {0};
    struct drift_engine *engine = find(x, &info);
    if (engine)
        reply_state(x, engine, drift_engine_load_model(engine, x->id, &err), &err);
}

void drift_handle_admin_unload(struct drift_exchange *x)
{
    struct drift_model_info info;
    struct drift_error err = {0};
    const char *now = MHD_lookup_connection_value(x->connection, MHD_GET_ARGUMENT_KIND, "now");
    struct drift_engine *engine = find(x, &info);
    if (engine)
        reply_state(x, engine,
                    drift_engine_unload_model(engine, x->id, now && strcmp(now, "true") == 0, &err), &err);
}
