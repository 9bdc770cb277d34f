// graph_text.h - graphs as text that people and this program read: one line per input, constant,
// node and output.
//
//   graph block (ir 8, onnx 17)
//   input x: f32[batch,64,56,56]
//   const w: f32[64,64,3,3] = named
//   const axes: i64[2] = {2, 3}
//   y: f32[batch,64,56,56] = Conv(x, w, -) {pads: [1, 1, 1, 1], group: 1} as conv1
//   z: f32[batch,64,56,56] = com.microsoft::Gelu(y)
//   output z
//
// A dim is a number, a name or ?; a type may be left out or be ?; - is an operand that is absent;
// what is no plain word stands in "quotes" with \", \\ and \xHH. Attributes are whole numbers,
// reals (with a point, an exponent, nan or inf), "texts", lists of one kind in [], typed where they
// are empty (ints[], reals[], texts[]), tensors (f32[2] {1, 2}) and subgraphs: {then_branch: block,
// else_branch: block} is followed by as many sections `block NAME` ... `end`, in that order. An
// input with values may be replaced by whoever runs the graph. Domain::Type@7 is an operator of
// another domain, or of another version than the graph's. # begins a comment.
#ifndef ROOFLINE_GRAPH_TEXT_H
#define ROOFLINE_GRAPH_TEXT_H

#include <stdio.h>

#include "graph.h"

/* Values of reals that are printed at most where nothing else is asked for. */
enum { GRAPH_VALUES_MAX = 16 };

/* Prints the graph. A constant of reals with more than `most_values` elements is printed as
 * `= named`: the values of weights.h, with a digest of its own ones in a comment where these are
 * others. So the text alone is a graph that runs, and equal texts are equal graphs but for such
 * values. FAULT_IO where the stream fails. */
int graph_print(const struct graph *graph, FILE *file, long most_values, struct error *error);

/* Bytes of all values that are `named` at most, where nothing else is asked for. */
#define GRAPH_NAMED_BYTES_MAX (4L << 30)

/* Initialises `graph` from a text, which ends in a 0; types are inferred and the graph is verified.
 * FAULT_IO names `name` and the line. graph_free() also after a failure. */
int graph_parse(struct graph *graph, const char *name, const char *text, long most_named_bytes,
                struct error *error);

#endif
