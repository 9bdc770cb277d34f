// test_builtin.c - graphs that need no file: what each is, for how many items, and its types.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "builtin.h"
#include "graph_helpers.h"

/* Nodes, and the work of one item in multiply-adds of Conv and MatMul: by the papers' sizes. */
static const struct {
    const char *name, *output;
    int nodes;
    long products;
} expected[] = {
    {"dense-block", "f32[2,256,56,56]", 42,
     3136L * (128 * (64 + 96 + 128 + 160 + 192 + 224) + 6 * 9 * 128 * 32)},
    {"inception-block", "f32[2,256,28,28]", 14,
     784L * (192 * (64 + 96 + 16 + 32) + 9 * 96 * 128 + 25 * 16 * 32)},
    {"inverted-residual", "f32[2,24,56,56]", 9, 3136L * (2 * 24 * 144 + 9 * 144)},
    {"mlp", "f32[2,1]", 15, 479L * 1024 + 1024 * 1024 + 1024 * 512 + 512 * 256 + 256},
    {"resnet-block", "f32[2,256,56,56]", 10, 3136L * (2 * 64 * 256 + 9 * 64 * 64)},
    {"shuffle-unit", "f32[2,240,28,28]", 12, 784L * (2 * 80 * 60 + 9 * 60)},
    {"transformer-encoder", "f32[2,128,768]", 49,
     128L * (4 * 768 * 768 + 2 * 768 * 3072 + 2 * 128 * 768)},
};
enum { EXPECTED = sizeof expected / sizeof *expected };

static void open_builtin(struct graph *graph, const char *name, long batch)
{
    struct error error = {FAULT_NONE, ""};
    if (builtin_graph(graph, name, batch, &error) != OK)
        fail_msg("%s", error.text);
}

static void there_are_these_and_each_says_where_it_is_from(void **state)
{
    (void)state;
    int count = 0, length;
    while (builtin_name(count))
        count++;
    assert_int_equal(count, EXPECTED);
    for (int i = 0; i < count; i++) {
        const char *summary = builtin_summary(builtin_name(i), &length);
        assert_string_equal(builtin_name(i), expected[i].name);
        assert_non_null(summary);
        assert_true(length > 20 && summary[length] == '\n');
        assert_memory_equal(summary + length, "\n# source: ", 11);
    }
    assert_null(builtin_summary("resnet", &length));
}

/* Of one item: the product of what is written and what is summed. */
static double products_of(const struct graph *graph, const struct node *node)
{
    const struct type *out = &graph->tensor[node_output(node, 0)]->type;
    const struct type *a = &graph->tensor[node_input(node, 0)]->type;
    const struct type *b = &graph->tensor[node_input(node, 1)]->type;
    if (node_is(node, "Conv"))
        return (double)type_elements(out) * (double)type_product(b, 1, b->rank) /
               (double)out->dims[0];
    return node_is(node, "MatMul")
               ? (double)type_elements(out) * (double)a->dims[a->rank - 1] / (double)out->dims[0]
               : 0;
}

static void they_have_the_sizes_of_their_papers(void **state)
{
    (void)state;
    for (int i = 0; i < EXPECTED; i++) {
        struct graph graph;
        double products = 0;
        open_builtin(&graph, expected[i].name, 2);
        assert_int_equal(graph_live_nodes(&graph), expected[i].nodes);
        assert_int_equal(graph.block[0]->output_count, 1);
        assert_type(&graph, "y", expected[i].output);
        for (int id = 0; id < graph.node_count; id++)
            if (node_is(graph.node[id], "Conv") || node_is(graph.node[id], "MatMul"))
                products += products_of(&graph, graph.node[id]);
        assert_true(products == (double)expected[i].products);
        graph_free(&graph);
    }
}

static void the_batch_is_open_until_it_is_bound(void **state)
{
    (void)state;
    for (int i = 0; i < EXPECTED; i++) {
        struct graph graph;
        struct error error;
        open_builtin(&graph, expected[i].name, 0);
        const struct type *type = &graph.tensor[graph_find(&graph, "y")]->type;
        assert_int_equal(type->dims[0], -1);
        assert_int_equal(graph_bind(&graph, BUILTIN_BATCH, 2, &error), OK);
        assert_int_equal(graph_infer(&graph, &error), OK);
        assert_int_equal(graph_verify(&graph, &error), OK);
        assert_type(&graph, "y", expected[i].output);
        graph_free(&graph);
    }
}

static char *read_whole(const char *path)
{
    char *text = NULL;
    size_t capacity = 0;
    FILE *file = fopen(path, "r");
    if (!file)
        fail_msg("there is no '%s'", path);
    assert_true(getdelim(&text, &capacity, '\0', file) > 0);
    fclose(file);
    return text;
}

/* `GOLDEN_UPDATE=1` replaces the captured files instead. */
static void all_their_types_are_those_written_down(void **state)
{
    (void)state;
    for (int i = 0; i < EXPECTED; i++) {
        struct graph graph;
        struct error error;
        char path[512], *text;
        size_t length;
        open_builtin(&graph, expected[i].name, 2);
        FILE *out = open_memstream(&text, &length);
        assert_int_equal(graph_print(&graph, out, GRAPH_VALUES_MAX, &error), OK);
        fclose(out);
        snprintf(path, sizeof path, "%s/golden/builtin/%s.txt", TEST_SOURCE_DIR, expected[i].name);
        if (getenv("GOLDEN_UPDATE")) {
            FILE *file = fopen(path, "w");
            assert_non_null(file);
            fputs(text, file);
            assert_int_equal(fclose(file), 0);
        }
        char *golden = read_whole(path);
        assert_string_equal(text, golden);
        free(golden);
        free(text);
        graph_free(&graph);
    }
}

static void unknown_names_and_impossible_batches_are_refused(void **state)
{
    (void)state;
    struct graph graph;
    struct error error;
    assert_int_equal(builtin_graph(&graph, "resnet", 1, &error), FAILED);
    assert_int_equal(error.fault, FAULT_USAGE);
    assert_says(&error, "'resnet'");
    assert_says(&error, "resnet-block");
    graph_free(&graph);
    assert_int_equal(builtin_graph(&graph, "mlp", -1, &error), FAILED);
    assert_int_equal(error.fault, FAULT_USAGE);
    graph_free(&graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_are_these_and_each_says_where_it_is_from),
        cmocka_unit_test(they_have_the_sizes_of_their_papers),
        cmocka_unit_test(the_batch_is_open_until_it_is_bound),
        cmocka_unit_test(all_their_types_are_those_written_down),
        cmocka_unit_test(unknown_names_and_impossible_batches_are_refused),
    };
    return cmocka_run_group_tests_name("builtin graphs", tests, NULL, NULL);
}
