// graph_view.c - a graph before and after its passes, for people: totals, passes, operators, nodes.
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "graph_run.h"

/* Nodes that take less of the time are left to --csv. */
static const double least_part = 0.01;
enum { NODES_MOST = 40 };

/* What several nodes are and take together. */
struct group {
    char op[48];
    int nodes, launches;
    double flops, bytes, roof, predicted, seconds;
    double by[COST_LAUNCH + 1]; /* predicted seconds of nodes by bound */
    bool moves;
};

static void add_node(struct group *group, const struct node_times *node)
{
    const struct cost *cost = &node->cost;
    group->nodes++;
    group->launches += cost->launches;
    if (cost->launches == 0)
        return;
    group->flops += cost->flops;
    group->bytes += cost->bytes;
    group->roof += cost->roof_seconds;
    group->predicted += cost->seconds;
    group->seconds += node->seconds.count ? node->seconds.median : NAN;
    group->by[cost->bound] += isnan(cost->seconds) ? 0 : cost->seconds;
    group->moves = cost->moves_only;
}

static enum cost_bound bound_of(const struct group *group)
{
    enum cost_bound bound = COST_UNKNOWN;
    for (enum cost_bound each = COST_COMPUTE; each <= COST_LAUNCH; each++)
        if (group->by[each] > group->by[bound])
            bound = each;
    return bound;
}

static struct group all_nodes(const struct stage *stage)
{
    struct group all = {.op = ""};
    for (int i = 0; i < stage->node_count; i++)
        add_node(&all, &stage->node[i]);
    return all;
}

/* Those that only move data. */
static struct group moving_nodes(const struct stage *stage)
{
    struct group moving = {.op = ""};
    for (int i = 0; i < stage->node_count; i++)
        if (stage->node[i].cost.moves_only)
            add_node(&moving, &stage->node[i]);
    return moving;
}

/* ---- cells ---- */

/* A column of a table with what stands there in one row. */
struct cell {
    const char *head;
    int width, digits;
    bool is_extra; /* left out where the terminal is narrow */
    double value;
};

/* What a table of that many columns may take: all it wants where nobody looks at its width. */
static int columns_here(void)
{
    return isatty(STDOUT_FILENO) || getenv("COLUMNS") ? terminal_columns() : INT_MAX;
}

/* Columns of the cells, each with a blank in front. */
static int width_of(const struct cell *cell, int count, bool has_extra)
{
    int width = 0;
    for (int i = 0; i < count; i++)
        width += has_extra || !cell[i].is_extra ? cell[i].width + 1 : 0;
    return width;
}

/* "12.3", "4.2e-04" of what so many digits would not show, or "-" for what is not known. */
static void print_value(int width, int digits, double value)
{
    if (isnan(value))
        printf(" %*s", width, "-");
    else if (digits > 0 && value > 0 && value < 0.5 * pow(10, -digits))
        printf(" %*.1e", width, value);
    else
        printf(" %*.*f", width, digits, value);
}

static void print_heads(const struct cell *cell, int count, bool has_extra)
{
    for (int i = 0; i < count; i++)
        if (has_extra || !cell[i].is_extra)
            printf(" %*s", cell[i].width, cell[i].head);
}

static void print_cells(const struct cell *cell, int count, bool has_extra)
{
    for (int i = 0; i < count; i++)
        if (has_extra || !cell[i].is_extra)
            print_value(cell[i].width, cell[i].digits, cell[i].value);
}

static const double MILLI = 1e3, MICRO = 1e6, MEGA = 1e-6;

static double per(double amount, double of)
{
    return of > 0 ? amount / of : NAN;
}

/* ---- tables of operators and nodes ---- */

enum { GROUP_CELLS = 8, TITLE_LEAST = 20, BOUND_WIDTH = 8, ROOF_WIDTH = 7 };

/* A table of groups, or of single nodes: the first cell counts them. */
struct group_table {
    int title_width, first_cell;
    bool has_extra;
};

static void fill_cells(const struct group *group, struct cell cell[GROUP_CELLS])
{
    const struct cell cells[GROUP_CELLS] = {
        {"nodes", 5, 0, false, group->nodes},
        {"launches", 8, 0, true, group->launches},
        {"MFLOP", 10, 3, true, group->flops * MEGA},
        {"MB", 9, 3, false, group->bytes * MEGA},
        {"FLOP/B", 8, 3, false, per(group->flops, group->bytes)},
        {"MFLOP/ln", 9, 3, true, per(group->flops, group->launches) * MEGA},
        {"pred. us", 9, 2, false, group->predicted * MICRO},
        {"meas. us", 9, 2, false, group->seconds * MICRO},
    };
    memcpy(cell, cells, sizeof cells);
}

/* Titles as long as there is room for, at most `wanted`. */
static struct group_table print_head(const char *what, const char *stage, int wanted,
                                     int first_cell)
{
    const struct group none = {.op = ""};
    struct cell cells[GROUP_CELLS];
    char title[64];
    fill_cells(&none, cells);
    const struct cell *cell = cells + first_cell;
    const int count = GROUP_CELLS - first_cell;
    const int columns = columns_here() - BOUND_WIDTH - ROOF_WIDTH;
    const bool has_extra = columns >= TITLE_LEAST + width_of(cell, count, true);
    int room = columns - width_of(cell, count, has_extra);
    room = room < TITLE_LEAST ? TITLE_LEAST : room < wanted ? room : wanted;
    snprintf(title, sizeof title, "%s, %s", what, stage);
    printf("\n%-*.*s", room, room, title);
    print_heads(cell, count, has_extra);
    printf(" %-*s %*s\n", BOUND_WIDTH - 1, "bound", ROOF_WIDTH - 1, "roof %");
    return (struct group_table){room, first_cell, has_extra};
}

static void print_group(const char *title, const struct group *group,
                        const struct group_table *table)
{
    struct cell cell[GROUP_CELLS];
    fill_cells(group, cell);
    printf("%-*.*s", table->title_width, table->title_width, title);
    print_cells(cell + table->first_cell, GROUP_CELLS - table->first_cell, table->has_extra);
    printf(" %-*s", BOUND_WIDTH - 1, cost_bound_name(bound_of(group)));
    print_value(ROOF_WIDTH - 1, 1, 100 * per(group->roof, group->seconds));
    putchar('\n');
}

/* ---- by operator ---- */

static int compare_groups(const void *a, const void *b)
{
    const struct group *x = a, *y = b;
    const double of_x = isnan(x->seconds) ? x->bytes : x->seconds;
    const double of_y = isnan(y->seconds) ? y->bytes : y->seconds;
    if (of_x != of_y)
        return of_x < of_y ? 1 : -1;
    return strcmp(x->op, y->op);
}

static int view_operators(const struct stage *stage, struct error *error)
{
    struct group *groups = calloc((size_t)stage->node_count + 1, sizeof *groups);
    int count = 0;
    if (!groups)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory for the table of operators");
    for (int i = 0; i < stage->node_count; i++) {
        char op[sizeof groups->op];
        const struct executor_node node = executor_node(stage->executor, i);
        op_format(stage->graph.node[node.node], op, sizeof op);
        int at = 0;
        while (at < count && strcmp(groups[at].op, op) != 0)
            at++;
        text_copy(groups[at].op, sizeof groups[at].op, op);
        count += at == count;
        add_node(&groups[at], &stage->node[i]);
    }
    qsort(groups, (size_t)count, sizeof *groups, compare_groups);
    const struct group_table table = print_head("operator", stage->name, 28, 0);
    for (int i = 0; i < count; i++)
        print_group(groups[i].op, &groups[i], &table);
    free(groups);
    return OK;
}

/* ---- by node ---- */

static void view_nodes(const struct stage *stage)
{
    double whole = 0;
    int shown = 0;
    for (int i = 0; i < stage->node_count; i++)
        if (stage->node[i].seconds.count)
            whole += stage->node[i].seconds.median;
    const struct group_table table = print_head("node", stage->name, 44, 1);
    for (int i = 0; i < stage->node_count && shown < NODES_MOST; i++) {
        const struct executor_node node = executor_node(stage->executor, i);
        const struct node *of = stage->graph.node[node.node];
        struct group group = {.op = ""};
        char name[160], op[48];
        const bool large = !(whole > 0) || stage->node[i].seconds.median >= least_part * whole;
        if (!large || node.is_view)
            continue;
        op_format(of, op, sizeof op);
        snprintf(name, sizeof name, "%s %s", op, node_title(&stage->graph, of));
        add_node(&group, &stage->node[i]);
        print_group(name, &group, &table);
        shown++;
    }
    if (shown < stage->node_count)
        printf("and %d more: under %.0f %% of the time, views, beyond the first %d (all: --csv)\n",
               stage->node_count - shown, 100 * least_part, NODES_MOST);
    if (!table.has_extra)
        printf(
            "launches, FLOP and FLOP per launch are columns of a wider terminal (COLUMNS=120)\n");
}

/* ---- totals ---- */

static void print_change(const char *what, double before, double after, int digits)
{
    printf("%-30s", what);
    print_value(12, digits, before);
    print_value(12, digits, after);
    if (before > 0 && after > 0)
        printf("   %.2fx", after / before);
    putchar('\n');
}

/* Of parts and spreads, whose ratio says nothing. */
static void print_percent(const char *what, double before, double after)
{
    printf("%-30s", what);
    print_value(12, 1, 100 * before);
    print_value(12, 1, 100 * after);
    putchar('\n');
}

/* How far predictions are off: median of |predicted - measured| / measured over nodes that take 1 %
 * of the time at least. */
static double missed_rel(const struct stage *stage)
{
    const double whole = all_nodes(stage).seconds;
    double *missed = calloc((size_t)stage->node_count + 1, sizeof *missed);
    size_t count = 0;
    for (int i = 0; i < stage->node_count && missed; i++) {
        const double predicted = stage->node[i].cost.seconds;
        const double seconds = stage->node[i].seconds.count ? stage->node[i].seconds.median : 0;
        if (stage->node[i].cost.launches > 0 && seconds >= least_part * whole)
            missed[count++] = fabs(predicted - seconds) / seconds;
    }
    const double median = missed ? quartiles_of(missed, count).median : NAN;
    free(missed);
    return median;
}

/* The planned memory, as the executor says; what the kernels keep and need counts. */
static void view_memory(const struct graph_bench *bench)
{
    const struct executor_memory before = executor_memory(bench->stage[0].executor);
    const struct executor_memory after = executor_memory(bench->stage[1].executor);
    const double of_kernels[] = {(double)before.workspace_bytes, (double)after.workspace_bytes};
    print_change("peak memory, MB", ((double)before.peak_bytes + of_kernels[0]) * MEGA,
                 ((double)after.peak_bytes + of_kernels[1]) * MEGA, 3);
    print_change("without reuse, MB", ((double)before.sum_bytes + of_kernels[0]) * MEGA,
                 ((double)after.sum_bytes + of_kernels[1]) * MEGA, 3);
    print_change("workspaces of kernels, MB", of_kernels[0] * MEGA, of_kernels[1] * MEGA, 3);
}

/* A difference would have ended the command. */
static void view_compared(const struct graph_bench *bench)
{
    const int outputs = bench->model.block[0]->output_count, given = bench->values.expected_count;
    if (bench->request->check)
        printf("%d output%s: after the passes as before\n", outputs, outputs == 1 ? "" : "s");
    if (given > 0)
        printf("%d output%s: as expected, before and after\n", given, given == 1 ? "" : "s");
}

static void view_totals(const struct graph_bench *bench)
{
    const struct stage *before = &bench->stage[0], *after = &bench->stage[1];
    const struct group a = all_nodes(before), b = all_nodes(after);
    const struct group moved_a = moving_nodes(before), moved_b = moving_nodes(after);
    printf("%s: %d thread%s, %s", bench->model.name[0] ? bench->model.name : bench->request->model,
           bench->threads, bench->threads == 1 ? "" : "s", isa_name(bench->isa));
    if (!isnan(bench->batch))
        printf(", batch %.0f", bench->batch);
    printf("\n%-30s %12s %12s\n", "", "before", "after");
    print_change("nodes", a.nodes, b.nodes, 0);
    print_change("launches", a.launches, b.launches, 0);
    print_change("MFLOP", a.flops * MEGA, b.flops * MEGA, 3);
    print_change("MB moved", a.bytes * MEGA, b.bytes * MEGA, 3);
    print_change("FLOP per byte", per(a.flops, a.bytes), per(b.flops, b.bytes), 3);
    print_change("MFLOP per launch", per(a.flops, a.launches) * MEGA,
                 per(b.flops, b.launches) * MEGA, 3);
    print_percent("bytes of data movers, %", per(moved_a.bytes, a.bytes),
                  per(moved_b.bytes, b.bytes));
    print_percent("time of data movers, %", per(moved_a.seconds, a.seconds),
                  per(moved_b.seconds, b.seconds));
    view_memory(bench);
    print_change("under the roof, us", a.roof * MICRO, b.roof * MICRO, 1);
    print_change("predicted, us", a.predicted * MICRO, b.predicted * MICRO, 1);
    if (before->whole.count) {
        print_change("measured, us", before->whole.median * MICRO, after->whole.median * MICRO, 1);
        print_percent("spread of it, %", spread_rel(&before->whole), spread_rel(&after->whole));
        print_change("nodes measured, sum, us", a.seconds * MICRO, b.seconds * MICRO, 1);
        print_percent("prediction off, median %", missed_rel(before), missed_rel(after));
        print_percent("prediction off, sum %", per(a.predicted, a.seconds) - 1,
                      per(b.predicted, b.seconds) - 1);
        print_change("time of all passes, ms", NAN, bench->optimizing_seconds * MILLI, 1);
    }
    if (a.predicted > 0 || b.predicted > 0)
        printf("%-30s %12s %12s\n", "bound", cost_bound_name(bound_of(&a)),
               cost_bound_name(bound_of(&b)));
    view_compared(bench);
}

static void view_gains(const struct graph_bench *bench)
{
    if (bench->gain_count < 2)
        return;
    printf("\n%-21s %5s %6s %8s %9s %9s %7s %6s\n", "pass, added in turn", "fired", "nodes",
           "launches", "MB", "meas. us", "gain", "spread");
    for (int i = 0; i < bench->gain_count; i++) {
        const struct gain *gain = &bench->gain[i];
        printf("%-21s %5d %6d %8d", gain->pass ? gain->pass->name : "(none)", gain->rewrites,
               gain->nodes, gain->launches);
        print_value(9, 3, gain->bytes * MEGA);
        print_value(9, 1, gain->seconds * MICRO);
        if (gain->ratio.count)
            printf(" %+6.1f%% %5.1f%%", 100 * (gain->ratio.median - 1),
                   100 * spread_rel(&gain->ratio));
        putchar('\n');
    }
}

static bool is_line(const char *line, size_t length, const char *other)
{
    return strncmp(line, other, length) == 0 && other[length] == '\n';
}

void graph_view_choices(const char *lines, bool is_measured, FILE *out)
{
    fprintf(out, "what passes chose by predicted time, under the ceilings of %s%s\n",
            is_measured ? "this machine" : "an ordinary core", *lines ? "" : ": nothing");
    for (const char *line = lines; *line; line = strchr(line, '\n') + 1) {
        const size_t length = strcspn(line, "\n");
        int before = 0, times = 0;
        for (const char *other = lines; *other; other = strchr(other, '\n') + 1) {
            times += is_line(line, length, other);
            before += other < line && is_line(line, length, other);
        }
        if (before > 0)
            continue;
        fprintf(out, "  %.*s", (int)length, line);
        if (times > 1)
            fprintf(out, " (%d times)", times);
        fputc('\n', out);
    }
    fputc('\n', out);
}

int graph_view(const struct graph_bench *bench, struct error *error)
{
    view_totals(bench);
    view_gains(bench);
    for (int s = 0; s < 2; s++)
        if (view_operators(&bench->stage[s], error) != OK)
            return FAILED;
    view_nodes(&bench->stage[1]);
    return stdout_commit(error);
}

int graph_view_batch(const struct graph_bench *bench, bool first, struct error *error)
{
    enum { CELLS = 7, LEFT = 13 /* of batch and stage */ };
    for (int s = 0; s < 2; s++) {
        const struct stage *stage = &bench->stage[s];
        const struct group all = all_nodes(stage);
        const double seconds = stage->whole.count ? stage->whole.median : NAN;
        const struct cell cell[CELLS] = {
            {"launches", 8, 0, false, all.launches},
            {"MFLOP", 11, 3, true, all.flops * MEGA},
            {"MB", 9, 3, false, all.bytes * MEGA},
            {"FLOP/B", 8, 3, false, per(all.flops, all.bytes)},
            {"GFLOP/s", 8, 2, false, all.flops / seconds * 1e-9},
            {"us", 10, 1, false, seconds * MICRO},
            {"us/item", 9, 1, false, seconds / bench->batch * MICRO},
        };
        const bool has_extra = columns_here() >= LEFT + width_of(cell, CELLS, true) + BOUND_WIDTH;
        if (first && s == 0) {
            printf("%6s %-6s", "batch", "stage");
            print_heads(cell, CELLS, has_extra);
            printf(" bound\n");
        }
        printf("%6.0f %-6s", bench->batch, stage->name);
        print_cells(cell, CELLS, has_extra);
        printf(" %s\n", all.predicted > 0 ? cost_bound_name(bound_of(&all)) : "-");
    }
    return stdout_commit(error);
}
