// graph_digest.c - sums over the rows of graph.csv, side by side before and after the passes.
#include "graph_digest.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "graph_results.h"
#include "node_measurement.h"

enum { BEFORE, AFTER, STAGES };

/* Of one stage. */
struct amount {
    int nodes; /* that run */
    double flops, bytes, seconds, roof;
    double by[BOUND_LAUNCH + 1]; /* predicted seconds of nodes by bound */
};

struct line {
    char name[48];
    bool is_whole;
    int order; /* of its first row */
    struct amount amount[STAGES];
};

struct lines {
    struct line *line; /* owned */
    int count;
};

/* The line of that name; there is room for one to a row, and for the whole graph of each. */
static struct line *line_of(struct lines *lines, const char *name, bool is_whole)
{
    for (int i = 0; i < lines->count; i++)
        if (strcmp(lines->line[i].name, name) == 0)
            return &lines->line[i];
    struct line *line = &lines->line[lines->count];
    *line = (struct line){.is_whole = is_whole, .order = lines->count++};
    text_copy(line->name, sizeof line->name, name);
    return line;
}

static void add(struct line *line, const struct node_measurement *row)
{
    struct amount *amount = &line->amount[strcmp(row->stage, "after") == 0 ? AFTER : BEFORE];
    amount->nodes++;
    amount->flops += row->measured.flops;
    amount->bytes += row->measured.bytes_min;
    amount->seconds += row->measured.seconds_median;
    amount->roof += row->seconds_roof;
    if (row->seconds_predicted > 0)
        amount->by[bound_parse(row->bound)] += row->seconds_predicted;
}

/* Its longer time; bytes where nothing was timed. */
static double longest(const struct line *line)
{
    const struct amount *amount = line->amount;
    const double seconds = fmax(amount[BEFORE].seconds, amount[AFTER].seconds);
    return isnan(seconds) ? fmax(amount[BEFORE].bytes, amount[AFTER].bytes) : seconds;
}

/* Whole graphs in the order of the file, then operators, longest first. */
static int compare_lines(const void *a, const void *b)
{
    const struct line *x = a, *y = b;
    const double of_x = longest(x), of_y = longest(y);
    if (x->is_whole != y->is_whole)
        return x->is_whole ? -1 : 1;
    if (!x->is_whole && of_x < of_y)
        return 1;
    if (!x->is_whole && of_x > of_y)
        return -1;
    return x->order - y->order;
}

static void add_rows(struct lines *lines, const struct table *rows)
{
    const struct graph_extent extent = graph_extent_of(rows);
    for (size_t i = 0; i < rows->count; i++) {
        const struct node_measurement *row = table_node_measurement(rows, i);
        char whole[sizeof lines->line->name];
        if (strcmp(row->measured.status, "ok") != 0 || !(row->launches > 0))
            continue;
        graph_whole_format(&extent, row->batch, whole, sizeof whole);
        add(line_of(lines, whole, true), row);
        if (!extent.sweeps)
            add(line_of(lines, graph_plain_op(row->op), false), row);
    }
}

/* ---- cells ---- */

/* "-" for what is not there or not known; three digits at least. */
static void print_cell(int width, double value, FILE *out)
{
    if (isnan(value))
        fprintf(out, " %*s", width, "-");
    else
        fprintf(out, " %*.*f", width, value < 9.995 ? 2 : value < 999.95 ? 1 : 0, value);
}

static void print_pair(int width, const double value[STAGES], FILE *out)
{
    for (int s = 0; s < STAGES; s++)
        print_cell(width, value[s], out);
}

static const char *bound_of(const struct amount *amount)
{
    enum bound bound = BOUND_UNKNOWN;
    for (enum bound each = BOUND_MEMORY; each <= BOUND_LAUNCH; each++)
        if (amount->by[each] > amount->by[bound])
            bound = each;
    return bound_name(bound);
}

static void print_line(const struct line *line, int name_width, FILE *out)
{
    double us[STAGES], intensity[STAGES];
    fprintf(out, "  %-*.*s", name_width, name_width, line->name);
    for (int s = 0; s < STAGES; s++) {
        const struct amount *amount = &line->amount[s];
        us[s] = amount->nodes ? amount->seconds * 1e6 : NAN;
        intensity[s] = amount->bytes > 0 ? amount->flops / amount->bytes : NAN;
        if (amount->nodes)
            fprintf(out, " %4d", amount->nodes);
        else
            fprintf(out, " %4s", "-");
    }
    print_pair(7, us, out);
    print_pair(6, intensity, out);
    for (int s = 0; s < STAGES; s++) {
        const struct amount *amount = &line->amount[s];
        if (amount->seconds > 0 && amount->roof > 0)
            fprintf(out, " %4.0f", 100 * amount->roof / amount->seconds);
        else
            fprintf(out, " %4s", "-");
    }
    const struct amount *last = &line->amount[line->amount[AFTER].nodes ? AFTER : BEFORE];
    fprintf(out, " %s\n", bound_of(last));
}

int graph_digest_print(const struct table *rows, int columns, FILE *out, struct error *error)
{
    enum { CELLS = 60 }; /* columns of all but the name */
    const int name_width = columns - CELLS;
    struct lines lines = {.line = calloc(2 * rows->count + 1, sizeof *lines.line)};
    if (!lines.line)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory for the operators of %zu nodes",
                         rows->count);
    add_rows(&lines, rows);
    qsort(lines.line, (size_t)lines.count, sizeof *lines.line, compare_lines);
    if (lines.count > 0) {
        const struct node_measurement *first = table_node_measurement(rows, 0);
        const double threads = graph_extent_of(rows).threads;
        fprintf(out,
                "\nGraph %s: %s, %.0f thread%s; in pairs: before the passes, after them\n"
                "  %-*s %9s %15s %13s %9s %s\n",
                first->graph, first->measured.device, threads, threads == 1 ? "" : "s", name_width,
                "", "nodes", "us", "FLOP/B", "% of roof", "bound");
    }
    for (int i = 0; i < lines.count; i++)
        print_line(&lines.line[i], name_width, out);
    free(lines.line);
    return OK;
}
