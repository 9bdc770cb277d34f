// cli.h - what the subcommands share: their table, the common options, printing. Only cli/ prints
// or exits.
#ifndef ROOFLINE_CLI_H
#define ROOFLINE_CLI_H

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>

#include "host.h"
#include "probe.h"
#include "table.h"

struct command {
    const char *name;
    const char *summary; /* one line of `roofline --help` */
    const char *usage;   /* `roofline NAME --help`, whole */
    /* argv[0] is the command's name. Returns the exit code. */
    int (*run)(int argc, char **argv);
};

/* All commands, NULL-ended, in the order of cli/commands.def. */
extern const struct command *const commands[];

enum output { OUTPUT_TEXT, OUTPUT_CSV, OUTPUT_JSON };

/* Options that several commands have; each command names those it takes. */
struct options {
    const char *out;        /* --out DIR, or NULL */
    const char *device;     /* --device cpu|gpu0|all */
    const char *topology;   /* --topology FILE.xml, or NULL: this machine */
    struct request request; /* --budget, --threads, --isa, --dtype */
    enum output output;     /* --csv, --json */
    bool help;
};

/* Long options that options_take() understands, for a command's own array:
 *   static const struct option longs[] = {OPTIONS_RUN, {"shape", required_argument, 0, 's'}, {0}};
 */
enum {
    OPTION_OUT = 256,
    OPTION_DEVICE,
    OPTION_BUDGET,
    OPTION_THREADS,
    OPTION_ISA,
    OPTION_DTYPE,
    OPTION_CSV,
    OPTION_JSON,
    OPTION_HELP,
    OPTION_TOPOLOGY
};
#define OPTIONS_HELP                                                                               \
    {                                                                                              \
        "help", no_argument, NULL, OPTION_HELP                                                     \
    }
#define OPTIONS_PRINT                                                                              \
    {"csv", no_argument, NULL, OPTION_CSV}, {"json", no_argument, NULL, OPTION_JSON}, OPTIONS_HELP
#define OPTIONS_RUN                                                                                \
    OPTIONS_PRINT, {"out", required_argument, NULL, OPTION_OUT},                                   \
        {"device", required_argument, NULL, OPTION_DEVICE},                                        \
        {"budget", required_argument, NULL, OPTION_BUDGET},                                        \
        {"threads", required_argument, NULL, OPTION_THREADS},                                      \
        {"isa", required_argument, NULL, OPTION_ISA},                                              \
    {                                                                                              \
        "dtype", required_argument, NULL, OPTION_DTYPE                                             \
    }

void options_init(struct options *options);

/* All options of a command that has none of its own but flags (struct option's flag), then the
 * number of words that it expects: none, or one results directory, argv[optind]. */
enum words { WORDS_ANY, WORDS_NONE, WORDS_DIRECTORY };
int options_parse(struct options *options, const struct option *longs, enum words words, int argc,
                  char **argv, struct error *error);

/* Stores one option that getopt_long returned with its optarg; FAULT_USAGE for a bad value. An
 * option that getopt did not know ('?') is FAULT_USAGE too: call it with the argv that getopt saw.
 */
int options_take(struct options *options, int option, char **argv, struct error *error);

/* "roofline: ..." on stderr; returns the exit code of the fault. */
int complain(const struct error *error);

/* A warning on stderr. */
void warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Says on stderr where the finished rows are after an interrupt; returns the exit code of that. */
int report_interrupt(const struct options *options);

/* Rows as a table for people, as CSV or as JSON on stdout. */
int print_table(const struct table *table, enum output output, struct error *error);

/* Progress on stderr when it is a terminal, nothing otherwise; done == total ends the line. */
void progress(const char *what, int done, int total);

/* The device of this build: "cpu" and "all" are OK (all: what the machine has), a GPU is SKIPPED
 * with the reason. */
int device_check(const char *device, struct error *error);

/* Whether stdout takes colour: a terminal, NO_COLOR unset, TERM not dumb. */
bool colour_wanted(void);

/* Columns of the terminal: COLUMNS, the terminal's own answer, else 80. */
int terminal_columns(void);

#endif
