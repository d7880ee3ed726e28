/* Running a problem, or some of its tokens, on a device. */
#ifndef DRIFT_TESTS_CONFORMANCE_RUNNER_H
#define DRIFT_TESTS_CONFORMANCE_RUNNER_H

#include "backends/backend.h"
#include "tests/conformance/problem.h"

/*
 * Compute tokens [first, first + count) of a problem in one batch into out ([count, n_out_cols]);
 * the cache is filled with what comes before them. Errors: what the backend says.
 */
enum drift_status conf_run(struct drift_device *device, const struct conf_problem *p,
                           enum drift_stage stage, uint32_t first, uint32_t count, float *out,
                           struct drift_error *err) DRIFT_MUST_USE;

#endif
