// test_cost.c - predicted times: what the formula says of ceilings that divide evenly.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "cost.h"
#include "graph_helpers.h"

/* 1 GFLOP/s, caches of 1 and 100 kB at 10 and 1 GB/s, memory at 0.1 GB/s, launches of 1 us. */
static struct ceilings simple(void)
{
    struct ceilings ceilings = {
        .threads = 1,
        .flops_per_second = {[DTYPE_f32] = 1e9, [DTYPE_f64] = 5e8},
        .level = {{"L1", 1e3, 1e10, 0}, {"L2", 1e5, 1e9, 0}, {"DRAM", INFINITY, 1e8, 0}},
        .level_count = 3,
        .launch_seconds = 1e-6,
    };
    return ceilings;
}

static void assert_near(double value, double expected)
{
    if (!(fabs(value - expected) <= 1e-9 * fabs(expected)))
        fail_msg("%.12g is not %.12g", value, expected);
}

/* The cost of the node that makes y. */
static struct cost cost_of(const char *text, const struct ceilings *ceilings)
{
    struct graph graph;
    struct arena arena = {0};
    struct error error = {FAULT_NONE, ""};
    struct cost cost;
    graph_of(&graph, text);
    const struct node *node = graph.node[maker_of(&graph, "y")];
    if (cost_of_node(&cost, &graph, node, ceilings, &arena, &error) != OK)
        fail_msg("%s", error.text);
    arena_free(&arena);
    graph_free(&graph);
    return cost;
}

/* The same with operands that come from so far. */
static struct cost cost_from(const char *text, const struct operand_reuse *reuse,
                             const struct ceilings *ceilings)
{
    struct graph graph;
    struct arena arena = {0};
    struct error error = {FAULT_NONE, ""};
    struct site site;
    struct lowering lowering;
    graph_of(&graph, text);
    const struct node *node = graph.node[maker_of(&graph, "y")];
    if (site_open(&site, &graph, node, &arena, &error) != OK ||
        site_lower(&site, &lowering, &error) != OK)
        fail_msg("%s", error.text);
    const struct cost cost = cost_of_site(&site, &lowering, NULL, reuse, ceilings);
    arena_free(&arena);
    graph_free(&graph);
    return cost;
}

/* What was seen of a launch like that of y; of its plain loops where no kernel runs it. */
static struct cost_trial trial_of(const char *text, double of_roof)
{
    struct graph graph;
    struct arena arena = {0};
    struct error error = {FAULT_NONE, ""};
    struct site site;
    struct lowering lowering;
    graph_of(&graph, text);
    if (site_open(&site, &graph, graph.node[maker_of(&graph, "y")], &arena, &error) != OK)
        fail_msg("%s", error.text);
    struct cost_trial trial = site_lower(&site, &lowering, &error) == OK
                                  ? cost_trial_of_launch(&lowering.launch[0], NULL)
                                  : cost_trial_of_site(&site);
    trial.of_roof = of_roof;
    arena_free(&arena);
    graph_free(&graph);
    return trial;
}

#define ADD(n)                                                                                     \
    "graph g (onnx 17)\ninput a: f32[" #n "]\ninput b: f32[" #n "]\ny = Add(a, b)\noutput y\n"

static void test_data_movement_bounds_an_addition(void **state)
{
    (void)state;
    const struct ceilings ceilings = simple();
    const struct cost cost = cost_of(ADD(1000), &ceilings); /* 12 kB: L2 */
    assert_near(cost.flops, 1000);
    assert_near(cost.bytes, 12000);
    assert_string_equal(cost.level, "L2");
    assert_near(cost.bytes_per_second, 1e9);
    assert_near(cost.roof_seconds, 11e-6); /* 1 kB of it may be in L1 */
    assert_near(cost.seconds, 12e-6);
    assert_int_equal(cost.bound, COST_MEMORY);
    assert_int_equal(cost.launches, 1);
}

static void test_a_small_node_is_bound_by_its_launch(void **state)
{
    (void)state;
    const struct ceilings ceilings = simple();
    const struct cost cost = cost_of(ADD(10), &ceilings);
    assert_string_equal(cost.level, "L1");
    assert_int_equal(cost.bound, COST_LAUNCH);
    assert_string_equal(cost_bound_name(cost.bound), "launch");
}

static void test_a_product_is_bound_by_arithmetic(void **state)
{
    (void)state;
    const struct ceilings ceilings = simple();
    const struct cost cost = cost_of("graph g (onnx 17)\ninput a: f32[64,64]\ninput b: f32[64,64]\n"
                                     "y = MatMul(a, b)\noutput y\n",
                                     &ceilings);
    assert_near(cost.flops, 2 * 64 * 64 * 64);
    assert_near(cost.roof_seconds, 2 * 64 * 64 * 64 / 1e9);
    assert_int_equal(cost.bound, COST_COMPUTE);
}

static void test_operands_come_from_where_their_last_use_left_them(void **state)
{
    (void)state;
    const struct ceilings ceilings = simple();
    const struct operand_reuse near[KERNEL_OPERANDS_MAX] = {
        {8e2, false}, {8e2, false}, {8e2, false}};
    const struct operand_reuse far[KERNEL_OPERANDS_MAX] = {
        {2e3, false}, {2e3, false}, {1e6, false}};
    struct cost cost = cost_from(ADD(1000), near, &ceilings);
    assert_string_equal(cost.level, "L1");
    assert_near(cost.roof_seconds, 1.2e-6);
    cost = cost_from(ADD(1000), far, &ceilings); /* a tenth of b may be in L2 */
    assert_string_equal(cost.level, "DRAM");
    assert_near(cost.roof_seconds, 36e-6);
}

static void test_a_result_in_place_is_an_update(void **state)
{
    (void)state;
    struct ceilings ceilings = simple();
    const struct operand_reuse own[KERNEL_OPERANDS_MAX] = {{4e3, false}, {4e3, false}};
    const struct operand_reuse shared[KERNEL_OPERANDS_MAX] = {{4e3, false}, {4e3, true}};
    const char *text = "graph g (onnx 17)\ninput a: f32[1000]\ny = Relu(a)\noutput y\n";
    ceilings.level[1].updates_per_second = 2e9;
    assert_near(cost_from(text, own, &ceilings).roof_seconds, 6e-6);
    assert_near(cost_from(text, shared, &ceilings).roof_seconds, 3e-6);
    assert_near(cost_from(text, shared, &ceilings).bytes_per_second, 2e9);
}

static void test_what_was_tried_tells_of_what_is_like_it(void **state)
{
    (void)state;
    struct ceilings ceilings = simple();
    const struct cost_trial trial[] = {
        trial_of(ADD(500), 0.25),
        trial_of(ADD(2000), 1),
        trial_of(ADD(1000), 0.1),
    };
    ceilings.launch_seconds = 0;
    ceilings.trial = trial;
    ceilings.trial_count = 2;
    const double between = cost_of(ADD(1000), &ceilings).seconds;
    assert_true(fabs(between - 11e-6 / 0.5) < 1e-7);
    ceilings.trial_count = 3;
    assert_near(cost_of(ADD(1000), &ceilings).seconds, 11e-6 / 0.1);
    const char *product = "graph g (onnx 17)\ninput a: f32[1000]\ninput b: f32[1000]\n"
                          "y = Mul(a, b)\noutput y\n";
    assert_near(cost_of(product, &ceilings).seconds, 11e-6);
}

static void test_trials_tell_of_plain_loops_too(void **state)
{
    (void)state;
    struct ceilings ceilings = simple();
    const char *text = "graph g (onnx 17)\ninput a: i32[1000]\ninput b: i32[1000]\n"
                       "y = Add(a, b)\noutput y\n";
    const struct cost_trial trial = trial_of(text, 0.01);
    const double roof = cost_of(text, &ceilings).roof_seconds;
    assert_null(trial.kernel);
    assert_near(cost_of(text, &ceilings).seconds, roof + 1e-6);
    ceilings.trial = &trial;
    ceilings.trial_count = 1;
    assert_near(cost_of(text, &ceilings).seconds, roof / 0.01 + 1e-6);
}

static void test_what_a_kernel_reaches_is_taken_into_account(void **state)
{
    (void)state;
    struct ceilings ceilings = simple();
    const struct cost_rate rate[] = {
        {.kernel = "add", .dtype = DTYPE_f32, .of_memory = 0.5},
        {.kernel = "add", .dtype = DTYPE_f32, .of_memory = 0.25, .variant = "another"},
        {.kernel = "mul", .dtype = DTYPE_f32, .of_memory = 0.125},
    };
    ceilings.rate = rate;
    ceilings.rate_count = sizeof rate / sizeof *rate;
    const struct cost cost = cost_of(ADD(1000), &ceilings);
    assert_near(cost.roof_seconds, 11e-6);
    assert_near(cost.seconds, 23e-6);
}

static void test_a_rate_of_the_layout_counts_more_than_one_of_all(void **state)
{
    (void)state;
    struct ceilings ceilings = simple();
    const struct cost_rate rate[] = {
        {.kernel = "conv2d", .dtype = DTYPE_f32, .of_compute = 0.25, .layout = "nchwc"},
        {.kernel = "conv2d", .dtype = DTYPE_f32, .of_compute = 0.5},
        {.kernel = "conv2d", .dtype = DTYPE_f32, .of_compute = 0.1, .layout = "nhwc"},
    };
    const char *const first = "graph g (onnx 17)\ninput x: f32[1,16,64,64]\n"
                              "const w: f32[16,16,3,3] = named\ny = Conv(x, w)\noutput y\n";
    const char *const blocks =
        "graph g (onnx 17, roofline 1)\ninput x: f32[1,1,64,64,16]\n"
        "const w: f32[16,16,3,3] = named\ny = roofline::Conv(x, w) {layout: \"nchwc\"}\noutput y\n";
    ceilings.launch_seconds = 0;
    const double roof_seconds = cost_of(first, &ceilings).roof_seconds;
    assert_near(cost_of(blocks, &ceilings).roof_seconds, roof_seconds);
    ceilings.rate = rate;
    ceilings.rate_count = sizeof rate / sizeof *rate;
    assert_near(cost_of(first, &ceilings).seconds, 2 * roof_seconds);
    assert_near(cost_of(blocks, &ceilings).seconds, 4 * roof_seconds);
}

static void test_views_cost_nothing(void **state)
{
    (void)state;
    const struct ceilings ceilings = simple();
    const struct cost cost = cost_of("graph g (onnx 17)\ninput a: f32[1000]\n"
                                     "const s: i64[2] = {10, 100}\ny = Reshape(a, s)\noutput y\n",
                                     &ceilings);
    assert_int_equal(cost.launches, 0);
    assert_true(cost.seconds == 0);
    assert_false(cost.moves_only);
}

/* Inputs of a Concat that are written in their place, and parts that lie in one piece. */
static void test_what_shares_memory_costs_nothing(void **state)
{
    (void)state;
    const struct ceilings ceilings = simple();
    static const struct {
        const char *text;
        double bytes;
    } cases[] = {
        {"graph g (onnx 17)\ninput x: f32[2,16]\na = Relu(x)\nb = Neg(x)\n"
         "y = Concat(a, b) {axis: 0}\noutput y\n",
         0},
        {"graph g (onnx 17)\ninput x: f32[2,16]\na = Relu(x)\n"
         "y = Concat(a, x) {axis: 0}\noutput y\n",
         2 * 128},
        {"graph g (onnx 17)\ninput x: f32[2,16]\na = Relu(x)\nb = Neg(x)\n"
         "y = Concat(a, b) {axis: 1}\noutput y\n",
         4 * 128},
        {"graph g (onnx 17, roofline 1)\ninput x: f32[1,2,8,4]\n"
         "const w: f32[8,4,1,1] = named\na = roofline::Conv(x, w) {layout: \"nhwc\"}\n"
         "b = Neg(a)\nc = roofline::Conv(x, w) {layout: \"nhwc\"}\n"
         "y = Concat(c, b) {axis: 3}\noutput y\n",
         2 * 512},
        {"graph g (onnx 17)\ninput x: f32[2,16]\na = Relu(x)\ny, z = Split(a) {axis: 0}\n"
         "output y\noutput z\n",
         0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct cost cost = cost_of(cases[i].text, &ceilings);
        assert_near(cost.bytes, cases[i].bytes);
        assert_int_equal(cost.launches, cases[i].bytes > 0);
        assert_true(cost.moves_only && (cost.seconds > 0) == (cases[i].bytes > 0));
    }
}

static void test_open_dims_have_no_cost(void **state)
{
    (void)state;
    const struct ceilings ceilings = simple();
    struct graph graph;
    struct cost_total total;
    struct error error;
    graph_of(&graph, "graph g (onnx 17)\ninput a: f32[n]\nx = Relu(a)\ny = Relu(x)\noutput y\n");
    assert_int_equal(cost_of_graph(&total, &graph, &ceilings, &error), OK);
    assert_int_equal(total.unknown, 2);
    assert_true(total.bytes == 0);
    assert_int_equal(graph_bind(&graph, "n", 1000, &error), OK);
    assert_int_equal(graph_infer(&graph, &error), OK);
    assert_int_equal(cost_of_graph(&total, &graph, &ceilings, &error), OK);
    assert_int_equal(total.unknown, 0);
    assert_near(total.bytes, 16000);
    graph_free(&graph);
}

static void test_movers_are_summed_apart(void **state)
{
    (void)state;
    const struct ceilings ceilings = simple();
    struct graph graph;
    struct cost_total total;
    struct error error;
    graph_of(&graph, "graph g (onnx 17)\ninput a: f32[20,50]\n"
                     "x = Transpose(a) {perm: [1, 0]}\ny = Relu(x)\noutput y\n");
    assert_int_equal(cost_of_graph(&total, &graph, &ceilings, &error), OK);
    assert_int_equal(total.nodes, 2);
    assert_near(total.moved_bytes, 8000);
    assert_near(total.bytes, 16000);
    graph_free(&graph);
}

static void test_nominal_ceilings_grow_with_threads(void **state)
{
    (void)state;
    const struct ceilings one = ceilings_nominal(1), two = ceilings_nominal(2);
    assert_near(two.flops_per_second[DTYPE_f32], 2 * one.flops_per_second[DTYPE_f32]);
    assert_true(two.level[0].set_bytes > one.level[0].set_bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_data_movement_bounds_an_addition),
        cmocka_unit_test(test_a_small_node_is_bound_by_its_launch),
        cmocka_unit_test(test_a_product_is_bound_by_arithmetic),
        cmocka_unit_test(test_operands_come_from_where_their_last_use_left_them),
        cmocka_unit_test(test_a_result_in_place_is_an_update),
        cmocka_unit_test(test_what_was_tried_tells_of_what_is_like_it),
        cmocka_unit_test(test_trials_tell_of_plain_loops_too),
        cmocka_unit_test(test_what_a_kernel_reaches_is_taken_into_account),
        cmocka_unit_test(test_a_rate_of_the_layout_counts_more_than_one_of_all),
        cmocka_unit_test(test_views_cost_nothing),
        cmocka_unit_test(test_what_shares_memory_costs_nothing),
        cmocka_unit_test(test_open_dims_have_no_cost),
        cmocka_unit_test(test_movers_are_summed_apart),
        cmocka_unit_test(test_nominal_ceilings_grow_with_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
