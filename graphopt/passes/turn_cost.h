// turn_cost.h - what nodes take with their images in each layout, and between them.
#ifndef ROOFLINE_TURN_COST_H
#define ROOFLINE_TURN_COST_H

#include "cost.h"
#include "turn.h"

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

/* Of the node as it is, and of what turn_node() makes of it: by layout; NAN where it cannot have
 * that, where that takes the kernel from it, or the cost is not known. What runs in plain loops is
 * weighed like a kernel. */
int turn_costs_node(struct turn_costs *costs, int node, const struct turning *turning,
                    double seconds[LAYOUT_COUNT], struct error *error);

/* Of turn_convert() of a tensor that has channels first where that is no view: from any layout to
 * any other one the same bytes go through the same kernel. */
int turn_costs_move(struct turn_costs *costs, int tensor, double *seconds, struct error *error);

#endif
