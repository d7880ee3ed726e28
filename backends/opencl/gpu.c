/* Contexts, buffers and kernels of an OpenCL device. */
#include "backends/opencl/opencl.h"

#include "runtime/base/alloc.h"

#include <stdio.h>
#include <string.h>

static struct drift_opencl *from_base(struct drift_gpu *gpu)
{
    return (struct drift_opencl *)gpu;
}

static void gpu_close(struct drift_gpu *base)
{
    struct drift_opencl *gpu = from_base(base);
    if (gpu->queue) {
        clFinish(gpu->queue);
        clReleaseCommandQueue(gpu->queue);
    }
    if (gpu->uploads)
        clReleaseCommandQueue(gpu->uploads);
    if (gpu->context)
        clReleaseContext(gpu->context);
    drift_free(gpu);
}

static enum drift_status buffer_create(struct drift_gpu *base, uint64_t bytes,
                                       struct drift_gpu_buffer **ret_buffer,
                                       struct drift_error *err)
{
    struct drift_opencl *gpu = from_base(base);
    uint64_t limit = base->facts.max_allocation_bytes;
    if (limit && bytes > limit)
        return drift_error_set(err, DRIFT_STATUS_LIMIT, 0,
                               "%llu bytes are more than the %llu one OpenCL allocation may have",
                               (unsigned long long)bytes, (unsigned long long)limit);
    struct drift_opencl_buffer *buffer = drift_alloc(DRIFT_TAG_BACKEND, 1, sizeof *buffer);
    if (!buffer)
        return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "no memory for a buffer");
    cl_int code;
    buffer->mem = clCreateBuffer(gpu->context, CL_MEM_READ_WRITE, (size_t)bytes, NULL, &code);
    enum drift_status status = drift_opencl_check(err, code, "clCreateBuffer");
    if (status != DRIFT_STATUS_OK) {
        drift_error_prefix(err, "%llu bytes", (unsigned long long)bytes);
        drift_free(buffer);
        return status;
    }
    buffer->base.gpu = base;
    buffer->base.bytes = bytes;
    *ret_buffer = &buffer->base;
    return DRIFT_STATUS_OK;
}

static void buffer_destroy(struct drift_gpu_buffer *base)
{
    struct drift_opencl_buffer *buffer = (struct drift_opencl_buffer *)base;
    clReleaseMemObject(buffer->mem);
    drift_free(buffer);
}

static enum drift_status buffer_write(struct drift_gpu_buffer *base, uint64_t offset_bytes,
                                      const void *data, uint64_t bytes, struct drift_error *err)
{
    struct drift_opencl_buffer *buffer = (struct drift_opencl_buffer *)base;
    struct drift_opencl *gpu = from_base(base->gpu);
    if (bytes == 0)
        return DRIFT_STATUS_OK;
    if (data)
        return DRIFT_OPENCL_CALL(err, clEnqueueWriteBuffer, gpu->uploads, buffer->mem, CL_TRUE,
                                 (size_t)offset_bytes, (size_t)bytes, data, 0, NULL, NULL);
    const cl_uchar zero = 0;
    enum drift_status status =
        DRIFT_OPENCL_CALL(err, clEnqueueFillBuffer, gpu->uploads, buffer->mem, &zero, sizeof zero,
                          (size_t)offset_bytes, (size_t)bytes, 0, NULL, NULL);
    if (status == DRIFT_STATUS_OK)
        status = DRIFT_OPENCL_CALL(err, clFinish, gpu->uploads);
    return status;
}

/* Put the first lines of the compiler's log behind the error. */
static enum drift_status build_failed(const struct drift_opencl *gpu, cl_program program,
                                      cl_int code, struct drift_error *err)
{
    char log[2048] = "";
    size_t len = 0;
    (void)clGetProgramBuildInfo(program, gpu->device, CL_PROGRAM_BUILD_LOG, 0, NULL, &len);
    char *whole = len > 0 && len < (1u << 24) ? drift_alloc(DRIFT_TAG_BACKEND, len + 1, 1) : NULL;
    if (whole && clGetProgramBuildInfo(program, gpu->device, CL_PROGRAM_BUILD_LOG, len, whole,
                                       NULL) == CL_SUCCESS)
        snprintf(log, sizeof log, "%s", whole);
    drift_free(whole);
    for (char *p = log; *p; ++p)
        if (*p == '\n')
            *p = ' ';
    return drift_error_set(err, DRIFT_STATUS_DEVICE, code, "clBuildProgram (%d): %.160s", code,
                           log);
}

static enum drift_status kernel_create(struct drift_gpu *base,
                                       const struct drift_gpu_kernel_source *source,
                                       const char *name, struct drift_gpu_kernel **ret_kernel,
                                       struct drift_error *err)
{
    (void)name;
    struct drift_opencl *gpu = from_base(base);
    struct drift_opencl_kernel *kernel = drift_alloc(DRIFT_TAG_BACKEND, 1, sizeof *kernel);
    if (!kernel)
        return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "no memory for a kernel");
    const char *text = source->text;
    cl_int code;
    kernel->gpu = base;
    kernel->program = clCreateProgramWithSource(gpu->context, 1, &text, NULL, &code);
    enum drift_status status = drift_opencl_check(err, code, "clCreateProgramWithSource");
    if (status != DRIFT_STATUS_OK) {
        drift_free(kernel);
        return status;
    }
    char options[sizeof source->options + 32];
    snprintf(options, sizeof options, "-cl-std=CL1.2%s", source->options);
    code = clBuildProgram(kernel->program, 1, &gpu->device, options, NULL, NULL);
    if (code != CL_SUCCESS) {
        status = build_failed(gpu, kernel->program, code, err);
        clReleaseProgram(kernel->program);
        drift_free(kernel);
        return status;
    }
    *ret_kernel = (struct drift_gpu_kernel *)kernel;
    return DRIFT_STATUS_OK;
}

static void kernel_destroy(struct drift_gpu_kernel *base)
{
    struct drift_opencl_kernel *kernel = (struct drift_opencl_kernel *)base;
    clReleaseProgram(kernel->program);
    drift_free(kernel);
}

static enum drift_status read_facts(struct drift_opencl *gpu, struct drift_error *err)
{
    struct drift_gpu_facts *facts = &gpu->base.facts;
    cl_device_type type = 0;
    size_t items = 0, sizes[16] = {0};
    cl_ulong local = 0, allocation = 0;
    enum drift_status status = DRIFT_OPENCL_CALL(err, clGetDeviceInfo, gpu->device, CL_DEVICE_TYPE,
                                                 sizeof type, &type, NULL);
    if (status == DRIFT_STATUS_OK)
        status = DRIFT_OPENCL_CALL(err, clGetDeviceInfo, gpu->device, CL_DEVICE_MAX_WORK_GROUP_SIZE,
                                   sizeof items, &items, NULL);
    if (status == DRIFT_STATUS_OK)
        status = DRIFT_OPENCL_CALL(err, clGetDeviceInfo, gpu->device, CL_DEVICE_MAX_WORK_ITEM_SIZES,
                                   sizeof sizes, sizes, NULL);
    if (status == DRIFT_STATUS_OK)
        status = DRIFT_OPENCL_CALL(err, clGetDeviceInfo, gpu->device, CL_DEVICE_LOCAL_MEM_SIZE,
                                   sizeof local, &local, NULL);
    if (status == DRIFT_STATUS_OK)
        status = DRIFT_OPENCL_CALL(err, clGetDeviceInfo, gpu->device, CL_DEVICE_MAX_MEM_ALLOC_SIZE,
                                   sizeof allocation, &allocation, NULL);
    facts->is_cpu = (type & CL_DEVICE_TYPE_CPU) != 0;
    facts->max_group_items = (uint32_t)(items < UINT32_MAX ? items : UINT32_MAX);
    for (int i = 0; i < 3; ++i)
        facts->max_group_size[i] = (uint32_t)(sizes[i] < UINT32_MAX ? sizes[i] : UINT32_MAX);
    facts->local_bytes = local;
    facts->max_allocation_bytes = allocation;
    return status;
}

static const struct drift_gpu_api api;

enum drift_status drift_opencl_gpu_create(cl_platform_id platform, cl_device_id device,
                                          struct drift_gpu **ret_gpu, struct drift_error *err)
{
    struct drift_opencl *gpu = drift_alloc(DRIFT_TAG_BACKEND, 1, sizeof *gpu);
    if (!gpu)
        return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "no memory for a device");
    const cl_context_properties properties[] = {CL_CONTEXT_PLATFORM,
                                                (cl_context_properties)platform, 0};
    cl_int code;
    gpu->base.api = &api;
    gpu->device = device;
    enum drift_status status = read_facts(gpu, err);
    if (status != DRIFT_STATUS_OK)
        goto fail;
    gpu->context = clCreateContext(properties, 1, &device, NULL, NULL, &code);
    status = drift_opencl_check(err, code, "clCreateContext");
    if (status != DRIFT_STATUS_OK)
        goto fail;
    gpu->queue = clCreateCommandQueue(gpu->context, device, 0, &code);
    status = drift_opencl_check(err, code, "clCreateCommandQueue");
    if (status != DRIFT_STATUS_OK)
        goto fail;
    gpu->uploads = clCreateCommandQueue(gpu->context, device, 0, &code);
    status = drift_opencl_check(err, code, "clCreateCommandQueue");
    if (status != DRIFT_STATUS_OK)
        goto fail;
    *ret_gpu = &gpu->base;
    return DRIFT_STATUS_OK;
fail:
    gpu_close(&gpu->base);
    return status;
}

static const struct drift_gpu_api api = {
    .name = "opencl",
    .language = &drift_gpu_language_opencl_c,
    .close = gpu_close,
    .buffer_create = buffer_create,
    .buffer_destroy = buffer_destroy,
    .buffer_write = buffer_write,
    .kernel_create = kernel_create,
    .kernel_destroy = kernel_destroy,
    .commands_create = drift_opencl_commands_create,
    .commands_destroy = drift_opencl_commands_destroy,
    .commands_bind = drift_opencl_commands_bind,
    .commands_submit = drift_opencl_commands_submit,
};
