// permutation.h - the order of dims that a Transpose makes.
#ifndef ROOFLINE_PERMUTATION_H
#define ROOFLINE_PERMUTATION_H

#include "graph.h"

/* Dim i of the result is dim perm[i] of the input. Its length; -1 where the attribute is absent and
 * the rank is not known. */
static inline int permutation_read(const struct graph *graph, int node, long perm[RANK_MAX])
{
    int count;
    const long *given = node_integers(graph->node[node], "perm", &count);
    if (!given)
        count = graph->tensor[graph->node[node]->inputs[0]]->type.rank;
    for (int i = 0; i < count; i++)
        perm[i] = given ? given[i] : count - 1 - i;
    return count;
}

#endif
