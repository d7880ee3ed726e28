/*
 * The page pool of one model's KV cache: which pages are free, and how many sequences hold each of the others.
 *
 * A page is DRIFT_KV_PAGE_TOKENS rows of every layer (backends/backend.h, drift_cache_desc). Pages are shared by
 * reference: sequences with an equal prefix hold the same full pages, and only full pages are ever shared, so a
 * shared page is never written. A promise sets pages aside for a sequence before it starts, so that a running one
 * never waits for memory; taking a promised page cannot fail. Pages that were used last are handed out first.
 * Thread: engine.
 */
#ifndef DRIFT_RUNTIME_KV_PAGES_H
#define DRIFT_RUNTIME_KV_PAGES_H

#include "runtime/base/error.h"

#include <stdbool.h>
#include <stdint.h>

#define DRIFT_KV_PAGE_TOKENS 32u

/* Pages that n_tokens rows need. */
static inline uint32_t drift_kv_pages_for(uint64_t n_tokens)
{
    return (uint32_t)((n_tokens + DRIFT_KV_PAGE_TOKENS - 1) / DRIFT_KV_PAGE_TOKENS);
}

struct drift_kv_pool {
    uint32_t n_pages;
    uint32_t n_free;     /* on the free stack */
    uint32_t n_promised; /* of the free ones, set aside; never more than n_free */
    int32_t *free_stack; /* [n_pages] */
    uint32_t *n_refs;    /* [n_pages] */
};

/* Errors: NO_MEMORY. */
enum drift_status drift_kv_pool_init(struct drift_kv_pool *pool, uint32_t n_pages,
                                     struct drift_error *err) DRIFT_MUST_USE;
void drift_kv_pool_fini(struct drift_kv_pool *pool);
/* Set n pages aside; false when fewer are free and unpromised. */
bool drift_kv_pool_promise(struct drift_kv_pool *pool, uint32_t n) DRIFT_MUST_USE;
/* Give back a promise of n pages that were not taken. */
void drift_kv_pool_forgo(struct drift_kv_pool *pool, uint32_t n);
/* Take one promised page, with one reference. */
int32_t drift_kv_page_alloc(struct drift_kv_pool *pool);
void drift_kv_page_ref(struct drift_kv_pool *pool, int32_t page);
/* Drop a reference; the last one frees the page. */
void drift_kv_page_release(struct drift_kv_pool *pool, int32_t page);
/* Pages that somebody holds. */
uint32_t drift_kv_pool_used(const struct drift_kv_pool *pool);

#endif
