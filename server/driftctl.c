/*
 * driftctl: what an administrator or a person at a terminal asks of a running driftd, and of a model file.
 */
#include "server/driftctl.h"

#include "runtime/engine.h"
#include "runtime/model/gguf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

volatile sig_atomic_t drift_ctl_interrupted;

static const struct command {
    const char *name;
    int (*run)(struct drift_ctl *ctl, int argc, char **argv);
    const char *arguments, *help;
} commands[] = {
    {"chat", drift_ctl_chat, "[--model M] [--system TEXT] [PROMPT...]",
     "talk to a model; Ctrl-C stops an answer, Ctrl-D leaves"},
    {"status", drift_ctl_status, "", "is the daemon alive, ready, busy"},
    {"models", drift_ctl_models, "", "models and their states"},
    {"load", drift_ctl_load, "[--no-wait] MODEL", "load a model and wait until it is ready"},
    {"unload", drift_ctl_unload, "[--now] [--no-wait] MODEL", "unload a model when its requests have ended"},
    {"devices", drift_ctl_devices, "", "devices of this machine"},
    {"inspect", drift_ctl_inspect, "FILE", "metadata and tensors of a GGUF file"},
};

static void print_usage(FILE *out)
{
    fputs("usage: driftctl [--url URL] [--api-key KEY] [--json] COMMAND [ARGUMENTS]\n\n", out);
    for (size_t i = 0; i < DRIFT_COUNT_OF(commands); i++)
        fprintf(out, "  %-8s %-42s %s\n", commands[i].name, commands[i].arguments, commands[i].help);
    fputs("\n"
          "  --url URL       http://HOST:PORT or unix:PATH (DRIFTD_URL, else http://127.0.0.1:8080)\n"
          "  --api-key KEY   sent as bearer token (DRIFTD_API_KEY)\n"
          "  --json          print the daemon's reply as it is\n"
          "  --version       print the version\n",
          out);
}

int drift_ctl_fail(enum drift_status status, const struct drift_error *err)
{
    fprintf(stderr, "driftctl: %s\n", err->msg[0] ? err->msg : drift_status_text(status));
    switch (status) {
    case DRIFT_STATUS_OK:
        return EX_OK;
    case DRIFT_STATUS_NOT_FOUND:
    case DRIFT_STATUS_CORRUPT:
        return EX_NOINPUT;
    case DRIFT_STATUS_INVALID:
        return EX_DATAERR;
    case DRIFT_STATUS_CANCELLED:
        return 130;
    default:
        return EX_UNAVAILABLE;
    }
}

int drift_ctl_usage(const char *right)
{
    fprintf(stderr, "usage: driftctl %s\n", right);
    return EX_USAGE;
}

int drift_ctl_devices(struct drift_ctl *ctl, int argc, char **argv)
{
    (void)ctl;
    (void)argv;
    if (argc != 1)
        return drift_ctl_usage("devices");
    struct drift_engine_device devices[32];
    size_t n;
    drift_engine_list_devices(devices, DRIFT_COUNT_OF(devices), &n);
    for (size_t i = 0; i < n && i < DRIFT_COUNT_OF(devices); i++)
        printf("%-10s %-8s %s%s%s\n           %s\n", devices[i].id, devices[i].usable ? "usable" : "no",
               devices[i].name, devices[i].driver[0] ? ", " : "", devices[i].driver, devices[i].note);
    return EX_OK;
}

int drift_ctl_inspect(struct drift_ctl *ctl, int argc, char **argv)
{
    (void)ctl;
    if (argc != 2)
        return drift_ctl_usage("inspect FILE");
    struct drift_error err = {0};
    struct drift_gguf *gguf;
    enum drift_status status = drift_gguf_open(argv[1], &gguf, &err);
    if (status != DRIFT_STATUS_OK)
        return drift_ctl_fail(status, &err);
    struct drift_buf out;
    drift_buf_init(&out, DRIFT_TAG_MODEL, 256u << 20);
    drift_gguf_print(gguf, &out);
    bool whole = !out.failed && fwrite(drift_buf_cstr(&out), 1, out.len, stdout) == out.len;
    drift_buf_fini(&out);
    drift_gguf_close(gguf);
    return whole ? EX_OK : EX_IOERR;
}

static void on_interrupt(int signal_number)
{
    (void)signal_number;
    drift_ctl_interrupted = 1;
}

/* The options before the command; the index of the command, or -1 after usage. */
static int parse_globals(struct drift_ctl *ctl, int argc, char **argv)
{
    int i = 1;
    for (; i < argc && argv[i][0] == '-'; i++) {
        const char **value = strcmp(argv[i], "--url") == 0       ? &ctl->client.url
                             : strcmp(argv[i], "--api-key") == 0 ? &ctl->client.api_key
                                                                 : NULL;
        if (value && i + 1 < argc)
            *value = argv[++i];
        else if (strcmp(argv[i], "--json") == 0)
            ctl->json = true;
        else if (strcmp(argv[i], "--help") == 0) {
            print_usage(stdout);
            exit(EX_OK);
        } else if (strcmp(argv[i], "--version") == 0) {
            puts("driftctl " DRIFT_VERSION);
            exit(EX_OK);
        } else
            return -1;
    }
    return i < argc ? i : -1;
}

int main(int argc, char **argv)
{
    const char *url = getenv("DRIFTD_URL");
    struct drift_ctl ctl = {.client = {.url = url ? url : "http://127.0.0.1:8080",
                                       .api_key = getenv("DRIFTD_API_KEY"),
                                       .stop = &drift_ctl_interrupted}};
    int at = parse_globals(&ctl, argc, argv);
    if (at < 0) {
        print_usage(stderr);
        return EX_USAGE;
    }
    struct sigaction action = {.sa_handler = on_interrupt}; /* no SA_RESTART: it ends a read at the prompt */
    sigaction(SIGINT, &action, NULL);
    struct drift_error err = {0};
    enum drift_status status = drift_ctl_start(&err);
    if (status != DRIFT_STATUS_OK)
        return drift_ctl_fail(status, &err);
    for (size_t i = 0; i < DRIFT_COUNT_OF(commands); i++)
        if (strcmp(argv[at], commands[i].name) == 0)
            return commands[i].run(&ctl, argc - at, argv + at);
    fprintf(stderr, "driftctl: there is no command '%s'\n\n", argv[at]);
    print_usage(stderr);
    return EX_USAGE;
}
