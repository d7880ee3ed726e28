/* api/template/template.h: errors, limits, what a template reads, failing allocations, threads. */
#include "api/template/template.h"
#include "tests/unit/torture.h"
#include "tests/unit/unit.h"

#include <pthread.h>
#include <string.h>

struct outcome {
    enum drift_status status;
    struct drift_error err;
    char text[512];
};

static struct drift_json *parse_json(const char *text)
{
    struct drift_json *doc = NULL;
    struct drift_error err;
    if (drift_json_parse(text, strlen(text), &drift_json_default_limits, &doc, &err))
        fail_msg("context: %s", err.msg);
    return doc;
}

/* Compile and render; context is JSON text. */
static struct outcome render(const char *source, const char *context,
                             const struct drift_template_limits *limits)
{
    struct outcome o = {.status = DRIFT_STATUS_OK};
    struct drift_template *tmpl = NULL;
    struct drift_buf out;
    struct drift_json *doc = context ? parse_json(context) : NULL;
    drift_buf_init(&out, DRIFT_TAG_API, 1u << 30);
    drift_buf_append_str(&out, "kept");
    o.status = drift_template_compile(source, strlen(source), &tmpl, &o.err);
    if (!o.status)
        o.status = drift_template_render(tmpl, doc, limits, &out, &o.err);
    if (o.status)
        assert_string_equal(drift_buf_cstr(&out), "kept");
    else if (out.len - 4 < sizeof o.text)
        strcpy(o.text, drift_buf_cstr(&out) + 4);
    drift_template_destroy(tmpl);
    drift_json_destroy(doc);
    drift_buf_fini(&out);
    return o;
}

static void assert_refused(const char *source, const struct drift_template_limits *limits,
                           enum drift_status status, const char *message)
{
    struct outcome o = render(source, "{}", limits);
    if (o.status != status || !strstr(o.err.msg, message))
        fail_msg("%.60s: got %s, \"%s\"", source, drift_status_name(o.status), o.err.msg);
    assert_int_equal(o.err.status, status);
}

static void test_template__raise_exception__message_alone(void **state)
{
    (void)state;
    struct outcome o = render("{{ raise_exception('roles must ' ~ 'alternate') }}", NULL, NULL);
    assert_int_equal(o.status, DRIFT_STATUS_INVALID);
    assert_string_equal(o.err.msg, "roles must alternate");
}

static void test_template__errors__say_line_and_cause(void **state)
{
    (void)state;
    assert_refused("a\n{{ 1 + }}", NULL, DRIFT_STATUS_CORRUPT, "line 2: expected an expression");
    assert_refused("\n\n{% if x %}", NULL, DRIFT_STATUS_CORRUPT, "line 3:");
    assert_refused("{{ 'x }}", NULL, DRIFT_STATUS_CORRUPT, "closing quote");
    assert_refused("\xff", NULL, DRIFT_STATUS_CORRUPT, "UTF-8");
    assert_refused("{{ x.y }}", NULL, DRIFT_STATUS_INVALID, "line 1: 'x' is undefined");
    assert_refused("{{ {}.a.b }}", NULL, DRIFT_STATUS_INVALID, "no attribute or item 'a'");
    assert_refused("\n{{ 'a' + 1 }}", NULL, DRIFT_STATUS_INVALID, "line 2: 'str' + 'int'");
    assert_refused("{{ 1|nope }}", NULL, DRIFT_STATUS_UNSUPPORTED, "no filter 'nope'");
    assert_refused("{{ 1 is nope }}", NULL, DRIFT_STATUS_UNSUPPORTED, "no test 'nope'");
    assert_refused("{% include 'x' %}", NULL, DRIFT_STATUS_UNSUPPORTED, "'include'");
    assert_refused("{% for x in [] recursive %}{% endfor %}", NULL, DRIFT_STATUS_UNSUPPORTED,
                   "recursive");
    assert_refused("{{ 9223372036854775807 + 1 }}", NULL, DRIFT_STATUS_UNSUPPORTED, "64 bits");
    assert_refused("{{ 99999999999999999999 }}", NULL, DRIFT_STATUS_UNSUPPORTED, "64 bits");
    assert_int_equal(render("{{ 1 }}", "[]", NULL).status, DRIFT_STATUS_INVALID);
}

static void test_template__budgets__end_what_would_not_end(void **state)
{
    (void)state;
    struct drift_template_limits l = drift_template_default_limits;
    const char *loops =
        "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}";
    assert_refused(loops, NULL, DRIFT_STATUS_LIMIT, "steps");
    assert_refused("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", NULL, DRIFT_STATUS_LIMIT,
                   "deeper");
    assert_refused("{% set ns = namespace(x=1) %}{% for i in range(5000) %}"
                   "{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}",
                   NULL, DRIFT_STATUS_LIMIT, "deeper");
    assert_refused("{% set ns = namespace() %}{% set ns.x = ns %}{{ ns }}", NULL,
                   DRIFT_STATUS_LIMIT, "deeper");
    assert_refused("{{ 'a' * 1000000000 }}", NULL, DRIFT_STATUS_LIMIT, "");
    assert_refused("{{ [0] * 1000000000 }}", NULL, DRIFT_STATUS_LIMIT, "");
    assert_refused("{{ '%999999999d' % 1 }}", NULL, DRIFT_STATUS_LIMIT, "");
    assert_refused("{% set ns = namespace(x='ab') %}{% for i in range(99) %}"
                   "{% set ns.x = ns.x + ns.x %}{% endfor %}",
                   NULL, DRIFT_STATUS_LIMIT, "");
    l.max_output_bytes = 10;
    assert_refused("{{ 'a' * 11 }}", &l, DRIFT_STATUS_LIMIT, "output");
    assert_int_equal(render("{{ 'a' * 10 }}", NULL, &l).status, DRIFT_STATUS_OK);
    l.max_memory_bytes = 10000;
    assert_refused("{% set x = 'a' * 20000 %}", &l, DRIFT_STATUS_LIMIT, "bytes");
}

/* Repeats part n times between head and tail, compiles, and expects LIMIT. */
static void assert_too_large(const char *head, const char *part, size_t n, const char *tail)
{
    struct drift_buf text;
    struct drift_error err;
    struct drift_template *tmpl = NULL;
    drift_buf_init(&text, DRIFT_TAG_API, 64u << 20);
    drift_buf_append_str(&text, head);
    for (size_t i = 0; i < n; i++)
        drift_buf_append_str(&text, part);
    drift_buf_append_str(&text, tail);
    assert_int_equal(drift_template_compile(text.data, text.len, &tmpl, &err), DRIFT_STATUS_LIMIT);
    assert_null(tmpl);
    drift_buf_fini(&text);
}

static void test_template__source__bounded_in_size_and_depth(void **state)
{
    (void)state;
    assert_too_large("", "0123456789", DRIFT_TEMPLATE_MAX_SOURCE_BYTES / 10 + 1, "");
    assert_too_large("{{ ", "(", 1000, "");
    assert_too_large("{{ ", "[", 1000, "");
    assert_too_large("{{ ", "not ", 1000, "1 }}");
    assert_too_large("{{ ", "-", 1000, "1 }}");
    assert_too_large("", "{% if 1 %}", 1000, "");
    assert_too_large("{{ 1 ", "if 1 else 1 ", 1000, "}}");
    assert_too_large("{{ 1 ", "+ 1 ", 10000, "}}");
    assert_too_large("{{ x", ".x", 10000, "}}");
    assert_too_large("{{ x", "|upper", 10000, "}}");
    assert_too_large("", "{{1}}", DRIFT_TEMPLATE_MAX_SOURCE_BYTES / 5, "");
}

static void test_template__reads__names_of_the_context(void **state)
{
    (void)state;
    static const char source[] = "{% set a = b %}{{ a }}{% for m in messages %}{{ m.c }}{{ d }}"
                                 "{% endfor %}{% macro f(x) %}{{ x }}{{ e }}{% endmacro %}"
                                 "{% if tools is defined %}{% endif %}";
    static const char *const read[] = {"b", "messages", "d", "e", "tools"};
    static const char *const not_read[] = {"a", "m", "c", "x", "f", "loop", "nope", ""};
    struct drift_template *tmpl = NULL;
    assert_int_equal(drift_template_compile(source, sizeof source - 1, &tmpl, NULL),
                     DRIFT_STATUS_OK);
    for (size_t i = 0; i < DRIFT_COUNT_OF(read); i++)
        assert_true(drift_template_reads(tmpl, read[i]));
    for (size_t i = 0; i < DRIFT_COUNT_OF(not_read); i++)
        assert_false(drift_template_reads(tmpl, not_read[i]));
    drift_template_destroy(tmpl);
    drift_template_destroy(NULL);
}

static void test_template__strftime_now__shows_the_given_second(void **state)
{
    (void)state;
    static const struct {
        int64_t now;
        const char *expected;
    } cases[] = {
        {0,            "1970-01-01 00:00:00 Thu 001"},
        {951782400,    "2000-02-29 00:00:00 Tue 060"},
        {4102444799,   "2099-12-31 23:59:59 Thu 365"},
        {-1,           "1969-12-31 23:59:59 Wed 365"},
        {-62135596800, "1-01-01 00:00:00 Mon 001"   },
        {253402300799, "9999-12-31 23:59:59 Fri 365"}
    };
    for (size_t i = 0; i < DRIFT_COUNT_OF(cases); i++) {
        struct drift_template_limits l = drift_template_default_limits;
        l.now_unix_s = cases[i].now;
        struct outcome o = render("{{ strftime_now('%Y-%m-%d %H:%M:%S %a %j') }}", NULL, &l);
        assert_string_equal(o.text, cases[i].expected);
    }
}

static void test_template__long_joins__do_not_copy_again_and_again(void **state)
{
    (void)state;
    /* 20,000 joins of a growing text would move 2 GB; the step budget allows a quarter of that */
    const char *source = "{% set ns = namespace(t='', l=[]) %}{% for i in range(20000) %}"
                         "{% set ns.t = ns.t + ('0123' ~ '456789') %}{% set ns.l = ns.l + [i] %}"
                         "{% endfor %}{{ ns.t|length }} {{ ns.l|length }} {{ ns.t[-3:] }}";
    struct outcome o = render(source, NULL, NULL);
    assert_string_equal(o.err.msg, "");
    assert_string_equal(o.text, "200000 20000 789");
}

static const char all_source[] =
    "{%- macro f(a, b=[1, 2]) %}{{ a }}{{ b|join(',') }}{{ caller() if caller }}{% endmacro %}"
    "{% set ns = namespace(t='') %}{% for m in messages if m.role != 'x' %}"
    "{% set ns.t = ns.t ~ m.role ~ loop.length %}{{ f(m.content|upper, b=[loop.index]) }}"
    "{% endfor %}{% call f(1) %}{{ ns.t }}{% endcall %}{% set c %}x{{ {'a': 1}|tojson }}{% endset "
    "%}"
    "{{ c ~ messages|map(attribute='role')|unique|list ~ '%05.1f'|format(2.5) ~ 'a,b'.split(',') }}"
    "{{ messages|groupby('role') }}{{ messages[::-1]|sort(attribute='content')|first }}"
    "{{ 'st' 'ring' }}{% filter replace('a', 'bb') %}aa{% endfilter %}{{ dict(a=1, **{'b': 2}) }}";
static const char all_context[] =
    "{\"messages\":[{\"role\":\"user\",\"content\":\"h\\u00e9\"},{\"role\":\"bot\",\"content\":"
    "\"\"}],"
    "\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5,\"f\":6,\"g\":7,\"h\":8}";

static enum drift_status compile_and_render(void *ctx)
{
    struct drift_template *tmpl = NULL;
    struct drift_buf out;
    drift_buf_init(&out, DRIFT_TAG_API, 1u << 20);
    enum drift_status st = drift_template_compile(all_source, sizeof all_source - 1, &tmpl, NULL);
    if (!st)
        st = drift_template_render(tmpl, ctx, NULL, &out, NULL);
    drift_template_destroy(tmpl);
    drift_buf_fini(&out);
    return st;
}

static void test_template__failing_allocations__are_no_memory(void **state)
{
    (void)state;
    struct drift_json *context = parse_json(all_context);
    assert_true(drift_torture(compile_and_render, context, 0) > 8);
    assert_true(drift_torture(compile_and_render, context, 1) > 8);
    drift_json_destroy(context);
}

struct shared {
    const struct drift_template *tmpl;
    const struct drift_json *context;
    const char *expected;
    int n_wrong;
};

static void *render_often(void *arg)
{
    struct shared *s = arg;
    for (int i = 0; i < 200; i++) {
        struct drift_buf out;
        drift_buf_init(&out, DRIFT_TAG_API, 1u << 20);
        enum drift_status st = drift_template_render(s->tmpl, s->context, NULL, &out, NULL);
        s->n_wrong += st || (s->expected && strcmp(drift_buf_cstr(&out), s->expected) != 0);
        drift_buf_fini(&out);
    }
    return NULL;
}

static void test_template__concurrent_renders__agree(void **state)
{
    (void)state;
    struct drift_template *tmpl = NULL;
    struct drift_json *context = parse_json(all_context);
    struct drift_buf out;
    drift_buf_init(&out, DRIFT_TAG_API, 1u << 20);
    assert_int_equal(drift_template_compile(all_source, sizeof all_source - 1, &tmpl, NULL),
                     DRIFT_STATUS_OK);
    assert_int_equal(drift_template_render(tmpl, context, NULL, &out, NULL), DRIFT_STATUS_OK);
    pthread_t threads[4];
    struct shared shared[4];
    for (int i = 0; i < 4; i++) {
        shared[i] = (struct shared){tmpl, context, out.data, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, render_often, &shared[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(shared[i].n_wrong, 0);
    }
    drift_buf_fini(&out);
    drift_template_destroy(tmpl);
    drift_json_destroy(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_template__raise_exception__message_alone),
        cmocka_unit_test(test_template__errors__say_line_and_cause),
        cmocka_unit_test(test_template__budgets__end_what_would_not_end),
        cmocka_unit_test(test_template__source__bounded_in_size_and_depth),
        cmocka_unit_test(test_template__reads__names_of_the_context),
        cmocka_unit_test(test_template__strftime_now__shows_the_given_second),
        cmocka_unit_test(test_template__long_joins__do_not_copy_again_and_again),
        cmocka_unit_test(test_template__failing_allocations__are_no_memory),
        cmocka_unit_test(test_template__concurrent_renders__agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
