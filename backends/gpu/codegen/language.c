#include "backends/gpu/codegen/language.h"

const struct drift_gpu_language drift_gpu_language_opencl_c = {
    .name = "OpenCL C",
    .prologue = "prologue_opencl_c",
    .pointer_in = "__global const %s *%s",
    .pointer_out = "__global %s *%s",
    .int_arg = "const int %s",
    .float_arg = "const float %s",
    .separator = ",\n    ",
    .kernel_head =
        "__kernel __attribute__((reqd_work_group_size(%u, %u, %u)))\nvoid drift_main(\n    ",
    .kernel_begin = ")\n{\n",
    .shared = "    __local %s %s[%s];\n",
    .option = " -D%s=%d",
};
