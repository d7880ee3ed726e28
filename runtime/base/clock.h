/* Monotonic time for everything that is compared, wall time for what is shown. */
#ifndef DRIFT_RUNTIME_BASE_CLOCK_H
#define DRIFT_RUNTIME_BASE_CLOCK_H

#include <stdint.h>

/* CLOCK_MONOTONIC. Thread: any. */
uint64_t drift_clock_ns(void);
/* Seconds since 1970, for "created" fields. */
int64_t drift_clock_unix_s(void);

#endif
