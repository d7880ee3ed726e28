/*
 * The loader: one object that grows from a checked file to programs on a device.
 *
 * Plans are built twice by the same code: at open without weights, which declares and checks every
 * tensor and gives the arena's size, and at the end with them, for the backend. Between the two
 * nothing about the model can change.
 */
#include "runtime/model/load.h"

#include "runtime/base/alloc.h"
#include "runtime/base/checked.h"
#include "runtime/graph/graph.h"
#include "runtime/model/arch.h"
#include "runtime/model/weights.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>

#define DEFAULT_PAGE_TOKENS     32u
#define DEFAULT_CHUNK_TOKENS    256u
#define DEFAULT_SEQUENCES       16u
#define DEFAULT_PREFILL_OUTPUTS 16u
#define MAX_CHUNK_TOKENS        65536u
#define MAX_SEQUENCES           65536u

struct drift_loaded_model {
    struct drift_device *device;
    struct drift_gguf *gguf;
    struct drift_hparams hparams;
    struct drift_load_params params; /* defaults filled in; path is not kept */
    uint32_t max_pages;
    struct drift_load_estimate estimate;
    struct drift_weight_set weights;
    struct drift_cache *cache;
    struct drift_program *programs[DRIFT_STAGE_COUNT];
    uint64_t n_params;
    uint32_t n_extra_tensors;
};

static uint32_t allowed_cpus(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 1;
    int n = CPU_COUNT(&set);
    return n < 1 ? 1 : n > 64 ? 64 : (uint32_t)n;
}

static uint32_t value_or(uint32_t value, uint32_t fallback)
{
    return value ? value : fallback;
}

static uint32_t at_most(uint32_t value, uint32_t max)
{
    return value < max ? value : max;
}

/* Fill defaults in and check what the caller asked for against the model. */
static enum drift_status settle_params(struct drift_loaded_model *model, struct drift_error *err)
{
    struct drift_load_params *p = &model->params;
    uint32_t own_ctx = model->hparams.ctx_tokens;
    p->ctx_tokens = value_or(p->ctx_tokens, at_most(own_ctx, DRIFT_LOAD_DEFAULT_CTX_TOKENS));
    p->page_tokens = value_or(p->page_tokens, DEFAULT_PAGE_TOKENS);
    p->max_sequences = value_or(p->max_sequences, DEFAULT_SEQUENCES);
    p->prefill_chunk_tokens = value_or(p->prefill_chunk_tokens, DEFAULT_CHUNK_TOKENS);
    p->prefill_outputs =
        at_most(value_or(p->prefill_outputs, DEFAULT_PREFILL_OUTPUTS), p->prefill_chunk_tokens);
    p->n_threads = at_most(value_or(p->n_threads, allowed_cpus()), 64);
    if (p->kv_tokens == 0)
        p->kv_tokens = (uint64_t)p->ctx_tokens * DRIFT_LOAD_DEFAULT_KV_CONTEXTS;
    if (p->ctx_tokens > own_ctx)
        return drift_error_set(err, DRIFT_STATUS_INVALID, 0,
                               "a context of %u tokens was asked for; the model was made for %u",
                               p->ctx_tokens, own_ctx);
    if (p->kv_dtype != DRIFT_DTYPE_F16 && p->kv_dtype != DRIFT_DTYPE_F32)
        return drift_error_set(err, DRIFT_STATUS_UNSUPPORTED, 0, "the KV cache is F16 or F32");
    if (p->prefill_chunk_tokens > MAX_CHUNK_TOKENS || p->max_sequences > MAX_SEQUENCES ||
        p->page_tokens > MAX_CHUNK_TOKENS)
        return drift_error_set(
            err, DRIFT_STATUS_LIMIT, 0,
            "chunks of %u tokens, %u sequences or pages of %u tokens are too many",
            p->prefill_chunk_tokens, p->max_sequences, p->page_tokens);
    model->max_pages = (p->ctx_tokens + p->page_tokens - 1) / p->page_tokens;
    uint64_t n_pages = p->kv_tokens / p->page_tokens + (p->kv_tokens % p->page_tokens != 0);
    if (n_pages < model->max_pages)
        n_pages = model->max_pages;
    if (n_pages > (uint64_t)INT32_MAX / p->page_tokens)
        return drift_error_set(err, DRIFT_STATUS_LIMIT, 0,
                               "a KV cache of %llu tokens is beyond 2^31",
                               (unsigned long long)p->kv_tokens);
    model->estimate.n_pages = (uint32_t)n_pages;
    return DRIFT_STATUS_OK;
}

static struct drift_cache_desc cache_desc(const struct drift_loaded_model *model, uint32_t n_pages)
{
    return (struct drift_cache_desc){.n_layers = model->hparams.n_layers,
                                     .n_pages = n_pages,
                                     .page_tokens = model->params.page_tokens,
                                     .n_kv_heads = model->hparams.n_kv_heads,
                                     .head_dim = model->hparams.head_dim,
                                     .dtype = model->params.kv_dtype};
}

void drift_load_get_limits(const struct drift_loaded_model *model, enum drift_stage stage,
                           struct drift_load_limits *ret_limits)
{
    const struct drift_load_params *p = &model->params;
    bool thin = stage == DRIFT_STAGE_THIN;
    ret_limits->max_tokens = thin ? DRIFT_THIN_MAX_TOKENS : p->prefill_chunk_tokens;
    ret_limits->max_outputs = thin ? DRIFT_THIN_MAX_TOKENS : p->prefill_outputs;
    ret_limits->max_sequences = p->max_sequences;
}

/* The graph of a stage, finished; the caller destroys it (also on failure, when it is NULL). */
static enum drift_status build_graph(struct drift_loaded_model *model, enum drift_stage stage,
                                     struct drift_graph **ret_graph,
                                     const struct drift_plan **ret_plan, struct drift_error *err)
{
    struct drift_load_limits limits;
    drift_load_get_limits(model, stage, &limits);
    char name[64];
    snprintf(name, sizeof name, "%s %s", model->hparams.arch->name,
             stage == DRIFT_STAGE_THIN ? "decode" : "prefill");
    const struct drift_graph_params params = {.name = name,
                                              .stage = stage,
                                              .max_tokens = limits.max_tokens,
                                              .max_outputs = limits.max_outputs,
                                              .max_sequences = limits.max_sequences,
                                              .max_pages = model->max_pages};
    struct drift_graph *graph = NULL;
    enum drift_status status = drift_graph_create(&params, &graph, err);
    if (status != DRIFT_STATUS_OK)
        return status;
    struct drift_build build = {
        .graph = graph,
        .hparams = &model->hparams,
        .weights = &model->weights,
        .cache = {.cache = model->cache,
                  .dtype = model->params.kv_dtype,
                  .n_rows = model->estimate.n_pages * model->params.page_tokens,
                  .n_cols = model->hparams.n_kv_heads * model->hparams.head_dim}
    };
    model->hparams.arch->build(&build);
    status = drift_graph_finish(graph, ret_plan, err);
    if (status != DRIFT_STATUS_OK) {
        drift_graph_destroy(graph);
        return status;
    }
    *ret_graph = graph;
    return DRIFT_STATUS_OK;
}

/* Build both plans without weights: declares and checks every tensor, and tells the arena's size.
 */
static enum drift_status estimate(struct drift_loaded_model *model, struct drift_error *err)
{
    struct drift_load_estimate *e = &model->estimate;
    for (unsigned stage = 0; stage < DRIFT_STAGE_COUNT; stage++) {
        struct drift_graph *graph = NULL;
        const struct drift_plan *plan = NULL;
        enum drift_status status = build_graph(model, (enum drift_stage)stage, &graph, &plan, err);
        if (status != DRIFT_STATUS_OK)
            return status;
        struct drift_memory_report report;
        drift_graph_get_memory(graph, &report);
        if (report.planned_bytes > e->arena_bytes) {
            e->arena_bytes = report.planned_bytes;
            e->arena_naive_bytes = report.naive_bytes;
        }
        drift_graph_destroy(graph);
    }
    struct drift_cache_desc all = cache_desc(model, e->n_pages), page = cache_desc(model, 1);
    e->weights_bytes = drift_weight_set_device_bytes(&model->weights, model->device);
    e->kv_bytes = drift_cache_bytes(model->device, &all);
    e->kv_page_bytes = drift_cache_bytes(model->device, &page);
    return DRIFT_STATUS_OK;
}

/* Parameters of the model, and tensors that nothing reads. */
static void count_tensors(struct drift_loaded_model *model)
{
    struct drift_gguf_info info;
    drift_gguf_get_info(model->gguf, &info);
    uint64_t n_used = 0;
    for (uint32_t i = 0; i < model->weights.n; i++) {
        const struct drift_weight_entry *entry = &model->weights.entries[i];
        if (!entry->tensor)
            continue;
        n_used++;
        model->n_params += (uint64_t)entry->desc.n_rows * entry->desc.n_cols;
    }
    model->n_extra_tensors = (uint32_t)(info.n_tensors - n_used);
}

enum drift_status drift_load_open(const struct drift_load_params *params,
                                  struct drift_device *device,
                                  struct drift_loaded_model **ret_model, struct drift_error *err)
{
    struct drift_loaded_model *model = drift_alloc(DRIFT_TAG_MODEL, 1, sizeof *model);
    if (!model)
        return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "no memory for a model");
    model->device = device;
    model->params = *params;
    model->params.path = NULL;
    enum drift_status status = drift_gguf_open(params->path, &model->gguf, err);
    if (status != DRIFT_STATUS_OK)
        goto fail;
    drift_weight_set_init(&model->weights, model->gguf);
    status = drift_hparams_read(model->gguf, &model->hparams, err);
    if (status == DRIFT_STATUS_OK)
        status = settle_params(model, err);
    if (status == DRIFT_STATUS_OK)
        status = estimate(model, err);
    if (status != DRIFT_STATUS_OK)
        goto fail;
    count_tensors(model);
    *ret_model = model;
    return DRIFT_STATUS_OK;
fail:
    drift_load_destroy(model);
    return status;
}

void drift_load_destroy(struct drift_loaded_model *model)
{
    if (!model)
        return;
    for (unsigned stage = 0; stage < DRIFT_STAGE_COUNT; stage++)
        drift_program_destroy(model->programs[stage]);
    drift_cache_destroy(model->cache);
    drift_weight_set_fini(&model->weights);
    drift_gguf_close(model->gguf);
    drift_free(model);
}

enum drift_status drift_load_weights(struct drift_loaded_model *model,
                                     drift_load_progress_fn progress, void *ctx,
                                     const atomic_bool *cancel, struct drift_error *err)
{
    return drift_weight_set_upload(&model->weights, model->device, model->params.n_threads,
                                   progress, ctx, cancel, err);
}

enum drift_status drift_load_cache(struct drift_loaded_model *model, struct drift_error *err)
{
    DRIFT_ASSERT(!model->cache);
    struct drift_cache_desc desc = cache_desc(model, model->estimate.n_pages);
    return drift_cache_create(model->device, &desc, &model->cache, err);
}

enum drift_status drift_load_programs(struct drift_loaded_model *model, struct drift_error *err)
{
    DRIFT_ASSERT(model->cache && !model->programs[0]);
    for (unsigned stage = 0; stage < DRIFT_STAGE_COUNT; stage++) {
        struct drift_graph *graph = NULL;
        const struct drift_plan *plan = NULL;
        enum drift_status status = build_graph(model, (enum drift_stage)stage, &graph, &plan, err);
        if (status != DRIFT_STATUS_OK)
            return status;
        status = drift_program_create(model->device, plan, &model->programs[stage], err);
        drift_graph_destroy(graph);
        if (status != DRIFT_STATUS_OK)
            return status;
    }
    return DRIFT_STATUS_OK;
}

enum drift_status drift_load_all(const struct drift_load_params *params,
                                 struct drift_device *device, struct drift_loaded_model **ret_model,
                                 struct drift_error *err)
{
    struct drift_loaded_model *model = NULL;
    enum drift_status status = drift_load_open(params, device, &model, err);
    if (status == DRIFT_STATUS_OK)
        status = drift_load_weights(model, NULL, NULL, NULL, err);
    if (status == DRIFT_STATUS_OK)
        status = drift_device_reserve_arena(device, model->estimate.arena_bytes, err);
    if (status == DRIFT_STATUS_OK)
        status = drift_load_cache(model, err);
    if (status == DRIFT_STATUS_OK)
        status = drift_load_programs(model, err);
    if (status != DRIFT_STATUS_OK) {
        drift_load_destroy(model);
        return status;
    }
    *ret_model = model;
    return DRIFT_STATUS_OK;
}

enum drift_status drift_load_dump_plan(struct drift_loaded_model *model, enum drift_stage stage,
                                       struct drift_buf *out, struct drift_error *err)
{
    struct drift_graph *graph = NULL;
    const struct drift_plan *plan = NULL;
    enum drift_status status = build_graph(model, stage, &graph, &plan, err);
    if (status != DRIFT_STATUS_OK)
        return status;
    drift_graph_dump(plan, out);
    drift_graph_destroy(graph);
    return DRIFT_STATUS_OK;
}

void drift_load_get_estimate(const struct drift_loaded_model *model,
                             struct drift_load_estimate *ret_estimate)
{
    *ret_estimate = model->estimate;
}

const struct drift_gguf *drift_load_gguf(const struct drift_loaded_model *model)
{
    return model->gguf;
}

const struct drift_hparams *drift_load_hparams(const struct drift_loaded_model *model)
{
    return &model->hparams;
}

const char *drift_load_arch_name(const struct drift_loaded_model *model)
{
    return model->hparams.arch->name;
}

uint64_t drift_load_n_params(const struct drift_loaded_model *model)
{
    return model->n_params;
}

uint32_t drift_load_n_vocab(const struct drift_loaded_model *model)
{
    return model->hparams.n_vocab;
}

uint32_t drift_load_ctx_tokens(const struct drift_loaded_model *model)
{
    return model->params.ctx_tokens;
}

uint32_t drift_load_page_tokens(const struct drift_loaded_model *model)
{
    return model->params.page_tokens;
}

uint32_t drift_load_max_pages(const struct drift_loaded_model *model)
{
    return model->max_pages;
}

uint32_t drift_load_extra_tensors(const struct drift_loaded_model *model)
{
    return model->n_extra_tensors;
}

struct drift_program *drift_load_program(const struct drift_loaded_model *model,
                                         enum drift_stage stage)
{
    DRIFT_ASSERT((unsigned)stage < DRIFT_STAGE_COUNT);
    return model->programs[stage];
}

struct drift_cache *drift_load_kv_cache(const struct drift_loaded_model *model)
{
    return model->cache;
}
