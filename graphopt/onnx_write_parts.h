// onnx_write_parts.h - what the files that write ONNX share.
#ifndef ROOFLINE_ONNX_WRITE_PARTS_H
#define ROOFLINE_ONNX_WRITE_PARTS_H

#include "onnx_parts.h"

#if HAVE_ONNX

/* A function of the model that says nodes of ours in ONNX's own operators. */
struct written_function {
    struct written_function *next;
    struct graph body;            /* owned: the message points into it */
    Onnx__FunctionProto *message; /* its name is stem_N */
    const char *stem;             /* "Conv" */
    const void *packed;           /* the message when it had no name: twins are equal */
    size_t length;
};

/* Messages are of the arena, and point into the graph where they can: its values are not copied. */
struct writer {
    const struct graph *graph; /* whose names, types and values are written */
    struct arena *arena;
    struct written_function **functions; /* newest first; shared by writers of functions' bodies */
    const char **node_name;              /* by id: runtimes refuse two of one name */
    bool has_calls;                      /* of functions that stand for nodes of ours */
    struct error *error;
};

/* FAULT_ENVIRONMENT. */
int onnx_write_exhausted(const struct writer *writer);

/* A message of that kind without fields, of the arena; NULL: memory is out. */
void *onnx_write_new(struct writer *writer, const ProtobufCMessageDescriptor *kind);

/* A block with all that is in it; block 0 has the constants. */
int onnx_write_block(struct writer *writer, int block, Onnx__GraphProto **message);

/* The node under that name; a call of `function` where that is not NULL. */
int onnx_write_node(struct writer *writer, const struct node *node, const char *name,
                    const char *function, Onnx__NodeProto **message);

/* An array as a tensor; without a name where that is NULL. */
int onnx_write_tensor(struct writer *writer, const struct array *array, const char *name,
                      Onnx__TensorProto **message);

/* Versions of the graph's domains. */
int onnx_write_opsets(struct writer *writer, size_t *count, Onnx__OperatorSetIdProto ***messages);

/* Name of the function that the node is written as a call of, made where it has no twin; NULL where
 * the node is written as it is. FAULT_USAGE where it cannot be said in ONNX. */
int onnx_write_call(struct writer *writer, const struct node *node, const char **function);

/* Frees the bodies of all functions. */
void onnx_write_free(struct writer *writer);

#endif
#endif
