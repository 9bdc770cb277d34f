// labelling.h - the cheapest label for each of several nodes, where a value that is made under one
// label and used under another one is converted.
//
// What is to be as small as can be is the sum of
//   cost[label] of every node, and
//   move[of the maker][to] of every value, once for each other label that a user of it has.
//
// With two labels that is a minimum cut. With three it is NP-hard in general (as multiway cut:
// Dahlhaus et al. 1994, doi:10.1137/S0097539792225297), and found by expansions (Boykov, Veksler
// and Zabih 2001, doi:10.1109/34.969114): all nodes are asked at once whether they take a certain
// label or keep theirs, which is a minimum cut again, over and over until none pays for any label.
// So it ends, as each round costs less in whole numbers, and where it ends follows from the order
// of nodes, values and labels alone.
#ifndef ROOFLINE_LABELLING_H
#define ROOFLINE_LABELLING_H

#include "two_sides.h"

enum { LABELS = 3 };

/* Node 0 is what surrounds the others; it has label 0 for good. */
enum { LABELLED_OUTSIDE };

/* What a conversion costs, by labels: [from][to]. No way round costs less. */
struct label_moves {
    long cost[LABELS][LABELS];
};

/* {0} begins; labelling_free() ends. */
struct labelling {
    struct labelled_node *node; /* owned, as all of it */
    struct labelled_value *value;
    int *user; /* of all values, one after the other */
    int node_count, value_count, user_count;
    int node_room, value_room, user_room;
};

void labelling_free(struct labelling *labelling);

/* Another node; the first is 1. SIDES_NEVER: it cannot have that label; where that is 0, it has one
 * alone. */
int labelling_add_node(struct labelling *labelling, const long cost[LABELS], int *node,
                       struct error *error);

/* Another value, and who uses the last one. */
int labelling_add_value(struct labelling *labelling, int maker, const struct label_moves *moves,
                        struct error *error);
int labelling_add_user(struct labelling *labelling, int node, struct error *error);

/* The sum under these labels, one for each node, that outside too. */
long labelling_cost(const struct labelling *labelling, const int *label);

/* Fills in the labels. They cost no more than the cheapest way in which all nodes that can have 0
 * have that or a certain other one. Nodes leave 0 only where that costs less. */
int labelling_choose(const struct labelling *labelling, int *label, struct error *error);

#endif
