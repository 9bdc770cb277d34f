// test_ops_reductions.c - reductions along axes, ArgMax and ArgMin, and functions of many arrays.
#include "ops_check.h"

static const char new[] = "onnx 20", old[] = "onnx 12";

#define CUBE "const x: f32[2,2,3] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}\n"
#define AXES                                                                                       \
    CUBE "const A: i64[1] = {1}\nconst L: i64[1] = {-1}\nconst P: i64[2] = {0, 2}\n"               \
         "const E: i64[0] = {}\nconst axes: i64[1] = {1}"

static void axes_are_an_input_or_an_attribute(void **state)
{
    (void)state;
    check_node(new, AXES, "ReduceSum(x, A)", "y: f32[2,1,3] = {5.0, 7.0, 9.0, 17.0, 19.0, 21.0}",
               "reduce");
    check_node(old, AXES, "ReduceSum(x) {axes: [1]}",
               "y: f32[2,1,3] = {5.0, 7.0, 9.0, 17.0, 19.0, 21.0}", "reduce");
    check_node(new, AXES, "ReduceMax(x, L) {keepdims: 0}", "y: f32[2,2] = {3.0, 6.0, 9.0, 12.0}",
               "reduce");
    check_node(new, AXES, "ReduceMean(x, P) {keepdims: 0}", "y: f32[2] = {5.0, 8.0}",
               "reduce reduce");
    check_node(new, AXES, "ReduceMin(x)", "y: f32[1,1,1] = {1.0}", "reduce");
    check_node(new, AXES, "ReduceMin(x, E) {keepdims: 0}", "y: f32[] = {1.0}", "reduce");
    check_node(new, AXES, "ReduceSum(x, axes)", "{5.0, 7.0, 9.0, 17.0, 19.0, 21.0}", "");
    check_refused(new, AXES, "ReduceMax(x) {axes: [0]}", "an input with opset 18");
    check_refused("onnx 17", AXES, "ReduceMax(x, A)", "an input at opset 17");
    check_type("onnx 17", AXES, "ReduceMax(x) {axes: [0]}", "f32[1,2,3]");
}

static void without_axes_the_rest_of_the_function_remains(void **state)
{
    (void)state;
    const char *const lines = "const x: f32[2] = {-2, 3}\nconst E: i64[0] = {}";
    check_node(new, lines, "ReduceSum(x, E) {noop_with_empty_axes: 1}", "{-2.0, 3.0}", "reduce");
    check_node(new, lines, "ReduceL1(x, E) {noop_with_empty_axes: 1}", "{2.0, 3.0}", "");
    check_node(new, lines, "ReduceL2(x, E) {noop_with_empty_axes: 1}", "{2.0, 3.0}", "reduce");
    check_node(new, lines, "ReduceSumSquare(x) {noop_with_empty_axes: 1}", "{4.0, 9.0}",
               "reduce mul");
}

static void every_reduction_computes_its_own(void **state)
{
    (void)state;
    const char *const lines = "const x: f64[2,2] = {3, 4, -1, 1}\nconst A: i64[1] = {1}\n"
                              "const p: f64[1,2] = {0.25, 0.75}\nconst h: f64[1,2] = {1000, 1000}";
    check_node(new, lines, "ReduceProd(x, A)", "{12.0, -1.0}", "");
    check_node(new, lines, "ReduceL1(x, A)", "{7.0, 2.0}", "");
    check_node(new, lines, "ReduceL2(x, A)", "{5.0, 1.41", "reduce");
    check_node(new, lines, "ReduceSumSquare(x, A)", "{25.0, 2.0}", "reduce mul");
    check_node(new, lines, "ReduceLogSum(p, A)", "{0.0}", "reduce log");
    check_node(new, lines, "ReduceLogSumExp(h, A)", "{1000.693147", "");
}

static void means_of_images_are_pools(void **state)
{
    (void)state;
    const char *const lines = "const x: f32[1,2,2,2] = {1, 2, 3, 4, 5, 6, 7, 8}\n"
                              "const S: i64[2] = {2, 3}\nconst N: i64[2] = {1, 2}";
    check_node(new, lines, "ReduceMean(x, S)", "y: f32[1,2,1,1] = {2.5, 6.5}",
               "global_average_pool");
    check_node(new, lines, "ReduceMean(x, N) {keepdims: 0}", "y: f32[1,2] = {4.0, 5.0}",
               "global_average_pool");
}

static void nothing_reduces_to_the_neutral_number(void **state)
{
    (void)state;
    const char *const lines =
        "const x: f32[2,0] = {}\nconst i: i8[1,0] = {}\nconst A: i64[1] = {1}";
    check_node(new, lines, "ReduceSum(x, A)", "{0.0, 0.0}", "");
    check_node(new, lines, "ReduceProd(x, A)", "{1.0, 1.0}", "");
    check_node(new, lines, "ReduceMax(x, A)", "{-inf, -inf}", "");
    check_node(new, lines, "ReduceMin(i, A)", "{127}", "");
    check_node(new, lines, "ReduceMean(i, A)", "{0}", "");
}

static void whole_numbers_are_exact_and_wrap(void **state)
{
    (void)state;
    const char *const lines =
        "const x: i64[2] = {9007199254740993, 1}\nconst u: u8[2] = {200, 100}\n"
        "const m: i32[2] = {-7, 2}\nconst b: bool[2] = {1, 0}\n"
        "const n: f32[2] = {nan, 1}";
    check_node(new, lines, "ReduceSum(x) {keepdims: 0}", "{9007199254740994}", "");
    check_node(new, lines, "ReduceSum(u) {keepdims: 0}", "{44}", "");
    check_node(new, lines, "ReduceMean(m) {keepdims: 0}", "{-2}", "");
    check_node(new, lines, "ReduceMax(b) {keepdims: 0}", "{1}", "");
    check_node(new, lines, "ReduceMin(b) {keepdims: 0}", "{0}", "");
    check_node(new, lines, "ReduceSumSquare(m) {keepdims: 0}", "{53}", "");
    check_refused(new, lines, "ReduceSum(b)", "no ReduceSum of elements 'bool'");
}

static void unknown_axes_leave_the_rank(void **state)
{
    (void)state;
    const char *const lines = "input x: f32[n,3,4]\ninput a: i64[1]\ninput many: i64[?]\n"
                              "const T: i64[2] = {1, -2}\nconst F: i64[1] = {3}\nconst A: i64[1] = "
                              "{2}\ninput four: i64[4]";
    check_type(new, lines, "ReduceSum(x, A) {keepdims: 0}", "f32[n,3]");
    check_type(new, lines, "ReduceSum(x, a)", "f32[?,?,?]");
    check_type(new, lines, "ReduceSum(x, a) {keepdims: 0}", "f32[?,?]");
    check_type(new, lines, "ReduceSum(x, many) {keepdims: 0}", "f32");
    check_refused(new, lines, "ReduceSum(x, T)", "given twice");
    check_refused(new, lines, "ReduceSum(x, F)", "axis 3 is not one of the 3");
    check_refused(new, lines, "ReduceSum(x, four)", "4 axes");
}

static void indices_of_extremes(void **state)
{
    (void)state;
    const char *const lines =
        "const x: f32[2,3] = {1, 3, 3, 2, 2, 1}\nconst n: f32[3] = {1, nan, 5}\n"
        "const u: u64[2] = {1, 18446744073709551615}\nconst e: f32[0] = {}";
    check_node(new, lines, "ArgMax(x)", "y: i64[1,3] = {1, 0, 0}", "");
    check_node(new, lines, "ArgMax(x) {axis: 1, keepdims: 0}", "y: i64[2] = {1, 0}", "");
    check_node(new, lines, "ArgMax(x) {axis: -1, select_last_index: 1}", "{2, 1}", "");
    check_node(new, lines, "ArgMin(x) {axis: 1}", "y: i64[2,1] = {0, 2}", "");
    check_node(new, lines, "ArgMin(n)", "{1}", "");
    check_node(new, lines, "ArgMax(u)", "{1}", "");
    check_refused(new, lines, "ArgMax(e)", "no elements");
    check_refused(new, lines, "ArgMax(x) {axis: 2}", "axis 2");
}

static void many_arrays_meet_by_broadcasting(void **state)
{
    (void)state;
    const char *const lines = "const a: f32[2] = {1, 5}\nconst b: f32[2] = {4, 2}\n"
                              "const c: f32[2,1] = {10, nan}\nconst u: u8[2] = {1, 2}";
    check_node(new, lines, "Sum(a, b, a)", "{6.0, 12.0}", "chain");
    check_node(new, lines, "Sum(a)", "{1.0, 5.0}", "copy");
    check_node(new, lines, "Sum(a, c)", "y: f32[2,2] = {11.0, 15.0, nan, nan}", "tile chain");
    check_node(new, lines, "Mean(a, b)", "{2.5, 3.5}", "add chain");
    check_node(new, lines, "Max(a, b)", "{4.0, 5.0}", "chain");
    check_node(new, lines, "Min(a, b, c)", "y: f32[2,2] = {1.0, 2.0, nan, nan}", "tile chain");
    check_node(new, lines, "Max(u)", "{1, 2}", "");
    check_refused(new, lines, "Max(a, u)", "'u8', those before it 'f32'");
    check_refused(new, lines, "Sum(a, -, b)", "input 1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(axes_are_an_input_or_an_attribute),
        cmocka_unit_test(without_axes_the_rest_of_the_function_remains),
        cmocka_unit_test(every_reduction_computes_its_own),
        cmocka_unit_test(means_of_images_are_pools),
        cmocka_unit_test(nothing_reduces_to_the_neutral_number),
        cmocka_unit_test(whole_numbers_are_exact_and_wrap),
        cmocka_unit_test(unknown_axes_leave_the_rank),
        cmocka_unit_test(indices_of_extremes),
        cmocka_unit_test(many_arrays_meet_by_broadcasting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
