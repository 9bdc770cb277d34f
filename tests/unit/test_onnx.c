// test_onnx.c - models that others made are read; what is broken or hostile is refused with words.
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "graph_helpers.h"
#include "onnx.h"
#include "protobuf_writer.h"
#include "weights.h"

#define MODELS TEST_SOURCE_DIR "/../../shared/models"
/* Debian's libonnx-testdata. */
#define SYSTEM_MODELS "/usr/share/libonnx-testdata/data"

static void need_onnx(void)
{
    struct error error;
    if (onnx_available(&error) != OK) {
        print_message("skipped: %s\n", error.text);
        skip();
    }
}

static void need(const char *path)
{
    need_onnx();
    if (access(path, R_OK) != 0) {
        print_message("skipped: there is no %s\n", path);
        skip();
    }
}

/* ---- models of others ---- */

/* nftw() has no argument for its function: what it counts is global. */
static int models_read, tensors_read;

static int read_model_or_tensor(const char *path, const struct stat *status, int type,
                                struct FTW *place)
{
    (void)status;
    struct error error = {FAULT_NONE, ""};
    const char *name = path + place->base;
    if (type != FTW_F || strstr(path, "seq") || strstr(path, "opt"))
        return 0; /* data of these are no tensors */
    if (strcmp(name, "model.onnx") == 0) {
        struct graph graph, copy;
        if (onnx_read(&graph, path, &error) != OK || graph_verify(&graph, &error) != OK)
            fail_msg("%s: %s", path, error.text);
        assert_int_equal(graph_copy(&copy, &graph, &error), OK);
        assert_int_equal(graph_verify(&copy, &error), OK);
        graph_free(&copy);
        graph_free(&graph);
        models_read++;
    } else if (strncmp(name, "input_", 6) == 0 || strncmp(name, "output_", 7) == 0) {
        struct arena arena = {0};
        struct array array;
        if (onnx_read_tensor(&arena, path, &array, &name, &error) != OK)
            fail_msg("%s: %s", path, error.text);
        assert_true(type_is_complete(&array.type));
        arena_free(&arena);
        tensors_read++;
    }
    return 0;
}

static void read_all(const char *folder, int least_models)
{
    need(folder);
    models_read = tensors_read = 0;
    assert_int_equal(nftw(folder, read_model_or_tensor, 16, FTW_PHYS), 0);
    assert_true(models_read >= least_models);
    assert_true(tensors_read >= least_models);
}

static void every_model_at_hand_is_read(void **state)
{
    (void)state;
    read_all(MODELS, 400);
}

static void every_model_of_the_system_is_read(void **state)
{
    (void)state;
    read_all(SYSTEM_MODELS, 900);
}

static void models_have_the_nodes_that_are_written_down(void **state)
{
    (void)state;
    static const struct {
        const char *model;
        int nodes; /* that are no Constant */
    } cases[] = {{"light/light_squeezenet", 105},
                 {"light/light_densenet121", 1746},
                 {"real/Ultraface-RFB-320", 126},
                 {"real/cnn_mnist_pytorch", 12}};
    need(MODELS);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char path[512];
        struct graph graph;
        struct error error;
        snprintf(path, sizeof path, "%s/%s/model.onnx", MODELS, cases[i].model);
        assert_int_equal(onnx_read(&graph, path, &error), OK);
        assert_int_equal(graph_live_nodes(&graph), cases[i].nodes);
        graph_free(&graph);
    }
}

/* The same model with weights that another program filled in. */
static void named_weights_are_those_of_the_filled_model(void **state)
{
    (void)state;
    struct graph light, filled;
    struct error error;
    int count;
    need(MODELS "/real/hyd_squeezenet");
    assert_int_equal(onnx_read(&light, MODELS "/light/light_squeezenet/model.onnx", &error), OK);
    assert_int_equal(onnx_read(&filled, MODELS "/real/hyd_squeezenet/model.onnx", &error), OK);
    assert_int_equal(weights_name(&light, 1, &count, &error), OK);
    assert_int_equal(graph_verify(&light, &error), OK);
    int compared = 0;
    for (int i = 0; i < filled.tensor_count; i++) {
        const struct tensor *expected = filled.tensor[i];
        const int id = graph_find(&light, expected->name);
        if (!expected->data || expected->producer >= 0 || expected->type.element != ELEMENT_f32)
            continue;
        assert_true(id >= 0 && light.tensor[id]->data);
        assert_memory_equal(light.tensor[id]->data, expected->data,
                            (size_t)type_bytes(&expected->type));
        compared++;
    }
    assert_true(count > 30 && compared >= count);
    graph_free(&light);
    graph_free(&filled);
}

/* ---- files of our own ---- */

static int read_message(struct graph *graph, struct message model, struct error *error)
{
    *error = (struct error){FAULT_NONE, ""};
    const int result = onnx_read_bytes(graph, "test", model.bytes, model.length, error);
    free(model.bytes);
    return result;
}

static void assert_refused(struct message model, const char *words)
{
    struct graph graph;
    struct error error;
    if (read_message(&graph, model, &error) != FAILED)
        fail_msg("nobody says '%s'", words);
    assert_int_equal(error.fault, FAULT_IO);
    assert_says(&error, words);
    graph_free(&graph);
}

static void assert_read(struct graph *graph, struct message model)
{
    struct error error;
    if (read_message(graph, model, &error) != OK)
        fail_msg("%s", error.text);
}

static void dims_may_have_names(void **state)
{
    (void)state;
    static const int64_t dims[] = {-1, 3};
    struct message model = {0};
    struct graph graph;
    need_onnx();
    put_message(&model, 1, node_message("Relu", "x", NULL, "y"));
    put_message(&model, 11, value_message("x", dims, 2));
    put_message(&model, 12, value_message("y", NULL, 0));
    assert_read(&graph, model_message(model, 8, 17));
    /* The output is said to be a scalar: the operator knows better. */
    assert_type(&graph, "y", "f32[n,3]");
    graph_free(&graph);
}

static void an_initializer_is_an_input_from_ir_4_on(void **state)
{
    (void)state;
    static const int64_t dims[] = {2, 3};
    static const float data[6] = {1, 2, 3, 4, 5, 6};
    need_onnx();
    for (int ir = 3; ir <= 4; ir++) {
        struct message model = small_graph();
        struct graph graph;
        put_message(&model, 1, node_message("Add", "x", "w", "z"));
        put_message(&model, 5, tensor_message("w", ONNX_FLOAT, dims, 2, data, sizeof data));
        put_message(&model, 11, value_message("w", dims, 2));
        put_message(&model, 12, value_message("z", dims, 2));
        assert_read(&graph, model_message(model, ir, 9));
        const struct tensor *w = graph.tensor[graph_find(&graph, "w")];
        assert_int_equal(graph.block[0]->input_count, ir == 3 ? 1 : 2);
        assert_int_equal(w->is_overridable, ir == 4);
        assert_memory_equal(ir == 3 ? w->data : w->fallback, data, sizeof data);
        graph_free(&graph);
    }
}

static void nodes_in_disorder_are_sorted(void **state)
{
    (void)state;
    static const int64_t dims[] = {2, 3};
    struct message model = {0};
    struct graph graph;
    need_onnx();
    put_message(&model, 1, node_message("Exp", "y", NULL, "z"));
    put_message(&model, 1, node_message("Relu", "x", NULL, "y"));
    put_message(&model, 11, value_message("x", dims, 2));
    put_message(&model, 12, value_message("z", dims, 2));
    assert_read(&graph, model_message(model, 8, 28));
    assert_string_equal(graph.node[graph.block[0]->first]->type, "Relu");
    graph_free(&graph);
}

/* A function of the model: inputs a and b (which the call leaves out), output c = Relu(Neg(a)). */
static struct message function_message(const char *inner)
{
    struct message function = {0}, import = {0};
    put_text(&function, 1, "Twice");
    put_text(&function, 4, "a");
    put_text(&function, 4, "b");
    put_text(&function, 5, "c");
    put_message(&function, 7, node_message("Neg", "a", NULL, "x"));
    struct message node = node_message(inner, "x", "b", "c");
    if (strcmp(inner, "Twice") == 0)
        put_text(&node, 7, "own");
    put_message(&function, 7, node);
    put_text(&import, 1, "");
    put_number(&import, 2, 15);
    put_message(&function, 9, import);
    put_text(&function, 10, "own");
    return function;
}

static struct message calling_model(const char *inner)
{
    static const int64_t dims[] = {2, 3};
    struct message graph = {0};
    struct message node = node_message("Twice", "x", NULL, "y");
    put_text(&node, 7, "own");
    put_message(&graph, 1, node);
    put_message(&graph, 11, value_message("x", dims, 2));
    put_message(&graph, 12, value_message("y", dims, 2));
    struct message model = model_message(graph, 8, 17);
    put_message(&model, 25, function_message(inner));
    return model;
}

static void functions_are_put_in_place_of_their_calls(void **state)
{
    (void)state;
    struct graph graph;
    need_onnx();
    assert_read(&graph, calling_model("Unheard"));
    const struct node *node = graph.node[maker_of(&graph, "y")];
    assert_string_equal(node->type, "Unheard");
    assert_int_equal(node->opset, 15);
    assert_int_equal(node->inputs[1], -1);
    assert_int_equal(graph_live_nodes(&graph), 2);
    graph_free(&graph);
    assert_refused(calling_model("Twice"), "functions call each other");
}

static void what_is_not_known_is_opaque_and_named(void **state)
{
    (void)state;
    static const int64_t dims[] = {2, 3};
    struct graph graph;
    struct error error;
    struct site site;
    struct arena arena = {0};
    need_onnx();
    struct message model = small_graph(), node = node_message("FusedConv", "y", NULL, "z");
    put_text(&node, 7, "com.microsoft");
    put_message(&model, 1, node);
    put_message(&model, 12, value_message("z", dims, 2));
    assert_read(&graph, model_message(model, 8, 17));
    assert_null(graph.node[maker_of(&graph, "z")]->op);
    assert_int_equal(site_open(&site, &graph, graph.node[maker_of(&graph, "z")], &arena, &error),
                     OK);
    assert_int_equal(site_evaluate(&site, 1000, &error), SKIPPED);
    assert_says(&error, "FusedConv that makes 'z'");
    arena_free(&arena);
    graph_free(&graph);
}

/* ---- files that are no models ---- */

static void every_beginning_of_a_model_is_refused_or_read(void **state)
{
    (void)state;
    need_onnx();
    struct message model = model_message(small_graph(), 8, 17);
    for (size_t length = 0; length < model.length; length++) {
        struct graph graph;
        struct error error = {FAULT_NONE, ""};
        assert_int_equal(onnx_read_bytes(&graph, "test", model.bytes, length, &error), FAILED);
        assert_int_equal(error.fault, FAULT_IO);
        assert_says(&error, "'test'");
        graph_free(&graph);
    }
    free(model.bytes);
}

static void every_changed_byte_is_survived(void **state)
{
    (void)state;
    need_onnx();
    struct message model = model_message(small_graph(), 8, 17);
    for (size_t i = 0; i < model.length; i++)
        for (int change = 1; change < 256; change += 3) {
            struct graph graph;
            struct error error = {FAULT_NONE, ""};
            model.bytes[i] ^= (unsigned char)change;
            const int result = onnx_read_bytes(&graph, "test", model.bytes, model.length, &error);
            if (result != OK && (error.fault != FAULT_IO || !*error.text))
                fail_msg("byte %zu: fault %d, '%s'", i, (int)error.fault, error.text);
            graph_free(&graph);
            model.bytes[i] ^= (unsigned char)change;
        }
    free(model.bytes);
}

static struct message with_node(struct message node)
{
    struct message graph = small_graph();
    put_message(&graph, 1, node);
    return model_message(graph, 8, 17);
}

static void graphs_that_cannot_be_are_refused(void **state)
{
    (void)state;
    need_onnx();
    struct message cycle = small_graph();
    put_message(&cycle, 1, node_message("Add", "x", "b", "a"));
    put_message(&cycle, 1, node_message("Neg", "a", NULL, "b"));
    assert_refused(model_message(cycle, 8, 17), "cycle");
    assert_refused(with_node(node_message("Neg", "x", NULL, "y")), "the name 'y'");
    assert_refused(with_node(node_message("Neg", "x", NULL, "x")), "the name 'x'");
    assert_refused(with_node(node_message("Neg", "q", NULL, "z")),
                   "Neg '' uses 'q', which nothing makes");
    assert_refused(with_node(node_message("", "x", NULL, "z")), "has no operator");
    assert_refused(with_node(node_message("Neg", "x", "x", "z")), "it has 2 inputs");
    assert_refused(with_node(node_message("Neg", "", NULL, "z")), "it lacks input 0");
    struct message output = small_graph();
    put_message(&output, 12, value_message("q", NULL, 0));
    assert_refused(model_message(output, 8, 17), "nothing makes the output 'q'");
    assert_refused(model_message((struct message){0}, 8, 17), "has no output");
    assert_refused((struct message){calloc(1, 1), 0}, "no graph");
    assert_refused(model_message(small_graph(), 8, 29), "version 29");
    assert_refused(model_message(small_graph(), 2, 17), "IR version 2");
    assert_refused(model_message(small_graph(), 8, 0), "version 0");
}

static struct message with_tensor(struct message tensor)
{
    struct message graph = small_graph();
    put_message(&graph, 5, tensor);
    return model_message(graph, 8, 17);
}

static void tensors_that_cannot_be_are_refused(void **state)
{
    (void)state;
    static const int64_t two[] = {2}, huge[] = {INT64_MAX, INT64_MAX}, negative[] = {-2};
    static const int64_t large[] = {1 << 20, 1 << 20, 1 << 20}, many[11] = {1};
    static const float data[2] = {1, 2};
    need_onnx();
    assert_refused(with_tensor(tensor_message("w", ONNX_FLOAT, two, 1, data, 7)),
                   "'w' has 7 values");
    assert_refused(with_tensor(tensor_message("w", ONNX_FLOAT, two, 1, NULL, 0)), "'w' has 0");
    assert_refused(with_tensor(tensor_message("w", ONNX_FLOAT, huge, 2, data, 8)), "too large");
    assert_refused(with_tensor(tensor_message("w", ONNX_FLOAT, large, 3, data, 8)), "too large");
    assert_refused(with_tensor(tensor_message("w", ONNX_FLOAT, negative, 1, data, 8)), "is -2");
    assert_refused(with_tensor(tensor_message("w", ONNX_FLOAT, many, 11, data, 4)),
                   "11 dimensions");
    assert_refused(with_tensor(tensor_message("w", 77, two, 1, data, 8)), "unknown type 77");
    assert_refused(with_tensor(tensor_message("", ONNX_FLOAT, two, 1, data, 8)), "no name");
    assert_refused(with_tensor(tensor_message("x", ONNX_FLOAT, huge, 1, data, 8)), "'x'");
    struct message value = small_graph();
    put_message(&value, 13, value_message("y", huge, 2));
    assert_refused(model_message(value, 8, 17), "too large");
}

static struct message external_tensor(const char *location, const char *offset)
{
    static const int64_t two[] = {2};
    struct message tensor = tensor_message("w", ONNX_FLOAT, two, 1, NULL, 0);
    const char *const entries[][2] = {{"location", location}, {"offset", offset}};
    for (int i = 0; i < 2; i++) {
        struct message entry = {0};
        put_text(&entry, 1, entries[i][0]);
        put_text(&entry, 2, entries[i][1]);
        put_message(&tensor, 13, entry);
    }
    put_number(&tensor, 14, 1);
    return tensor;
}

static void write_file(const char *folder, const char *name, const void *bytes, size_t length)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    fclose(file);
}

static void external_data_stay_below_the_model(void **state)
{
    static const float data[8] = {0, 1, 2, 3, 4, 5, 6, 7};
    static const struct {
        const char *location, *offset, *words; /* NULL: it is read */
    } cases[] = {
        {"data", "8", NULL},
        {"below/data", "16", NULL},
        {"data", "25", "has 32 bytes; 8 from 25 on"},
        {"data", "-1", "'-1' is no offset"},
        {"data", "99999999999999999999", "is no offset"},
        {"missing", "0", "No such file or directory; the file of weights belongs"},
        {"../outside", "0", "no path below"},
        {"below/../../outside", "0", "no path below"},
        {"/etc/passwd", "0", "no path below"},
        {"", "0", "no path below"},
        {"link", "0", "is a link out of"},
        {"below", "0", "no regular file"},
    };
    const char *folder = *state;
    char path[256];
    need_onnx();
    snprintf(path, sizeof path, "%s/below", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/link", folder);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    write_file(folder, "data", data, sizeof data);
    write_file(folder, "below/data", data, sizeof data);
    snprintf(path, sizeof path, "%s/model.onnx", folder);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct graph graph;
        struct error error = {FAULT_NONE, ""};
        struct message model = with_tensor(external_tensor(cases[i].location, cases[i].offset));
        write_file(folder, "model.onnx", model.bytes, model.length);
        const int result = onnx_read(&graph, path, &error);
        if (!cases[i].words) {
            assert_int_equal(result, OK);
            assert_memory_equal(graph.tensor[graph_find(&graph, "w")]->data,
                                data + atoi(cases[i].offset) / 4, 8);
        } else {
            assert_int_equal(result, FAILED);
            assert_int_equal(error.fault, FAULT_IO);
            assert_says(&error, cases[i].words);
        }
        graph_free(&graph);
        assert_refused(model, "not a file by itself");
    }
}

static void deep_nesting_is_refused(void **state)
{
    (void)state;
    struct message graph = {0};
    need_onnx();
    for (int i = 0; i < 10000; i++) {
        struct message node = {0}, outer = {0};
        put_message(&node, 5, graph_attribute("body", graph));
        put_message(&outer, 1, node);
        graph = outer;
    }
    assert_refused(model_message(graph, 8, 17), "nested too deep");
}

/* Two bytes each that unpack to a struct of more than a hundred. */
static void bombs_are_refused(void **state)
{
    (void)state;
    enum { COUNT = 1 << 21 };
    struct message graph = {malloc(2 * COUNT), 2 * COUNT};
    need_onnx();
    for (int i = 0; i < COUNT; i++) {
        graph.bytes[2 * i] = 1 << 3 | 2;
        graph.bytes[2 * i + 1] = 0;
    }
    assert_refused(model_message(graph, 8, 17), "out of proportion");
}

static int folder_make(void **state)
{
    char name[] = "/tmp/roofline-test-XXXXXX";
    *state = mkdtemp(name) ? strdup(name) : NULL;
    return *state ? 0 : -1;
}

static int folder_remove(void **state)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", (char *)*state);
    free(*state);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_model_at_hand_is_read),
        cmocka_unit_test(every_model_of_the_system_is_read),
        cmocka_unit_test(models_have_the_nodes_that_are_written_down),
        cmocka_unit_test(named_weights_are_those_of_the_filled_model),
        cmocka_unit_test(dims_may_have_names),
        cmocka_unit_test(an_initializer_is_an_input_from_ir_4_on),
        cmocka_unit_test(nodes_in_disorder_are_sorted),
        cmocka_unit_test(functions_are_put_in_place_of_their_calls),
        cmocka_unit_test(what_is_not_known_is_opaque_and_named),
        cmocka_unit_test(every_beginning_of_a_model_is_refused_or_read),
        cmocka_unit_test(every_changed_byte_is_survived),
        cmocka_unit_test(graphs_that_cannot_be_are_refused),
        cmocka_unit_test(tensors_that_cannot_be_are_refused),
        cmocka_unit_test_setup_teardown(external_data_stay_below_the_model, folder_make,
                                        folder_remove),
        cmocka_unit_test(deep_nesting_is_refused),
        cmocka_unit_test(bombs_are_refused),
    };
    return cmocka_run_group_tests_name("onnx", tests, NULL, NULL);
}
