// digest.c - machine, ceilings, kernels and caveats as text.
#include "digest.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "figure.h"
#include "graph_digest.h"
#include "names.h"

/* A spread above this is worth a warning: half of the samples differ by more from the others. */
static const double noisy_rel = 0.10;

/* Words, broken between them; later lines begin at `indent`, where the first one is already. */
static void print_wrapped(const char *words, int indent, int columns, FILE *out)
{
    int used = indent;
    for (const char *word = words; *word;) {
        int length = (int)strcspn(word, " ");
        if (used > indent && used + 1 + length > columns) {
            fprintf(out, "\n%*s", indent, "");
            used = indent;
        } else if (used > indent) {
            fputc(' ', out);
            used++;
        }
        fprintf(out, "%.*s", length, word);
        used += length;
        word += length + (word[length] == ' ');
    }
    fputc('\n', out);
}

static void print_machine(const struct results *results, int columns, FILE *out)
{
    static const char *const keys[] = {"cpu",    "hypervisor", "kernel",   "governor",
                                       "turbo",  "driver",     "compiler", "time_utc",
                                       "commit", "load",       "steal"};
    const struct table *table = results->machine.provenance ? &results->machine
                                : results->bench.provenance ? &results->bench
                                                            : &results->nodes;
    fputs("Machine\n", out);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        char value[256];
        if (!provenance_value(table, keys[i], value, sizeof value) || !value[0])
            continue;
        fprintf(out, "  %-12s ", keys[i]);
        print_wrapped(value, 15, columns, out);
    }
}

static bool is_measured(const struct ceiling *row)
{
    return strcmp(row->status, "ok") == 0 && strcmp(row->basis, "measured") == 0;
}

static const char *plural(double count)
{
    return count == 1 ? "" : "s";
}

/* "103.2 GFLOP/s", "1.41 ns". */
static void value_format(const struct ceiling *row, char *text, size_t capacity)
{
    if (strcmp(row->unit, "s") == 0)
        text_format(text, capacity, "%.2f ns", row->value * GIGA);
    else if (strcmp(row->unit, "flop/s") == 0)
        si_format(row->value, "FLOP/s", text, capacity);
    else if (strcmp(row->unit, "byte/s") == 0)
        si_format(row->value, "B/s", text, capacity);
    else
        si_format(row->value, strcmp(row->unit, "byte") == 0 ? "B" : row->unit, text, capacity);
}

/* Per cycle and worker; for a latency the cycles that it lasts. */
static void per_cycle_format(const struct ceiling *row, char *text, size_t capacity)
{
    double value = strcmp(row->kind, "latency") == 0 ? row->value * row->clock_hertz
                                                     : row->value / row->clock_hertz / row->workers;
    text[0] = '\0';
    if (!isnan(value) && strcmp(row->unit, "Hz") != 0 && strcmp(row->unit, "byte") != 0)
        text_format(text, capacity, "%.2f", value);
}

static void print_ceiling(const struct results *results, const struct ceiling *row, int name_width,
                          FILE *out)
{
    char name[64], value[32], per_cycle[32], spread[16] = "", clock[16] = "", theory[32] = "",
                                             fraction[16] = "";
    text_format(name, sizeof name, "%s%s%s", row->isa, row->isa[0] ? " " : "", row->level);
    value_format(row, value, sizeof value);
    per_cycle_format(row, per_cycle, sizeof per_cycle);
    if (!isnan(row->spread_rel))
        text_format(spread, sizeof spread, "%.1f %%", 100 * row->spread_rel);
    if (!isnan(row->clock_hertz))
        text_format(clock, sizeof clock, "%.2f", row->clock_hertz / GIGA);
    const struct ceiling *derived = ceiling_of_theory(&results->machine, row);
    if (derived && strcmp(row->kind, "latency") != 0) {
        struct ceiling at_clock = *derived;
        at_clock.value = ceiling_at_clock(derived, row->clock_hertz);
        value_format(&at_clock, theory, sizeof theory);
        text_format(fraction, sizeof fraction, "%.0f %%", 100 * row->value / at_clock.value);
    }
    fprintf(out, "  %-*.*s %13s %8s %7s %5s %13s %5s\n", name_width, name_width, name, value,
            per_cycle, spread, clock, theory, fraction);
}

static bool same_group(const struct ceiling *a, const struct ceiling *b)
{
    return strcmp(a->device, b->device) == 0 && strcmp(a->dtype, b->dtype) == 0 &&
           strcmp(a->kind, b->kind) == 0 &&
           (a->workers == b->workers || (isnan(a->workers) && isnan(b->workers)));
}

/* One group: a device's ceilings of one kind and format with as many workers. */
static void print_group(const struct results *results, size_t first, int columns, FILE *out)
{
    const struct ceiling *head = table_ceiling(&results->machine, first);
    char title[128];
    int name_width = columns - 60;
    const char *kind = strcmp(head->unit, "Hz") == 0 ? "clock" : head->kind;
    text_format(title, sizeof title, "%s %s%s%s, %.0f worker%s", head->device, kind,
                head->dtype[0] ? " " : "", head->dtype, head->workers, plural(head->workers));
    bool latency = strcmp(head->kind, "latency") == 0;
    fprintf(out, "\n  %s\n  %-*s %13s %8s %7s %5s %13s %5s\n", title, name_width, "", "",
            latency ? "cycles" : "/cycle", "spread", "GHz", latency ? "" : "theory",
            latency ? "" : "of it");
    for (size_t i = first; i < results->machine.count; i++) {
        const struct ceiling *row = table_ceiling(&results->machine, i);
        if (is_measured(row) && same_group(row, head))
            print_ceiling(results, row, name_width, out);
    }
}

static void print_ceilings(const struct results *results, int columns, FILE *out)
{
    fputs("\nMeasured ceilings: value, per cycle and worker, quartile range of the samples\n"
          "over their median, clock during them, the theoretical ceiling at that clock\n",
          out);
    for (size_t i = 0; i < results->machine.count; i++) {
        const struct ceiling *row = table_ceiling(&results->machine, i);
        bool first = is_measured(row);
        for (size_t j = 0; j < i && first; j++) {
            const struct ceiling *before = table_ceiling(&results->machine, j);
            first = !(is_measured(before) && same_group(before, row));
        }
        if (first)
            print_group(results, i, columns, out);
    }
}

/* A name that is too long goes on below. */
static void print_kernel(const struct figure_dot *dot, int number, int name_width, FILE *out)
{
    char rate[32], fraction[16] = "";
    gflops_format(dot->flops_per_second, rate, sizeof rate);
    if (!isnan(dot->roof_fraction))
        text_format(fraction, sizeof fraction, "%.0f %%", 100 * dot->roof_fraction);
    int length = name_break(dot->name, name_width);
    fprintf(out, "%3d %-*.*s %8s %7.2f %8.3g %7s %-5s %s\n", number, name_width, length, dot->name,
            rate, dot->gbytes_per_second, dot->intensity_flops_per_byte, fraction, dot->of,
            bound_name(dot->bound));
    for (const char *rest = dot->name + length; *rest; rest += length) {
        rest += strspn(rest, " ");
        length = name_break(rest, name_width);
        fprintf(out, "%*s%.*s\n", 4, "", length, rest);
    }
}

static int print_kernels(const struct results *results, int columns, FILE *out, struct error *error)
{
    struct figure_key *keys;
    int count, result = figure_keys(results, &keys, &count, error);
    int name_width = columns - 52;
    for (int i = 0; result == OK && i < count; i++) {
        struct figure figure;
        result = figure_build(&figure, results, &keys[i], error);
        if (result == OK && figure.dot_count > 0)
            fprintf(out, "\nKernels: %s %s, %.0f thread%s\n  # %-*s %8s %7s %8s %7s %-5s %s\n",
                    keys[i].device, keys[i].dtype, keys[i].threads, plural(keys[i].threads),
                    name_width, "", "GFLOP/s", "GB/s", "FLOP/B", "of roof", "", "bound");
        for (int d = 0; result == OK && d < figure.dot_count; d++)
            print_kernel(&figure.dot[d], d + 1, name_width, out);
        figure_free(&figure);
    }
    free(keys);
    return result;
}

/* A reason is printed once, with the number of rows that give it. */
struct caveat {
    char rows[160]; /* the first of them */
    const char *why;
    int count;
};

static int count_reason(struct caveat *caveats, int count, const char *why, const char *row)
{
    for (int i = 0; i < count; i++)
        if (strcmp(caveats[i].why, why) == 0) {
            caveats[i].count++;
            return count;
        }
    caveats[count] = (struct caveat){.why = why, .count = 1};
    text_copy(caveats[count].rows, sizeof caveats[count].rows, row);
    return count + 1;
}

/* Words with one space between them; empty ones leave none. */
static void join_words(char *text, size_t capacity, const char *const words[4])
{
    text[0] = '\0';
    for (int i = 0; i < 4; i++) {
        size_t used = strlen(text);
        if (words[i][0])
            text_format(text + used, capacity - used, "%s%s", used ? " " : "", words[i]);
    }
}

static int collect_caveats(const struct results *results, struct caveat *caveats)
{
    int count = 0;
    char row_name[160];
    static const char noisy[] = "samples spread by more than 10 %: the machine was busy or its "
                                "clock moved; repeat it on a quieter machine";
    for (size_t i = 0; i < results->machine.count; i++) {
        const struct ceiling *row = table_ceiling(&results->machine, i);
        join_words(row_name, sizeof row_name,
                   (const char *const[4]){row->level, row->dtype, row->isa, ""});
        if (row->why[0])
            count = count_reason(caveats, count, row->why, row_name);
        if (row->spread_rel > noisy_rel)
            count = count_reason(caveats, count, noisy, row_name);
    }
    for (size_t i = 0; i < results->summary.count; i++) {
        const struct summary *row = table_summary(&results->summary, i);
        join_words(row_name, sizeof row_name,
                   (const char *const[4]){row->kernel, row->variant, row->dtype, row->shape});
        if (row->why[0])
            count = count_reason(caveats, count, row->why, row_name);
        if (row->spread_rel > noisy_rel)
            count = count_reason(caveats, count, noisy, row_name);
    }
    return count;
}

static int print_caveats(const struct results *results, int columns, FILE *out, struct error *error)
{
    size_t most = 2 * (results->machine.count + results->summary.count) + 1;
    struct caveat *caveats = calloc(most, sizeof *caveats);
    if (!caveats)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory for %zu caveats", most);
    int count = collect_caveats(results, caveats);
    if (count > 0)
        fputs("\nSkipped, failed and noisy\n", out);
    for (int i = 0; i < count; i++) {
        char more[48] = "", sentence[640];
        if (caveats[i].count > 1)
            text_format(more, sizeof more, " and %d more", caveats[i].count - 1);
        text_format(sentence, sizeof sentence, "%s%s: %s", caveats[i].rows, more, caveats[i].why);
        fputs("  - ", out);
        print_wrapped(sentence, 4, columns, out);
    }
    free(caveats);
    return OK;
}

int digest_print(const struct results *results, int columns, FILE *out, struct error *error)
{
    columns = columns < 80 ? 80 : columns > 120 ? 120 : columns;
    print_machine(results, columns, out);
    if (results->machine.count > 0)
        print_ceilings(results, columns, out);
    if (print_kernels(results, columns, out, error) != OK ||
        graph_digest_print(&results->nodes, columns, out, error) != OK)
        return FAILED;
    return print_caveats(results, columns, out, error);
}
