/* Instruction-set levels of this build and of the processor it runs on. */
#ifndef DRIFT_BACKENDS_CPU_ISA_H
#define DRIFT_BACKENDS_CPU_ISA_H

#include "backends/cpu/kernels.h"

/*
 * Choose a level by name ("portable", "avx2", "avx512"); NULL or "auto" takes the best one the
 * processor has. Errors: NOT_FOUND (no such level in this build), UNSUPPORTED (the processor lacks
 * it). Thread: any.
 */
enum drift_status drift_cpu_isa_select(const char *name,
                                       const struct drift_cpu_kernels **ret_kernels,
                                       struct drift_error *err) DRIFT_MUST_USE;

struct drift_cpu_isa_level {
    const struct drift_cpu_kernels *kernels;
    bool (*is_supported)(void);
};

/* The levels of this build, best first, the portable one last. One of isa_x86.c, isa_generic.c. */
extern const struct drift_cpu_isa_level drift_cpu_isa_levels[];
extern const size_t drift_cpu_isa_n_levels;

#endif
