/* What filters and methods of strings have in common. */
#include "api/template/ops.h"
#include "api/template/unicode.h"

uint32_t drift_tmpl_text_length(struct drift_tmpl_value *v)
{
    if (v->flags & DRIFT_TMPL_FLAG_ASCII)
        return v->len;
    uint32_t n = (uint32_t)drift_tmpl_count_codes(v->s, v->len);
    if (n == v->len)
        v->flags |= DRIFT_TMPL_FLAG_ASCII;
    return n;
}

static bool write_codes(struct drift_tmpl_render *r, const uint32_t *codes, int n)
{
    for (int i = 0; i < n; i++) {
        if (!drift_tmpl_write_code(r, codes[i]))
            return false;
    }
    return true;
}

/* A capital sigma is small differently at the end of a word. */
static bool is_final_sigma(const char *begin, const char *at, const char *next, const char *end)
{
    bool before = false, after = false;
    while (at > begin) {
        uint32_t code = drift_tmpl_prev_code(begin, &at);
        if (drift_tmpl_is_case_ignorable(code))
            continue;
        before = drift_tmpl_is_cased(code);
        break;
    }
    while (before && next < end) {
        uint32_t code = drift_tmpl_next_code(&next, end);
        if (drift_tmpl_is_case_ignorable(code))
            continue;
        after = drift_tmpl_is_cased(code);
        break;
    }
    return before && !after;
}

static bool write_cased(struct drift_tmpl_render *r, struct drift_tmpl_value v, const char *at,
                        const char *next, uint32_t code, enum drift_tmpl_case to)
{
    uint32_t out[DRIFT_TMPL_MAX_CASE_CODES];
    if (to == DRIFT_TMPL_CASE_LOWER && code == 0x3A3)
        return drift_tmpl_write_code(r, is_final_sigma(v.s, at, next, v.s + v.len) ? 0x3C2 : 0x3C3);
    return write_codes(r, out, drift_tmpl_map_case(code, to, out));
}

static enum drift_tmpl_case case_for(enum drift_tmpl_case_change how, uint32_t code, bool first,
                                     bool in_word)
{
    switch (how) {
    case DRIFT_TMPL_CHANGE_UPPER:
        return DRIFT_TMPL_CASE_UPPER;
    case DRIFT_TMPL_CHANGE_CAPITALIZE:
        return first ? DRIFT_TMPL_CASE_TITLE : DRIFT_TMPL_CASE_LOWER;
    case DRIFT_TMPL_CHANGE_TITLE:
        return in_word ? DRIFT_TMPL_CASE_LOWER : DRIFT_TMPL_CASE_TITLE;
    case DRIFT_TMPL_CHANGE_SWAP:
        return drift_tmpl_is_upper(code) ? DRIFT_TMPL_CASE_LOWER : DRIFT_TMPL_CASE_UPPER;
    case DRIFT_TMPL_CHANGE_FOLD:
        return DRIFT_TMPL_CASE_FOLD;
    default:
        return DRIFT_TMPL_CASE_LOWER;
    }
}

bool drift_tmpl_change_case(struct drift_tmpl_render *r, struct drift_tmpl_value v,
                            enum drift_tmpl_case_change how, struct drift_tmpl_value *ret)
{
    const char *s = v.s, *end = v.s + v.len;
    size_t start = drift_tmpl_capture_begin(r);
    bool in_word = false;
    while (s < end) {
        const char *at = s;
        uint32_t code = drift_tmpl_next_code(&s, end);
        enum drift_tmpl_case to = case_for(how, code, at == v.s, in_word);
        bool neither = how == DRIFT_TMPL_CHANGE_SWAP && !drift_tmpl_is_upper(code) &&
                       !drift_tmpl_is_lower(code);
        if (neither ? !drift_tmpl_write(r, at, (size_t)(s - at))
                    : !write_cased(r, v, at, s, code, to))
            return false;
        in_word = drift_tmpl_is_cased(code);
    }
    if (!drift_tmpl_capture_end(r, start, ret))
        return false;
    ret->flags = v.flags;
    return true;
}

static bool in_set(struct drift_tmpl_value set, uint32_t code)
{
    const char *s = set.s, *end = set.s + set.len;
    while (s < end) {
        if (drift_tmpl_next_code(&s, end) == code)
            return true;
    }
    return false;
}

bool drift_tmpl_strip(struct drift_tmpl_render *r, struct drift_tmpl_value v,
                      struct drift_tmpl_value chars, int sides, struct drift_tmpl_value *ret)
{
    bool space = chars.type == DRIFT_TMPL_ABSENT || chars.type == DRIFT_TMPL_NONE;
    if (!space && chars.type != DRIFT_TMPL_STRING)
        return drift_tmpl_fail_type(r, "strip takes a string, not a value", chars);
    const char *s = v.s, *end = v.s + v.len;
    uint64_t cost = 0;
    while ((sides & DRIFT_TMPL_SIDE_LEFT) && s < end) {
        const char *next = s;
        uint32_t code = drift_tmpl_next_code(&next, end);
        if (space ? !drift_tmpl_is_space(code) : !in_set(chars, code))
            break;
        s = next;
        cost++;
    }
    while ((sides & DRIFT_TMPL_SIDE_RIGHT) && s < end) {
        const char *prev = end;
        uint32_t code = drift_tmpl_prev_code(s, &prev);
        if (space ? !drift_tmpl_is_space(code) : !in_set(chars, code))
            break;
        end = prev;
        cost++;
    }
    *ret = drift_tmpl_sub(v, s, (size_t)(end - s));
    return drift_tmpl_charge_bytes(r, (cost + 1) * (1 + (space ? 0 : chars.len)));
}

bool drift_tmpl_need_text(struct drift_tmpl_render *r, struct drift_tmpl_value v, const char *what)
{
    return v.type == DRIFT_TMPL_STRING || drift_tmpl_fail_type(r, what, v);
}

/* Between all code points, and at both ends. */
static bool replace_empty(struct drift_tmpl_render *r, struct drift_tmpl_value v,
                          struct drift_tmpl_value with, int64_t max)
{
    const char *s = v.s, *end = v.s + v.len;
    for (int64_t n = 0;; n++) {
        const char *at = s;
        if ((max < 0 || n < max) &&
            (!drift_tmpl_write(r, with.s, with.len) || !drift_tmpl_charge(r, 1)))
            return false;
        if (s == end)
            return true;
        drift_tmpl_next_code(&s, end);
        if (!drift_tmpl_write(r, at, (size_t)(s - at)))
            return false;
    }
}

bool drift_tmpl_replace(struct drift_tmpl_render *r, struct drift_tmpl_value v,
                        struct drift_tmpl_value old, struct drift_tmpl_value with, int64_t max,
                        struct drift_tmpl_value *ret)
{
    if (!drift_tmpl_need_text(r, old, "replace takes strings, not a value") ||
        !drift_tmpl_need_text(r, with, "replace takes strings, not a value"))
        return false;
    size_t start = drift_tmpl_capture_begin(r);
    const char *s = v.s, *end = v.s + v.len, *hit = NULL;
    if (old.len == 0) {
        if (!replace_empty(r, v, with, max))
            return false;
    } else {
        for (int64_t n = 0; s < end && (max < 0 || n < max); n++) {
            hit = memmem(s, (size_t)(end - s), old.s, old.len);
            if (!hit)
                break;
            if (!drift_tmpl_write(r, s, (size_t)(hit - s)) ||
                !drift_tmpl_write(r, with.s, with.len) || !drift_tmpl_charge(r, 1))
                return false;
            s = hit + old.len;
        }
        if (s == v.s) { /* nothing found: nothing to copy */
            *ret = v;
            return drift_tmpl_charge_bytes(r, v.len);
        }
        if (!drift_tmpl_write(r, s, (size_t)(end - s)))
            return false;
    }
    return drift_tmpl_capture_end(r, start, ret);
}

bool drift_tmpl_splitlines(struct drift_tmpl_render *r, struct drift_tmpl_value v, bool keep_ends,
                           struct drift_tmpl_value *ret)
{
    struct drift_tmpl_list_builder list = {0};
    const char *s = v.s, *end = v.s + v.len;
    while (s < end) {
        const char *line = s, *stop = end;
        while (s < end) {
            const char *at = s;
            uint32_t code = drift_tmpl_next_code(&s, end);
            if (!drift_tmpl_is_line_break(code))
                continue;
            if (code == '\r' && s < end && *s == '\n')
                s++;
            stop = keep_ends ? s : at;
            break;
        }
        if (!drift_tmpl_list_push(r, &list, drift_tmpl_sub(v, line, (size_t)(stop - line))))
            return false;
    }
    *ret = drift_tmpl_seq(DRIFT_TMPL_LIST, list.items, list.n);
    return drift_tmpl_charge_bytes(r, v.len);
}

bool drift_tmpl_is_cased_as(struct drift_tmpl_value v, bool upper)
{
    const char *s = v.s, *end = v.s + v.len;
    bool cased = false;
    while (s < end) {
        uint32_t code = drift_tmpl_next_code(&s, end);
        if (drift_tmpl_is_title(code) ||
            (upper ? drift_tmpl_is_lower(code) : drift_tmpl_is_upper(code)))
            return false;
        cased |= upper ? drift_tmpl_is_upper(code) : drift_tmpl_is_lower(code);
    }
    return cased;
}
