/*
 * bench_backend: decode and prefill of a device on models made of random weights, without files or
 * an engine.
 *
 *   bench_backend [--device ID] [--isa LEVEL] [--threads N] [--shape smollm2|gemma3] [--prefill N]
 * [--decode N]
 *                 [--parallel N] [--depth N] [--repeat N]
 *
 * The shapes and data types are those of SmolLM2-135M (Q4_1) and Gemma 3 270M (Q4_K_M). Prints
 * tokens per second, the steps of each program and the weight bytes that a decode step reads per
 * second.
 */
#include "backends/backend.h"
#include "runtime/base/alloc.h"
#include "runtime/base/clock.h"
#include "runtime/graph/graph.h"
#include "tests/conformance/blocks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PAGE_TOKENS 32u

struct shape {
    const char *name;
    uint32_t n_layers, n_embd, n_heads, n_kv_heads, head_dim, n_ff, n_vocab;
    enum drift_activation activation;
    enum drift_dtype q, k, v, o, gate, up, down, head;
    bool has_extra_norms; /* gemma: norms over q and k, and after attention and feed-forward */
};

static const struct shape shapes[] = {
    {"smollm2", 30, 576, 9, 3, 64,  1536, 49152,  DRIFT_ACTIVATION_SILU,      DRIFT_DTYPE_Q4_1,
     DRIFT_DTYPE_Q4_1, DRIFT_DTYPE_Q4_1, DRIFT_DTYPE_Q4_1, DRIFT_DTYPE_Q4_1, DRIFT_DTYPE_Q4_1,
     DRIFT_DTYPE_Q4_1, DRIFT_DTYPE_Q8_0, false},
    {"gemma3",  18, 640, 4, 1, 256, 2048, 262144, DRIFT_ACTIVATION_GELU_TANH, DRIFT_DTYPE_Q5_0,
     DRIFT_DTYPE_Q5_0, DRIFT_DTYPE_Q8_0, DRIFT_DTYPE_Q4_K, DRIFT_DTYPE_Q5_0, DRIFT_DTYPE_Q5_0,
     DRIFT_DTYPE_Q6_K, DRIFT_DTYPE_Q8_0, true },
};

struct options {
    const char *device, *shape;
    struct drift_device_params params;
    uint32_t prefill, decode, parallel, depth, repeat;
};

struct bench {
    struct options options;
    const struct shape *shape;
    struct drift_device *device;
    struct drift_cache *cache;
    struct drift_weight *weights[1024];
    uint32_t n_weights;
    uint32_t max_pages;
    int32_t *numbers;
    float *outputs;
};

static void must(enum drift_status status, const struct drift_error *err)
{
    if (status == DRIFT_STATUS_OK)
        return;
    fprintf(stderr, "bench_backend: %s\n", err->msg);
    exit(69);
}

static void *must_alloc(size_t n, size_t size)
{
    void *p = drift_alloc(DRIFT_TAG_BASE, n, size);
    if (!p)
        exit(70);
    return p;
}

static struct drift_weight *new_weight(struct bench *b, enum drift_dtype dtype, uint32_t n_rows,
                                       uint32_t n_cols, uint32_t use)
{
    static struct rng rng = {1};
    struct drift_error err;
    uint64_t row_bytes = 0;
    if (!drift_dtype_row_bytes(dtype, n_cols, &row_bytes))
        exit(70);
    uint8_t *data = must_alloc(n_rows, row_bytes);
    double *values = must_alloc((size_t)16 * n_cols, sizeof *values);
    /* sixteen different rows over and over: speed does not depend on the values */
    for (uint32_t r = 0; r < n_rows; r++) {
        if (r < 16)
            random_weights(&rng, dtype, n_cols, data + r * row_bytes, values);
        else
            memcpy(data + r * row_bytes, data + (r % 16) * row_bytes, row_bytes);
    }
    struct drift_weight_desc desc = {"random", dtype, n_rows, n_cols, use, data};
    struct drift_weight *weight = NULL;
    must(drift_weight_create(b->device, &desc, &weight, &err), &err);
    drift_free(values);
    if (drift_weight_is_copied(weight))
        drift_free(data);
    b->weights[b->n_weights++] = weight;
    return weight;
}

struct layer {
    struct drift_weight *q, *k, *v, *o, *gate, *up, *down, *norm, *head_norm;
};

struct model {
    struct drift_weight *head, *inv_freq;
    struct layer layers[64];
};

static void make_model(struct bench *b, struct model *m)
{
    const struct shape *s = b->shape;
    uint32_t q_cols = s->n_heads * s->head_dim, kv_cols = s->n_kv_heads * s->head_dim;
    uint64_t begin = drift_clock_ns();
    m->head =
        new_weight(b, s->head, s->n_vocab, s->n_embd, DRIFT_WEIGHT_LOOKUP | DRIFT_WEIGHT_MATMUL);
    m->inv_freq = new_weight(b, DRIFT_DTYPE_F32, 1, s->head_dim / 2, DRIFT_WEIGHT_VECTOR);
    for (uint32_t i = 0; i < s->n_layers; i++) {
        m->layers[i] = (struct layer){
            .q = new_weight(b, s->q, q_cols, s->n_embd, DRIFT_WEIGHT_MATMUL),
            .k = new_weight(b, s->k, kv_cols, s->n_embd, DRIFT_WEIGHT_MATMUL),
            .v = new_weight(b, s->v, kv_cols, s->n_embd, DRIFT_WEIGHT_MATMUL),
            .o = new_weight(b, s->o, s->n_embd, q_cols, DRIFT_WEIGHT_MATMUL),
            .gate = new_weight(b, s->gate, s->n_ff, s->n_embd, DRIFT_WEIGHT_MATMUL),
            .up = new_weight(b, s->up, s->n_ff, s->n_embd, DRIFT_WEIGHT_MATMUL),
            .down = new_weight(b, s->down, s->n_embd, s->n_ff, DRIFT_WEIGHT_MATMUL),
            .norm = new_weight(b, DRIFT_DTYPE_F32, 1, s->n_embd, DRIFT_WEIGHT_VECTOR),
            .head_norm = new_weight(b, DRIFT_DTYPE_F32, 1, s->head_dim, DRIFT_WEIGHT_VECTOR),
        };
    }
    struct drift_device_usage usage;
    drift_device_get_usage(b->device, &usage);
    double seconds = (double)(drift_clock_ns() - begin) * 1e-9;
    printf("weights: %.1f MB in %.2f s\n", (double)usage.weights_bytes * 1e-6, seconds);
}

static uint32_t weight_tensor(struct drift_graph *g, const struct drift_weight *w,
                              enum drift_dtype dtype, uint32_t n_rows, uint32_t n_cols)
{
    return drift_graph_weight(g, "w", dtype, n_rows, n_cols, w);
}

static uint32_t norm(struct drift_graph *g, uint32_t x, const struct drift_weight *w,
                     uint32_t group)
{
    return drift_graph_rms_norm(g, "norm", x, weight_tensor(g, w, DRIFT_DTYPE_F32, 1, group),
                                1e-5f);
}

static uint32_t attention(struct bench *b, struct drift_graph *g, const struct model *m, uint32_t i,
                          uint32_t x)
{
    const struct shape *s = b->shape;
    const struct layer *l = &m->layers[i];
    uint32_t q_cols = s->n_heads * s->head_dim, kv_cols = s->n_kv_heads * s->head_dim;
    struct drift_graph_cache cache = {b->cache, DRIFT_DTYPE_F16,
                                      b->max_pages * b->options.parallel * PAGE_TOKENS, kv_cols};
    struct drift_graph_rope rope = {DRIFT_ROPE_HALVES, s->head_dim, 1.0f};
    struct drift_graph_attention attr = {s->n_heads, s->n_kv_heads, s->head_dim, 0, 0.125f, 0.0f};
    uint32_t none = DRIFT_TENSOR_NONE;
    uint32_t q =
        drift_graph_matmul(g, "q", x, weight_tensor(g, l->q, s->q, q_cols, s->n_embd), none);
    uint32_t k =
        drift_graph_matmul(g, "k", x, weight_tensor(g, l->k, s->k, kv_cols, s->n_embd), none);
    uint32_t v =
        drift_graph_matmul(g, "v", x, weight_tensor(g, l->v, s->v, kv_cols, s->n_embd), none);
    if (s->has_extra_norms) {
        q = norm(g, q, l->head_norm, s->head_dim);
        k = norm(g, k, l->head_norm, s->head_dim);
    }
    uint32_t inv_freq = weight_tensor(g, m->inv_freq, DRIFT_DTYPE_F32, 1, s->head_dim / 2);
    q = drift_graph_rope(g, "q_rope", q, inv_freq, &rope);
    k = drift_graph_rope(g, "k_rope", k, inv_freq, &rope);
    uint32_t k_cache = drift_graph_cache(g, &cache, i, false);
    uint32_t v_cache = drift_graph_cache(g, &cache, i, true);
    drift_graph_cache_write(g, k, v, k_cache, v_cache);
    uint32_t a = drift_graph_attention(g, "attention", q, k_cache, v_cache, &attr);
    return drift_graph_matmul(g, "o", a, weight_tensor(g, l->o, s->o, s->n_embd, q_cols), none);
}

static uint32_t feed_forward(struct bench *b, struct drift_graph *g, const struct layer *l,
                             uint32_t x)
{
    const struct shape *s = b->shape;
    uint32_t none = DRIFT_TENSOR_NONE;
    uint32_t gate = drift_graph_matmul(
        g, "gate", x, weight_tensor(g, l->gate, s->gate, s->n_ff, s->n_embd), none);
    uint32_t up =
        drift_graph_matmul(g, "up", x, weight_tensor(g, l->up, s->up, s->n_ff, s->n_embd), none);
    x = drift_graph_glu(g, "glu", gate, up, s->activation);
    return drift_graph_matmul(g, "down", x, weight_tensor(g, l->down, s->down, s->n_embd, s->n_ff),
                              none);
}

static struct drift_program *make_program(struct bench *b, const struct model *m,
                                          enum drift_stage stage, uint32_t max_tokens)
{
    const struct shape *s = b->shape;
    struct drift_error err;
    struct drift_graph_params params = {
        "bench", stage, max_tokens, b->options.parallel, b->options.parallel, b->max_pages};
    struct drift_graph *g;
    const struct drift_plan *plan;
    struct drift_program *program;
    must(drift_graph_create(&params, &g, &err), &err);
    uint32_t table = weight_tensor(g, m->head, s->head, s->n_vocab, s->n_embd);
    uint32_t x = drift_graph_embed(g, "x", table, 1.0f);
    for (uint32_t i = 0; i < s->n_layers; i++) {
        const struct layer *l = &m->layers[i];
        uint32_t h = attention(b, g, m, i, norm(g, x, l->norm, s->n_embd));
        x = drift_graph_add(g, "a", x, s->has_extra_norms ? norm(g, h, l->norm, s->n_embd) : h);
        h = feed_forward(b, g, l, norm(g, x, l->norm, s->n_embd));
        x = drift_graph_add(g, "f", x, s->has_extra_norms ? norm(g, h, l->norm, s->n_embd) : h);
    }
    x = drift_graph_gather_rows(g, "rows", x);
    x = norm(g, x, m->layers[0].norm, s->n_embd);
    drift_graph_set_output(g, drift_graph_matmul(g, "logits", x, table, DRIFT_TENSOR_NONE));
    must(drift_graph_finish(g, &plan, &err), &err);
    must(drift_program_create(b->device, plan, &program, &err), &err);
    must(drift_device_reserve_arena(b->device, plan->arena_bytes, &err), &err);
    struct drift_program_info info;
    drift_program_get_info(program, &info);
    printf("%s: %u ops, %u dispatches, arena %.2f MB, program %.2f MB\n",
           stage == DRIFT_STAGE_THIN ? "thin" : "tiled", plan->n_ops, info.n_dispatches,
           (double)plan->arena_bytes * 1e-6, (double)info.bytes * 1e-6);
    drift_graph_destroy(g);
    return program;
}

/* Run n tokens of every sequence from a position on; returns nanoseconds. */
static uint64_t run(struct bench *b, struct drift_program *program, uint32_t n_sequences,
                    uint32_t n, uint32_t position)
{
    uint32_t total = n_sequences * n;
    int32_t *at[5], *pages = b->numbers;
    for (int i = 0; i < 5; i++)
        at[i] = b->numbers + (size_t)b->max_pages * b->options.parallel + (size_t)i * total;
    for (uint32_t i = 0; i < b->max_pages * b->options.parallel; i++)
        pages[i] = (int32_t)i;
    for (uint32_t t = 0; t < total; t++) {
        uint32_t s = t / n, p = position + t % n;
        at[0][t] = (int32_t)((t * 7919 + position) % b->shape->n_vocab);
        at[1][t] = (int32_t)p;
        at[2][t] = (int32_t)s;
        at[3][t] = (int32_t)(s * b->max_pages * PAGE_TOKENS + p);
        at[4][s] = (int32_t)(s * n + n - 1);
    }
    struct drift_batch batch = {total, n_sequences, n_sequences, at[0], at[1],
                                at[2], at[3],       pages,       at[4], b->outputs};
    struct drift_error err;
    uint64_t begin = drift_clock_ns();
    must(drift_program_run(program, &batch, &err), &err);
    return drift_clock_ns() - begin;
}

/* Processor time of all threads: what a run costs when other programs use the machine too. */
static double cpu_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void report(const char *what, double *rates, uint32_t n, double per_cpu_second,
                   double bytes_per_token)
{
    qsort(rates, n, sizeof *rates, compare);
    printf("%-8s %9.1f tok/s (best %.1f), %.1f per CPU second", what, rates[n / 2], rates[n - 1],
           per_cpu_second);
    if (bytes_per_token > 0.0)
        printf(", %.1f GB/s of weights", rates[n / 2] * bytes_per_token * 1e-9);
    printf("\n");
}

static bool parse(int argc, char **argv, struct options *o)
{
    *o = (struct options){.device = "cpu",
                          .shape = "smollm2",
                          .prefill = 512,
                          .decode = 64,
                          .parallel = 1,
                          .repeat = 5};
    struct {
        const char *name;
        const char **text;
        uint32_t *number;
    } keys[] = {
        {"--device",   &o->device,         NULL                },
        {"--shape",    &o->shape,          NULL                },
        {"--isa",      &o->params.cpu_isa, NULL                },
        {"--threads",  NULL,               &o->params.n_threads},
        {"--prefill",  NULL,               &o->prefill         },
        {"--decode",   NULL,               &o->decode          },
        {"--parallel", NULL,               &o->parallel        },
        {"--depth",    NULL,               &o->depth           },
        {"--repeat",   NULL,               &o->repeat          },
    };
    for (int i = 1; i < argc; i += 2) {
        size_t k = 0;
        while (k < DRIFT_COUNT_OF(keys) && strcmp(argv[i], keys[k].name) != 0)
            k++;
        if (k == DRIFT_COUNT_OF(keys) || i + 1 >= argc)
            return false;
        if (keys[k].text)
            *keys[k].text = argv[i + 1];
        else
            *keys[k].number = (uint32_t)strtoul(argv[i + 1], NULL, 10);
    }
    return o->repeat > 0 && o->repeat <= 100 && o->parallel > 0 &&
           o->parallel <= DRIFT_THIN_MAX_TOKENS && o->prefill > 0;
}

static void measure(struct bench *b, struct drift_program *thin, struct drift_program *tiled)
{
    double prefill[100], decode[100];
    struct drift_device_usage usage;
    drift_device_get_usage(b->device, &usage);
    uint32_t depth = b->options.depth;
    for (uint32_t p = 0; p < depth; p += b->options.prefill)
        run(b, tiled, 1, depth - p < b->options.prefill ? depth - p : b->options.prefill, p);
    double prefill_cpu = 0.0, decode_cpu = 0.0, tokens = b->options.prefill;
    for (uint32_t i = 0; i < b->options.repeat; i++) {
        double begin = cpu_seconds();
        uint64_t ns = run(b, tiled, 1, b->options.prefill, depth);
        double middle = cpu_seconds();
        prefill[i] = tokens / ((double)ns * 1e-9);
        ns = 0;
        for (uint32_t t = 0; t < b->options.decode; t++)
            ns += run(b, thin, b->options.parallel, 1, depth + b->options.prefill + t);
        decode[i] = b->options.decode * b->options.parallel / ((double)ns * 1e-9);
        prefill_cpu += middle - begin;
        decode_cpu += cpu_seconds() - middle;
    }
    report("prefill", prefill, b->options.repeat, b->options.repeat * tokens / prefill_cpu, 0.0);
    tokens = b->options.decode * b->options.parallel;
    if (b->options.decode > 0)
        report("decode", decode, b->options.repeat, b->options.repeat * tokens / decode_cpu,
               (double)usage.weights_bytes / b->options.parallel);
}

int main(int argc, char **argv)
{
    struct bench b = {0};
    struct drift_error err;
    if (!parse(argc, argv, &b.options)) {
        fprintf(stderr, "bench_backend: see the first lines of tests/bench/bench_backend.c\n");
        return 64;
    }
    for (size_t i = 0; i < DRIFT_COUNT_OF(shapes); i++) {
        if (strcmp(shapes[i].name, b.options.shape) == 0)
            b.shape = &shapes[i];
    }
    if (!b.shape)
        return 64;
    must(drift_device_open(b.options.device, &b.options.params, &b.device, &err), &err);
    printf("%s, %s\n", drift_device_get_info(b.device)->name, b.shape->name);
    uint32_t positions = b.options.depth + b.options.prefill + b.options.decode + 1;
    b.max_pages = (positions + PAGE_TOKENS - 1) / PAGE_TOKENS;
    struct drift_cache_desc desc = {b.shape->n_layers, b.max_pages * b.options.parallel,
                                    PAGE_TOKENS,       b.shape->n_kv_heads,
                                    b.shape->head_dim, DRIFT_DTYPE_F16};
    must(drift_cache_create(b.device, &desc, &b.cache, &err), &err);
    b.numbers = must_alloc((size_t)b.max_pages * b.options.parallel +
                               5 * ((size_t)b.options.prefill + b.options.parallel),
                           sizeof *b.numbers);
    b.outputs = must_alloc((size_t)b.options.parallel * b.shape->n_vocab, sizeof *b.outputs);
    struct model *m = must_alloc(1, sizeof *m);
    make_model(&b, m);
    struct drift_program *tiled = make_program(&b, m, DRIFT_STAGE_TILED, b.options.prefill);
    struct drift_program *thin = make_program(&b, m, DRIFT_STAGE_THIN, b.options.parallel);
    measure(&b, thin, tiled);
    drift_program_destroy(thin);
    drift_program_destroy(tiled);
    for (uint32_t i = 0; i < b.n_weights; i++)
        drift_weight_destroy(b.weights[i]);
    drift_cache_destroy(b.cache);
    drift_device_close(b.device);
    drift_free(m);
    drift_free(b.numbers);
    drift_free(b.outputs);
    return 0;
}
