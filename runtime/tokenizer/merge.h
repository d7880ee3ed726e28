/*
 * Byte-pair merging, shared by both families: among all adjacent pairs the one of lowest rank (the
 * leftmost of equals) is joined, until no pair has a rank. O(n log n).
 */
#ifndef DRIFT_RUNTIME_TOKENIZER_MERGE_H
#define DRIFT_RUNTIME_TOKENIZER_MERGE_H

#include "runtime/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DRIFT_SYMBOL_NONE UINT32_MAX
/*
 * A longer piece of text without a word boundary is cut (between characters) and the parts are
 * merged alone. It bounds the memory of an encoding to about 4 MiB beyond its result; no text for
 * people has words like this.
 */
#define DRIFT_MERGE_MAX_BYTES 65536u

struct drift_symbol {
    uint32_t start, len; /* bytes of the text; len 0: joined to the one before */
    uint32_t prev, next; /* DRIFT_SYMBOL_NONE at the ends */
    int32_t id;          /* -1: not in the vocabulary */
};

struct drift_merge_candidate {
    uint64_t order; /* rank, then the left symbol: what is joined first is least */
    uint32_t len;   /* of both symbols when it was found */
    int32_t id;
};

/* What joining left and right gives; false when they do not join. */
typedef bool (*drift_merge_find_fn)(const void *ctx, const struct drift_symbol *left,
                                    const struct drift_symbol *right, uint32_t *ret_rank,
                                    int32_t *ret_id);

/* Reused from word to word. All zeros is an empty one. */
struct drift_merger {
    struct drift_symbol *symbols; /* [n_symbols], a list from the first by next */
    uint32_t n_symbols, symbols_capacity;
    struct drift_merge_candidate *heap;
    uint32_t heap_capacity;
};

void drift_merger_fini(struct drift_merger *m);
/* Forget the symbols and make room for n <= DRIFT_MERGE_MAX_BYTES of them. Errors: NO_MEMORY. */
enum drift_status drift_merger_begin(struct drift_merger *m, size_t n,
                                     struct drift_error *err) DRIFT_MUST_USE;
/* Append a symbol; within the room of begin. */
void drift_merger_add(struct drift_merger *m, uint32_t start, uint32_t len, int32_t id);
/* Join until nothing joins. The first symbol is always symbols[0]. */
void drift_merger_run(struct drift_merger *m, drift_merge_find_fn find, const void *ctx);

#endif
