/* "did you mean": the candidate with the fewest edits, when they are few for the word's length. */
#include "config/build.h"

#include <stdio.h>
#include <string.h>

#define MAX_WORD 48u

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
    unsigned least = a < b ? a : b;
    return least < c ? least : c;
}

/* Levenshtein's distance of two words of at most MAX_WORD bytes. */
static unsigned distance(const char *a, size_t n_a, const char *b, size_t n_b)
{
    unsigned row[MAX_WORD + 1];
    for (unsigned j = 0; j <= n_b; j++)
        row[j] = j;
    for (unsigned i = 1; i <= n_a; i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (unsigned j = 1; j <= n_b; j++) {
            unsigned up = row[j];
            row[j] = min3(row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = up;
        }
    }
    return row[n_b];
}

void drift_config_suggest(char *msg, size_t size, const char *word, size_t n,
                          const char *(*get)(const void *user, size_t i), const void *user)
{
    size_t n_word = strlen(word), n_msg = strlen(msg);
    if (n_word == 0 || n_word > MAX_WORD)
        return;
    const char *best = NULL;
    unsigned best_distance =
        n_word <= 3 ? 2 : 3 + (unsigned)n_word / 6; /* this many are too many */
    for (size_t i = 0; i < n; i++) {
        const char *candidate = get(user, i);
        size_t n_candidate = candidate ? strlen(candidate) : 0;
        if (n_candidate == 0 || n_candidate > MAX_WORD)
            continue;
        unsigned d = distance(word, n_word, candidate, n_candidate);
        if (d < best_distance) {
            best_distance = d;
            best = candidate;
        }
    }
    if (best)
        snprintf(msg + n_msg, size - n_msg, ", did you mean '%s'?", best);
}
