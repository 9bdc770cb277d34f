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
#include "embedded.h"

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

/* A PMU of the test: it knows some events, and each reads what is written here. */
static struct {
    const char *known[8];
    long long reading[8];
    bool starts, stays; /* on the PMU: all the time */
    int open;           /* groups not closed */
} fake;

struct fake_group {
    int event[8], count;
};

static void *fake_open(const char *const *events, int count, const char **why)
{
    struct fake_group *group = test_calloc(1, sizeof *group);
    *why = "Event does not exist";
    for (int i = 0; i < count; i++) {
        int known = 0;
        while (fake.known[known] && strcmp(fake.known[known], events[i]) != 0)
            known++;
        if (!fake.known[known]) {
            test_free(group);
            return NULL;
        }
        group->event[group->count++] = known;
    }
    fake.open++;
    return group;
}

static bool fake_start(void *group)
{
    (void)group;
    return fake.starts;
}

static bool fake_stop(void *group, long long *readings)
{
    const struct fake_group *own = group;
    for (int i = 0; i < own->count; i++)
        readings[i] = fake.reading[own->event[i]];
    return fake.stays;
}

static void fake_close(void *group)
{
    fake.open--;
    test_free(group);
}

static const struct pmu fake_pmu = {fake_open, fake_start, fake_stop, fake_close};

static int reset_fake(void **state)
{
    (void)state;
    memset(&fake, 0, sizeof fake);
    fake.known[0] = "PAPI_TOT_CYC";
    fake.reading[0] = 1000;
    fake.starts = fake.stays = true;
    return 0;
}

static int all_groups_are_closed(void **state)
{
    (void)state;
    return fake.open;
}

static struct counts count_fake(const struct recipe *recipe)
{
    struct counters *counters;
    struct error error;
    counters_open(&counters, &fake_pmu, recipe, &error);
    counters_start(counters);
    struct counts counts = counters_stop(counters);
    counters_close(counters);
    return counts;
}

static void events_are_summed_with_their_weights(void **state)
{
    (void)state;
    const struct recipe recipe = {{{"SCALAR", 1}, {"PACKED", 8}}, 2};
    fake.known[1] = "PACKED", fake.reading[1] = 100;
    fake.known[2] = "SCALAR", fake.reading[2] = 3;
    struct counts counts = count_fake(&recipe);
    assert_true(counts.sum == 803 && counts.cycles == 1000 && isnan(counts.instructions));
    fake.reading[1] = fake.reading[2] = 0; /* a copy does no arithmetic */
    assert_true(count_fake(&recipe).sum == 0);
}

static void a_group_that_was_not_on_the_pmu_all_the_time_is_dropped(void **state)
{
    (void)state;
    const struct recipe recipe = {{{"PACKED", 8}}, 1};
    fake.known[1] = "PACKED", fake.reading[1] = 100;
    for (int i = 0; i < 3; i++) {
        fake.starts = i != 0;
        fake.stays = i != 1;
        fake.reading[0] = i != 2 ? 1000 : 0; /* no cycle passed: the group stood still */
        struct counts counts = count_fake(&recipe);
        assert_true(isnan(counts.sum) && isnan(counts.cycles) && isnan(counts.instructions));
    }
}

static void cycles_are_counted_without_instructions(void **state)
{
    (void)state;
    struct counts counts = count_fake(NULL);
    assert_true(counts.cycles == 1000 && isnan(counts.instructions) && isnan(counts.sum));
    fake.known[1] = "PAPI_TOT_INS", fake.reading[1] = 2500;
    assert_true(count_fake(NULL).instructions == 2500);
}

static const char table[] = "# a comment\n"
                            "flops f32 1 PAPI_SP_OPS\n"
                            "flops f32 1 SCALAR + 8 PACKED\n"
                            "flops * 1 ANY\n"
                            "bytes * 64 DEMAND + 64 PREFETCH\n";

static void the_first_recipe_that_this_pmu_knows_is_taken(void **state)
{
    (void)state;
    static const struct {
        const char *known[3], *quantity, *events;
        enum dtype dtype;
    } cases[] = {
        {{"ANY", "PAPI_SP_OPS"}, "flops", "PAPI_SP_OPS", DTYPE_f32},
        {{"ANY", "SCALAR", "PACKED"}, "flops", "SCALAR + 8 PACKED", DTYPE_f32},
        {{"ANY", "SCALAR"}, "flops", "ANY", DTYPE_f32},
        {{"ANY", "PAPI_SP_OPS"}, "flops", "ANY", DTYPE_f64},
        {{"DEMAND", "PREFETCH"}, "bytes", "64 DEMAND + 64 PREFETCH", DTYPE_f64},
        {{"DEMAND"}, "bytes", "", DTYPE_f64},
        {{NULL}, "flops", "", DTYPE_f32},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char events[128];
        memcpy(fake.known + 1, cases[i].known, sizeof cases[i].known);
        struct recipe recipe = counters_choose(&fake_pmu, table, cases[i].quantity, cases[i].dtype);
        recipe_format(&recipe, events, sizeof events);
        assert_string_equal(events, cases[i].events);
    }
    assert_int_equal(counters_choose(&fake_pmu, NULL, "flops", DTYPE_f32).term_count, 0);
}

static void every_table_of_events_is_sound(void **state)
{
    (void)state;
    for (const struct embedded_file *file = embedded_events; file->name; file++) {
        struct recipe recipe;
        struct error error;
        int result;
        assert_non_null(strstr(file->text, "# source: "));
        assert_non_null(strstr(file->text, "# match: "));
        for (int dtype = 0; dtype < DTYPE_COUNT; dtype++) {
            const char *rest = file->text;
            int count = 0;
            while ((result = events_next(&recipe, &rest, "flops", (enum dtype)dtype, &error)) == OK)
                count++;
            if (result == FAILED || count == 0)
                fail_msg("%s: %s", file->name, error.text);
        }
        const char *rest = file->text;
        while ((result = events_next(&recipe, &rest, "bytes", DTYPE_f64, &error)) == OK)
            for (int i = 0; i < recipe.term_count; i++)
                assert_true(recipe.term[i].weight == 64); /* lines */
        assert_int_equal(result, SKIPPED);
    }
}

static void a_malformed_recipe_is_refused(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "flops\n",
        "flops *\n",
        "flops * EVENT\n",
        "flops * 1\n",
        "flops * 0 EVENT\n",
        "flops * 1 A B\n",
        "flops * 1 A + B\n",
        "flops * 1 A +\n",
        "flops * 1 A + 1 B + 1 C + 1 D + 1 E + 1 F + 1 G\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct recipe recipe;
        struct error error;
        const char *rest = lines[i];
        if (events_next(&recipe, &rest, "flops", DTYPE_f32, &error) != FAILED)
            fail_msg("accepted: %s", lines[i]);
    }
}

static void a_cpu_finds_its_table(void **state)
{
    (void)state;
    static const struct {
        struct identity cpu;
        const char *word; /* in the table; NULL: no table */
    } cases[] = {
        {{.vendor = "AuthenticAMD", .family = 25, .model_number = 0x01}, "Zen 3"},
        {{.vendor = "AuthenticAMD", .family = 25, .model_number = 0x11}, "Zen 4"},
        {{.vendor = "GenuineIntel", .family = 6, .model_number = 0x8f}, "FP_ARITH_INST_RETIRED"},
        {{.vendor = "GenuineIntel", .family = 6, .model_number = 0x2a}, NULL},
        {{.vendor = "", .family = -1, .model_number = -1}, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *found = events_table(&cases[i].cpu);
        if (cases[i].word ? !found || !strstr(found, cases[i].word) : found != NULL)
            fail_msg("case %zu: '%.60s'", i, found ? found : "");
    }
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
    int result = counters_open(&counters, &papi, NULL, &error);
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
#define FAKED(test) cmocka_unit_test_setup_teardown(test, reset_fake, all_groups_are_closed)
        FAKED(events_are_summed_with_their_weights),
        FAKED(a_group_that_was_not_on_the_pmu_all_the_time_is_dropped),
        FAKED(cycles_are_counted_without_instructions),
        FAKED(the_first_recipe_that_this_pmu_knows_is_taken),
        cmocka_unit_test(every_table_of_events_is_sound),
        cmocka_unit_test(a_malformed_recipe_is_refused),
        cmocka_unit_test(a_cpu_finds_its_table),
        cmocka_unit_test(no_counters_count_nothing),
        cmocka_unit_test(loop_is_counted_here),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
