/*
 * Recorded commands: OpenCL 1.2 has no command buffers, so a recording is a list of kernel objects
 * whose arguments are set once; submitting enqueues them one after the other and computes group
 * counts on the way.
 */
#include "backends/opencl/opencl.h"

#include "runtime/base/alloc.h"

#include <string.h>

/* An argument to set when a slot is bound. */
struct slot_arg {
    enum drift_gpu_slot slot;
    cl_kernel kernel;
    cl_uint index;
};

struct dispatch {
    cl_kernel kernel;
    size_t local[3];
    struct drift_gpu_grid_axis grid[3];
    enum drift_gpu_count when;
    uint32_t min, max;
};

struct commands {
    struct drift_opencl *gpu;
    struct dispatch *dispatches;
    uint32_t n;
    struct slot_arg *slot_args;
    uint32_t n_slot_args;
};

static enum drift_status set_arg(struct commands *commands, cl_kernel kernel, cl_uint index,
                                 const struct drift_gpu_arg *arg, struct drift_error *err)
{
    switch (arg->kind) {
    case DRIFT_GPU_ARG_INT:
        return DRIFT_OPENCL_CALL(err, clSetKernelArg, kernel, index, sizeof arg->i, &arg->i);
    case DRIFT_GPU_ARG_FLOAT:
        return DRIFT_OPENCL_CALL(err, clSetKernelArg, kernel, index, sizeof arg->f, &arg->f);
    default:
        break;
    }
    if (arg->binding.slot != DRIFT_GPU_SLOT_BUFFER) {
        commands->slot_args[commands->n_slot_args++] =
            (struct slot_arg){arg->binding.slot, kernel, index};
        return DRIFT_STATUS_OK;
    }
    const struct drift_opencl_buffer *buffer =
        (const struct drift_opencl_buffer *)arg->binding.buffer;
    return DRIFT_OPENCL_CALL(err, clSetKernelArg, kernel, index, sizeof buffer->mem, &buffer->mem);
}

static enum drift_status record(struct commands *commands, const struct drift_gpu_dispatch *from,
                                struct drift_error *err)
{
    const struct drift_opencl_kernel *kernel = (const struct drift_opencl_kernel *)from->kernel;
    struct dispatch *dispatch = &commands->dispatches[commands->n];
    cl_int code;
    dispatch->kernel = clCreateKernel(kernel->program, "drift_main", &code);
    enum drift_status status = drift_opencl_check(err, code, "clCreateKernel");
    if (status != DRIFT_STATUS_OK)
        return status;
    ++commands->n;
    for (int i = 0; i < 3; ++i)
        dispatch->local[i] = from->local[i];
    memcpy(dispatch->grid, from->grid, sizeof dispatch->grid);
    dispatch->when = from->when;
    dispatch->min = from->min;
    dispatch->max = from->max;
    for (uint32_t i = 0; i < from->n_args && status == DRIFT_STATUS_OK; ++i)
        status = set_arg(commands, dispatch->kernel, i, &from->args[i], err);
    return status;
}

enum drift_status drift_opencl_commands_create(struct drift_gpu *gpu,
                                               const struct drift_gpu_dispatch *dispatches,
                                               uint32_t n, struct drift_gpu_commands **ret_commands,
                                               struct drift_error *err)
{
    enum drift_status status = DRIFT_STATUS_OK;
    size_t n_slot_args = 0;
    for (uint32_t i = 0; i < n; ++i)
        for (uint32_t k = 0; k < dispatches[i].n_args; ++k)
            n_slot_args += dispatches[i].args[k].kind == DRIFT_GPU_ARG_POINTER &&
                           dispatches[i].args[k].binding.slot != DRIFT_GPU_SLOT_BUFFER;
    struct commands *commands = drift_alloc(DRIFT_TAG_BACKEND, 1, sizeof *commands);
    if (!commands)
        return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "no memory for commands");
    commands->gpu = (struct drift_opencl *)gpu;
    commands->dispatches = drift_alloc(DRIFT_TAG_BACKEND, n, sizeof *commands->dispatches);
    commands->slot_args = drift_alloc(DRIFT_TAG_BACKEND, n_slot_args, sizeof *commands->slot_args);
    if (!commands->dispatches || !commands->slot_args)
        status = drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "no memory for commands");
    for (uint32_t i = 0; i < n && status == DRIFT_STATUS_OK; ++i) {
        status = record(commands, &dispatches[i], err);
        if (status != DRIFT_STATUS_OK)
            drift_error_prefix(err, "kernel %s", dispatches[i].name);
    }
    if (status == DRIFT_STATUS_OK)
        *ret_commands = (struct drift_gpu_commands *)commands;
    else
        drift_opencl_commands_destroy((struct drift_gpu_commands *)commands);
    return status;
}

void drift_opencl_commands_destroy(struct drift_gpu_commands *base)
{
    struct commands *commands = (struct commands *)base;
    for (uint32_t i = 0; i < commands->n; ++i)
        clReleaseKernel(commands->dispatches[i].kernel);
    drift_free(commands->dispatches);
    drift_free(commands->slot_args);
    drift_free(commands);
}

enum drift_status drift_opencl_commands_bind(struct drift_gpu_commands *base,
                                             enum drift_gpu_slot slot,
                                             struct drift_gpu_buffer *buffer,
                                             struct drift_error *err)
{
    struct commands *commands = (struct commands *)base;
    const struct drift_opencl_buffer *to = (const struct drift_opencl_buffer *)buffer;
    for (uint32_t i = 0; i < commands->n_slot_args; ++i) {
        const struct slot_arg *arg = &commands->slot_args[i];
        if (arg->slot != slot)
            continue;
        enum drift_status status = DRIFT_OPENCL_CALL(err, clSetKernelArg, arg->kernel, arg->index,
                                                     sizeof to->mem, &to->mem);
        if (status != DRIFT_STATUS_OK)
            return status;
    }
    return DRIFT_STATUS_OK;
}

static enum drift_status enqueue(const struct commands *commands, const struct dispatch *dispatch,
                                 const struct drift_gpu_submission *submission,
                                 struct drift_error *err)
{
    size_t global[3];
    uint32_t rows = submission->counts[dispatch->when];
    if (dispatch->when != DRIFT_GPU_COUNT_FIXED && (rows < dispatch->min || rows > dispatch->max))
        return DRIFT_STATUS_OK;
    for (int i = 0; i < 3; ++i) {
        const struct drift_gpu_grid_axis *axis = &dispatch->grid[i];
        size_t n_groups = axis->fixed;
        if (axis->count != DRIFT_GPU_COUNT_FIXED)
            n_groups =
                ((size_t)submission->counts[axis->count] + axis->per_group - 1) / axis->per_group;
        global[i] = n_groups * dispatch->local[i];
        if (global[i] == 0)
            return DRIFT_STATUS_OK;
    }
    return DRIFT_OPENCL_CALL(err, clEnqueueNDRangeKernel, commands->gpu->queue, dispatch->kernel, 3,
                             NULL, global, dispatch->local, 0, NULL, NULL);
}

static void CL_CALLBACK event_done(cl_event event, cl_int code, void *ctx)
{
    const struct drift_gpu_completion *completion = ctx;
    struct drift_error err = {0};
    (void)event;
    enum drift_status status = DRIFT_STATUS_OK;
    if (code < 0)
        status = drift_opencl_check(&err, code, "execution");
    completion->done(completion->ctx, status, code < 0 ? &err : NULL);
}

/* The last command, whose event tells that the batch is done. */
static enum drift_status enqueue_end(const struct commands *commands,
                                     const struct drift_gpu_submission *submission,
                                     cl_event *ret_event, struct drift_error *err)
{
    cl_command_queue queue = commands->gpu->queue;
    if (submission->out_bytes == 0)
        return DRIFT_OPENCL_CALL(err, clEnqueueMarkerWithWaitList, queue, 0, NULL, ret_event);
    const struct drift_opencl_buffer *out =
        (const struct drift_opencl_buffer *)submission->out_buffer;
    return DRIFT_OPENCL_CALL(err, clEnqueueReadBuffer, queue, out->mem, CL_FALSE,
                             (size_t)submission->out_offset_bytes, (size_t)submission->out_bytes,
                             submission->out_data, 0, NULL, ret_event);
}

enum drift_status drift_opencl_commands_submit(struct drift_gpu_commands *base,
                                               const struct drift_gpu_submission *submission,
                                               struct drift_error *err)
{
    struct commands *commands = (struct commands *)base;
    cl_command_queue queue = commands->gpu->queue;
    const struct drift_opencl_buffer *inputs =
        (const struct drift_opencl_buffer *)submission->inputs;
    cl_event event;
    enum drift_status status =
        DRIFT_OPENCL_CALL(err, clEnqueueWriteBuffer, queue, inputs->mem, CL_FALSE, 0,
                          (size_t)submission->in_bytes, submission->in_data, 0, NULL, NULL);
    for (uint32_t i = 0; i < commands->n && status == DRIFT_STATUS_OK; ++i)
        status = enqueue(commands, &commands->dispatches[i], submission, err);
    if (status == DRIFT_STATUS_OK)
        status = enqueue_end(commands, submission, &event, err);
    if (status == DRIFT_STATUS_OK) {
        status = DRIFT_OPENCL_CALL(err, clSetEventCallback, event, CL_COMPLETE, event_done,
                                   (void *)submission->completion);
        (void)clReleaseEvent(event);
    }
    /* A batch that is half in the queue must not outlive its memory. */
    if (status == DRIFT_STATUS_OK)
        status = DRIFT_OPENCL_CALL(err, clFlush, queue);
    else
        (void)clFinish(queue);
    return status;
}
