// test_ops_expand.c - what operators of domain roofline say in ONNX's own computes the same.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "graph_values.h"

/* Max and Min broadcast from opset 8 on: runtimes know, inference lets it pass. */
static bool broadcasts_too_early(const struct graph *graph, int id)
{
    const struct node *node = graph->node[id];
    return graph_opset(graph, "") < 8 && (node_is(node, "Max") || node_is(node, "Min")) &&
           !type_equal(&graph->tensor[node->inputs[0]]->type,
                       &graph->tensor[node->inputs[1]]->type);
}

/* A graph of the node's inputs, under their names, and what it says itself in. */
static void expand_node_of(const struct graph *graph, const struct node *node, struct graph *own)
{
    struct arena arena = {0};
    struct site site;
    struct error error = {FAULT_NONE, ""};
    assert_int_equal(graph_init(own, "own", &error), OK);
    for (int i = 0; i < graph->opset_count; i++)
        assert_int_equal(graph_import(own, graph->opset[i].domain, graph->opset[i].version, &error),
                         OK);
    for (int i = 0; i < node->input_count; i++) {
        const struct tensor *input = node->inputs[i] >= 0 ? graph->tensor[node->inputs[i]] : NULL;
        const struct type type = input ? input->type : UNKNOWN_TYPE;
        const char *name = input && graph_find(own, input->name) < 0 ? input->name : NULL;
        assert_true(graph_add_input(own, 0, name, &type, &error) >= 0);
    }
    assert_int_equal(site_open(&site, graph, node, &arena, &error), OK);
    if (!node->op->expand || node->op->expand(&site, own, &error) != OK)
        fail_msg("%s: %s", node->type, error.text);
    /* Absent inputs have no type to be filled by. */
    for (int i = 0; i < own->block[0]->input_count; i++) {
        struct type *type = &own->tensor[own->block[0]->inputs[i]]->type;
        if (type->rank < 0)
            *type = (struct type){.element = ELEMENT_f32, .rank = 0};
    }
    if (graph_infer(own, &error) != OK)
        fail_msg("%s: %s", node->type, error.text);
    for (int id = own->block[0]->first; id >= 0; id = own->node[id]->next)
        assert_true(!*own->node[id]->domain && own->node[id]->op && !broadcasts_too_early(own, id));
    arena_free(&arena);
}

static void assert_expands(int opset, const char *lines, const char *node)
{
    char text[2048];
    struct graph graph, own;
    struct values whole, parts;
    snprintf(text, sizeof text, "graph g (onnx %d, roofline 1)\n%s\ny = roofline::%s\noutput y\n",
             opset, lines, node);
    graph_of(&graph, text);
    expand_node_of(&graph, graph.node[maker_of(&graph, "y")], &own);
    values_open(&whole, &graph);
    values_open(&parts, &own);
    const struct array *a = &whole.of[graph.block[0]->outputs[0]],
                       *b = &parts.of[own.block[0]->outputs[0]];
    assert_string_equal(type_format(NULL, &a->type).text, type_format(NULL, &b->type).text);
    for (long i = 0; i < type_elements(&a->type); i++) {
        const double x = element_real(a->data, a->type.element, i),
                     y = element_real(b->data, b->type.element, i);
        if (!(fabs(x - y) <= 1e-5 + 1e-4 * fabs(x)) && !(isnan(x) && isnan(y)))
            fail_msg("%s: element %ld is %g and in parts %g", node, i, x, y);
    }
    values_close(&whole);
    values_close(&parts);
    graph_free(&graph);
    graph_free(&own);
}

static void each_step_is_said_in_onnx(void **state)
{
    (void)state;
    static const char *const unary[] = {"relu",      "sigmoid", "tanh", "gelu", "gelu_tanh", "silu",
                                        "hardswish", "mish",    "exp",  "sqrt", "abs"};
    static const char *const binary[] = {"add", "sub", "mul", "div", "max", "min", "prelu", "elu"};
    char node[128];
    for (size_t i = 0; i < sizeof unary / sizeof *unary; i++) {
        snprintf(node, sizeof node, "Chain(x) {steps: [\"%s\"]}", unary[i]);
        assert_expands(13, "input x: f32[3,4]", node);
    }
    for (size_t i = 0; i < sizeof binary / sizeof *binary; i++) {
        snprintf(node, sizeof node, "Chain(x, a) {steps: [\"%s\"]}", binary[i]);
        assert_expands(13, "input x: f32[3,4]\ninput a: f32[4]", node);
    }
}

static void bounds_are_said_where_they_do_not_broadcast(void **state)
{
    (void)state;
    assert_expands(7, "input x: f32[3,4]\ninput a: f32[4]", "Chain(x, a) {steps: [\"max\"]}");
    assert_expands(7, "input x: f32[3,4]\ninput a: f32[]", "Chain(x, a) {steps: [\"min\"]}");
    assert_expands(7, "input x: f32[3,4]", "Chain(x) {steps: [\"hardswish\"]}");
}

static void bases_keep_their_attributes(void **state)
{
    (void)state;
    assert_expands(13, "input x: f32[1,2,5,5]\ninput w: f32[4,1,3,3]\ninput z: f32[1,4,3,3]",
                   "Conv(x, w, -, z) {group: 2, strides: [2, 2], pads: [1, 1, 1, 1], steps: "
                   "[\"add\", \"relu\"]}");
    assert_expands(13, "input x: f32[1,2,3,3]\ninput w: f32[2,1,2,2]\ninput b: f32[1]",
                   "ConvTranspose(x, w, b) {strides: [2, 2], steps: [\"tanh\"]}");
    assert_expands(
        13, "input a: f32[3,2]\ninput b: f32[4,3]\ninput c: f32[4]",
        "Gemm(a, b, c) {transA: 1, transB: 1, alpha: 0.5, beta: 2.0, steps: [\"silu\"]}");
    assert_expands(13, "input a: f32[2,3,2]\ninput b: f32[2,4,3]\ninput c: f32[4]",
                   "MatMul(a, b, c) {transA: 1, transB: 1, alpha: 0.5, steps: [\"add\"]}");
}

static void newer_operators_are_said_in_older_ones(void **state)
{
    (void)state;
    for (int opset = 11; opset <= 18; opset += 7) {
        assert_expands(opset, "input x: f32[2,3,4]\ninput f: f32[3,4]\ninput b: f32[3,4]",
                       "LayerNormalization(x, f, b) {axis: 1, epsilon: 0.01}");
        assert_expands(opset, "input x: f32[2,3,4]\ninput f: f32[4]", "LayerNormalization(x, f)");
        assert_expands(opset,
                       "input q: f32[2,2,5,4]\ninput k: f32[2,2,3,4]\ninput v: f32[2,2,3,6]\n"
                       "input m: f32[5,3]",
                       "Attention(q, k, v, m) {scale: 0.3}");
        assert_expands(opset, "input q: f32[2,2,5,4]\ninput k: f32[2,2,3,4]\ninput v: f32[2,2,3,6]",
                       "Attention(q, k, v)");
    }
}

static void other_layouts_are_transposes(void **state)
{
    (void)state;
    assert_expands(13, "input x: f32[1,5,5,2]\ninput w: f32[4,1,3,3]\ninput z: f32[1,3,3,4]",
                   "Conv(x, w, -, z) {group: 2, strides: [2, 2], pads: [1, 1, 1, 1], steps: "
                   "[\"add\", \"relu\"], layout: \"nhwc\"}");
    assert_expands(13, "input x: f32[1,5,5,2]",
                   "MaxPool(x) {kernel_shape: [3, 2], layout: \"nhwc\", opset: 13}");
    assert_expands(16, "input x: f32[1,5,5,2]\ninput g: f32[1,3,4,2]",
                   "GridSample(x, g) {layout: \"nhwc\", opset: 16}");
    assert_expands(13,
                   "input x: f32[2,2,4,5,16]\ninput w: f32[48,16,3,3]\ninput b: f32[3,1,1,16]\n"
                   "input z: f32[2,3,4,5,16]",
                   "Conv(x, w, -, b, z) {group: 2, pads: [1, 1, 1, 1], steps: [\"add\", \"add\", "
                   "\"relu\"], layout: \"nchwc\"}");
    assert_expands(13, "input x: f32[1,2,5,5,16]",
                   "AveragePool(x) {kernel_shape: [3, 2], layout: \"nchwc\", opset: 13}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_step_is_said_in_onnx),
        cmocka_unit_test(bounds_are_said_where_they_do_not_broadcast),
        cmocka_unit_test(bases_keep_their_attributes),
        cmocka_unit_test(newer_operators_are_said_in_older_ones),
        cmocka_unit_test(other_layouts_are_transposes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
