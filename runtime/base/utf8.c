/* Table 3-7 of the Unicode standard ("well-formed UTF-8 byte sequences"), and nothing else. */
#include "runtime/base/utf8.h"

/* What a lead byte promises: the length, and the range of the second byte. Length 0: no lead byte.
 */
struct lead {
    uint8_t len, second_min, second_max;
};

static struct lead lead_of(uint8_t b)
{
    if (b < 0x80)
        return (struct lead){1, 0, 0};
    if (b < 0xC2)
        return (struct lead){0, 0, 0};
    if (b < 0xE0)
        return (struct lead){2, 0x80, 0xBF};
    if (b < 0xF0)
        return (struct lead){3, b == 0xE0 ? 0xA0 : 0x80, b == 0xED ? 0x9F : 0xBF};
    if (b < 0xF5)
        return (struct lead){4, b == 0xF0 ? 0x90 : 0x80, b == 0xF4 ? 0x8F : 0xBF};
    return (struct lead){0, 0, 0};
}

/* How many of the n bytes after the lead byte (at most lead.len - 1) are good continuations. */
static size_t count_continuations(struct lead lead, const uint8_t *rest, size_t n)
{
    size_t i = 0;
    for (; i < n && i + 1 < lead.len; i++) {
        uint8_t min = i == 0 ? lead.second_min : 0x80, max = i == 0 ? lead.second_max : 0xBF;
        if (rest[i] < min || rest[i] > max)
            break;
    }
    return i;
}

size_t drift_utf8_decode(const char *s, size_t len, uint32_t *ret_code)
{
    const uint8_t *p = (const uint8_t *)s;
    if (len == 0)
        return 0;
    struct lead lead = lead_of(p[0]);
    if (lead.len == 1) {
        *ret_code = p[0];
        return 1;
    }
    if (lead.len == 0 || len < lead.len ||
        count_continuations(lead, p + 1, len - 1) != (size_t)lead.len - 1)
        return 0;
    uint32_t code = p[0] & (0x7Fu >> lead.len);
    for (unsigned i = 1; i < lead.len; i++)
        code = code << 6 | (p[i] & 0x3Fu);
    *ret_code = code;
    return lead.len;
}

size_t drift_utf8_encode(uint32_t code, char out[4])
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
        return 0;
    size_t len = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = len - 1; i > 0; i--, code >>= 6)
        out[i] = (char)(0x80 | (code & 0x3F));
    out[0] = (char)((0xF00u >> len & 0xFF) | code);
    return len;
}

bool drift_utf8_is_valid(const char *s, size_t len)
{
    size_t i = 0;
    while (i < len) {
        uint32_t code;
        size_t n = drift_utf8_decode(s + i, len - i, &code);
        if (n == 0)
            return false;
        i += n;
    }
    return true;
}

size_t drift_utf8_complete_prefix(const char *s, size_t len)
{
    const uint8_t *p = (const uint8_t *)s;
    for (size_t back = 1; back <= 3 && back <= len; back++) {
        const uint8_t *at = p + len - back;
        struct lead lead = lead_of(*at);
        if (lead.len == 0)
            continue;
        if (lead.len > back && count_continuations(lead, at + 1, back - 1) == back - 1)
            return len - back;
        return len;
    }
    return len;
}
