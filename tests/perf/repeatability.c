// repeatability.c - how far repeated runs of the probe agree: coefficient of variation per cycle of
// every ceiling.
//
//   repeatability DIR...    each DIR holds the machine.csv of one run
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "stats.h"

/* The goal for arithmetic, whose rate per cycle is a property of the core and of nothing else. */
static const double compute_goal_rel = 0.02;

static double per_cycle(const struct ceiling *row)
{
    if (strcmp(row->kind, "latency") == 0)
        return row->value * row->clock_hertz;
    return row->value / row->clock_hertz / row->workers;
}

static bool is_same(const struct ceiling *a, const struct ceiling *b)
{
    return strcmp(a->device, b->device) == 0 && strcmp(a->level, b->level) == 0 &&
           strcmp(a->kind, b->kind) == 0 && strcmp(a->dtype, b->dtype) == 0 &&
           strcmp(a->isa, b->isa) == 0 && a->workers == b->workers &&
           strcmp(a->basis, b->basis) == 0 && strcmp(b->status, "ok") == 0;
}

/* The row of the same ceiling in another run, NULL where it has none. */
static const struct ceiling *find(const struct table *run, const struct ceiling *key)
{
    for (size_t i = 0; i < run->count; i++)
        if (is_same(key, table_ceiling(run, i)))
            return table_ceiling(run, i);
    return NULL;
}

/* Standard deviation over mean, by two passes; NAN for fewer than two runs. */
static double variation_rel(const double *values, int count)
{
    double sum = 0, squares = 0;
    for (int i = 0; i < count; i++)
        sum += values[i];
    double mean = sum / count;
    for (int i = 0; i < count; i++)
        squares += (values[i] - mean) * (values[i] - mean);
    return count > 1 ? sqrt(squares / (count - 1)) / mean : NAN;
}

struct tally {
    int compute, within_goal;
    double worst_rel;
};

static void print_ceiling(const struct table *runs, int count, const struct ceiling *key,
                          double *values, struct tally *tally)
{
    int found = 0;
    for (int i = 0; i < count; i++) {
        const struct ceiling *row = find(&runs[i], key);
        if (row)
            values[found++] = per_cycle(row);
    }
    double variation = variation_rel(values, found);
    struct quartiles quartiles = quartiles_of(values, (size_t)found);
    printf("%-9s %-14s %-4s %-6s %3.0f  %4d  %9.3f %9.3f %9.3f  %5.2f %%\n", key->kind, key->level,
           key->dtype, key->isa, key->workers, found, quartiles.min, quartiles.median,
           quartiles.max, 100 * variation);
    if (strcmp(key->kind, "compute") == 0) {
        tally->compute++;
        tally->within_goal += variation <= compute_goal_rel;
        tally->worst_rel = fmax(tally->worst_rel, variation);
    }
}

static int print_all(const struct table *runs, int count, struct error *error)
{
    double *values = calloc((size_t)count, sizeof *values);
    if (!values)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory");
    struct tally tally = {0};
    printf("per cycle and core\n%-9s %-14s %-4s %-6s %3s  %4s  %9s %9s %9s  %7s\n", "kind",
           "ceiling", "type", "isa", "thr", "runs", "min", "median", "max", "CV");
    for (size_t i = 0; i < runs[0].count; i++) {
        const struct ceiling *key = table_ceiling(&runs[0], i);
        if (strcmp(key->basis, "measured") == 0 && strcmp(key->status, "ok") == 0 &&
            strcmp(key->kind, "capacity") != 0)
            print_ceiling(runs, count, key, values, &tally);
    }
    free(values);
    printf(
        "%d of %d compute ceilings vary by at most %.0f %% per cycle over %d runs; worst %.2f %%\n",
        tally.within_goal, tally.compute, 100 * compute_goal_rel, count, 100 * tally.worst_rel);
    return OK;
}

int main(int argc, char **argv)
{
    struct error error;
    int count = argc - 1, result = OK;
    if (count < 2) {
        error_set(&error, FAULT_USAGE, "repeatability: name the folders of two runs or more");
        return complain(&error);
    }
    struct table *runs = calloc((size_t)count, sizeof *runs);
    if (!runs) {
        error_set(&error, FAULT_ENVIRONMENT, "out of memory");
        return complain(&error);
    }
    for (int i = 0; i < count; i++)
        table_init(&runs[i], &ceiling_schema);
    for (int i = 0; i < count && result == OK; i++)
        result = table_read(&runs[i], argv[i + 1], &error);
    if (result == OK)
        result = print_all(runs, count, &error);
    for (int i = 0; i < count; i++)
        table_free(&runs[i]);
    free(runs);
    return result == OK ? FAULT_NONE : complain(&error);
}
