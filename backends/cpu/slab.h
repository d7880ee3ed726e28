/*
 * Memory for packed weights: large blocks on huge pages, cut into pieces that are freed together.
 *
 * A decode step streams every weight once; with small pages address translation costs a third of
 * the bandwidth. Huge pages need blocks of megabytes, weights are often smaller, so those of a
 * device share blocks.
 */
#ifndef DRIFT_BACKENDS_CPU_SLAB_H
#define DRIFT_BACKENDS_CPU_SLAB_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct drift_cpu_slab;

struct drift_cpu_slabs {
    pthread_mutex_t mutex;
    struct drift_cpu_slab *current; /* the one that is being filled */
};

void drift_cpu_slabs_init(struct drift_cpu_slabs *slabs);
/* All pieces must be gone. */
void drift_cpu_slabs_fini(struct drift_cpu_slabs *slabs);
/* Hand out zeroed bytes aligned to 64; *ret_slab is what drift_cpu_slab_free takes. NULL without
 * memory. Thread: any. */
uint8_t *drift_cpu_slab_alloc(struct drift_cpu_slabs *slabs, size_t bytes,
                              struct drift_cpu_slab **ret_slab);
/* Give a piece back; the block is released with its last piece. Thread: any. */
void drift_cpu_slab_free(struct drift_cpu_slabs *slabs, struct drift_cpu_slab *slab);

#endif
