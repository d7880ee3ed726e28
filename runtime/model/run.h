/*
 * One sequence on a device, step by step: for the oracle, conformance and bench programs. Not how
 * requests run (the engine does that); everything here blocks.
 */
#ifndef DRIFT_RUNTIME_MODEL_RUN_H
#define DRIFT_RUNTIME_MODEL_RUN_H

#include "runtime/model/load.h"

struct drift_runner;

struct drift_runner_params {
    const char *device; /* "cpu", "opencl:0" ... */
    struct drift_device_params device_params;
    struct drift_load_params load; /* max_sequences is set to 1, kv_tokens to one context */
};

/* Open the device and load the model. Errors: those of drift_device_open and drift_load_all. */
enum drift_status drift_runner_create(const struct drift_runner_params *params,
                                      struct drift_runner **ret_runner,
                                      struct drift_error *err) DRIFT_MUST_USE;
/* NULL is accepted. */
void drift_runner_destroy(struct drift_runner *runner);

struct drift_loaded_model *drift_runner_model(struct drift_runner *runner);
struct drift_device *drift_runner_device(struct drift_runner *runner);
/* Tokens evaluated so far; the next one gets this position. */
uint32_t drift_runner_n_past(const struct drift_runner *runner);
/* Forget tokens from position n_past on (n_past <= drift_runner_n_past). */
void drift_runner_truncate(struct drift_runner *runner, uint32_t n_past);

enum drift_runner_logits {
    DRIFT_RUNNER_LOGITS_NONE,
    DRIFT_RUNNER_LOGITS_LAST, /* [n_vocab] */
    DRIFT_RUNNER_LOGITS_ALL,  /* [n, n_vocab] */
};

/*
 * Evaluate n more tokens with the kernels of stage, in as many batches as its limits ask for;
 * prefill chunks end at multiples of the chunk. logits is written unless NONE. Errors:
 * CONTEXT_LENGTH, INVALID (a token outside the vocabulary), DEVICE, DEVICE_LOST.
 */
enum drift_status drift_runner_eval(struct drift_runner *runner, enum drift_stage stage,
                                    const int32_t *tokens, uint32_t n,
                                    enum drift_runner_logits wanted, float *logits,
                                    struct drift_error *err) DRIFT_MUST_USE;

#endif
