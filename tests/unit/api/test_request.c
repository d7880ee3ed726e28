/* request.h: bodies to structs, refusals with the field at fault, and what templates see. */
#include "api/openai/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define CHAT "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"
#define TEXT "{\"model\":\"m\",\"prompt\":\"hi\""

static struct drift_api_request parse(enum drift_api_endpoint endpoint, const char *body)
{
    struct drift_api_request request;
    struct drift_api_error error;
    if (!drift_api_request_parse(endpoint, body, strlen(body), &request, &error))
        fail_msg("%s: %s", body, error.message);
    return request;
}

static void refuse(enum drift_api_endpoint endpoint, const char *body,
                   enum drift_api_failure failure, const char *param)
{
    struct drift_api_request request;
    struct drift_api_error error;
    if (drift_api_request_parse(endpoint, body, strlen(body), &request, &error)) {
        drift_api_request_fini(&request);
        fail_msg("accepted: %s", body);
    }
    if (error.failure != failure || strcmp(error.param, param) != 0)
        fail_msg("%s: failure %d param '%s' message '%s'", body, (int)error.failure, error.param,
                 error.message);
    assert_true(error.message[0] != '\0');
}

static void test_request__nothing_said__defaults(void **state)
{
    (void)state;
    struct drift_api_request r = parse(DRIFT_API_CHAT, CHAT "}");
    assert_string_equal(r.model, "m");
    assert_int_equal(r.n_choices, 1);
    assert_int_equal(r.max_tokens, 0);
    assert_int_equal(r.n_top_logprobs, -1);
    assert_false(r.stream || r.include_usage || r.ignore_eos || r.sampling.has_seed);
    assert_true(r.sampling.temperature == 1.0f && r.sampling.top_p == 1.0f);
    assert_true(r.sampling.repetition_penalty == 1.0f && r.sampling.typical_p == 1.0f);
    drift_api_request_fini(&r);
    r = parse(DRIFT_API_COMPLETION, TEXT "}");
    assert_int_equal(r.max_tokens, DRIFT_API_COMPLETION_TOKENS);
    assert_int_equal(r.n_prompts, 1);
    assert_string_equal(r.prompts[0].text, "hi");
    drift_api_request_fini(&r);
}

static void test_request__null__is_absent(void **state)
{
    (void)state;
    struct drift_api_request r =
        parse(DRIFT_API_CHAT, CHAT ",\"temperature\":null,\"stop\":null,\"n\":null,\"tools\":null,"
                                   "\"max_tokens\":null,\"stream_options\":null,\"seed\":null}");
    assert_int_equal(r.n_choices, 1);
    assert_int_equal(r.n_stops, 0);
    drift_api_request_fini(&r);
}

static void test_request__all_said__all_taken(void **state)
{
    (void)state;
    struct drift_api_request r = parse(
        DRIFT_API_CHAT, CHAT
        ",\"temperature\":0,\"top_p\":0.5,\"top_k\":40,\"min_p\":0.1,\"typical_p\":0.9,"
        "\"frequency_penalty\":-2,\"presence_penalty\":2,\"repeat_penalty\":1.1,\"seed\":-7,"
        "\"stop\":[\"a\",\"bc\"],\"logit_bias\":{\"12\":-100,\"7\":5.5},\"n\":3,\"stream\":true,"
        "\"stream_options\":{\"include_usage\":true,\"include_obfuscation\":false},"
        "\"max_tokens\":5,\"max_completion_tokens\":9,\"logprobs\":true,\"top_logprobs\":20,"
        "\"ignore_eos\":true}");
    assert_true(r.sampling.temperature == 0 && r.sampling.top_p == 0.5f &&
                r.sampling.min_p == 0.1f);
    assert_true(r.sampling.typical_p == 0.9f && r.sampling.repetition_penalty == 1.1f);
    assert_true(r.sampling.frequency_penalty == -2 && r.sampling.presence_penalty == 2);
    assert_int_equal(r.sampling.top_k, 40);
    assert_true(r.sampling.has_seed && r.sampling.seed == (uint64_t)-7);
    assert_int_equal(r.n_stops, 2);
    assert_string_equal(r.stops[1], "bc");
    assert_int_equal(r.sampling.n_logit_bias, 2);
    assert_int_equal(r.sampling.logit_bias[0].token, 12);
    assert_true(r.sampling.logit_bias[1].bias == 5.5f);
    assert_int_equal(r.n_choices, 3);
    assert_int_equal(r.max_tokens, 9); /* the newer name wins */
    assert_int_equal(r.n_top_logprobs, 20);
    assert_true(r.stream && r.include_usage && r.ignore_eos);
    drift_api_request_fini(&r);
}

static void test_request__top_k_minus_one__is_off(void **state)
{
    (void)state;
    struct drift_api_request r = parse(DRIFT_API_CHAT, CHAT ",\"top_k\":-1}");
    assert_int_equal(r.sampling.top_k, 0);
    drift_api_request_fini(&r);
}

static const struct {
    const char *body;
    enum drift_api_failure failure;
    const char *param;
} chat_refusals[] = {
    {"",                                                      DRIFT_API_FAILURE_BAD_REQUEST,   ""                                                         },
    {"[]",                                                    DRIFT_API_FAILURE_BAD_REQUEST,   ""                                                         },
    {CHAT ",\"model\":\"n\"}",                                DRIFT_API_FAILURE_BAD_REQUEST,   ""                                                         }, /* twice: which one? */
    {CHAT ",\"temperature\":NaN}",                            DRIFT_API_FAILURE_BAD_REQUEST,   ""                                                         },
    {CHAT ",\"temperature\":2.0001}",                         DRIFT_API_FAILURE_INVALID_VALUE, "temperature"                                              },
    {CHAT ",\"temperature\":true}",                           DRIFT_API_FAILURE_INVALID_TYPE,  "temperature"                                              },
    {CHAT ",\"typical_p\":0}",                                DRIFT_API_FAILURE_INVALID_VALUE, "typical_p"                                                },
    {CHAT ",\"repetition_penalty\":1e-60}",                   DRIFT_API_FAILURE_INVALID_VALUE, "repetition_penalty"                                       },
    {CHAT ",\"top_k\":-2}",                                   DRIFT_API_FAILURE_INVALID_VALUE, "top_k"                                                    },
    {CHAT ",\"top_k\":3000000000}",                           DRIFT_API_FAILURE_INVALID_VALUE, "top_k"                                                    },
    {CHAT ",\"n\":1.5}",                                      DRIFT_API_FAILURE_INVALID_TYPE,  "n"                                                        },
    {CHAT ",\"seed\":1e17}",                                  DRIFT_API_FAILURE_INVALID_VALUE, "seed"                                                     },
    {CHAT ",\"stop\":\"\"}",                                  DRIFT_API_FAILURE_INVALID_VALUE, "stop"                                                     },
    {CHAT ",\"stop\":[\"a\",{}]}",                            DRIFT_API_FAILURE_INVALID_TYPE,  "stop[1]"                                                  },
    {CHAT ",\"logit_bias\":[]}",                              DRIFT_API_FAILURE_INVALID_TYPE,  "logit_bias"                                               },
    {CHAT ",\"logit_bias\":{\"-1\":0}}",                      DRIFT_API_FAILURE_INVALID_VALUE, "logit_bias.-1"                                            },
    {CHAT ",\"logit_bias\":{\"99999999999\":0}}",             DRIFT_API_FAILURE_INVALID_VALUE,
     "logit_bias.99999999999"                                                                                                                             },
    {CHAT ",\"logprobs\":true,\"top_logprobs\":21}",          DRIFT_API_FAILURE_INVALID_VALUE,
     "top_logprobs"                                                                                                                                       },
    {CHAT ",\"store\":true}",                                 DRIFT_API_FAILURE_UNSUPPORTED,   "store"                                                    },
    {CHAT ",\"audio\":{\"voice\":\"x\"}}",                    DRIFT_API_FAILURE_UNSUPPORTED,   "audio"                                                    },
    {CHAT ",\"modalities\":[\"text\",\"audio\"]}",            DRIFT_API_FAILURE_UNSUPPORTED,   "modalities"                                               },
    {CHAT ",\"tool_choice\":\"required\"}",                   DRIFT_API_FAILURE_UNSUPPORTED,   "tool_choice"                                              },
    {CHAT ",\"tool_choice\":{\"type\":\"function\"}}",        DRIFT_API_FAILURE_UNSUPPORTED,
     "tool_choice"                                                                                                                                        },
    {CHAT ",\"functions\":[{}]}",                             DRIFT_API_FAILURE_UNSUPPORTED,   "functions"                                                },
    {CHAT ",\"prediction\":{\"type\":\"content\"}}",          DRIFT_API_FAILURE_UNSUPPORTED,   "prediction"                                               },
    {CHAT ",\"grammar\":\"root ::= x\"}",                     DRIFT_API_FAILURE_UNSUPPORTED,   "grammar"                                                  },
    {CHAT ",\"response_format\":{\"type\":\"json_schema\"}}", DRIFT_API_FAILURE_UNSUPPORTED,
     "response_format"                                                                                                                                    },
    {CHAT ",\"chat_template_kwargs\":[]}",                    DRIFT_API_FAILURE_INVALID_TYPE,  "chat_template_kwargs"                                     },
    {"{\"messages\":[\"hi\"]}",                               DRIFT_API_FAILURE_INVALID_TYPE,  "messages[0]"                                              },
    {"{\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"function\",\"content\":"
     "\"b\"}]}",                                                        DRIFT_API_FAILURE_INVALID_VALUE,                                                                               "messages[1].role"                                                   },
    {"{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\"}]}]}",
     DRIFT_API_FAILURE_INVALID_TYPE,               "messages[0].content[0].text"                                                                                                                       },
    {"{\"messages\":[{\"role\":\"user\",\"content\":[\"a\"]}]}",                                                       DRIFT_API_FAILURE_INVALID_TYPE,
     "messages[0].content[0]"},
    {"{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":{}}]}",                                                       DRIFT_API_FAILURE_INVALID_TYPE,
     "messages[0].tool_calls"                                                                                                                    },
};

static const struct {
    const char *body;
    enum drift_api_failure failure;
    const char *param;
} text_refusals[] = {
    {"{\"model\":\"m\"}",                   DRIFT_API_FAILURE_MISSING,       "prompt"   },
    {"{\"prompt\":7}",                      DRIFT_API_FAILURE_INVALID_TYPE,  "prompt"   },
    {"{\"prompt\":[]}",                     DRIFT_API_FAILURE_INVALID_VALUE, "prompt"   },
    {"{\"prompt\":[[]]}",                   DRIFT_API_FAILURE_INVALID_VALUE, "prompt[0]"},
    {"{\"prompt\":[1,-1]}",                 DRIFT_API_FAILURE_INVALID_VALUE, "prompt[1]"},
    {"{\"prompt\":[1,\"a\"]}",              DRIFT_API_FAILURE_INVALID_VALUE, "prompt[1]"},
    {"{\"prompt\":[\"a\",1]}",              DRIFT_API_FAILURE_INVALID_TYPE,  "prompt[1]"},
    {"{\"prompt\":[1e12]}",                 DRIFT_API_FAILURE_INVALID_VALUE, "prompt[0]"},
    {TEXT ",\"suffix\":\"end\"}",           DRIFT_API_FAILURE_UNSUPPORTED,   "suffix"   },
    {TEXT ",\"best_of\":3}",                DRIFT_API_FAILURE_UNSUPPORTED,   "best_of"  },
    {TEXT ",\"logprobs\":6}",               DRIFT_API_FAILURE_INVALID_VALUE, "logprobs" },
    {TEXT ",\"logprobs\":true}",            DRIFT_API_FAILURE_INVALID_TYPE,  "logprobs" },
    {TEXT ",\"echo\":true,\"logprobs\":1}", DRIFT_API_FAILURE_UNSUPPORTED,   "logprobs" },
};

static void test_request__bad_fields__refused_by_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < DRIFT_COUNT_OF(chat_refusals); i++)
        refuse(DRIFT_API_CHAT, chat_refusals[i].body, chat_refusals[i].failure,
               chat_refusals[i].param);
    for (size_t i = 0; i < DRIFT_COUNT_OF(text_refusals); i++)
        refuse(DRIFT_API_COMPLETION, text_refusals[i].body, text_refusals[i].failure,
               text_refusals[i].param);
}

static void test_request__prompts_in_every_form__taken(void **state)
{
    (void)state;
    struct drift_api_request r =
        parse(DRIFT_API_COMPLETION, "{\"prompt\":[[1,2],[3]],\"n\":2,\"best_of\":2}");
    assert_int_equal(r.n_prompts, 2);
    assert_null(r.prompts[0].text);
    assert_int_equal(r.prompts[0].n_tokens, 2);
    assert_int_equal(r.prompts[1].tokens[0], 3);
    assert_string_equal(r.model, "");
    drift_api_request_fini(&r);
    r = parse(DRIFT_API_COMPLETION, "{\"prompt\":[5,6,7],\"echo\":true,\"logprobs\":null}");
    assert_int_equal(r.n_prompts, 1);
    assert_int_equal(r.prompts[0].n_tokens, 3);
    assert_true(r.echo);
    drift_api_request_fini(&r);
    r = parse(DRIFT_API_COMPLETION, "{\"prompt\":[\"a\",\"\"],\"logprobs\":0}");
    assert_int_equal(r.n_prompts, 2);
    assert_int_equal(r.n_top_logprobs, 0);
    drift_api_request_fini(&r);
}

static void test_request__messages__roles_parts_and_calls(void **state)
{
    (void)state;
    struct drift_api_request r = parse(
        DRIFT_API_CHAT,
        "{\"messages\":[{\"role\":\"developer\",\"content\":\"d\"},{\"role\":\"user\",\"name\":"
        "\"bob\","
        "\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"text\",\"text\":\"b\"}]},"
        "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"1\"}]},"
        "{\"role\":\"tool\",\"tool_call_id\":\"1\",\"content\":\"42\"}],"
        "\"chat_template_kwargs\":{\"x\":1,\"messages\":\"mine\",\"bos_token\":\"mine\"},"
        "\"enable_thinking\":false}");
    assert_int_equal(r.messages[0].role, DRIFT_API_ROLE_SYSTEM);
    assert_string_equal(r.messages[1].content, "ab");
    struct drift_buf out;
    drift_buf_init(&out, DRIFT_TAG_API, 1u << 16);
    drift_api_write_template_context(&out, &r, "<s>", "</s>");
    assert_string_equal(
        drift_buf_cstr(&out),
        "{\"messages\":[{\"role\":\"system\",\"content\":\"d\"},"
        "{\"role\":\"user\",\"content\":\"ab\",\"name\":\"bob\"},"
        "{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{\"id\":\"1\"}]},"
        "{\"role\":\"tool\",\"content\":\"42\",\"tool_call_id\":\"1\"}],"
        "\"add_generation_prompt\":true,\"bos_token\":\"<s>\",\"eos_token\":\"</s>\","
        "\"enable_thinking\":false,\"x\":1}");
    drift_buf_fini(&out);
    drift_api_request_fini(&r);
}

/* Whatever allocation fails, the refusal says so and nothing is left behind. */
static void test_request__any_allocation_fails__refused_without_leak(void **state)
{
    (void)state;
    static const char body[] = CHAT ",\"stop\":[\"a\",\"b\"],\"logit_bias\":{\"1\":2},\"seed\":3}";
    uint64_t before = drift_alloc_live_bytes(DRIFT_TAG_COUNT);
    for (uint64_t n = 1; n < 1000; n++) {
        struct drift_api_request request;
        struct drift_api_error error;
        drift_alloc_fail_nth(n, 0);
        bool ok = drift_api_request_parse(DRIFT_API_CHAT, body, sizeof body - 1, &request, &error);
        bool happened = drift_alloc_fail_happened();
        drift_alloc_fail_nth(0, 0);
        if (ok)
            drift_api_request_fini(&request);
        else
            assert_int_equal(error.failure, DRIFT_API_FAILURE_OUT_OF_MEMORY);
        assert_int_equal(drift_alloc_live_bytes(DRIFT_TAG_COUNT), before);
        if (!happened) {
            assert_true(ok && n > 3);
            return;
        }
    }
    fail_msg("it never ends");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request__nothing_said__defaults),
        cmocka_unit_test(test_request__null__is_absent),
        cmocka_unit_test(test_request__all_said__all_taken),
        cmocka_unit_test(test_request__top_k_minus_one__is_off),
        cmocka_unit_test(test_request__bad_fields__refused_by_name),
        cmocka_unit_test(test_request__prompts_in_every_form__taken),
        cmocka_unit_test(test_request__messages__roles_parts_and_calls),
        cmocka_unit_test(test_request__any_allocation_fails__refused_without_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
