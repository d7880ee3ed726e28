/*
 * utf8.h against a reference that works the other way round: it encodes every code point by plain
 * arithmetic and marks the sequences (and their beginnings) that exist; all others are invalid.
 */
#include "runtime/base/status.h"
#include "runtime/base/utf8.h"
#include "tests/unit/unit.h"

#include <string.h>

#define MAX_CODE 0x10FFFFu

/* One bit for each string of up to three bytes: exists as a whole, or begins a longer one. */
static uint8_t whole[4][1u << 21], begun[4][1u << 21];

static uint32_t pack(const uint8_t *s, size_t len)
{
    uint32_t v = 0;
    for (size_t i = 0; i < len; i++)
        v = v << 8 | s[i];
    return v;
}

static void mark(uint8_t *bits, uint32_t at)
{
    bits[at / 8] = (uint8_t)(bits[at / 8] | 1u << at % 8);
}

static bool is_marked(const uint8_t *bits, uint32_t at)
{
    return bits[at / 8] >> at % 8 & 1;
}

static size_t reference_encode(uint32_t code, uint8_t out[4])
{
    if (code >= 0x10000) {
        out[0] = (uint8_t)(240 + code / 262144);
        out[1] = (uint8_t)(128 + code / 4096 % 64);
        out[2] = (uint8_t)(128 + code / 64 % 64);
        out[3] = (uint8_t)(128 + code % 64);
        return 4;
    }
    if (code >= 0x800) {
        out[0] = (uint8_t)(224 + code / 4096);
        out[1] = (uint8_t)(128 + code / 64 % 64);
        out[2] = (uint8_t)(128 + code % 64);
        return 3;
    }
    if (code >= 0x80) {
        out[0] = (uint8_t)(192 + code / 64);
        out[1] = (uint8_t)(128 + code % 64);
        return 2;
    }
    out[0] = (uint8_t)code;
    return 1;
}

static int make_reference(void **state)
{
    (void)state;
    for (uint32_t code = 0; code <= MAX_CODE; code++) {
        uint8_t s[4];
        if (code >= 0xD800 && code <= 0xDFFF)
            continue;
        size_t len = reference_encode(code, s);
        if (len < 4)
            mark(whole[len], pack(s, len));
        for (size_t n = 1; n < len; n++)
            mark(begun[n], pack(s, n));
    }
    return 0;
}

static void test_utf8__every_code_point__encodes_and_decodes(void **state)
{
    (void)state;
    for (uint32_t code = 0; code <= MAX_CODE + 100; code++) {
        char ours[4];
        uint8_t reference[4];
        size_t len = drift_utf8_encode(code, ours);
        if (code > MAX_CODE || (code >= 0xD800 && code <= 0xDFFF)) {
            assert_int_equal(len, 0);
            continue;
        }
        assert_int_equal(len, reference_encode(code, reference));
        assert_memory_equal(ours, reference, len);
        uint32_t back = 0;
        assert_int_equal(drift_utf8_decode(ours, len, &back), len);
        assert_int_equal(back, code);
        for (size_t cut = 1; cut < len; cut++)
            assert_int_equal(drift_utf8_decode(ours, cut, &back), 0);
    }
    char out[4];
    assert_int_equal(drift_utf8_encode(UINT32_MAX, out), 0);
}

/* Plain comparisons: tens of millions of calls of cmocka would take long. */
static void test_utf8__every_three_bytes__accepted_only_if_they_exist(void **state)
{
    (void)state;
    for (uint32_t v = 0; v < 1u << 24; v++) {
        const uint8_t s[3] = {(uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};
        size_t expected = 0;
        for (size_t len = 1; len <= 3; len++)
            if (is_marked(whole[len], pack(s, len)))
                expected = len;
        uint32_t code;
        if (drift_utf8_decode((const char *)s, 3, &code) != expected)
            fail_msg("%06x: expected length %zu", v, expected);
    }
}

static void test_utf8__every_four_byte_lead__accepted_only_in_range(void **state)
{
    (void)state;
    static const uint8_t lasts[] = {0x00, 0x7F, 0x80, 0x81, 0xBF, 0xC0, 0xFF};
    for (uint32_t v = 0; v < 1u << 20; v++) {
        uint8_t s[4] = {(uint8_t)(0xF0 | v >> 16), (uint8_t)(v >> 8), (uint8_t)v, 0};
        bool start_exists = is_marked(begun[3], pack(s, 3));
        for (size_t i = 0; i < DRIFT_COUNT_OF(lasts); i++) {
            s[3] = lasts[i];
            size_t expected = start_exists && lasts[i] >= 0x80 && lasts[i] <= 0xBF ? 4 : 0;
            uint32_t code;
            if (drift_utf8_decode((const char *)s, 4, &code) != expected)
                fail_msg("%02x%02x%02x%02x: expected length %zu", s[0], s[1], s[2], s[3], expected);
        }
    }
}

static void test_utf8__every_ending__held_back_only_if_it_can_continue(void **state)
{
    (void)state;
    for (uint32_t v = 0; v < 1u << 24; v++) {
        const uint8_t s[3] = {(uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};
        size_t expected = 3;
        for (size_t n = 1; n <= 3; n++)
            if (is_marked(begun[n], pack(s + 3 - n, n)))
                expected = 3 - n;
        if (drift_utf8_complete_prefix((const char *)s, 3) != expected)
            fail_msg("%06x: expected prefix %zu", v, expected);
    }
    assert_int_equal(drift_utf8_complete_prefix("", 0), 0);
    assert_int_equal(drift_utf8_complete_prefix("\xF0\x9F\x98\x80", 4), 4);
    assert_int_equal(drift_utf8_complete_prefix("a\xF0", 2), 1);
}

static void test_utf8__is_valid__looks_at_all_of_it(void **state)
{
    (void)state;
    assert_true(drift_utf8_is_valid("", 0));
    assert_true(drift_utf8_is_valid("a\0b", 3));
    assert_true(drift_utf8_is_valid("gr\xC3\xBC\xC3\x9F \xF0\x9F\x98\x80", 11));
    assert_false(drift_utf8_is_valid("gr\xC3\xBC\xC3", 5));
    assert_false(drift_utf8_is_valid("abc\xFF", 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_utf8__every_code_point__encodes_and_decodes),
        cmocka_unit_test(test_utf8__every_three_bytes__accepted_only_if_they_exist),
        cmocka_unit_test(test_utf8__every_four_byte_lead__accepted_only_in_range),
        cmocka_unit_test(test_utf8__every_ending__held_back_only_if_it_can_continue),
        cmocka_unit_test(test_utf8__is_valid__looks_at_all_of_it),
    };
    return cmocka_run_group_tests(tests, make_reference, NULL);
}
