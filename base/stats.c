// stats.c - order statistics of samples.
#include "stats.h"

#include <math.h>
#include <stdlib.h>

static int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

double quantile(const double *ascending, size_t count, double p)
{
    if (count == 0)
        return NAN;
    double position = p * (double)(count - 1);
    size_t below = (size_t)position;
    if (below + 1 >= count)
        return ascending[count - 1];
    double fraction = position - (double)below;
    return ascending[below] + fraction * (ascending[below + 1] - ascending[below]);
}

struct quartiles quartiles_of(double *samples, size_t count)
{
    qsort(samples, count, sizeof *samples, compare_doubles);
    return (struct quartiles){
        .min = quantile(samples, count, 0),
        .q1 = quantile(samples, count, 0.25),
        .median = quantile(samples, count, 0.5),
        .q3 = quantile(samples, count, 0.75),
        .max = quantile(samples, count, 1),
        .count = count,
    };
}

double spread_rel(const struct quartiles *quartiles)
{
    return (quartiles->q3 - quartiles->q1) / quartiles->median;
}
