// graph.c - `roofline graph`: an operator graph before and after its passes, predicted and
// measured.
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "builtin.h"
#include "file.h"
#include "graph_run.h"
#include "graph_text.h"
#include "interrupt.h"
#include "measure.h"
#include "onnx_write.h"
#include "provenance.h"
#include "wrapped.h"

static const char usage[] =
    "usage: roofline graph MODEL.onnx|FILE.txt|NAME [--passes LIST] [--check] [--explain]\n"
    "                      [--weights file|named[:GEMM_GAIN]] [--batch N,...] [--dim NAME=N]...\n"
    "                      [--data DIR] [--input NAME=FILE.pb]... [--expect NAME=FILE.pb]...\n"
    "                      [--dump FILE.onnx|FILE.txt] [--no-times] [--out DIR] [--threads N]\n"
    "                      [--isa X] [--budget quick|standard|full] [--csv|--json]\n"
    "\n"
    "Runs a graph of operators as it is and after the passes, and says of both what each node and\n"
    "each operator takes: FLOP, bytes, FLOP per byte and per launch, predicted and measured time,\n"
    "what bounds it, and what of its roof it reaches; then what each pass gained. The model is an\n"
    "ONNX file, a text (docs/graphs.md) or a built-in graph; built in are:\n";

static const char usage_options[] =
    "\n"
    "  --passes LIST    all (default), none, or names of passes and groups: identity,fusion or\n"
    "                   all,-shuffle; 'roofline list passes' names them\n"
    "  --check          compare every output after the passes with the one before:\n"
    "                   |difference| <= 1e-5 + 1e-4 |reference|, else exit code 6\n"
    "  --explain        what passes chose where a rewrite is not always a gain, and why\n"
    "  --weights W      file (default), or named: constants that the model only gives the shape "
    "of\n"
    "                   get values that follow from their names; GEMM_GAIN scales those of Gemm\n"
    "  --batch N,...    so many items at once, where the model leaves that open; several are "
    "swept\n"
    "  --dim NAME=N     the size of a dim that the model names\n"
    "  --data DIR       feed input_0.pb ... and compare with output_0.pb ... (TensorProto)\n"
    "  --input N=FILE   feed one input; others get values that follow from their names\n"
    "  --expect N=FILE  compare one output\n"
    "  --dump FILE      write the graph after the passes, as ONNX or as text\n"
    "  --no-times       count and check alone: nothing is timed, and nothing is predicted unless\n"
    "                   DIR of --out holds machine.csv\n"
    "  --out DIR        write DIR/graph.csv, which 'roofline plot DIR' and 'roofline report DIR'\n"
    "                   show; passes weigh by DIR/machine.csv ('roofline probe --out DIR')\n"
    "                   where there is one\n"
    "  --threads N      default: all that this process may use\n"
    "  --isa X          the highest instruction set of kernels; default: the best of this CPU\n"
    "  --budget B       how often both graphs run: quick (default) 11, standard 31, full 101 "
    "times\n"
    "  --csv, --json    all columns on stdout instead of the tables\n"
    "\n"
    "Examples:\n"
    "  roofline graph resnet-block --check --out DIR && roofline plot DIR --terminal\n"
    "  roofline graph model.onnx --threads 1 --explain --dump faster.onnx\n"
    "  roofline graph mlp --batch 1,4,16,64\n";

/* ---- options ---- */

static int take_assignment(struct assignments *list, char *word, const char *option,
                           struct error *error)
{
    char *equals = strchr(word, '=');
    if (!equals || equals == word || !equals[1])
        return error_set(error, FAULT_USAGE, "%s '%s' is not NAME=VALUE", option, word);
    if (list->count == GRAPH_WORDS_MAX)
        return error_set(error, FAULT_USAGE, "more than %d times %s", GRAPH_WORDS_MAX, option);
    *equals = 0;
    list->item[list->count++] = (struct assignment){word, equals + 1};
    return OK;
}

static int take_batches(struct graph_request *request, const char *word, struct error *error)
{
    const char *at = word;
    for (;;) {
        char *end;
        errno = 0;
        const long batch = strtol(at, &end, 10);
        if (end == at || errno || batch < 1 || (*end && *end != ','))
            return error_set(error, FAULT_USAGE,
                             "--batch '%s' is not a list of numbers of 1 or more", word);
        if (request->batch_count == GRAPH_WORDS_MAX)
            return error_set(error, FAULT_USAGE, "more than %d numbers in --batch",
                             GRAPH_WORDS_MAX);
        request->batch[request->batch_count++] = batch;
        if (!*end)
            return OK;
        at = end + 1;
    }
}

static int take_weights(struct graph_request *request, const char *word, struct error *error)
{
    request->named_weights = strncmp(word, "named", 5) == 0;
    request->gemm_gain = 1;
    if (strcmp(word, "file") == 0 || strcmp(word, "named") == 0)
        return OK;
    char *end = NULL;
    if (request->named_weights && word[5] == ':')
        request->gemm_gain = strtod(word + 6, &end);
    if (!end || end == word + 6 || *end || !isfinite(request->gemm_gain) ||
        !(request->gemm_gain > 0))
        return error_set(error, FAULT_USAGE, "--weights '%s' is not file or named[:GEMM_GAIN]",
                         word);
    return OK;
}

static int take_dump(struct graph_request *request, const char *word, struct error *error)
{
    const size_t length = strlen(word);
    request->dump = word;
    if (length > 4 && strcmp(word + length - 4, ".txt") == 0)
        return OK;
    if (length > 5 && strcmp(word + length - 5, ".onnx") == 0)
        return OK;
    return error_set(error, FAULT_USAGE, "--dump '%s': the name ends in .onnx or .txt", word);
}

enum {
    OPTION_PASSES = 1000,
    OPTION_WEIGHTS,
    OPTION_DATA,
    OPTION_INPUT,
    OPTION_EXPECT,
    OPTION_DUMP,
    OPTION_BATCH,
    OPTION_DIM
};

static int take_option(struct graph_request *request, int option, char **argv, struct error *error)
{
    switch (option) {
    case 0: /* a flag */
        return OK;
    case OPTION_PASSES:
        request->passes = optarg;
        return OK;
    case OPTION_WEIGHTS:
        return take_weights(request, optarg, error);
    case OPTION_DATA:
        request->data = optarg;
        return OK;
    case OPTION_INPUT:
        return take_assignment(&request->inputs, optarg, "--input", error);
    case OPTION_EXPECT:
        return take_assignment(&request->expected, optarg, "--expect", error);
    case OPTION_DIM:
        return take_assignment(&request->dims, optarg, "--dim", error);
    case OPTION_DUMP:
        return take_dump(request, optarg, error);
    case OPTION_BATCH:
        return take_batches(request, optarg, error);
    default:
        return options_take(&request->options, option, argv, error);
    }
}

static int parse(struct graph_request *request, int argc, char **argv, struct error *error)
{
    *request = (struct graph_request){.passes = "all", .gemm_gain = 1};
    const struct option longs[] = {OPTIONS_RUN,
                                   {"passes", required_argument, NULL, OPTION_PASSES},
                                   {"weights", required_argument, NULL, OPTION_WEIGHTS},
                                   {"data", required_argument, NULL, OPTION_DATA},
                                   {"input", required_argument, NULL, OPTION_INPUT},
                                   {"expect", required_argument, NULL, OPTION_EXPECT},
                                   {"dump", required_argument, NULL, OPTION_DUMP},
                                   {"batch", required_argument, NULL, OPTION_BATCH},
                                   {"dim", required_argument, NULL, OPTION_DIM},
                                   {"check", no_argument, &request->check, 1},
                                   {"explain", no_argument, &request->explain, 1},
                                   {"no-times", no_argument, &request->no_times, 1},
                                   {0}};
    options_init(&request->options);
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, "", longs, NULL)) != -1;)
        if (take_option(request, option, argv, error) != OK)
            return FAILED;
    if (request->options.help)
        return OK;
    if (argc - optind != 1)
        return error_set(error, FAULT_USAGE,
                         "'roofline graph' needs one model; see 'roofline graph --help'");
    request->model = argv[optind];
    if (request->options.request.dtype >= 0)
        return error_set(error, FAULT_USAGE,
                         "--dtype '%s': the tensors of a graph have formats of their own",
                         dtype_name((enum dtype)request->options.request.dtype));
    return device_check(request->options.device, error);
}

/* ---- one batch size ---- */

static void note_choice(void *context, const char *pass, const char *words)
{
    fprintf(context, "%s: %s\n", pass, words);
}

/* The stage after the passes. What they chose is told before all tables, so that none is torn. */
static int optimize(struct graph_bench *bench, struct error *error)
{
    const struct graph_request *request = bench->request;
    const bool torn = request->options.output != OUTPUT_TEXT || request->batch_count > 1;
    struct pass_settings settings = bench->settings;
    char *choices = NULL;
    size_t length = 0;
    FILE *noted = request->explain ? open_memstream(&choices, &length) : NULL;
    if (request->explain && !noted)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory for what passes chose");
    settings.explain = noted ? note_choice : NULL;
    settings.explain_context = noted;
    const double begin = seconds_now();
    const int result =
        graph_optimize(&bench->stage[1].graph, &bench->set, &settings, &bench->optimization, error);
    bench->optimizing_seconds = seconds_now() - begin;
    if (noted && fclose(noted) == 0 && result == OK)
        graph_view_choices(choices, settings.ceilings != NULL, torn ? stderr : stdout);
    free(choices);
    return result;
}

static int dump(const struct graph *graph, const char *path, struct error *error)
{
    if (strcmp(path + strlen(path) - 4, ".txt") != 0)
        return onnx_write(graph, path, error);
    struct atomic_file file;
    if (atomic_open(&file, path, error) != OK)
        return FAILED;
    if (graph_print(graph, file.stream, GRAPH_VALUES_MAX, error) != OK) {
        atomic_abandon(&file);
        return FAILED;
    }
    return atomic_commit(&file, error);
}

static int prepare_stages(struct graph_bench *bench, struct error *error)
{
    const struct graph_request *request = bench->request;
    bench->settings = pass_settings_default;
    if (!isnan(bench->weighed.flops_per_second[DTYPE_f32]))
        bench->settings.ceilings = &bench->weighed;
    for (int s = 0; s < 2; s++) {
        bench->stage[s].name = s ? "after" : "before";
        if (graph_copy(&bench->stage[s].graph, &bench->model, error) != OK)
            return FAILED;
    }
    if (optimize(bench, error) != OK)
        return FAILED;
    if (request->dump && dump(&bench->stage[1].graph, request->dump, error) != OK)
        return FAILED;
    for (int s = 0; s < 2; s++)
        if (stage_open(&bench->stage[s], bench, error) != OK)
            return FAILED;
    return OK;
}

static int run_stages(struct graph_bench *bench, struct error *error)
{
    if (graph_compare(bench, error) != OK)
        return FAILED;
    if (!bench->request->no_times &&
        (graph_trials_open(bench, error) != OK || stages_measure(bench, error) != OK))
        return FAILED;
    graph_trials_settle(bench);
    for (int s = 0; s < 2; s++)
        stage_cost(&bench->stage[s], bench);
    const bool sweeps = bench->request->batch_count > 1;
    int result = sweeps ? OK : gains_measure(bench, error);
    for (int s = 0; s < 2 && result == OK; s++)
        result = stage_rows(bench, &bench->stage[s], error);
    return result;
}

static void close_batch(struct graph_bench *bench)
{
    graph_trials_close(bench);
    for (int s = 0; s < 2; s++) {
        stage_close(&bench->stage[s]);
        graph_free(&bench->stage[s].graph);
        bench->stage[s] = (struct stage){.name = ""};
    }
    free(bench->gain);
    bench->gain = NULL;
    bench->gain_count = 0;
    graph_free(&bench->model);
    bench->model = (struct graph){.name = ""};
    arena_free(&bench->values.arena);
    bench->values = (struct graph_values){0};
}

/* The model that is loaded, all of it. */
static int run_batch(struct graph_bench *bench, bool first, struct error *error)
{
    const bool text = bench->request->options.output == OUTPUT_TEXT;
    int result = prepare_stages(bench, error);
    if (result == OK)
        result = run_stages(bench, error);
    if (result == OK && text && bench->request->batch_count > 1)
        result = graph_view_batch(bench, first, error);
    else if (result == OK && text)
        result = graph_view(bench, error);
    return result;
}

/* ---- the command ---- */

static int check_surroundings(struct graph_bench *bench, struct error *error)
{
    const struct options *options = &bench->request->options;
    table_init(&bench->rows, &node_measurement_schema);
    if (options->out && table_check_target(&bench->rows, options->out, error) != OK)
        return FAILED;
    return bench_read_host(&bench->bench, &bench->gauged, error);
}

/* The first model is read before any ceiling is sampled, so that what is wrong with it is told at
 * once. */
static int prepare(struct graph_bench *bench, int argc, char **argv, struct error *error)
{
    const struct graph_request *request = bench->request;
    if (pass_set_parse(&bench->set, request->passes, error) != OK ||
        check_surroundings(bench, error) != OK || graph_load(bench, request->batch[0], error) != OK)
        return FAILED;
    if (!request->no_times && bench_collect(&bench->bench, error) != OK)
        return FAILED;
    if (graph_ceilings(bench, error) != OK ||
        provenance_gather(&bench->rows, &bench->bench.host, argc, argv, error) != OK ||
        table_note(&bench->rows, "graph", bench->model.name, error) != OK)
        return FAILED;
    return interrupted() ? error_skip(error, "interrupted") : OK;
}

static int run_all(struct graph_bench *bench, int argc, char **argv, struct error *error)
{
    const struct graph_request *request = bench->request;
    if (prepare(bench, argc, argv, error) != OK)
        return FAILED;
    int result = run_batch(bench, true, error);
    for (int i = 1; i < request->batch_count && result == OK && !interrupted(); i++) {
        close_batch(bench);
        result = graph_load(bench, request->batch[i], error);
        if (result == OK)
            result = run_batch(bench, false, error);
    }
    struct error unwritten;
    if (bench->rows.count > 0 && request->options.out &&
        table_write(&bench->rows, request->options.out, &unwritten) != OK && result == OK) {
        *error = unwritten;
        result = FAILED;
    }
    if (result == OK && request->options.output != OUTPUT_TEXT)
        result = print_table(&bench->rows, request->options.output, error);
    return result;
}

static void print_usage(void)
{
    enum { BUILTIN_INDENT = 23 };
    fputs(usage, stdout);
    for (int i = 0; builtin_name(i); i++) {
        int length;
        const char *summary = builtin_summary(builtin_name(i), &length);
        char words[256];
        text_format(words, sizeof words, "%.*s", length, summary);
        printf("  %-20s ", builtin_name(i));
        print_paragraph(words, BUILTIN_INDENT);
    }
    fputs(usage_options, stdout);
}

static int run_command(int argc, char **argv)
{
    struct graph_request request;
    struct error error;
    if (parse(&request, argc, argv, &error) != OK)
        return complain(&error);
    if (request.options.help) {
        print_usage();
        return FAULT_NONE;
    }
    struct graph_bench *bench = calloc(1, sizeof *bench);
    if (!bench) {
        error_set(&error, FAULT_ENVIRONMENT, "out of memory for the graph");
        return complain(&error);
    }
    bench->request = &request;
    bench->gauged = request.options;
    bench->gauged.out = NULL; /* it writes graph.csv, not bench.csv */
    const int result = run_all(bench, argc, argv, &error);
    close_batch(bench);
    bench_close(&bench->bench);
    table_free(&bench->rows);
    free(bench->rate[0]);
    free(bench->rate[1]);
    free(bench);
    if (interrupted())
        return report_interrupt(&request.options);
    return result == OK ? FAULT_NONE : complain(&error);
}

extern const struct command graph_command;
const struct command graph_command = {
    .name = "graph",
    .summary = "operator graphs before and after their passes, node by node under the roof",
    .usage = usage,
    .run = run_command,
};
