// onnx_write_block.c - blocks of a graph as messages of ONNX: constants, inputs, nodes, outputs.
#include "onnx_write_parts.h"

#if HAVE_ONNX

static char *borrow(const char *text)
{
    return (char *)(uintptr_t)text; /* protobuf-c only reads what it packs */
}

static const struct tensor *tensor_of(const struct writer *writer, int id)
{
    return writer->graph->tensor[id];
}

/* ---- types and values ---- */

static int write_dims(struct writer *writer, const struct type *type,
                      Onnx__TensorShapeProto **message)
{
    Onnx__TensorShapeProto *shape = onnx_write_new(writer, &onnx__tensor_shape_proto__descriptor);
    if (!shape)
        return onnx_write_exhausted(writer);
    shape->n_dim = (size_t)type->rank;
    shape->dim = arena_take_array(writer->arena, shape->n_dim, sizeof *shape->dim);
    for (int i = 0; shape->dim && i < type->rank; i++) {
        Onnx__TensorShapeProto__Dimension *dim =
            onnx_write_new(writer, &onnx__tensor_shape_proto__dimension__descriptor);
        if (!dim)
            return onnx_write_exhausted(writer);
        if (type->dims[i] >= 0) {
            dim->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
            dim->dim_value = type->dims[i];
        } else if (type->symbol[i]) {
            dim->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
            dim->dim_param = borrow(writer->graph->symbol[type->symbol[i] - 1].name);
        }
        shape->dim[i] = dim;
    }
    *message = shape;
    return shape->dim ? OK : onnx_write_exhausted(writer);
}

/* A name with its type, as far as it is known. */
static int write_value(struct writer *writer, int id, Onnx__ValueInfoProto **message)
{
    const struct tensor *tensor = tensor_of(writer, id);
    Onnx__ValueInfoProto *value = onnx_write_new(writer, &onnx__value_info_proto__descriptor);
    Onnx__TypeProto *type = onnx_write_new(writer, &onnx__type_proto__descriptor);
    Onnx__TypeProto__Tensor *of = onnx_write_new(writer, &onnx__type_proto__tensor__descriptor);
    if (!value || !type || !of)
        return onnx_write_exhausted(writer);
    *message = value;
    value->name = borrow(tensor->name);
    if (tensor->type.element == ELEMENT_NONE)
        return OK;
    value->type = type;
    type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    type->tensor_type = of;
    of->has_elem_type = true;
    of->elem_type = (int)tensor->type.element;
    return tensor->type.rank >= 0 ? write_dims(writer, &tensor->type, &of->shape) : OK;
}

static ProtobufCBinaryData bytes_of(const struct text *text)
{
    return (ProtobufCBinaryData){text->length, (uint8_t *)borrow(text->bytes)};
}

static int write_texts(struct writer *writer, const struct text *texts, size_t count,
                       ProtobufCBinaryData **messages)
{
    *messages = arena_take_array(writer->arena, count, sizeof **messages);
    for (size_t i = 0; *messages && i < count; i++)
        (*messages)[i] = bytes_of(&texts[i]);
    return *messages ? OK : onnx_write_exhausted(writer);
}

int onnx_write_tensor(struct writer *writer, const struct array *array, const char *name,
                      Onnx__TensorProto **message)
{
    Onnx__TensorProto *tensor = onnx_write_new(writer, &onnx__tensor_proto__descriptor);
    const struct type *type = &array->type;
    if (!tensor)
        return onnx_write_exhausted(writer);
    *message = tensor;
    tensor->name = borrow(name);
    tensor->has_data_type = true;
    tensor->data_type = (int)type->element;
    tensor->n_dims = (size_t)type->rank;
    tensor->dims =
        (int64_t *)arena_copy(writer->arena, type->dims, (size_t)type->rank * sizeof *type->dims);
    if (!tensor->dims)
        return onnx_write_exhausted(writer);
    if (type->element == ELEMENT_text) {
        tensor->n_string_data = (size_t)type_elements(type);
        return write_texts(writer, array->data, tensor->n_string_data, &tensor->string_data);
    }
    tensor->has_raw_data = true;
    tensor->raw_data.len = (size_t)type_bytes(type);
    tensor->raw_data.data = array->data;
    return OK;
}

/* ---- attributes ---- */

static int write_list(struct writer *writer, const struct attribute *from, Onnx__AttributeProto *to)
{
    const size_t count = (size_t)from->count;
    switch (from->kind) {
    case ATTRIBUTE_INTS:
        to->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS;
        to->n_ints = count;
        to->ints = arena_copy(writer->arena, from->integers, count * sizeof *from->integers);
        return to->ints ? OK : onnx_write_exhausted(writer);
    case ATTRIBUTE_REALS:
        to->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS;
        to->n_floats = count;
        to->floats = arena_take_array(writer->arena, count, sizeof *to->floats);
        for (size_t i = 0; to->floats && i < count; i++)
            to->floats[i] = (float)from->reals[i];
        return to->floats ? OK : onnx_write_exhausted(writer);
    default:
        to->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS;
        to->n_strings = count;
        return write_texts(writer, from->texts, count, &to->strings);
    }
}

static int write_attribute(struct writer *writer, const struct attribute *from,
                           Onnx__AttributeProto *to)
{
    to->name = borrow(from->name);
    to->has_type = true;
    switch (from->kind) {
    case ATTRIBUTE_INT:
        to->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT;
        to->has_i = true;
        to->i = from->integer;
        return OK;
    case ATTRIBUTE_REAL:
        to->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT;
        to->has_f = true;
        to->f = (float)from->real;
        return OK;
    case ATTRIBUTE_TEXT:
        to->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING;
        to->has_s = true;
        to->s = bytes_of(&from->text);
        return OK;
    case ATTRIBUTE_TENSOR:
        to->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR;
        return onnx_write_tensor(writer, from->tensor, NULL, &to->t);
    case ATTRIBUTE_BLOCK:
        to->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH;
        if (onnx_write_block(writer, from->block, &to->g) != OK)
            return FAILED;
        if (!*to->g->name) /* a graph has to have one */
            to->g->name = to->name;
        return OK;
    case ATTRIBUTE_OTHER:
        return error_set(writer->error, FAULT_USAGE,
                         "attribute '%.50s' is of a kind that was not kept", from->name);
    default:
        return write_list(writer, from, to);
    }
}

/* ---- nodes ---- */

static int write_names(struct writer *writer, const int *tensors, int count, char ***names)
{
    *names = arena_take_array(writer->arena, (size_t)count, sizeof **names);
    for (int i = 0; *names && i < count; i++)
        (*names)[i] = borrow(tensors[i] >= 0 ? tensor_of(writer, tensors[i])->name : "");
    return *names ? OK : onnx_write_exhausted(writer);
}

int onnx_write_node(struct writer *writer, const struct node *node, const char *name,
                    const char *function, Onnx__NodeProto **message)
{
    Onnx__NodeProto *to = onnx_write_new(writer, &onnx__node_proto__descriptor);
    if (!to)
        return onnx_write_exhausted(writer);
    *message = to;
    to->name = borrow(name);
    to->op_type = borrow(function ? function : node->type);
    to->domain = borrow(function ? "roofline" : node->domain);
    to->n_input = (size_t)node->input_count;
    to->n_output = (size_t)node->output_count;
    to->n_attribute = (size_t)node->attribute_count;
    to->attribute = arena_take_array(writer->arena, to->n_attribute, sizeof *to->attribute);
    if (!to->attribute || write_names(writer, node->inputs, node->input_count, &to->input) != OK ||
        write_names(writer, node->outputs, node->output_count, &to->output) != OK)
        return onnx_write_exhausted(writer);
    for (int i = 0; i < node->attribute_count; i++) {
        to->attribute[i] = onnx_write_new(writer, &onnx__attribute_proto__descriptor);
        if (!to->attribute[i])
            return onnx_write_exhausted(writer);
        if (write_attribute(writer, &node->attributes[i], to->attribute[i]) != OK)
            return FAILED;
    }
    return OK;
}

/* ---- blocks ---- */

static int write_nodes(struct writer *writer, const struct block *block, Onnx__GraphProto *to)
{
    size_t count = (size_t)block->output_count; /* of each there may have to be a copy */
    for (int id = block->first; id >= 0; id = writer->graph->node[id]->next)
        count++;
    to->node = arena_take_array(writer->arena, count, sizeof *to->node);
    if (!to->node)
        return onnx_write_exhausted(writer);
    for (int id = block->first; id >= 0; id = writer->graph->node[id]->next) {
        const struct node *node = writer->graph->node[id];
        const char *function;
        if (onnx_write_call(writer, node, &function) != OK ||
            onnx_write_node(writer, node, writer->node_name[id], function, &to->node[to->n_node]) !=
                OK)
            return FAILED;
        to->n_node++;
    }
    return OK;
}

/* Constants that are used, and the values that inputs have unless somebody replaces them. */
static const void *value_to_write(const struct tensor *tensor)
{
    if (tensor->is_dead || tensor->producer >= 0)
        return NULL;
    return tensor->is_input ? tensor->fallback : tensor->use_count > 0 ? tensor->data : NULL;
}

static int write_constants(struct writer *writer, Onnx__GraphProto *to)
{
    const struct graph *graph = writer->graph;
    to->initializer =
        arena_take_array(writer->arena, (size_t)graph->tensor_count, sizeof *to->initializer);
    if (!to->initializer)
        return onnx_write_exhausted(writer);
    for (int id = 0; id < graph->tensor_count; id++) {
        const struct tensor *tensor = graph->tensor[id];
        const struct array array = {tensor->type, (void *)(uintptr_t)value_to_write(tensor)};
        if (!array.data)
            continue;
        if (onnx_write_tensor(writer, &array, tensor->name, &to->initializer[to->n_initializer]) !=
            OK)
            return FAILED;
        to->n_initializer++;
    }
    return OK;
}

/* A subgraph's output has to be made in it, and is one output: else there is a copy. */
static int write_copy(struct writer *writer, int id, int slot, Onnx__ValueInfoProto *output,
                      Onnx__GraphProto *to)
{
    Onnx__NodeProto *node = onnx_write_new(writer, &onnx__node_proto__descriptor);
    char **names = arena_take_array(writer->arena, 2, sizeof *names);
    if (!node || !names)
        return onnx_write_exhausted(writer);
    names[0] = borrow(tensor_of(writer, id)->name);
    do /* that no tensor has */
        names[1] = arena_print(writer->arena, "%s.%d", names[1] ? names[1] : names[0], slot);
    while (names[1] && graph_find(writer->graph, names[1]) >= 0);
    if (!names[1])
        return onnx_write_exhausted(writer);
    node->op_type = "Identity";
    node->n_input = node->n_output = 1;
    node->input = &names[0];
    node->output = &names[1];
    output->name = names[1];
    to->node[to->n_node++] = node;
    return OK;
}

static int write_outputs(struct writer *writer, int block, Onnx__GraphProto *to)
{
    const struct block *of = writer->graph->block[block];
    to->output = arena_take_array(writer->arena, (size_t)of->output_count, sizeof *to->output);
    if (!to->output)
        return onnx_write_exhausted(writer);
    for (int i = 0; i < of->output_count; i++) {
        const struct tensor *tensor = tensor_of(writer, of->outputs[i]);
        if (write_value(writer, of->outputs[i], &to->output[i]) != OK)
            return FAILED;
        bool is_copied = block > 0 && (tensor->block != block || tensor->producer < 0);
        for (int k = 0; k < i; k++)
            is_copied = is_copied || of->outputs[k] == of->outputs[i];
        if (is_copied && write_copy(writer, of->outputs[i], i, to->output[i], to) != OK)
            return FAILED;
        to->n_output++;
    }
    return OK;
}

static int write_inputs(struct writer *writer, const struct block *of, Onnx__GraphProto *to)
{
    to->input = arena_take_array(writer->arena, (size_t)of->input_count, sizeof *to->input);
    if (!to->input)
        return onnx_write_exhausted(writer);
    for (int i = 0; i < of->input_count; i++, to->n_input++)
        if (write_value(writer, of->inputs[i], &to->input[i]) != OK)
            return FAILED;
    return OK;
}

/* What is known of tensors between the nodes; block 0's outputs say it themselves. */
static int write_between(struct writer *writer, int block, Onnx__GraphProto *to)
{
    const struct graph *graph = writer->graph;
    to->value_info =
        arena_take_array(writer->arena, (size_t)graph->tensor_count, sizeof *to->value_info);
    if (!to->value_info)
        return onnx_write_exhausted(writer);
    for (int id = 0; id < graph->tensor_count; id++) {
        const struct tensor *tensor = graph->tensor[id];
        if (tensor->is_dead || tensor->producer < 0 || tensor->block != block ||
            tensor->type.element == ELEMENT_NONE || tensor->type.rank < 0 ||
            tensor_is_output(tensor))
            continue;
        if (write_value(writer, id, &to->value_info[to->n_value_info]) != OK)
            return FAILED;
        to->n_value_info++;
    }
    return OK;
}

int onnx_write_block(struct writer *writer, int block, Onnx__GraphProto **message)
{
    const struct block *of = writer->graph->block[block];
    Onnx__GraphProto *to = onnx_write_new(writer, &onnx__graph_proto__descriptor);
    if (!to)
        return onnx_write_exhausted(writer);
    *message = to;
    to->name = borrow(block > 0 ? of->name : *writer->graph->name ? writer->graph->name : "graph");
    if ((block == 0 && write_constants(writer, to) != OK) || write_inputs(writer, of, to) != OK ||
        write_nodes(writer, of, to) != OK || write_outputs(writer, block, to) != OK)
        return FAILED;
    return write_between(writer, block, to);
}

#endif
