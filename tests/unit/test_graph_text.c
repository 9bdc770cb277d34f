// test_graph_text.c - what is printed reads back the same, and what cannot be read is named with
// its line.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "graph_helpers.h"
#include "weights.h"

static const char everything[] =
    "graph \"a b\" (ir 8, onnx 17, com.microsoft 1)\n"
    "input x: f32[\"2n\",\"odd dim\",?,3]\n"
    "input \"input\": ?\n"
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
    "\"y:0\": f32[\"2n\",\"odd dim\",?,3] = Relu(x) as \"the first\"\n"
    "z: ?, - = com.microsoft::Some@3(\"y:0\", -, i) {a: 1, b: -2.5, c: \"t\", d: [1, 2], e: [0.5, "
    "nan], f: [\"x\", \"y\"], g: ints[], h: reals[], k: texts[], l: f32[2] {1.0, 2.0}, m: 1e+30, "
    "o: other}\n"
    "v: f32[] = If(b) {then_branch: block, else_branch: block}\n"
    "block then\n"
    "  t: ? = Repeat(i, b) {body: block}\n"
    "  block\n"
    "    input k: i64[]\n"
    "    output z\n"
    "  end\n"
    "  output t\n"
    "end\n"
    "block \"else\\x01\"\n"
    "  output \"y:0\"\n"
    "end\n"
    "output z\n"
    "output v\n";

static void a_text_reads_back_the_same(void **state)
{
    (void)state;
    struct graph graph;
    graph_of(&graph, everything);
    char *text = text_of(&graph);
    assert_string_equal(text, everything);
    free(text);
    graph_free(&graph);
}

static void types_blanks_and_comments_are_free(void **state)
{
    (void)state;
    struct graph graph;
    graph_of(&graph, "# a comment\n\n  graph g(onnx 17)\r\n\tinput x:f32[ 2 , 3 ] # two\n"
                     "y=Relu( x )as r\noutput y");
    graph_free(&graph);
}

static void large_constants_are_named(void **state)
{
    (void)state;
    struct graph graph, again;
    struct error error;
    char *text;
    size_t length;
    graph_of(&graph,
             "graph g (onnx 17)\ninput x: f32[1,3,8,8]\n"
             "const w: f32[8,3,3,3] = named\nconst a: f32[17] = {0, 1, 2, 3, 4, 5, 6, 7, 8, "
             "9, 10, 11, 12, 13, 14, 15, 16}\ny = Conv(x, w)\nz = Neg(a)\noutput y\n"
             "output z\n");
    FILE *file = open_memstream(&text, &length);
    assert_int_equal(graph_print(&graph, file, GRAPH_VALUES_MAX, &error), OK);
    fclose(file);
    assert_non_null(strstr(text, "const w: f32[8,3,3,3] = named\n"));
    assert_non_null(strstr(text, "const a: f32[17] = named # was "));
    graph_of(&again, text);
    const struct tensor *w = graph.tensor[graph_find(&graph, "w")];
    const struct tensor *same = again.tensor[graph_find(&again, "w")];
    assert_memory_equal(w->data, same->data, 8 * 3 * 3 * 3 * sizeof(float));
    free(text);
    graph_free(&graph);
    graph_free(&again);
}

static void what_follows_from_named_weights_is_computed_anew(void **state)
{
    (void)state;
    struct graph graph;
    struct error error;
    graph_of(&graph, "graph g (onnx 17)\ninput x: f32[2]\nconst s: i64[1] = {2}\n"
                     "a = ConstantOfShape(s)\nb = Neg(a)\ny = Add(x, b)\noutput y\n");
    assert_int_equal(weights_name(&graph, 1, NULL, &error), OK);
    const float *a = graph.tensor[graph_find(&graph, "a")]->data,
                *b = graph.tensor[graph_find(&graph, "b")]->data;
    assert_true(a && b && a[0] != 0 && b[0] == -a[0] && b[1] == -a[1]);
    graph_free(&graph);
}

/* By numpy and the formula of the header. */
static void named_values_follow_from_name_and_use(void **state)
{
    (void)state;
    struct graph graph;
    graph_of(&graph, "graph g (onnx 17)\ninput x: f32[1,4]\nconst w: f32[4,2] = named\n"
                     "const v: f32[2,4] = named\nconst f: f32[4] = named\nconst o: f32[4] = named\n"
                     "a = Mul(x, f)\nb = Add(a, o)\ny = Gemm(b, w)\nz = Gemm(b, v) {transB: 1}\n"
                     "output y\noutput z\n");
    assert_true(weight_rule_of(&graph, graph_find(&graph, "w"), 1).fan_in == 4);
    assert_true(weight_rule_of(&graph, graph_find(&graph, "v"), 1).fan_in == 4);
    assert_true(weight_rule_of(&graph, graph_find(&graph, "v"), 0.5).gain == 0.5);
    assert_int_equal(weight_rule_of(&graph, graph_find(&graph, "f"), 1).role, WEIGHT_FACTOR);
    assert_int_equal(weight_rule_of(&graph, graph_find(&graph, "o"), 1).role, WEIGHT_OFFSET);
    const float *f = graph.tensor[graph_find(&graph, "f")]->data;
    const float *o = graph.tensor[graph_find(&graph, "o")]->data;
    for (int i = 0; i < 4; i++) {
        assert_true(f[i] >= 0.75 && f[i] < 1.25);
        assert_true(o[i] >= -0.1 && o[i] < 0.1 && o[i] != 0);
    }
    graph_free(&graph);
}

static void broken_texts_are_refused_with_their_line(void **state)
{
    (void)state;
#define HEAD "graph g (onnx 17)\ninput x: f32[2]\n"
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"", "test:1: a graph begins with"},
        {"digraph g (onnx 17)\n", "test:1: a graph begins with"},
        {"graph g (onnx)\n", "test:1: there should be a whole number"},
        {"graph g (onnx 0)\n", "test:1: no version"},
        {"graph g (onnx 17) x\n", "test:1: the line should end at 'x'"},
        {HEAD "input x: f32\n", "test:3: the name is taken"},
        {HEAD "y = Relu(z)\n", "test:3: nothing made the tensor"},
        {HEAD "y = Relu(x\n", "test:3: there should be a )"},
        {HEAD "y Relu(x)\n", "test:3: there should be a ="},
        {HEAD "y: f99 = Relu(x)\n", "test:3: there should be a type"},
        {HEAD "y: f32[1,1,1,1,1,1,1,1,1,1,1] = Relu(x)\n", "test:3: there are too many"},
        {HEAD "y: f32[9999999999999999999999] = Relu(x)\n", "test:3: there should be a whole"},
        {HEAD "y: f32[4294967296,4294967296] = Relu(x)\n", "too large"},
        {HEAD "const c: f32[2] = {1}\n", "test:3: there should be a ,"},
        {HEAD "const c: f32[2] = {1, 2, 3}\n", "test:3: there should be a }"},
        {HEAD "const c: f32[n] = {1}\n", "test:3: the type before the values"},
        {HEAD "const c: f32[1000000000000] = {1}\n", "test:3: the type before the values"},
        {HEAD "const c: f32[1000000] = named\n", "test:3: 'named' values take more"},
        {HEAD "const c: i64[2] = named\n", "test:3: only reals"},
        {HEAD "const c: i64[1] = {1.5}\n", "test:3: there should be a whole number"},
        {HEAD "const c: text[1] = {\"a}\n", "test:3: a quote is not closed"},
        {HEAD "const c: text[1] = {\"\\n\"}\n", "test:3: an escape"},
        {HEAD "const \"\": f32[1] = {1}\n", "test:3: a name may not be empty"},
        {HEAD "y = Relu(x) {a: 1, a: 2}\n", "test:3: an attribute stands twice"},
        {HEAD "y = Relu(x) {a: [1, 0.5]}\n", "test:3: there should be a whole number"},
        {HEAD "y = If(x) {then_branch: block}\noutput y\n", "test:4: there should be a line"},
        {HEAD "y = If(x) {then_branch: block}\nblock\noutput x\n", "there should be an 'end'"},
        {HEAD "y = Relu(x)\n", "no output"},
        {HEAD "output y\n", "test:3: nothing made"},
        {HEAD "y: i64 = Relu(x)\noutput y\n", "Relu that makes 'y'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct graph graph;
        struct error error = {FAULT_NONE, ""};
        assert_int_equal(graph_parse(&graph, "test", cases[i].text, 1 << 20, &error), FAILED);
        assert_int_equal(error.fault, FAULT_IO);
        assert_says(&error, cases[i].words);
        graph_free(&graph);
    }
}

static void endless_nesting_is_refused(void **state)
{
    (void)state;
    char *text;
    size_t length;
    FILE *file = open_memstream(&text, &length);
    fputs(HEAD, file);
    for (int i = 0; i < 10000; i++)
        fprintf(file, "y%d = If(x) {then_branch: block}\nblock\n", i);
    fclose(file);
    struct graph graph;
    struct error error = {FAULT_NONE, ""};
    assert_int_equal(graph_parse(&graph, "test", text, GRAPH_NAMED_BYTES_MAX, &error), FAILED);
    assert_says(&error, "nested too deep");
    graph_free(&graph);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_reads_back_the_same),
        cmocka_unit_test(types_blanks_and_comments_are_free),
        cmocka_unit_test(large_constants_are_named),
        cmocka_unit_test(what_follows_from_named_weights_is_computed_anew),
        cmocka_unit_test(named_values_follow_from_name_and_use),
        cmocka_unit_test(broken_texts_are_refused_with_their_line),
        cmocka_unit_test(endless_nesting_is_refused),
    };
    return cmocka_run_group_tests_name("graph as text", tests, NULL, NULL);
}
