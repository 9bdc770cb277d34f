// no_change.c - Cast, Pad and Resize that leave everything as it is.
#include <string.h>

#include "rewrite.h"

/* ---- Cast ---- */

static int drop_cast(struct rewriting *rewriting, const struct match *match, struct error *error)
{
    const struct graph *graph = rewriting->graph;
    struct type type;
    if (rewrite_type(graph, match->node[0], &type, error) != OK)
        return FAILED;
    if (type.element == ELEMENT_NONE ||
        type.element != graph->tensor[match->tensor[DROP_X]]->type.element)
        return SKIPPED;
    return rewrite_drop(rewriting, match, error);
}

static const struct pattern cast = {
    .term = {{"Cast|CastLike", {DROP_Y}, {DROP_X}, TERM_MORE, NULL}},
};

/* ---- Pad ---- */

/* Two for each dim, or for each of the axes that are named. */
static bool pads_nothing(const struct graph *graph, const struct node *node)
{
    int count;
    const long *pads = node_integers(node, "pads", &count);
    if (!pads)
        return node_input(node, 1) >= 0 && tensor_is_filled(graph->tensor[node->inputs[1]], 0, 0);
    for (int i = 0; i < count; i++)
        if (pads[i] != 0)
            return false;
    return true;
}

static const struct pattern pad = {
    .term = {{"Pad", {DROP_Y}, {DROP_X}, TERM_MORE, pads_nothing}},
};

/* ---- Resize ---- */

static bool are_ones(const struct graph *graph, const struct node *node, int slot)
{
    int count;
    const double *scales = node_reals(node, "scales", &count);
    if (!scales)
        return node_input(node, slot) >= 0 &&
               tensor_is_filled(graph->tensor[node->inputs[slot]], 1, 0);
    for (int i = 0; i < count; i++)
        if (scales[i] != 1)
            return false;
    return true;
}

/* A coordinate stands for itself. A scale that is not 1 may round to the same dims; sizes have the
 * scale out/in, unless the aspect ratio counts. */
static bool keeps_coordinates(const struct graph *graph, const struct node *node)
{
    const char *mode = node_text(node, "coordinate_transformation_mode", "half_pixel");
    if (strcmp(node->type, "Upsample") == 0 || node->opset < 11)
        return are_ones(graph, node, 1);
    if (strncmp(mode, "tf_", 3) == 0) /* half a pixel further, or a part of the whole */
        return false;
    if (node_input(node, 3) < 0)
        return are_ones(graph, node, 2);
    return strcmp(node_text(node, "keep_aspect_ratio_policy", "stretch"), "stretch") == 0;
}

static const struct pattern resize = {
    .term = {{"Resize|Upsample", {DROP_Y}, {DROP_X}, TERM_MORE, keeps_coordinates}},
};

static const struct rule rules[] = {
    {&cast, drop_cast}, {&pad, rewrite_drop_same}, {&resize, rewrite_drop_same}, {0}};

const struct pass no_change_pass = {
    .name = "no-change",
    .group = GROUP_ELIMINATION,
    .summary = "Cast to the element that it is, Pad by nothing, Resize by 1: its input",
    .refuses = "pads add up to 0 but are not; a scale only rounds to the same size; coordinates "
               "are moved by half a pixel or cropped; what it goes by is not known",
    .rules = rules,
};
