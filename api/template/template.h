/*
 * Chat templates: the part of Jinja that models ship in their metadata, and nothing that reaches
 * out.
 *
 * A template is compiled once and rendered for every request. The dialect is the one chat templates
 * are written for: trim_blocks and lstrip_blocks on, break and continue, an immutable sandbox
 * (lists and dicts can't be changed, only namespace() can), tojson without HTML escapes,
 * raise_exception, strftime_now, and generation blocks, which are rendered like any scope. Strings
 * are UTF-8 and counted in code points; numbers print as Python prints them.
 *
 * Not here: template inheritance, include and import, recursive loops, autoescape, line statements,
 * integers beyond 64 bits. Each is refused with a message. No file, clock, environment or locale is
 * read: the text depends on the template, the context and the limits only.
 */
#ifndef DRIFT_API_TEMPLATE_TEMPLATE_H
#define DRIFT_API_TEMPLATE_TEMPLATE_H

#include "runtime/base/buffer.h"
#include "runtime/base/error.h"
#include "runtime/base/json.h"

/* Caps on what a template may be; larger ones are refused with LIMIT. */
#define DRIFT_TEMPLATE_MAX_SOURCE_BYTES (1u << 20)
#define DRIFT_TEMPLATE_MAX_NODES        (1u << 18)
#define DRIFT_TEMPLATE_MAX_NESTING      128u

/* A compiled template; immutable, so any number of threads may render it at once. */
struct drift_template;

struct drift_template_limits {
    uint64_t max_steps; /* evaluated nodes, visited items, and one per 256 bytes of text moved */
    size_t max_output_bytes; /* appended to the output */
    size_t max_memory_bytes; /* strings, lists and the copied context of one render */
    uint32_t max_depth;      /* nested evaluations: macro calls, expressions, printed values */
    int64_t now_unix_s; /* what strftime_now shows, as seconds since 1970 in the zone to show */
};

/* 2,000,000 steps, 16 MiB of output, 128 MiB of memory, 800 deep, 1970-01-01. */
extern const struct drift_template_limits drift_template_default_limits;

/*
 * Compile len bytes of UTF-8. Errors: CORRUPT (not a template: the message says the line and what),
 * UNSUPPORTED (a construct this interpreter refuses), LIMIT (size, nesting, nodes), NO_MEMORY.
 * *ret is released with drift_template_destroy and keeps nothing of source. Thread: any.
 */
enum drift_status drift_template_compile(const char *source, size_t len,
                                         struct drift_template **ret,
                                         struct drift_error *err) DRIFT_MUST_USE;
/* Release; NULL is accepted. No render may be running. */
void drift_template_destroy(struct drift_template *tmpl);

/*
 * True when the template reads the variable name from its context ("tools", "bos_token"), in any
 * branch. Thread: any.
 */
bool drift_template_reads(const struct drift_template *tmpl, const char *name);

/*
 * Append the rendering to out. context is a JSON object (or NULL: empty) whose members are the
 * template's variables; it may be shared by concurrent renders. limits NULL means the defaults.
 * Errors: INVALID (raise_exception, with its message alone; or an operation the values do not
 * allow, with the line), UNSUPPORTED (an unknown filter or test was reached), LIMIT (a budget is
 * spent), NO_MEMORY. On failure out holds what it held before. Thread: any; does not block.
 */
enum drift_status drift_template_render(const struct drift_template *tmpl,
                                        const struct drift_json *context,
                                        const struct drift_template_limits *limits,
                                        struct drift_buf *out,
                                        struct drift_error *err) DRIFT_MUST_USE;

#endif
