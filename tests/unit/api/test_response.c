/* response.h and error.h: the bytes that clients get. */
#include "api/openai/response.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static struct drift_api_reply make_reply(enum drift_api_endpoint endpoint)
{
    struct drift_api_reply reply;
    drift_api_reply_init(&reply, endpoint, "m", "fp_1", 1700000000);
    strcpy(reply.id, "id-1");
    return reply;
}

static const struct drift_api_choice hello = {.text = "h\"i", .n_text = 3};

static void expect(struct drift_buf *out, const char *wanted)
{
    assert_false(out->failed);
    assert_string_equal(drift_buf_cstr(out), wanted);
    drift_buf_fini(out);
}

#define HEAD(object)                                                                               \
    "{\"id\":\"id-1\",\"object\":\"" object                                                        \
    "\",\"created\":1700000000,\"model\":\"m\",\"system_fingerprint\":\"fp_1\",\"choices\":["

static void test_response__ids__differ_and_begin_as_clients_expect(void **state)
{
    (void)state;
    struct drift_api_reply a, b;
    drift_api_reply_init(&a, DRIFT_API_CHAT, "m", "f", 0);
    drift_api_reply_init(&b, DRIFT_API_COMPLETION, "m", "f", 0);
    assert_memory_equal(a.id, "chatcmpl-", 9);
    assert_memory_equal(b.id, "cmpl-", 5);
    assert_string_not_equal(a.id + 9, b.id + 5);
}

static void test_response__chunks__role_then_text_then_reason(void **state)
{
    (void)state;
    struct drift_api_reply reply = make_reply(DRIFT_API_CHAT);
    struct drift_buf out;
    drift_buf_init(&out, DRIFT_TAG_API, 4096);
    drift_api_write_chunk(&out, &reply, &(struct drift_api_choice){.text = "", .is_first = true});
    expect(&out, HEAD("chat.completion.chunk") "{\"index\":0,\"delta\":{\"role\":\"assistant\","
                                               "\"content\":\"\"},\"logprobs\":null,\"finish_"
                                               "reason\":null}]}");
    reply.include_usage = true;
    drift_api_write_chunk(&out, &reply, &hello);
    expect(
        &out,
        HEAD("chat.completion.chunk") "{\"index\":0,\"delta\":{\"content\":\"h\\\"i\"},"
                                      "\"logprobs\":null,\"finish_reason\":null}],\"usage\":null}");
    drift_api_write_chunk(
        &out, &reply,
        &(struct drift_api_choice){.index = 2, .text = "", .finish = DRIFT_API_FINISH_LENGTH});
    expect(&out, HEAD("chat.completion.chunk") "{\"index\":2,\"delta\":{},\"logprobs\":null,"
                                               "\"finish_reason\":\"length\"}],\"usage\":null}");
    const struct drift_api_usage usage = {
        .n_prompt_tokens = 5, .n_cached_tokens = 4, .n_completion_tokens = 2};
    drift_api_write_usage_chunk(&out, &reply, &usage);
    const char *text = drift_buf_cstr(&out);
    assert_non_null(strstr(text, "\"choices\":[]"));
    assert_non_null(strstr(text, "\"prompt_tokens\":5,\"completion_tokens\":2,\"total_tokens\":7"));
    assert_non_null(strstr(text, "\"cached_tokens\":4"));
    drift_buf_fini(&out);
}

static void test_response__text_chunk__has_text_and_no_delta(void **state)
{
    (void)state;
    struct drift_api_reply reply = make_reply(DRIFT_API_COMPLETION);
    struct drift_buf out;
    drift_buf_init(&out, DRIFT_TAG_API, 4096);
    drift_api_write_chunk(&out, &reply, &hello);
    expect(&out, HEAD("text_completion") "{\"index\":0,\"text\":\"h\\\"i\",\"logprobs\":null,"
                                         "\"finish_reason\":null}]}");
}

static void test_response__logprobs__both_shapes(void **state)
{
    (void)state;
    const struct drift_api_logprob lp = {
        .chosen = {.bytes = "\xe2\x82", .len = 2,                 .logprob = -0.5f},
        .top = {{.bytes = "a", .len = 1, .logprob = -0.25f},
                   {.bytes = "b", .len = 1, .logprob = -1}},
        .n_top = 2,
        .text_offset = 3,
    };
    const struct drift_api_choice choice = {
        .text = "", .has_logprobs = true, .logprobs = &lp, .n_logprobs = 1};
    struct drift_api_reply reply = make_reply(DRIFT_API_CHAT);
    struct drift_buf out;
    drift_buf_init(&out, DRIFT_TAG_API, 4096);
    drift_api_write_chunk(&out, &reply, &choice);
    assert_non_null(strstr(drift_buf_cstr(&out), "\"logprob\":-0.5,\"bytes\":[226,130]"));
    assert_non_null(
        strstr(drift_buf_cstr(&out), "\"top_logprobs\":[{\"token\":\"a\",\"logprob\":-0.25"));
    assert_non_null(strstr(drift_buf_cstr(&out), "\"refusal\":null"));
    drift_buf_fini(&out);
    reply = make_reply(DRIFT_API_COMPLETION);
    drift_api_write_chunk(&out, &reply, &choice);
    assert_non_null(strstr(drift_buf_cstr(&out), "\"token_logprobs\":[-0.5]"));
    assert_non_null(strstr(drift_buf_cstr(&out), "\"top_logprobs\":[{\"a\":-0.25,\"b\":-1}]"));
    assert_non_null(strstr(drift_buf_cstr(&out), "\"text_offset\":[3]"));
    drift_buf_fini(&out);
}

static void test_error__object__has_all_four_keys(void **state)
{
    (void)state;
    struct drift_api_error error;
    struct drift_buf out;
    drift_buf_init(&out, DRIFT_TAG_API, 4096);
    assert_false(drift_api_refuse(&error, DRIFT_API_FAILURE_BAD_REQUEST, NULL, "no %s", "JSON"));
    drift_api_write_error(&out, &error);
    expect(&out, "{\"error\":{\"message\":\"no JSON\",\"type\":\"invalid_request_error\","
                 "\"param\":null,\"code\":null}}");
}

/* The codes that clients act on, and that retrying is never proposed where it can't help. */
static void test_error__statuses__follow_the_table(void **state)
{
    (void)state;
    static const struct {
        enum drift_status status;
        unsigned http;
        const char *code;
        enum drift_api_retry retry;
    } cases[] = {
        {DRIFT_STATUS_CONTEXT_LENGTH, 400, "context_length_exceeded", DRIFT_API_RETRY_UNSAID},
        {DRIFT_STATUS_BUSY,           429, "queue_full",              DRIFT_API_RETRY_YES   },
        {DRIFT_STATUS_DEVICE_LOST,    503, "device_lost",             DRIFT_API_RETRY_YES   },
        {DRIFT_STATUS_INTERNAL,       500, "internal_error",          DRIFT_API_RETRY_NO    },
    };
    for (size_t i = 0; i < DRIFT_COUNT_OF(cases); i++) {
        enum drift_api_failure failure = drift_api_failure_of_status(cases[i].status);
        assert_int_equal(drift_api_failure_http_status(failure), cases[i].http);
        assert_string_equal(drift_api_failure_code(failure), cases[i].code);
        assert_int_equal(drift_api_failure_retry(failure), cases[i].retry);
    }
    for (int s = 0; s < DRIFT_STATUS_COUNT; s++)
        assert_true(drift_api_failure_http_status(
                        drift_api_failure_of_status((enum drift_status)s)) >= 400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_response__ids__differ_and_begin_as_clients_expect),
        cmocka_unit_test(test_response__chunks__role_then_text_then_reason),
        cmocka_unit_test(test_response__text_chunk__has_text_and_no_delta),
        cmocka_unit_test(test_response__logprobs__both_shapes),
        cmocka_unit_test(test_error__object__has_all_four_keys),
        cmocka_unit_test(test_error__statuses__follow_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
