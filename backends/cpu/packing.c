/* Interleaving rows into groups, and back; see packing.h for the layout. */
#include "backends/cpu/packing.h"

#include "backends/cpu/dequant.h"
#include "runtime/base/checked.h"

#include <string.h>

#define AREA_ALIGN 64u

static const struct drift_cpu_format formats[DRIFT_DTYPE_COUNT] = {
    [DRIFT_DTYPE_Q4_0] = {256, 32, 0 },
      [DRIFT_DTYPE_Q4_1] = {256, 64, 0 },
    [DRIFT_DTYPE_Q5_0] = {320, 32, 0 },
      [DRIFT_DTYPE_Q5_1] = {320, 64, 0 },
    [DRIFT_DTYPE_Q8_0] = {512, 32, 0 },
      [DRIFT_DTYPE_Q4_K] = {256, 32, 64},
    [DRIFT_DTYPE_Q5_K] = {320, 32, 64},
      [DRIFT_DTYPE_Q6_K] = {384, 32, 32},
};

const struct drift_cpu_format *drift_cpu_format(enum drift_dtype dtype)
{
    return &formats[dtype];
}

bool drift_cpu_packed_init(struct drift_cpu_packed *ret, enum drift_dtype dtype, uint32_t n_rows,
                           uint32_t n_cols)
{
    const struct drift_cpu_format *f = &formats[dtype];
    uint64_t n_blocks = n_cols / DRIFT_CPU_BLOCK;
    uint64_t quants = n_blocks * f->quant_bytes;
    uint64_t scales = n_blocks * f->scale_bytes;
    uint64_t supers = n_cols / 256 * (uint64_t)f->super_bytes;
    uint64_t total;
    if (f->quant_bytes == 0)
        quants = (uint64_t)n_cols * DRIFT_CPU_GROUP_ROWS * drift_dtype_info(dtype)->n_bytes;
    *ret = (struct drift_cpu_packed){.n_rows = n_rows, .n_cols = n_cols};
    if (!drift_align_u64(quants, AREA_ALIGN, &quants) ||
        !drift_align_u64(scales, AREA_ALIGN, &scales) ||
        !drift_align_u64(supers, AREA_ALIGN, &supers))
        return false;
    ret->scales_at = quants;
    ret->supers_at = quants + scales;
    ret->group_bytes = quants + scales + supers;
    return drift_mul_u64(ret->group_bytes, drift_cpu_packed_n_groups(ret), &total) &&
           total <= PTRDIFF_MAX;
}

uint32_t drift_cpu_packed_n_groups(const struct drift_cpu_packed *packed)
{
    return (packed->n_rows + DRIFT_CPU_GROUP_ROWS - 1) / DRIFT_CPU_GROUP_ROWS;
}

/* Bits i, i + 4, i + 8 ... of a word, together in a byte. */
static uint8_t every_fourth_bit(uint32_t word, unsigned i)
{
    uint32_t x = word >> i & 0x11111111u;
    x = (x | x >> 3) & 0x03030303u;
    x = (x | x >> 6) & 0x000f000fu;
    return (uint8_t)(x | x >> 12);
}

static void pack_nibbles(const uint8_t *q, uint32_t row, uint8_t *quants)
{
    uint8_t bytes[16];
    for (int i = 0; i < 16; i++)
        bytes[i] = (uint8_t)((q[i] & 0x0f) | (q[i + 16] & 0x0f) << 4);
    for (int g = 0; g < 4; g++)
        memcpy(quants + 64 * g + 4 * row, bytes + 4 * g, 4);
}

static void pack_fifth_bits(const uint8_t *q, uint32_t row, uint8_t *quants)
{
    uint32_t word = 0;
    for (int i = 0; i < 32; i++)
        word |= (uint32_t)(q[i] >> 4 & 1) << i;
    for (unsigned k = 0; k < 4; k++)
        quants[256 + 4 * row + k] = every_fourth_bit(word, k);
}

static void pack_upper_pairs(const uint8_t *q, uint32_t row, uint8_t *quants)
{
    for (int half = 0; half < 2; half++) {
        const uint8_t *p = q + 16 * half;
        uint8_t *out = quants + 256 + 64 * half + 4 * row;
        for (int k = 0; k < 4; k++)
            out[k] = (uint8_t)((p[k] >> 4) | (p[k + 4] >> 4) << 2 | (p[k + 8] >> 4) << 4 |
                               (p[k + 12] >> 4) << 6);
    }
}

static void put_u16(uint8_t *area, uint32_t i, uint16_t value)
{
    memcpy(area + 2 * (size_t)i, &value, sizeof value);
}

/* The scales of one row's block, and the super-scales with the first block of 256 columns. */
static void pack_scales(enum drift_dtype dtype, const struct drift_block32 *b, uint32_t row,
                        bool is_first, uint8_t *scales, uint8_t *supers)
{
    if (formats[dtype].super_bytes == 0) {
        put_u16(scales, row, b->d);
        if (formats[dtype].scale_bytes == 64)
            put_u16(scales, DRIFT_CPU_GROUP_ROWS + row, b->dmin);
        return;
    }
    bool has_min = formats[dtype].super_bytes == 64;
    scales[row] = (uint8_t)b->sub_scale[0];
    scales[DRIFT_CPU_GROUP_ROWS + row] = has_min ? b->sub_min : (uint8_t)b->sub_scale[1];
    if (is_first) {
        put_u16(supers, row, b->d);
        if (has_min)
            put_u16(supers, DRIFT_CPU_GROUP_ROWS + row, b->dmin);
    }
}

static void pack_quants(enum drift_dtype dtype, const uint8_t *q, uint32_t row, uint8_t *quants)
{
    uint32_t bytes = formats[dtype].quant_bytes;
    if (bytes == 512) {
        for (int g = 0; g < 8; g++)
            memcpy(quants + 64 * g + 4 * row, q + 4 * g, 4);
        return;
    }
    pack_nibbles(q, row, quants);
    if (bytes == 320)
        pack_fifth_bits(q, row, quants);
    else if (bytes == 384)
        pack_upper_pairs(q, row, quants);
}

static void pack_blocks(const struct drift_cpu_packed *p, enum drift_dtype dtype,
                        const uint8_t *data, uint32_t row, uint8_t *group)
{
    const struct drift_cpu_format *f = &formats[dtype];
    for (uint32_t i = 0; i < p->n_cols / DRIFT_CPU_BLOCK; i++) {
        struct drift_block32 block;
        drift_block32_read(dtype, data, i, &block);
        pack_quants(dtype, block.q, row, group + (size_t)i * f->quant_bytes);
        pack_scales(dtype, &block, row, i % 8 == 0,
                    group + p->scales_at + (size_t)i * f->scale_bytes,
                    group + p->supers_at + (size_t)(i / 8) * f->super_bytes);
    }
}

static void pack_plain(const struct drift_cpu_packed *p, uint32_t element_bytes,
                       const uint8_t *data, uint32_t row, uint8_t *group)
{
    for (size_t c = 0; c < p->n_cols; c++)
        memcpy(group + (c * DRIFT_CPU_GROUP_ROWS + row) * element_bytes, data + c * element_bytes,
               element_bytes);
}

void drift_cpu_pack(const struct drift_cpu_packed *packed, enum drift_dtype dtype, const void *rows,
                    uint8_t *groups)
{
    const struct drift_dtype_info *info = drift_dtype_info(dtype);
    size_t row_bytes = (size_t)packed->n_cols / info->n_elements * info->n_bytes;
    for (uint32_t r = 0; r < packed->n_rows; r++) {
        const uint8_t *data = (const uint8_t *)rows + r * row_bytes;
        uint8_t *group = groups + r / DRIFT_CPU_GROUP_ROWS * packed->group_bytes;
        if (formats[dtype].quant_bytes == 0)
            pack_plain(packed, info->n_bytes, data, r % DRIFT_CPU_GROUP_ROWS, group);
        else
            pack_blocks(packed, dtype, data, r % DRIFT_CPU_GROUP_ROWS, group);
    }
}

/* Column c of row r in a block's quants. */
static int unpack_quant(const uint8_t *quants, uint32_t quant_bytes, uint32_t r, uint32_t c)
{
    uint32_t g = c / 4, at = 4 * r + c % 4;
    if (quant_bytes == 512)
        return quants[64 * g + at];
    int q = quants[64 * (g % 4) + at] >> (g < 4 ? 0 : 4) & 0x0f;
    if (quant_bytes == 320)
        q |= (quants[256 + at] >> g & 1) << 4;
    else if (quant_bytes == 384)
        q |= (quants[256 + 64 * (g / 4) + at] >> (2 * (g % 4)) & 3) << 4;
    return q;
}

static float get_f16(const uint8_t *area, uint32_t i)
{
    uint16_t half;
    memcpy(&half, area + 2 * (size_t)i, sizeof half);
    return drift_f16_to_f32(half);
}

void drift_cpu_unpack_block(const struct drift_cpu_packed *packed, enum drift_dtype dtype,
                            uint32_t group, uint32_t block,
                            float values[DRIFT_CPU_BLOCK][DRIFT_CPU_GROUP_ROWS])
{
    const struct drift_cpu_format *f = &formats[dtype];
    const uint8_t *base = packed->groups + group * packed->group_bytes;
    const uint8_t *quants = base + (size_t)block * f->quant_bytes;
    const uint8_t *scales = base + packed->scales_at + (size_t)block * f->scale_bytes;
    const uint8_t *supers = base + packed->supers_at + (size_t)(block / 8) * f->super_bytes;
    int offset = drift_dtype_offset(dtype);
    for (uint32_t r = 0; r < DRIFT_CPU_GROUP_ROWS; r++) {
        float scale[2], min = 0.0f;
        if (f->super_bytes == 0) {
            scale[0] = scale[1] = get_f16(scales, r);
            if (f->scale_bytes == 64)
                min = get_f16(scales, DRIFT_CPU_GROUP_ROWS + r);
        } else if (f->super_bytes == 64) {
            scale[0] = scale[1] = get_f16(supers, r) * (float)scales[r];
            min = -get_f16(supers, DRIFT_CPU_GROUP_ROWS + r) *
                  (float)scales[DRIFT_CPU_GROUP_ROWS + r];
        } else {
            scale[0] = get_f16(supers, r) * (float)(int8_t)scales[r];
            scale[1] = get_f16(supers, r) * (float)(int8_t)scales[DRIFT_CPU_GROUP_ROWS + r];
        }
        for (uint32_t c = 0; c < DRIFT_CPU_BLOCK; c++)
            values[c][r] =
                scale[c / 16] * (float)(unpack_quant(quants, f->quant_bytes, r, c) - offset) + min;
    }
}
