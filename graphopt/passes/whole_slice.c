// whole_slice.c - Slice over the whole of every axis.
#include "rewrite.h"

/* Nothing is taken backwards or left out between, and where things begin and end is known: then an
 * output of the input's dims is the input. */
static bool is_forward(const struct graph *graph, const struct node *node)
{
    long values[RANK_MAX];
    int count;
    if (!node_list(graph, node, "starts", 1, values, &count) ||
        !node_list(graph, node, "ends", 2, values, &count))
        return false;
    if (node_input(node, 4) < 0)
        return true;
    if (!tensor_integers(graph->tensor[node->inputs[4]], values, &count))
        return false;
    for (int i = 0; i < count; i++)
        if (values[i] != 1)
            return false;
    return true;
}

static const struct pattern pattern = {
    .term = {{"Slice", {DROP_Y}, {DROP_X}, TERM_MORE, is_forward}},
};

static const struct rule rules[] = {{&pattern, rewrite_drop_same}, {0}};

const struct pass whole_slice_pass = {
    .name = "whole-slice",
    .group = GROUP_ELIMINATION,
    .summary = "Slice from the first element to the last or behind it, forwards, on every axis: "
               "its input",
    .refuses = "a step is not 1; starts or ends are not known; an end is the last element, which "
               "is left out; a dim is not known and the end is finite",
    .rules = rules,
};
