/* config.h: what each source accepts, precedence, every refusal's text, differences, the texts for
 * people. */
#include "config/build.h"
#include "config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define MAX_STRINGS 12

static char *no_env[] = {NULL};

struct sources {
    const char *file; /* contents; NULL: none */
    const char *args[MAX_STRINGS]; /* behind argv[0] */
    const char *env[MAX_STRINGS];
};

static enum drift_status load_text(const struct sources *sources, size_t len,
                                   struct drift_config **ret, struct drift_error *err)
{
    char *argv[MAX_STRINGS + 2] = {(char *)"driftd"};
    char *envp[MAX_STRINGS + 1] = {NULL};
    struct drift_config_input input = {.argc = 1, .argv = argv, .envp = envp};
    for (; sources->args[input.argc - 1]; input.argc++)
        argv[input.argc] = (char *)(uintptr_t)sources->args[input.argc - 1];
    for (size_t i = 0; i < MAX_STRINGS && sources->env[i]; i++)
        envp[i] = (char *)(uintptr_t)sources->env[i];
    struct drift_config_text text = {"d.conf", sources->file, len};
    return drift_config_load_text(&input, sources->file ? &text : NULL, ret, err);
}

static enum drift_status load(const struct sources *sources, struct drift_config **ret,
                              struct drift_error *err)
{
    return load_text(sources, sources->file ? strlen(sources->file) : 0, ret, err);
}

static struct drift_config *must_load(const struct sources *sources)
{
    struct drift_config *config = NULL;
    struct drift_error err = {0};
    enum drift_status status = load(sources, &config, &err);
    if (status != DRIFT_STATUS_OK)
        fail_msg("%s", err.msg);
    assert_non_null(config);
    return config;
}

static void test_config__nothing_given__defaults(void **state)
{
    (void)state;
    struct drift_config *c = must_load(&(struct sources){.env = {"HOME=/home/ada"}});
    assert_int_equal(c->action, DRIFT_CONFIG_ACTION_RUN);
    assert_null(c->file);
    assert_int_equal(c->server.n_listen, 1);
    assert_int_equal(c->server.listen[0].kind, DRIFT_CONFIG_LISTEN_TCP);
    assert_string_equal(c->server.listen[0].host, "127.0.0.1");
    assert_int_equal(c->server.listen[0].port, 8080);
    assert_true(c->server.listen[0].loopback);
    assert_int_equal(c->server.max_body_bytes, 16 << 20);
    assert_int_equal(c->server.max_connections, 1024);
    assert_int_equal(c->server.header_timeout_ms, 10000);
    assert_int_equal(c->server.idle_timeout_ms, 120000);
    assert_int_equal(c->server.sse_ping_interval_ms, 10000);
    assert_int_equal(c->server.drain_timeout_ms, 30000);
    assert_int_equal(c->server.max_queue_requests, 64);
    assert_null(c->server.api_key_file);
    assert_false(c->server.allow_remote_without_key);
    assert_int_equal(c->server.cors, DRIFT_CONFIG_CORS_LOOPBACK);
    assert_int_equal(c->server.n_cors_origins, 0);
    assert_int_equal(c->server.log_level, DRIFT_LOG_INFO);
    assert_int_equal(c->server.log_format, DRIFT_CONFIG_LOG_FORMAT_AUTO);
    assert_false(c->server.log_prompts);
    assert_null(c->models.models_dir);
    assert_null(c->models.default_model);
    assert_int_equal(c->models.n_models, 0);
    assert_string_equal(c->engine.device, "auto");
    assert_int_equal(c->engine.ctx_tokens, 0);
    assert_int_equal(c->engine.kv_cache_tokens, 0);
    assert_int_equal(c->engine.max_sequences, 32);
    assert_int_equal(c->engine.prefill_chunk_tokens, 256);
    assert_int_equal(c->engine.kv_dtype, DRIFT_DTYPE_F16);
    assert_true(c->engine.determinism);
    assert_int_equal(c->engine.memory_budget_bytes, 0);
    assert_int_equal(c->cpu.n_threads, 0);
    assert_int_equal(c->cpu.isa, DRIFT_CONFIG_ISA_AUTO);
    assert_string_equal(c->cache.dir, "/home/ada/.cache/driftd");
    assert_int_equal(c->n_warnings, 0);
    drift_config_destroy(c);
}

static void test_config__full_file__every_key_is_taken(void **state)
{
    (void)state;
    struct drift_config *c = must_load(&(struct sources){
        .file =
            "\xef\xbb\xbf[server]\r\n"
            "listen = 127.0.0.1:0 ; chosen by the system\r\n"
            "  listen = [::1]:8081\n"
            "listen = unix:/run/driftd/driftd.sock\n"
            "max-body-bytes = 1 MiB\nmax-connections=7\nheader-timeout: 1500ms\n"
            "idle-timeout = 2min\nsse-ping-interval = 0\ndrain-timeout = 1h\nmax-queue = 3\n"
            "api-key-file = ~/keys\nallow-remote-without-key = yes\n"
            "cors-origins = none\ncors-origins = HTTPS://App.example:8443\ncors-origins = "
            "app://obsidian.md\n"
            "log-level = DEBUG\nlog-format = journald\nlog-prompts = on\n"
            "# a comment\n\n"
            "[models]\nmodels-dir = /srv/models\ndefault-model = b\n"
            "[ model  b ] ; named b\npath = /b.gguf\nctx = 2048\nchat-template-file = /t.jinja\n"
            "device = opencl:1\npreload = no\n"
            "[engine]\ndevice = vulkan\nctx = 4096\nkv-cache-tokens = 16384\nmax-sequences = 8\n"
            "prefill-chunk = 128\nkv-type = f32\ndeterminism = off\nmemory-budget = 3GiB\n"
            "[cpu]\nthreads = 2\nisa = avx2\n[cache]\ndir = /c",
        .env = {"HOME=/root"}});
    assert_int_equal(c->server.n_listen, 3);
    assert_int_equal(c->server.listen[0].port, 0);
    assert_string_equal(c->server.listen[1].host, "::1");
    assert_true(c->server.listen[1].loopback);
    assert_int_equal(c->server.listen[2].kind, DRIFT_CONFIG_LISTEN_UNIX);
    assert_string_equal(c->server.listen[2].path, "/run/driftd/driftd.sock");
    assert_int_equal(c->server.max_body_bytes, 1 << 20);
    assert_int_equal(c->server.max_connections, 7);
    assert_int_equal(c->server.header_timeout_ms, 1500);
    assert_int_equal(c->server.idle_timeout_ms, 120000);
    assert_int_equal(c->server.sse_ping_interval_ms, 0);
    assert_int_equal(c->server.drain_timeout_ms, 3600000);
    assert_int_equal(c->server.max_queue_requests, 3);
    assert_string_equal(c->server.api_key_file, "/root/keys");
    assert_true(c->server.allow_remote_without_key);
    assert_int_equal(c->server.cors, DRIFT_CONFIG_CORS_LIST);
    assert_int_equal(c->server.n_cors_origins, 2);
    assert_string_equal(c->server.cors_origins[0], "https://app.example:8443");
    assert_string_equal(c->server.cors_origins[1], "app://obsidian.md");
    assert_int_equal(c->server.log_level, DRIFT_LOG_DEBUG);
    assert_int_equal(c->server.log_format, DRIFT_CONFIG_LOG_FORMAT_JOURNALD);
    assert_true(c->server.log_prompts);
    assert_string_equal(c->models.models_dir, "/srv/models");
    assert_string_equal(c->models.default_model, "b");
    assert_int_equal(c->models.n_models, 1);
    const struct drift_config_model *m = &c->models.models[0];
    assert_string_equal(m->name, "b");
    assert_string_equal(m->path, "/b.gguf");
    assert_int_equal(m->ctx_tokens, 2048);
    assert_string_equal(m->chat_template_file, "/t.jinja");
    assert_string_equal(m->device, "opencl:1");
    assert_false(m->preload);
    assert_string_equal(c->engine.device, "vulkan");
    assert_int_equal(c->engine.ctx_tokens, 4096);
    assert_int_equal(c->engine.kv_cache_tokens, 16384);
    assert_int_equal(c->engine.max_sequences, 8);
    assert_int_equal(c->engine.prefill_chunk_tokens, 128);
    assert_int_equal(c->engine.kv_dtype, DRIFT_DTYPE_F32);
    assert_false(c->engine.determinism);
    assert_int_equal(c->engine.memory_budget_bytes, 3ull << 30);
    assert_int_equal(c->cpu.n_threads, 2);
    assert_int_equal(c->cpu.isa, DRIFT_CONFIG_ISA_AVX2);
    assert_string_equal(drift_config_isa_name(c->cpu.isa), "avx2");
    assert_string_equal(c->cache.dir, "/c");
    assert_int_equal(c->n_warnings, 0);
    drift_config_destroy(c);
}

static void test_config__four_sources__flags_over_environment_over_file(void **state)
{
    (void)state;
    struct drift_config *c = must_load(&(struct sources){
        .file = "[server]\nmax-queue = 1\nmax-connections = 1\nheader-timeout = 1s\nlisten = "
                "127.0.0.1:1\n"
                "listen = 127.0.0.1:2\n[model a]\npath = /file\nctx = 99\n[model b]\npath = /b\n",
        .env = {"DRIFTD_MAX_QUEUE=2", "DRIFTD_MAX_CONNECTIONS=2", "DRIFTD_THREADS=3",
                "DRIFTD_LISTEN=127.0.0.1:3, unix:/s", "DRIFTD_MODEL=c=/c,d=/d", "DRIFTD_CTX="},
        .args = { "--max-queue=3", "--model", "a=/flag", "--listen", "127.0.0.1:5",
                "--listen=[::1]:6", "--no-determinism", "--log-prompts",
                "--allow-remote-without-key=off"}
    });
    assert_int_equal(c->server.max_queue_requests, 3);
    assert_int_equal(c->server.max_connections, 2);
    assert_int_equal(c->server.header_timeout_ms, 1000);
    assert_int_equal(c->cpu.n_threads, 3);
    assert_int_equal(c->server.n_listen, 2);
    assert_string_equal(c->server.listen[0].text, "127.0.0.1:5");
    assert_string_equal(c->server.listen[1].text, "[::1]:6");
    assert_false(c->engine.determinism);
    assert_true(c->server.log_prompts);
    assert_int_equal(c->models.n_models, 4);
    assert_string_equal(c->models.models[0].path, "/flag");
    assert_int_equal(c->models.models[0].ctx_tokens, 99);
    assert_string_equal(c->models.models[1].path, "/b");
    assert_string_equal(c->models.models[3].path, "/d");
    drift_config_destroy(c);
}

static void test_config__environment_lists__split_at_commas(void **state)
{
    (void)state;
    struct drift_config *c = must_load(&(struct sources){
        .env = {"DRIFTD_LISTEN= 127.0.0.1:3 ,unix:/s,",
                "DRIFTD_CORS_ORIGINS=loopback,https://a.b"}
    });
    assert_int_equal(c->server.n_listen, 2);
    assert_string_equal(c->server.listen[0].text, "127.0.0.1:3");
    assert_string_equal(c->server.listen[1].text, "unix:/s");
    assert_int_equal(c->server.cors, DRIFT_CONFIG_CORS_LOOPBACK);
    assert_int_equal(c->server.n_cors_origins, 1);
    drift_config_destroy(c);
}

static void test_config__empty_value__is_the_default_again(void **state)
{
    (void)state;
    struct drift_config *c = must_load(&(struct sources){
        .file = "[server]\nmax-queue = 5\nlisten = 127.0.0.1:1\nlisten = 127.0.0.1:2\napi-key-file "
                "= /k\n"
                "max-queue =\nlisten =\napi-key-file =\n[model a]\npath=/a\nctx=100\nctx=\n"});
    assert_int_equal(c->server.max_queue_requests, 64);
    assert_int_equal(c->server.n_listen, 1);
    assert_string_equal(c->server.listen[0].text, "127.0.0.1:8080");
    assert_null(c->server.api_key_file);
    assert_int_equal(c->models.models[0].ctx_tokens, 0);
    drift_config_destroy(c);
    c = must_load(&(struct sources){
        .file = "[server]\nlisten = 127.0.0.1:1\nlisten =\nlisten = 127.0.0.1:2\n"});
    assert_int_equal(c->server.n_listen, 1);
    assert_string_equal(c->server.listen[0].text, "127.0.0.1:2");
    drift_config_destroy(c);
}

static void test_config__long_model_names_and_paths__are_not_cut(void **state)
{
    (void)state;
    char name[128], path[3000], file[4000];
    memset(name, 'n', sizeof name - 1);
    memset(path, 'p', sizeof path - 1);
    name[sizeof name - 1] = path[sizeof path - 1] = '\0';
    path[0] = '/';
    snprintf(file, sizeof file, "[model %s]\npath = %s\n[model %.60s]\npath = /b\n", name, path,
             name);
    struct drift_config *c = must_load(&(struct sources){.file = file});
    assert_int_equal(c->models.n_models, 2);
    assert_string_equal(c->models.models[0].name, name);
    assert_string_equal(c->models.models[0].path, path);
    drift_config_destroy(c);
}

static void test_config__suspicious_input__is_warned_of(void **state)
{
    (void)state;
    struct drift_config *c = must_load(&(struct sources){
        .file = "[server]\nmax-queue = 1\nmax-queue = 2\n",
        .env = {"DRIFTD_PORT=tcp://10.0.0.1:80", "DRIFTD_CONFIG=", "DRIFTDX=1",
                "DRIFTD_URL=http://h:1"}
    });
    assert_int_equal(c->server.max_queue_requests, 2);
    assert_int_equal(c->n_warnings, 2);
    assert_string_equal(c->warnings[0],
                        "d.conf:3: max-queue was set in line 2 already, the later value counts");
    assert_string_equal(c->warnings[1],
                        "environment variable DRIFTD_PORT is not known and was ignored");
    drift_config_destroy(c);
}

static void test_config__actions__help_wins_and_ignores_broken_files(void **state)
{
    (void)state;
    static const struct {
        struct sources sources;
        enum drift_config_action action;
    } rows[] = {
        {{.args = {"--check-config"}}, DRIFT_CONFIG_ACTION_CHECK_CONFIG},
        {{.args = {"--list-devices"}}, DRIFT_CONFIG_ACTION_LIST_DEVICES},
        {{.args = {"--version", "--check-config"}}, DRIFT_CONFIG_ACTION_VERSION},
        {{.args = {"--version"}, .env = {"DRIFTD_CONFIG=/nowhere", "DRIFTD_CTX=x"}},
         DRIFT_CONFIG_ACTION_VERSION},
        {{.args = {"-h", "--version"}}, DRIFT_CONFIG_ACTION_HELP},
        {{.args = {"--config", "/nowhere/at-all", "--help", "--max-queue", "no"}},
         DRIFT_CONFIG_ACTION_HELP},
    };
    for (size_t i = 0; i < DRIFT_COUNT_OF(rows); i++) {
        struct drift_config *c = must_load(&rows[i].sources);
        assert_int_equal(c->action, rows[i].action);
        drift_config_destroy(c);
    }
}

/* A value that is refused, and the sentence a person gets. */
struct refusal {
    const char *file;
    const char *args[3];
    const char *env;
    int exit_status;
    const char *msg;
};

/* clang-format off */
static const struct refusal refusals[] = {
    /* values */
    {"[server]\n\nmax-body-bytes = 5XB\n", {0}, NULL, 78,
     "d.conf:3: [server] max-body-bytes = 5XB: allowed: 1KiB to 1GiB (units: KiB, MiB, GiB, "
     "TiB; none is bytes)"},
    {"[server]\nmax-body-bytes = 1023\n", {0}, NULL, 78,
     "d.conf:2: [server] max-body-bytes = 1023: allowed: 1KiB to 1GiB (units: KiB, MiB, GiB, "
     "TiB; none is bytes)"},
    {"[server]\nmax-body-bytes = 99999999999999999999TiB\n", {0}, NULL, 78,
     "d.conf:2: [server] max-body-bytes = 99999999999999999999TiB: allowed: 1KiB to 1GiB "
     "(units: KiB, MiB, GiB, TiB; none is bytes)"},
    {"[server]\nmax-body-bytes = 99999999TiB\n", {0}, NULL, 78,
     "d.conf:2: [server] max-body-bytes = 99999999TiB: allowed: 1KiB to 1GiB (units: KiB, MiB, "
     "GiB, TiB; none is bytes)"},
    {"[server]\nheader-timeout = 5 minutes\n", {0}, NULL, 78,
     "d.conf:2: [server] header-timeout = 5 minutes: allowed: 100ms to 10min (units: ms, s, "
     "min, h; none is seconds)"},
    {"[server]\nsse-ping-interval = -1\n", {0}, NULL, 78,
     "d.conf:2: [server] sse-ping-interval = -1: allowed: 100ms to 10min (units: ms, s, min, h; "
     "none is seconds), or 0 for none"},
    {"[server]\nmax-queue = 0\n", {0}, NULL, 78,
     "d.conf:2: [server] max-queue = 0: allowed: 1 to 65536"},
    {"[server]\nmax-queue = 1e3\n", {0}, NULL, 78,
     "d.conf:2: [server] max-queue = 1e3: allowed: 1 to 65536"},
    {"[engine]\nctx = 8\n", {0}, NULL, 78,
     "d.conf:2: [engine] ctx = 8: allowed: 16 to 1048576, or 0 for what the model was trained "
     "for, at most 8192"},
    {"[engine]\nkv-type = q8\n", {0}, NULL, 78,
     "d.conf:2: [engine] kv-type = q8: allowed: f16 or f32"},
    {"[server]\nlog-level = loud\n", {0}, NULL, 78,
     "d.conf:2: [server] log-level = loud: allowed: error, warn, info or debug"},
    {"[engine]\ndeterminism = maybe\n", {0}, NULL, 78,
     "d.conf:2: [engine] determinism = maybe: allowed: on or off"},
    {"[engine]\ndevice = cuda:0\n", {0}, NULL, 78,
     "d.conf:2: [engine] device = cuda:0: allowed: auto, cpu, opencl, opencl:N, vulkan or "
     "vulkan:N"},
    {"[engine]\ndevice = cpu:1\n", {0}, NULL, 78,
     "d.conf:2: [engine] device = cpu:1: allowed: auto, cpu, opencl, opencl:N, vulkan or "
     "vulkan:N"},
    {"[engine]\ndevice = opencl:\n", {0}, NULL, 78,
     "d.conf:2: [engine] device = opencl:: allowed: auto, cpu, opencl, opencl:N, vulkan or "
     "vulkan:N"},
    {"[model a]\npath=/a\ndevice = opencl:64\n", {0}, NULL, 78,
     "d.conf:3: [model a] device = opencl:64: allowed: auto, cpu, opencl, opencl:N, vulkan or "
     "vulkan:N"},
    {"[server]\nlisten = 8080\n", {0}, NULL, 78,
     "d.conf:2: [server] listen = 8080: allowed: HOST:PORT, [IPV6]:PORT, *:PORT or unix:/PATH "
     "(at most 107 bytes)"},
    {"[server]\nlisten = 127.0.0.1:65536\n", {0}, NULL, 78,
     "d.conf:2: [server] listen = 127.0.0.1:65536: allowed: HOST:PORT, [IPV6]:PORT, *:PORT or "
     "unix:/PATH (at most 107 bytes)"},
    {"[server]\nlisten = ::1:80\n", {0}, NULL, 78,
     "d.conf:2: [server] listen = ::1:80: allowed: HOST:PORT, [IPV6]:PORT, *:PORT or unix:/PATH "
     "(at most 107 bytes)"},
    {"[server]\nlisten = [::g]:80\n", {0}, NULL, 78,
     "d.conf:2: [server] listen = [::g]:80: allowed: HOST:PORT, [IPV6]:PORT, *:PORT or "
     "unix:/PATH (at most 107 bytes)"},
    {"[server]\nlisten = unix:relative\n", {0}, NULL, 78,
     "d.conf:2: [server] listen = unix:relative: allowed: HOST:PORT, [IPV6]:PORT, *:PORT or "
     "unix:/PATH (at most 107 bytes)"},
    {"[server]\ncors-origins = example.com\n", {0}, NULL, 78,
     "d.conf:2: [server] cors-origins = example.com: allowed: SCHEME://HOST[:PORT], loopback, * "
     "or none"},
    {"[server]\ncors-origins = https://example.com/\n", {0}, NULL, 78,
     "d.conf:2: [server] cors-origins = https://example.com/: allowed: SCHEME://HOST[:PORT], "
     "loopback, * or none"},
    {"[models]\ndefault-model = two words\n", {0}, NULL, 78,
     "d.conf:2: [models] default-model = two words: allowed: 1 to 127 characters of A-Z a-z 0-9 "
     ". _ : / -"},
    {"[server]\napi-key-file = ~root/keys\n", {0}, NULL, 78,
     "d.conf:2: [server] api-key-file = ~root/keys: allowed: a path; ~/ stands for $HOME, which "
     "has to be set for it"},
    {"[cache]\ndir = ~/c\n", {0}, NULL, 78,
     "d.conf:2: [cache] dir = ~/c: allowed: a path; ~/ stands for $HOME, which has to be set "
     "for it"},
    {"[cache]\ndir = /a\tb\n", {0}, NULL, 78,
     "d.conf:2: [cache] dir = /a?b: control characters are not allowed"},
    /* places */
    {NULL, {"--max-queue", "none"}, NULL, 78,
     "--max-queue none: allowed: 1 to 65536"},
    {NULL, {"--determinism=2"}, NULL, 78,
     "--determinism 2: allowed: on or off"},
    {NULL, {0}, "DRIFTD_LOG_LEVEL=5", 78,
     "DRIFTD_LOG_LEVEL=5: allowed: error, warn, info or debug"},
    {NULL, {0}, "DRIFTD_LISTEN=127.0.0.1:1,x", 78,
     "DRIFTD_LISTEN=x: allowed: HOST:PORT, [IPV6]:PORT, *:PORT or unix:/PATH (at most 107 bytes)"},
    /* names */
    {"[server]\nmax-ques = 1\n", {0}, NULL, 78,
     "d.conf:2: unknown key 'max-ques' in [server], did you mean 'max-queue'?"},
    {"[server]\nctx = 1\n", {0}, NULL, 78,
     "d.conf:2: unknown key 'ctx' in [server]; it belongs to [model NAME] or [engine]"},
    {"[server]\nzzzzzzz = 1\n", {0}, NULL, 78,
     "d.conf:2: unknown key 'zzzzzzz' in [server]"},
    {"[serve]\n", {0}, NULL, 78,
     "d.conf:1: unknown section [serve], did you mean 'server'?"},
    {"[model]\n", {0}, NULL, 78,
     "d.conf:1: [model] needs a name, as in [model smollm2]"},
    {"[model a b]\n", {0}, NULL, 78,
     "d.conf:1: [model a b]: a model's name is 1 to 127 characters of A-Z a-z 0-9 . _ : / -"},
    {"ctx = 1\n", {0}, NULL, 78,
     "d.conf:1: a key before the first [section], for example [server]"},
    /* form */
    {"[server]\nmax-queue 5\n", {0}, NULL, 78,
     "d.conf:2: expected 'key = value', [section] or a comment"},
    {"[server]\nnonsense\nmax-queue = 0\n", {0}, NULL, 78,
     "d.conf:2: expected 'key = value', [section] or a comment"},
    {"[server\nmax-queue = 5\n", {0}, NULL, 78,
     "d.conf:1: expected [section] and nothing behind it"},
    {"[server] max-queue = 5\n", {0}, NULL, 78,
     "d.conf:1: expected [section] and nothing behind it"},
    /* the command line: the second kind of exit status */
    {NULL, {"--modle", "a=b"}, NULL, 64,
     "unknown flag '--modle', did you mean 'model'?"},
    {NULL, {"-x"}, NULL, 64,
     "unknown flag '-x'"},
    {NULL, {"model.gguf"}, NULL, 64,
     "unexpected argument 'model.gguf'"},
    {NULL, {"--ctx"}, NULL, 64,
     "--ctx needs a value: --ctx TOKENS"},
    {NULL, {"--config"}, NULL, 64,
     "--config needs a value: --config FILE"},
    {NULL, {"--version=1"}, NULL, 64,
     "--version takes no value"},
    {NULL, {"--no-determinism=on"}, NULL, 64,
     "--no-determinism takes no value"},
    {NULL, {"--no-ctx"}, NULL, 64,
     "unknown flag '--no-ctx', did you mean 'ctx'?"},
    {NULL, {"--"}, NULL, 64,
     "unknown flag '--'"},
    {NULL, {"--config", "/nowhere/at-all.conf"}, NULL, 66,
     NULL},
    {NULL, {"--config", "/"}, NULL, 66,
     NULL},
    /* combinations */
    {"[server]\nlisten = 127.0.0.1:80\nlisten = 0.0.0.0:80\n", {0}, NULL, 78,
     "d.conf:3: [server] listen = 0.0.0.0:80: other machines could reach this; set "
     "api-key-file, or allow-remote-without-key = on"},
    {NULL, {"--listen", "*:80"}, NULL, 78,
     "--listen *:80: other machines could reach this; set api-key-file, or "
     "allow-remote-without-key = on"},
    {NULL, {"--listen", "localhost.example:80"}, NULL, 78,
     "--listen localhost.example:80: other machines could reach this; set api-key-file, or "
     "allow-remote-without-key = on"},
    {"[server]\nlisten = 127.0.0.1:80\nlisten = 127.0.0.1:80\n", {0}, NULL, 78,
     "d.conf:3: [server] listen = 127.0.0.1:80: given twice"},
    {"[server]\ncors-origins = *\ncors-origins = https://a.b\n", {0}, NULL, 78,
     "d.conf:3: [server] cors-origins = https://a.b: * allows every page, so nothing else may "
     "stand beside it"},
    {"[engine]\nctx = 4096\nkv-cache-tokens = 1024\n", {0}, NULL, 78,
     "d.conf:3: [engine] kv-cache-tokens = 1024: less than one sequence of ctx = 4096 tokens"},
    {"[engine]\nkv-cache-tokens = 1024\n[model a]\npath = /a\nctx = 2048\n", {0}, NULL, 78,
     "d.conf:5: [model a] ctx = 2048: kv-cache-tokens is only 1024"},
    {"[model a]\nctx = 2048\n", {0}, NULL, 78,
     "d.conf:1: [model a]: a model needs the path of its file"},
    {"[model a]\n[model b]\npath = /b", {0}, NULL, 78,
     "d.conf:1: [model a]: a model needs the path of its file"},
    {"[models]\ndefault-model = b\n[model a]\npath = /a\n", {0}, NULL, 78,
     "d.conf:2: [models] default-model = b: there is no such model, and no models-dir to find "
     "it in"},
    {NULL, {"--model", "/models/a.gguf"}, NULL, 78,
     "--model /models/a.gguf: expected NAME=PATH"},
    {NULL, {"--model", "=a"}, NULL, 78,
     "--model =a: expected NAME=PATH"},
    {NULL, {"--model=a=/a", "--model=a=/b"}, NULL, 78,
     "--model a=/b: the model has a path already: /a"},
    {NULL, {"--model", "a b=/x"}, NULL, 78,
     "--model a b=/x: a model's name is 1 to 127 characters of A-Z a-z 0-9 . _ : / -"},
};
/* clang-format on */

static void test_config__refused_input__says_where_what_and_what_is_allowed(void **state)
{
    (void)state;
    for (size_t i = 0; i < DRIFT_COUNT_OF(refusals); i++) {
        const struct refusal *r = &refusals[i];
        struct sources sources = {.file = r->file, .env = {r->env}};
        memcpy(sources.args, r->args, sizeof r->args);
        struct drift_config *config = NULL;
        struct drift_error err = {0};
        if (load(&sources, &config, &err) == DRIFT_STATUS_OK)
            fail_msg("accepted, expected: %s", r->msg);
        assert_null(config);
        if (r->msg)
            assert_string_equal(err.msg, r->msg);
        assert_int_equal(drift_config_exit_status(&err), r->exit_status);
    }
    assert_int_equal(drift_alloc_live_bytes(DRIFT_TAG_CONFIG), 0);
}

static void test_config__accepted_addresses__loopback_is_recognized(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool loopback;
        const char *host;
        uint16_t port;
    } rows[] = {
        {"127.8.9.1:80", true, "127.8.9.1", 80},
        {"localhost:0", true, "localhost", 0},
        {"[::1]:65535", true, "::1", 65535},
        {"[::ffff:127.0.0.1]:1", true, "::ffff:127.0.0.1", 1},
        {"*:80", false, "*", 80},
        {"0.0.0.0:80", false, "0.0.0.0", 80},
        {"[::]:80", false, "::", 80},
        {"my-host.lan:80", false, "my-host.lan", 80},
        {"127.1:80", false, "127.1", 80},
        {"127.0.0.1.example.com:80", false, "127.0.0.1.example.com", 80},
    };
    for (size_t i = 0; i < DRIFT_COUNT_OF(rows); i++) {
        struct drift_config *c = must_load(&(struct sources){
            .args = {"--listen", rows[i].text, "--api-key-file", "/k"}
        });
        assert_int_equal(c->server.listen[0].loopback, rows[i].loopback);
        assert_string_equal(c->server.listen[0].host, rows[i].host);
        assert_int_equal(c->server.listen[0].port, rows[i].port);
        drift_config_destroy(c);
    }
}

static void test_config__too_much_of_everything__refused(void **state)
{
    (void)state;
    static char file[DRIFT_CONFIG_MAX_VALUE_BYTES + 64 * DRIFT_CONFIG_MAX_MODELS];
    struct drift_config *config = NULL;
    struct drift_error err = {0};
    size_t n = (size_t)snprintf(file, sizeof file, "[cache]\ndir = /");
    memset(file + n, 'x', DRIFT_CONFIG_MAX_VALUE_BYTES + 200);
    assert_int_equal(load(&(struct sources){.file = file}, &config, &err), DRIFT_STATUS_LIMIT);
    assert_string_equal(err.msg, "d.conf:2: the line is too long");

    memset(file, 0, sizeof file);
    n = 0;
    for (unsigned i = 0; i <= DRIFT_CONFIG_MAX_MODELS; i++)
        n += (size_t)snprintf(file + n, sizeof file - n, "[model m%u]\npath = /m\n", i);
    assert_int_equal(load(&(struct sources){.file = file}, &config, &err), DRIFT_STATUS_INVALID);
    assert_string_equal(err.msg, "d.conf:513: [model m256]: at most 256 models are allowed");

    n = (size_t)snprintf(file, sizeof file, "[server]\n");
    for (unsigned i = 0; i <= DRIFT_CONFIG_MAX_LISTEN; i++)
        n += (size_t)snprintf(file + n, sizeof file - n, "listen = localhost:%u\n", i);
    assert_int_equal(load(&(struct sources){.file = file}, &config, &err), DRIFT_STATUS_INVALID);
    assert_string_equal(
        err.msg, "d.conf:18: [server] listen = localhost:16: at most 16 entries are allowed");

    assert_int_equal(
        load_text(&(struct sources){.file = "[server]\nmax-\0queue = 5\n"}, 24, &config, &err),
        DRIFT_STATUS_CORRUPT);
    assert_string_equal(err.msg, "d.conf:2: a zero byte; this is no text file");
    assert_null(config);
}

/* All messages have to fit into drift_error with the longest place and name in front of them. */
static void test_config__longest_message__keeps_what_is_allowed(void **state)
{
    (void)state;
    char path[300], name[128], text[1000];
    memset(path, 'd', sizeof path - 1);
    memset(name, 'n', sizeof name - 1);
    path[sizeof path - 1] = name[sizeof name - 1] = '\0';
    snprintf(text, sizeof text, "[model %s]\npath = /a\ndevice = %s\n", name, path);
    struct drift_config_text file = {path, text, strlen(text)};
    struct drift_config_input input = {.argc = 0, .envp = no_env};
    struct drift_config *config = NULL;
    struct drift_error err = {0};
    assert_int_equal(drift_config_load_text(&input, &file, &config, &err), DRIFT_STATUS_INVALID);
    assert_non_null(strstr(err.msg, "...ddd"));
    assert_non_null(strstr(err.msg, "[model nnnn"));
    assert_non_null(strstr(err.msg, "vulkan or vulkan:N"));
}

static void test_config__diff__lists_changes_and_what_needs_a_restart(void **state)
{
    (void)state;
    struct drift_config *before =
        must_load(&(struct sources){.file = "[server]\nlog-level = info\n[model "
                                            "a]\npath=/a\n[model b]\npath=/b\n[engine]\nctx=64\n"});
    struct drift_config *after = must_load(&(struct sources){
        .file = "[server]\nlog-level = debug\ncors-origins = https://a.b\nlisten = 127.0.0.1:1\n"
                "[model a]\npath=/a\nctx=32\n[model c]\npath=/c\n[engine]\nctx=64\n"});
    static const struct drift_config_change expected[] = {
        {"server", "listen", NULL, true},
        {"server", "cors-origins", NULL, false},
        {"server", "log-level", NULL, false},
        {"model", "ctx", "a", true},
        {"model", "path", "c", true},
        {"model", "path", "b", true},
    };
    struct drift_config_change changes[16];
    size_t n = drift_config_diff(before, after, changes, DRIFT_COUNT_OF(changes));
    assert_int_equal(n, DRIFT_COUNT_OF(expected));
    for (size_t i = 0; i < n; i++) {
        assert_string_equal(changes[i].section, expected[i].section);
        assert_string_equal(changes[i].key, expected[i].key);
        assert_int_equal(changes[i].needs_restart, expected[i].needs_restart);
        if (expected[i].model_name)
            assert_string_equal(changes[i].model_name, expected[i].model_name);
        else
            assert_null(changes[i].model_name);
    }
    assert_int_equal(drift_config_diff(before, after, changes, 1), DRIFT_COUNT_OF(expected));
    assert_int_equal(drift_config_diff(before, before, changes, 1), 0);
    drift_config_destroy(before);
    drift_config_destroy(after);
}

static void test_config__dump__reads_back_as_the_same(void **state)
{
    (void)state;
    struct drift_config *c = must_load(&(struct sources){
        .file = "[server]\nlisten = [::1]:1\nlisten = unix:/s\ncors-origins = "
                "loopback\ncors-origins = https://a.b\n"
                "max-body-bytes = 1025\nheader-timeout = 1234ms\n[model a/b:c]\npath = /p\npreload "
                "= off\n",
        .args = {"--kv-type=f32", "--no-determinism"  },
        .env = {"HOME=/h", "DRIFTD_MAX_QUEUE=9"}
    });
    struct drift_buf dump;
    drift_buf_init(&dump, DRIFT_TAG_BASE, 1 << 16);
    drift_config_dump(c, &dump);
    assert_false(dump.failed);
    const char *text = drift_buf_cstr(&dump);
    assert_non_null(strstr(text, "\nmax-body-bytes = 1025B ; d.conf:6\n"));
    assert_non_null(strstr(text, "\nheader-timeout = 1234ms ; d.conf:7\n"));
    assert_non_null(strstr(text, "\nmax-queue = 9 ; DRIFTD_MAX_QUEUE\n"));
    assert_non_null(strstr(text, "\nkv-type = f32 ; --kv-type\n"));
    assert_non_null(strstr(text, "\nmax-connections = 1024\n"));
    struct drift_config *again = must_load(&(struct sources){.file = text});
    struct drift_config_change change = {0};
    size_t n = drift_config_diff(c, again, &change, 1);
    if (n)
        fail_msg("[%s] %s differs", change.section, change.key);
    assert_int_equal(again->n_warnings, 0);
    drift_buf_fini(&dump);
    drift_config_destroy(again);
    drift_config_destroy(c);
}

static void test_config__example__holds_every_key_and_the_defaults(void **state)
{
    (void)state;
    struct drift_buf text;
    drift_buf_init(&text, DRIFT_TAG_BASE, 1 << 16);
    drift_config_example(&text);
    assert_false(text.failed);
    struct drift_config *defaults = must_load(&(struct sources){.file = NULL});
    struct drift_config *as_is = must_load(&(struct sources){.file = drift_buf_cstr(&text)});
    assert_int_equal(drift_config_diff(defaults, as_is, NULL, 0), 0);
    /* Take the comment sign off the keys ("#key", not "# text"), but for the model section. */
    size_t n_keys = 0;
    bool in_model = false;
    for (char *p = text.data; p; p = strchr(p, '\n')) {
        p += *p == '\n';
        if (*p == '[' || (*p == '#' && p[1] == '['))
            in_model = *p == '#';
        if (*p == '#' && p[1] != ' ' && p[1] != '[' && p[1] != '\n') {
            n_keys++;
            if (!in_model)
                *p = ' ';
        }
    }
    assert_int_equal(n_keys, drift_config_n_keys);
    struct drift_config *uncommented = must_load(&(struct sources){.file = drift_buf_cstr(&text)});
    assert_int_equal(drift_config_diff(defaults, uncommented, NULL, 0), 0);
    assert_int_equal(uncommented->n_warnings, 0);
    drift_config_destroy(uncommented);
    drift_config_destroy(as_is);
    drift_config_destroy(defaults);
    drift_buf_fini(&text);
}

static void test_config__help__names_every_flag(void **state)
{
    (void)state;
    struct drift_buf text;
    drift_buf_init(&text, DRIFT_TAG_BASE, 1 << 16);
    drift_config_help(&text);
    assert_false(text.failed);
    static const char *const flags[] = {"--config FILE",
                                        "--listen ADDRESS",
                                        "--model NAME=PATH",
                                        "--models-dir DIR",
                                        "--device DEVICE",
                                        "--ctx TOKENS",
                                        "--api-key-file FILE",
                                        "--check-config",
                                        "--list-devices",
                                        "--version",
                                        "--help"};
    for (size_t i = 0; i < DRIFT_COUNT_OF(flags); i++) {
        if (!strstr(drift_buf_cstr(&text), flags[i]))
            fail_msg("%s is missing", flags[i]);
    }
    for (const char *line = drift_buf_cstr(&text); *line;) {
        size_t n = strcspn(line, "\n");
        assert_true(n <= 80);
        line += n + (line[n] == '\n');
    }
    drift_buf_fini(&text);
}

static void test_config__file_on_disk__read_and_named(void **state)
{
    (void)state;
    char path[] = "/tmp/driftd-test-config-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    static const char text[] = "[server]\nmax-queue = 11\n";
    assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
    close(fd);
    char variable[64];
    snprintf(variable, sizeof variable, "DRIFTD_CONFIG=%s", path);
    struct drift_config *c = must_load(&(struct sources){.env = {variable}});
    assert_string_equal(c->file, path);
    assert_int_equal(c->server.max_queue_requests, 11);
    drift_config_destroy(c);
    c = must_load(&(struct sources){
        .env = {"DRIFTD_CONFIG=/nowhere"},
          .args = { "--config", path}
    });
    assert_int_equal(c->server.max_queue_requests, 11);
    drift_config_destroy(c);
    unlink(path);
}

static void test_config__cache_dir__follows_the_environment(void **state)
{
    (void)state;
    static const struct {
        const char *env[4];
        const char *dir;
    } rows[] = {
        {{"CACHE_DIRECTORY=/var/cache/driftd:/x", "XDG_CACHE_HOME=/c", "HOME=/h"},
         "/var/cache/driftd"},
        {{"XDG_CACHE_HOME=/c", "HOME=/h"}, "/c/driftd"},
        {{"XDG_CACHE_HOME=relative", "HOME=/h"}, "/h/.cache/driftd"},
        {{NULL}, "/var/cache/driftd"},
        {{"DRIFTD_CACHE_DIR=/d", "HOME=/h"}, "/d"},
    };
    for (size_t i = 0; i < DRIFT_COUNT_OF(rows); i++) {
        struct sources sources = {0};
        memcpy(sources.env, rows[i].env, sizeof rows[i].env);
        struct drift_config *c = must_load(&sources);
        assert_string_equal(c->cache.dir, rows[i].dir);
        drift_config_destroy(c);
    }
}

/* The n-th allocation fails, for every n: a clean refusal each time, nothing left behind. */
static void test_config__failing_allocations__refused_without_a_leak(void **state)
{
    (void)state;
    char path[] = "/tmp/driftd-test-config-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    static const char text[] =
        "[server]\nlisten = unix:/s\ncors-origins = https://a.b\nmax-queue = 1\n"
        "max-queue = 2\n[model a]\npath = ~/a\n";
    assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
    close(fd);
    struct sources sources = {
        .args = {"--config", path, "--model", "b=/b"},
        .env = {"HOME=/h", "DRIFTD_LISTEN=127.0.0.1:1,127.0.0.1:2", "DRIFTD_Q=1"}
    };
    uint64_t n_failures = 0;
    for (uint64_t n = 1;; n++) {
        struct drift_config *config = NULL;
        struct drift_error err = {0};
        drift_alloc_fail_nth(n, 0);
        enum drift_status status = load(&sources, &config, &err);
        int happened = drift_alloc_fail_happened();
        drift_alloc_fail_nth(0, 0);
        if (status == DRIFT_STATUS_OK) {
            drift_config_destroy(config);
            assert_int_equal(drift_alloc_live_bytes(DRIFT_TAG_CONFIG), 0);
            if (!happened)
                break;
            continue;
        }
        assert_int_equal(drift_config_exit_status(&err), DRIFT_CONFIG_EXIT_MEMORY);
        assert_null(config);
        assert_int_equal(drift_alloc_live_bytes(DRIFT_TAG_CONFIG), 0);
        n_failures++;
    }
    assert_true(n_failures >= 4);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_config__nothing_given__defaults),
        cmocka_unit_test(test_config__full_file__every_key_is_taken),
        cmocka_unit_test(test_config__four_sources__flags_over_environment_over_file),
        cmocka_unit_test(test_config__environment_lists__split_at_commas),
        cmocka_unit_test(test_config__empty_value__is_the_default_again),
        cmocka_unit_test(test_config__long_model_names_and_paths__are_not_cut),
        cmocka_unit_test(test_config__suspicious_input__is_warned_of),
        cmocka_unit_test(test_config__actions__help_wins_and_ignores_broken_files),
        cmocka_unit_test(test_config__refused_input__says_where_what_and_what_is_allowed),
        cmocka_unit_test(test_config__accepted_addresses__loopback_is_recognized),
        cmocka_unit_test(test_config__too_much_of_everything__refused),
        cmocka_unit_test(test_config__longest_message__keeps_what_is_allowed),
        cmocka_unit_test(test_config__diff__lists_changes_and_what_needs_a_restart),
        cmocka_unit_test(test_config__dump__reads_back_as_the_same),
        cmocka_unit_test(test_config__example__holds_every_key_and_the_defaults),
        cmocka_unit_test(test_config__help__names_every_flag),
        cmocka_unit_test(test_config__file_on_disk__read_and_named),
        cmocka_unit_test(test_config__cache_dir__follows_the_environment),
        cmocka_unit_test(test_config__failing_allocations__refused_without_a_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
