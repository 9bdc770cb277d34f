// test_cgroup.c - the tightest limit between a process and the root of its control groups is found.
#include <ftw.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cgroup.h"
#include "error.h"
#include "file.h"

/* A folder that plays the root of a file system; removed with all it holds. */
static int root_make(void **state)
{
    char name[] = "/tmp/roofline-test-XXXXXX";
    *state = mkdtemp(name) ? strdup(name) : NULL;
    return *state ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status, (void)type, (void)walk;
    return remove(path);
}

static int root_remove(void **state)
{
    int result = nftw(*state, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(*state);
    return result;
}

static void put(const char *root, const char *name, const char *text)
{
    char path[512];
    struct error error;
    snprintf(path, sizeof path, "%s%s", root, name);
    *strrchr(path, '/') = 0;
    assert_int_equal(directory_create(path, &error), OK);
    path[strlen(path)] = '/';
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static const char mounts_v2[] =
    "22 1 0:20 / /proc rw - proc proc rw\n"
    "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";

static void no_control_group_is_no_limit(void **state)
{
    struct cgroup cgroup = cgroup_read(*state);
    assert_true(isnan(cgroup.cpus));
    assert_true(isnan(cgroup.memory_bytes));
    assert_true(isnan(cgroup.memory_available_bytes));
}

static void version_2_without_limits_is_no_limit(void **state)
{
    put(*state, "/proc/self/mountinfo", mounts_v2);
    put(*state, "/proc/self/cgroup", "0::/job\n");
    put(*state, "/sys/fs/cgroup/job/cpu.max", "max 100000\n");
    put(*state, "/sys/fs/cgroup/job/memory.max", "max\n");
    put(*state, "/sys/fs/cgroup/job/memory.high", "max\n");
    put(*state, "/sys/fs/cgroup/job/memory.current", "4096\n");
    struct cgroup cgroup = cgroup_read(*state);
    assert_true(isnan(cgroup.cpus));
    assert_true(isnan(cgroup.memory_available_bytes));
}

static void tightest_group_on_the_way_up_counts(void **state)
{
    put(*state, "/proc/self/mountinfo", mounts_v2);
    put(*state, "/proc/self/cgroup", "0::/user/job/step\n");
    put(*state, "/sys/fs/cgroup/user/cpu.max", "150000 100000\n");
    put(*state, "/sys/fs/cgroup/user/job/cpu.max", "400000 100000\n");
    put(*state, "/sys/fs/cgroup/user/job/step/cpu.max", "max 100000\n");
    put(*state, "/sys/fs/cgroup/user/memory.max", "1000000\n");
    put(*state, "/sys/fs/cgroup/user/memory.current", "400000\n");
    put(*state, "/sys/fs/cgroup/user/memory.stat", "anon 300000\ninactive_file 100000\n");
    put(*state, "/sys/fs/cgroup/user/job/memory.max", "900000\n");
    put(*state, "/sys/fs/cgroup/user/job/memory.current", "100000\n");
    put(*state, "/sys/fs/cgroup/other/cpu.max", "10000 100000\n");
    struct cgroup cgroup = cgroup_read(*state);
    assert_true(cgroup.cpus == 1.5);
    assert_true(cgroup.memory_bytes == 900000);
    /* 1000000 - 400000 used + 100000 reclaimable, which is less than 900000 - 100000 */
    assert_true(cgroup.memory_available_bytes == 700000);
}

static void throttling_limit_counts_as_a_limit(void **state)
{
    put(*state, "/proc/self/mountinfo", mounts_v2);
    put(*state, "/proc/self/cgroup", "0::/job\n");
    put(*state, "/sys/fs/cgroup/job/memory.max", "max\n");
    put(*state, "/sys/fs/cgroup/job/memory.high", "500000\n");
    put(*state, "/sys/fs/cgroup/job/memory.current", "600000\n");
    struct cgroup cgroup = cgroup_read(*state);
    assert_true(cgroup.memory_bytes == 500000);
    assert_true(cgroup.memory_available_bytes == 0); /* not negative */
}

static void container_with_its_own_root_sees_its_limit(void **state)
{
    put(*state, "/proc/self/mountinfo", mounts_v2);
    put(*state, "/proc/self/cgroup", "0::/\n");
    put(*state, "/sys/fs/cgroup/cpu.max", "200000 100000\n");
    assert_true(cgroup_read(*state).cpus == 2);
}

static void version_1_controllers_are_found_by_name(void **state)
{
    put(*state, "/proc/self/mountinfo",
        "31 23 0:28 / /sys/fs/cgroup ro - tmpfs tmpfs ro\n"
        "32 31 0:29 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
        "33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
        "34 31 0:31 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
        "35 31 0:32 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
    put(*state, "/proc/self/cgroup",
        "4:memory:/a\n3:cpu,cpuacct:/a/b\n2:cpuset:/\n1:name=systemd:/s\n0::/s\n");
    put(*state, "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
    put(*state, "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
    put(*state, "/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "50000\n");
    put(*state, "/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "100000\n");
    put(*state, "/sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_quota_us", "-1\n");
    put(*state, "/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    put(*state, "/sys/fs/cgroup/memory/memory.usage_in_bytes", "1\n");
    put(*state, "/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "800000\n");
    put(*state, "/sys/fs/cgroup/memory/a/memory.usage_in_bytes", "300000\n");
    put(*state, "/sys/fs/cgroup/memory/a/memory.stat", "total_inactive_file 50000\n");
    struct cgroup cgroup = cgroup_read(*state);
    assert_true(cgroup.cpus == 0.5);
    assert_true(cgroup.memory_bytes == 800000);
    assert_true(cgroup.memory_available_bytes == 550000);
}

static void version_1_container_path_is_taken_relative_to_its_mount(void **state)
{
    put(*state, "/proc/self/mountinfo",
        "33 31 0:30 /docker/abc /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n");
    put(*state, "/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "300000\n");
    put(*state, "/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    put(*state, "/sys/fs/cgroup/cpu/child/cpu.cfs_quota_us", "100000\n");
    put(*state, "/sys/fs/cgroup/cpu/child/cpu.cfs_period_us", "100000\n");
    put(*state, "/proc/self/cgroup", "3:cpu:/docker/abc\n");
    assert_true(cgroup_read(*state).cpus == 3);
    put(*state, "/proc/self/cgroup", "3:cpu:/docker/abc/child\n");
    assert_true(cgroup_read(*state).cpus == 1);
    put(*state, "/proc/self/cgroup", "3:cpu:/docker/abcdef\n"); /* a neighbour, not a child */
    assert_true(cgroup_read(*state).cpus == 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, root_make, root_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(no_control_group_is_no_limit),
        TEST(version_2_without_limits_is_no_limit),
        TEST(tightest_group_on_the_way_up_counts),
        TEST(throttling_limit_counts_as_a_limit),
        TEST(container_with_its_own_root_sees_its_limit),
        TEST(version_1_controllers_are_found_by_name),
        TEST(version_1_container_path_is_taken_relative_to_its_mount),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
