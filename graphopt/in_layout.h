// in_layout.h - an operator of ONNX over images in another layout: attribute `layout` says "nhwc"
// or "nchwc", and input 0 and output 0 are (N, H, W, C) or (N, C / 16, H, W, 16) where ONNX has
// (N, C, H, W). In blocks the channels are a multiple of 16, so that these have no filling. All
// other operands and all attributes are as ONNX has them. Of convolutions `source` "nchw" says that
// input 0 has channels first though: it is read as it comes. `result` "nchw" says so of output 0;
// kernels make it where that has one pixel, which lies the same either way.
//
// Sites here are of the operator of ONNX itself, node->op, with the arrays as they lie; without the
// attribute they are passed on as they are.
#ifndef ROOFLINE_IN_LAYOUT_H
#define ROOFLINE_IN_LAYOUT_H

#include "image_layout.h"
#include "op.h"

enum { LAYOUT_COUNT = LAYOUT_NCHWC + 1 };

/* NCHW where the node does not say another one. */
enum layout layout_of(const struct node *node);

/* Of input 0, and of output 0. */
enum layout layout_of_source(const struct node *node);
enum layout layout_of_result(const struct node *node);

/* Dims of an image in the layout. */
int layout_rank(enum layout layout);

/* An image of ONNX's in the layout, and back; what has another rank is returned as it is. The
 * channels, where they are known, are a multiple of 16 in blocks. */
struct type type_in_layout(const struct type *type, enum layout layout);
struct type type_channels_first(const struct type *type, enum layout layout);

/* As the functions of struct op. FAULT_IO for layouts that there are not, and for images that do
 * not have the dims of theirs; SKIPPED where the kernel has no letter for the layout. */
int layout_infer(struct site *site, struct error *error);
int layout_evaluate(struct site *site, struct error *error);
int layout_lower(const struct site *site, struct lowering *lowering, struct error *error);

/* The site with output 0 and the inputs from `first` on, in blocks, as they would be with channels
 * first: what varies along channels alone lies in the same order either way, and so does what is
 * like the output. What cannot be said so has no element there. */
int layout_unblock(const struct site *site, int first, struct site *with_channels_first,
                   struct error *error);

/* Adds to what expand() makes the tensor in the layout from ONNX's, or the other way; -1. */
int layout_expanded(struct graph *inner, int tensor, enum layout layout, bool to_layout,
                    struct error *error);

#endif
