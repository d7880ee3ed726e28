/*
 * A bump allocator for things that die together: one per request, one per model.
 *
 * Blocks are zeroed and 16-byte aligned; nothing is freed alone. The sticky failed flag lets a
 * builder make many allocations and check once. The cap bounds what hostile input can make it hold.
 */
#ifndef DRIFT_RUNTIME_BASE_ARENA_H
#define DRIFT_RUNTIME_BASE_ARENA_H

#include "runtime/base/alloc.h"

#include <stdbool.h>

struct drift_arena_chunk;

struct drift_arena {
    struct drift_arena_chunk *head;
    enum drift_tag tag;
    size_t used_bytes; /* handed out, padding included */
    size_t cap_bytes;
    bool failed; /* an allocation was refused (cap or heap); stays set */
};

/* Prepare an empty arena that hands out at most cap_bytes. Allocates nothing. */
void drift_arena_init(struct drift_arena *arena, enum drift_tag tag, size_t cap_bytes);
/* Release everything; the arena is empty and usable again. */
void drift_arena_fini(struct drift_arena *arena);
/* Hand out n * size zeroed bytes, NULL (and failed set) when refused. Thread: one at a time. */
void *drift_arena_alloc(struct drift_arena *arena, size_t n, size_t size) DRIFT_MUST_USE;
/* Copy len bytes and a terminating NUL into the arena. */
char *drift_arena_strndup(struct drift_arena *arena, const char *s, size_t len) DRIFT_MUST_USE;

#endif
