// in_place.h - which inputs of a Concat the nodes that make them can write where they belong in it,
// so that nothing has to be joined.
#ifndef ROOFLINE_IN_PLACE_H
#define ROOFLINE_IN_PLACE_H

#include "graph.h"

/* Whether input `slot` is made by a node of the same block, as memory of its own or through views
 * that nobody else uses, and is an input of no other Concat that comes first by id: memory lies in
 * one result. As far as the graph says; whether it is one piece of the result is another question.
 */
bool in_place_input(const struct graph *graph, const struct node *concat, int slot);

/* Rows of a tensor along its last dim within the result of a Concat along that dim. */
struct in_place_rows {
    int output; /* of the Concat */
    long begin, pitch;
};

/* Where they stand; false where the tensor has another user than one Concat, which would not find
 * them side by side, or types are not known. */
bool in_place_rows(const struct graph *graph, int tensor, struct in_place_rows *rows);

#endif
