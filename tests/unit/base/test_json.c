/*
 * json.h: the reader's grammar and limits, typed access, the writer, and both together.
 *
 * The table of cases uses the naming of JSONTestSuite: y_ must be accepted, n_ must be refused, and
 * i_ is what RFC 8259 leaves open and we decided.
 */
#include "runtime/base/json.h"
#include "tests/unit/torture.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT(literal) literal, sizeof(literal) - 1

static const struct {
    const char *name, *text;
    size_t len;
    enum drift_status status;
} cases[] = {
#define Y(name, literal)                                                                           \
    {                                                                                              \
        "y_" name, TEXT(literal), DRIFT_STATUS_OK                                                  \
    }
#define N(name, literal)                                                                           \
    {                                                                                              \
        "n_" name, TEXT(literal), DRIFT_STATUS_CORRUPT                                             \
    }
#define I(name, literal, status)                                                                   \
    {                                                                                              \
        "i_" name, TEXT(literal), DRIFT_STATUS_##status                                            \
    }
    Y("structure_lonely_null", "null"),
    Y("structure_lonely_string", "\"a\""),
    Y("structure_lonely_number", "-7"),
    Y("structure_space_all_kinds", " \t\r\n[ \t\r\n1 \t\r\n, \t\r\n2 \t\r\n] \t\r\n"),
    Y("structure_empty_object", "{}"),
    Y("structure_empty_array_inside", "[[],{},[{}]]"),
    Y("object_spaces", "{ \"a\" : 1 , \"b\" : { } }"),
    Y("object_empty_key", "{\"\":0}"),
    Y("object_keys_differ_in_case", "{\"a\":0,\"A\":0}"),
    Y("object_key_is_a_prefix", "{\"aaaaaaaa\":0,\"aaaaaaaaa\":0,\"aaaaaaa\":0}"),
    Y("object_same_key_at_two_levels", "{\"a\":{\"a\":[{\"a\":1}]}}"),
    Y("number_zero", "[0,-0,0.0,0e0,0E+1,-0.0e-1]"),
    Y("number_forms", "[1,12,1.5,1.50,1e2,1E2,1e+2,1e-2,12.5E-02]"),
    Y("number_smallest", "4.9e-324"),
    Y("number_underflow", "1e-400"),
    Y("number_largest", "1.7976931348623157e308"),
    Y("number_63_characters", "1.2345678901234567890123456789012345678901234567890123456789012"),
    Y("string_escapes", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e4\\u00E4\""),
    Y("string_surrogate_pair", "\"\\ud83d\\uDE00\""),
    Y("string_utf8", "\"\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80\""),
    Y("string_noncharacter", "\"\\uFFFF\xEF\xBF\xBF\""),
    Y("string_delete_and_c1", "\"\x7F\xC2\x80\""),
    Y("string_line_separator", "\"\xE2\x80\xA8\""),

    N("structure_nothing", ""),
    N("structure_only_space", " "),
    N("structure_two_values", "1 2"),
    N("structure_trailing_bracket", "[]]"),
    N("structure_trailing_nul", "[]\0"),
    N("structure_trailing_comment", "[] // x"),
    N("structure_unclosed_array", "[1"),
    N("structure_unclosed_object", "{\"a\":1"),
    N("structure_mismatched", "[1}"),
    N("structure_form_feed", "[\f1]"),
    N("structure_no_break_space", "[\xC2\xA0]"),
    N("structure_byte_order_mark", "\xEF\xBB\xBF{}"),
    N("structure_utf16", "\xFF\xFE{\0}\0"),
    N("array_trailing_comma", "[1,]"),
    N("array_leading_comma", "[,1]"),
    N("array_two_commas", "[1,,2]"),
    N("array_missing_comma", "[1 2]"),
    N("array_colon", "[1:2]"),
    N("object_trailing_comma", "{\"a\":1,}"),
    N("object_missing_value", "{\"a\":}"),
    N("object_missing_colon", "{\"a\" 1}"),
    N("object_two_colons", "{\"a\"::1}"),
    N("object_bare_key", "{a:1}"),
    N("object_single_quotes", "{'a':1}"),
    N("object_number_key", "{1:1}"),
    N("object_key_alone", "{\"a\"}"),
    N("object_duplicate_key", "{\"a\":1,\"b\":2,\"a\":1}"),
    N("object_duplicate_key_escaped", "{\"model\":1,\"\\u006dodel\":2}"),
    N("object_duplicate_key_deep", "[{\"x\":[{\"a\":1,\"a\":2}]}]"),
    N("object_duplicate_empty_key", "{\"\":1,\"\":2}"),
    N("object_duplicate_long_key", "{\"abcdefghijkl\":1,\"abcdefghijkm\":1,\"abcdefghijkl\":1}"),
    N("literal_capitals", "[True]"),
    N("literal_cut", "[nul]"),
    N("literal_longer", "[nulll]"),
    N("literal_cut_at_end", "tru"),
    N("literal_nan", "[NaN]"),
    N("literal_negative_nan", "[-NaN]"),
    N("literal_infinity", "[Infinity]"),
    N("literal_negative_infinity", "[-Infinity]"),
    N("literal_undefined", "undefined"),
    N("number_leading_zero", "[01]"),
    N("number_negative_leading_zero", "[-01]"),
    N("number_plus", "[+1]"),
    N("number_lonely_minus", "[-]"),
    N("number_two_minus", "[--1]"),
    N("number_no_integer_part", "[.5]"),
    N("number_no_fraction", "[1.]"),
    N("number_no_fraction_before_exponent", "[1.e1]"),
    N("number_no_exponent", "[1e]"),
    N("number_no_exponent_digits", "[1e+]"),
    N("number_two_points", "[1.2.3]"),
    N("number_hexadecimal", "[0x1]"),
    N("number_underscore", "[1_000]"),
    N("number_letter_after", "[1a]"),
    N("number_fullwidth_digit", "[\xEF\xBC\x91]"),
    N("number_cut_at_end", "-"),
    N("string_unterminated", "\"abc"),
    N("string_unterminated_after_escape", "\"\\\""),
    N("string_ends_in_backslash", "\"\\"),
    N("string_raw_newline", "\"a\nb\""),
    N("string_raw_tab", "\"\t\""),
    N("string_raw_nul", "\"a\0b\""),
    N("string_raw_unit_separator", "\"\x1F\""),
    N("string_unknown_escape", "\"\\x41\""),
    N("string_escape_capital_u", "\"\\U0041\""),
    N("string_escape_apostrophe", "\"\\'\""),
    N("string_escape_nul_byte", "\"\\\0\""),
    N("string_escape_short", "\"\\u00A\""),
    N("string_escape_not_hexadecimal", "\"\\u00G0\""),
    N("string_escape_sign", "\"\\u+041\""),
    N("string_escape_cut_at_end", "\"\\u00"),
    N("string_single_quotes", "'a'"),
    N("string_utf8_lone_continuation", "\"\x80\""),
    N("string_utf8_cut", "\"\xE2\x82\""),
    N("string_utf8_overlong", "\"\xC0\xAF\""),
    N("string_utf8_overlong_nul", "\"\xC0\x80\""),
    N("string_utf8_surrogate", "\"\xED\xA0\x80\""),
    N("string_utf8_above_10FFFF", "\"\xF4\x90\x80\x80\""),
    N("string_utf8_ff", "\"\xFF\""),
    N("string_latin1", "\"\xE9\""),
    N("object_key_bad_utf8", "{\"\xFF\":1}"),

    I("string_lone_high_surrogate", "\"\\ud800\"", CORRUPT),
    I("string_lone_low_surrogate", "\"\\udc00\"", CORRUPT),
    I("string_high_then_text", "\"\\ud800abc\"", CORRUPT),
    I("string_high_then_escape", "\"\\ud800\\n\"", CORRUPT),
    I("string_two_high", "\"\\ud800\\ud800\"", CORRUPT),
    I("string_low_before_high", "\"\\udc00\\ud800\"", CORRUPT),
    I("string_escaped_nul", "\"a\\u0000b\"", CORRUPT),
    I("object_key_escaped_nul", "{\"a\\u0000\":1}", CORRUPT),
    I("number_over_double", "[1e309]", LIMIT),
    I("number_over_double_negative", "[-1E+400]", LIMIT),
    I("number_64_characters", "1.23456789012345678901234567890123456789012345678901234567890123",
      LIMIT),
    I("number_exponent_of_many_digits",
      "1e00000000000000000000000000000000000000000000000000000000001", OK),
#undef Y
#undef N
#undef I
};

static enum drift_status parse(const char *text, size_t len, struct drift_json **ret_doc,
                               struct drift_error *err)
{
    return drift_json_parse(text, len, &drift_json_default_limits, ret_doc, err);
}

static struct drift_json *parse_good(const char *text)
{
    struct drift_json *doc = NULL;
    struct drift_error err = {0};
    if (parse(text, strlen(text), &doc, &err) != DRIFT_STATUS_OK)
        fail_msg("%s: %s", text, err.msg);
    return doc;
}

static void test_json__grammar__as_the_table_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < DRIFT_COUNT_OF(cases); i++) {
        struct drift_json *doc = NULL;
        struct drift_error err = {0};
        char *exact = malloc(cases[i].len + !cases[i].len); /* lets a sanitizer see the end */
        assert_non_null(exact);
        memcpy(exact, cases[i].text, cases[i].len);
        enum drift_status status = parse(exact, cases[i].len, &doc, &err);
        if (status != cases[i].status)
            fail_msg("%s: %s (%s)", cases[i].name, drift_status_name(status), err.msg);
        assert_int_equal(doc != NULL, status == DRIFT_STATUS_OK);
        assert_int_equal(strlen(err.msg) > 0, status != DRIFT_STATUS_OK);
        drift_json_destroy(doc);
        free(exact);
    }
}

static void test_json__refusal__names_the_place(void **state)
{
    (void)state;
    static const struct {
        const char *text, *part;
    } messages[] = {
        {"{\"a\": tru}",          "expected a value at byte 6"     },
        {"[1, 2",                 "expected ',' or ']' at byte 5"  },
        {"{} x",                  "bytes after the value at byte 3"},
        {"{\"key\":1,\"key\":2}", "key \"key\" occurs twice"       },
    };
    for (size_t i = 0; i < DRIFT_COUNT_OF(messages); i++) {
        struct drift_json *doc = NULL;
        struct drift_error err;
        assert_int_equal(parse(messages[i].text, strlen(messages[i].text), &doc, &err),
                         DRIFT_STATUS_CORRUPT);
        if (!strstr(err.msg, messages[i].part))
            fail_msg("%s: %s", messages[i].text, err.msg);
        assert_int_equal(parse(messages[i].text, strlen(messages[i].text), &doc, NULL),
                         DRIFT_STATUS_CORRUPT);
    }
}

/* n times open, then n times close. */
static char *nested(size_t n, const char *open, const char *close)
{
    char *text = calloc(1, n * (strlen(open) + strlen(close)) + 2);
    assert_non_null(text);
    char *end = text;
    for (size_t i = 0; i < n; i++)
        end = stpcpy(end, open);
    end = stpcpy(end, "1");
    for (size_t i = 0; i < n; i++)
        end = stpcpy(end, close);
    return text;
}

static void test_json__depth__accepted_up_to_the_limit(void **state)
{
    (void)state;
    static const uint32_t max_depths[] = {0, 1, 2, 64, 512};
    for (size_t i = 0; i < DRIFT_COUNT_OF(max_depths); i++) {
        struct drift_json_limits limits = drift_json_default_limits;
        limits.max_depth = max_depths[i];
        for (uint32_t over = 0; over <= 1; over++) {
            char *arrays = nested(max_depths[i] + over, "[", "]");
            char *objects = nested(max_depths[i] + over, "{\"a\":", "}");
            const char *const texts[] = {arrays, objects};
            for (size_t k = 0; k < 2; k++) {
                struct drift_json *doc = NULL;
                assert_int_equal(drift_json_parse(texts[k], strlen(texts[k]), &limits, &doc, NULL),
                                 over ? DRIFT_STATUS_LIMIT : DRIFT_STATUS_OK);
                drift_json_destroy(doc);
            }
            free(arrays);
            free(objects);
        }
    }
    /* Far over, and never closed: refused at the limit, not at the end. */
    static char brackets[1u << 20];
    memset(brackets, '[', sizeof brackets);
    struct drift_json *doc = NULL;
    assert_int_equal(parse(brackets, sizeof brackets, &doc, NULL), DRIFT_STATUS_LIMIT);
}

static void test_json__bytes_and_values__limited_before_memory_is_taken(void **state)
{
    (void)state;
    struct drift_json *doc = NULL;
    const struct drift_json_limits limits = {.max_bytes = 13, .max_depth = 4, .max_values = 4};
    drift_alloc_fail_nth(1, 1); /* a refusal must not need the heap */
    assert_int_equal(drift_json_parse("[1,2,3,      ]", 14, &limits, &doc, NULL),
                     DRIFT_STATUS_LIMIT);
    assert_int_equal(drift_json_parse("[1,2,3,4]", 9, &limits, &doc, NULL), DRIFT_STATUS_LIMIT);
    assert_int_equal(drift_json_parse("[1,2,3,", 7, &limits, &doc, NULL), DRIFT_STATUS_LIMIT);
    assert_false(drift_alloc_fail_happened());
    drift_alloc_fail_nth(0, 0);
    assert_int_equal(drift_json_parse("[1,2,3     ]", 12, &limits, &doc, NULL), DRIFT_STATUS_OK);
    drift_json_destroy(doc);
}

static void test_json__access__finds_by_key_and_in_order(void **state)
{
    (void)state;
    struct drift_json *doc =
        parse_good("{\"b\":[10,\"x\",null],\"a\":true,\"\\u0063\":{\"d\":1.5}}");
    static const char *const keys[] = {"b", "a", "c"};
    size_t i = 0;
    for (const struct drift_json *m = drift_json_first(doc); m; m = drift_json_next(m))
        assert_string_equal(drift_json_key(m), keys[i++]);
    assert_int_equal(i, 3);
    assert_int_equal(drift_json_size(doc), 3);
    const struct drift_json *array = drift_json_get(doc, "b");
    assert_int_equal(drift_json_type(array), DRIFT_JSON_ARRAY);
    assert_int_equal(drift_json_size(array), 3);
    assert_null(drift_json_key(drift_json_first(array)));
    double d = 0;
    assert_true(drift_json_double(drift_json_get(drift_json_get(doc, "c"), "d"), &d));
    assert_true(d == 1.5);
    assert_null(drift_json_get(doc, "A"));
    assert_null(drift_json_get(array, "b"));
    assert_null(drift_json_get(NULL, "b"));
    assert_null(drift_json_first(NULL));
    assert_null(drift_json_first(drift_json_get(doc, "a")));
    assert_int_equal(drift_json_size(NULL), 0);
    drift_json_destroy(doc);
    drift_json_destroy(NULL);
}

static void test_json__typed_access__false_and_untouched_for_other_types(void **state)
{
    (void)state;
    static const char *const names[] = {"null", "boolean", "number", "string", "array", "object"};
    struct drift_json *doc = parse_good("[null,true,3,\"s\",[],{}]");
    int type = 0;
    for (const struct drift_json *v = drift_json_first(doc); v; v = drift_json_next(v), type++) {
        bool b = false;
        double d = -1;
        int64_t i = -1;
        const char *s = "old";
        assert_int_equal(drift_json_type(v), type);
        assert_string_equal(drift_json_type_name(drift_json_type(v)), names[type]);
        assert_int_equal(drift_json_bool(v, &b), type == DRIFT_JSON_BOOL);
        assert_int_equal(b, type == DRIFT_JSON_BOOL);
        assert_int_equal(drift_json_double(v, &d), type == DRIFT_JSON_NUMBER);
        assert_true(d == (type == DRIFT_JSON_NUMBER ? 3.0 : -1.0));
        assert_int_equal(drift_json_int64(v, &i), type == DRIFT_JSON_NUMBER);
        assert_int_equal(i, type == DRIFT_JSON_NUMBER ? 3 : -1);
        assert_int_equal(drift_json_string(v, &s), type == DRIFT_JSON_STRING);
        assert_string_equal(s, type == DRIFT_JSON_STRING ? "s" : "old");
    }
    assert_int_equal(type, DRIFT_JSON_TYPE_COUNT);
    bool b;
    const char *s;
    assert_false(drift_json_bool(NULL, &b));
    assert_false(drift_json_string(NULL, &s));
    drift_json_destroy(doc);
}

static void test_json__int64__exact_or_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
        int64_t value;
    } ints[] = {
        {"0",                   true,  0                },
        {"-0",                  true,  0                },
        {"7.0",                 true,  7                },
        {"12e2",                true,  1200             },
        {"9007199254740991",    true,  9007199254740991 },
        {"-9007199254740991",   true,  -9007199254740991},
        {"9007199254740992",    false, 0                },
        {"9007199254740993",    false, 0                },
        {"9223372036854775807", false, 0                },
        {"1e300",               false, 0                },
        {"-1e300",              false, 0                },
        {"0.5",                 false, 0                },
        {"1e-5",                false, 0                },
    };
    for (size_t i = 0; i < DRIFT_COUNT_OF(ints); i++) {
        struct drift_json *doc = parse_good(ints[i].text);
        int64_t value = 99;
        assert_int_equal(drift_json_int64(doc, &value), ints[i].ok);
        assert_int_equal(value, ints[i].ok ? ints[i].value : 99);
        drift_json_destroy(doc);
    }
}

static void test_json__string__escapes_become_utf8(void **state)
{
    (void)state;
    struct drift_json *doc =
        parse_good("\"\\u0001\\u00e4\\u20AC\\ud83d\\ude00\\/\\\\\\\"\\n\\udbff\\udfff\"");
    const char *s = NULL;
    assert_true(drift_json_string(doc, &s));
    assert_string_equal(s, "\x01\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80/\\\"\n\xF4\x8F\xBF\xBF");
    drift_json_destroy(doc);
}

/* Keys made to collide in many hash functions do not matter here; many keys at all must not be
 * slow. */
static void test_json__many_keys__one_duplicate_is_found(void **state)
{
    (void)state;
    enum { N_KEYS = 200000 };
    struct drift_buf text;
    drift_buf_init(&text, DRIFT_TAG_BASE, 16u << 20);
    for (int with_duplicate = 0; with_duplicate < 2; with_duplicate++) {
        drift_buf_reset(&text);
        for (int i = 0; i < N_KEYS; i++)
            drift_buf_printf(&text, "%c\"a common beginning %d\":0", i ? ',' : '{', i);
        if (with_duplicate)
            drift_buf_append_str(&text, ",\"a common beginning 77777\":0");
        drift_buf_append_char(&text, '}');
        struct drift_json *doc = NULL;
        assert_int_equal(parse(text.data, text.len, &doc, NULL),
                         with_duplicate ? DRIFT_STATUS_CORRUPT : DRIFT_STATUS_OK);
        drift_json_destroy(doc);
    }
    drift_buf_fini(&text);
}

static void test_json__writer__places_commas_and_escapes(void **state)
{
    (void)state;
    struct drift_buf out;
    struct drift_json_writer w;
    drift_buf_init(&out, DRIFT_TAG_BASE, 1000);
    drift_json_writer_init(&w, &out);
    drift_json_begin_object(&w);
    drift_json_member_string(&w, "s", "a\"\\/\b\f\n\r\t\x01\x1F\x7F\xC3\xA4");
    drift_json_member_int(&w, "i", INT64_MIN);
    drift_json_member_double(&w, "d", 0.1);
    drift_json_member_bool(&w, "t", true);
    drift_json_member_null(&w, "n");
    drift_json_write_key(&w, "k\n");
    drift_json_begin_array(&w);
    drift_json_begin_array(&w);
    drift_json_end_array(&w);
    drift_json_begin_object(&w);
    drift_json_end_object(&w);
    drift_json_write_bool(&w, false);
    drift_json_write_string(&w, "ab", 1);
    drift_json_end_array(&w);
    drift_json_end_object(&w);
    assert_false(out.failed);
    assert_string_equal(drift_buf_cstr(&out),
                        "{\"s\":\"a\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7F\xC3\xA4\","
                        "\"i\":-9223372036854775808,\"d\":0.1,\"t\":true,\"n\":null,"
                        "\"k\\n\":[[],{},false,\"a\"]}");
    drift_buf_fini(&out);
}

static void test_json__writer__broken_utf8_becomes_replacement_characters(void **state)
{
    (void)state;
    struct drift_buf out;
    struct drift_json_writer w;
    drift_buf_init(&out, DRIFT_TAG_BASE, 1000);
    drift_json_writer_init(&w, &out);
    drift_json_write_string(&w, TEXT("a\xFF"
                                     "b\xC3\0\xED\xA0\x80"));
    assert_string_equal(drift_buf_cstr(&out), "\"a\xEF\xBF\xBD"
                                              "b\xEF\xBF\xBD\\u0000\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF"
                                              "\xBD\"");
    drift_buf_fini(&out);
}

static void test_json__writer__doubles_are_shortest_and_read_back_equal(void **state)
{
    (void)state;
    static const struct {
        double v;
        const char *text;
    } doubles[] = {
        {0.0,       "0"                      },
        {-0.0,      "-0"                     },
        {1.0,       "1"                      },
        {0.1,       "0.1"                    },
        {0.1 + 0.2, "0.30000000000000004"    },
        {1.0 / 3.0, "0.3333333333333333"     },
        {1e21,      "1e+21"                  },
        {5e-324,    "5e-324"                 },
        {DBL_MAX,   "1.7976931348623157e+308"},
        {NAN,       "null"                   },
        {INFINITY,  "null"                   },
        {-INFINITY, "null"                   },
    };
    struct drift_buf out;
    struct drift_json_writer w;
    drift_buf_init(&out, DRIFT_TAG_BASE, 1000);
    for (size_t i = 0; i < DRIFT_COUNT_OF(doubles); i++) {
        drift_buf_reset(&out);
        drift_json_writer_init(&w, &out);
        drift_json_write_double(&w, doubles[i].v);
        assert_string_equal(drift_buf_cstr(&out), doubles[i].text);
    }
    uint64_t bits = 1;
    for (int i = 0; i < 20000; i++) {
        double v, back = 0;
        bits = bits * 6364136223846793005u + 1442695040888963407u;
        memcpy(&v, &bits, sizeof v);
        if (!isfinite(v))
            continue;
        drift_buf_reset(&out);
        drift_json_writer_init(&w, &out);
        drift_json_write_double(&w, v);
        struct drift_json *doc = parse_good(drift_buf_cstr(&out));
        assert_true(drift_json_double(doc, &back));
        assert_memory_equal(&back, &v, sizeof v);
        drift_json_destroy(doc);
    }
    drift_buf_fini(&out);
}

static void test_json__writer__out_of_room_is_sticky(void **state)
{
    (void)state;
    struct drift_buf out;
    struct drift_json_writer w;
    drift_buf_init(&out, DRIFT_TAG_BASE, 20);
    drift_json_writer_init(&w, &out);
    drift_json_begin_array(&w);
    for (int i = 0; i < 100; i++)
        drift_json_write_cstring(&w, "abc");
    drift_json_end_array(&w);
    assert_true(out.failed);
    drift_buf_fini(&out);
}

static void test_json__write_value__copies_a_document(void **state)
{
    (void)state;
    static const char text[] = "{\"z\":[1,-2.5,1e+100,9007199254740991,true,false,null],"
                               "\"a\":{\"\":\"\\u0001\xC3\xA4\"},\"m\":[]}";
    struct drift_json *doc = parse_good(text);
    struct drift_buf out;
    struct drift_json_writer w;
    drift_buf_init(&out, DRIFT_TAG_BASE, 1000);
    drift_json_writer_init(&w, &out);
    drift_json_write_value(&w, doc);
    assert_string_equal(drift_buf_cstr(&out), text);
    drift_buf_fini(&out);
    drift_json_destroy(doc);
}

static void test_json__write_value__deeper_than_the_writer_fails_cleanly(void **state)
{
    (void)state;
    struct drift_json_limits limits = drift_json_default_limits;
    limits.max_depth = 512;
    for (size_t depth = DRIFT_JSON_WRITER_MAX_DEPTH; depth <= 512; depth += 64) {
        char *text = nested(depth, "[", "]");
        struct drift_json *doc = NULL;
        assert_int_equal(drift_json_parse(text, strlen(text), &limits, &doc, NULL),
                         DRIFT_STATUS_OK);
        struct drift_buf out;
        struct drift_json_writer w;
        drift_buf_init(&out, DRIFT_TAG_BASE, 10000);
        drift_json_writer_init(&w, &out);
        drift_json_write_value(&w, doc);
        assert_int_equal(out.failed, depth > DRIFT_JSON_WRITER_MAX_DEPTH);
        assert_int_equal(w.depth, 0);
        drift_buf_fini(&out);
        drift_json_destroy(doc);
        free(text);
    }
}

static enum drift_status parse_and_write(void *ctx)
{
    struct drift_json *doc = NULL;
    struct drift_error err;
    enum drift_status status = parse(ctx, strlen(ctx), &doc, &err);
    if (status != DRIFT_STATUS_OK)
        return status;
    struct drift_buf out;
    struct drift_json_writer w;
    drift_buf_init(&out, DRIFT_TAG_BASE, 1000);
    drift_json_writer_init(&w, &out);
    drift_json_write_value(&w, doc);
    if (out.failed)
        status = DRIFT_STATUS_NO_MEMORY;
    else
        assert_string_equal(drift_buf_cstr(&out), ctx);
    drift_buf_fini(&out);
    drift_json_destroy(doc);
    return status;
}

static void test_json__any_allocation_fails__reported_without_leak(void **state)
{
    (void)state;
    char text[] =
        "{\"messages\":[{\"role\":\"user\",\"content\":\"x\xC3\xA4\"}],\"stop\":[\"a\",null],"
        "\"n\":1.5,\"stream\":true,\"options\":{\"a\":1,\"b\":2,\"c\":3,\"d\":{}}}";
    assert_true(drift_torture(parse_and_write, text, 0) > 20);
    assert_true(drift_torture(parse_and_write, text, 1) > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json__grammar__as_the_table_says),
        cmocka_unit_test(test_json__refusal__names_the_place),
        cmocka_unit_test(test_json__depth__accepted_up_to_the_limit),
        cmocka_unit_test(test_json__bytes_and_values__limited_before_memory_is_taken),
        cmocka_unit_test(test_json__access__finds_by_key_and_in_order),
        cmocka_unit_test(test_json__typed_access__false_and_untouched_for_other_types),
        cmocka_unit_test(test_json__int64__exact_or_refused),
        cmocka_unit_test(test_json__string__escapes_become_utf8),
        cmocka_unit_test(test_json__many_keys__one_duplicate_is_found),
        cmocka_unit_test(test_json__writer__places_commas_and_escapes),
        cmocka_unit_test(test_json__writer__broken_utf8_becomes_replacement_characters),
        cmocka_unit_test(test_json__writer__doubles_are_shortest_and_read_back_equal),
        cmocka_unit_test(test_json__writer__out_of_room_is_sticky),
        cmocka_unit_test(test_json__write_value__copies_a_document),
        cmocka_unit_test(test_json__write_value__deeper_than_the_writer_fails_cleanly),
        cmocka_unit_test(test_json__any_allocation_fails__reported_without_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
