// test_provenance.c - every file says how it came about, in lines that a program can read.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "provenance.h"

#define MACHINE(name) TEST_SOURCE_DIR "/golden/machines/" name ".xml"

/* A table whose provenance tells of a captured machine; the caller frees both. */
static void gather(struct table *table, struct host *host, int argc, char **argv)
{
    struct error error;
    assert_int_equal(host_read(host, MACHINE("epyc-7763-2s-nps4"), &error), OK);
    host->cpu_quota = 1.5;
    host->memory_limit_bytes = 1e9;
    table_init(table, &ceiling_schema);
    assert_int_equal(provenance_gather(table, host, argc, argv, &error), OK);
}

static void every_key_is_there_with_a_value(void **state)
{
    (void)state;
    static const char *const keys[] = {"schema",
                                       "schema_version",
                                       "version",
                                       "commit",
                                       "compiler",
                                       "flags",
                                       "time_utc",
                                       "cpu",
                                       "microcode",
                                       "kernel",
                                       "hypervisor",
                                       "governor",
                                       "turbo",
                                       "thp",
                                       "aslr",
                                       "smt",
                                       "load",
                                       "steal",
                                       "perf_event_paranoid",
                                       "driver",
                                       "cgroup_cpu",
                                       "cgroup_memory",
                                       "affinity",
                                       "pinning",
                                       "command",
                                       "hostname"};
    struct host host;
    struct table table;
    char *argv[] = {"roofline", "probe", NULL};
    gather(&table, &host, 2, argv);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        char line[64];
        snprintf(line, sizeof line, "# %s: ", keys[i]);
        const char *found = strstr(table.provenance, line);
        if (!found || found[strlen(line)] == '\n')
            fail_msg("'%s' is missing or empty", keys[i]);
        assert_true(found == table.provenance || found[-1] == '\n');
    }
    table_free(&table);
    host_free(&host);
}

static void limits_and_units_are_spelled_out(void **state)
{
    (void)state;
    struct host host;
    struct table table;
    char *argv[] = {"roofline", NULL};
    gather(&table, &host, 1, argv);
    assert_non_null(strstr(table.provenance, "\n# cgroup_cpu: 1.5 CPUs\n"));
    assert_non_null(strstr(table.provenance, "\n# cgroup_memory: 1000000000 bytes\n"));
    assert_non_null(strstr(table.provenance, "\n# affinity: 0-255\n"));
    assert_non_null(strstr(table.provenance, "# cpu: AMD EPYC 7763 64-Core Processor"));
    table_free(&table);
    host_free(&host);
}

static void command_can_be_pasted_into_a_shell(void **state)
{
    (void)state;
    struct host host;
    struct table table;
    char *argv[] = {"roofline", "bench", "--shape",    "m=1,n=2", "",
                    "it's",     "a b",   "$(x)\nnext", NULL};
    gather(&table, &host, 8, argv);
    assert_non_null(strstr(table.provenance, "\n# command: roofline bench --shape m=1,n=2 '' "
                                             "'it'\\''s' 'a b' '$(x) next'\n"));
    table_free(&table);
    host_free(&host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_is_there_with_a_value),
        cmocka_unit_test(limits_and_units_are_spelled_out),
        cmocka_unit_test(command_can_be_pasted_into_a_shell),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
