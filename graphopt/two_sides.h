// two_sides.h - the cheapest way to put things on two sides: a minimum cut.
#ifndef ROOFLINE_TWO_SIDES_H
#define ROOFLINE_TWO_SIDES_H

#include "error.h"

#include <stdbool.h>

/* Vertices are numbered from 0; two are there from the begin and are on their sides for good. */
enum { SIDE_NEAR, SIDE_FAR, SIDE_FIRST };

/* A cost that nothing is worth. */
#define SIDES_NEVER (1L << 60)

struct two_sides {
    int vertex_count;
    struct side_edge *edge; /* owned */
    int edge_count, edge_room;
};

/* {0} and sides_start() begin; sides_free() ends. */
void sides_start(struct two_sides *sides);
void sides_free(struct two_sides *sides);

/* Another vertex. */
int sides_add(struct two_sides *sides);

/* It costs so much to have `near` on the near side and `far` on the far one. */
int sides_cost(struct two_sides *sides, int near, int far, long cost, struct error *error);

/* Which vertices are on the near side, by vertex: at least cost, and of several ways the one with
 * the fewest there (Ford and Fulkerson 1956, doi:10.4153/CJM-1956-045-5). */
int sides_divide(const struct two_sides *sides, bool *is_near, struct error *error);

#endif
