// onnx_write_function.c - nodes that ONNX does not have, or has in another version, as calls of
// functions of the model.
#include "onnx_write_parts.h"
#include "op.h"

#if HAVE_ONNX

#include <stdio.h>

static bool is_ours(const struct node *node)
{
    return node->op && strcmp(node->domain, "roofline") == 0;
}

/* ---- the body as a graph ---- */

/* ONNX's own operators at the graph's version; where the node is of another, at that one. */
static int import_domains(const struct writer *writer, const struct node *node, struct graph *inner)
{
    const struct graph *graph = writer->graph;
    enum { WITHOUT_ONE = 17 };
    int result = graph_import(inner, "", WITHOUT_ONE, writer->error);
    for (int i = 0; i < graph->opset_count && result == OK; i++)
        if (strcmp(graph->opset[i].domain, "roofline") != 0)
            result =
                graph_import(inner, graph->opset[i].domain, graph->opset[i].version, writer->error);
    if (result == OK && !is_ours(node))
        result = graph_import(inner, node->domain, node->opset, writer->error);
    return result;
}

/* One for each input of the node; "absent" is the name of those that nothing uses. */
static int add_inputs(const struct writer *writer, const struct node *node, struct graph *inner)
{
    for (int i = 0; i < node->input_count; i++) {
        const struct tensor *of =
            node->inputs[i] >= 0 ? writer->graph->tensor[node->inputs[i]] : NULL;
        struct type type = of ? of->type : UNKNOWN_TYPE;
        char name[32];
        for (int k = 0; k < type.rank; k++)
            if (type.symbol[k])
                type.symbol[k] = graph_symbol(inner, writer->graph->symbol[type.symbol[k] - 1].name,
                                              writer->error);
        snprintf(name, sizeof name, of ? "input%d" : "absent%d", i);
        if (graph_add_input(inner, 0, name, &type, writer->error) < 0)
            return FAILED;
    }
    return OK;
}

/* The node itself, for one of another version. */
static int add_node(const struct writer *writer, const struct node *node, struct graph *inner)
{
    int *outputs = arena_take_array(writer->arena, (size_t)node->output_count, sizeof *outputs);
    int *inputs = arena_take_array(writer->arena, (size_t)node->input_count, sizeof *inputs);
    if (!outputs || !inputs)
        return onnx_write_exhausted(writer);
    for (int i = 0; i < node->input_count; i++)
        inputs[i] = node->inputs[i] >= 0 ? inner->block[0]->inputs[i] : -1;
    for (int i = 0; i < node->output_count; i++) {
        outputs[i] = graph_add_tensor(inner, 0, "output", &UNKNOWN_TYPE, writer->error);
        if (outputs[i] < 0)
            return FAILED;
    }
    const struct node_spec spec = {.type = node->type,
                                   .domain = node->domain,
                                   .before = -1,
                                   .inputs = inputs,
                                   .input_count = node->input_count,
                                   .outputs = outputs,
                                   .output_count = node->output_count};
    const int id = graph_add_node(inner, &spec, writer->error);
    int result = id < 0 ? FAILED : OK;
    for (int i = 0; i < node->attribute_count && result == OK; i++)
        result = graph_set_attribute(inner, id, &node->attributes[i], writer->error);
    for (int i = 0; i < node->output_count && result == OK; i++)
        result = graph_add_output(inner, 0, outputs[i], writer->error);
    return result;
}

/* SKIPPED where the operator cannot be said. */
static int build_body(const struct writer *writer, const struct node *node, struct graph *inner)
{
    struct site site;
    if (graph_init(inner, node->type, writer->error) != OK ||
        import_domains(writer, node, inner) != OK || add_inputs(writer, node, inner) != OK)
        return FAILED;
    if (!is_ours(node))
        return add_node(writer, node, inner);
    if (!node->op->expand)
        return error_skip(writer->error, "nothing says what it is in ONNX's own operators");
    if (site_open(&site, writer->graph, node, writer->arena, writer->error) != OK)
        return FAILED;
    return node->op->expand(&site, inner, writer->error);
}

/* ---- the body as a message ---- */

/* A node of one operand, one result and one attribute; the attribute's value is to be filled in. */
static int write_simple(struct writer *writer, const char *type, const char *input,
                        const char *output, Onnx__NodeProto **message,
                        Onnx__AttributeProto **attribute)
{
    Onnx__NodeProto *node = onnx_write_new(writer, &onnx__node_proto__descriptor);
    void **lists = arena_take_array(writer->arena, 3, sizeof *lists);
    *attribute = onnx_write_new(writer, &onnx__attribute_proto__descriptor);
    if (!node || !*attribute || !lists || !output)
        return onnx_write_exhausted(writer);
    lists[0] = (void *)(uintptr_t)input;
    lists[1] = (void *)(uintptr_t)output;
    lists[2] = *attribute;
    node->op_type = (char *)(uintptr_t)type;
    node->n_input = input != NULL;
    node->n_output = node->n_attribute = 1;
    node->input = (char **)&lists[0];
    node->output = (char **)&lists[1];
    node->attribute = (Onnx__AttributeProto **)&lists[2];
    (*attribute)->has_type = true;
    *message = node;
    return OK;
}

/* The values as doubles, of the arena. */
static int as_doubles(struct writer *writer, const struct tensor *tensor, struct array *doubles)
{
    const long count = type_elements(&tensor->type);
    double *values = arena_take_array(writer->arena, (size_t)count, sizeof *values);
    for (long i = 0; values && i < count; i++)
        values[i] = element_real(tensor->data, tensor->type.element, i);
    *doubles = (struct array){tensor->type, values};
    doubles->type.element = ELEMENT_f64;
    return values ? OK : onnx_write_exhausted(writer);
}

/* Before opset 9 a Constant has reals only: others are cast from doubles, which hold all that
 * shapes and axes are. */
static int write_constant(struct writer *writer, const struct tensor *tensor,
                          Onnx__FunctionProto *to)
{
    struct array array = {tensor->type, (void *)(uintptr_t)tensor->data};
    const enum element element = array.type.element;
    const bool is_cast = graph_opset(writer->graph, "") < 9 && element != ELEMENT_f16 &&
                         element != ELEMENT_f32 && element != ELEMENT_f64;
    const char *name = tensor->name;
    Onnx__AttributeProto *value;
    if (is_cast) {
        name = arena_print(writer->arena, "%s as f64", tensor->name);
        if (as_doubles(writer, tensor, &array) != OK)
            return FAILED;
    }
    if (write_simple(writer, "Constant", NULL, name, &to->node[to->n_node++], &value) != OK)
        return FAILED;
    value->name = "value";
    value->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR;
    const int result = onnx_write_tensor(writer, &array, NULL, &value->t);
    if (result != OK || !is_cast)
        return result;
    if (write_simple(writer, "Cast", name, tensor->name, &to->node[to->n_node++], &value) != OK)
        return FAILED;
    value->name = "to";
    value->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT;
    value->has_i = true;
    value->i = (int)element;
    return OK;
}

static int write_nodes(struct writer *writer, Onnx__FunctionProto *to)
{
    const struct graph *inner = writer->graph;
    to->node =
        arena_take_array(writer->arena, (size_t)inner->node_count + 2 * (size_t)inner->tensor_count,
                         sizeof *to->node);
    if (!to->node)
        return onnx_write_exhausted(writer);
    for (int id = 0; id < inner->tensor_count; id++)
        if (inner->tensor[id]->producer < 0 && inner->tensor[id]->use_count > 0 &&
            inner->tensor[id]->data && write_constant(writer, inner->tensor[id], to) != OK)
            return FAILED;
    for (int id = inner->block[0]->first; id >= 0; id = inner->node[id]->next)
        if (onnx_write_node(writer, inner->node[id], "", NULL, &to->node[to->n_node++]) != OK)
            return FAILED;
    return OK;
}

static int write_names(struct writer *writer, const int *tensors, int count, char ***names)
{
    *names = arena_take_array(writer->arena, (size_t)count, sizeof **names);
    for (int i = 0; *names && i < count; i++)
        (*names)[i] = (char *)(uintptr_t)writer->graph->tensor[tensors[i]]->name;
    return *names ? OK : onnx_write_exhausted(writer);
}

static int write_body(struct writer *writer, const struct node *node, Onnx__FunctionProto *to)
{
    const struct block *block = writer->graph->block[0];
    to->domain = "roofline";
    to->n_input = (size_t)block->input_count;
    to->n_output = (size_t)block->output_count;
    to->n_attribute = (size_t)node->attribute_count;
    to->attribute = arena_take_array(writer->arena, to->n_attribute, sizeof *to->attribute);
    if (!to->attribute)
        return onnx_write_exhausted(writer);
    for (int i = 0; i < node->attribute_count; i++)
        to->attribute[i] = (char *)(uintptr_t)node->attributes[i].name;
    if (write_names(writer, block->inputs, block->input_count, &to->input) != OK ||
        write_names(writer, block->outputs, block->output_count, &to->output) != OK)
        return FAILED;
    return write_nodes(writer, to) == OK
               ? onnx_write_opsets(writer, &to->n_opset_import, &to->opset_import)
               : FAILED;
}

/* ---- functions of the model ---- */

static struct written_function *find_twin(const struct writer *writer, const char *stem,
                                          const void *packed, size_t length)
{
    for (struct written_function *each = *writer->functions; each; each = each->next)
        if (each->length == length && strcmp(each->stem, stem) == 0 &&
            memcmp(each->packed, packed, length) == 0)
            return each;
    return NULL;
}

static int number_of(const struct writer *writer, const char *stem)
{
    int count = 0;
    for (const struct written_function *each = *writer->functions; each; each = each->next)
        count += strcmp(each->stem, stem) == 0;
    return count;
}

/* "Conv", or "Conv_v11" of another version: whoever reads does not take it for one of ours. */
static const char *stem_of(const struct writer *writer, const struct node *node)
{
    return is_ours(node) ? node->type
                         : arena_print(writer->arena, "%s_v%d", node->type, node->opset);
}

static int keep_function(struct writer *writer, const struct node *node,
                         struct written_function *function, const char **name)
{
    Onnx__FunctionProto *message = function->message;
    function->length = protobuf_c_message_get_packed_size(&message->base);
    void *packed = arena_take(writer->arena, function->length);
    function->stem = stem_of(writer, node);
    if (!packed || !function->stem)
        return onnx_write_exhausted(writer);
    protobuf_c_message_pack(&message->base, packed);
    function->packed = packed;
    const struct written_function *twin =
        find_twin(writer, function->stem, packed, function->length);
    if (twin) {
        *name = twin->message->name;
        return OK;
    }
    *name = message->name =
        arena_print(writer->arena, "%s_%d", function->stem, number_of(writer, function->stem));
    function->next = *writer->functions;
    *writer->functions = function;
    return *name ? OK : onnx_write_exhausted(writer);
}

static int make_function(struct writer *writer, const struct node *node, const char **name)
{
    struct written_function *function = arena_take(writer->arena, sizeof *function);
    if (!function)
        return onnx_write_exhausted(writer);
    struct writer of_body = *writer;
    of_body.graph = &function->body;
    function->message = onnx_write_new(writer, &onnx__function_proto__descriptor);
    int result = function->message ? build_body(writer, node, &function->body)
                                   : onnx_write_exhausted(writer);
    if (result == OK)
        result = write_body(&of_body, node, function->message);
    if (result == OK)
        result = keep_function(writer, node, function, name);
    if (*writer->functions != function)
        graph_free(&function->body);
    return result;
}

static bool has_blocks(const struct node *node)
{
    for (int i = 0; i < node->attribute_count; i++)
        if (node->attributes[i].kind == ATTRIBUTE_BLOCK)
            return true;
    return false;
}

int onnx_write_call(struct writer *writer, const struct node *node, const char **function)
{
    const struct graph *graph = writer->graph;
    const bool is_at_home = node->opset == graph_opset(graph, node->domain);
    *function = NULL;
    if (!is_ours(node) && is_at_home)
        return OK;
    writer->has_calls = true;
    const int result = has_blocks(node)
                           ? error_skip(writer->error, "no function can have its subgraphs")
                           : make_function(writer, node, function);
    if (result != SKIPPED)
        return result;
    char why[200];
    snprintf(why, sizeof why, "%.190s", writer->error->text);
    return error_set(writer->error, FAULT_USAGE, "%s cannot be written as ONNX: %s",
                     node_label(graph, node).text, why);
}

void onnx_write_free(struct writer *writer)
{
    for (struct written_function *each = *writer->functions; each; each = each->next)
        graph_free(&each->body);
}

#endif
