/* Copies of what was asked, and the event rings. */
#include "runtime/sched/request.h"

#include "runtime/sched/served.h"

#include <string.h>

/* Per choice, enough for a reader that sleeps through a dozen steps; a full ring pauses the request. */
#define RING_EVENTS_PER_CHOICE 16u
#define RING_EVENTS_BASE       48u

static enum drift_status copy_stops(struct drift_request *r, const struct drift_request_params *params,
                                    struct drift_error *err)
{
    if (params->n_stops > DRIFT_MAX_STOPS)
        return drift_error_set(err, DRIFT_STATUS_INVALID, 0, "%u stop strings; at most %d", params->n_stops,
                               DRIFT_MAX_STOPS);
    size_t total = 0;
    for (uint32_t i = 0; i < params->n_stops; i++) {
        size_t len = strlen(params->stops[i]);
        if (len == 0 || len > DRIFT_MAX_STOP_BYTES)
            return drift_error_set(err, DRIFT_STATUS_INVALID, 0,
                                   "stop string %u has %zu bytes; 1 to %d are allowed", i, len,
                                   DRIFT_MAX_STOP_BYTES);
        total += len + 1;
    }
    r->stop_bytes = drift_alloc(DRIFT_TAG_ENGINE, total, 1);
    if (!r->stop_bytes)
        return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "no memory for stop strings");
    char *at = r->stop_bytes;
    for (uint32_t i = 0; i < params->n_stops; i++) {
        size_t len = strlen(params->stops[i]);
        memcpy(at, params->stops[i], len);
        r->stops.strings[i] = at;
        r->stops.lens[i] = len;
        at += len + 1;
    }
    r->stops.count = params->n_stops;
    return DRIFT_STATUS_OK;
}

static enum drift_status copy_arrays(struct drift_request *r, const struct drift_request_params *params,
                                     struct drift_error *err)
{
    uint32_t n_bias = params->sampling.n_logit_bias;
    if (n_bias > DRIFT_MAX_LOGIT_BIAS)
        return drift_error_set(err, DRIFT_STATUS_INVALID, 0, "%u logit_bias entries; at most %d", n_bias,
                               DRIFT_MAX_LOGIT_BIAS);
    struct drift_logit_bias *bias = drift_alloc(DRIFT_TAG_ENGINE, n_bias, sizeof *bias);
    r->sampling.logit_bias = bias;
    r->prompt = drift_alloc(DRIFT_TAG_ENGINE, params->n_prompt, sizeof *r->prompt);
    r->capacity = RING_EVENTS_BASE + RING_EVENTS_PER_CHOICE * params->n_choices;
    r->ring = drift_alloc(DRIFT_TAG_ENGINE, r->capacity, sizeof *r->ring);
    if (!bias || !r->prompt || !r->ring)
        return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "no memory for a request of %u tokens",
                               params->n_prompt);
    if (n_bias)
        memcpy(bias, params->sampling.logit_bias, n_bias * sizeof *bias);
    memcpy(r->prompt, params->prompt, params->n_prompt * sizeof *r->prompt);
    return copy_stops(r, params, err);
}

enum drift_status drift_request_create(const struct drift_request_params *params,
                                       struct drift_engine *engine, struct drift_events *events,
                                       struct drift_request **ret_request, struct drift_error *err)
{
    if (params->n_choices < 1 || params->n_choices > DRIFT_MAX_CHOICES || params->n_prompt < 1 ||
        params->n_top_logprobs > DRIFT_MAX_TOP_LOGPROBS)
        return drift_error_set(err, DRIFT_STATUS_INVALID, 0,
                               "a request needs a prompt, 1 to %d choices and at most %d log-probabilities",
                               DRIFT_MAX_CHOICES, DRIFT_MAX_TOP_LOGPROBS);
    for (uint32_t i = 0; i < params->n_prompt; i++)
        if (params->prompt[i] < 0 || (uint32_t)params->prompt[i] >= params->model->n_vocab)
            return drift_error_set(err, DRIFT_STATUS_INVALID, 0,
                                   "prompt token %u is %d; the vocabulary has %u tokens", i,
                                   params->prompt[i], params->model->n_vocab);
    struct drift_request *r = drift_alloc(DRIFT_TAG_ENGINE, 1, sizeof *r);
    if (!r)
        return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "no memory for a request");
    r->engine = engine;
    r->events = events;
    r->user = params->user;
    r->n_prompt = params->n_prompt;
    r->n_choices = params->n_choices;
    r->max_tokens = params->max_tokens;
    r->sampling = params->sampling;
    r->n_top_logprobs = params->n_top_logprobs;
    r->ignore_eos = params->ignore_eos;
    r->show_special = params->show_special;
    if (params->id)
        memcpy(r->id, params->id, strnlen(params->id, sizeof r->id - 1));
    atomic_init(&r->n_refs, 1);
    r->model = drift_model_ref(params->model);
    enum drift_status status = copy_arrays(r, params, err);
    if (status != DRIFT_STATUS_OK) {
        drift_request_unref(r);
        return status;
    }
    *ret_request = r;
    return DRIFT_STATUS_OK;
}

void drift_request_ref(struct drift_request *request)
{
    atomic_fetch_add(&request->n_refs, 1);
}

void drift_request_unref(struct drift_request *request)
{
    if (!request || atomic_fetch_sub(&request->n_refs, 1) != 1)
        return;
    DRIFT_ASSERT(!request->sequences);
    drift_model_unref(request->model);
    drift_free((void *)(uintptr_t)request->sampling.logit_bias);
    drift_free(request->prompt);
    drift_free(request->stop_bytes);
    drift_free(request->ring);
    drift_free(request);
}

/* ---- events ---- */

enum drift_status drift_events_init(struct drift_events *events, drift_engine_wake_fn wake, void *wake_ctx)
{
    *events = (struct drift_events){.wake = wake, .wake_ctx = wake_ctx};
    return pthread_mutex_init(&events->lock, NULL) == 0 ? DRIFT_STATUS_OK : DRIFT_STATUS_NO_MEMORY;
}

void drift_events_fini(struct drift_events *events)
{
    pthread_mutex_destroy(&events->lock);
}

uint32_t drift_events_room(struct drift_request *request, uint32_t want)
{
    pthread_mutex_lock(&request->events->lock);
    /* A reader that is gone takes nothing: what is written for it is dropped, so there is always room. */
    uint32_t room = request->is_closed ? request->capacity : request->capacity - request->count;
    if (room < want)
        request->is_stalled = true;
    pthread_mutex_unlock(&request->events->lock);
    return room;
}

void drift_events_push(struct drift_request *request, const struct drift_event *event)
{
    struct drift_events *events = request->events;
    bool wake = false;
    pthread_mutex_lock(&events->lock);
    if (!request->is_closed) {
        DRIFT_ASSERT(request->count < request->capacity);
        request->ring[(request->first + request->count++) % request->capacity] = *event;
        if (!request->is_ready) {
            request->is_ready = true;
            request->next_ready = NULL;
            wake = !events->ready_first;
            if (events->ready_first)
                events->ready_last->next_ready = request;
            else
                events->ready_first = request;
            events->ready_last = request;
        }
    }
    pthread_mutex_unlock(&events->lock);
    if (wake && events->wake)
        events->wake(events->wake_ctx);
}

/* ---- the reader's side (engine.h) ---- */

struct drift_request *drift_events_next_ready(struct drift_events *events)
{
    pthread_mutex_lock(&events->lock);
    struct drift_request *request = events->ready_first;
    if (request) {
        events->ready_first = request->next_ready;
        request->next_ready = NULL;
        request->is_ready = false;
    }
    pthread_mutex_unlock(&events->lock);
    return request;
}

bool drift_request_next_event(struct drift_request *request, struct drift_event *ret)
{
    pthread_mutex_lock(&request->events->lock);
    bool found = request->count > 0;
    bool was_stalled = false;
    if (found) {
        *ret = request->ring[request->first];
        request->first = (request->first + 1) % request->capacity;
        request->count--;
        /* Wake a stalled request when half of its ring is free, not for every slot. */
        was_stalled = request->is_stalled && request->count <= request->capacity / 2;
        if (was_stalled)
            request->is_stalled = false;
    }
    pthread_mutex_unlock(&request->events->lock);
    if (was_stalled)
        drift_engine_poke(request->engine);
    return found;
}

void *drift_request_user(const struct drift_request *request)
{
    return request->user;
}

void drift_request_cancel(struct drift_request *request)
{
    if (!atomic_exchange(&request->cancelled, true))
        drift_engine_poke(request->engine);
}

static void leave_ready_list(struct drift_request *request)
{
    struct drift_events *events = request->events;
    struct drift_request *before = NULL;
    for (struct drift_request *r = events->ready_first; r && r != request; r = r->next_ready)
        before = r;
    if (before)
        before->next_ready = request->next_ready;
    else
        events->ready_first = request->next_ready;
    if (events->ready_last == request)
        events->ready_last = before;
    request->is_ready = false;
}

void drift_request_release(struct drift_request *request)
{
    if (!request)
        return;
    pthread_mutex_lock(&request->events->lock);
    request->is_closed = true;
    request->count = 0;
    if (request->is_ready)
        leave_ready_list(request);
    pthread_mutex_unlock(&request->events->lock);
    drift_request_cancel(request);
    drift_request_unref(request);
}
