// onnx_attribute.c - attributes of ONNX nodes.
#include "graph_parts.h"
#include "onnx_parts.h"

#if HAVE_ONNX

static int out_of_memory(struct reader *reader)
{
    return graph_exhausted(reader->graph, reader->error), FAILED;
}

/* The attribute that this one stands for: within a function it may be the call's. NULL: the call
 * has none, and neither has the node then. */
static const Onnx__AttributeProto *resolve(const Onnx__AttributeProto *attribute,
                                           const struct call_frame *frame)
{
    for (; attribute && attribute->ref_attr_name && *attribute->ref_attr_name;
         frame = frame->outer) {
        const Onnx__AttributeProto *referred = NULL;
        for (size_t i = 0; frame && i < frame->call->n_attribute; i++)
            if (strcmp(text_or_empty(frame->call->attribute[i]->name), attribute->ref_attr_name) ==
                0)
                referred = frame->call->attribute[i];
        attribute = referred;
        if (!frame)
            return NULL;
    }
    return attribute;
}

/* Files before IR version 2 do not say what an attribute is. */
static int kind_of(const Onnx__AttributeProto *from)
{
    if (from->type)
        return (int)from->type;
    return from->has_i       ? ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT
           : from->has_f     ? ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT
           : from->has_s     ? ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING
           : from->t         ? ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR
           : from->g         ? ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH
           : from->n_floats  ? ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS
           : from->n_strings ? ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS
                             : ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS;
}

static struct text text_of(ProtobufCBinaryData bytes)
{
    return (struct text){(const char *)bytes.data, bytes.len};
}

static int read_lists(struct reader *reader, const Onnx__AttributeProto *from, struct attribute *to)
{
    struct arena *arena = &reader->graph->arena;
    if (to->kind == ATTRIBUTE_INTS) {
        to->count = (long)from->n_ints;
        to->integers = arena_copy(arena, from->ints, from->n_ints * sizeof *from->ints);
        return to->integers ? OK : out_of_memory(reader);
    }
    if (to->kind == ATTRIBUTE_REALS) {
        double *reals = arena_take_array(arena, from->n_floats, sizeof *reals);
        for (size_t i = 0; reals && i < from->n_floats; i++)
            reals[i] = from->floats[i];
        to->count = (long)from->n_floats;
        to->reals = reals;
        return reals ? OK : out_of_memory(reader);
    }
    struct text *texts = arena_take_array(arena, from->n_strings, sizeof *texts);
    for (size_t i = 0; texts && i < from->n_strings; i++)
        texts[i] = text_of(from->strings[i]);
    to->count = (long)from->n_strings;
    to->texts = texts;
    return texts ? OK : out_of_memory(reader);
}

static int read_tensor(struct reader *reader, const Onnx__AttributeProto *from,
                       struct attribute *to)
{
    struct array *array = arena_take(&reader->graph->arena, sizeof *array);
    if (!array)
        return out_of_memory(reader);
    to->tensor = array;
    return onnx_tensor(array, from->t, &reader->graph->arena, reader->graph, reader->place,
                       reader->error);
}

static int read_graph(struct reader *reader, const Onnx__AttributeProto *from, int node,
                      struct attribute *to)
{
    to->block = graph_add_block(reader->graph, node, text_or_empty(from->g->name), reader->error);
    return to->block < 0 ? FAILED : onnx_read_block(reader, from->g, to->block);
}

static int read_value(struct reader *reader, const Onnx__AttributeProto *from, int node,
                      struct attribute *to)
{
    to->kind = ATTRIBUTE_OTHER;
    switch (kind_of(from)) {
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT:
        to->kind = ATTRIBUTE_INT;
        to->integer = from->i;
        return OK;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT:
        to->kind = ATTRIBUTE_REAL;
        to->real = from->f;
        return OK;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING:
        to->kind = ATTRIBUTE_TEXT;
        to->text = text_of(from->s);
        return OK;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR:
        if (!from->t)
            return OK;
        to->kind = ATTRIBUTE_TENSOR;
        return read_tensor(reader, from, to);
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH:
        if (!from->g)
            return OK;
        to->kind = ATTRIBUTE_BLOCK;
        return read_graph(reader, from, node, to);
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS:
        to->kind = ATTRIBUTE_INTS;
        return read_lists(reader, from, to);
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS:
        to->kind = ATTRIBUTE_REALS;
        return read_lists(reader, from, to);
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS:
        to->kind = ATTRIBUTE_TEXTS;
        return read_lists(reader, from, to);
    default:
        return OK;
    }
}

int onnx_read_attributes(struct reader *reader, const Onnx__NodeProto *from, int node)
{
    struct graph *graph = reader->graph;
    for (size_t i = 0; i < from->n_attribute; i++) {
        const char *name = text_or_empty(from->attribute[i]->name);
        const Onnx__AttributeProto *value = resolve(from->attribute[i], reader->frame);
        struct attribute attribute = {.name = name};
        if (!value)
            continue;
        if (*name == 0 || node_attribute(graph->node[node], name))
            return error_set(reader->error, FAULT_IO,
                             "'%s': %s has an attribute twice, or without a name: '%.50s'",
                             reader->name, node_label(graph, graph->node[node]).text, name);
        if (read_value(reader, value, node, &attribute) != OK ||
            graph_set_attribute(graph, node, &attribute, reader->error) != OK)
            return FAILED;
    }
    return OK;
}

#endif
