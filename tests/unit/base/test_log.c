/* log.h: what arrives on stderr, also from several threads. */
#include "runtime/base/log.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define N_THREADS 4
#define N_LINES   500

static FILE *captured;
static int real_stderr;

/* Everything between begin and end goes to a temporary file instead of stderr. */
static void capture_begin(void)
{
    captured = tmpfile();
    assert_non_null(captured);
    real_stderr = dup(STDERR_FILENO);
    /* Append: as with a terminal or a pipe, the kernel places each write whole. */
    char name[64];
    snprintf(name, sizeof name, "/proc/self/fd/%d", fileno(captured));
    assert_non_null(freopen(name, "a", stderr));
}

static char *capture_end(void)
{
    static char text[1u << 18];
    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    rewind(captured);
    text[fread(text, 1, sizeof text - 1, captured)] = '\0';
    fclose(captured);
    return text;
}

static void test_log__line__has_level_component_and_text(void **state)
{
    (void)state;
    drift_log_configure(DRIFT_LOG_INFO, false);
    capture_begin();
    drift_log(DRIFT_LOG_WARN, "engine", "queue full n_waiting=%d", 8);
    assert_string_equal(capture_end(), "warn engine queue full n_waiting=8\n");
}

static void test_log__threshold__hides_what_is_less_important(void **state)
{
    (void)state;
    drift_log_configure(DRIFT_LOG_WARN, false);
    assert_true(drift_log_enabled(DRIFT_LOG_ERROR));
    assert_true(drift_log_enabled(DRIFT_LOG_WARN));
    assert_false(drift_log_enabled(DRIFT_LOG_INFO));
    capture_begin();
    drift_log(DRIFT_LOG_INFO, "a", "hidden");
    drift_log(DRIFT_LOG_DEBUG, "a", "hidden");
    drift_log(DRIFT_LOG_ERROR, "a", "shown");
    assert_string_equal(capture_end(), "error a shown\n");
    drift_log_configure(DRIFT_LOG_INFO, false);
}

static void test_log__journald__gets_priorities(void **state)
{
    (void)state;
    drift_log_configure(DRIFT_LOG_DEBUG, true);
    capture_begin();
    for (int level = 0; level < DRIFT_LOG_LEVEL_COUNT; level++)
        drift_log((enum drift_log_level)level, "c", "t");
    assert_string_equal(capture_end(), "<3>error c t\n<4>warn c t\n<6>info c t\n<7>debug c t\n");
    drift_log_configure(DRIFT_LOG_INFO, false);
}

static void test_log__hostile_text__cannot_forge_lines_or_drive_a_terminal(void **state)
{
    (void)state;
    capture_begin();
    errno = EAGAIN;
    drift_log(DRIFT_LOG_INFO, "http", "model=%s",
              "x\nerror http fake\x1b[2J\x7f\xC2\x9B\xFF \xC3\xA4");
    assert_int_equal(errno, EAGAIN);
    assert_string_equal(capture_end(), "info http model=x\\x0aerror http "
                                       "fake\\x1b[2J\\x7f\\xc2\\x9b\\xff \xC3\xA4\n");
}

static void test_log__long_text__cut_to_one_line_of_2000_bytes(void **state)
{
    (void)state;
    char text[5000];
    for (size_t i = 0; i + 2 < sizeof text; i += 2)
        memcpy(text + i, "\xC3\xA4", 3);
    for (int shift = 0; shift < 2; shift++) {
        capture_begin();
        drift_log(DRIFT_LOG_INFO, shift ? "ab" : "a", "%s", text);
        const char *line = capture_end();
        size_t len = strlen(line);
        assert_true(len > 1990 && len <= 2000);
        assert_int_equal(line[len - 1], '\n');
        assert_int_equal((unsigned char)line[len - 2], 0xA4); /* no character is cut in two */
    }
    memset(text, '\n', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    capture_begin();
    drift_log(DRIFT_LOG_INFO, "a", "%s", text);
    const char *line = capture_end();
    assert_true(strlen(line) <= 2000);
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
}

static void test_log__level_names__read_back(void **state)
{
    (void)state;
    enum drift_log_level level = DRIFT_LOG_DEBUG;
    for (int i = 0; i < DRIFT_LOG_LEVEL_COUNT; i++) {
        assert_true(drift_log_level_parse(drift_log_level_name((enum drift_log_level)i), &level));
        assert_int_equal(level, i);
    }
    assert_false(drift_log_level_parse("warning", &level));
    assert_false(drift_log_level_parse("", &level));
    assert_int_equal(level, DRIFT_LOG_DEBUG);
}

static void *log_many(void *arg)
{
    for (int i = 0; i < N_LINES; i++)
        drift_log(DRIFT_LOG_INFO, "thread", "%s %04d xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx end",
                  (const char *)arg, i);
    return NULL;
}

static void test_log__many_threads__lines_stay_whole(void **state)
{
    (void)state;
    static char names[N_THREADS][2] = {"a", "b", "c", "d"};
    pthread_t threads[N_THREADS];
    capture_begin();
    for (int i = 0; i < N_THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, log_many, names[i]), 0);
    for (int i = 0; i < N_THREADS; i++)
        pthread_join(threads[i], NULL);
    int next[N_THREADS] = {0}, n_lines = 0;
    char *rest = NULL;
    for (char *line = strtok_r(capture_end(), "\n", &rest); line;
         line = strtok_r(NULL, "\n", &rest)) {
        char name, expected[100];
        assert_int_equal(sscanf(line, "info thread %c", &name), 1);
        assert_true(name >= 'a' && name < 'a' + N_THREADS);
        snprintf(expected, sizeof expected,
                 "info thread %c %04d xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx end", name,
                 next[name - 'a']++);
        assert_string_equal(line, expected);
        n_lines++;
    }
    assert_int_equal(n_lines, N_THREADS * N_LINES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log__line__has_level_component_and_text),
        cmocka_unit_test(test_log__threshold__hides_what_is_less_important),
        cmocka_unit_test(test_log__journald__gets_priorities),
        cmocka_unit_test(test_log__hostile_text__cannot_forge_lines_or_drive_a_terminal),
        cmocka_unit_test(test_log__long_text__cut_to_one_line_of_2000_bytes),
        cmocka_unit_test(test_log__level_names__read_back),
        cmocka_unit_test(test_log__many_threads__lines_stay_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
