// onnx.c - ONNX models as graphs.
#include "onnx.h"

#include "graph_file.h"
#include "graph_parts.h"
#include "onnx_parts.h"

#if HAVE_ONNX

int onnx_available(struct error *error)
{
    (void)error;
    return OK;
}

static int check_opset(const struct reader *reader, const Onnx__OperatorSetIdProto *import)
{
    const char *domain = domain_of(import->domain);
    if (import->version >= 1 && import->version <= (*domain ? 1 << 20 : ONNX_OPSET_MAX))
        return OK;
    return error_set(reader->error, FAULT_IO,
                     "'%s' asks for version %lld of the operators of '%.50s'; at most %d can be "
                     "read: convert it with onnx.version_converter",
                     reader->name, (long long)import->version, *domain ? domain : "ai.onnx",
                     ONNX_OPSET_MAX);
}

static int read_opsets(struct reader *reader)
{
    const Onnx__ModelProto *model = reader->model;
    for (size_t i = 0; i < model->n_opset_import; i++) {
        const Onnx__OperatorSetIdProto *import = model->opset_import[i];
        if (check_opset(reader, import) != OK ||
            graph_import(reader->graph, domain_of(import->domain), (int)import->version,
                         reader->error) != OK)
            return FAILED;
    }
    for (size_t i = 0; i < model->n_functions; i++)
        for (size_t k = 0; k < model->functions[i]->n_opset_import; k++)
            if (check_opset(reader, model->functions[i]->opset_import[k]) != OK)
                return FAILED;
    if (model->n_opset_import == 0)
        return error_set(reader->error, FAULT_IO,
                         "'%s' does not say of which opset its operators are", reader->name);
    return OK;
}

static int read_model(struct reader *reader)
{
    const Onnx__ModelProto *model = reader->model;
    struct graph *graph = reader->graph;
    if (!model->graph)
        return error_set(reader->error, FAULT_IO, "'%s' is no ONNX model: it has no graph",
                         reader->name);
    if (graph_init(graph, text_or_empty(model->graph->name), reader->error) != OK)
        return FAILED;
    /* From version 3 on models say of which opset they are. */
    if (model->ir_version < 3 || model->ir_version > 1000)
        return error_set(reader->error, FAULT_IO, "'%s' has IR version %lld, which cannot be read",
                         reader->name, (long long)model->ir_version);
    graph->ir_version = (int)model->ir_version;
    return read_opsets(reader) == OK ? onnx_read_block(reader, model->graph, 0) : FAILED;
}

/* Constants that are nodes, with a list or a number as attribute, have values after inference. */
static int settle_constants(struct graph *graph, struct error *error)
{
    for (int id = 0; id < graph->node_count; id++) {
        const struct node *node = graph->node[id];
        const int made = node_output(node, 0);
        if (node->is_dead || !node_is(node, "Constant") || made < 0 ||
            !tensor_is_known(graph->tensor[made]))
            continue;
        if (graph_make_constant(graph, made, graph->tensor[made]->data, error) != OK)
            return FAILED;
        graph_remove_node(graph, id);
    }
    return OK;
}

/* Order, types, and what is decided before the graph runs. Branches that are taken may decide
 * others. */
static int complete(struct graph *graph, struct error *error)
{
    int inlined = 1, result = graph_sort(graph, error);
    while (inlined > 0 && result == OK) {
        result = graph_infer(graph, error);
        if (result == OK)
            result = settle_constants(graph, error);
        if (result == OK)
            result = graph_inline_ifs(graph, &inlined, error);
    }
    return result == OK ? graph_verify(graph, error) : result;
}

static void free_model(struct graph_holding *holding)
{
    protobuf_c_message_free_unpacked(holding->bytes, NULL);
}

static int read_bytes(struct graph *graph, const char *name, struct onnx_place place,
                      const void *bytes, size_t length, struct error *error)
{
    struct reader reader = {.graph = graph, .name = name, .place = place, .error = error};
    ProtobufCMessage *message;
    *graph = (struct graph){0};
    if (onnx_unpack(&message, &onnx__model_proto__descriptor, name, bytes, length, error) != OK)
        return FAILED;
    reader.model = (const Onnx__ModelProto *)message;
    int result = read_model(&reader);
    scopes_free(&reader.scopes);
    /* Constants are borrowed from it. */
    if (graph_hold(graph, free_model, message, error) != OK)
        return FAILED;
    return result == OK ? complete(graph, error) : result;
}

int onnx_read(struct graph *graph, const char *path, struct error *error)
{
    struct mapping mapping;
    *graph = (struct graph){0};
    if (mapping_open(&mapping, path, error) != OK)
        return FAILED;
    const struct onnx_place place = {path};
    const int result = read_bytes(graph, path, place, mapping.bytes, mapping.length, error);
    mapping_close(&mapping);
    return result;
}

int onnx_read_bytes(struct graph *graph, const char *name, const void *bytes, size_t length,
                    struct error *error)
{
    const struct onnx_place nowhere = {NULL};
    return read_bytes(graph, name, nowhere, bytes, length, error);
}

#else

int onnx_available(struct error *error)
{
    return error_skip(error, "ONNX files cannot be read: built without protobuf-c or onnx.proto; "
                             "`make deps`, then build again");
}

static int refuse(struct graph *graph, struct error *error)
{
    *graph = (struct graph){0};
    struct error reason;
    onnx_available(&reason);
    return error_set(error, FAULT_ENVIRONMENT, "%s", reason.text);
}

int onnx_read(struct graph *graph, const char *path, struct error *error)
{
    (void)path;
    return refuse(graph, error);
}

int onnx_read_bytes(struct graph *graph, const char *name, const void *bytes, size_t length,
                    struct error *error)
{
    (void)name, (void)bytes, (void)length;
    return refuse(graph, error);
}

#endif
