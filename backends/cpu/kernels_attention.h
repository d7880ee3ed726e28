/*
 * Attention and the KV cache, written once over struct vf; included by each kernels_*.c after
 * kernels_float.h.
 *
 * Rows are (token, query head) pairs that share a kv head. They are computed up to VF_MAX_ROWS at a
 * time to load K and V once, but each row goes through the same steps in the same order as alone:
 * blocks of up to 64 positions that begin at fixed absolute positions, one running maximum and sum
 * (online softmax) per row, positions ascending. A position a row does not see has weight zero; no
 * row reads beyond the last position that one of the rows sees.
 */
#ifndef DRIFT_BACKENDS_CPU_KERNELS_ATTENTION_H
#define DRIFT_BACKENDS_CPU_KERNELS_ATTENTION_H

#include "backends/cpu/kernels_float.h"

#include <string.h>

#define TILE_POSITIONS  16u
#define BLOCK_TILES     4u
#define BLOCK_POSITIONS (TILE_POSITIONS * BLOCK_TILES)

ALWAYS_INLINE struct vf load_kv(const void *p, size_t i, bool is_f16)
{
    return is_f16 ? vf_load_f16((const uint16_t *)p + i) : vf_load((const float *)p + i);
}

/* f16 with what is too large made the largest, so that no infinity ever meets a zero weight. */
ALWAYS_INLINE void store_kv(void *p, size_t i, struct vf v, bool is_f16)
{
    if (!is_f16) {
        vf_store((float *)p + i, v);
        return;
    }
    v = vf_min(vf_set(65504.0f), vf_max(vf_set(-65504.0f), v));
    vf_store_f16((uint16_t *)p + i, v);
}

static void attention_cache_write(const struct drift_cpu_kv_layer *kv, uint32_t slot,
                                  const float *k, const float *v)
{
    uint32_t page = slot / kv->page_tokens, in_page = slot % kv->page_tokens;
    for (uint32_t h = 0; h < kv->n_kv_heads; h++, k += kv->head_dim, v += kv->head_dim) {
        size_t head = (size_t)page * kv->n_kv_heads + h;
        size_t tile = head * kv->page_tiles + in_page / TILE_POSITIONS;
        size_t k_at = tile * kv->head_dim * TILE_POSITIONS + in_page % TILE_POSITIONS;
        size_t v_at = (head * kv->page_tokens + in_page) * kv->dim_stride;
        for (uint32_t d = 0; d < kv->head_dim; d += 16) {
            uint32_t n = kv->head_dim - d < 16 ? kv->head_dim - d : 16;
            store_kv(kv->v, v_at + d, vf_load_n(v + d, n), kv->is_f16);
            uint16_t half[16];
            float full[16];
            store_kv(kv->is_f16 ? (void *)half : (void *)full, 0, vf_load_n(k + d, n), kv->is_f16);
            for (uint32_t i = 0; i < n; i++) {
                size_t at = k_at + (size_t)(d + i) * TILE_POSITIONS;
                if (kv->is_f16)
                    ((uint16_t *)kv->k)[at] = half[i];
                else
                    ((float *)kv->k)[at] = full[i];
            }
        }
    }
}

/* The rows of one register tile and their running softmax. */
struct attention_rows {
    const float *q[VF_MAX_ROWS];
    float *dst[VF_MAX_ROWS];
    int32_t first[VF_MAX_ROWS], last[VF_MAX_ROWS]; /* positions seen, inclusive */
    float max[VF_MAX_ROWS], sum[VF_MAX_ROWS];
    float scores[VF_MAX_ROWS][BLOCK_POSITIONS];
    float out[VF_MAX_ROWS][DRIFT_MAX_HEAD_DIM];
};

/* What one block of positions reads. */
struct attention_block {
    const void *k[BLOCK_TILES]; /* NULL: nobody sees the tile */
    int32_t position[BLOCK_TILES];
    int32_t n_lanes[BLOCK_TILES];
    const void *v[BLOCK_POSITIONS]; /* rows of the positions that somebody sees */
    uint8_t v_at[BLOCK_POSITIONS];  /* their places in scores */
    uint32_t n_v;
};

static void locate_block(const struct drift_cpu_attention *a, const int32_t *pages,
                         uint32_t kv_head, uint32_t block, int32_t first, int32_t last,
                         struct attention_block *b)
{
    const struct drift_cpu_kv_layer *kv = &a->kv;
    size_t element = kv->is_f16 ? 2 : 4;
    b->n_v = 0;
    for (uint32_t i = 0; i < BLOCK_TILES; i++) {
        uint32_t tile = block * BLOCK_TILES + i;
        uint32_t i_page = tile / kv->page_tiles, in_page = tile % kv->page_tiles * TILE_POSITIONS;
        uint32_t lanes = kv->page_tokens - in_page;
        b->n_lanes[i] = (int32_t)(lanes < TILE_POSITIONS ? lanes : TILE_POSITIONS);
        int64_t position = (int64_t)i_page * kv->page_tokens + in_page;
        b->k[i] = NULL;
        if (position > last || position + b->n_lanes[i] <= first)
            continue;
        b->position[i] = (int32_t)position;
        size_t head = (size_t)(uint32_t)pages[i_page] * kv->n_kv_heads + kv_head;
        size_t k_at =
            (head * kv->page_tiles + tile % kv->page_tiles) * kv->head_dim * TILE_POSITIONS;
        b->k[i] = (const uint8_t *)kv->k + k_at * element;
        for (int32_t j = 0; j < b->n_lanes[i]; j++) {
            if (b->position[i] + j < first || b->position[i] + j > last)
                continue;
            size_t v_at = (head * kv->page_tokens + in_page + (uint32_t)j) * kv->dim_stride;
            b->v[b->n_v] = (const uint8_t *)kv->v + v_at * element;
            b->v_at[b->n_v++] = (uint8_t)(i * TILE_POSITIONS + (uint32_t)j);
        }
    }
}

/* Scores of one tile's 16 positions for n_rows rows: two partial sums by channel mod 2. */
ALWAYS_INLINE void score_tile(const struct drift_cpu_attention *a, struct attention_rows *rows,
                              const void *k, uint32_t i_tile, int32_t position, int32_t n_lanes,
                              const uint32_t n_rows, bool is_f16)
{
    struct vf even[VF_MAX_ROWS], odd[VF_MAX_ROWS];
    uint32_t head_dim = a->kv.head_dim, d = 0;
    for (uint32_t r = 0; r < n_rows; r++)
        even[r] = odd[r] = vf_set(0.0f);
    for (; d + 2 <= head_dim; d += 2) {
        struct vf k0 = load_kv(k, (size_t)d * TILE_POSITIONS, is_f16);
        struct vf k1 = load_kv(k, (size_t)(d + 1) * TILE_POSITIONS, is_f16);
        for (uint32_t r = 0; r < n_rows; r++) {
            even[r] = vf_fma(k0, vf_set(rows->q[r][d]), even[r]);
            odd[r] = vf_fma(k1, vf_set(rows->q[r][d + 1]), odd[r]);
        }
    }
    if (d < head_dim) {
        struct vf k0 = load_kv(k, (size_t)d * TILE_POSITIONS, is_f16);
        for (uint32_t r = 0; r < n_rows; r++)
            even[r] = vf_fma(k0, vf_set(rows->q[r][d]), even[r]);
    }
    for (uint32_t r = 0; r < n_rows; r++) {
        struct vf s = vf_mul(vf_add(even[r], odd[r]), vf_set(a->scale));
        if (a->softcap > 0.0f)
            s = vf_mul(vf_tanh(vf_div(s, vf_set(a->softcap))), vf_set(a->softcap));
        int32_t first = rows->first[r] - position, end = rows->last[r] - position + 1;
        first = first < 0 ? 0 : first > 16 ? 16 : first;
        end = end < first ? first : end > n_lanes ? n_lanes : end;
        vf_store(rows->scores[r] + i_tile * TILE_POSITIONS,
                 vf_keep_range(s, first, end, -INFINITY));
    }
}

/* Turn a row's scores into weights and take the new maximum into the running sums. */
static void soften_row(struct attention_rows *rows, uint32_t r, uint32_t dim_stride)
{
    struct vf s[BLOCK_TILES], max, sum = vf_set(0.0f);
    for (uint32_t i = 0; i < BLOCK_TILES; i++)
        s[i] = vf_load(rows->scores[r] + i * TILE_POSITIONS);
    max = vf_max(vf_max(s[0], s[1]), vf_max(s[2], s[3]));
    float new_max = vf_max_lane(max);
    if (new_max == -INFINITY) { /* the row sees nothing here */
        memset(rows->scores[r], 0, sizeof rows->scores[r]);
        return;
    }
    if (!(new_max > rows->max[r]))
        new_max = rows->max[r];
    for (uint32_t i = 0; i < BLOCK_TILES; i++) {
        s[i] = vf_exp(vf_sub(s[i], vf_set(new_max)));
        sum = vf_add(sum, s[i]);
        vf_store(rows->scores[r] + i * TILE_POSITIONS, s[i]);
    }
    if (new_max != rows->max[r]) {
        struct vf shrink = vf_exp(vf_set(rows->max[r] - new_max));
        float lanes[VF_LANES];
        vf_store(lanes, shrink);
        rows->sum[r] *= lanes[0];
        for (uint32_t d = 0; d < dim_stride; d += 16)
            vf_store(rows->out[r] + d, vf_mul(vf_load(rows->out[r] + d), shrink));
    }
    rows->max[r] = new_max;
    rows->sum[r] += vf_sum(sum);
}

/* out += weights . V for 16 channels from d on. */
ALWAYS_INLINE void mix_channels(struct attention_rows *rows, const struct attention_block *b,
                                uint32_t d, const uint32_t n_rows, bool is_f16)
{
    struct vf out[VF_MAX_ROWS];
    for (uint32_t r = 0; r < n_rows; r++)
        out[r] = vf_load(rows->out[r] + d);
    for (uint32_t i = 0; i < b->n_v; i++) {
        struct vf v = load_kv(b->v[i], d, is_f16);
        for (uint32_t r = 0; r < n_rows; r++)
            out[r] = vf_fma(vf_set(rows->scores[r][b->v_at[i]]), v, out[r]);
    }
    for (uint32_t r = 0; r < n_rows; r++)
        vf_store(rows->out[r] + d, out[r]);
}

ALWAYS_INLINE void attend_block(const struct drift_cpu_attention *a, struct attention_rows *rows,
                                const struct attention_block *b, const uint32_t n_rows, bool is_f16)
{
    for (uint32_t i = 0; i < BLOCK_TILES; i++) {
        if (b->k[i]) {
            score_tile(a, rows, b->k[i], i, b->position[i], b->n_lanes[i], n_rows, is_f16);
            continue;
        }
        for (uint32_t r = 0; r < n_rows; r++)
            vf_store(rows->scores[r] + i * TILE_POSITIONS, vf_set(-INFINITY));
    }
    for (uint32_t r = 0; r < n_rows; r++)
        soften_row(rows, r, a->kv.dim_stride);
    for (uint32_t d = 0; d < a->kv.dim_stride; d += 16)
        mix_channels(rows, b, d, n_rows, is_f16);
}

/* The tile's row count as a constant, so that its sums stay in registers. */
#define ATTEND_ROWS(n)                                                                             \
    case n:                                                                                        \
        if (a->kv.is_f16)                                                                          \
            attend_block(a, rows, b, n, true);                                                     \
        else                                                                                       \
            attend_block(a, rows, b, n, false);                                                    \
        break;

static void attend_rows(const struct drift_cpu_attention *a, struct attention_rows *rows,
                        uint32_t n_rows, const int32_t *pages, uint32_t kv_head)
{
    const struct drift_cpu_kv_layer *kv = &a->kv;
    struct attention_block block;
    int32_t first = rows->first[0], last = rows->last[0];
    for (uint32_t r = 0; r < n_rows; r++) {
        first = rows->first[r] < first ? rows->first[r] : first;
        last = rows->last[r] > last ? rows->last[r] : last;
        rows->max[r] = -INFINITY;
        rows->sum[r] = 0.0f;
        memset(rows->out[r], 0, kv->dim_stride * sizeof(float));
    }
    uint32_t tile_first = (uint32_t)first / kv->page_tokens * kv->page_tiles +
                          (uint32_t)first % kv->page_tokens / TILE_POSITIONS;
    uint32_t tile_last = (uint32_t)last / kv->page_tokens * kv->page_tiles +
                         (uint32_t)last % kv->page_tokens / TILE_POSITIONS;
    for (uint32_t i = tile_first / BLOCK_TILES; i <= tile_last / BLOCK_TILES; i++) {
        const struct attention_block *b = &block;
        locate_block(a, pages, kv_head, i, first, last, &block);
        switch (n_rows) {
            VF_ROW_CASES(ATTEND_ROWS)
        }
    }
    for (uint32_t r = 0; r < n_rows; r++) {
        float inverse = 1.0f / rows->sum[r];
        for (uint32_t d = 0; d < kv->head_dim; d++)
            rows->dst[r][d] = rows->out[r][d] * inverse;
    }
}

static void attention(const struct drift_cpu_attention *a, uint32_t kv_head, uint32_t token_begin,
                      uint32_t token_end)
{
    uint32_t group = a->n_heads / a->kv.n_kv_heads;
    uint32_t n_rows = (token_end - token_begin) * group;
    const int32_t *pages =
        a->page_table + (size_t)(uint32_t)a->sequences[token_begin] * a->max_pages;
    struct attention_rows rows;
    for (uint32_t i = 0; i < n_rows; i += VF_MAX_ROWS) {
        uint32_t n = n_rows - i < VF_MAX_ROWS ? n_rows - i : VF_MAX_ROWS;
        for (uint32_t r = 0; r < n; r++) {
            uint32_t token = token_begin + (i + r) / group;
            size_t head = kv_head * group + (i + r) % group;
            size_t at = ((size_t)token * a->n_heads + head) * a->kv.head_dim;
            int32_t position = a->positions[token];
            rows.q[r] = a->q + at;
            rows.dst[r] = a->dst + at;
            rows.last[r] = position;
            rows.first[r] = a->window > 0 && (int64_t)position >= a->window
                                ? position - (int32_t)a->window + 1
                                : 0;
        }
        attend_rows(a, &rows, n, pages, kv_head);
    }
}

#endif
