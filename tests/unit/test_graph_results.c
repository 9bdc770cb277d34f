// test_graph_results.c - rows of graph.csv as dots: sums by operator, and where they stood before.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "arrow.h"
#include "figure.h"
#include "graph_results.h"
#include "node_measurement.h"
#include "synthetic.h"

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

static void test_dots_know_where_they_stood_before(void **state)
{
    (void)state;
    struct results results;
    struct table rows;
    struct error error;
    struct figure figure;
    const struct figure_key key = {"cpu", "f32", 1};
    results_init(&results);
    add_machine(&results.machine);
    fill(&rows);
    assert_int_equal(graph_results_build(&results, &rows, &error), OK);
    assert_int_equal(figure_build(&figure, &results, &key, &error), OK);
    assert_int_equal(figure.dot_count, 2);
    assert_true(figure.of_graph);
    assert_true(dot_has_before(&figure.dot[1]));
    assert_true(fabs(figure.dot[1].before_flops_per_byte - 10) < 1e-9);
    assert_true(figure.dot[1].intensity_flops_per_byte > 13);
    assert_true(figure.intensity_min < 10 && figure.intensity_max > 13);
    figure_free(&figure);
    table_free(&rows);
    results_free(&results);
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
    assert_int_equal(arrow_strokes(stroke, 0, 0, 100, 0, 10, 0), ARROW_STROKES);
    const struct stroke *shaft = &stroke[ARROW_STROKES - 3];
    assert_true(fabs(shaft->x0 - 10) < 1e-9 && fabs(shaft->x1 - 90) < 1e-9);
    assert_true(stroke[ARROW_STROKES - 1].x1 < 90 && stroke[ARROW_STROKES - 2].x1 < 90);
    assert_int_equal(arrow_strokes(stroke, 0, 0, 15, 0, 10, 0), ARROW_STROKES - 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nodes_of_an_operator_are_one_row_fused_or_not),
        cmocka_unit_test(test_dots_know_where_they_stood_before),
        cmocka_unit_test(test_a_sweep_shows_whole_graphs_by_batch),
        cmocka_unit_test(test_an_arrow_ends_at_the_mark),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
