/* load.h: what it accepts, what it refuses and how it says so, that its estimate is what it takes,
 * and its clean-up. */
#include "runtime/model/load.h"

#include "runtime/model/hparams.h"
#include "runtime/model/run.h"
#include "tests/unit/model/gguf_writer.h"
#include "tests/unit/torture.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define N_EMBD  64u
#define N_FF    96u
#define N_VOCAB 50u

static char path[] = "/tmp/test_load_XXXXXX";
static struct drift_device *device;

/* How a file differs from the good one. */
struct variant {
    const char *arch;         /* NULL: llama */
    const char *drop;         /* this key or tensor is left out */
    const char *key;          /* this key gets another value: */
    uint32_t type;            /* of GGUF_U32, GGUF_F32, GGUF_STRING */
    double number;            /* ... */
    const char *text;         /* ... */
    const char *reshape;      /* this tensor has a column block more */
    const char *retype;       /* this tensor is I32 or, when a vector, F16 */
    const char *extra_tensor; /* and there is this one */
    uint32_t n_layers;        /* 0: two */
};

struct writing {
    struct gguf_writer w;
    const struct variant *v;
    const char *arch;
};

static bool is(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

static void put_value(struct writing *f, const char *key, uint32_t type, double number,
                      const char *text)
{
    char full[128];
    snprintf(full, sizeof full, "%s.%s", f->arch, key);
    if (type == GGUF_STRING)
        gguf_writer_string(&f->w, full, text);
    else if (type == GGUF_F32)
        gguf_writer_f32(&f->w, full, (float)number);
    else
        gguf_writer_u32(&f->w, full, (uint32_t)number);
}

static void put_key(struct writing *f, const char *key, uint32_t type, double number)
{
    if (!is(f->v->drop, key) && !is(f->v->key, key))
        put_value(f, key, type, number, NULL);
}

static void put_matrix(struct writing *f, const char *name, uint32_t n_rows, uint32_t n_cols)
{
    if (is(f->v->drop, name))
        return;
    enum drift_dtype dtype = is(f->v->retype, name) ? DRIFT_DTYPE_I32 : DRIFT_DTYPE_Q8_0;
    gguf_writer_random_tensor(&f->w, name, dtype, n_cols + (is(f->v->reshape, name) ? 32 : 0),
                              n_rows, 0.2f);
}

static void put_vector(struct writing *f, const char *name, uint32_t n)
{
    if (is(f->v->drop, name))
        return;
    if (is(f->v->retype, name))
        gguf_writer_random_tensor(&f->w, name, DRIFT_DTYPE_F16, n, 0, 1.0f);
    else
        gguf_writer_constant_vector(&f->w, name, n + (is(f->v->reshape, name) ? 1 : 0), 1.0f);
}

static void put_layer(struct writing *f, uint32_t layer)
{
    static const struct {
        const char *name;
        uint32_t n_rows, n_cols;
    } parts[] = {
        {"attn_norm",           0,      N_EMBD},
        {"ffn_norm",            0,      N_EMBD},
        {"post_attention_norm", 0,      N_EMBD},
        {"post_ffw_norm",       0,      N_EMBD},
        {"attn_q_norm",         0,      16    },
        {"attn_k_norm",         0,      16    },
        {"attn_q",              64,     N_EMBD},
        {"attn_k",              32,     N_EMBD},
        {"attn_v",              32,     N_EMBD},
        {"attn_output",         N_EMBD, 64    },
        {"ffn_gate",            N_FF,   N_EMBD},
        {"ffn_up",              N_FF,   N_EMBD},
        {"ffn_down",            N_EMBD, N_FF  },
    };
    bool is_gemma = is(f->arch, "gemma3");
    for (size_t i = 0; i < DRIFT_COUNT_OF(parts); i++) {
        char name[64];
        if (i >= 2 && i < 6 && !is_gemma)
            continue;
        snprintf(name, sizeof name, "blk.%u.%s.weight", layer, parts[i].name);
        if (parts[i].n_rows)
            put_matrix(f, name, parts[i].n_rows, parts[i].n_cols);
        else
            put_vector(f, name, parts[i].n_cols);
    }
}

static void write_model(const struct variant *v)
{
    struct writing f = {.v = v, .arch = v->arch ? v->arch : "llama"};
    uint32_t n_layers = v->n_layers ? v->n_layers : 2;
    gguf_writer_init(&f.w);
    if (!is(v->drop, "general.architecture"))
        gguf_writer_string(&f.w, "general.architecture", f.arch);
    put_key(&f, "block_count", GGUF_U32, n_layers);
    put_key(&f, "context_length", GGUF_U32, 128);
    put_key(&f, "embedding_length", GGUF_U32, N_EMBD);
    put_key(&f, "feed_forward_length", GGUF_U32, N_FF);
    put_key(&f, "attention.head_count", GGUF_U32, 4);
    put_key(&f, "attention.head_count_kv", GGUF_U32, 2);
    put_key(&f, "attention.layer_norm_rms_epsilon", GGUF_F32, 1e-5);
    if (v->key)
        put_value(&f, v->key, v->type, v->number, v->text);
    put_matrix(&f, "token_embd.weight", N_VOCAB, N_EMBD);
    put_vector(&f, "output_norm.weight", N_EMBD);
    for (uint32_t i = 0; i < n_layers; i++)
        put_layer(&f, i);
    if (v->extra_tensor)
        put_vector(&f, v->extra_tensor, 3);
    assert_int_equal(gguf_writer_save(&f.w, path), 0);
    gguf_writer_fini(&f.w);
}

static struct drift_load_params good_params(void)
{
    return (struct drift_load_params){.path = path, .kv_dtype = DRIFT_DTYPE_F16, .n_threads = 2};
}

static void test_load__good_file__takes_what_it_estimates(void **state)
{
    (void)state;
    write_model(&(struct variant){.extra_tensor = "blk.0.unheard_of"});
    struct drift_load_params params = good_params();
    struct drift_loaded_model *model = NULL;
    struct drift_error err = {0};
    struct drift_load_estimate e;
    struct drift_device_usage before, after;
    assert_int_equal(drift_load_open(&params, device, &model, &err), DRIFT_STATUS_OK);
    drift_load_get_estimate(model, &e);
    drift_device_get_usage(device, &before);
    drift_load_destroy(model);
    assert_int_equal(drift_load_all(&params, device, &model, &err), DRIFT_STATUS_OK);
    drift_device_get_usage(device, &after);
    assert_int_equal(after.weights_bytes - before.weights_bytes, e.weights_bytes);
    assert_int_equal(after.caches_bytes - before.caches_bytes, e.kv_bytes);
    assert_true(after.arena_bytes >= e.arena_bytes);
    assert_true(e.arena_bytes < e.arena_naive_bytes);
    assert_int_equal(e.n_pages, 4 * 128 / 32);
    assert_int_equal(e.kv_page_bytes,
                     2ull * 2 * 32 * 32 * 2); /* K and V, layers, rows, columns, f16 */
    assert_int_equal(drift_load_extra_tensors(model), 1);
    assert_int_equal(drift_load_n_vocab(model), N_VOCAB);
    assert_int_equal(drift_load_max_pages(model), 4);
    assert_string_equal(drift_load_arch_name(model), "llama");
    drift_load_destroy(model);
    drift_device_get_usage(device, &after);
    assert_int_equal(after.weights_bytes, before.weights_bytes);
    assert_int_equal(after.caches_bytes, before.caches_bytes);
}

static void test_load__gemma3__every_sixth_layer_is_global(void **state)
{
    (void)state;
    write_model(&(struct variant){.arch = "gemma3",
                                  .key = "attention.sliding_window",
                                  .type = GGUF_U32,
                                  .number = 8,
                                  .n_layers = 7});
    struct drift_load_params params = good_params();
    struct drift_loaded_model *model = NULL;
    struct drift_error err = {0};
    if (drift_load_open(&params, device, &model, &err) != DRIFT_STATUS_OK)
        fail_msg("%s", err.msg);
    const struct drift_hparams *h = drift_load_hparams(model);
    for (uint32_t i = 0; i < 7; i++)
        assert_int_equal(h->is_local[i], i != 5);
    assert_int_equal(h->window, 8);
    assert_true(h->embd_scale == 8.0f && h->rope_local.base == 10000.0f);
    drift_load_destroy(model);
}

static void test_load__broken_files__refused_by_name(void **state)
{
    (void)state;
    static const struct {
        struct variant variant;
        enum drift_status status;
        const char *text;
        /* clang-format off */
    } cases[] = {
        {{.arch = "mamba"}, DRIFT_STATUS_UNSUPPORTED, "\"mamba\" is not supported; supported are llama"},
        {{.drop = "general.architecture"}, DRIFT_STATUS_CORRUPT, "general.architecture is missing"},
        {{.drop = "block_count"}, DRIFT_STATUS_CORRUPT, "llama.block_count is missing"},
        {{.key = "block_count", .type = GGUF_STRING, .text = "two"}, DRIFT_STATUS_CORRUPT, "llama.block_count"},
        {{.key = "block_count", .type = GGUF_U32, .number = 0}, DRIFT_STATUS_CORRUPT, "llama.block_count is 0"},
        {{.key = "block_count", .type = GGUF_U32, .number = 4e9}, DRIFT_STATUS_UNSUPPORTED, "llama.block_count"},
        {{.key = "block_count", .type = GGUF_U32, .number = 3}, DRIFT_STATUS_CORRUPT, "tensor blk.2."},
        {{.key = "attention.head_count_kv", .type = GGUF_U32, .number = 3}, DRIFT_STATUS_CORRUPT, "3 K/V heads"},
        {{.key = "attention.head_count", .type = GGUF_U32, .number = 6}, DRIFT_STATUS_CORRUPT, "6 attention heads"},
        {{.key = "attention.value_length", .type = GGUF_U32, .number = 8}, DRIFT_STATUS_UNSUPPORTED, "values of 8"},
        {{.key = "attention.key_length", .type = GGUF_U32, .number = 1024}, DRIFT_STATUS_UNSUPPORTED, "key_length is 1024"},
        {{.key = "rope.dimension_count", .type = GGUF_U32, .number = 18}, DRIFT_STATUS_CORRUPT, "18 of a head's 16"},
        {{.key = "rope.dimension_count", .type = GGUF_U32, .number = 7}, DRIFT_STATUS_CORRUPT, "in pairs"},
        {{.key = "rope.freq_base", .type = GGUF_F32, .number = 0}, DRIFT_STATUS_CORRUPT, "rope.freq_base is 0"},
        {{.key = "rope.scaling.type", .type = GGUF_STRING, .text = "longrope"}, DRIFT_STATUS_UNSUPPORTED, "\"longrope\""},
        {{.key = "expert_count", .type = GGUF_U32, .number = 8}, DRIFT_STATUS_UNSUPPORTED, "llama.expert_count"},
        {{.drop = "token_embd.weight"}, DRIFT_STATUS_CORRUPT, "tensor token_embd.weight is missing"},
        {{.drop = "blk.1.ffn_down.weight"}, DRIFT_STATUS_CORRUPT, "tensor blk.1.ffn_down.weight is missing"},
        {{.reshape = "blk.1.ffn_up.weight"}, DRIFT_STATUS_CORRUPT, "tensor blk.1.ffn_up.weight is 96 x 96"},
        {{.reshape = "output_norm.weight"}, DRIFT_STATUS_CORRUPT, "tensor output_norm.weight is 65"},
        {{.retype = "output_norm.weight"}, DRIFT_STATUS_UNSUPPORTED, "output_norm.weight is F16, must be F32"},
        {{.retype = "blk.0.attn_q.weight"}, DRIFT_STATUS_UNSUPPORTED, "tensor blk.0.attn_q.weight has the data type"},
        {{.extra_tensor = "rope_freqs.weight"}, DRIFT_STATUS_CORRUPT, "tensor rope_freqs.weight is 3"},
        {{.extra_tensor = "blk.0.attn_q.bias"}, DRIFT_STATUS_CORRUPT, "tensor blk.0.attn_q.bias is 3"},
        {{.arch = "qwen2"}, DRIFT_STATUS_CORRUPT, "tensor blk.0.attn_q.bias is missing"},
        {{.arch = "qwen3"}, DRIFT_STATUS_CORRUPT, "tensor blk.0.attn_q_norm.weight is missing"},
    };
    /* clang-format on */
    for (size_t i = 0; i < DRIFT_COUNT_OF(cases); i++) {
        write_model(&cases[i].variant);
        struct drift_load_params params = good_params();
        struct drift_loaded_model *model = NULL;
        struct drift_error err = {0};
        enum drift_status status = drift_load_open(&params, device, &model, &err);
        if (status != cases[i].status || !strstr(err.msg, cases[i].text))
            fail_msg("case %zu: %s, \"%s\"; expected %s, \"%s\"", i, drift_status_name(status),
                     err.msg, drift_status_name(cases[i].status), cases[i].text);
        assert_null(model);
    }
}

static void test_load__bad_parameters__refused(void **state)
{
    (void)state;
    write_model(&(struct variant){0});
    struct drift_loaded_model *model = NULL;
    struct drift_error err = {0};
    struct drift_load_params params = good_params();
    params.ctx_tokens = 129;
    assert_int_equal(drift_load_open(&params, device, &model, &err), DRIFT_STATUS_INVALID);
    assert_non_null(strstr(err.msg, "129"));
    params = good_params();
    params.kv_tokens = UINT64_MAX;
    assert_int_equal(drift_load_open(&params, device, &model, &err), DRIFT_STATUS_LIMIT);
    params = good_params();
    params.kv_dtype = DRIFT_DTYPE_Q8_0;
    assert_int_equal(drift_load_open(&params, device, &model, &err), DRIFT_STATUS_UNSUPPORTED);
    params = good_params();
    params.path = "/nonexistent/model.gguf";
    assert_int_equal(drift_load_open(&params, device, &model, &err), DRIFT_STATUS_NOT_FOUND);
    assert_null(model);
}

static void count_progress(void *ctx, uint64_t done_bytes, uint64_t total_bytes)
{
    uint64_t *last = ctx;
    assert_true(done_bytes >= *last && done_bytes <= total_bytes);
    *last = done_bytes;
}

static void test_load__weights__progress_reaches_the_total_and_cancel_stops(void **state)
{
    (void)state;
    write_model(&(struct variant){0});
    struct drift_load_params params = good_params();
    struct drift_loaded_model *model = NULL;
    uint64_t last = 0;
    assert_int_equal(drift_load_open(&params, device, &model, NULL), DRIFT_STATUS_OK);
    assert_int_equal(drift_load_weights(model, count_progress, &last, NULL, NULL), DRIFT_STATUS_OK);
    assert_true(last > N_VOCAB * N_EMBD);
    drift_load_destroy(model);

    atomic_bool cancel = true;
    struct drift_error err = {0};
    last = 0;
    assert_int_equal(drift_load_open(&params, device, &model, NULL), DRIFT_STATUS_OK);
    assert_int_equal(drift_load_weights(model, count_progress, &last, &cancel, &err),
                     DRIFT_STATUS_CANCELLED);
    assert_int_equal(err.status, DRIFT_STATUS_CANCELLED);
    assert_int_equal(last, 0);
    drift_load_destroy(model);
}

/* The last token's logits of 40, with room for n_outputs rows per batch. */
static void last_logits(uint32_t n_outputs, enum drift_runner_logits wanted, float *ret)
{
    const struct drift_runner_params params = {
        .device = "cpu",
        .device_params = {.n_threads = 1              },
        .load = { .path = path,
                          .kv_dtype = DRIFT_DTYPE_F16,
                          .prefill_chunk_tokens = 64,
                          .prefill_outputs = n_outputs}
    };
    struct drift_runner *runner = NULL;
    int32_t tokens[40];
    static float logits[40 * N_VOCAB];
    for (int32_t i = 0; i < 40; i++)
        tokens[i] = i * 7 % (int32_t)N_VOCAB;
    assert_int_equal(drift_runner_create(&params, &runner, NULL), DRIFT_STATUS_OK);
    assert_int_equal(drift_runner_eval(runner, DRIFT_STAGE_TILED, tokens, 40, wanted, logits, NULL),
                     DRIFT_STATUS_OK);
    assert_int_equal(drift_runner_n_past(runner), 40);
    size_t row = wanted == DRIFT_RUNNER_LOGITS_ALL ? 39 : 0;
    memcpy(ret, logits + row * N_VOCAB, N_VOCAB * sizeof *ret);
    drift_runner_destroy(runner);
}

/* With fewer outputs than tokens the last layer runs on gathered rows only; nobody may notice. */
static void test_load__fewer_outputs__same_bytes(void **state)
{
    (void)state;
    write_model(&(struct variant){.arch = "gemma3"});
    float all[N_VOCAB], last[N_VOCAB];
    last_logits(64, DRIFT_RUNNER_LOGITS_ALL, all);
    last_logits(1, DRIFT_RUNNER_LOGITS_LAST, last);
    assert_true(all[0] != all[1]);
    assert_memory_equal(all, last, sizeof all);
}

static enum drift_status load_once(void *ctx)
{
    (void)ctx;
    struct drift_load_params params = good_params();
    params.n_threads = 1;
    struct drift_loaded_model *model = NULL;
    enum drift_status status = drift_load_all(&params, device, &model, NULL);
    drift_load_destroy(model);
    return status;
}

static void test_load__any_allocation_fails__clean_error(void **state)
{
    (void)state;
    write_model(&(struct variant){0});
    assert_true(drift_torture(load_once, NULL, 0) > 50);
}

static int set_up(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    if (fd < 0)
        return -1;
    close(fd);
    const struct drift_device_params params = {.n_threads = 1};
    return drift_device_open("cpu", &params, &device, NULL) == DRIFT_STATUS_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    drift_device_close(device);
    unlink(path);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_load__good_file__takes_what_it_estimates),
        cmocka_unit_test(test_load__gemma3__every_sixth_layer_is_global),
        cmocka_unit_test(test_load__broken_files__refused_by_name),
        cmocka_unit_test(test_load__bad_parameters__refused),
        cmocka_unit_test(test_load__weights__progress_reaches_the_total_and_cancel_stops),
        cmocka_unit_test(test_load__fewer_outputs__same_bytes),
        cmocka_unit_test(test_load__any_allocation_fails__clean_error),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
