// turn_cost.h - what nodes take with channels first, with channels last, and between them.
#ifndef ROOFLINE_TURN_COST_H
#define ROOFLINE_TURN_COST_H

#include "cost.h"

struct turn_costs {
    const struct graph *graph;
    struct ceilings ceilings;
    struct graph trial; /* owned: what there would be */
    struct arena arena; /* owned */
};

/* Ceilings NULL: nominal ones. turn_costs_close() also after a failure. */
int turn_costs_open(struct turn_costs *costs, const struct graph *graph,
                    const struct ceilings *ceilings, struct error *error);
void turn_costs_close(struct turn_costs *costs);

/* Of the node as it is, and of what turn_node() makes of it: NAN where that takes the kernel from
 * it, or the cost is not known. What runs in plain loops is weighed like a kernel. */
int turn_costs_node(struct turn_costs *costs, int node, double *first_seconds, double *last_seconds,
                    struct error *error);

/* Of a Transpose of a tensor that has channels first; 0 where only dims of 1 move. */
int turn_costs_move(struct turn_costs *costs, int tensor, double *seconds, struct error *error);

#endif
