/* The kernel templates of backends/gpu/kernels, embedded at build time (kernels/embed.cmake writes
 * templates.c). */
#ifndef DRIFT_BACKENDS_GPU_CODEGEN_TEMPLATES_H
#define DRIFT_BACKENDS_GPU_CODEGEN_TEMPLATES_H

#include <stddef.h>

struct drift_gpu_template {
    const char *name; /* the file's name without ".k" */
    const char *text;
};

extern const struct drift_gpu_template drift_gpu_templates[];
extern const size_t drift_gpu_n_templates;

/* NULL when there is none of this name. Thread: any. */
const char *drift_gpu_template_find(const char *name);

#endif
