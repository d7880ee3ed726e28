/* See run.h. The sequence's pages are 0, 1, 2 ...; batch arrays are made once, for the larger
 * program. */
#include "runtime/model/run.h"

#include "runtime/base/alloc.h"
#include "runtime/model/hparams.h"

#include <string.h>

struct drift_runner {
    struct drift_device *device;
    struct drift_loaded_model *model;
    uint32_t n_past, n_vocab, page_tokens;
    int32_t *positions, *sequences, *slots, *output_rows; /* [the larger max_tokens] */
    int32_t *page_table;                                  /* [1, max_pages] */
};

static enum drift_status make_arrays(struct drift_runner *runner, struct drift_error *err)
{
    struct drift_load_limits limits;
    drift_load_get_limits(runner->model, DRIFT_STAGE_TILED, &limits);
    uint32_t n =
        limits.max_tokens > DRIFT_THIN_MAX_TOKENS ? limits.max_tokens : DRIFT_THIN_MAX_TOKENS;
    uint32_t n_pages = drift_load_max_pages(runner->model);
    runner->positions = drift_alloc(DRIFT_TAG_ENGINE, n, sizeof(int32_t));
    runner->sequences = drift_alloc(DRIFT_TAG_ENGINE, n, sizeof(int32_t));
    runner->slots = drift_alloc(DRIFT_TAG_ENGINE, n, sizeof(int32_t));
    runner->output_rows = drift_alloc(DRIFT_TAG_ENGINE, n, sizeof(int32_t));
    runner->page_table = drift_alloc(DRIFT_TAG_ENGINE, n_pages, sizeof(int32_t));
    if (!runner->positions || !runner->sequences || !runner->slots || !runner->output_rows ||
        !runner->page_table)
        return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "no memory for a batch");
    for (uint32_t i = 0; i < n_pages; i++)
        runner->page_table[i] = (int32_t)i;
    return DRIFT_STATUS_OK;
}

enum drift_status drift_runner_create(const struct drift_runner_params *params,
                                      struct drift_runner **ret_runner, struct drift_error *err)
{
    struct drift_runner *runner = drift_alloc(DRIFT_TAG_ENGINE, 1, sizeof *runner);
    if (!runner)
        return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "no memory for a runner");
    struct drift_load_params load = params->load;
    load.max_sequences = 1;
    load.kv_tokens = 1; /* at least one context */
    enum drift_status status =
        drift_device_open(params->device, &params->device_params, &runner->device, err);
    if (status == DRIFT_STATUS_OK)
        status = drift_load_all(&load, runner->device, &runner->model, err);
    if (status == DRIFT_STATUS_OK)
        status = make_arrays(runner, err);
    if (status != DRIFT_STATUS_OK) {
        drift_runner_destroy(runner);
        return status;
    }
    runner->n_vocab = drift_load_hparams(runner->model)->n_vocab;
    runner->page_tokens = drift_load_page_tokens(runner->model);
    *ret_runner = runner;
    return DRIFT_STATUS_OK;
}

void drift_runner_destroy(struct drift_runner *runner)
{
    if (!runner)
        return;
    drift_load_destroy(runner->model);
    drift_device_close(runner->device);
    drift_free(runner->positions);
    drift_free(runner->sequences);
    drift_free(runner->slots);
    drift_free(runner->output_rows);
    drift_free(runner->page_table);
    drift_free(runner);
}

struct drift_loaded_model *drift_runner_model(struct drift_runner *runner)
{
    return runner->model;
}

struct drift_device *drift_runner_device(struct drift_runner *runner)
{
    return runner->device;
}

uint32_t drift_runner_n_past(const struct drift_runner *runner)
{
    return runner->n_past;
}

void drift_runner_truncate(struct drift_runner *runner, uint32_t n_past)
{
    DRIFT_ASSERT(n_past <= runner->n_past);
    runner->n_past = n_past;
}

/* Run n tokens as one batch; the first of them gets position n_past. */
static enum drift_status run_batch(struct drift_runner *runner, enum drift_stage stage,
                                   const int32_t *tokens, uint32_t n, uint32_t n_outputs,
                                   float *logits, struct drift_error *err)
{
    for (uint32_t i = 0; i < n; i++) {
        runner->positions[i] = (int32_t)(runner->n_past + i);
        runner->sequences[i] = 0;
        runner->slots[i] = (int32_t)(runner->n_past + i); /* pages are in order */
    }
    for (uint32_t i = 0; i < n_outputs; i++)
        runner->output_rows[i] = (int32_t)(n - n_outputs + i);
    const struct drift_batch batch = {.n_tokens = n,
                                      .n_outputs = n_outputs,
                                      .n_sequences = 1,
                                      .tokens = tokens,
                                      .positions = runner->positions,
                                      .sequences = runner->sequences,
                                      .slots = runner->slots,
                                      .page_table = runner->page_table,
                                      .output_rows = runner->output_rows,
                                      .outputs = logits};
    enum drift_status status =
        drift_program_run(drift_load_program(runner->model, stage), &batch, err);
    if (status == DRIFT_STATUS_OK)
        runner->n_past += n;
    return status;
}

/* Tokens of the next batch: not beyond the limits, a prefill chunk not across a multiple of the
 * chunk. */
static uint32_t batch_tokens(const struct drift_runner *runner, enum drift_stage stage, uint32_t n,
                             enum drift_runner_logits wanted)
{
    struct drift_load_limits limits;
    drift_load_get_limits(runner->model, stage, &limits);
    uint32_t max = limits.max_tokens;
    if (stage == DRIFT_STAGE_TILED)
        max -= runner->n_past % max;
    if (wanted == DRIFT_RUNNER_LOGITS_ALL && max > limits.max_outputs)
        max = limits.max_outputs;
    return n < max ? n : max;
}

enum drift_status drift_runner_eval(struct drift_runner *runner, enum drift_stage stage,
                                    const int32_t *tokens, uint32_t n,
                                    enum drift_runner_logits wanted, float *logits,
                                    struct drift_error *err)
{
    uint32_t ctx = drift_load_ctx_tokens(runner->model);
    if (n > ctx - runner->n_past)
        return drift_error_set(err, DRIFT_STATUS_CONTEXT_LENGTH, 0,
                               "%u tokens after %u exceed the context of %u", n, runner->n_past,
                               ctx);
    while (n > 0) {
        uint32_t n_batch = batch_tokens(runner, stage, n, wanted), n_outputs = 0;
        if (wanted == DRIFT_RUNNER_LOGITS_ALL)
            n_outputs = n_batch;
        else if (wanted == DRIFT_RUNNER_LOGITS_LAST && n_batch == n)
            n_outputs = 1;
        enum drift_status status =
            run_batch(runner, stage, tokens, n_batch, n_outputs, logits, err);
        if (status != DRIFT_STATUS_OK)
            return status;
        if (logits)
            logits += (size_t)n_outputs * runner->n_vocab;
        tokens += n_batch;
        n -= n_batch;
    }
    return DRIFT_STATUS_OK;
}
