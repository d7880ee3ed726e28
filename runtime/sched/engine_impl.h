/*
 * The engine's insides, shared by the files of this folder: engine.c (thread and device), slots.c and loading.c (models),
 * submit.c (the way in), requests.c (admission, cancel, end), step.c (batches).
 *
 * Who may touch what: fields marked "lock" are read and written under engine->lock, a leaf; all others belong to the
 * engine thread after drift_engine_create (and, for a slot's loading state, to its one loader job).
 */
#ifndef DRIFT_RUNTIME_SCHED_ENGINE_IMPL_H
#define DRIFT_RUNTIME_SCHED_ENGINE_IMPL_H

#include "backends/backend.h"
#include "runtime/base/queue.h"
#include "runtime/memory/ledger.h"
#include "runtime/model/load.h"
#include "runtime/sched/sequence.h"
#include "runtime/sched/served.h"

#include <uv.h>

#define DRIFT_ENGINE_MAX_MODELS 256

/* What somebody outside asked a slot to become; lock. */
enum drift_wish { DRIFT_WISH_NONE, DRIFT_WISH_LOAD, DRIFT_WISH_UNLOAD };

/* The batch arrays of one model, large enough for both stages. */
struct drift_batch_space {
    int32_t *tokens, *positions, *sequences, *slots, *output_rows; /* [max_tokens] */
    int32_t *page_table; /* [max_sequences, max_pages] */
    float *outputs;      /* [max_outputs, n_vocab] */
};

bool drift_batch_space_init(struct drift_batch_space *space,
                            const struct drift_load_limits limits[DRIFT_STAGE_COUNT],
                            uint32_t max_pages, uint32_t n_vocab) DRIFT_MUST_USE;
void drift_batch_space_fini(struct drift_batch_space *space);

struct drift_load_job {
    uv_work_t work;
    enum drift_status status;
    struct drift_error err;
    atomic_bool cancel;
    uint64_t start_ns;
    struct drift_model *model; /* made by the job, served when it is done */
};

struct drift_model_slot {
    struct drift_engine *engine;
    /* as declared */
    char *path, *chat_template;
    uint32_t ctx_tokens;
    uint64_t kv_cache_tokens;
    /* lock */
    bool is_forgotten; /* an unused place in the table */
    struct drift_model_info info;
    enum drift_wish wish;
    bool cancel_running;
    struct drift_model *model; /* served now; NULL unless READY or DRAINING */
    /* engine thread */
    struct drift_load_job job;
    struct drift_loaded_model *loaded;
    struct drift_kv_pool pool;
    struct drift_sampler_scratch *scratch;
    struct drift_batch_space space;
    struct drift_load_limits limits[DRIFT_STAGE_COUNT];
    uint32_t max_pages;
    struct drift_request *queue_first, *queue_last; /* admitted by nobody yet */
    struct drift_sequence **running;                /* [n_running], in order of admission */
    uint32_t n_running;
    uint32_t decode_from; /* where the next group of decoding sequences starts */
    bool prefill_next;    /* the last batch was a decode batch */
};

/* The one batch on the device. */
struct drift_flight {
    struct drift_model_slot *slot; /* NULL: none */
    enum drift_stage stage;
    struct drift_batch batch;
    uint32_t n_sequences;
    struct drift_sequence **sequences; /* [max_sequences] */
    uint32_t *n_tokens;                /* [max_sequences] of each sequence */
    int32_t *output_index;             /* [max_sequences], -1: no logits wanted */
    uint64_t start_ns;
    /* written by the backend's thread, then done is set */
    enum drift_status status;
    struct drift_error err;
    atomic_bool done;
};

struct drift_engine {
    struct drift_engine_params params; /* strings are not kept */
    struct drift_device *device;
    const char *device_id;
    struct drift_ledger *ledger;
    uint64_t arena_bytes;
    pthread_t thread;
    uv_loop_t loop;
    uv_async_t async;
    struct drift_queue inbox; /* of struct drift_request */
    struct drift_events events;
    atomic_bool stop;

    pthread_mutex_t lock;
    /* Slots are added under the lock and freed with the engine; i < n_slots may be read without it. */
    struct drift_model_slot *slots[DRIFT_ENGINE_MAX_MODELS];
    atomic_uint n_slots;
    struct drift_engine_stats stats; /* lock */
    double request_seconds;          /* lock; smoothed time a request holds a sequence */

    struct drift_flight flight;
    uint32_t next_slot;                  /* whose turn it is */
    struct drift_model_slot *loading;    /* whose job is in the pool */
    struct drift_model_slot *wants_idle; /* loaded its weights, waits for an idle device */
};

/* slots.c */
struct drift_model_slot *drift_slot_find(struct drift_engine *engine, const char *name); /* lock held */
void drift_slots_destroy(struct drift_engine *engine);

/* loading.c */
/* Move every slot towards what was wished for it. Called with nothing or another slot's batch in flight. */
void drift_slots_advance(struct drift_engine *engine);
bool drift_slots_all_absent(struct drift_engine *engine);

/* served.c: the immutable part from the opened file; fills the descriptive fields of slot->info. Thread: the loader's. */
enum drift_status drift_served_create(struct drift_model_slot *slot, struct drift_model **ret_model,
                                      struct drift_error *err) DRIFT_MUST_USE;

/* requests.c */
void drift_requests_take_inbox(struct drift_engine *engine);
/* Start queued requests as room allows; end cancelled ones; write what slow readers made room for. */
void drift_requests_advance(struct drift_engine *engine);
/* End every request of a slot with an error. Nothing of it is in flight. */
void drift_requests_fail_all(struct drift_model_slot *slot, enum drift_status status,
                             const struct drift_error *err);
/* Set the cancel flag of every request of a slot. */
void drift_requests_cancel_all(struct drift_model_slot *slot);
bool drift_requests_any(const struct drift_model_slot *slot);

/* step.c */
/* If the device is idle, put the next batch on it. */
void drift_step_start(struct drift_engine *engine);
/* If the batch has completed, take its results. */
void drift_step_finish(struct drift_engine *engine);

void drift_histogram_add(struct drift_histogram *h, uint64_t ns);

#endif
