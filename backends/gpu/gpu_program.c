/*
 * Programs on a GPU: recorded commands, the inputs buffer, and a few staging copies of a batch's
 * arrays so that a submission neither waits nor allocates.
 */
#include "backends/gpu/program_builder.h"
#include "runtime/base/alloc.h"

#include <string.h>

/* Submissions of one program that may be waiting for the device; more are refused as BUSY. */
#define MAX_IN_FLIGHT 4

struct flight {
    _Atomic bool is_busy;
    uint8_t *staging;                /* inputs.bytes */
    struct drift_gpu_completion own; /* what the API calls: flight_done with this flight */
    struct drift_gpu_completion caller;
};

struct drift_gpu_program {
    struct drift_program base;
    struct drift_gpu_inputs inputs;
    struct drift_gpu_buffer *inputs_buffer;
    struct drift_gpu_commands *commands;
    struct drift_gpu_cached_kernel **kernels;
    uint32_t n_kernels;
    uint64_t arena_generation;
    uint64_t output_offset_bytes;
    struct flight flights[MAX_IN_FLIGHT];
};

static struct drift_gpu_device *device_of(const struct drift_gpu_program *program)
{
    return (struct drift_gpu_device *)program->base.device;
}

static enum drift_status record(struct drift_gpu_program *program, const struct drift_plan *plan,
                                struct drift_error *err)
{
    struct drift_gpu_device *device = device_of(program);
    const struct drift_gpu_api *api = device->gpu->api;
    struct drift_gpu_dispatches dispatches;
    enum drift_status status = drift_gpu_build(device, plan, &dispatches, err);
    if (status != DRIFT_STATUS_OK)
        return status;
    program->kernels = dispatches.kernels;
    program->n_kernels = dispatches.n;
    program->base.info.n_dispatches = dispatches.n_in_batch;
    status =
        api->commands_create(device->gpu, dispatches.items, dispatches.n, &program->commands, err);
    drift_gpu_dispatches_fini(&dispatches);
    if (status != DRIFT_STATUS_OK)
        return status;
    drift_gpu_inputs_layout(plan, &program->inputs);
    status = api->buffer_create(device->gpu, program->inputs.bytes, &program->inputs_buffer, err);
    if (status == DRIFT_STATUS_OK)
        status = api->commands_bind(program->commands, DRIFT_GPU_SLOT_INPUTS,
                                    program->inputs_buffer, err);
    return status;
}

/* On a thread of the driver. */
static void flight_done(void *ctx, enum drift_status status, const struct drift_error *err)
{
    struct flight *flight = ctx;
    struct drift_gpu_completion caller = flight->caller;
    atomic_store(&flight->is_busy, false);
    caller.done(caller.ctx, status, err);
}

static enum drift_status make_flights(struct drift_gpu_program *program, struct drift_error *err)
{
    for (uint32_t i = 0; i < MAX_IN_FLIGHT; ++i) {
        struct flight *flight = &program->flights[i];
        flight->own = (struct drift_gpu_completion){flight_done, flight};
        flight->staging = drift_alloc(DRIFT_TAG_BACKEND, program->inputs.bytes, 1);
        if (!flight->staging)
            return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "no memory for a program");
    }
    return DRIFT_STATUS_OK;
}

enum drift_status drift_gpu_program_create(struct drift_device *base, const struct drift_plan *plan,
                                           struct drift_program **ret_program,
                                           struct drift_error *err)
{
    struct drift_gpu_device *device = (struct drift_gpu_device *)base;
    struct drift_gpu_program *program = drift_alloc(DRIFT_TAG_BACKEND, 1, sizeof *program);
    if (!program)
        return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "no memory for a program");
    program->base.device = base;
    for (uint32_t i = 0; i < plan->n_tensors; ++i)
        if (plan->tensors[i].role == DRIFT_TENSOR_OUTPUT)
            program->output_offset_bytes = plan->tensors[i].u.arena_offset;
    enum drift_status status = record(program, plan, err);
    if (status == DRIFT_STATUS_OK)
        status = make_flights(program, err);
    if (status == DRIFT_STATUS_OK) {
        program->base.info.bytes = program->inputs.bytes;
        atomic_fetch_add(&device->programs_bytes, program->base.info.bytes);
        *ret_program = &program->base;
    } else {
        drift_error_prefix(err, "plan \"%s\"", plan->name ? plan->name : "");
        drift_gpu_program_destroy(&program->base);
    }
    return status;
}

void drift_gpu_program_destroy(struct drift_program *base)
{
    struct drift_gpu_program *program = (struct drift_gpu_program *)base;
    struct drift_gpu_device *device = device_of(program);
    const struct drift_gpu_api *api = device->gpu->api;
    if (program->commands)
        api->commands_destroy(program->commands);
    if (program->inputs_buffer)
        api->buffer_destroy(program->inputs_buffer);
    for (uint32_t i = 0; i < program->n_kernels; ++i)
        drift_gpu_kernel_release(device, program->kernels[i]);
    for (uint32_t i = 0; i < MAX_IN_FLIGHT; ++i)
        drift_free(program->flights[i].staging);
    atomic_fetch_sub(&device->programs_bytes, base->info.bytes);
    drift_free(program->kernels);
    drift_free(program);
}

static void put(const struct drift_gpu_program *program, uint8_t *staging, enum drift_input input,
                const int32_t *values, size_t n)
{
    if (n > 0 && values)
        memcpy(staging + program->inputs.offsets[input], values, n * sizeof *values);
}

/* Lay the batch out as the inputs buffer; returns the bytes in use. */
static uint64_t stage(const struct drift_gpu_program *program, const struct drift_batch *batch,
                      uint8_t *staging)
{
    int32_t *rt = (int32_t *)(void *)staging;
    size_t n_tokens = batch->n_tokens, n_outputs = batch->n_outputs;
    size_t n_entries = (size_t)batch->n_sequences * program->base.max_pages;
    rt[DRIFT_GPU_RT_N_TOKENS] = (int32_t)batch->n_tokens;
    rt[DRIFT_GPU_RT_N_OUTPUTS] = (int32_t)batch->n_outputs;
    put(program, staging, DRIFT_INPUT_TOKENS, batch->tokens, n_tokens);
    put(program, staging, DRIFT_INPUT_POSITIONS, batch->positions, n_tokens);
    put(program, staging, DRIFT_INPUT_SEQUENCES, batch->sequences, n_tokens);
    put(program, staging, DRIFT_INPUT_SLOTS, batch->slots, n_tokens);
    put(program, staging, DRIFT_INPUT_OUTPUT_ROWS, batch->output_rows, n_outputs);
    put(program, staging, DRIFT_INPUT_PAGE_TABLE, batch->page_table, n_entries);
    return program->inputs.offsets[DRIFT_INPUT_PAGE_TABLE] + n_entries * sizeof(int32_t);
}

/* The arena may have moved since the last batch. */
static enum drift_status bind_arena(struct drift_gpu_program *program, struct drift_error *err)
{
    struct drift_gpu_device *device = device_of(program);
    if (program->arena_generation == device->arena_generation)
        return DRIFT_STATUS_OK;
    enum drift_status status = device->gpu->api->commands_bind(
        program->commands, DRIFT_GPU_SLOT_ARENA, device->arena, err);
    if (status == DRIFT_STATUS_OK)
        program->arena_generation = device->arena_generation;
    return status;
}

enum drift_status drift_gpu_program_submit(struct drift_program *base,
                                           const struct drift_batch *batch, drift_done_fn done,
                                           void *ctx, struct drift_error *err)
{
    struct drift_gpu_program *program = (struct drift_gpu_program *)base;
    struct drift_gpu_device *device = device_of(program);
    struct flight *flight = NULL;
    for (uint32_t i = 0; i < MAX_IN_FLIGHT && !flight; ++i)
        if (!atomic_load(&program->flights[i].is_busy))
            flight = &program->flights[i];
    if (!flight)
        return drift_error_set(err, DRIFT_STATUS_BUSY, 0, "%u batches of this program are waiting",
                               MAX_IN_FLIGHT);
    enum drift_status status = bind_arena(program, err);
    if (status != DRIFT_STATUS_OK)
        return status;
    const struct drift_gpu_submission submission = {
        .inputs = program->inputs_buffer,
        .in_data = flight->staging,
        .in_bytes = stage(program, batch, flight->staging),
        .counts = {[DRIFT_GPU_COUNT_TOKENS] = batch->n_tokens,
                   [DRIFT_GPU_COUNT_OUTPUTS] = batch->n_outputs},
        .out_buffer = device->arena,
        .out_offset_bytes = program->output_offset_bytes,
        .out_bytes = (uint64_t)batch->n_outputs * base->n_output_cols * sizeof(float),
        .out_data = batch->outputs,
        .completion = &flight->own,
    };
    flight->caller = (struct drift_gpu_completion){done, ctx};
    atomic_store(&flight->is_busy, true);
    status = device->gpu->api->commands_submit(program->commands, &submission, err);
    if (status != DRIFT_STATUS_OK)
        atomic_store(&flight->is_busy, false);
    return status;
}
