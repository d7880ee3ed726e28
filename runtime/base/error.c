/* Formatting of struct drift_error. */
#include "runtime/base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum drift_status drift_error_set(struct drift_error *err, enum drift_status status, int native,
                                  const char *fmt, ...)
{
    if (err) {
        err->status = status;
        err->native = native;
        va_list args;
        va_start(args, fmt);
        vsnprintf(err->msg, sizeof err->msg, fmt, args);
        va_end(args);
    }
    return status;
}

void drift_error_prefix(struct drift_error *err, const char *fmt, ...)
{
    if (!err)
        return;
    char old[sizeof err->msg];
    memcpy(old, err->msg, sizeof old);
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(err->msg, sizeof err->msg, fmt, args);
    va_end(args);
    if (n >= 0 && (size_t)n < sizeof err->msg)
        snprintf(err->msg + n, sizeof err->msg - (size_t)n, ": %s", old);
}

enum drift_status drift_error_set_errno(struct drift_error *err, int errnum, const char *fmt, ...)
{
    enum drift_status status = errnum == ENOENT   ? DRIFT_STATUS_NOT_FOUND
                               : errnum == ENOMEM ? DRIFT_STATUS_NO_MEMORY
                                                  : DRIFT_STATUS_IO;
    if (err) {
        char what[160];
        va_list args;
        va_start(args, fmt);
        vsnprintf(what, sizeof what, fmt, args);
        va_end(args);
        drift_error_set(err, status, errnum, "%s: %s", what, strerror(errnum));
    }
    return status;
}
