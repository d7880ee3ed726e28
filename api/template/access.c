/* Attributes, items, slices, namespaces. What is not there is undefined, not an error. */
#include "api/template/macro.h"
#include "api/template/unicode.h"

static struct drift_tmpl_value no_attr(struct drift_tmpl_value name)
{
    struct drift_tmpl_value v = name.type == DRIFT_TMPL_STRING
                                    ? drift_tmpl_undefined(name.s, name.len)
                                    : drift_tmpl_undefined("", 0);
    v.flags = DRIFT_TMPL_FLAG_ATTR;
    return v;
}

static bool new_method(struct drift_tmpl_render *r, const struct drift_tmpl_builtin *b,
                       struct drift_tmpl_value self, struct drift_tmpl_value *ret)
{
    if (b->fn == drift_tmpl_refuse_change) {
        *ret = no_attr(drift_tmpl_str(b->name, strlen(b->name)));
        return true;
    }
    struct drift_tmpl_method *m = drift_tmpl_alloc(r, 1, sizeof *m);
    if (!m)
        return false;
    *m = (struct drift_tmpl_method){.builtin = b, .self = self};
    *ret = (struct drift_tmpl_value){.type = DRIFT_TMPL_METHOD, .method = m};
    return true;
}

static struct drift_tmpl_value *find_in_namespace(const struct drift_tmpl_namespace *ns,
                                                  struct drift_tmpl_value name)
{
    for (uint32_t i = 0; i < ns->n; i++) {
        if (drift_tmpl_text_equal(ns->entries[i].key, name))
            return &ns->entries[i].value;
    }
    return NULL;
}

/* Objects whose attributes are neither methods nor items. */
static bool own_attr(struct drift_tmpl_render *r, struct drift_tmpl_value v,
                     const struct drift_tmpl_attr *attr, struct drift_tmpl_value *ret)
{
    const struct drift_tmpl_value *found = NULL;
    *ret = no_attr(attr->name);
    switch (v.type) {
    case DRIFT_TMPL_NAMESPACE:
        found = find_in_namespace(v.ns, attr->name);
        if (found)
            *ret = *found;
        return drift_tmpl_charge(r, v.ns->n / 16);
    case DRIFT_TMPL_LOOP:
        return !attr->of_loop ||
               drift_tmpl_loop_attr(r, v.loop, (enum drift_tmpl_loop_attr)attr->of_loop, ret);
    case DRIFT_TMPL_TUPLE:
        if ((v.flags & DRIFT_TMPL_FLAG_GROUP) && drift_tmpl_text_is(attr->name, "grouper"))
            *ret = v.items[0];
        else if ((v.flags & DRIFT_TMPL_FLAG_GROUP) && drift_tmpl_text_is(attr->name, "list"))
            *ret = v.items[1];
        return true;
    case DRIFT_TMPL_CYCLER:
        if (drift_tmpl_text_is(attr->name, "current"))
            *ret = v.cycler->items.items[v.cycler->i_next % v.cycler->items.len];
        return true;
    case DRIFT_TMPL_MACRO:
        if (drift_tmpl_text_is(attr->name, "name"))
            *ret = v.macro->function->name.type ? v.macro->function->name : drift_tmpl_none();
        return true;
    default:
        return true;
    }
}

static bool cycler_next(struct drift_tmpl_render *r, struct drift_tmpl_value self,
                        const struct drift_tmpl_value *v, const struct drift_tmpl_args *args,
                        struct drift_tmpl_value *ret)
{
    (void)v;
    (void)args;
    struct drift_tmpl_cycler *c = self.cycler;
    *ret = c->items.items[c->i_next];
    c->i_next = (c->i_next + 1) % c->items.len;
    return drift_tmpl_charge(r, 1);
}

static bool cycler_reset(struct drift_tmpl_render *r, struct drift_tmpl_value self,
                         const struct drift_tmpl_value *v, const struct drift_tmpl_args *args,
                         struct drift_tmpl_value *ret)
{
    (void)v;
    (void)args;
    self.cycler->i_next = 0;
    *ret = drift_tmpl_none();
    return drift_tmpl_charge(r, 1);
}

static const struct drift_tmpl_builtin cycler_methods[] = {
    {"next",  cycler_next,  "", 0},
    {"reset", cycler_reset, "", 0},
};

static const struct drift_tmpl_builtin *find_method(struct drift_tmpl_value v,
                                                    const struct drift_tmpl_attr *attr)
{
    switch (v.type) {
    case DRIFT_TMPL_STRING:
        return attr->of_string;
    case DRIFT_TMPL_LIST:
        return attr->of_list;
    case DRIFT_TMPL_TUPLE:
        return attr->of_tuple;
    case DRIFT_TMPL_DICT:
        return attr->of_dict;
    case DRIFT_TMPL_CYCLER:
        return drift_tmpl_find_builtin(cycler_methods, DRIFT_COUNT_OF(cycler_methods), attr->name);
    default:
        return NULL;
    }
}

bool drift_tmpl_getattr(struct drift_tmpl_render *r, struct drift_tmpl_value v,
                        const struct drift_tmpl_attr *attr, struct drift_tmpl_value *ret)
{
    if (v.type == DRIFT_TMPL_UNDEFINED)
        return drift_tmpl_fail_undefined(r, v);
    const struct drift_tmpl_builtin *method = find_method(v, attr);
    if (method)
        return new_method(r, method, v, ret);
    if (v.type != DRIFT_TMPL_DICT)
        return own_attr(r, v, attr, ret);
    const struct drift_tmpl_value *item = drift_tmpl_dict_get(r, v.dict, attr->name);
    *ret = item ? *item : no_attr(attr->name);
    return !r->status;
}

/* The i-th code point, negative from the end. */
static bool text_at(struct drift_tmpl_render *r, struct drift_tmpl_value v, int64_t i,
                    struct drift_tmpl_value *ret)
{
    uint32_t n = drift_tmpl_text_length(&v);
    *ret = no_attr((struct drift_tmpl_value){0});
    if (!(v.flags & DRIFT_TMPL_FLAG_ASCII) && !drift_tmpl_charge_bytes(r, v.len))
        return false;
    if (i < 0)
        i += n;
    if (i < 0 || i >= n)
        return true;
    size_t at = n == v.len ? (size_t)i : drift_tmpl_code_offset(v.s, v.len, (size_t)i);
    const char *start = v.s + at, *end = start;
    drift_tmpl_next_code(&end, v.s + v.len);
    *ret = drift_tmpl_sub(v, start, (size_t)(end - start));
    return true;
}

static bool item_at(struct drift_tmpl_value v, int64_t i, struct drift_tmpl_value *ret)
{
    uint32_t n = v.type == DRIFT_TMPL_RANGE ? v.range->n : v.len;
    *ret = no_attr((struct drift_tmpl_value){0});
    if (i < 0)
        i += n;
    if (i >= 0 && i < n)
        *ret = v.type == DRIFT_TMPL_RANGE ? drift_tmpl_range_at(v.range, (uint32_t)i) : v.items[i];
    return true;
}

bool drift_tmpl_getitem(struct drift_tmpl_render *r, struct drift_tmpl_value v,
                        struct drift_tmpl_value key, struct drift_tmpl_value *ret)
{
    if (v.type == DRIFT_TMPL_UNDEFINED)
        return drift_tmpl_fail_undefined(r, v);
    if (v.type == DRIFT_TMPL_DICT && drift_tmpl_is_hashable(key)) {
        const struct drift_tmpl_value *item = drift_tmpl_dict_get(r, v.dict, key);
        if (item || r->status) {
            if (item)
                *ret = *item;
            return !r->status;
        }
    } else if (drift_tmpl_is_integral(key)) {
        if (v.type == DRIFT_TMPL_STRING)
            return text_at(r, v, drift_tmpl_as_int(key), ret);
        if (v.type == DRIFT_TMPL_LIST || v.type == DRIFT_TMPL_TUPLE || v.type == DRIFT_TMPL_RANGE)
            return item_at(v, drift_tmpl_as_int(key), ret);
    }
    *ret = no_attr(key);
    if (key.type != DRIFT_TMPL_STRING || !key.len || key.s[0] == '_')
        return true;
    struct drift_tmpl_attr attr;
    drift_tmpl_attr_init(&attr, key);
    const struct drift_tmpl_builtin *method = find_method(v, &attr);
    if (method)
        return new_method(r, method, v, ret);
    return v.type == DRIFT_TMPL_DICT || own_attr(r, v, &attr, ret);
}

/* "12" as a number, as paths have them; -1 for other text. */
static int64_t path_index(struct drift_tmpl_value part)
{
    int64_t v = 0;
    if (part.len == 0 || part.len > 9)
        return -1;
    for (uint32_t i = 0; i < part.len; i++) {
        if (part.s[i] < '0' || part.s[i] > '9')
            return -1;
        v = v * 10 + (part.s[i] - '0');
    }
    return v;
}

static bool path_step(struct drift_tmpl_render *r, struct drift_tmpl_value part,
                      struct drift_tmpl_value fallback, struct drift_tmpl_value *v)
{
    int64_t index = part.type == DRIFT_TMPL_STRING ? path_index(part) : -1;
    struct drift_tmpl_value item;
    if (!drift_tmpl_getitem(r, *v, index >= 0 ? drift_tmpl_int(index) : part, &item))
        return false;
    *v = item.type == DRIFT_TMPL_UNDEFINED && fallback.type != DRIFT_TMPL_ABSENT ? fallback : item;
    return true;
}

bool drift_tmpl_get_path(struct drift_tmpl_render *r, struct drift_tmpl_value v,
                         struct drift_tmpl_value path, struct drift_tmpl_value fallback,
                         struct drift_tmpl_value *ret)
{
    if (path.type == DRIFT_TMPL_ABSENT || path.type == DRIFT_TMPL_NONE) {
        *ret = v;
        return true;
    }
    const char *s = path.s, *end = path.type == DRIFT_TMPL_STRING ? path.s + path.len : NULL;
    if (!end && !path_step(r, path, fallback, &v))
        return false;
    while (end) {
        const char *dot = memchr(s, '.', (size_t)(end - s));
        const char *stop = dot ? dot : end;
        if (!path_step(r, drift_tmpl_str(s, (size_t)(stop - s)), fallback, &v))
            return false;
        if (!dot)
            break;
        s = dot + 1;
    }
    *ret = v;
    return true;
}

/* ---- slices ---- */

struct bounds {
    int64_t start, stop, step;
    uint32_t n; /* how many items */
};

static bool slice_part(struct drift_tmpl_render *r, struct drift_tmpl_value v, int64_t fallback,
                       int64_t *ret)
{
    *ret = fallback;
    return v.type == DRIFT_TMPL_ABSENT || v.type == DRIFT_TMPL_NONE ||
           drift_tmpl_get_int(r, v, "a slice's bound", ret);
}

static int64_t clamp(int64_t i, int64_t lo, int64_t hi)
{
    return i < lo ? lo : i > hi ? hi : i;
}

static bool get_bounds(struct drift_tmpl_render *r, const struct drift_tmpl_value v[3], int64_t len,
                       struct bounds *ret)
{
    int64_t start, stop, step;
    if (!slice_part(r, v[2], 1, &step))
        return false;
    if (step == 0)
        return drift_tmpl_fail(r, DRIFT_STATUS_INVALID, "a slice's step can't be zero");
    step = clamp(step, -(1LL << 40), 1LL << 40);
    bool down = step < 0;
    int64_t lo = down ? -1 : 0, hi = down ? len - 1 : len;
    if (!slice_part(r, v[0], down ? INT64_MAX : 0, &start) ||
        !slice_part(r, v[1], down ? INT64_MIN : INT64_MAX, &stop))
        return false;
    /* a bound left out is not counted from the end */
    bool open = v[1].type == DRIFT_TMPL_ABSENT || v[1].type == DRIFT_TMPL_NONE;
    start = clamp(start < 0 ? clamp(start, -len - 1, 0) + len : start, lo, hi);
    stop =
        open ? (down ? -1 : len) : clamp(stop < 0 ? clamp(stop, -len - 1, 0) + len : stop, lo, hi);
    int64_t span = down ? start - stop : stop - start, stride = down ? -step : step;
    *ret = (struct bounds){.start = start,
                           .stop = stop,
                           .step = step,
                           .n = span > 0 ? (uint32_t)((span - 1) / stride + 1) : 0};
    return true;
}

/* Code points that do not lie side by side, or strings that are not ASCII. */
static bool slice_codes(struct drift_tmpl_render *r, struct drift_tmpl_value v, struct bounds b,
                        uint32_t n, struct drift_tmpl_value *ret)
{
    bool ascii = n == v.len;
    size_t at = ascii ? (size_t)b.start : drift_tmpl_code_offset(v.s, v.len, (size_t)b.start);
    if (!(v.flags & DRIFT_TMPL_FLAG_ASCII) && !drift_tmpl_charge_bytes(r, v.len))
        return false;
    if (b.step == 1) {
        size_t end = ascii ? at + b.n : at + drift_tmpl_code_offset(v.s + at, v.len - at, b.n);
        *ret = drift_tmpl_sub(v, v.s + at, end - at);
        return true;
    }
    size_t start = drift_tmpl_capture_begin(r);
    const char *s = v.s + at, *end = v.s + v.len;
    for (uint32_t i = 0; i < b.n; i++) {
        const char *next = s;
        drift_tmpl_next_code(&next, end);
        if (!drift_tmpl_write(r, s, (size_t)(next - s)) || !drift_tmpl_charge(r, 1))
            return false;
        for (int64_t k = b.step; k > 0 && s < end && i + 1 < b.n; k--)
            drift_tmpl_next_code(&s, end);
        for (int64_t k = b.step; k < 0 && i + 1 < b.n; k++)
            drift_tmpl_prev_code(v.s, &s);
    }
    return drift_tmpl_capture_end(r, start, ret);
}

static bool slice_range(struct drift_tmpl_render *r, const struct drift_tmpl_range *g,
                        struct bounds b, struct drift_tmpl_value *ret)
{
    struct drift_tmpl_range *part = drift_tmpl_alloc(r, 1, sizeof *part);
    if (!part)
        return false;
    part->n = b.n;
    if (__builtin_mul_overflow(g->step, b.step, &part->step) ||
        __builtin_mul_overflow(g->step, b.start, &part->start) ||
        __builtin_mul_overflow(g->step, b.stop, &part->stop) ||
        __builtin_add_overflow(g->start, part->start, &part->start) ||
        __builtin_add_overflow(g->start, part->stop, &part->stop))
        return drift_tmpl_fail(r, DRIFT_STATUS_UNSUPPORTED, "an integer beyond 64 bits");
    *ret = (struct drift_tmpl_value){.type = DRIFT_TMPL_RANGE, .range = part};
    return true;
}

bool drift_tmpl_slice(struct drift_tmpl_render *r, struct drift_tmpl_value v,
                      struct drift_tmpl_value start, struct drift_tmpl_value stop,
                      struct drift_tmpl_value step, struct drift_tmpl_value *ret)
{
    const struct drift_tmpl_value parts[3] = {start, stop, step};
    struct bounds b;
    if (v.type == DRIFT_TMPL_UNDEFINED)
        return drift_tmpl_fail_undefined(r, v);
    if (v.type == DRIFT_TMPL_STRING) {
        uint32_t n = drift_tmpl_text_length(&v);
        return get_bounds(r, parts, n, &b) &&
               (b.n ? slice_codes(r, v, b, n, ret) : (*ret = drift_tmpl_str("", 0), true));
    }
    if (v.type == DRIFT_TMPL_RANGE)
        return get_bounds(r, parts, v.range->n, &b) && slice_range(r, v.range, b, ret);
    if (v.type != DRIFT_TMPL_LIST && v.type != DRIFT_TMPL_TUPLE)
        return drift_tmpl_fail_type(r, "there are no slices", v);
    if (!get_bounds(r, parts, v.len, &b) || !drift_tmpl_charge(r, b.n))
        return false;
    struct drift_tmpl_value *items = drift_tmpl_alloc(r, b.n ? b.n : 1, sizeof *items);
    if (!items)
        return false;
    for (uint32_t i = 0; i < b.n; i++)
        items[i] = v.items[b.start + (int64_t)i * b.step];
    *ret = drift_tmpl_seq((enum drift_tmpl_type)v.type, items, b.n);
    return true;
}

/* ---- namespaces ---- */

bool drift_tmpl_namespace_set(struct drift_tmpl_render *r, struct drift_tmpl_namespace *ns,
                              struct drift_tmpl_value name, struct drift_tmpl_value v)
{
    struct drift_tmpl_value *found = find_in_namespace(ns, name);
    if (!drift_tmpl_charge(r, ns->n / 16))
        return false;
    if (found) {
        *found = v;
        return true;
    }
    if (ns->n == ns->capacity) {
        uint32_t capacity = ns->capacity ? ns->capacity * 2 : 4;
        struct drift_tmpl_entry *entries = drift_tmpl_alloc(r, capacity, sizeof *entries);
        if (!entries)
            return false;
        if (ns->n)
            memcpy(entries, ns->entries, ns->n * sizeof *entries);
        ns->entries = entries;
        ns->capacity = capacity;
    }
    ns->entries[ns->n++] = (struct drift_tmpl_entry){.key = name, .value = v};
    return true;
}

bool drift_tmpl_namespace_new(struct drift_tmpl_render *r, const struct drift_tmpl_args *args,
                              struct drift_tmpl_value *ret)
{
    struct drift_tmpl_value dict;
    struct drift_tmpl_namespace *ns = drift_tmpl_alloc(r, 1, sizeof *ns);
    if (!ns || !drift_tmpl_dict_build(r, args, &dict))
        return false;
    for (uint32_t i = 0; i < dict.dict->n; i++) {
        struct drift_tmpl_entry e = dict.dict->entries[i];
        if (e.key.type == DRIFT_TMPL_STRING && !drift_tmpl_namespace_set(r, ns, e.key, e.value))
            return false;
    }
    *ret = (struct drift_tmpl_value){.type = DRIFT_TMPL_NAMESPACE, .ns = ns};
    return true;
}
