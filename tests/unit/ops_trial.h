// ops_trial.h - one operator on a few values: inference against evaluation, and against what is
// inferred when less is known; its kernels against evaluation.
#ifndef ROOFLINE_OPS_TRIAL_H
#define ROOFLINE_OPS_TRIAL_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "op.h"
#include "ops_run.h"

/* A list and its length as two arguments. */
#define LONGS(...)                                                                                 \
    (int)(sizeof((const long[]){__VA_ARGS__}) / sizeof(long)), (const long[])                      \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }
#define REALS(...)                                                                                 \
    (int)(sizeof((const double[]){__VA_ARGS__}) / sizeof(double)), (const double[])                \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }
#define NO_LONGS                                                                                   \
    0, (const long[])                                                                              \
    {                                                                                              \
        0                                                                                          \
    }
#define NO_REALS                                                                                   \
    0, (const double[])                                                                            \
    {                                                                                              \
        0                                                                                          \
    }

enum { TRIAL_OPERANDS = 8 };

struct trial {
    struct graph graph;
    struct arena arena;
    struct error error;
    const char *type;
    int input[TRIAL_OPERANDS], input_count;
    int node;
    struct site site;   /* of the last evaluation */
    const char *kernel; /* of its first launch; NULL: not lowered */
    int launches;
};

static inline void trial_begin(struct trial *trial, const char *type, int opset)
{
    *trial = (struct trial){.type = type, .node = -1};
    assert_int_equal(graph_init(&trial->graph, "trial", &trial->error), OK);
    assert_int_equal(graph_import(&trial->graph, "", opset, &trial->error), OK);
}

static inline void trial_end(struct trial *trial)
{
    arena_free(&trial->arena);
    graph_free(&trial->graph);
}

static inline struct type trial_type(enum element element, int rank, const long *dims)
{
    struct type type = {.element = element, .rank = rank};
    for (int i = 0; i < rank; i++)
        type.dims[i] = dims[i];
    return type;
}

/* An input that is not there. */
static inline void trial_absent(struct trial *trial)
{
    trial->input[trial->input_count++] = -1;
}

/* An input whose values are not known. */
static inline void trial_unknown(struct trial *trial, struct type type)
{
    trial->input[trial->input_count++] =
        graph_add_input(&trial->graph, 0, NULL, &type, &trial->error);
}

/* A constant; the values are taken over and over, or 0, 1, 2 ... without any. */
static inline void trial_values(struct trial *trial, enum element element, int rank,
                                const long *dims, int count, const double *values)
{
    const struct type type = trial_type(element, rank, dims);
    const long elements = type_elements(&type);
    void *data = arena_take(&trial->arena, (size_t)type_bytes(&type));
    assert_non_null(data);
    for (long i = 0; i < elements; i++)
        if (element == ELEMENT_text)
            ((struct text *)data)[i].bytes = arena_print(&trial->arena, "%ld", i);
        else
            element_put_real(data, element, i, count ? values[i % count] : (double)i);
    for (long i = 0; i < elements && element == ELEMENT_text; i++)
        ((struct text *)data)[i].length = strlen(((struct text *)data)[i].bytes);
    trial->input[trial->input_count++] =
        graph_add_constant(&trial->graph, NULL, &type, data, &trial->error);
}

static inline void trial_counted(struct trial *trial, enum element element, int rank,
                                 const long *dims)
{
    trial_values(trial, element, rank, dims, NO_REALS);
}

/* A list of whole numbers, exactly as they are. */
static inline void trial_longs(struct trial *trial, enum element element, int count,
                               const long *values)
{
    const long dims[] = {count};
    trial_values(trial, element, 1, dims, NO_REALS);
    void *data = (void *)(uintptr_t)trial->graph.tensor[trial->input[trial->input_count - 1]]->data;
    for (int i = 0; i < count; i++)
        element_put_whole(data, element, i, values[i]);
}

/* The node, with so many outputs. Its attributes are set afterwards. */
static inline void trial_node(struct trial *trial, int outputs)
{
    int output[TRIAL_OPERANDS];
    const struct type unknown = UNKNOWN_TYPE;
    for (int i = 0; i < outputs; i++)
        output[i] = graph_add_tensor(&trial->graph, 0, NULL, &unknown, &trial->error);
    const struct node_spec spec = {.type = trial->type,
                                   .before = -1,
                                   .inputs = trial->input,
                                   .input_count = trial->input_count,
                                   .outputs = output,
                                   .output_count = outputs};
    trial->node = graph_add_node(&trial->graph, &spec, &trial->error);
    assert_true(trial->node >= 0);
    assert_non_null(trial->graph.node[trial->node]->op);
}

static inline void trial_integer(struct trial *trial, const char *name, long value)
{
    assert_int_equal(graph_set_integer(&trial->graph, trial->node, name, value, &trial->error), OK);
}

static inline void trial_integers(struct trial *trial, const char *name, int count,
                                  const long *values)
{
    assert_int_equal(
        graph_set_integers(&trial->graph, trial->node, name, values, count, &trial->error), OK);
}

static inline void trial_text(struct trial *trial, const char *name, const char *value)
{
    assert_int_equal(graph_set_text(&trial->graph, trial->node, name, value, &trial->error), OK);
}

static inline void trial_open(struct trial *trial, struct site *site)
{
    assert_int_equal(site_open(site, &trial->graph, trial->graph.node[trial->node], &trial->arena,
                               &trial->error),
                     OK);
}

/* The type of an output as inferred. */
static inline struct type trial_infer(struct trial *trial, int output)
{
    struct site site;
    trial_open(trial, &site);
    if (site_infer(&site, &trial->error) != OK)
        fail_msg("%s", trial->error.text);
    return site.output[output].type;
}

/* What is inferred when input `hidden` is known less well: no values, no dims, nothing. */
static inline void trial_check_hidden(struct trial *trial, int hidden, int level)
{
    struct site site;
    trial_open(trial, &site);
    struct array *inputs = arena_take_array(&trial->arena, TRIAL_OPERANDS, sizeof *inputs);
    memcpy(inputs, site.input, (size_t)trial->input_count * sizeof *inputs);
    site.input = inputs;
    struct array *input = &inputs[hidden];
    input->data = NULL;
    for (int i = 0; i < input->type.rank && level > 0; i++)
        input->type.dims[i] = -1;
    if (level > 1)
        input->type = (struct type){.element = input->type.element, .rank = -1};
    if (level > 2)
        input->type = UNKNOWN_TYPE;
    if (site_infer(&site, &trial->error) != OK)
        fail_msg("input %d, level %d: %s", hidden, level, trial->error.text);
    for (int i = 0; i < trial->graph.node[trial->node]->output_count; i++) {
        struct type type = site.output[i].type;
        if (type_merge(&type, &trial->site.output[i].type) != OK)
            fail_msg("input %d, level %d: output %d is said to be %s, but is %s", hidden, level, i,
                     type_format(NULL, &site.output[i].type).text,
                     type_format(NULL, &trial->site.output[i].type).text);
    }
}

/* Runs the kernels of `lowering` and compares bytes. */
static inline void trial_compare(struct trial *trial, const struct lowering *lowering)
{
    struct site site = trial->site;
    const int outputs = site.node->output_count;
    site.output = arena_take_array(&trial->arena, TRIAL_OPERANDS, sizeof *site.output);
    memcpy(site.output, trial->site.output, (size_t)outputs * sizeof *site.output);
    for (int i = 0; i < outputs; i++)
        assert_int_equal(site_output(&site, i, &trial->error), OK);
    assert_true(run_lowering(&site, lowering));
    for (int i = 0; i < outputs; i++) {
        const size_t bytes = (size_t)type_bytes(&site.output[i].type);
        if (bytes && memcmp(site.output[i].data, trial->site.output[i].data, bytes) != 0)
            fail_msg("output %d of kernel '%s' differs", i, trial->kernel);
    }
}

/* Also as it is lowered where no value is known. */
static inline void trial_check_lowering(struct trial *trial)
{
    struct lowering lowering, open;
    struct site site = trial->site;
    trial->kernel = NULL;
    const int result = site_lower(&site, &lowering, &trial->error);
    if (result == FAILED)
        fail_msg("%s", trial->error.text);
    if (result != OK)
        return;
    trial->kernel = lowering.launch[0].kernel->name;
    trial->launches = lowering.launch_count;
    trial_compare(trial, &lowering);
    struct array *inputs = arena_take_array(&trial->arena, TRIAL_OPERANDS, sizeof *inputs);
    memcpy(inputs, site.input, (size_t)trial->input_count * sizeof *inputs);
    for (int i = 0; i < trial->input_count; i++)
        inputs[i].data = NULL;
    site.input = inputs;
    site.is_apart = true;
    const int answer = site_lower(&site, &open, &trial->error);
    if (answer == FAILED)
        fail_msg("%s", trial->error.text);
    if (answer == OK)
        trial_compare(trial, &open);
}

/* Evaluates, and checks inference and kernels against that. */
static inline void trial_run(struct trial *trial)
{
    struct type inferred[TRIAL_OPERANDS];
    const int outputs = trial->graph.node[trial->node]->output_count;
    for (int i = 0; i < outputs; i++)
        inferred[i] = trial_infer(trial, i);
    trial_open(trial, &trial->site);
    if (site_evaluate(&trial->site, 1 << 20, &trial->error) != OK)
        fail_msg("%s", trial->error.text);
    for (int i = 0; i < outputs; i++) {
        assert_true(type_is_complete(&trial->site.output[i].type));
        assert_int_equal(type_merge(&inferred[i], &trial->site.output[i].type), OK);
    }
    for (int i = 0; i < trial->input_count; i++)
        for (int level = 0; trial->input[i] >= 0 && level < 4; level++)
            trial_check_hidden(trial, i, level);
    trial_check_lowering(trial);
}

static inline void trial_check_values(const struct trial *trial, int output, int count,
                                      const double *values)
{
    const struct array *array = &trial->site.output[output];
    assert_int_equal(type_elements(&array->type), count);
    for (int i = 0; i < count; i++) {
        const double value = array->type.element == ELEMENT_text
                                 ? strtod(((const struct text *)array->data)[i].bytes, NULL)
                                 : element_real(array->data, array->type.element, i);
        if (!(value == values[i] || (isnan(value) && isnan(values[i]))))
            fail_msg("output %d: element %d is %g, not %g", output, i, value, values[i]);
    }
}

static inline void trial_check_dims(const struct trial *trial, int output, int rank,
                                    const long *dims)
{
    const struct type *type = &trial->site.output[output].type;
    struct type expected = trial_type(type->element, rank, dims);
    if (!type_equal(type, &expected))
        fail_msg("output %d is %s, not %s", output, type_format(NULL, type).text,
                 type_format(NULL, &expected).text);
}

/* Runs, checks output 0, and ends the trial; which kernel ran it (NULL: none) is checked too. */
static inline void trial_expect(struct trial *trial, const char *kernel, int rank, const long *dims,
                                int count, const double *values)
{
    trial_run(trial);
    trial_check_dims(trial, 0, rank, dims);
    if (count)
        trial_check_values(trial, 0, count, values);
    if ((kernel == NULL) != (trial->kernel == NULL) ||
        (kernel && strcmp(kernel, trial->kernel) != 0))
        fail_msg("%s runs on '%s', not on '%s': %s", trial->type,
                 trial->kernel ? trial->kernel : "no kernel", kernel ? kernel : "no kernel",
                 trial->kernel ? "" : trial->error.text);
    trial_end(trial);
}

/* Evaluation fails with these words, without a crash; ends the trial. */
static inline void trial_refuse(struct trial *trial, const char *words)
{
    struct site site;
    trial_open(trial, &site);
    const int result = site_evaluate(&site, 1 << 20, &trial->error);
    if (result != FAILED || trial->error.fault != FAULT_IO || !strstr(trial->error.text, words))
        fail_msg("%s: expected '%s', got %s", trial->type, words,
                 result == OK ? "a result" : trial->error.text);
    trial_end(trial);
}

#endif
