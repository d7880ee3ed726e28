/*
 * The OpenCL device through the front: a small plan from tokens to logits, batches in any company,
 * submissions, accounting, the arena moving, memory running out. Needs a driver (PoCL in CI);
 * without one it fails.
 */
#include "backends/backend.h"
#include "backends/gpu/gpu_device.h"
#include "runtime/base/alloc.h"
#include "tests/unit/torture.h"
#include "tests/unit/unit.h"

#include <math.h>
#include <pthread.h>
#include <string.h>

#define N_VOCAB    40u
#define N_COLS     64u
#define MAX_TOKENS 16u
#define NONE       DRIFT_TENSOR_NONE

/* 32 values a block: half d, 32 signed bytes. */
static uint8_t q8_rows[N_VOCAB * N_COLS / 32 * 34];
static float norm_values[N_COLS];

struct fixture {
    struct drift_device *device;
    struct drift_weight *table, *norm;
    struct drift_program *programs[DRIFT_STAGE_COUNT];
    int32_t tokens[MAX_TOKENS], positions[MAX_TOKENS], sequences[MAX_TOKENS], rows[MAX_TOKENS];
};

static void fill_weights(void)
{
    for (size_t i = 0; i < sizeof q8_rows; i++)
        q8_rows[i] = (uint8_t)(i * 97 % 251);
    for (size_t block = 0; block < sizeof q8_rows / 34; block++) {
        q8_rows[block * 34] = (uint8_t)block;
        q8_rows[block * 34 + 1] = 0x1c; /* about 1 / 256 */
    }
    for (size_t i = 0; i < N_COLS; i++)
        norm_values[i] = 0.5f + (float)(i % 7) / 8.0f;
}

/* embed -> norm -> matmul with the same table -> + itself scaled: logits. The last two are linked
 * to the matmul. */
static enum drift_status create_program(struct fixture *f, enum drift_stage stage,
                                        struct drift_error *err)
{
    enum { TABLE, NORM, TOKENS, ROWS, X, Y, G, L, OUT, N };
    const uint32_t row = MAX_TOKENS * N_COLS * 4;
    struct drift_tensor t[N] = {
        [TABLE] = {"table",
                   DRIFT_TENSOR_WEIGHT,     DRIFT_DTYPE_Q8_0,
                   DRIFT_ROWS_FIXED,   N_VOCAB,
                   N_COLS,  {.weight = f->table}              },
        [NORM] = {"norm",
                   DRIFT_TENSOR_WEIGHT,     DRIFT_DTYPE_F32,
                   DRIFT_ROWS_FIXED,   1,
                   N_COLS,  {.weight = f->norm}               },
        [TOKENS] = {"tokens",
                   DRIFT_TENSOR_INPUT,      DRIFT_DTYPE_I32,
                   DRIFT_ROWS_TOKENS,  MAX_TOKENS,
                   1,       {.input = DRIFT_INPUT_TOKENS}     },
        [ROWS] = {"rows",
                   DRIFT_TENSOR_INPUT,      DRIFT_DTYPE_I32,
                   DRIFT_ROWS_OUTPUTS, MAX_TOKENS,
                   1,       {.input = DRIFT_INPUT_OUTPUT_ROWS}},
        [X] = {"x",
                   DRIFT_TENSOR_ACTIVATION, DRIFT_DTYPE_F32,
                   DRIFT_ROWS_TOKENS,  MAX_TOKENS,
                   N_COLS,  {.arena_offset = 0}               },
        [Y] = {"y",
                   DRIFT_TENSOR_ACTIVATION, DRIFT_DTYPE_F32,
                   DRIFT_ROWS_TOKENS,  MAX_TOKENS,
                   N_COLS,  {.arena_offset = row}             },
        [G] = {"g",
                   DRIFT_TENSOR_ACTIVATION, DRIFT_DTYPE_F32,
                   DRIFT_ROWS_OUTPUTS, MAX_TOKENS,
                   N_COLS,  {.arena_offset = 2 * row}         },
        [L] = {"l",
                   DRIFT_TENSOR_ACTIVATION, DRIFT_DTYPE_F32,
                   DRIFT_ROWS_OUTPUTS, MAX_TOKENS,
                   N_VOCAB, {.arena_offset = 0}               },
        [OUT] = {"out",
                   DRIFT_TENSOR_OUTPUT,     DRIFT_DTYPE_F32,
                   DRIFT_ROWS_OUTPUTS, MAX_TOKENS,
                   N_VOCAB, {.arena_offset = row}             },
    };
    const struct drift_op ops[] = {
        {DRIFT_OP_EMBED,
         {TABLE, TOKENS, NONE, NONE, NONE, NONE},
         {X, NONE},
         .attr.scale.factor = 2.0f                                                         },
        {DRIFT_OP_RMS_NORM,
         {X, NORM, NONE, NONE, NONE, NONE},
         {Y, NONE},
         .attr.norm = {1e-5f, N_COLS}                                                      },
        {DRIFT_OP_GATHER_ROWS, {Y, ROWS, NONE, NONE, NONE, NONE},  {G, NONE}, .attr = {{0}}},
        {DRIFT_OP_MATMUL,      {G, TABLE, NONE, NONE, NONE, NONE}, {L, NONE}, .attr = {{0}}},
        {DRIFT_OP_SOFTCAP,
         {L, NONE, NONE, NONE, NONE, NONE},
         {OUT, NONE},
         .attr.softcap.cap = 3.0f                                                          },
    };
    const struct drift_plan plan = {.name = "test",
                                    .stage = stage,
                                    .max_tokens = MAX_TOKENS,
                                    .max_outputs = MAX_TOKENS,
                                    .max_sequences = 1,
                                    .max_pages = 1,
                                    .tensors = t,
                                    .n_tensors = N,
                                    .ops = ops,
                                    .n_ops = DRIFT_COUNT_OF(ops),
                                    .arena_bytes = 3 * row};
    return drift_program_create(f->device, &plan, &f->programs[stage], err);
}

static enum drift_status load(struct fixture *f, struct drift_error *err)
{
    struct drift_weight_desc table = {.name = "table",
                                      .dtype = DRIFT_DTYPE_Q8_0,
                                      .n_rows = N_VOCAB,
                                      .n_cols = N_COLS,
                                      .use = DRIFT_WEIGHT_LOOKUP | DRIFT_WEIGHT_MATMUL,
                                      .data = q8_rows};
    struct drift_weight_desc norm = {.name = "norm",
                                     .dtype = DRIFT_DTYPE_F32,
                                     .n_rows = 1,
                                     .n_cols = N_COLS,
                                     .use = DRIFT_WEIGHT_VECTOR,
                                     .data = norm_values};
    enum drift_status status = drift_weight_create(f->device, &table, &f->table, err);
    if (status == DRIFT_STATUS_OK)
        status = drift_weight_create(f->device, &norm, &f->norm, err);
    for (enum drift_stage s = 0; s < DRIFT_STAGE_COUNT && status == DRIFT_STATUS_OK; s++)
        status = create_program(f, s, err);
    if (status == DRIFT_STATUS_OK)
        status = drift_device_reserve_arena(f->device, 3 * MAX_TOKENS * N_COLS * 4, err);
    for (int32_t i = 0; i < (int32_t)MAX_TOKENS; i++) {
        f->tokens[i] = i * 7 % (int32_t)N_VOCAB;
        f->positions[i] = f->rows[i] = i;
        f->sequences[i] = 0;
    }
    return status;
}

static void unload(struct fixture *f)
{
    for (enum drift_stage s = 0; s < DRIFT_STAGE_COUNT; s++)
        drift_program_destroy(f->programs[s]);
    drift_weight_destroy(f->norm);
    drift_weight_destroy(f->table);
}

static enum drift_status open_all(struct fixture *f, const char *id, struct drift_error *err)
{
    memset(f, 0, sizeof *f);
    fill_weights();
    enum drift_status status = drift_device_open(id, NULL, &f->device, err);
    return status == DRIFT_STATUS_OK ? load(f, err) : status;
}

static void close_all(struct fixture *f)
{
    unload(f);
    drift_device_close(f->device);
}

static struct drift_batch batch_of(struct fixture *f, uint32_t first, uint32_t n, float *outputs)
{
    return (struct drift_batch){.n_tokens = n,
                                .n_outputs = n,
                                .n_sequences = 1,
                                .tokens = f->tokens + first,
                                .positions = f->positions + first,
                                .sequences = f->sequences + first,
                                .output_rows = f->rows,
                                .outputs = outputs};
}

static void run(struct fixture *f, enum drift_stage stage, uint32_t first, uint32_t n,
                float *outputs)
{
    struct drift_error err = {0};
    struct drift_batch batch = batch_of(f, first, n, outputs);
    if (drift_program_run(f->programs[stage], &batch, &err) != DRIFT_STATUS_OK)
        fail_msg("%s", err.msg);
}

static int set_up(void **state)
{
    static struct fixture fixture;
    struct drift_error err = {0};
    *state = &fixture;
    enum drift_status status = open_all(&fixture, "opencl:0", &err);
    if (status != DRIFT_STATUS_OK)
        print_error("%s\n", err.msg);
    return status == DRIFT_STATUS_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    close_all(*state);
    return 0;
}

static void test_opencl__logits__agree_with_the_cpu(void **state)
{
    struct fixture *f = *state, cpu;
    struct drift_error err = {0};
    float on_gpu[MAX_TOKENS * N_VOCAB], on_cpu[MAX_TOKENS * N_VOCAB];
    assert_int_equal(open_all(&cpu, "cpu", &err), DRIFT_STATUS_OK);
    run(f, DRIFT_STAGE_TILED, 0, MAX_TOKENS, on_gpu);
    run(&cpu, DRIFT_STAGE_TILED, 0, MAX_TOKENS, on_cpu);
    close_all(&cpu);
    float largest = 0.0f;
    for (size_t i = 0; i < DRIFT_COUNT_OF(on_gpu); i++) {
        assert_true(fabsf(on_gpu[i] - on_cpu[i]) < 0.03f); /* the CPU quantizes activations */
        largest = fmaxf(largest, fabsf(on_gpu[i]));
    }
    assert_true(largest > 0.5f && largest <= 3.0f);
}

static void test_opencl__rows__are_the_same_bits_in_any_company(void **state)
{
    struct fixture *f = *state;
    float all[MAX_TOKENS * N_VOCAB], some[MAX_TOKENS * N_VOCAB];
    for (enum drift_stage stage = 0; stage < DRIFT_STAGE_COUNT; stage++) {
        run(f, stage, 0, MAX_TOKENS, all);
        for (uint32_t n = 1; n < MAX_TOKENS; n++) {
            uint32_t first = MAX_TOKENS - n;
            run(f, stage, first, n, some);
            assert_memory_equal(some, all + first * N_VOCAB, n * N_VOCAB * sizeof *some);
        }
    }
}

static void test_opencl__elementwise__costs_no_dispatch(void **state)
{
    struct fixture *f = *state;
    struct drift_program_info info;
    drift_program_get_info(f->programs[DRIFT_STAGE_THIN], &info);
    assert_int_equal(info.n_dispatches, 4); /* five ops; the soft cap is in the matmul's Write */
}

/* Completions of submissions that were made without waiting. */
struct counter {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    uint32_t n_done, n_failed;
};

static void count_done(void *ctx, enum drift_status status, const struct drift_error *err)
{
    struct counter *counter = ctx;
    (void)err;
    pthread_mutex_lock(&counter->mutex);
    counter->n_done++;
    counter->n_failed += status != DRIFT_STATUS_OK;
    pthread_cond_signal(&counter->cond);
    pthread_mutex_unlock(&counter->mutex);
}

static void test_opencl__submissions__complete_once_each_and_in_order(void **state)
{
    struct fixture *f = *state;
    struct counter counter = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0};
    static float outputs[64][2 * N_VOCAB];
    float expected[2 * N_VOCAB];
    uint32_t n = 0, n_busy = 0;
    run(f, DRIFT_STAGE_THIN, 3, 2, expected);
    while (n < 64) {
        struct drift_error err = {0};
        struct drift_batch batch = batch_of(f, 3, 2, outputs[n]);
        enum drift_status status =
            drift_program_submit(f->programs[DRIFT_STAGE_THIN], &batch, count_done, &counter, &err);
        if (status == DRIFT_STATUS_BUSY) {
            pthread_mutex_lock(&counter.mutex);
            while (counter.n_done < n)
                pthread_cond_wait(&counter.cond, &counter.mutex);
            pthread_mutex_unlock(&counter.mutex);
            assert_true(++n_busy < 1000);
            continue;
        }
        assert_int_equal(status, DRIFT_STATUS_OK);
        n++;
    }
    pthread_mutex_lock(&counter.mutex);
    while (counter.n_done < n)
        pthread_cond_wait(&counter.cond, &counter.mutex);
    pthread_mutex_unlock(&counter.mutex);
    assert_int_equal(counter.n_done, 64);
    assert_int_equal(counter.n_failed, 0);
    for (size_t i = 0; i < 64; i++)
        assert_memory_equal(outputs[i], expected, sizeof expected);
}

static void test_opencl__arena__may_move_between_batches(void **state)
{
    struct fixture *f = *state;
    struct drift_error err = {0};
    struct drift_device_usage usage;
    float before[N_VOCAB], after[N_VOCAB];
    run(f, DRIFT_STAGE_THIN, 2, 1, before);
    assert_int_equal(drift_device_reserve_arena(f->device, 1u << 20, &err), DRIFT_STATUS_OK);
    drift_device_get_usage(f->device, &usage);
    assert_true(usage.arena_bytes >= 1u << 20);
    run(f, DRIFT_STAGE_THIN, 2, 1, after);
    assert_memory_equal(before, after, sizeof before);
}

static void test_opencl__usage__counts_what_is_held(void **state)
{
    (void)state;
    struct fixture f;
    struct drift_error err = {0};
    struct drift_device_usage usage;
    struct drift_cache *cache;
    struct drift_cache_desc desc = {2, 3, 8, 2, 16, DRIFT_DTYPE_F16};
    assert_int_equal(open_all(&f, "opencl:0", &err), DRIFT_STATUS_OK);
    drift_device_get_usage(f.device, &usage);
    /* Q8_0 in groups of 16 rows: 40 rows are held as 48; 34 bytes a block. The vector is 64 floats.
     */
    assert_int_equal(usage.weights_bytes, 48 * 2 * 34 + 64 * 4);
    assert_int_equal(usage.caches_bytes, 0);
    assert_int_equal(drift_cache_create(f.device, &desc, &cache, &err), DRIFT_STATUS_OK);
    drift_device_get_usage(f.device, &usage);
    assert_int_equal(usage.caches_bytes, 2 * 2 * 3 * 8 * 2 * 16 * 2);
    assert_int_equal(usage.caches_bytes, drift_cache_bytes(f.device, &desc));
    drift_cache_destroy(cache);
    for (enum drift_stage s = 0; s < DRIFT_STAGE_COUNT; s++) {
        drift_program_destroy(f.programs[s]);
        f.programs[s] = NULL;
    }
    drift_device_get_usage(f.device, &usage);
    assert_int_equal(usage.caches_bytes, 0);
    assert_int_equal(usage.programs_bytes, 0);
    close_all(&f);
}

static void test_opencl__too_large__is_refused_with_the_numbers(void **state)
{
    struct fixture *f = *state;
    struct drift_error err = {0};
    uint64_t limit = drift_device_get_info(f->device)->max_allocation_bytes;
    assert_true(limit > 0);
    assert_int_equal(drift_device_reserve_arena(f->device, limit + 1, &err), DRIFT_STATUS_LIMIT);
    assert_non_null(strstr(err.msg, "OpenCL allocation"));
}

static void test_opencl__profile__unknown_is_refused(void **state)
{
    (void)state;
    struct drift_device *device;
    struct drift_error err = {0};
    struct drift_device_params params = {.gpu_profile = "toaster"};
    assert_int_equal(drift_device_open("opencl:0", &params, &device, &err), DRIFT_STATUS_NOT_FOUND);
    assert_non_null(strstr(err.msg, "toaster"));
}

static void test_opencl__broken_kernel__shows_the_compilers_words(void **state)
{
    struct fixture *f = *state;
    struct drift_gpu_device *device = (struct drift_gpu_device *)f->device;
    struct drift_gpu_kernel *kernel;
    struct drift_error err = {0};
    char text[] = "__kernel void drift_main(void) { undeclared_thing = 1; }";
    struct drift_gpu_kernel_source source = {.text = text};
    assert_int_equal(device->gpu->api->kernel_create(device->gpu, &source, "broken", &kernel, &err),
                     DRIFT_STATUS_DEVICE);
    assert_true(err.native != 0);
    assert_non_null(strstr(err.msg, "undeclared_thing"));
}

static void test_opencl__sources__can_be_dumped(void **state)
{
    struct fixture *f = *state;
    const char *name, *text;
    uint32_t n = 0, n_matmul = 0;
    while ((text = drift_gpu_kernel_text((struct drift_gpu_device *)f->device, n, &name)) != NULL) {
        assert_non_null(strstr(text, "drift_main"));
        assert_null(strstr(text, "args."));
        n_matmul += strcmp(name, "matmul_lanes") == 0;
        n++;
    }
    assert_true(n >= 4 && n_matmul >= 1);
}

/* Weights, programs and a batch on an open device, whose compiled kernels stay. */
static enum drift_status life_of_a_model(void *ctx)
{
    struct fixture f = {.device = ctx};
    struct drift_error err = {0};
    float outputs[2 * N_VOCAB];
    enum drift_status status = load(&f, &err);
    if (status == DRIFT_STATUS_OK) {
        struct drift_batch batch = batch_of(&f, 0, 2, outputs);
        status = drift_program_run(f.programs[DRIFT_STAGE_THIN], &batch, &err);
    }
    unload(&f);
    return status;
}

static enum drift_status life_of_a_device(void *ctx)
{
    struct drift_device *device;
    struct drift_error err = {0};
    (void)ctx;
    enum drift_status status = drift_device_open("opencl:0", NULL, &device, &err);
    if (status == DRIFT_STATUS_OK)
        drift_device_close(device);
    return status;
}

static void test_opencl__failing_allocations__are_reported_and_leak_nothing(void **state)
{
    struct fixture *f = *state;
    assert_true(drift_torture(life_of_a_model, f->device, 1) > 10);
    assert_true(drift_torture(life_of_a_device, NULL, 1) >= 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_opencl__logits__agree_with_the_cpu),
        TEST(test_opencl__rows__are_the_same_bits_in_any_company),
        TEST(test_opencl__elementwise__costs_no_dispatch),
        TEST(test_opencl__submissions__complete_once_each_and_in_order),
        TEST(test_opencl__arena__may_move_between_batches),
        cmocka_unit_test(test_opencl__usage__counts_what_is_held),
        TEST(test_opencl__too_large__is_refused_with_the_numbers),
        cmocka_unit_test(test_opencl__profile__unknown_is_refused),
        TEST(test_opencl__broken_kernel__shows_the_compilers_words),
        TEST(test_opencl__sources__can_be_dumped),
        TEST(test_opencl__failing_allocations__are_reported_and_leak_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
