// unused.c - nodes that nobody needs go.
#include "rewrite.h"

static int run(struct rewriting *rewriting, int *count, struct error *error)
{
    (void)error;
    *count = graph_sweep(rewriting->graph);
    return OK;
}

const struct pass unused_pass = {
    .name = "unused",
    .group = GROUP_ELIMINATION,
    .summary = "a node none of whose results is used: gone, and what it alone used",
    .refuses = "a result is an output of the graph, or is used inside a subgraph",
    .run = run,
};
