/* Which OpenCL devices there are. A machine without a driver has none, and one line says so. */
#include "backends/opencl/opencl.h"

#include <stdio.h>
#include <string.h>

#define MAX_PLATFORMS 8
#define MAX_DEVICES   16

struct found {
    cl_platform_id platform;
    cl_device_id device;
};

/* Devices of all platforms in the loader's order. */
static uint32_t find_devices(struct found found[MAX_DEVICES])
{
    cl_platform_id platforms[MAX_PLATFORMS];
    cl_uint n_platforms = 0;
    uint32_t n = 0;
    if (clGetPlatformIDs(MAX_PLATFORMS, platforms, &n_platforms) != CL_SUCCESS)
        return 0;
    for (cl_uint p = 0; p < n_platforms && p < MAX_PLATFORMS; ++p) {
        cl_device_id devices[MAX_DEVICES];
        cl_uint n_devices = 0;
        if (clGetDeviceIDs(platforms[p], CL_DEVICE_TYPE_ALL, MAX_DEVICES, devices, &n_devices) !=
            CL_SUCCESS)
            continue;
        for (cl_uint d = 0; d < n_devices && d < MAX_DEVICES && n < MAX_DEVICES; ++d)
            found[n++] = (struct found){platforms[p], devices[d]};
    }
    return n;
}

/* A string property, cut to size; empty when the driver has none. */
static void device_string(cl_device_id device, cl_device_info what, char *out, size_t size)
{
    char text[512];
    size_t len = 0;
    out[0] = '\0';
    if (clGetDeviceInfo(device, what, sizeof text, text, &len) == CL_SUCCESS && len > 0) {
        text[sizeof text - 1] = '\0';
        snprintf(out, size, "%.*s", (int)(len < sizeof text ? len : sizeof text - 1), text);
    }
}

/* Why the device cannot be used; NULL if it can. */
static const char *refusal(cl_device_id device)
{
    cl_bool is_available = CL_FALSE, has_compiler = CL_FALSE, is_little = CL_FALSE;
    (void)clGetDeviceInfo(device, CL_DEVICE_AVAILABLE, sizeof is_available, &is_available, NULL);
    (void)clGetDeviceInfo(device, CL_DEVICE_COMPILER_AVAILABLE, sizeof has_compiler, &has_compiler,
                          NULL);
    (void)clGetDeviceInfo(device, CL_DEVICE_ENDIAN_LITTLE, sizeof is_little, &is_little, NULL);
    cl_device_fp_config fp = 0;
    (void)clGetDeviceInfo(device, CL_DEVICE_SINGLE_FP_CONFIG, sizeof fp, &fp, NULL);
    return !is_available          ? "the driver says that it is not available"
           : !has_compiler        ? "the driver has no compiler"
           : !is_little           ? "big-endian"
           : !(fp & CL_FP_DENORM) ? "single precision without subnormal numbers"
                                  : NULL;
}

static void describe(const struct found *found, uint32_t index, struct drift_device_info *info)
{
    char platform[64] = "", driver[48];
    cl_ulong memory = 0, allocation = 0;
    cl_device_type type = 0;
    const char *why_not = refusal(found->device);
    memset(info, 0, sizeof *info);
    snprintf(info->id, sizeof info->id, "opencl:%u", index);
    device_string(found->device, CL_DEVICE_NAME, info->name, sizeof info->name);
    device_string(found->device, CL_DRIVER_VERSION, driver, sizeof driver);
    (void)clGetPlatformInfo(found->platform, CL_PLATFORM_NAME, sizeof platform, platform, NULL);
    platform[sizeof platform - 1] = '\0';
    snprintf(info->driver, sizeof info->driver, "%s %s", platform, driver);
    (void)clGetDeviceInfo(found->device, CL_DEVICE_GLOBAL_MEM_SIZE, sizeof memory, &memory, NULL);
    (void)clGetDeviceInfo(found->device, CL_DEVICE_MAX_MEM_ALLOC_SIZE, sizeof allocation,
                          &allocation, NULL);
    (void)clGetDeviceInfo(found->device, CL_DEVICE_TYPE, sizeof type, &type, NULL);
    info->memory_bytes = memory;
    info->max_allocation_bytes = allocation;
    info->usable = why_not == NULL;
    info->is_gpu = (type & CL_DEVICE_TYPE_GPU) != 0;
    if (why_not)
        snprintf(info->note, sizeof info->note, "%s", why_not);
    else
        device_string(found->device, CL_DEVICE_VERSION, info->note, sizeof info->note);
}

static void backend_list(struct drift_device_info *infos, size_t max, size_t *ret_n)
{
    struct found found[MAX_DEVICES];
    uint32_t n = find_devices(found);
    if (n == 0 && max > 0)
        infos[0] = (struct drift_device_info){
            .id = "opencl", .name = "OpenCL", .note = "no OpenCL platform with a device"};
    for (uint32_t i = 0; i < n && i < max; ++i)
        describe(&found[i], i, &infos[i]);
    *ret_n = n ? n : 1;
}

static enum drift_status backend_open(uint32_t index, const struct drift_device_params *params,
                                      struct drift_device **ret_device, struct drift_error *err)
{
    struct found found[MAX_DEVICES];
    struct drift_device_info info;
    struct drift_gpu *gpu;
    uint32_t n = find_devices(found);
    if (n == 0)
        return drift_error_set(err, DRIFT_STATUS_UNSUPPORTED, 0,
                               "opencl: no OpenCL platform with a device");
    if (index >= n)
        return drift_error_set(err, DRIFT_STATUS_NOT_FOUND, 0, "opencl: there are %u devices", n);
    describe(&found[index], index, &info);
    if (!info.usable)
        return drift_error_set(err, DRIFT_STATUS_UNSUPPORTED, 0, "%s: %s", info.id, info.note);
    enum drift_status status =
        drift_opencl_gpu_create(found[index].platform, found[index].device, &gpu, err);
    if (status != DRIFT_STATUS_OK) {
        drift_error_prefix(err, "%s", info.id);
        return status;
    }
    return drift_gpu_device_create(gpu, &info, params->gpu_profile, ret_device, err);
}

const struct drift_backend_ops drift_backend_opencl = {
    .name = "opencl",
    .list = backend_list,
    .open = backend_open,
};
