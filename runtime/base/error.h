/*
 * An error's detail: code, the system's or driver's own number, and one sentence for a person.
 *
 * Lives on the caller's stack; NULL is accepted everywhere. It is written once, by the function
 * nearest to the cause; callers may only put context before the message.
 */
#ifndef DRIFT_RUNTIME_BASE_ERROR_H
#define DRIFT_RUNTIME_BASE_ERROR_H

#include "runtime/base/status.h"

struct drift_error {
    enum drift_status status;
    int native; /* errno, cl_int, VkResult ...; 0 when there is none */
    char msg[256];
};

/* Fill *err (if not NULL) and return status, so that a failure is one statement. Thread: any. */
enum drift_status drift_error_set(struct drift_error *err, enum drift_status status, int native,
                                  const char *fmt, ...) DRIFT_PRINTF(4, 5);
/* Put "context: " before the message, cutting its end if it grows too long. */
void drift_error_prefix(struct drift_error *err, const char *fmt, ...) DRIFT_PRINTF(2, 3);
/* Fill *err from errno with DRIFT_STATUS_IO (ENOENT: NOT_FOUND, ENOMEM: NO_MEMORY), the message ending in strerror. */
enum drift_status drift_error_set_errno(struct drift_error *err, int errnum, const char *fmt, ...)
    DRIFT_PRINTF(3, 4);

#endif
