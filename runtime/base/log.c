/* A line is made on the stack and leaves in one write, so lines of different threads never mix. */
#include "runtime/base/log.h"

#include "runtime/base/utf8.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 2000u /* with the line feed */

static const struct {
    const char *name;
    int priority; /* of sd-daemon(3) */
} levels[DRIFT_LOG_LEVEL_COUNT] = {
    [DRIFT_LOG_ERROR] = {"error", 3},
    [DRIFT_LOG_WARN] = {"warn",  4},
    [DRIFT_LOG_INFO] = {"info",  6},
    [DRIFT_LOG_DEBUG] = {"debug", 7},
};

static _Atomic int log_threshold = DRIFT_LOG_INFO;
static atomic_bool log_journald;

struct line {
    char data[LINE_MAX_BYTES];
    size_t len;
    bool full;
};

bool drift_log_level_parse(const char *name, enum drift_log_level *ret_level)
{
    for (unsigned i = 0; i < DRIFT_LOG_LEVEL_COUNT; i++) {
        if (strcmp(name, levels[i].name) == 0) {
            *ret_level = (enum drift_log_level)i;
            return true;
        }
    }
    return false;
}

const char *drift_log_level_name(enum drift_log_level level)
{
    return (unsigned)level < DRIFT_LOG_LEVEL_COUNT ? levels[level].name : "?";
}

void drift_log_configure(enum drift_log_level threshold, bool journald)
{
    atomic_store(&log_threshold, (int)threshold);
    atomic_store(&log_journald, journald);
}

bool drift_log_enabled(enum drift_log_level level)
{
    return (int)level <= atomic_load_explicit(&log_threshold, memory_order_relaxed);
}

static void line_append(struct line *line, const char *s, size_t len)
{
    if (line->full || len > LINE_MAX_BYTES - 1 - line->len) {
        line->full = true;
        return;
    }
    memcpy(line->data + line->len, s, len);
    line->len += len;
}

/* Control characters and bytes that are no UTF-8 would let a logged name forge lines or drive
 * terminals. */
static void line_append_clean(struct line *line, const char *s, size_t len)
{
    size_t i = 0;
    while (i < len) {
        uint32_t code = 0;
        size_t n = drift_utf8_decode(s + i, len - i, &code);
        if (n > 0 && code >= 0x20 && !(code >= 0x7F && code < 0xA0)) {
            line_append(line, s + i, n);
            i += n;
            continue;
        }
        for (size_t end = i + (n ? n : 1); i < end; i++) {
            char hex[5];
            snprintf(hex, sizeof hex, "\\x%02x", (unsigned char)s[i]);
            line_append(line, hex, 4);
        }
    }
}

static void line_write(struct line *line)
{
    line->data[line->len++] = '\n';
    size_t done = 0;
    while (done < line->len) {
        ssize_t n = write(STDERR_FILENO, line->data + done, line->len - done);
        if (n < 0 && errno != EINTR)
            return; /* nobody is left to be told */
        if (n > 0)
            done += (size_t)n;
    }
}

void drift_log(enum drift_log_level level, const char *component, const char *fmt, ...)
{
    if ((unsigned)level >= DRIFT_LOG_LEVEL_COUNT || !drift_log_enabled(level))
        return;
    int saved_errno = errno;
    char text[LINE_MAX_BYTES];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    size_t len = n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
    if (len == sizeof text - 1)
        len = drift_utf8_complete_prefix(text, len);

    struct line line = {.len = 0};
    char head[64];
    int head_len = atomic_load(&log_journald)
                       ? snprintf(head, sizeof head, "<%d>", levels[level].priority)
                       : 0;
    line_append(&line, head, (size_t)head_len);
    line_append(&line, levels[level].name, strlen(levels[level].name));
    line_append(&line, " ", 1);
    line_append_clean(&line, component, strlen(component));
    line_append(&line, " ", 1);
    line_append_clean(&line, text, len);
    line_write(&line);
    errno = saved_errno;
}
