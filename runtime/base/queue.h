/*
 * A bounded first-in-first-out queue of pointers between threads; push moves ownership.
 *
 * The mutex is a leaf: nothing else is locked while it is held. Neither end ever blocks: a full queue
 * refuses, and the caller turns that into 429 or a pause. The wake function (a uv_async_send, usually)
 * is called after a push outside the lock; wake-ups coalesce, so the reader drains until NULL.
 */
#ifndef DRIFT_RUNTIME_BASE_QUEUE_H
#define DRIFT_RUNTIME_BASE_QUEUE_H

#include "runtime/base/alloc.h"

#include <pthread.h>
#include <stdbool.h>

typedef void (*drift_queue_wake_fn)(void *ctx);

struct drift_queue {
    pthread_mutex_t lock;
    void **items; /* ring */
    uint32_t capacity, first, count;
    bool closed;
    drift_queue_wake_fn wake; /* may be NULL */
    void *wake_ctx;
};

/* Errors: NO_MEMORY. Thread: before start. */
enum drift_status drift_queue_init(struct drift_queue *q, uint32_t capacity, drift_queue_wake_fn wake,
                                   void *wake_ctx) DRIFT_MUST_USE;
/* Items still inside are the caller's to pop and release first (asserted). */
void drift_queue_fini(struct drift_queue *q);
/* OK: item now belongs to the queue. BUSY: full. UNAVAILABLE: closed. Thread: any; does not block. */
enum drift_status drift_queue_push(struct drift_queue *q, void *item) DRIFT_MUST_USE;
/* Oldest item, which now belongs to the caller; NULL when empty. Thread: any; does not block. */
void *drift_queue_pop(struct drift_queue *q);
/* Refuse every later push; what is inside can still be popped. */
void drift_queue_close(struct drift_queue *q);
uint32_t drift_queue_count(struct drift_queue *q);

#endif
