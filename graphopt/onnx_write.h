// onnx_write.h - graphs as ONNX files that other runtimes load.
//
// Nodes of the domain 'roofline' are calls of functions of the model, each with a body of ONNX's
// own operators that op->expand() builds: 'Conv' is called as roofline::Conv_0, Conv_1 and so on,
// one function for all calls that are alike. Our reader takes such a call for the node that it was.
#ifndef ROOFLINE_ONNX_WRITE_H
#define ROOFLINE_ONNX_WRITE_H

#include <stddef.h>

#include "graph.h"

/* Writes the file anew. FAULT_IO where it cannot be written; FAULT_USAGE names what cannot be said
 * in ONNX: attributes that were not kept, nodes of two versions of one domain, more than the 2 GiB
 * that protobuf allows. FAULT_ENVIRONMENT without protobuf-c. A failure leaves no file. */
int onnx_write(const struct graph *graph, const char *path, struct error *error);

/* The same into memory, which the caller frees. */
int onnx_write_bytes(const struct graph *graph, void **bytes, size_t *length, struct error *error);

#endif
