/* graph.h: what builders rely on: shapes checked, failures that stick, passes, a plan whose memory
 * holds. */
#include "runtime/graph/graph.h"

#include "runtime/base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define N_EMBD  8u
#define N_FF    16u
#define N_VOCAB 32u

static struct drift_graph *make_graph(enum drift_stage stage, uint32_t n_tokens, uint32_t n_outputs)
{
    struct drift_graph *graph = NULL;
    const struct drift_graph_params params = {.name = "test",
                                              .stage = stage,
                                              .max_tokens = n_tokens,
                                              .max_outputs = n_outputs,
                                              .max_sequences = 2,
                                              .max_pages = 4};
    assert_int_equal(drift_graph_create(&params, &graph, NULL), DRIFT_STATUS_OK);
    return graph;
}

static uint32_t weight(struct drift_graph *graph, const char *name, uint32_t n_rows,
                       uint32_t n_cols)
{
    return drift_graph_weight(graph, name, DRIFT_DTYPE_F32, n_rows, n_cols, NULL);
}

/* One small transformer block with everything but a second activation; dead_end adds an op nobody
 * reads. */
static void build_block(struct drift_graph *graph, bool dead_end)
{
    const struct drift_graph_cache cache = {NULL, DRIFT_DTYPE_F16, 64, 4};
    const struct drift_graph_rope rope = {DRIFT_ROPE_ADJACENT, 4, 1.0f};
    const struct drift_graph_attention attention = {2, 1, 4, 0, 0.5f, 0.0f};
    uint32_t table = weight(graph, "embd", N_VOCAB, N_EMBD);
    uint32_t x = drift_graph_embed(graph, "x", table, 1.0f);
    drift_graph_set_scope(graph, "blk.%u.", 0u);
    uint32_t freqs = weight(graph, "freqs", 1, 2);
    uint32_t norm =
        drift_graph_rms_norm(graph, "norm", x, weight(graph, "blk.0.norm", 1, N_EMBD), 1e-5f);
    uint32_t q = drift_graph_matmul(graph, "q", norm, weight(graph, "blk.0.q", N_EMBD, N_EMBD),
                                    weight(graph, "blk.0.q_bias", 1, N_EMBD));
    uint32_t k = drift_graph_matmul(graph, "k", norm, weight(graph, "blk.0.k", 4, N_EMBD),
                                    DRIFT_TENSOR_NONE);
    uint32_t v = drift_graph_matmul(graph, "v", norm, weight(graph, "blk.0.v", 4, N_EMBD),
                                    DRIFT_TENSOR_NONE);
    if (dead_end)
        drift_graph_activate(graph, "unread", v, DRIFT_ACTIVATION_SILU);
    q = drift_graph_rope(graph, "q_rope", q, freqs, &rope);
    k = drift_graph_rope(graph, "k_rope", k, freqs, &rope);
    uint32_t k_cache = drift_graph_cache(graph, &cache, 0, false);
    uint32_t v_cache = drift_graph_cache(graph, &cache, 0, true);
    drift_graph_cache_write(graph, k, v, k_cache, v_cache);
    uint32_t attn = drift_graph_attention(graph, "attn", q, k_cache, v_cache, &attention);
    x = drift_graph_add(graph, "sum", x, attn);
    uint32_t gate = drift_graph_matmul(graph, "gate", x, weight(graph, "blk.0.gate", N_FF, N_EMBD),
                                       DRIFT_TENSOR_NONE);
    uint32_t up = drift_graph_matmul(graph, "up", x, weight(graph, "blk.0.up", N_FF, N_EMBD),
                                     DRIFT_TENSOR_NONE);
    uint32_t h = drift_graph_glu(graph, "glu", gate, up, DRIFT_ACTIVATION_SILU);
    h = drift_graph_matmul(graph, "down", h, weight(graph, "blk.0.down", N_EMBD, N_FF),
                           DRIFT_TENSOR_NONE);
    x = drift_graph_add(graph, "out", x, h);
    drift_graph_set_scope(graph, "%s", "");
    x = drift_graph_gather_rows(graph, "rows", x);
    drift_graph_set_output(graph, drift_graph_matmul(graph, "logits", x, table, DRIFT_TENSOR_NONE));
}

/* The plan reads as in tests/unit/graph/NAME; those files were checked by hand against plan.h. */
static void assert_dump(const struct drift_plan *plan, const char *name)
{
    struct drift_buf text, expected;
    char path[512];
    snprintf(path, sizeof path, "%s/tests/unit/graph/%s", DRIFT_SOURCE_DIR, name);
    drift_buf_init(&text, DRIFT_TAG_GRAPH, 1 << 16);
    drift_buf_init(&expected, DRIFT_TAG_GRAPH, 1 << 16);
    assert_int_equal(drift_file_read(path, &expected, NULL), DRIFT_STATUS_OK);
    drift_graph_dump(plan, &text);
    assert_false(text.failed);
    if (strcmp(drift_buf_cstr(&text), drift_buf_cstr(&expected)) != 0)
        fail_msg("%s: the plan is now\n%s", name, drift_buf_cstr(&text));
    drift_buf_fini(&expected);
    drift_buf_fini(&text);
}

static void test_graph__block_thin__plan_as_built(void **state)
{
    (void)state;
    struct drift_graph *graph = make_graph(DRIFT_STAGE_THIN, 4, 4);
    build_block(graph, true);
    const struct drift_plan *plan = NULL;
    struct drift_error err = {0};
    assert_int_equal(drift_graph_finish(graph, &plan, &err), DRIFT_STATUS_OK);
    assert_dump(plan, "block_thin.txt");
    drift_graph_destroy(graph);
}

static void test_graph__fewer_outputs_than_tokens__last_layer_runs_on_gathered_rows(void **state)
{
    (void)state;
    struct drift_graph *graph = make_graph(DRIFT_STAGE_TILED, 64, 2);
    build_block(graph, false);
    const struct drift_plan *plan = NULL;
    struct drift_error err = {0};
    assert_int_equal(drift_graph_finish(graph, &plan, &err), DRIFT_STATUS_OK);
    assert_dump(plan, "block_tiled.txt");
    drift_graph_destroy(graph);
}

static void test_graph__no_outputs__logits_are_not_computed(void **state)
{
    (void)state;
    struct drift_graph *graph = make_graph(DRIFT_STAGE_TILED, 64, 0);
    build_block(graph, false);
    const struct drift_plan *plan = NULL;
    assert_int_equal(drift_graph_finish(graph, &plan, NULL), DRIFT_STATUS_OK);
    for (uint32_t i = 0; i < plan->n_tensors; i++)
        assert_int_not_equal(plan->tensors[i].role, DRIFT_TENSOR_OUTPUT);
    assert_int_equal(plan->ops[plan->n_ops - 1].kind, DRIFT_OP_CACHE_WRITE);
    drift_graph_destroy(graph);
}

/* Bytes of everything alive during an op must not overlap, whatever the planner did. */
static void test_graph__arena__live_tensors_do_not_overlap(void **state)
{
    (void)state;
    struct drift_graph *graph = make_graph(DRIFT_STAGE_TILED, 64, 2);
    build_block(graph, false);
    const struct drift_plan *plan = NULL;
    struct drift_memory_report report;
    assert_int_equal(drift_graph_finish(graph, &plan, NULL), DRIFT_STATUS_OK);
    drift_graph_get_memory(graph, &report);
    assert_int_equal(report.planned_bytes, plan->arena_bytes);
    assert_true(report.lower_bound_bytes <= report.planned_bytes);
    assert_true(report.planned_bytes < report.naive_bytes);
    uint32_t first[64], last[64];
    assert_true(plan->n_tensors <= 64);
    for (uint32_t i = 0; i < plan->n_tensors; i++) {
        first[i] = UINT32_MAX;
        last[i] = 0;
        for (uint32_t j = 0; j < plan->n_ops; j++) {
            const struct drift_op *op = &plan->ops[j];
            bool used = op->dst[0] == i;
            for (int s = 0; s < DRIFT_OP_MAX_SRC; s++)
                used |= op->src[s] == i;
            first[i] = used && j < first[i] ? j : first[i];
            last[i] = used ? j : last[i];
        }
    }
    for (uint32_t i = 0; i < plan->n_tensors; i++) {
        const struct drift_tensor *a = &plan->tensors[i];
        if (a->role != DRIFT_TENSOR_ACTIVATION && a->role != DRIFT_TENSOR_OUTPUT)
            continue;
        for (uint32_t j = 0; j < i; j++) {
            const struct drift_tensor *b = &plan->tensors[j];
            if ((b->role != DRIFT_TENSOR_ACTIVATION && b->role != DRIFT_TENSOR_OUTPUT) ||
                first[i] > last[j] || first[j] > last[i])
                continue;
            assert_true(a->u.arena_offset + 4ull * a->n_rows * a->n_cols <= b->u.arena_offset ||
                        b->u.arena_offset + 4ull * b->n_rows * b->n_cols <= a->u.arena_offset);
        }
    }
    drift_graph_destroy(graph);
}

/* Finish must fail with INVALID and a message that has text in it. */
static void assert_refused(struct drift_graph *graph, const char *text)
{
    const struct drift_plan *plan = NULL;
    struct drift_error err = {0};
    assert_true(drift_graph_has_failed(graph));
    assert_int_equal(drift_graph_finish(graph, &plan, &err), DRIFT_STATUS_INVALID);
    assert_null(plan);
    if (!strstr(err.msg, text))
        fail_msg("'%s' is not in '%s'", text, err.msg);
    drift_graph_destroy(graph);
}

static void test_graph__wrong_width__first_failure_sticks_and_is_named(void **state)
{
    (void)state;
    struct drift_graph *graph = make_graph(DRIFT_STAGE_THIN, 4, 4);
    uint32_t x = drift_graph_embed(graph, "x", weight(graph, "embd", N_VOCAB, N_EMBD), 1.0f);
    drift_graph_set_scope(graph, "blk.%u.", 7u);
    uint32_t y =
        drift_graph_matmul(graph, "q", x, weight(graph, "w", 4, N_EMBD + 1), DRIFT_TENSOR_NONE);
    assert_int_equal(y, DRIFT_TENSOR_NONE);
    y = drift_graph_add(graph, "later", y, x);
    assert_int_equal(y, DRIFT_TENSOR_NONE);
    assert_refused(graph, "blk.7.q: the input's width is 8, expected 9");
}

static void test_graph__broken_shapes__refused(void **state)
{
    (void)state;
    const struct drift_graph_cache cache = {NULL, DRIFT_DTYPE_F16, 64, 4};
    for (int variant = 0; variant < 8; variant++) {
        struct drift_graph *graph = make_graph(DRIFT_STAGE_THIN, 4, 4);
        uint32_t table = weight(graph, "embd", N_VOCAB, N_EMBD);
        uint32_t x = drift_graph_embed(graph, "x", table, 1.0f);
        uint32_t wide = drift_graph_matmul(graph, "wide", x, weight(graph, "w", N_FF, N_EMBD),
                                           DRIFT_TENSOR_NONE);
        uint32_t k = drift_graph_cache(graph, &cache, 0, false);
        uint32_t v = drift_graph_cache(graph, &cache, 0, true);
        struct drift_graph_attention attention = {2, 1, 4, 0, 0.5f, 0.0f};
        struct drift_graph_rope rope = {DRIFT_ROPE_HALVES, 4, 1.0f};
        switch (variant) {
        case 0:
            drift_graph_add(graph, "bad", x, wide);
            break;
        case 1:
            drift_graph_rms_norm(graph, "bad", x, weight(graph, "n", 1, 3), 1e-6f);
            break;
        case 2:
            attention.n_kv_heads = 3;
            drift_graph_attention(graph, "bad", x, k, v, &attention);
            break;
        case 3:
            drift_graph_attention(graph, "bad", wide, k, v, &attention);
            break;
        case 4:
            drift_graph_cache_write(graph, x, x, k, v);
            break;
        case 5:
            rope.head_dim = 3;
            drift_graph_rope(graph, "bad", x, weight(graph, "f", 1, 1), &rope);
            break;
        case 6:
            drift_graph_rope(graph, "bad", x, weight(graph, "f", 1, 3), &rope);
            break;
        default:
            drift_graph_attention(graph, "bad", x, v, k, &attention);
            break;
        }
        assert_refused(graph, variant == 4 ? "cache_write" : "bad");
    }
}

static void test_graph__output__must_exist_be_gathered_and_be_one(void **state)
{
    (void)state;
    struct drift_graph *graph = make_graph(DRIFT_STAGE_THIN, 4, 4);
    uint32_t x = drift_graph_embed(graph, "x", weight(graph, "embd", N_VOCAB, N_EMBD), 1.0f);
    drift_graph_set_output(graph, x);
    assert_refused(graph, "not gathered");

    graph = make_graph(DRIFT_STAGE_THIN, 4, 4);
    drift_graph_embed(graph, "x", weight(graph, "embd", N_VOCAB, N_EMBD), 1.0f);
    const struct drift_plan *plan = NULL;
    struct drift_error err = {0};
    assert_int_equal(drift_graph_finish(graph, &plan, &err), DRIFT_STATUS_INVALID);
    assert_non_null(strstr(err.msg, "no output"));
    drift_graph_destroy(graph);
}

static void test_graph__bad_params__refused(void **state)
{
    (void)state;
    const struct drift_graph_params bad[] = {
        {"p", DRIFT_STAGE_THIN,  DRIFT_THIN_MAX_TOKENS + 1, 1, 1, 1},
        {"p", DRIFT_STAGE_TILED, 4,                         5, 1, 1},
        {"p", DRIFT_STAGE_TILED, 0,                         0, 1, 1},
        {"p", DRIFT_STAGE_TILED, 4,                         4, 1, 0},
    };
    for (size_t i = 0; i < DRIFT_COUNT_OF(bad); i++) {
        struct drift_graph *graph = NULL;
        assert_int_equal(drift_graph_create(&bad[i], &graph, NULL), DRIFT_STATUS_INVALID);
        assert_null(graph);
    }
}

/* Fail every allocation in turn: always a clean NO_MEMORY, never a leak. */
static void test_graph__allocation_fails__no_memory_and_nothing_left(void **state)
{
    (void)state;
    uint64_t before = drift_alloc_live_bytes(DRIFT_TAG_GRAPH);
    for (uint64_t n = 1;; n++) {
        const struct drift_graph_params params = {"test", DRIFT_STAGE_TILED, 64, 2, 2, 4};
        struct drift_graph *graph = NULL;
        const struct drift_plan *plan = NULL;
        drift_alloc_fail_nth(n, 0);
        enum drift_status status = drift_graph_create(&params, &graph, NULL);
        if (status == DRIFT_STATUS_OK) {
            build_block(graph, true);
            status = drift_graph_finish(graph, &plan, NULL);
        }
        bool happened = drift_alloc_fail_happened();
        drift_alloc_fail_nth(0, 0);
        drift_graph_destroy(graph);
        assert_int_equal(drift_alloc_live_bytes(DRIFT_TAG_GRAPH), before);
        assert_int_equal(status, happened ? DRIFT_STATUS_NO_MEMORY : DRIFT_STATUS_OK);
        if (!happened)
            break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_graph__block_thin__plan_as_built),
        cmocka_unit_test(test_graph__fewer_outputs_than_tokens__last_layer_runs_on_gathered_rows),
        cmocka_unit_test(test_graph__no_outputs__logits_are_not_computed),
        cmocka_unit_test(test_graph__arena__live_tensors_do_not_overlap),
        cmocka_unit_test(test_graph__wrong_width__first_failure_sticks_and_is_named),
        cmocka_unit_test(test_graph__broken_shapes__refused),
        cmocka_unit_test(test_graph__output__must_exist_be_gathered_and_be_one),
        cmocka_unit_test(test_graph__bad_params__refused),
        cmocka_unit_test(test_graph__allocation_fails__no_memory_and_nothing_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
