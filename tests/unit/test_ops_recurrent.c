// test_ops_recurrent.c - LSTM, GRU and RNN by kernels: they compute what the plain loops do.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "graph_helpers.h"
#include "ops_run.h"

enum { OUTPUTS = 3, INPUTS = 8 };

/* Operands of a cell with 5 hidden numbers, 3 inputs and 4 steps, for so many gates, directions and
 * items. */
static void write_graph(char text[2048], const char *node, int gates, int directions, int items)
{
    const int rows = 5 * gates;
    char lengths[64] = "4";
    for (int i = 1; i < items; i++)
        strncat(lengths, ", 4", sizeof lengths - strlen(lengths) - 1);
    snprintf(text, 2048,
             "graph g (onnx 14)\n"
             "const x: f32[4,%d,3] = named\nconst w: f32[%d,%d,3] = named\n"
             "const r: f32[%d,%d,5] = named\nconst b: f32[%d,%d] = named\n"
             "const h: f32[%d,%d,5] = named\nconst c: f32[%d,%d,5] = named\n"
             "const all: i32[%d] = {%s}\n%s\noutput y\n",
             items, directions, rows, directions, rows, directions, 2 * rows, directions, items,
             directions, items, items, lengths, node);
}

static void assert_same(const char *node, const struct array *by_kernels,
                        const struct array *by_loops)
{
    for (long i = 0; i < type_elements(&by_loops->type); i++) {
        const double value = element_real(by_kernels->data, ELEMENT_f32, i);
        const double wanted = element_real(by_loops->data, ELEMENT_f32, i);
        if (!(fabs(value - wanted) <= 1e-6 + 1e-5 * fabs(wanted)))
            fail_msg("%s: element %ld is %g instead of %g", node, i, value, wanted);
    }
}

/* `knows`: the matrices are constants when the kernels are chosen. */
static void assert_kernels_agree(const char *node, int gates, int directions, int items, bool knows)
{
    char text[2048];
    struct graph graph;
    struct error error = {FAULT_NONE, ""};
    struct arena arena = {0};
    struct site site, known;
    struct lowering lowering;
    struct array input[INPUTS], output[OUTPUTS];
    write_graph(text, node, gates, directions, items);
    graph_of(&graph, text);
    assert_int_equal(site_open(&known, &graph, graph.node[maker_of(&graph, "y")], &arena, &error),
                     OK);
    assert_int_equal(site_evaluate(&known, 1 << 20, &error), OK);
    site = known;
    for (int i = 0; i < site.node->input_count; i++) {
        input[i] = known.input[i];
        if (!knows)
            input[i].data = NULL;
    }
    site.input = input;
    site.output = output;
    for (int i = 0; i < site.node->output_count; i++)
        output[i] = known.output[i];
    if (site_lower(&site, &lowering, &error) != OK)
        fail_msg("%s", error.text);
    assert_string_equal(lowering.launch[0].kernel->name, "gemm");
    site.input = known.input;
    for (int i = 0; i < site.node->output_count; i++)
        assert_int_equal(site_output(&site, i, &error), OK);
    assert_true(run_lowering(&site, &lowering));
    for (int i = 0; i < site.node->output_count; i++)
        if (node_output(site.node, i) >= 0)
            assert_same(node, &output[i], &known.output[i]);
    graph_free(&graph);
    arena_free(&arena);
}

static void kernels_compute_what_the_loops_do(void **state)
{
    (void)state;
    static const struct {
        const char *node;
        int gates, directions, items;
    } cases[] = {
        {"y = RNN(x, w, r)", 1, 1, 1},
        {"y, yh = RNN(x, w, r, b, -, h) {activations: [\"Relu\"], direction: \"reverse\"}", 1, 1,
         3},
        {"y, yh = GRU(x, w, r, b, -, h)", 3, 1, 1},
        {"y, yh = GRU(x, w, r, b, -, h) {linear_before_reset: 1}", 3, 1, 1},
        {"y, yh = GRU(x, w, r, b) {direction: \"bidirectional\"}", 3, 2, 2},
        {"y, yh = GRU(x, w, r) {linear_before_reset: 1, direction: \"bidirectional\"}", 3, 2, 3},
        {"y, yh, yc = LSTM(x, w, r, b, -, h, c)", 4, 1, 1},
        {"y, yh, yc = LSTM(x, w, r, b, -, h, c) {direction: \"bidirectional\"}", 4, 2, 7},
        {"y, yh, yc = LSTM(x, w, r, b, all) {direction: \"reverse\", activations: [\"Sigmoid\", "
         "\"Relu\", \"Relu\"]}",
         4, 1, 2},
        /* Only the last state is wanted. */
        {"-, y = LSTM(x, w, r, b, -, h, c) {direction: \"bidirectional\"}", 4, 2, 2},
        {"-, -, y = LSTM(x, w, r)", 4, 1, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_kernels_agree(cases[i].node, cases[i].gates, cases[i].directions, cases[i].items,
                             true);
}

/* Also where the products transpose them, and a bias cannot be put together. */
static void matrices_need_not_be_constant(void **state)
{
    (void)state;
    assert_kernels_agree("y, yh = RNN(x, w, r, b, -, h)", 1, 1, 2, false);
    assert_kernels_agree("y, yh = GRU(x, w, r, b, -, h)", 3, 1, 2, false);
    assert_kernels_agree("y, yh = GRU(x, w, r, b, -, h) {linear_before_reset: 1}", 3, 1, 1, false);
    assert_kernels_agree("y, yh, yc = LSTM(x, w, r, b, -, h, c) {direction: \"bidirectional\"}", 4,
                         2, 2, false);
}

static void assert_not_lowered(const char *node, int gates, int items, const char *words)
{
    char text[2048];
    struct graph graph;
    struct error error = {FAULT_NONE, ""};
    struct arena arena = {0};
    struct site site;
    struct lowering lowering;
    write_graph(text, node, gates, 1, items);
    graph_of(&graph, text);
    assert_int_equal(site_open(&site, &graph, graph.node[maker_of(&graph, "y")], &arena, &error),
                     OK);
    assert_int_equal(site_infer(&site, &error), OK);
    assert_int_equal(site_lower(&site, &lowering, &error), SKIPPED);
    assert_says(&error, words);
    graph_free(&graph);
    arena_free(&arena);
}

static void what_no_kernel_does_is_left_to_the_loops(void **state)
{
    (void)state;
    assert_not_lowered("y = LSTM(x, w, r) {clip: 3.0}", 4, 1, "clip");
    assert_not_lowered("y = LSTM(x, w, r) {input_forget: 1}", 4, 1, "coupled");
    assert_not_lowered("y = RNN(x, w, r) {activations: [\"Elu\"]}", 1, 1, "activation 0");
    assert_not_lowered("y = RNN(x, w, r) {layout: 1}", 1, 2, "layout is 1");
    assert_not_lowered("n = Neg(all)\ny = RNN(x, w, r, -, n)", 1, 2, "several lengths");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kernels_compute_what_the_loops_do),
        cmocka_unit_test(matrices_need_not_be_constant),
        cmocka_unit_test(what_no_kernel_does_is_left_to_the_loops),
    };
    return cmocka_run_group_tests_name("recurrent", tests, NULL, NULL);
}
