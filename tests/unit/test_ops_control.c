// test_ops_control.c - what is known of the results of If, Loop and Scan.
#include "ops_check.h"

static void assert_control(const char *lines, const char *type)
{
    struct graph graph;
    char text[2048];
    snprintf(text, sizeof text, "graph g (onnx 16)\n%s\noutput y\n", lines);
    graph_of(&graph, text);
    assert_type(&graph, "y", type);
    graph_free(&graph);
}

static void assert_control_refused(const char *lines, const char *words)
{
    struct graph graph;
    struct error error = {FAULT_NONE, ""};
    char text[2048];
    snprintf(text, sizeof text, "graph g (onnx 16)\n%s\noutput y\n", lines);
    assert_int_equal(graph_parse(&graph, "test", text, GRAPH_NAMED_BYTES_MAX, &error), FAILED);
    assert_says(&error, words);
    graph_free(&graph);
}

static void branches_agree_or_nothing_is_claimed(void **state)
{
    (void)state;
#define BRANCHES(a, b)                                                                             \
    "input c: bool[]\ninput x: f32[n,3]\ninput z: f32[n,4]\ninput i: i32[n,3]\n"                   \
    "y = If(c) {then_branch: block, else_branch: block}\nblock\n  t = Neg(" a ")\n  output t\nend" \
    "\nblock\n  e = Neg(" b ")\n  output e\nend"
    assert_control(BRANCHES("x", "x"), "f32[n,3]");
    assert_control(BRANCHES("x", "z"), "f32[n,?]");
    assert_control_refused(BRANCHES("x", "i"), "'f32' in one branch");
}

static void loops_may_change_dims_and_stack_results(void **state)
{
    (void)state;
#define LOOP(first, outputs)                                                                       \
    "input m: i64[]\ninput c: bool[]\ninput f: f32[" first "]\n" outputs                           \
    " = Loop(m, c, f) {body: block}\nblock\n  input i: i64[]\n  input k: bool[]\n"                 \
    "  input s: f32[2]\n  t = Neg(s)\n  u = Neg(s)\n  output k\n  output t\n  output u\nend"
    assert_control(LOOP("2", "y, stack"), "f32[2]");
    assert_control(LOOP("3", "y, stack"), "f32[?]");
    assert_control(LOOP("2", "last, y"), "f32[?,2]");
    assert_control_refused(LOOP("2", "y"), "the node needs 3 and 2");
}

static void scans_walk_along_an_axis(void **state)
{
    (void)state;
#define SCAN(attributes)                                                                           \
    "input f: f32[2]\ninput x: f32[2,n,5]\nlast, y = Scan(f, x) {body: block, " attributes "}\n"   \
    "block\n  input s: f32[2]\n  input e: f32[2,5]\n  t = Neg(s)\n  u = Neg(e)\n  output t\n"      \
    "  output u\nend"
    assert_control(SCAN("num_scan_inputs: 1, scan_input_axes: [1], scan_output_axes: [-1]"),
                   "f32[2,5,n]");
    assert_control(SCAN("num_scan_inputs: 1, scan_input_axes: [2]"), "f32[5,2,5]");
    assert_control_refused(SCAN("num_scan_inputs: 1, scan_input_axes: [3]"), "axis 3");
    assert_control_refused(SCAN("num_scan_inputs: 9"), "num_scan_inputs is 9");
    assert_control_refused(SCAN("num_scan_inputs: -9223372036854775807"), "num_scan_inputs");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(branches_agree_or_nothing_is_claimed),
        cmocka_unit_test(loops_may_change_dims_and_stack_results),
        cmocka_unit_test(scans_walk_along_an_axis),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
