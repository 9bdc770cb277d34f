// known_branch.c - the branch of an If that is known to be taken.
#include "rewrite.h"

static int run(struct rewriting *rewriting, int *count, struct error *error)
{
    return graph_inline_ifs(rewriting->graph, count, error);
}

const struct pass known_branch_pass = {
    .name = "known-branch",
    .group = GROUP_ELIMINATION,
    .summary = "If whose condition is known: the nodes of the branch that it takes",
    .refuses = "the condition is known only when the graph runs, or may be replaced by whoever "
               "runs it",
    .run = run,
};
