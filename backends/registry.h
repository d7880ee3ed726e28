/* The backends of this build, in the order of preference. Internal to the front; see backend_impl.h. */
#ifndef DRIFT_BACKENDS_REGISTRY_H
#define DRIFT_BACKENDS_REGISTRY_H

#include "backends/backend_impl.h"

size_t drift_backend_count(void);
/* i < drift_backend_count(). Thread: any. */
const struct drift_backend_ops *drift_backend_get(size_t i);

#endif
