/*
 * struct drift_model: what stays the same about a model while requests use it. See engine.h.
 */
#ifndef DRIFT_RUNTIME_SCHED_SERVED_H
#define DRIFT_RUNTIME_SCHED_SERVED_H

#include "runtime/engine.h"

#include <stdatomic.h>

struct drift_tokenizer;
struct drift_model_slot;

struct drift_model {
    atomic_uint n_refs;
    struct drift_model_slot *slot; /* where it is (or was) served; compared, never followed, outside the engine's lock */
    char name[128];
    char fingerprint[32];
    char *chat_template; /* NULL: none */
    char *bos_text, *eos_text;
    struct drift_tokenizer *tokenizer;
    uint32_t ctx_tokens, n_vocab;
};

struct drift_model *drift_model_ref(struct drift_model *model);

#endif
