// figure.c - chooses lines, dots and ranges of a roofline plot.
#include "figure.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "names.h"
#include "stats.h"

/* Lines nearer than this would be drawn on top of each other: one line with both names. */
static const double same_line_rel = 0.03;

void si_format(double value, const char *unit, char *text, size_t capacity)
{
    static const struct {
        double scale;
        const char *prefix;
    } prefixes[] = {{1e15, "P"}, {1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}, {1, ""}};
    enum { LAST = sizeof prefixes / sizeof *prefixes - 1 };
    text[0] = '\0';
    if (isnan(value))
        return;
    int i = 0;
    while (i < LAST && value < 0.9995 * prefixes[i].scale)
        i++;
    double scaled = value / prefixes[i].scale;
    text_format(text, capacity, "%.*f %s%s",
                scaled < 9.995   ? 2
                : scaled < 99.95 ? 1
                                 : 0,
                scaled, prefixes[i].prefix, unit);
}

void gflops_format(double flops_per_second, char *text, size_t capacity)
{
    double gflops = flops_per_second / GIGA;
    text_format(text, capacity, "%.*f", gflops < 1 ? 3 : gflops < 100 ? 2 : 1, gflops);
}

static void upper_words(const char *word, char *text, size_t capacity)
{
    size_t i = 0;
    for (; word[i] && i + 1 < capacity; i++)
        text[i] = (char)toupper((unsigned char)word[i]);
    text[i] = '\0';
}

void isa_words(const char *isa, char *text, size_t capacity)
{
    if (strcmp(isa, "avx512") == 0)
        text_copy(text, capacity, "AVX-512");
    else if (strcmp(isa, "scalar") == 0)
        text_copy(text, capacity, isa);
    else
        upper_words(isa, text, capacity);
}

void ceiling_words(const char *level, char *text, size_t capacity)
{
    char word[24];
    text_format(word, sizeof word, "%.*s", (int)level_length(level), level);
    upper_words(word, text, capacity);
}

double line_at(const struct figure_line *line, double intensity_flops_per_byte)
{
    return line->slanted ? line->value * intensity_flops_per_byte : line->value;
}

const struct figure_line *figure_roof(const struct figure *figure, bool slanted)
{
    for (int i = 0; i < figure->line_count; i++)
        if (figure->line[i].style == LINE_ROOF && figure->line[i].slanted == slanted)
            return &figure->line[i];
    return NULL;
}

double figure_top(const struct figure *figure, bool slanted)
{
    double top = NAN;
    for (int i = 0; i < figure->line_count; i++)
        if (figure->line[i].slanted == slanted && figure->line[i].style != LINE_THEORY)
            top = fmax(top, figure->line[i].value);
    return top;
}

const char *figure_head(const struct figure *figure)
{
    return figure->of_graph ? "operator" : "kernel";
}

bool dot_is_drawn(const struct figure_dot *dot)
{
    return dot->intensity_flops_per_byte > 0;
}

bool dot_has_before(const struct figure_dot *dot)
{
    return dot->before_flops_per_byte > 0 && dot->before_flops_per_second > 0;
}

void dot_rate_format(const struct figure_dot *dot, char *text, size_t capacity)
{
    if (dot->is_gone)
        text_copy(text, capacity, "gone");
    else if (dot_is_drawn(dot))
        gflops_format(dot->flops_per_second, text, capacity);
    else
        si_format(dot->gbytes_per_second * GIGA, "B/s", text, capacity);
}

static bool key_equals(const struct figure_key *a, const struct figure_key *b)
{
    return strcmp(a->device, b->device) == 0 && strcmp(a->dtype, b->dtype) == 0 &&
           a->threads == b->threads;
}

static struct figure_key key_of(const char *device, const char *dtype, double threads)
{
    struct figure_key key = {.threads = threads};
    text_copy(key.device, sizeof key.device, device);
    text_copy(key.dtype, sizeof key.dtype, dtype);
    return key;
}

static bool has_key(const struct figure_key *keys, int count, const struct figure_key *key)
{
    for (int i = 0; i < count; i++)
        if (key_equals(&keys[i], key))
            return true;
    return false;
}

static bool is_shown(const struct summary *row)
{
    return strcmp(row->status, "ok") == 0 && row->gbytes_per_second > 0;
}

/* The keys of measured compute ceilings, one per device and dtype with the most workers. */
static int machine_keys(const struct table *machine, struct figure_key *keys)
{
    int count = 0;
    for (size_t i = 0; i < machine->count; i++) {
        const struct ceiling *row = table_ceiling(machine, i);
        if (strcmp(row->kind, "compute") != 0 || strcmp(row->basis, "measured") != 0 ||
            strcmp(row->status, "ok") != 0)
            continue;
        int at = 0;
        while (at < count && (strcmp(keys[at].device, row->device) != 0 ||
                              strcmp(keys[at].dtype, row->dtype) != 0))
            at++;
        if (at == count)
            keys[count++] = key_of(row->device, row->dtype, row->workers);
        else if (row->workers > keys[at].threads)
            keys[at].threads = row->workers;
    }
    return count;
}

int figure_keys(const struct results *results, struct figure_key **keys, int *count,
                struct error *error)
{
    size_t most = results->summary.count + results->machine.count + 1;
    *count = 0;
    *keys = calloc(most, sizeof **keys);
    if (!*keys)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory for %zu plot keys", most);
    for (size_t i = 0; i < results->summary.count; i++) {
        const struct summary *row = table_summary(&results->summary, i);
        struct figure_key key = key_of(row->device, row->dtype, row->threads);
        if (is_shown(row) && !has_key(*keys, *count, &key))
            (*keys)[(*count)++] = key;
    }
    if (*count == 0)
        *count = machine_keys(&results->machine, *keys);
    return OK;
}

/* Median clock of the figure's measurements; NAN without any. */
static double median_clock_hertz(const struct results *results, const struct figure_key *key)
{
    double *clocks = calloc(results->bench.count + 1, sizeof *clocks);
    size_t count = 0;
    for (size_t i = 0; clocks && i < results->bench.count; i++) {
        const struct measurement *row = table_measurement(&results->bench, i);
        struct figure_key own = key_of(row->device, row->dtype, row->threads);
        if (key_equals(&own, key) && row->clock_hertz > 0)
            clocks[count++] = row->clock_hertz;
    }
    double median = clocks ? quartiles_of(clocks, count).median : NAN;
    free(clocks);
    return median;
}

/* Adds a line, or its name to the one that lies there already. `isa` is "" where it does not
 * matter. */
static void add_line(struct figure *figure, enum line_style style, bool slanted, double value,
                     const char *isa, const char *name)
{
    char label[64];
    text_format(label, sizeof label, "%s%s%s", isa, isa[0] ? " " : "", name);
    for (int i = 0; i < figure->line_count && style != LINE_THEORY; i++) {
        struct figure_line *line = &figure->line[i];
        if (line->slanted != slanted || slanted || line->style == LINE_THEORY ||
            fabs(value / line->value - 1) > same_line_rel)
            continue;
        size_t used = strlen(line->label);
        text_format(line->label + used, sizeof line->label - used, ", %s",
                    strcmp(line->last_isa, isa) == 0 ? name : label);
        text_copy(line->last_isa, sizeof line->last_isa, isa);
        return;
    }
    if (figure->line_count == FIGURE_LINES_MAX)
        return;
    struct figure_line *line = &figure->line[figure->line_count++];
    *line = (struct figure_line){.style = style, .slanted = slanted, .value = value};
    text_copy(line->label, sizeof line->label, label);
    text_copy(line->last_isa, sizeof line->last_isa, isa);
}

static void add_compute(struct figure *figure, const struct ceiling *ceiling, double clock_hertz,
                        enum line_style style)
{
    char isa[16], mix[24];
    isa_words(ceiling->isa, isa, sizeof isa);
    ceiling_words(ceiling->level, mix, sizeof mix);
    add_line(figure, style, false, ceiling_at_clock(ceiling, clock_hertz), isa, mix);
}

/* The roof, the mixes above it, mul+add of its ISA, and the best fma or mul+add of every other ISA.
 */
static void add_compute_lines(struct figure *figure, const struct table *machine,
                              double clock_hertz)
{
    const struct figure_key *key = &figure->key;
    const struct ceiling *roof = ceiling_of_compute(machine, key->device, key->dtype, key->threads);
    if (!roof)
        return;
    add_compute(figure, roof, clock_hertz, LINE_ROOF);
    for (size_t i = 0; i < machine->count; i++) {
        const struct ceiling *row = table_ceiling(machine, i);
        const struct ceiling *best =
            ceiling_of_mix(machine, key->device, key->dtype, row->isa, row->level, key->threads);
        const struct ceiling *fma =
            ceiling_of_mix(machine, key->device, key->dtype, row->isa, "fma", key->threads);
        if (row != best || row == roof)
            continue;
        bool same_isa = strcmp(row->isa, roof->isa) == 0;
        bool mul_add = strcmp(row->level, "mul+add") == 0;
        if (ceiling_at_clock(row, clock_hertz) >
            (1 + same_line_rel) * ceiling_at_clock(roof, clock_hertz))
            add_compute(figure, row, clock_hertz, LINE_ABOVE);
        else if ((same_isa && mul_add) || (!same_isa && (row == fma || (!fma && mul_add))))
            add_compute(figure, row, clock_hertz, LINE_CEILING);
    }
    const struct ceiling *theory = ceiling_of_theory(machine, roof);
    if (theory) {
        /* At its own clock, unless the machine ran faster than that. */
        double hertz = fmax(theory->clock_hertz, clock_hertz);
        char clock[32], mix[24], name[64];
        si_format(hertz, "Hz", clock, sizeof clock);
        ceiling_words(theory->level, mix, sizeof mix);
        text_format(name, sizeof name, "theory %s%s%s", mix, clock[0] ? " at " : "", clock);
        add_line(figure, LINE_THEORY, false, ceiling_at_clock(theory, hertz), "", name);
    }
}

/* The first row of each level stands for the level. */
static bool is_first_of_level(const struct table *machine, size_t i)
{
    const struct ceiling *row = table_ceiling(machine, i);
    for (size_t j = 0; j < i; j++) {
        const struct ceiling *before = table_ceiling(machine, j);
        if (strcmp(before->kind, "bandwidth") == 0 && level_is(before->level, row->level) &&
            strcmp(before->device, row->device) == 0)
            return false;
    }
    return strcmp(row->kind, "bandwidth") == 0;
}

static void add_memory_lines(struct figure *figure, const struct table *machine, double clock_hertz)
{
    const struct figure_key *key = &figure->key;
    struct figure_line *outermost = NULL;
    const struct ceiling *outermost_row = NULL;
    for (size_t i = 0; i < machine->count; i++) {
        const struct ceiling *row = table_ceiling(machine, i);
        if (strcmp(row->device, key->device) != 0 || !is_first_of_level(machine, i))
            continue;
        const struct ceiling *best =
            ceiling_of_memory(machine, key->device, key->dtype, row->level, key->threads);
        if (!best || figure->line_count == FIGURE_LINES_MAX)
            continue;
        char name[24];
        ceiling_words(best->level, name, sizeof name);
        add_line(figure, LINE_CEILING, true, ceiling_at_clock(best, clock_hertz), "", name);
        struct figure_line *line = &figure->line[figure->line_count - 1];
        if (!outermost || line->value < outermost->value) {
            outermost = line;
            outermost_row = best;
        }
    }
    if (!outermost)
        return;
    outermost->style = LINE_ROOF;
    const struct ceiling *theory = ceiling_of_theory(machine, outermost_row);
    if (theory) {
        char name[40];
        text_format(name, sizeof name, "theory %s", outermost->label);
        add_line(figure, LINE_THEORY, true, theory->value, "", name);
    }
}

static int compare_lines(const void *left, const void *right)
{
    const struct figure_line *a = left, *b = right;
    if (a->slanted != b->slanted)
        return a->slanted - b->slanted;
    return (a->value < b->value) - (a->value > b->value);
}

/* The rows of a table that the figure shows; how many. */
static int shown_rows(const struct figure *figure, const struct table *table,
                      const struct summary **rows)
{
    int count = 0;
    for (size_t i = 0; i < table->count; i++) {
        const struct summary *row = table_summary(table, i);
        struct figure_key key = key_of(row->device, row->dtype, row->threads);
        if (is_shown(row) && key_equals(&key, &figure->key))
            rows[count++] = row;
    }
    return count;
}

static struct figure_dot dot_of(const struct summary *row)
{
    struct figure_dot dot = {.intensity_flops_per_byte = row->intensity,
                             .flops_per_second = row->gflops * GIGA,
                             .gbytes_per_second = row->gbytes_per_second,
                             .roof_flops_per_second = row->roof_gflops * GIGA,
                             .roof_fraction = row->roof_fraction,
                             .before_flops_per_byte = NAN,
                             .before_flops_per_second = NAN,
                             .bound = bound_parse(row->bound)};
    ceiling_words(row->roof_level, dot.of, sizeof dot.of);
    return dot;
}

static void put_before(struct figure_dot *dot, const struct summary *row)
{
    dot->before_flops_per_byte = row->intensity;
    dot->before_flops_per_second = row->gflops * GIGA;
    dot->before_bound = bound_parse(row->bound);
}

/* An operator that a graph had before its passes alone. */
static struct figure_dot gone_dot(const struct summary *row)
{
    struct figure_dot dot = {.is_gone = true,
                             .intensity_flops_per_byte = NAN,
                             .flops_per_second = NAN,
                             .gbytes_per_second = NAN,
                             .roof_flops_per_second = NAN,
                             .roof_fraction = NAN,
                             .bound = bound_parse(row->bound)};
    put_before(&dot, row);
    text_copy(dot.name, sizeof dot.name, row->kernel);
    return dot;
}

static int add_dots(struct figure *figure, const struct results *results, struct error *error)
{
    const size_t most = results->summary.count + results->before.count + 1;
    figure->dot = calloc(most, sizeof *figure->dot);
    const struct summary **rows = calloc(most, sizeof *rows);
    if (!figure->dot || !rows) {
        free(rows);
        return error_set(error, FAULT_ENVIRONMENT, "out of memory for %zu dots", most);
    }
    const int after = shown_rows(figure, &results->summary, rows);
    const int before = shown_rows(figure, &results->before, rows + after);
    for (int i = 0; i < after; i++) {
        figure->dot[i] = dot_of(rows[i]);
        name_row(rows, after, i, figure->dot[i].name, sizeof figure->dot[i].name);
    }
    figure->dot_count = after;
    for (int i = after; i < after + before; i++) {
        int at = 0;
        while (at < after && strcmp(rows[at]->kernel, rows[i]->kernel) != 0)
            at++;
        if (at < after)
            put_before(&figure->dot[at], rows[i]);
        else
            figure->dot[figure->dot_count++] = gone_dot(rows[i]);
    }
    free(rows);
    return OK;
}

static double power_of_two_below(double value)
{
    return exp2(floor(log2(value)));
}

/* Everything that is drawn, with air around it: ridges, dots, the lowest ceiling. */
static void choose_ranges(struct figure *figure)
{
    double left = NAN, right = NAN, low = NAN, high = NAN;
    double flat = figure_top(figure, false), fastest = figure_top(figure, true);
    const struct figure_line *memory = figure_roof(figure, true);
    for (int i = 0; i < figure->dot_count; i++) {
        const struct figure_dot *dot = &figure->dot[i];
        if (dot_is_drawn(dot)) {
            left = fmin(left, dot->intensity_flops_per_byte);
            right = fmax(right, dot->intensity_flops_per_byte);
            low = fmin(low, dot->flops_per_second);
            high = fmax(high, dot->flops_per_second);
        }
        if (dot_has_before(dot)) {
            left = fmin(left, dot->before_flops_per_byte);
            right = fmax(right, dot->before_flops_per_byte);
            low = fmin(low, dot->before_flops_per_second);
            high = fmax(high, dot->before_flops_per_second);
        }
    }
    for (int i = 0; i < figure->line_count; i++) {
        low = figure->line[i].slanted ? low : fmin(low, figure->line[i].value);
        high = figure->line[i].slanted ? high : fmax(high, figure->line[i].value);
    }
    if (memory && flat > 0) {
        left = fmin(left, flat / fastest);
        right = fmax(right, 2 * flat / memory->value);
    }
    left = left > 0 ? left : 1;
    right = right > left ? right : left;
    figure->intensity_min = power_of_two_below(left / 2);
    figure->intensity_max = 2 * power_of_two_below(1.25 * right);
    low = memory ? fmin(low, 2 * line_at(memory, figure->intensity_min)) : low;
    figure->flops_min = (low > 0 ? low : GIGA) / 2;
    figure->flops_max = (high > 0 ? high : GIGA) * 1.7;
}

/* "Intel(R) Xeon(R) CPU @ 2.60GHz, GenuineIntel family 6 ...": the model's name. The clock after
 * the @ is a label, not the clock of this run. */
static void machine_name(const struct table *table, char *name, size_t capacity)
{
    if (!provenance_value(table, "cpu", name, capacity))
        text_copy(name, capacity, "unknown machine");
    char *at = strstr(name, " @");
    if (at)
        *at = '\0';
    name[strcspn(name, ",")] = '\0';
}

/* Samples behind a dot, at least; NAN without dots. */
static double fewest_samples(const struct results *results, const struct figure_key *key)
{
    double fewest = NAN;
    for (size_t i = 0; i < results->bench.count; i++) {
        const struct measurement *row = table_measurement(&results->bench, i);
        struct figure_key own = key_of(row->device, row->dtype, row->threads);
        if (key_equals(&own, key) && strcmp(row->status, "ok") == 0)
            fewest = fmin(fewest, row->samples);
    }
    return fewest;
}

static bool has_theory(const struct figure *figure)
{
    bool found = false;
    for (int i = 0; i < figure->line_count; i++)
        found = found || figure->line[i].style == LINE_THEORY;
    return found;
}

static void write_titles(struct figure *figure, const struct results *results, double clock_hertz)
{
    const struct table *table = results->bench.provenance ? &results->bench : &results->machine;
    const struct figure_key *key = &figure->key;
    char machine[96], time[64], clock[32], dots[96] = "", lines[128] = "", at[80] = "";
    machine_name(table, machine, sizeof machine);
    provenance_value(table, "time_utc", time, sizeof time);
    time[strcspn(time, "T")] = '\0';
    char graph[64] = "";
    if (figure->of_graph)
        provenance_value(table, "graph", graph, sizeof graph);
    text_format(figure->title, sizeof figure->title, "%s%s%s, %s, %s, %.0f thread%s", graph,
                graph[0] ? " on " : "", machine, key->device, key->dtype, key->threads,
                key->threads == 1 ? "" : "s");
    si_format(clock_hertz, "Hz", clock, sizeof clock);
    if (clock[0])
        text_format(at, sizeof at, " (of the cores at %s, the median clock of the dots)", clock);
    if (figure->dot_count > 0)
        text_format(dots, sizeof dots, "dots are medians of %.0f samples",
                    fewest_samples(results, key));
    if (figure->line_count > 0)
        text_format(lines, sizeof lines, "%slines are the ceilings that were reached%s%s",
                    dots[0] ? ", " : "", at, has_theory(figure) ? ", green is theory" : "");
    text_format(figure->subtitle, sizeof figure->subtitle, "%s%s%s%s", time, time[0] ? ", " : "",
                dots, lines);
}

int figure_build(struct figure *figure, const struct results *results, const struct figure_key *key,
                 struct error *error)
{
    double clock_hertz = median_clock_hertz(results, key);
    *figure = (struct figure){.key = *key, .of_graph = results->before.count > 0};
    add_compute_lines(figure, &results->machine, clock_hertz);
    add_memory_lines(figure, &results->machine, clock_hertz);
    qsort(figure->line, (size_t)figure->line_count, sizeof *figure->line, compare_lines);
    if (add_dots(figure, results, error) != OK)
        return FAILED;
    choose_ranges(figure);
    write_titles(figure, results, clock_hertz);
    return OK;
}

void figure_free(struct figure *figure)
{
    free(figure->dot);
    figure->dot = NULL;
    figure->dot_count = 0;
}

static bool same_kernel(const struct figure_dot *a, const struct figure_dot *b)
{
    size_t length = strcspn(a->name, " ");
    return length == strcspn(b->name, " ") && strncmp(a->name, b->name, length) == 0;
}

/* Behind the last dot of a part that begins here: before a kernel that does not fit whole, unless
 * it is the only one. */
static int part_end(const struct figure *figure, int begin, int most)
{
    int end = begin + most;
    if (end >= figure->dot_count)
        return figure->dot_count;
    while (end > begin && same_kernel(&figure->dot[end - 1], &figure->dot[end]))
        end--;
    return end > begin ? end : begin + most;
}

int figure_parts(const struct figure *figure, int most)
{
    int parts = 1;
    for (int end = part_end(figure, 0, most); end < figure->dot_count; parts++)
        end = part_end(figure, end, most);
    return parts;
}

/* The least size of a part that makes no more parts: they are then about as large as each other. */
static int even_size(const struct figure *figure, int most)
{
    int parts = figure_parts(figure, most), size = (figure->dot_count + parts - 1) / parts;
    while (size < most && figure_parts(figure, size) > parts)
        size++;
    return size;
}

struct figure figure_part(const struct figure *figure, int most, int part)
{
    struct figure own = *figure;
    int parts = figure_parts(figure, most), begin = 0;
    if (parts == 1)
        return own;
    const int size = even_size(figure, most);
    for (int i = 0; i < part; i++)
        begin = part_end(figure, begin, size);
    int end = part_end(figure, begin, size);
    own.dot = figure->dot + begin;
    own.dot_count = end - begin;
    own.dots_before = begin;
    text_format(own.title, sizeof own.title, "Plot %d of %d, rows %d to %d of %d, %s", part + 1,
                parts, begin + 1, end, figure->dot_count, figure->title);
    return own;
}
