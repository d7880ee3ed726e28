/* A stack of free page numbers and a reference count per page. */
#include "runtime/kv/pages.h"

#include "runtime/base/alloc.h"

enum drift_status drift_kv_pool_init(struct drift_kv_pool *pool, uint32_t n_pages,
                                     struct drift_error *err)
{
    *pool = (struct drift_kv_pool){.n_pages = n_pages, .n_free = n_pages};
    pool->free_stack = drift_alloc(DRIFT_TAG_KV, n_pages, sizeof *pool->free_stack);
    pool->n_refs = drift_alloc(DRIFT_TAG_KV, n_pages, sizeof *pool->n_refs);
    if (!pool->free_stack || !pool->n_refs) {
        drift_kv_pool_fini(pool);
        return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "no memory for %u KV page entries",
                               n_pages);
    }
    for (uint32_t i = 0; i < n_pages; i++)
        pool->free_stack[i] = (int32_t)(n_pages - 1 - i);
    return DRIFT_STATUS_OK;
}

void drift_kv_pool_fini(struct drift_kv_pool *pool)
{
    drift_free(pool->free_stack);
    drift_free(pool->n_refs);
    *pool = (struct drift_kv_pool){0};
}

bool drift_kv_pool_promise(struct drift_kv_pool *pool, uint32_t n)
{
    if (n > pool->n_free - pool->n_promised)
        return false;
    pool->n_promised += n;
    return true;
}

void drift_kv_pool_forgo(struct drift_kv_pool *pool, uint32_t n)
{
    DRIFT_ASSERT(n <= pool->n_promised);
    pool->n_promised -= n;
}

int32_t drift_kv_page_alloc(struct drift_kv_pool *pool)
{
    DRIFT_ASSERT(pool->n_promised > 0 && pool->n_free >= pool->n_promised);
    pool->n_promised--;
    int32_t page = pool->free_stack[--pool->n_free];
    DRIFT_ASSERT(pool->n_refs[page] == 0);
    pool->n_refs[page] = 1;
    return page;
}

void drift_kv_page_ref(struct drift_kv_pool *pool, int32_t page)
{
    DRIFT_ASSERT(page >= 0 && (uint32_t)page < pool->n_pages && pool->n_refs[page] > 0);
    pool->n_refs[page]++;
}

void drift_kv_page_release(struct drift_kv_pool *pool, int32_t page)
{
    DRIFT_ASSERT(page >= 0 && (uint32_t)page < pool->n_pages && pool->n_refs[page] > 0);
    if (--pool->n_refs[page] == 0)
        pool->free_stack[pool->n_free++] = page;
}

uint32_t drift_kv_pool_used(const struct drift_kv_pool *pool)
{
    return pool->n_pages - pool->n_free;
}
