/*
 * The CPU device's threads: they take jobs from a bounded queue and run each one's steps together.
 *
 * A step is some number of independent chunks; a thread claims one after the other. Whoever
 * finishes a step's last chunk starts the next step, and runs steps of one chunk on the spot, so a
 * thread that wakes up late delays nobody. Between steps threads spin shortly, then sleep; without
 * jobs all sleep. Nothing is allocated after creation.
 */
#ifndef DRIFT_BACKENDS_CPU_POOL_H
#define DRIFT_BACKENDS_CPU_POOL_H

#include "backends/backend.h"

#include <stdbool.h>
#include <stdint.h>

struct drift_cpu_pool;

struct drift_cpu_job {
    void *program;
    struct drift_batch batch;
    drift_done_fn done;
    void *done_ctx;
};

/* How jobs are run; called on pool threads. */
struct drift_cpu_job_ops {
    /* Get ready. *ret_n_chunks are the chunk counts of *ret_n_steps steps (0: skip), valid until
     * finish. */
    void (*start)(const struct drift_cpu_job *job, const uint32_t **ret_n_chunks,
                  uint32_t *ret_n_steps);
    void (*run)(const struct drift_cpu_job *job, uint32_t step, uint32_t chunk);
    /* Called once, after every chunk of every step; job stays valid during the call. */
    void (*finish)(const struct drift_cpu_job *job);
};

/* n_threads >= 1. Errors: NO_MEMORY, IO (a thread could not be started). */
enum drift_status drift_cpu_pool_create(uint32_t n_threads, const struct drift_cpu_job_ops *ops,
                                        struct drift_cpu_pool **ret_pool,
                                        struct drift_error *err) DRIFT_MUST_USE;
/* Finish queued jobs, stop the threads and release. NULL is accepted. */
void drift_cpu_pool_destroy(struct drift_cpu_pool *pool);
/* Queue a job; false when the queue is full. Jobs run one at a time, in order. Does not wait.
 * Thread: any. */
bool drift_cpu_pool_submit(struct drift_cpu_pool *pool,
                           const struct drift_cpu_job *job) DRIFT_MUST_USE;

/* Threads that affinity and the control group's CPU quota allow, at least 1. */
uint32_t drift_cpu_count_usable(void);

#endif
