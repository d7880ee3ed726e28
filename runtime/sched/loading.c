/*
 * Models as the engine thread moves them: it is the one writer of their states.
 *
 * Loading has three parts: the pool reads and rearranges (nothing of a resident model waits for that), the engine
 * thread grows the arena and makes the cache between two batches, the pool builds the programs. One model loads at a
 * time; the others are QUEUED.
 */
#include "runtime/base/clock.h"
#include "runtime/base/log.h"
#include "runtime/sched/engine_impl.h"

#define ARENA_OWNER "arena"

/* ---- engine thread: towards absent ---- */

static void announce(struct drift_model_slot *slot, enum drift_model_state state)
{
    struct drift_engine *engine = slot->engine;
    pthread_mutex_lock(&engine->lock);
    slot->info.state = state;
    pthread_mutex_unlock(&engine->lock);
    if (engine->params.wake)
        engine->params.wake(engine->params.wake_ctx);
}

/* Free all that a load made. Nothing of the slot is in flight or running. */
static void drop_resident(struct drift_model_slot *slot)
{
    struct drift_engine *engine = slot->engine;
    pthread_mutex_lock(&engine->lock);
    struct drift_model *model = slot->model;
    slot->model = NULL;
    slot->info.weights_bytes = slot->info.kv_bytes = slot->info.programs_bytes = 0;
    slot->info.kv_tokens_total = slot->info.kv_tokens_used = 0;
    pthread_mutex_unlock(&engine->lock);
    drift_model_unref(model);
    drift_model_unref(slot->job.model);
    slot->job.model = NULL;
    drift_load_destroy(slot->loaded);
    slot->loaded = NULL;
    drift_ledger_release_owner(engine->ledger, slot->info.name);
    drift_kv_pool_fini(&slot->pool);
    drift_sampler_scratch_destroy(slot->scratch);
    slot->scratch = NULL;
    drift_batch_space_fini(&slot->space);
    drift_free(slot->running);
    slot->running = NULL;
}

static void advance_unload(struct drift_model_slot *slot)
{
    struct drift_engine *engine = slot->engine;
    if (engine->loading == slot)
        return; /* its job has been told to stop and reports when it has */
    pthread_mutex_lock(&engine->lock);
    bool waits = slot->info.n_queued > 0;
    bool cancel = slot->cancel_running;
    pthread_mutex_unlock(&engine->lock);
    if (cancel)
        drift_requests_cancel_all(slot);
    if (waits || drift_requests_any(slot) || engine->flight.slot == slot) {
        if (cancel)
            drift_requests_advance(engine);
        if (waits || drift_requests_any(slot) || engine->flight.slot == slot)
            return;
    }
    bool was_loaded = slot->loaded != NULL;
    announce(slot, DRIFT_MODEL_UNLOADING);
    drop_resident(slot);
    pthread_mutex_lock(&engine->lock);
    slot->wish = DRIFT_WISH_NONE;
    slot->cancel_running = false;
    engine->stats.n_unloads += was_loaded;
    pthread_mutex_unlock(&engine->lock);
    announce(slot, DRIFT_MODEL_ABSENT);
    if (was_loaded)
        drift_log(DRIFT_LOG_INFO, "engine", "unloaded model=%s", slot->info.name);
}

/* ---- engine thread: towards ready ---- */

static void load_failed(struct drift_model_slot *slot, enum drift_status status, const struct drift_error *err)
{
    struct drift_engine *engine = slot->engine;
    engine->loading = NULL;
    if (engine->wants_idle == slot)
        engine->wants_idle = NULL;
    struct drift_error kept = *err;
    drop_resident(slot);
    pthread_mutex_lock(&engine->lock);
    bool unload = slot->wish == DRIFT_WISH_UNLOAD;
    slot->info.error = kept;
    slot->info.error.status = status;
    engine->stats.n_load_failures += !unload;
    pthread_mutex_unlock(&engine->lock);
    if (unload) {
        advance_unload(slot);
        return;
    }
    announce(slot, DRIFT_MODEL_FAILED);
    drift_log(DRIFT_LOG_ERROR, "engine", "loading failed model=%s path=%s status=%s detail=\"%s\"",
              slot->info.name, slot->path, drift_status_name(status), kept.msg);
}

static void on_progress(void *ctx, uint64_t done, uint64_t total)
{
    struct drift_model_slot *slot = ctx;
    pthread_mutex_lock(&slot->engine->lock);
    slot->info.progress = total ? 0.95f * (float)((double)done / (double)total) : 0.0f;
    pthread_mutex_unlock(&slot->engine->lock);
}

static enum drift_status reserve(struct drift_model_slot *slot, struct drift_error *err)
{
    struct drift_load_estimate estimate;
    drift_load_get_estimate(slot->loaded, &estimate);
    const struct drift_ledger_item items[] = {
        {DRIFT_LEDGER_WEIGHTS, estimate.weights_bytes},
        {DRIFT_LEDGER_KV, estimate.kv_bytes},
    };
    return drift_ledger_reserve(slot->engine->ledger, slot->info.name, items, DRIFT_COUNT_OF(items), err);
}

/* First part, in the pool: everything that neither the arena nor the cache is needed for. */
static void job_read(uv_work_t *work)
{
    struct drift_model_slot *slot = work->data;
    struct drift_load_job *job = &slot->job;
    const struct drift_engine_params *engine = &slot->engine->params;
    const struct drift_load_params params = {
        .path = slot->path,
        .ctx_tokens = slot->ctx_tokens,
        .kv_tokens = slot->kv_cache_tokens,
        .prefill_chunk_tokens = engine->prefill_chunk_tokens,
        .max_sequences = engine->max_sequences,
        .kv_dtype = engine->kv_f32 ? DRIFT_DTYPE_F32 : DRIFT_DTYPE_F16,
        .n_threads = engine->n_threads,
    };
    job->status = drift_load_open(&params, slot->engine->device, &slot->loaded, &job->err);
    if (job->status == DRIFT_STATUS_OK)
        job->status = reserve(slot, &job->err);
    if (job->status == DRIFT_STATUS_OK)
        job->status = drift_served_create(slot, &job->model, &job->err);
    if (job->status == DRIFT_STATUS_OK)
        job->status = drift_load_weights(slot->loaded, on_progress, slot, &job->cancel, &job->err);
}

static void job_build(uv_work_t *work)
{
    struct drift_model_slot *slot = work->data;
    slot->job.status = drift_load_programs(slot->loaded, &slot->job.err);
}

static enum drift_status grow_arena(struct drift_engine *engine, uint64_t bytes, struct drift_error *err)
{
    if (bytes <= engine->arena_bytes)
        return DRIFT_STATUS_OK;
    const struct drift_ledger_item item = {DRIFT_LEDGER_ARENA, bytes - engine->arena_bytes};
    enum drift_status status = drift_ledger_reserve(engine->ledger, ARENA_OWNER, &item, 1, err);
    if (status != DRIFT_STATUS_OK)
        return status;
    status = drift_device_reserve_arena(engine->device, bytes, err);
    if (status != DRIFT_STATUS_OK) {
        drift_ledger_release(engine->ledger, ARENA_OWNER, DRIFT_LEDGER_ARENA, item.bytes);
        return status;
    }
    engine->arena_bytes = bytes;
    return drift_ledger_commit(engine->ledger, ARENA_OWNER, DRIFT_LEDGER_ARENA, item.bytes, err);
}

static enum drift_status make_space(struct drift_model_slot *slot, uint32_t n_pages, struct drift_error *err)
{
    const struct drift_engine *engine = slot->engine;
    enum drift_status status = drift_kv_pool_init(&slot->pool, n_pages, err);
    if (status == DRIFT_STATUS_OK)
        status = drift_sampler_scratch_create(slot->job.model->n_vocab, &slot->scratch, err);
    if (status != DRIFT_STATUS_OK)
        return status;
    slot->max_pages = drift_load_max_pages(slot->loaded);
    for (unsigned i = 0; i < DRIFT_STAGE_COUNT; i++)
        drift_load_get_limits(slot->loaded, (enum drift_stage)i, &slot->limits[i]);
    slot->running = drift_alloc(DRIFT_TAG_ENGINE, engine->params.max_sequences, sizeof *slot->running);
    if (!slot->running || !drift_batch_space_init(&slot->space, slot->limits, slot->max_pages,
                                                  slot->job.model->n_vocab))
        return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "no memory for batches");
    return DRIFT_STATUS_OK;
}

/* Second part, on the engine thread while the device is idle. */
static enum drift_status load_between_batches(struct drift_model_slot *slot, struct drift_error *err)
{
    struct drift_engine *engine = slot->engine;
    struct drift_load_estimate estimate;
    drift_load_get_estimate(slot->loaded, &estimate);
    const char *owner = slot->info.name;
    enum drift_status status =
        drift_ledger_commit(engine->ledger, owner, DRIFT_LEDGER_WEIGHTS, estimate.weights_bytes, err);
    if (status == DRIFT_STATUS_OK)
        status = grow_arena(engine, estimate.arena_bytes, err);
    if (status == DRIFT_STATUS_OK)
        status = drift_load_cache(slot->loaded, err);
    if (status == DRIFT_STATUS_OK)
        status = drift_ledger_commit(engine->ledger, owner, DRIFT_LEDGER_KV, estimate.kv_bytes, err);
    if (status == DRIFT_STATUS_OK)
        status = make_space(slot, estimate.n_pages, err);
    return status;
}

static void publish_ready(struct drift_model_slot *slot)
{
    struct drift_engine *engine = slot->engine;
    struct drift_load_estimate estimate;
    drift_load_get_estimate(slot->loaded, &estimate);
    uint64_t ms = (drift_clock_ns() - slot->job.start_ns) / 1000000;
    pthread_mutex_lock(&engine->lock);
    struct drift_model_info *info = &slot->info;
    info->weights_bytes = estimate.weights_bytes;
    info->kv_bytes = estimate.kv_bytes;
    info->kv_tokens_total = (uint64_t)estimate.n_pages * DRIFT_KV_PAGE_TOKENS;
    info->kv_tokens_used = 0;
    info->progress = 1;
    info->load_ms = ms;
    slot->model = slot->job.model; /* the job's reference becomes the slot's */
    slot->job.model = NULL;
    bool unload = slot->wish == DRIFT_WISH_UNLOAD;
    if (!unload)
        slot->wish = DRIFT_WISH_NONE;
    engine->stats.n_loads++;
    pthread_mutex_unlock(&engine->lock);
    engine->loading = NULL;
    announce(slot, unload ? DRIFT_MODEL_DRAINING : DRIFT_MODEL_READY);
    char weights[24], kv[24];
    drift_log(DRIFT_LOG_INFO, "engine", "loaded model=%s ms=%llu weights=\"%s\" kv=\"%s\" ctx_tokens=%u",
              info->name, (unsigned long long)ms, drift_bytes_text(estimate.weights_bytes, weights),
              drift_bytes_text(estimate.kv_bytes, kv), info->ctx_tokens);
}

static void after_build(uv_work_t *work, int rc)
{
    (void)rc;
    struct drift_model_slot *slot = work->data;
    if (slot->job.status == DRIFT_STATUS_OK)
        publish_ready(slot);
    else
        load_failed(slot, slot->job.status, &slot->job.err);
    drift_engine_poke(slot->engine);
}

static void after_read(uv_work_t *work, int rc)
{
    (void)rc;
    struct drift_model_slot *slot = work->data;
    if (slot->job.status == DRIFT_STATUS_OK)
        slot->engine->wants_idle = slot;
    else
        load_failed(slot, slot->job.status, &slot->job.err);
    drift_engine_poke(slot->engine);
}

static void start_load(struct drift_model_slot *slot)
{
    struct drift_engine *engine = slot->engine;
    struct drift_load_job *job = &slot->job;
    job->work.data = slot;
    job->start_ns = drift_clock_ns();
    job->err = (struct drift_error){0};
    engine->loading = slot;
    pthread_mutex_lock(&engine->lock);
    slot->wish = DRIFT_WISH_NONE;
    slot->info.error = (struct drift_error){0};
    atomic_store(&job->cancel, false);
    pthread_mutex_unlock(&engine->lock);
    announce(slot, DRIFT_MODEL_LOADING);
    if (uv_queue_work(&engine->loop, &job->work, job_read, after_read) != 0) {
        drift_error_set(&job->err, DRIFT_STATUS_INTERNAL, 0, "the loader cannot be started");
        load_failed(slot, DRIFT_STATUS_INTERNAL, &job->err);
    }
}

static void continue_load(struct drift_engine *engine)
{
    struct drift_model_slot *slot = engine->wants_idle;
    if (!slot || engine->flight.slot)
        return;
    engine->wants_idle = NULL;
    struct drift_load_job *job = &slot->job;
    enum drift_status status =
        atomic_load(&job->cancel)
            ? drift_error_set(&job->err, DRIFT_STATUS_CANCELLED, 0, "the load was abandoned")
            : load_between_batches(slot, &job->err);
    /* Once it is queued, job->status and job->err are the worker's until after_build. */
    if (status == DRIFT_STATUS_OK &&
        uv_queue_work(&engine->loop, &job->work, job_build, after_build) != 0)
        status = drift_error_set(&job->err, DRIFT_STATUS_INTERNAL, 0, "the loader cannot be started");
    if (status != DRIFT_STATUS_OK)
        load_failed(slot, status, &job->err);
}

void drift_slots_advance(struct drift_engine *engine)
{
    continue_load(engine);
    bool stop = atomic_load(&engine->stop);
    for (uint32_t i = 0; i < atomic_load(&engine->n_slots); i++) {
        struct drift_model_slot *slot = engine->slots[i];
        pthread_mutex_lock(&engine->lock);
        if (stop && (slot->info.state != DRIFT_MODEL_ABSENT || slot->wish == DRIFT_WISH_LOAD)) {
            slot->wish = DRIFT_WISH_UNLOAD;
            slot->cancel_running = true;
            atomic_store(&slot->job.cancel, true);
        }
        enum drift_wish wish = slot->wish;
        pthread_mutex_unlock(&engine->lock);
        if (wish == DRIFT_WISH_UNLOAD)
            advance_unload(slot);
        else if (wish == DRIFT_WISH_LOAD && !engine->loading)
            start_load(slot);
    }
}

bool drift_slots_all_absent(struct drift_engine *engine)
{
    pthread_mutex_lock(&engine->lock);
    bool absent = true;
    for (uint32_t i = 0; i < atomic_load(&engine->n_slots); i++)
        absent = absent && engine->slots[i]->info.state == DRIFT_MODEL_ABSENT;
    pthread_mutex_unlock(&engine->lock);
    return absent;
}

void drift_slots_destroy(struct drift_engine *engine)
{
    for (uint32_t i = 0; i < atomic_load(&engine->n_slots); i++) {
        drift_free(engine->slots[i]->path);
        drift_free(engine->slots[i]->chat_template);
        drift_free(engine->slots[i]);
    }
}
