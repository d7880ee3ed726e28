/*
 * What driftd and systemd tell each other: readiness, status, watchdog, sockets, the kind of log.
 *
 * A thin wrapper over libsystemd; sd_stub.c takes its place where the library is missing, and then
 * every call below is quiet and finds nothing. Without systemd around (no NOTIFY_SOCKET, no
 * LISTEN_FDS) the real one behaves the same. Telling cannot fail: a lost notification is systemd's
 * to time out. Nothing here waits. Thread: http, or before start.
 */
#ifndef DRIFT_SERVER_SD_H
#define DRIFT_SERVER_SD_H

#include "runtime/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Start-up, or a reload, is over. status is one line for "systemctl status". */
void drift_sd_notify_ready(const char *status);
/* A reload begins; drift_sd_notify_ready ends it, whether it worked or not. */
void drift_sd_notify_reloading(void);
/* The way to the end begins. */
void drift_sd_notify_stopping(const char *status);
/* Replace the line of "systemctl status". Line feeds in it become spaces. */
void drift_sd_notify_status(const char *fmt, ...) DRIFT_PRINTF(1, 2);
/* Ask systemd to wait this much longer for the next notification; for long loads and drains. */
void drift_sd_notify_extend_timeout(uint64_t extend_ms);
/* Say that the loop still turns. */
void drift_sd_notify_watchdog(void);
/* How often to do so, half of what the unit's WatchdogSec allows; 0: nobody waits for it. */
uint64_t drift_sd_watchdog_interval_ms(void);

/* A listening stream socket that systemd opened. */
struct drift_sd_socket {
    int fd;         /* close-on-exec and non-blocking; the caller's to close */
    bool is_unix;   /* AF_UNIX */
    bool loopback;  /* reachable from this machine only */
    char name[108]; /* address and port, or the path, for the log */
};

#define DRIFT_SD_MAX_SOCKETS 16u

/*
 * Take the sockets of a driftd.socket unit; *ret_n is 0 when there are none. Call it once: the
 * variables that announce them are removed, so that no child takes them for its own. Errors:
 * INVALID one of them is no listening stream socket of AF_INET, AF_INET6 or AF_UNIX; LIMIT more
 * than DRIFT_SD_MAX_SOCKETS; IO. On failure no descriptor is closed.
 */
enum drift_status drift_sd_take_sockets(struct drift_sd_socket sockets[DRIFT_SD_MAX_SOCKETS],
                                        size_t *ret_n, struct drift_error *err) DRIFT_MUST_USE;

/*
 * True when standard error goes to the journal: the value of JOURNAL_STREAM (NULL when unset),
 * which main gets from the environment, names the same file.
 */
bool drift_sd_stderr_is_journal(const char *journal_stream);

#endif
