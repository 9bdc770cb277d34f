// turn.h - nodes that can work on images in another layout than ONNX's: with channels last, or in
// blocks of channels (in_layout.h).
#ifndef ROOFLINE_TURN_H
#define ROOFLINE_TURN_H

#include "in_layout.h"

enum { TURN_RANK = 4 };

enum turn_kind {
    TURN_NEVER,
    TURN_NODE, /* another node makes the same in the other layout */
    TURN_TO,   /* a Transpose or Shuffle that puts channels first into the layout, perhaps with a
                  Reshape behind: of an input in that layout nothing or the Reshape is left of it */
    TURN_FROM, /* one that puts the layout into channels first: its input is its output in that
                  layout */
};

struct turning {
    enum turn_kind kind;
    bool can[LAYOUT_COUNT]; /* be in that layout; NCHW always */
};

/* What an input of a node that is turned becomes. */
enum turn_role {
    ROLE_KEPT,     /* as it is */
    ROLE_IMAGE,    /* in the layout */
    ROLE_CONSTANT, /* the same, known now */
    ROLE_MISFIT,   /* it would have to be turned and cannot be */
};

/* Types of images are known. */
struct turning turn_of(const struct graph *graph, int node);
enum turn_role turn_role(const struct graph *graph, int node, int slot);

/* Whether the tensor is an image of whole blocks of channels. */
bool turn_has_blocks(const struct graph *graph, int tensor);

/* The node of `from` for images in the layout, in `to` in front of `before` (-1: at the end of
 * block 0), with inputs that are in their roles already. Its outputs have names of their own. */
int turn_node(struct graph *to, const struct graph *from, int node, enum layout layout,
              const int *inputs, int before, struct error *error);

/* ---- turn_values.c ---- */

/* A constant of `to` with the value of a known tensor of `from` as an operand beside images in the
 * layout; dims of 1 in front are left out where the tensor has less dims than they. */
int turn_constant(struct graph *to, const struct graph *from, int tensor, enum layout layout,
                  struct error *error);

/* A node in front of `before` that takes the image from one layout to another. Returns its output.
 */
int turn_convert(struct graph *graph, int tensor, enum layout from, enum layout to, int before,
                 struct error *error);

/* Whether elements lie in the same order either way; `first` is the type with channels first. */
bool turn_is_view(const struct type *first, enum layout from, enum layout to);

/* Adds the domain of operators of our own where it is not there. */
int turn_import(struct graph *graph, struct error *error);

#endif
