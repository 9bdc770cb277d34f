// pass_through.c - operators that hand on their input as it is.
#include "rewrite.h"

static const struct pattern single = {
    .term = {{"Identity|Sum|Max|Min|Mean|Concat", {DROP_Y}, {DROP_X}, 0, NULL}},
};

static bool is_inference(const struct graph *graph, const struct node *node)
{
    const int training = node_input(node, 2);
    return training < 0 || tensor_is_filled(graph->tensor[training], 0, 0);
}

static const struct pattern dropout = {
    .term = {{"Dropout", {DROP_Y}, {DROP_X}, TERM_MORE, is_inference}},
};

static bool has_one_part(const struct graph *graph, const struct node *node)
{
    (void)graph;
    return node->output_count == 1;
}

static const struct pattern split = {
    .term = {{"Split", {DROP_Y}, {DROP_X}, TERM_MORE, has_one_part}},
};

static const struct rule rules[] = {
    {&single, rewrite_drop}, {&dropout, rewrite_drop}, {&split, rewrite_drop_same}, {0}};

const struct pass pass_through_pass = {
    .name = "identity",
    .group = GROUP_ELIMINATION,
    .summary = "Identity; Dropout at inference; Sum, Max, Min, Mean, Concat of one input; Split "
               "into one part: its input",
    .refuses = "it makes an output of the graph from an input, a constant or another output; "
               "Dropout that trains or whose mask is used",
    .rules = rules,
};
