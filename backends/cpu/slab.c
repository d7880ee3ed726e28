/* Blocks of memory on huge pages; see slab.h. */
#include "backends/cpu/slab.h"

#include "runtime/base/alloc.h"

#include <sys/mman.h>

#define SLAB_BYTES ((size_t)32 << 20)
#define HUGE_BYTES ((size_t)2 << 20)
#define ALIGN      ((size_t)64)

struct drift_cpu_slab {
    uint8_t *data;
    size_t size, used;
    uint32_t n_pieces;
};

void drift_cpu_slabs_init(struct drift_cpu_slabs *slabs)
{
    pthread_mutex_init(&slabs->mutex, NULL);
    slabs->current = NULL;
}

static void destroy(struct drift_cpu_slab *slab)
{
    if (slab)
        drift_free(slab->data);
    drift_free(slab);
}

void drift_cpu_slabs_fini(struct drift_cpu_slabs *slabs)
{
    destroy(slabs->current);
    pthread_mutex_destroy(&slabs->mutex);
}

/* Ask for huge pages in the part of a block that can have them; nothing is lost if there are none.
 */
static void advise(uint8_t *data, size_t size)
{
    uintptr_t begin = ((uintptr_t)data + HUGE_BYTES - 1) & ~(uintptr_t)(HUGE_BYTES - 1);
    uintptr_t end = ((uintptr_t)data + size) & ~(uintptr_t)(HUGE_BYTES - 1);
    if (end > begin)
        (void)madvise(data + (begin - (uintptr_t)data), end - begin, MADV_HUGEPAGE);
}

static struct drift_cpu_slab *create(size_t size)
{
    struct drift_cpu_slab *slab = drift_alloc(DRIFT_TAG_WEIGHTS, 1, sizeof *slab);
    uint8_t *data = drift_alloc_aligned(DRIFT_TAG_WEIGHTS, ALIGN, size, 1);
    if (!slab || !data) {
        drift_free(data);
        drift_free(slab);
        return NULL;
    }
    advise(data, size);
    *slab = (struct drift_cpu_slab){.data = data, .size = size};
    return slab;
}

uint8_t *drift_cpu_slab_alloc(struct drift_cpu_slabs *slabs, size_t bytes,
                              struct drift_cpu_slab **ret_slab)
{
    if (bytes > SIZE_MAX - ALIGN)
        return NULL;
    bytes = (bytes + ALIGN - 1) & ~(ALIGN - 1);
    pthread_mutex_lock(&slabs->mutex);
    struct drift_cpu_slab *slab = slabs->current;
    bool is_own = bytes > SLAB_BYTES / 4;
    if (is_own || !slab || slab->size - slab->used < bytes) {
        slab = create(is_own ? bytes : SLAB_BYTES);
        if (slab && !is_own) {
            if (slabs->current && slabs->current->n_pieces == 0)
                destroy(slabs->current);
            slabs->current = slab;
        }
    }
    uint8_t *piece = NULL;
    if (slab) {
        piece = slab->data + slab->used;
        slab->used += bytes;
        slab->n_pieces++;
        *ret_slab = slab;
    }
    pthread_mutex_unlock(&slabs->mutex);
    return piece;
}

void drift_cpu_slab_free(struct drift_cpu_slabs *slabs, struct drift_cpu_slab *slab)
{
    if (!slab)
        return;
    pthread_mutex_lock(&slabs->mutex);
    slab->n_pieces--;
    if (slab->n_pieces == 0) {
        if (slab == slabs->current)
            slabs->current = NULL;
        destroy(slab);
    }
    pthread_mutex_unlock(&slabs->mutex);
}
