/* The parsed context as values. Strings are borrowed from the document. */
#include "api/template/ops.h"

#define MAX_CONTEXT_DEPTH 512u

static bool from_json(struct drift_tmpl_render *r, const struct drift_json *json, uint32_t depth,
                      struct drift_tmpl_value *ret);

static bool from_string(struct drift_tmpl_render *r, const char *s, struct drift_tmpl_value *ret)
{
    size_t len = strlen(s);
    if (len > DRIFT_TMPL_MAX_BYTES)
        return drift_tmpl_fail(r, DRIFT_STATUS_LIMIT, "a string of more than 4 GiB");
    *ret = drift_tmpl_str(s, len);
    unsigned char high = 0;
    for (size_t i = 0; i < len; i++)
        high |= (unsigned char)s[i];
    if (high < 0x80)
        ret->flags |= DRIFT_TMPL_FLAG_ASCII;
    return true;
}

static bool from_array(struct drift_tmpl_render *r, const struct drift_json *json, uint32_t depth,
                       struct drift_tmpl_value *ret)
{
    uint32_t n = drift_json_size(json), i = 0;
    struct drift_tmpl_value *items = drift_tmpl_alloc(r, n ? n : 1, sizeof *items);
    if (!items)
        return false;
    for (const struct drift_json *c = drift_json_first(json); c && i < n; c = drift_json_next(c)) {
        if (!from_json(r, c, depth, &items[i++]))
            return false;
    }
    *ret = drift_tmpl_seq(DRIFT_TMPL_LIST, items, i);
    return true;
}

static bool from_object(struct drift_tmpl_render *r, const struct drift_json *json, uint32_t depth,
                        struct drift_tmpl_value *ret)
{
    struct drift_tmpl_dict *d = drift_tmpl_dict_new(r, drift_json_size(json));
    if (!d)
        return false;
    for (const struct drift_json *c = drift_json_first(json); c; c = drift_json_next(c)) {
        struct drift_tmpl_entry *e = &d->entries[d->n++];
        if (!from_string(r, drift_json_key(c), &e->key) || !from_json(r, c, depth, &e->value))
            return false;
    }
    *ret = (struct drift_tmpl_value){.type = DRIFT_TMPL_DICT, .dict = d};
    return true;
}

static bool from_number(const struct drift_json *json, struct drift_tmpl_value *ret)
{
    int64_t i;
    double f = 0;
    if (drift_json_int64(json, &i)) {
        *ret = drift_tmpl_int(i);
        return true;
    }
    drift_json_double(json, &f);
    *ret = drift_tmpl_float(f);
    return true;
}

static bool from_json(struct drift_tmpl_render *r, const struct drift_json *json, uint32_t depth,
                      struct drift_tmpl_value *ret)
{
    const char *s = "";
    bool b = false;
    if (depth > MAX_CONTEXT_DEPTH)
        return drift_tmpl_fail(r, DRIFT_STATUS_LIMIT, "the context nests too deep");
    switch (drift_json_type(json)) {
    case DRIFT_JSON_BOOL:
        drift_json_bool(json, &b);
        *ret = drift_tmpl_bool(b);
        return true;
    case DRIFT_JSON_NUMBER:
        return from_number(json, ret);
    case DRIFT_JSON_STRING:
        drift_json_string(json, &s);
        return from_string(r, s, ret);
    case DRIFT_JSON_ARRAY:
        return from_array(r, json, depth + 1, ret);
    case DRIFT_JSON_OBJECT:
        return from_object(r, json, depth + 1, ret);
    default:
        *ret = drift_tmpl_none();
        return true;
    }
}

bool drift_tmpl_from_json(struct drift_tmpl_render *r, const struct drift_json *json,
                          struct drift_tmpl_value *ret)
{
    if (json && drift_json_type(json) != DRIFT_JSON_OBJECT)
        return drift_tmpl_fail(r, DRIFT_STATUS_INVALID, "the context is no object");
    if (json)
        return from_json(r, json, 0, ret);
    struct drift_tmpl_dict *none = drift_tmpl_dict_new(r, 0);
    if (!none)
        return false;
    *ret = (struct drift_tmpl_value){.type = DRIFT_TMPL_DICT, .dict = none};
    return true;
}
