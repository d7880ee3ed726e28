/*
 * A request inside the engine: what was asked, its event ring, and its sequences.
 *
 * Two sides hold it: the HTTP loop (until drift_request_release) and the engine thread (until its last event has been
 * written). The ring and the ready list are guarded by the engine's lock, a leaf; the rest belongs to the engine thread
 * once the request is queued.
 */
#ifndef DRIFT_RUNTIME_SCHED_REQUEST_H
#define DRIFT_RUNTIME_SCHED_REQUEST_H

#include "runtime/engine.h"
#include "runtime/sched/text.h"

#include <pthread.h>
#include <stdatomic.h>

struct drift_sequence;
struct drift_events;

struct drift_request {
    struct drift_events *events; /* the engine's */
    struct drift_engine *engine;
    struct drift_model *model;
    atomic_uint n_refs;
    atomic_bool cancelled;
    char id[64];
    void *user;

    int32_t *prompt; /* [n_prompt] */
    uint32_t n_prompt, n_choices, max_tokens; /* max_tokens: resolved, at least 1 */
    struct drift_sampling sampling;           /* logit_bias owned */
    struct drift_text_stops stops;
    char *stop_bytes;
    int32_t n_top_logprobs;
    bool ignore_eos, show_special;
    uint64_t seed;

    /* engine thread */
    struct drift_sequence *sequences; /* [n_choices]; NULL while queued */
    uint32_t n_live;                  /* sequences whose FINISHED has not been written */
    uint32_t n_pages_promised;        /* at admission */
    uint32_t n_completion_tokens;
    uint64_t submitted_ns, started_ns, first_token_ns;
    struct drift_request *next; /* in the model's queue or list */

    /* under the events' lock */
    struct drift_event *ring; /* [capacity] */
    uint32_t capacity, first, count;
    bool is_ready, is_closed, is_stalled;
    struct drift_request *next_ready;
};

/* Copy params; model gains a reference. max_tokens and seed are resolved by the caller. Errors: INVALID, NO_MEMORY. */
enum drift_status drift_request_create(const struct drift_request_params *params,
                                       struct drift_engine *engine, struct drift_events *events,
                                       struct drift_request **ret_request,
                                       struct drift_error *err) DRIFT_MUST_USE;
void drift_request_ref(struct drift_request *request);
/* Drop a reference; the last one frees the request and its model reference. Thread: any. */
void drift_request_unref(struct drift_request *request);

/* ---- events: rings of all requests of an engine, one lock ---- */

struct drift_events {
    pthread_mutex_t lock;
    struct drift_request *ready_first, *ready_last;
    drift_engine_wake_fn wake;
    void *wake_ctx;
};

enum drift_status drift_events_init(struct drift_events *events, drift_engine_wake_fn wake,
                                    void *wake_ctx) DRIFT_MUST_USE;
void drift_events_fini(struct drift_events *events);
/* Free slots in the request's ring. Sets is_stalled when fewer than want, so that the reader wakes the engine. */
uint32_t drift_events_room(struct drift_request *request, uint32_t want);
/* Append an event (there is room: asserted), put the request on the ready list, wake the reader. Thread: engine. */
void drift_events_push(struct drift_request *request, const struct drift_event *event);
/* The next request with unread events, taken off the list; NULL when there is none. Thread: http. */
struct drift_request *drift_events_next_ready(struct drift_events *events);

/* Make the engine thread look at cancel flags, stalled requests and wishes for models. Thread: any. */
void drift_engine_poke(struct drift_engine *engine);

#endif
