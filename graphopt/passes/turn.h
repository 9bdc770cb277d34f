// turn.h - nodes that can work on images with channels last: (N, H, W, C) instead of (N, C, H, W).
#ifndef ROOFLINE_TURN_H
#define ROOFLINE_TURN_H

#include "graph.h"

enum { TURN_RANK = 4 };

enum turn_kind {
    TURN_NEVER,
    TURN_NODE,  /* another node makes the same with channels last */
    TURN_LAST,  /* a Transpose that puts channels last, or a Shuffle that is one with a Reshape
                   behind: of an input that has them there, nothing or the Reshape is left of it */
    TURN_FIRST, /* one that puts them first: its input is its output with channels last */
};

/* What an input of a node that is turned becomes. */
enum turn_role {
    ROLE_KEPT,     /* as it is */
    ROLE_IMAGE,    /* with channels last */
    ROLE_CONSTANT, /* the same, known now */
    ROLE_MISFIT,   /* it would have to be turned and cannot be */
};

/* Types of images are known. */
enum turn_kind turn_kind(const struct graph *graph, int node);
enum turn_role turn_role(const struct graph *graph, int node, int slot);

/* A constant of `to` with the value of a known tensor of `from` as an operand beside images with
 * channels last; dims of 1 in front are left out where the tensor has less dims than they. */
int turn_constant(struct graph *to, const struct graph *from, int tensor, struct error *error);

/* The node of `from` for images with channels last, in `to` in front of `before`, with inputs that
 * are in their roles already. Its outputs have names of their own. */
int turn_node(struct graph *to, const struct graph *from, int node, const int *inputs, int before,
              struct error *error);

/* A Transpose in front of `before` that puts channels last, or first. Returns its output. */
int turn_transpose(struct graph *graph, int tensor, bool to_last, int before, struct error *error);

#endif
