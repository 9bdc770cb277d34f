// test_summary.c - derived columns, short names, and the captured results of tests/golden/results.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "digest.h"
#include "names.h"
#include "synthetic.h"

#ifndef TEST_SOURCE_DIR
#define TEST_SOURCE_DIR "tests"
#endif

static void assert_near(double value, double expected)
{
    if (!(fabs(value - expected) <= 1e-9 * fabs(expected)))
        fail_msg("%.17g is not %.17g", value, expected);
}

static void columns_follow_from_the_raw_numbers(void **state)
{
    (void)state;
    struct error error;
    struct results results;
    results_init(&results);
    add_machine(&results.machine);
    add_measurement(&results.bench, "triad", "n=1000000", "DRAM", 2e6, 12e6, 2e-3);
    add_measurement(&results.bench, "gemm", "m=1,n=1,k=1", "L2", 4e9, 4e7, 50e-3);
    assert_int_equal(summary_build(&results.summary, &results.machine, &results.bench, &error), OK);
    const struct summary *triad = table_summary(&results.summary, 0);
    assert_near(triad->gflops, 1);
    assert_near(triad->gbytes_per_second, 6);
    assert_near(triad->intensity, 1.0 / 6);
    assert_string_equal(triad->bound, "memory");
    assert_near(triad->roof_gflops, 2);
    assert_near(triad->roof_fraction, 0.5);
    assert_string_equal(triad->roof_level, "DRAM:copy_nt");
    assert_near(triad->spread_rel, 0.02);
    const struct summary *gemm = table_summary(&results.summary, 1);
    assert_near(gemm->gflops, 80);
    assert_string_equal(gemm->bound, "compute");
    assert_near(gemm->roof_fraction, 0.8);
    assert_string_equal(gemm->roof_level, "fma");
    assert_string_equal(gemm->why, "");
    results_free(&results);
}

static void data_movement_is_rated_by_its_bytes(void **state)
{
    (void)state;
    struct error error;
    struct results results;
    results_init(&results);
    add_machine(&results.machine);
    add_measurement(&results.bench, "copy", "n=1000000", "DRAM", 0, 12e6, 2e-3);
    add_measurement(&results.bench, "copy", "n=2000000", "DRAM", 0, 24e6, 2.5e-3);
    assert_int_equal(summary_build(&results.summary, &results.machine, &results.bench, &error), OK);
    const struct summary *copy = table_summary(&results.summary, 0);
    assert_true(copy->gflops == 0 && copy->intensity == 0 && copy->roof_gflops == 0);
    assert_near(copy->gbytes_per_second, 6);
    assert_near(copy->roof_fraction, 0.5);
    assert_string_equal(copy->bound, "memory");
    assert_string_equal(copy->roof_level, "DRAM:copy_nt");
    char report[8192] = "";
    FILE *out = fmemopen(report, sizeof report, "w");
    assert_non_null(out);
    assert_int_equal(digest_print(&results, 80, out, &error), OK);
    fclose(out);
    assert_non_null(strstr(report, "copy n1000000"));
    assert_non_null(strstr(report, " 6.00        0    50 % DRAM  memory"));
    struct ceiling *launch = add_ceiling(&results.machine, "latency", "", "launch", 3e-3);
    struct summary launched;
    summary_of(&launched, &results.machine, table_measurement(&results.bench, 0));
    assert_string_equal(launched.bound, "launch");
    launch->value = 1e-6;
    summary_of(&launched, &results.machine, table_measurement(&results.bench, 0));
    assert_string_equal(launched.bound, "memory");
    results_free(&results);
}

static void rows_that_are_not_ok_keep_only_their_keys(void **state)
{
    (void)state;
    struct error error;
    struct results results;
    results_init(&results);
    add_machine(&results.machine);
    struct measurement *row = add_measurement(&results.bench, "gemm", "m=2", "L2", 4, 4, 1);
    text_copy(row->status, sizeof row->status, "failed");
    text_copy(row->why, sizeof row->why, "wrong result");
    assert_int_equal(summary_build(&results.summary, &results.machine, &results.bench, &error), OK);
    const struct summary *summary = table_summary(&results.summary, 0);
    assert_string_equal(summary->shape, "m=2");
    assert_string_equal(summary->why, "wrong result");
    assert_true(isnan(summary->gflops) && isnan(summary->roof_gflops) &&
                isnan(summary->spread_rel));
    assert_string_equal(summary->bound, "");
    results_free(&results);
}

static void rows_without_a_roof_say_why(void **state)
{
    (void)state;
    struct error error;
    struct results results;
    results_init(&results);
    add_measurement(&results.bench, "gemm", "m=2", "L2", 4, 4, 1);
    assert_int_equal(summary_build(&results.summary, &results.machine, &results.bench, &error), OK);
    const struct summary *summary = table_summary(&results.summary, 0);
    assert_near(summary->gflops, 4e-9);
    assert_true(isnan(summary->roof_fraction));
    assert_non_null(strstr(summary->why, "no roof"));
    results_free(&results);
}

static void assert_name(const struct summary *const *rows, int count, int i, const char *expected)
{
    char name[64];
    name_row(rows, count, i, name, sizeof name);
    assert_string_equal(name, expected);
}

static void names_show_what_tells_rows_apart(void **state)
{
    (void)state;
    struct summary a = {.kernel = "gemm", .variant = "x", .isa = "avx2", .shape = "m=8,n=8,k=8"};
    struct summary b = a, c = a, conv = a;
    text_copy(b.shape, sizeof b.shape, "m=9,n=9,k=8");
    text_copy(c.variant, sizeof c.variant, "y");
    text_copy(conv.kernel, sizeof conv.kernel, "conv2d");
    text_copy(conv.shape, sizeof conv.shape, "n=1,c=3,h=7,w=7,stride=2,pad=2");
    const struct summary *alone[] = {&a, &conv};
    assert_name(alone, 2, 0, "gemm mnk8");
    assert_name(alone, 2, 1, "conv2d c3 hw7 stride2 pad2");
    const struct summary *shapes[] = {&a, &b, &conv};
    assert_name(shapes, 3, 0, "gemm mn8");
    assert_name(shapes, 3, 1, "gemm mn9");
    const struct summary *variants[] = {&a, &c};
    assert_name(variants, 2, 1, "gemm y mnk8");
    text_copy(c.isa, sizeof c.isa, "sse2");
    assert_name(variants, 2, 1, "gemm y sse2 mnk8");
    char cut[9];
    name_row(alone, 2, 0, cut, sizeof cut);
    assert_string_equal(cut, "gemm ...");
}

static void neutral_words_are_left_out_of_names_unless_they_alone_tell_rows_apart(void **state)
{
    (void)state;
    struct summary a = {.kernel = "conv2d", .shape = "c=64,h=56,w=56,stride=1,pad=1,groups=1"};
    struct summary b = {.kernel = "conv2d", .shape = "c=3,h=224,w=224,stride=2,pad=3,groups=1"};
    struct summary c = {.kernel = "conv2d", .shape = "c=64,h=56,w=56,stride=1,pad=0,groups=1"};
    const struct summary *two[] = {&a, &b}, *three[] = {&a, &b, &c};
    assert_name(two, 2, 0, "conv2d c64 hw56");
    assert_name(two, 2, 1, "conv2d c3 hw224 stride2 pad3");
    assert_name(three, 3, 0, "conv2d c64 hw56 pad1");
    assert_name(three, 3, 2, "conv2d c64 hw56 pad0");
}

static void hostile_shapes_are_names_too(void **state)
{
    (void)state;
    static const char *const shapes[] = {"", ",", "=", "a", "=,=", "a=,b=", ",,,a=1,,", "a=b=c"};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        struct summary row = {.kernel = "k"};
        const struct summary *rows[] = {&row};
        char name[64];
        text_copy(row.shape, sizeof row.shape, shapes[i]);
        name_row(rows, 1, 0, name, sizeof name);
        assert_int_equal(name[0], 'k');
    }
}

static void provenance_is_read_by_key(void **state)
{
    (void)state;
    struct error error;
    struct table table;
    char value[16];
    table_init(&table, &summary_schema);
    assert_false(provenance_value(&table, "cpu", value, sizeof value));
    assert_int_equal(table_note(&table, "cpu_count", "2", &error), OK);
    assert_int_equal(table_note(&table, "cpu", "a: b", &error), OK);
    assert_true(provenance_value(&table, "cpu", value, sizeof value));
    assert_string_equal(value, "a: b");
    assert_false(provenance_value(&table, "cp", value, sizeof value));
    assert_string_equal(value, "");
    table_free(&table);
}

static char *read_whole(const char *path)
{
    char *text = NULL;
    size_t capacity = 0;
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_true(getdelim(&text, &capacity, '\0', file) > 0);
    fclose(file);
    return text;
}

/* Writes what this build derives and compares; `GOLDEN_UPDATE=1` replaces the captured files
 * instead. */
static void assert_golden(const char *directory, const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    if (getenv("GOLDEN_UPDATE")) {
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fputs(text, file);
        assert_int_equal(fclose(file), 0);
    }
    char *expected = read_whole(path);
    assert_string_equal(text, expected);
    free(expected);
}

static void captured_results_give_the_captured_report(void **state)
{
    (void)state;
    static const char *const machines[] = {"zen3", "sapphire-rapids"};
    for (size_t i = 0; i < 2; i++) {
        char directory[256], *text = NULL;
        size_t length;
        struct error error;
        struct results results;
        snprintf(directory, sizeof directory, "%s/golden/results/%s", TEST_SOURCE_DIR, machines[i]);
        assert_int_equal(results_read(&results, directory, &error), OK);
        FILE *out = open_memstream(&text, &length);
        assert_int_equal(digest_print(&results, 80, out, &error), OK);
        fclose(out);
        assert_golden(directory, "report.txt", text);
        for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
            assert_true(strlen(line) <= 80);
        free(text);
        out = open_memstream(&text, &length);
        assert_int_equal(table_print(&results.summary, out, &error), OK);
        fclose(out);
        assert_golden(directory, "summary.csv", text);
        free(text);
        results_free(&results);
    }
}

static void reports_name_clocks_and_caveats_without_gaps(void **state)
{
    (void)state;
    char *text = NULL;
    size_t length;
    struct error error;
    struct results results;
    assert_int_equal(synthetic_results(&results, 1, &error), OK);
    struct ceiling *row = add_ceiling(&results.machine, "capacity", "", "clock:chain", 2e9);
    text_copy(row->unit, sizeof row->unit, "Hz");
    row = add_ceiling(&results.machine, "latency", "", "L3", NAN);
    text_copy(row->status, sizeof row->status, "skipped");
    text_copy(row->why, sizeof row->why, "cannot be told from DRAM");
    FILE *out = open_memstream(&text, &length);
    assert_non_null(out);
    assert_int_equal(digest_print(&results, 80, out, &error), OK);
    fclose(out);
    assert_non_null(strstr(text, "cpu clock, 1 worker"));
    assert_non_null(strstr(text, "- L3: cannot be told from DRAM"));
    free(text);
    results_free(&results);
}

static void missing_and_broken_files_are_input_faults(void **state)
{
    (void)state;
    struct error error;
    struct results results;
    char folder[] = "/tmp/roofline-test-XXXXXX", path[64];
    assert_int_equal(results_read(&results, "/nonexistent/results", &error), FAILED);
    assert_int_equal(error.fault, FAULT_IO);
    assert_non_null(strstr(error.text, "'/nonexistent/results'"));
    results_free(&results);
    assert_non_null(mkdtemp(folder));
    assert_int_equal(results_read(&results, folder, &error), FAILED);
    assert_int_equal(error.fault, FAULT_IO);
    assert_non_null(strstr(error.text, "none of machine.csv"));
    results_free(&results);
    snprintf(path, sizeof path, "%s/bench.csv", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("device,kernel\ncpu\n", file);
    fclose(file);
    assert_int_equal(results_read(&results, folder, &error), FAILED);
    assert_int_equal(error.fault, FAULT_IO);
    assert_non_null(strstr(error.text, "bench.csv' line 1"));
    results_free(&results);
    unlink(path);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_follow_from_the_raw_numbers),
        cmocka_unit_test(data_movement_is_rated_by_its_bytes),
        cmocka_unit_test(rows_that_are_not_ok_keep_only_their_keys),
        cmocka_unit_test(rows_without_a_roof_say_why),
        cmocka_unit_test(names_show_what_tells_rows_apart),
        cmocka_unit_test(neutral_words_are_left_out_of_names_unless_they_alone_tell_rows_apart),
        cmocka_unit_test(hostile_shapes_are_names_too),
        cmocka_unit_test(provenance_is_read_by_key),
        cmocka_unit_test(captured_results_give_the_captured_report),
        cmocka_unit_test(reports_name_clocks_and_caveats_without_gaps),
        cmocka_unit_test(missing_and_broken_files_are_input_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
