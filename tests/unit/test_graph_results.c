// test_graph_results.c - rows of graph.csv as dots: sums by operator, and where they stood before.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arrow.h"
#include "figure.h"
#include "graph_digest.h"
#include "graph_results.h"
#include "layout.h"
#include "node_measurement.h"
#include "synthetic.h"
#include "terminal.h"

static void add_node(struct table *rows, const char *stage, const char *op, double batch,
                     double flops, double bytes, double seconds)
{
    struct node_measurement *row = table_append(rows);
    assert_non_null(row);
    text_copy(row->stage, sizeof row->stage, stage);
    text_copy(row->op, sizeof row->op, op);
    text_copy(row->measured.device, sizeof row->measured.device, "cpu");
    text_copy(row->measured.dtype, sizeof row->measured.dtype, "f32");
    text_copy(row->measured.status, sizeof row->measured.status, "ok");
    text_copy(row->measured.level, sizeof row->measured.level, "L2");
    row->batch = batch;
    row->launches = 1;
    row->measured.threads = 1;
    row->measured.flops = flops;
    row->measured.bytes_min = bytes;
    row->measured.samples = 11;
    row->measured.seconds_min = row->measured.seconds_q1 = row->measured.seconds_median = seconds;
    row->measured.seconds_q3 = row->measured.seconds_max = seconds;
    row->measured.clock_hertz = 2e9;
    row->seconds_roof = seconds / 2;
    row->seconds_predicted = seconds;
    text_copy(row->graph, sizeof row->graph, "small");
    text_copy(row->bound, sizeof row->bound, "compute");
}

/* Two convolutions and an activation, which a pass makes part of the first. */
static void fill(struct table *rows)
{
    table_init(rows, &node_measurement_schema);
    add_node(rows, "before", "Conv", NAN, 1e6, 1e5, 1e-4);
    add_node(rows, "before", "Relu", NAN, 1e3, 1e5, 1e-5);
    add_node(rows, "before", "Conv", NAN, 1e6, 1e5, 1e-4);
    add_node(rows, "after", "roofline::Conv", NAN, 1e6, 5e4, 5e-5);
    add_node(rows, "after", "Conv", NAN, 1e6, 1e5, 1e-4);
}

static void test_nodes_of_an_operator_are_one_row_fused_or_not(void **state)
{
    (void)state;
    struct results results;
    struct table rows;
    struct error error;
    results_init(&results);
    add_machine(&results.machine);
    fill(&rows);
    assert_int_equal(graph_results_build(&results, &rows, &error), OK);
    assert_int_equal(results.summary.count, 2);
    assert_int_equal(results.before.count, 3);
    const struct measurement *conv = table_measurement(&results.bench, 1);
    assert_string_equal(conv->kernel, "Conv");
    assert_true(conv->flops == 2e6 && conv->bytes_min == 1.5e5);
    assert_true(fabs(conv->seconds_median - 1.5e-4) < 1e-12);
    assert_true(conv->samples == 11);
    assert_true(isnan(conv->flops_done));
    assert_string_equal(table_measurement(&results.bench, 0)->kernel, "whole graph");
    table_free(&rows);
    results_free(&results);
}

static void test_the_ceiling_beside_the_longest_node_bounds_the_sum(void **state)
{
    (void)state;
    struct results results;
    struct table rows;
    struct error error;
    results_init(&results);
    add_machine(&results.machine);
    fill(&rows);
    for (size_t i = 0; i < rows.count; i++) {
        struct measurement *row = &table_node_measurement(&rows, i)->measured;
        text_copy(row->ceiling, sizeof row->ceiling, row->flops > 1e5 ? "fma" : "L2:read");
        row->ceiling_sample = row->flops > 1e5 ? 7e10 : 3e10;
    }
    assert_int_equal(graph_results_build(&results, &rows, &error), OK);
    const struct measurement *whole = table_measurement(&results.bench, 0);
    assert_string_equal(whole->ceiling, "fma");
    assert_true(whole->ceiling_sample == 7e10);
    table_free(&rows);
    results_free(&results);
}

/* The figure of these rows; the caller frees all three. */
static void figure_make(struct figure *figure, struct results *results, struct table *rows)
{
    struct error error;
    const struct figure_key key = {"cpu", "f32", 1};
    results_init(results);
    add_machine(&results->machine);
    fill(rows);
    assert_int_equal(graph_results_build(results, rows, &error), OK);
    assert_int_equal(figure_build(figure, results, &key, &error), OK);
}

static void figure_drop(struct figure *figure, struct results *results, struct table *rows)
{
    figure_free(figure);
    table_free(rows);
    results_free(results);
}

static void test_dots_know_where_they_stood_before(void **state)
{
    (void)state;
    struct results results;
    struct table rows;
    struct figure figure;
    figure_make(&figure, &results, &rows);
    assert_true(figure.of_graph);
    assert_true(dot_has_before(&figure.dot[1]));
    assert_true(fabs(figure.dot[1].before_flops_per_byte - 10) < 1e-9);
    assert_true(figure.dot[1].intensity_flops_per_byte > 13);
    assert_true(figure.intensity_min < 10 && figure.intensity_max > 13);
    figure_drop(&figure, &results, &rows);
}

static void test_an_operator_that_is_gone_keeps_its_place(void **state)
{
    (void)state;
    struct results results;
    struct table rows;
    struct figure figure;
    char rate[32];
    figure_make(&figure, &results, &rows);
    assert_int_equal(figure.dot_count, 3);
    const struct figure_dot *relu = &figure.dot[2];
    assert_string_equal(relu->name, "Relu");
    assert_true(relu->is_gone && dot_has_before(relu) && !dot_is_drawn(relu));
    assert_false(figure.dot[0].is_gone || figure.dot[1].is_gone);
    dot_rate_format(relu, rate, sizeof rate);
    assert_string_equal(rate, "gone");
    assert_true(figure.intensity_min < relu->before_flops_per_byte);
    assert_true(figure.flops_min < relu->before_flops_per_second);
    figure_drop(&figure, &results, &rows);
}

static const struct text *find_text(const struct layout *layout, const char *words)
{
    for (int i = 0; i < layout->text_count; i++)
        if (strncmp(layout->text[i].text, words, strlen(words)) == 0)
            return &layout->text[i];
    return NULL;
}

static void test_hollow_marks_are_explained_and_the_subtitle_is_whole(void **state)
{
    (void)state;
    struct results results;
    struct table rows;
    struct figure figure;
    struct layout layout;
    struct error error;
    int hollow = 0, numbered = 0;
    figure_make(&figure, &results, &rows);
    assert_int_equal(layout_build(&layout, &figure, &error), OK);
    for (int i = 0; i < layout.mark_count; i++)
        if (layout.mark[i].is_hollow && layout.mark[i].x < layout.right) {
            hollow++;
            for (int t = 0; t < layout.text_count; t++)
                numbered += strcmp(layout.text[t].text, "3") == 0 &&
                            layout.text[t].box.x == layout.mark[i].x &&
                            layout.text[t].box.y == layout.mark[i].y;
        }
    assert_int_equal(hollow, 3); /* the whole graph, Conv, and Relu, which is gone */
    assert_int_equal(numbered, 1);
    assert_non_null(find_text(&layout, "before the passes"));
    assert_non_null(find_text(&layout, "with its number, gone"));
    const struct text *subtitle = find_text(&layout, "dots are medians");
    assert_non_null(subtitle);
    assert_string_equal(subtitle->text, figure.subtitle);
    assert_true(subtitle->box.x + subtitle->box.width / 2 < layout.width);
    layout_free(&layout);
    figure_drop(&figure, &results, &rows);
}

static void print_plot(const struct figure *figure, bool utf8, char *text, size_t capacity)
{
    const struct terminal terminal = {.columns = 80, .rows = 24, .utf8 = utf8};
    struct error error;
    FILE *out = fmemopen(text, capacity, "w");
    assert_non_null(out);
    assert_int_equal(terminal_plot(figure, &terminal, out, &error), OK);
    assert_int_equal(fclose(out), 0);
}

static void test_the_terminal_shows_places_before_the_passes(void **state)
{
    (void)state;
    static const char *const marks[] = {"o", "\xE2\x97\x8B"};
    struct results results;
    struct table rows;
    struct figure figure;
    figure_make(&figure, &results, &rows);
    for (int utf8 = 0; utf8 < 2; utf8++) {
        char text[16384] = "", legend[64];
        print_plot(&figure, utf8, text, sizeof text);
        char *table = strstr(text, "\n  #  operator"), *axis = strstr(text, "\n FLOP/s ");
        snprintf(legend, sizeof legend, "\n%s before the passes", marks[utf8]);
        assert_non_null(table);
        assert_non_null(strstr(table, legend));
        assert_non_null(strstr(table, "  gone"));
        assert_true(axis && axis < table);
        *axis = '\0';
        assert_non_null(strstr(text, "(3)"));
        /* Beyond the title, whose words have letters of their own. */
        assert_non_null(strstr(strchr(text, '\n'), marks[utf8]));
    }
    figure_drop(&figure, &results, &rows);
}

/* What a report prints; the caller frees it. */
static char *digest_text(const struct table *rows)
{
    struct error error;
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    assert_non_null(out);
    assert_int_equal(graph_digest_print(rows, 80, out, &error), OK);
    fclose(out);
    return text;
}

static void test_a_report_has_operators_before_and_after(void **state)
{
    (void)state;
    struct table rows;
    fill(&rows);
    char *text = digest_text(&rows);
    static const char *const lines[] = {
        "\nGraph small: cpu, 1 thread; ",
        "\n  whole graph             3    2   210.0   150.0   6.67   13.3   50   50 compute\n",
        "\n  Conv                    2    2   200.0   150.0   10.0   13.3   50   50 compute\n",
        "\n  Relu                    1    -    10.0       -   0.01      -   50    - compute\n"};
    const char *at = text;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        at = strstr(at, lines[i]);
        if (!at)
            fail_msg("'%s' is not in its place in: %s", lines[i], text);
    }
    for (const char *line = text; *line; line += strcspn(line, "\n") + 1)
        assert_true(strcspn(line, "\n") <= 80);
    free(text);
    table_free(&rows);
}

static void test_a_report_without_times_has_the_rest(void **state)
{
    (void)state;
    struct table rows;
    fill(&rows);
    for (size_t i = 0; i < rows.count; i++)
        table_node_measurement(&rows, i)->measured.seconds_median = NAN;
    char *text = digest_text(&rows);
    assert_non_null(strstr(
        text, "\n  Conv                    2    2       -       -   10.0   13.3    -    - "));
    free(text);
    table_free(&rows);
    table_init(&rows, &node_measurement_schema);
    text = digest_text(&rows);
    assert_string_equal(text, "");
    free(text);
}

static void test_a_sweep_shows_whole_graphs_by_batch(void **state)
{
    (void)state;
    struct results results;
    struct table rows;
    struct error error;
    results_init(&results);
    table_init(&rows, &node_measurement_schema);
    for (double batch = 1; batch <= 4; batch *= 4) {
        add_node(&rows, "before", "Gemm", batch, batch * 1e6, 1e6, 1e-3);
        add_node(&rows, "after", "Gemm", batch, batch * 1e6, 1e6, 1e-3);
    }
    assert_int_equal(graph_results_build(&results, &rows, &error), OK);
    assert_int_equal(results.summary.count, 2);
    assert_string_equal(table_measurement(&results.bench, 1)->kernel, "whole graph, batch 4");
    table_free(&rows);
    results_free(&results);
}

static void test_an_arrow_ends_at_the_mark(void **state)
{
    (void)state;
    struct stroke stroke[ARROW_STROKES];
    const struct mark from = {.x = 0, .radius = 5};
    struct mark to = {.x = 100, .radius = 10};
    assert_int_equal(arrow_strokes(stroke, &from, &to), ARROW_STROKES);
    assert_true(fabs(stroke[0].x0 - 5) < 1e-9 && fabs(stroke[0].x1 - 90) < 1e-9);
    assert_true(stroke[1].x1 < 90 && stroke[2].x1 < 90);
    to.x = 15;
    assert_int_equal(arrow_strokes(stroke, &from, &to), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nodes_of_an_operator_are_one_row_fused_or_not),
        cmocka_unit_test(test_the_ceiling_beside_the_longest_node_bounds_the_sum),
        cmocka_unit_test(test_dots_know_where_they_stood_before),
        cmocka_unit_test(test_an_operator_that_is_gone_keeps_its_place),
        cmocka_unit_test(test_hollow_marks_are_explained_and_the_subtitle_is_whole),
        cmocka_unit_test(test_the_terminal_shows_places_before_the_passes),
        cmocka_unit_test(test_a_report_has_operators_before_and_after),
        cmocka_unit_test(test_a_report_without_times_has_the_rest),
        cmocka_unit_test(test_a_sweep_shows_whole_graphs_by_batch),
        cmocka_unit_test(test_an_arrow_ends_at_the_mark),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
