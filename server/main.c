/*
 * driftd: the main function. It reads what the system gives (arguments, environment), does what the command line asks for
 * besides serving, and turns failures into exit statuses of sysexits.h.
 */
#include "runtime/base/log.h"
#include "server/declare.h"
#include "server/sd.h"
#include "server/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

static int list_devices(void)
{
    struct drift_engine_device devices[32];
    size_t n;
    drift_engine_list_devices(devices, DRIFT_COUNT_OF(devices), &n);
    for (size_t i = 0; i < n && i < DRIFT_COUNT_OF(devices); i++)
        printf("%-10s %-8s %s%s%s\n           %s\n", devices[i].id, devices[i].usable ? "usable" : "no",
               devices[i].name, devices[i].driver[0] ? ", " : "", devices[i].driver, devices[i].note);
    return EX_OK;
}

static int print_text(void (*write)(struct drift_buf *out))
{
    struct drift_buf out;
    drift_buf_init(&out, DRIFT_TAG_CONFIG, 1u << 20);
    write(&out);
    fputs(drift_buf_cstr(&out), stdout);
    drift_buf_fini(&out);
    return EX_OK;
}

static int print_config(const struct drift_config *config)
{
    struct drift_buf out;
    drift_buf_init(&out, DRIFT_TAG_CONFIG, 1u << 20);
    drift_config_dump(config, &out);
    fputs(drift_buf_cstr(&out), stdout);
    drift_buf_fini(&out);
    return EX_OK;
}

static int serve(struct drift_config *config, const struct drift_config_input *input)
{
    bool is_journald = drift_sd_stderr_is_journal(getenv("JOURNAL_STREAM"));
    drift_server_configure_log(config, is_journald);
    drift_log(DRIFT_LOG_INFO, "server", "driftd version=%s pid=%d", DRIFT_VERSION, (int)getpid());
    for (size_t i = 0; i < config->n_warnings; i++)
        drift_log(DRIFT_LOG_WARN, "config", "%s", config->warnings[i]);
    struct drift_server *server;
    struct drift_error err = {0};
    int exit_status = EX_OK;
    if (drift_server_create(config, input, is_journald, &server, &exit_status, &err) != DRIFT_STATUS_OK) {
        drift_log(DRIFT_LOG_ERROR, "server", "%s", err.msg);
        return exit_status;
    }
    exit_status = drift_server_run(server);
    drift_server_destroy(server);
    return exit_status;
}

int main(int argc, char **argv, char **envp)
{
    const struct drift_config_input input = {.argc = argc, .argv = argv, .envp = envp};
    struct drift_config *config;
    struct drift_error err = {0};
    if (drift_config_load(&input, &config, &err) != DRIFT_STATUS_OK) {
        fprintf(stderr, "driftd: %s\n", err.msg);
        return drift_config_exit_status(&err);
    }
    int exit_status = EX_OK;
    switch (config->action) {
    case DRIFT_CONFIG_ACTION_RUN:
        return serve(config, &input); /* owns the configuration */
    case DRIFT_CONFIG_ACTION_CHECK_CONFIG:
        exit_status = print_config(config);
        break;
    case DRIFT_CONFIG_ACTION_LIST_DEVICES:
        exit_status = list_devices();
        break;
    case DRIFT_CONFIG_ACTION_HELP:
        exit_status = print_text(drift_config_help);
        break;
    default:
        puts("driftd " DRIFT_VERSION);
    }
    drift_config_destroy(config);
    return exit_status;
}
