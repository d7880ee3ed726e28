/* What driftctl's commands share: the options before the command, and how they report. */
#ifndef DRIFT_SERVER_DRIFTCTL_H
#define DRIFT_SERVER_DRIFTCTL_H

#include "server/driftctl_client.h"

struct drift_ctl {
    struct drift_ctl_client client;
    bool json; /* print replies as they are */
};

/* argv[0] is the command. Each returns an exit status of sysexits.h. */
int drift_ctl_devices(struct drift_ctl *ctl, int argc, char **argv);
int drift_ctl_models(struct drift_ctl *ctl, int argc, char **argv);
int drift_ctl_load(struct drift_ctl *ctl, int argc, char **argv);
int drift_ctl_unload(struct drift_ctl *ctl, int argc, char **argv);
int drift_ctl_status(struct drift_ctl *ctl, int argc, char **argv);
int drift_ctl_chat(struct drift_ctl *ctl, int argc, char **argv);
int drift_ctl_inspect(struct drift_ctl *ctl, int argc, char **argv);

/* "driftctl: message" on stderr; the exit status that fits. */
int drift_ctl_fail(enum drift_status status, const struct drift_error *err);
/* A wrong command line: says what is right, EX_USAGE. */
int drift_ctl_usage(const char *right);
/* Non-zero once SIGINT has come; a command that waits may reset it. */
extern volatile sig_atomic_t drift_ctl_interrupted;

#endif
