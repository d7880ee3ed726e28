/* Stands in for sd.c where libsystemd is missing: nobody is told anything, and nobody passes
 * sockets. */
#include "server/sd.h"

void drift_sd_notify_ready(const char *status)
{
    (void)status;
}

void drift_sd_notify_reloading(void)
{
}

void drift_sd_notify_stopping(const char *status)
{
    (void)status;
}

void drift_sd_notify_status(const char *fmt, ...)
{
    (void)fmt;
}

void drift_sd_notify_extend_timeout(uint64_t extend_ms)
{
    (void)extend_ms;
}

void drift_sd_notify_watchdog(void)
{
}

uint64_t drift_sd_watchdog_interval_ms(void)
{
    return 0;
}

enum drift_status drift_sd_take_sockets(struct drift_sd_socket sockets[DRIFT_SD_MAX_SOCKETS],
                                        size_t *ret_n, struct drift_error *err)
{
    (void)sockets;
    (void)err;
    *ret_n = 0;
    return DRIFT_STATUS_OK;
}
