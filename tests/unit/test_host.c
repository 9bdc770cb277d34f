// test_host.c - machines are read as they are, and this one as far as the process may use it.
#include <math.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <hwloc.h>

#include "host.h"
#include "isa.h"

#define MACHINE(name) TEST_SOURCE_DIR "/golden/machines/" name ".xml"

static const double KIB = 1024, MIB = 1024 * 1024;

static void read_machine(struct host *host, const char *file)
{
    struct error error;
    if (host_read(host, file, &error) != OK)
        fail_msg("%s", error.text);
}

static void check_cache(const struct host *host, int level, double size_bytes, int instances,
                        int cores_sharing)
{
    const struct cache *cache = host_cache(host, level);
    assert_non_null(cache);
    assert_true(cache->size_bytes == size_bytes);
    assert_int_equal(cache->line_bytes, 64);
    assert_int_equal(cache->instances, instances);
    assert_int_equal(cache->cores_sharing, cores_sharing);
}

static void two_socket_xeon_is_read(void **state)
{
    (void)state;
    struct host host;
    read_machine(&host, MACHINE("xeon-e5-2697-v2-2s"));
    assert_int_equal(host.sockets, 2);
    assert_int_equal(host.cores, 24);
    assert_int_equal(host.threads, 48);
    assert_int_equal(host.numa_nodes, 2);
    assert_int_equal(host.cache_count, 3);
    check_cache(&host, 1, 32 * KIB, 24, 1);
    check_cache(&host, 2, 256 * KIB, 24, 1);
    check_cache(&host, 3, 30 * MIB, 2, 12);
    assert_string_equal(host.cpu_model, "Intel(R) Xeon(R) CPU E5-2697 v2 @ 2.70GHz");
    assert_string_equal(host.cpu_vendor, "GenuineIntel");
    assert_int_equal(host.cpu_family, 6);
    assert_int_equal(host.cpu_model_number, 62);
    assert_int_equal(host.cpu_stepping, 4);
    assert_true(host.memory_bytes == 128 * KIB * MIB);
    host_free(&host);
}

static void epyc_with_four_nodes_per_socket_is_read(void **state)
{
    (void)state;
    struct host host;
    read_machine(&host, MACHINE("epyc-7763-2s-nps4"));
    assert_int_equal(host.sockets, 2);
    assert_int_equal(host.cores, 128);
    assert_int_equal(host.threads, 256);
    assert_int_equal(host.numa_nodes, 8);
    check_cache(&host, 1, 32 * KIB, 128, 1);
    check_cache(&host, 2, 512 * KIB, 128, 1);
    check_cache(&host, 3, 32 * MIB, 16, 8);
    assert_string_equal(host.cpu_vendor, "AuthenticAMD");
    assert_int_equal(host.cpu_family, 25);
    assert_int_equal(host.cpu_model_number, 1);
    host_free(&host);
}

static void arm_is_read_by_implementer_and_part(void **state)
{
    (void)state;
    struct host host;
    read_machine(&host, MACHINE("altra-q80-30"));
    assert_int_equal(host.sockets, 1);
    assert_int_equal(host.cores, 80);
    assert_int_equal(host.threads, 80);
    assert_int_equal(host.numa_nodes, 1);
    check_cache(&host, 1, 64 * KIB, 80, 1);
    check_cache(&host, 2, 1 * MIB, 80, 1);
    check_cache(&host, 3, 32 * MIB, 1, 80);
    assert_string_equal(host.cpu_vendor, "0x41");
    assert_int_equal(host.cpu_family, 8);
    assert_int_equal(host.cpu_model_number, 0xd0c);
    assert_string_equal(host.cpu_model, "");
    host_free(&host);
}

static void instruction_caches_are_no_level(void **state)
{
    (void)state;
    struct host host;
    read_machine(&host, MACHINE("guest-sapphire-rapids"));
    assert_int_equal(host.cores, 2);
    assert_int_equal(host.cache_count, 3);
    check_cache(&host, 1, 48 * KIB, 2, 1);
    check_cache(&host, 2, 2 * MIB, 2, 1);
    check_cache(&host, 3, 105 * MIB, 1, 2);
    assert_null(host_cache(&host, 4));
    host_free(&host);
}

static void captured_machine_knows_nothing_of_this_process(void **state)
{
    (void)state;
    struct host host;
    struct error error;
    read_machine(&host, MACHINE("guest-sapphire-rapids"));
    assert_true(host.captured);
    assert_true(isnan(host.memory_available_bytes));
    assert_true(isnan(host.memory_limit_bytes));
    assert_true(isnan(host.memory_channels));
    assert_non_null(strstr(host.memory_source, "--channels"));
    assert_true(isnan(host.cpu_quota));
    assert_string_equal(host.hypervisor, "");
    assert_false(host_has_feature(&host, "fpu"));
    assert_int_equal(host_pin(&host, 0, &error), FAILED);
    host_free(&host);
}

static void units_are_cores_first_node_by_node_then_siblings(void **state)
{
    (void)state;
    struct host host;
    read_machine(&host, MACHINE("epyc-7763-2s-nps4"));
    for (int i = 0; i < 256; i++) {
        assert_int_equal(host.unit[i].os_index, i); /* as Linux numbers them */
        assert_int_equal(host.unit[i].core, i % 128);
        assert_int_equal(host.unit[i].numa_node, i % 128 / 16);
        assert_int_equal(host.unit[i].socket, i % 128 / 64);
    }
    host_free(&host);
}

/* Writes a machine of which only some PUs are allowed, as lstopo captures it inside a cpuset. */
static void export_allowed(const char *file, const char *allowed, const char *target)
{
    hwloc_topology_t topology;
    hwloc_bitmap_t set = hwloc_bitmap_alloc();
    assert_int_equal(hwloc_topology_init(&topology), 0);
    assert_int_equal(hwloc_topology_set_xml(topology, file), 0);
    hwloc_topology_set_flags(topology, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED);
    assert_int_equal(hwloc_topology_load(topology), 0);
    hwloc_bitmap_list_sscanf(set, allowed);
    assert_int_equal(hwloc_topology_allow(topology, set, NULL, HWLOC_ALLOW_FLAG_CUSTOM), 0);
    assert_int_equal(hwloc_topology_export_xml(topology, target, 0), 0);
    hwloc_bitmap_free(set);
    hwloc_topology_destroy(topology);
}

static void only_what_the_cpuset_allows_is_counted(void **state)
{
    (void)state;
    struct host host;
    char target[] = "/tmp/roofline-test-XXXXXX";
    int file = mkstemp(target);
    assert_true(file >= 0);
    close(file);
    /* Both siblings of cores 60 and 61 (node 3), one sibling of core 64 (node 4, second socket). */
    export_allowed(MACHINE("epyc-7763-2s-nps4"), "60,61,64,188,189", target);
    read_machine(&host, target);
    unlink(target);
    assert_int_equal(host.sockets, 2);
    assert_int_equal(host.cores, 3);
    assert_int_equal(host.threads, 5);
    assert_int_equal(host.numa_nodes, 2);
    check_cache(&host, 1, 32 * KIB, 3, 1);
    check_cache(&host, 3, 32 * MIB, 2, 2);
    static const int order[] = {60, 61, 64, 188, 189};
    for (int i = 0; i < 5; i++)
        assert_int_equal(host.unit[i].os_index, order[i]);
    assert_int_equal(host.machine_sockets, 2);
    assert_int_equal(host.machine_cores, 128);
    assert_int_equal(host.machine_threads, 256);
    assert_int_equal(host.machine_numa_nodes, 8);
    host_free(&host);
}

static void this_machine_is_read(void **state)
{
    (void)state;
    struct host host;
    read_machine(&host, NULL);
    cpu_set_t allowed;
    assert_int_equal(sched_getaffinity(0, sizeof allowed, &allowed), 0);
    assert_int_equal(host.threads, CPU_COUNT(&allowed));
    assert_in_range(host.cores, 1, host.threads);
    assert_in_range(host.quota_threads, 1, host.threads);
    assert_in_range(host.machine_threads, host.threads, 1 << 20);
    assert_true(host.memory_bytes > 0);
    assert_true(host.memory_available_bytes > 0);
    assert_true(host.memory_available_bytes <= host.memory_bytes);
    assert_true(strlen(host.memory_source) > 0);
    assert_true(strlen(host.hostname) > 0);
    host_free(&host);
}

/* Exit code of a child that pins itself to one CPU and then reads the machine. */
static int read_on_one_cpu(void)
{
    struct host host;
    struct error error;
    cpu_set_t one;
    int cpu = sched_getcpu();
    CPU_ZERO(&one);
    CPU_SET((unsigned)cpu, &one);
    if (sched_setaffinity(0, sizeof one, &one) != 0 || host_read(&host, NULL, &error) != OK)
        return 1;
    bool right = host.threads == 1 && host.cores == 1 && host.unit[0].os_index == cpu &&
                 host.sockets == 1 && host.numa_nodes == 1 && host.quota_threads == 1;
    host_free(&host);
    return right ? 0 : 2;
}

static void affinity_limits_the_host(void **state)
{
    (void)state;
    fflush(stdout);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(read_on_one_cpu());
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void pinned_thread_runs_on_its_unit(void **state)
{
    (void)state;
    struct host host;
    struct error error;
    cpu_set_t before;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    read_machine(&host, NULL);
    for (int i = 0; i < host.threads && i < 8; i++) {
        assert_int_equal(host_pin(&host, i, &error), OK);
        assert_int_equal(sched_getcpu(), host.unit[i].os_index);
    }
    assert_int_equal(host_pin(&host, host.threads, &error), FAILED);
    assert_int_equal(host_pin(&host, -1, &error), FAILED);
    sched_setaffinity(0, sizeof before, &before);
    host_free(&host);
}

static void features_agree_with_cpuid(void **state)
{
    (void)state;
#if defined(__x86_64__)
    struct host host;
    read_machine(&host, NULL);
    assert_true(host_has_feature(&host, "fpu"));
    assert_false(host_has_feature(&host, "fp")); /* whole words */
    assert_false(host_has_feature(&host, ""));
    assert_int_equal(host_has_feature(&host, "avx2") && host_has_feature(&host, "fma"),
                     isa_supported(ISA_avx2));
    host_free(&host);
#else
    print_message("# skip: the names of features differ on this architecture\n");
    skip();
#endif
}

static void unreadable_topologies_are_named(void **state)
{
    (void)state;
    struct host host;
    struct error error;
    assert_int_equal(host_read(&host, "/nonexistent/machine.xml", &error), FAILED);
    assert_int_equal(error.fault, FAULT_IO);
    assert_non_null(strstr(error.text, "'/nonexistent/machine.xml'"));
    assert_int_equal(host_read(&host, __FILE__, &error), FAILED);
    assert_int_equal(error.fault, FAULT_IO);
    assert_non_null(strstr(error.text, "test_host.c"));
    assert_null(host.unit);
}

static void redirected_hwloc_is_refused(void **state)
{
    (void)state;
    struct host host;
    struct error error;
    setenv("HWLOC_SYNTHETIC", "package:2 core:4 pu:2", 1);
    int result = host_read(&host, NULL, &error);
    unsetenv("HWLOC_SYNTHETIC");
    assert_int_equal(result, FAILED);
    assert_int_equal(error.fault, FAULT_ENVIRONMENT);
    assert_non_null(strstr(error.text, "HWLOC_"));
}

static void level_is_the_innermost_that_three_quarters_hold(void **state)
{
    (void)state;
    struct host host;
    read_machine(&host, MACHINE("epyc-7763-2s-nps4"));
    assert_string_equal(host_level(&host, 0, 1), "L1");
    assert_string_equal(host_level(&host, 24 * KIB, 1), "L1");
    assert_string_equal(host_level(&host, 24 * KIB + 1, 1), "L2");
    assert_string_equal(host_level(&host, 24 * MIB, 1), "L3");
    assert_string_equal(host_level(&host, 24 * MIB + 1, 1), "DRAM");
    /* Eight threads share one L3; nine reach a second one, and the first one stays the fuller. */
    assert_string_equal(host_level(&host, 24 * MIB, 8), "L3");
    assert_string_equal(host_level(&host, 24 * MIB + 1, 8), "DRAM");
    assert_string_equal(host_level(&host, 27 * MIB, 9), "L3");
    assert_string_equal(host_level(&host, 27 * MIB + 9, 9), "DRAM");
    /* All cores, then all siblings: the caches are no more. */
    assert_string_equal(host_level(&host, 128 * 24 * KIB, 128), "L1");
    assert_string_equal(host_level(&host, 128 * 24 * KIB, 256), "L1");
    assert_string_equal(host_level(&host, 16 * 24 * MIB, 256), "L3");
    assert_string_equal(host_level(&host, 16 * 24 * MIB + 128, 256), "DRAM");
    host_free(&host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_socket_xeon_is_read),
        cmocka_unit_test(epyc_with_four_nodes_per_socket_is_read),
        cmocka_unit_test(arm_is_read_by_implementer_and_part),
        cmocka_unit_test(instruction_caches_are_no_level),
        cmocka_unit_test(captured_machine_knows_nothing_of_this_process),
        cmocka_unit_test(units_are_cores_first_node_by_node_then_siblings),
        cmocka_unit_test(only_what_the_cpuset_allows_is_counted),
        cmocka_unit_test(this_machine_is_read),
        cmocka_unit_test(affinity_limits_the_host),
        cmocka_unit_test(pinned_thread_runs_on_its_unit),
        cmocka_unit_test(features_agree_with_cpuid),
        cmocka_unit_test(unreadable_topologies_are_named),
        cmocka_unit_test(redirected_hwloc_is_refused),
        cmocka_unit_test(level_is_the_innermost_that_three_quarters_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
