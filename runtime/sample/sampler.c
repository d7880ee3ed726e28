/*
 * The sampler. Truncations work on an array of candidates that shrinks; selection is by partial sorting, so that a
 * step costs one pass over the vocabulary plus the size of what survives.
 */
#include "runtime/sample/sampler.h"

#include "runtime/base/alloc.h"
#include "runtime/sample/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct candidate {
    float logit;
    float p; /* relative to the most probable one until normalized; scratch key for typical_p */
    int32_t id;
};

struct drift_sampler_scratch {
    uint32_t n_vocab;
    float *logits;                 /* [n_vocab] */
    struct candidate *candidates;  /* [n_vocab] */
};

struct drift_sampler {
    struct drift_sampling params;
    struct drift_logit_bias *bias;
    uint64_t seed, n_drawn;
    uint32_t stream, n_vocab;
    int32_t *history; /* prompt, then generated */
    size_t n_history, n_prompt, capacity;
    uint16_t *counts;   /* [n_vocab] in the generated text; NULL when no penalty needs them */
    uint8_t *seen;      /* [n_vocab] scratch marks for the repetition window; NULL likewise */
};

enum drift_status drift_sampler_scratch_create(uint32_t n_vocab,
                                               struct drift_sampler_scratch **ret_scratch,
                                               struct drift_error *err)
{
    struct drift_sampler_scratch *s = drift_alloc(DRIFT_TAG_ENGINE, 1, sizeof *s);
    if (s) {
        s->n_vocab = n_vocab;
        s->logits = drift_alloc(DRIFT_TAG_ENGINE, n_vocab, sizeof *s->logits);
        s->candidates = drift_alloc(DRIFT_TAG_ENGINE, n_vocab, sizeof *s->candidates);
    }
    if (!s || !s->logits || !s->candidates) {
        drift_sampler_scratch_destroy(s);
        return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "no memory to sample from %u tokens",
                               n_vocab);
    }
    *ret_scratch = s;
    return DRIFT_STATUS_OK;
}

void drift_sampler_scratch_destroy(struct drift_sampler_scratch *scratch)
{
    if (!scratch)
        return;
    drift_free(scratch->logits);
    drift_free(scratch->candidates);
    drift_free(scratch);
}

static bool has_repetition(const struct drift_sampling *p)
{
    return p->repetition_penalty != 1.0f && p->penalty_window_tokens != 0;
}

static bool has_counts(const struct drift_sampling *p)
{
    return p->frequency_penalty != 0.0f || p->presence_penalty != 0.0f;
}

static bool allocate_state(struct drift_sampler *s, const int32_t *prompt, size_t n_prompt,
                           size_t max_generated)
{
    if (has_repetition(&s->params)) {
        s->capacity = n_prompt + max_generated;
        s->history = drift_alloc(DRIFT_TAG_ENGINE, s->capacity, sizeof *s->history);
        s->seen = drift_alloc(DRIFT_TAG_ENGINE, s->n_vocab, sizeof *s->seen);
        if (!s->history || !s->seen)
            return false;
        memcpy(s->history, prompt, n_prompt * sizeof *prompt);
        s->n_history = s->n_prompt = n_prompt;
    }
    if (has_counts(&s->params)) {
        s->counts = drift_alloc(DRIFT_TAG_ENGINE, s->n_vocab, sizeof *s->counts);
        if (!s->counts)
            return false;
    }
    if (s->params.n_logit_bias) {
        s->bias = drift_alloc(DRIFT_TAG_ENGINE, s->params.n_logit_bias, sizeof *s->bias);
        if (!s->bias)
            return false;
        memcpy(s->bias, s->params.logit_bias, s->params.n_logit_bias * sizeof *s->bias);
    }
    s->params.logit_bias = s->bias;
    return true;
}

enum drift_status drift_sampler_create(const struct drift_sampling *params, uint64_t seed,
                                       uint32_t stream, uint32_t n_vocab, const int32_t *prompt,
                                       size_t n_prompt, size_t max_generated,
                                       struct drift_sampler **ret_sampler, struct drift_error *err)
{
    for (uint32_t i = 0; i < params->n_logit_bias; i++) {
        int32_t token = params->logit_bias[i].token;
        if (token < 0 || (uint32_t)token >= n_vocab)
            return drift_error_set(err, DRIFT_STATUS_INVALID, 0,
                                   "logit_bias: token %d is outside the vocabulary of %u tokens",
                                   token, n_vocab);
    }
    struct drift_sampler *s = drift_alloc(DRIFT_TAG_ENGINE, 1, sizeof *s);
    if (s) {
        s->params = *params;
        s->seed = seed;
        s->stream = stream;
        s->n_vocab = n_vocab;
    }
    if (!s || !allocate_state(s, prompt, n_prompt, max_generated)) {
        drift_sampler_destroy(s);
        return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "no memory for a sampler");
    }
    *ret_sampler = s;
    return DRIFT_STATUS_OK;
}

void drift_sampler_destroy(struct drift_sampler *sampler)
{
    if (!sampler)
        return;
    drift_free(sampler->bias);
    drift_free(sampler->history);
    drift_free(sampler->counts);
    drift_free(sampler->seen);
    drift_free(sampler);
}

void drift_sampler_accept(struct drift_sampler *sampler, int32_t token)
{
    sampler->n_drawn++;
    if (token < 0 || (uint32_t)token >= sampler->n_vocab)
        return;
    if (sampler->history && sampler->n_history < sampler->capacity)
        sampler->history[sampler->n_history++] = token;
    if (sampler->counts && sampler->counts[token] < UINT16_MAX)
        sampler->counts[token]++;
}

/* ---- adjusting logits ---- */

static void apply_repetition(struct drift_sampler *s, float *logits)
{
    size_t window = s->params.penalty_window_tokens < 0 ? s->n_history
                                                        : (size_t)s->params.penalty_window_tokens;
    size_t first = s->n_history > window ? s->n_history - window : 0;
    float penalty = s->params.repetition_penalty;
    for (size_t i = first; i < s->n_history; i++) {
        int32_t id = s->history[i];
        if (id < 0 || (uint32_t)id >= s->n_vocab || s->seen[id])
            continue;
        s->seen[id] = 1;
        logits[id] = logits[id] > 0 ? logits[id] / penalty : logits[id] * penalty;
    }
    for (size_t i = first; i < s->n_history; i++)
        if (s->history[i] >= 0 && (uint32_t)s->history[i] < s->n_vocab)
            s->seen[s->history[i]] = 0;
}

static bool adjusts_logits(const struct drift_sampler *s)
{
    return s->seen || s->counts || s->bias;
}

static void adjust_logits(struct drift_sampler *s, float *logits)
{
    if (s->seen)
        apply_repetition(s, logits);
    if (s->counts)
        for (uint32_t i = 0; i < s->n_vocab; i++)
            if (s->counts[i])
                logits[i] -= (float)s->counts[i] * s->params.frequency_penalty +
                             s->params.presence_penalty;
    for (uint32_t i = 0; i < s->params.n_logit_bias; i++)
        logits[s->bias[i].token] =
            s->bias[i].bias <= -100.0f ? -INFINITY : logits[s->bias[i].token] + s->bias[i].bias;
}

static int32_t argmax(const float *logits, uint32_t n)
{
    int32_t best = 0;
    float value = -INFINITY;
    for (uint32_t i = 0; i < n; i++) {
        if (logits[i] > value) {
            value = logits[i];
            best = (int32_t)i;
        }
    }
    return best;
}

/* ---- truncations ---- */

static int by_logit_descending(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    if (x->logit != y->logit)
        return x->logit > y->logit ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static int by_key_ascending(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    if (x->p != y->p)
        return x->p < y->p ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static int by_id(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* Move the k first of the order by_logit_descending to the front (unsorted): quickselect. */
static void select_top(struct candidate *c, size_t n, size_t k)
{
    size_t low = 0, high = n;
    while (k > low && k < high && high - low > 1) {
        struct candidate pivot = c[low + (high - low) / 2];
        size_t i = low, j = high - 1;
        for (;;) {
            while (by_logit_descending(&c[i], &pivot) < 0)
                i++;
            while (by_logit_descending(&c[j], &pivot) > 0)
                j--;
            if (i >= j)
                break;
            struct candidate t = c[i];
            c[i++] = c[j];
            c[j--] = t;
        }
        size_t split = by_logit_descending(&c[i], &pivot) < 0 ? i + 1 : i;
        if (k <= split && split < high)
            high = split;
        else if (split > low)
            low = split;
        else
            low++;
    }
}

/* Sort so that the first candidates with a cumulated probability of at least target are in front; how many they are. */
static size_t keep_nucleus(struct candidate *c, size_t n, double target, double sum)
{
    size_t sorted = 0;
    double cumulated = 0;
    for (size_t want = 64; sorted < n; want *= 8) {
        size_t end = want < n ? want : n;
        select_top(c + sorted, n - sorted, end - sorted);
        qsort(c + sorted, end - sorted, sizeof *c, by_logit_descending);
        for (; sorted < end; sorted++) {
            cumulated += (double)c[sorted].p / sum;
            if (cumulated >= target)
                return sorted + 1;
        }
    }
    return n;
}

/* Fill p relative to the greatest logit; returns their sum. */
static double weigh(struct candidate *c, size_t n)
{
    float max = -INFINITY;
    for (size_t i = 0; i < n; i++)
        max = c[i].logit > max ? c[i].logit : max;
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        c[i].p = expf(c[i].logit - max);
        sum += (double)c[i].p;
    }
    return sum;
}

/* Keep the tokens whose surprise is nearest to the expected one (Meister et al., "Locally typical sampling"). */
static size_t keep_typical(struct candidate *c, size_t n, double target, double sum)
{
    double entropy = 0;
    for (size_t i = 0; i < n; i++) {
        double p = (double)c[i].p / sum;
        if (p > 0)
            entropy -= p * log(p);
    }
    float max = -INFINITY;
    for (size_t i = 0; i < n; i++) {
        max = c[i].logit > max ? c[i].logit : max;
        double p = (double)c[i].p / sum;
        c[i].p = p > 0 ? (float)fabs(-log(p) - entropy) : INFINITY;
    }
    qsort(c, n, sizeof *c, by_key_ascending);
    double cumulated = 0;
    for (size_t i = 0; i < n; i++) {
        cumulated += exp((double)(c[i].logit - max)) / sum;
        if (cumulated >= target)
            return i + 1;
    }
    return n;
}

static size_t keep_min_p(struct candidate *c, size_t n, float min_p)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (c[i].p >= min_p) /* p is relative to the greatest */
            c[kept++] = c[i];
    return kept ? kept : n;
}

static size_t truncate_candidates(const struct drift_sampling *params, struct candidate *c, size_t n)
{
    size_t all = n;
    if (params->top_k > 0 && (size_t)params->top_k < n) {
        select_top(c, n, (size_t)params->top_k);
        n = (size_t)params->top_k;
    }
    if (params->typical_p < 1.0f)
        n = keep_typical(c, n, (double)params->typical_p, weigh(c, n));
    if (params->top_p < 1.0f)
        n = keep_nucleus(c, n, (double)params->top_p, weigh(c, n));
    if (params->min_p > 0.0f) {
        weigh(c, n);
        n = keep_min_p(c, n, params->min_p);
    }
    if (n < all)
        qsort(c, n, sizeof *c, by_id);
    return n;
}

static int32_t draw(const struct candidate *c, size_t n, double sum, double uniform)
{
    double target = uniform * sum, cumulated = 0;
    size_t last = 0;
    for (size_t i = 0; i < n; i++) {
        if (c[i].p <= 0)
            continue;
        cumulated += (double)c[i].p;
        last = i;
        if (cumulated > target)
            break;
    }
    return c[last].id;
}

int32_t drift_sampler_choose(struct drift_sampler *sampler, struct drift_sampler_scratch *scratch,
                             const float *logits)
{
    DRIFT_ASSERT(sampler->n_vocab <= scratch->n_vocab);
    uint32_t n_vocab = sampler->n_vocab;
    if (adjusts_logits(sampler)) {
        memcpy(scratch->logits, logits, n_vocab * sizeof *logits);
        adjust_logits(sampler, scratch->logits);
        logits = scratch->logits;
    }
    if (sampler->params.temperature <= 0.0f || sampler->params.top_k == 1)
        return argmax(logits, n_vocab);

    struct candidate *c = scratch->candidates;
    float inverse = 1.0f / sampler->params.temperature;
    size_t n = 0;
    for (uint32_t i = 0; i < n_vocab; i++)
        if (logits[i] > -INFINITY) /* false for NaN too */
            c[n++] = (struct candidate){.logit = logits[i] * inverse, .id = (int32_t)i};
    if (n == 0)
        return 0;
    n = truncate_candidates(&sampler->params, c, n);
    return draw(c, n, weigh(c, n), drift_rng_uniform(sampler->seed, sampler->stream, sampler->n_drawn));
}

/* ---- log-probabilities ---- */

static void insert_top(float logit, int32_t id, uint32_t n_top, uint32_t *n, int32_t *ids, float *values)
{
    if (*n == n_top && !(logit > values[*n - 1]))
        return;
    uint32_t at = *n < n_top ? (*n)++ : n_top - 1;
    while (at > 0 && logit > values[at - 1]) {
        values[at] = values[at - 1];
        ids[at] = ids[at - 1];
        at--;
    }
    values[at] = logit;
    ids[at] = id;
}

float drift_logprobs(const float *logits, uint32_t n_vocab, int32_t token, uint32_t n_top,
                     int32_t *ret_top_tokens, float *ret_top_logprobs)
{
    float max = -INFINITY;
    for (uint32_t i = 0; i < n_vocab; i++)
        max = logits[i] > max ? logits[i] : max;
    double sum = 0;
    for (uint32_t i = 0; i < n_vocab; i++)
        sum += (double)expf(logits[i] - max);
    double log_sum = (double)max + log(sum);
    uint32_t n = 0;
    for (uint32_t i = 0; n_top && i < n_vocab; i++)
        insert_top(logits[i], (int32_t)i, n_top, &n, ret_top_tokens, ret_top_logprobs);
    for (uint32_t i = 0; i < n; i++)
        ret_top_logprobs[i] = (float)((double)ret_top_logprobs[i] - log_sum);
    return (float)((double)logits[token] - log_sum);
}
