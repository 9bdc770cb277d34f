// test_counters.c - a counter is a true number or unknown, and its absence comes with a remedy.
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "counters.h"

/* Judges, expects SKIPPED and every one of the words in the reason. */
static void expect_skip(struct counter_access access, const char *const *words)
{
    struct error error;
    assert_int_equal(counter_access_judge(&access, &error), SKIPPED);
    for (; *words; words++)
        if (!strstr(error.text, *words))
            fail_msg("'%s' is not in '%s'", *words, error.text);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void working_counters_are_accepted(void **state)
{
    (void)state;
    const struct counter_access access = {.papi = "", .paranoid = 2, .hypervisor = "KVM"};
    struct error error;
    assert_int_equal(counter_access_judge(&access, &error), OK);
}

static void missing_papi_names_its_installation(void **state)
{
    (void)state;
    expect_skip((struct counter_access){.papi = NULL, .paranoid = 2, .hypervisor = ""},
                WORDS("PAPI", "make deps"));
}

static void paranoid_kernel_is_named_with_its_value(void **state)
{
    (void)state;
    expect_skip(
        (struct counter_access){.open_errno = EACCES, .papi = "", .paranoid = 4, .hypervisor = ""},
        WORDS("perf_event_paranoid is 4", "sysctl kernel.perf_event_paranoid=2"));
}

static void container_is_told_from_a_paranoid_kernel(void **state)
{
    (void)state;
    expect_skip(
        (struct counter_access){.open_errno = EPERM, .papi = "", .paranoid = 1, .hypervisor = ""},
        WORDS("perf_event_paranoid is 1", "container", "PERFMON"));
}

static void guest_without_pmu_is_named(void **state)
{
    (void)state;
    static const int errors[] = {ENOENT, ENODEV, EOPNOTSUPP};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        expect_skip((struct counter_access){.open_errno = errors[i],
                                            .papi = "Event does not exist",
                                            .paranoid = 2,
                                            .hypervisor = "KVM"},
                    WORDS("KVM guest has no PMU", "perf_event_paranoid is 2", "bare metal"));
}

static void unknown_cpu_on_bare_metal_blames_no_hypervisor(void **state)
{
    (void)state;
    struct error error;
    const struct counter_access access = {
        .open_errno = ENOENT, .papi = "", .paranoid = 2, .hypervisor = ""};
    assert_int_equal(counter_access_judge(&access, &error), SKIPPED);
    assert_null(strstr(error.text, "guest"));
    assert_non_null(strstr(error.text, "kernel"));
}

static void papi_that_fails_on_a_counting_kernel_is_quoted(void **state)
{
    (void)state;
    expect_skip(
        (struct counter_access){.papi = "Event does not exist", .paranoid = 2, .hypervisor = ""},
        WORDS("'Event does not exist'", "PAPI"));
}

static void reading_that_failed_or_stood_still_is_unknown(void **state)
{
    (void)state;
    assert_true(counter_value(0, 12345) == 12345);
    assert_true(isnan(counter_value(-3, 12345))); /* PAPI_ESYS: the group was not on the PMU */
    assert_true(isnan(counter_value(0, 0)));
    assert_true(isnan(counter_value(0, -1)));
}

static void no_counters_count_nothing(void **state)
{
    (void)state;
    counters_start(NULL);
    struct counts counts = counters_stop(NULL);
    assert_true(isnan(counts.cycles));
    assert_true(isnan(counts.instructions));
    counters_close(NULL);
}

/* One add per iteration that waits for the one before: at least a million cycles and instructions.
 */
static void dependent_adds(void)
{
    long sum = 0;
    for (long i = 0; i < 1000000; i++)
        __asm__ volatile("" : "+r"(sum) : "r"(i));
}

static void loop_is_counted_here(void **state)
{
    (void)state;
    struct counters *counters;
    struct error error;
    int result = counters_open(&counters, &error);
    if (result != OK) {
        assert_int_equal(result, SKIPPED);
        assert_null(counters);
        print_message("# skip: %s\n", error.text);
        skip();
    }
    counters_start(counters);
    dependent_adds();
    struct counts counts = counters_stop(counters);
    counters_close(counters);
    if (isnan(counts.cycles)) {
        print_message("# skip: the PMU was taken by somebody else\n");
        skip();
    }
    assert_true(counts.cycles > 1e5 && counts.cycles < 1e9);
    assert_true(isnan(counts.instructions) || counts.instructions > 1e6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(working_counters_are_accepted),
        cmocka_unit_test(missing_papi_names_its_installation),
        cmocka_unit_test(paranoid_kernel_is_named_with_its_value),
        cmocka_unit_test(container_is_told_from_a_paranoid_kernel),
        cmocka_unit_test(guest_without_pmu_is_named),
        cmocka_unit_test(unknown_cpu_on_bare_metal_blames_no_hypervisor),
        cmocka_unit_test(papi_that_fails_on_a_counting_kernel_is_quoted),
        cmocka_unit_test(reading_that_failed_or_stood_still_is_unknown),
        cmocka_unit_test(no_counters_count_nothing),
        cmocka_unit_test(loop_is_counted_here),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
