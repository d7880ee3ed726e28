/*
 * A binary heap of candidate pairs. A pair whose symbols have changed since it was found stays in
 * the heap and is recognised when it comes up: its length no longer fits.
 */
#include "runtime/tokenizer/merge.h"

#include "runtime/base/alloc.h"

void drift_merger_fini(struct drift_merger *m)
{
    drift_free(m->symbols);
    drift_free(m->heap);
    *m = (struct drift_merger){0};
}

enum drift_status drift_merger_begin(struct drift_merger *m, size_t n, struct drift_error *err)
{
    DRIFT_ASSERT(n <= DRIFT_MERGE_MAX_BYTES);
    m->n_symbols = 0;
    if (n <= m->symbols_capacity)
        return DRIFT_STATUS_OK;
    uint32_t capacity = 256;
    while (capacity < n)
        capacity *= 2;
    /* n - 1 pairs at first, and each of at most n - 1 joins takes one out and puts two in */
    struct drift_symbol *symbols =
        drift_realloc(DRIFT_TAG_TOKENIZER, m->symbols, capacity, sizeof(*symbols));
    if (symbols)
        m->symbols = symbols;
    struct drift_merge_candidate *heap =
        drift_realloc(DRIFT_TAG_TOKENIZER, m->heap, (size_t)2 * capacity, sizeof(*heap));
    if (heap)
        m->heap = heap;
    if (!symbols || !heap)
        return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "out of memory for tokenizing");
    m->symbols_capacity = capacity;
    m->heap_capacity = 2 * capacity;
    return DRIFT_STATUS_OK;
}

void drift_merger_add(struct drift_merger *m, uint32_t start, uint32_t len, int32_t id)
{
    DRIFT_ASSERT(m->n_symbols < m->symbols_capacity);
    uint32_t i = m->n_symbols++;
    m->symbols[i] = (struct drift_symbol){.start = start,
                                          .len = len,
                                          .prev = i ? i - 1 : DRIFT_SYMBOL_NONE,
                                          .next = DRIFT_SYMBOL_NONE,
                                          .id = id};
    if (i)
        m->symbols[i - 1].next = i;
}

static uint32_t left_of(const struct drift_merge_candidate *c)
{
    return (uint32_t)c->order;
}

/* Let the candidate at i rise to where it belongs, at most to top. */
static void sift_up(struct drift_merge_candidate *heap, uint32_t top, uint32_t i)
{
    struct drift_merge_candidate moved = heap[i];
    while (i > top && moved.order < heap[(i - 1) / 2].order) {
        heap[i] = heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    heap[i] = moved;
}

/*
 * Put moved into the hole at i. The hole sinks to the bottom first and moved rises from there: it
 * came from the bottom, so that is near, and the way down needs one comparison a level that the
 * processor does not have to guess.
 */
static void sift_down(struct drift_merge_candidate *heap, uint32_t n, uint32_t i,
                      struct drift_merge_candidate moved)
{
    uint32_t top = i;
    while (2 * i + 2 < n) {
        uint32_t child = 2 * i + 1;
        child += heap[child + 1].order < heap[child].order;
        heap[i] = heap[child];
        i = child;
    }
    if (2 * i + 1 < n) {
        heap[i] = heap[2 * i + 1];
        i = 2 * i + 1;
    }
    heap[i] = moved;
    sift_up(heap, top, i);
}

static bool find_candidate(const struct drift_merger *m, uint32_t left, drift_merge_find_fn find,
                           const void *ctx, struct drift_merge_candidate *ret)
{
    const struct drift_symbol *a = &m->symbols[left];
    if (a->next == DRIFT_SYMBOL_NONE)
        return false;
    const struct drift_symbol *b = &m->symbols[a->next];
    uint32_t rank;
    if (!find(ctx, a, b, &rank, &ret->id))
        return false;
    ret->order = (uint64_t)rank << 32 | left;
    ret->len = a->len + b->len;
    return true;
}

static bool is_current(const struct drift_merger *m, const struct drift_merge_candidate *c)
{
    const struct drift_symbol *left = &m->symbols[left_of(c)];
    return left->len && left->next != DRIFT_SYMBOL_NONE &&
           left->len + m->symbols[left->next].len == c->len;
}

static void join(struct drift_merger *m, const struct drift_merge_candidate *c)
{
    struct drift_symbol *left = &m->symbols[left_of(c)], *right = &m->symbols[left->next];
    left->len = c->len;
    left->id = c->id;
    left->next = right->next;
    if (right->next != DRIFT_SYMBOL_NONE)
        m->symbols[right->next].prev = left_of(c);
    right->len = 0;
}

void drift_merger_run(struct drift_merger *m, drift_merge_find_fn find, const void *ctx)
{
    struct drift_merge_candidate *heap = m->heap, c;
    uint32_t n = 0;
    for (uint32_t i = 0; i < m->n_symbols; i++) {
        if (find_candidate(m, i, find, ctx, &c))
            heap[n++] = c;
    }
    for (uint32_t i = n / 2; i-- > 0;)
        sift_down(heap, n, i, heap[i]);
    while (n) {
        struct drift_merge_candidate top = heap[0];
        if (--n)
            sift_down(heap, n, 0, heap[n]);
        if (!is_current(m, &top))
            continue;
        join(m, &top);
        uint32_t left = left_of(&top);
        uint32_t prev = m->symbols[left].prev;
        if (prev != DRIFT_SYMBOL_NONE && find_candidate(m, prev, find, ctx, &c)) {
            heap[n] = c;
            sift_up(heap, 0, n++);
        }
        if (find_candidate(m, left, find, ctx, &c)) {
            heap[n] = c;
            sift_up(heap, 0, n++);
        }
    }
}
