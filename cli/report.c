// report.c - `roofline report`: a results directory as text, and the physics checks over it.
#include <stdlib.h>
#include <unistd.h>

#include "cli.h"
#include "digest.h"
#include "physics.h"

static const char usage[] =
    "usage: roofline report DIR [--check] [--csv|--json] [--help]\n"
    "\n"
    "Prints what machine.csv, bench.csv and graph.csv of DIR say: the machine, the measured\n"
    "ceilings beside the theoretical ones, the kernels under their roofs, the operators of a "
    "graph\n"
    "before its passes and after them, and what was skipped or noisy. Writes DIR/summary.csv "
    "where\n"
    "DIR can be written to.\n"
    "\n"
    "  --check        instead check that nothing contradicts physics: measured ceilings at most\n"
    "                 3 % above theory at the measured clock, kernels at most 5 % above their\n"
    "                 roof, quartiles in order, samples, spreads and clocks there. One line for\n"
    "                 each violation; exit code 6 if there is any or nothing was checked\n"
    "  --csv, --json  the rows of summary.csv on stdout\n";

static int print_checks(const struct results *results, const char *directory, struct error *error)
{
    struct physics physics = physics_check(results, stdout);
    printf("%d checks, %d violated\n", physics.checks, physics.violations);
    if (physics.checks == 0)
        return error_set(error, FAULT_WRONG, "'%s' holds no measured row to check", directory);
    if (physics.violations > 0)
        return error_set(error, FAULT_WRONG, "%d of %d checks over '%s' are violated",
                         physics.violations, physics.checks, directory);
    return OK;
}

static int print_results(const struct results *results, const char *directory, enum output output,
                         bool check, struct error *error)
{
    if (check)
        return print_checks(results, directory, error);
    if (output != OUTPUT_TEXT)
        return print_table(&results->summary, output, error);
    return digest_print(results, terminal_columns(), stdout, error);
}

static int run_report(const char *directory, enum output output, bool check)
{
    struct error error, unwritten;
    struct results results;
    int result = results_read(&results, directory, &error);
    if (result == OK && !check && access(directory, W_OK) == 0 &&
        table_write(&results.summary, directory, &unwritten) != OK)
        warn("%s", unwritten.text);
    if (result == OK)
        result = print_results(&results, directory, output, check, &error);
    results_free(&results);
    return result == OK ? FAULT_NONE : complain(&error);
}

static int run_command(int argc, char **argv)
{
    int check = 0;
    const struct option longs[] = {{"check", no_argument, &check, 1}, OPTIONS_PRINT, {0}};
    struct options options;
    struct error error;
    if (options_parse(&options, longs, WORDS_DIRECTORY, argc, argv, &error) != OK)
        return complain(&error);
    if (options.help) {
        fputs(usage, stdout);
        return FAULT_NONE;
    }
    return run_report(argv[optind], options.output, check);
}

extern const struct command report_command;
const struct command report_command = {
    .name = "report",
    .summary = "machine, ceilings, kernels and caveats of a results directory as text",
    .usage = usage,
    .run = run_command,
};
