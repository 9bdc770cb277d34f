// list.c - `roofline list WHAT`: the words that other commands take, and what the columns mean.
#include <string.h>

#include "cli.h"
#include "collection.h"
#include "embedded.h"
#include "isa.h"
#include "kernel.h"
#include "pass.h"
#include "spec.h"
#include "summary.h"
#include "wrapped.h"

static const char usage[] =
    "usage: roofline list WHAT [--csv|--json]\n"
    "\n"
    "  kernels   what can be measured, with its FLOP and byte model\n"
    "  variants  implementations of each kernel and their instruction sets\n"
    "  shapes    sizes that `roofline bench` runs, what their letters mean, and collections of "
    "them\n"
    "  isas      instruction sets, and whether this CPU has them\n"
    "  dtypes    number formats of the kernels\n"
    "  probes    what `roofline probe` fills machine.csv with\n"
    "  specs     published machines of `roofline theory`\n"
    "  passes    rewrites of operator graphs: what each matches, and when it must not fire\n"
    "  columns   the columns of the files, with units\n";

enum { CELLS = 4, CELL_CAPACITY = 1200 };

/* A row of any list; the names of its cells are in the list's schema. */
struct line {
    char cell[CELLS][CELL_CAPACITY];
};

/* Appends a row; a missing cell is "". */
static int add(struct table *table, const char *const cells[CELLS], struct error *error)
{
    struct line *line = table_append(table);
    if (!line)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory for the list");
    for (int i = 0; i < CELLS; i++)
        text_copy(line->cell[i], sizeof line->cell[i], cells[i] ? cells[i] : "");
    return OK;
}

#define ROW(...) ((const char *const[CELLS]){__VA_ARGS__})

static int list_kernels(struct table *table, struct error *error)
{
    int result = OK;
    for (const struct kernel *const *k = kernels; *k && result == OK; k++)
        result = add(
            table, ROW((*k)->name, (*k)->summary, (*k)->flops_formula, (*k)->bytes_formula), error);
    return result;
}

/* The instruction sets of which a variant has a body. */
static void format_isas(const struct variant *variant, char *text, size_t capacity)
{
    size_t used = 0;
    text[0] = 0;
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        bool present = false;
        for (int dtype = 0; dtype < DTYPE_COUNT; dtype++)
            present = present || variant->bodies[isa][dtype];
        if (!present)
            continue;
        text_format(text + used, capacity - used, "%s%s", used ? " " : "", isa_name((enum isa)isa));
        used = strlen(text);
    }
}

/* Of a library's routine also which version is here, or why there is none. */
static void format_summary(const struct variant *variant, char *text, size_t capacity)
{
    struct opened_library opened;
    struct error reason;
    if (!variant->routine)
        text_copy(text, capacity, variant->summary);
    else if (library_open(variant->routine->library, &opened, &reason) == OK)
        text_format(text, capacity, "%s: %s", variant->summary, opened.version);
    else
        text_format(text, capacity, "%s: not here, %s", variant->summary, reason.text);
}

static int list_variants(struct table *table, struct error *error)
{
    int result = OK;
    for (const struct kernel *const *k = kernels; *k; k++)
        for (const struct variant *v = (*k)->variants; v->name && result == OK; v++) {
            char isas[CELL_CAPACITY], summary[CELL_CAPACITY];
            format_isas(v, isas, sizeof isas);
            format_summary(v, summary, sizeof summary);
            result = add(table, ROW((*k)->name, v->name, isas, summary), error);
        }
    return result;
}

/* "order of the dimensions: nchw (default) nhwc". */
static void format_words(const struct letter *letter, char *text, size_t capacity)
{
    text_format(text, capacity, "%s:", letter->meaning);
    for (long i = 0; letter->words[i]; i++) {
        size_t used = strlen(text);
        text_format(text + used, capacity - used, " %s%s", letter->words[i],
                    i == letter->fallback ? " (default)" : "");
    }
}

static int add_letter(struct table *table, const struct kernel *kernel, const struct letter *letter,
                      struct error *error)
{
    char meaning[CELL_CAPACITY];
    if (letter->fallback < 0)
        text_format(meaning, sizeof meaning, "%s; must be given", letter->meaning);
    else if (letter->words)
        format_words(letter, meaning, sizeof meaning);
    else
        text_format(meaning, sizeof meaning, "%s; default %ld", letter->meaning, letter->fallback);
    return add(table, ROW(kernel->name, letter->name, meaning), error);
}

/* A collection: what it is, where it comes from, its shapes. */
static int add_collection(struct table *table, const struct collection *collection,
                          struct error *error)
{
    char word[COLLECTION_TEXT_MAX], meaning[CELL_CAPACITY];
    text_format(word, sizeof word, "@%s", collection->name);
    int result = add(table, ROW("", word, collection->title), error);
    for (int i = 0; i < collection->source_count && result == OK; i++) {
        text_format(meaning, sizeof meaning, "source: %s", collection->source[i]);
        result = add(table, ROW("", word, meaning), error);
    }
    for (int i = 0; i < collection->shape_count && result == OK; i++) {
        const struct collected *shape = &collection->shape[i];
        text_format(meaning, sizeof meaning, "%s %s, %ld time%s", word, shape->name, shape->count,
                    shape->count == 1 ? "" : "s");
        result = add(table, ROW(shape->kernel, shape->shape, meaning), error);
    }
    return result;
}

static int list_shapes(struct table *table, struct error *error)
{
    int result = OK;
    for (const struct kernel *const *k = kernels; *k; k++) {
        for (int i = 0; i < (*k)->letter_count && result == OK; i++)
            result = add_letter(table, *k, &(*k)->letters[i], error);
        for (const char *const *shape = (*k)->shapes; *shape && result == OK; shape++)
            result = add(table, ROW((*k)->name, *shape, "run by `roofline bench`"), error);
    }
    for (const struct embedded_file *file = embedded_shapes; file->name && result == OK; file++) {
        struct collection collection;
        result = collection_parse(&collection, file->name, file->text, error);
        if (result == OK)
            result = add_collection(table, &collection, error);
    }
    return result;
}

static int list_isas(struct table *table, struct error *error)
{
    int result = OK;
    for (int isa = 0; isa < ISA_COUNT && result == OK; isa++) {
        char bits[16];
        snprintf(bits, sizeof bits, "%d", 8 * isa_vector_bytes((enum isa)isa, DTYPE_f64));
        result = add(
            table, ROW(isa_name((enum isa)isa), bits, isa_supported((enum isa)isa) ? "yes" : "no"),
            error);
    }
    return result;
}

static int list_dtypes(struct table *table, struct error *error)
{
    int result = OK;
    for (int dtype = 0; dtype < DTYPE_COUNT && result == OK; dtype++) {
        char bytes[16];
        snprintf(bytes, sizeof bytes, "%d", dtype_bytes((enum dtype)dtype));
        result = add(table, ROW(dtype_name((enum dtype)dtype), bytes), error);
    }
    return result;
}

static int list_probes(struct table *table, struct error *error)
{
    int result = OK;
    for (const struct probe *const *p = probes; *p && result == OK; p++)
        result = add(table, ROW((*p)->name, (*p)->summary), error);
    return result;
}

static int list_specs(struct table *table, struct error *error)
{
    int result = OK;
    for (const struct embedded_file *file = embedded_specs; file->name && result == OK; file++) {
        struct spec spec;
        result = spec_parse(&spec, file->name, file->text, error);
        if (result == OK)
            result = add(table, ROW(spec.name, spec_note(&spec, "kind"), spec_note(&spec, "title")),
                         error);
    }
    return result;
}

static int list_passes(struct table *table, struct error *error)
{
    int result = OK;
    for (int i = 0; i < PASS_COUNT && result == OK; i++)
        result = add(table,
                     ROW(passes[i]->name, pass_group_name(passes[i]->group), passes[i]->summary,
                         passes[i]->refuses),
                     error);
    return result;
}

static int list_columns(struct table *table, struct error *error)
{
    static const struct schema *const schemas[] = {&ceiling_schema, &measurement_schema,
                                                   &summary_schema};
    int result = OK;
    for (size_t s = 0; s < sizeof schemas / sizeof *schemas; s++)
        for (size_t i = 0; i < schemas[s]->field_count && result == OK; i++) {
            char file[64];
            text_format(file, sizeof file, "%s.csv", schemas[s]->name);
            result = add(
                table, ROW(file, schemas[s]->fields[i].name, schemas[s]->fields[i].meaning), error);
        }
    return result;
}

static const struct list {
    const char *name;
    const char *columns[CELLS];
    int (*fill)(struct table *table, struct error *error);
} lists[] = {
    {"kernels", {"kernel", "computes", "flops", "bytes"}, list_kernels},
    {"variants", {"kernel", "variant", "isas", "summary"}, list_variants},
    {"shapes", {"kernel", "shape", "meaning"}, list_shapes},
    {"isas", {"isa", "vector_bits", "here"}, list_isas},
    {"dtypes", {"dtype", "bytes"}, list_dtypes},
    {"probes", {"probe", "summary"}, list_probes},
    {"specs", {"spec", "kind", "title"}, list_specs},
    {"passes", {"pass", "group", "matches", "refuses"}, list_passes},
    {"columns", {"file", "column", "meaning"}, list_columns},
};
enum { LIST_COUNT = sizeof lists / sizeof *lists };

static int print_list(const struct list *list, enum output output, struct error *error)
{
    struct field fields[CELLS] = {0};
    struct schema schema = {
        .name = list->name, .version = 1, .fields = fields, .row_bytes = sizeof(struct line)};
    for (; schema.field_count < CELLS && list->columns[schema.field_count]; schema.field_count++)
        fields[schema.field_count] = (struct field){
            .name = list->columns[schema.field_count],
            .type = FIELD_TEXT,
            .offset = schema.field_count * CELL_CAPACITY,
            .capacity = CELL_CAPACITY,
            .meaning = "",
        };
    struct table table;
    table_init(&table, &schema);
    int result = list->fill(&table, error);
    if (result == OK)
        result = print_wrapped(&table, output, error);
    table_free(&table);
    return result;
}

static int choose(int argc, char **argv, const struct list **chosen, struct error *error)
{
    char words[128] = "";
    for (int i = 0; i < LIST_COUNT; i++) {
        size_t used = strlen(words);
        snprintf(words + used, sizeof words - used, " %s", lists[i].name);
        if (argc == 1 && strcmp(argv[0], lists[i].name) == 0)
            *chosen = &lists[i];
    }
    if (*chosen)
        return OK;
    if (argc == 0)
        return error_set(error, FAULT_USAGE, "list what? one of:%s", words);
    if (argc > 1)
        return error_set(error, FAULT_USAGE, "'%s' is one word too many; list one of:%s", argv[1],
                         words);
    return error_set(error, FAULT_USAGE, "cannot list '%s'; known:%s", argv[0], words);
}

static int run(int argc, char **argv)
{
    static const struct option longs[] = {OPTIONS_PRINT, {0}};
    struct options options;
    struct error error;
    const struct list *list = NULL;
    if (options_parse(&options, longs, WORDS_ANY, argc, argv, &error) != OK)
        return complain(&error);
    if (options.help) {
        fputs(usage, stdout);
        return FAULT_NONE;
    }
    if (choose(argc - optind, argv + optind, &list, &error) != OK ||
        print_list(list, options.output, &error) != OK)
        return complain(&error);
    return FAULT_NONE;
}

const struct command list_command = {
    .name = "list",
    .summary = "kernels, variants, shapes, ISAs, probes, specs, columns: the words to use",
    .usage = usage,
    .run = run,
};
