/* Any bytes as a model file: opened, printed and every value reached. */
#include "runtime/model/gguf.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct drift_gguf *gguf = NULL;
    struct drift_error err;
    struct drift_gguf_info info;
    struct drift_buf text;
    if (drift_gguf_open_memory(data, size, &gguf, &err) != DRIFT_STATUS_OK)
        return 0;
    drift_gguf_get_info(gguf, &info);
    for (uint64_t i = 0; i < info.n_tensors; i++) {
        const struct drift_gguf_tensor *t = drift_gguf_tensor_at(gguf, i);
        if (t->offset_bytes > size || t->size_bytes > size - t->offset_bytes ||
            drift_gguf_find_tensor(gguf, t->name) != t)
            abort();
    }
    for (uint64_t i = 0; i < info.n_kv; i++) {
        const struct drift_gguf_kv *kv = drift_gguf_kv_at(gguf, i);
        if (drift_gguf_find_kv(gguf, kv->key) != kv)
            abort();
    }
    drift_buf_init(&text, DRIFT_TAG_BASE, 1 << 20);
    drift_gguf_print(gguf, &text);
    drift_buf_fini(&text);
    drift_gguf_close(gguf);
    return 0;
}
