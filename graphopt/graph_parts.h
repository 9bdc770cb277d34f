// graph_parts.h - what the files that implement graph.h share.
#ifndef ROOFLINE_GRAPH_PARTS_H
#define ROOFLINE_GRAPH_PARTS_H

#include "graph.h"

/* Which tensor has a name: open addressing over ids; a name that was given once stays taken. */
struct graph_names {
    int *id; /* of the arena; -1: free */
    int capacity, count;
};

/* FAULT_ENVIRONMENT, -1. */
int graph_exhausted(const struct graph *graph, struct error *error);

/* Room for one more item in an array of the arena that is only ever lengthened by this function:
 * the array, moved where it had to be; NULL when memory is out. */
void *arena_room(struct arena *arena, void *items, int count, size_t bytes);

/* `tensor` is what has its name from now on. */
int graph_enter_name(struct graph *graph, int tensor, struct error *error);

/* A name that nothing has, made from `base`: of the arena, NULL when memory is out. */
const char *graph_fresh_name(struct graph *graph, const char *base);

/* Records and forgets one use. */
int tensor_add_use(struct graph *graph, int tensor, struct use use, struct error *error);
void tensor_drop_use(struct graph *graph, int tensor, struct use use);

/* Takes a node out of its block's order, and puts it in front of another (-1: at the end). */
void order_unlink(struct graph *graph, struct node *node);
void order_link(struct graph *graph, int node, int before);

/* Copies what the attribute points to into the arena; the data of tensors stay borrowed. */
int attribute_copy(struct graph *graph, struct attribute *to, const struct attribute *from,
                   struct error *error);

#endif
