/*
 * api/template against Python's jinja2: every case in tests/data/template must render to the same
 * bytes, or fail where jinja2 fails. tests/oracle/make_template_cases.py writes the files.
 */
#include "api/template/template.h"
#include "runtime/base/file.h"
#include "tests/unit/unit.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#define FOLDER DRIFT_SOURCE_DIR "/tests/data/template"

static const struct drift_json *element(const struct drift_json *list, int64_t i)
{
    const struct drift_json *v = drift_json_first(list);
    for (; v && i > 0; i--)
        v = drift_json_next(v);
    assert_non_null(v);
    return v;
}

/* The entry of a list of the file that a case's element is the position of. */
static const struct drift_json *referred(const struct drift_json *doc, const char *list,
                                         const struct drift_json *c, int i_element)
{
    int64_t i = 0;
    assert_true(drift_json_int64(element(c, i_element), &i));
    return element(drift_json_get(doc, list), i);
}

/* Returns 0 when the case behaves as recorded; says what is different otherwise. */
static int run_case(const char *file, const struct drift_json *doc, const struct drift_json *c)
{
    const char *source = NULL, *expected = NULL;
    struct drift_template *tmpl = NULL;
    struct drift_template_limits limits = drift_template_default_limits;
    struct drift_error err = {.status = DRIFT_STATUS_OK};
    struct drift_buf out;
    assert_true(drift_json_string(referred(doc, "templates", c, 0), &source));
    drift_json_string(element(c, 2), &expected);
    assert_true(drift_json_int64(drift_json_get(doc, "now"), &limits.now_unix_s));
    drift_buf_init(&out, DRIFT_TAG_API, SIZE_MAX / 2);
    enum drift_status st = drift_template_compile(source, strlen(source), &tmpl, &err);
    if (!st)
        st = drift_template_render(tmpl, referred(doc, "contexts", c, 1), &limits, &out, &err);
    int bad = expected ? st || strcmp(drift_buf_cstr(&out), expected) != 0 : !st;
    if (bad)
        print_error("%s\n  template: %s\n  expected: %s\n  got: %s\n", file, source,
                    expected ? expected : "(an error)", st ? err.msg : drift_buf_cstr(&out));
    if (st) {
        assert_int_equal(err.status, st);
        assert_true(err.msg[0] != '\0');
        assert_int_not_equal(st, DRIFT_STATUS_INTERNAL);
        assert_int_equal(out.len, 0);
    }
    drift_template_destroy(tmpl);
    drift_buf_fini(&out);
    return bad;
}

static int run_file(const char *name, unsigned *n_cases)
{
    char path[1024];
    struct drift_buf text;
    struct drift_json *doc = NULL;
    struct drift_error err;
    int n_bad = 0;
    snprintf(path, sizeof path, "%s/%s", FOLDER, name);
    drift_buf_init(&text, DRIFT_TAG_API, 64u << 20);
    assert_int_equal(drift_file_read(path, &text, &err), DRIFT_STATUS_OK);
    if (drift_json_parse(text.data, text.len, &drift_json_default_limits, &doc, &err))
        fail_msg("%s: %s", name, err.msg);
    const struct drift_json *c = drift_json_first(drift_json_get(doc, "cases"));
    for (; c; c = drift_json_next(c)) {
        n_bad += run_case(name, doc, c);
        ++*n_cases;
    }
    drift_json_destroy(doc);
    drift_buf_fini(&text);
    return n_bad;
}

static void test_cases__all__equal_to_jinja2(void **state)
{
    (void)state;
    DIR *dir = opendir(FOLDER);
    assert_non_null(dir);
    int n_bad = 0;
    unsigned n_cases = 0;
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        size_t len = strlen(e->d_name);
        if (len > 5 && !strcmp(e->d_name + len - 5, ".json"))
            n_bad += run_file(e->d_name, &n_cases);
    }
    closedir(dir);
    assert_true(n_cases > 500);
    if (n_bad)
        fail_msg("%d of %u cases differ", n_bad, n_cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases__all__equal_to_jinja2),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
