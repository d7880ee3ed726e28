#include "backends/gpu/codegen/kernel_gen.h"

#include "backends/gpu/codegen/gen_impl.h"
#include "backends/gpu/codegen/templates.h"
#include "runtime/base/hash.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *drift_gpu_template_find(const char *name)
{
    for (size_t i = 0; i < drift_gpu_n_templates; ++i)
        if (strcmp(drift_gpu_templates[i].name, name) == 0)
            return drift_gpu_templates[i].text;
    return NULL;
}

void drift_gpu_gen_fail(struct drift_gpu_gen *gen, enum drift_status status, const char *fmt, ...)
{
    if (gen->error.status != DRIFT_STATUS_OK)
        return;
    char msg[sizeof gen->error.msg];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    drift_error_set(&gen->error, status, 0, "%s", msg);
}

void drift_gpu_gen_check(struct drift_gpu_gen *gen, const struct drift_buf *buf)
{
    if (!buf->failed)
        return;
    if (buf->no_memory)
        drift_gpu_gen_fail(gen, DRIFT_STATUS_NO_MEMORY, "no memory for a kernel's text");
    else
        drift_gpu_gen_fail(gen, DRIFT_STATUS_LIMIT, "a kernel's text or options are too long");
}

bool drift_gpu_gen_failed(const struct drift_gpu_gen *gen)
{
    return gen->error.status != DRIFT_STATUS_OK;
}

void drift_gpu_gen_init_text(struct drift_gpu_gen *gen, const struct drift_gpu_language *language,
                             const char *template_text)
{
    memset(gen, 0, sizeof *gen);
    gen->language = language;
    gen->template_text = template_text;
    drift_buf_init(&gen->shared, DRIFT_TAG_BACKEND, DRIFT_GPU_SOURCE_CAP);
}

void drift_gpu_gen_init(struct drift_gpu_gen *gen, const struct drift_gpu_language *language,
                        const char *template_name)
{
    drift_gpu_gen_init_text(gen, language, drift_gpu_template_find(template_name));
    if (!gen->template_text)
        drift_gpu_gen_fail(gen, DRIFT_STATUS_INVALID, "there is no kernel template %s",
                           template_name);
}

void drift_gpu_gen_fini(struct drift_gpu_gen *gen)
{
    drift_buf_fini(&gen->shared);
}

const struct drift_gpu_object *drift_gpu_gen_find(const struct drift_gpu_gen *gen, const char *name,
                                                  size_t len)
{
    for (uint32_t i = 0; i < gen->n_objects; ++i)
        if (strlen(gen->objects[i].name) == len && memcmp(gen->objects[i].name, name, len) == 0)
            return &gen->objects[i];
    return NULL;
}

bool drift_gpu_gen_constant(const struct drift_gpu_gen *gen, const char *name, size_t len,
                            int32_t *ret_value)
{
    for (uint32_t i = 0; i < gen->n_constants; ++i)
        if (strlen(gen->constants[i].name) == len &&
            memcmp(gen->constants[i].name, name, len) == 0) {
            *ret_value = gen->constants[i].value;
            return true;
        }
    return false;
}

static struct drift_gpu_object *add_object(struct drift_gpu_gen *gen, const char *name,
                                           enum drift_gpu_object_kind kind)
{
    if (strlen(name) >= DRIFT_GPU_MAX_NAME || gen->n_objects == DRIFT_GPU_MAX_OBJECTS ||
        drift_gpu_gen_find(gen, name, strlen(name))) {
        drift_gpu_gen_fail(gen, DRIFT_STATUS_LIMIT, "too many objects, or two named %s", name);
        return NULL;
    }
    struct drift_gpu_object *object = &gen->objects[gen->n_objects++];
    memset(object, 0, sizeof *object);
    memcpy(object->name, name, strlen(name) + 1);
    object->kind = kind;
    return object;
}

void drift_gpu_gen_add_tensor(struct drift_gpu_gen *gen, const char *name,
                              const struct drift_gpu_tensor_desc *desc,
                              const struct drift_gpu_binding *binding, enum drift_gpu_count count)
{
    struct drift_error err;
    if (drift_gpu_tensor_desc_check(desc, name, &err) != DRIFT_STATUS_OK)
        drift_gpu_gen_fail(gen, err.status, "%s", err.msg);
    struct drift_gpu_object *object = add_object(gen, name, DRIFT_GPU_OBJECT_TENSOR);
    if (object) {
        object->u.tensor.desc = *desc;
        object->u.tensor.binding = *binding;
        object->u.tensor.count = count;
    }
}

void drift_gpu_gen_add_weight(struct drift_gpu_gen *gen, const char *name,
                              const struct drift_gpu_weight_desc *desc,
                              const struct drift_gpu_binding planes[DRIFT_GPU_PLANE_COUNT])
{
    struct drift_gpu_object *object = add_object(gen, name, DRIFT_GPU_OBJECT_WEIGHT);
    if (!drift_gpu_weight_format(desc->dtype)->name)
        drift_gpu_gen_fail(gen, DRIFT_STATUS_UNSUPPORTED, "%s: kernels have no weights of type %s",
                           name, drift_dtype_info(desc->dtype)->name);
    if (object) {
        object->u.weight.desc = *desc;
        memcpy(object->u.weight.planes, planes, sizeof object->u.weight.planes);
    }
}

void drift_gpu_gen_add_rt(struct drift_gpu_gen *gen)
{
    (void)add_object(gen, "rt", DRIFT_GPU_OBJECT_RT);
}

void drift_gpu_gen_add_int(struct drift_gpu_gen *gen, const char *name, int32_t value)
{
    struct drift_gpu_object *object = add_object(gen, name, DRIFT_GPU_OBJECT_INT);
    if (object)
        object->u.i = value;
}

void drift_gpu_gen_add_float(struct drift_gpu_gen *gen, const char *name, float value)
{
    struct drift_gpu_object *object = add_object(gen, name, DRIFT_GPU_OBJECT_FLOAT);
    if (object)
        object->u.f = value;
}

static void set_constant(struct drift_gpu_gen *gen, const char *name, int32_t value,
                         bool is_specialised)
{
    if (strlen(name) >= DRIFT_GPU_MAX_NAME || gen->n_constants == DRIFT_GPU_MAX_CONSTANTS) {
        drift_gpu_gen_fail(gen, DRIFT_STATUS_LIMIT, "too many constants: %s", name);
        return;
    }
    struct drift_gpu_constant *constant = &gen->constants[gen->n_constants++];
    memcpy(constant->name, name, strlen(name) + 1);
    constant->value = value;
    constant->is_specialised = is_specialised;
}

void drift_gpu_gen_set_literal(struct drift_gpu_gen *gen, const char *name, int32_t value)
{
    set_constant(gen, name, value, false);
}

void drift_gpu_gen_set_specialised(struct drift_gpu_gen *gen, const char *name, int32_t value)
{
    set_constant(gen, name, value, true);
}

void drift_gpu_gen_link(struct drift_gpu_gen *gen, const char *target, const char *snippet,
                        const char *operand)
{
    if (gen->n_links == DRIFT_GPU_MAX_LINKS || (operand && strlen(operand) >= DRIFT_GPU_MAX_NAME)) {
        drift_gpu_gen_fail(gen, DRIFT_STATUS_LIMIT, "too many linked snippets: %s", snippet);
        return;
    }
    struct drift_gpu_link *link = &gen->links[gen->n_links++];
    link->target = target;
    link->snippet = snippet;
    snprintf(link->operand, sizeof link->operand, "%s", operand ? operand : "");
}

/* The argument called OBJECT_SUFFIX, made when it is not there yet. */
static struct drift_gpu_arg *need_arg(struct drift_gpu_gen *gen, const char *object,
                                      const char *suffix, enum drift_gpu_arg_kind kind)
{
    char name[2 * DRIFT_GPU_MAX_NAME + 1];
    snprintf(name, sizeof name, "%s_%s", object, suffix);
    for (uint32_t i = 0; i < gen->n_args; ++i)
        if (strcmp(gen->args[i].name, name) == 0)
            return &gen->args[i];
    if (gen->n_args == DRIFT_GPU_MAX_ARGS || strlen(name) >= DRIFT_GPU_MAX_NAME) {
        drift_gpu_gen_fail(gen, DRIFT_STATUS_LIMIT, "argument %s: too many, or too long a name",
                           name);
        return NULL;
    }
    struct drift_gpu_arg *arg = &gen->args[gen->n_args++];
    memset(arg, 0, sizeof *arg);
    arg->kind = kind;
    memcpy(arg->name, name, strlen(name) + 1);
    return arg;
}

const char *drift_gpu_gen_pointer(struct drift_gpu_gen *gen, const char *object, const char *type,
                                  const struct drift_gpu_binding *binding, bool is_written)
{
    struct drift_gpu_arg *arg = need_arg(gen, object, type, DRIFT_GPU_ARG_POINTER);
    if (!arg)
        return "";
    snprintf(arg->type, sizeof arg->type, "%s", type);
    arg->binding = *binding;
    arg->is_written |= is_written;
    return arg->name;
}

const char *drift_gpu_gen_int(struct drift_gpu_gen *gen, const char *object, const char *suffix,
                              uint64_t value)
{
    struct drift_gpu_arg *arg = need_arg(gen, object, suffix, DRIFT_GPU_ARG_INT);
    if (!arg)
        return "";
    if (value > INT32_MAX)
        drift_gpu_gen_fail(gen, DRIFT_STATUS_LIMIT, "%s = %llu is beyond a kernel's 32-bit index",
                           arg->name, (unsigned long long)value);
    arg->i = (int32_t)(value & INT32_MAX);
    return arg->name;
}

static void append_signature(const struct drift_gpu_gen *gen, const uint32_t local[3],
                             struct drift_buf *out)
{
    const struct drift_gpu_language *language = gen->language;
    drift_buf_printf(out, language->kernel_head, local[0], local[1], local[2]);
    for (uint32_t i = 0; i < gen->n_args; ++i) {
        const struct drift_gpu_arg *arg = &gen->args[i];
        if (i > 0)
            drift_buf_append_str(out, language->separator);
        if (arg->kind == DRIFT_GPU_ARG_POINTER)
            drift_buf_printf(out, arg->is_written ? language->pointer_out : language->pointer_in,
                             arg->type, arg->name);
        else
            drift_buf_printf(
                out, arg->kind == DRIFT_GPU_ARG_INT ? language->int_arg : language->float_arg,
                arg->name);
    }
    drift_buf_append_str(out, language->kernel_begin);
}

/* Head (helper functions, @shared lines) and body of the template, expanded, around the signature
 * they call for. */
static void assemble(struct drift_gpu_gen *gen, const uint32_t local[3], struct drift_buf *out)
{
    const char *prologue = drift_gpu_template_find(gen->language->prologue);
    const char *mark = strstr(gen->template_text, "@kernel\n");
    if (!prologue || !mark) {
        drift_gpu_gen_fail(gen, DRIFT_STATUS_INVALID, "the template has no @kernel line");
        return;
    }
    struct drift_buf body;
    drift_buf_init(&body, DRIFT_TAG_BACKEND, DRIFT_GPU_SOURCE_CAP);
    for (uint32_t i = 0; i < gen->n_constants; ++i)
        if (!gen->constants[i].is_specialised)
            drift_buf_printf(out, "#define %s %d\n", gen->constants[i].name,
                             gen->constants[i].value);
    drift_gpu_expand(gen, prologue, strlen(prologue), out);
    drift_gpu_expand(gen, gen->template_text, (size_t)(mark - gen->template_text), out);
    mark += strlen("@kernel\n");
    drift_gpu_expand(gen, mark, strlen(mark), &body);
    append_signature(gen, local, out);
    drift_buf_append_str(out, drift_buf_cstr(&gen->shared));
    drift_buf_append_str(out, drift_buf_cstr(&body));
    drift_buf_append_str(out, "}\n");
    drift_buf_join_failure(out, &body);
    drift_buf_join_failure(out, &gen->shared);
    drift_buf_fini(&body);
}

static void append_options(const struct drift_gpu_gen *gen, struct drift_buf *out)
{
    for (uint32_t i = 0; i < gen->n_constants; ++i)
        if (gen->constants[i].is_specialised)
            drift_buf_printf(out, gen->language->option, gen->constants[i].name,
                             gen->constants[i].value);
}

enum drift_status drift_gpu_gen_finish(struct drift_gpu_gen *gen, const uint32_t local[3],
                                       struct drift_gpu_kernel_source *ret_source,
                                       struct drift_error *err)
{
    struct drift_buf out, options;
    drift_buf_init(&out, DRIFT_TAG_BACKEND, DRIFT_GPU_SOURCE_CAP);
    drift_buf_init(&options, DRIFT_TAG_BACKEND, sizeof ret_source->options - 1);
    if (!drift_gpu_gen_failed(gen))
        assemble(gen, local, &out);
    append_options(gen, &options);
    drift_gpu_gen_check(gen, &out);
    drift_gpu_gen_check(gen, &options);
    enum drift_status status = gen->error.status;
    if (status == DRIFT_STATUS_OK) {
        memset(ret_source, 0, sizeof *ret_source);
        snprintf(ret_source->options, sizeof ret_source->options, "%s", drift_buf_cstr(&options));
        ret_source->hash =
            drift_hash64(ret_source->options, options.len, drift_hash64(out.data, out.len, 0));
        memcpy(ret_source->local, local, sizeof ret_source->local);
        memcpy(ret_source->args, gen->args, sizeof ret_source->args);
        ret_source->n_args = gen->n_args;
        ret_source->text = drift_buf_take(&out, NULL);
    } else {
        drift_error_set(err, status, 0, "%s", gen->error.msg);
    }
    drift_buf_fini(&out);
    drift_buf_fini(&options);
    return status;
}

void drift_gpu_kernel_source_fini(struct drift_gpu_kernel_source *source)
{
    drift_free(source->text);
    source->text = NULL;
}
