/*
 * The front of the devices on the CPU backend: opening, arguments, batches, submission, accounting,
 * memory running out.
 *
 * One small program serves all: rows of an F32 table are written to the cache and attended to.
 */
#include "backends/backend.h"
#include "runtime/base/alloc.h"
#include "tests/unit/torture.h"
#include "tests/unit/unit.h"

#include <pthread.h>
#include <string.h>

#define N_VOCAB     20u
#define N_COLS      32u
#define PAGE_TOKENS 4u
#define MAX_TOKENS  8u

#define NONE DRIFT_TENSOR_NONE

struct fixture {
    struct drift_device *device;
    struct drift_weight *table;
    struct drift_cache *cache;
    struct drift_program *program;
    int32_t tokens[MAX_TOKENS], positions[MAX_TOKENS], sequences[MAX_TOKENS], slots[MAX_TOKENS];
    int32_t page_table[2 * 3], output_rows[2];
    float outputs[2 * N_COLS];
    struct drift_batch batch;
};

static float table_values[N_VOCAB * N_COLS];

static struct drift_tensor tensor(enum drift_tensor_role role, enum drift_dtype dtype,
                                  enum drift_rows rows, uint32_t n_rows, uint32_t n_cols)
{
    return (struct drift_tensor){.name = "t",
                                 .role = role,
                                 .dtype = dtype,
                                 .rows = rows,
                                 .n_rows = n_rows,
                                 .n_cols = n_cols};
}

static struct drift_tensor input(enum drift_input input, uint32_t n_rows, uint32_t n_cols)
{
    enum drift_rows rows = input == DRIFT_INPUT_PAGE_TABLE    ? DRIFT_ROWS_FIXED
                           : input == DRIFT_INPUT_OUTPUT_ROWS ? DRIFT_ROWS_OUTPUTS
                                                              : DRIFT_ROWS_TOKENS;
    struct drift_tensor t = tensor(DRIFT_TENSOR_INPUT, DRIFT_DTYPE_I32, rows, n_rows, n_cols);
    t.u.input = input;
    return t;
}

static enum drift_status create_program(struct fixture *f, struct drift_error *err)
{
    enum { TABLE, TOKENS, POSITIONS, SEQUENCES, SLOTS, PAGES, ROWS, K, V, X, A, OUT, N };
    struct drift_tensor t[N];
    t[TABLE] = tensor(DRIFT_TENSOR_WEIGHT, DRIFT_DTYPE_F32, DRIFT_ROWS_FIXED, N_VOCAB, N_COLS);
    t[TABLE].u.weight = f->table;
    t[TOKENS] = input(DRIFT_INPUT_TOKENS, MAX_TOKENS, 1);
    t[POSITIONS] = input(DRIFT_INPUT_POSITIONS, MAX_TOKENS, 1);
    t[SEQUENCES] = input(DRIFT_INPUT_SEQUENCES, MAX_TOKENS, 1);
    t[SLOTS] = input(DRIFT_INPUT_SLOTS, MAX_TOKENS, 1);
    t[PAGES] = input(DRIFT_INPUT_PAGE_TABLE, 2, 3);
    t[ROWS] = input(DRIFT_INPUT_OUTPUT_ROWS, 2, 1);
    for (int i = 0; i < 2; i++) {
        t[K + i] =
            tensor(DRIFT_TENSOR_CACHE, DRIFT_DTYPE_F32, DRIFT_ROWS_FIXED, 6 * PAGE_TOKENS, N_COLS);
        t[K + i].u.kv.cache = f->cache;
        t[K + i].u.kv.is_v = i == 1;
    }
    t[X] = tensor(DRIFT_TENSOR_ACTIVATION, DRIFT_DTYPE_F32, DRIFT_ROWS_TOKENS, MAX_TOKENS, N_COLS);
    t[A] = t[X];
    t[A].u.arena_offset = 1024;
    t[OUT] = tensor(DRIFT_TENSOR_OUTPUT, DRIFT_DTYPE_F32, DRIFT_ROWS_OUTPUTS, 2, N_COLS);
    t[OUT].u.arena_offset = 2048;
    const struct drift_op ops[] = {
        {DRIFT_OP_EMBED,
         {TABLE, TOKENS, NONE, NONE, NONE, NONE},
         {X, NONE},
         .attr.scale.factor = 1.0f                                                           },
        {DRIFT_OP_CACHE_WRITE, {X, X, SLOTS, K, V, NONE},         {NONE, NONE}, .attr = {{0}}},
        {DRIFT_OP_ATTENTION,
         {X, K, V, POSITIONS, SEQUENCES, PAGES},
         {A, NONE},
         .attr.attention = {2, 2, 16, 0, 0.25f, 0.0f}                                        },
        {DRIFT_OP_GATHER_ROWS, {A, ROWS, NONE, NONE, NONE, NONE}, {OUT, NONE},  .attr = {{0}}},
    };
    struct drift_plan plan = {.name = "test",
                              .stage = DRIFT_STAGE_TILED,
                              .max_tokens = MAX_TOKENS,
                              .max_outputs = 2,
                              .max_sequences = 2,
                              .max_pages = 3,
                              .tensors = t,
                              .n_tensors = N,
                              .ops = ops,
                              .n_ops = DRIFT_COUNT_OF(ops),
                              .arena_bytes = 2304};
    return drift_program_create(f->device, &plan, &f->program, err);
}

/* Two sequences: five tokens from position 3 on, and one at position 0. */
static void fill_batch(struct fixture *f)
{
    static const int32_t pages[6] = {5, 2, 0, 1, 0, 0};
    memcpy(f->page_table, pages, sizeof pages);
    for (int32_t t = 0; t < 6; t++) {
        int32_t s = t == 5 ? 1 : 0;
        f->tokens[t] = t + 3;
        f->sequences[t] = s;
        f->positions[t] = s ? 0 : 3 + t;
        f->slots[t] = pages[3 * s + f->positions[t] / 4] * 4 + f->positions[t] % 4;
    }
    f->output_rows[0] = 4;
    f->output_rows[1] = 5;
    f->batch = (struct drift_batch){.n_tokens = 6,
                                    .n_outputs = 2,
                                    .n_sequences = 2,
                                    .tokens = f->tokens,
                                    .positions = f->positions,
                                    .sequences = f->sequences,
                                    .slots = f->slots,
                                    .page_table = f->page_table,
                                    .output_rows = f->output_rows,
                                    .outputs = f->outputs};
}

static enum drift_status open_all(struct fixture *f, struct drift_error *err)
{
    struct drift_device_params params = {.n_threads = 2};
    struct drift_weight_desc weight = {"table", DRIFT_DTYPE_F32,     N_VOCAB,
                                       N_COLS,  DRIFT_WEIGHT_LOOKUP, table_values};
    struct drift_cache_desc cache = {1, 6, PAGE_TOKENS, 2, 16, DRIFT_DTYPE_F32};
    memset(f, 0, sizeof *f);
    for (size_t i = 0; i < DRIFT_COUNT_OF(table_values); i++)
        table_values[i] = (float)(i * 37 % 101) / 50.0f - 1.0f;
    enum drift_status status = drift_device_open("cpu", &params, &f->device, err);
    if (status == DRIFT_STATUS_OK)
        status = drift_weight_create(f->device, &weight, &f->table, err);
    if (status == DRIFT_STATUS_OK)
        status = drift_cache_create(f->device, &cache, &f->cache, err);
    if (status == DRIFT_STATUS_OK)
        status = create_program(f, err);
    fill_batch(f);
    return status;
}

static void close_all(struct fixture *f)
{
    drift_program_destroy(f->program);
    drift_cache_destroy(f->cache);
    drift_weight_destroy(f->table);
    drift_device_close(f->device);
}

static int set_up(void **state)
{
    static struct fixture fixture;
    struct drift_error err;
    *state = &fixture;
    if (open_all(&fixture, &err) != DRIFT_STATUS_OK)
        return -1;
    return drift_device_reserve_arena(fixture.device, 2304, &err) == DRIFT_STATUS_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    close_all(*state);
    return 0;
}

static void test_backend__list__has_a_usable_cpu(void **state)
{
    (void)state;
    struct drift_device_info infos[8];
    size_t n;
    drift_device_list(infos, 8, &n);
    assert_true(n >= 2); /* a missing driver is an entry too */
    assert_string_equal(infos[0].id, "cpu");
    assert_true(infos[0].usable && !infos[0].is_gpu && infos[0].memory_bytes > 0);
    assert_non_null(strstr(infos[0].note, "portable"));
}

static void test_backend__open__refuses_what_is_not_there(void **state)
{
    (void)state;
    static const struct {
        const char *id;
        struct drift_device_params params;
        enum drift_status status;
        const char *says;
    } cases[] = {
        {"toaster", {.n_threads = 1},      DRIFT_STATUS_NOT_FOUND, "there are: cpu"},
        {"cpu:1",   {.n_threads = 1},      DRIFT_STATUS_NOT_FOUND, "cpu:1"         },
        {"cpu:",    {.n_threads = 1},      DRIFT_STATUS_NOT_FOUND, "cpu:"          },
        {"cpu:x",   {.n_threads = 1},      DRIFT_STATUS_NOT_FOUND, "cpu:x"         },
        {"",        {.n_threads = 1},      DRIFT_STATUS_NOT_FOUND, "there are"     },
        {"cpu",     {.cpu_isa = "mmx"},    DRIFT_STATUS_NOT_FOUND, "mmx"           },
        {"cpu",     {.n_threads = 100000}, DRIFT_STATUS_INVALID,   "100000"        },
    };
    for (size_t i = 0; i < DRIFT_COUNT_OF(cases); i++) {
        struct drift_device *device = NULL;
        struct drift_error err = {0};
        assert_int_equal(drift_device_open(cases[i].id, &cases[i].params, &device, &err),
                         cases[i].status);
        assert_null(device);
        assert_non_null(strstr(err.msg, cases[i].says));
    }
}

static void test_backend__weight__arguments_checked(void **state)
{
    struct fixture *f = *state;
    static const struct drift_weight_desc broken[] = {
        {"w", DRIFT_DTYPE_I32,   1, 32,         DRIFT_WEIGHT_MATMUL, table_values},
        {"w", DRIFT_DTYPE_COUNT, 1, 32,         DRIFT_WEIGHT_MATMUL, table_values},
        {"w", DRIFT_DTYPE_F32,   0, 32,         DRIFT_WEIGHT_MATMUL, table_values},
        {"w", DRIFT_DTYPE_F32,   1, 0,          DRIFT_WEIGHT_MATMUL, table_values},
        {"w", DRIFT_DTYPE_F32,   1, UINT32_MAX, DRIFT_WEIGHT_MATMUL, table_values},
        {"w", DRIFT_DTYPE_Q4_0,  1, 33,         DRIFT_WEIGHT_MATMUL, table_values},
        {"w", DRIFT_DTYPE_F32,   1, 32,         0,                   table_values},
        {"w", DRIFT_DTYPE_F32,   1, 32,         8,                   table_values},
        {"w", DRIFT_DTYPE_F32,   2, 32,         DRIFT_WEIGHT_VECTOR, table_values},
        {"w", DRIFT_DTYPE_F16,   1, 32,         DRIFT_WEIGHT_VECTOR, table_values},
        {"w", DRIFT_DTYPE_F32,   1, 32,         DRIFT_WEIGHT_MATMUL, NULL        },
    };
    for (size_t i = 0; i < DRIFT_COUNT_OF(broken); i++) {
        struct drift_weight *weight = NULL;
        assert_int_equal(drift_weight_create(f->device, &broken[i], &weight, NULL),
                         DRIFT_STATUS_INVALID);
        assert_null(weight);
    }
}

static void test_backend__cache__arguments_checked(void **state)
{
    struct fixture *f = *state;
    static const struct drift_cache_desc broken[] = {
        {1,          4,        16,       2,        16,  DRIFT_DTYPE_Q8_0},
        {0,          4,        16,       2,        16,  DRIFT_DTYPE_F16 },
        {1,          0,        16,       2,        16,  DRIFT_DTYPE_F16 },
        {1,          4,        0,        2,        16,  DRIFT_DTYPE_F16 },
        {1,          4,        16,       0,        16,  DRIFT_DTYPE_F16 },
        {1,          4,        16,       2,        513, DRIFT_DTYPE_F16 },
        {1,          1u << 20, 1u << 12, 2,        16,  DRIFT_DTYPE_F16 },
        {UINT32_MAX, 1u << 20, 1024,     1u << 20, 512, DRIFT_DTYPE_F16 },
    };
    for (size_t i = 0; i < DRIFT_COUNT_OF(broken); i++) {
        struct drift_cache *cache = NULL;
        assert_int_equal(drift_cache_create(f->device, &broken[i], &cache, NULL),
                         DRIFT_STATUS_INVALID);
        assert_null(cache);
    }
}

static void test_backend__batch__runs(void **state)
{
    struct fixture *f = *state;
    struct drift_error err = {0};
    assert_int_equal(drift_program_run(f->program, &f->batch, &err), DRIFT_STATUS_OK);
    /* The lone token sees only itself: its attention is its own V. */
    assert_memory_equal(f->outputs + N_COLS, table_values + 8 * N_COLS, N_COLS * sizeof(float));
}

#define BREAKS(CASE_)                                                                              \
    CASE_(b->n_tokens = 0, "no tokens")                                                            \
    CASE_(b->n_tokens = MAX_TOKENS + 1, "more than the program")                                   \
    CASE_(b->n_outputs = 3, "more outputs")                                                        \
    CASE_(b->n_sequences = 0, "no sequences")                                                      \
    CASE_(b->n_sequences = 3, "more than the program")                                             \
    CASE_(b->tokens = NULL, "missing")                                                             \
    CASE_(b->outputs = NULL, "missing")                                                            \
    CASE_(b->slots = NULL, "missing")                                                              \
    CASE_(f->tokens[1] = -1, "token is out of range")                                              \
    CASE_(f->tokens[1] = (int32_t)N_VOCAB, "token is out of range")                                \
    CASE_(f->sequences[5] = 2, "sequence is out of range")                                         \
    CASE_(f->sequences[5] = -1, "sequence is out of range")                                        \
    CASE_(f->sequences[2] = 1, "not adjacent")                                                     \
    CASE_(f->positions[0] = -1, "negative")                                                        \
    CASE_(f->positions[2] = 4, "ascend")                                                           \
    CASE_(f->positions[4] = 12, "beyond the page table")                                           \
    CASE_(f->slots[3]++, "slot")                                                                   \
    CASE_(f->page_table[2] = 6, "page is out of range")                                            \
    CASE_(f->page_table[5] = -1, "page is out of range")                                           \
    CASE_(f->output_rows[1] = 6, "output row")                                                     \
    CASE_(f->output_rows[0] = -1, "output row")

static void test_backend__broken_batch__refused_with_the_reason(void **state)
{
    struct fixture *f = *state;
    struct drift_batch *b = &f->batch;
#define CASE(edit, says)                                                                           \
    do {                                                                                           \
        struct drift_error err = {0};                                                              \
        fill_batch(f);                                                                             \
        edit;                                                                                      \
        enum drift_status status = drift_program_run(f->program, b, &err);                         \
        if (status != DRIFT_STATUS_INVALID || !strstr(err.msg, says))                              \
            fail_msg("%s: status %s, message \"%s\"", #edit, drift_status_name(status), err.msg);  \
    } while (0);
    BREAKS(CASE)
    fill_batch(f);
    assert_int_equal(drift_program_run(f->program, b, NULL), DRIFT_STATUS_OK);
}

static void test_backend__arena_too_small__refused(void **state)
{
    (void)state;
    struct fixture f;
    struct drift_error err = {0};
    assert_int_equal(open_all(&f, &err), DRIFT_STATUS_OK);
    assert_int_equal(drift_program_run(f.program, &f.batch, &err), DRIFT_STATUS_INVALID);
    assert_non_null(strstr(err.msg, "arena"));
    close_all(&f);
}

struct counter {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    uint32_t n_done, n_bad;
};

static void count_done(void *ctx, enum drift_status status, const struct drift_error *err)
{
    struct counter *counter = ctx;
    (void)err;
    pthread_mutex_lock(&counter->mutex);
    counter->n_done++;
    counter->n_bad += status != DRIFT_STATUS_OK;
    pthread_cond_signal(&counter->cond);
    pthread_mutex_unlock(&counter->mutex);
}

static void test_backend__many_submissions__each_completes_once_or_is_refused_busy(void **state)
{
    struct fixture *f = *state;
    struct counter counter = {.mutex = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};
    uint32_t n_accepted = 0;
    for (int i = 0; i < 500; i++) {
        enum drift_status status =
            drift_program_submit(f->program, &f->batch, count_done, &counter, NULL);
        assert_true(status == DRIFT_STATUS_OK || status == DRIFT_STATUS_BUSY);
        n_accepted += status == DRIFT_STATUS_OK;
    }
    pthread_mutex_lock(&counter.mutex);
    while (counter.n_done < n_accepted)
        pthread_cond_wait(&counter.cond, &counter.mutex);
    pthread_mutex_unlock(&counter.mutex);
    assert_true(n_accepted > 0);
    assert_int_equal(counter.n_done, n_accepted);
    assert_int_equal(counter.n_bad, 0);
}

static void test_backend__usage__is_what_the_estimates_say_and_returns_to_zero(void **state)
{
    (void)state;
    struct fixture f;
    struct drift_device_usage usage;
    uint8_t blocks[40 * 18] = {0};
    struct drift_weight_desc desc = {"w", DRIFT_DTYPE_Q4_0, 40, 32, DRIFT_WEIGHT_MATMUL, blocks};
    struct drift_weight *weight;
    assert_int_equal(open_all(&f, NULL), DRIFT_STATUS_OK);
    assert_int_equal(drift_weight_create(f.device, &desc, &weight, NULL), DRIFT_STATUS_OK);
    assert_true(drift_weight_is_copied(weight));
    assert_false(drift_weight_is_copied(f.table));
    drift_device_get_usage(f.device, &usage);
    assert_int_equal(usage.weights_bytes, drift_weight_bytes(f.device, &desc));
    assert_true(usage.weights_bytes >= sizeof blocks);
    struct drift_cache_desc cache = {1, 6, PAGE_TOKENS, 2, 16, DRIFT_DTYPE_F32};
    assert_int_equal(usage.caches_bytes, drift_cache_bytes(f.device, &cache));
    assert_true(usage.caches_bytes >= 2 * 6 * PAGE_TOKENS * N_COLS * sizeof(float));
    struct drift_program_info info;
    drift_program_get_info(f.program, &info);
    assert_int_equal(usage.programs_bytes, info.bytes);
    assert_true(info.n_dispatches > 0 && info.bytes > 0);
    drift_weight_destroy(weight);
    drift_program_destroy(f.program);
    drift_cache_destroy(f.cache);
    drift_weight_destroy(f.table);
    drift_device_get_usage(f.device, &usage);
    assert_int_equal(usage.weights_bytes + usage.caches_bytes + usage.programs_bytes, 0);
    drift_device_close(f.device);
}

static enum drift_status run_everything(void *ctx)
{
    struct fixture *f = ctx;
    struct drift_error err = {0};
    enum drift_status status = open_all(f, &err);
    if (status == DRIFT_STATUS_OK)
        status = drift_device_reserve_arena(f->device, 2304, &err);
    uint64_t live = drift_alloc_live_bytes(DRIFT_TAG_COUNT);
    if (status == DRIFT_STATUS_OK)
        status = drift_program_run(f->program, &f->batch, &err);
    assert_int_equal(drift_alloc_live_bytes(DRIFT_TAG_COUNT), live); /* a step allocates nothing */
    close_all(f);
    return status;
}

static void test_backend__memory_runs_out_anywhere__refused_and_nothing_leaks(void **state)
{
    (void)state;
    struct fixture f;
    assert_true(drift_torture(run_everything, &f, 0) > 5);
    assert_true(drift_torture(run_everything, &f, 1) > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_backend__list__has_a_usable_cpu),
        cmocka_unit_test(test_backend__open__refuses_what_is_not_there),
        cmocka_unit_test_setup_teardown(test_backend__weight__arguments_checked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_backend__cache__arguments_checked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_backend__batch__runs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_backend__broken_batch__refused_with_the_reason, set_up,
                                        tear_down),
        cmocka_unit_test(test_backend__arena_too_small__refused),
        cmocka_unit_test_setup_teardown(
            test_backend__many_submissions__each_completes_once_or_is_refused_busy, set_up,
            tear_down),
        cmocka_unit_test(test_backend__memory_runs_out_anywhere__refused_and_nothing_leaks),
        cmocka_unit_test(test_backend__usage__is_what_the_estimates_say_and_returns_to_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
