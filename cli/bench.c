// bench.c - `roofline bench`: kernels verified and timed, one row each, beside the ceilings that
// bound them.
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench_row.h"
#include "bench_shapes.h"
#include "file.h"
#include "interrupt.h"
#include "provenance.h"
#include "summary.h"

static const char usage[] =
    "usage: roofline bench [KERNEL...] [--shape k=v,...|@NAME]... [--variant X] [--out DIR]\n"
    "                      [--budget quick|standard|full] [--threads N] [--isa X] [--dtype "
    "f32|f64]\n"
    "                      [--device cpu|all] [--csv|--json]\n"
    "\n"
    "Times kernels, each call verified against a plain reference first, in turn with the ceiling\n"
    "that bounds it. Without KERNEL all of them, with the quick budget the usual ones; 'roofline\n"
    "list kernels' names them.\n"
    "\n"
    "  --shape k=v,...  the sizes, instead of the kernel's own list; may be given several times.\n"
    "                   One letter may be @L1, @L2, @L3 or @DRAM: so large that the operands lie\n"
    "                   there. 'roofline list shapes' names the letters\n"
    "  --shape @NAME    the shapes of a collection, of the kernels that it has where none is\n"
    "                   given: @resnet50, @bert, @squares ... ('roofline list shapes'). Letters\n"
    "                   after it replace those of each shape: @resnet50,n=16\n"
    "  --variant X      this implementation instead of the default; 'reference' is the plain "
    "loops\n"
    "  --out DIR        write DIR/bench.csv, anew after each kernel\n"
    "  --budget B       samples per row: quick 11 (default), standard 31, full 101\n"
    "  --threads N      with N threads; default: with one, and with all that this process may use\n"
    "  --isa X          this instruction set; default: the best that this CPU has\n"
    "  --dtype T        only this format\n"
    "  --csv, --json    all columns on stdout instead of the table\n"
    "\n"
    "Exit code 6 when a result was wrong: its row has status failed and no times.\n";

enum { SHAPES_MAX = 64 };

/* What to run, as asked for. */
struct selection {
    const struct kernel *const *kernels; /* NULL-ended */
    const char *shapes[SHAPES_MAX + 1];  /* of --shape, NULL-ended; none: each kernel's own */
    const char *variant;                 /* NULL: the first of each kernel */
};

static int unknown_kernel(const char *name, struct error *error)
{
    char known[1024] = "";
    for (int i = 0; kernels[i]; i++) {
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, " %s", kernels[i]->name);
    }
    return error_set(error, FAULT_USAGE, "unknown kernel '%s'; known:%s", name, known);
}

static int find_variant(const struct kernel *kernel, const char *name,
                        const struct variant **variant, struct error *error)
{
    *variant = name ? variant_find(kernel, name) : kernel->variants;
    if (*variant)
        return OK;
    char known[256] = "";
    for (const struct variant *each = kernel->variants; each->name; each++) {
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, " %s", each->name);
    }
    return error_set(error, FAULT_USAGE, "kernel '%s' has no variant '%s'; it has:%s", kernel->name,
                     name, known);
}

/* The ISA that was asked for; else the best one that the variant has a body for. */
static enum isa isa_of(const struct options *options, const struct variant *variant,
                       enum dtype dtype)
{
    if (options->request.isa >= 0)
        return (enum isa)options->request.isa;
    enum isa isa = isa_best();
    while (isa > 0 && !variant->routine && !(isa_supported(isa) && variant->bodies[isa][dtype]))
        isa--;
    return isa;
}

/* One row, of a shape as text. */
static int run_text(struct bench *bench, struct run *run, const char *text, bool asked,
                    struct error *error)
{
    struct level_bytes levels = bench_levels(&bench->host, run->threads);
    int result = run_shape(&run->shape, run->kernel, text, run->dtype, &levels, error);
    if (result == OK && run->variant->routine && bench->options->request.isa >= 0)
        result = error_skip(error, "%s chooses its instruction set by itself; leave out --isa",
                            run->variant->routine->library->name);
    if (result == SKIPPED)
        return bench_skip(bench, run, text, error->text, error);
    return result == OK ? bench_row(bench, run, asked, error) : FAILED;
}

/* All rows of one kernel and format: shapes and numbers of threads. */
static int run_dtype(struct bench *bench, struct run *run, const struct asked_shapes *shapes,
                     struct error *error)
{
    const struct request *request = &bench->options->request;
    int threads[PROBE_WORKER_COUNTS] = {request->threads}, counts = 1;
    if (!request->threads)
        counts = probe_worker_counts(&bench->probe, threads);
    run->isa = isa_of(bench->options, run->variant, run->dtype);
    for (int i = 0; i < shapes->count; i++)
        for (int j = 0; j < counts && !interrupted(); j++) {
            run->threads = threads[j];
            if (run_text(bench, run, shapes->shape[i].text, shapes->shape[i].alone, error) != OK)
                return FAILED;
        }
    return OK;
}

static int run_kernel(struct bench *bench, const struct kernel *kernel,
                      const struct selection *selection, struct error *error)
{
    const struct request *request = &bench->options->request;
    struct run run = {.host = &bench->host, .kernel = kernel};
    struct asked_shapes shapes;
    if (find_variant(kernel, selection->variant, &run.variant, error) != OK)
        return FAILED;
    int result = asked_shapes_of(&shapes, kernel, selection->shapes, error);
    for (int dtype = 0; dtype < DTYPE_COUNT && result == OK; dtype++) {
        if (request->dtype >= 0 && request->dtype != dtype)
            continue;
        run.dtype = (enum dtype)dtype;
        result = run_dtype(bench, &run, &shapes, error);
    }
    asked_shapes_free(&shapes);
    return result;
}

/* Kernel after kernel; what is finished is on disk before the next one begins. */
static int run_all(struct bench *bench, const struct selection *selection, struct error *error)
{
    const struct options *options = bench->options;
    int total = 0, result = OK;
    while (selection->kernels[total])
        total++;
    for (int i = 0; i < total && result == OK && !interrupted(); i++) {
        progress("bench: kernel", i + 1, total);
        result = run_kernel(bench, selection->kernels[i], selection, error);
        struct error unwritten;
        if (options->out && bench->rows.count > 0 &&
            table_write(&bench->rows, options->out, &unwritten) != OK && result == OK) {
            *error = unwritten;
            result = FAILED;
        }
    }
    return result;
}

/* "gemm f32": what begins a row. */
static void head_format(const struct measurement *row, char *text, size_t capacity)
{
    snprintf(text, capacity, "%s %s", row->kernel, row->dtype);
}

/* Of the longest head. */
static int head_width(const struct table *rows)
{
    size_t width = 12;
    for (size_t i = 0; i < rows->count; i++) {
        char head[64];
        head_format(table_measurement(rows, i), head, sizeof head);
        width = strlen(head) > width ? strlen(head) : width;
    }
    return (int)width;
}

static void print_row(const struct measurement *row, const struct summary *summary, int width)
{
    char head[64];
    head_format(row, head, sizeof head);
    printf("%-*s %3.0f %-4s ", width, head, row->threads, row->level);
    printf("%10.2f us %9.2f %9.2f", row->seconds_median * 1e6, summary->gflops,
           summary->gbytes_per_second);
    if (isnan(summary->roof_fraction))
        printf("%22s", "");
    else
        printf(" %5.1f %% %-14s", 100 * summary->roof_fraction, summary->roof_level);
    printf(" %5.1f %% %8.1e  %s\n", 100 * summary->spread_rel, row->error_rel, row->shape);
}

/* Rows that are not ok, those of one reason in one line. */
static void print_others(const struct table *rows)
{
    for (size_t i = 0; i < rows->count; i++) {
        const struct measurement *row = table_measurement(rows, i);
        int alike = 0;
        bool first = strcmp(row->status, "ok") != 0;
        for (size_t j = 0; first && j < rows->count; j++) {
            bool same = strcmp(table_measurement(rows, j)->why, row->why) == 0;
            first = !same || j >= i;
            alike += same;
        }
        if (first)
            printf("%s (%d rows, the first: %s %s %s): %s\n", row->status, alike, row->kernel,
                   row->dtype, row->shape, row->why);
    }
}

static int print_rows(const struct bench *bench, struct error *error)
{
    if (bench->options->output != OUTPUT_TEXT)
        return print_table(&bench->rows, bench->options->output, error);
    int width = head_width(&bench->rows);
    printf("%-*s %3s %-4s %13s %9s %9s %22s %7s %8s  %s\n", width, "kernel", "thr", "from",
           "median", "GFLOP/s", "GB/s", "of its roof", "spread", "error", "shape");
    for (size_t i = 0; i < bench->rows.count; i++) {
        struct summary summary;
        const struct measurement *row = table_measurement(&bench->rows, i);
        summary_of(&summary, &bench->machine, row);
        if (strcmp(row->status, "ok") == 0)
            print_row(row, &summary, width);
    }
    print_others(&bench->rows);
    return stdout_commit(error);
}

/* The library that was asked for by --variant, NULL where it was none. */
static const struct library *library_asked(const struct selection *selection)
{
    const struct variant *variant =
        selection->variant ? variant_find(selection->kernels[0], selection->variant) : NULL;
    return variant && variant->routine ? variant->routine->library : NULL;
}

/* Its version is part of what the rows mean. SKIPPED where it is not here; the rows then say so,
 * too. */
static int note_library(struct bench *bench, const struct library *library, struct error *error)
{
    struct opened_library opened;
    team_spread(bench->host.threads);
    int result = library_open(library, &opened, error);
    return result == OK ? table_note(&bench->rows, "library", opened.version, error) : result;
}

static int run_bench(const struct options *options, const struct selection *selection, int argc,
                     char **argv)
{
    struct error error, unprinted, lacking;
    struct bench bench;
    const struct library *library = library_asked(selection);
    int result = bench_read_host(&bench, options, &error), found = OK;
    if (result == OK)
        result = bench_collect(&bench, &error);
    if (result == OK)
        result = provenance_gather(&bench.rows, &bench.host, argc, argv, &error);
    if (result == OK && library)
        found = note_library(&bench, library, &lacking);
    if (result == OK)
        result = run_all(&bench, selection, &error);
    if (bench.rows.count > 0 && print_rows(&bench, &unprinted) != OK && result == OK) {
        error = unprinted;
        result = FAILED;
    }
    bool wrong = bench.wrong;
    bench_close(&bench);
    if (result != OK)
        return complain(&error);
    if (interrupted())
        return report_interrupt(options);
    if (found != OK) {
        complain(&lacking);
        return FAULT_ENVIRONMENT;
    }
    return wrong ? FAULT_WRONG : FAULT_NONE;
}

/* The rows of a device that this build cannot measure. */
static int skip_device(const struct options *options, const struct selection *selection, int argc,
                       char **argv, const struct error *reason)
{
    struct error error;
    struct bench bench = {.options = options};
    table_init(&bench.rows, &measurement_schema);
    table_init(&bench.machine, &ceiling_schema);
    int result = host_read(&bench.host, NULL, &error);
    if (result == OK)
        result = provenance_gather(&bench.rows, &bench.host, argc, argv, &error);
    for (int i = 0; result == OK && selection->kernels[i]; i++) {
        struct run run = {.kernel = selection->kernels[i], .variant = run.kernel->variants};
        result = bench_skip(&bench, &run, "", reason->text, &error);
        if (result != OK)
            break;
        struct measurement *row = table_measurement(&bench.rows, bench.rows.count - 1);
        text_copy(row->device, sizeof row->device, options->device);
        row->isa[0] = row->dtype[0] = row->variant[0] = 0;
        row->threads = NAN;
    }
    if (result == OK && options->out)
        result = table_write(&bench.rows, options->out, &error);
    if (result == OK)
        result = print_table(&bench.rows, options->output, &error);
    bench_close(&bench);
    complain(result == OK ? reason : &error);
    return result == OK ? FAULT_ENVIRONMENT : (int)error.fault;
}

static int kernel_total(void)
{
    int total = 0;
    while (kernels[total])
        total++;
    return total;
}

/* Without words: those that the collections name; without any all, of the quick budget those that
 * are quick. */
static int choose_unnamed(const struct selection *selection, enum budget budget,
                          const struct kernel **chosen, struct error *error)
{
    int count = 0;
    bool collected = asked_for_collection(selection->shapes);
    for (int i = 0; kernels[i]; i++) {
        bool wanted = kernels[i]->quick || budget != BUDGET_QUICK;
        if (collected && asked_for_kernel(kernels[i], selection->shapes, &wanted, error) != OK)
            return FAILED;
        if (wanted)
            chosen[count++] = kernels[i];
    }
    return OK;
}

/* The kernels that the words name. `chosen` holds one entry more than there are words or kernels
 * and ends with NULL. */
static int choose_kernels(int argc, char **argv, const struct kernel **chosen, struct error *error)
{
    for (int i = 0; i < argc; i++) {
        chosen[i] = kernel_find(argv[i]);
        if (!chosen[i])
            return unknown_kernel(argv[i], error);
    }
    return OK;
}

static int check_shapes(const struct kernel *kernel, const char *const *arguments,
                        struct error *error)
{
    const struct level_bytes one_line = {64, 64, 64, 64};
    struct asked_shapes shapes;
    struct shape shape;
    int result = asked_shapes_of(&shapes, kernel, arguments, error);
    for (int i = 0; i < shapes.count && result == OK; i++)
        result = run_shape(&shape, kernel, shapes.shape[i].text, DTYPE_f64, &one_line, error);
    asked_shapes_free(&shapes);
    return result;
}

/* What is wrong with the words is said before anything is measured. */
static int check_selection(const struct selection *selection, struct error *error)
{
    for (int i = 0; selection->kernels[i]; i++) {
        const struct kernel *kernel = selection->kernels[i];
        const struct variant *variant;
        if (find_variant(kernel, selection->variant, &variant, error) != OK ||
            check_shapes(kernel, selection->shapes, error) != OK)
            return FAILED;
    }
    return OK;
}

static int run_chosen(const struct options *options, struct selection *selection, int argc,
                      char **argv, int first_word)
{
    struct error error;
    const size_t most = (size_t)argc + (size_t)kernel_total() + 1;
    const struct kernel **chosen = calloc(most, sizeof(struct kernel *));
    if (!chosen) {
        error_set(&error, FAULT_ENVIRONMENT, "out of memory for the list of kernels");
        return complain(&error);
    }
    int code, result;
    selection->kernels = chosen;
    if (first_word < argc)
        result = choose_kernels(argc - first_word, argv + first_word, chosen, &error);
    else
        result = choose_unnamed(selection, options->request.budget, chosen, &error);
    if (result != OK || check_selection(selection, &error) != OK) {
        code = complain(&error);
    } else {
        int device = device_check(options->device, &error);
        if (device == FAILED)
            code = complain(&error);
        else if (device == SKIPPED)
            code = skip_device(options, selection, argc, argv, &error);
        else
            code = run_bench(options, selection, argc, argv);
    }
    free(chosen);
    return code;
}

static int run_command(int argc, char **argv)
{
    static const struct option longs[] = {OPTIONS_RUN,
                                          {"shape", required_argument, NULL, 's'},
                                          {"variant", required_argument, NULL, 'v'},
                                          {0}};
    struct options options;
    struct selection selection = {0};
    struct error error;
    options_init(&options);
    opterr = 0;
    int shape_count = 0;
    for (int option; (option = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
        int result = OK;
        if (option == 'v')
            selection.variant = optarg;
        else if (option != 's')
            result = options_take(&options, option, argv, &error);
        else if (shape_count < SHAPES_MAX)
            selection.shapes[shape_count++] = optarg;
        else
            result = error_set(&error, FAULT_USAGE, "more than %d times --shape", SHAPES_MAX);
        if (result != OK)
            return complain(&error);
    }
    if (options.help) {
        fputs(usage, stdout);
        return FAULT_NONE;
    }
    return run_chosen(&options, &selection, argc, argv, optind);
}

extern const struct command bench_command;
const struct command bench_command = {
    .name = "bench",
    .summary = "kernels, verified and timed beside the ceilings that bound them",
    .usage = usage,
    .run = run_command,
};
