/*
 * llama, and what is built like it (mistral in llama's clothes; qwen2 with biases; qwen3 with norms
 * over q and k):
 *
 *   x = embedding(tokens)
 *   per layer: x += attention(norm(x)); x += down(silu(gate h) * up h), h = norm(x)
 *   logits = output(norm(x))
 */
#include "runtime/model/arch.h"

void drift_arch_llama_build(struct drift_build *build)
{
    struct drift_graph *graph = build->graph;
    uint32_t x = drift_build_embedding(build);
    for (uint32_t i = 0; i < build->hparams->n_layers; i++) {
        drift_graph_set_scope(graph, "blk.%u.", i);
        uint32_t h = drift_build_norm(build, i, "attn_norm", x);
        h = drift_build_attention(build, i, h);
        x = drift_graph_add(graph, "attn_sum", x, h);
        h = drift_build_norm(build, i, "ffn_norm", x);
        h = drift_build_feed_forward(build, i, h, DRIFT_ACTIVATION_SILU);
        x = drift_graph_add(graph, "ffn_sum", x, h);
    }
    drift_build_head(build, x);
}
