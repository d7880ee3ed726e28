/* The way in: what can be refused is refused here, on the caller's thread, before anything is queued. */
#include "runtime/base/clock.h"
#include "runtime/base/hash.h"
#include "runtime/sched/engine_impl.h"

/* What the engine's lock lets a submitter see of a model. */
struct admission {
    struct drift_model_slot *slot;
    uint32_t ctx_tokens, n_pages;
};

static enum drift_status check_model(struct drift_engine *engine, const struct drift_model *model,
                                     struct admission *ret, struct drift_error *err)
{
    struct drift_model_slot *slot = model->slot;
    if (slot->engine != engine || slot->model != model || slot->info.state != DRIFT_MODEL_READY)
        return drift_error_set(err, DRIFT_STATUS_UNAVAILABLE, 0, "model '%s' is not loaded any more",
                               model->name);
    *ret = (struct admission){.slot = slot,
                              .ctx_tokens = model->ctx_tokens,
                              .n_pages = (uint32_t)(slot->info.kv_tokens_total / DRIFT_KV_PAGE_TOKENS)};
    return DRIFT_STATUS_OK;
}

/* max_tokens 0: as many as the context and the cache allow. */
static uint32_t resolve_max_tokens(const struct drift_request_params *p, const struct admission *a)
{
    uint32_t left = a->ctx_tokens - p->n_prompt;
    if (p->max_tokens > 0)
        return p->max_tokens < left ? p->max_tokens : left;
    uint32_t low = 1, high = left;
    while (low < high) { /* the largest that fits; pages grow with tokens */
        uint32_t middle = low + (high - low + 1) / 2;
        if (drift_sequences_pages(p->n_prompt, middle, p->n_choices) <= a->n_pages)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

static enum drift_status check_size(const struct drift_engine *engine,
                                    const struct drift_request_params *p, const struct admission *a,
                                    uint32_t *ret_max_tokens, struct drift_error *err)
{
    if (p->n_prompt >= a->ctx_tokens)
        return drift_error_set(err, DRIFT_STATUS_CONTEXT_LENGTH, 0,
                               "This model's maximum context length is %u tokens; the prompt has %u and at "
                               "least one more is needed for the answer",
                               a->ctx_tokens, p->n_prompt);
    if (p->n_choices < 1 || p->n_choices > engine->params.max_sequences)
        return drift_error_set(err, DRIFT_STATUS_INVALID, 0,
                               "%u choices; this server runs at most %u sequences at once", p->n_choices,
                               engine->params.max_sequences);
    *ret_max_tokens = resolve_max_tokens(p, a);
    uint64_t need = drift_sequences_pages(p->n_prompt, *ret_max_tokens, p->n_choices);
    if (need > a->n_pages)
        return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0,
                               "the request needs %llu tokens of KV cache and the model has %llu; ask for fewer "
                               "choices or tokens",
                               (unsigned long long)need * DRIFT_KV_PAGE_TOKENS,
                               (unsigned long long)a->n_pages * DRIFT_KV_PAGE_TOKENS);
    return DRIFT_STATUS_OK;
}

/* Take a place in the queue; lock held. */
static enum drift_status take_place(struct drift_engine *engine, struct drift_model_slot *slot,
                                    uint32_t n_prompt, struct drift_error *err)
{
    struct drift_engine_stats *stats = &engine->stats;
    uint64_t max_tokens = engine->params.max_queued_tokens;
    bool tokens_full =
        max_tokens && stats->n_queued > 0 && stats->queued_tokens + n_prompt > max_tokens;
    if (stats->n_queued >= engine->params.max_queued_requests || tokens_full) {
        stats->n_refused_busy++;
        return drift_error_set(err, DRIFT_STATUS_BUSY, 0,
                               "the queue is full: %u requests with %llu tokens are waiting", stats->n_queued,
                               (unsigned long long)stats->queued_tokens);
    }
    stats->n_requests++;
    stats->n_queued++;
    stats->queued_tokens += n_prompt;
    slot->info.n_queued++;
    return DRIFT_STATUS_OK;
}

static void leave_place(struct drift_engine *engine, struct drift_model_slot *slot, uint32_t n_prompt)
{
    pthread_mutex_lock(&engine->lock);
    engine->stats.n_requests--;
    engine->stats.n_queued--;
    engine->stats.queued_tokens -= n_prompt;
    slot->info.n_queued--;
    pthread_mutex_unlock(&engine->lock);
    drift_engine_poke(engine); /* an unload may be waiting for it */
}

static enum drift_status create_and_push(struct drift_engine *engine,
                                         const struct drift_request_params *params,
                                         struct drift_request **ret_request, struct drift_error *err)
{
    struct drift_request *r;
    enum drift_status status = drift_request_create(params, engine, &engine->events, &r, err);
    if (status != DRIFT_STATUS_OK)
        return status;
    if (params->sampling.has_seed)
        r->seed = params->sampling.seed;
    else
        drift_random_bytes(&r->seed, sizeof r->seed);
    r->submitted_ns = drift_clock_ns();
    drift_request_ref(r); /* the engine's */
    status = drift_queue_push(&engine->inbox, r);
    if (status != DRIFT_STATUS_OK) {
        drift_request_unref(r);
        drift_request_unref(r);
        return drift_error_set(err, status, 0, "the engine takes no more requests");
    }
    *ret_request = r;
    return DRIFT_STATUS_OK;
}

enum drift_status drift_engine_submit(struct drift_engine *engine,
                                      const struct drift_request_params *params,
                                      struct drift_request **ret_request, struct drift_error *err)
{
    struct drift_request_params resolved = *params;
    struct admission a = {0};
    pthread_mutex_lock(&engine->lock);
    enum drift_status status = check_model(engine, params->model, &a, err);
    if (status == DRIFT_STATUS_OK)
        status = check_size(engine, params, &a, &resolved.max_tokens, err);
    if (status == DRIFT_STATUS_OK)
        status = take_place(engine, a.slot, params->n_prompt, err);
    pthread_mutex_unlock(&engine->lock);
    if (status != DRIFT_STATUS_OK)
        return status;
    status = create_and_push(engine, &resolved, ret_request, err);
    if (status != DRIFT_STATUS_OK)
        leave_place(engine, a.slot, params->n_prompt);
    return status;
}

uint32_t drift_engine_retry_after_s(struct drift_engine *engine)
{
    pthread_mutex_lock(&engine->lock);
    double waves = 1.0 + (double)engine->stats.n_queued / (double)engine->params.max_sequences;
    double seconds = waves * engine->request_seconds;
    pthread_mutex_unlock(&engine->lock);
    return seconds < 1.0 ? 1 : seconds > 120.0 ? 120 : (uint32_t)(seconds + 0.5);
}
