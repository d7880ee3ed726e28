/* Memory, budget and output of one render. */
#include "api/template/render.h"

#include "runtime/base/utf8.h"

#include <stdarg.h>
#include <stdio.h>

#define EXTENT_MIN_BYTES 64u

static const char *const type_names[DRIFT_TMPL_TYPE_COUNT] = {
#define X(id, name) [DRIFT_TMPL_##id] = name,
    DRIFT_TMPL_TYPE_MAP(X)
#undef X
};

const char *drift_tmpl_type_name(struct drift_tmpl_value v)
{
    return type_names[v.type];
}

/* ---- errors ---- */

bool drift_tmpl_fail(struct drift_tmpl_render *r, enum drift_status status, const char *fmt, ...)
{
    if (r->status)
        return false;
    char what[200];
    va_list args;
    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    r->status = drift_error_set(&r->error, status, 0, "line %u: %s", (unsigned)r->line, what);
    return false;
}

bool drift_tmpl_fail_type(struct drift_tmpl_render *r, const char *what, struct drift_tmpl_value v)
{
    if (v.type == DRIFT_TMPL_UNDEFINED)
        return drift_tmpl_fail_undefined(r, v);
    return drift_tmpl_fail(r, DRIFT_STATUS_INVALID, "%s of type '%s'", what,
                           drift_tmpl_type_name(v));
}

bool drift_tmpl_fail_undefined(struct drift_tmpl_render *r, struct drift_tmpl_value v)
{
    int len = (int)(v.len < 80 ? v.len : 80);
    if (v.flags & DRIFT_TMPL_FLAG_ATTR)
        return drift_tmpl_fail(r, DRIFT_STATUS_INVALID, "there is no attribute or item '%.*s'", len,
                               len ? v.s : "");
    return drift_tmpl_fail(r, DRIFT_STATUS_INVALID, "'%.*s' is undefined", len, len ? v.s : "");
}

bool drift_tmpl_fail_steps(struct drift_tmpl_render *r)
{
    return drift_tmpl_fail(r, DRIFT_STATUS_LIMIT, "the template takes more than %llu steps",
                           (unsigned long long)r->max_steps);
}

bool drift_tmpl_fail_depth(struct drift_tmpl_render *r)
{
    return drift_tmpl_fail(r, DRIFT_STATUS_LIMIT, "evaluation nests deeper than %u levels",
                           (unsigned)r->max_depth);
}

/* ---- memory ---- */

static bool fail_memory(struct drift_tmpl_render *r, size_t bytes)
{
    if (bytes > r->arena.cap_bytes - r->arena.used_bytes)
        return drift_tmpl_fail(r, DRIFT_STATUS_LIMIT, "the template needs more than %zu bytes",
                               r->arena.cap_bytes);
    return drift_tmpl_fail(r, DRIFT_STATUS_NO_MEMORY, "out of memory");
}

void *drift_tmpl_alloc(struct drift_tmpl_render *r, size_t n, size_t size)
{
    void *block = drift_arena_alloc(&r->arena, n, size);
    if (!block)
        fail_memory(r, n > SIZE_MAX / 2 / size ? SIZE_MAX : n * size + 16);
    return block;
}

char *drift_tmpl_alloc_text(struct drift_tmpl_render *r, size_t len)
{
    if (len > DRIFT_TMPL_MAX_BYTES) {
        fail_memory(r, SIZE_MAX);
        return NULL;
    }
    return drift_tmpl_charge_bytes(r, len) ? drift_tmpl_alloc(r, len ? len : 1, 1) : NULL;
}

bool drift_tmpl_copy_text(struct drift_tmpl_render *r, const char *s, size_t len,
                          struct drift_tmpl_value *ret)
{
    char *copy = drift_tmpl_alloc_text(r, len);
    if (!copy)
        return false;
    if (len)
        memcpy(copy, s, len);
    *ret = drift_tmpl_str(copy, len);
    return true;
}

/* How long room is worth keeping: a long text, which is dear to copy, for more joins of others. */
static uint64_t worth_of(const struct drift_tmpl_render *r, size_t n_bytes)
{
    uint64_t bits = 0;
    for (; n_bytes; n_bytes >>= 1)
        bits++;
    return r->n_extents + 16 * bits;
}

static struct drift_tmpl_extent *least_worthy(struct drift_tmpl_render *r)
{
    struct drift_tmpl_extent *least = &r->extents[0];
    for (size_t i = 1; i < DRIFT_TMPL_N_EXTENTS; i++) {
        if (r->extents[i].worth < least->worth)
            least = &r->extents[i];
    }
    return least;
}

/* The block that starts with n_a bytes at a, grown by n_b in place; NULL when there is no room. */
static char *extend_in_place(struct drift_tmpl_render *r, const void *a, size_t n_a, size_t n_b)
{
    for (size_t i = 0; n_a && i < DRIFT_TMPL_N_EXTENTS; i++) {
        struct drift_tmpl_extent *x = &r->extents[i];
        if (x->end != (const char *)a + n_a || (size_t)(x->limit - x->end) < n_b)
            continue;
        x->end += n_b;
        x->worth = worth_of(r, n_a + n_b);
        return x->end - n_a - n_b;
    }
    return NULL;
}

/*
 * Where n_a bytes at a can be continued by n_b more: behind a itself, or a fresh block with a
 * copied to it and as much room again behind.
 */
static char *extend(struct drift_tmpl_render *r, const void *a, size_t n_a, size_t n_b)
{
    if (n_a > DRIFT_TMPL_MAX_BYTES || n_b > DRIFT_TMPL_MAX_BYTES - n_a) {
        fail_memory(r, SIZE_MAX);
        return NULL;
    }
    if (!drift_tmpl_charge_bytes(r, n_b))
        return NULL;
    char *block = extend_in_place(r, a, n_a, n_b);
    if (block || !drift_tmpl_charge_bytes(r, n_a))
        return block;
    size_t capacity = 2 * (n_a + n_b);
    if (capacity < EXTENT_MIN_BYTES)
        capacity = EXTENT_MIN_BYTES;
    block = drift_tmpl_alloc(r, capacity, 1);
    if (!block)
        return NULL;
    if (n_a)
        memcpy(block, a, n_a);
    r->n_extents++;
    *least_worthy(r) = (struct drift_tmpl_extent){
        .end = block + n_a + n_b, .limit = block + capacity, .worth = worth_of(r, n_a + n_b)};
    return block;
}

bool drift_tmpl_join_text(struct drift_tmpl_render *r, struct drift_tmpl_value a,
                          struct drift_tmpl_value b, struct drift_tmpl_value *ret)
{
    if (!a.len || !b.len) {
        *ret = a.len ? a : b;
        return true;
    }
    char *s = extend(r, a.s, a.len, b.len);
    if (!s)
        return false;
    memcpy(s + a.len, b.s, b.len);
    *ret = drift_tmpl_str(s, (size_t)a.len + b.len);
    ret->flags = a.flags & b.flags & DRIFT_TMPL_FLAG_ASCII;
    return true;
}

bool drift_tmpl_join_items(struct drift_tmpl_render *r, struct drift_tmpl_value a,
                           struct drift_tmpl_value b, struct drift_tmpl_value *ret)
{
    if (!drift_tmpl_charge(r, b.len))
        return false;
    size_t size = sizeof(struct drift_tmpl_value);
    char *block = extend(r, a.items, a.len * size, b.len * size);
    if (!block)
        return false;
    if (b.len)
        memcpy(block + a.len * size, b.items, b.len * size);
    *ret = drift_tmpl_seq((enum drift_tmpl_type)a.type,
                          (const struct drift_tmpl_value *)(void *)block, a.len + b.len);
    return true;
}

bool drift_tmpl_list_push(struct drift_tmpl_render *r, struct drift_tmpl_list_builder *b,
                          struct drift_tmpl_value v)
{
    if (b->n == b->capacity) {
        uint32_t capacity = b->capacity ? b->capacity * 2 : 8;
        struct drift_tmpl_value *items = drift_tmpl_alloc(r, capacity, sizeof *items);
        if (!items)
            return false;
        if (b->n)
            memcpy(items, b->items, b->n * sizeof *items);
        b->items = items;
        b->capacity = capacity;
    }
    b->items[b->n++] = v;
    return drift_tmpl_charge(r, 1);
}

/* ---- output ---- */

bool drift_tmpl_write(struct drift_tmpl_render *r, const char *s, size_t len)
{
    if (len > r->out_limit - r->out->len)
        return drift_tmpl_fail(r, DRIFT_STATUS_LIMIT, "the output is longer than allowed");
    drift_buf_append(r->out, s, len);
    if (r->out->failed)
        return drift_tmpl_fail(r, DRIFT_STATUS_NO_MEMORY, "out of memory");
    return drift_tmpl_charge_bytes(r, len);
}

bool drift_tmpl_write_char(struct drift_tmpl_render *r, char c)
{
    return drift_tmpl_write(r, &c, 1);
}

bool drift_tmpl_write_code(struct drift_tmpl_render *r, uint32_t code)
{
    char s[4];
    return drift_tmpl_write(r, s, drift_utf8_encode(code, s));
}

bool drift_tmpl_capture_end(struct drift_tmpl_render *r, size_t start, struct drift_tmpl_value *ret)
{
    bool ok = drift_tmpl_copy_text(r, drift_buf_cstr(r->out) + start, r->out->len - start, ret);
    drift_buf_truncate(r->out, start);
    return ok;
}

void drift_tmpl_capture_drop(struct drift_tmpl_render *r, size_t start)
{
    drift_buf_truncate(r->out, start);
}
