/* A ring under a mutex; see queue.h. */
#include "runtime/base/queue.h"

enum drift_status drift_queue_init(struct drift_queue *q, uint32_t capacity,
                                   drift_queue_wake_fn wake, void *wake_ctx)
{
    DRIFT_ASSERT(capacity > 0);
    void **items = drift_alloc(DRIFT_TAG_BASE, capacity, sizeof *items);
    if (!items)
        return DRIFT_STATUS_NO_MEMORY;
    *q = (struct drift_queue){
        .items = items, .capacity = capacity, .wake = wake, .wake_ctx = wake_ctx};
    if (pthread_mutex_init(&q->lock, NULL) != 0) {
        drift_free(items);
        return DRIFT_STATUS_NO_MEMORY;
    }
    return DRIFT_STATUS_OK;
}

void drift_queue_fini(struct drift_queue *q)
{
    if (!q->items)
        return;
    DRIFT_ASSERT(q->count == 0);
    pthread_mutex_destroy(&q->lock);
    drift_free(q->items);
    q->items = NULL;
}

enum drift_status drift_queue_push(struct drift_queue *q, void *item)
{
    DRIFT_ASSERT(item);
    enum drift_status status = DRIFT_STATUS_OK;
    pthread_mutex_lock(&q->lock);
    if (q->closed) {
        status = DRIFT_STATUS_UNAVAILABLE;
    } else if (q->count == q->capacity) {
        status = DRIFT_STATUS_BUSY;
    } else {
        q->items[((uint64_t)q->first + q->count) % q->capacity] = item;
        q->count++;
    }
    pthread_mutex_unlock(&q->lock);
    if (status == DRIFT_STATUS_OK && q->wake)
        q->wake(q->wake_ctx);
    return status;
}

void *drift_queue_pop(struct drift_queue *q)
{
    void *item = NULL;
    pthread_mutex_lock(&q->lock);
    if (q->count > 0) {
        item = q->items[q->first];
        q->first = (uint32_t)(((uint64_t)q->first + 1) % q->capacity);
        q->count--;
    }
    pthread_mutex_unlock(&q->lock);
    return item;
}

void drift_queue_close(struct drift_queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->closed = true;
    pthread_mutex_unlock(&q->lock);
}

uint32_t drift_queue_count(struct drift_queue *q)
{
    pthread_mutex_lock(&q->lock);
    uint32_t count = q->count;
    pthread_mutex_unlock(&q->lock);
    return count;
}
