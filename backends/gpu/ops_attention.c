/* ROPE, CACHE_WRITE, ATTENTION: the ops that know heads, positions and the cache. */
#include "backends/gpu/builder_impl.h"

enum drift_status drift_gpu_op_rope(struct drift_gpu_builder *b)
{
    const struct drift_tensor *dst = drift_gpu_tensor(b, b->dst);
    uint32_t head_dim = b->op->attr.rope.head_dim, n_rot = b->op->attr.rope.n_rot;
    uint32_t n_heads = dst->n_cols / head_dim;
    bool is_adjacent = b->op->attr.rope.pairs == DRIFT_ROPE_ADJACENT;
    /* Slices must not straddle a head, the end of the rotated channels, or its middle. */
    bool is_whole = head_dim % 4 == 0 && (is_adjacent ? n_rot : n_rot / 2) % 4 == 0;
    uint32_t width = is_whole ? 4 : 1;
    uint32_t n_turned = n_rot / (is_adjacent && width == 4 ? 4 : 2 * width);
    uint32_t n_copied = (head_dim - n_rot) / width;
    uint32_t head_step = b->device->profile->rope_splits_heads ? n_heads : 1;
    uint32_t local = b->device->profile->element_local;
    drift_gpu_begin(b, "rope");
    drift_gpu_gen_set_literal(&b->gen, "WIDTH", (int32_t)width);
    drift_gpu_gen_set_literal(&b->gen, "PAIRS_ADJACENT", is_adjacent);
    drift_gpu_gen_set_specialised(&b->gen, "HEAD_STEP", (int32_t)head_step);
    drift_gpu_add(b, "src", b->op->src[0]);
    drift_gpu_add(b, "positions", b->op->src[1]);
    drift_gpu_add(b, "inv_freq", b->op->src[2]);
    drift_gpu_gen_add_int(&b->gen, "n_heads", (int32_t)n_heads);
    drift_gpu_gen_add_int(&b->gen, "head_slices", (int32_t)(head_dim / width));
    drift_gpu_gen_add_int(&b->gen, "n_turned", (int32_t)n_turned);
    drift_gpu_gen_add_int(&b->gen, "n_copied", (int32_t)n_copied);
    drift_gpu_gen_add_int(&b->gen, "first_copied", (int32_t)(n_rot / width));
    drift_gpu_gen_add_float(&b->gen, "magnitude", b->op->attr.rope.magnitude);
    drift_gpu_add_dst(b);
    const struct drift_gpu_launch launch = {
        .local = {local,               1,  1},
        .grid = { drift_gpu_fixed((n_turned + n_copied + local - 1) / local), drift_gpu_rows(dst, 1),
                  drift_gpu_fixed(head_step)},
    };
    return drift_gpu_emit(b, "rope", &launch);
}

enum drift_status drift_gpu_op_cache_write(struct drift_gpu_builder *b)
{
    const struct drift_tensor *k = drift_gpu_tensor(b, b->op->src[0]);
    const struct drift_cache_desc *cache = &drift_gpu_tensor(b, b->op->src[3])->u.kv.cache->desc;
    uint32_t width = drift_gpu_op_width(b, b->op->src[0], cache->head_dim);
    drift_gpu_begin(b, "cache_write");
    drift_gpu_gen_set_literal(&b->gen, "WIDTH", (int32_t)width);
    drift_gpu_gen_set_specialised(&b->gen, "PAGE_TOKENS", (int32_t)cache->page_tokens);
    drift_gpu_gen_set_specialised(&b->gen, "HEAD_SLICES", (int32_t)(cache->head_dim / width));
    drift_gpu_add(b, "k", b->op->src[0]);
    drift_gpu_add(b, "v", b->op->src[1]);
    drift_gpu_add(b, "slots", b->op->src[2]);
    drift_gpu_add(b, "k_cache", b->op->src[3]);
    drift_gpu_add(b, "v_cache", b->op->src[4]);
    return drift_gpu_emit_slices(b, "cache_write", k->n_cols / width, k);
}

enum drift_status drift_gpu_op_attention(struct drift_gpu_builder *b)
{
    const struct drift_tensor *dst = drift_gpu_tensor(b, b->dst);
    const struct drift_cache_desc *cache = &drift_gpu_tensor(b, b->op->src[1])->u.kv.cache->desc;
    uint32_t local = b->device->profile->attention_local;
    uint32_t tile = b->device->profile->attention_tile;
    uint32_t width = drift_gpu_op_width(b, b->op->src[0], cache->head_dim);
    uint32_t dst_width = drift_gpu_op_width(b, b->dst, cache->head_dim);
    width = dst_width < width ? dst_width : width;
    uint32_t head_slices = cache->head_dim / width;
    uint32_t window = b->op->attr.attention.window;
    bool has_window = window != 0 && window <= INT32_MAX; /* no position lies beyond a larger one */
    drift_gpu_begin(b, "attention");
    drift_gpu_gen_set_literal(&b->gen, "WIDTH", (int32_t)width);
    drift_gpu_gen_set_literal(&b->gen, "LOCAL_X", (int32_t)local);
    drift_gpu_gen_set_literal(&b->gen, "PARTIALS", local > 1 ? (int32_t)tile : 0);
    drift_gpu_gen_set_literal(&b->gen, "HAS_WINDOW", has_window);
    drift_gpu_gen_set_literal(&b->gen, "HAS_SOFTCAP", b->op->attr.attention.softcap > 0.0f);
    drift_gpu_gen_set_specialised(&b->gen, "TILE", (int32_t)tile);
    drift_gpu_gen_set_specialised(&b->gen, "PAGE_TOKENS", (int32_t)cache->page_tokens);
    drift_gpu_gen_set_specialised(&b->gen, "HEAD_SLICES", (int32_t)head_slices);
    drift_gpu_gen_set_specialised(&b->gen, "OWN_SLICES",
                                  (int32_t)((head_slices + local - 1) / local));
    drift_gpu_add(b, "q", b->op->src[0]);
    drift_gpu_add(b, "k_cache", b->op->src[1]);
    drift_gpu_add(b, "v_cache", b->op->src[2]);
    drift_gpu_add(b, "positions", b->op->src[3]);
    drift_gpu_add(b, "sequences", b->op->src[4]);
    drift_gpu_add(b, "page_table", b->op->src[5]);
    drift_gpu_gen_add_int(&b->gen, "group",
                          (int32_t)(b->op->attr.attention.n_heads / cache->n_kv_heads));
    drift_gpu_gen_add_int(&b->gen, "window", has_window ? (int32_t)window : 0);
    drift_gpu_gen_add_float(&b->gen, "scale", b->op->attr.attention.scale);
    drift_gpu_gen_add_float(&b->gen, "softcap", b->op->attr.attention.softcap);
    drift_gpu_add_dst(b);
    const struct drift_gpu_launch launch = {
        .local = {local,               1,  1},
        .grid = { drift_gpu_fixed(b->op->attr.attention.n_heads), drift_gpu_rows(dst, 1),
                  drift_gpu_fixed(1)},
    };
    return drift_gpu_emit(b, "attention", &launch);
}
