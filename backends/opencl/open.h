/* Opening an OpenCL device with a kernel profile of choice: what tests and benchmarks need beside
 * backend.h. */
#ifndef DRIFT_BACKENDS_OPENCL_OPEN_H
#define DRIFT_BACKENDS_OPENCL_OPEN_H

#include "backends/backend.h"

/* Open the index-th device; profile: a name of specialize/profile.c, NULL for the one that fits.
 * Errors: as drift_device_open. */
enum drift_status drift_opencl_open(uint32_t index, const char *profile,
                                    struct drift_device **ret_device,
                                    struct drift_error *err) DRIFT_MUST_USE;

#endif
