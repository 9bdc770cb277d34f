// test_onnx_write.c - a graph that is written as ONNX reads back the same, also where its nodes are
// none of ONNX's own.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "builtin.h"
#include "graph_helpers.h"
#include "onnx.h"
#include "onnx_write.h"

static void need_onnx(void)
{
    struct error error;
    if (onnx_available(&error) != OK) {
        print_message("skipped: %s\n", error.text);
        skip();
    }
}

/* What is written reads back as this text. */
static void assert_reads_back(const struct graph *graph, const char *text, long most_values)
{
    struct graph again;
    struct error error = {FAULT_NONE, ""};
    void *bytes;
    size_t length;
    if (onnx_write_bytes(graph, &bytes, &length, &error) != OK ||
        onnx_read_bytes(&again, "written", bytes, length, &error) != OK)
        fail_msg("%s", error.text);
    char *read = text_with(&again, most_values);
    assert_string_equal(read, text);
    free(read);
    free(bytes);
    graph_free(&again);
}

static void assert_text_reads_back(const char *text)
{
    struct graph graph;
    graph_of(&graph, text);
    char *printed = text_of(&graph);
    assert_reads_back(&graph, printed, ELEMENTS_MAX);
    free(printed);
    graph_free(&graph);
}

static void types_values_and_attributes_read_back(void **state)
{
    (void)state;
    need_onnx();
    assert_text_reads_back(
        "graph \"a b\" (ir 8, onnx 17, com.microsoft 1)\n"
        "input x: f32[n,\"odd dim\",?,3]\n"
        "input unknown: ?\n"
        "input w: f32[2] = {1.0, -0.5}\n"
        "const i: i64[2] = {-9223372036854775808, 9223372036854775807}\n"
        "const u: u64[1] = {18446744073709551615}\n"
        "const r: f32[6] = {0.1, 1e+20, nan, inf, -inf, -0.0}\n"
        "const d: f64[2] = {0.1, 4.94066e-324}\n"
        "const h: f16[2] = {0.3330078, 65504.0}\n"
        "const q: u4[3] = {1, 15, 0}\n"
        "const b: bool[] = {1}\n"
        "const s: text[2] = {\"a\\\"\\\\\\x0a\", \"\"}\n"
        "const c: c64[1] = {1.0, 2.0}\n"
        "const none: f32[0,3] = {}\n"
        "\"y:0\": f32[n,\"odd dim\",?,3] = Relu(x) as \"the first\"\n"
        "z: ?, - = com.microsoft::Some(\"y:0\", -, i, u, r, d, h, q, s, c, none, unknown, w, b) "
        "{a: 1, b: -2.5, c: \"t\", d: [1, 2], e: [0.5, nan], f: [\"x\", \"y\"], g: ints[], h: "
        "reals[], k: texts[], l: f32[2] {1.0, 2.0}, m: 1e+30}\n"
        "output z\n");
}

static void subgraphs_read_back(void **state)
{
    (void)state;
    need_onnx();
    assert_text_reads_back("graph g (onnx 17)\n"
                           "input x: f32[2]\n"
                           "input b: bool[]\n"
                           "y = If(b) {then_branch: block, else_branch: block}\n"
                           "block then\n"
                           "  a = Neg(x)\n"
                           "  n = Loop(-, b, a) {body: block}\n"
                           "  block body\n"
                           "    input k: i64[]\n"
                           "    input go: bool[]\n"
                           "    input v: f32[2]\n"
                           "    still = Identity(go)\n"
                           "    next = Add(v, x)\n"
                           "    output still\n"
                           "    output next\n"
                           "  end\n"
                           "  output n\n"
                           "end\n"
                           "block else\n"
                           "  e = Abs(x)\n"
                           "  output e\n"
                           "end\n"
                           "output y\n");
}

/* Runtimes want what a subgraph gives to be made in it. */
static void what_a_subgraph_passes_on_is_copied_in_it(void **state)
{
    (void)state;
    need_onnx();
    struct graph graph, again;
    struct error error;
    void *bytes;
    size_t length;
    graph_of(&graph,
             "graph g (onnx 17)\ninput x: f32[2]\ninput b: bool[]\n"
             "y, z = If(b) {then_branch: block, else_branch: block}\n"
             "block then\n  output x\n  output x\nend\nblock else\n  e = Abs(x)\n  output e\n"
             "  output e\nend\noutput y\noutput z\n");
    assert_int_equal(onnx_write_bytes(&graph, &bytes, &length, &error), OK);
    assert_int_equal(onnx_read_bytes(&again, "written", bytes, length, &error), OK);
    assert_true(node_is(again.node[maker_of(&again, "x.0")], "Identity"));
    assert_true(node_is(again.node[maker_of(&again, "x.1")], "Identity"));
    assert_true(node_is(again.node[maker_of(&again, "e.1")], "Identity"));
    free(bytes);
    graph_free(&graph);
    graph_free(&again);
}

static void builtin_graphs_read_back(void **state)
{
    (void)state;
    need_onnx();
    for (int i = 0; builtin_name(i); i++) {
        struct graph graph;
        struct error error;
        assert_int_equal(builtin_graph(&graph, builtin_name(i), 0, &error), OK);
        char *text = text_with(&graph, GRAPH_VALUES_MAX);
        assert_reads_back(&graph, text, GRAPH_VALUES_MAX);
        free(text);
        graph_free(&graph);
    }
}

/* A model's function may be of an older version than the model: so is what is put in its place. */
static void nodes_of_another_version_are_functions(void **state)
{
    (void)state;
    need_onnx();
    static const char text[] = "graph g (ir 8, onnx 17)\n"
                               "input x: f32[2,3,4]\n"
                               "a: f32[2,3,4] = Softmax@11(x) {axis: 1}\n"
                               "b: f32[2,3,4] = Softmax@11(a) {axis: 1}\n"
                               "y: f32[2,3,4] = Softmax(b) {axis: 1}\n"
                               "output y\n";
    struct graph graph, again;
    struct error error;
    void *bytes;
    size_t length;
    graph_of(&graph, text);
    assert_int_equal(onnx_write_bytes(&graph, &bytes, &length, &error), OK);
    assert_int_equal(onnx_read_bytes(&again, "written", bytes, length, &error), OK);
    assert_int_equal(graph_opset(&again, ""), 17);
    assert_int_equal(graph_live_nodes(&again), 3);
    assert_int_equal(again.node[maker_of(&again, "a")]->opset, 11);
    assert_int_equal(again.node[maker_of(&again, "b")]->opset, 11);
    assert_int_equal(again.node[maker_of(&again, "y")]->opset, 17);
    free(bytes);
    graph_free(&graph);
    graph_free(&again);
}

/* Those that are alike share one, and what is read is what it was. */
static void nodes_of_ours_are_functions(void **state)
{
    (void)state;
    need_onnx();
    assert_text_reads_back(
        "graph g (ir 8, onnx 17, roofline 1)\n"
        "input x: f32[batch,6,2,2]\n"
        "a: f32[batch,6,2,2] = roofline::Shuffle(x) {view: [-1, 2, 3, 4], perm: [0, 2, 1, 3], "
        "shape: [-1, 6, 2, 2]} as first\n"
        "b: f32[batch,6,2,2] = roofline::Shuffle(a) {view: [-1, 2, 3, 4], perm: [0, 2, 1, 3], "
        "shape: [-1, 6, 2, 2]}\n"
        "y: f32[batch,6,2,2] = roofline::Shuffle(b) {view: [-1, 3, 2, 4], perm: [0, 2, 1, 3], "
        "shape: [-1, 6, 2, 2]}\n"
        "output y\n");
    assert_text_reads_back(
        "graph g (ir 8, onnx 17, roofline 1)\n"
        "input x: f32[1,2,8,8,16]\n"
        "input w: f32[32,32,1,1]\n"
        "input b: f32[2,1,1,16]\n"
        "c: f32[1,2,8,8,16] = roofline::Conv(x, w, -, b) {layout: \"nchwc\", steps: [\"add\", "
        "\"relu\"]}\n"
        "m: f32[1,2,4,4,16] = roofline::MaxPool(c) {kernel_shape: [2, 2], strides: [2, 2], opset: "
        "17, layout: \"nchwc\"}\n"
        "y: f32[1,2,4,4,16] = roofline::Conv(m, w, -, b) {layout: \"nchwc\", steps: [\"add\", "
        "\"relu\"]}\n"
        "output y\n");
}

static void nodes_of_one_name_get_others(void **state)
{
    (void)state;
    need_onnx();
    struct graph graph, again;
    struct error error;
    void *bytes;
    size_t length;
    graph_of(&graph, "graph g (onnx 17)\ninput x: f32[2]\na = Neg(x) as n\nb = Neg(a) as n\n"
                     "c = Neg(b) as n.1\ny = Neg(c) as m\noutput y\n");
    assert_int_equal(onnx_write_bytes(&graph, &bytes, &length, &error), OK);
    assert_int_equal(onnx_read_bytes(&again, "written", bytes, length, &error), OK);
    assert_string_equal(again.node[maker_of(&again, "a")]->name, "n");
    assert_string_equal(again.node[maker_of(&again, "b")]->name, "n.1.1");
    assert_string_equal(again.node[maker_of(&again, "c")]->name, "n.1");
    assert_string_equal(again.node[maker_of(&again, "y")]->name, "m");
    free(bytes);
    graph_free(&graph);
    graph_free(&again);
}

static void what_onnx_cannot_say_is_named(void **state)
{
    (void)state;
    need_onnx();
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"graph g (onnx 17)\ninput x: f32[2]\ny: ? = Some(x) {a: other}\noutput y\n",
         "attribute 'a' is of a kind that was not kept"},
        {"graph g (onnx 17)\ninput x: f32[2]\ninput b: bool[]\ny = If@11(b) {then_branch: block, "
         "else_branch: block} as old\nblock\n  t = Neg(x)\n  output t\nend\nblock\n  e = Abs(x)\n"
         "  output e\nend\noutput y\n",
         "If 'old' cannot be written as ONNX: no function can have its subgraphs"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct graph graph;
        struct error error;
        void *bytes;
        size_t length;
        graph_of(&graph, cases[i].text);
        assert_int_equal(onnx_write_bytes(&graph, &bytes, &length, &error), FAILED);
        assert_int_equal(error.fault, FAULT_USAGE);
        assert_says(&error, cases[i].words);
        graph_free(&graph);
    }
}

static void a_file_is_there_whole_or_not_at_all(void **state)
{
    (void)state;
    need_onnx();
    struct graph graph, again;
    struct error error;
    char folder[] = "/tmp/onnx_write.XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/model.onnx", folder);
    graph_of(&graph, "graph g (onnx 17)\ninput x: f32[2]\ny = Relu(x)\noutput y\n");
    assert_int_equal(onnx_write(&graph, path, &error), OK);
    assert_int_equal(onnx_read(&again, path, &error), OK);
    assert_int_equal(graph_live_nodes(&again), 1);
    graph_free(&again);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(onnx_write(&graph, "/tmp/no such folder/model.onnx", &error), FAILED);
    assert_int_equal(error.fault, FAULT_IO);
    assert_says(&error, "no such folder");
    assert_int_equal(rmdir(folder), 0);
    graph_free(&graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_values_and_attributes_read_back),
        cmocka_unit_test(subgraphs_read_back),
        cmocka_unit_test(what_a_subgraph_passes_on_is_copied_in_it),
        cmocka_unit_test(builtin_graphs_read_back),
        cmocka_unit_test(nodes_of_another_version_are_functions),
        cmocka_unit_test(nodes_of_ours_are_functions),
        cmocka_unit_test(nodes_of_one_name_get_others),
        cmocka_unit_test(what_onnx_cannot_say_is_named),
        cmocka_unit_test(a_file_is_there_whole_or_not_at_all),
    };
    return cmocka_run_group_tests_name("graphs as ONNX", tests, NULL, NULL);
}
