/*
 * The engine's thread: one libuv loop whose one async handle says "look again".
 *
 * Each turn: take the finished batch, take what was submitted, end and start requests, move models towards what was
 * wished for them, put the next batch on the device. It never waits for the device; loading runs in libuv's pool.
 */
#include "runtime/base/log.h"
#include "runtime/sched/engine_impl.h"

#include <string.h>

/* Submitted requests wait here for the engine thread only; the queue's bound is kept by submit.c. */
#define INBOX_SLACK 64u

void drift_histogram_add(struct drift_histogram *h, uint64_t ns)
{
    unsigned i = 0;
    for (uint64_t bound = 500000; ns > bound && i < DRIFT_HISTOGRAM_BUCKETS - 1; bound *= 2)
        i++;
    h->buckets[i]++;
    h->count++;
    h->sum_s += (double)ns * 1e-9;
}

void drift_engine_poke(struct drift_engine *engine)
{
    uv_async_send(&engine->async);
}

static void wake_from_inbox(void *ctx)
{
    drift_engine_poke(ctx);
}

static void turn(struct drift_engine *engine)
{
    drift_step_finish(engine);
    drift_requests_take_inbox(engine);
    if (atomic_load(&engine->stop))
        for (uint32_t i = 0; i < atomic_load(&engine->n_slots); i++)
            drift_requests_cancel_all(engine->slots[i]);
    drift_requests_advance(engine);
    drift_slots_advance(engine);
    drift_step_start(engine);
}

static void on_async(uv_async_t *async)
{
    struct drift_engine *engine = async->data;
    turn(engine);
    if (atomic_load(&engine->stop) && !engine->flight.slot && drift_slots_all_absent(engine) &&
        !uv_is_closing((uv_handle_t *)async))
        uv_close((uv_handle_t *)async, NULL);
}

static void *engine_main(void *arg)
{
    struct drift_engine *engine = arg;
    uv_run(&engine->loop, UV_RUN_DEFAULT);
    return NULL;
}

/* ---- creation ---- */

static uint64_t budget_of(const struct drift_engine_params *params, const struct drift_device *device)
{
    if (params->memory_budget_bytes)
        return params->memory_budget_bytes;
    uint64_t memory = drift_device_get_info(device)->memory_bytes;
    return memory ? memory : UINT64_MAX / 2;
}

static enum drift_status open_device(struct drift_engine *engine, struct drift_error *err)
{
    const struct drift_engine_params *p = &engine->params;
    const struct drift_device_params device = {
        .n_threads = p->n_threads, .cpu_isa = p->cpu_isa, .cache_dir = p->cache_dir};
    enum drift_status status =
        drift_device_open(p->device ? p->device : "auto", &device, &engine->device, err);
    if (status != DRIFT_STATUS_OK)
        return status;
    engine->device_id = drift_device_get_info(engine->device)->id;
    return drift_ledger_create(budget_of(p, engine->device), 0, &engine->ledger, err);
}

static enum drift_status create_flight(struct drift_engine *engine, struct drift_error *err)
{
    struct drift_flight *f = &engine->flight;
    uint32_t n = engine->params.max_sequences;
    f->sequences = drift_alloc(DRIFT_TAG_ENGINE, n, sizeof(struct drift_sequence *));
    f->n_tokens = drift_alloc(DRIFT_TAG_ENGINE, n, sizeof *f->n_tokens);
    f->output_index = drift_alloc(DRIFT_TAG_ENGINE, n, sizeof *f->output_index);
    if (!f->sequences || !f->n_tokens || !f->output_index)
        return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "no memory for %u sequences", n);
    return DRIFT_STATUS_OK;
}

static void free_engine(struct drift_engine *engine)
{
    drift_slots_destroy(engine);
    drift_free(engine->flight.sequences);
    drift_free(engine->flight.n_tokens);
    drift_free(engine->flight.output_index);
    drift_ledger_destroy(engine->ledger);
    drift_device_close(engine->device);
    pthread_mutex_destroy(&engine->lock);
    drift_free(engine);
}

/* Loop, async handle, queue, event rings, thread: in this order, undone in reverse. */
static enum drift_status start_thread(struct drift_engine *engine, struct drift_error *err)
{
    int rc = uv_loop_init(&engine->loop);
    if (rc != 0)
        return drift_error_set(err, DRIFT_STATUS_IO, rc, "engine loop: %s", uv_strerror(rc));
    rc = uv_async_init(&engine->loop, &engine->async, on_async);
    if (rc != 0)
        goto close_loop;
    engine->async.data = engine;
    if (drift_queue_init(&engine->inbox, engine->params.max_queued_requests + INBOX_SLACK,
                         wake_from_inbox, engine) != DRIFT_STATUS_OK)
        goto close_async;
    if (drift_events_init(&engine->events, engine->params.wake, engine->params.wake_ctx) !=
        DRIFT_STATUS_OK)
        goto fini_queue;
    rc = pthread_create(&engine->thread, NULL, engine_main, engine);
    if (rc == 0)
        return DRIFT_STATUS_OK;
    drift_events_fini(&engine->events);
fini_queue:
    drift_queue_fini(&engine->inbox);
close_async:
    uv_close((uv_handle_t *)&engine->async, NULL);
    uv_run(&engine->loop, UV_RUN_DEFAULT);
close_loop:
    uv_loop_close(&engine->loop);
    return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, rc, "the engine thread cannot be started");
}

enum drift_status drift_engine_create(const struct drift_engine_params *params,
                                      struct drift_engine **ret_engine, struct drift_error *err)
{
    if (params->max_sequences < 1 || params->max_queued_requests < 1 ||
        params->prefill_chunk_tokens < DRIFT_KV_PAGE_TOKENS)
        return drift_error_set(err, DRIFT_STATUS_INVALID, 0,
                               "an engine needs at least 1 sequence, 1 queued request and chunks of %u tokens",
                               DRIFT_KV_PAGE_TOKENS);
    struct drift_engine *engine = drift_alloc(DRIFT_TAG_ENGINE, 1, sizeof *engine);
    if (!engine)
        return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "no memory for an engine");
    engine->params = *params;
    pthread_mutex_init(&engine->lock, NULL);
    engine->request_seconds = 1.0;
    enum drift_status status = open_device(engine, err);
    if (status == DRIFT_STATUS_OK)
        status = create_flight(engine, err);
    if (status == DRIFT_STATUS_OK)
        status = start_thread(engine, err);
    if (status != DRIFT_STATUS_OK) {
        free_engine(engine);
        return status;
    }
    engine->params.device = engine->params.cpu_isa = engine->params.cache_dir = NULL;
    *ret_engine = engine;
    return DRIFT_STATUS_OK;
}

void drift_engine_destroy(struct drift_engine *engine)
{
    if (!engine)
        return;
    drift_queue_close(&engine->inbox);
    atomic_store(&engine->stop, true);
    drift_engine_poke(engine);
    pthread_join(engine->thread, NULL);
    uv_loop_close(&engine->loop);
    drift_queue_fini(&engine->inbox);
    drift_events_fini(&engine->events);
    free_engine(engine);
}

/* ---- what others may know ---- */

static void describe(const struct drift_device_info *info, struct drift_engine_device *ret)
{
    *ret = (struct drift_engine_device){.memory_bytes = info->memory_bytes, .usable = info->usable};
    memcpy(ret->id, info->id, sizeof ret->id);
    memcpy(ret->name, info->name, sizeof ret->name);
    memcpy(ret->driver, info->driver, sizeof ret->driver);
    memcpy(ret->note, info->note, sizeof ret->note);
}

void drift_engine_list_devices(struct drift_engine_device *devices, size_t max, size_t *ret_n)
{
    struct drift_device_info infos[32];
    size_t n;
    drift_device_list(infos, DRIFT_COUNT_OF(infos), &n);
    *ret_n = n;
    for (size_t i = 0; i < n && i < max && i < DRIFT_COUNT_OF(infos); i++)
        describe(&infos[i], &devices[i]);
}

void drift_engine_get_device(const struct drift_engine *engine, struct drift_engine_device *ret)
{
    describe(drift_device_get_info(engine->device), ret);
}

void drift_engine_get_stats(struct drift_engine *engine, struct drift_engine_stats *ret)
{
    struct drift_ledger_usage usage;
    drift_ledger_get_usage(engine->ledger, &usage);
    pthread_mutex_lock(&engine->lock);
    *ret = engine->stats;
    pthread_mutex_unlock(&engine->lock);
    ret->budget_bytes = usage.budget_bytes;
    ret->reserved_bytes = usage.reserved_bytes;
    ret->weights_bytes = usage.committed_by_kind[DRIFT_LEDGER_WEIGHTS];
    ret->kv_bytes = usage.committed_by_kind[DRIFT_LEDGER_KV];
    ret->arena_bytes = usage.committed_by_kind[DRIFT_LEDGER_ARENA];
    ret->programs_bytes = usage.committed_by_kind[DRIFT_LEDGER_PROGRAMS];
}

struct drift_request *drift_engine_next_ready(struct drift_engine *engine)
{
    return drift_events_next_ready(&engine->events);
}
