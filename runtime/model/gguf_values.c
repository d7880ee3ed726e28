/* Typed access to metadata; see gguf.h. The reader has checked every extent before. */
#include "runtime/model/gguf_impl.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static float load_f32(const uint8_t *p)
{
    uint32_t bits = drift_gguf_load_u32(p);
    float value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static double load_f64(const uint8_t *p)
{
    uint64_t bits = drift_gguf_load_u64(p);
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static const char *const kind_names[DRIFT_GGUF_KIND_COUNT] = {"integer", "float", "boolean",
                                                              "string"};

static enum drift_gguf_kind kind_of(enum drift_gguf_type type)
{
    switch (type) {
    case DRIFT_GGUF_TYPE_F32:
    case DRIFT_GGUF_TYPE_F64:
        return DRIFT_GGUF_KIND_FLOAT;
    case DRIFT_GGUF_TYPE_BOOL:
        return DRIFT_GGUF_KIND_BOOL;
    case DRIFT_GGUF_TYPE_STRING:
        return DRIFT_GGUF_KIND_STRING;
    case DRIFT_GGUF_TYPE_ARRAY:
        return DRIFT_GGUF_KIND_COUNT;
    default:
        return DRIFT_GGUF_KIND_INTEGER;
    }
}

/* Find key with one value of this kind, or an array of them. */
static enum drift_status find(const struct drift_gguf *gguf, const char *key, bool array,
                              enum drift_gguf_kind kind, const struct drift_gguf_kv **ret,
                              struct drift_error *err)
{
    const struct drift_gguf_kv *kv = drift_gguf_find_kv(gguf, key);
    if (!kv)
        return drift_error_set(err, DRIFT_STATUS_NOT_FOUND, 0, "the file has no key '%.80s'", key);
    bool is_array = kv->type == DRIFT_GGUF_TYPE_ARRAY;
    if (is_array != array || kind_of(kv->value.type) != kind)
        return drift_error_set(err, DRIFT_STATUS_CORRUPT, 0, "key '%.80s' is %s%s, expected %s%s",
                               key, is_array ? "an array of " : "of type ",
                               drift_gguf_type_name(kv->value.type),
                               array ? "an array of " : "one ", kind_names[kind]);
    *ret = kv;
    return DRIFT_STATUS_OK;
}

/* An integer of any width: its magnitude's two's complement bits, and whether it is below zero. */
static uint64_t load_integer(const struct drift_gguf_array *a, uint64_t i, bool *negative)
{
    const uint8_t *p;
    int64_t v;
    *negative = false;
    switch (a->type) {
    case DRIFT_GGUF_TYPE_U8:
        return a->data[i];
    case DRIFT_GGUF_TYPE_U16:
        p = a->data + i * 2;
        return (uint64_t)p[0] | (uint64_t)p[1] << 8;
    case DRIFT_GGUF_TYPE_U32:
        return drift_gguf_load_u32(a->data + i * 4);
    case DRIFT_GGUF_TYPE_U64:
        return drift_gguf_load_u64(a->data + i * 8);
    case DRIFT_GGUF_TYPE_I8:
        v = (int8_t)a->data[i];
        break;
    case DRIFT_GGUF_TYPE_I16:
        p = a->data + i * 2;
        v = (int16_t)(uint16_t)(p[0] | p[1] << 8);
        break;
    case DRIFT_GGUF_TYPE_I32:
        v = (int32_t)drift_gguf_load_u32(a->data + i * 4);
        break;
    default:
        v = (int64_t)drift_gguf_load_u64(a->data + i * 8);
        break;
    }
    *negative = v < 0;
    return (uint64_t)v;
}

static enum drift_status get_bounded(const struct drift_gguf *gguf, const char *key, uint64_t max,
                                     uint64_t *ret, struct drift_error *err)
{
    const struct drift_gguf_kv *kv;
    enum drift_status status = find(gguf, key, false, DRIFT_GGUF_KIND_INTEGER, &kv, err);
    if (status != DRIFT_STATUS_OK)
        return status;
    bool negative;
    uint64_t value = load_integer(&kv->value, 0, &negative);
    if (negative)
        return drift_error_set(err, DRIFT_STATUS_CORRUPT, 0,
                               "key '%.80s' is %" PRId64 "; it must not be negative", key,
                               (int64_t)value);
    if (value > max)
        return drift_error_set(err, DRIFT_STATUS_CORRUPT, 0,
                               "key '%.80s' is %" PRIu64 "; at most %" PRIu64 " is possible", key,
                               value, max);
    *ret = value;
    return DRIFT_STATUS_OK;
}

enum drift_status drift_gguf_get_u64(const struct drift_gguf *gguf, const char *key, uint64_t *ret,
                                     struct drift_error *err)
{
    return get_bounded(gguf, key, UINT64_MAX, ret, err);
}

enum drift_status drift_gguf_get_u32(const struct drift_gguf *gguf, const char *key, uint32_t *ret,
                                     struct drift_error *err)
{
    uint64_t value;
    enum drift_status status = get_bounded(gguf, key, UINT32_MAX, &value, err);
    if (status == DRIFT_STATUS_OK)
        *ret = (uint32_t)value;
    return status;
}

enum drift_status drift_gguf_get_i64(const struct drift_gguf *gguf, const char *key, int64_t *ret,
                                     struct drift_error *err)
{
    const struct drift_gguf_kv *kv;
    enum drift_status status = find(gguf, key, false, DRIFT_GGUF_KIND_INTEGER, &kv, err);
    if (status != DRIFT_STATUS_OK)
        return status;
    if (!drift_gguf_array_i64(&kv->value, 0, ret))
        return drift_error_set(err, DRIFT_STATUS_CORRUPT, 0, "key '%.80s' is above 2^63 - 1", key);
    return DRIFT_STATUS_OK;
}

enum drift_status drift_gguf_get_f32(const struct drift_gguf *gguf, const char *key, float *ret,
                                     struct drift_error *err)
{
    const struct drift_gguf_kv *kv;
    enum drift_status status = find(gguf, key, false, DRIFT_GGUF_KIND_FLOAT, &kv, err);
    if (status != DRIFT_STATUS_OK)
        return status;
    float value = 0;
    drift_gguf_array_f32(&kv->value, 0, &value);
    if (!isfinite(value))
        return drift_error_set(err, DRIFT_STATUS_CORRUPT, 0, "key '%.80s' is not a finite number",
                               key);
    *ret = value;
    return DRIFT_STATUS_OK;
}

enum drift_status drift_gguf_get_bool(const struct drift_gguf *gguf, const char *key, bool *ret,
                                      struct drift_error *err)
{
    const struct drift_gguf_kv *kv;
    enum drift_status status = find(gguf, key, false, DRIFT_GGUF_KIND_BOOL, &kv, err);
    if (status == DRIFT_STATUS_OK)
        *ret = kv->value.data[0] != 0;
    return status;
}

enum drift_status drift_gguf_get_string(const struct drift_gguf *gguf, const char *key,
                                        struct drift_gguf_string *ret, struct drift_error *err)
{
    const struct drift_gguf_kv *kv;
    enum drift_status status = find(gguf, key, false, DRIFT_GGUF_KIND_STRING, &kv, err);
    if (status != DRIFT_STATUS_OK)
        return status;
    struct drift_gguf_strings it;
    drift_gguf_strings_init(&it, &kv->value);
    drift_gguf_strings_next(&it, ret);
    return DRIFT_STATUS_OK;
}

enum drift_status drift_gguf_get_array(const struct drift_gguf *gguf, const char *key,
                                       enum drift_gguf_kind kind, struct drift_gguf_array *ret,
                                       struct drift_error *err)
{
    const struct drift_gguf_kv *kv;
    enum drift_status status = find(gguf, key, true, kind, &kv, err);
    if (status == DRIFT_STATUS_OK)
        *ret = kv->value;
    return status;
}

bool drift_gguf_array_i64(const struct drift_gguf_array *array, uint64_t i, int64_t *ret)
{
    DRIFT_ASSERT(kind_of(array->type) == DRIFT_GGUF_KIND_INTEGER);
    if (i >= array->count)
        return false;
    bool negative;
    uint64_t value = load_integer(array, i, &negative);
    if (!negative && value > INT64_MAX)
        return false;
    *ret = (int64_t)value;
    return true;
}

bool drift_gguf_array_f32(const struct drift_gguf_array *array, uint64_t i, float *ret)
{
    DRIFT_ASSERT(kind_of(array->type) == DRIFT_GGUF_KIND_FLOAT);
    if (i >= array->count)
        return false;
    *ret = array->type == DRIFT_GGUF_TYPE_F32 ? load_f32(array->data + i * 4)
                                              : (float)load_f64(array->data + i * 8);
    return true;
}

bool drift_gguf_array_bool(const struct drift_gguf_array *array, uint64_t i, bool *ret)
{
    DRIFT_ASSERT(array->type == DRIFT_GGUF_TYPE_BOOL);
    if (i >= array->count)
        return false;
    *ret = array->data[i] != 0;
    return true;
}

void drift_gguf_strings_init(struct drift_gguf_strings *it, const struct drift_gguf_array *array)
{
    DRIFT_ASSERT(array->type == DRIFT_GGUF_TYPE_STRING);
    *it = (struct drift_gguf_strings){.at = array->data, .left = array->count};
}

bool drift_gguf_strings_next(struct drift_gguf_strings *it, struct drift_gguf_string *ret)
{
    if (it->left == 0)
        return false;
    size_t len = (size_t)drift_gguf_load_u64(it->at);
    *ret = (struct drift_gguf_string){.data = (const char *)it->at + 8, .len = len};
    it->at += 8 + len;
    it->left--;
    return true;
}
