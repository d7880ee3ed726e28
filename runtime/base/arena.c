/* Chunks double from 4 KiB to 1 MiB; a block larger than a chunk gets one of its own. */
#include "runtime/base/arena.h"

#include "runtime/base/checked.h"

#include <string.h>

#define CHUNK_MIN_BYTES 4096u
#define CHUNK_MAX_BYTES (1u << 20)
#define ALIGN_BYTES     16u

struct drift_arena_chunk {
    struct drift_arena_chunk *next;
    size_t size, used; /* of data */
    _Alignas(16) char data[];
};

void drift_arena_init(struct drift_arena *arena, enum drift_tag tag, size_t cap_bytes)
{
    *arena = (struct drift_arena){.tag = tag, .cap_bytes = cap_bytes};
}

void drift_arena_fini(struct drift_arena *arena)
{
    struct drift_arena_chunk *chunk = arena->head;
    while (chunk) {
        struct drift_arena_chunk *next = chunk->next;
        drift_free(chunk);
        chunk = next;
    }
    drift_arena_init(arena, arena->tag, arena->cap_bytes);
}

static struct drift_arena_chunk *add_chunk(struct drift_arena *arena, size_t need)
{
    size_t size = arena->head ? arena->head->size * 2 : CHUNK_MIN_BYTES;
    if (size > CHUNK_MAX_BYTES)
        size = CHUNK_MAX_BYTES;
    if (size < need)
        size = need;
    struct drift_arena_chunk *chunk = drift_alloc(arena->tag, 1, sizeof *chunk + size);
    if (!chunk)
        return NULL;
    chunk->size = size;
    chunk->next = arena->head;
    arena->head = chunk;
    return chunk;
}

void *drift_arena_alloc(struct drift_arena *arena, size_t n, size_t size)
{
    size_t bytes;
    if (arena->failed || !drift_mul_size(n, size, &bytes) || bytes > arena->cap_bytes ||
        bytes > PTRDIFF_MAX) /* so that padding and a chunk's header cannot overflow */
        goto refused;
    bytes = bytes ? (bytes + ALIGN_BYTES - 1) & ~(size_t)(ALIGN_BYTES - 1) : ALIGN_BYTES;
    if (bytes > arena->cap_bytes - arena->used_bytes)
        goto refused;
    struct drift_arena_chunk *chunk = arena->head;
    if (!chunk || chunk->size - chunk->used < bytes)
        chunk = add_chunk(arena, bytes);
    if (!chunk)
        goto refused;
    void *block = chunk->data + chunk->used;
    chunk->used += bytes;
    arena->used_bytes += bytes;
    return block;
refused:
    arena->failed = true;
    return NULL;
}

char *drift_arena_strndup(struct drift_arena *arena, const char *s, size_t len)
{
    char *copy = len == SIZE_MAX ? NULL : drift_arena_alloc(arena, len + 1, 1);
    if (copy && len)
        memcpy(copy, s, len);
    return copy;
}
