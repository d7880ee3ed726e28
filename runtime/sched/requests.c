/* From the inbox to the queue, from the queue to a sequence, and the end of a request. Thread: engine. */
#include "runtime/base/clock.h"
#include "runtime/base/log.h"
#include "runtime/sched/engine_impl.h"

static void enqueue(struct drift_model_slot *slot, struct drift_request *r)
{
    r->next = NULL;
    if (slot->queue_first)
        slot->queue_last->next = r;
    else
        slot->queue_first = r;
    slot->queue_last = r;
}

static void forget_queued(struct drift_engine *engine, const struct drift_request *r)
{
    pthread_mutex_lock(&engine->lock);
    engine->stats.n_queued--;
    engine->stats.queued_tokens -= r->n_prompt;
    r->model->slot->info.n_queued--;
    pthread_mutex_unlock(&engine->lock);
}

/* Write the last event and let go of the request. It has no sequences any more and is in no list. */
static void close_request(struct drift_engine *engine, struct drift_request *r,
                          const struct drift_event *last, uint64_t *counter)
{
    pthread_mutex_lock(&engine->lock);
    (*counter)++;
    if (r->started_ns) {
        double seconds = (double)(drift_clock_ns() - r->started_ns) * 1e-9;
        engine->request_seconds += 0.1 * (seconds - engine->request_seconds);
    }
    pthread_mutex_unlock(&engine->lock);
    drift_events_push(r, last);
    drift_request_unref(r);
}

static void close_done(struct drift_engine *engine, struct drift_request *r)
{
    uint64_t now = drift_clock_ns();
    uint64_t started = r->started_ns ? r->started_ns : now;
    uint64_t first = r->first_token_ns ? r->first_token_ns : now;
    const struct drift_event done = {.kind = DRIFT_EVENT_DONE,
                                     .token = -1,
                                     .n_prompt_tokens = r->n_prompt,
                                     .n_completion_tokens = r->n_completion_tokens,
                                     .queue_ns = started - r->submitted_ns,
                                     .prefill_ns = first - started,
                                     .decode_ns = now - first};
    bool cancelled = atomic_load(&r->cancelled);
    close_request(engine, r, &done,
                  cancelled ? &engine->stats.n_cancelled : &engine->stats.n_finished);
}

static void close_failed(struct drift_engine *engine, struct drift_request *r,
                         enum drift_status status, const struct drift_error *err)
{
    struct drift_event failed = {.kind = DRIFT_EVENT_ERROR, .token = -1, .error = *err};
    failed.error.status = status;
    close_request(engine, r, &failed, &engine->stats.n_failed);
}

/* ---- inbox ---- */

void drift_requests_take_inbox(struct drift_engine *engine)
{
    struct drift_request *r;
    while ((r = drift_queue_pop(&engine->inbox)))
        enqueue(r->model->slot, r);
}

/* ---- queue ---- */

static void finish_unstarted(struct drift_engine *engine, struct drift_request *r)
{
    for (uint32_t i = 0; i < r->n_choices; i++) {
        const struct drift_event finished = {.kind = DRIFT_EVENT_FINISHED,
                                             .choice = i,
                                             .token = -1,
                                             .finish = DRIFT_FINISH_CANCELLED};
        drift_events_push(r, &finished);
    }
    close_done(engine, r);
}

static void drop_cancelled_queued(struct drift_engine *engine, struct drift_model_slot *slot)
{
    struct drift_request *r = slot->queue_first;
    slot->queue_first = slot->queue_last = NULL;
    while (r) {
        struct drift_request *next = r->next;
        if (atomic_load(&r->cancelled)) {
            forget_queued(engine, r);
            finish_unstarted(engine, r);
        } else {
            enqueue(slot, r);
        }
        r = next;
    }
}

static void start_request(struct drift_engine *engine, struct drift_model_slot *slot,
                          struct drift_request *r, uint32_t n_pages)
{
    struct drift_error err = {0};
    enum drift_status status = drift_sequences_create(r, &err);
    if (status != DRIFT_STATUS_OK) {
        drift_kv_pool_forgo(&slot->pool, n_pages);
        close_failed(engine, r, status, &err);
        return;
    }
    for (uint32_t i = 0; i < r->n_choices; i++)
        slot->running[slot->n_running++] = &r->sequences[i];
    r->started_ns = drift_clock_ns();
    pthread_mutex_lock(&engine->lock);
    drift_histogram_add(&engine->stats.queue_time, r->started_ns - r->submitted_ns);
    pthread_mutex_unlock(&engine->lock);
    const struct drift_event started = {.kind = DRIFT_EVENT_STARTED, .token = -1};
    drift_events_push(r, &started);
}

static void start_queued(struct drift_engine *engine, struct drift_model_slot *slot)
{
    while (slot->loaded && slot->queue_first) {
        struct drift_request *r = slot->queue_first;
        uint64_t n_pages = drift_sequences_pages(r->n_prompt, r->max_tokens, r->n_choices);
        DRIFT_ASSERT(n_pages <= slot->pool.n_pages && r->n_choices <= engine->params.max_sequences);
        if (slot->n_running + r->n_choices > engine->params.max_sequences ||
            !drift_kv_pool_promise(&slot->pool, (uint32_t)n_pages))
            return;
        slot->queue_first = r->next;
        if (!slot->queue_first)
            slot->queue_last = NULL;
        forget_queued(engine, r);
        start_request(engine, slot, r, (uint32_t)n_pages);
    }
}

/* ---- running ---- */

static void leave_running(struct drift_model_slot *slot, const struct drift_request *r)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < slot->n_running; i++)
        if (slot->running[i]->request != r)
            slot->running[kept++] = slot->running[i];
    slot->n_running = kept;
}

static void advance_sequence(struct drift_model_slot *slot, struct drift_sequence *s)
{
    if (s->in_flight)
        return;
    if (s->phase < DRIFT_SEQUENCE_ENDING && atomic_load(&s->request->cancelled))
        drift_sequence_end(s, &slot->pool, DRIFT_FINISH_CANCELLED);
    if (s->phase == DRIFT_SEQUENCE_ENDING)
        drift_sequence_drain(s);
}

static void advance_running(struct drift_engine *engine, struct drift_model_slot *slot)
{
    for (uint32_t i = 0; i < slot->n_running; i++)
        advance_sequence(slot, slot->running[i]);
    for (uint32_t i = 0; i < slot->n_running;) {
        struct drift_request *r = slot->running[i]->request;
        if (r->n_live > 0) {
            i++;
            continue;
        }
        leave_running(slot, r);
        drift_sequences_destroy(r, &slot->pool);
        close_done(engine, r);
    }
}

static void publish_counts(struct drift_engine *engine, struct drift_model_slot *slot)
{
    uint32_t n_requests = 0;
    for (uint32_t i = 0; i < slot->n_running; i++)
        n_requests += slot->running[i]->choice == 0;
    uint64_t used = (uint64_t)drift_kv_pool_used(&slot->pool) * DRIFT_KV_PAGE_TOKENS;
    pthread_mutex_lock(&engine->lock);
    engine->stats.n_running += n_requests - slot->info.n_running;
    slot->info.n_running = n_requests;
    slot->info.kv_tokens_used = used;
    pthread_mutex_unlock(&engine->lock);
}

void drift_requests_advance(struct drift_engine *engine)
{
    uint32_t n = atomic_load(&engine->n_slots);
    for (uint32_t i = 0; i < n; i++) {
        struct drift_model_slot *slot = engine->slots[i];
        if (!drift_requests_any(slot))
            continue;
        advance_running(engine, slot);
        drop_cancelled_queued(engine, slot);
        start_queued(engine, slot);
        publish_counts(engine, slot);
    }
}

void drift_requests_fail_all(struct drift_model_slot *slot, enum drift_status status,
                             const struct drift_error *err)
{
    struct drift_engine *engine = slot->engine;
    while (slot->n_running > 0) {
        struct drift_request *r = slot->running[0]->request;
        leave_running(slot, r);
        drift_sequences_destroy(r, &slot->pool);
        close_failed(engine, r, status, err);
    }
    while (slot->queue_first) {
        struct drift_request *r = slot->queue_first;
        slot->queue_first = r->next;
        forget_queued(engine, r);
        close_failed(engine, r, status, err);
    }
    slot->queue_last = NULL;
    publish_counts(engine, slot);
}

void drift_requests_cancel_all(struct drift_model_slot *slot)
{
    for (uint32_t i = 0; i < slot->n_running; i++)
        atomic_store(&slot->running[i]->request->cancelled, true);
    for (struct drift_request *r = slot->queue_first; r; r = r->next)
        atomic_store(&r->cancelled, true);
}

bool drift_requests_any(const struct drift_model_slot *slot)
{
    return slot->n_running > 0 || slot->queue_first;
}
