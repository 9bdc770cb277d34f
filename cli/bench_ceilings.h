// bench_ceilings.h - ceilings that are sampled in the same minutes as what they bound.
#ifndef ROOFLINE_BENCH_CEILINGS_H
#define ROOFLINE_BENCH_CEILINGS_H

#include "probe.h"

struct bench;

/* The most bytes that lie at that level (1, 2, 3) or further in, to a line; 0 for level 0. */
double level_capacity_bytes(const struct host *host, int rank, int threads);

/* FMA, or where code of the bench's ISA has none, multiply and add; NULL where it was not
 * collected. */
const struct gauge *bench_compute_gauge(struct bench *bench, enum dtype dtype, int threads);

/* The fastest operation at a level that is a memory roof of kernels that update, or do not; all of
 * its operations are sampled. NULL where there is none. */
const struct gauge *bench_memory_gauge(struct bench *bench, const char *level, int threads,
                                       bool updates);

/* Makes rows of gauges where there are none. They take turns, so that a slow moment does not choose
 * between them. False when memory is out. */
bool bench_sample(struct bench *bench, const struct gauge *const *gauges, int count);

/* The row of a gauge that was sampled; NULL before. */
struct ceiling *bench_ceiling(struct bench *bench, const struct gauge *gauge);

#endif
