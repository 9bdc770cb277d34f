// graph_results.c - sums over the rows of graph.csv.
#include "graph_results.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "node_measurement.h"

const char *graph_plain_op(const char *op)
{
    const char *colons = strstr(op, "::");
    return colons ? colons + 2 : op;
}

static bool ran(const struct node_measurement *row)
{
    return strcmp(row->measured.status, "ok") == 0 && row->measured.seconds_median > 0 &&
           row->launches > 0;
}

/* The row of that name; a new one, or NULL when memory is out. */
static struct measurement *sum_of(struct table *sums, const char *name,
                                  const struct node_measurement *first, double threads)
{
    for (size_t i = 0; i < sums->count; i++)
        if (strcmp(table_measurement(sums, i)->kernel, name) == 0)
            return table_measurement(sums, i);
    struct measurement *sum = table_append(sums);
    if (!sum)
        return NULL;
    text_copy(sum->kernel, sizeof sum->kernel, name);
    text_copy(sum->device, sizeof sum->device, first->measured.device);
    text_copy(sum->status, sizeof sum->status, "ok");
    text_copy(sum->dtype, sizeof sum->dtype, "f32");
    sum->threads = threads;
    sum->samples = INFINITY;
    sum->flops = sum->bytes_min = sum->seconds_min = sum->seconds_q1 = 0;
    sum->seconds_median = sum->seconds_q3 = sum->seconds_max = 0;
    return sum;
}

/* Level and sampled ceiling are those of the node that takes longest; flops_done, which sums have
 * no use for, keeps its time meanwhile. */
static void add(struct measurement *sum, const struct measurement *row)
{
    if (!(row->seconds_median <= sum->flops_done)) {
        sum->flops_done = row->seconds_median;
        text_copy(sum->level, sizeof sum->level, row->level);
        text_copy(sum->ceiling, sizeof sum->ceiling, row->ceiling);
        sum->ceiling_sample = row->ceiling_sample;
    }
    sum->flops += row->flops;
    sum->bytes_min += row->bytes_min;
    sum->seconds_min += row->seconds_min;
    sum->seconds_q1 += row->seconds_q1;
    sum->seconds_median += row->seconds_median;
    sum->seconds_q3 += row->seconds_q3;
    sum->seconds_max += row->seconds_max;
    sum->samples = fmin(sum->samples, row->samples);
    sum->clock_hertz = row->clock_hertz;
}

struct graph_extent graph_extent_of(const struct table *rows)
{
    struct graph_extent extent = {.threads = 1};
    for (size_t i = 0; i < rows->count; i++) {
        const struct node_measurement *row = table_node_measurement(rows, i);
        const double first = table_node_measurement(rows, 0)->batch;
        extent.threads = fmax(extent.threads, row->measured.threads);
        extent.sweeps = extent.sweeps || (row->batch != first && !isnan(row->batch));
    }
    return extent;
}

void graph_whole_format(const struct graph_extent *extent, double batch, char *text,
                        size_t capacity)
{
    text_copy(text, capacity, "whole graph");
    if (extent->sweeps)
        text_format(text, capacity, "whole graph, batch %.0f", batch);
}

static int add_row(struct table *sums, const struct node_measurement *row,
                   const struct graph_extent *extent)
{
    char whole[sizeof row->measured.kernel];
    graph_whole_format(extent, row->batch, whole, sizeof whole);
    struct measurement *sum = sum_of(sums, whole, row, extent->threads);
    if (!sum)
        return FAILED;
    add(sum, &row->measured);
    if (extent->sweeps)
        return OK;
    sum = sum_of(sums, graph_plain_op(row->op), row, extent->threads);
    if (!sum)
        return FAILED;
    add(sum, &row->measured);
    return OK;
}

/* All rows of a stage. */
static int add_stage(struct table *sums, const struct table *rows, const char *stage,
                     struct error *error)
{
    const struct graph_extent extent = graph_extent_of(rows);
    for (size_t i = 0; i < rows->count; i++) {
        const struct node_measurement *row = table_node_measurement(rows, i);
        if (strcmp(row->stage, stage) == 0 && ran(row) && add_row(sums, row, &extent) != OK)
            return error_set(error, FAULT_ENVIRONMENT, "out of memory for the rows of operators");
    }
    for (size_t i = 0; i < sums->count; i++)
        table_measurement(sums, i)->flops_done = NAN;
    return OK;
}

int graph_results_build(struct results *results, const struct table *rows, struct error *error)
{
    struct table before;
    table_init(&before, &measurement_schema);
    int result = add_stage(&before, rows, "before", error);
    if (result == OK)
        result = add_stage(&results->bench, rows, "after", error);
    if (result == OK)
        result = summary_build(&results->before, &results->machine, &before, error);
    if (result == OK)
        result = summary_build(&results->summary, &results->machine, &results->bench, error);
    if (result == OK && rows->provenance && !(results->bench.provenance = strdup(rows->provenance)))
        result = error_set(error, FAULT_ENVIRONMENT, "out of memory for the provenance");
    table_free(&before);
    return result;
}

int graph_results_read(struct results *results, const char *directory, struct error *error)
{
    struct results read;
    results_init(results);
    int result = results_read(&read, directory, error);
    if (result == OK && read.nodes.count == 0)
        result = error_skip(error, "no graph.csv in '%s'", directory);
    if (result == OK) {
        /* Theirs are needed no more: the ceilings change hands. */
        const struct table none = results->machine;
        results->machine = read.machine;
        read.machine = none;
        result = graph_results_build(results, &read.nodes, error);
    }
    results_free(&read);
    return result;
}
