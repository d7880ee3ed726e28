/*
 * The constants that a model's plans read: found in the file, checked, and put on a device.
 *
 * Builders declare what they need; a name is declared once however many plans or uses it has.
 * Between the declaring and the uploading the set can be added up, which is the model's estimate.
 * Owns the device weights.
 */
#ifndef DRIFT_RUNTIME_MODEL_WEIGHTS_H
#define DRIFT_RUNTIME_MODEL_WEIGHTS_H

#include "backends/backend.h"
#include "runtime/base/arena.h"
#include "runtime/base/error.h"
#include "runtime/model/gguf.h"

#include <stdatomic.h>

struct drift_weight_entry {
    struct drift_weight_desc desc;          /* of the file's bytes, or of computed ones */
    const struct drift_gguf_tensor *tensor; /* NULL when computed */
    struct drift_weight *weight;            /* NULL until uploaded */
};

struct drift_weight_set {
    const struct drift_gguf *gguf;
    struct drift_arena arena; /* names and computed values */
    struct drift_weight_entry *entries;
    uint32_t n, capacity;
};

void drift_weight_set_init(struct drift_weight_set *set, const struct drift_gguf *gguf);
/* Destroys the device weights too. */
void drift_weight_set_fini(struct drift_weight_set *set);

/*
 * Declare a tensor of the file, or add a use to it; use 0 is for what only the host reads.
 * *ret_entry is valid until the next declaration. Errors: NOT_FOUND (no such tensor), CORRUPT
 * (another shape), UNSUPPORTED (data type), NO_MEMORY; each names the tensor.
 */
enum drift_status drift_weight_set_declare(struct drift_weight_set *set, const char *name,
                                           uint32_t use, uint32_t n_rows, uint32_t n_cols,
                                           const struct drift_weight_entry **ret_entry,
                                           struct drift_error *err) DRIFT_MUST_USE;
/* Declare a computed vector; values [n_cols] are copied the first time. Errors: NO_MEMORY. */
enum drift_status drift_weight_set_compute(struct drift_weight_set *set, const char *name,
                                           const float *values, uint32_t n_cols,
                                           const struct drift_weight_entry **ret_entry,
                                           struct drift_error *err) DRIFT_MUST_USE;
/* NULL when nobody declared it. */
const struct drift_weight_entry *drift_weight_set_find(const struct drift_weight_set *set,
                                                       const char *name);

/* What the device will hold, and what stands in the file. */
uint64_t drift_weight_set_device_bytes(const struct drift_weight_set *set,
                                       const struct drift_device *device);
uint64_t drift_weight_set_file_bytes(const struct drift_weight_set *set);

typedef void (*drift_weight_progress_fn)(void *ctx, uint64_t done_bytes, uint64_t total_bytes);
/*
 * Put everything on the device with n_threads at once, in the file's order, letting file pages go
 * behind it. See drift_load_weights for progress, cancel and errors. Blocks.
 */
enum drift_status drift_weight_set_upload(struct drift_weight_set *set, struct drift_device *device,
                                          uint32_t n_threads, drift_weight_progress_fn progress,
                                          void *ctx, const atomic_bool *cancel,
                                          struct drift_error *err) DRIFT_MUST_USE;

#endif
