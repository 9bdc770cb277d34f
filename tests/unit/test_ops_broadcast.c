// test_ops_broadcast.c - two operands, one of which is broadcast: by element, row, column or as a
// single one, the kernel computes what plain loops do.
#include "ops_check.h"

#define ONNX17 "onnx 17"
#define IMAGE "const x: f32[1,2,2,2] = {1, 2, 3, 4, -5, -6, -7, -8}\n"
#define IMAGES "const x: f32[2,2,1,2] = {1, 2, 3, 4, -5, -6, -7, -8}\n"

static void an_operand_by_channel_is_one_by_row(void **state)
{
    (void)state;
    check_node(ONNX17, IMAGES "const c: f32[2,1,1] = {10, 2}", "Add(x, c)",
               "{11.0, 12.0, 5.0, 6.0, 5.0, 4.0, -5.0, -6.0}", "chain");
    check_node(ONNX17, IMAGES "const c: f32[1,2,1,1] = {10, 2}", "Mul(c, x)",
               "{10.0, 20.0, 6.0, 8.0, -50.0, -60.0, -14.0, -16.0}", "chain");
    check_node(ONNX17, IMAGES "const c: f32[2,1,1] = {10, 2}", "PRelu(x, c)",
               "{1.0, 2.0, 3.0, 4.0, -50.0, -60.0, -14.0, -16.0}", "chain");
    check_node(ONNX17, IMAGES "const n: f32[2,1,1,1] = {1, 2}", "Div(x, n)",
               "{1.0, 2.0, 3.0, 4.0, -2.5, -3.0, -3.5, -4.0}", "chain");
}

static void an_operand_of_the_last_dims_is_one_by_column(void **state)
{
    (void)state;
    check_node(ONNX17, IMAGE "const b: f32[2] = {10, 20}", "Sub(x, b)",
               "{-9.0, -18.0, -7.0, -16.0, -15.0, -26.0, -17.0, -28.0}", "chain");
    check_node(ONNX17, IMAGE "const b: f32[2,2] = {1, 2, 3, 4}", "Add(b, x)",
               "{2.0, 4.0, 6.0, 8.0, -4.0, -4.0, -4.0, -4.0}", "chain");
    check_node("onnx 6", IMAGE "const b: f32[2] = {10, 20}", "Add(x, b) {axis: 1, broadcast: 1}",
               "{11.0, 12.0, 13.0, 14.0, 15.0, 14.0, 13.0, 12.0}", "chain");
}

static void a_single_one_meets_all(void **state)
{
    (void)state;
    check_node(ONNX17, IMAGE "const s: f32[] = {2}", "Mul(x, s)",
               "{2.0, 4.0, 6.0, 8.0, -10.0, -12.0, -14.0, -16.0}", "chain");
    check_node(ONNX17, "const x: f64[3] = {1, 2, 3}\nconst s: f64[1,1] = {2}", "Div(x, s)",
               "f64[1,3] = {0.5, 1.0, 1.5}", "chain");
    check_node(ONNX17, "const x: f64[1,3] = {1, 2, 3}\nconst s: f64[1] = {2}", "Div(x, s)",
               "f64[1,3] = {0.5, 1.0, 1.5}", "chain");
    check_node(ONNX17, "const x: f32[0,3] = {}\nconst s: f32[3] = {1, 2, 3}", "Add(x, s)",
               "f32[0,3] = {}", "chain");
}

static void equal_shapes_need_no_broadcast(void **state)
{
    (void)state;
    check_node(ONNX17, "const x: f32[3] = {1, 2, 3}\nconst z: f32[3] = {3, 2, 1}", "Add(x, z)",
               "{4.0, 4.0, 4.0}", "add");
    check_node(ONNX17, "const x: f32[3] = {-1, 2, -3}\nconst z: f32[3] = {3, 2, 1}", "PRelu(x, z)",
               "{-3.0, 2.0, -3.0}", "chain");
}

static void the_first_operand_may_be_the_one(void **state)
{
    (void)state;
    check_node(ONNX17, "const x: f32[2] = {1, 2}\nconst s: f32[] = {4}", "Sub(s, x)", "{3.0, 2.0}",
               "chain");
    check_node(ONNX17, IMAGES "const c: f32[2,1,1] = {8, 24}", "Div(c, x)",
               "{8.0, 4.0, 8.0, 6.0, -1.6, -1.3333334, -3.4285715, -3.0}", "chain");
}

static void what_no_step_has_is_written_out_first(void **state)
{
    (void)state;
    check_node(ONNX17, IMAGE "const o: f32[2,1,2] = {1, 2, 3, 4}", "Add(x, o)",
               "{2.0, 4.0, 4.0, 6.0, -2.0, -2.0, -4.0, -4.0}", "tile chain");
    check_node(ONNX17, IMAGE "const o: f32[2,1,2] = {1, 2, 3, 4}", "Sub(x, o)",
               "{0.0, 0.0, 2.0, 2.0, -8.0, -10.0, -10.0, -12.0}", "tile chain");
    check_node(ONNX17, "const x: f32[2,1] = {1, 2}\nconst z: f32[2] = {10, 20}", "Sub(x, z)",
               "{-9.0, -19.0, -8.0, -18.0}", "tile chain");
    /* A slope cannot be the first operand of a step. */
    check_node(ONNX17, IMAGE "const o: f32[2,1,2] = {1, 2, 3, 4}", "PRelu(x, o)",
               "{1.0, 2.0, 3.0, 4.0, -15.0, -24.0, -21.0, -32.0}", "");
    check_node(ONNX17, "const x: f32[2,1] = {1, -2}\nconst z: i64[2] = {1, 2}", "Pow(x, z)",
               "{1.0, 1.0, -2.0, 4.0}", "");
}

static void powers_are_products_and_roots(void **state)
{
    (void)state;
    static const struct {
        const char *exponent, *values;
    } cases[] = {
        {"const E: f32[] = {2}", "{4.0, 16.0}"},  {"const E: i64[1] = {3}", "{-8.0, 64.0}"},
        {"const E: f32[] = {1}", "{-2.0, 4.0}"},  {"const E: f32[] = {-1}", "{-0.5, 0.25}"},
        {"const E: f64[] = {0.5}", "{nan, 2.0}"}, {"const E: f32[1] = {-0.5}", "{nan, 0.5}"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char lines[128];
        snprintf(lines, sizeof lines, "const x: f32[2] = {-2, 4}\n%s", cases[i].exponent);
        check_node(ONNX17, lines, "Pow(x, E)", cases[i].values, "chain");
    }
    check_node(ONNX17, "const x: f32[2] = {1, 4}\nconst E: f32[] = {1.5}", "Pow(x, E)",
               "{1.0, 8.0}", "");
}

static void any_number_of_operands_go_through_one_chain(void **state)
{
    (void)state;
    const char *const lines = "const x: f32[2,2] = {1, nan, 3, 4}\nconst z: f32[2] = {2, 3}\n"
                              "const c: f32[2,1] = {0, nan}\nconst s: f32[1] = {2.5}";
    check_node(ONNX17, lines, "Max(x, z)", "{2.0, nan, 3.0, 4.0}", "chain");
    check_node(ONNX17, lines, "Max(z, x, c)", "{2.0, nan, nan, nan}", "chain");
    check_node(ONNX17, lines, "Min(s, z, x)", "{1.0, nan, 2.0, 2.5}", "chain");
    check_node(ONNX17, lines, "Sum(x, z, s)", "{5.5, nan, 7.5, 9.5}", "chain");
    check_node(ONNX17, lines, "Mean(z, x)", "{1.5, nan, 2.5, 3.5}", "chain chain");
    check_node(ONNX17, lines, "Min(c, z)", "{0.0, 0.0, nan, nan}", "tile chain");
}

static void other_broadcasts_are_left_to_plain_loops(void **state)
{
    (void)state;
    check_node(ONNX17, "const x: i64[2] = {1, 2}\nconst z: i64[1] = {10}", "Add(x, z)", "{11, 12}",
               "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_operand_by_channel_is_one_by_row),
        cmocka_unit_test(an_operand_of_the_last_dims_is_one_by_column),
        cmocka_unit_test(a_single_one_meets_all),
        cmocka_unit_test(equal_shapes_need_no_broadcast),
        cmocka_unit_test(the_first_operand_may_be_the_one),
        cmocka_unit_test(what_no_step_has_is_written_out_first),
        cmocka_unit_test(powers_are_products_and_roots),
        cmocka_unit_test(any_number_of_operands_go_through_one_chain),
        cmocka_unit_test(other_broadcasts_are_left_to_plain_loops),
    };
    return cmocka_run_group_tests_name("operands that are broadcast", tests, NULL, NULL);
}
