/* Life of a sequence; see sequence.h. */
#include "runtime/sched/sequence.h"

#include "runtime/sched/served.h"

#include <string.h>

/* Full pages of the prompt that all choices can share; the last prompt token is always computed, for its logits. */
static uint32_t shared_pages(uint32_t n_prompt)
{
    return (n_prompt - 1) / DRIFT_KV_PAGE_TOKENS;
}

/* The last generated token is never put into the cache. */
static uint32_t pages_of_one(uint32_t n_prompt, uint32_t max_tokens)
{
    return drift_kv_pages_for((uint64_t)n_prompt + max_tokens - 1);
}

uint64_t drift_sequences_pages(uint32_t n_prompt, uint32_t max_tokens, uint32_t n_choices)
{
    uint64_t one = pages_of_one(n_prompt, max_tokens);
    return one + (uint64_t)(n_choices - 1) * (one - shared_pages(n_prompt));
}

static enum drift_status init_sequence(struct drift_sequence *s, struct drift_request *r, uint32_t choice,
                                       struct drift_error *err)
{
    s->request = r;
    s->choice = choice;
    s->phase = choice == 0 ? DRIFT_SEQUENCE_PREFILL : DRIFT_SEQUENCE_WAITING;
    uint32_t one = pages_of_one(r->n_prompt, r->max_tokens);
    s->n_promised = choice == 0 ? one : one - shared_pages(r->n_prompt);
    s->tokens = drift_alloc(DRIFT_TAG_ENGINE, (size_t)r->n_prompt + r->max_tokens, sizeof *s->tokens);
    s->pages = drift_alloc(DRIFT_TAG_ENGINE, one, sizeof *s->pages);
    if (!s->tokens || !s->pages ||
        drift_text_init(&s->text, r->model->tokenizer, &r->stops, r->show_special) != DRIFT_STATUS_OK)
        return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "no memory for a sequence of %u tokens",
                               r->n_prompt + r->max_tokens);
    memcpy(s->tokens, r->prompt, r->n_prompt * sizeof *s->tokens);
    s->n_tokens = r->n_prompt;
    return drift_sampler_create(&r->sampling, r->seed, choice, r->model->n_vocab, r->prompt, r->n_prompt,
                                r->max_tokens, &s->sampler, err);
}

enum drift_status drift_sequences_create(struct drift_request *request, struct drift_error *err)
{
    request->sequences =
        drift_alloc(DRIFT_TAG_ENGINE, request->n_choices, sizeof *request->sequences);
    if (!request->sequences)
        return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "no memory for sequences");
    for (uint32_t i = 0; i < request->n_choices; i++) {
        enum drift_status status = init_sequence(&request->sequences[i], request, i, err);
        if (status != DRIFT_STATUS_OK) {
            for (uint32_t k = 0; k < request->n_choices; k++)
                request->sequences[k].n_promised = 0;
            drift_sequences_destroy(request, NULL);
            return status;
        }
    }
    request->n_live = request->n_choices;
    return DRIFT_STATUS_OK;
}

void drift_sequences_destroy(struct drift_request *request, struct drift_kv_pool *pool)
{
    for (uint32_t i = 0; request->sequences && i < request->n_choices; i++) {
        struct drift_sequence *s = &request->sequences[i];
        DRIFT_ASSERT(!s->in_flight);
        drift_sequence_release_pages(s, pool);
        drift_text_fini(&s->text);
        drift_sampler_destroy(s->sampler);
        drift_free(s->tokens);
        drift_free(s->pages);
    }
    drift_free(request->sequences);
    request->sequences = NULL;
}

void drift_sequence_extend(struct drift_sequence *s, struct drift_kv_pool *pool, uint32_t n)
{
    uint32_t need = drift_kv_pages_for((uint64_t)s->n_past + n);
    while (s->n_pages < need) {
        DRIFT_ASSERT(s->n_promised > 0);
        s->n_promised--;
        s->pages[s->n_pages++] = drift_kv_page_alloc(pool);
    }
}

int32_t drift_sequence_slot(const struct drift_sequence *s, uint32_t position)
{
    return s->pages[position / DRIFT_KV_PAGE_TOKENS] * (int32_t)DRIFT_KV_PAGE_TOKENS +
           (int32_t)(position % DRIFT_KV_PAGE_TOKENS);
}

void drift_sequences_fork(struct drift_request *request, struct drift_kv_pool *pool)
{
    const struct drift_sequence *first = &request->sequences[0];
    uint32_t n_shared = shared_pages(request->n_prompt);
    for (uint32_t i = 1; i < request->n_choices; i++) {
        struct drift_sequence *s = &request->sequences[i];
        if (s->phase != DRIFT_SEQUENCE_WAITING)
            continue;
        for (uint32_t p = 0; p < n_shared; p++) {
            drift_kv_page_ref(pool, first->pages[p]);
            s->pages[p] = first->pages[p];
        }
        s->n_pages = n_shared;
        s->n_past = n_shared * DRIFT_KV_PAGE_TOKENS;
        s->phase = DRIFT_SEQUENCE_PREFILL;
    }
}

void drift_sequence_release_pages(struct drift_sequence *s, struct drift_kv_pool *pool)
{
    while (s->n_pages > 0)
        drift_kv_page_release(pool, s->pages[--s->n_pages]);
    if (s->n_promised)
        drift_kv_pool_forgo(pool, s->n_promised);
    s->n_promised = 0;
}

/* One FINISHED for each choice and one DONE can always be written. */
static uint32_t reserved_events(const struct drift_request *request)
{
    return request->n_choices + 1;
}

uint32_t drift_sequence_room(struct drift_sequence *s)
{
    /* Every other choice may write a token in the same step. */
    uint32_t need = reserved_events(s->request) + s->request->n_choices;
    uint32_t room = drift_events_room(s->request, need);
    return room < need ? 0 : room - reserved_events(s->request);
}

void drift_sequence_emit(struct drift_sequence *s, const struct drift_event *prototype)
{
    struct drift_event event = *prototype;
    event.kind = DRIFT_EVENT_TOKEN;
    event.choice = s->choice;
    event.n_text = (uint32_t)drift_text_take(&s->text, event.text, sizeof event.text);
    drift_events_push(s->request, &event);
}

void drift_sequence_end(struct drift_sequence *s, struct drift_kv_pool *pool, enum drift_finish finish)
{
    DRIFT_ASSERT(!s->in_flight && s->phase < DRIFT_SEQUENCE_ENDING);
    drift_text_finish(&s->text);
    drift_sequence_release_pages(s, pool);
    s->finish = finish;
    s->phase = DRIFT_SEQUENCE_ENDING;
}

bool drift_sequence_drain(struct drift_sequence *s)
{
    const struct drift_event text_only = {.token = -1};
    while (s->text.n_certain > 0 && drift_sequence_room(s) > 0)
        drift_sequence_emit(s, &text_only);
    if (s->text.n_certain > 0)
        return false;
    const struct drift_event finished = {.kind = DRIFT_EVENT_FINISHED,
                                         .choice = s->choice,
                                         .token = -1,
                                         .finish = s->finish,
                                         .n_completion_tokens = s->n_generated};
    drift_events_push(s->request, &finished);
    s->phase = DRIFT_SEQUENCE_ENDED;
    s->request->n_live--;
    return true;
}
