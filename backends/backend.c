/*
 * The front of all backends: checks arguments, plans and batches, then calls the device's table.
 *
 * Nothing here knows what a device is. Implementations rely on every check in this file, so a check
 * that is missing is a bug here and not there.
 */
#include "backends/backend_impl.h"
#include "backends/registry.h"
#include "runtime/base/alloc.h"
#include "runtime/base/checked.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define MAX_DEVICES 16

void drift_device_list(struct drift_device_info *infos, size_t max, size_t *ret_n)
{
    *ret_n = 0;
    for (size_t i = 0; i < drift_backend_count(); i++) {
        size_t n = 0;
        size_t left = *ret_n < max ? max - *ret_n : 0;
        drift_backend_get(i)->list(left ? infos + *ret_n : NULL, left, &n);
        *ret_n += n;
    }
}

/* Find "name" or "name:index" among the backends. */
static const struct drift_backend_ops *find_backend(const char *id, uint32_t *ret_index)
{
    const char *colon = strchr(id, ':');
    size_t len = colon ? (size_t)(colon - id) : strlen(id);
    uint32_t index = 0;
    if (colon) {
        if (colon[1] == '\0')
            return NULL;
        for (const char *p = colon + 1; *p; p++) {
            if (*p < '0' || *p > '9' || index > 1000)
                return NULL;
            index = index * 10 + (uint32_t)(*p - '0');
        }
    }
    *ret_index = index;
    for (size_t i = 0; i < drift_backend_count(); i++) {
        const struct drift_backend_ops *ops = drift_backend_get(i);
        if (strlen(ops->name) == len && memcmp(ops->name, id, len) == 0)
            return ops;
    }
    return NULL;
}

static enum drift_status no_such_device(const char *id, struct drift_error *err)
{
    struct drift_device_info infos[MAX_DEVICES];
    size_t n;
    char known[160] = "";
    drift_device_list(infos, MAX_DEVICES, &n);
    for (size_t i = 0, at = 0; i < n && i < MAX_DEVICES && at < sizeof known; i++)
        at += (size_t)snprintf(known + at, sizeof known - at, " %s", infos[i].id);
    return drift_error_set(err, DRIFT_STATUS_NOT_FOUND, 0, "no device \"%.32s\"; there are:%s", id,
                           known);
}

/* The first usable GPU, else the CPU. */
static enum drift_status open_auto(const struct drift_device_params *params,
                                   struct drift_device **ret_device, struct drift_error *err)
{
    struct drift_device_info infos[MAX_DEVICES];
    size_t n;
    drift_device_list(infos, MAX_DEVICES, &n);
    for (size_t i = 0; i < n && i < MAX_DEVICES; i++) {
        if (infos[i].usable && infos[i].is_gpu)
            return drift_device_open(infos[i].id, params, ret_device, err);
    }
    return drift_device_open("cpu", params, ret_device, err);
}

enum drift_status drift_device_open(const char *id, const struct drift_device_params *params,
                                    struct drift_device **ret_device, struct drift_error *err)
{
    static const struct drift_device_params defaults = {0};
    if (!params)
        params = &defaults;
    if (strcmp(id, "auto") == 0)
        return open_auto(params, ret_device, err);
    uint32_t index;
    const struct drift_backend_ops *backend = find_backend(id, &index);
    if (!backend)
        return no_such_device(id, err);
    size_t n = 0;
    backend->list(NULL, 0, &n);
    if (index >= n)
        return no_such_device(id, err);
    return backend->open(index, params, ret_device, err);
}

void drift_device_close(struct drift_device *device)
{
    if (device)
        device->ops->close(device);
}

const struct drift_device_info *drift_device_get_info(const struct drift_device *device)
{
    return &device->info;
}

enum drift_status drift_device_reserve_arena(struct drift_device *device, uint64_t bytes,
                                             struct drift_error *err)
{
    return device->ops->reserve_arena(device, bytes, err);
}

void drift_device_get_usage(const struct drift_device *device, struct drift_device_usage *ret_usage)
{
    device->ops->get_usage(device, ret_usage);
}

static enum drift_status bad_weight(const struct drift_weight_desc *desc, struct drift_error *err,
                                    const char *what)
{
    return drift_error_set(err, DRIFT_STATUS_INVALID, 0, "weight %s: %s",
                           desc->name ? desc->name : "(unnamed)", what);
}

static enum drift_status check_weight(const struct drift_weight_desc *desc, struct drift_error *err)
{
    const uint32_t all = DRIFT_WEIGHT_LOOKUP | DRIFT_WEIGHT_MATMUL | DRIFT_WEIGHT_VECTOR;
    uint64_t row_bytes, bytes;
    if ((unsigned)desc->dtype >= DRIFT_DTYPE_COUNT || desc->dtype == DRIFT_DTYPE_I32)
        return bad_weight(desc, err, "not a type of weights");
    if (desc->n_rows == 0 || desc->n_cols == 0 || desc->n_rows > INT32_MAX ||
        desc->n_cols > INT32_MAX)
        return bad_weight(desc, err, "is empty or too large");
    if (!drift_dtype_row_bytes(desc->dtype, desc->n_cols, &row_bytes))
        return bad_weight(desc, err, "rows are not whole blocks");
    if (!drift_mul_u64(row_bytes, desc->n_rows, &bytes) || bytes > PTRDIFF_MAX)
        return bad_weight(desc, err, "is too large");
    if (desc->use == 0 || (desc->use & ~all) != 0)
        return bad_weight(desc, err, "unknown use");
    if ((desc->use & DRIFT_WEIGHT_VECTOR) && (desc->dtype != DRIFT_DTYPE_F32 || desc->n_rows != 1))
        return bad_weight(desc, err, "a vector is one row of F32");
    return DRIFT_STATUS_OK;
}

uint64_t drift_weight_bytes(const struct drift_device *device, const struct drift_weight_desc *desc)
{
    if (check_weight(desc, NULL) != DRIFT_STATUS_OK)
        return 0;
    return device->ops->weight_bytes(device, desc);
}

enum drift_status drift_weight_create(struct drift_device *device,
                                      const struct drift_weight_desc *desc,
                                      struct drift_weight **ret_weight, struct drift_error *err)
{
    enum drift_status status = check_weight(desc, err);
    if (status != DRIFT_STATUS_OK)
        return status;
    if (!desc->data)
        return bad_weight(desc, err, "no data");
    return device->ops->weight_create(device, desc, ret_weight, err);
}

void drift_weight_destroy(struct drift_weight *weight)
{
    if (weight)
        weight->device->ops->weight_destroy(weight);
}

bool drift_weight_is_copied(const struct drift_weight *weight)
{
    return weight->is_copied;
}

/* Rows of a cache must be valid i32 slots, and its bytes countable even when a backend pads heads
 * and pages. */
static enum drift_status check_cache(const struct drift_cache_desc *desc, struct drift_error *err)
{
    uint64_t rows = (uint64_t)desc->n_pages * desc->page_tokens;
    uint64_t cols = (uint64_t)desc->n_kv_heads * desc->head_dim;
    uint64_t bytes;
    const char *what = NULL;
    if (desc->dtype != DRIFT_DTYPE_F16 && desc->dtype != DRIFT_DTYPE_F32)
        what = "type is neither F16 nor F32";
    else if (rows == 0 || cols == 0 || desc->n_layers == 0)
        what = "is empty";
    else if (rows > INT32_MAX || cols > INT32_MAX)
        what = "has too many rows or columns";
    else if (desc->head_dim > DRIFT_MAX_HEAD_DIM)
        what = "heads are too large";
    else if (!drift_mul_u64(rows, cols, &bytes) || !drift_mul_u64(bytes, desc->n_layers, &bytes) ||
             bytes > PTRDIFF_MAX / 256)
        what = "is too large";
    return what ? drift_error_set(err, DRIFT_STATUS_INVALID, 0, "cache %s", what) : DRIFT_STATUS_OK;
}

uint64_t drift_cache_bytes(const struct drift_device *device, const struct drift_cache_desc *desc)
{
    if (check_cache(desc, NULL) != DRIFT_STATUS_OK)
        return 0;
    return device->ops->cache_bytes(device, desc);
}

enum drift_status drift_cache_create(struct drift_device *device,
                                     const struct drift_cache_desc *desc,
                                     struct drift_cache **ret_cache, struct drift_error *err)
{
    enum drift_status status = check_cache(desc, err);
    if (status != DRIFT_STATUS_OK)
        return status;
    return device->ops->cache_create(device, desc, ret_cache, err);
}

void drift_cache_destroy(struct drift_cache *cache)
{
    if (cache)
        cache->device->ops->cache_destroy(cache);
}

static enum drift_status check_devices(const struct drift_device *device,
                                       const struct drift_plan *plan, struct drift_error *err)
{
    for (uint32_t i = 0; i < plan->n_tensors; i++) {
        const struct drift_tensor *t = &plan->tensors[i];
        const struct drift_device *owner = t->role == DRIFT_TENSOR_WEIGHT  ? t->u.weight->device
                                           : t->role == DRIFT_TENSOR_CACHE ? t->u.kv.cache->device
                                                                           : device;
        if (owner != device)
            return drift_error_set(err, DRIFT_STATUS_INVALID, 0,
                                   "plan \"%s\": tensor %s is on another device",
                                   plan->name ? plan->name : "", t->name ? t->name : "");
    }
    return DRIFT_STATUS_OK;
}

/* Remember what batches are checked against. */
static void describe_program(struct drift_program *program, const struct drift_plan *plan)
{
    program->max_tokens = plan->max_tokens;
    program->max_outputs = plan->max_outputs;
    program->max_sequences = plan->max_sequences;
    program->max_pages = plan->max_pages;
    program->arena_bytes = plan->arena_bytes;
    for (uint32_t i = 0; i < plan->n_ops; i++) {
        const struct drift_op *op = &plan->ops[i];
        if (op->kind != DRIFT_OP_EMBED)
            continue;
        uint32_t rows = plan->tensors[op->src[0]].n_rows;
        if (program->n_vocab == 0 || rows < program->n_vocab)
            program->n_vocab = rows;
    }
    for (uint32_t i = 0; i < plan->n_tensors; i++) {
        const struct drift_tensor *t = &plan->tensors[i];
        if (t->role == DRIFT_TENSOR_OUTPUT)
            program->n_output_cols = t->n_cols;
        if (t->role == DRIFT_TENSOR_CACHE) {
            program->n_cache_rows = t->n_rows;
            program->page_tokens = t->u.kv.cache->desc.page_tokens;
        }
    }
}

enum drift_status drift_program_create(struct drift_device *device, const struct drift_plan *plan,
                                       struct drift_program **ret_program, struct drift_error *err)
{
    struct drift_program *program;
    enum drift_status status = drift_plan_validate(plan, err);
    if (status == DRIFT_STATUS_OK)
        status = check_devices(device, plan, err);
    if (status != DRIFT_STATUS_OK)
        return status;
    bool *seen = drift_alloc(DRIFT_TAG_BACKEND, plan->max_sequences, sizeof *seen);
    if (!seen)
        return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "no memory for a program");
    status = device->ops->program_create(device, plan, &program, err);
    if (status != DRIFT_STATUS_OK) {
        drift_free(seen);
        return status;
    }
    program->seen = seen;
    describe_program(program, plan);
    *ret_program = program;
    return DRIFT_STATUS_OK;
}

void drift_program_destroy(struct drift_program *program)
{
    if (!program)
        return;
    drift_free(program->seen);
    program->device->ops->program_destroy(program);
}

void drift_program_get_info(const struct drift_program *program,
                            struct drift_program_info *ret_info)
{
    *ret_info = program->info;
}

static enum drift_status bad_batch(struct drift_error *err, const char *what)
{
    return drift_error_set(err, DRIFT_STATUS_INVALID, 0, "batch: %s", what);
}

static enum drift_status check_counts(const struct drift_program *p, const struct drift_batch *b,
                                      struct drift_error *err)
{
    if (b->n_tokens == 0 || b->n_tokens > p->max_tokens)
        return bad_batch(err, "no tokens, or more than the program takes");
    if (b->n_outputs > p->max_outputs)
        return bad_batch(err, "more outputs than the program has");
    if (b->n_sequences == 0 || b->n_sequences > p->max_sequences)
        return bad_batch(err, "no sequences, or more than the program takes");
    if (!b->positions || !b->sequences || (p->n_vocab && !b->tokens) ||
        (p->n_cache_rows && (!b->slots || !b->page_table)) ||
        (b->n_outputs && (!b->output_rows || (p->n_output_cols && !b->outputs))))
        return bad_batch(err, "an array is missing");
    return DRIFT_STATUS_OK;
}

/* Sequences are runs of adjacent tokens with ascending positions. */
static enum drift_status check_runs(struct drift_program *p, const struct drift_batch *b,
                                    struct drift_error *err)
{
    memset(p->seen, 0, b->n_sequences * sizeof *p->seen);
    for (uint32_t t = 0; t < b->n_tokens; t++) {
        int32_t sequence = b->sequences[t];
        if (sequence < 0 || (uint32_t)sequence >= b->n_sequences)
            return bad_batch(err, "a sequence is out of range");
        if (b->positions[t] < 0)
            return bad_batch(err, "a position is negative");
        if (t > 0 && sequence == b->sequences[t - 1]) {
            if (b->positions[t] <= b->positions[t - 1])
                return bad_batch(err, "positions of a sequence do not ascend");
            continue;
        }
        if (p->seen[sequence])
            return bad_batch(err, "tokens of a sequence are not adjacent");
        p->seen[sequence] = true;
    }
    return DRIFT_STATUS_OK;
}

static enum drift_status check_pages(const struct drift_program *p, const struct drift_batch *b,
                                     struct drift_error *err)
{
    int32_t page_tokens = (int32_t)p->page_tokens;
    uint32_t n_pages = p->n_cache_rows / p->page_tokens;
    size_t n_entries = (size_t)b->n_sequences * p->max_pages;
    for (size_t i = 0; i < n_entries; i++) {
        if (b->page_table[i] < 0 || (uint32_t)b->page_table[i] >= n_pages)
            return bad_batch(err, "a page is out of range");
    }
    for (uint32_t t = 0; t < b->n_tokens; t++) {
        uint32_t i_page = (uint32_t)(b->positions[t] / page_tokens);
        if (i_page >= p->max_pages)
            return bad_batch(err, "a position is beyond the page table");
        int32_t page = b->page_table[(size_t)b->sequences[t] * p->max_pages + i_page];
        if (b->slots[t] != page * page_tokens + b->positions[t] % page_tokens)
            return bad_batch(err, "a slot is not the one of its position");
    }
    return DRIFT_STATUS_OK;
}

static enum drift_status check_batch(struct drift_program *p, const struct drift_batch *b,
                                     struct drift_error *err)
{
    enum drift_status status = check_counts(p, b, err);
    if (status == DRIFT_STATUS_OK)
        status = check_runs(p, b, err);
    if (status == DRIFT_STATUS_OK && p->n_cache_rows)
        status = check_pages(p, b, err);
    if (status != DRIFT_STATUS_OK)
        return status;
    for (uint32_t t = 0; p->n_vocab && t < b->n_tokens; t++) {
        if (b->tokens[t] < 0 || (uint32_t)b->tokens[t] >= p->n_vocab)
            return bad_batch(err, "a token is out of range");
    }
    for (uint32_t i = 0; i < b->n_outputs; i++) {
        if (b->output_rows[i] < 0 || (uint32_t)b->output_rows[i] >= b->n_tokens)
            return bad_batch(err, "an output row is out of range");
    }
    return DRIFT_STATUS_OK;
}

enum drift_status drift_program_submit(struct drift_program *program,
                                       const struct drift_batch *batch, drift_done_fn done,
                                       void *ctx, struct drift_error *err)
{
    struct drift_device_usage usage;
    enum drift_status status = check_batch(program, batch, err);
    if (status != DRIFT_STATUS_OK)
        return status;
    program->device->ops->get_usage(program->device, &usage);
    if (usage.arena_bytes < program->arena_bytes)
        return drift_error_set(err, DRIFT_STATUS_INVALID, 0, "the arena has %llu bytes of %llu",
                               (unsigned long long)usage.arena_bytes,
                               (unsigned long long)program->arena_bytes);
    return program->device->ops->program_submit(program, batch, done, ctx, err);
}

/* What drift_program_run waits on. */
struct waiter {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    bool is_done;
    enum drift_status status;
    struct drift_error error;
};

static void wake_waiter(void *ctx, enum drift_status status, const struct drift_error *err)
{
    struct waiter *waiter = ctx;
    pthread_mutex_lock(&waiter->mutex);
    waiter->status = status;
    if (status != DRIFT_STATUS_OK && err)
        waiter->error = *err;
    waiter->is_done = true;
    pthread_cond_signal(&waiter->cond);
    pthread_mutex_unlock(&waiter->mutex);
}

enum drift_status drift_program_run(struct drift_program *program, const struct drift_batch *batch,
                                    struct drift_error *err)
{
    struct waiter waiter = {.mutex = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};
    enum drift_status status = drift_program_submit(program, batch, wake_waiter, &waiter, err);
    if (status == DRIFT_STATUS_OK) {
        pthread_mutex_lock(&waiter.mutex);
        while (!waiter.is_done)
            pthread_cond_wait(&waiter.cond, &waiter.mutex);
        pthread_mutex_unlock(&waiter.mutex);
        status = waiter.status;
        if (status != DRIFT_STATUS_OK && err)
            *err = waiter.error;
    }
    pthread_cond_destroy(&waiter.cond);
    pthread_mutex_destroy(&waiter.mutex);
    return status;
}
