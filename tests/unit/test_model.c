// test_model.c - which ceilings are a roof, at which clock, and what they allow.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "model.h"
#include "synthetic.h"

static void assert_near(double value, double expected)
{
    if (!(fabs(value - expected) <= 1e-9 * fabs(expected)))
        fail_msg("%.17g is not %.17g", value, expected);
}

static void roof_is_the_lower_of_both_ceilings(void **state)
{
    (void)state;
    assert_near(attainable_flops_per_second(0.5, 100, 10), 5);
    assert_near(attainable_flops_per_second(20, 100, 10), 100);
    assert_near(ridge_flops_per_byte(100, 10), 10);
    assert_int_equal(bound_of_intensity(9.99, 100, 10), BOUND_MEMORY);
    assert_int_equal(bound_of_intensity(10, 100, 10), BOUND_COMPUTE);
}

static void unknown_numbers_stay_unknown(void **state)
{
    (void)state;
    assert_true(isnan(attainable_flops_per_second(NAN, 100, 10)));
    assert_true(isnan(attainable_flops_per_second(1, NAN, 10)));
    assert_true(isnan(attainable_flops_per_second(1, 100, NAN)));
    assert_int_equal(bound_of_intensity(1, NAN, 10), BOUND_UNKNOWN);
    assert_int_equal(bound_parse(bound_name(BOUND_LAUNCH)), BOUND_LAUNCH);
    assert_int_equal(bound_parse("nonsense"), BOUND_UNKNOWN);
}

struct fixture {
    struct table machine, bench;
    struct measurement *row;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    table_init(&fixture.machine, &ceiling_schema);
    table_init(&fixture.bench, &measurement_schema);
    add_machine(&fixture.machine);
    fixture.row = add_measurement(&fixture.bench, "add", "n=1", "DRAM", 1e6, 12e6, 1e-3);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    table_free(&fixture->machine);
    table_free(&fixture->bench);
    return 0;
}

static void fma_of_the_best_isa_is_the_flat_roof(void **state)
{
    struct fixture *fixture = *state;
    struct roof roof = roof_of(&fixture->machine, fixture->row);
    assert_near(roof.flops_per_second, 100e9);
    assert_string_equal(roof.compute, "fma");
    assert_string_equal(roof.why, "");
}

static void mul_and_add_is_the_flat_roof_without_fma(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < fixture->machine.count; i++) {
        struct ceiling *row = table_ceiling(&fixture->machine, i);
        if (strcmp(row->level, "fma") == 0)
            text_copy(row->status, sizeof row->status, "skipped");
    }
    struct roof roof = roof_of(&fixture->machine, fixture->row);
    assert_near(roof.flops_per_second, 99e9);
    assert_string_equal(roof.compute, "mul+add");
}

/* DRAM:copy counts 30 GB/s of which a third is write-allocate: no roof for code that counts its own
 * bytes. */
static void write_allocating_dram_operations_are_no_roof(void **state)
{
    struct fixture *fixture = *state;
    struct roof roof = roof_of(&fixture->machine, fixture->row);
    assert_near(roof.bytes_per_second, 12e9);
    assert_string_equal(roof.memory, "DRAM:copy_nt");
    add_ceiling(&fixture->machine, "bandwidth", "", "DRAM:update", 13e9);
    assert_near(roof_of(&fixture->machine, fixture->row).bytes_per_second, 13e9);
}

static void every_operation_of_a_cache_is_a_roof(void **state)
{
    struct fixture *fixture = *state;
    add_ceiling(&fixture->machine, "bandwidth", "", "L2:copy", 110e9);
    text_copy(fixture->row->level, sizeof fixture->row->level, "L2");
    assert_near(roof_of(&fixture->machine, fixture->row).bytes_per_second, 110e9);
}

static void core_ceilings_follow_the_clock_and_dram_does_not(void **state)
{
    struct fixture *fixture = *state;
    fixture->row->clock_hertz = 3e9;
    struct roof roof = roof_of(&fixture->machine, fixture->row);
    assert_near(roof.flops_per_second, 150e9);
    assert_near(roof.bytes_per_second, 12e9);
    text_copy(fixture->row->level, sizeof fixture->row->level, "L1");
    assert_near(roof_of(&fixture->machine, fixture->row).bytes_per_second, 300e9);
    fixture->row->clock_hertz = NAN;
    assert_near(roof_of(&fixture->machine, fixture->row).bytes_per_second, 200e9);
}

static void compute_sampled_beside_the_kernel_counts(void **state)
{
    struct fixture *fixture = *state;
    text_copy(fixture->row->ceiling, sizeof fixture->row->ceiling, "fma");
    fixture->row->ceiling_sample = 80e9;
    struct roof roof = roof_of(&fixture->machine, fixture->row);
    assert_near(roof.flops_per_second, 80e9);
    assert_near(roof.bytes_per_second, 12e9);
}

static void bandwidth_sampled_beside_the_kernel_counts(void **state)
{
    struct fixture *fixture = *state;
    text_copy(fixture->row->ceiling, sizeof fixture->row->ceiling, "DRAM:copy_nt");
    fixture->row->ceiling_sample = 9e9;
    assert_near(roof_of(&fixture->machine, fixture->row).bytes_per_second, 9e9);
    text_copy(fixture->row->ceiling, sizeof fixture->row->ceiling, "DRAM:read");
    struct roof roof = roof_of(&fixture->machine, fixture->row);
    assert_near(roof.bytes_per_second, 9e9);
    assert_string_equal(roof.memory, "DRAM:read");
    /* DRAM:copy counts write-allocate. It fell from 30 to 20 GB/s, so copy_nt is taken to have
     * fallen from 12 to 8. */
    text_copy(fixture->row->ceiling, sizeof fixture->row->ceiling, "DRAM:copy");
    fixture->row->ceiling_sample = 20e9;
    assert_near(roof_of(&fixture->machine, fixture->row).bytes_per_second, 8e9);
    assert_near(roof_of_machine(&fixture->machine, fixture->row).bytes_per_second, 12e9);
    /* Another level's sample says nothing. */
    text_copy(fixture->row->ceiling, sizeof fixture->row->ceiling, "L2:read");
    assert_near(roof_of(&fixture->machine, fixture->row).bytes_per_second, 12e9);
}

static void missing_ceilings_are_named(void **state)
{
    struct fixture *fixture = *state;
    fixture->row->threads = 3;
    struct roof roof = roof_of(&fixture->machine, fixture->row);
    assert_true(isnan(roof.flops_per_second) && isnan(roof.bytes_per_second));
    assert_non_null(strstr(roof.why, "'f32'"));
    assert_non_null(strstr(roof.why, "3 thread"));
    fixture->row->threads = 1;
    text_copy(fixture->row->level, sizeof fixture->row->level, "L4");
    roof = roof_of(&fixture->machine, fixture->row);
    assert_near(roof.flops_per_second, 100e9);
    assert_non_null(strstr(roof.why, "'L4'"));
    assert_string_equal(roof_level(&roof, 1), "");
}

static void short_calls_are_bound_by_their_launch(void **state)
{
    struct fixture *fixture = *state;
    struct ceiling *launch = add_ceiling(&fixture->machine, "latency", "", "launch", 5e-6);
    launch->workers = 1;
    struct roof roof = roof_of(&fixture->machine, fixture->row);
    assert_int_equal(bound_under_roof(&roof, 1e3, 12e3), BOUND_LAUNCH);
    assert_int_equal(bound_under_roof(&roof, 1e9, 12e9), BOUND_MEMORY);
    assert_int_equal(bound_under_roof(&roof, 1e9, 1e7), BOUND_COMPUTE);
}

static void theory_is_found_by_key_and_taken_per_cycle(void **state)
{
    struct fixture *fixture = *state;
    const struct ceiling *fma = ceiling_of_compute(&fixture->machine, "cpu", "f32", 1);
    assert_null(ceiling_of_theory(&fixture->machine, fma));
    static const double clocks[] = {2.5e9, 3.5e9};
    for (int i = 0; i < 2; i++) {
        struct ceiling *derived =
            add_ceiling(&fixture->machine, "compute", "avx2", "fma", 51 * clocks[i]);
        text_copy(derived->basis, sizeof derived->basis, "derived");
        derived->clock_hertz = clocks[i];
    }
    fma = ceiling_of_compute(&fixture->machine, "cpu", "f32", 1);
    assert_near(fma->value, 100e9);
    const struct ceiling *theory = ceiling_of_theory(&fixture->machine, fma);
    assert_near(theory->clock_hertz, 3.5e9);
    assert_near(ceiling_at_clock(theory, fma->clock_hertz), 102e9);
    const struct ceiling *other =
        ceiling_of_mix(&fixture->machine, "cpu", "f32", "sse2", "mul+add", 1);
    assert_null(ceiling_of_theory(&fixture->machine, other));
}

static void theory_of_the_operation_counts_before_that_of_the_level(void **state)
{
    struct fixture *fixture = *state;
    static const char *const levels[] = {"L2", "L2:update", "L2"};
    for (int i = 0; i < 3; i++) {
        struct ceiling *derived = add_ceiling(&fixture->machine, "bandwidth", "", levels[i],
                                              i == 1 ? 200e9 : (100 + i) * 1e9);
        text_copy(derived->basis, sizeof derived->basis, "derived");
    }
    struct ceiling measured = {.device = "cpu", .kind = "bandwidth", .workers = 1};
    text_copy(measured.level, sizeof measured.level, "L2:update");
    assert_near(ceiling_of_theory(&fixture->machine, &measured)->value, 200e9);
    text_copy(measured.level, sizeof measured.level, "L2:read");
    assert_near(ceiling_of_theory(&fixture->machine, &measured)->value, 100e9);
}

static void an_update_beyond_l1_bounds_updates_alone(void **state)
{
    (void)state;
    assert_false(bounds_memory("L2:update", false));
    assert_true(bounds_memory("L2:update", true));
    assert_true(bounds_memory("L3:triad", false));
    assert_true(bounds_memory("L1:update", false));
    assert_false(bounds_memory("DRAM:update", false));
    assert_true(bounds_memory("DRAM:update", true));
    assert_true(bounds_memory("DRAM:copy_nt", false));
    assert_false(bounds_memory("DRAM:copy", true));
}

int main(void)
{
#define WITH_MACHINE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(roof_is_the_lower_of_both_ceilings),
        cmocka_unit_test(unknown_numbers_stay_unknown),
        WITH_MACHINE(fma_of_the_best_isa_is_the_flat_roof),
        WITH_MACHINE(mul_and_add_is_the_flat_roof_without_fma),
        WITH_MACHINE(write_allocating_dram_operations_are_no_roof),
        WITH_MACHINE(every_operation_of_a_cache_is_a_roof),
        WITH_MACHINE(core_ceilings_follow_the_clock_and_dram_does_not),
        WITH_MACHINE(compute_sampled_beside_the_kernel_counts),
        WITH_MACHINE(bandwidth_sampled_beside_the_kernel_counts),
        WITH_MACHINE(missing_ceilings_are_named),
        WITH_MACHINE(short_calls_are_bound_by_their_launch),
        WITH_MACHINE(theory_is_found_by_key_and_taken_per_cycle),
        WITH_MACHINE(theory_of_the_operation_counts_before_that_of_the_level),
        cmocka_unit_test(an_update_beyond_l1_bounds_updates_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
