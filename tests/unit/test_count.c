// test_count.c - what counters see of a kernel is what its model says, per call and over all
// members.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "count.h"

/* A PMU that counts, per member and run, cycles 100, FLOP 10 and lines 3; without `lines`, which
 * one member may lack. */
static struct {
    atomic_int members; /* that opened lines */
    int lacking;        /* the member that cannot; -1: none */
} fake;

static void *fake_open(const char *const *events, int count, const char **why)
{
    *why = "Event does not exist";
    bool lines = count > 1 && strcmp(events[1], "LINES") == 0;
    if (count > 1 && strcmp(events[1], "PAPI_TOT_INS") == 0)
        return NULL;
    if (lines && atomic_fetch_add(&fake.members, 1) == fake.lacking)
        return NULL;
    long long *readings = calloc(2, sizeof *readings);
    if (readings) {
        readings[0] = 100;
        readings[1] = lines ? 3 : 10;
    }
    return readings;
}

static bool fake_start(void *group)
{
    (void)group;
    return true;
}

static bool fake_stop(void *group, long long *readings)
{
    const long long *own = group;
    readings[0] = own[0];
    readings[1] = own[1];
    return true;
}

static const struct pmu fake_pmu = {fake_open, fake_start, fake_stop, free};

static void idle_body(const struct call *call)
{
    (void)call;
}
static const struct variant idle = {.name = "idle"};

static struct counted count_fake(int lacking)
{
    struct counting counting = {.pmu = &fake_pmu, .bytes = {{{"LINES", 64}}, 1}};
    counting.flops[DTYPE_f32] = (struct recipe){{{"OPERATIONS", 2}}, 1};
    struct run run = {
        .variant = &idle, .dtype = DTYPE_f32, .threads = 2, .body = idle_body, .repeats = 4};
    atomic_store(&fake.members, 0);
    fake.lacking = lacking;
    return run_count(&run, &counting);
}

static void counts_are_per_call_and_summed_over_the_members(void **state)
{
    (void)state;
    struct counted counted = count_fake(-1);
    assert_true(counted.cycles == 2 * 100 / 4. && isnan(counted.instructions));
    assert_true(counted.flops == 2 * 2 * 10 / 4. && counted.bytes == 2 * 64 * 3 / 4.);
    assert_string_equal(counted.by, "flops: 2 OPERATIONS; bytes: 64 LINES");
}

static void a_member_that_could_not_count_makes_the_sum_unknown(void **state)
{
    (void)state;
    struct counted counted = count_fake(1);
    assert_true(isnan(counted.bytes) && counted.flops == 10);
    assert_string_equal(counted.by, "flops: 2 OPERATIONS");
}

static void without_a_pmu_nothing_is_counted(void **state)
{
    (void)state;
    struct run run = {
        .variant = &idle, .dtype = DTYPE_f32, .threads = 1, .body = idle_body, .repeats = 1};
    struct counted counted = run_count(&run, &(struct counting){0});
    assert_true(isnan(counted.cycles) && isnan(counted.flops) && isnan(counted.bytes));
    assert_string_equal(counted.by, "");
}

/* What this machine can count; skips the test where that is nothing. */
static struct counting counting_or_skip(void)
{
    struct identity cpu = identity_read();
    struct counting counting = counting_here(&papi, &cpu);
    struct counters *counters;
    struct error error;
    if (counting.pmu)
        return counting;
    if (counters_open(&counters, &papi, NULL, &error) != OK)
        print_message("# skip: %s\n", error.text);
    skip();
    return counting;
}

static struct counted count_here(const struct counting *counting, const struct host *host,
                                 const char *kernel, const char *shape, double *flops,
                                 double *bytes_read)
{
    struct run run = {.host = host,
                      .kernel = kernel_find(kernel),
                      .isa = isa_best(),
                      .dtype = DTYPE_f32,
                      .threads = 1};
    struct error error;
    run.variant = run.kernel->variants;
    while (!run.variant->bodies[run.isa][run.dtype])
        run.isa--;
    if (shape_parse(&run.shape, shape, run.kernel->letters, run.kernel->letter_count, kernel,
                    &error) != OK ||
        run_open(&run, &error) != OK)
        fail_msg("%s", error.text);
    struct counted counted = run_count(&run, counting);
    *flops = run.flops;
    *bytes_read = 0;
    for (int i = 0; i < run.operand_count; i++)
        if (run.operand[i].role != ROLE_OUTPUT) /* non-temporal stores allocate nothing */
            *bytes_read += run.operand[i].elements * dtype_bytes(run.dtype);
    run_close(&run);
    return counted;
}

/* A sum that is not known is no failure: the CPU's events are not in a table, or somebody else
 * holds the PMU. */
static void expect_near(const char *kernel, double counted, const char *by, double model,
                        double allowed_rel)
{
    if (isnan(counted)) {
        print_message("# skip: '%s' was not counted\n", kernel);
        skip();
    }
    if (!(fabs(counted / model - 1) <= allowed_rel))
        fail_msg("%s: %g by %s, model %g", kernel, counted, by, model);
}

static void operations_are_those_of_the_model(void **state)
{
    (void)state;
    static const char *const cases[][2] = {{"gemm", "m=384,n=384,k=384"},
                                           {"triad", "n=1048576"},
                                           {"axpy", "n=1048576"},
                                           {"scale", "n=1048576"}};
    struct counting counting = counting_or_skip();
    struct host host;
    struct error error;
    assert_int_equal(host_read(&host, NULL, &error), OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double flops, bytes;
        struct counted counted =
            count_here(&counting, &host, cases[i][0], cases[i][1], &flops, &bytes);
        expect_near(cases[i][0], counted.flops, counted.by, flops, 0.01);
    }
    host_free(&host);
}

/* Each array is four times the last cache. */
static void streaming_kernels_read_from_memory_what_the_model_says(void **state)
{
    (void)state;
    static const char *const cases[] = {"triad", "axpy", "scale", "add"};
    struct counting counting = counting_or_skip();
    struct host host;
    struct error error;
    assert_int_equal(host_read(&host, NULL, &error), OK);
    double last = host.cache_count ? host.cache[host.cache_count - 1].size_bytes : 0;
    char shape[64];
    snprintf(shape, sizeof shape, "n=%.0f", fmax(last, 1 << 20));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double flops, bytes;
        struct counted counted = count_here(&counting, &host, cases[i], shape, &flops, &bytes);
        expect_near(cases[i], counted.bytes, counted.by, bytes, 0.05);
    }
    host_free(&host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_per_call_and_summed_over_the_members),
        cmocka_unit_test(a_member_that_could_not_count_makes_the_sum_unknown),
        cmocka_unit_test(without_a_pmu_nothing_is_counted),
        cmocka_unit_test(operations_are_those_of_the_model),
        cmocka_unit_test(streaming_kernels_read_from_memory_what_the_model_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
