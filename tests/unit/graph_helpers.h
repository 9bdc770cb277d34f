// graph_helpers.h - graphs as texts, for tests.
#ifndef ROOFLINE_GRAPH_HELPERS_H
#define ROOFLINE_GRAPH_HELPERS_H

#include <stdio.h>
#include <string.h>

#include "graph_text.h"
#include "op.h"

/* The graph of a text that must be one; the caller frees it. */
static inline void graph_of(struct graph *graph, const char *text)
{
    struct error error = {FAULT_NONE, ""};
    if (graph_parse(graph, "test", text, GRAPH_NAMED_BYTES_MAX, &error) != OK)
        fail_msg("%s", error.text);
}

/* Its text with values of up to so many elements, and digests of the others; the caller frees it.
 */
static inline char *text_with(const struct graph *graph, long most_values)
{
    char *text;
    size_t length;
    struct error error;
    FILE *file = open_memstream(&text, &length);
    assert_non_null(file);
    assert_int_equal(graph_print(graph, file, most_values, &error), OK);
    fclose(file);
    return text;
}

/* The same with all values. */
static inline char *text_of(const struct graph *graph)
{
    return text_with(graph, ELEMENTS_MAX);
}

/* The node that makes the tensor of that name. */
static inline int maker_of(const struct graph *graph, const char *name)
{
    const int tensor = graph_find(graph, name);
    assert_true(tensor >= 0);
    return graph->tensor[tensor]->producer;
}

static inline void assert_type(const struct graph *graph, const char *name, const char *type)
{
    const int tensor = graph_find(graph, name);
    assert_true(tensor >= 0);
    assert_string_equal(type_format(graph, &graph->tensor[tensor]->type).text, type);
}

static inline void assert_says(const struct error *error, const char *words)
{
    if (!strstr(error->text, words))
        fail_msg("'%s' does not say '%s'", error->text, words);
}

#endif
