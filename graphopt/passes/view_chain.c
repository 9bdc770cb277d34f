// view_chain.c - one Reshape in the place of several.
#include "rewrite.h"

#define VIEWS "Reshape|Flatten|Squeeze|Unsqueeze"

enum { X = 1, MIDDLE, Y };

static const struct pattern pattern = {
    .term = {{VIEWS, {Y}, {MIDDLE}, TERM_MORE, NULL}, {VIEWS, {MIDDLE}, {X}, TERM_MORE, NULL}},
    .operand = {[MIDDLE] = {OPERAND_SHARED, 0}},
};

/* The dims are those of the result, not those that the last operator asks for: a 0 there copies a
 * dim of what is in the middle. */
static int join(struct rewriting *rewriting, const struct match *match, struct error *error)
{
    struct graph *graph = rewriting->graph;
    struct type type;
    int node;
    if (rewrite_type(graph, match->node[0], &type, error) != OK)
        return FAILED;
    const int result =
        rewrite_add_reshape(graph, match->tensor[X], &type, match->node[0], &node, error);
    return result == OK ? rewrite_replace_by(graph, match->tensor[Y], node, error) : result;
}

static const struct rule rules[] = {{&pattern, join}, {0}};

const struct pass view_chain_pass = {
    .name = "reshape-chain",
    .group = GROUP_ELIMINATION,
    .summary = "Reshape, Flatten, Squeeze, Unsqueeze behind another of them: one Reshape to the "
               "last dims, with 0 and -1 resolved; what is between stays where others use it",
    .refuses = "more than one dim is not known and has no name that the first input has at the "
               "same place; a dim is 0",
    .rules = rules,
};
