/* Any bytes as a model file: hyper-parameters read, and if they are accepted, both plans built over its tensors. */
#include "runtime/model/arch.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is accepted must be usable: whole heads, and an arena that holds every activation. */
static void check_plan(const struct drift_plan *plan)
{
    for (uint32_t i = 0; i < plan->n_tensors; i++) {
        const struct drift_tensor *t = &plan->tensors[i];
        if (t->n_rows == 0 || t->n_cols == 0)
            abort();
        if ((t->role == DRIFT_TENSOR_ACTIVATION || t->role == DRIFT_TENSOR_OUTPUT) &&
            t->u.arena_offset + 4ull * t->n_rows * t->n_cols > plan->arena_bytes)
            abort();
    }
}

static void build(const struct drift_hparams *h, struct drift_weight_set *weights,
                  enum drift_stage stage)
{
    const struct drift_graph_params params = {.name = "fuzz",
                                              .stage = stage,
                                              .max_tokens = DRIFT_THIN_MAX_TOKENS,
                                              .max_outputs = 2,
                                              .max_sequences = 2,
                                              .max_pages = 4};
    struct drift_graph *graph = NULL;
    const struct drift_plan *plan = NULL;
    if (drift_graph_create(&params, &graph, NULL) != DRIFT_STATUS_OK)
        return;
    struct drift_build b = {.graph = graph,
                            .hparams = h,
                            .weights = weights,
                            .cache = {NULL, DRIFT_DTYPE_F16, 128, h->n_kv_heads * h->head_dim}};
    h->arch->build(&b);
    struct drift_error err = {0};
    if (drift_graph_finish(graph, &plan, &err) == DRIFT_STATUS_OK)
        check_plan(plan);
    else if (err.status == DRIFT_STATUS_OK || err.msg[0] == '\0')
        abort();
    drift_graph_destroy(graph);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct drift_gguf *gguf = NULL;
    struct drift_hparams h;
    struct drift_weight_set weights;
    if (drift_gguf_open_memory(data, size, &gguf, NULL) != DRIFT_STATUS_OK)
        return 0;
    drift_weight_set_init(&weights, gguf);
    if (drift_hparams_read(gguf, &h, NULL) == DRIFT_STATUS_OK) {
        if (h.n_heads % h.n_kv_heads != 0 || h.n_rot > h.head_dim || h.n_layers > DRIFT_MAX_LAYERS)
            abort();
        build(&h, &weights, DRIFT_STAGE_THIN);
        build(&h, &weights, DRIFT_STAGE_TILED);
    }
    drift_weight_set_fini(&weights);
    drift_gguf_close(gguf);
    return 0;
}
