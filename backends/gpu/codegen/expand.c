/*
 * The text expander: copies template text and replaces accessors, arguments first.
 *
 * Grammar: accessor = "args." NAME [ "." METHOD [ "<" WIDTH ">" ] "(" text { "," text } ")" ]
 * Anything else is copied; "//" comments are dropped; a line "@shared TYPE NAME[COUNT];" declares
 * work-group memory.
 */
#include "backends/gpu/codegen/gen_impl.h"
#include "backends/gpu/codegen/templates.h"

#include <ctype.h>
#include <string.h>

struct cursor {
    const char *p, *end;
};

static bool is_ident(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

static size_t ident_len(const struct cursor *c)
{
    size_t n = 0;
    while (c->p + n < c->end && is_ident(c->p[n]))
        ++n;
    return n;
}

static bool take(struct cursor *c, char ch)
{
    if (c->p >= c->end || *c->p != ch)
        return false;
    ++c->p;
    return true;
}

static bool starts_with(const struct cursor *c, const char *word)
{
    size_t n = strlen(word);
    return (size_t)(c->end - c->p) >= n && memcmp(c->p, word, n) == 0;
}

/* Copy an identifier to name; false when there is none or it is too long. */
static bool take_name(struct cursor *c, char name[DRIFT_GPU_MAX_NAME])
{
    size_t n = ident_len(c);
    if (n == 0 || n >= DRIFT_GPU_MAX_NAME)
        return false;
    memcpy(name, c->p, n);
    name[n] = '\0';
    c->p += n;
    return true;
}

/* "<4>" or "<WIDTH>" naming a constant. */
static bool take_width(struct drift_gpu_gen *gen, struct cursor *c, uint32_t *ret_width)
{
    char name[DRIFT_GPU_MAX_NAME];
    if (!take_name(c, name) || !take(c, '>'))
        return false;
    int32_t width = 0;
    if (isdigit((unsigned char)name[0])) {
        for (const char *d = name; isdigit((unsigned char)*d) && width < 100; ++d)
            width = width * 10 + (*d - '0');
    } else if (!drift_gpu_gen_constant(gen, name, strlen(name), &width)) {
        return false;
    }
    if (width != 1 && width != 4 && width != 8 && width != 16)
        return false;
    *ret_width = (uint32_t)width;
    return true;
}

/* Length of the argument at c->p: up to a ',' or ')' at depth 0; false when the text ends first. */
static bool argument_len(const struct cursor *c, size_t *ret_len)
{
    int depth = 0;
    for (const char *p = c->p; p < c->end; ++p) {
        if (depth == 0 && (*p == ',' || *p == ')')) {
            *ret_len = (size_t)(p - c->p);
            return true;
        }
        if (*p == '(' || *p == '[' || *p == '{')
            ++depth;
        else if (*p == ')' || *p == ']' || *p == '}')
            --depth;
    }
    return false;
}

static bool take_call_args(struct drift_gpu_gen *gen, struct cursor *c, struct drift_gpu_call *call)
{
    for (;;) {
        size_t len;
        if (!argument_len(c, &len))
            return false;
        struct cursor trimmed = {c->p, c->p + len};
        while (trimmed.p < trimmed.end && isspace((unsigned char)*trimmed.p))
            ++trimmed.p;
        while (trimmed.end > trimmed.p && isspace((unsigned char)trimmed.end[-1]))
            --trimmed.end;
        c->p += len;
        bool is_empty_call = call->n_args == 0 && trimmed.p == trimmed.end && *c->p == ')';
        if (!is_empty_call) {
            if (call->n_args == DRIFT_GPU_MAX_CALL_ARGS)
                return false;
            struct drift_buf *arg = &call->args[call->n_args++];
            drift_buf_init(arg, DRIFT_TAG_BACKEND, DRIFT_GPU_SOURCE_CAP);
            drift_gpu_expand(gen, trimmed.p, (size_t)(trimmed.end - trimmed.p), arg);
            if (arg->failed)
                return false;
        }
        if (take(c, ')'))
            return true;
        ++c->p; /* the comma */
    }
}

static void select_member(struct drift_gpu_gen *gen, const struct drift_gpu_call *call,
                          struct drift_buf *out)
{
    const struct drift_gpu_object *object = call->object;
    if (object->kind == DRIFT_GPU_OBJECT_WEIGHT) {
        drift_gpu_select_weight(gen, call, out);
    } else if (object->kind == DRIFT_GPU_OBJECT_TENSOR) {
        drift_gpu_select_tensor(gen, call, out);
    } else if (object->kind == DRIFT_GPU_OBJECT_RT && strcmp(call->method, "Int") == 0 &&
               call->n_args == 1) {
        struct drift_gpu_binding binding = {.slot = DRIFT_GPU_SLOT_INPUTS};
        drift_buf_printf(out, "%s[%s]",
                         drift_gpu_gen_pointer(gen, object->name, "INT", &binding, false),
                         drift_buf_cstr(&call->args[0]));
    } else {
        drift_gpu_gen_fail(gen, DRIFT_STATUS_INVALID, "args.%s has no member %s with %u arguments",
                           object->name, call->method, call->n_args);
    }
}

/* A constant stands for itself and becomes an argument when it occurs. */
static void select_constant(struct drift_gpu_gen *gen, const struct drift_gpu_object *object,
                            struct drift_buf *out)
{
    if (object->kind != DRIFT_GPU_OBJECT_INT && object->kind != DRIFT_GPU_OBJECT_FLOAT) {
        drift_gpu_gen_fail(gen, DRIFT_STATUS_INVALID, "args.%s is used without a member",
                           object->name);
        return;
    }
    for (uint32_t i = 0; i < gen->n_args; ++i)
        if (strcmp(gen->args[i].name, object->name) == 0) {
            drift_buf_append_str(out, object->name);
            return;
        }
    if (gen->n_args == DRIFT_GPU_MAX_ARGS) {
        drift_gpu_gen_fail(gen, DRIFT_STATUS_LIMIT, "more than %u arguments", DRIFT_GPU_MAX_ARGS);
        return;
    }
    struct drift_gpu_arg *arg = &gen->args[gen->n_args++];
    *arg = (struct drift_gpu_arg){.kind = DRIFT_GPU_ARG_INT};
    memcpy(arg->name, object->name, sizeof arg->name);
    if (object->kind == DRIFT_GPU_OBJECT_INT) {
        arg->i = object->u.i;
    } else {
        arg->kind = DRIFT_GPU_ARG_FLOAT;
        arg->f = object->u.f;
    }
    drift_buf_append_str(out, object->name);
}

/* c->p is behind "args.". */
static void expand_accessor(struct drift_gpu_gen *gen, struct cursor *c, struct drift_buf *out)
{
    char name[DRIFT_GPU_MAX_NAME];
    if (!take_name(c, name)) {
        drift_gpu_gen_fail(gen, DRIFT_STATUS_INVALID, "'args.' without a name");
        return;
    }
    struct drift_gpu_call call = {.width = 4};
    call.object = drift_gpu_gen_find(gen, name, strlen(name));
    if (!call.object) {
        drift_gpu_gen_fail(gen, DRIFT_STATUS_INVALID, "the kernel has no object args.%s", name);
        return;
    }
    if (!take(c, '.')) {
        select_constant(gen, call.object, out);
        return;
    }
    if (!take_name(c, call.method) || (take(c, '<') && !take_width(gen, c, &call.width)) ||
        !take(c, '('))
        drift_gpu_gen_fail(gen, DRIFT_STATUS_INVALID, "malformed member of args.%s", name);
    else if (!take_call_args(gen, c, &call))
        drift_gpu_gen_fail(gen, DRIFT_STATUS_INVALID, "malformed arguments of args.%s.%s", name,
                           call.method);
    else
        select_member(gen, &call, out);
    for (uint32_t i = 0; i < call.n_args; ++i)
        drift_buf_fini(&call.args[i]);
}

/* "@shared TYPE NAME[COUNT];" A COUNT that is a constant of value 0 declares nothing. */
static void expand_shared(struct drift_gpu_gen *gen, struct cursor *c)
{
    char type[DRIFT_GPU_MAX_NAME], name[DRIFT_GPU_MAX_NAME];
    c->p += strlen("@shared ");
    if (take_name(c, type) && take(c, ' ') && take_name(c, name) && take(c, '[')) {
        const char *close = memchr(c->p, ']', (size_t)(c->end - c->p));
        if (close) {
            struct drift_buf count;
            drift_buf_init(&count, DRIFT_TAG_BACKEND, 256);
            drift_buf_append(&count, c->p, (size_t)(close - c->p));
            int32_t value;
            bool is_absent =
                drift_gpu_gen_constant(gen, drift_buf_cstr(&count), count.len, &value) &&
                value == 0;
            if (!is_absent)
                drift_buf_printf(&gen->shared, gen->language->shared, type, name,
                                 drift_buf_cstr(&count));
            drift_buf_join_failure(&gen->shared, &count);
            drift_buf_fini(&count);
            c->p = close + 1;
            if (take(c, ';'))
                return;
        }
    }
    drift_gpu_gen_fail(gen, DRIFT_STATUS_INVALID, "malformed @shared line");
    c->p = c->end;
}

void drift_gpu_expand(struct drift_gpu_gen *gen, const char *text, size_t len,
                      struct drift_buf *out)
{
    if (gen->depth == DRIFT_GPU_MAX_DEPTH) {
        drift_gpu_gen_fail(gen, DRIFT_STATUS_LIMIT, "accessors nested deeper than %u",
                           DRIFT_GPU_MAX_DEPTH);
        return;
    }
    ++gen->depth;
    struct cursor c = {text, text + len};
    while (c.p < c.end && !drift_gpu_gen_failed(gen) && !out->failed) {
        size_t n = ident_len(&c);
        if (starts_with(&c, "args.") && n == 4) {
            c.p += 5;
            expand_accessor(gen, &c, out);
        } else if (n > 0) {
            drift_buf_append(out, c.p, n);
            c.p += n;
        } else if (starts_with(&c, "//")) {
            while (c.p < c.end && *c.p != '\n')
                ++c.p;
        } else if (starts_with(&c, "@shared ")) {
            expand_shared(gen, &c);
        } else {
            drift_buf_append_char(out, *c.p++);
        }
    }
    drift_gpu_gen_check(gen, out);
    --gen->depth;
}

/* Text of "@snippet NAME" in file: from the next line to the next "@snippet" or the end. */
static bool find_snippet(const char *file, const char *name, struct cursor *ret)
{
    size_t name_len = strlen(name);
    const char *p = file;
    while ((p = strstr(p, "@snippet ")) != NULL) {
        p += strlen("@snippet ");
        if (strncmp(p, name, name_len) != 0 || p[name_len] != '\n')
            continue;
        ret->p = p + name_len + 1;
        const char *next = strstr(ret->p, "@snippet ");
        ret->end = next ? next : ret->p + strlen(ret->p);
        return true;
    }
    return false;
}

static void substitute(struct drift_gpu_gen *gen, struct cursor c,
                       const struct drift_gpu_param *params, size_t n_params, struct drift_buf *out)
{
    while (c.p < c.end) {
        if (*c.p != '$') {
            drift_buf_append_char(out, *c.p++);
            continue;
        }
        ++c.p;
        size_t n = ident_len(&c), i = 0;
        while (i < n_params &&
               !(strlen(params[i].name) == n && memcmp(params[i].name, c.p, n) == 0))
            ++i;
        if (i == n_params) {
            drift_gpu_gen_fail(gen, DRIFT_STATUS_INVALID, "a snippet has no parameter $%.*s",
                               (int)n, c.p);
            return;
        }
        drift_buf_append_str(out, params[i].value);
        c.p += n;
    }
}

void drift_gpu_expand_snippet(struct drift_gpu_gen *gen, const char *file, const char *name,
                              const struct drift_gpu_param *params, size_t n_params,
                              struct drift_buf *out)
{
    const char *file_text = drift_gpu_template_find(file);
    struct cursor snippet;
    if (!file_text || !find_snippet(file_text, name, &snippet)) {
        drift_gpu_gen_fail(gen, DRIFT_STATUS_INVALID, "there is no snippet %s in %s.k", name, file);
        return;
    }
    struct drift_buf text;
    drift_buf_init(&text, DRIFT_TAG_BACKEND, DRIFT_GPU_SOURCE_CAP);
    substitute(gen, snippet, params, n_params, &text);
    drift_gpu_gen_check(gen, &text);
    if (!text.failed)
        drift_gpu_expand(gen, drift_buf_cstr(&text), text.len, out);
    drift_buf_fini(&text);
}
