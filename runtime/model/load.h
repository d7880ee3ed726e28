/*
 * A GGUF file becomes weights, a KV cache and two programs on a device.
 *
 * Loading is a row of steps so that the engine can run each where it belongs and show what it does.
 * drift_load_open reads, checks and estimates and touches no device memory; its figures come from
 * the very plans and weight descriptions that the later steps use, so what it says is what loading
 * takes. Tokenizer and templates are somebody else's: they read the same drift_gguf.
 *
 *     open -> (reserve in the ledger) -> weights -> (arena) -> cache -> programs
 *
 * The order is mandatory. A step that fails leaves a model that can only be destroyed.
 */
#ifndef DRIFT_RUNTIME_MODEL_LOAD_H
#define DRIFT_RUNTIME_MODEL_LOAD_H

#include "backends/backend.h"
#include "runtime/base/buffer.h"
#include "runtime/base/error.h"

#include <stdatomic.h>

struct drift_gguf;
struct drift_hparams;
struct drift_loaded_model;

/* Longest sequence when nobody asks for another: the model's own, but not more than this. */
#define DRIFT_LOAD_DEFAULT_CTX_TOKENS 8192u
/* Cache tokens of all sequences together when nobody asks for another number: this many times
 * ctx_tokens. */
#define DRIFT_LOAD_DEFAULT_KV_CONTEXTS 4u

struct drift_load_params {
    const char *path;
    uint32_t ctx_tokens; /* longest sequence; 0 = default. Refused above the model's own context */
    uint64_t kv_tokens;  /* of all sequences together; 0 = default; rounded up to whole pages, at
                            least one context */
    uint32_t prefill_chunk_tokens; /* rows of the tiled program; 0 = 256 */
    uint32_t max_sequences;        /* rows of the page table; 0 = 16 */
    uint32_t prefill_outputs;      /* rows of logits per tiled batch; 0 = 16; at most the chunk */
    enum drift_dtype kv_dtype;     /* F16 or F32 */
    uint32_t page_tokens;          /* rows of a KV page; 0 = 32 */
    uint32_t n_threads; /* that rearrange weights at once, 1 ... 64; 0 = all that affinity allows */
};

/* Bytes on the device, exactly as the steps will take them; arena_bytes is what all models share,
 * not added up. */
struct drift_load_estimate {
    uint64_t weights_bytes;
    uint64_t kv_bytes, kv_page_bytes; /* of all pages, of one */
    uint64_t arena_bytes;             /* the larger of both programs' */
    uint64_t arena_naive_bytes;       /* the same without sharing, for reports */
    uint32_t n_pages;
};

/*
 * Map the file and check it: architecture, hyper-parameters, presence, shape and type of every
 * tensor. Builds the plans to learn their sizes. Nothing is kept on the device. Errors: NOT_FOUND,
 * IO, CORRUPT, UNSUPPORTED (architecture, data type, variant; named), INVALID (ctx_tokens above the
 * model's), NO_MEMORY. Blocks (reads the file's header). Thread: any.
 */
enum drift_status drift_load_open(const struct drift_load_params *params,
                                  struct drift_device *device,
                                  struct drift_loaded_model **ret_model,
                                  struct drift_error *err) DRIFT_MUST_USE;
/* Release whatever there is. Programs must be idle. NULL and half-made models are accepted. Thread:
 * the device's. */
void drift_load_destroy(struct drift_loaded_model *model);

/* Valid from open on. */
void drift_load_get_estimate(const struct drift_loaded_model *model,
                             struct drift_load_estimate *ret_estimate);
const struct drift_gguf *drift_load_gguf(const struct drift_loaded_model *model);
const struct drift_hparams *drift_load_hparams(const struct drift_loaded_model *model);
const char *drift_load_arch_name(const struct drift_loaded_model *model);
uint64_t drift_load_n_params(const struct drift_loaded_model *model);
uint32_t drift_load_n_vocab(const struct drift_loaded_model *model); /* rows of the embedding table */
uint32_t drift_load_ctx_tokens(const struct drift_loaded_model *model);
uint32_t drift_load_page_tokens(const struct drift_loaded_model *model);
uint32_t
drift_load_max_pages(const struct drift_loaded_model *model); /* columns of the page table */
/* Tensors of the file that no program reads (they are ignored). */
uint32_t drift_load_extra_tensors(const struct drift_loaded_model *model);

/* done_bytes of total_bytes (of the file) are on the device. Called from several threads, one at a
 * time. */
typedef void (*drift_load_progress_fn)(void *ctx, uint64_t done_bytes, uint64_t total_bytes);

/*
 * Rearrange and upload all weights; file pages are let go as soon as they are copied. progress may
 * be NULL; cancel may be NULL and is read between weights. Errors: CANCELLED, NO_MEMORY,
 * UNSUPPORTED, DEVICE; the message names the tensor. Blocks. Thread: any.
 */
enum drift_status drift_load_weights(struct drift_loaded_model *model,
                                     drift_load_progress_fn progress, void *ctx,
                                     const atomic_bool *cancel,
                                     struct drift_error *err) DRIFT_MUST_USE;
/* Create the KV cache of estimate.n_pages pages. Errors: NO_MEMORY, UNSUPPORTED, DEVICE. Thread:
 * the device's. */
enum drift_status drift_load_cache(struct drift_loaded_model *model,
                                   struct drift_error *err) DRIFT_MUST_USE;
/*
 * Build the thin and the tiled program. The device's arena must have been made at least
 * estimate.arena_bytes large before a program is submitted. Errors: UNSUPPORTED, NO_MEMORY, DEVICE.
 * Blocks (compiles). Thread: any.
 */
enum drift_status drift_load_programs(struct drift_loaded_model *model,
                                      struct drift_error *err) DRIFT_MUST_USE;

/* Write a stage's plan as drift_graph_dump does, at any time after open: for people and tests. */
enum drift_status drift_load_dump_plan(struct drift_loaded_model *model, enum drift_stage stage,
                                       struct drift_buf *out,
                                       struct drift_error *err) DRIFT_MUST_USE;

/* All steps in one, arena included: for tools and tests. Blocks. Thread: the device's. */
enum drift_status drift_load_all(const struct drift_load_params *params,
                                 struct drift_device *device, struct drift_loaded_model **ret_model,
                                 struct drift_error *err) DRIFT_MUST_USE;

/* Valid after drift_load_programs. THIN takes up to DRIFT_THIN_MAX_TOKENS tokens, TILED up to the
 * chunk. */
struct drift_program *drift_load_program(const struct drift_loaded_model *model,
                                         enum drift_stage stage);
struct drift_cache *drift_load_kv_cache(const struct drift_loaded_model *model);
/* Rows and outputs a batch of that program may have. */
struct drift_load_limits {
    uint32_t max_tokens, max_outputs, max_sequences;
};
void drift_load_get_limits(const struct drift_loaded_model *model, enum drift_stage stage,
                           struct drift_load_limits *ret_limits);

#endif
