/* sampler.h and rng.h against tests/oracle/make_sampler_cases.py and the published Philox vectors. */
#include "runtime/base/file.h"
#include "runtime/base/json.h"
#include "runtime/sample/rng.h"
#include "runtime/sample/sampler.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <stdint.h>
#include <cmocka.h>

#define MAX_VOCAB 128

static float number(const struct drift_json *object, const char *key)
{
    double v = NAN;
    assert_true(drift_json_double(drift_json_get(object, key), &v));
    return (float)v;
}

static int64_t integer(const struct drift_json *v)
{
    int64_t i = -1;
    assert_true(drift_json_int64(v, &i));
    return i;
}

static struct drift_sampling read_params(const struct drift_json *p, struct drift_logit_bias *bias)
{
    struct drift_sampling s = DRIFT_SAMPLING_DEFAULT;
    s.temperature = number(p, "temperature");
    s.top_k = (int32_t)integer(drift_json_get(p, "top_k"));
    s.top_p = number(p, "top_p");
    s.min_p = number(p, "min_p");
    s.typical_p = number(p, "typical_p");
    s.repetition_penalty = number(p, "repetition_penalty");
    s.frequency_penalty = number(p, "frequency_penalty");
    s.presence_penalty = number(p, "presence_penalty");
    s.penalty_window_tokens = (int32_t)integer(drift_json_get(p, "penalty_window_tokens"));
    const struct drift_json *entry = drift_json_first(drift_json_get(p, "logit_bias"));
    for (; entry; entry = drift_json_next(entry)) {
        const struct drift_json *token = drift_json_first(entry);
        double value = 0;
        assert_true(drift_json_double(drift_json_next(token), &value));
        bias[s.n_logit_bias++] =
            (struct drift_logit_bias){.token = (int32_t)integer(token), .bias = (float)value};
    }
    s.logit_bias = bias;
    return s;
}

static void check_case(const struct drift_json *c, uint32_t n_vocab, struct drift_sampler_scratch *scratch)
{
    struct drift_logit_bias bias[8];
    const struct drift_json *p = drift_json_get(c, "params");
    struct drift_sampling params = read_params(p, bias);
    int32_t prompt[16];
    size_t n_prompt = 0;
    for (const struct drift_json *t = drift_json_first(drift_json_get(c, "prompt")); t;
         t = drift_json_next(t))
        prompt[n_prompt++] = (int32_t)integer(t);
    struct drift_sampler *s;
    assert_int_equal(drift_sampler_create(&params, (uint64_t)integer(drift_json_get(p, "seed")),
                                          (uint32_t)integer(drift_json_get(p, "stream")), n_vocab, prompt,
                                          n_prompt, 8, &s, NULL),
                     DRIFT_STATUS_OK);
    for (const struct drift_json *step = drift_json_first(drift_json_get(c, "steps")); step;
         step = drift_json_next(step)) {
        float logits[MAX_VOCAB];
        size_t n = 0;
        for (const struct drift_json *v = drift_json_first(drift_json_get(step, "logits")); v;
             v = drift_json_next(v)) {
            double d = 0;
            assert_true(drift_json_double(v, &d));
            logits[n++] = (float)d;
        }
        int32_t token = drift_sampler_choose(s, scratch, logits);
        assert_int_equal(token, integer(drift_json_get(step, "token")));
        drift_sampler_accept(s, token);
    }
    drift_sampler_destroy(s);
}

static void test_sampler__independent_implementation__same_tokens(void **state)
{
    (void)state;
    struct drift_buf text;
    drift_buf_init(&text, DRIFT_TAG_BASE, 16u << 20);
    assert_int_equal(drift_file_read(DRIFT_SOURCE_DIR "/tests/data/sampler_cases.json", &text, NULL),
                     DRIFT_STATUS_OK);
    struct drift_json *doc;
    assert_int_equal(drift_json_parse(text.data, text.len, &drift_json_default_limits, &doc, NULL),
                     DRIFT_STATUS_OK);
    uint32_t n_vocab = (uint32_t)integer(drift_json_get(doc, "n_vocab"));
    assert_true(n_vocab <= MAX_VOCAB);
    struct drift_sampler_scratch *scratch;
    assert_int_equal(drift_sampler_scratch_create(n_vocab, &scratch, NULL), DRIFT_STATUS_OK);
    for (const struct drift_json *c = drift_json_first(drift_json_get(doc, "cases")); c;
         c = drift_json_next(c))
        check_case(c, n_vocab, scratch);
    drift_sampler_scratch_destroy(scratch);
    drift_json_destroy(doc);
    drift_buf_fini(&text);
}

static void test_sampler__large_vocabulary__nucleus_equals_sorting(void **state)
{
    (void)state;
    enum { N = 5000 };
    static float logits[N];
    for (int i = 0; i < N; i++) /* flat, with many ties: the nucleus is far longer than one selection */
        logits[i] = (float)((i * 7919) % 97) * 0.01f;
    struct drift_sampling params = DRIFT_SAMPLING_DEFAULT;
    params.top_p = 0.5f;
    struct drift_sampler_scratch *scratch;
    assert_int_equal(drift_sampler_scratch_create(N, &scratch, NULL), DRIFT_STATUS_OK);
    struct drift_sampler *s;
    assert_int_equal(drift_sampler_create(&params, 1, 0, N, NULL, 0, 400, &s, NULL), DRIFT_STATUS_OK);
    double sum = 0, above = 0;
    for (int i = 0; i < N; i++)
        sum += exp((double)logits[i]);
    for (int draw = 0; draw < 400; draw++) {
        int32_t token = drift_sampler_choose(s, scratch, logits);
        drift_sampler_accept(s, token);
        above = 0; /* probability of all that come before it in the order of sorting */
        for (int i = 0; i < N; i++)
            if (logits[i] > logits[token] || (logits[i] == logits[token] && i < token))
                above += exp((double)logits[i]) / sum;
        assert_true(above < 0.5);
    }
    drift_sampler_destroy(s);
    drift_sampler_scratch_destroy(scratch);
}

static void test_sampler__not_a_number__never_chosen(void **state)
{
    (void)state;
    struct drift_sampling params = DRIFT_SAMPLING_DEFAULT;
    struct drift_sampler_scratch *scratch;
    struct drift_sampler *s;
    assert_int_equal(drift_sampler_scratch_create(4, &scratch, NULL), DRIFT_STATUS_OK);
    assert_int_equal(drift_sampler_create(&params, 1, 0, 4, NULL, 0, 4, &s, NULL), DRIFT_STATUS_OK);
    const float some[4] = {NAN, -INFINITY, 2.0f, NAN}, none[4] = {NAN, NAN, -INFINITY, NAN};
    assert_int_equal(drift_sampler_choose(s, scratch, some), 2);
    assert_int_equal(drift_sampler_choose(s, scratch, none), 0);
    drift_sampler_destroy(s);
    drift_sampler_scratch_destroy(scratch);
}

static void test_sampler__bias_outside_vocabulary__refused(void **state)
{
    (void)state;
    const struct drift_logit_bias bias = {.token = 4, .bias = 1};
    struct drift_sampling params = DRIFT_SAMPLING_DEFAULT;
    params.logit_bias = &bias;
    params.n_logit_bias = 1;
    struct drift_sampler *s;
    struct drift_error err;
    assert_int_equal(drift_sampler_create(&params, 1, 0, 4, NULL, 0, 4, &s, &err), DRIFT_STATUS_INVALID);
    assert_non_null(strstr(err.msg, "token 4"));
}

static void test_sampler__logprobs__sum_to_one_and_descend(void **state)
{
    (void)state;
    const float logits[5] = {0.5f, 2.0f, -1.0f, 2.0f, 0.0f};
    int32_t ids[5];
    float values[5];
    float chosen = drift_logprobs(logits, 5, 3, 5, ids, values);
    double sum = 0;
    for (int i = 0; i < 5; i++) {
        sum += exp((double)values[i]);
        assert_true(i == 0 || values[i] <= values[i - 1]);
    }
    assert_true(fabs(sum - 1) < 1e-6);
    assert_int_equal(ids[0], 1); /* the lower id of the tie */
    assert_int_equal(ids[1], 3);
    assert_true(fabsf(chosen - values[1]) < 1e-6f);
}

/* Known answers published with the Random123 library. */
static void test_rng__philox__known_answers(void **state)
{
    (void)state;
    static const struct {
        uint32_t counter[4], key[2], expected[4];
    } vectors[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < DRIFT_COUNT_OF(vectors); i++) {
        uint32_t out[4];
        drift_rng_philox(vectors[i].counter, vectors[i].key, out);
        assert_memory_equal(out, vectors[i].expected, sizeof out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sampler__independent_implementation__same_tokens),
        cmocka_unit_test(test_sampler__large_vocabulary__nucleus_equals_sorting),
        cmocka_unit_test(test_sampler__not_a_number__never_chosen),
        cmocka_unit_test(test_sampler__bias_outside_vocabulary__refused),
        cmocka_unit_test(test_sampler__logprobs__sum_to_one_and_descend),
        cmocka_unit_test(test_rng__philox__known_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
