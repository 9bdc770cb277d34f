// fuzz_graph.c - whatever the text: it is refused with words, or it is a graph whose text reads
// back the same.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition, const char *what, const struct error *error)
{
    if (!condition) {
        fprintf(stderr, "fuzz_graph: %s: %s\n", what, error->text);
        abort();
    }
}

/* The graph of a text, printed; NULL where it is refused. The caller frees it. */
static char *printed(const char *text)
{
    struct error error = {FAULT_NONE, ""};
    struct graph graph;
    char *copy = NULL;
    size_t length;
    const int result = graph_parse(&graph, "input", text, 1 << 20, &error);
    require(result == OK || (error.fault == FAULT_IO && *error.text), "a fault without words",
            &error);
    if (result == OK) {
        FILE *file = open_memstream(&copy, &length);
        require(file && graph_print(&graph, file, ELEMENTS_MAX, &error) == OK, "it does not print",
                &error);
        fclose(file);
    }
    graph_free(&graph);
    return copy;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct error none = {FAULT_NONE, ""};
    char *text = malloc(size + 1);
    require(text != NULL, "memory is out", &none);
    memcpy(text, data, size);
    text[size] = 0;
    char *once = printed(text);
    if (once) {
        char *twice = printed(once);
        require(twice && strcmp(once, twice) == 0, "a round trip changes the text", &none);
        free(twice);
    }
    free(once);
    free(text);
    return 0;
}
