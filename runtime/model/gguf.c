/*
 * The layout (all integers little-endian, nothing aligned before the tensor data):
 *
 *   u32 magic "GGUF"   u32 version (2, 3)   u64 n_tensors   u64 n_kv
 *   n_kv times:        string key   u32 type   value
 *   n_tensors times:   string name  u32 n_dims   u64 dims[n_dims]   u32 type   u64 offset
 *   padding to general.alignment (32 unless set), then the tensors' bytes; offset counts from here
 *
 *   string: u64 length, bytes without a NUL
 *   value:  a scalar of type's size; a string; or for arrays: u32 element type   u64 count elements
 *
 * Version 1 had 32-bit counts; version 3 differs from 2 in allowing big-endian files, which are
 * refused here. Every read goes through take(), which is the only function that moves the position.
 */
#include "runtime/model/gguf.h"

#include "runtime/base/checked.h"
#include "runtime/base/hash.h"
#include "runtime/base/utf8.h"
#include "runtime/model/gguf_impl.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_ALIGNMENT 32u
#define MAGIC             0x46554747u /* "GGUF" */
/* The fewest bytes an entry can have: nothing is allocated for counts the file has no room for. */
#define MIN_KV_BYTES     (8u + 1u + 4u + 1u)
#define MIN_TENSOR_BYTES (8u + 1u + 4u + 8u + 4u + 8u)

struct parser {
    struct drift_gguf *gguf;
    uint64_t at;
    struct drift_error *err;
};

static const char *const type_names[DRIFT_GGUF_TYPE_COUNT] = {
#define X(id, name, bytes) name,
    DRIFT_GGUF_TYPE_MAP(X)
#undef X
};

static const uint8_t type_bytes[DRIFT_GGUF_TYPE_COUNT] = {
#define X(id, name, bytes) bytes,
    DRIFT_GGUF_TYPE_MAP(X)
#undef X
};

const char *drift_gguf_type_name(enum drift_gguf_type type)
{
    return (unsigned)type < DRIFT_GGUF_TYPE_COUNT ? type_names[type] : "?";
}

static uint64_t left(const struct parser *p)
{
    return p->gguf->info.file_bytes - p->at;
}

static enum drift_status take(struct parser *p, uint64_t n, const char *what, const uint8_t **ret)
{
    if (n > left(p))
        return drift_error_set(p->err, DRIFT_STATUS_CORRUPT, 0,
                               "the file ends at byte %" PRIu64
                               ", within %s that starts at %" PRIu64 " and needs %" PRIu64 " bytes",
                               p->gguf->info.file_bytes, what, p->at, n);
    *ret = p->gguf->bytes + p->at;
    p->at += n;
    return DRIFT_STATUS_OK;
}

static enum drift_status take_u32(struct parser *p, const char *what, uint32_t *ret)
{
    const uint8_t *bytes = NULL;
    enum drift_status status = take(p, 4, what, &bytes);
    if (status == DRIFT_STATUS_OK)
        *ret = drift_gguf_load_u32(bytes);
    return status;
}

static enum drift_status take_u64(struct parser *p, const char *what, uint64_t *ret)
{
    const uint8_t *bytes = NULL;
    enum drift_status status = take(p, 8, what, &bytes);
    if (status == DRIFT_STATUS_OK)
        *ret = drift_gguf_load_u64(bytes);
    return status;
}

/* A key or a tensor's name, copied. */
static enum drift_status take_name(struct parser *p, const char *what, uint64_t max_bytes,
                                   const char **ret)
{
    uint64_t start = p->at, len = 0;
    const uint8_t *bytes = NULL;
    enum drift_status status = take_u64(p, what, &len);
    if (status != DRIFT_STATUS_OK)
        return status;
    if (len > max_bytes && len <= left(p))
        return drift_error_set(p->err, DRIFT_STATUS_LIMIT, 0,
                               "%s at byte %" PRIu64 " has %" PRIu64 " bytes; at most %" PRIu64
                               " are allowed",
                               what, start, len, max_bytes);
    status = take(p, len, what, &bytes);
    if (status != DRIFT_STATUS_OK)
        return status;
    const char *text = (const char *)bytes;
    if (len == 0 || memchr(text, '\0', (size_t)len) || !drift_utf8_is_valid(text, (size_t)len))
        return drift_error_set(p->err, DRIFT_STATUS_CORRUPT, 0, "%s at byte %" PRIu64 " %s", what,
                               start, len == 0 ? "is empty" : "is not UTF-8 text");
    *ret = drift_arena_strndup(&p->gguf->strings, text, (size_t)len);
    if (!*ret)
        return drift_error_set(p->err, DRIFT_STATUS_NO_MEMORY, 0, "out of memory for names");
    return DRIFT_STATUS_OK;
}

static enum drift_status check_bools(struct parser *p, const char *key,
                                     const struct drift_gguf_array *value)
{
    for (uint64_t i = 0; i < value->count; i++) {
        if (value->data[i] > 1)
            return drift_error_set(p->err, DRIFT_STATUS_CORRUPT, 0,
                                   "key '%.80s' holds the boolean %u; only 0 and 1 exist", key,
                                   value->data[i]);
    }
    return DRIFT_STATUS_OK;
}

/* count values of a type that is no array. */
static enum drift_status take_values(struct parser *p, const char *key, uint64_t count,
                                     struct drift_gguf_array *value)
{
    enum drift_status status = DRIFT_STATUS_OK;
    uint64_t start = p->at, n_bytes, len = 0, element = type_bytes[value->type];
    const uint8_t *bytes = NULL;
    if (!drift_mul_u64(count, element ? element : 8, &n_bytes) || n_bytes > left(p))
        return drift_error_set(p->err, DRIFT_STATUS_CORRUPT, 0,
                               "key '%.80s' at byte %" PRIu64 " claims %" PRIu64
                               " values of type %s; the file has %" PRIu64 " bytes left",
                               key, start, count, type_names[value->type], left(p));
    if (element)
        status = take(p, n_bytes, "a value", &bytes);
    for (uint64_t i = 0; !element && i < count && status == DRIFT_STATUS_OK; i++) {
        status = take_u64(p, "a string's length", &len);
        if (status == DRIFT_STATUS_OK)
            status = take(p, len, "a string", &bytes);
    }
    if (status != DRIFT_STATUS_OK) {
        drift_error_prefix(p->err, "key '%.80s'", key);
        return status;
    }
    value->count = count;
    value->data = p->gguf->bytes + start;
    value->size_bytes = p->at - start;
    return value->type == DRIFT_GGUF_TYPE_BOOL ? check_bools(p, key, value) : DRIFT_STATUS_OK;
}

static enum drift_status take_type(struct parser *p, const char *key, enum drift_gguf_type *ret)
{
    uint32_t type = 0;
    enum drift_status status = take_u32(p, "a value's type", &type);
    if (status != DRIFT_STATUS_OK)
        return status;
    if (type >= DRIFT_GGUF_TYPE_COUNT)
        return drift_error_set(p->err, DRIFT_STATUS_CORRUPT, 0,
                               "key '%.80s' has a value of unknown type %" PRIu32, key, type);
    *ret = (enum drift_gguf_type)type;
    return DRIFT_STATUS_OK;
}

static enum drift_status take_kv(struct parser *p, struct drift_gguf_kv *kv)
{
    uint64_t count = 1;
    enum drift_status status = take_name(p, "a key", DRIFT_GGUF_MAX_KEY_BYTES, &kv->key);
    if (status == DRIFT_STATUS_OK)
        status = take_type(p, kv->key, &kv->type);
    if (status != DRIFT_STATUS_OK)
        return status;
    kv->value.type = kv->type;
    if (kv->type == DRIFT_GGUF_TYPE_ARRAY) {
        status = take_type(p, kv->key, &kv->value.type);
        if (status == DRIFT_STATUS_OK && kv->value.type == DRIFT_GGUF_TYPE_ARRAY)
            return drift_error_set(p->err, DRIFT_STATUS_UNSUPPORTED, 0,
                                   "key '%.80s' is an array of arrays, which no model needs",
                                   kv->key);
        if (status == DRIFT_STATUS_OK)
            status = take_u64(p, "an array's length", &count);
    }
    return status == DRIFT_STATUS_OK ? take_values(p, kv->key, count, &kv->value) : status;
}

/* Room for count names; they are added one by one. */
static enum drift_status index_init(struct drift_gguf_index *index, uint64_t count,
                                    struct drift_error *err)
{
    uint64_t n_slots = 2;
    while (n_slots < count * 2)
        n_slots *= 2;
    drift_random_bytes(&index->seed, sizeof(index->seed));
    index->mask = n_slots - 1;
    index->names = drift_alloc(DRIFT_TAG_MODEL, (size_t)count, sizeof(*index->names));
    index->slots = drift_alloc(DRIFT_TAG_MODEL, (size_t)n_slots, sizeof(*index->slots));
    if (!index->names || !index->slots)
        return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "out of memory for a name table");
    return DRIFT_STATUS_OK;
}

/* The slot that holds name, or the empty one where it belongs. */
static uint32_t *index_slot(const struct drift_gguf_index *index, const char *name)
{
    uint64_t i = drift_hash64(name, strlen(name), index->seed) & index->mask;
    while (index->slots[i] && strcmp(index->names[index->slots[i] - 1], name) != 0)
        i = (i + 1) & index->mask;
    return &index->slots[i];
}

static enum drift_status index_add(struct drift_gguf_index *index, const char *name, uint64_t i,
                                   const char *what, struct drift_error *err)
{
    uint32_t *slot = index_slot(index, name);
    if (*slot)
        return drift_error_set(err, DRIFT_STATUS_CORRUPT, 0, "%s '%.80s' occurs twice", what, name);
    index->names[i] = name;
    *slot = (uint32_t)(i + 1);
    return DRIFT_STATUS_OK;
}

static void index_fini(struct drift_gguf_index *index)
{
    drift_free(index->names);
    drift_free(index->slots);
}

/* Refuse a count the rest of the file has no room for, before anything is allocated for it. */
static enum drift_status check_count(struct parser *p, const char *what, uint64_t count,
                                     uint64_t min_bytes, uint64_t max_count)
{
    if (count > left(p) / min_bytes)
        return drift_error_set(p->err, DRIFT_STATUS_CORRUPT, 0,
                               "the header claims %" PRIu64 " %s; the file has only %" PRIu64
                               " bytes left for them",
                               count, what, left(p));
    if (count > max_count)
        return drift_error_set(p->err, DRIFT_STATUS_LIMIT, 0,
                               "%" PRIu64 " %s; at most %" PRIu64 " are supported", count, what,
                               max_count);
    return DRIFT_STATUS_OK;
}

static enum drift_status parse_header(struct parser *p)
{
    struct drift_gguf_info *info = &p->gguf->info;
    uint32_t magic = 0;
    enum drift_status status = take_u32(p, "the header", &magic);
    if (status == DRIFT_STATUS_OK && magic != MAGIC)
        return drift_error_set(p->err, DRIFT_STATUS_CORRUPT, 0,
                               "not a GGUF file: it starts with 0x%08" PRIx32, magic);
    if (status == DRIFT_STATUS_OK)
        status = take_u32(p, "the header", &info->version);
    if (status != DRIFT_STATUS_OK)
        return status;
    if (info->version != 0 && (info->version & 0xffff) == 0)
        return drift_error_set(p->err, DRIFT_STATUS_UNSUPPORTED, 0,
                               "big-endian GGUF file; only little-endian ones can be read");
    if (info->version != 2 && info->version != 3)
        return drift_error_set(p->err, DRIFT_STATUS_UNSUPPORTED, 0,
                               "GGUF version %" PRIu32 "; versions 2 and 3 can be read",
                               info->version);
    status = take_u64(p, "the header", &info->n_tensors);
    if (status == DRIFT_STATUS_OK)
        status = take_u64(p, "the header", &info->n_kv);
    return status;
}

static enum drift_status parse_metadata(struct parser *p)
{
    struct drift_gguf *g = p->gguf;
    enum drift_status status =
        check_count(p, "metadata entries", g->info.n_kv, MIN_KV_BYTES, DRIFT_GGUF_MAX_KV);
    if (status == DRIFT_STATUS_OK)
        status = index_init(&g->kv_index, g->info.n_kv, p->err);
    if (status != DRIFT_STATUS_OK)
        return status;
    g->kv = drift_alloc(DRIFT_TAG_MODEL, (size_t)g->info.n_kv, sizeof(*g->kv));
    if (!g->kv)
        return drift_error_set(p->err, DRIFT_STATUS_NO_MEMORY, 0, "out of memory for metadata");
    for (uint64_t i = 0; i < g->info.n_kv && status == DRIFT_STATUS_OK; i++) {
        status = take_kv(p, &g->kv[i]);
        if (status == DRIFT_STATUS_OK)
            status = index_add(&g->kv_index, g->kv[i].key, i, "key", p->err);
    }
    return status;
}

static enum drift_status read_alignment(struct parser *p)
{
    uint64_t alignment = DEFAULT_ALIGNMENT;
    enum drift_status status = drift_gguf_get_u64(p->gguf, "general.alignment", &alignment, p->err);
    if (status != DRIFT_STATUS_OK && status != DRIFT_STATUS_NOT_FOUND)
        return status;
    if (alignment == 0 || (alignment & (alignment - 1)) || alignment > DRIFT_GGUF_MAX_ALIGNMENT)
        return drift_error_set(p->err, DRIFT_STATUS_CORRUPT, 0,
                               "general.alignment is %" PRIu64
                               "; it must be a power of two up to %u",
                               alignment, DRIFT_GGUF_MAX_ALIGNMENT);
    p->gguf->info.alignment_bytes = (uint32_t)alignment;
    return DRIFT_STATUS_OK;
}

static enum drift_status take_dims(struct parser *p, struct drift_gguf_tensor *t)
{
    uint64_t product = 1;
    enum drift_status status = take_u32(p, "a tensor's shape", &t->n_dims);
    if (status == DRIFT_STATUS_OK && (t->n_dims == 0 || t->n_dims > DRIFT_GGUF_MAX_DIMS))
        return drift_error_set(p->err, DRIFT_STATUS_CORRUPT, 0,
                               "tensor '%.80s' has %" PRIu32 " dimensions; 1 to %u are possible",
                               t->name, t->n_dims, DRIFT_GGUF_MAX_DIMS);
    for (uint32_t i = 0; i < DRIFT_GGUF_MAX_DIMS && status == DRIFT_STATUS_OK; i++) {
        t->dims[i] = 1;
        if (i < t->n_dims)
            status = take_u64(p, "a tensor's shape", &t->dims[i]);
        if (status != DRIFT_STATUS_OK)
            break;
        if (t->dims[i] == 0 || !drift_mul_u64(product, t->dims[i], &product) || product > INT64_MAX)
            return drift_error_set(p->err, DRIFT_STATUS_CORRUPT, 0,
                                   "tensor '%.80s': dimension %" PRIu32 " is %" PRIu64 "; %s",
                                   t->name, i, t->dims[i],
                                   t->dims[i] ? "the product overflows" : "it must be positive");
    }
    return status;
}

/* Fill type and size from the type's number and the shape. */
static enum drift_status measure_tensor(struct parser *p, struct drift_gguf_tensor *t)
{
    const struct drift_gguf_tensor_type *type = drift_gguf_tensor_type_find(t->gguf_type);
    t->type_name = type ? type->name : "?";
    t->known_type = drift_dtype_from_gguf(t->gguf_type, &t->dtype);
    if (!type)
        return DRIFT_STATUS_OK;
    if (t->dims[0] % type->n_elements)
        return drift_error_set(p->err, DRIFT_STATUS_CORRUPT, 0,
                               "tensor '%.80s' has rows of %" PRIu64
                               " values, which are no whole %s "
                               "blocks of %" PRIu32,
                               t->name, t->dims[0], type->name, type->n_elements);
    uint64_t n_blocks = t->dims[0] / type->n_elements;
    for (uint32_t i = 1; i < DRIFT_GGUF_MAX_DIMS; i++)
        n_blocks *= t->dims[i]; /* cannot overflow: the product of the dims does not */
    if (!drift_mul_u64(n_blocks, type->n_bytes, &t->size_bytes))
        return drift_error_set(p->err, DRIFT_STATUS_CORRUPT, 0,
                               "tensor '%.80s': its size in bytes overflows", t->name);
    return DRIFT_STATUS_OK;
}

static enum drift_status take_tensor(struct parser *p, struct drift_gguf_tensor *t)
{
    enum drift_status status =
        take_name(p, "a tensor's name", DRIFT_GGUF_MAX_TENSOR_NAME_BYTES, &t->name);
    if (status == DRIFT_STATUS_OK)
        status = take_dims(p, t);
    if (status == DRIFT_STATUS_OK)
        status = take_u32(p, "a tensor's type", &t->gguf_type);
    if (status == DRIFT_STATUS_OK)
        status = take_u64(p, "a tensor's offset", &t->offset_bytes);
    return status == DRIFT_STATUS_OK ? measure_tensor(p, t) : status;
}

/* Turn the offset from relative to absolute and check that the data is in the file. */
static enum drift_status place_tensor(struct parser *p, struct drift_gguf_tensor *t)
{
    const struct drift_gguf_info *info = &p->gguf->info;
    uint64_t relative = t->offset_bytes, start, end;
    if (relative % info->alignment_bytes)
        return drift_error_set(p->err, DRIFT_STATUS_CORRUPT, 0,
                               "tensor '%.80s': offset %" PRIu64 " is not aligned to %" PRIu32,
                               t->name, relative, info->alignment_bytes);
    if (!drift_add_u64(info->data_offset_bytes, relative, &start) ||
        !drift_add_u64(start, t->size_bytes, &end) || end > info->file_bytes)
        return drift_error_set(p->err, DRIFT_STATUS_CORRUPT, 0,
                               "tensor '%.80s': %" PRIu64 " bytes at offset %" PRIu64
                               " of the data are beyond the end of the file (%" PRIu64 " bytes)",
                               t->name, t->size_bytes, relative, info->file_bytes);
    t->offset_bytes = start;
    t->data = p->gguf->bytes + start;
    return DRIFT_STATUS_OK;
}

static int compare_offsets(const void *a, const void *b)
{
    const struct drift_gguf_tensor *x = *(const struct drift_gguf_tensor *const *)a;
    const struct drift_gguf_tensor *y = *(const struct drift_gguf_tensor *const *)b;
    if (x->offset_bytes != y->offset_bytes)
        return x->offset_bytes < y->offset_bytes ? -1 : 1;
    return x->size_bytes < y->size_bytes ? -1 : x->size_bytes > y->size_bytes;
}

static enum drift_status check_overlap(struct parser *p)
{
    const struct drift_gguf *g = p->gguf;
    uint64_t n = g->info.n_tensors;
    const struct drift_gguf_tensor **sorted =
        drift_alloc(DRIFT_TAG_MODEL, (size_t)n, sizeof(struct drift_gguf_tensor *));
    if (!sorted)
        return drift_error_set(p->err, DRIFT_STATUS_NO_MEMORY, 0, "out of memory for tensors");
    for (uint64_t i = 0; i < n; i++)
        sorted[i] = &g->tensors[i];
    qsort(sorted, (size_t)n, sizeof(*sorted), compare_offsets);
    enum drift_status status = DRIFT_STATUS_OK;
    for (uint64_t i = 1; i < n && status == DRIFT_STATUS_OK; i++) {
        const struct drift_gguf_tensor *a = sorted[i - 1], *b = sorted[i];
        if (b->offset_bytes - a->offset_bytes < a->size_bytes)
            status = drift_error_set(p->err, DRIFT_STATUS_CORRUPT, 0,
                                     "tensors '%.80s' and '%.80s' overlap", a->name, b->name);
    }
    drift_free(sorted);
    return status;
}

static enum drift_status parse_tensors(struct parser *p)
{
    struct drift_gguf *g = p->gguf;
    enum drift_status status =
        check_count(p, "tensors", g->info.n_tensors, MIN_TENSOR_BYTES, DRIFT_GGUF_MAX_TENSORS);
    if (status == DRIFT_STATUS_OK)
        status = index_init(&g->tensor_index, g->info.n_tensors, p->err);
    if (status != DRIFT_STATUS_OK)
        return status;
    g->tensors = drift_alloc(DRIFT_TAG_MODEL, (size_t)g->info.n_tensors, sizeof(*g->tensors));
    if (!g->tensors)
        return drift_error_set(p->err, DRIFT_STATUS_NO_MEMORY, 0, "out of memory for tensors");
    for (uint64_t i = 0; i < g->info.n_tensors && status == DRIFT_STATUS_OK; i++) {
        status = take_tensor(p, &g->tensors[i]);
        if (status == DRIFT_STATUS_OK)
            status = index_add(&g->tensor_index, g->tensors[i].name, i, "tensor", p->err);
    }
    if (status == DRIFT_STATUS_OK &&
        !drift_align_u64(p->at, g->info.alignment_bytes, &g->info.data_offset_bytes))
        return drift_error_set(p->err, DRIFT_STATUS_CORRUPT, 0, "the header's size overflows");
    for (uint64_t i = 0; i < g->info.n_tensors && status == DRIFT_STATUS_OK; i++)
        status = place_tensor(p, &g->tensors[i]);
    return status == DRIFT_STATUS_OK ? check_overlap(p) : status;
}

static enum drift_status parse(struct drift_gguf *gguf, struct drift_error *err)
{
    struct parser p = {.gguf = gguf, .err = err};
    enum drift_status status = parse_header(&p);
    if (status == DRIFT_STATUS_OK)
        status = parse_metadata(&p);
    if (status == DRIFT_STATUS_OK)
        status = read_alignment(&p);
    if (status == DRIFT_STATUS_OK)
        status = parse_tensors(&p);
    return status;
}

static struct drift_gguf *create(struct drift_error *err)
{
    struct drift_gguf *g = drift_alloc(DRIFT_TAG_MODEL, 1, sizeof(*g));
    if (!g) {
        drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "out of memory");
        return NULL;
    }
    drift_arena_init(&g->strings, DRIFT_TAG_MODEL, SIZE_MAX);
    return g;
}

static enum drift_status open_bytes(struct drift_gguf *g, const void *data, uint64_t len,
                                    struct drift_gguf **ret_gguf, struct drift_error *err)
{
    g->bytes = data;
    g->info.file_bytes = len;
    enum drift_status status = parse(g, err);
    if (status == DRIFT_STATUS_OK)
        *ret_gguf = g;
    else
        drift_gguf_close(g);
    return status;
}

enum drift_status drift_gguf_open_memory(const void *data, size_t len, struct drift_gguf **ret_gguf,
                                         struct drift_error *err)
{
    struct drift_gguf *g = create(err);
    return g ? open_bytes(g, data, len, ret_gguf, err) : DRIFT_STATUS_NO_MEMORY;
}

enum drift_status drift_gguf_open(const char *path, struct drift_gguf **ret_gguf,
                                  struct drift_error *err)
{
    struct drift_gguf *g = create(err);
    if (!g)
        return DRIFT_STATUS_NO_MEMORY;
    enum drift_status status = drift_file_map_open(&g->map, path, err);
    if (status != DRIFT_STATUS_OK) {
        drift_gguf_close(g);
        return status;
    }
    status = open_bytes(g, g->map.data, g->map.size_bytes, ret_gguf, err);
    if (status != DRIFT_STATUS_OK)
        drift_error_prefix(err, "%s", path);
    return status;
}

void drift_gguf_close(struct drift_gguf *gguf)
{
    if (!gguf)
        return;
    index_fini(&gguf->kv_index);
    index_fini(&gguf->tensor_index);
    drift_free(gguf->kv);
    drift_free(gguf->tensors);
    drift_arena_fini(&gguf->strings);
    drift_file_map_close(&gguf->map);
    drift_free(gguf);
}

void drift_gguf_get_info(const struct drift_gguf *gguf, struct drift_gguf_info *ret_info)
{
    *ret_info = gguf->info;
}

const struct drift_gguf_tensor *drift_gguf_tensor_at(const struct drift_gguf *gguf, uint64_t i)
{
    DRIFT_ASSERT(i < gguf->info.n_tensors);
    return &gguf->tensors[i];
}

const struct drift_gguf_tensor *drift_gguf_find_tensor(const struct drift_gguf *gguf,
                                                       const char *name)
{
    uint32_t slot = *index_slot(&gguf->tensor_index, name);
    return slot ? &gguf->tensors[slot - 1] : NULL;
}

void drift_gguf_drop_tensor(const struct drift_gguf *gguf, const struct drift_gguf_tensor *tensor)
{
    drift_file_map_drop(&gguf->map, tensor->offset_bytes, tensor->size_bytes);
}

const struct drift_gguf_kv *drift_gguf_kv_at(const struct drift_gguf *gguf, uint64_t i)
{
    DRIFT_ASSERT(i < gguf->info.n_kv);
    return &gguf->kv[i];
}

const struct drift_gguf_kv *drift_gguf_find_kv(const struct drift_gguf *gguf, const char *key)
{
    uint32_t slot = *index_slot(&gguf->kv_index, key);
    return slot ? &gguf->kv[slot - 1] : NULL;
}
