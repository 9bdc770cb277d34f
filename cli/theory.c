// theory.c - `roofline theory`: ceilings by formula, of a published machine or of this one.
#include "theory.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "wrapped.h"

static const char usage[] =
    "usage: roofline theory [SPEC] [--sockets N] [--cores N] [--ghz X] [--channels N]\n"
    "                       [--mts X] [--isa X|all] [--dtype X] [--topology FILE.xml]\n"
    "                       [--csv|--json]\n"
    "\n"
    "Prints what a machine could do at most, each ceiling with its formula and the\n"
    "numbers in it.\n"
    "\n"
    "  SPEC            a published machine, or the path of a .csv file of the same\n"
    "                  form (docs/theory.md); without it, this machine\n"
    "  --sockets N     what if it had N sockets\n"
    "  --cores N       ... N cores per socket (GPU: N FP32 cores in all)\n"
    "  --ghz X         ... a clock of X GHz\n"
    "  --channels N    ... N memory channels per socket\n"
    "  --mts X         ... X million transfers per second and channel (GPU: pin)\n"
    "  --isa X         only this instruction set; default: the widest; all: every one\n"
    "  --dtype X       only this format: f64 f32, of GPUs also tf32 bf16 f16 f8 i8\n"
    "  --topology F    instead of this machine the one that 'lstopo F.xml' saw\n"
    "  --csv, --json   the rows as machine.csv has them, all numbers with sources\n"
    "\n";

/* What the command line says. */
struct question {
    const char *spec;
    struct what_if ask;
    struct theory_filter filter;
    struct options options;
};

enum { OPTION_SOCKETS = 512, OPTION_CORES, OPTION_GHZ, OPTION_CHANNELS, OPTION_MTS };

static int take_number(const char *option, const char *word, double *number, struct error *error)
{
    char *end;
    *number = strtod(word, &end);
    if (end == word || *end || !isfinite(*number) || *number <= 0)
        return error_set(error, FAULT_USAGE, "%s '%s' is not a number above 0", option, word);
    return OK;
}

/* The words of all architectures, unlike --isa of the measuring commands: a spec may be of another
 * one. */
static int take_isa(const char *word, struct theory_filter *filter, struct error *error)
{
    filter->isa = word;
    if (strcmp(word, "all") == 0)
        return OK;
    for (const char *const *isa = theory_isas; *isa; isa++)
        if (strcmp(word, *isa) == 0)
            return OK;
    return error_set(error, FAULT_USAGE,
                     "unknown ISA '%s'; known: all scalar sse2 avx avx2 avx512 neon", word);
}

static int take_dtype(const char *word, struct theory_filter *filter, struct error *error)
{
    static const char *const words[] = {"f64", "f32", "tf32", "bf16", "f16", "f8", "i8"};
    filter->dtype = word;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(word, words[i]) == 0)
            return OK;
    return error_set(error, FAULT_USAGE, "unknown dtype '%s'; known: f64 f32 tf32 bf16 f16 f8 i8",
                     word);
}

static int take_option(struct question *question, int option, char **argv, struct error *error)
{
    struct what_if *ask = &question->ask;
    switch (option) {
    case OPTION_SOCKETS:
        return take_number("--sockets", optarg, &ask->sockets, error);
    case OPTION_CORES:
        return take_number("--cores", optarg, &ask->cores, error);
    case OPTION_GHZ:
        return take_number("--ghz", optarg, &ask->gigahertz, error);
    case OPTION_CHANNELS:
        return take_number("--channels", optarg, &ask->channels, error);
    case OPTION_MTS:
        return take_number("--mts", optarg, &ask->megatransfers, error);
    case OPTION_ISA:
        return take_isa(optarg, &question->filter, error);
    case OPTION_DTYPE:
        return take_dtype(optarg, &question->filter, error);
    default:
        return options_take(&question->options, option, argv, error);
    }
}

static int parse(struct question *question, int argc, char **argv, struct error *error)
{
    static const struct option longs[] = {OPTIONS_PRINT,
                                          {"sockets", required_argument, NULL, OPTION_SOCKETS},
                                          {"cores", required_argument, NULL, OPTION_CORES},
                                          {"ghz", required_argument, NULL, OPTION_GHZ},
                                          {"channels", required_argument, NULL, OPTION_CHANNELS},
                                          {"mts", required_argument, NULL, OPTION_MTS},
                                          {"isa", required_argument, NULL, OPTION_ISA},
                                          {"dtype", required_argument, NULL, OPTION_DTYPE},
                                          {"topology", required_argument, NULL, OPTION_TOPOLOGY},
                                          {0}};
    *question = (struct question){.ask = {NAN, NAN, NAN, NAN, NAN}, .filter = {"", "", false}};
    options_init(&question->options);
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, "", longs, NULL)) != -1;)
        if (take_option(question, option, argv, error) != OK)
            return FAILED;
    if (optind < argc)
        question->spec = argv[optind++];
    if (optind < argc)
        return error_set(error, FAULT_USAGE, "one SPEC at a time: unexpected word '%s'",
                         argv[optind]);
    if (question->spec && question->options.topology)
        return error_set(error, FAULT_USAGE, "give SPEC '%s' or --topology '%s', not both",
                         question->spec, question->options.topology);
    return what_if_check(&question->ask, error);
}

static void print_row(const struct ceiling *row)
{
    enum { INDENT = 20 };
    char name[48], text[sizeof row->source];
    text_format(name, sizeof name, "  %s%s%s%s%s", row->dtype, *row->dtype ? " " : "", row->isa,
                *row->isa ? " " : "", row->level);
    bool skipped = strcmp(row->status, "skipped") == 0;
    text_format(text, sizeof text, "%s%s", skipped ? "skipped: " : "",
                skipped ? row->why : row->source);
    printf("%-*s", INDENT, name);
    if ((int)strlen(name) >= INDENT)
        printf("\n%*s", INDENT, "");
    print_paragraph(text, INDENT);
}

static void print_kind(const struct table *table, const char *kind)
{
    bool heading = false;
    for (size_t i = 0; i < table->count; i++) {
        const struct ceiling *row = table_ceiling(table, i);
        if (strcmp(row->kind, kind) != 0)
            continue;
        if (!heading)
            printf("\n%s\n", kind);
        heading = true;
        print_row(row);
    }
}

static void print_quantity(const struct quantity *quantity)
{
    char text[sizeof quantity->source + 96];
    text_format(text, sizeof text, "%s %.10g %s: %s", quantity->name, quantity->value,
                quantity->unit, quantity->source);
    printf("  ");
    print_paragraph(text, 4);
}

/* A key in capitals names a document that the sources refer to. */
static void print_documents(const struct spec *spec)
{
    printf("\nsources of %s\n", spec->name);
    for (int i = 0; i < spec->note_count; i++) {
        char text[sizeof spec->note[i].text + sizeof spec->note[i].key + 2];
        if (!isupper((unsigned char)spec->note[i].key[0]))
            continue;
        text_format(text, sizeof text, "%s: %s", spec->note[i].key, spec->note[i].text);
        printf("  ");
        print_paragraph(text, 4);
    }
}

static void print_sources(const struct spec *spec)
{
    print_documents(spec);
    for (int i = 0; i < spec->quantity_count; i++)
        print_quantity(&spec->quantity[i]);
}

/* Of a microarchitecture only what the printed formulas use. */
static void print_core_sources(const struct theory_cpu *cpu, const struct theory_filter *filter)
{
    const struct spec *spec = &cpu->core->spec;
    print_documents(spec);
    for (int i = 0; i < spec->quantity_count; i++)
        if (theory_uses(cpu, filter, spec->quantity[i].name))
            print_quantity(&spec->quantity[i]);
}

static void print_caveats(const struct table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct ceiling *row = table_ceiling(table, i);
        if (strcmp(row->status, "ok") != 0 || !row->why[0])
            continue;
        printf("\nnote: ");
        print_paragraph(row->why, 6);
        return;
    }
}

/* Provenance lines of --csv: every number of the file with its source. */
static int note_spec(struct table *table, const struct spec *spec, struct error *error)
{
    for (int i = 0; i < spec->note_count; i++)
        if (table_note(table, spec->note[i].key, spec->note[i].text, error) != OK)
            return FAILED;
    for (int i = 0; i < spec->quantity_count; i++) {
        const struct quantity *quantity = &spec->quantity[i];
        char text[sizeof quantity->source + 64];
        text_format(text, sizeof text, "%.10g %s: %s", quantity->value, quantity->unit,
                    quantity->source);
        if (table_note(table, quantity->name, text, error) != OK)
            return FAILED;
    }
    return OK;
}

static int print_gpu(const struct question *question, const struct spec *spec, struct table *table,
                     struct error *error)
{
    if (theory_gpu_rows(spec, &question->ask, &question->filter, table, error) != OK)
        return FAILED;
    if (question->options.output != OUTPUT_TEXT)
        return note_spec(table, spec, error) != OK
                   ? FAILED
                   : print_table(table, question->options.output, error);
    puts(spec_note(spec, "title"));
    puts("dense (no sparsity); links in one direction");
    print_kind(table, "compute");
    print_kind(table, "bandwidth");
    print_kind(table, "capacity");
    print_caveats(table);
    print_sources(spec);
    return OK;
}

/* `spec` is NULL for this machine and for a captured one. */
static int print_cpu(const struct question *question, struct theory_cpu *cpu,
                     const struct spec *spec, struct table *table, struct error *error)
{
    if (theory_cpu_ask(cpu, &question->ask, error) != OK ||
        theory_cpu_rows(cpu, &question->filter, table, error) != OK)
        return FAILED;
    if (question->options.output != OUTPUT_TEXT) {
        if ((spec && note_spec(table, spec, error) != OK) ||
            (cpu->core && note_spec(table, &cpu->core->spec, error) != OK))
            return FAILED;
        return print_table(table, question->options.output, error);
    }
    print_paragraph(cpu->origin[0] ? cpu->origin : cpu->unidentified, 0);
    print_kind(table, "compute");
    print_kind(table, "bandwidth");
    print_kind(table, "capacity");
    print_caveats(table);
    for (int i = 0; i < cpu->clock_count && !spec; i++)
        if (!isnan(cpu->clock[i].hertz))
            printf("%s%s clock: %s\n", i ? "" : "\n", cpu->clock[i].word, cpu->clock[i].source);
    if (spec)
        print_sources(spec);
    if (cpu->core)
        print_core_sources(cpu, &question->filter);
    return OK;
}

static int answer_spec(const struct question *question, struct table *table, struct error *error)
{
    struct spec spec;
    struct theory_cpu cpu;
    struct microarchitecture core;
    if (spec_read(&spec, embedded_specs, "SPEC", question->spec, error) != OK)
        return FAILED;
    const char *kind = spec_note(&spec, "kind");
    if (strcmp(kind, "gpu") == 0)
        return print_gpu(question, &spec, table, error);
    if (strcmp(kind, "cpu") != 0)
        return error_set(error, FAULT_USAGE, "'%s': the line '# kind: cpu' or '# kind: gpu' lacks",
                         spec.name);
    if (theory_of_spec(&cpu, &core, &spec, error) != OK)
        return FAILED;
    if (question->options.output == OUTPUT_TEXT)
        puts(spec_note(&spec, "title"));
    return print_cpu(question, &cpu, &spec, table, error);
}

static int answer_host(const struct question *question, struct table *table, struct error *error)
{
    struct host host;
    struct theory_cpu cpu;
    struct microarchitecture core;
    if (host_read(&host, question->options.topology, error) != OK)
        return FAILED;
    int result = theory_of_host(&cpu, &core, &host, error);
    if (result == OK && question->options.output == OUTPUT_TEXT)
        printf("%s: %d core%s\n", host.cpu_model[0] ? host.cpu_model : "this CPU", host.cores,
               host.cores == 1 ? "" : "s");
    if (result == OK)
        result = print_cpu(question, &cpu, NULL, table, error);
    host_free(&host);
    return result;
}

static void print_usage(void)
{
    fputs(usage, stdout);
    fputs("published machines:\n", stdout);
    for (const struct embedded_file *file = embedded_specs; file->name; file++)
        printf("  %s\n", file->name);
}

static int run(int argc, char **argv)
{
    struct question question;
    struct error error;
    if (parse(&question, argc, argv, &error) != OK)
        return complain(&error);
    if (question.options.help) {
        print_usage();
        return FAULT_NONE;
    }
    question.filter.bare = question.options.output == OUTPUT_TEXT;
    struct table table;
    table_init(&table, &ceiling_schema);
    int result = question.spec ? answer_spec(&question, &table, &error)
                               : answer_host(&question, &table, &error);
    table_free(&table);
    return result == OK ? FAULT_NONE : complain(&error);
}

const struct command theory_command = {
    "theory", "what a published machine, or this one, could do: ceilings by formula", usage, run};
