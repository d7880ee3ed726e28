/*
 * The language table: how a kernel's text becomes OpenCL C (and later GLSL).
 *
 * Templates are written in a neutral dialect: type names FLT, FLT4, INT, UINT ..., ids GROUP_ID_n
 * and LOCAL_ID_n, BARRIER(), MAKE_FLT4() and so on. What the preprocessor of the target can express
 * is defined by the row's prologue (kernels/prologue_*.k); what it cannot (argument lists, kernel
 * heads, work-group memory) is a format string here.
 */
#ifndef DRIFT_BACKENDS_GPU_CODEGEN_LANGUAGE_H
#define DRIFT_BACKENDS_GPU_CODEGEN_LANGUAGE_H

struct drift_gpu_language {
    const char *name;
    const char *prologue;     /* embedded template */
    const char *pointer_in;   /* %s element type, %s name */
    const char *pointer_out;  /* the same, written to */
    const char *int_arg;      /* %s name */
    const char *float_arg;    /* %s name */
    const char *separator;    /* between arguments */
    const char *kernel_head;  /* %u %u %u work-group size */
    const char *kernel_begin; /* after the last argument */
    const char *shared;       /* %s element type, %s name, %s count */
    const char *option;       /* %s name, %d value of a specialised constant */
};

extern const struct drift_gpu_language drift_gpu_language_opencl_c;

#endif
