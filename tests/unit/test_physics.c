// test_physics.c - sound results pass; each contradiction of physics is found, and its row is
// named.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "physics.h"
#include "synthetic.h"

#ifndef TEST_SOURCE_DIR
#define TEST_SOURCE_DIR "tests"
#endif

struct fixture {
    struct results results;
    char *text; /* what the checks printed; owned */
};

static int set_up(void **state)
{
    struct error error;
    struct fixture *fixture = calloc(1, sizeof *fixture);
    *state = fixture;
    if (!fixture || synthetic_results(&fixture->results, 12, &error) != OK)
        return -1;
    struct ceiling *theory =
        add_ceiling(&fixture->results.machine, "compute", "avx2", "fma", 51 * 3e9);
    text_copy(theory->basis, sizeof theory->basis, "derived");
    theory->clock_hertz = 3e9;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    results_free(&fixture->results);
    free(fixture->text);
    free(fixture);
    return 0;
}

static struct physics check(struct fixture *fixture)
{
    size_t length;
    struct error error;
    free(fixture->text);
    fixture->text = NULL;
    table_free(&fixture->results.summary);
    assert_int_equal(summary_build(&fixture->results.summary, &fixture->results.machine,
                                   &fixture->results.bench, &error),
                     OK);
    FILE *out = open_memstream(&fixture->text, &length);
    assert_non_null(out);
    struct physics physics = physics_check(&fixture->results, out);
    fclose(out);
    return physics;
}

static void assert_violation(struct fixture *fixture, const char *row, const char *words)
{
    struct physics physics = check(fixture);
    assert_int_equal(physics.violations, 1);
    assert_non_null(strstr(fixture->text, row));
    assert_non_null(strstr(fixture->text, words));
}

static struct ceiling *measured_fma(struct fixture *fixture)
{
    return table_ceiling(&fixture->results.machine, 0);
}

static struct measurement *first_kernel(struct fixture *fixture)
{
    return table_measurement(&fixture->results.bench, 0);
}

static void sound_results_pass(void **state)
{
    struct fixture *fixture = *state;
    struct physics physics = check(fixture);
    assert_int_equal(physics.violations, 0);
    assert_true(physics.checks > 100);
    assert_string_equal(fixture->text, "");
}

static void nothing_beats_theory_at_the_measured_clock(void **state)
{
    struct fixture *fixture = *state;
    measured_fma(fixture)->value = 51 * 2e9 * 1.029;
    assert_int_equal(check(fixture).violations, 0);
    measured_fma(fixture)->value = 51 * 2e9 * 1.031;
    assert_violation(fixture, "'cpu fma f32 avx2' with 1 worker(s)", "above the theoretical");
}

static void no_dot_stands_above_its_roof(void **state)
{
    struct fixture *fixture = *state;
    struct measurement *row = first_kernel(fixture);
    double roof_seconds = row->bytes_min / 200e9;
    row->seconds_min = row->seconds_q1 = row->seconds_median = roof_seconds / 1.049;
    assert_int_equal(check(fixture).violations, 0);
    row->seconds_min = row->seconds_q1 = row->seconds_median = roof_seconds / 1.051;
    assert_violation(fixture, "'conv2d plain avx2 f32 m=100,n=100,k=7'", "above its roof");
}

static void the_roof_judges_what_a_method_does(void **state)
{
    struct fixture *fixture = *state;
    struct measurement *row = first_kernel(fixture);
    row->flops = 2 * measured_fma(fixture)->value * row->seconds_median;
    assert_violation(fixture, "conv2d", "above its roof of");
    row->flops_done = row->flops / 4;
    assert_int_equal(check(fixture).violations, 0);
    row->flops_done = 2 * row->flops;
    assert_violation(fixture, "conv2d", "above its roof of");
}

static void what_computes_nothing_stays_below_the_bandwidth(void **state)
{
    struct fixture *fixture = *state;
    struct measurement *row = first_kernel(fixture);
    double roof_seconds = row->bytes_min / 200e9;
    row->flops = 0;
    row->seconds_min = row->seconds_q1 = row->seconds_median = roof_seconds / 1.049;
    assert_int_equal(check(fixture).violations, 0);
    row->seconds_min = row->seconds_q1 = row->seconds_median = roof_seconds / 1.051;
    assert_violation(fixture, "conv2d", "GB/s is 5.1 % above its roof of 200 (L1:read)");
}

static void a_disturbed_ceiling_is_no_violation_and_two_are_compared(void **state)
{
    struct fixture *fixture = *state;
    struct measurement *row = first_kernel(fixture);
    double at_machine_roof = row->bytes_min / 200e9;
    text_copy(row->ceiling, sizeof row->ceiling, "L1:read");
    row->ceiling_sample = 150e9;
    row->seconds_min = row->seconds_q1 = row->seconds_median = at_machine_roof / 1.049;
    assert_int_equal(check(fixture).violations, 0);
    row->seconds_min = row->seconds_q1 = row->seconds_median = at_machine_roof / 1.051;
    assert_violation(fixture, "conv2d", "above its roof of");
    row->ceiling_sample = 210e9;
    assert_int_equal(check(fixture).violations, 0);
}

static void quartiles_stand_in_order(void **state)
{
    struct fixture *fixture = *state;
    first_kernel(fixture)->seconds_q3 = first_kernel(fixture)->seconds_median / 2;
    assert_violation(fixture, "conv2d", "in order");
    first_kernel(fixture)->seconds_q3 = NAN;
    assert_violation(fixture, "conv2d", "in order");
}

static void work_is_positive(void **state)
{
    struct fixture *fixture = *state;
    first_kernel(fixture)->flops = -1;
    assert_violation(fixture, "conv2d", "flops");
    first_kernel(fixture)->flops = 1e6;
    first_kernel(fixture)->bytes_min = NAN;
    assert_violation(fixture, "conv2d", "bytes_min");
    first_kernel(fixture)->bytes_min = 1e6;
    first_kernel(fixture)->threads = NAN;
    assert_violation(fixture, "conv2d", "no threads");
}

static void ceilings_are_positive(void **state)
{
    struct fixture *fixture = *state;
    table_ceiling(&fixture->results.machine, fixture->results.machine.count - 1)->value = 0;
    assert_violation(fixture, "derived", "not positive");
}

static void measured_rows_have_samples_spread_and_clock(void **state)
{
    struct fixture *fixture = *state;
    struct ceiling *row = measured_fma(fixture);
    row->samples = 9;
    assert_violation(fixture, "fma", "9 samples");
    row->samples = 15;
    row->spread_rel = NAN;
    assert_violation(fixture, "fma", "no spread");
    row->spread_rel = 0;
    row->clock_hertz = NAN;
    assert_violation(fixture, "fma", "no clock");
    row->clock_hertz = 2e9;
    first_kernel(fixture)->samples = NAN;
    assert_violation(fixture, "conv2d", "samples");
}

static void keys_are_complete(void **state)
{
    struct fixture *fixture = *state;
    first_kernel(fixture)->shape[0] = '\0';
    assert_violation(fixture, "conv2d", "shape");
    text_copy(first_kernel(fixture)->shape, 8, "n=1");
    measured_fma(fixture)->unit[0] = '\0';
    assert_violation(fixture, "fma", "unit");
}

static void captured_results_hold(void **state)
{
    (void)state;
    static const char *const machines[] = {"zen3", "sapphire-rapids"};
    for (size_t i = 0; i < 2; i++) {
        char directory[256], *text = NULL;
        size_t length;
        struct error error;
        struct results results;
        text_format(directory, sizeof directory, "%s/golden/results/%s", TEST_SOURCE_DIR,
                    machines[i]);
        assert_int_equal(results_read(&results, directory, &error), OK);
        FILE *out = open_memstream(&text, &length);
        assert_non_null(out);
        struct physics physics = physics_check(&results, out);
        fclose(out);
        assert_string_equal(text, "");
        assert_true(physics.checks > 500);
        free(text);
        results_free(&results);
    }
}

static void skipped_rows_are_not_checked(void **state)
{
    struct fixture *fixture = *state;
    int before = check(fixture).checks;
    struct measurement *row = table_append(&fixture->results.bench);
    text_copy(row->status, sizeof row->status, "skipped");
    struct physics physics = check(fixture);
    assert_int_equal(physics.checks, before);
    assert_int_equal(physics.violations, 0);
}

int main(void)
{
#define WITH_RESULTS(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_RESULTS(sound_results_pass),
        WITH_RESULTS(nothing_beats_theory_at_the_measured_clock),
        WITH_RESULTS(no_dot_stands_above_its_roof),
        WITH_RESULTS(the_roof_judges_what_a_method_does),
        WITH_RESULTS(what_computes_nothing_stays_below_the_bandwidth),
        WITH_RESULTS(a_disturbed_ceiling_is_no_violation_and_two_are_compared),
        WITH_RESULTS(quartiles_stand_in_order),
        WITH_RESULTS(work_is_positive),
        WITH_RESULTS(ceilings_are_positive),
        WITH_RESULTS(measured_rows_have_samples_spread_and_clock),
        WITH_RESULTS(keys_are_complete),
        WITH_RESULTS(skipped_rows_are_not_checked),
        cmocka_unit_test(captured_results_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
