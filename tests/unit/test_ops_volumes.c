// test_ops_volumes.c - convolutions and pools over images of three dimensions: which launches they
// become, and that these compute what plain loops do.
#include "executor.h"
#include "ops_check.h"

/* On inputs that are `named`; those with a capital letter are constants. The launches have the
 * values of plain loops. */
static void check_launches(const char *lines, const char *node, const char *launched)
{
    check_node("onnx 22", lines, node, "", launched);
}

static void check_skipped(const char *lines, const char *node, const char *reason)
{
    struct check check;
    struct lowering lowering;
    check_open(&check, "onnx 22", lines, node);
    if (site_evaluate(&check.site, 1 << 24, &check.error) != OK)
        fail_msg("%s", check.error.text);
    assert_int_equal(site_lower(&check.site, &lowering, &check.error), SKIPPED);
    assert_says(&check.error, reason);
    check_close(&check);
}

#define NAMED(list) list " = named\n"
#define X NAMED("const x: f32[2,3,5,6,7]")
#define W NAMED("const W: f32[4,3,3,2,3]")
#define B NAMED("const b: f32[4]")

static void neighbours_in_depth_are_channels_of_one_launch(void **state)
{
    (void)state;
    const char *const six = "transpose conv2d conv2d conv2d conv2d conv2d conv2d transpose";
    check_launches(X W, "Conv(x, W)", six);
    check_launches(X W B, "Conv(x, W, b) {strides: [2, 3, 2], pads: [1, 0, 2, 1, 1, 0]}", six);
    check_launches(X W B, "Conv(x, W, b) {strides: [2, 1, 2], auto_pad: \"SAME_UPPER\"}", six);
    check_launches(X W B, "Conv(x, W, b) {strides: [2, 2, 1], auto_pad: \"SAME_LOWER\"}", six);
    check_launches(X W, "Conv(x, W) {dilations: [1, 2, 3], pads: [0, 1, 2, 0, 2, 1]}", six);
    check_launches(NAMED("const x: f64[2,3,5,6,7]") NAMED("const W: f64[4,3,3,2,3]"), "Conv(x, W)",
                   six);
    /* Of both ends of the image other weights than in the middle. */
    check_launches(X W B, "Conv(x, W, b) {pads: [2, 1, 1, 1, 1, 1]}",
                   "transpose conv2d conv2d conv2d conv2d conv2d conv2d conv2d conv2d conv2d "
                   "conv2d conv2d conv2d transpose");
}

static void orders_that_are_there_take_no_transposition(void **state)
{
    (void)state;
    const char *const one = NAMED("const x: f32[2,1,4,5,6]");
    check_launches(X NAMED("const W: f32[1,3,4,2,2]"), "Conv(x, W)",
                   "transpose conv2d conv2d conv2d conv2d");
    char lines[256];
    snprintf(lines, sizeof lines, "%s%s", one, NAMED("const W: f32[3,1,3,2,2]"));
    check_launches(lines, "Conv(x, W)", "conv2d conv2d conv2d conv2d transpose");
    snprintf(lines, sizeof lines, "%s%s", one, NAMED("const W: f32[3,1,4,2,2]"));
    check_launches(lines, "Conv(x, W)", "conv2d conv2d");
    check_launches(NAMED("const x: f32[1,2,1,5,6]") NAMED("const W: f32[3,2,3,2,2]") //
                   NAMED("const b: f32[3]"),
                   "Conv(x, W, b) {pads: [1, 0, 0, 1, 0, 0]}", "conv2d");
}

static void planes_that_do_not_mix_are_images(void **state)
{
    (void)state;
    const char *const slices = "transpose conv2d transpose";
    check_launches(X NAMED("const W: f32[4,3,1,3,3]") B, "Conv(x, W, b) {strides: [1, 2, 1]}",
                   slices);
    check_launches(X NAMED("const W: f32[6,1,1,3,3]"), "Conv(x, W) {group: 3}", slices);
    check_launches(X NAMED("const w: f32[4,3,1,3,3]") B, "Conv(x, w, b)", slices);
    check_launches(NAMED("const x: f32[2,3,1,6,7]") NAMED("const W: f32[4,3,1,3,3]"), "Conv(x, W)",
                   "conv2d");
    check_launches(X NAMED("const W: f32[4,3,1,3,3]"), "Conv(x, W) {strides: [3, 1, 1]}",
                   "transpose conv2d conv2d conv2d conv2d transpose");
}

static void windows_of_two_dims_take_one_launch(void **state)
{
    (void)state;
    check_launches(X NAMED("const W: f32[4,3,1,1,1]") B, "Conv(x, W, b)", "conv2d");
    check_launches(X NAMED("const W: f32[4,3,3,2,1]"), "Conv(x, W) {pads: [1, 0, 0, 1, 0, 0]}",
                   "conv2d");
    check_launches(X NAMED("const W: f32[4,3,3,1,2]"), "Conv(x, W) {dilations: [2, 1, 1]}",
                   "conv2d");
    check_launches(X NAMED("const W: f32[4,3,1,1,1]"), "Conv(x, W) {strides: [2, 2, 2]}",
                   "transpose conv2d conv2d conv2d conv2d conv2d conv2d transpose");
}

static void taps_that_are_apart_are_added_up(void **state)
{
    (void)state;
    const char *const eight =
        "transpose conv2d conv2d conv2d conv2d conv2d conv2d conv2d conv2d transpose";
    check_launches(X NAMED("const W: f32[4,3,2,3,3]") B,
                   "Conv(x, W, b) {dilations: [3, 1, 2], strides: [1, 2, 1]}", eight);
    check_launches(NAMED("const x: f64[2,3,5,6,7]") NAMED("const W: f64[4,3,2,3,3]"),
                   "Conv(x, W) {dilations: [3, 1, 1]}", eight);
    /* Two of three taps are inside the image. */
    check_launches(
        NAMED("const x: f32[1,3,5,6,7]") W B,
        "Conv(x, W, b) {dilations: [2, 1, 1], pads: [1, 1, 0, 2, 0, 1], strides: [2, 1, 1]}",
        "transpose conv2d conv2d conv2d conv2d transpose");
    /* As runs these would be of eleven kinds, each with weights of its own. */
    char launched[256] = "transpose";
    for (int i = 0; i < 1 + 2 + 7 * 3 + 2 + 1; i++)
        strcat(launched, " conv2d");
    check_launches(NAMED("const x: f32[1,2,3,4,5]") NAMED("const W: f32[4,2,9,2,2]") B,
                   "Conv(x, W, b) {pads: [8, 0, 0, 8, 0, 0]}", strcat(launched, " transpose"));
}

static void weights_that_are_made_while_it_runs_are_turned(void **state)
{
    (void)state;
    check_launches(NAMED("const x: f32[1,3,3,6,7]") NAMED("const w: f32[4,3,2,2,3]") B,
                   "Conv(x, w, b)", "transpose transpose conv2d conv2d conv2d conv2d transpose");
    check_launches(NAMED("const x: f32[1,1,2,6,7]") NAMED("const w: f32[1,1,2,2,3]"), "Conv(x, w)",
                   "conv2d conv2d");
    check_launches(NAMED("const x: f32[1,4,2,6,7]") NAMED("const w: f32[2,2,2,2,3]"),
                   "Conv(x, w) {group: 2}", "transpose transpose conv2d conv2d");
}

static void groups_do_not_mix(void **state)
{
    (void)state;
    const char *const x = NAMED("const x: f32[2,6,3,4,5]");
    char lines[256];
    snprintf(lines, sizeof lines, "%s%s", x, NAMED("const W: f32[4,3,2,2,2]") B);
    check_launches(lines, "Conv(x, W, b) {group: 2}",
                   "transpose conv2d conv2d conv2d conv2d conv2d conv2d conv2d conv2d transpose");
    snprintf(lines, sizeof lines, "%s%s", x,
             NAMED("const W: f32[9,2,2,2,2]") //
             NAMED("const b: f32[9]"));
    check_launches(lines, "Conv(x, W, b) {group: 3, strides: [2, 1, 1], pads: [1, 0, 1, 0, 1, 0]}",
                   "transpose conv2d conv2d conv2d conv2d conv2d conv2d transpose");
    snprintf(lines, sizeof lines, "%s%s", x,
             NAMED("const W: f32[6,1,2,3,3]") //
             NAMED("const b: f32[6]"));
    check_launches(lines, "Conv(x, W, b) {group: 6, pads: [0, 1, 1, 0, 1, 1]}",
                   "transpose conv2d conv2d conv2d conv2d conv2d conv2d conv2d conv2d transpose");
}

static void planes_without_taps_have_the_bias(void **state)
{
    (void)state;
    const char *const x = NAMED("const x: f32[1,2,1,4,5]"), *const w =
                                                                NAMED("const W: f32[4,2,2,2,2]");
    const char *const launched = "tile conv2d conv2d tile transpose";
    char lines[256];
    snprintf(lines, sizeof lines, "%s%s" B, x, w);
    check_launches(lines, "Conv(x, W, b) {pads: [2, 0, 0, 2, 0, 0]}", launched);
    snprintf(lines, sizeof lines, "%s%s", x, w);
    check_launches(lines, "Conv(x, W) {pads: [2, 0, 0, 2, 0, 0]}", launched);
    check_launches(NAMED("const x: f32[1,4,1,4,5]") NAMED("const W: f32[4,2,2,2,2]") B,
                   "Conv(x, W, b) {group: 2, pads: [2, 0, 0, 1, 0, 0]}",
                   "tile tile conv2d conv2d conv2d conv2d transpose");
    check_launches(NAMED("const x: f32[1,1,2,4,5]") NAMED("const W: f32[1,1,2,2,2]"),
                   "Conv(x, W) {dilations: [3, 1, 1], pads: [2, 0, 0, 2, 0, 0]}",
                   "conv2d tile conv2d");
}

static void steps_follow_the_sums(void **state)
{
    (void)state;
    const char *const header = "onnx 22, roofline 1";
    const char *const sums = "transpose conv2d conv2d conv2d conv2d conv2d conv2d transpose chain";
    check_node(header, X W B, "roofline::Conv(x, W, b) {steps: [\"relu\"]}", "", sums);
    check_node(header, X W B NAMED("const r: f32[2,4,3,5,5]"),
               "roofline::Conv(x, W, b, r) {steps: [\"add\", \"relu\"]}", "", sums);
    check_node(header, X W NAMED("const s: f32[4,1,1,1]"),
               "roofline::Conv(x, W, -, s) {steps: [\"add\"]}", "", sums);
    /* The last launch makes all of the output. */
    check_node(header,
               NAMED("const x: f32[1,1,5,6,7]") NAMED("const W: f32[4,1,5,2,3]")
                   B NAMED("const r: f32[1,4,1,5,5]"),
               "roofline::Conv(x, W, b, r) {steps: [\"add\", \"relu\"]}", "", "conv2d");
    check_node(header,
               NAMED("const x: f32[1,1,4,6,7]") NAMED("const W: f32[4,1,2,2,3]")
                   B NAMED("const s: f32[4,1,1,1]"),
               "roofline::Conv(x, W, b, s) {steps: [\"relu\", \"mul\"], dilations: [3, 1, 1]}", "",
               "conv2d conv2d chain");
    check_node(header, NAMED("const x: f32[1,1,4,6,7]") NAMED("const W: f32[4,1,2,2,3]") B,
               "roofline::Conv(x, W, b) {steps: [\"relu\"], dilations: [3, 1, 1]}", "",
               "conv2d conv2d");
    check_node(header,
               NAMED("const x: f32[2,3,4,6,7]") NAMED("const W: f32[1,3,1,2,3]")
                   NAMED("const r: f32[2,1,4,5,5]"),
               "roofline::Conv(x, W, -, r) {steps: [\"add\", \"relu\"]}", "", "transpose conv2d");
}

static void convolutions_that_stay_in_plain_loops(void **state)
{
    (void)state;
    check_launches("const x: f32[0,3,5,6,7] = {}\n" W, "Conv(x, W)", "");
    check_launches("const x: f32[1,0,3,3,3] = {}\nconst W: f32[4,0,2,2,2] = {}\n" B,
                   "Conv(x, W, b)", "");
    check_skipped(NAMED("const x: f32[1,1,4098,2,2]") NAMED("const W: f32[1,1,2,2,2]"),
                  "Conv(x, W)", "more than 4096 launches");
    check_skipped(NAMED("const x: f32[1,1,2050,2,2]") NAMED("const W: f32[1,1,3,2,2]"),
                  "Conv(x, W) {dilations: [2, 1, 1]}", "more than 4096 launches");
    check_skipped(NAMED("const x: f32[1,1,3,3,3,3]") NAMED("const W: f32[1,1,2,2,2,2]"),
                  "Conv(x, W)", "two dimensions");
    check_skipped(NAMED("const x: f16[1,1,3,3,3]") NAMED("const W: f16[1,1,2,2,2]"), "Conv(x, W)",
                  "f16");
}

static void pools_go_through_planes_then_depth(void **state)
{
    (void)state;
    static const char *const attributes[] = {
        "",
        ", strides: [2, 3, 2]",
        ", strides: [2, 2, 1], pads: [1, 0, 2, 1, 1, 0]",
        ", dilations: [2, 1, 3]",
        ", strides: [3, 2, 2], ceil_mode: 1",
        ", strides: [2, 3, 3], pads: [1, 1, 1, 0, 1, 1], ceil_mode: 1",
        ", strides: [2, 2, 2], auto_pad: \"SAME_LOWER\"",
        ", strides: [2, 2, 2], auto_pad: \"SAME_UPPER\", count_include_pad: 1",
        ", pads: [1, 1, 1, 1, 1, 1], count_include_pad: 1",
        ", strides: [3, 2, 2], pads: [1, 0, 0, 0, 0, 0], count_include_pad: 1, ceil_mode: 1",
    };
    for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++) {
        char node[256];
        snprintf(node, sizeof node, "AveragePool(x) {kernel_shape: [2, 2, 3]%s}", attributes[i]);
        check_launches(X, node, "average_pool average_pool");
        check_launches(NAMED("const x: f64[2,3,5,6,7]"), node, "average_pool average_pool");
        if (strstr(attributes[i], "count"))
            continue;
        snprintf(node, sizeof node, "MaxPool(x) {kernel_shape: [2, 2, 3]%s}", attributes[i]);
        check_launches(X, node, "max_pool max_pool");
    }
}

static void pools_leave_out_dims_without_a_window(void **state)
{
    (void)state;
    check_launches(X, "MaxPool(x) {kernel_shape: [1, 2, 3]}", "max_pool");
    check_launches(X, "AveragePool(x) {kernel_shape: [1, 3, 2], pads: [0, 1, 1, 0, 1, 0]}",
                   "average_pool");
    check_launches(X, "AveragePool(x) {kernel_shape: [2, 1, 3]}", "average_pool");
    check_launches(X, "MaxPool(x) {kernel_shape: [1, 1, 1]}", "max_pool");
    check_launches(X, "MaxPool(x) {kernel_shape: [1, 1, 1], strides: [2, 2, 3]}",
                   "max_pool max_pool");
    check_launches(NAMED("const x: f32[2,3,1,6,7]"), "MaxPool(x) {kernel_shape: [1, 2, 3]}",
                   "max_pool");
    check_launches(NAMED("const x: f32[1,2,3,4,5,6]"),
                   "AveragePool(x) {kernel_shape: [2, 2, 2, 2], pads: [1, 0, 1, 0, 0, 1, 0, 1]}",
                   "average_pool average_pool average_pool");
    check_launches(NAMED("const x: f32[1,2,3,4,5,6]"), "MaxPool(x) {kernel_shape: [2, 1, 2, 2]}",
                   "max_pool max_pool");
}

static void pools_of_no_images_make_none(void **state)
{
    (void)state;
    check_launches("const x: f32[0,3,5,6,7] = {}\n", "MaxPool(x) {kernel_shape: [2, 2, 2]}",
                   "max_pool max_pool");
    check_launches("const x: f32[2,0,5,6,7] = {}\n", "AveragePool(x) {kernel_shape: [2, 2, 2]}",
                   "");
}

static void maxima_of_volumes_see_what_is_no_number(void **state)
{
    (void)state;
    check_node("onnx 22", "const x: f32[1,1,2,2,2] = {nan, -1, -2, -3, -4, -5, -6, -7}",
               "MaxPool(x) {kernel_shape: [2, 2, 2], pads: [1, 1, 1, 0, 0, 0]}",
               "{nan, nan, nan, nan, nan, nan, nan, nan}", "max_pool max_pool");
    check_node("onnx 22", "const x: f32[1,1,1,1,2] = {-1, -2}",
               "MaxPool(x) {kernel_shape: [2, 2, 2], pads: [2, 1, 0, 0, 0, 0]}", "{-inf, -1.0}",
               "max_pool max_pool");
}

static void pools_that_stay_in_plain_loops(void **state)
{
    (void)state;
    check_skipped(
        X,
        "AveragePool(x) {kernel_shape: [3, 3, 3], strides: [2, 2, 3], ceil_mode: 1, pads: "
        "[1, 0, 1, 1, 0, 1], count_include_pad: 1}",
        "beyond the padding");
    check_skipped("const x: f32[1,1,64,8,8] = named\n",
                  "MaxPool(x) {kernel_shape: [2, 2, 2], strides: [64, 1, 1], pads: [0, 99, 99, 0, "
                  "99, 99]}",
                  "between the launches");
    check_skipped(X, "LpPool(x) {kernel_shape: [2, 2, 2]}", "norms");
    check_skipped("const x: i8[1,1,2,2,2] = {1, 2, 3, 4, 5, 6, 7, 8}\n",
                  "MaxPool(x) {kernel_shape: [2, 2, 2]}", "i8");
}

/* The graph's only output by a team as by plain loops. */
static void check_team(const char *text, int threads)
{
    struct host host;
    struct graph graph;
    struct error error;
    struct executor *executor;
    struct site site;
    struct arena arena = {0};
    graph_of(&graph, text);
    const int node = maker_of(&graph, "y"), input = graph_find(&graph, "x");
    assert_int_equal(host_read(&host, NULL, &error), OK);
    assert_int_equal(site_open(&site, &graph, graph.node[node], &arena, &error), OK);
    struct array *x = (struct array *)(uintptr_t)&site.input[0];
    x->data = arena_take(&arena, (size_t)type_bytes(&x->type));
    assert_non_null(x->data);
    assert_int_equal(graph.node[node]->inputs[0], input);
    for (long i = 0; i < type_elements(&x->type); i++)
        element_put_real(x->data, x->type.element, i, (double)(i * 7919 % 1009) / 504 - 1);
    assert_int_equal(site_evaluate(&site, 1 << 24, &error), OK);
    const struct executor_setup setup = {.host = &host, .threads = threads, .isa = isa_best()};
    if (executor_open(&executor, &graph, &setup, &error) != OK ||
        executor_set_input(executor, 0, x, &error) != OK || executor_run(executor, &error) != OK)
        fail_msg("%s", error.text);
    assert_non_null(executor_node(executor, 0).lowering);
    const struct array made = executor_output(executor, 0);
    check_same(&made, &site.output[0], text);
    executor_close(executor);
    graph_free(&graph);
    arena_free(&arena);
    host_free(&host);
}

static void teams_compute_the_same(void **state)
{
    (void)state;
    static const struct {
        const char *weights, *node;
    } cases[] = {
        {NAMED("const w: f32[16,8,3,3,3]"), "Conv(x, w) {pads: [1, 1, 1, 1, 1, 1]}"},
        {NAMED("const w: f32[4,8,3,3,3]") B,
         "Conv(x, w, b) {dilations: [2, 1, 1], pads: [2, 1, 1, 2, 1, 1]}"},
        {NAMED("const w: f32[8,1,3,3,3]"), "Conv(x, w) {group: 8}"},
        {NAMED("const w: f32[16,8,1,3,3]"), "Conv(x, w)"},
        {"", "MaxPool(x) {kernel_shape: [2, 3, 3], strides: [2, 2, 2]}"},
        {"", "AveragePool(x) {kernel_shape: [3, 3, 3], pads: [1, 1, 1, 1, 1, 1]}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int threads = 1; threads <= 2; threads++) {
            char text[1024];
            snprintf(text, sizeof text,
                     "graph g (onnx 22)\ninput x: f32[2,8,6,14,15]\n%sy = %s\noutput y\n",
                     cases[i].weights, cases[i].node);
            check_team(text, threads);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(neighbours_in_depth_are_channels_of_one_launch),
        cmocka_unit_test(orders_that_are_there_take_no_transposition),
        cmocka_unit_test(planes_that_do_not_mix_are_images),
        cmocka_unit_test(windows_of_two_dims_take_one_launch),
        cmocka_unit_test(taps_that_are_apart_are_added_up),
        cmocka_unit_test(weights_that_are_made_while_it_runs_are_turned),
        cmocka_unit_test(groups_do_not_mix),
        cmocka_unit_test(planes_without_taps_have_the_bias),
        cmocka_unit_test(steps_follow_the_sums),
        cmocka_unit_test(convolutions_that_stay_in_plain_loops),
        cmocka_unit_test(pools_go_through_planes_then_depth),
        cmocka_unit_test(pools_leave_out_dims_without_a_window),
        cmocka_unit_test(pools_of_no_images_make_none),
        cmocka_unit_test(maxima_of_volumes_see_what_is_no_number),
        cmocka_unit_test(pools_that_stay_in_plain_loops),
        cmocka_unit_test(teams_compute_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
