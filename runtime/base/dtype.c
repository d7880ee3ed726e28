/* The data type table; see dtype.h. */
#include "runtime/base/dtype.h"

#include "runtime/base/checked.h"
#include "runtime/base/status.h"

static const struct drift_dtype_info infos[DRIFT_DTYPE_COUNT] = {
#define X(id, name, elements, bytes, gguf) [DRIFT_DTYPE_##id] = {name, elements, bytes, gguf},
    DRIFT_DTYPE_MAP(X)
#undef X
};

const struct drift_dtype_info *drift_dtype_info(enum drift_dtype dtype)
{
    DRIFT_ASSERT((unsigned)dtype < DRIFT_DTYPE_COUNT);
    return &infos[dtype];
}

bool drift_dtype_from_gguf(uint32_t gguf_type, enum drift_dtype *ret_dtype)
{
    for (unsigned i = 0; i < DRIFT_DTYPE_COUNT; i++) {
        if (infos[i].gguf_type >= 0 && (uint32_t)infos[i].gguf_type == gguf_type) {
            *ret_dtype = (enum drift_dtype)i;
            return true;
        }
    }
    return false;
}

bool drift_dtype_row_bytes(enum drift_dtype dtype, uint64_t n_elements, uint64_t *ret_bytes)
{
    const struct drift_dtype_info *info = drift_dtype_info(dtype);
    return n_elements % info->n_elements == 0 &&
           drift_mul_u64(n_elements / info->n_elements, info->n_bytes, ret_bytes);
}
