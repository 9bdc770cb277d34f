// graph_results.c - sums over the rows of graph.csv.
#include "graph_results.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "node_measurement.h"

/* Without the domain: an operator that became a fused one stands in one row with it. */
static const char *plain_op(const char *op)
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

/* The level is that of the node that takes longest; flops_done, which sums have no use for, keeps
 * its time meanwhile. */
static void add(struct measurement *sum, const struct measurement *row)
{
    if (!(row->seconds_median <= sum->flops_done)) {
        sum->flops_done = row->seconds_median;
        text_copy(sum->level, sizeof sum->level, row->level);
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

/* What all rows share. */
struct extent {
    double threads; /* the most of any node */
    bool sweeps;    /* several batch sizes */
};

static struct extent extent_of(const struct table *rows)
{
    struct extent extent = {.threads = 1};
    for (size_t i = 0; i < rows->count; i++) {
        const struct node_measurement *row = table_node_measurement(rows, i);
        const double first = table_node_measurement(rows, 0)->batch;
        extent.threads = fmax(extent.threads, row->measured.threads);
        extent.sweeps = extent.sweeps || (row->batch != first && !isnan(row->batch));
    }
    return extent;
}

static int add_row(struct table *sums, const struct node_measurement *row,
                   const struct extent *extent)
{
    char whole[sizeof row->measured.kernel] = "whole graph";
    if (extent->sweeps)
        text_format(whole, sizeof whole, "whole graph, batch %.0f", row->batch);
    struct measurement *sum = sum_of(sums, whole, row, extent->threads);
    if (!sum)
        return FAILED;
    add(sum, &row->measured);
    if (extent->sweeps)
        return OK;
    sum = sum_of(sums, plain_op(row->op), row, extent->threads);
    if (!sum)
        return FAILED;
    add(sum, &row->measured);
    return OK;
}

/* All rows of a stage. */
static int add_stage(struct table *sums, const struct table *rows, const char *stage,
                     struct error *error)
{
    const struct extent extent = extent_of(rows);
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

static int has_file(const char *directory, const char *name, bool *present, struct error *error)
{
    char path[1024];
    if (path_join(path, sizeof path, directory, name, error) != OK)
        return FAILED;
    *present = access(path, F_OK) == 0;
    return OK;
}

int graph_results_read(struct results *results, const char *directory, struct error *error)
{
    bool machine = false, graph = false;
    struct table rows;
    table_init(&rows, &node_measurement_schema);
    table_init(&results->machine, &ceiling_schema);
    table_init(&results->bench, &measurement_schema);
    table_init(&results->summary, &summary_schema);
    table_init(&results->before, &summary_schema);
    if (has_file(directory, "machine.csv", &machine, error) != OK ||
        has_file(directory, "graph.csv", &graph, error) != OK)
        return FAILED;
    if (!graph)
        return error_skip(error, "no graph.csv in '%s'", directory);
    int result = machine ? table_read(&results->machine, directory, error) : OK;
    if (result == OK)
        result = table_read(&rows, directory, error);
    if (result == OK)
        result = graph_results_build(results, &rows, error);
    table_free(&rows);
    return result;
}
