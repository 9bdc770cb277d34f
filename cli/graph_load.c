// graph_load.c - the model of `roofline graph`: from a file or built in, with weights and dims.
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "builtin.h"
#include "graph_file.h"
#include "graph_run.h"
#include "graph_text.h"
#include "onnx.h"
#include "weights.h"

static bool ends_with(const char *text, const char *end)
{
    const size_t length = strlen(text), of_end = strlen(end);
    return length >= of_end && strcmp(text + length - of_end, end) == 0;
}

/* A text of a graph is no larger than that: values of any size stand in it as `named`. */
#define TEXT_BYTES_MAX (64L << 20)

static int read_text(struct graph *graph, const char *path, struct error *error)
{
    struct mapping mapping;
    if (mapping_open(&mapping, path, error) != OK)
        return FAILED;
    char *text = mapping.length <= TEXT_BYTES_MAX ? malloc(mapping.length + 1) : NULL;
    int result;
    if (!text) {
        result = error_set(error, FAULT_IO, "'%s' is too large for the text of a graph", path);
    } else {
        memcpy(text, mapping.bytes, mapping.length);
        text[mapping.length] = 0;
        result = strlen(text) == mapping.length
                     ? graph_parse(graph, path, text, GRAPH_NAMED_BYTES_MAX, error)
                     : error_set(error, FAULT_IO, "'%s' is no text: it has a zero byte", path);
    }
    free(text);
    mapping_close(&mapping);
    return result;
}

static int read_model(struct graph *graph, const char *word, struct error *error)
{
    struct error reason;
    if (ends_with(word, ".txt"))
        return read_text(graph, word, error);
    const bool is_path = ends_with(word, ".onnx") || strchr(word, '/') || access(word, F_OK) == 0;
    if (!is_path)
        return builtin_graph(graph, word, 0, error);
    if (onnx_available(&reason) != OK)
        return error_set(error, FAULT_ENVIRONMENT, "'%s': %s", word, reason.text);
    if (onnx_read(graph, word, error) == OK)
        return OK;
    const size_t said = strlen(error->text);
    if (error->fault == FAULT_IO && !ends_with(word, ".onnx"))
        text_format(error->text + said, sizeof error->text - said,
                    "; the name of a graph as text ends in .txt");
    return FAILED;
}

/* ---- dims that the model leaves open ---- */

static int bind_named(struct graph *graph, const struct assignments *dims, struct error *error)
{
    for (int i = 0; i < dims->count; i++) {
        char *end;
        errno = 0;
        const long value = strtol(dims->item[i].value, &end, 10);
        if (*end || end == dims->item[i].value || errno || value < 0)
            return error_set(error, FAULT_USAGE, "--dim '%s=%s': the size is a whole number",
                             dims->item[i].name, dims->item[i].value);
        if (graph_bind(graph, dims->item[i].name, value, error) != OK)
            return FAILED;
    }
    return OK;
}

static int refuse_open(const struct graph *graph, const struct type *type, int dim,
                       const char *input, struct error *error)
{
    if (!type->symbol[dim])
        return error_set(error, FAULT_USAGE,
                         "dim %d of input '%s' is open and has no name; give a value by --input "
                         "%s=FILE.pb",
                         dim, input, input);
    const char *symbol = graph->symbol[type->symbol[dim] - 1].name;
    return error_set(error, FAULT_USAGE, "dim %d of input '%s' is open; set it by --dim %s=N", dim,
                     input, symbol);
}

/* The first dim of an input is the number of items where it is open. */
static int open_dims(const struct graph *graph, struct type *type, const struct array *given,
                     const char *name, long batch, struct error *error)
{
    if (given->data) {
        *type = given->type;
        return OK;
    }
    if (type->rank < 0 || type->element == ELEMENT_NONE)
        return error_set(error, FAULT_USAGE,
                         "input '%s' has no type in the model; give a value by --input", name);
    if (type->rank > 0 && type->dims[0] < 0)
        type->dims[0] = batch ? batch : 1;
    for (int d = 0; d < type->rank; d++)
        if (type->dims[d] < 0)
            return refuse_open(graph, type, d, name, error);
    return OK;
}

/* Dims of equal names are one. */
static int bind_batch(struct graph *graph, long batch, struct error *error)
{
    const struct block *block = graph->block[0];
    for (int i = 0; i < block->input_count; i++) {
        const struct type *type = &graph->tensor[block->inputs[i]]->type;
        if (type->rank < 1 || type->dims[0] >= 0 || !type->symbol[0])
            continue;
        const char *name = graph->symbol[type->symbol[0] - 1].name;
        if (graph_bind(graph, name, batch, error) != OK)
            return FAILED;
    }
    return OK;
}

/* Whether --batch can be heeded: some input leaves its first dim open. */
static bool has_open_batch(const struct graph *graph)
{
    const struct block *block = graph->block[0];
    for (int i = 0; i < block->input_count; i++) {
        const struct type *type = &graph->tensor[block->inputs[i]]->type;
        if (type->rank > 0 && type->dims[0] < 0)
            return true;
    }
    return false;
}

/* Then the open dims follow from it. */
static bool has_given_input(const struct graph_bench *bench)
{
    for (int i = 0; i < bench->model.block[0]->input_count; i++)
        if (bench->values.input[i].data)
            return true;
    return false;
}

static int shape_inputs(struct graph_bench *bench, long batch, struct error *error)
{
    struct graph *graph = &bench->model;
    const struct block *block = graph->block[0];
    struct type *types =
        arena_take_array(&bench->values.arena, (size_t)block->input_count, sizeof *types);
    if (!types)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory for the types of the inputs");
    for (int i = 0; i < block->input_count; i++) {
        const struct tensor *tensor = graph->tensor[block->inputs[i]];
        types[i] = tensor->type;
        if (open_dims(graph, &types[i], &bench->values.input[i], tensor->name, batch, error) != OK)
            return FAILED;
    }
    return executor_shape_inputs(graph, types, block->input_count, error);
}

int graph_load(struct graph_bench *bench, long batch, struct error *error)
{
    const struct graph_request *request = bench->request;
    struct graph *graph = &bench->model;
    if (read_model(graph, request->model, error) != OK)
        return FAILED;
    if (request->named_weights && weights_name(graph, request->gemm_gain, NULL, error) != OK)
        return FAILED;
    graph_fix_overridable(graph);
    const bool open = has_open_batch(graph);
    if (batch && !open)
        return error_set(error, FAULT_USAGE,
                         "--batch %ld: '%s' fixes the first dim of all its inputs", batch,
                         request->model);
    bench->batch = open ? (double)(batch ? batch : 1) : NAN;
    if (bind_named(graph, &request->dims, error) != OK || graph_values_read(bench, error) != OK)
        return FAILED;
    if (!has_given_input(bench) &&
        (bind_batch(graph, batch ? batch : 1, error) != OK || graph_infer(graph, error) != OK))
        return FAILED;
    return shape_inputs(bench, batch, error);
}
