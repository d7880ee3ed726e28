/*
 * GREEDY BY SIZE. Placed tensors are kept in offset order as an array of indices; with the few
 * hundred tensors of a transformer the quadratic walk costs less than a millisecond, once per plan.
 */
#include "runtime/memory/plan.h"

#include "runtime/base/alloc.h"
#include "runtime/base/checked.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct item {
    uint64_t size; /* aligned */
    uint64_t offset;
    uint32_t first, last;
    size_t index; /* the caller's */
};

/* Larger first; equal ones in the caller's order, so that the result is the same with any qsort. */
static int by_size(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    if (x->size != y->size)
        return x->size > y->size ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

static bool conflicts(const struct item *a, const struct item *b)
{
    return a->first <= b->last && b->first <= a->last;
}

/* The start of the smallest gap between living neighbours that takes item, else the end of the last
 * of them. */
static uint64_t find_offset(const struct item *item, const struct item *const *placed, size_t n)
{
    uint64_t end = 0, best = 0, best_gap = UINT64_MAX;
    for (size_t i = 0; i < n; i++) {
        const struct item *p = placed[i];
        if (!conflicts(item, p))
            continue;
        if (p->offset > end && p->offset - end >= item->size && p->offset - end < best_gap) {
            best = end;
            best_gap = p->offset - end;
        }
        if (p->offset + p->size > end)
            end = p->offset + p->size;
    }
    return best_gap == UINT64_MAX ? end : best;
}

static void insert_placed(const struct item **placed, size_t n, const struct item *item)
{
    size_t at = n;
    while (at > 0 && placed[at - 1]->offset > item->offset)
        at--;
    memmove(&placed[at + 1], &placed[at], (n - at) * sizeof(struct item *));
    placed[at] = item;
}

struct edge {
    uint32_t task;
    bool is_end; /* sorts after the starts of the same task: the intervals are closed */
    uint64_t size;
};

static int by_task(const void *a, const void *b)
{
    const struct edge *x = a, *y = b;
    if (x->task != y->task)
        return x->task < y->task ? -1 : 1;
    return x->is_end - y->is_end;
}

/* Sweep over the tasks' edges: an item adds its size at its first task and takes it back after its
 * last. */
static uint64_t most_alive(const struct item *items, size_t n, struct edge *edges)
{
    for (size_t i = 0; i < n; i++) {
        edges[2 * i] = (struct edge){items[i].first, false, items[i].size};
        edges[2 * i + 1] = (struct edge){items[i].last, true, items[i].size};
    }
    qsort(edges, 2 * n, sizeof edges[0], by_task);
    uint64_t live = 0, most = 0;
    for (size_t i = 0; i < 2 * n; i++) {
        if (edges[i].is_end)
            live -= edges[i].size;
        else if ((live += edges[i].size) > most)
            most = live;
    }
    return most;
}

static enum drift_status collect(const struct drift_memory_usage *usages, size_t n, uint64_t align,
                                 struct item *items, uint64_t *ret_sum, struct drift_error *err)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        const struct drift_memory_usage *u = &usages[i];
        if (u->first_task > u->last_task)
            return drift_error_set(err, DRIFT_STATUS_INVALID, 0,
                                   "tensor %zu is last used (%u) before it is made (%u)", i,
                                   u->last_task, u->first_task);
        items[i] = (struct item){.first = u->first_task, .last = u->last_task, .index = i};
        if (!drift_align_u64(u->size_bytes, align, &items[i].size) ||
            !drift_add_u64(sum, items[i].size, &sum))
            return drift_error_set(err, DRIFT_STATUS_LIMIT, 0,
                                   "the activations' sizes exceed 64 bits");
    }
    *ret_sum = sum;
    return DRIFT_STATUS_OK;
}

enum drift_status drift_memory_plan(const struct drift_memory_usage *usages, size_t n,
                                    uint64_t align, uint64_t *offsets,
                                    struct drift_memory_report *ret_report, struct drift_error *err)
{
    DRIFT_ASSERT(align != 0 && (align & (align - 1)) == 0);
    struct item *items = drift_alloc(DRIFT_TAG_GRAPH, n, sizeof *items);
    const struct item **placed = drift_alloc(DRIFT_TAG_GRAPH, n, sizeof(struct item *));
    struct edge *edges = drift_alloc(DRIFT_TAG_GRAPH, n, 2 * sizeof *edges);
    struct drift_memory_report report = {0};
    enum drift_status status;
    if (!items || !placed || !edges) {
        status =
            drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "no memory to plan %zu activations", n);
        goto out;
    }
    status = collect(usages, n, align, items, &report.naive_bytes, err);
    if (status != DRIFT_STATUS_OK)
        goto out;
    report.lower_bound_bytes = most_alive(items, n, edges);
    qsort(items, n, sizeof items[0], by_size);
    for (size_t i = 0; i < n; i++) {
        items[i].offset = find_offset(&items[i], placed, i);
        insert_placed(placed, i, &items[i]);
        offsets[items[i].index] = items[i].offset;
        if (items[i].offset + items[i].size > report.planned_bytes)
            report.planned_bytes = items[i].offset + items[i].size;
    }
    *ret_report = report;
out:
    drift_free(edges);
    drift_free(placed);
    drift_free(items);
    return status;
}
