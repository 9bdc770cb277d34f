// onnx_write.c - a graph as a model in a file.
#include "onnx_write.h"

#include <limits.h>
#include <stdlib.h>

#include "file.h"
#include "onnx.h"
#include "onnx_write_parts.h"

#if HAVE_ONNX

/* From 4 on an initializer need not be an input, from 8 on models have functions.
 * https://github.com/onnx/onnx/blob/main/docs/Versioning.md */
enum { IR_CONSTANTS = 4, IR_FUNCTIONS = 8 };

int onnx_write_exhausted(const struct writer *writer)
{
    return error_set(writer->error, FAULT_ENVIRONMENT, "out of memory to write graph '%s'",
                     writer->graph->name);
}

void *onnx_write_new(struct writer *writer, const ProtobufCMessageDescriptor *kind)
{
    void *message = arena_take(writer->arena, kind->sizeof_message);
    if (message)
        protobuf_c_message_init(kind, message);
    return message;
}

int onnx_write_opsets(struct writer *writer, size_t *count, Onnx__OperatorSetIdProto ***messages)
{
    const struct graph *graph = writer->graph;
    *count = (size_t)graph->opset_count;
    *messages = arena_take_array(writer->arena, *count, sizeof **messages);
    for (size_t i = 0; *messages && i < *count; i++) {
        Onnx__OperatorSetIdProto *import =
            onnx_write_new(writer, &onnx__operator_set_id_proto__descriptor);
        if (!import)
            return onnx_write_exhausted(writer);
        import->domain = (char *)(uintptr_t)graph->opset[i].domain;
        import->has_version = true;
        import->version = graph->opset[i].version;
        (*messages)[i] = import;
    }
    return *messages ? OK : onnx_write_exhausted(writer);
}

/* In the order in which they were made. */
static int write_functions(struct writer *writer, Onnx__ModelProto *model)
{
    size_t count = 0;
    for (const struct written_function *each = *writer->functions; each; each = each->next)
        count++;
    model->functions = arena_take_array(writer->arena, count, sizeof *model->functions);
    if (!model->functions)
        return onnx_write_exhausted(writer);
    model->n_functions = count;
    for (const struct written_function *each = *writer->functions; each; each = each->next)
        model->functions[--count] = each->message;
    return OK;
}

/* A graph that was read may have no node of ours, and a version is needed for calls. */
static int import_calls(struct writer *writer, Onnx__ModelProto *model)
{
    if (!writer->has_calls || graph_opset(writer->graph, "roofline") > 0)
        return OK;
    Onnx__OperatorSetIdProto **longer =
        arena_take_array(writer->arena, model->n_opset_import + 1, sizeof *longer);
    Onnx__OperatorSetIdProto *import =
        onnx_write_new(writer, &onnx__operator_set_id_proto__descriptor);
    if (!longer || !import)
        return onnx_write_exhausted(writer);
    memcpy(longer, model->opset_import, model->n_opset_import * sizeof *longer);
    import->domain = "roofline";
    import->has_version = true;
    import->version = 1;
    longer[model->n_opset_import++] = import;
    model->opset_import = longer;
    return OK;
}

/* ---- names of nodes ---- */

struct named {
    const char *name;
    int id;
};

/* By name, those of one name in the order in which they were made. */
static int compare_named(const void *a, const void *b)
{
    const struct named *x = a, *y = b;
    const int by_name = strcmp(x->name, y->name);
    return by_name ? by_name : (x->id > y->id) - (x->id < y->id);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct named *)a)->name, ((const struct named *)b)->name);
}

/* The name with a number behind it that no node has. */
static const char *fresh_name(struct writer *writer, struct named named, const struct named *sorted,
                              size_t count)
{
    do
        named.name = arena_print(writer->arena, "%s.%d", named.name, named.id);
    while (named.name && bsearch(&named, sorted, count, sizeof *sorted, compare_names));
    return named.name;
}

/* A function that is called twice leaves nodes of one name behind: the later ones get another. */
static int name_nodes(struct writer *writer)
{
    const struct graph *graph = writer->graph;
    const size_t most = (size_t)graph->node_count;
    struct named *sorted = arena_take_array(writer->arena, most, sizeof *sorted);
    size_t count = 0;
    writer->node_name = arena_take_array(writer->arena, most, sizeof *writer->node_name);
    if (!sorted || !writer->node_name)
        return onnx_write_exhausted(writer);
    for (int id = 0; id < graph->node_count; id++) {
        writer->node_name[id] = graph->node[id]->name;
        if (!graph->node[id]->is_dead && *graph->node[id]->name)
            sorted[count++] = (struct named){graph->node[id]->name, id};
    }
    qsort(sorted, count, sizeof *sorted, compare_named);
    for (size_t i = 1; i < count; i++)
        if (compare_names(&sorted[i - 1], &sorted[i]) == 0) {
            const char *name = fresh_name(writer, sorted[i], sorted, count);
            if (!name)
                return onnx_write_exhausted(writer);
            writer->node_name[sorted[i].id] = name;
        }
    return OK;
}

/* ---- the model ---- */

static int write_model(struct writer *writer, Onnx__ModelProto *model)
{
    const int version = writer->graph->ir_version;
    if (name_nodes(writer) != OK || onnx_write_block(writer, 0, &model->graph) != OK ||
        write_functions(writer, model) != OK ||
        onnx_write_opsets(writer, &model->n_opset_import, &model->opset_import) != OK ||
        import_calls(writer, model) != OK)
        return FAILED;
    const int least = writer->has_calls ? IR_FUNCTIONS : IR_CONSTANTS;
    model->has_ir_version = true;
    model->ir_version = version > least ? version : least;
    model->producer_name = "roofline";
    if (protobuf_c_message_get_packed_size(&model->base) > INT_MAX)
        return error_set(writer->error, FAULT_USAGE,
                         "graph '%s' takes more than the 2 GiB of an ONNX file",
                         writer->graph->name);
    return OK;
}

/* A buffer of protobuf-c that writes on to a stream. */
struct stream_buffer {
    ProtobufCBuffer base;
    FILE *stream;
};

static void append(ProtobufCBuffer *buffer, size_t length, const uint8_t *bytes)
{
    /* Whether it failed the stream remembers. */
    fwrite(bytes, 1, length, ((struct stream_buffer *)buffer)->stream);
}

static int write_file(const Onnx__ModelProto *model, const char *path, struct error *error)
{
    struct atomic_file file;
    if (atomic_open(&file, path, error) != OK)
        return FAILED;
    struct stream_buffer buffer = {{append}, file.stream};
    protobuf_c_message_pack_to_buffer(&model->base, &buffer.base);
    return atomic_commit(&file, error);
}

static int write_bytes(const Onnx__ModelProto *model, void **bytes, size_t *length)
{
    *length = protobuf_c_message_get_packed_size(&model->base);
    *bytes = malloc(*length);
    if (*bytes)
        protobuf_c_message_pack(&model->base, *bytes);
    return *bytes ? OK : FAILED;
}

int onnx_write(const struct graph *graph, const char *path, struct error *error)
{
    struct arena arena = {0};
    struct written_function *functions = NULL;
    struct writer writer = {
        .graph = graph, .arena = &arena, .functions = &functions, .error = error};
    Onnx__ModelProto model = ONNX__MODEL_PROTO__INIT;
    int result = write_model(&writer, &model);
    if (result == OK)
        result = write_file(&model, path, error);
    onnx_write_free(&writer);
    arena_free(&arena);
    return result;
}

int onnx_write_bytes(const struct graph *graph, void **bytes, size_t *length, struct error *error)
{
    struct arena arena = {0};
    struct written_function *functions = NULL;
    struct writer writer = {
        .graph = graph, .arena = &arena, .functions = &functions, .error = error};
    Onnx__ModelProto model = ONNX__MODEL_PROTO__INIT;
    int result = write_model(&writer, &model);
    if (result == OK && write_bytes(&model, bytes, length) != OK)
        result = onnx_write_exhausted(&writer);
    onnx_write_free(&writer);
    arena_free(&arena);
    return result;
}

#else

static int refuse(struct error *error)
{
    struct error reason;
    onnx_available(&reason);
    return error_set(error, FAULT_ENVIRONMENT, "%s", reason.text);
}

int onnx_write(const struct graph *graph, const char *path, struct error *error)
{
    (void)graph, (void)path;
    return refuse(error);
}

int onnx_write_bytes(const struct graph *graph, void **bytes, size_t *length, struct error *error)
{
    (void)graph, (void)bytes, (void)length;
    return refuse(error);
}

#endif
