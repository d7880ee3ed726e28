/* Takes the OpenCL backend's place in builds without its headers: listed, never usable. */
#include "backends/backend_impl.h"

static void stub_list(struct drift_device_info *infos, size_t max, size_t *ret_n)
{
    *ret_n = 1;
    if (max > 0)
        infos[0] = (struct drift_device_info){
            .id = "opencl",
            .name = "OpenCL",
            .note = "not in this build: the OpenCL headers were missing",
            .is_gpu = true,
        };
}

static enum drift_status stub_open(uint32_t index, const struct drift_device_params *params,
                                   struct drift_device **ret_device, struct drift_error *err)
{
    (void)index;
    (void)params;
    (void)ret_device;
    return drift_error_set(err, DRIFT_STATUS_UNSUPPORTED, 0,
                           "OpenCL is not in this build: its headers were missing");
}

const struct drift_backend_ops drift_backend_opencl = {
    .name = "opencl",
    .list = stub_list,
    .open = stub_open,
};
