/*
 * Models as callers see them: declared by name, wished to be loaded or unloaded, looked at.
 *
 * A wish is set here under the lock; loading.c acts on it.
 */
#include "runtime/sched/engine_impl.h"

#include <ctype.h>
#include <string.h>
#include <sys/stat.h>

const char *drift_model_state_name(enum drift_model_state state)
{
    static const char *const names[DRIFT_MODEL_STATE_COUNT] = {
        [DRIFT_MODEL_ABSENT] = "absent",       [DRIFT_MODEL_QUEUED] = "queued",
        [DRIFT_MODEL_LOADING] = "loading",     [DRIFT_MODEL_READY] = "ready",
        [DRIFT_MODEL_DRAINING] = "draining",   [DRIFT_MODEL_UNLOADING] = "unloading",
        [DRIFT_MODEL_FAILED] = "failed",
    };
    return (unsigned)state < DRIFT_MODEL_STATE_COUNT ? names[state] : "?";
}

/* ---- declaring ---- */

static bool name_is_valid(const char *name)
{
    size_t len = strlen(name);
    if (len < 1 || len > 127)
        return false;
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)name[i]) && !strchr("._:/-", name[i]))
            return false;
    return true;
}

struct drift_model_slot *drift_slot_find(struct drift_engine *engine, const char *name)
{
    uint32_t n = atomic_load(&engine->n_slots);
    for (uint32_t i = 0; i < n; i++)
        if (!engine->slots[i]->is_forgotten && strcmp(engine->slots[i]->info.name, name) == 0)
            return engine->slots[i];
    return NULL;
}

static struct drift_model_slot *find(struct drift_engine *engine, const char *name, struct drift_error *err)
{
    struct drift_model_slot *slot = drift_slot_find(engine, name);
    if (!slot)
        drift_error_set(err, DRIFT_STATUS_NOT_FOUND, 0, "no model is called '%.100s'", name);
    return slot;
}

/* A forgotten place to use again, or a new one at the end; lock held. */
static struct drift_model_slot *take_place(struct drift_engine *engine)
{
    uint32_t n = atomic_load(&engine->n_slots);
    for (uint32_t i = 0; i < n; i++)
        if (engine->slots[i]->is_forgotten)
            return engine->slots[i];
    if (n == DRIFT_ENGINE_MAX_MODELS)
        return NULL;
    struct drift_model_slot *slot = drift_alloc(DRIFT_TAG_MODEL, 1, sizeof *slot);
    if (slot) {
        slot->engine = engine;
        slot->is_forgotten = true;
        engine->slots[n] = slot;
        atomic_store(&engine->n_slots, n + 1);
    }
    return slot;
}

static enum drift_status fill_slot(struct drift_model_slot *slot, const struct drift_model_params *params,
                                   struct drift_error *err)
{
    char *path = drift_strdup(DRIFT_TAG_MODEL, params->path);
    char *chat_template =
        params->chat_template ? drift_strdup(DRIFT_TAG_MODEL, params->chat_template) : NULL;
    if (!path || (params->chat_template && !chat_template)) {
        drift_free(path);
        drift_free(chat_template);
        return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "no memory for a model");
    }
    drift_free(slot->path);
    drift_free(slot->chat_template);
    slot->path = path;
    slot->chat_template = chat_template;
    slot->ctx_tokens = params->ctx_tokens;
    slot->kv_cache_tokens = params->kv_cache_tokens;
    slot->info = (struct drift_model_info){.state = DRIFT_MODEL_ABSENT};
    memcpy(slot->info.name, params->name, strlen(params->name));
    memcpy(slot->info.path, path, strnlen(path, sizeof slot->info.path - 1));
    struct stat st;
    if (stat(path, &st) == 0)
        slot->info.created_unix_s = st.st_mtime;
    slot->is_forgotten = false;
    return DRIFT_STATUS_OK;
}

enum drift_status drift_engine_declare_model(struct drift_engine *engine,
                                             const struct drift_model_params *params,
                                             struct drift_error *err)
{
    if (!params->name || !params->path || !name_is_valid(params->name))
        return drift_error_set(err, DRIFT_STATUS_INVALID, 0,
                               "a model's name is 1 to 127 letters, digits and . _ : / -");
    pthread_mutex_lock(&engine->lock);
    enum drift_status status;
    struct drift_model_slot *slot = drift_slot_find(engine, params->name);
    if (slot)
        status = drift_error_set(err, DRIFT_STATUS_EXISTS, 0, "a model called '%s' is declared already",
                                 params->name);
    else if (!(slot = take_place(engine)))
        status = drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "at most %d models can be declared",
                                 DRIFT_ENGINE_MAX_MODELS);
    else
        status = fill_slot(slot, params, err);
    pthread_mutex_unlock(&engine->lock);
    return status;
}

enum drift_status drift_engine_forget_model(struct drift_engine *engine, const char *name,
                                            struct drift_error *err)
{
    pthread_mutex_lock(&engine->lock);
    enum drift_status status = DRIFT_STATUS_OK;
    struct drift_model_slot *slot = find(engine, name, err);
    if (!slot)
        status = DRIFT_STATUS_NOT_FOUND;
    else if ((slot->info.state != DRIFT_MODEL_ABSENT && slot->info.state != DRIFT_MODEL_FAILED) ||
             slot->wish != DRIFT_WISH_NONE)
        status = drift_error_set(err, DRIFT_STATUS_BUSY, 0, "model '%s' is %s", name,
                                 drift_model_state_name(slot->info.state));
    else
        slot->is_forgotten = true;
    pthread_mutex_unlock(&engine->lock);
    return status;
}

/* ---- wishing ---- */

enum drift_status drift_engine_load_model(struct drift_engine *engine, const char *name,
                                          struct drift_error *err)
{
    pthread_mutex_lock(&engine->lock);
    enum drift_status status = DRIFT_STATUS_OK;
    struct drift_model_slot *slot = find(engine, name, err);
    if (!slot) {
        status = DRIFT_STATUS_NOT_FOUND;
    } else if (slot->info.state == DRIFT_MODEL_DRAINING || slot->info.state == DRIFT_MODEL_UNLOADING ||
               slot->wish == DRIFT_WISH_UNLOAD) {
        status = drift_error_set(err, DRIFT_STATUS_UNAVAILABLE, 0, "model '%s' is being unloaded", name);
    } else if (slot->info.state == DRIFT_MODEL_ABSENT || slot->info.state == DRIFT_MODEL_FAILED) {
        slot->wish = DRIFT_WISH_LOAD;
        slot->info.state = DRIFT_MODEL_QUEUED;
        slot->info.progress = 0;
    }
    pthread_mutex_unlock(&engine->lock);
    drift_engine_poke(engine);
    return status;
}

enum drift_status drift_engine_unload_model(struct drift_engine *engine, const char *name,
                                            bool cancel_running, struct drift_error *err)
{
    pthread_mutex_lock(&engine->lock);
    struct drift_model_slot *slot = find(engine, name, err);
    if (slot) {
        slot->wish = DRIFT_WISH_UNLOAD;
        slot->cancel_running = slot->cancel_running || cancel_running;
        atomic_store(&slot->job.cancel, true);
        if (slot->info.state == DRIFT_MODEL_READY)
            slot->info.state = DRIFT_MODEL_DRAINING; /* from here on submit refuses */
    }
    pthread_mutex_unlock(&engine->lock);
    drift_engine_poke(engine);
    return slot ? DRIFT_STATUS_OK : DRIFT_STATUS_NOT_FOUND;
}

/* ---- looking ---- */

void drift_engine_list_models(struct drift_engine *engine, struct drift_model_info *infos, size_t max,
                              size_t *ret_n)
{
    size_t n = 0;
    pthread_mutex_lock(&engine->lock);
    for (uint32_t i = 0; i < atomic_load(&engine->n_slots); i++) {
        if (engine->slots[i]->is_forgotten)
            continue;
        if (n < max)
            infos[n] = engine->slots[i]->info;
        n++;
    }
    pthread_mutex_unlock(&engine->lock);
    *ret_n = n;
}

enum drift_status drift_engine_get_model_info(struct drift_engine *engine, const char *name,
                                              struct drift_model_info *ret, struct drift_error *err)
{
    pthread_mutex_lock(&engine->lock);
    struct drift_model_slot *slot = find(engine, name, err);
    if (slot)
        *ret = slot->info;
    pthread_mutex_unlock(&engine->lock);
    return slot ? DRIFT_STATUS_OK : DRIFT_STATUS_NOT_FOUND;
}

enum drift_status drift_engine_ref_model(struct drift_engine *engine, const char *name,
                                         struct drift_model **ret_model, struct drift_error *err)
{
    pthread_mutex_lock(&engine->lock);
    enum drift_status status = DRIFT_STATUS_OK;
    struct drift_model_slot *slot = find(engine, name, err);
    if (!slot)
        status = DRIFT_STATUS_NOT_FOUND;
    else if (slot->info.state == DRIFT_MODEL_FAILED)
        status = drift_error_set(err, DRIFT_STATUS_UNAVAILABLE, 0, "model '%s' failed to load: %.160s", name,
                                 slot->info.error.msg);
    else if (slot->info.state != DRIFT_MODEL_READY)
        status = drift_error_set(err, DRIFT_STATUS_UNAVAILABLE, 0, "model '%s' is %s", name,
                                 drift_model_state_name(slot->info.state));
    else
        *ret_model = drift_model_ref(slot->model);
    pthread_mutex_unlock(&engine->lock);
    return status;
}
