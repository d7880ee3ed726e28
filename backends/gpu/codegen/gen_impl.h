/* Between the files of the generator: the text expander (expand.c) and the members of objects
 * (select_*.c). */
#ifndef DRIFT_BACKENDS_GPU_CODEGEN_GEN_IMPL_H
#define DRIFT_BACKENDS_GPU_CODEGEN_GEN_IMPL_H

#include "backends/gpu/codegen/kernel_gen.h"

#define DRIFT_GPU_MAX_CALL_ARGS 8u

/* One accessor in the text, its arguments already expanded. */
struct drift_gpu_call {
    const struct drift_gpu_object *object;
    char method[DRIFT_GPU_MAX_NAME]; /* empty for a constant */
    uint32_t width;
    struct drift_buf args[DRIFT_GPU_MAX_CALL_ARGS];
    uint32_t n_args;
};

/* Parameters of a snippet: $name in its text stands for value. */
struct drift_gpu_param {
    const char *name;
    const char *value;
};

/* Remember the first failure. */
void drift_gpu_gen_fail(struct drift_gpu_gen *gen, enum drift_status status, const char *fmt, ...)
    DRIFT_PRINTF(3, 4);
/* If buf has failed, remember that: LIMIT or NO_MEMORY. */
void drift_gpu_gen_check(struct drift_gpu_gen *gen, const struct drift_buf *buf);
bool drift_gpu_gen_failed(const struct drift_gpu_gen *gen);
/* Copy text[0, len) to out with every accessor replaced. */
void drift_gpu_expand(struct drift_gpu_gen *gen, const char *text, size_t len,
                      struct drift_buf *out);
/* Expand `@snippet NAME` of the embedded file after replacing its parameters. */
void drift_gpu_expand_snippet(struct drift_gpu_gen *gen, const char *file, const char *name,
                              const struct drift_gpu_param *params, size_t n_params,
                              struct drift_buf *out);
/* Append the replacement of one accessor. */
void drift_gpu_select_tensor(struct drift_gpu_gen *gen, const struct drift_gpu_call *call,
                             struct drift_buf *out);
void drift_gpu_select_weight(struct drift_gpu_gen *gen, const struct drift_gpu_call *call,
                             struct drift_buf *out);

/* Make NAME_SUFFIX an argument unless it is one already, and return its name ("" after a failure).
 */
const char *drift_gpu_gen_pointer(struct drift_gpu_gen *gen, const char *object, const char *type,
                                  const struct drift_gpu_binding *binding, bool is_written);
const char *drift_gpu_gen_int(struct drift_gpu_gen *gen, const char *object, const char *suffix,
                              uint64_t value);
const struct drift_gpu_object *drift_gpu_gen_find(const struct drift_gpu_gen *gen, const char *name,
                                                  size_t len);
/* Value of a literal or specialised constant. */
bool drift_gpu_gen_constant(const struct drift_gpu_gen *gen, const char *name, size_t len,
                            int32_t *ret_value);

#endif
