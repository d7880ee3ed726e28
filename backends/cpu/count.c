/* How many threads this process may use: CPU affinity, then the control group's quota (v2, v1). */
#include "backends/cpu/pool.h"

#include <sched.h>
#include <stdio.h>

/* Whole CPUs of "quota period" in microseconds; 0 when there is no limit. */
static uint32_t cpus_of_quota(long long quota, long long period)
{
    if (quota <= 0 || period <= 0)
        return 0;
    long long cpus = (quota + period - 1) / period;
    return cpus > 1024 ? 1024 : (uint32_t)cpus;
}

static bool read_number(const char *path, long long *ret)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    bool ok = fscanf(file, "%lld", ret) == 1;
    fclose(file);
    return ok;
}

static uint32_t cgroup_limit(void)
{
    long long quota = 0, period = 0;
    FILE *file = fopen("/sys/fs/cgroup/cpu.max", "re");
    if (file) {
        /* "max 100000" has no number first and means no limit */
        if (fscanf(file, "%lld %lld", &quota, &period) != 2)
            quota = 0;
        fclose(file);
    } else if (!read_number("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", &quota) ||
               !read_number("/sys/fs/cgroup/cpu/cpu.cfs_period_us", &period)) {
        quota = 0;
    }
    return cpus_of_quota(quota, period);
}

uint32_t drift_cpu_count_usable(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    uint32_t n = sched_getaffinity(0, sizeof set, &set) == 0 ? (uint32_t)CPU_COUNT(&set) : 1;
    uint32_t limit = cgroup_limit();
    if (limit > 0 && limit < n)
        n = limit;
    return n > 0 ? n : 1;
}
