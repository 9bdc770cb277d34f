// graph_values.c - what graphs of `roofline graph` are fed with and compared with: ONNX tensors, or
// values that follow from the inputs' names.
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "graph_run.h"
#include "onnx.h"
#include "weights.h"

/* Of an element, as those who check ONNX's own test data take it. */
static const double absolute_tolerance = 1e-5, relative_tolerance = 1e-4;

static int find_name(const struct graph *graph, const int *tensors, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (strcmp(graph->tensor[tensors[i]]->name, name) == 0)
            return i;
    return -1;
}

/* Reads a file into the slot of that name. */
static int read_named(struct graph_bench *bench, const struct assignments *files,
                      const int *tensors, int count, struct array *arrays, const char *what,
                      struct error *error)
{
    for (int i = 0; i < files->count; i++) {
        const char *inner;
        const int at = find_name(&bench->model, tensors, count, files->item[i].name);
        if (at < 0)
            return error_set(error, FAULT_USAGE, "the graph has no %s '%s'; its first one is '%s'",
                             what, files->item[i].name,
                             count ? bench->model.tensor[tensors[0]]->name : "");
        if (onnx_read_tensor(&bench->values.arena, files->item[i].value, &arrays[at], &inner,
                             error) != OK)
            return FAILED;
    }
    return OK;
}

/* input_0.pb, input_1.pb ...: for the input that its tensor names, else for the one of that number.
 */
static int read_folder(struct graph_bench *bench, const char *stem, const int *tensors, int count,
                       struct array *arrays, int *found, struct error *error)
{
    for (int i = 0; i < count; i++) {
        char name[64], path[1024];
        const char *inner;
        struct array array;
        snprintf(name, sizeof name, "%s_%d.pb", stem, i);
        if (path_join(path, sizeof path, bench->request->data, name, error) != OK)
            return FAILED;
        if (access(path, F_OK) != 0)
            continue;
        if (onnx_read_tensor(&bench->values.arena, path, &array, &inner, error) != OK)
            return FAILED;
        const int named = inner && *inner ? find_name(&bench->model, tensors, count, inner) : -1;
        arrays[named >= 0 ? named : i] = array;
        (*found)++;
    }
    return OK;
}

static int read_data(struct graph_bench *bench, struct error *error)
{
    const struct block *block = bench->model.block[0];
    int found = 0;
    if (access(bench->request->data, R_OK | X_OK) != 0)
        return error_set(error, FAULT_IO, "cannot read the folder '%s' of --data",
                         bench->request->data);
    if (read_folder(bench, "input", block->inputs, block->input_count, bench->values.input, &found,
                    error) != OK ||
        read_folder(bench, "output", block->outputs, block->output_count, bench->values.expected,
                    &found, error) != OK)
        return FAILED;
    return found ? OK
                 : error_set(error, FAULT_IO,
                             "'%s' has neither input_0.pb nor output_0.pb: is it the folder of one "
                             "test data set?",
                             bench->request->data);
}

int graph_values_read(struct graph_bench *bench, struct error *error)
{
    const struct graph_request *request = bench->request;
    const struct block *block = bench->model.block[0];
    struct graph_values *values = &bench->values;
    values->input =
        arena_take_array(&values->arena, (size_t)block->input_count + 1, sizeof *values->input);
    values->expected =
        arena_take_array(&values->arena, (size_t)block->output_count + 1, sizeof *values->expected);
    if (!values->input || !values->expected)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory for the values of inputs");
    if (request->data && read_data(bench, error) != OK)
        return FAILED;
    if (read_named(bench, &request->inputs, block->inputs, block->input_count, values->input,
                   "input", error) != OK ||
        read_named(bench, &request->expected, block->outputs, block->output_count, values->expected,
                   "output", error) != OK)
        return FAILED;
    for (int i = 0; i < block->output_count; i++)
        values->expected_count += values->expected[i].data != NULL;
    return OK;
}

/* Reals between -1 and 1; whole numbers stay 0, which is an index or a token of anything. */
static int make_value(struct arena *arena, const struct tensor *tensor, struct array *array,
                      struct error *error)
{
    const struct weight_rule spread = {.role = WEIGHT_PRODUCTS, .fan_in = 6, .gain = 1};
    *array = (struct array){.type = tensor->type};
    const enum element element = tensor->type.element;
    array->data = arena_take(arena, (size_t)type_bytes(&tensor->type));
    if (!array->data)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory for the input '%s'",
                         tensor->name);
    if (element == ELEMENT_f32 || element == ELEMENT_f64)
        weight_fill(tensor->name, &tensor->type, spread, array->data);
    return OK;
}

int graph_feed(const struct graph_bench *bench, struct executor *executor, struct error *error)
{
    const struct graph *graph = &bench->model;
    const struct block *block = graph->block[0];
    struct arena arena = {0};
    int result = OK;
    for (int i = 0; i < block->input_count && result == OK; i++) {
        const struct tensor *tensor = graph->tensor[block->inputs[i]];
        struct array value = bench->values.input[i];
        if (!value.data)
            result = make_value(&arena, tensor, &value, error);
        if (result == OK)
            result = executor_set_input(executor, i, &value, error);
        arena_reset(&arena);
    }
    arena_free(&arena);
    return result;
}

/* ---- comparing ---- */

/* False where a value is further off than it may be; NAN equals NAN, infinity infinity. */
static bool is_near(double value, double reference)
{
    return value == reference || (isnan(value) && isnan(reference)) ||
           fabs(value - reference) <= absolute_tolerance + relative_tolerance * fabs(reference);
}

static bool same_text(const struct array *a, const struct array *b, long i)
{
    const struct text *x = (const struct text *)a->data + i, *y = (const struct text *)b->data + i;
    return x->length == y->length && memcmp(x->bytes, y->bytes, x->length) == 0;
}

static int compare_array(const struct array *made, const struct array *reference, const char *name,
                         const char *what, struct error *error)
{
    const long count = type_elements(&reference->type);
    if (!type_equal(&made->type, &reference->type))
        return error_set(error, FAULT_WRONG, "output '%s' is %s %s, not %s", name,
                         type_format(NULL, &made->type).text, what,
                         type_format(NULL, &reference->type).text);
    for (long i = 0; i < count; i++) {
        if (reference->type.element == ELEMENT_text) {
            if (!same_text(made, reference, i))
                return error_set(error, FAULT_WRONG, "output '%s' has another text at %ld %s", name,
                                 i, what);
            continue;
        }
        const double a = element_real(made->data, made->type.element, i);
        const double b = element_real(reference->data, reference->type.element, i);
        if (!is_near(a, b))
            return error_set(error, FAULT_WRONG, "output '%s' is %.9g at %ld %s, not %.9g", name, a,
                             i, what, b);
    }
    return OK;
}

int graph_compare(const struct graph_bench *bench, struct error *error)
{
    const struct block *block = bench->model.block[0];
    const struct stage *before = &bench->stage[0], *after = &bench->stage[1];
    for (int i = 0; i < block->output_count; i++) {
        const char *name = bench->model.tensor[block->outputs[i]]->name;
        const struct array *expected = &bench->values.expected[i];
        const struct array first = executor_output(before->executor, i);
        const struct array second = executor_output(after->executor, i);
        if (expected->data &&
            (compare_array(&first, expected, name, "before the passes", error) != OK ||
             compare_array(&second, expected, name, "after the passes", error) != OK))
            return FAILED;
        if (bench->request->check &&
            compare_array(&second, &first, name, "after the passes", error) != OK)
            return FAILED;
    }
    return OK;
}
