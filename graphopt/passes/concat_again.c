// concat_again.c - what was joined and is cut apart at the same places, and the reverse.
#include "rewrite.h"

enum { X = 1, PART, WHOLE, Y };

/* The axis of a Split or Concat whose dims are those of `tensor`; -1: the rank is not known. */
static int find_axis(const struct graph *graph, int node, int tensor)
{
    const int rank = graph->tensor[tensor]->type.rank;
    const long axis =
        node_integer(graph->node[node], "axis", node_is(graph->node[node], "Split") ? 0 : 1);
    return rank < 0 || axis < -rank || axis >= rank ? -1 : (int)(axis < 0 ? axis + rank : axis);
}

static bool have_one_axis(const struct graph *graph, const struct match *match, int tensor)
{
    const int axis = find_axis(graph, match->node[0], tensor);
    return axis >= 0 && axis == find_axis(graph, match->node[1], tensor);
}

/* ---- Split of a Concat ---- */

static const struct pattern joined = {
    .term = {{"Split", {ANYTHING}, {WHOLE}, TERM_MORE | TERM_ANY_OUTPUTS, NULL},
             {"Concat", {WHOLE}, {ANYTHING}, TERM_MORE, NULL}},
    .operand = {[WHOLE] = {OPERAND_SHARED, 0}},
};

/* Whether part i is input i, all along the axis. */
static bool are_same_parts(const struct graph *graph, const struct node *split,
                           const struct node *concat, int axis)
{
    if (split->output_count != concat->input_count)
        return false;
    for (int i = 0; i < split->output_count; i++) {
        const struct type *in = &graph->tensor[concat->inputs[i]]->type;
        const struct type *out =
            split->outputs[i] >= 0 ? &graph->tensor[split->outputs[i]]->type : NULL;
        if (in->rank <= axis || in->dims[axis] < 0 || !out || out->rank != in->rank ||
            out->dims[axis] != in->dims[axis])
            return false;
    }
    return true;
}

static int pass_parts(struct rewriting *rewriting, const struct match *match, struct error *error)
{
    struct graph *graph = rewriting->graph;
    const struct node *split = graph->node[match->node[0]], *concat = graph->node[match->node[1]];
    const int axis = find_axis(graph, match->node[0], match->tensor[WHOLE]);
    int replaced = 0;
    if (!have_one_axis(graph, match, match->tensor[WHOLE]) ||
        !are_same_parts(graph, split, concat, axis))
        return SKIPPED;
    for (int i = 0; i < split->output_count; i++) {
        if (graph->tensor[split->outputs[i]]->use_count == 0)
            continue;
        const int result = graph_replace(graph, split->outputs[i], concat->inputs[i], error);
        if (result == FAILED)
            return FAILED;
        replaced += result == OK;
    }
    if (replaced == 0)
        return SKIPPED;
    return rewrite_remove(graph, match->node[0], error);
}

/* ---- Concat of all parts of a Split ---- */

static const struct pattern cut = {
    .term = {{"Concat", {Y}, {PART}, TERM_MORE, NULL},
             {"Split", {PART}, {X}, TERM_MORE | TERM_ANY_OUTPUTS, NULL}},
    .operand = {[PART] = {OPERAND_SHARED, 0}},
};

static int pass_whole(struct rewriting *rewriting, const struct match *match, struct error *error)
{
    struct graph *graph = rewriting->graph;
    const struct node *concat = graph->node[match->node[0]], *split = graph->node[match->node[1]];
    if (concat->input_count != split->output_count ||
        !have_one_axis(graph, match, match->tensor[X]))
        return SKIPPED;
    for (int i = 0; i < split->output_count; i++)
        if (split->outputs[i] != concat->inputs[i])
            return SKIPPED;
    return rewrite_replace(graph, match->tensor[Y], match->tensor[X], error);
}

static const struct rule rules[] = {{&joined, pass_parts}, {&cut, pass_whole}, {0}};

const struct pass concat_again_pass = {
    .name = "concat-split",
    .group = GROUP_ELIMINATION,
    .summary = "Split of a Concat into the parts that were joined: the parts; Concat of all parts "
               "of one Split in their order: what was split",
    .refuses = "another axis, order, number or sizes; sizes that are not known; the Concat itself "
               "stays where others use it",
    .rules = rules,
};
