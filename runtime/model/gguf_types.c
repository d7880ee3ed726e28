/*
 * Names and block sizes of the published tensor types. Those the program computes with come from
 * base/dtype.h; the rest are here so that inspect can name them and check their sizes.
 */
#include "runtime/model/gguf_impl.h"

static const struct drift_gguf_tensor_type types[] = {
#define X(id, name, elements, bytes, gguf) {name, gguf, elements, bytes},
    DRIFT_DTYPE_MAP(X)
#undef X
    {"Q8_1", 9, 32, 40},      {"Q2_K", 10, 256, 84},    {"Q3_K", 11, 256, 110},
    {"Q8_K", 15, 256, 292},   {"IQ2_XXS", 16, 256, 66}, {"IQ2_XS", 17, 256, 74},
    {"IQ3_XXS", 18, 256, 98}, {"IQ1_S", 19, 256, 50},   {"IQ4_NL", 20, 32, 18},
    {"IQ3_S", 21, 256, 110},  {"IQ2_S", 22, 256, 82},   {"IQ4_XS", 23, 256, 136},
    {"I8", 24, 1, 1},         {"I16", 25, 1, 2},        {"I64", 27, 1, 8},
    {"F64", 28, 1, 8},        {"IQ1_M", 29, 256, 56},   {"TQ1_0", 34, 256, 54},
    {"TQ2_0", 35, 256, 66},   {"MXFP4", 39, 32, 17},
};

const struct drift_gguf_tensor_type *drift_gguf_tensor_type_find(uint32_t gguf_type)
{
    for (size_t i = 0; i < DRIFT_COUNT_OF(types); i++) {
        if (types[i].gguf_type == gguf_type)
            return &types[i];
    }
    return NULL;
}
