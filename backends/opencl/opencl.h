/*
 * The OpenCL API behind gpu_api.h: one context, one in-order queue for batches and one for uploads
 * per device. Internal to backends/opencl.
 */
#ifndef DRIFT_BACKENDS_OPENCL_OPENCL_H
#define DRIFT_BACKENDS_OPENCL_OPENCL_H

#include "backends/gpu/gpu_device.h"

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>

struct drift_opencl {
    struct drift_gpu base;
    cl_device_id device;
    cl_context context;
    cl_command_queue queue;   /* batches */
    cl_command_queue uploads; /* blocking writes of loaders */
};

/* Call a driver function that returns cl_int; on failure record the code and the call. */
#define DRIFT_OPENCL_CALL(err, name, ...) drift_opencl_check((err), name(__VA_ARGS__), #name)

/* Map a driver's result to a status: OK, NO_MEMORY, DEVICE_LOST or DEVICE with native and the
 * call's name. */
enum drift_status drift_opencl_check(struct drift_error *err, cl_int code,
                                     const char *call) DRIFT_MUST_USE;

/* gpu.c: the table; takes ids that `backend.c` has enumerated. */
enum drift_status drift_opencl_gpu_create(cl_platform_id platform, cl_device_id device,
                                          struct drift_gpu **ret_gpu,
                                          struct drift_error *err) DRIFT_MUST_USE;

/* gpu.c objects that commands.c reads. */
struct drift_opencl_buffer {
    struct drift_gpu_buffer base;
    cl_mem mem;
};

struct drift_opencl_kernel {
    struct drift_gpu *gpu;
    cl_program program;
};

/* commands.c */
enum drift_status drift_opencl_commands_create(struct drift_gpu *gpu,
                                               const struct drift_gpu_dispatch *dispatches,
                                               uint32_t n, struct drift_gpu_commands **ret_commands,
                                               struct drift_error *err) DRIFT_MUST_USE;
void drift_opencl_commands_destroy(struct drift_gpu_commands *commands);
enum drift_status drift_opencl_commands_bind(struct drift_gpu_commands *commands,
                                             enum drift_gpu_slot slot,
                                             struct drift_gpu_buffer *buffer,
                                             struct drift_error *err) DRIFT_MUST_USE;
enum drift_status drift_opencl_commands_submit(struct drift_gpu_commands *commands,
                                               const struct drift_gpu_submission *submission,
                                               struct drift_error *err) DRIFT_MUST_USE;

#endif
