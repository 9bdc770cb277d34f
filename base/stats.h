// stats.h - order statistics of samples.
#ifndef ROOFLINE_STATS_H
#define ROOFLINE_STATS_H

#include <stddef.h>

struct quartiles {
    double min, q1, median, q3, max; /* NAN for no samples */
    size_t count;
};

/* Sorts `samples` in place. Quantiles interpolate linearly between order statistics (Hyndman and
 * Fan 1996, type 7, doi:10.1080/00031305.1996.10473566), so min <= q1 <= median <= q3 <= max always
 * holds. */
struct quartiles quartiles_of(double *samples, size_t count);

/* Quantile p in [0, 1] of ascending samples. */
double quantile(const double *ascending, size_t count, double p);

/* (q3 - q1) / median: the spread that is printed beside every measured number. */
double spread_rel(const struct quartiles *quartiles);

#endif
