/* sd.h against a socket that plays systemd. Also built with the stub, where all has to stay quiet.
 */
#include "server/sd.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

/* The build sets DRIFT_TEST_SD_STUB to 1 for the stub. */
static const bool is_stub = DRIFT_TEST_SD_STUB;

#define FIRST_FD 3 /* where systemd puts them */

static int manager = -1;
static char manager_path[64];

static int open_manager(void **state)
{
    (void)state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(manager_path, sizeof manager_path, "/tmp/driftd-test-sd-%d", (int)getpid());
    unlink(manager_path);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", manager_path);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    manager = fcntl(fd, F_DUPFD_CLOEXEC, 100); /* leave the low numbers to the tests */
    close(fd);
    return manager < 0 || bind(manager, (struct sockaddr *)&address, sizeof address) < 0 ||
           setenv("NOTIFY_SOCKET", manager_path, 1) < 0;
}

static int close_manager(void **state)
{
    (void)state;
    close(manager);
    unlink(manager_path);
    return 0;
}

/* The next notification, "" when there is none. Sending is synchronous, so nothing is to be waited
 * for. */
static const char *received(void)
{
    static char text[1024];
    ssize_t n = recv(manager, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

static void test_sd__notifications__reach_the_manager(void **state)
{
    (void)state;
    drift_sd_notify_ready("1 model");
    drift_sd_notify_status("%d of %s", 3, "7\nREADY=1");
    drift_sd_notify_watchdog();
    drift_sd_notify_extend_timeout(1500);
    drift_sd_notify_stopping("draining");
    drift_sd_notify_reloading();
    if (is_stub) {
        assert_string_equal(received(), "");
        return;
    }
    assert_string_equal(received(), "READY=1\nSTATUS=1 model");
    assert_string_equal(received(), "STATUS=3 of 7 READY=1");
    assert_string_equal(received(), "WATCHDOG=1");
    assert_string_equal(received(), "EXTEND_TIMEOUT_USEC=1500000");
    assert_string_equal(received(), "STOPPING=1\nSTATUS=draining");
    assert_memory_equal(received(), "RELOADING=1\nMONOTONIC_USEC=", 27);
}

static void test_sd__no_manager__quiet(void **state)
{
    (void)state;
    unsetenv("NOTIFY_SOCKET");
    drift_sd_notify_ready("x");
    setenv("NOTIFY_SOCKET", "/nowhere/at/all", 1);
    drift_sd_notify_ready("x");
    setenv("NOTIFY_SOCKET", manager_path, 1);
    assert_string_equal(received(), "");
}

static void test_sd__watchdog__half_of_what_the_unit_allows(void **state)
{
    (void)state;
    unsetenv("WATCHDOG_USEC");
    assert_int_equal(drift_sd_watchdog_interval_ms(), 0);
    setenv("WATCHDOG_USEC", "30000000", 1);
    assert_int_equal(drift_sd_watchdog_interval_ms(), is_stub ? 0 : 15000);
    setenv("WATCHDOG_PID", "1", 1);
    assert_int_equal(drift_sd_watchdog_interval_ms(), 0);
    unsetenv("WATCHDOG_PID");
    unsetenv("WATCHDOG_USEC");
}

/* Put fd where the i-th socket from systemd is. */
static void pass(int fd, int i)
{
    assert_true(fd >= 0);
    if (fd != FIRST_FD + i) {
        assert_true(dup2(fd, FIRST_FD + i) >= 0);
        close(fd);
    }
}

static void announce(unsigned n)
{
    char text[32];
    snprintf(text, sizeof text, "%d", (int)getpid());
    setenv("LISTEN_PID", text, 1);
    snprintf(text, sizeof text, "%u", n);
    setenv("LISTEN_FDS", text, 1);
}

static int listening(int family, const void *address, socklen_t size)
{
    int fd = socket(family, SOCK_STREAM, 0);
    if (fd >= 0 && (bind(fd, address, size) < 0 || listen(fd, 1) < 0)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static void test_sd__sockets__taken_named_and_made_non_blocking(void **state)
{
    (void)state;
    struct drift_sd_socket sockets[DRIFT_SD_MAX_SOCKETS];
    struct drift_error err = {0};
    size_t n = 99;
    assert_int_equal(drift_sd_take_sockets(sockets, &n, &err), DRIFT_STATUS_OK);
    assert_int_equal(n, 0);
    if (is_stub)
        return;
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    snprintf(local.sun_path, sizeof local.sun_path, "%s.s", manager_path);
    unlink(local.sun_path);
    pass(listening(AF_INET, &v4, sizeof v4), 0);
    pass(listening(AF_UNIX, &local, sizeof local), 1);
    announce(2);
    assert_int_equal(drift_sd_take_sockets(sockets, &n, &err), DRIFT_STATUS_OK);
    assert_int_equal(n, 2);
    assert_int_equal(sockets[0].fd, FIRST_FD);
    assert_false(sockets[0].is_unix);
    assert_true(sockets[0].loopback);
    assert_memory_equal(sockets[0].name, "127.0.0.1:", 10);
    assert_true(sockets[1].is_unix);
    char expected[128];
    snprintf(expected, sizeof expected, "unix:%s", local.sun_path);
    assert_string_equal(sockets[1].name, expected);
    for (size_t i = 0; i < n; i++) {
        assert_true(fcntl(sockets[i].fd, F_GETFL) & O_NONBLOCK);
        assert_true(fcntl(sockets[i].fd, F_GETFD) & FD_CLOEXEC);
        close(sockets[i].fd);
    }
    unlink(local.sun_path);
    assert_null(getenv("LISTEN_FDS"));
}

static void test_sd__sockets_of_another_kind__refused(void **state)
{
    (void)state;
    if (is_stub)
        return;
    struct drift_sd_socket sockets[DRIFT_SD_MAX_SOCKETS];
    struct drift_error err = {0};
    size_t n = 99;
    pass(socket(AF_INET, SOCK_STREAM, 0), 0); /* does not listen */
    announce(1);
    assert_int_equal(drift_sd_take_sockets(sockets, &n, &err), DRIFT_STATUS_INVALID);
    assert_string_equal(err.msg, "descriptor 3 from systemd is no listening stream socket");
    pass(socket(AF_UNIX, SOCK_DGRAM, 0), 0);
    announce(1);
    assert_int_equal(drift_sd_take_sockets(sockets, &n, &err), DRIFT_STATUS_INVALID);
    assert_int_equal(n, 99);
    close(FIRST_FD);
}

static void test_sd__journal_stream__compared_with_stderr(void **state)
{
    (void)state;
    struct stat file;
    char text[64];
    assert_int_equal(fstat(STDERR_FILENO, &file), 0);
    snprintf(text, sizeof text, "%llu:%llu", (unsigned long long)file.st_dev,
             (unsigned long long)file.st_ino);
    assert_true(drift_sd_stderr_is_journal(text));
    assert_false(drift_sd_stderr_is_journal("0:1"));
    assert_false(drift_sd_stderr_is_journal(""));
    assert_false(drift_sd_stderr_is_journal(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sd__notifications__reach_the_manager),
        cmocka_unit_test(test_sd__no_manager__quiet),
        cmocka_unit_test(test_sd__watchdog__half_of_what_the_unit_allows),
        cmocka_unit_test(test_sd__sockets__taken_named_and_made_non_blocking),
        cmocka_unit_test(test_sd__sockets_of_another_kind__refused),
        cmocka_unit_test(test_sd__journal_stream__compared_with_stderr),
    };
    return cmocka_run_group_tests(tests, open_manager, close_manager);
}
