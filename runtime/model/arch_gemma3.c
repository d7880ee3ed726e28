/*
 * gemma3: llama's layer with a norm behind each half as well as before it, GELU, embeddings times
 * sqrt(n_embd), and five layers with a sliding window and a rotary base of their own for each one
 * that sees everything. The file's norm weights already contain the "1 +".
 *
 * gemma2 is the same without norms over q and k, with soft caps, and with every other layer local (arch.c).
 *
 *   per layer: x += post_norm(attention(norm(x))); x += post_norm(down(gelu(gate h) * up h)), h =
 * norm(x)
 */
#include "runtime/model/arch.h"

void drift_arch_gemma3_build(struct drift_build *build)
{
    struct drift_graph *graph = build->graph;
    uint32_t x = drift_build_embedding(build);
    for (uint32_t i = 0; i < build->hparams->n_layers; i++) {
        drift_graph_set_scope(graph, "blk.%u.", i);
        uint32_t h = drift_build_norm(build, i, "attn_norm", x);
        h = drift_build_attention(build, i, h);
        h = drift_build_norm(build, i, "post_attention_norm", h);
        x = drift_graph_add(graph, "attn_sum", x, h);
        h = drift_build_norm(build, i, "ffn_norm", x);
        h = drift_build_feed_forward(build, i, h, DRIFT_ACTIVATION_GELU_TANH);
        h = drift_build_norm(build, i, "post_ffw_norm", h);
        x = drift_graph_add(graph, "ffn_sum", x, h);
    }
    drift_build_head(build, x);
}
