/* A machine without an OpenCL driver: the loader finds no platform. A process of its own, for the
 * loader looks once. */
#include "backends/backend.h"
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

static void test_no_driver__list__has_a_line_that_says_so(void **state)
{
    (void)state;
    struct drift_device_info infos[8];
    size_t n, n_opencl = 0;
    drift_device_list(infos, 8, &n);
    for (size_t i = 0; i < n; i++) {
        if (strncmp(infos[i].id, "opencl", 6) != 0)
            continue;
        n_opencl++;
        assert_false(infos[i].usable);
        assert_non_null(strstr(infos[i].note, "no OpenCL platform"));
    }
    assert_int_equal(n_opencl, 1);
}

static void test_no_driver__open__is_refused_and_auto_takes_the_cpu(void **state)
{
    (void)state;
    struct drift_device *device;
    struct drift_error err = {0};
    assert_int_equal(drift_device_open("opencl:0", NULL, &device, &err), DRIFT_STATUS_UNSUPPORTED);
    assert_non_null(strstr(err.msg, "no OpenCL platform"));
    assert_int_equal(drift_device_open("auto", NULL, &device, &err), DRIFT_STATUS_OK);
    assert_string_equal(drift_device_get_info(device)->id, "cpu");
    drift_device_close(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_driver__list__has_a_line_that_says_so),
        cmocka_unit_test(test_no_driver__open__is_refused_and_auto_takes_the_cpu),
    };
    if (setenv("OCL_ICD_VENDORS", "/nonexistent", 1) != 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
