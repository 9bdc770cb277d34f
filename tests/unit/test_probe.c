// test_probe.c - probes fit the machine they are told of: hardware threads, NUMA nodes, memory.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "probe.h"

static const double MIB = 1 << 20;

/* What a test works on: the real machine, described otherwise. */
struct trial {
    struct host host;
    struct processing_unit *own_units; /* of the real machine, for host_free() */
    struct processing_unit unit[3];
    struct request request;
    struct table machine;
    struct probe_run run;
};

/* Every unit of the description is the first one of the real machine. */
static void open_trial(struct trial *trial, int cores, int threads, double memory_bytes)
{
    struct error error;
    *trial = (struct trial){.request = {.isa = ISA_scalar, .dtype = DTYPE_f64}};
    assert_int_equal(host_read(&trial->host, NULL, &error), OK);
    struct host *host = &trial->host;
    for (int i = 0; i < threads; i++)
        trial->unit[i] = host->unit[0];
    trial->own_units = host->unit;
    host->unit = trial->unit;
    host->cores = cores;
    host->threads = host->quota_threads = threads;
    host->memory_available_bytes = memory_bytes;
    table_init(&trial->machine, &ceiling_schema);
    trial->run.host = host;
    trial->run.request = &trial->request;
    trial->run.machine = &trial->machine;
}

static void collect(struct trial *trial, const char *probe)
{
    struct error error;
    const char *const names[] = {probe, NULL};
    int result = probe_collect(&trial->run, names, &error);
    if (result != OK)
        print_error("%s\n", error.text);
    assert_int_equal(result, OK);
}

static void close_trial(struct trial *trial)
{
    probe_free(&trial->run);
    table_free(&trial->machine);
    trial->host.unit = trial->own_units;
    host_free(&trial->host);
}

static void assert_source(struct trial *trial, const char *device, const char *level, int workers,
                          const char *words)
{
    for (int i = 0; i < trial->run.gauge_count; i++) {
        const struct ceiling *row = &trial->run.gauges[i].row;
        if (strcmp(row->device, device) != 0 || strcmp(row->level, level) != 0 ||
            row->workers != workers)
            continue;
        if (!strstr(row->source, words))
            print_error("%s\n", row->source);
        assert_non_null(strstr(row->source, words));
        return;
    }
    fail_msg("no gauge '%s' '%s' of %d workers", device, level, workers);
}

static void hardware_threads_of_a_core_share_its_caches(void **state)
{
    (void)state;
    struct trial trial;
    open_trial(&trial, 1, 2, 64 * MIB);
    trial.host.cache_count = 1;
    trial.host.cache[0] = (struct cache){1, 48 * 1024, 64, 1, 1, NAN};
    collect(&trial, "bandwidth");
    assert_source(&trial, "", "L1:read", 1, "1 x 32 KiB per worker");
    assert_source(&trial, "", "L1:read", 2, "1 x 16 KiB per worker");
    close_trial(&trial);
}

/* With several nodes only the first worker's memory is large enough for one worker to overrun a
 * shared cache. */
static void the_lone_worker_of_a_node_stays_within_its_memory(void **state)
{
    (void)state;
    struct trial trial;
    open_trial(&trial, 3, 3, NAN);
    trial.unit[2].numa_node = trial.unit[0].numa_node + 1;
    trial.host.numa_nodes = 2;
    trial.host.cache_count = 1;
    trial.host.cache[0] = (struct cache){2, 64 * MIB, 64, 2, 2, NAN};
    char node[32];
    snprintf(node, sizeof node, "cpu.node%d", trial.unit[2].numa_node);
    collect(&trial, "bandwidth");
    assert_source(&trial, "", "DRAM:read", 1, "1 x 294912 KiB per worker");
    assert_source(&trial, node, "DRAM:read", 1, "1 x 196608 KiB per worker");
    close_trial(&trial);
}

/* Where all workers are of one node the lone one sweeps what belongs to the others. */
static void the_lone_worker_of_a_machine_sweeps_the_memory_of_all(void **state)
{
    (void)state;
    struct trial trial;
    open_trial(&trial, 3, 3, NAN);
    trial.host.numa_nodes = 1;
    trial.host.cache_count = 1;
    trial.host.cache[0] = (struct cache){2, 64 * MIB, 64, 2, 2, NAN};
    collect(&trial, "bandwidth");
    assert_source(&trial, "", "DRAM:read", 1, "1 x 294912 KiB per worker");
    assert_source(&trial, "", "DRAM:read", 3, "1 x 196608 KiB per worker");
    close_trial(&trial);
}

static void want_of_memory_skips_rows_with_a_reason(void **state)
{
    (void)state;
    static const char *const probe[] = {"latency", "bandwidth"};
    for (int i = 0; i < 2; i++) {
        struct trial trial;
        open_trial(&trial, 1, 1, 1);
        int levels = trial.host.cache_count + 1;
        collect(&trial, probe[i]);
        assert_int_equal(trial.run.gauge_count, 0);
        assert_int_equal(trial.machine.count, levels);
        for (int j = 0; j < levels; j++) {
            const struct ceiling *row = table_ceiling(&trial.machine, (size_t)j);
            assert_string_equal(row->status, "skipped");
            assert_string_equal(row->kind, probe[i]);
            assert_non_null(strstr(row->why, "free memory"));
        }
        assert_string_equal(table_ceiling(&trial.machine, (size_t)levels - 1)->level, "DRAM");
        close_trial(&trial);
    }
}

static void latency_of_a_lone_outer_cache_has_a_set(void **state)
{
    (void)state;
    struct trial trial;
    open_trial(&trial, 1, 1, 1024 * MIB);
    trial.host.cache_count = 1;
    trial.host.cache[0] = (struct cache){3, 2 * MIB, 64, 1, 1, NAN};
    collect(&trial, "latency");
    if (trial.host.cache_count) /* dropped where it is no faster than DRAM */
        assert_source(&trial, "", "L3", 1, "over 16384 lines");
    close_trial(&trial);
}

/* Which set is kept depends on the machine, what its row says of it does not. */
static void latency_keeps_a_set_that_the_cache_really_holds(void **state)
{
    (void)state;
    struct trial trial;
    open_trial(&trial, 1, 1, 1024 * MIB);
    const double largest = 8 * MIB;
    trial.host.cache_count = 2;
    trial.host.cache[0] = (struct cache){2, 1 * MIB, 64, 1, 1, NAN};
    trial.host.cache[1] = (struct cache){3, 1024 * MIB, 64, 1, 1, NAN};
    collect(&trial, "latency");
    if (trial.host.cache_count == 2) {
        const double kept = trial.host.cache[1].steady_bytes;
        assert_true(kept == largest || kept == largest / 2 || kept == largest / 4);
        char lines[32];
        snprintf(lines, sizeof lines, "over %.0f lines", kept / 64);
        assert_source(&trial, "", "L3", 1, lines);
        if (kept < largest)
            assert_source(&trial, "", "L3", 1, "of the 1024 MiB listed");
    }
    close_trial(&trial);
}

static void a_team_costs_time_where_there_is_one(void **state)
{
    (void)state;
    struct trial trial;
    open_trial(&trial, 1, 1, NAN);
    collect(&trial, "fork_join");
    assert_int_equal(trial.run.gauge_count, 0);
    close_trial(&trial);
    open_trial(&trial, 2, 2, NAN);
    collect(&trial, "fork_join");
    assert_int_equal(trial.run.gauge_count, 2);
    assert_source(&trial, "", "fork-join", 2, "parallel region");
    assert_source(&trial, "", "barrier", 2, "barrier");
    for (int i = 0; i < 2; i++) {
        const double seconds = gauge_sample(&trial.run.gauges[i]).rate;
        assert_true(seconds > 1e-9 && seconds < 1);
    }
    close_trial(&trial);
}

static void a_deadline_leaves_enough_samples(void **state)
{
    (void)state;
    struct trial trial;
    struct error error;
    open_trial(&trial, 1, 1, NAN);
    collect(&trial, "clock");
    trial.run.deadline_seconds = seconds_now();
    assert_int_equal(probe_measure(&trial.run, PROBE_ROUNDS_MIN + 90, NULL, &error), OK);
    assert_int_equal(trial.run.gauges[0].reading_count, PROBE_ROUNDS_MIN);
    close_trial(&trial);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hardware_threads_of_a_core_share_its_caches),
        cmocka_unit_test(the_lone_worker_of_a_node_stays_within_its_memory),
        cmocka_unit_test(the_lone_worker_of_a_machine_sweeps_the_memory_of_all),
        cmocka_unit_test(want_of_memory_skips_rows_with_a_reason),
        cmocka_unit_test(latency_of_a_lone_outer_cache_has_a_set),
        cmocka_unit_test(latency_keeps_a_set_that_the_cache_really_holds),
        cmocka_unit_test(a_team_costs_time_where_there_is_one),
        cmocka_unit_test(a_deadline_leaves_enough_samples),
    };
    return cmocka_run_group_tests_name("probe", tests, NULL, NULL);
}
