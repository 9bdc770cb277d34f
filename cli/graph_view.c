// graph_view.c - a graph before and after its passes, for people: totals, passes, operators, nodes.
#include <math.h>
#include <stdlib.h>
#include <string.h>

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

/* "12.3", or "-" for what is not known. */
static void print_cell(int width, int digits, double value)
{
    if (isnan(value))
        printf(" %*s", width, "-");
    else
        printf(" %*.*f", width, digits, value);
}

static const double MICRO = 1e6, MEGA = 1e-6;

static void print_head(const char *what, int width)
{
    printf("%-*s %5s %8s %10s %10s %9s %9s %12s %11s %-7s %6s\n", width, what, "nodes", "launches",
           "MFLOP", "MB", "FLOP/B", "MFLOP/ln", "predicted us", "measured us", "bound", "roof %");
}

static void print_group(const char *title, const struct group *group, int width)
{
    printf("%-*.*s %5d %8d", width, width, title, group->nodes, group->launches);
    print_cell(10, 3, group->flops * MEGA);
    print_cell(10, 3, group->bytes * MEGA);
    print_cell(9, 3, group->bytes > 0 ? group->flops / group->bytes : NAN);
    print_cell(9, 3, group->launches ? group->flops / group->launches * MEGA : NAN);
    print_cell(12, 2, group->predicted * MICRO);
    print_cell(11, 2, group->seconds * MICRO);
    printf(" %-7s", cost_bound_name(bound_of(group)));
    print_cell(6, 1, group->seconds > 0 ? 100 * group->roof / group->seconds : NAN);
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
    printf("\n");
    char title[64];
    snprintf(title, sizeof title, "operator, %s", stage->name);
    print_head(title, 28);
    for (int i = 0; i < count; i++)
        print_group(groups[i].op, &groups[i], 28);
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
    printf("\n");
    char title[64];
    snprintf(title, sizeof title, "node, %s", stage->name);
    print_head(title, 44);
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
        print_group(name, &group, 44);
        shown++;
    }
    if (shown < stage->node_count)
        printf("and %d nodes that take less than %.0f %% each, are views, or come after these "
               "(--csv has all)\n",
               stage->node_count - shown, 100 * least_part);
}

/* ---- totals ---- */

static void print_change(const char *what, double before, double after, int digits)
{
    printf("%-30s", what);
    print_cell(12, digits, before);
    print_cell(12, digits, after);
    if (before > 0 && after > 0)
        printf("   %.2fx", after / before);
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

static double per(double amount, double of)
{
    return of > 0 ? amount / of : NAN;
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
    print_change("bytes of data movers, %", 100 * per(moved_a.bytes, a.bytes),
                 100 * per(moved_b.bytes, b.bytes), 1);
    print_change("time of data movers, %", 100 * per(moved_a.seconds, a.seconds),
                 100 * per(moved_b.seconds, b.seconds), 1);
    view_memory(bench);
    print_change("under the roof, us", a.roof * MICRO, b.roof * MICRO, 1);
    print_change("predicted, us", a.predicted * MICRO, b.predicted * MICRO, 1);
    if (before->whole.count) {
        print_change("measured, us", before->whole.median * MICRO, after->whole.median * MICRO, 1);
        print_change("spread of it, %", 100 * spread_rel(&before->whole),
                     100 * spread_rel(&after->whole), 1);
        print_change("nodes measured, sum, us", a.seconds * MICRO, b.seconds * MICRO, 1);
        print_change("prediction off, median %", 100 * missed_rel(before), 100 * missed_rel(after),
                     1);
    }
    printf("%-30s %12s %12s\n", "bound", cost_bound_name(bound_of(&a)),
           cost_bound_name(bound_of(&b)));
}

static void view_gains(const struct graph_bench *bench)
{
    if (bench->gain_count < 2)
        return;
    printf("\n%-28s %8s %6s %8s %10s %12s %8s\n", "pass, on top of those above", "rewrites",
           "nodes", "launches", "MB", "measured us", "gain");
    for (int i = 0; i < bench->gain_count; i++) {
        const struct gain *gain = &bench->gain[i];
        printf("%-28s %8d %6d %8d", gain->pass ? gain->pass->name : "(none)", gain->rewrites,
               gain->nodes, gain->launches);
        print_cell(10, 3, gain->bytes * MEGA);
        print_cell(12, 1, gain->seconds * MICRO);
        if (i > 0 && gain->seconds > 0)
            printf(" %+7.1f%%", 100 * (gain[-1].seconds / gain->seconds - 1));
        putchar('\n');
    }
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
    if (first)
        printf("%6s %-7s %8s %12s %12s %10s %10s %12s %12s %-7s\n", "batch", "stage", "launches",
               "MFLOP", "MB", "FLOP/B", "GFLOP/s", "us", "us per item", "bound");
    for (int s = 0; s < 2; s++) {
        const struct stage *stage = &bench->stage[s];
        const struct group all = all_nodes(stage);
        const double seconds = stage->whole.count ? stage->whole.median : NAN;
        printf("%6.0f %-7s %8d", bench->batch, stage->name, all.launches);
        print_cell(12, 3, all.flops * MEGA);
        print_cell(12, 3, all.bytes * MEGA);
        print_cell(10, 3, per(all.flops, all.bytes));
        print_cell(10, 2, all.flops / seconds * 1e-9);
        print_cell(12, 1, seconds * MICRO);
        print_cell(12, 1, seconds / bench->batch * MICRO);
        printf(" %-7s\n", cost_bound_name(bound_of(&all)));
    }
    return stdout_commit(error);
}
