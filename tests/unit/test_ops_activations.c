// test_ops_activations.c - Clip, the forms of GELU, and questions about single elements.
#include "ops_check.h"

static const char new[] = "onnx 20, com.microsoft 1";

static void bounds_are_inputs_or_attributes(void **state)
{
    (void)state;
    const char *const lines = "const x: f32[4] = {-1, 3, 9, nan}\nconst Z: f32[] = {0}\n"
                              "const S: f32[] = {6}\nconst T: f32[] = {2}\nconst s: f32[] = {6}\n"
                              "const i: i8[3] = {-100, 0, 100}\nconst l: i8[] = {-5}";
    check_node(new, lines, "Clip(x, Z, S)", "{0.0, 3.0, 6.0, nan}", "clip");
    check_node(new, lines, "Clip(x, Z)", "{0.0, 3.0, 9.0, nan}", "relu");
    check_node(new, lines, "Clip(x, -, T)", "{-1.0, 2.0, 2.0, nan}", "chain");
    check_node(new, lines, "Clip(x, Z, s)", "{0.0, 3.0, 6.0, nan}", "chain");
    check_node(new, lines, "Clip(x)", "{-1.0, 3.0, 9.0, nan}", "chain");
    check_node(new, lines, "Clip(x, S, T)", "{2.0, 2.0, 2.0, nan}", "chain");
    check_node("onnx 9", lines, "Clip(x) {min: 0.0, max: 6.0}", "{0.0, 3.0, 6.0, nan}", "clip");
    /* The default of the attribute is the largest float, not infinity. */
    check_node("onnx 9", "const x: f32[1] = {inf}", "Clip(x) {min: 0.0}", "{3.4028235e+38}",
               "chain");
    check_node("onnx 9", lines, "Clip(x) {min: -0.5, max: 4.0}", "{-0.5, 3.0, 4.0, nan}", "chain");
    check_node(new, lines, "LeakyRelu(x) {alpha: 0.5}", "{-0.5, 3.0, 9.0, nan}", "chain");
    check_node(new, lines, "Clip(i, l)", "{-5, 0, 100}", "");
    check_refused(new, lines, "Clip(x) {min: 0.0}", "attributes at opset 20");
    check_refused("onnx 9", lines, "Clip(x, Z)", "inputs at opset 9");
    check_refused(new, "input x: f32[2]\ninput b: f32[2]", "Clip(x, b)", "not one number");
    check_refused(new, "input x: f32[2]\ninput b: i32[]", "Clip(x, b)", "'i32'");
}

static void gelu_has_two_forms(void **state)
{
    (void)state;
    const char *const lines = "const x: f64[1,2] = {1, 0}\nconst b: f64[2] = {0, 1}";
    check_node(new, lines, "Gelu(x)", "{0.84134474606854", "gelu");
    check_node(new, lines, "Gelu(x) {approximate: \"tanh\"}", "{0.84119199060827", "gelu_tanh");
    check_node(new, lines, "com.microsoft::Gelu(x)", "{0.84134474606854", "gelu");
    check_node(new, lines, "com.microsoft::FastGelu(x)", "{0.84119199060827", "gelu_tanh");
    check_node(new, lines, "com.microsoft::FastGelu(x, b)", "0.84119199060827", "");
    check_node(new, lines, "com.microsoft::BiasGelu(x, b)", "0.84134474606854", "chain");
    check_node(new, lines, "com.microsoft::QuickGelu(x) {alpha: 1.0}", "{0.73105857863000", "silu");
    check_refused(new, lines, "Gelu(x) {approximate: \"some\"}", "none or tanh");
    check_refused(new, "input x: f32[2,3]\ninput b: f32[2]", "com.microsoft::FastGelu(x, b)",
                  "2 elements, a row of the input 3");
}

static void functions_keep_what_is_no_number(void **state)
{
    (void)state;
    const char *const lines = "const x: f32[4] = {nan, -1, 0, 2}";
    check_node(new, lines, "Celu(x) {alpha: 2.0}", "{nan, -0.78693867, 0.0, 2.0}", "chain");
    check_node(new, lines, "Celu(x) {alpha: -1.0}", "{nan, -1.7182819, 0.0, 2.0}", "");
    check_node(new, lines, "Celu(x) {alpha: 0.5}", "{nan, -0.43233237, 0.0, 2.0}", "");
    check_node(new, lines, "Elu(x)", "{nan, -0.63212055, 0.0, 2.0}", "elu");
    check_node(new, lines, "Elu(x) {alpha: 2.0}", "{nan, -1.2642411, 0.0, 2.0}", "chain");
    check_node(new, lines, "Selu(x)", "{nan, -1.1113307, 0.0, 2.101402}", "chain");
    check_node(new, lines, "HardSigmoid(x)", "{nan, 0.3, 0.5, 0.9}", "chain");
    check_node(new, lines, "Abs(x)", "{nan, 1.0, 0.0, 2.0}", "abs");
    check_node(new, lines, "Neg(x)", "{nan, 1.0, -0.0, -2.0}", "chain");
    check_node(new, lines, "Reciprocal(x)", "{nan, -1.0, inf, 0.5}", "chain");
    check_node(new, lines, "Softsign(x)", "{nan, -0.5, 0.0, 0.6666667}", "");
    check_node(new, "const x: i32[2] = {-3, 4}", "Abs(x)", "{3, 4}", "");
}

static void questions_about_elements(void **state)
{
    (void)state;
    const char *const lines = "const x: f32[4] = {nan, inf, -inf, 1}\nconst b: bool[2] = {0, 1}\n"
                              "const u: u8[2] = {0, 170}";
    check_node(new, lines, "IsNaN(x)", "y: bool[4] = {1, 0, 0, 0}", "");
    check_node(new, lines, "IsInf(x)", "y: bool[4] = {0, 1, 1, 0}", "");
    check_node(new, lines, "IsInf(x) {detect_negative: 0}", "{0, 1, 0, 0}", "");
    check_node(new, lines, "Not(b)", "y: bool[2] = {1, 0}", "");
    check_node(new, lines, "BitwiseNot(u)", "y: u8[2] = {255, 85}", "");
    check_refused(new, lines, "Not(u)", "no Not of elements 'u8'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds_are_inputs_or_attributes),
        cmocka_unit_test(gelu_has_two_forms),
        cmocka_unit_test(functions_keep_what_is_no_number),
        cmocka_unit_test(questions_about_elements),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
