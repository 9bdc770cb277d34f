// expand.h - nodes of ONNX's own operators, for operators that say themselves in these.
#ifndef ROOFLINE_EXPAND_H
#define ROOFLINE_EXPAND_H

#include "op.h"

/* y = type(a, b) at the end of block 0; b may be -1. The result's tensor, or -1 (also where `a` is
 * -1, so that calls can follow each other). */
int expand_node(struct graph *graph, const char *type, int a, int b, struct error *error);

/* y = type(a, value). */
int expand_real(struct graph *graph, const char *type, int a, enum element element, double value,
                struct error *error);

/* The mean over the dims [first, rank), which stay as 1. */
int expand_mean(struct graph *graph, int a, int first, int rank, struct error *error);

/* The dims in the order `perm`. */
int expand_transpose(struct graph *graph, int a, const long *perm, int rank, struct error *error);

/* The last two of `rank` dims swapped. */
int expand_swap(struct graph *graph, int a, int rank, struct error *error);

#endif
