// test_ops_fused.c - operators with steps behind them: what they compute, and which kernel calls
// do.
#include "ops_check.h"

static const char fused[] = "onnx 13, com.microsoft 1, roofline 1";

/* A convolution whose weights pick a channel: y0 = x0, y1 = x1 - x0. */
#define IMAGES                                                                                     \
    "const x: f32[1,2,1,3] = {1, 2, 3, 4, 6, 8}\n"                                                 \
    "const W: f32[2,2,1,1] = {1, 0, -1, 1}\nconst B: f32[2] = {10, -4}\n"

static void bias_addend_and_activation_are_one_call(void **state)
{
    (void)state;
    check_node(fused, IMAGES, "roofline::Conv(x, W) {steps: [\"relu\"]}",
               "{1.0, 2.0, 3.0, 3.0, 4.0, 5.0}", "conv2d");
    check_node(fused, IMAGES, "roofline::Conv(x, W, B) {steps: [\"relu\"]}",
               "{11.0, 12.0, 13.0, 0.0, 0.0, 1.0}", "conv2d");
    check_node(fused, IMAGES "const r: f32[1,2,1,3] = {-20, 1, 1, 1, 1, 1}\n",
               "roofline::Conv(x, W, B, r) {steps: [\"add\", \"relu\"]}",
               "{0.0, 13.0, 14.0, 0.0, 1.0, 2.0}", "conv2d");
    check_node(fused, IMAGES "const r: f32[1,2,1,3] = {-20, 1, 1, 1, 1, 1}\n",
               "roofline::Conv(x, W, -, r) {steps: [\"add\"]}", "{-19.0, 3.0, 4.0, 4.0, 5.0, 6.0}",
               "conv2d");
    check_node(fused, IMAGES "const c: f32[2,1,1] = {1, 2}\n",
               "roofline::Conv(x, W, -, c) {steps: [\"add\", \"relu\"]}",
               "{2.0, 3.0, 4.0, 5.0, 6.0, 7.0}", "conv2d");
}

static void constants_of_steps_are_spread_over_the_channels(void **state)
{
    (void)state;
    check_node(fused, IMAGES "const L: f32[] = {1.5}\nconst H: f32[1] = {3.5}\n",
               "roofline::Conv(x, W, -, L, H) {steps: [\"max\", \"min\"]}",
               "{1.5, 2.0, 3.0, 3.0, 3.5, 3.5}", "conv2d");
    check_node(fused, IMAGES "const L: f32[] = {0}\nconst H: f32[] = {6}\n",
               "roofline::Conv(x, W, B, L, H) {steps: [\"max\", \"min\"]}",
               "{6.0, 6.0, 6.0, 0.0, 0.0, 1.0}", "conv2d");
    check_node(fused, IMAGES "const S: f32[] = {0.5}\n",
               "roofline::Conv(x, W, B, S) {steps: [\"prelu\"]}",
               "{11.0, 12.0, 13.0, -0.5, 0.0, 1.0}", "conv2d");
    check_node(fused, IMAGES "const S: f32[2,1,1] = {1, 2}\n",
               "roofline::Conv(x, W, B, S) {steps: [\"prelu\"]}",
               "{11.0, 12.0, 13.0, -2.0, 0.0, 1.0}", "conv2d");
    check_node(fused,
               IMAGES "const F: f32[2,1,1] = {0.5, 0.25}\nconst A: f32[] = {-1}\n"
                      "const L: f32[] = {0}\nconst H: f32[] = {1}\n",
               "roofline::Conv(x, W, -, F, A, L, H) {steps: [\"mul\", \"add\", \"max\", \"min\"]}",
               "{0.0, 0.0, 0.5, 0.0, 0.0, 0.25}", "conv2d");
}

static void what_no_epilogue_does_follows_as_a_chain(void **state)
{
    (void)state;
    check_node(fused, IMAGES "const G: f32[3] = {1, 2, 3}\n",
               "roofline::Conv(x, W, B, G) {steps: [\"relu\", \"mul\"]}",
               "{11.0, 24.0, 39.0, 0.0, 0.0, 3.0}", "conv2d chain");
    check_node(fused, IMAGES, "roofline::Conv(x, W, B) {steps: [\"relu\", \"sqrt\", \"exp\"]}",
               "27.", "conv2d chain");
}

static void transposed_convolutions_have_the_same_steps(void **state)
{
    (void)state;
    check_node(fused,
               "const x: f32[1,2,1,2] = {1, 2, 3, -4}\n"
               "const W: f32[2,1,1,1] = {1, 1}\nconst B: f32[1] = {-1}\n",
               "roofline::ConvTranspose(x, W, B) {steps: [\"relu\"]}", "{3.0, 0.0}",
               "conv_transpose2d");
}

#define MATRICES                                                                                   \
    "const a: f32[2,2] = {1, 2, 3, 4}\nconst B: f32[2,2] = {1, 0, 0, 1}\n"                         \
    "const C: f32[2] = {-2, 10}\n"

static void products_have_steps_by_column(void **state)
{
    (void)state;
    check_node(fused, MATRICES, "roofline::Gemm(a, B, C) {steps: [\"relu\"]}",
               "{0.0, 12.0, 1.0, 14.0}", "gemm");
    check_node(fused, MATRICES "const r: f32[2,2] = {1, 1, 1, -20}\n",
               "roofline::Gemm(a, B, C, r) {steps: [\"add\", \"relu\"]}", "{0.0, 13.0, 2.0, 0.0}",
               "gemm");
    check_node(fused, MATRICES, "roofline::MatMul(a, B, C) {transB: 1, steps: [\"add\"]}",
               "{-1.0, 12.0, 1.0, 14.0}", "gemm");
    check_node(fused, MATRICES "const R: f32[2,1] = {1, 2}\n",
               "roofline::MatMul(a, B, R) {steps: [\"mul\"]}", "{1.0, 2.0, 6.0, 8.0}",
               "gemm chain");
}

#define IMAGE2 "const x: f32[2,2,1,2] = {1, 2, 3, 4, 5, 6, 7, 8}\n"

static void chains_cut_rows_where_operands_lie(void **state)
{
    (void)state;
    check_node(fused, IMAGE2 "const F: f32[2,1,1] = {1, 10}\nconst A: f32[1,2,1,1] = {-2, 0}\n",
               "roofline::Chain(x, F, A) {steps: [\"mul\", \"add\", \"relu\"]}",
               "{0.0, 0.0, 30.0, 40.0, 3.0, 4.0, 70.0, 80.0}", "chain");
    check_node(fused, IMAGE2 "const f: f32[2,1,1] = {1, 10}\nconst c: f32[2] = {0.5, 1}\n",
               "roofline::Chain(x, f, c) {steps: [\"mul\", \"add\"]}",
               "{1.5, 3.0, 30.5, 41.0, 5.5, 7.0, 70.5, 81.0}", "chain");
    check_node(fused, IMAGE2 "const n: f32[2,1,1,1] = {1, 10}\nconst S: f32[] = {1}\n",
               "roofline::Chain(x, n, S) {steps: [\"mul\", \"sub\"]}",
               "{0.0, 1.0, 2.0, 3.0, 49.0, 59.0, 69.0, 79.0}", "chain");
    check_node(fused, IMAGE2 "const N: f32[2,1,1,1] = {1, 10}\nconst F: f32[2,1,1] = {1, 2}\n",
               "roofline::Chain(x, N, F) {steps: [\"mul\", \"mul\"]}",
               "{1.0, 2.0, 6.0, 8.0, 50.0, 60.0, 140.0, 160.0}", "chain");
    check_node(fused, IMAGE2 "const n: f32[2,1,1,1] = {1, 10}\nconst f: f32[2,1,1] = {1, 2}\n",
               "roofline::Chain(x, n, f) {steps: [\"mul\", \"mul\"]}",
               "{1.0, 2.0, 6.0, 8.0, 50.0, 60.0, 140.0, 160.0}", "chain chain");
    check_node(fused, IMAGE2 "const P: f32[2,1,1,2] = {1, 2, 3, 4}\n",
               "roofline::Chain(x, P) {steps: [\"mul\"]}",
               "{1.0, 4.0, 3.0, 8.0, 15.0, 24.0, 21.0, 32.0}", "chain");
    check_node(fused, "const x: f32[] = {4}", "roofline::Chain(x) {steps: [\"sqrt\"]}", "{2.0}",
               "chain");
    check_node(fused, "const x: f32[2,0] = {}", "roofline::Chain(x) {steps: [\"relu\"]}", "{}",
               "chain");
}

static void long_chains_are_several_calls(void **state)
{
    (void)state;
    check_node(fused, "const x: f32[1,2] = {1, -2}\nconst A: f32[] = {1}\n",
               "roofline::Chain(x, A, A, A, A, A, A, A) {steps: [\"add\", \"add\", \"add\", "
               "\"add\", \"add\", \"add\", \"add\", \"relu\"]}",
               "{8.0, 5.0}", "chain chain");
    check_node(fused, "const x: f16[2] = {1, -2}", "roofline::Chain(x) {steps: [\"relu\"]}",
               "{1.0, 0.0}", "");
}

static void steps_that_cannot_be_are_refused(void **state)
{
    (void)state;
    check_refused(fused, "input x: f32[2]", "roofline::Chain(x) {steps: [\"nothing\"]}",
                  "no step 'nothing'");
    check_refused(fused, "input x: f32[2]\ninput a: f32[9]", "roofline::Chain(x, a)",
                  "no step takes input 1");
    check_refused(fused, "input x: f32[2]\ninput a: f32[9]",
                  "roofline::Chain(x, a) {steps: [\"relu\"]}", "no step takes input 1");
    check_refused(fused, "input x: f32[2]", "roofline::Chain(x) {steps: [\"add\"]}",
                  "lacks input 1");
    check_refused(fused, "input x: f32[2]\ninput a: f32[3]",
                  "roofline::Chain(x, a) {steps: [\"add\"]}", "does not broadcast");
    check_refused(fused, "input x: f32[2]\ninput a: f32[2,2]",
                  "roofline::Chain(x, a) {steps: [\"add\"]}", "does not broadcast");
    check_refused(fused, "input x: f32[2]\ninput a: f64[2]",
                  "roofline::Chain(x, a) {steps: [\"add\"]}", "'f64'");
    check_refused(fused, "input x: i32[2]", "roofline::Chain(x) {steps: [\"relu\"]}", "real");
    check_refused(fused, "input x: f32[2]", "roofline::Chain(x) {steps: [\"scale_shift\"]}",
                  "no step 'scale_shift'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bias_addend_and_activation_are_one_call),
        cmocka_unit_test(constants_of_steps_are_spread_over_the_channels),
        cmocka_unit_test(what_no_epilogue_does_follows_as_a_chain),
        cmocka_unit_test(transposed_convolutions_have_the_same_steps),
        cmocka_unit_test(products_have_steps_by_column),
        cmocka_unit_test(chains_cut_rows_where_operands_lie),
        cmocka_unit_test(long_chains_are_several_calls),
        cmocka_unit_test(steps_that_cannot_be_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
