// test_graph.c - edits keep a graph whole, what is broken is named, and types follow from nodes.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "graph_helpers.h"

static const char chain[] = "graph g (onnx 17)\n"
                            "input x: f32[2,3]\n"
                            "a = Relu(x)\n"
                            "b = Neg(a)\n"
                            "c = Exp(b) as last\n"
                            "output c\n";

static void assert_verified(const struct graph *graph)
{
    struct error error;
    if (graph_verify(graph, &error) != OK)
        fail_msg("%s", error.text);
}

static int add_relu(struct graph *graph, const char *from, const char *to, int before)
{
    struct error error;
    const int input = graph_find(graph, from);
    const int output = graph_add_tensor(graph, 0, to, &graph->tensor[input]->type, &error);
    const struct node_spec spec = {.type = "Relu",
                                   .before = before,
                                   .inputs = &input,
                                   .input_count = 1,
                                   .outputs = &output,
                                   .output_count = 1};
    assert_true(graph_add_node(graph, &spec, &error) >= 0);
    return output;
}

/* ---- editing ---- */

static void names_stay_unique(void **state)
{
    (void)state;
    struct graph graph;
    struct error error;
    graph_of(&graph, chain);
    for (int i = 0; i < 300; i++) {
        const int id = graph_add_tensor(&graph, 0, "x", &UNKNOWN_TYPE, &error);
        assert_int_equal(graph_find(&graph, graph.tensor[id]->name), id);
    }
    assert_int_equal(graph_find(&graph, "x"), graph.block[0]->inputs[0]);
    graph_free(&graph);
}

static void a_replaced_output_keeps_its_name(void **state)
{
    (void)state;
    struct graph graph;
    struct error error;
    graph_of(&graph, chain);
    const int old = graph_find(&graph, "c"), made = add_relu(&graph, "b", "d", -1);
    assert_int_equal(graph_replace(&graph, old, made, &error), OK);
    assert_string_equal(graph.tensor[made]->name, "c");
    assert_int_equal(graph_find(&graph, "c"), made);
    assert_int_equal(graph.block[0]->outputs[0], made);
    assert_int_equal(graph_sweep(&graph), 1);
    assert_true(graph.node[0]->op != NULL);
    assert_verified(&graph);
    graph_free(&graph);
}

static void an_input_does_not_take_the_name_of_an_output(void **state)
{
    (void)state;
    struct graph graph;
    struct error error;
    graph_of(&graph, chain);
    char *before = text_of(&graph);
    assert_int_equal(
        graph_replace(&graph, graph_find(&graph, "c"), graph_find(&graph, "x"), &error), SKIPPED);
    char *after = text_of(&graph);
    assert_string_equal(before, after);
    free(before);
    free(after);
    graph_free(&graph);
}

static void the_node_that_makes_the_replacement_keeps_its_input(void **state)
{
    (void)state;
    struct graph graph;
    struct error error;
    graph_of(&graph, chain);
    const int a = graph_find(&graph, "a"), made = add_relu(&graph, "a", "d", 1);
    assert_int_equal(graph_replace(&graph, a, made, &error), OK);
    assert_int_equal(graph.tensor[a]->use_count, 1);
    assert_int_equal(graph.node[maker_of(&graph, "b")]->inputs[0], made);
    assert_verified(&graph);
    graph_free(&graph);
}

static void inputs_come_and_go_with_their_uses(void **state)
{
    (void)state;
    struct graph graph;
    struct error error;
    graph_of(&graph, chain);
    const int x = graph_find(&graph, "x"), node = maker_of(&graph, "c");
    assert_int_equal(graph_set_input(&graph, node, 3, x, &error), OK);
    assert_int_equal(graph.node[node]->input_count, 4);
    assert_int_equal(graph.node[node]->inputs[1], -1);
    assert_int_equal(graph.tensor[x]->use_count, 2);
    assert_int_equal(tensor_only_user(graph.tensor[x]), -1);
    graph_cut_inputs(&graph, node, 1);
    assert_int_equal(tensor_only_user(graph.tensor[x]), maker_of(&graph, "a"));
    assert_verified(&graph);
    graph_free(&graph);
}

static void attributes_are_set_replaced_and_removed(void **state)
{
    (void)state;
    struct graph graph;
    struct error error;
    graph_of(&graph, chain);
    const int node = maker_of(&graph, "c");
    for (int i = 0; i < 20; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%d", i % 10);
        assert_int_equal(graph_set_integer(&graph, node, name, i, &error), OK);
    }
    assert_int_equal(graph.node[node]->attribute_count, 10);
    assert_int_equal(node_integer(graph.node[node], "n3", -1), 13);
    graph_remove_attribute(&graph, node, "n3");
    assert_int_equal(node_integer(graph.node[node], "n3", -1), -1);
    assert_int_equal(graph_set_integers(&graph, node, "list", (long[]){4, 5}, 2, &error), OK);
    int count;
    assert_int_equal(node_integers(graph.node[node], "list", &count)[1], 5);
    assert_int_equal(count, 2);
    graph_free(&graph);
}

static const char branches[] = "graph g (onnx 17)\n"
                               "input x: f32[2]\n"
                               "const yes: bool[] = {1}\n"
                               "const no: bool[] = {0}\n"
                               "a = Relu(x)\n"
                               "dead = Exp(a)\n"
                               "y = If(CONDITION) {then_branch: block, else_branch: block}\n"
                               "block\n"
                               "  t = Neg(a)\n"
                               "  t2 = If(no) {then_branch: block, else_branch: block}\n"
                               "  block\n"
                               "    output x\n"
                               "  end\n"
                               "  block\n"
                               "    output t\n"
                               "  end\n"
                               "  output t2\n"
                               "end\n"
                               "block\n"
                               "  output x\n"
                               "end\n"
                               "output y\n";

static void branches_of(struct graph *graph, const char *condition)
{
    char text[sizeof branches + 16];
    const char *at = strstr(branches, "CONDITION");
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - branches), branches, condition, at + 9);
    graph_of(graph, text);
}

static void what_a_subgraph_uses_stays(void **state)
{
    (void)state;
    struct graph graph;
    branches_of(&graph, "yes");
    assert_int_equal(graph_sweep(&graph), 1);
    assert_false(graph.node[maker_of(&graph, "a")]->is_dead);
    assert_verified(&graph);
    graph_free(&graph);
}

static void the_branch_that_is_taken_is_inlined(void **state)
{
    (void)state;
    struct graph graph;
    struct error error;
    int count;
    branches_of(&graph, "yes");
    assert_int_equal(graph_inline_ifs(&graph, &count, &error), OK);
    assert_int_equal(count, 2);
    assert_verified(&graph);
    assert_string_equal(graph.node[maker_of(&graph, "y")]->type, "Neg");
    graph_sweep(&graph);
    assert_int_equal(graph_live_nodes(&graph), 2);
    graph_free(&graph);
}

static void an_output_that_a_branch_only_passes_on_gets_an_identity(void **state)
{
    (void)state;
    struct graph graph;
    struct error error;
    branches_of(&graph, "no");
    assert_int_equal(graph_inline_ifs(&graph, NULL, &error), OK);
    assert_verified(&graph);
    assert_string_equal(graph.node[maker_of(&graph, "y")]->type, "Identity");
    graph_sweep(&graph);
    assert_int_equal(graph_live_nodes(&graph), 1);
    graph_free(&graph);
}

static void a_copy_is_the_same_and_apart(void **state)
{
    (void)state;
    struct graph graph, copy;
    struct error error;
    branches_of(&graph, "yes");
    assert_int_equal(graph_copy(&copy, &graph, &error), OK);
    assert_verified(&copy);
    char *before = text_of(&graph), *same = text_of(&copy);
    assert_string_equal(before, same);
    assert_int_equal(graph_inline_ifs(&copy, NULL, &error), OK);
    for (int i = 0; i < 40; i++)
        add_relu(&copy, "x", "more", -1);
    char *after = text_of(&graph);
    assert_string_equal(before, after);
    graph_free(&copy);
    assert_verified(&graph);
    graph_free(&graph);
    free(before);
    free(same);
    free(after);
}

static void nodes_are_put_in_order_and_sorted_ones_stay(void **state)
{
    (void)state;
    struct graph graph;
    struct error error;
    branches_of(&graph, "yes");
    char *before = text_of(&graph);
    assert_int_equal(graph_sort(&graph, &error), OK);
    char *same = text_of(&graph);
    assert_string_equal(before, same);
    graph_move_node(&graph, maker_of(&graph, "a"), -1);
    assert_int_equal(graph_verify(&graph, &error), FAILED);
    assert_says(&error, "before it is made");
    assert_int_equal(graph_sort(&graph, &error), OK);
    assert_verified(&graph);
    free(before);
    free(same);
    graph_free(&graph);
}

static void a_cycle_is_named(void **state)
{
    (void)state;
    struct graph graph;
    struct error error;
    graph_of(&graph, chain);
    assert_int_equal(
        graph_set_input(&graph, maker_of(&graph, "a"), 0, graph_find(&graph, "b"), &error), OK);
    assert_int_equal(graph_sort(&graph, &error), FAILED);
    assert_int_equal(error.fault, FAULT_IO);
    assert_says(&error, "cycle");
    graph_free(&graph);
}

static void symbols_are_bound_everywhere(void **state)
{
    (void)state;
    struct graph graph;
    struct error error;
    graph_of(&graph, "graph g (onnx 17)\ninput x: f32[batch,3]\ny = Relu(x)\noutput y\n");
    assert_type(&graph, "y", "f32[batch,3]");
    assert_int_equal(graph_bind(&graph, "bath", 4, &error), FAILED);
    assert_int_equal(error.fault, FAULT_USAGE);
    assert_says(&error, "batch");
    assert_int_equal(graph_bind(&graph, "batch", 4, &error), OK);
    assert_int_equal(graph_infer(&graph, &error), OK);
    assert_type(&graph, "y", "f32[4,3]");
    graph_free(&graph);
}

static void inputs_that_nobody_replaces_become_constants(void **state)
{
    (void)state;
    struct graph graph;
    graph_of(&graph, "graph g (onnx 17)\ninput x: f32[2]\ninput w: f32[2] = {1, 2}\n"
                     "input z: f32[2]\ny = Add(x, w)\ny2 = Add(y, z)\noutput y2\n");
    const int w = graph_find(&graph, "w");
    assert_false(tensor_is_known(graph.tensor[w]));
    graph_fix_overridable(&graph);
    assert_true(tensor_is_known(graph.tensor[w]));
    assert_int_equal(graph.block[0]->input_count, 2);
    assert_verified(&graph);
    graph_free(&graph);
}

/* ---- the verifier ---- */

static void break_use(struct graph *graph)
{
    graph->node[maker_of(graph, "c")]->inputs[0] = graph_find(graph, "x");
}

static void break_producer(struct graph *graph)
{
    graph->tensor[graph_find(graph, "b")]->producer = maker_of(graph, "c");
}

static void break_order(struct graph *graph)
{
    graph_move_node(graph, maker_of(graph, "a"), -1);
}

static void break_link(struct graph *graph)
{
    graph->node[maker_of(graph, "b")]->previous = -1;
}

static void use_the_dead(struct graph *graph)
{
    graph->tensor[graph_find(graph, "b")]->is_dead = true;
}

static void share_a_name(struct graph *graph)
{
    graph->tensor[graph_find(graph, "b")]->name = "a";
}

static void add_an_input(struct graph *graph)
{
    struct error error;
    graph_set_input(graph, maker_of(graph, "c"), 1, graph_find(graph, "a"), &error);
}

static void drop_the_input(struct graph *graph)
{
    graph_cut_inputs(graph, maker_of(graph, "c"), 0);
}

static void say_another_type(struct graph *graph)
{
    graph->tensor[graph_find(graph, "b")]->type.dims[0] = 7;
}

static void drop_the_output(struct graph *graph)
{
    graph->block[0]->output_count = 0;
}

static void what_is_broken_is_named(void **state)
{
    (void)state;
    static const struct {
        void (*harm)(struct graph *graph);
        const char *words;
    } cases[] = {
        {break_use, "is missing among the uses of 'x'"},
        {break_producer, "is not the only one that makes 'b'"},
        {break_order, "before it is made"},
        {break_link, "is out of order"},
        {use_the_dead, "'b'"},
        {share_a_name, "'a' shares its name"},
        {add_an_input, "Exp 'last': it has 2 inputs"},
        {drop_the_input, "Exp 'last': it lacks input 0"},
        {say_another_type, "is f32[7,3], but Neg that makes 'b' makes f32[2,3]"},
        {drop_the_output, "no output"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct graph graph;
        struct error error = {FAULT_NONE, ""};
        graph_of(&graph, chain);
        cases[i].harm(&graph);
        assert_int_equal(graph_verify(&graph, &error), FAILED);
        assert_int_equal(error.fault, FAULT_IO);
        assert_says(&error, cases[i].words);
        graph_free(&graph);
    }
}

static void attributes_of_another_kind_are_refused(void **state)
{
    (void)state;
    struct graph graph;
    struct error error;
    assert_int_equal(graph_parse(&graph, "test",
                                 "graph g (onnx 17)\ninput x: f32[2]\n"
                                 "y = LeakyRelu(x) {alpha: 1}\noutput y\n",
                                 GRAPH_NAMED_BYTES_MAX, &error),
                     FAILED);
    assert_says(&error, "'alpha'");
    graph_free(&graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_stay_unique),
        cmocka_unit_test(a_replaced_output_keeps_its_name),
        cmocka_unit_test(an_input_does_not_take_the_name_of_an_output),
        cmocka_unit_test(the_node_that_makes_the_replacement_keeps_its_input),
        cmocka_unit_test(inputs_come_and_go_with_their_uses),
        cmocka_unit_test(attributes_are_set_replaced_and_removed),
        cmocka_unit_test(what_a_subgraph_uses_stays),
        cmocka_unit_test(the_branch_that_is_taken_is_inlined),
        cmocka_unit_test(an_output_that_a_branch_only_passes_on_gets_an_identity),
        cmocka_unit_test(a_copy_is_the_same_and_apart),
        cmocka_unit_test(nodes_are_put_in_order_and_sorted_ones_stay),
        cmocka_unit_test(a_cycle_is_named),
        cmocka_unit_test(symbols_are_bound_everywhere),
        cmocka_unit_test(inputs_that_nobody_replaces_become_constants),
        cmocka_unit_test(what_is_broken_is_named),
        cmocka_unit_test(attributes_of_another_kind_are_refused),
    };
    return cmocka_run_group_tests_name("graph", tests, NULL, NULL);
}
