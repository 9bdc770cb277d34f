// in_layout.h - an operator of ONNX over images whose channels are last: attribute `layout` says
// "nhwc", and input 0 and output 0 are (N, H, W, C) where ONNX has (N, C, H, W). All other operands
// and all attributes are as ONNX has them.
//
// Sites here are of the operator of ONNX itself, node->op, with the arrays as they lie; without the
// attribute they are passed on as they are.
#ifndef ROOFLINE_IN_LAYOUT_H
#define ROOFLINE_IN_LAYOUT_H

#include "op.h"

/* Whether channels are last. */
bool layout_is_last(const struct node *node);

/* The same type with its four dims as they are with channels last, and back; of other ranks as it
 * is. */
struct type type_channels_last(const struct type *type);
struct type type_channels_first(const struct type *type);

/* As the functions of struct op. FAULT_IO for other layouts than nhwc and nchw, and for images that
 * have not four dims; SKIPPED where the kernel has no letter for the layout. */
int layout_infer(struct site *site, struct error *error);
int layout_evaluate(struct site *site, struct error *error);
int layout_lower(const struct site *site, struct lowering *lowering, struct error *error);

/* Adds a Transpose to what expand() makes: the tensor with channels last, or first; -1. */
int layout_transposed(struct graph *inner, int tensor, bool to_last, struct error *error);

#endif
