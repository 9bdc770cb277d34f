// test_operators.c - types, values and kernels of the operators that show how one is written.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "epilogue.h"
#include "graph_helpers.h"

static void text_with_node(char text[1024], const char *lines, const char *node)
{
    snprintf(text, 1024, "graph g (onnx 17)\n%s\ny = %s\noutput y\n", lines, node);
}

static void assert_inferred(const char *lines, const char *node, const char *type)
{
    char text[1024];
    struct graph graph;
    text_with_node(text, lines, node);
    graph_of(&graph, text);
    assert_type(&graph, "y", type);
    graph_free(&graph);
}

static void assert_refused(const char *lines, const char *node, const char *words)
{
    char text[1024];
    struct graph graph;
    struct error error = {FAULT_NONE, ""};
    text_with_node(text, lines, node);
    assert_int_equal(graph_parse(&graph, "test", text, GRAPH_NAMED_BYTES_MAX, &error), FAILED);
    assert_int_equal(error.fault, FAULT_IO);
    assert_says(&error, words);
    graph_free(&graph);
}

/* `values` as they would stand in a text, with all inputs constant. */
static void assert_computed(const char *lines, const char *node, const char *values)
{
    char text[1024];
    struct graph graph;
    struct error error;
    struct site site;
    struct arena arena = {0};
    text_with_node(text, lines, node);
    graph_of(&graph, text);
    assert_int_equal(site_open(&site, &graph, graph.node[maker_of(&graph, "y")], &arena, &error),
                     OK);
    if (site_evaluate(&site, 1 << 20, &error) != OK)
        fail_msg("%s", error.text);
    assert_int_equal(
        graph_make_constant(&graph, graph_find(&graph, "y"), site.output[0].data, &error), OK);
    graph_sweep(&graph);
    char *printed = text_of(&graph);
    if (!strstr(printed, values))
        fail_msg("%s gives\n%sinstead of %s", node, printed, values);
    free(printed);
    graph_free(&graph);
    arena_free(&arena);
}

static void dims_broadcast(void **state)
{
    (void)state;
    assert_inferred("input a: f32[2,1,4]\ninput b: f32[3,1]", "Add(a, b)", "f32[2,3,4]");
    assert_inferred("input a: f32[]\ninput b: f32[0]", "Add(a, b)", "f32[0]");
    assert_inferred("input a: f32[n,1]\ninput b: f32[n,m]", "Add(a, b)", "f32[n,m]");
    assert_inferred("input a: f32[n]\ninput b: f32[m]", "Add(a, b)", "f32[?]");
    assert_inferred("input a: f32[n]\ninput b: f32[7]", "Less(a, b)", "bool[7]");
    assert_inferred("input a: f32\ninput b: f32[7]", "Add(a, b)", "f32");
    assert_refused("input a: f32[2]\ninput b: f32[3]", "Add(a, b)", "2 and 3 do not broadcast");
    assert_refused("input a: f32[2]\ninput b: i64[2]", "Add(a, b)", "'f32' and 'i64' differ");
    assert_refused("input a: bool[2]\ninput b: bool[2]", "Mul(a, b)", "'bool'");
}

static void elements_meet_by_broadcasting(void **state)
{
    (void)state;
    assert_computed("const a: f32[2,1] = {1, 2}\nconst b: f32[3] = {10, 20, 30}", "Add(a, b)",
                    "y: f32[2,3] = {11.0, 21.0, 31.0, 12.0, 22.0, 32.0}");
    assert_computed("const a: i64[3] = {-7, 7, 7}\nconst b: i64[3] = {2, 0, -2}", "Div(a, b)",
                    "{-3, 0, -3}");
    assert_computed("const a: i32[2] = {-7, 7}\nconst b: i32[] = {3}", "Mod(a, b)", "{2, 1}");
    assert_computed("const a: f32[2] = {-7, 7}\nconst b: f32[] = {3}", "Mod(a, b) {fmod: 1}",
                    "{-1.0, 1.0}");
    assert_computed("const a: u64[1] = {18446744073709551615}\nconst b: u64[] = {1}",
                    "Greater(a, b)", "y: bool[1] = {1}");
    assert_computed("const a: u8[2] = {200, 1}\nconst b: u8[] = {100}", "Add(a, b)", "{44, 101}");
    assert_computed("const a: text[2] = {\"a\", \"b\"}\nconst b: text[] = {\"b\"}", "Equal(a, b)",
                    "{0, 1}");
    assert_computed("const a: f16[2] = {1, 65504}\nconst b: f16[] = {65504}", "Add(a, b)",
                    "{65504.0, inf}");
    assert_computed("const a: u8[2] = {1, 2}\nconst b: u8[] = {3}",
                    "BitShift(a, b) {direction: \"LEFT\"}", "{8, 16}");
    const char *const shifts = "const a: i8[4] = {-8, -8, -8, 4}\nconst b: i8[4] = {1, 8, -1, 100}";
    assert_computed(shifts, "BitShift(a, b) {direction: \"RIGHT\"}", "{-4, -1, -1, 0}");
    assert_computed(shifts, "BitShift(a, b) {direction: \"LEFT\"}", "{-16, 0, 0, 0}");
}

/* Before opset 7 the second operand stands at an axis. */
static void old_operands_stand_at_their_axis(void **state)
{
    (void)state;
    struct graph graph;
    graph_of(&graph, "graph g (onnx 6)\ninput a: f32[2,3,4]\ninput b: f32[3]\n"
                     "y = Add(a, b) {axis: 1, broadcast: 1}\nz = PRelu(a, b)\noutput y\noutput "
                     "z\n");
    assert_type(&graph, "y", "f32[2,3,4]");
    assert_type(&graph, "z", "f32[2,3,4]");
    graph_free(&graph);
}

static void functions_of_one_element(void **state)
{
    (void)state;
    assert_computed("const a: f32[3] = {-2, 0, 2}", "Relu(a)", "{0.0, 0.0, 2.0}");
    assert_computed("const a: i8[2] = {-128, 5}", "Neg(a)", "{-128, -5}");
    assert_computed("const a: u64[2] = {18446744073709551615, 0}", "Sign(a)", "{1, 0}");
    assert_computed("const a: f32[2] = {-2, 2}", "LeakyRelu(a) {alpha: 0.5}", "{-1.0, 2.0}");
    assert_computed("const a: f32[2] = {-2, 3}", "HardSigmoid(a)", "{0.1, 1.0}");
    assert_computed("const a: f64[4] = {0.5, 1.5, 2.5, -0.5}", "Round(a)", "{0.0, 2.0, 2.0, -0.0}");
    assert_computed("const a: f32[3] = {-1000, 0, 1000}", "Sigmoid(a)", "{0.0, 0.5, 1.0}");
    assert_refused("input a: i64[2]", "Exp(a)", "no Exp of elements 'i64'");
    assert_refused("input a: bool[2]", "Relu(a)", "'bool'");
}

static void reshape_resolves_zero_and_minus_one(void **state)
{
    (void)state;
    assert_inferred("input x: f32[2,3,4]\nconst s: i64[2] = {0, -1}", "Reshape(x, s)", "f32[2,12]");
    assert_inferred("input x: f32[n,3,4]\nconst s: i64[2] = {0, -1}", "Reshape(x, s)", "f32[n,12]");
    assert_inferred("input x: f32[n,3,4]\nconst s: i64[2] = {-1, 4}", "Reshape(x, s)", "f32[?,4]");
    assert_inferred("input x: f32[2]\ninput s: i64[3]", "Reshape(x, s)", "f32[?,?,?]");
    assert_inferred("input x: f32[0,3,4]\nconst s: i64[2] = {0, -1}", "Reshape(x, s)", "f32[0,12]");
    assert_inferred("input x: f32[0,3,4]\nconst s: i64[3] = {0, 2, 6}", "Reshape(x, s)",
                    "f32[0,2,6]");
    assert_inferred("input x: f32[1,1]\ninput s: i64[0]", "Reshape(x, s)", "f32[]");
    assert_inferred("input x: f32[0,4]\nconst s: i64[2] = {4, 0}", "Reshape(x, s) {allowzero: 1}",
                    "f32[4,0]");
    assert_inferred("input x: f32[6]\nconst s: i64[0] = {}\nr = Relu(x)", "Size(r)", "i64[]");
    assert_refused("input x: f32[2,3]\nconst s: i64[2] = {-1, -1}", "Reshape(x, s)", "two");
    assert_refused("input x: f32[2,3]\nconst s: i64[1] = {5}", "Reshape(x, s)", "6 elements");
    assert_refused("input x: f32[2,3]\nconst s: i64[3] = {2, 3, 0}", "Reshape(x, s)", "copied");
    assert_refused("input x: f32[2,3]\nconst s: i64[2] = {4, -1}", "Reshape(x, s)", "fill");
    assert_refused("input x: f32[2]\nconst s: i64[2] = {4611686018427387904, 4}", "Reshape(x, s)",
                   "more than");
}

static void shapes_are_known_values(void **state)
{
    (void)state;
    assert_inferred("input x: f32[2,3,4]\ns = Shape(x)", "Reshape(x, s)", "f32[2,3,4]");
    assert_inferred("input x: f32[2,3,4]\ns = Shape(x) {start: -1}\nt = Neg(s)\nu = Neg(t)\n"
                    "input z: f32[4]\nv = Reshape(z, u)\nconst q: i64[1] = {-1}",
                    "Reshape(x, q)", "f32[24]");
}

static void shapes_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    assert_refused("input x: f32[2,3,4]\ns = Shape(x) {start: 1}\ninput z: f32[8]", "Reshape(z, s)",
                   "8 elements do not fill the 12");
}

static void constants_stand_in_attributes(void **state)
{
    (void)state;
    assert_computed("", "Constant() {value_ints: [3, -4]}", "y: i64[2] = {3, -4}");
    assert_computed("", "Constant() {value_int: 3}", "y: i64[] = {3}");
    assert_computed("", "Constant() {value_float: 0.5}", "y: f32[] = {0.5}");
    assert_computed("", "Constant() {value_floats: reals[]}", "y: f32[0] = {}");
    assert_computed("", "Constant() {value_strings: [\"a\", \"b\"]}",
                    "y: text[2] = {\"a\", \"b\"}");
    assert_computed("", "Constant() {value: u8[3] {1, 2, 3}}", "y: u8[3] = {1, 2, 3}");
    assert_refused("", "Constant() {other: 1}", "no value that is known");
    assert_inferred("input x: f32[6]\ns = Constant() {value_ints: [2, -1]}", "Reshape(x, s)",
                    "f32[2,3]");
}

static void windows_have_sizes(void **state)
{
    (void)state;
    const char *const x = "input x: f32[n,4,10,11]\ninput w: f32[8,4,3,3]\ninput b: f32[8]";
    assert_inferred(x, "Conv(x, w, b)", "f32[n,8,8,9]");
    assert_inferred(x, "Conv(x, w) {pads: [1, 1, 1, 1], strides: [2, 2]}", "f32[n,8,5,6]");
    assert_inferred(x, "Conv(x, w) {auto_pad: \"SAME_UPPER\", strides: [3, 3]}", "f32[n,8,4,4]");
    assert_inferred(x, "Conv(x, w) {dilations: [2, 3]}", "f32[n,8,6,5]");
    assert_inferred("input x: f32[1,6,?,5]\ninput w: f32[6,1,3,3]", "Conv(x, w) {group: 6}",
                    "f32[1,6,?,3]");
    assert_inferred("input x: f32[1,2,9]\ninput w: f32", "Conv(x, w) {kernel_shape: [3]}",
                    "f32[1,?,7]");
    assert_refused(x, "Conv(x, w) {group: 2}", "channels");
    assert_refused(x, "Conv(x, w) {group: 0}", "'group'");
    assert_refused(x, "Conv(x, w) {pads: [1, 1]}", "'pads' has 2 numbers; there have to be 4");
    assert_refused(x, "Conv(x, w) {strides: [0, 1]}", "'strides' has a 0");
    assert_refused(x, "Conv(x, w) {dilations: [9223372036854775807, 1]}", "'dilations'");
    assert_refused(x, "Conv(x, w) {dilations: [5, 1]}", "does not fit");
    assert_refused(x, "Conv(x, w) {kernel_shape: [3, 9223372036854775807]}", "'kernel_shape'");
    assert_refused(x, "Conv(x, w) {auto_pad: \"SOME\"}", "'SOME'");
    assert_refused("input x: f32[1,4]\ninput w: f32[8,4]", "Conv(x, w)", "at least 3");
}

static void convolution_sums_taps_of_its_group(void **state)
{
    (void)state;
    assert_computed("const x: f32[1,2,4] = {1, 2, 3, 4, 10, 20, 30, 40}\n"
                    "const w: f32[2,1,3] = {1, 1, 1, 0, 1, 2}\nconst b: f32[2] = {100, 200}",
                    "Conv(x, w, b) {group: 2, pads: [1, 0], strides: [2]}",
                    "y: f32[1,2,2] = {103.0, 109.0, 250.0, 310.0}");
    assert_computed("const x: f32[1,2,2,2] = {1, 2, 3, 4, 5, 6, 7, 8}\n"
                    "const w: f32[1,2,1,1] = {1, 10}",
                    "Conv(x, w)", "y: f32[1,1,2,2] = {51.0, 62.0, 73.0, 84.0}");
}

static void lower(const char *lines, const char *node, int expected,
                  void (*look)(const struct site *site, const struct lowering *lowering))
{
    char text[1024];
    struct graph graph;
    struct error error = {FAULT_NONE, ""};
    struct site site;
    struct lowering lowering;
    struct arena arena = {0};
    text_with_node(text, lines, node);
    graph_of(&graph, text);
    assert_int_equal(site_open(&site, &graph, graph.node[maker_of(&graph, "y")], &arena, &error),
                     OK);
    assert_int_equal(site_lower(&site, &lowering, &error), expected);
    if (expected == SKIPPED)
        assert_true(*error.text);
    if (look)
        look(&site, &lowering);
    graph_free(&graph);
    arena_free(&arena);
}

static void look_at_conv(const struct site *site, const struct lowering *lowering)
{
    const struct launch *launch = lowering->launch;
    assert_int_equal(lowering->launch_count, 1);
    assert_string_equal(launch->kernel->name, "conv2d");
    assert_int_equal(kernel_letter(launch->kernel, &launch->shape, "pad"), 1);
    assert_int_equal(kernel_letter(launch->kernel, &launch->shape, "stride"), 2);
    assert_int_equal(kernel_letter(launch->kernel, &launch->shape, "epilogue"), EPILOGUE_bias);
    assert_int_equal(launch->operand[0].source, SOURCE_OUTPUT);
    assert_int_equal(launch->operand[3].index, 2);
    assert_true(site_flops(site, lowering) > 2.0 * 8 * 25 * 4 * 4);
    assert_true(site_bytes(site, lowering) >= 4.0 * (4 * 100 + 8 * 25 + 8 * 36));
}

static void look_at_sides(const struct site *site, const struct lowering *lowering)
{
    static const struct {
        const char *letter;
        long value;
    } cases[] = {{"pad", 0}, {"top", 0}, {"left", 0}, {"bottom", 1}, {"right", 1}};
    const struct launch *launch = lowering->launch;
    (void)site;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(kernel_letter(launch->kernel, &launch->shape, cases[i].letter),
                         cases[i].value);
}

static void kernels_run_what_they_can(void **state)
{
    (void)state;
    const char *const x = "input x: f32[1,4,10,10]\ninput w: f32[8,4,3,3]\ninput b: f32[8]\n";
    lower(x, "Conv(x, w, b) {pads: [1, 1, 1, 1], strides: [2, 2]}", OK, look_at_conv);
    lower(x, "Conv(x, w, b) {pads: [0, 0, 1, 1]}", OK, look_at_sides);
    lower("input x: f32[1,4,10]\ninput w: f32[8,4,3]", "Conv(x, w)", OK, NULL);
    lower("input x: f32[1,4,5,5,5]\ninput w: f32[8,4,3,3,3]", "Conv(x, w)", OK, NULL);
    lower("input x: f32[1,4,5,5,5,5]\ninput w: f32[8,4,3,3,3,3]", "Conv(x, w)", SKIPPED, NULL);
    lower("input x: f32[0,4,10,10]\ninput w: f32[8,4,3,3]", "Conv(x, w)", SKIPPED, NULL);
    lower("input x: f64[3]", "Relu(x)", OK, NULL);
    lower("input x: i64[3]", "Relu(x)", SKIPPED, NULL);
    lower("input x: f32[3]", "LeakyRelu(x) {alpha: 0.01}", OK, NULL);
    lower("input x: f32[3]", "Softsign(x)", SKIPPED, NULL);
    lower("input x: f32[3,1]\ninput z: f32[3]", "Add(x, z)", OK, NULL);
    lower("input x: i64[3,1]\ninput z: i64[3]", "Add(x, z)", SKIPPED, NULL);
    lower("input x: f32[3]\ninput z: f32[3]", "Add(x, z)", OK, NULL);
    lower("input x: f32[3]", "Unheard(x)", SKIPPED, NULL);
}

/* ---- elements ---- */

static void every_small_real_survives(void **state)
{
    (void)state;
    static const enum element elements[] = {ELEMENT_f16,        ELEMENT_bf16,   ELEMENT_f8e4m3fn,
                                            ELEMENT_f8e4m3fnuz, ELEMENT_f8e5m2, ELEMENT_f8e5m2fnuz,
                                            ELEMENT_f8e8m0,     ELEMENT_f4e2m1};
    for (size_t e = 0; e < sizeof elements / sizeof *elements; e++)
        for (unsigned bits = 0; bits < 1u << element_bits(elements[e]); bits++) {
            uint16_t from = (uint16_t)bits, to = 0;
            const double value = element_real(&from, elements[e], 0);
            element_put_real(&to, elements[e], 0, value);
            if (isnan(value))
                assert_true(isnan(element_real(&to, elements[e], 0)));
            else
                assert_int_equal(to, from);
        }
}

static void reals_are_rounded_to_even_and_held_in_range(void **state)
{
    (void)state;
    static const struct {
        enum element element;
        double value, stored;
    } cases[] = {
        {ELEMENT_f16, 1 + 0x1p-11, 1},
        {ELEMENT_f16, 1 + 3 * 0x1p-11, 1 + 0x1p-9},
        {ELEMENT_f16, 65519, 65504},
        {ELEMENT_f16, 65520, INFINITY},
        {ELEMENT_f16, 0x1p-25, 0},
        {ELEMENT_bf16, 1 + 0x1p-8, 1},
        {ELEMENT_bf16, -3.5e38, -INFINITY},
        {ELEMENT_f8e4m3fn, 1000, 448},
        {ELEMENT_f8e4m3fnuz, -1000, -240},
        {ELEMENT_f8e5m2, 57344, 57344},
        {ELEMENT_f4e2m1, 100, 6},
        {ELEMENT_f4e2m1, 0.25, 0},
        {ELEMENT_f8e8m0, 5, 4},
        {ELEMENT_i8, 300.7, 44},
        {ELEMENT_i64, 1e300, 0x1p63},
        {ELEMENT_u64, 1e300, 0x1p64},
        {ELEMENT_i64, NAN, 0},
        {ELEMENT_bool, 0.3, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t data = 0;
        element_put_real(&data, cases[i].element, 0, cases[i].value);
        const double stored = element_real(&data, cases[i].element, 0);
        if (stored != cases[i].stored)
            fail_msg("%g as %s is %g", cases[i].value, element_name(cases[i].element), stored);
    }
}

static void elements_below_a_byte_are_packed(void **state)
{
    (void)state;
    uint8_t data[2] = {0xff, 0xff};
    for (long i = 0; i < 4; i++)
        element_put_whole(data, ELEMENT_i4, i, i - 2);
    assert_int_equal(data[0], 0xfe); /* -2, -1, the first in the low bits */
    assert_int_equal(data[1], 0x10);
    for (long i = 0; i < 4; i++)
        assert_int_equal(element_whole(data, ELEMENT_i4, i), i - 2);
    assert_int_equal(element_whole(data, ELEMENT_u4, 0), 14);
    assert_int_equal(element_whole(data, ELEMENT_u2, 1), 3);
    assert_int_equal(element_bytes(ELEMENT_u4, 3), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dims_broadcast),
        cmocka_unit_test(elements_meet_by_broadcasting),
        cmocka_unit_test(old_operands_stand_at_their_axis),
        cmocka_unit_test(functions_of_one_element),
        cmocka_unit_test(reshape_resolves_zero_and_minus_one),
        cmocka_unit_test(shapes_are_known_values),
        cmocka_unit_test(shapes_that_do_not_fit_are_refused),
        cmocka_unit_test(constants_stand_in_attributes),
        cmocka_unit_test(windows_have_sizes),
        cmocka_unit_test(convolution_sums_taps_of_its_group),
        cmocka_unit_test(kernels_run_what_they_can),
        cmocka_unit_test(every_small_real_survives),
        cmocka_unit_test(reals_are_rounded_to_even_and_held_in_range),
        cmocka_unit_test(elements_below_a_byte_are_packed),
    };
    return cmocka_run_group_tests_name("operators", tests, NULL, NULL);
}
