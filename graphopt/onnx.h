// onnx.h - ONNX files: models as graphs, and single tensors.
#ifndef ROOFLINE_ONNX_H
#define ROOFLINE_ONNX_H

#include "graph.h"

/* The newest version of ONNX's own operators that a model may ask for. All older ones are read, but
 * before 7 only operators that have not changed since, or say so, are known. */
enum { ONNX_OPSET_MAX = 28 };

/* Initialises `graph` from a model file: its nodes in an order of execution, with inferred types;
 * Constant nodes are constants, functions of the model and Ifs whose condition is known are put in
 * the place of the nodes that call them. Operators that nobody here knows are opaque nodes.
 * External data lie in files beside the model, and stay mapped.
 *
 * FAULT_IO names the place where the file is no ONNX model, is cut off, contradicts itself or is
 * more than it should be (nested too deep, too large for its length); FAULT_ENVIRONMENT where this
 * program was built without protobuf-c. graph_free() also after a failure. */
int onnx_read(struct graph *graph, const char *path, struct error *error);

/* The same from memory, borrowed for the call; `name` is for messages. External data are refused.
 */
int onnx_read_bytes(struct graph *graph, const char *name, const void *bytes, size_t length,
                    struct error *error);

/* One tensor (TensorProto), as input_0.pb of test data: data and name are of the arena. */
int onnx_read_tensor(struct arena *arena, const char *path, struct array *array, const char **name,
                     struct error *error);

/* Why ONNX files cannot be read: OK where they can, else SKIPPED with the remedy. */
int onnx_available(struct error *error);

#endif
