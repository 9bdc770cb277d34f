// test_ops_products.c - MatMul, Gemm and their relatives: ranks, bias, factors, refusals.
#include "ops_check.h"

static const char onnx[] = "onnx 13", microsoft[] = "onnx 13, com.microsoft 1";

#define MATRICES "const a: f32[2,2] = {1, 2, 3, 4}\nconst b: f32[2,3] = {1, 0, 1, 0, 1, 10}\n"

static void vectors_are_rows_and_columns(void **state)
{
    (void)state;
    const char *const vectors = "const a: f32[3] = {1, 2, 3}\nconst b: f32[3] = {1, 10, 100}";
    check_node(onnx, vectors, "MatMul(a, b)", "y: f32[] = {321.0}", "gemm");
    check_node(onnx, "const a: f32[2] = {1, 2}\nconst b: f32[2,2,1] = {1, 2, 3, 4}", "MatMul(a, b)",
               "y: f32[2,1] = {5.0, 11.0}", "gemm gemm");
    check_node(onnx, "const a: f32[2,1,2] = {1, 2, 3, 4}\nconst b: f32[2] = {1, 10}",
               "MatMul(a, b)", "y: f32[2,1] = {21.0, 43.0}", "gemm");
}

static void batches_broadcast_in_as_few_calls_as_can_be(void **state)
{
    (void)state;
    const char *const rows = "const a: f64[2,1,2] = {1, 2, 3, 4}\nconst b: f64[2,2] = {1, 0, 0, 1}";
    check_node(onnx, rows, "MatMul(a, b)", "y: f64[2,1,2] = {1.0, 2.0, 3.0, 4.0}", "gemm");
    const char *const pairs =
        "const a: f32[2,1,2] = {1, 2, 3, 4}\nconst b: f32[2,2,1] = {1, 0, 0, 1}";
    check_node(onnx, pairs, "MatMul(a, b)", "y: f32[2,1,1] = {1.0, 4.0}", "gemm");
    const char *const crossed =
        "const a: f32[2,1,1,2] = {1, 2, 3, 4}\nconst b: f32[2,2,1] = {1, 0, 0, 1}";
    check_node(onnx, crossed, "MatMul(a, b)", "y: f32[2,2,1,1] = {1.0, 2.0, 3.0, 4.0}",
               "gemm gemm gemm gemm");
    check_node(onnx, "const a: f32[2,0] = {}\nconst b: f32[0,2] = {}", "MatMul(a, b)",
               "{0.0, 0.0, 0.0, 0.0}", "gemm");
}

static void products_of_other_numbers_are_exact(void **state)
{
    (void)state;
    check_node(onnx, "const a: u64[1,1] = {9223372036854775809}\nconst b: u64[1,1] = {3}",
               "MatMul(a, b)", "{9223372036854775811}", "");
    check_node(onnx, "const a: f16[1,2] = {2048, 1}\nconst b: f16[2,1] = {1, 1}", "MatMul(a, b)",
               "{2048.0}", "");
}

static void dims_that_are_not_known_stay_unknown(void **state)
{
    (void)state;
    check_type(onnx, "input a: f32[n,2,k]\ninput b: f32[k,3]", "MatMul(a, b)", "f32[n,2,3]");
    check_type(onnx, "input a: f32[?,2,4]\ninput b: f32[5,4,3]", "MatMul(a, b)", "f32[5,2,3]");
    check_type(onnx, "input a: f32\ninput b: f32[4,3]", "MatMul(a, b)", "f32");
    check_refused(onnx, "input a: f32[2,3]\ninput b: f32[4,2]", "MatMul(a, b)",
                  "3 columns, the second 4 rows");
    check_refused(onnx, "input a: f32[]\ninput b: f32[4,2]", "MatMul(a, b)", "scalar");
    check_refused(onnx, "input a: f32[2,2,3]\ninput b: f32[3,3,2]", "MatMul(a, b)", "broadcast");
    check_refused(onnx, "input a: f32[2,3]\ninput b: i32[3,2]", "MatMul(a, b)", "'f32' and 'i32'");
    check_refused(onnx, "input a: f32[281474976710656,1]\ninput b: f32[1,281474976710656]",
                  "MatMul(a, b)", "too large");
}

static void fused_products_have_factor_and_transposes(void **state)
{
    (void)state;
    check_node(microsoft, MATRICES, "com.microsoft::FusedMatMul(a, b) {alpha: 0.5, transA: 1}",
               "{0.5, 1.5, 15.5, 1.0, 2.0, 21.0}", "chain gemm");
    check_node(microsoft, MATRICES "const B: f32[2,3] = {1, 0, 1, 0, 1, 10}\n",
               "com.microsoft::FusedMatMul(a, B) {alpha: 2.0}", "{2.0, 4.0, 42.0, 6.0, 8.0, 86.0}",
               "gemm");
    /* Rows first, then the batch. */
    check_node(microsoft, "const a: f32[1,2,2] = {1, 2, 3, 4}\nconst b: f32[2,2,1] = {1, 0, 0, 1}",
               "com.microsoft::FusedMatMul(a, b) {transBatchA: 1}", "y: f32[2,1,1] = {1.0, 4.0}",
               "gemm");
}

static void gemm_takes_every_c_that_broadcasts_to_it(void **state)
{
    (void)state;
    const struct {
        const char *c, *values, *kernels;
    } cases[] = {
        {"const c: f32[3] = {1, 2, 3}", "{2.0, 4.0, 24.0, 4.0, 6.0, 46.0}", "gemm"},
        {"const c: f32[1,3] = {1, 2, 3}", "{2.0, 4.0, 24.0, 4.0, 6.0, 46.0}", "gemm"},
        {"const c: f32[2,3] = {1, 2, 3, 4, 5, 6}", "{2.0, 4.0, 24.0, 7.0, 9.0, 49.0}", "gemm"},
        {"const c: f32[2,1] = {1, 2}", "{2.0, 3.0, 22.0, 5.0, 6.0, 45.0}", ""},
        {"const C: f32[2,1] = {1, 2}", "{2.0, 3.0, 22.0, 5.0, 6.0, 45.0}", "gemm"},
        {"const c: f32[] = {1}", "{2.0, 3.0, 22.0, 4.0, 5.0, 44.0}", ""},
        {"const C: f32[] = {1}", "{2.0, 3.0, 22.0, 4.0, 5.0, 44.0}", "gemm"},
        {"const C: f32[1] = {1}", "{2.0, 3.0, 22.0, 4.0, 5.0, 44.0}", "gemm"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char lines[256], node[64];
        snprintf(lines, sizeof lines, MATRICES "%s", cases[i].c);
        snprintf(node, sizeof node, "Gemm(a, b, %c)", cases[i].c[6]);
        check_node(onnx, lines, node, cases[i].values, cases[i].kernels);
    }
    check_node(onnx, MATRICES, "Gemm(a, b)", "{1.0, 2.0, 21.0, 3.0, 4.0, 43.0}", "gemm");
}

static void gemm_has_factors_and_transposes(void **state)
{
    (void)state;
    const char *const lines = MATRICES "const C: f32[3] = {2, 4, 6}\nconst c: f32[3] = {2, 4, 6}";
    check_node(onnx, lines, "Gemm(a, b, C) {alpha: 0.5, beta: 0.5, transA: 1}",
               "{1.5, 3.5, 18.5, 2.0, 4.0, 24.0}", "chain gemm");
    check_node(onnx, lines, "Gemm(a, b, c) {beta: 0.5}", "{2.0, 4.0, 24.0, 4.0, 6.0, 46.0}",
               "chain gemm");
    /* 0 times a NaN is one; a beta of 0 does not read c, as in BLAS. */
    const char *const nans = "const a: f32[1,1] = {nan}\nconst b: f32[1,1] = {1}\n"
                             "const c: f32[1] = {nan}\nconst one: f32[1,1] = {1}";
    check_node(onnx, nans, "Gemm(a, b, c) {alpha: 0.0, beta: 0.0}", "{nan}", "chain gemm");
    check_node(onnx, nans, "Gemm(one, b, c) {beta: 0.0}", "{1.0}", "gemm");
    check_node(onnx,
               "const a: i64[1,1] = {9007199254740993}\nconst b: i64[1,1] = {1}\n"
               "const c: i64[1] = {1}",
               "Gemm(a, b, c)", "{9007199254740994}", "");
}

static void gemm_refuses_what_is_no_matrix(void **state)
{
    (void)state;
    const char *const inputs = "input a: f32[n,2]\ninput b: f32[2,3]\ninput v: f32[3]\n"
                               "input wide: f32[2,3]\ninput deep: f32[1,1,3]\ninput one: f32[1,2]";
    check_type(onnx, inputs, "Gemm(a, b, v)", "f32[n,3]");
    check_refused(onnx, inputs, "Gemm(v, b)", "of 2");
    check_refused(onnx, inputs, "Gemm(a, b, deep)", "more than the product's 2");
    check_refused(onnx, inputs, "Gemm(one, b, wide)", "2 elements where the product has 1");
    check_refused(onnx, inputs, "Gemm(a, b) {transB: 1}", "they have to agree");
}

static void zero_points_are_subtracted_by_row_and_column(void **state)
{
    (void)state;
    const char *const lines = "const a: u8[2,2] = {10, 20, 30, 40}\nconst b: i8[2,1] = {-1, 2}\n"
                              "const z: u8[2] = {10, 20}\nconst s: i8[] = {1}\n"
                              "const bad: u8[3] = {1, 2, 3}";
    check_node(onnx, lines, "MatMulInteger(a, b)", "y: i32[2,1] = {30, 50}", "");
    check_node(onnx, lines, "MatMulInteger(a, b, z, s)", "y: i32[2,1] = {10, 0}", "");
    check_refused(onnx, lines, "MatMulInteger(a, b, bad)", "one for each row");
    check_refused(onnx, lines, "MatMulInteger(a, b, s)", "'i8', not 'u8'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_are_rows_and_columns),
        cmocka_unit_test(batches_broadcast_in_as_few_calls_as_can_be),
        cmocka_unit_test(products_of_other_numbers_are_exact),
        cmocka_unit_test(dims_that_are_not_known_stay_unknown),
        cmocka_unit_test(fused_products_have_factor_and_transposes),
        cmocka_unit_test(gemm_takes_every_c_that_broadcasts_to_it),
        cmocka_unit_test(gemm_has_factors_and_transposes),
        cmocka_unit_test(gemm_refuses_what_is_no_matrix),
        cmocka_unit_test(zero_points_are_subtracted_by_row_and_column),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
