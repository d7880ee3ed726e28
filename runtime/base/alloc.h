/*
 * The only door to the heap: checked multiplication, bytes counted per tag, and failure on demand.
 *
 * Blocks are zeroed. Every block remembers its tag and size, so drift_free needs neither. Device
 * memory is not counted here (memory/ledger.h does).
 */
#ifndef DRIFT_RUNTIME_BASE_ALLOC_H
#define DRIFT_RUNTIME_BASE_ALLOC_H

#include "runtime/base/status.h"

#include <stddef.h>
#include <stdint.h>

/* X(enumerator, name) */
#define DRIFT_TAG_MAP(X)                                                                           \
    X(BASE, "base")                                                                                \
    X(CONFIG, "config")                                                                            \
    X(API, "api")                                                                                  \
    X(SERVER, "server")                                                                            \
    X(MODEL, "model")                                                                              \
    X(TOKENIZER, "tokenizer")                                                                      \
    X(GRAPH, "graph")                                                                              \
    X(WEIGHTS, "weights")                                                                          \
    X(KV, "kv")                                                                                    \
    X(ARENA, "arena")                                                                              \
    X(ENGINE, "engine")                                                                            \
    X(BACKEND, "backend")

enum drift_tag {
#define X(id, name) DRIFT_TAG_##id,
    DRIFT_TAG_MAP(X)
#undef X
    DRIFT_TAG_COUNT
};

/* Allocate n * size zeroed bytes; NULL on overflow or exhaustion. n * size == 0 gives a valid block. Thread: any. */
void *drift_alloc(enum drift_tag tag, size_t n, size_t size) DRIFT_MUST_USE;
/*
 * The same, aligned to align bytes (a power of two, 16 ... 4096). Freed with drift_free, not reallocated. Pages of a
 * large block become resident only when they are touched.
 */
void *drift_alloc_aligned(enum drift_tag tag, size_t align, size_t n, size_t size) DRIFT_MUST_USE;
/*
 * Grow or shrink to n * size bytes; new bytes are zero. ptr may be NULL. On failure returns NULL and
 * ptr is untouched. Not for blocks of drift_alloc_aligned (asserted).
 */
void *drift_realloc(enum drift_tag tag, void *ptr, size_t n, size_t size) DRIFT_MUST_USE;
/* Copy len bytes and a terminating NUL. */
char *drift_strndup(enum drift_tag tag, const char *s, size_t len) DRIFT_MUST_USE;
char *drift_strdup(enum drift_tag tag, const char *s) DRIFT_MUST_USE;
/* Release; NULL is accepted. */
void drift_free(void *ptr);

const char *drift_tag_name(enum drift_tag tag);
/* Bytes in live blocks of a tag, or of all (DRIFT_TAG_COUNT). Thread: any. */
uint64_t drift_alloc_live_bytes(enum drift_tag tag);

/*
 * Test support: let the n-th allocation from now (1 = the next) of the whole process fail, once
 * (every later one too if persistent). 0 switches it off. Thread: any, but meant for one at a time.
 */
void drift_alloc_fail_nth(uint64_t n, int persistent);
/* True when an injected failure has happened since drift_alloc_fail_nth was called. */
int drift_alloc_fail_happened(void);

#endif
