// protobuf_writer.h - ONNX files made by hand, so that tests can break them.
// Format: https://protobuf.dev/programming-guides/encoding/
#ifndef ROOFLINE_PROTOBUF_WRITER_H
#define ROOFLINE_PROTOBUF_WRITER_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Fields of one message; {0} is empty. */
struct message {
    unsigned char *bytes; /* owned until it becomes a field of another */
    size_t length;
};

static inline void put_bytes(struct message *to, const void *bytes, size_t length)
{
    to->bytes = realloc(to->bytes, to->length + length + 1);
    if (length)
        memcpy(to->bytes + to->length, bytes, length);
    to->length += length;
}

static inline void put_varint(struct message *to, uint64_t value)
{
    unsigned char bytes[10];
    size_t length = 0;
    for (; value > 127; value >>= 7)
        bytes[length++] = (unsigned char)(value | 128);
    bytes[length++] = (unsigned char)value;
    put_bytes(to, bytes, length);
}

static inline void put_number(struct message *to, int field, int64_t value)
{
    put_varint(to, (uint64_t)field << 3);
    put_varint(to, (uint64_t)value);
}

static inline void put_block(struct message *to, int field, const void *bytes, size_t length)
{
    put_varint(to, (uint64_t)field << 3 | 2);
    put_varint(to, length);
    put_bytes(to, bytes, length);
}

static inline void put_text(struct message *to, int field, const char *text)
{
    put_block(to, field, text, strlen(text));
}

/* The field's content is freed. */
static inline void put_message(struct message *to, int field, struct message from)
{
    put_block(to, field, from.bytes, from.length);
    free(from.bytes);
}

/* ---- the messages of onnx.proto that tests need ---- */

enum { ONNX_FLOAT = 1, ONNX_INT64 = 7, ONNX_BOOL = 9 };

/* TensorProto with values as raw data; `length` bytes of them. */
static inline struct message tensor_message(const char *name, int element, const int64_t *dims,
                                            int rank, const void *data, size_t length)
{
    struct message tensor = {0};
    for (int i = 0; i < rank; i++)
        put_number(&tensor, 1, dims[i]);
    put_number(&tensor, 2, element);
    put_text(&tensor, 8, name);
    if (data)
        put_block(&tensor, 9, data, length);
    return tensor;
}

/* ValueInfoProto of floats; a dim of -1 is named "n". */
static inline struct message value_message(const char *name, const int64_t *dims, int rank)
{
    struct message shape = {0}, tensor = {0}, type = {0}, value = {0};
    for (int i = 0; i < rank; i++) {
        struct message dim = {0};
        if (dims[i] == -1)
            put_text(&dim, 2, "n");
        else
            put_number(&dim, 1, dims[i]);
        put_message(&shape, 1, dim);
    }
    put_number(&tensor, 1, ONNX_FLOAT);
    put_message(&tensor, 2, shape);
    put_message(&type, 1, tensor);
    put_text(&value, 1, name);
    put_message(&value, 2, type);
    return value;
}

/* NodeProto of up to two inputs ("" or NULL: none) and one output. */
static inline struct message node_message(const char *type, const char *first, const char *second,
                                          const char *output)
{
    struct message node = {0};
    if (first)
        put_text(&node, 1, first);
    if (second)
        put_text(&node, 1, second);
    put_text(&node, 2, output);
    put_text(&node, 4, type);
    return node;
}

/* AttributeProto that is a graph, which is freed. */
static inline struct message graph_attribute(const char *name, struct message graph)
{
    struct message attribute = {0};
    put_text(&attribute, 1, name);
    put_number(&attribute, 20, 5);
    put_message(&attribute, 6, graph);
    return attribute;
}

/* ModelProto around a graph, which is freed. */
static inline struct message model_message(struct message graph, int ir_version, int opset)
{
    struct message model = {0}, import = {0};
    put_number(&model, 1, ir_version);
    put_message(&model, 7, graph);
    put_text(&import, 1, "");
    put_number(&import, 2, opset);
    put_message(&model, 8, import);
    return model;
}

/* Input x f32[2,3], y = Relu(x), output y, to which a test adds. */
static inline struct message small_graph(void)
{
    static const int64_t dims[] = {2, 3};
    struct message graph = {0};
    put_message(&graph, 1, node_message("Relu", "x", NULL, "y"));
    put_text(&graph, 2, "small");
    put_message(&graph, 11, value_message("x", dims, 2));
    put_message(&graph, 12, value_message("y", dims, 2));
    return graph;
}

#endif
