// test_executor_reuse.c - how far back operands and code of a graph's launches were used last.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "cost.h"
#include "executor_helpers.h"

static void operands_come_from_as_far_as_the_plan_says(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench,
               "graph g (onnx 17)\ninput x: f32[65536]\nconst w: f32[65536] = named\n"
               "a = Relu(x)\nb = Exp(a)\ny = Add(b, w)\noutput y\n",
               1, false);
    assert_null(executor_node(bench.executor, 0).reuse);
    assert_int_equal(executor_find_reuse(bench.executor, &bench.error), OK);
    const struct operand_reuse *relu = executor_node(bench.executor, 0).reuse,
                               *exp = executor_node(bench.executor, 1).reuse,
                               *add = executor_node(bench.executor, 2).reuse;
    const double array_bytes = 65536 * sizeof(float);
    const double edge_bytes = 5 * 4096; /* of arrays, and a page of the code of each launch */
    assert_false(relu[1].is_target);
    assert_true(exp[1].is_target);
    assert_true(exp[1].distance_bytes == exp[0].distance_bytes);
    /* Its own memory and what Relu has swept beside it. */
    assert_true(exp[0].distance_bytes > array_bytes && exp[0].distance_bytes < 2 * array_bytes);
    /* A constant comes back a run later: x, a and itself, as b and y are in place. */
    assert_false(add[2].is_target);
    assert_true(fabs(add[2].distance_bytes - 3 * array_bytes) <= edge_bytes);
    bench_close(&bench);
}

static void code_comes_from_where_the_kernel_ran_last(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench,
               "graph g (onnx 17)\ninput x: f32[65536]\na = Relu(x)\nb = Exp(a)\n"
               "c = Exp(b)\ny = Relu(c)\noutput y\n",
               1, false);
    assert_null(executor_node(bench.executor, 0).code_distance_bytes);
    assert_int_equal(executor_find_reuse(bench.executor, &bench.error), OK);
    double distance_bytes[4];
    for (int i = 0; i < 4; i++)
        distance_bytes[i] = executor_node(bench.executor, i).code_distance_bytes[0];
    const double array_bytes = 65536 * sizeof(float), edge_bytes = 6 * 4096;
    /* The second Exp's by what it sweeps itself; Relu's of the run before by x, too. */
    assert_true(fabs(distance_bytes[2] - array_bytes) <= edge_bytes);
    assert_true(fabs(distance_bytes[0] - 2 * array_bytes) <= edge_bytes);
    assert_true(fabs(distance_bytes[1] - 2 * array_bytes) <= edge_bytes);
    assert_true(distance_bytes[2] < distance_bytes[1]);
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operands_come_from_as_far_as_the_plan_says),
        cmocka_unit_test(code_comes_from_where_the_kernel_ran_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
