/*
 * Logging: one line, one write, to stderr. "level component text key=value".
 *
 * Under systemd (JOURNAL_STREAM set; main tells) the level becomes a "<N>" priority prefix. Library code
 * returns errors and does not log; the server, the scheduler and model loading log, each failure once.
 * Prompts and completions are never passed here unless the configuration asks for it.
 */
#ifndef DRIFT_RUNTIME_BASE_LOG_H
#define DRIFT_RUNTIME_BASE_LOG_H

#include "runtime/base/status.h"

#include <stdbool.h>

enum drift_log_level {
    DRIFT_LOG_ERROR,
    DRIFT_LOG_WARN,
    DRIFT_LOG_INFO,
    DRIFT_LOG_DEBUG,
    DRIFT_LOG_LEVEL_COUNT
};

/* Names are error, warn, info, debug; false for anything else. */
bool drift_log_level_parse(const char *name, enum drift_log_level *ret_level);
const char *drift_log_level_name(enum drift_log_level level);
/* Set the threshold and the form. Thread: any. Default: info, plain. */
void drift_log_configure(enum drift_log_level threshold, bool journald);
bool drift_log_enabled(enum drift_log_level level);
/* Write one line of at most 2,000 bytes (cut beyond), control characters shown as \xNN. Thread: any. */
void drift_log(enum drift_log_level level, const char *component, const char *fmt, ...)
    DRIFT_PRINTF(3, 4);

#endif
