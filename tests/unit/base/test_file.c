/* file.h: mapping, bounded reading, and replacement that readers never see half done. */
#include "runtime/base/file.h"
#include "tests/unit/torture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define N_REPLACEMENTS 300
#define N_READS        300
#define BLOCK_BYTES    50000u

static char folder[64], path[128];

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/drift-test-file-XXXXXX");
    if (!mkdtemp(folder))
        return 1;
    snprintf(path, sizeof path, "%s/file", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder); /* fails when a temporary file was left behind */
}

static int count_files(void)
{
    int n = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
        n += entry->d_name[0] != '.';
    closedir(dir);
    return n;
}

static void write_file(const void *data, size_t len)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

static void test_file__map__shows_the_bytes_and_survives_a_drop(void **state)
{
    (void)state;
    static char data[40001];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (char)(i * 7);
    write_file(data, sizeof data);
    struct drift_file_map map;
    assert_int_equal(drift_file_map_open(&map, path, NULL), DRIFT_STATUS_OK);
    assert_int_equal(map.size_bytes, sizeof data);
    assert_memory_equal(map.data, data, sizeof data);
    drift_file_map_drop(&map, 0, map.size_bytes);
    drift_file_map_drop(&map, 5000, 10000);
    drift_file_map_drop(&map, 1, UINT64_MAX);
    drift_file_map_drop(&map, UINT64_MAX, 1);
    assert_memory_equal(map.data, data, sizeof data);
    drift_file_map_close(&map);
    assert_null(map.data);
    drift_file_map_close(&map);
}

static void test_file__map_of_empty_file__has_no_bytes(void **state)
{
    (void)state;
    write_file("", 0);
    struct drift_file_map map;
    assert_int_equal(drift_file_map_open(&map, path, NULL), DRIFT_STATUS_OK);
    assert_null(map.data);
    assert_int_equal(map.size_bytes, 0);
    drift_file_map_drop(&map, 0, 1);
    drift_file_map_close(&map);
}

static void test_file__map_of_what_is_no_file__refused_without_blocking(void **state)
{
    (void)state;
    struct drift_file_map map = {.size_bytes = 77};
    struct drift_error err;
    assert_int_equal(drift_file_map_open(&map, "/nonexistent/x", &err), DRIFT_STATUS_NOT_FOUND);
    assert_int_equal(err.native, ENOENT);
    assert_non_null(strstr(err.msg, "/nonexistent/x"));
    assert_int_equal(drift_file_map_open(&map, folder, &err), DRIFT_STATUS_UNSUPPORTED);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(drift_file_map_open(&map, path, &err), DRIFT_STATUS_UNSUPPORTED);
    assert_int_equal(map.size_bytes, 77);
    unlink(path);
}

static void test_file__read__appends_up_to_the_cap(void **state)
{
    (void)state;
    static char data[100000];
    memset(data, 'x', sizeof data);
    write_file(data, sizeof data);
    struct drift_buf buf;
    struct drift_error err;
    drift_buf_init(&buf, DRIFT_TAG_BASE, sizeof data + 3);
    drift_buf_append_str(&buf, "abc");
    assert_int_equal(drift_file_read(path, &buf, &err), DRIFT_STATUS_OK);
    assert_int_equal(buf.len, sizeof data + 3);
    assert_memory_equal(buf.data, "abcxxx", 6);
    drift_buf_reset(&buf);
    drift_buf_append_str(&buf, "abcd");
    assert_int_equal(drift_file_read(path, &buf, &err), DRIFT_STATUS_LIMIT);
    assert_string_equal(drift_buf_cstr(&buf), "abcd"); /* as it was */
    assert_false(buf.failed);
    assert_int_equal(drift_file_read("/nonexistent/x", &buf, &err), DRIFT_STATUS_NOT_FOUND);
    assert_int_equal(drift_file_read(folder, &buf, &err), DRIFT_STATUS_IO);
    assert_int_equal(err.native, EISDIR);
    drift_buf_fini(&buf);
}

static void test_file__replace__new_contents_and_no_leftovers(void **state)
{
    (void)state;
    struct drift_buf buf;
    drift_buf_init(&buf, DRIFT_TAG_BASE, 1000);
    assert_int_equal(drift_file_replace(path, "one", 3, NULL), DRIFT_STATUS_OK);
    assert_int_equal(drift_file_replace(path, "second", 6, NULL), DRIFT_STATUS_OK);
    assert_int_equal(drift_file_read(path, &buf, NULL), DRIFT_STATUS_OK);
    assert_string_equal(drift_buf_cstr(&buf), "second");
    assert_int_equal(drift_file_replace(path, NULL, 0, NULL), DRIFT_STATUS_OK);
    drift_buf_reset(&buf);
    assert_int_equal(drift_file_read(path, &buf, NULL), DRIFT_STATUS_OK);
    assert_int_equal(buf.len, 0);
    assert_int_equal(count_files(), 1);
    drift_buf_fini(&buf);
}

static void test_file__failing_replace__keeps_the_old_file(void **state)
{
    (void)state;
    static char large[200000];
    struct drift_error err;
    write_file("old", 3);
    assert_int_equal(drift_file_replace("/nonexistent/x", "a", 1, &err), DRIFT_STATUS_NOT_FOUND);
    assert_int_equal(drift_file_replace(folder, "a", 1, &err), DRIFT_STATUS_IO);

    /* A write that stops half way, as on a full disk. */
    struct rlimit old_limit, limit;
    void (*old_handler)(int) = signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old_limit);
    limit = (struct rlimit){.rlim_cur = 100000, .rlim_max = old_limit.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
    enum drift_status status = drift_file_replace(path, large, sizeof large, &err);
    setrlimit(RLIMIT_FSIZE, &old_limit);
    signal(SIGXFSZ, old_handler);
    assert_int_equal(status, DRIFT_STATUS_IO);
    assert_int_equal(err.native, EFBIG);

    struct drift_buf buf;
    drift_buf_init(&buf, DRIFT_TAG_BASE, 1000);
    assert_int_equal(drift_file_read(path, &buf, NULL), DRIFT_STATUS_OK);
    assert_string_equal(drift_buf_cstr(&buf), "old");
    assert_int_equal(count_files(), 1);
    drift_buf_fini(&buf);
}

static atomic_bool stop_writing;

/* Turns the file from all a's to all b's and back, of changing length. */
static void *replace_often(void *arg)
{
    static char block[BLOCK_BYTES];
    for (unsigned i = 0; i < N_REPLACEMENTS && !atomic_load(&stop_writing); i++) {
        memset(block, i % 2 ? 'a' : 'b', sizeof block);
        if (drift_file_replace(path, block, BLOCK_BYTES - i % 2, NULL) != DRIFT_STATUS_OK)
            atomic_store((atomic_bool *)arg, true);
    }
    return NULL;
}

static void test_file__replace_while_read__readers_see_one_whole_version(void **state)
{
    (void)state;
    atomic_bool failed = false;
    pthread_t writer;
    struct drift_buf buf;
    drift_buf_init(&buf, DRIFT_TAG_BASE, BLOCK_BYTES);
    assert_int_equal(drift_file_replace(path, "b", 1, NULL), DRIFT_STATUS_OK);
    assert_int_equal(pthread_create(&writer, NULL, replace_often, &failed), 0);
    bool whole = true;
    for (unsigned i = 0; i < N_READS && whole; i++) {
        drift_buf_reset(&buf);
        whole = drift_file_read(path, &buf, NULL) == DRIFT_STATUS_OK && buf.len > 0;
        for (size_t k = 1; whole && k < buf.len; k++)
            whole = buf.data[k] == buf.data[0];
        whole = whole && (buf.len == 1 || buf.len == BLOCK_BYTES - (buf.data[0] == 'a'));
    }
    atomic_store(&stop_writing, true);
    pthread_join(writer, NULL);
    assert_true(whole);
    assert_false(failed);
    drift_buf_fini(&buf);
}

/* Removes what a killed process may leave: path.<hexadecimal digits>.tmp, and no other name. */
static void remove_leftovers(void)
{
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        unsigned long long unique;
        int end = 0;
        if (sscanf(entry->d_name, "file.%16llx.tmp%n", &unique, &end) == 1 &&
            (size_t)end == strlen(entry->d_name))
            assert_int_equal(unlinkat(dirfd(dir), entry->d_name, 0), 0);
    }
    closedir(dir);
}

_Noreturn static void replace_forever(void)
{
    static char block[BLOCK_BYTES];
    for (;;) {
        for (char c = 'c'; c <= 'z'; c++) {
            memset(block, c, sizeof block);
            if (drift_file_replace(path, block, sizeof block, NULL) != DRIFT_STATUS_OK)
                _exit(1);
        }
    }
}

static void test_file__killed_while_replacing__file_stays_whole(void **state)
{
    (void)state;
    struct drift_buf buf;
    drift_buf_init(&buf, DRIFT_TAG_BASE, BLOCK_BYTES);
    assert_int_equal(drift_file_replace(path, "b", 1, NULL), DRIFT_STATUS_OK);
    for (long i = 0; i < 25; i++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            replace_forever();
        nanosleep(&(struct timespec){.tv_nsec = 1000000 + i * 237000}, NULL);
        assert_int_equal(kill(child, SIGKILL), 0);
        int how;
        assert_int_equal(waitpid(child, &how, 0), child);
        assert_true(WIFSIGNALED(how));
        drift_buf_reset(&buf);
        assert_int_equal(drift_file_read(path, &buf, NULL), DRIFT_STATUS_OK);
        assert_true(buf.len == 1 || buf.len == BLOCK_BYTES);
        for (size_t k = 1; k < buf.len; k++)
            assert_int_equal(buf.data[k], buf.data[0]);
    }
    remove_leftovers();
    assert_int_equal(count_files(), 1);
    drift_buf_fini(&buf);
}

static enum drift_status replace_and_read(void *ctx)
{
    (void)ctx;
    struct drift_buf buf;
    drift_buf_init(&buf, DRIFT_TAG_BASE, 1000);
    enum drift_status status = drift_file_replace(path, "contents", 8, NULL);
    if (status == DRIFT_STATUS_OK)
        status = drift_file_read(path, &buf, NULL);
    if (status == DRIFT_STATUS_OK)
        assert_string_equal(drift_buf_cstr(&buf), "contents");
    drift_buf_fini(&buf);
    return status;
}

static void test_file__any_allocation_fails__reported_and_nothing_left(void **state)
{
    (void)state;
    assert_true(drift_torture(replace_and_read, NULL, 0) >= 2);
    assert_int_equal(count_files(), 1);
}

#define FILE_TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILE_TEST(test_file__map__shows_the_bytes_and_survives_a_drop),
        FILE_TEST(test_file__map_of_empty_file__has_no_bytes),
        FILE_TEST(test_file__map_of_what_is_no_file__refused_without_blocking),
        FILE_TEST(test_file__read__appends_up_to_the_cap),
        FILE_TEST(test_file__replace__new_contents_and_no_leftovers),
        FILE_TEST(test_file__failing_replace__keeps_the_old_file),
        FILE_TEST(test_file__replace_while_read__readers_see_one_whole_version),
        FILE_TEST(test_file__killed_while_replacing__file_stays_whole),
        FILE_TEST(test_file__any_allocation_fails__reported_and_nothing_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
