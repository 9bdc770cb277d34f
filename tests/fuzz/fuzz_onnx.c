// fuzz_onnx.c - whatever the bytes: a model is refused with words, or it is a graph that verifies
// and whose text reads back the same.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph_text.h"
#include "onnx.h"
#include "onnx_write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition, const char *what, const struct error *error)
{
    if (!condition) {
        fprintf(stderr, "fuzz_onnx: %s: %s\n", what, error->text);
        abort();
    }
}

/* The text of a graph with all values; the caller frees it. */
static char *printed(const struct graph *graph, struct error *error)
{
    char *text;
    size_t length;
    FILE *file = open_memstream(&text, &length);
    require(file && graph_print(graph, file, ELEMENTS_MAX, error) == OK, "it does not print",
            error);
    fclose(file);
    return text;
}

static void round_trip(const struct graph *graph, struct error *error)
{
    struct graph again;
    char *text = printed(graph, error);
    require(graph_parse(&again, "input", text, 1 << 20, error) == OK, "its own text is refused",
            error);
    char *text_again = printed(&again, error);
    require(strcmp(text, text_again) == 0, "a round trip changes the text", error);
    free(text);
    free(text_again);
    graph_free(&again);
}

/* What is written is read again, as what it was but for nodes that had one name. */
static void write_and_read(const struct graph *graph, struct error *error)
{
    struct graph again;
    void *bytes;
    size_t length;
    const int result = onnx_write_bytes(graph, &bytes, &length, error);
    require(result == OK || (error->fault == FAULT_USAGE && *error->text),
            "it is not written, without words", error);
    if (result != OK)
        return;
    require(onnx_read_bytes(&again, "written", bytes, length, error) == OK,
            "what is written is refused", error);
    free(bytes);
    graph_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error error = {FAULT_NONE, ""};
    struct graph graph, copy;
    const int result = onnx_read_bytes(&graph, "input", data, size, &error);
    require(result == OK || (error.fault == FAULT_IO && *error.text), "a fault without words",
            &error);
    if (result == OK) {
        require(graph_copy(&copy, &graph, &error) == OK, "it cannot be copied", &error);
        round_trip(&copy, &error);
        write_and_read(&copy, &error);
        graph_sweep(&copy);
        require(graph_sort(&copy, &error) == OK, "it cannot be sorted", &error);
        require(graph_verify(&copy, &error) == OK, "it no longer verifies", &error);
        graph_free(&copy);
    }
    graph_free(&graph);
    return 0;
}
