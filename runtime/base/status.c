/* Names and meanings of the result codes, from the one table in status.h. */
#include "runtime/base/status.h"

#include <stdio.h>
#include <stdlib.h>

static const struct {
    const char *name;
    const char *text;
} codes[DRIFT_STATUS_COUNT] = {
#define X(id, name, text) [DRIFT_STATUS_##id] = {name, text},
    DRIFT_STATUS_MAP(X)
#undef X
};

const char *drift_status_name(enum drift_status status)
{
    return (unsigned)status < DRIFT_STATUS_COUNT ? codes[status].name : "?";
}

const char *drift_status_text(enum drift_status status)
{
    return (unsigned)status < DRIFT_STATUS_COUNT ? codes[status].text : "?";
}

void drift_assert_failed(const char *cond, const char *file, int line)
{
    fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, cond);
    abort();
}
