// options.c - the options that several subcommands share.
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli.h"
#include "interrupt.h"

void options_init(struct options *options)
{
    *options = (struct options){.request = {.budget = BUDGET_QUICK, .isa = -1, .dtype = -1}};
}

static int take_budget(struct request *request, const char *word, struct error *error)
{
    static const char *const words[] = {"quick", "standard", "full"};
    for (int i = 0; i < 3; i++)
        if (strcmp(word, words[i]) == 0) {
            request->budget = (enum budget)i;
            return OK;
        }
    return error_set(error, FAULT_USAGE, "unknown budget '%s'; known: quick standard full", word);
}

static int take_threads(struct request *request, const char *word, struct error *error)
{
    char *end;
    errno = 0;
    long threads = strtol(word, &end, 10);
    if (*end || end == word || errno || threads < 1 || threads > INT_MAX)
        return error_set(error, FAULT_USAGE, "--threads '%s' is not a number of 1 or more", word);
    request->threads = (int)threads;
    return OK;
}

static int take_isa(struct request *request, const char *word, struct error *error)
{
    enum isa isa;
    if (isa_parse(word, &isa, error) != OK)
        return FAILED;
    if (!isa_supported(isa))
        return error_set(error, FAULT_ENVIRONMENT,
                         "this CPU lacks '%s'; the best it has is --isa %s", word,
                         isa_name(isa_best()));
    request->isa = isa;
    return OK;
}

static int take_dtype(struct request *request, const char *word, struct error *error)
{
    enum dtype dtype;
    if (dtype_parse(word, &dtype, error) != OK)
        return FAILED;
    request->dtype = dtype;
    return OK;
}

int options_take(struct options *options, int option, char **argv, struct error *error)
{
    switch (option) {
    case OPTION_OUT:
        options->out = optarg;
        return *optarg ? OK : error_set(error, FAULT_USAGE, "--out needs the name of a folder");
    case OPTION_DEVICE:
        options->device = optarg;
        return OK;
    case OPTION_TOPOLOGY:
        options->topology = optarg;
        return OK;
    case OPTION_BUDGET:
        return take_budget(&options->request, optarg, error);
    case OPTION_THREADS:
        return take_threads(&options->request, optarg, error);
    case OPTION_ISA:
        return take_isa(&options->request, optarg, error);
    case OPTION_DTYPE:
        return take_dtype(&options->request, optarg, error);
    case OPTION_CSV:
        options->output = OUTPUT_CSV;
        return OK;
    case OPTION_JSON:
        options->output = OUTPUT_JSON;
        return OK;
    case OPTION_HELP:
        options->help = true;
        return OK;
    default: /* getopt_long has moved past the word that it did not understand */
        return error_set(error, FAULT_USAGE,
                         "option '%s' is unknown or lacks its value; 'roofline %s --help' lists "
                         "them",
                         argv[optind - 1], argv[0]);
    }
}

int options_parse(struct options *options, const struct option *longs, enum words words, int argc,
                  char **argv, struct error *error)
{
    options_init(options);
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, "", longs, NULL)) != -1;)
        if (option != 0 && options_take(options, option, argv, error) != OK)
            return FAILED;
    if (options->help)
        return OK;
    if (words == WORDS_NONE && optind < argc)
        return error_set(error, FAULT_USAGE, "unexpected word '%s'; see 'roofline %s --help'",
                         argv[optind], argv[0]);
    if (words == WORDS_DIRECTORY && argc - optind != 1)
        return error_set(error, FAULT_USAGE,
                         "'roofline %s' needs one results directory; see 'roofline %s --help'",
                         argv[0], argv[0]);
    return OK;
}

int device_check(const char *device, struct error *error)
{
    if (!device || strcmp(device, "cpu") == 0 || strcmp(device, "all") == 0)
        return OK;
    if (strncmp(device, "gpu", 3) == 0)
        return error_skip(error, "device '%s': this version measures CPUs only; use --device cpu",
                          device);
    return error_set(error, FAULT_USAGE, "unknown device '%s'; known: cpu gpu0 gpu1 ... all",
                     device);
}

int complain(const struct error *error)
{
    fflush(stdout);
    fprintf(stderr, "roofline: %s\n", error->text);
    return error->fault == FAULT_NONE ? FAULT_ENVIRONMENT : (int)error->fault;
}

int report_interrupt(const struct options *options)
{
    warn("interrupted: finished rows are %s%s", options->out ? "in " : "on standard output",
         options->out ? options->out : "");
    return interrupted();
}

void warn(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("roofline: warning: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

void progress(const char *what, int done, int total)
{
    if (!isatty(STDERR_FILENO))
        return;
    fprintf(stderr, "\r%s %d/%d%s", what, done, total, done == total ? "\n" : "");
    fflush(stderr);
}

bool colour_wanted(void)
{
    const char *none = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(STDOUT_FILENO) && !(none && *none) && !(term && strcmp(term, "dumb") == 0);
}

int terminal_columns(void)
{
    const char *columns = getenv("COLUMNS");
    if (columns && atoi(columns) > 0)
        return atoi(columns);
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return 80;
}
