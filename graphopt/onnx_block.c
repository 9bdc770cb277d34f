// onnx_block.c - graphs of ONNX, subgraphs and functions as blocks of nodes.
#include "graph_parts.h"
#include "onnx_parts.h"
#include "op.h"

#if HAVE_ONNX

/* ---- types ---- */

static int read_dims(struct reader *reader, const Onnx__TensorShapeProto *from, int tensor,
                     struct type *type)
{
    const char *name = reader->graph->tensor[tensor]->name;
    if (from->n_dim > RANK_MAX)
        return error_set(reader->error, FAULT_IO,
                         "'%s': tensor '%.100s' has %zu dimensions; at most %d can be handled",
                         reader->name, name, from->n_dim, RANK_MAX);
    type->rank = (int)from->n_dim;
    for (int i = 0; i < type->rank; i++) {
        const Onnx__TensorShapeProto__Dimension *dim = from->dim[i];
        type->dims[i] = -1;
        if (dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE)
            type->dims[i] = dim->dim_value;
        else if (dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM &&
                 *text_or_empty(dim->dim_param))
            type->symbol[i] = graph_symbol(reader->graph, dim->dim_param, reader->error);
        if (type->symbol[i] < 0)
            return FAILED;
    }
    return type_check(type, name, reader->error);
}

int onnx_read_type(struct reader *reader, const Onnx__TypeProto *from, int tensor)
{
    struct tensor *of = reader->graph->tensor[tensor];
    struct type type = UNKNOWN_TYPE;
    if (!from || from->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE || !from->tensor_type)
        return OK;
    type.element = (enum element)from->tensor_type->elem_type;
    if (type.element != ELEMENT_NONE && element_bits(type.element) == 0)
        return error_set(reader->error, FAULT_IO,
                         "'%s': tensor '%.100s' has elements of the unknown type %d", reader->name,
                         of->name, from->tensor_type->elem_type);
    if (from->tensor_type->shape &&
        read_dims(reader, from->tensor_type->shape, tensor, &type) != OK)
        return FAILED;
    if (type_merge(&of->type, &type) != OK)
        return error_set(reader->error, FAULT_IO, "'%s': tensor '%.100s' is said to be %s and %s",
                         reader->name, of->name, type_format(reader->graph, &of->type).text,
                         type_format(reader->graph, &type).text);
    return OK;
}

/* ---- inputs, constants, outputs ---- */

static int check_name(struct reader *reader, const char *name, const char *what)
{
    if (name && *name)
        return OK;
    return error_set(reader->error, FAULT_IO, "'%s': %s has no name", reader->name, what);
}

static int read_constants(struct reader *reader, const Onnx__GraphProto *from)
{
    struct graph *graph = reader->graph;
    if (from->n_sparse_initializer)
        return error_set(reader->error, FAULT_IO,
                         "'%s' has sparse initializers, which cannot be read; make them dense",
                         reader->name);
    for (size_t i = 0; i < from->n_initializer; i++) {
        const char *name = from->initializer[i]->name;
        struct array array;
        if (check_name(reader, name, "an initializer") != OK ||
            onnx_tensor(&array, from->initializer[i], &graph->arena, graph, reader->place,
                        reader->error) != OK)
            return FAILED;
        const int id = graph_add_constant(graph, name, &array.type, array.data, reader->error);
        if (id < 0 || scope_add(reader, name, id, false) != OK)
            return FAILED;
    }
    return OK;
}

/* An initializer that is an input too may be replaced by whoever runs the graph; before IR version
 * 4 all of them had to be inputs, and are constants. */
static int read_input(struct reader *reader, const char *name, int block, int *id)
{
    struct graph *graph = reader->graph;
    const struct scope_entry *there = scope_find(&reader->scopes, name);
    *id = there && there->depth == reader->scopes.depth ? there->tensor : -1;
    if (*id >= 0 && !graph->tensor[*id]->is_input) {
        if (graph->ir_version < 4)
            return OK;
        return graph_make_overridable(graph, *id, block, reader->error);
    }
    *id = graph_add_input(graph, block, name, &UNKNOWN_TYPE, reader->error);
    return *id < 0 ? FAILED : scope_add(reader, name, *id, false);
}

static int read_inputs(struct reader *reader, const Onnx__GraphProto *from, int block)
{
    for (size_t i = 0; i < from->n_input; i++) {
        int id;
        if (check_name(reader, from->input[i]->name, "an input") != OK ||
            read_input(reader, from->input[i]->name, block, &id) != OK ||
            onnx_read_type(reader, from->input[i]->type, id) != OK)
            return FAILED;
    }
    return OK;
}

/* What is said of tensors between the nodes. */
static int read_value_infos(struct reader *reader, const Onnx__GraphProto *from)
{
    for (size_t i = 0; i < from->n_value_info; i++) {
        const struct scope_entry *of =
            scope_find(&reader->scopes, text_or_empty(from->value_info[i]->name));
        if (of && of->depth == reader->scopes.depth && of->tensor >= 0 &&
            onnx_read_type(reader, from->value_info[i]->type, of->tensor) != OK)
            return FAILED;
    }
    return OK;
}

static int read_outputs(struct reader *reader, const Onnx__GraphProto *from, int block)
{
    for (size_t i = 0; i < from->n_output; i++) {
        const char *name = text_or_empty(from->output[i]->name);
        const struct scope_entry *of = scope_find(&reader->scopes, name);
        if (!of || of->tensor < 0)
            return error_set(reader->error, FAULT_IO,
                             "'%s': nothing makes the output '%.100s' of graph '%.100s'",
                             reader->name, name, text_or_empty(from->name));
        const int tensor = of->tensor;
        if (onnx_read_type(reader, from->output[i]->type, tensor) != OK ||
            graph_add_output(reader->graph, block, tensor, reader->error) != OK)
            return FAILED;
    }
    return OK;
}

int onnx_read_block(struct reader *reader, const Onnx__GraphProto *from, int block)
{
    scope_enter(&reader->scopes);
    int result = read_constants(reader, from);
    if (result == OK)
        result = read_inputs(reader, from, block);
    if (result == OK)
        result = onnx_declare(reader, from->node, from->n_node, block);
    if (result == OK)
        result = read_value_infos(reader, from);
    if (result == OK)
        result = onnx_read_nodes(reader, from->node, from->n_node, block);
    if (result == OK)
        result = read_outputs(reader, from, block);
    scope_leave(&reader->scopes);
    return result;
}

#endif
