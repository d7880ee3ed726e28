/*
 * The engine as its callers see it, on the CPU with a tiny model: answers do not depend on company, every way out of a
 * request frees what it held, refusals come before anything is queued, models come and go.
 */
#include "runtime/base/alloc.h"
#include "runtime/base/clock.h"
#include "runtime/engine.h"
#include "tests/unit/sched/tiny_model.h"
#include "tests/unit/unit.h"

#include <math.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_NS 60000000000u
#define MAX_TEXT    4096

static char model_path[64], other_path[64];

/* ---- waiting ---- */

static pthread_mutex_t wake_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake_cond = PTHREAD_COND_INITIALIZER;
static unsigned n_wakes;

static void on_wake(void *ctx)
{
    (void)ctx;
    pthread_mutex_lock(&wake_lock);
    n_wakes++;
    pthread_cond_signal(&wake_cond);
    pthread_mutex_unlock(&wake_lock);
}

static void wait_for_wake(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 20000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&wake_lock);
    if (n_wakes == 0)
        pthread_cond_timedwait(&wake_cond, &wake_lock, &until);
    n_wakes = 0;
    pthread_mutex_unlock(&wake_lock);
}

/* ---- an engine with one model ---- */

static struct drift_engine *open_engine(uint32_t max_sequences, uint32_t max_queued)
{
    const struct drift_engine_params params = {.device = "cpu",
                                               .n_threads = 2,
                                               .max_sequences = max_sequences,
                                               .max_queued_requests = max_queued,
                                               .prefill_chunk_tokens = 64,
                                               .wake = on_wake};
    struct drift_engine *engine;
    struct drift_error err = {0};
    if (drift_engine_create(&params, &engine, &err) != DRIFT_STATUS_OK)
        fail_msg("%s", err.msg);
    return engine;
}

static void declare(struct drift_engine *engine, const char *name, const char *path, uint64_t kv_tokens)
{
    const struct drift_model_params params = {
        .name = name, .path = path, .kv_cache_tokens = kv_tokens, .ctx_tokens = 256};
    assert_int_equal(drift_engine_declare_model(engine, &params, NULL), DRIFT_STATUS_OK);
}

static enum drift_model_state wait_state(struct drift_engine *engine, const char *name,
                                         enum drift_model_state wanted)
{
    uint64_t start = drift_clock_ns();
    struct drift_model_info info;
    do {
        assert_int_equal(drift_engine_get_model_info(engine, name, &info, NULL), DRIFT_STATUS_OK);
        if (info.state == wanted)
            return wanted;
        wait_for_wake();
    } while (drift_clock_ns() - start < PATIENCE_NS);
    fail_msg("%s is %s: %s", name, drift_model_state_name(info.state), info.error.msg);
    return info.state;
}

static struct drift_model *load(struct drift_engine *engine, const char *name)
{
    struct drift_error err = {0};
    assert_int_equal(drift_engine_load_model(engine, name, &err), DRIFT_STATUS_OK);
    wait_state(engine, name, DRIFT_MODEL_READY);
    struct drift_model *model;
    assert_int_equal(drift_engine_ref_model(engine, name, &model, &err), DRIFT_STATUS_OK);
    return model;
}

/* ---- requests ---- */

struct answer {
    char text[DRIFT_MAX_CHOICES][MAX_TEXT];
    int32_t tokens[DRIFT_MAX_CHOICES][300];
    uint32_t n_tokens[DRIFT_MAX_CHOICES];
    enum drift_finish finish[DRIFT_MAX_CHOICES];
    uint32_t n_finished, n_started;
    bool is_done, is_failed;
    struct drift_event last;
};

static void take(struct answer *a, const struct drift_event *e)
{
    assert_false(a->is_done || a->is_failed);
    if (e->kind == DRIFT_EVENT_STARTED)
        a->n_started++;
    if (e->kind == DRIFT_EVENT_TOKEN) {
        size_t len = strlen(a->text[e->choice]);
        assert_true(len + e->n_text < MAX_TEXT);
        memcpy(a->text[e->choice] + len, e->text, e->n_text);
        if (e->token >= 0)
            a->tokens[e->choice][a->n_tokens[e->choice]++] = e->token;
    }
    if (e->kind == DRIFT_EVENT_FINISHED) {
        a->finish[e->choice] = e->finish;
        a->n_finished++;
    }
    a->is_done = e->kind == DRIFT_EVENT_DONE;
    a->is_failed = e->kind == DRIFT_EVENT_ERROR;
    a->last = *e;
}

/* Take events of all requests until none of the n answers is open. */
static void collect(struct drift_engine *engine, struct answer *answers, size_t n)
{
    uint64_t start = drift_clock_ns();
    for (;;) {
        struct drift_request *r;
        while ((r = drift_engine_next_ready(engine))) {
            struct drift_event e;
            while (drift_request_next_event(r, &e))
                take(drift_request_user(r), &e);
        }
        size_t open = 0;
        for (size_t i = 0; i < n; i++)
            open += !answers[i].is_done && !answers[i].is_failed;
        if (open == 0)
            return;
        if (drift_clock_ns() - start > PATIENCE_NS)
            fail_msg("%zu requests never ended", open);
        wait_for_wake();
    }
}

static struct drift_request_params ask(struct drift_model *model, const int32_t *prompt, uint32_t n,
                                       uint32_t max_tokens, struct answer *answer)
{
    return (struct drift_request_params){.id = "test",
                                         .model = model,
                                         .prompt = prompt,
                                         .n_prompt = n,
                                         .n_choices = 1,
                                         .max_tokens = max_tokens,
                                         .sampling = {.temperature = 0,
                                                      .top_p = 1,
                                                      .typical_p = 1,
                                                      .repetition_penalty = 1},
                                         .n_top_logprobs = 0,
                                         .ignore_eos = true,
                                         .user = answer};
}

static struct drift_request *submit(struct drift_engine *engine, const struct drift_request_params *p)
{
    struct drift_request *r;
    struct drift_error err = {0};
    if (drift_engine_submit(engine, p, &r, &err) != DRIFT_STATUS_OK)
        fail_msg("%s", err.msg);
    return r;
}

static void fill_prompt(int32_t *prompt, uint32_t n, uint32_t seed)
{
    for (uint32_t i = 0; i < n; i++)
        prompt[i] = (int32_t)((i * 31 + seed * 17 + 5) % 256);
}

static void assert_idle(struct drift_engine *engine, const char *name)
{
    struct drift_model_info info;
    uint64_t start = drift_clock_ns();
    do {
        assert_int_equal(drift_engine_get_model_info(engine, name, &info, NULL), DRIFT_STATUS_OK);
    } while ((info.kv_tokens_used || info.n_running || info.n_queued) &&
             drift_clock_ns() - start < PATIENCE_NS);
    assert_int_equal(info.kv_tokens_used, 0);
    assert_int_equal(info.n_running, 0);
    assert_int_equal(info.n_queued, 0);
}

static struct answer *new_answers(size_t n)
{
    struct answer *a = drift_alloc(DRIFT_TAG_BASE, n, sizeof *a);
    assert_non_null(a);
    return a;
}

/* ---- tests ---- */

static void test_engine__answers__do_not_depend_on_company(void **state)
{
    (void)state;
    enum { N = 24 };
    struct drift_engine *engine = open_engine(20, 64);
    declare(engine, "tiny", model_path, 20 * 256);
    struct drift_model *model = load(engine, "tiny");
    static int32_t prompts[N][200];
    struct answer *alone = new_answers(N), *together = new_answers(N);
    for (uint32_t i = 0; i < N; i++) {
        fill_prompt(prompts[i], 200, i);
        struct drift_request_params p = ask(model, prompts[i], 1 + i * 8, 40, &alone[i]);
        p.sampling.temperature = i % 2 ? 0.9f : 0.0f;
        p.sampling.has_seed = true;
        p.sampling.seed = i;
        struct drift_request *r = submit(engine, &p);
        collect(engine, &alone[i], 1);
        drift_request_release(r);
    }
    struct drift_request *requests[N];
    for (uint32_t i = 0; i < N; i++) {
        struct drift_request_params p = ask(model, prompts[i], 1 + i * 8, 40, &together[i]);
        p.sampling.temperature = i % 2 ? 0.9f : 0.0f;
        p.sampling.has_seed = true;
        p.sampling.seed = i;
        requests[i] = submit(engine, &p);
    }
    collect(engine, together, N);
    for (uint32_t i = 0; i < N; i++) {
        drift_request_release(requests[i]);
        assert_true(together[i].is_done);
        assert_int_equal(together[i].n_tokens[0], 40);
        assert_memory_equal(alone[i].tokens[0], together[i].tokens[0], 40 * sizeof(int32_t));
        assert_string_equal(alone[i].text[0], together[i].text[0]);
        assert_int_equal(together[i].finish[0], DRIFT_FINISH_LENGTH);
        assert_int_equal(together[i].last.n_completion_tokens, 40);
    }
    assert_idle(engine, "tiny");
    drift_free(alone);
    drift_free(together);
    drift_model_unref(model);
    drift_engine_destroy(engine);
}

static void test_engine__several_choices__equal_the_same_streams_alone(void **state)
{
    (void)state;
    struct drift_engine *engine = open_engine(8, 8);
    declare(engine, "tiny", model_path, 8 * 256);
    struct drift_model *model = load(engine, "tiny");
    int32_t prompt[100];
    fill_prompt(prompt, 100, 3);
    struct answer *a = new_answers(2);
    struct drift_request_params p = ask(model, prompt, 100, 30, &a[0]);
    p.n_choices = 4;
    p.sampling.temperature = 1;
    p.sampling.has_seed = true;
    p.sampling.seed = 99;
    struct drift_request *r = submit(engine, &p);
    collect(engine, a, 1);
    drift_request_release(r);
    assert_int_equal(a[0].n_finished, 4);
    assert_int_equal(a[0].last.n_completion_tokens, 120);
    /* the first choice is stream 0: a request with one choice draws the same */
    p.n_choices = 1;
    p.user = &a[1];
    r = submit(engine, &p);
    collect(engine, a + 1, 1);
    drift_request_release(r);
    assert_memory_equal(a[0].tokens[0], a[1].tokens[0], 30 * sizeof(int32_t));
    assert_memory_not_equal(a[0].tokens[0], a[0].tokens[1], 30 * sizeof(int32_t));
    assert_idle(engine, "tiny");
    drift_free(a);
    drift_model_unref(model);
    drift_engine_destroy(engine);
}

static void test_engine__stop_string__ends_the_text_before_it(void **state)
{
    (void)state;
    struct drift_engine *engine = open_engine(4, 8);
    declare(engine, "tiny", model_path, 1024);
    struct drift_model *model = load(engine, "tiny");
    int32_t prompt[20];
    fill_prompt(prompt, 20, 1);
    struct answer *a = new_answers(2);
    struct drift_request_params p = ask(model, prompt, 20, 100, &a[0]);
    struct drift_request *r = submit(engine, &p);
    collect(engine, a, 1);
    drift_request_release(r);
    size_t len = strlen(a[0].text[0]);
    assert_true(len > 20);
    /* whole characters from the middle of what it said without stops */
    size_t from = drift_utf8_complete_prefix(a[0].text[0], len / 2);
    while ((a[0].text[0][from] & 0xc0) == 0x80)
        from++;
    char stop[16] = {0};
    size_t stop_len = drift_utf8_complete_prefix(a[0].text[0] + from, 9);
    memcpy(stop, a[0].text[0] + from, stop_len);
    const char *found = strstr(a[0].text[0], stop);
    const char *stops[] = {"never said by anybody", stop};
    p.stops = stops;
    p.n_stops = 2;
    p.user = &a[1];
    r = submit(engine, &p);
    collect(engine, a + 1, 1);
    drift_request_release(r);
    assert_int_equal(a[1].finish[0], DRIFT_FINISH_STOP);
    assert_int_equal(strlen(a[1].text[0]), found - a[0].text[0]);
    assert_memory_equal(a[1].text[0], a[0].text[0], strlen(a[1].text[0]));
    assert_idle(engine, "tiny");
    drift_free(a);
    drift_model_unref(model);
    drift_engine_destroy(engine);
}

static void test_engine__cancel__in_every_phase_frees_everything(void **state)
{
    (void)state;
    struct drift_engine *engine = open_engine(2, 32);
    declare(engine, "tiny", model_path, 2 * 256);
    struct drift_model *model = load(engine, "tiny");
    int32_t prompt[180];
    fill_prompt(prompt, 180, 2);
    enum { N = 12 };
    for (int round = 0; round < 20; round++) {
        struct answer *a = new_answers(N);
        struct drift_request *requests[N];
        for (uint32_t i = 0; i < N; i++) {
            struct drift_request_params p = ask(model, prompt, 20 + i * 12, 60, &a[i]);
            requests[i] = submit(engine, &p);
        }
        struct timespec nap = {.tv_nsec = round * 500000L};
        nanosleep(&nap, NULL);
        for (uint32_t i = 0; i < N; i += 2)
            drift_request_cancel(requests[i]); /* its events still come */
        for (uint32_t i = 1; i < N; i += 4) {
            drift_request_release(requests[i]); /* gone without a word */
            requests[i] = NULL;
            a[i].is_done = true;
        }
        collect(engine, a, N);
        for (uint32_t i = 0; i < N; i++) {
            if (!requests[i])
                continue;
            assert_true(a[i].is_done);
            assert_int_equal(a[i].n_finished, 1);
            drift_request_release(requests[i]);
        }
        assert_idle(engine, "tiny");
        drift_free(a);
    }
    drift_model_unref(model);
    drift_engine_destroy(engine);
}

static void test_engine__queue_full__refuses_then_recovers(void **state)
{
    (void)state;
    struct drift_engine *engine = open_engine(1, 2);
    declare(engine, "tiny", model_path, 256);
    struct drift_model *model = load(engine, "tiny");
    int32_t prompt[16];
    fill_prompt(prompt, 16, 2);
    enum { N = 40 };
    struct answer *a = new_answers(N);
    struct drift_request *requests[N];
    uint32_t n = 0, n_busy = 0;
    for (uint32_t i = 0; i < N; i++) {
        struct drift_request_params p = ask(model, prompt, 16, 200, &a[n]);
        struct drift_error err = {0};
        enum drift_status status = drift_engine_submit(engine, &p, &requests[n], &err);
        assert_true(status == DRIFT_STATUS_OK || status == DRIFT_STATUS_BUSY);
        n += status == DRIFT_STATUS_OK;
        n_busy += status == DRIFT_STATUS_BUSY;
    }
    assert_true(n_busy > 0);
    uint32_t seconds = drift_engine_retry_after_s(engine);
    assert_true(seconds >= 1 && seconds <= 120);
    collect(engine, a, n);
    for (uint32_t i = 0; i < n; i++)
        drift_request_release(requests[i]);
    struct drift_engine_stats stats;
    drift_engine_get_stats(engine, &stats);
    assert_int_equal(stats.n_refused_busy, n_busy);
    assert_int_equal(stats.n_queued, 0);
    assert_int_equal(stats.queued_tokens, 0);
    assert_idle(engine, "tiny");
    drift_free(a);
    drift_model_unref(model);
    drift_engine_destroy(engine);
}

static void test_engine__sleeping_reader__is_paused_and_loses_nothing(void **state)
{
    (void)state;
    struct drift_engine *engine = open_engine(4, 8);
    declare(engine, "tiny", model_path, 4 * 256);
    struct drift_model *model = load(engine, "tiny");
    int32_t prompt[16];
    fill_prompt(prompt, 16, 6);
    struct answer *a = new_answers(3);
    struct drift_request_params sleepy = ask(model, prompt, 16, 230, &a[0]);
    struct drift_request_params awake = ask(model, prompt, 16, 230, &a[1]);
    struct drift_request *r0 = submit(engine, &sleepy), *r1 = submit(engine, &awake);
    uint64_t start = drift_clock_ns();
    while (!a[1].is_done && drift_clock_ns() - start < PATIENCE_NS) {
        struct drift_event e;
        while (drift_request_next_event(r1, &e)) /* only one of them is read */
            take(&a[1], &e);
    }
    assert_true(a[1].is_done);
    collect(engine, a, 1);
    assert_int_equal(a[0].n_tokens[0], 230);
    assert_memory_equal(a[0].tokens[0], a[1].tokens[0], 230 * sizeof(int32_t));
    drift_request_release(r0);
    drift_request_release(r1);
    assert_idle(engine, "tiny");
    drift_free(a);
    drift_model_unref(model);
    drift_engine_destroy(engine);
}

static void test_engine__what_cannot_run__is_refused_at_the_door(void **state)
{
    (void)state;
    struct drift_engine *engine = open_engine(4, 8);
    declare(engine, "tiny", model_path, 256);
    struct drift_model *model = load(engine, "tiny");
    int32_t prompt[256];
    fill_prompt(prompt, 256, 6);
    struct drift_request *r;
    struct drift_error err = {0};
    struct drift_request_params p = ask(model, prompt, 256, 1, NULL);
    assert_int_equal(drift_engine_submit(engine, &p, &r, &err), DRIFT_STATUS_CONTEXT_LENGTH);
    assert_non_null(strstr(err.msg, "maximum context length is 256"));
    p = ask(model, prompt, 200, 50, NULL);
    p.n_choices = 4;
    assert_int_equal(drift_engine_submit(engine, &p, &r, &err), DRIFT_STATUS_NO_MEMORY);
    p = ask(model, prompt, 4, 1, NULL);
    p.n_choices = 5;
    assert_int_equal(drift_engine_submit(engine, &p, &r, &err), DRIFT_STATUS_INVALID);
    prompt[2] = TINY_VOCAB;
    p = ask(model, prompt, 4, 1, NULL);
    assert_int_equal(drift_engine_submit(engine, &p, &r, &err), DRIFT_STATUS_INVALID);
    assert_idle(engine, "tiny");
    drift_model_unref(model);
    drift_engine_destroy(engine);
}

static void test_engine__models__come_and_go_while_others_work(void **state)
{
    (void)state;
    struct drift_engine *engine = open_engine(4, 8);
    declare(engine, "tiny", model_path, 4 * 256);
    declare(engine, "other", other_path, 4 * 256);
    struct drift_model *model = load(engine, "tiny"), *other = load(engine, "other");
    int32_t prompt[16];
    fill_prompt(prompt, 16, 6);
    struct answer *a = new_answers(3);
    struct drift_request_params p0 = ask(model, prompt, 16, 200, &a[0]);
    struct drift_request_params p1 = ask(other, prompt, 16, 200, &a[1]);
    struct drift_request *r0 = submit(engine, &p0), *r1 = submit(engine, &p1);
    /* draining: what runs ends, what is new is refused */
    assert_int_equal(drift_engine_unload_model(engine, "other", false, NULL), DRIFT_STATUS_OK);
    struct drift_request *refused;
    struct drift_request_params p2 = ask(other, prompt, 16, 10, &a[2]);
    assert_int_equal(drift_engine_submit(engine, &p2, &refused, NULL), DRIFT_STATUS_UNAVAILABLE);
    collect(engine, a, 2);
    assert_int_equal(a[0].n_tokens[0], 200);
    assert_int_equal(a[1].n_tokens[0], 200);
    assert_memory_not_equal(a[0].tokens[0], a[1].tokens[0], 200 * sizeof(int32_t));
    wait_state(engine, "other", DRIFT_MODEL_ABSENT);
    drift_request_release(r0);
    drift_request_release(r1);
    /* the old reference is dead also after a reload */
    struct drift_model *again = load(engine, "other");
    assert_int_equal(drift_engine_submit(engine, &p2, &refused, NULL), DRIFT_STATUS_UNAVAILABLE);
    p2.model = again;
    struct drift_request *r2 = submit(engine, &p2);
    assert_int_equal(drift_engine_unload_model(engine, "other", true, NULL), DRIFT_STATUS_OK);
    collect(engine, a + 2, 1);
    wait_state(engine, "other", DRIFT_MODEL_ABSENT);
    drift_request_release(r2);
    struct drift_engine_stats stats;
    drift_engine_get_stats(engine, &stats);
    assert_int_equal(stats.n_loads, 3);
    assert_int_equal(stats.n_unloads, 2);
    drift_free(a);
    drift_model_unref(model);
    drift_model_unref(other);
    drift_model_unref(again);
    drift_engine_destroy(engine);
}

static void test_engine__broken_model__fails_with_the_reason(void **state)
{
    (void)state;
    struct drift_engine *engine = open_engine(1, 1);
    declare(engine, "gone", "/nonexistent/model.gguf", 0);
    assert_int_equal(drift_engine_load_model(engine, "gone", NULL), DRIFT_STATUS_OK);
    wait_state(engine, "gone", DRIFT_MODEL_FAILED);
    struct drift_model_info info;
    assert_int_equal(drift_engine_get_model_info(engine, "gone", &info, NULL), DRIFT_STATUS_OK);
    assert_int_equal(info.error.status, DRIFT_STATUS_NOT_FOUND);
    assert_non_null(strstr(info.error.msg, "/nonexistent/model.gguf"));
    struct drift_model *model;
    struct drift_error err = {0};
    assert_int_equal(drift_engine_ref_model(engine, "gone", &model, &err), DRIFT_STATUS_UNAVAILABLE);
    assert_non_null(strstr(err.msg, "failed"));
    assert_int_equal(drift_engine_ref_model(engine, "unheard of", &model, &err), DRIFT_STATUS_NOT_FOUND);
    drift_engine_destroy(engine);
}

static void test_engine__budget__a_model_that_does_not_fit_is_refused(void **state)
{
    (void)state;
    const struct drift_engine_params params = {.device = "cpu",
                                               .n_threads = 1,
                                               .max_sequences = 4,
                                               .max_queued_requests = 4,
                                               .prefill_chunk_tokens = 64,
                                               .memory_budget_bytes = 64 << 10,
                                               .wake = on_wake};
    struct drift_engine *engine;
    assert_int_equal(drift_engine_create(&params, &engine, NULL), DRIFT_STATUS_OK);
    declare(engine, "tiny", model_path, 1024);
    assert_int_equal(drift_engine_load_model(engine, "tiny", NULL), DRIFT_STATUS_OK);
    wait_state(engine, "tiny", DRIFT_MODEL_FAILED);
    struct drift_model_info info;
    assert_int_equal(drift_engine_get_model_info(engine, "tiny", &info, NULL), DRIFT_STATUS_OK);
    assert_int_equal(info.error.status, DRIFT_STATUS_NO_MEMORY);
    struct drift_engine_stats stats;
    drift_engine_get_stats(engine, &stats);
    assert_int_equal(stats.reserved_bytes, 0);
    drift_engine_destroy(engine);
}

static void test_engine__destroyed_in_the_middle__leaves_nothing(void **state)
{
    (void)state;
    uint64_t before = drift_alloc_live_bytes(DRIFT_TAG_COUNT);
    struct drift_engine *engine = open_engine(2, 8);
    declare(engine, "tiny", model_path, 2 * 256);
    declare(engine, "other", other_path, 2 * 256);
    struct drift_model *model = load(engine, "tiny");
    assert_int_equal(drift_engine_load_model(engine, "other", NULL), DRIFT_STATUS_OK);
    int32_t prompt[16];
    fill_prompt(prompt, 16, 6);
    struct answer *a = new_answers(4);
    for (int i = 0; i < 4; i++) {
        struct drift_request_params p = ask(model, prompt, 16, 200, &a[i]);
        drift_request_release(submit(engine, &p));
    }
    drift_model_unref(model);
    drift_engine_destroy(engine);
    drift_free(a);
    assert_int_equal(drift_alloc_live_bytes(DRIFT_TAG_COUNT), before);
}

int main(void)
{
    snprintf(model_path, sizeof model_path, "/tmp/drift-test-%d-a.gguf", (int)getpid());
    snprintf(other_path, sizeof other_path, "/tmp/drift-test-%d-b.gguf", (int)getpid());
    if (tiny_model_save(model_path, 1) || tiny_model_save(other_path, 2))
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_engine__answers__do_not_depend_on_company),
        cmocka_unit_test(test_engine__several_choices__equal_the_same_streams_alone),
        cmocka_unit_test(test_engine__stop_string__ends_the_text_before_it),
        cmocka_unit_test(test_engine__cancel__in_every_phase_frees_everything),
        cmocka_unit_test(test_engine__queue_full__refuses_then_recovers),
        cmocka_unit_test(test_engine__sleeping_reader__is_paused_and_loses_nothing),
        cmocka_unit_test(test_engine__what_cannot_run__is_refused_at_the_door),
        cmocka_unit_test(test_engine__models__come_and_go_while_others_work),
        cmocka_unit_test(test_engine__broken_model__fails_with_the_reason),
        cmocka_unit_test(test_engine__budget__a_model_that_does_not_fit_is_refused),
        cmocka_unit_test(test_engine__destroyed_in_the_middle__leaves_nothing),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(model_path);
    unlink(other_path);
    return failed;
}
