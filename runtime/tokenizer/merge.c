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

static bool before(const struct drift_merge_candidate *a, const struct drift_merge_candidate *b)
{
    return a->rank != b->rank ? a->rank < b->rank : a->left < b->left;
}

static void sift_up(struct drift_merge_candidate *heap, uint32_t i)
{
    struct drift_merge_candidate moved = heap[i];
    while (i && before(&moved, &heap[(i - 1) / 2])) {
        heap[i] = heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    heap[i] = moved;
}

static void sift_down(struct drift_merge_candidate *heap, uint32_t n, uint32_t i)
{
    struct drift_merge_candidate moved = heap[i];
    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child >= n)
            break;
        if (child + 1 < n && before(&heap[child + 1], &heap[child]))
            child++;
        if (!before(&heap[child], &moved))
            break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = moved;
}

static bool find_candidate(const struct drift_merger *m, uint32_t left, drift_merge_find_fn find,
                           const void *ctx, struct drift_merge_candidate *ret)
{
    const struct drift_symbol *a = &m->symbols[left];
    if (a->next == DRIFT_SYMBOL_NONE)
        return false;
    const struct drift_symbol *b = &m->symbols[a->next];
    ret->left = left;
    ret->len = a->len + b->len;
    return find(ctx, a, b, &ret->rank, &ret->id);
}

static bool is_current(const struct drift_merger *m, const struct drift_merge_candidate *c)
{
    const struct drift_symbol *left = &m->symbols[c->left];
    return left->len && left->next != DRIFT_SYMBOL_NONE &&
           left->len + m->symbols[left->next].len == c->len;
}

static void join(struct drift_merger *m, const struct drift_merge_candidate *c)
{
    struct drift_symbol *left = &m->symbols[c->left], *right = &m->symbols[left->next];
    left->len = c->len;
    left->id = c->id;
    left->next = right->next;
    if (right->next != DRIFT_SYMBOL_NONE)
        m->symbols[right->next].prev = c->left;
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
        sift_down(heap, n, i);
    while (n) {
        struct drift_merge_candidate top = heap[0];
        heap[0] = heap[--n];
        if (n)
            sift_down(heap, n, 0);
        if (!is_current(m, &top))
            continue;
        join(m, &top);
        uint32_t prev = m->symbols[top.left].prev;
        if (prev != DRIFT_SYMBOL_NONE && find_candidate(m, prev, find, ctx, &c)) {
            heap[n] = c;
            sift_up(heap, n++);
        }
        if (find_candidate(m, top.left, find, ctx, &c)) {
            heap[n] = c;
            sift_up(heap, n++);
        }
    }
}
