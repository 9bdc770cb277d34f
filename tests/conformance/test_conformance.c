// test_conformance.c - other people's models with their inputs and results: run as they are, with
// what their inputs say known before, and with all passes.
//
//   test_conformance [FOLDER...]      folders of models, each a folder with model.onnx and
//                                     test_data_set_0; else those that are looked for
//   MODEL=part                        only models whose names contain it
//
// Models with operators that are not there are counted, and the operators named in one line. What
// cannot be reproduced stands in not_reproducible.txt with the reason, what is compared with
// another tolerance in tolerances.txt: name, absolute, relative, reason.
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "executor.h"
#include "onnx.h"
#include "optimize.h"
#include "weights.h"

enum { OPERANDS_MAX = 64, PATH_BYTES = 1024 };

struct suite {
    struct host host;
    char exceptions[16384], tolerances[16384]; /* not_reproducible.txt, tolerances.txt */
    int tests, failed, run, unknown, excepted;
    char unknown_ops[8192]; /* "name, name, " */
};

/* A model and what goes in and should come out. */
struct trial {
    struct suite *suite;
    const char *name;
    char folder[PATH_BYTES / 2];
    struct graph graph;
    struct arena arena;
    struct array input[OPERANDS_MAX], expected[OPERANDS_MAX];
    int input_count, expected_count;
    struct error error;
    char words[768]; /* what is wrong */
};

/* ---- lines of the test ---- */

static void report(struct suite *suite, bool is_good, const char *name, const char *words)
{
    printf("%s %d - %s\n", is_good ? "ok" : "not ok", ++suite->tests, name);
    if (!is_good) {
        printf("# %s\n", words);
        suite->failed++;
    }
}

static void note_unknown(struct suite *suite, const struct node *node)
{
    char name[160];
    snprintf(name, sizeof name, "%s%s%s, ", node->domain, *node->domain ? "::" : "", node->type);
    if (!strstr(suite->unknown_ops, name) &&
        strlen(suite->unknown_ops) + strlen(name) < sizeof suite->unknown_ops)
        strcat(suite->unknown_ops, name);
}

/* What follows the name in the line of a text that begins with it; NULL where there is none. */
static const char *line_of(const char *text, const char *name)
{
    const size_t length = strlen(name);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, length) == 0 && line[length] == ' ')
            return line + length + 1;
    }
    return NULL;
}

/* ---- files ---- */

static bool is_there(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0;
}

/* input_0.pb ... of the folder; FAILED with words where one is no tensor. */
static int read_operands(struct trial *trial, const char *what, const int *wanted, int wanted_count,
                         struct array *arrays, int *count)
{
    for (*count = 0; *count < OPERANDS_MAX; ++*count) {
        char path[PATH_BYTES];
        const char *name;
        snprintf(path, sizeof path, "%s/test_data_set_0/%s_%d.pb", trial->folder, what, *count);
        if (!is_there(path))
            return OK;
        if (onnx_read_tensor(&trial->arena, path, &arrays[*count], &name, &trial->error) != OK)
            return FAILED;
        /* Older data have no bf16: its bits are said to be whole numbers. */
        if (*count < wanted_count && arrays[*count].type.element == ELEMENT_u16 &&
            trial->graph.tensor[wanted[*count]]->type.element == ELEMENT_bf16)
            arrays[*count].type.element = ELEMENT_bf16;
    }
    return OK;
}

/* ---- results ---- */

struct tolerance {
    double absolute, relative;
};

/* Twice the rounding of the coarsest elements that the graph computes with, which every runtime
 * rounds to at other places. */
static struct tolerance tolerance_of(const struct trial *trial)
{
    struct tolerance tolerance = {1e-5, 1e-4};
    for (int i = 0; i < trial->graph.tensor_count; i++) {
        const enum element element = trial->graph.tensor[i]->type.element;
        const double rounding = element == ELEMENT_f16                                   ? 0x1p-10
                                : element == ELEMENT_bf16                                ? 0x1p-7
                                : element_is_real(element) && element_bits(element) <= 8 ? 0x1p-3
                                                                                         : 0;
        if (rounding > tolerance.absolute)
            tolerance = (struct tolerance){rounding, 2 * rounding};
    }
    const char *line = line_of(trial->suite->tolerances, trial->name);
    if (line)
        sscanf(line, "%lf %lf", &tolerance.absolute, &tolerance.relative);
    return tolerance;
}

static bool is_same_element(const struct array *a, const struct array *b, long i,
                            struct tolerance tolerance)
{
    const enum element element = a->type.element;
    if (element == ELEMENT_text) {
        const struct text *x = (struct text *)a->data + i, *y = (struct text *)b->data + i;
        return x->length == y->length && memcmp(x->bytes, y->bytes, x->length) == 0;
    }
    if (!element_is_real(element) && element != ELEMENT_c64 && element != ELEMENT_c128)
        return element_whole(a->data, element, i) == element_whole(b->data, element, i);
    const double x = element_real(a->data, element, i), y = element_real(b->data, element, i);
    return x == y || (isnan(x) && isnan(y)) ||
           fabs(x - y) <= tolerance.absolute + tolerance.relative * fabs(y);
}

static bool is_same(struct trial *trial, const char *mode, const struct array *got,
                    const struct array *wanted, int output)
{
    const struct tolerance tolerance = tolerance_of(trial);
    struct type type = got->type;
    if (type_merge(&type, &wanted->type) != OK || !type_is_complete(&got->type)) {
        snprintf(trial->words, sizeof trial->words, "%s: output %d is %s instead of %s", mode,
                 output, type_format(NULL, &got->type).text, type_format(NULL, &wanted->type).text);
        return false;
    }
    for (long i = 0; i < type_elements(&wanted->type); i++)
        if (!is_same_element(got, wanted, i, tolerance)) {
            snprintf(trial->words, sizeof trial->words,
                     "%s: element %ld of output %d is %.9g instead of %.9g", mode, i, output,
                     element_real(got->data, got->type.element, i),
                     element_real(wanted->data, wanted->type.element, i));
            return false;
        }
    return true;
}

/* ---- runs ---- */

enum { KNOWN = 1, OPTIMISED = 2, TEAM = 4 };

/* Small whole numbers among the inputs (shapes, axes, indices) become constants. */
static void know_inputs(struct graph *graph, struct array *inputs, int *count)
{
    int left = 0;
    for (int i = 0; i < *count; i++) {
        struct tensor *tensor = graph->tensor[graph->block[0]->inputs[i]];
        if (inputs[i].type.element == ELEMENT_i64 && type_elements(&inputs[i].type) <= 64) {
            tensor->fallback = inputs[i].data;
            tensor->is_overridable = true;
        } else {
            inputs[left++] = inputs[i];
        }
    }
    graph_fix_overridable(graph);
    *count = left;
}

static int set_inputs(struct trial *trial, struct executor *executor, const struct array *inputs,
                      int count)
{
    for (int i = 0; i < count; i++)
        if (executor_set_input(executor, i, &inputs[i], &trial->error) != OK)
            return FAILED;
    return OK;
}

/* Two runs: the second finds memory in which the first has left its results. */
static bool run_graph(struct trial *trial, struct graph *graph, const struct array *inputs,
                      int count, const char *mode, int flags)
{
    const int threads = trial->suite->host.threads;
    const struct executor_setup setup = {.host = &trial->suite->host,
                                         .threads = flags & TEAM && threads > 1 ? 2 : 1,
                                         .isa = isa_best()};
    struct executor *executor;
    bool is_good = executor_open(&executor, graph, &setup, &trial->error) == OK &&
                   set_inputs(trial, executor, inputs, count) == OK &&
                   executor_run(executor, &trial->error) == OK &&
                   executor_run(executor, &trial->error) == OK;
    if (!is_good)
        snprintf(trial->words, sizeof trial->words, "%s: %s", mode, trial->error.text);
    for (int i = 0; i < trial->expected_count && is_good; i++) {
        const struct array got = executor_output(executor, i);
        is_good = is_same(trial, mode, &got, &trial->expected[i], i);
    }
    executor_close(executor);
    return is_good;
}

static bool run_mode(struct trial *trial, const char *mode, int flags)
{
    struct graph graph;
    struct array inputs[OPERANDS_MAX];
    struct type types[OPERANDS_MAX];
    struct pass_set chosen;
    int count = trial->input_count;
    memcpy(inputs, trial->input, sizeof inputs);
    bool is_ready = graph_copy(&graph, &trial->graph, &trial->error) == OK;
    for (int i = 0; i < count; i++)
        types[i] = inputs[i].type;
    is_ready = is_ready && executor_shape_inputs(&graph, types, count, &trial->error) == OK;
    if (is_ready && (flags & KNOWN)) {
        know_inputs(&graph, inputs, &count);
        is_ready = graph_infer(&graph, &trial->error) == OK;
    }
    if (is_ready && (flags & OPTIMISED))
        is_ready = pass_set_parse(&chosen, "all", &trial->error) == OK &&
                   graph_optimize(&graph, &chosen, NULL, NULL, &trial->error) == OK;
    if (!is_ready)
        snprintf(trial->words, sizeof trial->words, "%s: %s", mode, trial->error.text);
    const bool is_same = is_ready && run_graph(trial, &graph, inputs, count, mode, flags);
    graph_free(&graph);
    return is_same;
}

static bool run_modes(struct trial *trial)
{
    return run_mode(trial, "as it is", 0) && run_mode(trial, "by two", TEAM) &&
           run_mode(trial, "shapes known", KNOWN | TEAM) &&
           run_mode(trial, "optimised", OPTIMISED) &&
           run_mode(trial, "shapes known and optimised", OPTIMISED | KNOWN | TEAM);
}

/* ---- models ---- */

static bool has_unknown(struct trial *trial)
{
    bool has = false;
    for (int i = 0; i < trial->graph.node_count; i++) {
        const struct node *node = trial->graph.node[i];
        if (node->is_dead || node->op)
            continue;
        note_unknown(trial->suite, node);
        has = true;
    }
    return has;
}

static void try_model(struct suite *suite, const char *folder, const char *name)
{
    struct trial *trial = calloc(1, sizeof *trial);
    char path[PATH_BYTES];
    trial->suite = suite;
    trial->name = name;
    snprintf(trial->folder, sizeof trial->folder, "%s/%s", folder, name);
    snprintf(path, sizeof path, "%s/model.onnx", trial->folder);
    if (line_of(suite->exceptions, name)) {
        suite->excepted++;
    } else if (onnx_read(&trial->graph, path, &trial->error) != OK) {
        report(suite, false, name, trial->error.text);
    } else if (has_unknown(trial)) {
        suite->unknown++;
    } else {
        graph_fix_overridable(&trial->graph);
        const struct block *block = trial->graph.block[0];
        bool is_good = read_operands(trial, "input", block->inputs, block->input_count,
                                     trial->input, &trial->input_count) == OK &&
                       read_operands(trial, "output", block->outputs, block->output_count,
                                     trial->expected, &trial->expected_count) == OK;
        if (!is_good)
            snprintf(trial->words, sizeof trial->words, "%s", trial->error.text);
        is_good = is_good && run_modes(trial);
        suite->run++;
        report(suite, is_good, name, trial->words);
    }
    graph_free(&trial->graph);
    arena_free(&trial->arena);
    free(trial);
}

static int is_model(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static void try_folder(struct suite *suite, const char *folder)
{
    struct dirent **entries;
    const int count = scandir(folder, &entries, is_model, alphasort);
    const char *only = getenv("MODEL");
    for (int i = 0; i < count; i++) {
        char path[PATH_BYTES];
        snprintf(path, sizeof path, "%s/%s/model.onnx", folder, entries[i]->d_name);
        if (is_there(path) && (!only || strstr(entries[i]->d_name, only)))
            try_model(suite, folder, entries[i]->d_name);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
}

/* ---- models without weights ---- */

/* Gains and files as the manifest of these models says. */
static const struct {
    const char *name, *input;
    double gain;
} light_models[] = {{"light_squeezenet", "data_0", 1},
                    {"light_shufflenet", "gpu_0_data_0", 0x1p-17},
                    {"light_resnet50", "gpu_0_data_0", 0x1p-12},
                    {"light_densenet121", "data_0", 1}};

static void try_light(struct suite *suite, const char *folder, int i)
{
    struct trial *trial = calloc(1, sizeof *trial);
    char model[PATH_BYTES], input[PATH_BYTES], output[PATH_BYTES];
    const char *name;
    trial->suite = suite;
    trial->name = light_models[i].name;
    trial->input_count = trial->expected_count = 1;
    snprintf(model, sizeof model, "%s/%s/model.onnx", folder, trial->name);
    snprintf(input, sizeof input, "%s/inputs/%s.pb", folder, light_models[i].input);
    snprintf(output, sizeof output, "%s/%s/hydrated_output_0.pb", folder, trial->name);
    bool is_good =
        onnx_read(&trial->graph, model, &trial->error) == OK &&
        weights_name(&trial->graph, light_models[i].gain, NULL, &trial->error) == OK &&
        onnx_read_tensor(&trial->arena, input, &trial->input[0], &name, &trial->error) == OK &&
        onnx_read_tensor(&trial->arena, output, &trial->expected[0], &name, &trial->error) == OK;
    if (!is_good)
        snprintf(trial->words, sizeof trial->words, "%s", trial->error.text);
    graph_fix_overridable(&trial->graph);
    is_good = is_good && run_mode(trial, "as it is", 0) && run_mode(trial, "by two", TEAM) &&
              run_mode(trial, "optimised", TEAM | OPTIMISED);
    report(suite, is_good, trial->name, trial->words);
    graph_free(&trial->graph);
    arena_free(&trial->arena);
    free(trial);
}

/* ---- everything ---- */

static void summarise(const struct suite *suite, const char *folder)
{
    const size_t length = strlen(suite->unknown_ops);
    printf("# %s: %d models ran, %d cannot be reproduced, %d have operators that are not "
           "implemented: %.*s\n",
           folder, suite->run, suite->excepted, suite->unknown, (int)(length > 2 ? length - 2 : 0),
           suite->unknown_ops);
}

static void try_set(struct suite *suite, const char *folder)
{
    suite->run = suite->unknown = suite->excepted = 0;
    *suite->unknown_ops = '\0';
    if (!is_there(folder)) {
        printf("ok %d # SKIP no folder '%s' (make deps installs ONNX's test data)\n",
               ++suite->tests, folder);
        return;
    }
    const size_t length = strlen(folder);
    if (length > 6 && strcmp(folder + length - 6, "/light") == 0) {
        const char *only = getenv("MODEL");
        for (int i = 0; i < (int)(sizeof light_models / sizeof *light_models); i++)
            if (!only || strstr(light_models[i].name, only))
                try_light(suite, folder, i);
        return;
    }
    try_folder(suite, folder);
    summarise(suite, folder);
}

#define DEBIAN "/usr/share/libonnx-testdata/data/"
#define SHARED TEST_SOURCE_DIR "/../../shared/models/"
static const char *const sets[] = {
    DEBIAN "node",
    DEBIAN "pytorch-converted",
    DEBIAN "pytorch-operator",
    DEBIAN "simple",
    SHARED "node",
    SHARED "pytorch-converted",
    SHARED "pytorch-operator",
    SHARED "simple",
    SHARED "ort_transform",
    SHARED "real",
    SHARED "light",
};

static bool read_text(const char *name, char *text, size_t capacity)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/conformance/%s", TEST_SOURCE_DIR, name);
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    text[fread(text, 1, capacity - 1, file)] = '\0';
    fclose(file);
    return true;
}

int main(int argc, char **argv)
{
    static struct suite suite;
    struct error error;
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (onnx_available(&error) != OK) {
        printf("1..0 # SKIP %s\n", error.text);
        return 0;
    }
    if (!read_text("not_reproducible.txt", suite.exceptions, sizeof suite.exceptions) ||
        !read_text("tolerances.txt", suite.tolerances, sizeof suite.tolerances) ||
        host_read(&suite.host, NULL, &error) != OK) {
        printf("1..1\nnot ok 1 - the machine and the lists of exceptions can be read\n");
        return 1;
    }
    for (int i = 1; i < argc; i++)
        try_set(&suite, argv[i]);
    for (size_t i = 0; i < sizeof sets / sizeof *sets && argc < 2; i++)
        try_set(&suite, sets[i]);
    printf("1..%d\n", suite.tests);
    host_free(&suite.host);
    return suite.failed > 0;
}
