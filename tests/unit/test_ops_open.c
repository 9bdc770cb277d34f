// test_ops_open.c - operators whose kernels need values that only the run knows.
#include "ops_check.h"

/* Inputs with small letters are not known while the node is lowered. */
static void indices_are_looked_up(void **state)
{
    (void)state;
    const char *const lines = "const X: f32[2,3] = {0, 1, 2, 3, 4, 5}\nconst i: i64[2] = {-1, 0}\n"
                              "const j: i64[1,2] = {1, 1}\nconst k: i32[2,1] = {2, 0}";
    check_node("onnx 13", lines, "Gather(X, i)", "y: f32[2,3] = {3.0, 4.0, 5.0, 0.0, 1.0, 2.0}",
               "gather");
    check_node("onnx 13", lines, "Gather(X, i) {axis: 1}", "y: f32[2,2] = {2.0, 0.0, 5.0, 3.0}",
               "gather");
    check_node("onnx 13", lines, "GatherND(X, j)", "y: f32[1] = {4.0}", "gather");
    check_node("onnx 13", lines, "GatherElements(X, k) {axis: 1}", "y: f32[2,1] = {2.0, 3.0}",
               "gather");
}

static void a_border_gets_its_value(void **state)
{
    (void)state;
    const char *const lines = "const x: f32[2] = {1, 2}\nconst P: i64[2] = {1, 1}\n"
                              "const v: f32[] = {7}\nconst V: f32[] = {7}\nconst Z: f32[] = {0}\n"
                              "const N: f32[] = {nan}\nconst p: i64[2] = {1, 1}";
    check_node("onnx 13", lines, "Pad(x, P, v)", "{7.0, 1.0, 2.0, 7.0}", "pad");
    check_node("onnx 13", lines, "Pad(x, P, V)", "{7.0, 1.0, 2.0, 7.0}", "pad");
    check_node("onnx 13", lines, "Pad(x, P, Z)", "{0.0, 1.0, 2.0, 0.0}", "pad");
    check_node("onnx 13", lines, "Pad(x, P, N)", "{nan, 1.0, 2.0, nan}", "pad");
    check_node("onnx 13", lines, "Pad(x, P, v) {mode: \"edge\"}", "{1.0, 1.0, 2.0, 2.0}", "pad");
    check_node("onnx 9", lines, "Pad(x) {pads: [0, 1], value: -1.0}", "{1.0, 2.0, -1.0}", "pad");
    check_node("onnx 13", lines, "Pad(x, p, V)", "{7.0, 1.0, 2.0, 7.0}", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(indices_are_looked_up),
        cmocka_unit_test(a_border_gets_its_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
