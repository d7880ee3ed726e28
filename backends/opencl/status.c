/* The one place that knows what the driver's result codes mean. */
#include "backends/opencl/opencl.h"

static const struct {
    cl_int code;
    enum drift_status status;
    const char *name;
} codes[] = {
    {CL_DEVICE_NOT_FOUND,              DRIFT_STATUS_DEVICE,      "device not found"                },
    {CL_DEVICE_NOT_AVAILABLE,          DRIFT_STATUS_DEVICE_LOST, "device not available"            },
    {CL_COMPILER_NOT_AVAILABLE,        DRIFT_STATUS_DEVICE,      "compiler not available"          },
    {CL_MEM_OBJECT_ALLOCATION_FAILURE, DRIFT_STATUS_NO_MEMORY,   "memory object allocation failure"},
    {CL_OUT_OF_RESOURCES,              DRIFT_STATUS_NO_MEMORY,   "out of resources"                },
    {CL_OUT_OF_HOST_MEMORY,            DRIFT_STATUS_NO_MEMORY,   "out of host memory"              },
    {CL_BUILD_PROGRAM_FAILURE,         DRIFT_STATUS_DEVICE,      "build program failure"           },
    {CL_INVALID_VALUE,                 DRIFT_STATUS_DEVICE,      "invalid value"                   },
    {CL_INVALID_BUFFER_SIZE,           DRIFT_STATUS_NO_MEMORY,   "invalid buffer size"             },
    {CL_INVALID_KERNEL_ARGS,           DRIFT_STATUS_DEVICE,      "invalid kernel arguments"        },
    {CL_INVALID_WORK_GROUP_SIZE,       DRIFT_STATUS_DEVICE,      "invalid work-group size"         },
    {CL_INVALID_ARG_SIZE,              DRIFT_STATUS_DEVICE,      "invalid argument size"           },
    {-1001,                            DRIFT_STATUS_DEVICE,      "no platform"                     }, /* CL_PLATFORM_NOT_FOUND_KHR */
};

enum drift_status drift_opencl_check(struct drift_error *err, cl_int code, const char *call)
{
    if (code == CL_SUCCESS)
        return DRIFT_STATUS_OK;
    for (size_t i = 0; i < DRIFT_COUNT_OF(codes); ++i)
        if (codes[i].code == code)
            return drift_error_set(err, codes[i].status, code, "%s: %s (%d)", call, codes[i].name,
                                   code);
    return drift_error_set(err, DRIFT_STATUS_DEVICE, code, "%s: code %d", call, code);
}
