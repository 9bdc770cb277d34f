// graph_rows.c - rows of graph.csv.
#include <math.h>
#include <string.h>

#include "graph_run.h"

const char *node_title(const struct graph *graph, const struct node *node)
{
    if (node->name[0])
        return node->name;
    for (int i = 0; i < node->output_count; i++)
        if (node->outputs[i] >= 0)
            return graph->tensor[node->outputs[i]]->name;
    return "";
}

void op_format(const struct node *node, char *text, size_t capacity)
{
    text_format(text, capacity, "%s%s%s", node->domain, node->domain[0] ? "::" : "", node->type);
}

/* Which kernel, variant and shape; of several launches those of the first, and how many more. */
static void put_kernel(struct measurement *row, const struct executor_node *node,
                       const struct cost *cost, enum isa isa)
{
    if (node->is_view) {
        text_copy(row->variant, sizeof row->variant, "view");
        text_copy(row->why, sizeof row->why, "nothing runs: the result is the input's memory");
        return;
    }
    if (!node->lowering || node->lowering->launch_count == 0) {
        text_copy(row->variant, sizeof row->variant, "plain loops");
        text_copy(row->why, sizeof row->why, node->reason ? node->reason : "");
        return;
    }
    const struct launch *launch = &node->lowering->launch[0];
    text_copy(row->kernel, sizeof row->kernel, launch->kernel->name);
    text_copy(row->variant, sizeof row->variant,
              node->variants && node->variants[0] ? node->variants[0] : "");
    text_copy(row->isa, sizeof row->isa, isa_name(isa));
    text_copy(row->dtype, sizeof row->dtype, dtype_name(launch->dtype));
    shape_format(&launch->shape, launch->kernel->letters, launch->kernel->letter_count, row->shape,
                 sizeof row->shape);
    if (cost->launches > 1)
        text_format(row->why, sizeof row->why, "the shape is that of the first of %d launches",
                    cost->launches);
}

static void put_times(struct measurement *row, const struct stage *stage, int at)
{
    const struct quartiles *seconds = &stage->node[at].seconds;
    if (seconds->count == 0)
        return;
    row->samples = (double)seconds->count;
    row->seconds_min = seconds->min;
    row->seconds_q1 = seconds->q1;
    row->seconds_median = seconds->median;
    row->seconds_q3 = seconds->q3;
    row->seconds_max = seconds->max;
    row->clock_hertz = stage->clock_hertz;
}

/* The ceiling that was sampled beside the graph and bounds the node, as the bench has it. */
static void put_ceiling(struct measurement *row, const struct graph_bench *bench,
                        const struct cost *cost, int threads)
{
    const struct ceilings *ceilings = &bench->ceilings[threads > 1];
    double value = NAN;
    if (cost->bound == COST_COMPUTE)
        value = ceilings->flops_per_second[cost->dtype];
    if (cost->bound == COST_MEMORY)
        value = cost->bytes_per_second;
    for (int i = 0; i < bench->companion_count; i++)
        if (bench->companion[i].count > 0 && *bench->companion[i].value == value) {
            row->ceiling_sample = value;
            text_copy(row->ceiling, sizeof row->ceiling, bench->companion[i].gauge->row.level);
            return;
        }
}

static int node_row(struct graph_bench *bench, const struct stage *stage, int at,
                    struct error *error)
{
    const struct executor_node node = executor_node(stage->executor, at);
    const struct node *of = stage->graph.node[node.node];
    const struct cost *cost = &stage->node[at].cost;
    struct node_measurement *row = table_append(&bench->rows);
    if (!row)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory for the rows of the graph");
    struct measurement *measured = &row->measured;
    text_copy(measured->device, sizeof measured->device, "cpu");
    text_copy(measured->status, sizeof measured->status, "ok");
    text_copy(measured->level, sizeof measured->level, cost->level);
    measured->threads = node.threads;
    measured->flops = cost->flops;
    measured->bytes_min = cost->bytes;
    put_kernel(measured, &node, cost, bench->isa);
    put_times(measured, stage, at);
    put_ceiling(measured, bench, cost, node.threads);
    text_copy(row->graph, sizeof row->graph, bench->model.name);
    text_copy(row->node, sizeof row->node, node_title(&stage->graph, of));
    op_format(of, row->op, sizeof row->op);
    text_copy(row->stage, sizeof row->stage, stage->name);
    text_copy(row->bound, sizeof row->bound, cost_bound_name(cost->bound));
    row->batch = bench->batch;
    row->launches = cost->launches;
    row->seconds_roof = cost->roof_seconds;
    row->seconds_predicted = cost->seconds;
    return OK;
}

int stage_rows(struct graph_bench *bench, const struct stage *stage, struct error *error)
{
    int result = OK;
    for (int i = 0; i < stage->node_count && result == OK; i++)
        result = node_row(bench, stage, i, error);
    return result;
}
