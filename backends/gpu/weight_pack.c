#include "backends/gpu/weight_pack.h"

#include <string.h>

#define LANES DRIFT_GPU_WEIGHT_LANES
#define BLOCK DRIFT_GPU_WEIGHT_BLOCK

/* What a format takes out of one row for one block of 32 columns. */
struct unpacked {
    uint32_t q[BLOCK]; /* unsigned quants, or the bits of plain values */
    uint32_t scale;    /* scale plane */
    uint32_t super;    /* super plane; the same for the eight blocks of a super-block */
};

static uint32_t load16(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

static uint32_t load32(const uint8_t *p)
{
    return load16(p) | load16(p + 2) << 16;
}

static void unpack_plain4(const uint8_t *row, uint32_t block, uint32_t n, struct unpacked *out)
{
    for (uint32_t k = 0; k < n; ++k)
        out->q[k] = load32(row + 4 * ((size_t)block * BLOCK + k));
}

static void unpack_plain2(const uint8_t *row, uint32_t block, uint32_t n, struct unpacked *out)
{
    for (uint32_t k = 0; k < n; ++k)
        out->q[k] = load16(row + 2 * ((size_t)block * BLOCK + k));
}

static void unpack_nibbles(const uint8_t *nibbles, uint32_t high_bits, struct unpacked *out)
{
    for (uint32_t i = 0; i < 16; ++i) {
        out->q[i] = (nibbles[i] & 15u) | (high_bits >> i & 1u) << 4;
        out->q[i + 16] = (uint32_t)(nibbles[i] >> 4) | (high_bits >> (i + 16) & 1u) << 4;
    }
}

static void unpack_q4_0(const uint8_t *row, uint32_t block, uint32_t n, struct unpacked *out)
{
    (void)n;
    const uint8_t *p = row + (size_t)block * 18;
    out->scale = load16(p);
    unpack_nibbles(p + 2, 0, out);
}

static void unpack_q4_1(const uint8_t *row, uint32_t block, uint32_t n, struct unpacked *out)
{
    (void)n;
    const uint8_t *p = row + (size_t)block * 20;
    out->scale = load32(p);
    unpack_nibbles(p + 4, 0, out);
}

static void unpack_q5_0(const uint8_t *row, uint32_t block, uint32_t n, struct unpacked *out)
{
    (void)n;
    const uint8_t *p = row + (size_t)block * 22;
    out->scale = load16(p);
    unpack_nibbles(p + 6, load32(p + 2), out);
}

static void unpack_q5_1(const uint8_t *row, uint32_t block, uint32_t n, struct unpacked *out)
{
    (void)n;
    const uint8_t *p = row + (size_t)block * 24;
    out->scale = load32(p);
    unpack_nibbles(p + 8, load32(p + 4), out);
}

static void unpack_q8_0(const uint8_t *row, uint32_t block, uint32_t n, struct unpacked *out)
{
    (void)n;
    const uint8_t *p = row + (size_t)block * 34;
    out->scale = load16(p);
    for (uint32_t k = 0; k < BLOCK; ++k)
        out->q[k] = p[2 + k] ^ 0x80u; /* two's complement + 128 */
}

/* Scale and min number j of the 12 bytes: low 6 bits of bytes j, j + 4 for j < 4, else 4 + 2 bits.
 */
static uint32_t k_scale_min(const uint8_t *p, uint32_t j)
{
    uint32_t scale, min;
    if (j < 4) {
        scale = p[j] & 63u;
        min = p[j + 4] & 63u;
    } else {
        scale = (p[j + 4] & 15u) | (uint32_t)(p[j - 4] >> 6) << 4;
        min = (uint32_t)(p[j + 4] >> 4) | (uint32_t)(p[j] >> 6) << 4;
    }
    return scale | min << 8;
}

static void unpack_k_nibbles(const uint8_t *nibbles, uint32_t j, struct unpacked *out)
{
    for (uint32_t k = 0; k < BLOCK; ++k) {
        uint8_t byte = nibbles[j / 2 * 32 + k];
        out->q[k] = j % 2 ? (uint32_t)(byte >> 4) : byte & 15u;
    }
}

static void unpack_q4_k(const uint8_t *row, uint32_t block, uint32_t n, struct unpacked *out)
{
    (void)n;
    const uint8_t *p = row + (size_t)(block / 8) * 144;
    out->super = load32(p);
    out->scale = k_scale_min(p + 4, block % 8);
    unpack_k_nibbles(p + 16, block % 8, out);
}

static void unpack_q5_k(const uint8_t *row, uint32_t block, uint32_t n, struct unpacked *out)
{
    (void)n;
    const uint8_t *p = row + (size_t)(block / 8) * 176;
    out->super = load32(p);
    out->scale = k_scale_min(p + 4, block % 8);
    unpack_k_nibbles(p + 48, block % 8, out);
    for (uint32_t k = 0; k < BLOCK; ++k)
        out->q[k] |= (p[16 + k] >> (block % 8) & 1u) << 4;
}

static void unpack_q6_k(const uint8_t *row, uint32_t block, uint32_t n, struct unpacked *out)
{
    (void)n;
    const uint8_t *p = row + (size_t)(block / 8) * 210;
    uint32_t half = block % 8 / 4, quarter = block % 4;
    const uint8_t *ql = p + half * 64 + quarter % 2 * 32, *qh = p + 128 + half * 32;
    const uint8_t *scales = p + 192 + block % 8 * 2;
    out->super = load16(p + 208);
    out->scale = (scales[0] ^ 0x80u) | (scales[1] ^ 0x80u) << 8; /* signed + 128 */
    for (uint32_t k = 0; k < BLOCK; ++k) {
        uint32_t low = quarter >= 2 ? (uint32_t)(ql[k] >> 4) : ql[k] & 15u;
        out->q[k] = low | (qh[k] >> (2 * quarter) & 3u) << 4;
    }
}

/* Bits of the quants in words: low ones first, then the words of `high_bits` more. */
static const struct {
    void (*unpack)(const uint8_t *row, uint32_t block, uint32_t n, struct unpacked *out);
    uint8_t low_bits, high_bits;
} packers[DRIFT_DTYPE_COUNT] = {
    [DRIFT_DTYPE_F32] = {unpack_plain4, 32, 0},
      [DRIFT_DTYPE_F16] = {unpack_plain2, 16, 0},
    [DRIFT_DTYPE_BF16] = {unpack_plain2, 16, 0},
      [DRIFT_DTYPE_Q4_0] = {unpack_q4_0,   4,  0},
    [DRIFT_DTYPE_Q4_1] = {unpack_q4_1,   4,  0},
      [DRIFT_DTYPE_Q5_0] = {unpack_q5_0,   4,  1},
    [DRIFT_DTYPE_Q5_1] = {unpack_q5_1,   4,  1},
      [DRIFT_DTYPE_Q8_0] = {unpack_q8_0,   8,  0},
    [DRIFT_DTYPE_Q4_K] = {unpack_q4_k,   4,  0},
      [DRIFT_DTYPE_Q5_K] = {unpack_q5_k,   4,  1},
    [DRIFT_DTYPE_Q6_K] = {unpack_q6_k,   4,  2},
};

static void pack_bits(const uint32_t q[BLOCK], uint32_t shift, uint32_t bits, uint32_t lane,
                      uint32_t *words)
{
    uint32_t per_word = 32 / bits, mask = bits == 32 ? UINT32_MAX : (1u << bits) - 1;
    for (uint32_t k = 0; k < BLOCK; ++k)
        words[(size_t)(k / per_word) * LANES + lane] |= (q[k] >> shift & mask)
                                                        << (k % per_word * bits);
}

/* Store a lane's 16 or 32 bits of a plane. */
static void pack_lane(uint32_t value, uint32_t bits, uint32_t lane, uint32_t *words)
{
    if (bits == 32)
        words[lane] = value;
    else if (bits == 16)
        words[lane % 8] |= value << (lane / 8 * 16);
}

static void pack_block(const struct drift_gpu_weight_desc *desc, const uint8_t *row, uint32_t block,
                       uint32_t lane, uint32_t *const planes[DRIFT_GPU_PLANE_COUNT])
{
    const struct drift_gpu_weight_format *format = drift_gpu_weight_format(desc->dtype);
    uint32_t low_bits = packers[desc->dtype].low_bits, high_bits = packers[desc->dtype].high_bits;
    uint32_t rest = desc->n_cols - block * BLOCK;
    struct unpacked values = {0};
    packers[desc->dtype].unpack(row, block, rest < BLOCK ? rest : BLOCK, &values);
    uint32_t *words =
        planes[DRIFT_GPU_PLANE_QUANTS] + (size_t)block * format->n_quant_words * LANES;
    pack_bits(values.q, 0, low_bits, lane, words);
    if (high_bits)
        pack_bits(values.q, low_bits, high_bits, lane, words + (size_t)low_bits * LANES);
    if (format->scale_bits)
        pack_lane(values.scale, format->scale_bits, lane,
                  planes[DRIFT_GPU_PLANE_SCALES] + (size_t)block * format->scale_bits * LANES / 32);
    if (format->super_bits && block % 8 == 0)
        pack_lane(values.super, format->super_bits, lane,
                  planes[DRIFT_GPU_PLANE_SUPERS] +
                      (size_t)(block / 8) * format->super_bits * LANES / 32);
}

void drift_gpu_weight_pack_group(const struct drift_gpu_weight_desc *desc, const uint8_t *rows,
                                 uint32_t n_rows, uint32_t *const planes[DRIFT_GPU_PLANE_COUNT])
{
    uint64_t row_bytes = 0;
    uint32_t n_blocks = drift_gpu_weight_blocks(desc);
    DRIFT_ASSERT(packers[desc->dtype].unpack &&
                 drift_dtype_row_bytes(desc->dtype, desc->n_cols, &row_bytes));
    for (uint32_t block = 0; block < n_blocks; ++block)
        for (uint32_t lane = 0; lane < n_rows; ++lane)
            pack_block(desc, rows + lane * row_bytes, block, lane, planes);
}
