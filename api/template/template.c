/* Compile and render: the public functions. */
#include "api/template/template.h"

#include "api/template/eval.h"
#include "api/template/parse.h"
#include "api/template/scope.h"
#include "runtime/base/utf8.h"

#define MAX_COMPILED_BYTES ((size_t)128 << 20)

const struct drift_template_limits drift_template_default_limits = {
    .max_steps = 2000000,
    .max_output_bytes = (size_t)16 << 20,
    .max_memory_bytes = (size_t)128 << 20,
    .max_depth = 800,
    .now_unix_s = 0,
};

/* Copy the source with line ends as \n and without the last one. */
static char *normalize(struct drift_arena *arena, const char *source, size_t len, size_t *ret_len)
{
    char *text = drift_arena_alloc(arena, len + 1, 1);
    size_t n = 0;
    if (!text)
        return NULL;
    for (size_t i = 0; i < len; i++) {
        if (source[i] == '\r' && i + 1 < len && source[i + 1] == '\n')
            continue;
        text[n++] = (char)(source[i] == '\r' ? '\n' : source[i]);
    }
    if (n && text[n - 1] == '\n')
        n--;
    *ret_len = n;
    return text;
}

static enum drift_status check_source(const char *source, size_t len, struct drift_error *err)
{
    if (len > DRIFT_TEMPLATE_MAX_SOURCE_BYTES)
        return drift_error_set(err, DRIFT_STATUS_LIMIT, 0,
                               "a chat template of %zu bytes; %u is the limit", len,
                               DRIFT_TEMPLATE_MAX_SOURCE_BYTES);
    if (!drift_utf8_is_valid(source, len) || memchr(source, '\0', len))
        return drift_error_set(err, DRIFT_STATUS_CORRUPT, 0, "the chat template is not UTF-8 text");
    return DRIFT_STATUS_OK;
}

enum drift_status drift_template_compile(const char *source, size_t len,
                                         struct drift_template **ret, struct drift_error *err)
{
    enum drift_status st = check_source(source, len, err);
    if (st)
        return st;
    struct drift_template *tmpl = drift_alloc(DRIFT_TAG_API, 1, sizeof *tmpl);
    if (!tmpl)
        return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "out of memory");
    drift_arena_init(&tmpl->arena, DRIFT_TAG_API, MAX_COMPILED_BYTES);
    size_t n = 0;
    char *text = normalize(&tmpl->arena, source, len, &n);
    st = text ? drift_tmpl_parse(text, n, &tmpl->arena, &tmpl->root.body, err)
              : drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "out of memory");
    if (!st)
        st = drift_tmpl_resolve_names(tmpl, err);
    if (st) {
        drift_template_destroy(tmpl);
        return st;
    }
    *ret = tmpl;
    return DRIFT_STATUS_OK;
}

void drift_template_destroy(struct drift_template *tmpl)
{
    if (!tmpl)
        return;
    drift_arena_fini(&tmpl->arena);
    drift_free(tmpl);
}

bool drift_template_reads(const struct drift_template *tmpl, const char *name)
{
    for (uint32_t i = 0; i < tmpl->n_reads; i++) {
        if (drift_tmpl_text_is(tmpl->reads[i], name))
            return true;
    }
    return false;
}

static bool run(struct drift_tmpl_render *r, const struct drift_json *context)
{
    const struct drift_tmpl_function *root = &r->tmpl->root;
    struct drift_tmpl_env env = {.slots =
                                     drift_tmpl_alloc(r, root->n_slots + 1u, sizeof *env.slots)};
    return env.slots && drift_tmpl_from_json(r, context, &r->context) &&
           drift_tmpl_enter_scope(r, &env, &root->scope) &&
           drift_tmpl_run(r, &env, &root->body) != DRIFT_TMPL_FLOW_ERROR;
}

enum drift_status drift_template_render(const struct drift_template *tmpl,
                                        const struct drift_json *context,
                                        const struct drift_template_limits *limits,
                                        struct drift_buf *out, struct drift_error *err)
{
    const struct drift_template_limits *l = limits ? limits : &drift_template_default_limits;
    size_t start = out->len, room = out->cap_bytes - out->len;
    struct drift_tmpl_render r = {
        .tmpl = tmpl,
        .out = out,
        .out_limit = start + (room < l->max_output_bytes ? room : l->max_output_bytes),
        .max_steps = l->max_steps,
        .max_depth = l->max_depth,
        .now_unix_s = l->now_unix_s,
        .line = 1,
    };
    if (out->failed)
        return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "the output had failed before");
    drift_arena_init(&r.arena, DRIFT_TAG_API, l->max_memory_bytes);
    bool ok = run(&r, context);
    drift_arena_fini(&r.arena);
    if (ok)
        return DRIFT_STATUS_OK;
    drift_buf_truncate(out, start);
    out->failed = false;
    if (err)
        *err = r.error;
    return r.status;
}
