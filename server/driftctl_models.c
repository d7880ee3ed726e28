/* driftctl models, load, unload, status: the daemon's admin endpoints as a table and as a progress line. */
#include "runtime/base/json.h"
#include "server/driftctl.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#define POLL_NS 200000000L

/* Send a request and parse its JSON reply, printing it as it is with --json. *ret_doc may come back NULL then. */
static enum drift_status call(struct drift_ctl *ctl, const char *method, const char *path, bool print,
                              struct drift_json **ret_doc, struct drift_error *err)
{
    struct drift_ctl_response response;
    enum drift_status status =
        drift_ctl_request(&ctl->client, method, path, NULL, NULL, NULL, &response, err);
    if (status == DRIFT_STATUS_OK && drift_ctl_response_error(&response, err))
        status = DRIFT_STATUS_INVALID;
    if (status == DRIFT_STATUS_OK && print && ctl->json)
        printf("%s\n", drift_buf_cstr(&response.body));
    if (status == DRIFT_STATUS_OK)
        status = drift_json_parse(drift_buf_cstr(&response.body), response.body.len,
                                  &drift_json_default_limits, ret_doc, err);
    drift_ctl_response_fini(&response);
    return status;
}

static const char *text_of(const struct drift_json *object, const char *key)
{
    const char *text = "";
    drift_json_string(drift_json_get(object, key), &text);
    return text;
}

static int64_t int_of(const struct drift_json *object, const char *key)
{
    int64_t v = 0;
    drift_json_int64(drift_json_get(object, key), &v);
    return v;
}

static double double_of(const struct drift_json *object, const char *key)
{
    double v = 0;
    drift_json_double(drift_json_get(object, key), &v);
    return v;
}

/* ---- models ---- */

static void print_model(const struct drift_json *m)
{
    const double mib = 1024.0 * 1024.0;
    const char *state = text_of(m, "state");
    printf("%-40s %-10s", text_of(m, "id"), state);
    if (strcmp(state, "loading") == 0)
        printf(" %3.0f%%", 100 * double_of(m, "progress"));
    else if (strcmp(state, "ready") == 0)
        printf(" %8.1f MiB weights %8.1f MiB KV  ctx %" PRId64 "  running %" PRId64 "  queued %" PRId64,
               double_of(m, "weights_bytes") / mib, double_of(m, "kv_bytes") / mib,
               int_of(m, "ctx_tokens"), int_of(m, "running"), int_of(m, "queued"));
    else if (strcmp(state, "failed") == 0)
        printf(" %s", text_of(drift_json_get(m, "error"), "message"));
    putchar('\n');
}

int drift_ctl_models(struct drift_ctl *ctl, int argc, char **argv)
{
    (void)argv;
    if (argc != 1)
        return drift_ctl_usage("models");
    struct drift_json *doc = NULL;
    struct drift_error err = {0};
    enum drift_status status = call(ctl, "GET", "/admin/models", true, &doc, &err);
    if (status != DRIFT_STATUS_OK)
        return drift_ctl_fail(status, &err);
    const struct drift_json *m = drift_json_first(drift_json_get(doc, "data"));
    if (!m && !ctl->json)
        puts("no models are declared; see [model NAME] and models-dir in driftd.conf(5)");
    for (; m && !ctl->json; m = drift_json_next(m))
        print_model(m);
    drift_json_destroy(doc);
    return EX_OK;
}

/* ---- load and unload ---- */

/* "/admin/models/NAME" with what a path must not contain percent-encoded. */
static bool model_path(char *out, size_t size, const char *name, const char *suffix)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~:/";
    int n = snprintf(out, size, "/admin/models/");
    for (; *name; name++) {
        if (n < 0 || (size_t)n + 4 > size)
            return false;
        n += strchr(plain, *name) ? snprintf(out + n, size - (size_t)n, "%c", *name)
                                  : snprintf(out + n, size - (size_t)n, "%%%02X", (unsigned char)*name);
    }
    return n >= 0 && (size_t)snprintf(out + n, size - (size_t)n, "%s", suffix) < size - (size_t)n;
}

static const struct drift_json *find_model(const struct drift_json *doc, const char *name)
{
    const struct drift_json *m = drift_json_first(drift_json_get(doc, "data"));
    while (m && strcmp(text_of(m, "id"), name) != 0)
        m = drift_json_next(m);
    return m;
}

/* Look until the model is in the wanted state, has failed, or Ctrl-C; a line that rewrites itself on a terminal. */
static enum drift_status wait_for(struct drift_ctl *ctl, const char *name, const char *wanted,
                                  struct drift_error *err)
{
    bool is_terminal = isatty(STDERR_FILENO);
    for (;;) {
        struct drift_json *doc = NULL;
        enum drift_status status = call(ctl, "GET", "/admin/models", false, &doc, err);
        if (status != DRIFT_STATUS_OK)
            return status;
        const struct drift_json *m = find_model(doc, name);
        char state[24];
        snprintf(state, sizeof state, "%s", text_of(m, "state"));
        if (is_terminal)
            fprintf(stderr, "\r%s: %s %3.0f%% ", name, state, 100 * double_of(m, "progress"));
        bool failed = strcmp(state, "failed") == 0, done = strcmp(state, wanted) == 0;
        if (failed)
            drift_error_set(err, DRIFT_STATUS_UNAVAILABLE, 0, "%s",
                            text_of(drift_json_get(m, "error"), "message"));
        drift_json_destroy(doc);
        if (failed || done) {
            if (is_terminal)
                fputc('\n', stderr);
            return failed ? DRIFT_STATUS_UNAVAILABLE : DRIFT_STATUS_OK;
        }
        nanosleep(&(struct timespec){.tv_nsec = POLL_NS}, NULL);
        if (drift_ctl_interrupted)
            return drift_error_set(err, DRIFT_STATUS_CANCELLED, 0, "stopped waiting; the daemon goes on");
    }
}

struct move {
    const char *usage, *suffix, *now_suffix, *wanted;
};

static int move_model(struct drift_ctl *ctl, int argc, char **argv, const struct move *move)
{
    bool wait = true, now = false;
    int at = 1;
    for (; at < argc && argv[at][0] == '-'; at++) {
        if (strcmp(argv[at], "--no-wait") == 0)
            wait = false;
        else if (strcmp(argv[at], "--now") == 0 && move->now_suffix)
            now = true;
        else
            return drift_ctl_usage(move->usage);
    }
    char path[768];
    if (at + 1 != argc || !model_path(path, sizeof path, argv[at], now ? move->now_suffix : move->suffix))
        return drift_ctl_usage(move->usage);
    struct drift_json *doc = NULL;
    struct drift_error err = {0};
    enum drift_status status = call(ctl, "POST", path, true, &doc, &err);
    drift_json_destroy(doc);
    if (status == DRIFT_STATUS_OK && wait)
        status = wait_for(ctl, argv[at], move->wanted, &err);
    if (status != DRIFT_STATUS_OK)
        return drift_ctl_fail(status, &err);
    if (!ctl->json)
        printf("%s is %s\n", argv[at], wait ? move->wanted : "asked for");
    return EX_OK;
}

int drift_ctl_load(struct drift_ctl *ctl, int argc, char **argv)
{
    static const struct move move = {"load [--no-wait] MODEL", "/load", NULL, "ready"};
    return move_model(ctl, argc, argv, &move);
}

int drift_ctl_unload(struct drift_ctl *ctl, int argc, char **argv)
{
    static const struct move move = {"unload [--now] [--no-wait] MODEL", "/unload", "/unload?now=true",
                                     "absent"};
    return move_model(ctl, argc, argv, &move);
}

/* ---- status ---- */

static const char *answer(struct drift_ctl *ctl, const char *path, struct drift_error *err)
{
    struct drift_ctl_response response;
    enum drift_status status =
        drift_ctl_request(&ctl->client, "GET", path, NULL, NULL, NULL, &response, err);
    long http = response.http_status;
    drift_ctl_response_fini(&response);
    return status != DRIFT_STATUS_OK ? NULL : http == 200 ? "yes" : "no";
}

int drift_ctl_status(struct drift_ctl *ctl, int argc, char **argv)
{
    if (argc != 1)
        return drift_ctl_usage("status");
    struct drift_error err = {0};
    const char *alive = answer(ctl, "/health", &err);
    const char *ready = alive ? answer(ctl, "/ready", &err) : NULL;
    if (!alive || !ready)
        return drift_ctl_fail(err.status ? err.status : DRIFT_STATUS_UNAVAILABLE, &err);
    if (!ctl->json)
        printf("%s\nalive %s\nready %s\n", ctl->client.url, alive, ready);
    return drift_ctl_models(ctl, 1, argv) == EX_OK && strcmp(ready, "yes") == 0 ? EX_OK
                                                                               : EX_UNAVAILABLE;
}
