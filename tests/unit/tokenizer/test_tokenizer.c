/*
 * tokenizer.h on vocabularies small enough to work the ids out by hand. Equality with independent
 * tokenizers on real vocabularies is tests/oracle/check_tokenizers.py.
 */
#include "tests/unit/tokenizer/small_vocabs.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SPECIAL DRIFT_ENCODE_PARSE_SPECIAL
#define ENDS    DRIFT_ENCODE_ADD_SPECIAL

static struct drift_tokenizer *create(struct gguf_writer *w)
{
    struct drift_tokenizer *t = NULL;
    struct drift_error err = {0};
    if (small_create(w, &t, &err) != DRIFT_STATUS_OK)
        fail_msg("%s", err.msg);
    return t;
}

static struct drift_tokenizer *create_spm(int add_space_prefix)
{
    struct gguf_writer w;
    gguf_writer_init(&w);
    small_write_spm(&w);
    gguf_writer_bool(&w, "tokenizer.ggml.add_space_prefix", add_space_prefix);
    return create(&w);
}

static struct drift_tokenizer *create_bpe(const char *pre)
{
    struct gguf_writer w;
    gguf_writer_init(&w);
    small_write_bpe(&w, pre);
    return create(&w);
}

static void check_bytes(const struct drift_tokenizer *t, const char *text, size_t len,
                        uint32_t flags, const int32_t *want, size_t n)
{
    struct drift_tokens tokens;
    drift_tokens_init(&tokens, 1 << 20);
    assert_int_equal(drift_tokenizer_encode(t, text, len, flags, &tokens, NULL), DRIFT_STATUS_OK);
    bool equal = tokens.count == n;
    for (size_t i = 0; i < n && equal; i++)
        equal = tokens.ids[i] == want[i];
    if (!equal) {
        for (size_t i = 0; i < tokens.count; i++)
            print_error("%d ", tokens.ids[i]);
        fail_msg("for \"%.*s\"", (int)len, text);
    }
    drift_tokens_fini(&tokens);
}

#define CHECK(t, text, flags, ...)                                                                 \
    check_bytes(t, text, sizeof(text) - 1, flags, (const int32_t[]){__VA_ARGS__},                  \
                sizeof((const int32_t[]){__VA_ARGS__}) / sizeof(int32_t))

static char *decode(const struct drift_tokenizer *t, const int32_t *ids, size_t n, uint32_t flags)
{
    struct drift_buf out;
    drift_buf_init(&out, DRIFT_TAG_BASE, 1 << 26);
    drift_tokenizer_decode(t, ids, n, flags, &out);
    return drift_buf_take(&out, NULL);
}

#define CHECK_DECODE(t, want, flags, ...)                                                          \
    do {                                                                                           \
        const int32_t ids_[] = {__VA_ARGS__};                                                      \
        char *text_ = decode(t, ids_, sizeof(ids_) / sizeof(ids_[0]), flags);                      \
        assert_string_equal(text_, want);                                                          \
        drift_free(text_);                                                                         \
    } while (0)

static void test_tokenizer__spm_merges__best_score_then_leftmost(void **state)
{
    (void)state;
    struct drift_tokenizer *t = create_spm(0);
    check_bytes(t, "", 0, 0, NULL, 0);
    CHECK(t, "abc", 0, SPM_A, SPM_BC);
    CHECK(t, "abb", 0, SPM_ABB);
    CHECK(t, "ababb", 0, SPM_AB, SPM_ABB);
    CHECK(t, "b a", 0, SPM_B, SPM_SPACE_A);
    CHECK(t, "cac", 0, SPM_C, SPM_A, SPM_C);
    drift_tokenizer_destroy(t);
}

static void test_tokenizer__spm_token_across_space__found(void **state)
{
    (void)state;
    struct drift_tokenizer *t = create_spm(0);
    CHECK(t, "c a", 0, SPM_C_SPACE_A);
    CHECK(t, "c ab", 0, SPM_C_SPACE, SPM_AB); /* "ab" scores above "c " */
    drift_tokenizer_destroy(t);
}

static void test_tokenizer__spm_unknown_character__its_bytes(void **state)
{
    (void)state;
    struct drift_tokenizer *t = create_spm(0);
    CHECK(t, "a\xc3\xa9", 0, SPM_A, SPM_BYTE + 0xc3, SPM_BYTE + 0xa9);
    CHECK(t, "<0x1>", 0, SPM_BYTE + '<', SPM_BYTE + '0', SPM_BYTE + 'x', SPM_BYTE + '1',
          SPM_BYTE + '>');
    CHECK(t, "<0x01>", 0, SPM_BYTE + '<', SPM_BYTE + '0', SPM_BYTE + 'x', SPM_BYTE + '0',
          SPM_BYTE + '1', SPM_BYTE + '>');
    CHECK(t, SP "a", 0, SPM_SPACE_A); /* the symbol for a space is one */
    drift_tokenizer_destroy(t);
}

static void write_without_bytes(struct gguf_writer *w, int32_t kind_of_aa)
{
    static const char *const tokens[] = {"<unk>", "a", "aa", "aaaa"};
    static const float scores[] = {0, -1, -2, -3};
    const int32_t kinds[] = {KIND_UNKNOWN, KIND_NORMAL, kind_of_aa, KIND_NORMAL};
    gguf_writer_init(w);
    gguf_writer_string(w, "tokenizer.ggml.model", "llama");
    gguf_writer_strings(w, "tokenizer.ggml.tokens", tokens, 4);
    gguf_writer_i32s(w, "tokenizer.ggml.token_type", kinds, 4);
    gguf_writer_f32s(w, "tokenizer.ggml.scores", scores, 4);
    gguf_writer_bool(w, "tokenizer.ggml.add_space_prefix", 0);
}

static void test_tokenizer__spm_without_bytes__one_unknown_for_a_run(void **state)
{
    (void)state;
    struct gguf_writer w;
    write_without_bytes(&w, KIND_NORMAL);
    struct drift_tokenizer *t = create(&w);
    CHECK(t, "xyzaxaa", 0, 0, 1, 0, 2);
    drift_tokenizer_destroy(t);
}

static void test_tokenizer__spm_unused_token__only_leads_to_others(void **state)
{
    (void)state;
    struct gguf_writer w;
    write_without_bytes(&w, KIND_UNUSED);
    struct drift_tokenizer *t = create(&w);
    CHECK(t, "aa", 0, 1, 1);
    CHECK(t, "aaaa", 0, 3);
    CHECK(t, "aaaaaa", 0, 3, 1, 1);
    drift_tokenizer_destroy(t);
}

static void test_tokenizer__space_prefix__before_text_and_after_control(void **state)
{
    (void)state;
    struct drift_tokenizer *t = create_spm(1);
    CHECK(t, "a", 0, SPM_SPACE_A);
    CHECK(t, " a", 0, SPM_SPACE, SPM_SPACE_A);
    check_bytes(t, "", 0, 0, NULL, 0);
    CHECK(t, "<user>a", 0, SPM_SPACE, SPM_USER, SPM_A);
    CHECK(t, "<s>a<s>", SPECIAL, SPM_BOS, SPM_SPACE_A, SPM_BOS);
    CHECK(t, "a<s>a", SPECIAL, SPM_SPACE_A, SPM_BOS, SPM_SPACE_A);
    CHECK_DECODE(t, "a", DRIFT_DECODE_TEXT_START, SPM_SPACE_A);
    CHECK_DECODE(t, " a", 0, SPM_SPACE_A);
    CHECK_DECODE(t, "a a", DRIFT_DECODE_TEXT_START, SPM_BOS, SPM_SPACE_A, SPM_SPACE_A);
    drift_tokenizer_destroy(t);
}

static void test_tokenizer__special_names__tokens_only_when_asked(void **state)
{
    (void)state;
    struct drift_tokenizer *t = create_bpe("gpt-2");
    CHECK(t, "a<|im_end|>", SPECIAL, 'a', BPE_IM_END);
    CHECK(t, "<|im_e", SPECIAL, '<', '|', 'i', 'm', '_', 'e');
    CHECK(t, "<|im_end|>", 0, '<', '|', 'i', 'm', '_', 'e', 'n', 'd', '|', '>');
    CHECK(t, "a<user>", 0, 'a', BPE_USER);
    CHECK(t, "<|im_start|><|im_end|>", SPECIAL, BPE_IM_START, BPE_IM_END);
    CHECK(t, "<<|im_end|>>", SPECIAL, '<', BPE_IM_END, '>');
    assert_int_equal(drift_tokenizer_find_special(t, "<|im_end|>", 10), BPE_IM_END);
    assert_int_equal(drift_tokenizer_find_special(t, "<|im_end|>", 9), -1);
    assert_int_equal(drift_tokenizer_find_special(t, "abc", 3), -1);
    drift_tokenizer_destroy(t);
}

static void test_tokenizer__user_defined__cuts_the_text(void **state)
{
    (void)state;
    struct drift_tokenizer *t = create_spm(0);
    CHECK(t, "\n\n\n", 0, SPM_LINES, SPM_BYTE + '\n');
    CHECK(t, "b\n\nc", 0, SPM_B, SPM_LINES, SPM_C);
    drift_tokenizer_destroy(t);
}

static void test_tokenizer__bos_eos__as_the_file_says(void **state)
{
    (void)state;
    struct gguf_writer w;
    gguf_writer_init(&w);
    small_write_spm(&w);
    gguf_writer_bool(&w, "tokenizer.ggml.add_space_prefix", 0);
    gguf_writer_bool(&w, "tokenizer.ggml.add_eos_token", 1);
    struct drift_tokenizer *t = create(&w);
    const struct drift_tokenizer_info *info = drift_tokenizer_get_info(t);
    assert_int_equal(info->bos, SPM_BOS); /* found by name */
    assert_int_equal(info->eos, SPM_EOS);
    assert_int_equal(info->unk, SPM_UNK);
    assert_int_equal(info->eot, SPM_IM_END);
    assert_int_equal(info->pad, -1);
    assert_true(info->add_bos && info->add_eos);
    CHECK(t, "a", ENDS, SPM_BOS, SPM_A, SPM_EOS);
    CHECK(t, "a", 0, SPM_A);
    CHECK(t, "", ENDS, SPM_BOS, SPM_EOS);
    CHECK(t, "<s>a", ENDS | SPECIAL, SPM_BOS, SPM_A, SPM_EOS); /* one BOS */
    CHECK(t, "<s>a", SPECIAL, SPM_BOS, SPM_A);
    drift_tokenizer_destroy(t);
}

static void test_tokenizer__bos__family_rule_and_its_override(void **state)
{
    (void)state;
    struct gguf_writer w;
    struct drift_tokenizer *t = create_bpe("llama-bpe");
    assert_true(drift_tokenizer_get_info(t)->add_bos);
    CHECK(t, "a", ENDS, 'a'); /* but there is none */
    drift_tokenizer_destroy(t);
    for (int add = 0; add < 2; add++) {
        gguf_writer_init(&w);
        small_write_bpe(&w, add ? "gpt-2" : "llama-bpe");
        gguf_writer_u32(&w, "tokenizer.ggml.bos_token_id", BPE_IM_START);
        gguf_writer_bool(&w, "tokenizer.ggml.add_bos_token", add);
        t = create(&w);
        if (add)
            CHECK(t, "x", ENDS, BPE_IM_START, 'x');
        else
            CHECK(t, "x", ENDS, 'x');
        drift_tokenizer_destroy(t);
    }
}

static void test_tokenizer__ends__by_id_and_by_name(void **state)
{
    (void)state;
    struct gguf_writer w;
    gguf_writer_init(&w);
    small_write_bpe(&w, "smollm");
    gguf_writer_u32(&w, "tokenizer.ggml.eos_token_id",
                    BPE_IM_START); /* odd, but what the file says */
    struct drift_tokenizer *t = create(&w);
    assert_true(drift_tokenizer_is_end(t, BPE_IM_START));
    assert_true(drift_tokenizer_is_end(t, BPE_IM_END));
    assert_true(drift_tokenizer_is_end(t, BPE_END_OF_TEXT));
    assert_false(drift_tokenizer_is_end(t, BPE_USER));
    assert_false(drift_tokenizer_is_end(t, 'a'));
    assert_false(drift_tokenizer_is_end(t, -1));
    assert_false(drift_tokenizer_is_end(t, BPE_N));
    assert_int_equal(drift_tokenizer_token_kind(t, BPE_IM_END), DRIFT_TOKEN_CONTROL);
    assert_int_equal(drift_tokenizer_token_kind(t, BPE_USER), DRIFT_TOKEN_USER_DEFINED);
    assert_int_equal(drift_tokenizer_token_kind(t, BPE_N), DRIFT_TOKEN_UNUSED);
    drift_tokenizer_destroy(t);
}

static void test_tokenizer__token_text__is_the_bytes_it_stands_for(void **state)
{
    (void)state;
    size_t len;
    struct drift_tokenizer *t = create_spm(1);
    assert_string_equal(drift_tokenizer_token_text(t, SPM_SPACE_A, &len), " a");
    assert_int_equal(len, 2);
    assert_memory_equal(drift_tokenizer_token_text(t, SPM_BYTE + 0xc3, &len), "\xc3", 2);
    assert_int_equal(len, 1);
    drift_tokenizer_token_text(t, SPM_BYTE, &len); /* a NUL */
    assert_int_equal(len, 1);
    assert_string_equal(drift_tokenizer_token_text(t, SPM_EOS, &len), "</s>");
    assert_string_equal(drift_tokenizer_token_text(t, -1, &len), "");
    assert_string_equal(drift_tokenizer_token_text(t, SPM_N, &len), "");
    assert_int_equal(len, 0);
    drift_tokenizer_destroy(t);
    t = create_bpe("gpt-2");
    assert_string_equal(drift_tokenizer_token_text(t, BPE_SPACE_A, &len), " a");
    assert_string_equal(drift_tokenizer_token_text(t, BPE_E_ACUTE, &len), "\xc3\xa9");
    for (int b = 0; b < 256; b++) {
        const char *text = drift_tokenizer_token_text(t, b, &len);
        assert_int_equal(len, 1);
        assert_int_equal((uint8_t)text[0], b);
    }
    drift_tokenizer_destroy(t);
}

static void test_tokenizer__bpe_merges__by_rank(void **state)
{
    (void)state;
    struct drift_tokenizer *t = create_bpe("gpt-2");
    CHECK(t, "abc", 0, BPE_AB, 'c'); /* "a b" comes before "b c" */
    CHECK(t, "bca", 0, BPE_BC, 'a');
    CHECK(t, "abab", 0, BPE_AB, BPE_AB);
    CHECK(t, "b a", 0, 'b', BPE_SPACE_A);
    CHECK(t, "\xc3\xa9", 0, BPE_E_ACUTE);
    CHECK(t, "cab", 0, 'c', BPE_AB); /* no merge makes "cab" */
    drift_tokenizer_destroy(t);
    t = create_bpe("llama-bpe");
    CHECK(t, "cab", 0, BPE_WHOLE);
    CHECK(t, "cabc", 0, 'c', BPE_AB, 'c');
    drift_tokenizer_destroy(t);
}

static void test_tokenizer__patterns__digits(void **state)
{
    (void)state;
    struct drift_tokenizer *t = create_bpe("gpt-2");
    CHECK(t, "12", 0, BPE_DIGITS);
    CHECK(t, "1212", 0, BPE_DIGITS, BPE_DIGITS);
    drift_tokenizer_destroy(t);
    t = create_bpe("smollm");
    CHECK(t, "12", 0, '1', '2');
    drift_tokenizer_destroy(t);
    t = create_bpe("llama-bpe"); /* threes from the left */
    CHECK(t, "3312", 0, '3', '3', '1', '2');
    CHECK(t, "33312", 0, '3', '3', '3', BPE_DIGITS);
    drift_tokenizer_destroy(t);
    t = create_bpe("qwen2");
    CHECK(t, "12", 0, '1', '2');
    drift_tokenizer_destroy(t);
}

static void test_tokenizer__qwen2__composes_characters(void **state)
{
    (void)state;
    struct drift_tokenizer *t = create_bpe("qwen2");
    CHECK(t, "e\xcc\x81", 0, BPE_E_ACUTE);
    drift_tokenizer_destroy(t);
    t = create_bpe("gpt-2");
    CHECK(t, "e\xcc\x81", 0, 'e', 0xcc, 0x81);
    drift_tokenizer_destroy(t);
}

static void test_tokenizer__invalid_utf8__replacement_character(void **state)
{
    (void)state;
    struct drift_tokenizer *t = create_bpe("gpt-2");
    CHECK(t, "\xff", 0, 0xef, 0xbf, 0xbd);
    CHECK(t, "a\xe2\x82", 0, 'a', 0xef, 0xbf, 0xbd);
    CHECK(t, "\xc3\xa9\x80", 0, BPE_E_ACUTE, 0xef, 0xbf, 0xbd);
    drift_tokenizer_destroy(t);
}

static void test_tokenizer__nul_in_text__is_a_character(void **state)
{
    (void)state;
    struct drift_tokenizer *t = create_bpe("gpt-2");
    CHECK(t, "\0a\0", 0, 0, 'a', 0);
    drift_tokenizer_destroy(t);
}

static void test_tokenizer__limit__output_untouched(void **state)
{
    (void)state;
    struct drift_tokenizer *t = create_bpe("gpt-2");
    struct drift_tokens tokens;
    struct drift_error err;
    drift_tokens_init(&tokens, 5);
    assert_int_equal(drift_tokenizer_encode(t, "xyz", 3, 0, &tokens, &err), DRIFT_STATUS_OK);
    assert_int_equal(drift_tokenizer_encode(t, "xyz", 3, 0, &tokens, &err), DRIFT_STATUS_LIMIT);
    assert_int_equal(tokens.count, 3);
    assert_int_equal(drift_tokenizer_encode(t, "xy", 2, 0, &tokens, &err), DRIFT_STATUS_OK);
    assert_int_equal(tokens.count, 5);
    drift_tokens_fini(&tokens);
    drift_tokenizer_destroy(t);
}

static void check_comes_back(const struct drift_tokenizer *t, const char *unit, size_t count)
{
    struct drift_buf text;
    struct drift_tokens tokens;
    drift_buf_init(&text, DRIFT_TAG_BASE, 1 << 22);
    drift_tokens_init(&tokens, 1 << 22);
    for (size_t n = 0; n < count; n++)
        drift_buf_append_str(&text, unit);
    assert_int_equal(drift_tokenizer_encode(t, text.data, text.len, SPECIAL, &tokens, NULL),
                     DRIFT_STATUS_OK);
    char *back = decode(t, tokens.ids, tokens.count, DRIFT_DECODE_TEXT_START);
    assert_non_null(back);
    if (strcmp(back, text.data) != 0)
        fail_msg("%zu times \"%s\" does not come back", count, unit);
    drift_free(back);
    drift_tokens_fini(&tokens);
    drift_buf_fini(&text);
}

/*
 * Long texts without a word boundary, some long enough to be cut; a quadratic step would run into
 * the time limit.
 */
static void test_tokenizer__long_texts__come_back(void **state)
{
    (void)state;
    static const struct {
        const char *unit;
        size_t count;
    } texts[] = {
        {"a",                1000000},
        {" ",                1000000},
        {"ab",               300000 },
        {"\xc3\xa9",         200000 },
        {" \n",              300000 },
        {"e\xcc\x81",        100000 },
        {"\xcc\x81\xcc\xa3", 100000 },
        {"1",                500000 },
        {"'s",               300000 },
        {"<|im_",            100000 },
        {"<user",            100000 },
        {"\n",               500000 }
    };
    static const char *const pres[] = {"gpt-2", "smollm", "llama-bpe", NULL};
    for (size_t p = 0; p < DRIFT_COUNT_OF(pres); p++) {
        struct drift_tokenizer *t = pres[p] ? create_bpe(pres[p]) : create_spm(1);
        for (size_t i = 0; i < DRIFT_COUNT_OF(texts); i++)
            check_comes_back(t, texts[i].unit, texts[i].count);
        drift_tokenizer_destroy(t);
    }
    /* 100,000 marks on one character: ordering them would take hours, so they stay as they are */
    struct drift_tokenizer *t = create_bpe("qwen2");
    check_comes_back(t, "\xcc\x81\xcc\xa3", 100000);
    drift_tokenizer_destroy(t);
}

static uint64_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

/*
 * Whatever the ids: out never holds a part of a character, and one by one gives what all at once
 * gives.
 */
static void check_random_ids(const struct drift_tokenizer *t, int32_t first_byte, uint32_t flags,
                             uint64_t *random)
{
    int32_t n_tokens = drift_tokenizer_get_info(t)->n_tokens, ids[40];
    struct drift_detokenizer d;
    struct drift_buf out;
    drift_buf_init(&out, DRIFT_TAG_BASE, 1 << 16);
    drift_detokenizer_init(&d, t, flags);
    for (int i = 0; i < 40; i++) {
        /* mostly bytes above 0x7f, which is where characters break; some ids are no tokens */
        uint64_t r = next_random(random);
        bool byte = r >> 8 & 3;
        ids[i] = byte ? first_byte + 0x80 + (int32_t)(r & 0x7f)
                      : (int32_t)(r % (uint64_t)(n_tokens + 4)) - 2;
        drift_detokenizer_push(&d, ids[i], &out);
        assert_true(drift_utf8_is_valid(drift_buf_cstr(&out), out.len));
    }
    drift_detokenizer_flush(&d, &out);
    assert_true(drift_utf8_is_valid(drift_buf_cstr(&out), out.len));
    char *at_once = decode(t, ids, 40, flags);
    assert_string_equal(at_once, drift_buf_cstr(&out));
    drift_free(at_once);
    drift_buf_fini(&out);
}

static void test_detokenizer__any_ids__whole_characters_only(void **state)
{
    (void)state;
    uint64_t random = 7;
    struct drift_tokenizer *spm = create_spm(1), *bpe = create_bpe("gpt-2");
    for (uint32_t round = 0; round < 4000; round++) {
        check_random_ids(spm, SPM_BYTE, round & 3, &random);
        check_random_ids(bpe, 0, round & 3, &random);
    }
    drift_tokenizer_destroy(spm);
    drift_tokenizer_destroy(bpe);
}

static void test_detokenizer__character_in_parts__when_complete(void **state)
{
    (void)state;
    static const int32_t emoji[] = {0xf0, 0x9f, 0x98, 0x80};
    struct drift_tokenizer *t = create_bpe("gpt-2");
    struct drift_detokenizer d;
    struct drift_buf out;
    drift_buf_init(&out, DRIFT_TAG_BASE, 100);
    drift_detokenizer_init(&d, t, 0);
    for (int i = 0; i < 3; i++) {
        drift_detokenizer_push(&d, emoji[i], &out);
        assert_int_equal(out.len, 0);
    }
    drift_detokenizer_push(&d, emoji[3], &out);
    assert_string_equal(drift_buf_cstr(&out), "\xf0\x9f\x98\x80");
    drift_buf_reset(&out);
    /* given up when something else follows, or at the end */
    drift_detokenizer_push(&d, 0xf0, &out);
    drift_detokenizer_push(&d, 0x9f, &out);
    drift_detokenizer_push(&d, 'a', &out);
    assert_string_equal(drift_buf_cstr(&out), "\xef\xbf\xbd"
                                              "a");
    drift_buf_reset(&out);
    drift_detokenizer_push(&d, 0xe2, &out);
    drift_detokenizer_push(&d, BPE_IM_END,
                           &out); /* emits nothing, so the character may still go on */
    drift_detokenizer_push(&d, 0x82, &out);
    assert_int_equal(out.len, 0);
    drift_detokenizer_flush(&d, &out);
    assert_string_equal(drift_buf_cstr(&out), "\xef\xbf\xbd");
    drift_buf_fini(&out);
    drift_tokenizer_destroy(t);
}

static void test_detokenizer__control_tokens__only_when_asked(void **state)
{
    (void)state;
    struct drift_tokenizer *t = create_bpe("gpt-2");
    CHECK_DECODE(t, "ab", 0, 'a', BPE_IM_END, 'b');
    CHECK_DECODE(t, "a<|im_end|>b", DRIFT_DECODE_SPECIAL, 'a', BPE_IM_END, 'b');
    CHECK_DECODE(t, "a<user>", 0, 'a', BPE_USER);
    CHECK_DECODE(t, "", 0, -5, 100000);
    drift_tokenizer_destroy(t);
}

typedef void (*write_fn)(struct gguf_writer *w);

static void no_model(struct gguf_writer *w)
{
    gguf_writer_u32(w, "x", 1);
}

static void no_tokens(struct gguf_writer *w)
{
    gguf_writer_string(w, "tokenizer.ggml.model", "llama");
}

static void empty_tokens(struct gguf_writer *w)
{
    no_tokens(w);
    gguf_writer_strings(w, "tokenizer.ggml.tokens", NULL, 0);
}

static void tokens_are_numbers(struct gguf_writer *w)
{
    no_tokens(w);
    gguf_writer_i32s(w, "tokenizer.ggml.tokens", (const int32_t[]){1, 2}, 2);
}

static void other_model(struct gguf_writer *w)
{
    gguf_writer_string(w, "tokenizer.ggml.model", "rwkv");
}

static void other_pre(struct gguf_writer *w)
{
    small_write_bpe(w, "chameleon");
}

static void one_token(struct gguf_writer *w, const char *model, const char *token, int32_t kind)
{
    gguf_writer_string(w, "tokenizer.ggml.model", model);
    gguf_writer_strings(w, "tokenizer.ggml.tokens", &token, 1);
    gguf_writer_i32s(w, "tokenizer.ggml.token_type", &kind, 1);
}

static void no_scores(struct gguf_writer *w)
{
    one_token(w, "llama", "a", KIND_NORMAL);
}

static void few_scores(struct gguf_writer *w)
{
    no_scores(w);
    gguf_writer_f32s(w, "tokenizer.ggml.scores", NULL, 0);
}

static void nan_score(struct gguf_writer *w)
{
    no_scores(w);
    gguf_writer_array(w, "tokenizer.ggml.scores", GGUF_F32, 1);
    gguf_put(&w->kv, 0x7fc00000u, 4);
}

static void bad_byte(struct gguf_writer *w)
{
    one_token(w, "llama", "<0xG0>", KIND_BYTE);
}

static void kind_7(struct gguf_writer *w)
{
    one_token(w, "llama", "a", 7);
}

static void kind_0(struct gguf_writer *w)
{
    one_token(w, "llama", "a", 0);
}

static void few_kinds(struct gguf_writer *w)
{
    static const char *const tokens[] = {"a", "b"};
    gguf_writer_string(w, "tokenizer.ggml.model", "llama");
    gguf_writer_strings(w, "tokenizer.ggml.tokens", tokens, 2);
    gguf_writer_i32s(w, "tokenizer.ggml.token_type", (const int32_t[]){1}, 1);
}

static void no_pre(struct gguf_writer *w)
{
    one_token(w, "gpt2", "a", KIND_NORMAL);
}

static void no_merges(struct gguf_writer *w)
{
    no_pre(w);
    gguf_writer_string(w, "tokenizer.ggml.pre", "gpt-2");
}

static void merge_of(struct gguf_writer *w, const char *merge)
{
    no_merges(w);
    gguf_writer_strings(w, "tokenizer.ggml.merges", &merge, 1);
}

static void merge_of_strangers(struct gguf_writer *w)
{
    merge_of(w, "a b");
}

static void merge_of_one(struct gguf_writer *w)
{
    merge_of(w, "a");
}

static void eos_outside(struct gguf_writer *w)
{
    small_write_spm(w);
    gguf_writer_u32(w, "tokenizer.ggml.eos_token_id", SPM_N);
}

static void removes_spaces(struct gguf_writer *w)
{
    small_write_spm(w);
    gguf_writer_bool(w, "tokenizer.ggml.remove_extra_whitespaces", 1);
}

static void eos_is_text(struct gguf_writer *w)
{
    small_write_spm(w);
    gguf_writer_string(w, "tokenizer.ggml.eos_token_id", "</s>");
}

static void test_tokenizer__bad_metadata__refused_with_the_reason(void **state)
{
    (void)state;
    static const struct {
        write_fn write;
        enum drift_status status;
        const char *message;
    } bads[] = {
        {no_model,           DRIFT_STATUS_NOT_FOUND,   "tokenizer.ggml.model"       },
        {no_tokens,          DRIFT_STATUS_NOT_FOUND,   "tokenizer.ggml.tokens"      },
        {empty_tokens,       DRIFT_STATUS_CORRUPT,     "empty"                      },
        {tokens_are_numbers, DRIFT_STATUS_CORRUPT,     "expected an array of string"},
        {other_model,        DRIFT_STATUS_UNSUPPORTED, "'rwkv'"                     },
        {other_pre,          DRIFT_STATUS_UNSUPPORTED, "'chameleon'"                },
        {no_scores,          DRIFT_STATUS_NOT_FOUND,   "tokenizer.ggml.scores"      },
        {few_scores,         DRIFT_STATUS_CORRUPT,     "0 scores"                   },
        {nan_score,          DRIFT_STATUS_CORRUPT,     "not a number"               },
        {bad_byte,           DRIFT_STATUS_CORRUPT,     "token 0"                    },
        {kind_7,             DRIFT_STATUS_CORRUPT,     "type 7"                     },
        {kind_0,             DRIFT_STATUS_CORRUPT,     "type 0"                     },
        {few_kinds,          DRIFT_STATUS_CORRUPT,     "1 token types"              },
        {no_pre,             DRIFT_STATUS_UNSUPPORTED, "tokenizer.ggml.pre"         },
        {no_merges,          DRIFT_STATUS_NOT_FOUND,   "tokenizer.ggml.merges"      },
        {merge_of_strangers, DRIFT_STATUS_CORRUPT,     "'a b'"                      },
        {merge_of_one,       DRIFT_STATUS_CORRUPT,     "'a'"                        },
        {eos_outside,        DRIFT_STATUS_CORRUPT,     "tokenizer.ggml.eos_token_id"},
        {eos_is_text,        DRIFT_STATUS_CORRUPT,     "tokenizer.ggml.eos_token_id"},
        {removes_spaces,     DRIFT_STATUS_UNSUPPORTED, "remove_extra_whitespaces"   },
    };
    uint64_t before = drift_alloc_live_bytes(DRIFT_TAG_COUNT);
    for (size_t i = 0; i < DRIFT_COUNT_OF(bads); i++) {
        struct gguf_writer w;
        struct drift_tokenizer *t = NULL;
        struct drift_error err = {0};
        gguf_writer_init(&w);
        bads[i].write(&w);
        enum drift_status status = small_create(&w, &t, &err);
        if (status != bads[i].status || !strstr(err.msg, bads[i].message))
            fail_msg("case %zu: %s, \"%s\"", i, drift_status_name(status), err.msg);
        assert_null(t);
    }
    assert_int_equal(drift_alloc_live_bytes(DRIFT_TAG_COUNT), before);
}

/* The n-th allocation fails, for every n until none does: an error, and nothing kept. */
static void torture(void (*write)(struct gguf_writer *w, const char *pre), const char *pre)
{
    static const char text[] = "abc \xc3\xa9" SP "e\xcc\x81 12<user><|im_end|>\xff xyz";
    uint64_t before = drift_alloc_live_bytes(DRIFT_TAG_COUNT);
    struct drift_buf file;
    struct gguf_writer w;
    int happened = 1;
    gguf_writer_init(&w);
    write(&w, pre);
    drift_buf_init(&file, DRIFT_TAG_BASE, 1 << 20);
    gguf_writer_finish(&w, &file);
    gguf_writer_fini(&w);
    for (uint64_t n = 1; happened; n++) {
        struct drift_gguf *gguf = NULL;
        struct drift_tokenizer *t = NULL;
        struct drift_tokens tokens;
        drift_tokens_init(&tokens, 1000);
        assert_int_equal(drift_gguf_open_memory(file.data, file.len, &gguf, NULL), DRIFT_STATUS_OK);
        drift_alloc_fail_nth(n, 0);
        enum drift_status status = drift_tokenizer_create(gguf, &t, NULL);
        if (status == DRIFT_STATUS_OK)
            status =
                drift_tokenizer_encode(t, text, sizeof(text) - 1, SPECIAL | ENDS, &tokens, NULL);
        happened = drift_alloc_fail_happened();
        drift_alloc_fail_nth(0, 0);
        if (status != DRIFT_STATUS_OK) {
            assert_true(happened);
            assert_int_equal(status, DRIFT_STATUS_NO_MEMORY);
            assert_int_equal(tokens.count, 0);
        }
        drift_tokens_fini(&tokens);
        drift_tokenizer_destroy(t);
        drift_gguf_close(gguf);
    }
    drift_buf_fini(&file);
    assert_int_equal(drift_alloc_live_bytes(DRIFT_TAG_COUNT), before);
}

static void write_spm(struct gguf_writer *w, const char *pre)
{
    (void)pre;
    small_write_spm(w);
}

static void test_tokenizer__allocations_fail__error_and_nothing_kept(void **state)
{
    (void)state;
    torture(write_spm, NULL);
    torture(small_write_bpe, "qwen2");
    torture(small_write_bpe, "llama-bpe");
}

static const char thread_text[] = "abc a<user>b 12 \xc3\xa9 cab\n\n  abab";

struct worker {
    pthread_t thread;
    const struct drift_tokenizer *tokenizer;
    size_t n_wrong;
};

static void *encode_many_times(void *arg)
{
    struct worker *w = arg;
    struct drift_tokens tokens;
    drift_tokens_init(&tokens, 1000);
    for (int i = 0; i < 300; i++) {
        tokens.count = 0;
        if (drift_tokenizer_encode(w->tokenizer, thread_text, sizeof(thread_text) - 1, 0, &tokens,
                                   NULL) != DRIFT_STATUS_OK)
            w->n_wrong++;
        char *text = decode(w->tokenizer, tokens.ids, tokens.count, 0);
        w->n_wrong += !text || strcmp(text, thread_text) != 0;
        drift_free(text);
    }
    drift_tokens_fini(&tokens);
    return NULL;
}

static void test_tokenizer__many_threads__one_tokenizer(void **state)
{
    (void)state;
    struct drift_tokenizer *t = create_bpe("llama-bpe");
    struct worker workers[4];
    for (int i = 0; i < 4; i++) {
        workers[i] = (struct worker){.tokenizer = t};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, encode_many_times, &workers[i]),
                         0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(workers[i].thread, NULL);
        assert_int_equal(workers[i].n_wrong, 0);
    }
    drift_tokenizer_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokenizer__spm_merges__best_score_then_leftmost),
        cmocka_unit_test(test_tokenizer__spm_token_across_space__found),
        cmocka_unit_test(test_tokenizer__spm_unknown_character__its_bytes),
        cmocka_unit_test(test_tokenizer__spm_without_bytes__one_unknown_for_a_run),
        cmocka_unit_test(test_tokenizer__spm_unused_token__only_leads_to_others),
        cmocka_unit_test(test_tokenizer__space_prefix__before_text_and_after_control),
        cmocka_unit_test(test_tokenizer__special_names__tokens_only_when_asked),
        cmocka_unit_test(test_tokenizer__user_defined__cuts_the_text),
        cmocka_unit_test(test_tokenizer__bos_eos__as_the_file_says),
        cmocka_unit_test(test_tokenizer__bos__family_rule_and_its_override),
        cmocka_unit_test(test_tokenizer__ends__by_id_and_by_name),
        cmocka_unit_test(test_tokenizer__token_text__is_the_bytes_it_stands_for),
        cmocka_unit_test(test_tokenizer__bpe_merges__by_rank),
        cmocka_unit_test(test_tokenizer__patterns__digits),
        cmocka_unit_test(test_tokenizer__qwen2__composes_characters),
        cmocka_unit_test(test_tokenizer__invalid_utf8__replacement_character),
        cmocka_unit_test(test_tokenizer__nul_in_text__is_a_character),
        cmocka_unit_test(test_tokenizer__limit__output_untouched),
        cmocka_unit_test(test_tokenizer__long_texts__come_back),
        cmocka_unit_test(test_detokenizer__any_ids__whole_characters_only),
        cmocka_unit_test(test_detokenizer__character_in_parts__when_complete),
        cmocka_unit_test(test_detokenizer__control_tokens__only_when_asked),
        cmocka_unit_test(test_tokenizer__bad_metadata__refused_with_the_reason),
        cmocka_unit_test(test_tokenizer__allocations_fail__error_and_nothing_kept),
        cmocka_unit_test(test_tokenizer__many_threads__one_tokenizer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
