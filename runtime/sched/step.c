/*
 * Batches: which tokens the device computes next, and what becomes of the logits.
 *
 * Decode and prefill take turns: after a group of up to DRIFT_THIN_MAX_TOKENS decoding sequences comes a chunk of
 * prompts, then the next group. A chunk is small while somebody decodes. Chunks end at multiples of a page, at the same
 * positions whatever else runs, and decoded tokens always go through the thin program: what a sequence computes
 * depends on nothing but itself (DESIGN §9.2).
 */
#include "runtime/base/clock.h"
#include "runtime/base/log.h"
#include "runtime/sched/engine_impl.h"
#include "runtime/tokenizer/tokenizer.h"

#include <string.h>

/* Prompt tokens in a step while others decode. */
#define SHARED_CHUNK_TOKENS 64u

static void on_done(void *ctx, enum drift_status status, const struct drift_error *err)
{
    struct drift_engine *engine = ctx;
    engine->flight.status = status;
    if (err)
        engine->flight.err = *err;
    atomic_store(&engine->flight.done, true);
    uv_async_send(&engine->async);
}

/* ---- batch arrays ---- */

bool drift_batch_space_init(struct drift_batch_space *space,
                            const struct drift_load_limits limits[DRIFT_STAGE_COUNT],
                            uint32_t max_pages, uint32_t n_vocab)
{
    struct drift_load_limits max = limits[0];
    for (unsigned i = 1; i < DRIFT_STAGE_COUNT; i++) {
        max.max_tokens = limits[i].max_tokens > max.max_tokens ? limits[i].max_tokens : max.max_tokens;
        max.max_outputs =
            limits[i].max_outputs > max.max_outputs ? limits[i].max_outputs : max.max_outputs;
        max.max_sequences =
            limits[i].max_sequences > max.max_sequences ? limits[i].max_sequences : max.max_sequences;
    }
    int32_t **const per_token[] = {&space->tokens, &space->positions, &space->sequences, &space->slots,
                                   &space->output_rows};
    bool ok = true;
    for (size_t i = 0; i < DRIFT_COUNT_OF(per_token); i++) {
        *per_token[i] = drift_alloc(DRIFT_TAG_ENGINE, max.max_tokens, sizeof(int32_t));
        ok = ok && *per_token[i];
    }
    space->page_table =
        drift_alloc(DRIFT_TAG_ENGINE, (size_t)max.max_sequences * max_pages, sizeof(int32_t));
    space->outputs = drift_alloc(DRIFT_TAG_ENGINE, (size_t)max.max_outputs * n_vocab, sizeof(float));
    return ok && space->page_table && space->outputs;
}

void drift_batch_space_fini(struct drift_batch_space *space)
{
    drift_free(space->tokens);
    drift_free(space->positions);
    drift_free(space->sequences);
    drift_free(space->slots);
    drift_free(space->output_rows);
    drift_free(space->page_table);
    drift_free(space->outputs);
    *space = (struct drift_batch_space){0};
}

/* ---- building a batch ---- */

static void begin_batch(struct drift_flight *f, struct drift_model_slot *slot, enum drift_stage stage)
{
    f->slot = slot;
    f->stage = stage;
    f->n_sequences = 0;
    f->batch = (struct drift_batch){.tokens = slot->space.tokens,
                                    .positions = slot->space.positions,
                                    .sequences = slot->space.sequences,
                                    .slots = slot->space.slots,
                                    .page_table = slot->space.page_table,
                                    .output_rows = slot->space.output_rows,
                                    .outputs = slot->space.outputs};
}

/* Add the next n tokens of a sequence; their last logits are wanted when nothing of it is left after them. */
static void add_sequence(struct drift_flight *f, struct drift_sequence *s, uint32_t n)
{
    struct drift_model_slot *slot = f->slot;
    uint32_t row = f->n_sequences++;
    drift_sequence_extend(s, &slot->pool, n);
    int32_t *table = slot->space.page_table + (size_t)row * slot->max_pages;
    memset(table, 0, slot->max_pages * sizeof *table);
    memcpy(table, s->pages, s->n_pages * sizeof *table);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t at = f->batch.n_tokens++, position = s->n_past + i;
        slot->space.tokens[at] = s->tokens[position];
        slot->space.positions[at] = (int32_t)position;
        slot->space.sequences[at] = (int32_t)row;
        slot->space.slots[at] = drift_sequence_slot(s, position);
    }
    f->sequences[row] = s;
    f->n_tokens[row] = n;
    f->output_index[row] = -1;
    if (s->n_past + n == s->n_tokens) {
        f->output_index[row] = (int32_t)f->batch.n_outputs;
        slot->space.output_rows[f->batch.n_outputs++] = (int32_t)f->batch.n_tokens - 1;
    }
    f->batch.n_sequences = f->n_sequences;
    s->in_flight = true;
}

static bool build_decode(struct drift_flight *f, struct drift_model_slot *slot)
{
    begin_batch(f, slot, DRIFT_STAGE_THIN);
    uint32_t max = slot->limits[DRIFT_STAGE_THIN].max_tokens;
    uint32_t from = slot->n_running ? slot->decode_from % slot->n_running : 0;
    for (uint32_t i = 0; i < slot->n_running && f->batch.n_tokens < max; i++) {
        uint32_t at = (from + i) % slot->n_running;
        struct drift_sequence *s = slot->running[at];
        if (s->phase != DRIFT_SEQUENCE_DECODE || drift_sequence_room(s) == 0)
            continue;
        add_sequence(f, s, 1);
        slot->decode_from = at + 1;
    }
    return f->batch.n_tokens > 0;
}

static uint32_t chunk_of(const struct drift_sequence *s, uint32_t budget)
{
    uint32_t left = s->n_tokens - s->n_past;
    if (left <= budget)
        return left;
    uint32_t end = (s->n_past + budget) / DRIFT_KV_PAGE_TOKENS * DRIFT_KV_PAGE_TOKENS;
    return end > s->n_past ? end - s->n_past : 0;
}

static bool build_prefill(struct drift_flight *f, struct drift_model_slot *slot, bool shared)
{
    begin_batch(f, slot, DRIFT_STAGE_TILED);
    const struct drift_load_limits *limits = &slot->limits[DRIFT_STAGE_TILED];
    uint32_t budget = limits->max_tokens;
    if (shared && budget > SHARED_CHUNK_TOKENS)
        budget = SHARED_CHUNK_TOKENS;
    for (uint32_t i = 0; i < slot->n_running; i++) {
        struct drift_sequence *s = slot->running[i];
        if (f->n_sequences == limits->max_sequences || f->batch.n_outputs == limits->max_outputs)
            break;
        if (s->phase != DRIFT_SEQUENCE_PREFILL || drift_sequence_room(s) == 0)
            continue;
        uint32_t n = chunk_of(s, budget - f->batch.n_tokens);
        if (n > 0)
            add_sequence(f, s, n);
    }
    return f->batch.n_tokens > 0;
}

static bool any_in_phase(const struct drift_model_slot *slot, enum drift_sequence_phase phase)
{
    for (uint32_t i = 0; i < slot->n_running; i++)
        if (slot->running[i]->phase == phase)
            return true;
    return false;
}

static bool build_batch(struct drift_flight *f, struct drift_model_slot *slot)
{
    bool decoding = any_in_phase(slot, DRIFT_SEQUENCE_DECODE);
    bool prefill_first = slot->prefill_next;
    for (int turn = 0; turn < 2; turn++) {
        bool prefill = prefill_first == (turn == 0);
        if (prefill ? build_prefill(f, slot, decoding) : build_decode(f, slot)) {
            slot->prefill_next = !prefill;
            return true;
        }
    }
    f->slot = NULL;
    return false;
}

static void submit(struct drift_engine *engine)
{
    struct drift_flight *f = &engine->flight;
    f->start_ns = drift_clock_ns();
    f->err = (struct drift_error){0};
    atomic_store(&f->done, false);
    struct drift_program *program = drift_load_program(f->slot->loaded, f->stage);
    enum drift_status status = drift_program_submit(program, &f->batch, on_done, engine, &f->err);
    if (status != DRIFT_STATUS_OK) {
        f->status = status;
        atomic_store(&f->done, true);
        uv_async_send(&engine->async);
    }
}

void drift_step_start(struct drift_engine *engine)
{
    if (engine->flight.slot || engine->wants_idle)
        return;
    uint32_t n = atomic_load(&engine->n_slots);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t at = (engine->next_slot + i) % n;
        struct drift_model_slot *slot = engine->slots[at];
        if (slot->n_running > 0 && build_batch(&engine->flight, slot)) {
            engine->next_slot = at + 1;
            submit(engine);
            return;
        }
    }
}

/* ---- taking results ---- */

static void note_token_time(struct drift_engine *engine, struct drift_sequence *s, uint64_t now)
{
    struct drift_request *r = s->request;
    pthread_mutex_lock(&engine->lock);
    engine->stats.generated_tokens++;
    engine->stats.last_token_ns = now;
    if (r->first_token_ns == 0)
        drift_histogram_add(&engine->stats.time_to_first_token, now - r->submitted_ns);
    else if (s->last_token_ns)
        drift_histogram_add(&engine->stats.time_between_tokens, now - s->last_token_ns);
    pthread_mutex_unlock(&engine->lock);
    if (r->first_token_ns == 0)
        r->first_token_ns = now;
    s->last_token_ns = now;
}

static void fill_logprobs(const struct drift_request *r, const float *logits, struct drift_event *event)
{
    int32_t ids[DRIFT_MAX_TOP_LOGPROBS];
    float values[DRIFT_MAX_TOP_LOGPROBS];
    uint32_t n_top = (uint32_t)r->n_top_logprobs;
    if (n_top > r->model->n_vocab)
        n_top = r->model->n_vocab;
    event->logprob = drift_logprobs(logits, r->model->n_vocab, event->token, n_top, ids, values);
    for (uint32_t i = 0; i < n_top; i++)
        event->top[i] = (struct drift_token_logprob){.token = ids[i], .logprob = values[i]};
    event->n_top = n_top;
}

static void take_token(struct drift_engine *engine, struct drift_model_slot *slot, struct drift_sequence *s,
                       const float *logits)
{
    struct drift_request *r = s->request;
    int32_t token = drift_sampler_choose(s->sampler, slot->scratch, logits);
    drift_sampler_accept(s->sampler, token);
    s->tokens[s->n_tokens++] = token;
    s->n_generated++;
    r->n_completion_tokens++;
    note_token_time(engine, s, drift_clock_ns());

    bool is_end = !r->ignore_eos && drift_tokenizer_is_end(r->model->tokenizer, token);
    bool is_stopped = !is_end && drift_text_push(&s->text, token);
    if (!is_end && (r->n_top_logprobs >= 0 || s->text.n_certain > 0)) {
        struct drift_event event = {.token = token};
        if (r->n_top_logprobs >= 0)
            fill_logprobs(r, logits, &event);
        drift_sequence_emit(s, &event);
    }
    if (is_end || is_stopped)
        drift_sequence_end(s, &slot->pool, DRIFT_FINISH_STOP);
    else if (s->n_generated == r->max_tokens)
        drift_sequence_end(s, &slot->pool, DRIFT_FINISH_LENGTH);
}

static void advance_sequence(struct drift_engine *engine, struct drift_flight *f, uint32_t i)
{
    struct drift_model_slot *slot = f->slot;
    struct drift_sequence *s = f->sequences[i];
    s->n_past += f->n_tokens[i];
    if (f->output_index[i] < 0 || atomic_load(&s->request->cancelled))
        return;
    if (s->phase == DRIFT_SEQUENCE_PREFILL) {
        s->phase = DRIFT_SEQUENCE_DECODE;
        if (s->choice == 0)
            drift_sequences_fork(s->request, &slot->pool);
    }
    take_token(engine, slot, s,
               f->batch.outputs + (size_t)f->output_index[i] * s->request->model->n_vocab);
}

static void count_step(struct drift_engine *engine, const struct drift_flight *f)
{
    uint64_t ns = drift_clock_ns() - f->start_ns;
    pthread_mutex_lock(&engine->lock);
    struct drift_engine_stats *stats = &engine->stats;
    if (f->stage == DRIFT_STAGE_TILED) {
        stats->n_prefill_steps++;
        stats->prompt_tokens += f->batch.n_tokens;
        drift_histogram_add(&stats->prefill_step, ns);
    } else {
        stats->n_decode_steps++;
        drift_histogram_add(&stats->decode_step, ns);
    }
    f->slot->info.kv_tokens_used = (uint64_t)drift_kv_pool_used(&f->slot->pool) * DRIFT_KV_PAGE_TOKENS;
    pthread_mutex_unlock(&engine->lock);
}

void drift_step_finish(struct drift_engine *engine)
{
    struct drift_flight *f = &engine->flight;
    if (!f->slot || !atomic_load(&f->done))
        return;
    for (uint32_t i = 0; i < f->n_sequences; i++)
        f->sequences[i]->in_flight = false;
    if (f->status == DRIFT_STATUS_OK) {
        count_step(engine, f);
        for (uint32_t i = 0; i < f->n_sequences; i++)
            advance_sequence(engine, f, i);
    } else {
        drift_log(DRIFT_LOG_ERROR, "engine", "a batch failed model=%s status=%s detail=\"%s\"",
                  f->slot->info.name, drift_status_name(f->status), f->err.msg);
        drift_requests_fail_all(f->slot, f->status, &f->err);
    }
    f->slot = NULL;
}
