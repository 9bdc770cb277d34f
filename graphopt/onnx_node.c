// onnx_node.c - nodes of ONNX graphs, and calls of a model's own functions.
#include "graph_parts.h"
#include "onnx_parts.h"
#include "op.h"

#if HAVE_ONNX

#include <stdio.h>

/* Calls within calls, and nodes of all of them together: functions that call each other twice are
 * exponential. */
enum { CALLS_MAX = 16, INLINED_MAX = 100000 };

/* "Conv 'name'" of a node that is not in the graph. */
static const char *label(const Onnx__NodeProto *node, char text[160])
{
    snprintf(text, 160, "%.60s '%.80s'", text_or_empty(node->op_type), text_or_empty(node->name));
    return text;
}

int onnx_declare(struct reader *reader, Onnx__NodeProto *const *nodes, size_t count, int block)
{
    for (size_t n = 0; n < count; n++)
        for (size_t i = 0; i < nodes[n]->n_output; i++) {
            const char *name = text_or_empty(nodes[n]->output[i]);
            struct scope_entry *there = scope_find(&reader->scopes, name);
            if (*name == 0)
                continue;
            if (there && there->depth == reader->scopes.depth && there->is_promised) {
                there->is_promised = false;
                continue;
            }
            const int id =
                graph_add_tensor(reader->graph, block, name, &UNKNOWN_TYPE, reader->error);
            if (id < 0 || scope_add(reader, name, id, false) != OK)
                return FAILED;
        }
    return OK;
}

/* Tensors by name, of the arena; -1 for "" and for what a call leaves out. */
static int find_operands(struct reader *reader, const Onnx__NodeProto *node, char **names,
                         size_t count, int **operands)
{
    *operands = arena_take_array(&reader->graph->arena, count, sizeof **operands);
    if (!*operands)
        return graph_exhausted(reader->graph, reader->error), FAILED;
    for (size_t i = 0; i < count; i++) {
        const char *name = text_or_empty(names[i]);
        const struct scope_entry *of = *name ? scope_find(&reader->scopes, name) : NULL;
        char text[160];
        if (*name && !of)
            return error_set(reader->error, FAULT_IO, "'%s': %s uses '%.100s', which nothing makes",
                             reader->name, label(node, text), name);
        (*operands)[i] = of ? of->tensor : -1;
    }
    return OK;
}

/* ---- functions ---- */

/* The model's function that the node calls; NULL: none. */
static const Onnx__FunctionProto *find_function(const struct reader *reader,
                                                const Onnx__NodeProto *node)
{
    for (size_t i = 0; i < reader->model->n_functions; i++) {
        const Onnx__FunctionProto *function = reader->model->functions[i];
        if (strcmp(text_or_empty(function->name), text_or_empty(node->op_type)) == 0 &&
            strcmp(domain_of(function->domain), domain_of(node->domain)) == 0)
            return function;
    }
    return NULL;
}

/* Names of inputs and outputs mean the call's operands. */
static int bind_operands(struct reader *reader, const Onnx__FunctionProto *function,
                         const Onnx__NodeProto *node, const int *inputs, const int *outputs)
{
    for (size_t i = 0; i < function->n_input; i++)
        if (scope_add(reader, text_or_empty(function->input[i]), i < node->n_input ? inputs[i] : -1,
                      false) != OK)
            return FAILED;
    for (size_t i = 0; i < function->n_output && i < node->n_output; i++)
        if (outputs[i] >= 0 &&
            scope_add(reader, text_or_empty(function->output[i]), outputs[i], true) != OK)
            return FAILED;
    return OK;
}

/* The body of the function in place of the node. */
static int call(struct reader *reader, const Onnx__FunctionProto *function,
                const Onnx__NodeProto *node, int block)
{
    struct scopes *scopes = &reader->scopes;
    const struct call_frame *outer = reader->frame;
    const struct call_frame frame = {function, node, outer, outer ? outer->depth + 1 : 1};
    char text[160];
    int *inputs, *outputs;
    reader->inlined_nodes += (long)function->n_node;
    if (frame.depth > CALLS_MAX || reader->inlined_nodes > INLINED_MAX)
        return error_set(reader->error, FAULT_IO,
                         "'%s': %s: functions call each other %d deep, or make more than %d nodes",
                         reader->name, label(node, text), CALLS_MAX, INLINED_MAX);
    if (find_operands(reader, node, node->input, node->n_input, &inputs) != OK ||
        find_operands(reader, node, node->output, node->n_output, &outputs) != OK)
        return FAILED;
    const int floor = scopes->floor;
    scope_enter(scopes);
    scopes->floor = scopes->count;
    reader->frame = &frame;
    int result = bind_operands(reader, function, node, inputs, outputs);
    if (result == OK)
        result = onnx_declare(reader, function->node, function->n_node, block);
    if (result == OK)
        result = onnx_read_nodes(reader, function->node, function->n_node, block);
    scope_leave(scopes);
    scopes->floor = floor;
    reader->frame = outer;
    return result;
}

/* ---- nodes ---- */

/* Within a function the versions of operators are its own. */
static void set_opset(const struct reader *reader, struct node *node)
{
    const Onnx__FunctionProto *function = reader->frame ? reader->frame->function : NULL;
    for (size_t i = 0; function && i < function->n_opset_import; i++)
        if (strcmp(domain_of(function->opset_import[i]->domain), node->domain) == 0)
            node->opset = (int)function->opset_import[i]->version;
    node->op = op_find(node->domain, node->type, node->opset);
}

/* A Constant with a tensor is that tensor. */
static int read_constant(struct reader *reader, const Onnx__TensorProto *value, int output)
{
    struct graph *graph = reader->graph;
    struct tensor *tensor = graph->tensor[output];
    struct array array;
    if (onnx_tensor(&array, value, &graph->arena, graph, reader->place, reader->error) != OK)
        return FAILED;
    struct type type = array.type;
    if (type_merge(&type, &tensor->type) != OK)
        return error_set(reader->error, FAULT_IO, "'%s': constant '%.100s' is said to be %s",
                         reader->name, tensor->name, type_format(graph, &tensor->type).text);
    tensor->type = type;
    return graph_make_constant(graph, output, array.data, reader->error);
}

static const Onnx__TensorProto *constant_value(const Onnx__NodeProto *node)
{
    const bool is_constant = strcmp(text_or_empty(node->op_type), "Constant") == 0 &&
                             *domain_of(node->domain) == 0 && node->n_output == 1 &&
                             node->n_attribute == 1 && node->attribute[0]->t &&
                             strcmp(text_or_empty(node->attribute[0]->name), "value") == 0;
    return is_constant ? node->attribute[0]->t : NULL;
}

/* "Conv_0" of domain 'roofline' is a node of ours that onnx_write() made a call of: its type, NULL
 * where it is none. */
static const char *own_type(const struct reader *reader, const Onnx__NodeProto *node)
{
    const char *name = text_or_empty(node->op_type), *mark = strrchr(name, '_');
    const char *domain = domain_of(node->domain);
    if (strcmp(domain, "roofline") != 0 || !mark || !mark[1] ||
        mark[1 + strspn(mark + 1, "0123456789")])
        return NULL;
    const char *type = arena_print(&reader->graph->arena, "%.*s", (int)(mark - name), name);
    return type && op_find(domain, type, graph_opset(reader->graph, domain)) ? type : NULL;
}

static int read_node(struct reader *reader, const Onnx__NodeProto *from, int block)
{
    struct graph *graph = reader->graph;
    const Onnx__FunctionProto *function = find_function(reader, from);
    const Onnx__TensorProto *value = constant_value(from);
    const char *own = function ? own_type(reader, from) : NULL;
    char text[160];
    int *inputs, *outputs;
    if (*text_or_empty(from->op_type) == 0)
        return error_set(reader->error, FAULT_IO, "'%s': %s has no operator", reader->name,
                         label(from, text));
    if (function && !own)
        return call(reader, function, from, block);
    if (find_operands(reader, from, from->input, from->n_input, &inputs) != OK ||
        find_operands(reader, from, from->output, from->n_output, &outputs) != OK)
        return FAILED;
    if (value && outputs[0] >= 0)
        return read_constant(reader, value, outputs[0]);
    const struct node_spec spec = {.type = own ? own : from->op_type,
                                   .domain = domain_of(from->domain),
                                   .name = from->name,
                                   .block = block,
                                   .before = -1,
                                   .inputs = inputs,
                                   .input_count = (int)from->n_input,
                                   .outputs = outputs,
                                   .output_count = (int)from->n_output};
    const int id = graph_add_node(graph, &spec, reader->error);
    if (id < 0)
        return FAILED;
    set_opset(reader, graph->node[id]);
    return onnx_read_attributes(reader, from, id);
}

int onnx_read_nodes(struct reader *reader, Onnx__NodeProto *const *nodes, size_t count, int block)
{
    int result = OK;
    for (size_t i = 0; i < count && result == OK; i++)
        result = read_node(reader, nodes[i], block);
    return result;
}

#endif
