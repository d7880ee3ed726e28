/*
 * The one set of result codes, and DRIFT_ASSERT.
 *
 * Every fallible function of the project returns enum drift_status; zero is success. The codes say
 * what a caller can do about it, not where it happened (struct drift_error says that). The mapping
 * to HTTP statuses is one table in api/.
 */
#ifndef DRIFT_RUNTIME_BASE_STATUS_H
#define DRIFT_RUNTIME_BASE_STATUS_H

/* X(enumerator, name, what it means) */
#define DRIFT_STATUS_MAP(X)                                                                        \
    X(OK, "ok", "success")                                                                         \
    X(INVALID, "invalid", "an argument or a request field is wrong")                               \
    X(NOT_FOUND, "not_found", "the named thing does not exist")                                    \
    X(EXISTS, "exists", "the named thing is there already")                                        \
    X(LIMIT, "limit", "larger, longer or deeper than a documented limit")                          \
    X(CONTEXT_LENGTH, "context_length", "the prompt does not fit into the context")                \
    X(CORRUPT, "corrupt", "a file or message breaks its format")                                   \
    X(UNSUPPORTED, "unsupported", "well formed, but this build or model cannot do it")             \
    X(NO_MEMORY, "no_memory", "host or device memory is exhausted or not granted")                 \
    X(BUSY, "busy", "a bounded queue is full; try again")                                          \
    X(UNAVAILABLE, "unavailable", "not ready yet, or going away; try again later")                 \
    X(CANCELLED, "cancelled", "the caller withdrew the request")                                   \
    X(TIMEOUT, "timeout", "a deadline passed")                                                     \
    X(IO, "io", "a system call failed; native holds errno")                                        \
    X(DEVICE, "device", "a driver call failed; native holds its code")                             \
    X(DEVICE_LOST, "device_lost", "the device is gone until it is rebuilt")                        \
    X(INTERNAL, "internal", "a broken promise inside the program")

enum drift_status {
#define X(id, name, text) DRIFT_STATUS_##id,
    DRIFT_STATUS_MAP(X)
#undef X
    DRIFT_STATUS_COUNT
};

/* Return the code's short name ("no_memory"), "?" for a value outside the enum. Thread: any. */
const char *drift_status_name(enum drift_status status);
/* Return what the code means, in words for a log. Thread: any. */
const char *drift_status_text(enum drift_status status);

#define DRIFT_MUST_USE __attribute__((warn_unused_result))
#define DRIFT_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* Always on; for programming errors only, never for input, files, allocation, driver or system results. */
#define DRIFT_ASSERT(cond)                                                                         \
    ((cond) ? (void)0 : drift_assert_failed(#cond, __FILE__, __LINE__))
_Noreturn void drift_assert_failed(const char *cond, const char *file, int line);

#define DRIFT_COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#endif
