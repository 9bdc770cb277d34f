// onnx_parts.h - what the files that read ONNX share. protoc-c makes <onnx.pb-c.h> from the
// system's onnx.proto; without it HAVE_ONNX is 0.
#ifndef ROOFLINE_ONNX_PARTS_H
#define ROOFLINE_ONNX_PARTS_H

#include "graph.h"

#if __has_include(<onnx.pb-c.h>)
#define HAVE_ONNX 1
#include <string.h>

#include <onnx.pb-c.h>

/* Walks over the bytes as a message of that kind, and unpacks it where that is safe: FAULT_IO with
 * the place where it is broken, nested too deep, or would take far more memory than its bytes.
 * The caller frees it by protobuf_c_message_free_unpacked(message, NULL). */
int onnx_unpack(ProtobufCMessage **message, const ProtobufCMessageDescriptor *kind,
                const char *name, const void *bytes, size_t length, struct error *error);

/* Where external data may lie. */
struct onnx_place {
    const char *model; /* path of the model; NULL: external data are refused */
};

/* The tensor as an array; `graph` NULL: without external data. Data are borrowed from the message
 * or of the arena (from a mapped file: of the graph). FAULT_IO for elements, dims and lengths that
 * do not go together; words begin with the tensor's name. */
int onnx_tensor(struct array *array, const Onnx__TensorProto *tensor, struct arena *arena,
                struct graph *graph, struct onnx_place place, struct error *error);

/* ---- the model as it is read ---- */

/* Names of tensors that can be seen at a place: those of a block hide equal ones around it. */
struct scope_entry {
    const char *name; /* of the message */
    int tensor;       /* -1: an argument of a function that its call leaves out */
    int depth;        /* of the block that has it */
    int below;        /* entry with the same hash below it; -1: none */
    bool is_promised; /* an output of a function that no node has made yet */
};

struct scopes {
    struct scope_entry *entry; /* a stack, of malloc */
    int count, capacity;
    int *bucket; /* topmost entry by hash; of malloc */
    int bucket_count;
    int depth;
    int floor; /* entries below it are not seen: those of the caller of a function */
};

/* A call of a function of the model, whose body is being read. */
struct call_frame {
    const Onnx__FunctionProto *function;
    const Onnx__NodeProto *call;
    const struct call_frame *outer; /* in which the call stands; NULL: in the graph */
    int depth;
};

struct reader {
    struct graph *graph;
    const char *name; /* of the file, for messages */
    struct onnx_place place;
    const Onnx__ModelProto *model;
    struct scopes scopes;
    const struct call_frame *frame; /* NULL: no function */
    long inlined_nodes;             /* of all functions together */
    struct error *error;
};

/* The entry of that name that is seen here, borrowed until the next scope_add(); NULL: none. */
struct scope_entry *scope_find(const struct scopes *scopes, const char *name);

/* FAULT_IO where this block has the name already. */
int scope_add(struct reader *reader, const char *name, int tensor, bool is_promised);
void scope_enter(struct scopes *scopes);
void scope_leave(struct scopes *scopes);
void scopes_free(struct scopes *scopes);

/* Inputs, constants, nodes and outputs of a graph into a block; a function has nodes only. */
int onnx_read_block(struct reader *reader, const Onnx__GraphProto *from, int block);

/* Tensors for all outputs of the nodes, and then the nodes. */
int onnx_declare(struct reader *reader, Onnx__NodeProto *const *nodes, size_t count, int block);
int onnx_read_nodes(struct reader *reader, Onnx__NodeProto *const *nodes, size_t count, int block);

/* The attributes of a node that has just been added. */
int onnx_read_attributes(struct reader *reader, const Onnx__NodeProto *from, int node);

/* The type that is said of a tensor is added to what is known of it; FAULT_IO where it contradicts.
 */
int onnx_read_type(struct reader *reader, const Onnx__TypeProto *from, int tensor);

/* "" for NULL; for ONNX's own domain by its other name, too. */
static inline const char *text_or_empty(const char *text)
{
    return text ? text : "";
}

static inline const char *domain_of(const char *domain)
{
    return !domain || strcmp(domain, "ai.onnx") == 0 ? "" : domain;
}

#else
#define HAVE_ONNX 0
#endif

#endif
