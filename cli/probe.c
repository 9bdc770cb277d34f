// probe.c - `roofline probe`: theory and measured ceilings of this machine.
#include <math.h>
#include <string.h>

#include "cli.h"
#include "interrupt.h"
#include "provenance.h"
#include "wrapped.h"

static const char usage[] =
    "usage: roofline probe [--out DIR] [--budget quick|standard|full] [--threads N] [--isa X]\n"
    "                      [--dtype f32|f64] [--device cpu|all] [--csv|--json]\n"
    "\n"
    "Measures the ceilings of this machine: FLOP/s per instruction set, format and mix of\n"
    "operations, bandwidth and latency of every cache and of DRAM, the clock during all of it.\n"
    "\n"
    "  --out DIR      write DIR/machine.csv (replaced whole or not at all)\n"
    "  --budget B     samples per ceiling: quick 25 (default; 10 at least within 15 s),\n"
    "                 standard 60, full 240\n"
    "  --threads N    at most N threads; default: all that this process may use\n"
    "  --isa X        only this instruction set; 'roofline list isas'\n"
    "  --dtype T      only this format\n"
    "  --csv, --json  all columns on stdout instead of the table\n"
    "\n"
    "value is the best sample where a sample is a quantile of many slices (arithmetic, L1, L2),\n"
    "else the ninth decile; spread is the interquartile range over the median of the samples.\n"
    "docs/estimators.md says why.\n";

static const int rounds_of_budget[] = {
    [BUDGET_QUICK] = 25, [BUDGET_STANDARD] = 60, [BUDGET_FULL] = 240};

/* Of the quick budget, start to end: a slow or large machine gets fewer rounds than 25. */
static const double quick_seconds = 14;

/* What people read of a rate: per cycle and core where that means something. */
static void print_per_cycle(const struct ceiling *row)
{
    double value = row->value / row->clock_hertz / row->workers;
    if (strcmp(row->kind, "capacity") == 0)
        printf("%18s", "");
    else if (strcmp(row->kind, "latency") == 0)
        printf("%7.1f cycle     ", row->value * row->clock_hertz);
    else if (strcmp(row->kind, "compute") == 0)
        printf("%7.2f FLOP/cycle", value);
    else
        printf("%7.2f B/cycle   ", value);
}

static void print_value(const struct ceiling *row)
{
    if (strcmp(row->unit, "s") == 0)
        printf("%8.2f ns     ", row->value * 1e9);
    else if (strcmp(row->unit, "Hz") == 0)
        printf("%8.3f GHz    ", row->value / 1e9);
    else
        printf("%8.2f %-7s", row->value / 1e9,
               strcmp(row->unit, "byte/s") == 0 ? "GB/s" : "GFLOP/s");
}

/* "DRAM:read@0": of NUMA node 0 by itself. */
static void print_name(const struct ceiling *row)
{
    const char node_of_cpu[] = "cpu.node";
    char name[sizeof row->level + sizeof row->device];
    bool node = strncmp(row->device, node_of_cpu, strlen(node_of_cpu)) == 0;
    text_format(name, sizeof name, "%s%s%s", row->level, node ? "@" : "",
                node ? row->device + strlen(node_of_cpu) : "");
    printf("%-15s %-4s %-6s %3.0f ", name, row->dtype, row->isa, row->workers);
}

static void print_measured(const struct table *machine)
{
    printf("%-15s %-4s %-6s %3s %8s %25s %7s %5s\n", "ceiling", "type", "isa", "thr", "measured",
           "per cycle and core", "spread", "GHz");
    for (size_t i = 0; i < machine->count; i++) {
        const struct ceiling *row = table_ceiling(machine, i);
        if (strcmp(row->basis, "measured") != 0 || strcmp(row->status, "ok") != 0)
            continue;
        print_name(row);
        print_value(row);
        print_per_cycle(row);
        printf(" %5.1f %% %5.2f\n", 100 * row->spread_rel, row->clock_hertz / 1e9);
    }
}

static void print_skipped(const struct table *machine)
{
    for (size_t i = 0; i < machine->count; i++) {
        const struct ceiling *row = table_ceiling(machine, i);
        if (strcmp(row->status, "skipped") != 0)
            continue;
        char text[sizeof *row];
        text_format(text, sizeof text, "%s %s%s%s (%s): %s", row->kind, row->level,
                    *row->isa ? " " : "", row->isa, row->basis, row->why);
        printf("skipped: ");
        print_paragraph(text, (int)strlen("skipped: "));
    }
}

static void show_progress(int round, int rounds)
{
    progress("probe: round", round, rounds);
}

static int measure(struct probe_run *run, const struct options *options, int argc, char **argv,
                   struct error *error)
{
    if (options->out && table_check_target(run->machine, options->out, error) != OK)
        return FAILED;
    if (options->request.budget == BUDGET_QUICK)
        run->deadline_seconds = seconds_now() + quick_seconds;
    if (provenance_gather(run->machine, run->host, argc, argv, error) != OK ||
        probe_collect(run, NULL, error) != OK)
        return FAILED;
    return probe_measure(run, rounds_of_budget[options->request.budget], show_progress, error);
}

static bool any_measured(const struct table *machine)
{
    for (size_t i = 0; i < machine->count; i++) {
        const struct ceiling *row = table_ceiling(machine, i);
        if (strcmp(row->basis, "measured") == 0 && strcmp(row->status, "ok") == 0)
            return true;
    }
    return false;
}

/* Prints even what could not be written: it took its time to measure. Theory alone, after an early
 * interrupt, replaces no file. */
static int hand_over(const struct table *machine, const struct options *options,
                     struct error *error)
{
    struct error unprinted;
    int printed = OK, result = OK;
    if (options->out && any_measured(machine))
        result = table_write(machine, options->out, error);
    if (options->output != OUTPUT_TEXT) {
        printed = print_table(machine, options->output, &unprinted);
    } else {
        print_measured(machine);
        print_skipped(machine);
    }
    if (result == OK && printed != OK)
        *error = unprinted;
    return result == OK ? printed : result;
}

static int run_probe(const struct options *options, int argc, char **argv)
{
    struct error error;
    struct host host;
    if (host_read(&host, NULL, &error) != OK)
        return complain(&error);
    struct table machine;
    table_init(&machine, &ceiling_schema);
    struct probe_run run = {.host = &host, .request = &options->request, .machine = &machine};
    int result = measure(&run, options, argc, argv, &error);
    struct error second;
    if (result == OK || any_measured(&machine)) {
        int handed = hand_over(&machine, options, result == OK ? &error : &second);
        result = result == OK ? handed : result;
    }
    probe_free(&run);
    table_free(&machine);
    host_free(&host);
    if (result != OK)
        return complain(&error);
    return interrupted() ? report_interrupt(options) : FAULT_NONE;
}

static int run_command(int argc, char **argv)
{
    static const struct option longs[] = {OPTIONS_RUN, {0}};
    struct options options;
    struct error error;
    if (options_parse(&options, longs, WORDS_NONE, argc, argv, &error) != OK)
        return complain(&error);
    if (options.help) {
        fputs(usage, stdout);
        return FAULT_NONE;
    }
    if (device_check(options.device, &error) != OK)
        return complain(&error);
    return run_probe(&options, argc, argv);
}

extern const struct command probe_command;
const struct command probe_command = {
    .name = "probe",
    .summary = "measured ceilings of this machine beside the theoretical ones",
    .usage = usage,
    .run = run_command,
};
