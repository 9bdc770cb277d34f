// bench_row.h - one row of bench.csv: a kernel call verified, then timed beside the ceiling that
// bounds it.
#ifndef ROOFLINE_BENCH_ROW_H
#define ROOFLINE_BENCH_ROW_H

#include "cli.h"
#include "count.h"
#include "run.h"

/* What all rows of one `roofline bench` share. */
struct bench {
    const struct options *options;
    struct host host;
    struct table rows; /* bench.csv */
    /* Gauges of the ceilings, and the value of those that rows were compared with. */
    struct request request;
    struct table machine;
    struct probe_run probe;
    struct counting counting;
    bool wrong; /* some row failed its verification */
};

/* Reads the host and pins a team of all threads; takes the options' ISA (the best where none is
 * given), dtype and threads. bench_close() is due in every case. */
int bench_read_host(struct bench *bench, const struct options *options, struct error *error);

/* Then collects the gauges for these. */
int bench_collect(struct bench *bench, struct error *error);
void bench_close(struct bench *bench);

/* What @L1 ... @DRAM stand for with so many threads. */
struct level_bytes bench_levels(const struct host *host, int threads);

/* Appends the row of run's kernel, variant, ISA, dtype, shape and threads. A wrong result is a
 * failed row, a variant that cannot is a skipped one, and so is lack of memory unless `asked` says
 * that the user wants just this shape. An interrupt leaves the row out. */
int bench_row(struct bench *bench, struct run *run, bool asked, struct error *error);

/* Appends a skipped row. */
int bench_skip(struct bench *bench, const struct run *run, const char *shape, const char *why,
               struct error *error);

#endif
