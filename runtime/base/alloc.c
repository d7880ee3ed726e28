/*
 * Heap blocks with a 32-byte header before the user's bytes: size, offset to the real start, tag.
 * The counters are relaxed atomics: they are statistics, nothing is ordered by them.
 */
#include "runtime/base/alloc.h"

#include "runtime/base/checked.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct header {
    size_t size;   /* user bytes */
    size_t offset; /* from malloc's pointer to the user's */
    uint32_t tag;
    uint32_t magic;
};

#define HEADER_BYTES 32u
#define MAGIC        0xd21f7a11u
_Static_assert(sizeof(struct header) <= HEADER_BYTES, "header grew");

static const char *const tag_names[DRIFT_TAG_COUNT] = {
#define X(id, name) [DRIFT_TAG_##id] = name,
    DRIFT_TAG_MAP(X)
#undef X
};

static _Atomic uint64_t live_bytes[DRIFT_TAG_COUNT];
static _Atomic uint64_t fail_countdown; /* 0: off */
static atomic_int fail_persistent;
static atomic_int fail_happened;

static int injected_failure(void)
{
    uint64_t left = atomic_load_explicit(&fail_countdown, memory_order_relaxed);
    while (left != 0) {
        if (left == 1 && atomic_load(&fail_persistent)) {
            atomic_store(&fail_happened, 1);
            return 1;
        }
        if (atomic_compare_exchange_weak(&fail_countdown, &left, left - 1)) {
            if (left == 1)
                atomic_store(&fail_happened, 1);
            return left == 1;
        }
    }
    return 0;
}

static struct header *header_of(void *ptr)
{
    struct header *h = (struct header *)(void *)((char *)ptr - HEADER_BYTES);
    DRIFT_ASSERT(h->magic == MAGIC);
    return h;
}

static void *publish(char *raw, size_t offset, size_t size, enum drift_tag tag)
{
    char *user = raw + offset;
    struct header *h = (struct header *)(void *)(user - HEADER_BYTES);
    *h = (struct header){.size = size, .offset = offset, .tag = tag, .magic = MAGIC};
    atomic_fetch_add_explicit(&live_bytes[tag], size, memory_order_relaxed);
    return user;
}

void *drift_alloc(enum drift_tag tag, size_t n, size_t size)
{
    size_t bytes, total;
    if (!drift_mul_size(n, size, &bytes) || __builtin_add_overflow(bytes, HEADER_BYTES, &total) ||
        injected_failure())
        return NULL;
    char *raw = calloc(1, total);
    return raw ? publish(raw, HEADER_BYTES, bytes, tag) : NULL;
}

void *drift_alloc_aligned(enum drift_tag tag, size_t align, size_t n, size_t size)
{
    DRIFT_ASSERT(align >= 16 && align <= 4096 && (align & (align - 1)) == 0);
    size_t bytes, total;
    if (!drift_mul_size(n, size, &bytes) ||
        __builtin_add_overflow(bytes, HEADER_BYTES + align, &total) || injected_failure())
        return NULL;
    char *raw = calloc(1, total); /* large blocks come as untouched zero pages: nothing is resident yet */
    if (!raw)
        return NULL;
    size_t offset = HEADER_BYTES + (align - ((uintptr_t)raw + HEADER_BYTES) % align) % align;
    return publish(raw, offset, bytes, tag);
}

void *drift_realloc(enum drift_tag tag, void *ptr, size_t n, size_t size)
{
    if (!ptr)
        return drift_alloc(tag, n, size);
    struct header *h = header_of(ptr);
    DRIFT_ASSERT(h->tag == (uint32_t)tag);
    DRIFT_ASSERT(h->offset == HEADER_BYTES);
    size_t old = h->size, bytes, total;
    if (!drift_mul_size(n, size, &bytes) || __builtin_add_overflow(bytes, HEADER_BYTES, &total) ||
        injected_failure())
        return NULL;
    char *raw = realloc((char *)ptr - HEADER_BYTES, total);
    if (!raw)
        return NULL;
    if (bytes > old)
        memset(raw + HEADER_BYTES + old, 0, bytes - old);
    atomic_fetch_sub_explicit(&live_bytes[tag], old, memory_order_relaxed);
    return publish(raw, HEADER_BYTES, bytes, tag);
}

char *drift_strndup(enum drift_tag tag, const char *s, size_t len)
{
    if (len == SIZE_MAX)
        return NULL;
    char *copy = drift_alloc(tag, len + 1, 1);
    if (copy && len)
        memcpy(copy, s, len);
    return copy;
}

char *drift_strdup(enum drift_tag tag, const char *s)
{
    return drift_strndup(tag, s, strlen(s));
}

void drift_free(void *ptr)
{
    if (!ptr)
        return;
    struct header *h = header_of(ptr);
    atomic_fetch_sub_explicit(&live_bytes[h->tag], h->size, memory_order_relaxed);
    h->magic = 0;
    free((char *)ptr - h->offset);
}

const char *drift_tag_name(enum drift_tag tag)
{
    return (unsigned)tag < DRIFT_TAG_COUNT ? tag_names[tag] : "?";
}

uint64_t drift_alloc_live_bytes(enum drift_tag tag)
{
    if (tag < DRIFT_TAG_COUNT)
        return atomic_load_explicit(&live_bytes[tag], memory_order_relaxed);
    uint64_t sum = 0;
    for (unsigned i = 0; i < DRIFT_TAG_COUNT; i++)
        sum += atomic_load_explicit(&live_bytes[i], memory_order_relaxed);
    return sum;
}

void drift_alloc_fail_nth(uint64_t n, int persistent)
{
    atomic_store(&fail_happened, 0);
    atomic_store(&fail_persistent, persistent);
    atomic_store(&fail_countdown, n);
}

int drift_alloc_fail_happened(void)
{
    return atomic_load(&fail_happened);
}
