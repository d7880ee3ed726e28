/*
 * An engine that computes nothing: engine.h as the server needs it, slow, full or broken on
 * request.
 *
 * Linked into driftd_fake in place of the real one, so that the server's behaviour can be tested
 * without a model and without luck. One byte is one token; an answer is "w0 w1 w2 ...". Words in
 * the prompt decide what happens to a request, and words in a model's file (any file will do) what
 * happens to the model:
 *
 *   request  @tokens=N (8)  @prefill_ms=N (0)  @token_ms=N (0)  @fail_after=N  @fail=STATUS
 * (device_lost)
 *            @bytes=N: each token's text is N bytes long   @wide: text outside ASCII, a token with
 * half a character model    load_ms=N (0)  load_fail=1  ctx=N (2048)  no_template=1  template=raise
 */
#include "runtime/base/alloc.h"
#include "runtime/base/clock.h"
#include "runtime/base/file.h"
#include "runtime/engine.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MS           1000000ull
#define N_VOCAB      512
#define BOS          256
#define EOS          257
#define RING         256
#define MAX_MODELS   64
#define MAX_REQUESTS 4096

struct drift_model {
    uint32_t n_refs;
    char name[128];
    uint32_t ctx_tokens;
    const char *chat_template;
};

struct slot {
    struct drift_model_info info;
    struct drift_model *model; /* while READY */
    char *own_template;
    uint64_t load_end_ns;
    uint32_t ctx_tokens;
    bool load_fails, has_template, raising_template;
};

struct drift_request {
    struct drift_engine *engine;
    struct slot *slot;
    struct drift_model *model;
    void *user;
    uint32_t n_prompt, n_choices, max_tokens, n_tokens, n_text_bytes;
    int32_t n_top;
    uint64_t prefill_ns, token_ns, next_ns, submit_ns, start_ns;
    int64_t fail_after;
    enum drift_status fail_status;
    bool wide, ignore_eos;
    char stops[DRIFT_MAX_STOPS][64];
    uint32_t n_stops;
    bool running, ended, cancelled, released, listed;
    uint32_t n_done; /* tokens, per choice */
    struct drift_event ring[RING];
    uint32_t first, count;
};

struct drift_engine {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t work;
    bool stop;
    struct drift_engine_params params;
    struct slot models[MAX_MODELS];
    size_t n_models;
    struct drift_request *requests[MAX_REQUESTS];
    size_t n_requests;
    struct drift_engine_stats stats;
};

/* ---- small things ---- */

const char *drift_model_state_name(enum drift_model_state state)
{
    static const char *const names[DRIFT_MODEL_STATE_COUNT] = {
        "absent", "queued", "loading", "ready", "draining", "unloading", "failed"};
    return (unsigned)state < DRIFT_MODEL_STATE_COUNT ? names[state] : "?";
}

static bool word(const char *text, const char *key, int64_t *ret)
{
    const char *at = strstr(text, key);
    if (at)
        *ret = strtoll(at + strlen(key), NULL, 10);
    return at != NULL;
}

static void observe(struct drift_histogram *h, uint64_t ns)
{
    unsigned i = 0;
    while (i + 1 < DRIFT_HISTOGRAM_BUCKETS && (double)ns / 1e9 > 0.0005 * (double)(1u << i))
        i++;
    h->buckets[i]++;
    h->count++;
    h->sum_s += (double)ns / 1e9;
}

/* ---- devices ---- */

static const struct drift_engine_device device = {
    .id = "fake", .name = "no device at all", .memory_bytes = 1u << 30, .usable = true};

void drift_engine_list_devices(struct drift_engine_device *devices, size_t max, size_t *ret_n)
{
    if (max > 0)
        devices[0] = device;
    *ret_n = 1;
}

void drift_engine_get_device(const struct drift_engine *engine, struct drift_engine_device *ret)
{
    (void)engine;
    *ret = device;
}

/* ---- requests, on the engine's thread; locked ---- */

static void push(struct drift_request *r, const struct drift_event *event)
{
    r->ring[(r->first + r->count) % RING] = *event;
    r->count++;
}

static void push_done(struct drift_request *r)
{
    struct drift_event event = {.kind = DRIFT_EVENT_DONE, .token = -1};
    event.n_prompt_tokens = r->n_prompt;
    event.n_completion_tokens = r->n_done * r->n_choices;
    event.queue_ns = r->start_ns ? r->start_ns - r->submit_ns : 0;
    event.prefill_ns = r->prefill_ns;
    push(r, &event);
    r->ended = true;
}

static void finish(struct drift_request *r, enum drift_finish finish)
{
    for (uint32_t i = 0; i < r->n_choices; i++) {
        struct drift_event event = {
            .kind = DRIFT_EVENT_FINISHED, .choice = i, .token = -1, .finish = finish};
        push(r, &event);
    }
    push_done(r);
}

static void make_text(const struct drift_request *r, uint32_t index, struct drift_event *event)
{
    static const char wide[] = "\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x9d"; /* ä € 🐝 */
    if (r->n_text_bytes > 0) {
        event->n_text =
            r->n_text_bytes < DRIFT_EVENT_TEXT_BYTES ? r->n_text_bytes : DRIFT_EVENT_TEXT_BYTES;
        memset(event->text, 'x', event->n_text);
    } else if (r->wide) {
        event->n_text = index % 2 ? sizeof wide - 1 : 0; /* every other token completes the text */
        memcpy(event->text, wide, event->n_text);
    } else {
        event->n_text =
            (uint32_t)snprintf(event->text, sizeof event->text, "%sw%u", index ? " " : "", index);
    }
}

/* One more token for every choice; false when the ring has no room. */
static bool step_token(struct drift_engine *engine, struct drift_request *r)
{
    if (r->count + r->n_choices * 2 + 2 > RING)
        return false;
    uint32_t limit = r->max_tokens && r->max_tokens < r->n_tokens ? r->max_tokens : r->n_tokens;
    if (r->ignore_eos && r->max_tokens)
        limit = r->max_tokens;
    struct drift_event event = {.kind = DRIFT_EVENT_TOKEN,
                                .token = (int32_t)('a' + r->n_done % 26)};
    make_text(r, r->n_done, &event);
    for (uint32_t i = 0; i < r->n_stops; i++)
        if (memmem(event.text, event.n_text, r->stops[i], strlen(r->stops[i]))) {
            r->n_done++;
            finish(r, DRIFT_FINISH_STOP);
            return true;
        }
    if (r->wide)
        event.token = r->n_done % 2 ? 300 : 301; /* their bytes are half a character each */
    event.logprob = -0.5f;
    for (int32_t i = 0; i < r->n_top; i++) {
        event.top[i].token = (int32_t)('a' + i);
        event.top[i].logprob = -0.5f - (float)i;
        event.n_top++;
    }
    for (event.choice = 0; event.choice < r->n_choices; event.choice++)
        push(r, &event);
    engine->stats.generated_tokens += r->n_choices;
    engine->stats.last_token_ns = drift_clock_ns();
    observe(r->n_done ? &engine->stats.time_between_tokens : &engine->stats.time_to_first_token,
            engine->stats.last_token_ns - (r->n_done ? r->next_ns - r->token_ns : r->submit_ns));
    r->n_done++;
    if (r->n_done >= limit || r->n_prompt + r->n_done >= r->model->ctx_tokens)
        finish(r, r->n_done >= r->n_tokens && !r->ignore_eos ? DRIFT_FINISH_STOP
                                                             : DRIFT_FINISH_LENGTH);
    return true;
}

static void fail(struct drift_engine *engine, struct drift_request *r)
{
    struct drift_event event = {.kind = DRIFT_EVENT_ERROR, .token = -1};
    drift_error_set(&event.error, r->fail_status, 0, "the device failed, as it was asked to");
    push(r, &event);
    r->ended = true;
    engine->stats.n_failed++;
}

static void step_request(struct drift_engine *engine, struct drift_request *r, uint64_t now_ns)
{
    if (r->cancelled) {
        finish(r, DRIFT_FINISH_CANCELLED);
        engine->stats.n_cancelled++;
        return;
    }
    /* A few tokens a turn, so that a cap on the ring and other requests get their share. */
    for (int i = 0; i < 8 && r->next_ns <= now_ns && !r->ended; i++) {
        if (r->fail_after >= 0 && (int64_t)r->n_done >= r->fail_after) {
            fail(engine, r);
            return;
        }
        if (!step_token(engine, r))
            return;
        r->next_ns += r->token_ns;
    }
    if (r->ended)
        engine->stats.n_finished++;
}

static uint32_t count_running(const struct drift_engine *engine, bool running)
{
    uint32_t n = 0;
    for (size_t i = 0; i < engine->n_requests; i++)
        n += !engine->requests[i]->ended && !engine->requests[i]->released &&
             engine->requests[i]->running == running;
    return n;
}

static void start(struct drift_request *r, uint64_t now_ns)
{
    struct drift_event event = {.kind = DRIFT_EVENT_STARTED, .token = -1};
    r->running = true;
    r->start_ns = now_ns;
    r->next_ns = now_ns + r->prefill_ns;
    push(r, &event);
}

static void step_model(struct drift_engine *engine, struct slot *slot, uint64_t now_ns)
{
    if (slot->info.state == DRIFT_MODEL_LOADING && now_ns >= slot->load_end_ns) {
        if (slot->load_fails) {
            slot->info.state = DRIFT_MODEL_FAILED;
            drift_error_set(&slot->info.error, DRIFT_STATUS_CORRUPT, 0, "the file is no model");
            engine->stats.n_load_failures++;
        } else {
            slot->model = drift_alloc(DRIFT_TAG_ENGINE, 1, sizeof *slot->model);
            DRIFT_ASSERT(slot->model);
            slot->model->n_refs = 1;
            snprintf(slot->model->name, sizeof slot->model->name, "%s", slot->info.name);
            slot->model->ctx_tokens = slot->ctx_tokens;
            if (slot->own_template)
                slot->model->chat_template = slot->own_template;
            else if (slot->raising_template)
                slot->model->chat_template = "{{ raise_exception('roles must alternate') }}";
            else if (slot->has_template)
                slot->model->chat_template =
                    "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}";
            slot->info.state = DRIFT_MODEL_READY;
            engine->stats.n_loads++;
        }
    } else if (slot->info.state == DRIFT_MODEL_DRAINING) {
        for (size_t i = 0; i < engine->n_requests; i++)
            if (engine->requests[i]->slot == slot && !engine->requests[i]->ended)
                return;
        drift_model_unref(slot->model);
        slot->model = NULL;
        slot->info.state = DRIFT_MODEL_ABSENT;
        engine->stats.n_unloads++;
    }
}

static bool step(struct drift_engine *engine)
{
    uint64_t now_ns = drift_clock_ns();
    bool any = false;
    for (size_t i = 0; i < engine->n_models; i++) {
        enum drift_model_state before = engine->models[i].info.state;
        step_model(engine, &engine->models[i], now_ns);
        any |= before != engine->models[i].info.state;
    }
    for (size_t i = 0; i < engine->n_requests; i++) {
        struct drift_request *r = engine->requests[i];
        uint32_t before = r->count;
        if (r->released || r->ended)
            continue;
        if (!r->running && !r->cancelled &&
            count_running(engine, true) < engine->params.max_sequences)
            start(r, now_ns);
        if (r->running || r->cancelled)
            step_request(engine, r, now_ns);
        any |= r->count != before;
    }
    for (size_t i = 0; i < engine->n_requests;) { /* bury the released ones */
        struct drift_request *r = engine->requests[i];
        if (!r->released) {
            i++;
            continue;
        }
        drift_model_unref(r->model);
        drift_free(r);
        engine->requests[i] = engine->requests[--engine->n_requests];
    }
    return any;
}

static void *thread_main(void *arg)
{
    struct drift_engine *engine = arg;
    pthread_mutex_lock(&engine->lock);
    while (!engine->stop) {
        if (step(engine)) {
            pthread_mutex_unlock(&engine->lock);
            engine->params.wake(engine->params.wake_ctx);
            pthread_mutex_lock(&engine->lock);
        }
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += 1000000; /* 1 ms */
        if (until.tv_nsec >= 1000000000) {
            until.tv_nsec -= 1000000000;
            until.tv_sec++;
        }
        if (!engine->stop)
            pthread_cond_timedwait(&engine->work, &engine->lock, &until);
    }
    pthread_mutex_unlock(&engine->lock);
    return NULL;
}

/* ---- engine ---- */

enum drift_status drift_engine_create(const struct drift_engine_params *params,
                                      struct drift_engine **ret_engine, struct drift_error *err)
{
    struct drift_engine *engine = drift_alloc(DRIFT_TAG_ENGINE, 1, sizeof *engine);
    if (!engine)
        return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "no memory");
    engine->params = *params;
    engine->stats.budget_bytes = device.memory_bytes;
    pthread_mutex_init(&engine->lock, NULL);
    pthread_cond_init(&engine->work, NULL);
    if (pthread_create(&engine->thread, NULL, thread_main, engine) != 0) {
        drift_free(engine);
        return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "no thread");
    }
    *ret_engine = engine;
    return DRIFT_STATUS_OK;
}

void drift_engine_destroy(struct drift_engine *engine)
{
    if (!engine)
        return;
    pthread_mutex_lock(&engine->lock);
    engine->stop = true;
    pthread_cond_signal(&engine->work);
    pthread_mutex_unlock(&engine->lock);
    pthread_join(engine->thread, NULL);
    step(engine);
    for (size_t i = 0; i < engine->n_models; i++) {
        drift_model_unref(engine->models[i].model);
        drift_free(engine->models[i].own_template);
    }
    DRIFT_ASSERT(engine->n_requests == 0); /* the server owes every request back */
    drift_free(engine);
}

/* ---- models ---- */

static struct slot *find(struct drift_engine *engine, const char *name, struct drift_error *err)
{
    for (size_t i = 0; i < engine->n_models; i++)
        if (strcmp(engine->models[i].info.name, name) == 0)
            return &engine->models[i];
    drift_error_set(err, DRIFT_STATUS_NOT_FOUND, 0, "there is no model %.100s", name);
    return NULL;
}

enum drift_status drift_engine_declare_model(struct drift_engine *engine,
                                             const struct drift_model_params *params,
                                             struct drift_error *err)
{
    enum drift_status status = DRIFT_STATUS_OK;
    pthread_mutex_lock(&engine->lock);
    if (find(engine, params->name, NULL))
        status = drift_error_set(err, DRIFT_STATUS_EXISTS, 0, "%s is declared", params->name);
    else if (engine->n_models == MAX_MODELS)
        status = drift_error_set(err, DRIFT_STATUS_LIMIT, 0, "too many models");
    else {
        struct slot *slot = &engine->models[engine->n_models++];
        *slot = (struct slot){.ctx_tokens = params->ctx_tokens};
        snprintf(slot->info.name, sizeof slot->info.name, "%s", params->name);
        snprintf(slot->info.path, sizeof slot->info.path, "%s", params->path);
        slot->info.created_unix_s = 1700000000;
        if (params->chat_template)
            slot->own_template = drift_strdup(DRIFT_TAG_ENGINE, params->chat_template);
    }
    pthread_mutex_unlock(&engine->lock);
    return status;
}

enum drift_status drift_engine_forget_model(struct drift_engine *engine, const char *name,
                                            struct drift_error *err)
{
    (void)engine;
    return drift_error_set(err, DRIFT_STATUS_UNSUPPORTED, 0, "%s stays", name);
}

static void begin_load(struct slot *slot)
{
    struct drift_buf text;
    struct drift_error err;
    int64_t value = 0;
    drift_buf_init(&text, DRIFT_TAG_ENGINE, 4096);
    slot->info.state = DRIFT_MODEL_LOADING;
    slot->load_end_ns = drift_clock_ns();
    slot->load_fails = false;
    if (drift_file_read(slot->info.path, &text, &err) != DRIFT_STATUS_OK) {
        slot->info.state = DRIFT_MODEL_FAILED;
        slot->info.error = err;
    } else {
        const char *words = drift_buf_cstr(&text);
        if (word(words, "load_ms=", &value))
            slot->load_end_ns += (uint64_t)value * MS;
        slot->load_fails = word(words, "load_fail=", &value);
        if (!slot->ctx_tokens)
            slot->ctx_tokens = word(words, "ctx=", &value) ? (uint32_t)value : 2048;
        slot->has_template = !word(words, "no_template=", &value);
        slot->raising_template = strstr(words, "template=raise") != NULL;
        slot->info.ctx_tokens = slot->ctx_tokens;
        slot->info.n_vocab = N_VOCAB;
    }
    drift_buf_fini(&text);
}

enum drift_status drift_engine_load_model(struct drift_engine *engine, const char *name,
                                          struct drift_error *err)
{
    enum drift_status status = DRIFT_STATUS_OK;
    pthread_mutex_lock(&engine->lock);
    struct slot *slot = find(engine, name, err);
    if (!slot)
        status = DRIFT_STATUS_NOT_FOUND;
    else if (slot->info.state == DRIFT_MODEL_ABSENT || slot->info.state == DRIFT_MODEL_FAILED)
        begin_load(slot);
    else if (slot->info.state == DRIFT_MODEL_DRAINING)
        status = drift_error_set(err, DRIFT_STATUS_UNAVAILABLE, 0, "%s is draining", name);
    pthread_mutex_unlock(&engine->lock);
    return status;
}

enum drift_status drift_engine_unload_model(struct drift_engine *engine, const char *name,
                                            bool cancel_running, struct drift_error *err)
{
    pthread_mutex_lock(&engine->lock);
    struct slot *slot = find(engine, name, err);
    if (slot && slot->info.state == DRIFT_MODEL_READY)
        slot->info.state = DRIFT_MODEL_DRAINING;
    else if (slot && slot->info.state == DRIFT_MODEL_LOADING)
        slot->info.state = DRIFT_MODEL_ABSENT;
    for (size_t i = 0; slot && cancel_running && i < engine->n_requests; i++)
        if (engine->requests[i]->slot == slot)
            engine->requests[i]->cancelled = true;
    pthread_mutex_unlock(&engine->lock);
    return slot ? DRIFT_STATUS_OK : DRIFT_STATUS_NOT_FOUND;
}

void drift_engine_list_models(struct drift_engine *engine, struct drift_model_info *infos,
                              size_t max, size_t *ret_n)
{
    pthread_mutex_lock(&engine->lock);
    for (size_t i = 0; i < engine->n_models && i < max; i++)
        infos[i] = engine->models[i].info;
    *ret_n = engine->n_models;
    pthread_mutex_unlock(&engine->lock);
}

enum drift_status drift_engine_get_model_info(struct drift_engine *engine, const char *name,
                                              struct drift_model_info *ret, struct drift_error *err)
{
    pthread_mutex_lock(&engine->lock);
    struct slot *slot = find(engine, name, err);
    if (slot)
        *ret = slot->info;
    pthread_mutex_unlock(&engine->lock);
    return slot ? DRIFT_STATUS_OK : DRIFT_STATUS_NOT_FOUND;
}

enum drift_status drift_engine_ref_model(struct drift_engine *engine, const char *name,
                                         struct drift_model **ret_model, struct drift_error *err)
{
    enum drift_status status = DRIFT_STATUS_OK;
    pthread_mutex_lock(&engine->lock);
    struct slot *slot = find(engine, name, err);
    if (!slot)
        status = DRIFT_STATUS_NOT_FOUND;
    else if (slot->info.state != DRIFT_MODEL_READY)
        status = drift_error_set(err, DRIFT_STATUS_UNAVAILABLE, 0, "%s is %s", name,
                                 drift_model_state_name(slot->info.state));
    else {
        __atomic_add_fetch(&slot->model->n_refs, 1, __ATOMIC_RELAXED);
        *ret_model = slot->model;
    }
    pthread_mutex_unlock(&engine->lock);
    return status;
}

void drift_model_unref(struct drift_model *model)
{
    if (model && __atomic_sub_fetch(&model->n_refs, 1, __ATOMIC_ACQ_REL) == 0)
        drift_free(model);
}

const char *drift_model_name(const struct drift_model *model)
{
    return model->name;
}

uint32_t drift_model_ctx_tokens(const struct drift_model *model)
{
    return model->ctx_tokens;
}

uint32_t drift_model_n_vocab(const struct drift_model *model)
{
    (void)model;
    return N_VOCAB;
}

const char *drift_model_chat_template(const struct drift_model *model)
{
    return model->chat_template;
}

const char *drift_model_bos_text(const struct drift_model *model)
{
    (void)model;
    return "<s>";
}

const char *drift_model_eos_text(const struct drift_model *model)
{
    (void)model;
    return "</s>";
}

const char *drift_model_fingerprint(const struct drift_model *model)
{
    (void)model;
    return "fp_fake";
}

enum drift_status drift_model_tokenize(const struct drift_model *model, const char *text,
                                       size_t len, uint32_t flags, size_t max_tokens,
                                       int32_t **ret_tokens, size_t *ret_n, struct drift_error *err)
{
    (void)model;
    size_t n = len + (flags & DRIFT_TOKENIZE_ADD_SPECIAL ? 1 : 0), at = 0;
    if (n > max_tokens)
        return drift_error_set(err, DRIFT_STATUS_LIMIT, 0, "more than %zu tokens", max_tokens);
    int32_t *tokens = drift_alloc(DRIFT_TAG_ENGINE, n, sizeof *tokens);
    if (!tokens)
        return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "no memory");
    if (flags & DRIFT_TOKENIZE_ADD_SPECIAL)
        tokens[at++] = BOS;
    for (size_t i = 0; i < len; i++)
        tokens[at++] = (unsigned char)text[i];
    *ret_tokens = tokens;
    *ret_n = n;
    return DRIFT_STATUS_OK;
}

const char *drift_model_token_text(const struct drift_model *model, int32_t token, size_t *ret_len)
{
    static char bytes[256];
    static const char halves[2][2] = {"\xac", "\xe2"};
    (void)model;
    if (token >= 300 && token < 302) {
        *ret_len = 1;
        return halves[token - 300];
    }
    if (token < 0 || token > 255) {
        *ret_len = 0;
        return "";
    }
    bytes[token] = (char)token; /* the same value every time */
    *ret_len = 1;
    return &bytes[token];
}

/* ---- requests, on the server's thread ---- */

static void read_words(struct drift_request *r, const struct drift_request_params *params)
{
    char text[4096];
    size_t n = 0;
    int64_t value;
    for (uint32_t i = 0; i < params->n_prompt && n + 1 < sizeof text; i++)
        if (params->prompt[i] > 0 && params->prompt[i] < 128)
            text[n++] = (char)params->prompt[i];
    text[n] = '\0';
    r->n_tokens = word(text, "@tokens=", &value) ? (uint32_t)value : 8;
    r->prefill_ns = word(text, "@prefill_ms=", &value) ? (uint64_t)value * MS : 0;
    r->token_ns = word(text, "@token_ms=", &value) ? (uint64_t)value * MS : 0;
    r->n_text_bytes = word(text, "@bytes=", &value) ? (uint32_t)value : 0;
    r->fail_after = word(text, "@fail_after=", &value) ? value : -1;
    r->fail_status = DRIFT_STATUS_DEVICE_LOST;
    r->wide = strstr(text, "@wide") != NULL;
    for (int i = 1; i < DRIFT_STATUS_COUNT; i++) {
        char key[64];
        snprintf(key, sizeof key, "@fail=%s", drift_status_name((enum drift_status)i));
        if (strstr(text, key))
            r->fail_status = (enum drift_status)i;
    }
}

static enum drift_status check_submit(struct drift_engine *engine,
                                      const struct drift_request_params *params,
                                      struct slot **ret_slot, struct drift_error *err)
{
    struct slot *slot = find(engine, params->model->name, err);
    if (!slot)
        return DRIFT_STATUS_NOT_FOUND;
    if (slot->info.state != DRIFT_MODEL_READY)
        return drift_error_set(err, DRIFT_STATUS_UNAVAILABLE, 0, "%s is %s", slot->info.name,
                               drift_model_state_name(slot->info.state));
    if (params->n_prompt >= params->model->ctx_tokens)
        return drift_error_set(err, DRIFT_STATUS_CONTEXT_LENGTH, 0,
                               "the maximum context length is %u, the prompt has %u",
                               params->model->ctx_tokens, params->n_prompt);
    if (engine->n_requests == MAX_REQUESTS ||
        (count_running(engine, true) >= engine->params.max_sequences &&
         count_running(engine, false) >= engine->params.max_queued_requests)) {
        engine->stats.n_refused_busy++;
        return drift_error_set(err, DRIFT_STATUS_BUSY, 0, "%u requests are waiting already",
                               count_running(engine, false));
    }
    *ret_slot = slot;
    return DRIFT_STATUS_OK;
}

enum drift_status drift_engine_submit(struct drift_engine *engine,
                                      const struct drift_request_params *params,
                                      struct drift_request **ret_request, struct drift_error *err)
{
    struct slot *slot = NULL;
    struct drift_request *r = drift_alloc(DRIFT_TAG_ENGINE, 1, sizeof *r);
    if (!r)
        return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "no memory");
    pthread_mutex_lock(&engine->lock);
    enum drift_status status = check_submit(engine, params, &slot, err);
    if (status != DRIFT_STATUS_OK) {
        pthread_mutex_unlock(&engine->lock);
        drift_free(r);
        return status;
    }
    r->engine = engine;
    r->slot = slot;
    r->model = params->model;
    __atomic_add_fetch(&r->model->n_refs, 1, __ATOMIC_RELAXED);
    r->user = params->user;
    r->n_prompt = params->n_prompt;
    r->n_choices = params->n_choices;
    r->max_tokens = params->max_tokens;
    r->n_top = params->n_top_logprobs;
    r->ignore_eos = params->ignore_eos;
    r->submit_ns = drift_clock_ns();
    r->n_stops = params->n_stops;
    for (uint32_t i = 0; i < params->n_stops; i++)
        snprintf(r->stops[i], sizeof r->stops[i], "%s", params->stops[i]);
    read_words(r, params);
    engine->requests[engine->n_requests++] = r;
    engine->stats.n_requests++;
    engine->stats.prompt_tokens += r->n_prompt;
    *ret_request = r;
    pthread_cond_signal(&engine->work);
    pthread_mutex_unlock(&engine->lock);
    return DRIFT_STATUS_OK;
}

struct drift_request *drift_engine_next_ready(struct drift_engine *engine)
{
    struct drift_request *found = NULL;
    pthread_mutex_lock(&engine->lock);
    for (size_t i = 0; i < engine->n_requests && !found; i++) {
        struct drift_request *r = engine->requests[i];
        if (!r->released && r->count > 0 && !r->listed)
            found = r;
    }
    if (found)
        found->listed = true;
    else /* the end of the chain: the next call begins another */
        for (size_t i = 0; i < engine->n_requests; i++)
            engine->requests[i]->listed = false;
    pthread_mutex_unlock(&engine->lock);
    return found;
}

bool drift_request_next_event(struct drift_request *request, struct drift_event *ret)
{
    struct drift_engine *engine = request->engine;
    pthread_mutex_lock(&engine->lock);
    bool any = request->count > 0;
    if (any) {
        *ret = request->ring[request->first];
        request->first = (request->first + 1) % RING;
        request->count--;
    }
    pthread_mutex_unlock(&engine->lock);
    return any;
}

void *drift_request_user(const struct drift_request *request)
{
    return request->user;
}

void drift_request_cancel(struct drift_request *request)
{
    pthread_mutex_lock(&request->engine->lock);
    request->cancelled = true;
    pthread_mutex_unlock(&request->engine->lock);
}

void drift_request_release(struct drift_request *request)
{
    if (!request)
        return;
    struct drift_engine *engine = request->engine;
    pthread_mutex_lock(&engine->lock);
    if (!request->ended)
        engine->stats.n_cancelled++;
    request->released = true;
    pthread_cond_signal(&engine->work);
    pthread_mutex_unlock(&engine->lock);
}

uint32_t drift_engine_retry_after_s(struct drift_engine *engine)
{
    (void)engine;
    return 3;
}

void drift_engine_get_stats(struct drift_engine *engine, struct drift_engine_stats *ret)
{
    pthread_mutex_lock(&engine->lock);
    *ret = engine->stats;
    ret->n_running = count_running(engine, true);
    ret->n_queued = count_running(engine, false);
    pthread_mutex_unlock(&engine->lock);
}
