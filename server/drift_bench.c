/*
 * drift-bench: tokens per second of a model on a device, without HTTP, sampling or scheduling.
 *
 * It loads the file as the engine does and submits the same two programs. Prefill is timed over one
 * sequence in chunks; decode over `parallel` sequences in groups of the thin program's width.
 * `depth` tokens are put into the cache first and not timed. Every repeat gives one figure; medians
 * are printed.
 */
#include "backends/backend.h"
#include "runtime/base/alloc.h"
#include "runtime/base/clock.h"
#include "runtime/base/json.h"
#include "runtime/model/hparams.h"
#include "runtime/model/load.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum format { FORMAT_TABLE, FORMAT_JSON, FORMAT_CSV, FORMAT_COUNT };

struct options {
    const char *model, *device, *isa;
    uint32_t n_threads, prefill, decode, depth, parallel, repeat, chunk;
    enum format format;
};

struct bench {
    struct options options;
    struct drift_device *device;
    struct drift_loaded_model *model;
    struct drift_load_limits limits[DRIFT_STAGE_COUNT];
    uint32_t n_vocab, page_tokens, max_pages, pages_per_sequence;
    int32_t *tokens, *positions, *sequences, *slots, *output_rows, *page_table;
    float *outputs;
};

struct result {
    double prefill_tps, decode_tps, step_ms_p50, step_ms_p99;
    struct drift_device_usage usage;
    uint32_t n_dispatches[DRIFT_STAGE_COUNT];
};

/* ---- options ---- */

static const char usage_text[] =
    "usage: drift-bench --model PATH [--device D] [--threads N] [--isa NAME]\n"
    "                   [--prefill 512] [--decode 128] [--depth 0] [--parallel 1]\n"
    "                   [--chunk 256] [--repeat 5] [--format table|json|csv]\n"
    "\n"
    "  --model PATH    GGUF file\n"
    "  --device D      auto, cpu, opencl[:N] (auto)\n"
    "  --threads N     CPU threads (all allowed)\n"
    "  --isa NAME      CPU kernels: auto, portable, avx2, avx512 (auto)\n"
    "  --prefill N     prompt tokens to time, 0 for none (512)\n"
    "  --decode N      generated tokens to time per sequence, 0 for none (128)\n"
    "  --depth N       tokens already in the cache (0)\n"
    "  --parallel N    sequences that decode together (1)\n"
    "  --chunk N       prompt tokens per step (256)\n"
    "  --repeat N      timed runs; medians are printed (5)\n"
    "  --format F      table, json or csv (table)\n";

static const char *const format_names[FORMAT_COUNT] = {"table", "json", "csv"};

static uint32_t parse_count(const char *option, const char *text, uint32_t min, uint32_t max)
{
    char *end;
    unsigned long v = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || v < min || v > max) {
        fprintf(stderr, "drift-bench: --%s takes a number from %u to %u, not '%s'\n", option, min,
                max, text);
        exit(EX_USAGE);
    }
    return (uint32_t)v;
}

static enum format parse_format(const char *text)
{
    for (unsigned i = 0; i < FORMAT_COUNT; i++)
        if (strcmp(text, format_names[i]) == 0)
            return (enum format)i;
    fprintf(stderr, "drift-bench: --format takes table, json or csv, not '%s'\n", text);
    exit(EX_USAGE);
}

enum option_id {
    OPT_MODEL,
    OPT_DEVICE,
    OPT_ISA,
    OPT_FORMAT,
    OPT_HELP,
    OPT_VERSION,
    OPT_ABLATE,
    OPT_NUMBER
};

static const struct {
    const char *name;
    size_t offset;
    uint32_t min, max;
} numbers[] = {
    {"threads",  offsetof(struct options, n_threads), 0,  1024    },
    {"prefill",  offsetof(struct options, prefill),   0,  1u << 20},
    {"decode",   offsetof(struct options, decode),    0,  1u << 20},
    {"depth",    offsetof(struct options, depth),     0,  1u << 20},
    {"parallel", offsetof(struct options, parallel),  1,  256     },
    {"chunk",    offsetof(struct options, chunk),     32, 4096    },
    {"repeat",   offsetof(struct options, repeat),    1,  1000    },
};

static struct options parse_options(int argc, char **argv)
{
    struct options o = {.device = "auto",
                        .isa = "auto",
                        .prefill = 512,
                        .decode = 128,
                        .parallel = 1,
                        .repeat = 5,
                        .chunk = 256};
    struct option table[7 + DRIFT_COUNT_OF(numbers) + 1] = {
        {"model",   required_argument, NULL, OPT_MODEL  },
        {"device",  required_argument, NULL, OPT_DEVICE },
        {"isa",     required_argument, NULL, OPT_ISA    },
        {"format",  required_argument, NULL, OPT_FORMAT },
        {"help",    no_argument,       NULL, OPT_HELP   },
        {"version", no_argument,       NULL, OPT_VERSION},
        {"ablate",  required_argument, NULL, OPT_ABLATE },
    };
    for (size_t i = 0; i < DRIFT_COUNT_OF(numbers); i++)
        table[7 + i] =
            (struct option){numbers[i].name, required_argument, NULL, OPT_NUMBER + (int)i};
    int id;
    while ((id = getopt_long(argc, argv, "", table, NULL)) != -1) {
        switch (id) {
        case OPT_MODEL:
            o.model = optarg;
            break;
        case OPT_DEVICE:
            o.device = optarg;
            break;
        case OPT_ISA:
            o.isa = optarg;
            break;
        case OPT_FORMAT:
            o.format = parse_format(optarg);
            break;
        case OPT_HELP:
            fputs(usage_text, stdout);
            exit(EX_OK);
        case OPT_VERSION:
            puts("drift-bench " DRIFT_VERSION);
            exit(EX_OK);
        case OPT_ABLATE:
            fputs("drift-bench: this version has no technique that --ablate could switch off\n",
                  stderr);
            exit(EX_USAGE);
        case '?':
            fputs(usage_text, stderr);
            exit(EX_USAGE);
        default: {
            size_t i = (size_t)(id - OPT_NUMBER);
            uint32_t v = parse_count(numbers[i].name, optarg, numbers[i].min, numbers[i].max);
            memcpy((char *)&o + numbers[i].offset, &v, sizeof v);
        }
        }
    }
    if (!o.model || optind < argc || (o.prefill == 0 && o.decode == 0)) {
        fputs(usage_text, stderr);
        exit(EX_USAGE);
    }
    return o;
}

/* ---- set-up ---- */

static uint32_t max_u32(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static enum drift_status allocate(struct bench *b, struct drift_error *err)
{
    const struct drift_load_limits *thin = &b->limits[DRIFT_STAGE_THIN],
                                   *tiled = &b->limits[DRIFT_STAGE_TILED];
    size_t n_tokens = max_u32(thin->max_tokens, tiled->max_tokens);
    size_t n_sequences = max_u32(thin->max_sequences, tiled->max_sequences);
    size_t n_outputs = max_u32(thin->max_outputs, tiled->max_outputs);
    int32_t **const arrays[] = {&b->tokens, &b->positions, &b->sequences, &b->slots,
                                &b->output_rows};
    bool ok = true;
    for (size_t i = 0; i < DRIFT_COUNT_OF(arrays); i++) {
        *arrays[i] = drift_alloc(DRIFT_TAG_BASE, n_tokens, sizeof(int32_t));
        ok = ok && *arrays[i];
    }
    b->page_table = drift_alloc(DRIFT_TAG_BASE, n_sequences * b->max_pages, sizeof(int32_t));
    b->outputs = drift_alloc(DRIFT_TAG_BASE, n_outputs * b->n_vocab, sizeof(float));
    if (!ok || !b->page_table || !b->outputs)
        return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "no memory for batches");
    return DRIFT_STATUS_OK;
}

static enum drift_status open_bench(struct bench *b, struct drift_error *err)
{
    const struct options *o = &b->options;
    const struct drift_device_params device = {.n_threads = o->n_threads, .cpu_isa = o->isa};
    enum drift_status status = drift_device_open(o->device, &device, &b->device, err);
    if (status != DRIFT_STATUS_OK)
        return status;
    uint32_t longest = o->depth + max_u32(o->prefill, o->decode);
    const struct drift_load_params params = {.path = o->model,
                                             .ctx_tokens = longest,
                                             .kv_tokens = (uint64_t)(longest + 64) * o->parallel,
                                             .prefill_chunk_tokens = o->chunk,
                                             .max_sequences = DRIFT_THIN_MAX_TOKENS,
                                             .kv_dtype = DRIFT_DTYPE_F16,
                                             .n_threads = o->n_threads};
    status = drift_load_all(&params, b->device, &b->model, err);
    if (status != DRIFT_STATUS_OK)
        return status;
    for (unsigned i = 0; i < DRIFT_STAGE_COUNT; i++)
        drift_load_get_limits(b->model, (enum drift_stage)i, &b->limits[i]);
    b->n_vocab = drift_load_hparams(b->model)->n_vocab;
    b->page_tokens = drift_load_page_tokens(b->model);
    b->max_pages = drift_load_max_pages(b->model);
    b->pages_per_sequence = (longest + b->page_tokens - 1) / b->page_tokens;
    return allocate(b, err);
}

static void close_bench(struct bench *b)
{
    drift_load_destroy(b->model);
    drift_device_close(b->device);
    drift_free(b->tokens);
    drift_free(b->positions);
    drift_free(b->sequences);
    drift_free(b->slots);
    drift_free(b->output_rows);
    drift_free(b->page_table);
    drift_free(b->outputs);
}

/* ---- batches ---- */

static struct drift_batch empty_batch(struct bench *b)
{
    return (struct drift_batch){.tokens = b->tokens,
                                .positions = b->positions,
                                .sequences = b->sequences,
                                .slots = b->slots,
                                .page_table = b->page_table,
                                .output_rows = b->output_rows,
                                .outputs = b->outputs};
}

/* Sequence i owns the pages [i * pages_per_sequence, (i + 1) * pages_per_sequence). */
static void add_tokens(struct bench *b, struct drift_batch *batch, uint32_t sequence,
                       uint32_t position, uint32_t n)
{
    uint32_t row = batch->n_sequences++, first_page = sequence * b->pages_per_sequence;
    for (uint32_t p = 0; p < b->pages_per_sequence; p++)
        b->page_table[row * b->max_pages + p] = (int32_t)(first_page + p);
    for (uint32_t i = 0; i < n; i++, position++) {
        uint32_t at = batch->n_tokens++;
        b->tokens[at] = (int32_t)((position * 7919u + sequence * 104729u) % b->n_vocab);
        b->positions[at] = (int32_t)position;
        b->sequences[at] = (int32_t)row;
        b->slots[at] = (int32_t)(first_page * b->page_tokens + position);
    }
    b->output_rows[batch->n_outputs++] = (int32_t)batch->n_tokens - 1;
}

static enum drift_status run_prompt(struct bench *b, uint32_t sequence, uint32_t from, uint32_t n,
                                    struct drift_error *err)
{
    uint32_t chunk = b->limits[DRIFT_STAGE_TILED].max_tokens;
    for (uint32_t done = 0; done < n;) {
        uint32_t now = n - done < chunk ? n - done : chunk;
        struct drift_batch batch = empty_batch(b);
        add_tokens(b, &batch, sequence, from + done, now);
        done += now;
        if (done < n)
            batch.n_outputs = 0; /* only the prompt's end has logits, as in the engine */
        enum drift_status status =
            drift_program_run(drift_load_program(b->model, DRIFT_STAGE_TILED), &batch, err);
        if (status != DRIFT_STATUS_OK)
            return status;
    }
    return DRIFT_STATUS_OK;
}

/* One token of every sequence. */
static enum drift_status run_step(struct bench *b, uint32_t position, struct drift_error *err)
{
    uint32_t width = b->limits[DRIFT_STAGE_THIN].max_tokens;
    for (uint32_t first = 0; first < b->options.parallel; first += width) {
        struct drift_batch batch = empty_batch(b);
        for (uint32_t i = first; i < b->options.parallel && i < first + width; i++)
            add_tokens(b, &batch, i, position, 1);
        enum drift_status status =
            drift_program_run(drift_load_program(b->model, DRIFT_STAGE_THIN), &batch, err);
        if (status != DRIFT_STATUS_OK)
            return status;
    }
    return DRIFT_STATUS_OK;
}

/* ---- measuring ---- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double quantile(double *values, uint32_t n, double q)
{
    if (n == 0)
        return 0;
    qsort(values, n, sizeof *values, by_value);
    return values[(uint32_t)(q * (double)(n - 1) + 0.5)];
}

static double seconds_since(uint64_t start_ns)
{
    return (double)(drift_clock_ns() - start_ns) * 1e-9;
}

static enum drift_status measure_prefill(struct bench *b, struct result *r, struct drift_error *err)
{
    const struct options *o = &b->options;
    if (o->prefill == 0)
        return DRIFT_STATUS_OK;
    double *tps = drift_alloc(DRIFT_TAG_BASE, o->repeat, sizeof *tps);
    if (!tps)
        return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "no memory for %u figures",
                               o->repeat);
    enum drift_status status = run_prompt(b, 0, o->depth, o->prefill, err); /* warm-up */
    for (uint32_t i = 0; i < o->repeat && status == DRIFT_STATUS_OK; i++) {
        uint64_t start = drift_clock_ns();
        status = run_prompt(b, 0, o->depth, o->prefill, err);
        tps[i] = (double)o->prefill / seconds_since(start);
    }
    r->prefill_tps = quantile(tps, o->repeat, 0.5);
    drift_free(tps);
    return status;
}

static enum drift_status measure_decode(struct bench *b, struct result *r, struct drift_error *err)
{
    const struct options *o = &b->options;
    if (o->decode == 0)
        return DRIFT_STATUS_OK;
    double *tps = drift_alloc(DRIFT_TAG_BASE, o->repeat, sizeof *tps);
    double *steps = drift_alloc(DRIFT_TAG_BASE, (size_t)o->repeat * o->decode, sizeof *steps);
    enum drift_status status = tps && steps
                                   ? run_step(b, o->depth, err)
                                   : drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0,
                                                     "no memory for %u figures", o->repeat);
    for (uint32_t i = 0; i < o->repeat && status == DRIFT_STATUS_OK; i++) {
        double total = 0;
        for (uint32_t k = 0; k < o->decode && status == DRIFT_STATUS_OK; k++) {
            uint64_t start = drift_clock_ns();
            status = run_step(b, o->depth + k, err);
            double seconds = seconds_since(start);
            steps[i * o->decode + k] = seconds * 1e3;
            total += seconds;
        }
        tps[i] = (double)o->decode * o->parallel / total;
    }
    if (status == DRIFT_STATUS_OK) {
        r->decode_tps = quantile(tps, o->repeat, 0.5);
        r->step_ms_p50 = quantile(steps, o->repeat * o->decode, 0.5);
        r->step_ms_p99 = quantile(steps, o->repeat * o->decode, 0.99);
    }
    drift_free(tps);
    drift_free(steps);
    return status;
}

static enum drift_status measure(struct bench *b, struct result *r, struct drift_error *err)
{
    enum drift_status status = DRIFT_STATUS_OK;
    for (uint32_t i = 0; i < b->options.parallel && b->options.depth && status == DRIFT_STATUS_OK;
         i++)
        status = run_prompt(b, i, 0, b->options.depth, err);
    if (status == DRIFT_STATUS_OK)
        status = measure_prefill(b, r, err);
    if (status == DRIFT_STATUS_OK)
        status = measure_decode(b, r, err);
    drift_device_get_usage(b->device, &r->usage);
    for (unsigned i = 0; i < DRIFT_STAGE_COUNT; i++) {
        struct drift_program_info info;
        drift_program_get_info(drift_load_program(b->model, (enum drift_stage)i), &info);
        r->n_dispatches[i] = info.n_dispatches;
    }
    return status;
}

/* ---- printing ---- */

static void print_json(const struct bench *b, const struct result *r)
{
    struct drift_buf out;
    drift_buf_init(&out, DRIFT_TAG_BASE, 1u << 16);
    struct drift_json_writer w;
    drift_json_writer_init(&w, &out);
    drift_json_begin_object(&w);
    drift_json_member_string(&w, "device", drift_device_get_info(b->device)->id);
    drift_json_member_string(&w, "device_name", drift_device_get_info(b->device)->name);
    drift_json_member_string(&w, "model", b->options.model);
    drift_json_member_int(&w, "prefill", b->options.prefill);
    drift_json_member_int(&w, "decode", b->options.decode);
    drift_json_member_int(&w, "depth", b->options.depth);
    drift_json_member_int(&w, "parallel", b->options.parallel);
    drift_json_member_double(&w, "prefill_tps", r->prefill_tps);
    drift_json_member_double(&w, "decode_tps", r->decode_tps);
    drift_json_member_double(&w, "step_ms_p50", r->step_ms_p50);
    drift_json_member_double(&w, "step_ms_p99", r->step_ms_p99);
    drift_json_member_int(&w, "dispatches_thin", r->n_dispatches[DRIFT_STAGE_THIN]);
    drift_json_member_int(&w, "dispatches_tiled", r->n_dispatches[DRIFT_STAGE_TILED]);
    drift_json_write_key(&w, "bytes");
    drift_json_begin_object(&w);
    drift_json_member_int(&w, "weights", (int64_t)r->usage.weights_bytes);
    drift_json_member_int(&w, "kv", (int64_t)r->usage.caches_bytes);
    drift_json_member_int(&w, "arena", (int64_t)r->usage.arena_bytes);
    drift_json_member_int(&w, "programs", (int64_t)r->usage.programs_bytes);
    drift_json_end_object(&w);
    drift_json_end_object(&w);
    puts(drift_buf_cstr(&out));
    drift_buf_fini(&out);
}

static void print_csv(const struct bench *b, const struct result *r)
{
    puts(
        "device,model,prefill,decode,depth,parallel,prefill_tps,decode_tps,step_ms_p50,step_ms_p99,"
        "weights_bytes,kv_bytes,arena_bytes");
    const struct options *o = &b->options;
    printf("%s,\"%s\",%u,%u,%u,%u,%.2f,%.2f,%.3f,%.3f,%llu,%llu,%llu\n",
           drift_device_get_info(b->device)->id, o->model, o->prefill, o->decode, o->depth,
           o->parallel, r->prefill_tps, r->decode_tps, r->step_ms_p50, r->step_ms_p99,
           (unsigned long long)r->usage.weights_bytes, (unsigned long long)r->usage.caches_bytes,
           (unsigned long long)r->usage.arena_bytes);
}

static void print_table(const struct bench *b, const struct result *r)
{
    const struct options *o = &b->options;
    const struct drift_device_info *info = drift_device_get_info(b->device);
    const double mib = 1024.0 * 1024.0;
    printf("model    %s\ndevice   %s: %s\n", o->model, info->id, info->name);
    if (o->prefill)
        printf("prefill  %10.1f tok/s   %u tokens at depth %u\n", r->prefill_tps, o->prefill,
               o->depth);
    if (o->decode)
        printf("decode   %10.1f tok/s   %u tokens at depth %u, %u at once; step %.2f ms median, "
               "%.2f p99\n",
               r->decode_tps, o->decode, o->depth, o->parallel, r->step_ms_p50, r->step_ms_p99);
    printf("memory   %10.1f MiB     weights %.1f, KV %.1f, arena %.1f\n",
           (double)(r->usage.weights_bytes + r->usage.caches_bytes + r->usage.arena_bytes) / mib,
           (double)r->usage.weights_bytes / mib, (double)r->usage.caches_bytes / mib,
           (double)r->usage.arena_bytes / mib);
    printf("launches %10u decode, %u prefill\n", r->n_dispatches[DRIFT_STAGE_THIN],
           r->n_dispatches[DRIFT_STAGE_TILED]);
}

static int exit_code(enum drift_status status)
{
    switch (status) {
    case DRIFT_STATUS_OK:
        return EX_OK;
    case DRIFT_STATUS_NOT_FOUND:
    case DRIFT_STATUS_CORRUPT:
        return EX_NOINPUT;
    case DRIFT_STATUS_INVALID:
        return EX_USAGE;
    default:
        return EX_UNAVAILABLE;
    }
}

int main(int argc, char **argv)
{
    static void (*const printers[FORMAT_COUNT])(const struct bench *, const struct result *) = {
        print_table, print_json, print_csv};
    struct bench b = {.options = parse_options(argc, argv)};
    struct result r = {0};
    struct drift_error err = {0};
    enum drift_status status = open_bench(&b, &err);
    if (status == DRIFT_STATUS_OK)
        status = measure(&b, &r, &err);
    if (status == DRIFT_STATUS_OK)
        printers[b.options.format](&b, &r);
    else
        fprintf(stderr, "drift-bench: %s\n", err.msg);
    close_bench(&b);
    return exit_code(status);
}
