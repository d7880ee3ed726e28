/*
 * The engine: models on one device, and the requests that run on them. The runtime's only door.
 *
 * One engine owns one device and one thread (its loop). Callers live on the HTTP loop: they declare and load
 * models, hold references to served models (tokenizer, template, limits), submit requests and read their events. No call
 * here waits for the device. What a caller needs to know of tensors, plans or caches is: nothing.
 *
 * Threads: "http" functions may be called from any one thread at a time per engine object; the wake function is
 * called from the engine thread and must only schedule work elsewhere (uv_async_send).
 */
#ifndef DRIFT_RUNTIME_ENGINE_H
#define DRIFT_RUNTIME_ENGINE_H

#include "runtime/base/error.h"
#include "runtime/sample/params.h"

#include <stddef.h>

struct drift_engine;
struct drift_model;   /* a served model: immutable and reference-counted */
struct drift_request; /* one submitted request with 1 ... DRIFT_MAX_CHOICES sequences */

/* ---- devices ---- */

struct drift_engine_device {
    char id[32], name[128], driver[128], note[256];
    uint64_t memory_bytes;
    bool usable;
};

/* As drift_device_list, for --list-devices and driftctl devices. Blocks. Thread: any. */
void drift_engine_list_devices(struct drift_engine_device *devices, size_t max, size_t *ret_n);

/* ---- engine ---- */

typedef void (*drift_engine_wake_fn)(void *ctx);

struct drift_engine_params {
    const char *device;    /* "auto", "cpu", "opencl:0" ... */
    uint32_t n_threads;    /* CPU; 0 = all allowed */
    const char *cpu_isa;   /* NULL = auto */
    const char *cache_dir; /* NULL = none */
    uint64_t memory_budget_bytes; /* 0 = from the device (CPU: of the machine's memory) */
    uint32_t max_sequences;       /* decoding or prefilling at once */
    uint32_t max_queued_requests; /* waiting for a sequence; beyond is BUSY */
    uint64_t max_queued_tokens;   /* prompt tokens waiting; 0 = no bound of its own */
    uint32_t prefill_chunk_tokens;
    bool kv_f32;                 /* F32 instead of F16 */
    drift_engine_wake_fn wake;   /* some request has events, or some model changed state */
    void *wake_ctx;
};

/* Open the device and start the thread. Errors: NOT_FOUND, UNSUPPORTED, DEVICE, NO_MEMORY. Blocks. */
enum drift_status drift_engine_create(const struct drift_engine_params *params,
                                      struct drift_engine **ret_engine,
                                      struct drift_error *err) DRIFT_MUST_USE;
/* Cancel what runs, unload all, stop the thread. Requests and model references must be released first. Blocks. */
void drift_engine_destroy(struct drift_engine *engine);
void drift_engine_get_device(const struct drift_engine *engine, struct drift_engine_device *ret);

/* ---- models: absent -> queued -> loading -> ready -> draining -> unloading -> absent; failed ---- */

enum drift_model_state {
    DRIFT_MODEL_ABSENT, /* declared, not loaded */
    DRIFT_MODEL_QUEUED,
    DRIFT_MODEL_LOADING,
    DRIFT_MODEL_READY,
    DRIFT_MODEL_DRAINING, /* no new requests; running ones finish */
    DRIFT_MODEL_UNLOADING,
    DRIFT_MODEL_FAILED,
    DRIFT_MODEL_STATE_COUNT
};
const char *drift_model_state_name(enum drift_model_state state);

struct drift_model_params {
    const char *name; /* what requests call it; 1 ... 127 bytes of [A-Za-z0-9._:/-] */
    const char *path; /* GGUF file */
    uint32_t ctx_tokens;       /* longest sequence; 0 = the model's own, at most 8192 */
    uint64_t kv_cache_tokens;  /* of all sequences together; 0 = four times ctx_tokens */
    const char *chat_template; /* Jinja source that replaces the file's; NULL = the file's, or the family's */
};

struct drift_model_info {
    char name[128], path[256];
    char architecture[32], description[128], file_type[32]; /* "llama", "SmolLM2 135M ...", "Q4_1" */
    enum drift_model_state state;
    float progress;          /* 0 ... 1 while loading */
    struct drift_error error; /* why FAILED */
    int64_t created_unix_s;  /* the file's modification time */
    uint32_t ctx_tokens, n_vocab, n_layers, n_embd;
    uint64_t n_params;
    uint64_t weights_bytes, kv_bytes, programs_bytes; /* on the device, while loaded */
    uint64_t kv_tokens_total, kv_tokens_used;
    uint32_t n_running, n_queued; /* requests */
    uint64_t load_ms;             /* of the last load */
    bool has_chat_template;
};

/* Make a model known; nothing is read yet. Errors: EXISTS, INVALID, NO_MEMORY. Thread: http. */
enum drift_status drift_engine_declare_model(struct drift_engine *engine,
                                             const struct drift_model_params *params,
                                             struct drift_error *err) DRIFT_MUST_USE;
/* Forget a model that is not loaded (ABSENT or FAILED). Errors: NOT_FOUND, BUSY. */
enum drift_status drift_engine_forget_model(struct drift_engine *engine, const char *name,
                                            struct drift_error *err) DRIFT_MUST_USE;
/*
 * Begin to load; returns at once, the state tells the rest (also OK when it is loading or ready already).
 * Errors: NOT_FOUND, UNAVAILABLE (draining or unloading).
 */
enum drift_status drift_engine_load_model(struct drift_engine *engine, const char *name,
                                          struct drift_error *err) DRIFT_MUST_USE;
/*
 * Begin to unload: new requests are refused, running ones finish, unless cancel_running. OK when absent already.
 * A load in progress is abandoned. Errors: NOT_FOUND.
 */
enum drift_status drift_engine_unload_model(struct drift_engine *engine, const char *name,
                                            bool cancel_running,
                                            struct drift_error *err) DRIFT_MUST_USE;
/* Copy the state of up to max models, in the order of declaration; *ret_n is how many there are. */
void drift_engine_list_models(struct drift_engine *engine, struct drift_model_info *infos, size_t max,
                              size_t *ret_n);
/* Errors: NOT_FOUND. */
enum drift_status drift_engine_get_model_info(struct drift_engine *engine, const char *name,
                                              struct drift_model_info *ret,
                                              struct drift_error *err) DRIFT_MUST_USE;

/*
 * A reference to a ready model's immutable part. It stays valid after an unload (requests are then refused with
 * UNAVAILABLE). Errors: NOT_FOUND (not declared), UNAVAILABLE (not ready; the message names the state).
 */
enum drift_status drift_engine_ref_model(struct drift_engine *engine, const char *name,
                                         struct drift_model **ret_model,
                                         struct drift_error *err) DRIFT_MUST_USE;
void drift_model_unref(struct drift_model *model); /* Thread: any */

const char *drift_model_name(const struct drift_model *model);
uint32_t drift_model_ctx_tokens(const struct drift_model *model);
uint32_t drift_model_n_vocab(const struct drift_model *model);
/* Jinja source, NULL if the model has none; the strings that templates call bos_token and eos_token ("" if none). */
const char *drift_model_chat_template(const struct drift_model *model);
const char *drift_model_bos_text(const struct drift_model *model);
const char *drift_model_eos_text(const struct drift_model *model);
/* Changes with the file and with whatever else changes answers; 1 ... 31 characters. */
const char *drift_model_fingerprint(const struct drift_model *model);

enum drift_tokenize_flags {
    DRIFT_TOKENIZE_ADD_SPECIAL = 1,   /* BOS/EOS by the model's own rule */
    DRIFT_TOKENIZE_PARSE_SPECIAL = 2, /* control tokens written in the text count as such */
};
/*
 * Text to token ids; *ret_tokens is released with drift_free. Errors: LIMIT (more than max_tokens), NO_MEMORY.
 * Blocks for about a millisecond per 10 KB: callers send long texts to the pool. Thread: any.
 */
enum drift_status drift_model_tokenize(const struct drift_model *model, const char *text, size_t len,
                                       uint32_t flags, size_t max_tokens, int32_t **ret_tokens,
                                       size_t *ret_n, struct drift_error *err) DRIFT_MUST_USE;
/* Bytes of a token as text (may be part of a character); *ret_len of them, not NUL-terminated. Thread: any. */
const char *drift_model_token_text(const struct drift_model *model, int32_t token, size_t *ret_len);

/* ---- requests ---- */

struct drift_request_params {
    const char *id;            /* shown in logs and admin; at most 63 bytes */
    struct drift_model *model; /* the request takes its own reference */
    const int32_t *prompt;     /* [n_prompt], 1 ... ctx_tokens - 1 */
    uint32_t n_prompt;
    uint32_t n_choices;  /* 1 ... DRIFT_MAX_CHOICES; they share the prompt */
    uint32_t max_tokens; /* per choice; 0 = to the end of the context */
    struct drift_sampling sampling;
    const char *const *stops; /* [n_stops]; none is ever part of the text */
    uint32_t n_stops;
    int32_t n_top_logprobs; /* -1: no log-probabilities at all; 0 ... DRIFT_MAX_TOP_LOGPROBS */
    bool ignore_eos;
    bool show_special; /* text of control tokens is emitted */
    void *user;        /* given back by drift_request_user */
};

enum drift_event_kind {
    DRIFT_EVENT_STARTED,  /* left the queue: prefill begins */
    DRIFT_EVENT_TOKEN,    /* a token, with the text that became certain */
    DRIFT_EVENT_FINISHED, /* a choice has ended: finish, text that was still held back */
    DRIFT_EVENT_DONE,     /* all choices have ended: usage and timings; the last event */
    DRIFT_EVENT_ERROR,    /* instead of DONE: error; the last event */
    DRIFT_EVENT_COUNT
};

enum drift_finish {
    DRIFT_FINISH_STOP,   /* end-of-generation token or stop string */
    DRIFT_FINISH_LENGTH, /* max_tokens or the context's end */
    DRIFT_FINISH_CANCELLED,
    DRIFT_FINISH_COUNT
};

struct drift_token_logprob {
    int32_t token;
    float logprob; /* natural log of the model's own probability, before any sampler setting */
};

#define DRIFT_EVENT_TEXT_BYTES 192

/* A value; longer texts come as several events (the later ones with token -1). */
struct drift_event {
    enum drift_event_kind kind;
    uint32_t choice;
    int32_t token; /* -1: none belongs to this event */
    uint32_t n_text;
    char text[DRIFT_EVENT_TEXT_BYTES]; /* complete UTF-8 characters, no NUL */
    float logprob;
    uint32_t n_top;
    struct drift_token_logprob top[DRIFT_MAX_TOP_LOGPROBS];
    enum drift_finish finish;
    uint32_t n_prompt_tokens, n_cached_tokens, n_completion_tokens; /* DONE: of all choices */
    uint64_t queue_ns, prefill_ns, decode_ns;                       /* DONE */
    struct drift_error error;                                       /* ERROR */
};

/*
 * Queue a request; everything in params is copied. Refusals: BUSY (queue full), UNAVAILABLE (model not ready),
 * CONTEXT_LENGTH ("maximum context length" and both numbers in the message), INVALID, NO_MEMORY (its KV can never
 * fit). Does not block. Thread: http.
 */
enum drift_status drift_engine_submit(struct drift_engine *engine,
                                      const struct drift_request_params *params,
                                      struct drift_request **ret_request,
                                      struct drift_error *err) DRIFT_MUST_USE;
/* The next request that has unread events, each at most once per call chain; NULL when there is none. Thread: http. */
struct drift_request *drift_engine_next_ready(struct drift_engine *engine);
/* Take the oldest event; false when none is waiting. A request whose events nobody takes is paused. Thread: http. */
bool drift_request_next_event(struct drift_request *request, struct drift_event *ret);
void *drift_request_user(const struct drift_request *request);
/* Stop it within one step; its last event (DONE, choices CANCELLED) still comes. Thread: http. */
void drift_request_cancel(struct drift_request *request);
/* Give the handle back; cancels if it has not ended. Thread: http. */
void drift_request_release(struct drift_request *request);

/* Seconds after which a BUSY or UNAVAILABLE submit is worth trying again, 1 ... 120, from the measured drain rate. */
uint32_t drift_engine_retry_after_s(struct drift_engine *engine);

/* ---- statistics: counters since start, gauges now. Thread: any. ---- */

#define DRIFT_HISTOGRAM_BUCKETS 16
/* Bucket i counts values <= 2^i * 0.5 ms; the last one counts the rest. */
struct drift_histogram {
    uint64_t buckets[DRIFT_HISTOGRAM_BUCKETS];
    uint64_t count;
    double sum_s;
};

struct drift_engine_stats {
    uint64_t n_requests, n_finished, n_cancelled, n_failed, n_refused_busy;
    uint64_t prompt_tokens, cached_tokens, generated_tokens;
    uint64_t n_prefill_steps, n_decode_steps;
    uint64_t n_loads, n_load_failures, n_unloads;
    struct drift_histogram queue_time, time_to_first_token, time_between_tokens, prefill_step,
        decode_step;
    uint32_t n_running, n_queued;
    uint64_t queued_tokens;
    uint64_t budget_bytes, reserved_bytes, weights_bytes, kv_bytes, arena_bytes, programs_bytes;
    uint64_t last_token_ns; /* monotonic; for the watchdog: running requests but no token for long */
};
void drift_engine_get_stats(struct drift_engine *engine, struct drift_engine_stats *ret);

#endif
