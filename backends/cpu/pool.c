/*
 * Threads, steps and chunks; see pool.h.
 *
 * One counter, `remaining`, is all that threads compete for: the chunks of the current step that
 * nobody has claimed. A claim is a decrement; it makes the current step's fields stable until the
 * claimed chunk is counted in `completed`, because the next step is only published after the last
 * one. Sleeping follows the pattern of a flag on each side: a sleeper counts itself in n_sleeping
 * before it looks for work again, a publisher looks at n_sleeping after it has published, both
 * sequentially consistent, so one of them sees the other.
 */
#include "backends/cpu/pool.h"

#include "runtime/base/alloc.h"
#include "runtime/base/pause.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

#define QUEUE_JOBS 16u
/* Some tens of microseconds: longer than an imbalance between threads, shorter than anybody minds.
 */
#define SPIN_ROUNDS 2000u

struct drift_cpu_pool {
    const struct drift_cpu_job_ops *ops;

    /* The current step; written by the publisher only. */
    struct drift_cpu_job job;
    const uint32_t *n_chunks;
    uint32_t n_steps, step;
    _Alignas(64) atomic_uint remaining;
    _Alignas(64) atomic_uint completed;

    _Alignas(64) atomic_uint n_queued;
    atomic_bool is_busy; /* some thread has a job in hand */
    atomic_bool is_stopping;
    atomic_uint n_sleeping;
    pthread_mutex_t mutex; /* queue, sleeping */
    pthread_cond_t work;
    struct drift_cpu_job queue[QUEUE_JOBS];
    uint32_t queue_head;

    uint32_t n_threads; /* started */
    pthread_t threads[];
};

static void wake_sleepers(struct drift_cpu_pool *pool)
{
    if (atomic_load(&pool->n_sleeping) == 0)
        return;
    pthread_mutex_lock(&pool->mutex);
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->mutex);
}

static bool pop_job(struct drift_cpu_pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    bool found = atomic_load(&pool->n_queued) > 0;
    if (found) {
        pool->job = pool->queue[pool->queue_head];
        pool->queue_head = (pool->queue_head + 1) % QUEUE_JOBS;
        atomic_fetch_sub(&pool->n_queued, 1);
    }
    pthread_mutex_unlock(&pool->mutex);
    return found;
}

/* Run what is next: single chunks here, then publish a step for all, or end the job. The caller
 * holds the job. */
static void advance(struct drift_cpu_pool *pool)
{
    for (; pool->step < pool->n_steps; pool->step++) {
        uint32_t n = pool->n_chunks[pool->step];
        if (n == 1)
            pool->ops->run(&pool->job, pool->step, 0);
        if (n <= 1)
            continue;
        atomic_store_explicit(&pool->completed, 0, memory_order_relaxed);
        atomic_store(&pool->remaining, n);
        wake_sleepers(pool);
        return;
    }
    pool->ops->finish(&pool->job);
    atomic_store(&pool->is_busy, false);
}

static bool try_start_job(struct drift_cpu_pool *pool)
{
    bool expected = false;
    if (atomic_load(&pool->n_queued) == 0 ||
        !atomic_compare_exchange_strong(&pool->is_busy, &expected, true))
        return false;
    if (!pop_job(pool)) {
        atomic_store(&pool->is_busy, false);
        return false;
    }
    pool->step = 0;
    pool->ops->start(&pool->job, &pool->n_chunks, &pool->n_steps);
    advance(pool);
    return true;
}

static bool try_run_chunk(struct drift_cpu_pool *pool)
{
    uint32_t left = atomic_load_explicit(&pool->remaining, memory_order_relaxed);
    do {
        if (left == 0)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&pool->remaining, &left, left - 1,
                                                    memory_order_acquire, memory_order_relaxed));
    uint32_t n = pool->n_chunks[pool->step];
    pool->ops->run(&pool->job, pool->step, left - 1);
    if (atomic_fetch_add_explicit(&pool->completed, 1, memory_order_acq_rel) + 1 == n) {
        pool->step++;
        advance(pool);
    }
    return true;
}

static bool has_work(struct drift_cpu_pool *pool)
{
    return atomic_load(&pool->remaining) > 0 ||
           (atomic_load(&pool->n_queued) > 0 && !atomic_load(&pool->is_busy));
}

/* Spin, then sleep, until there may be work or the pool stops. */
static void wait_for_work(struct drift_cpu_pool *pool)
{
    for (uint32_t i = 0; i < SPIN_ROUNDS; i++) {
        if (has_work(pool) || atomic_load(&pool->is_stopping))
            return;
        drift_pause();
    }
    pthread_mutex_lock(&pool->mutex);
    atomic_fetch_add(&pool->n_sleeping, 1);
    while (!has_work(pool) && !atomic_load(&pool->is_stopping))
        pthread_cond_wait(&pool->work, &pool->mutex);
    atomic_fetch_sub(&pool->n_sleeping, 1);
    pthread_mutex_unlock(&pool->mutex);
}

static void *worker_main(void *arg)
{
    struct drift_cpu_pool *pool = arg;
    for (;;) {
        if (try_run_chunk(pool) || try_start_job(pool))
            continue;
        if (atomic_load(&pool->is_stopping) && !atomic_load(&pool->is_busy) &&
            atomic_load(&pool->n_queued) == 0)
            return NULL;
        wait_for_work(pool);
    }
}

bool drift_cpu_pool_submit(struct drift_cpu_pool *pool, const struct drift_cpu_job *job)
{
    pthread_mutex_lock(&pool->mutex);
    uint32_t n = atomic_load(&pool->n_queued);
    if (n < QUEUE_JOBS) {
        pool->queue[(pool->queue_head + n) % QUEUE_JOBS] = *job;
        atomic_fetch_add(&pool->n_queued, 1);
        pthread_cond_broadcast(&pool->work);
    }
    pthread_mutex_unlock(&pool->mutex);
    return n < QUEUE_JOBS;
}

/* Workers take no signals: those belong to the program's loops. */
static int start_threads(struct drift_cpu_pool *pool, uint32_t n_threads)
{
    sigset_t all, old;
    int rc = 0;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    while (pool->n_threads < n_threads && rc == 0) {
        rc = pthread_create(&pool->threads[pool->n_threads], NULL, worker_main, pool);
        pool->n_threads += rc == 0;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return rc;
}

enum drift_status drift_cpu_pool_create(uint32_t n_threads, const struct drift_cpu_job_ops *ops,
                                        struct drift_cpu_pool **ret_pool, struct drift_error *err)
{
    struct drift_cpu_pool *pool =
        drift_alloc_aligned(DRIFT_TAG_BACKEND, 64, 1, sizeof *pool + n_threads * sizeof(pthread_t));
    if (!pool)
        return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "no memory for %u threads",
                               n_threads);
    pool->ops = ops;
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->work, NULL);
    int rc = start_threads(pool, n_threads);
    if (rc != 0) {
        drift_cpu_pool_destroy(pool);
        return drift_error_set_errno(err, rc, "cannot start %u threads", n_threads);
    }
    *ret_pool = pool;
    return DRIFT_STATUS_OK;
}

void drift_cpu_pool_destroy(struct drift_cpu_pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->mutex);
    atomic_store(&pool->is_stopping, true);
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->mutex);
    for (uint32_t i = 0; i < pool->n_threads; i++)
        pthread_join(pool->threads[i], NULL);
    pthread_cond_destroy(&pool->work);
    pthread_mutex_destroy(&pool->mutex);
    drift_free(pool);
}
