// model.h - the roofline model: which ceilings bound a row, what they allow, where they meet.
//
// attainable(I) = min(P, I x B): Williams, Waterman, Patterson 2009, doi:10.1145/1498765.1498785.
// One P and one B per measurement: P is the fused multiply-add ceiling of its number format, B the
// bandwidth of the level that holds its operands; both measured with as many threads.
// docs/reading-a-roofline.md says which ceilings qualify and why.
#ifndef ROOFLINE_MODEL_H
#define ROOFLINE_MODEL_H

#include <stdbool.h>

#include "table.h"

enum bound { BOUND_UNKNOWN, BOUND_MEMORY, BOUND_COMPUTE, BOUND_LAUNCH };

/* "", "memory", "compute", "launch". */
const char *bound_name(enum bound bound);
enum bound bound_parse(const char *name);

/* NAN when one of the three is not known. */
double attainable_flops_per_second(double intensity_flops_per_byte, double flops_per_second,
                                   double bytes_per_second);

/* The intensity at which both ceilings allow the same. */
double ridge_flops_per_byte(double flops_per_second, double bytes_per_second);

/* Memory left of the ridge, compute from the ridge on, unknown where a number is not known. */
enum bound bound_of_intensity(double intensity_flops_per_byte, double flops_per_second,
                              double bytes_per_second);

/* The ceilings over one measurement. */
struct roof {
    double flops_per_second;      /* NAN when not known */
    double bytes_per_second;      /* NAN when not known */
    double launch_seconds;        /* the shortest call; NAN where none was measured */
    char compute[24], memory[24]; /* their words in machine.csv: "fma", "DRAM:read" */
    char why[256];                /* which ceiling is missing; "" when both are there */
};

/* The roof of a measurement by machine.csv alone, core ceilings at the row's clock
 * (ceiling_at_clock). `why` stays empty. */
struct roof roof_of_machine(const struct table *machine, const struct measurement *row);

/* The roof of a measurement: where the row holds a ceiling that was sampled in the same rounds,
 * that sample is P, or B; of an operation that moves more than it counts it is not B, but rescales
 * the B of machine.csv by what became of that operation. All else is as machine.csv has it. */
struct roof roof_of(const struct table *machine, const struct measurement *row);

/* The shortest time that a roof allows a call of that work, also of data movement, which has no
 * FLOP; NAN when the roof is not known. */
double roof_seconds(const struct roof *roof, double flops, double bytes);

/* What bounds a call of that work under a roof: launch when an empty call already takes longer than
 * the roof allows. */
enum bound bound_under_roof(const struct roof *roof, double flops, double bytes);

/* The word of the ceiling that limits at an intensity; "" when the roof is not known. */
const char *roof_level(const struct roof *roof, double intensity_flops_per_byte);

/* Measured ceiling of a unit mix, the highest over the ISAs when isa is NULL; NULL where there is
 * none. */
const struct ceiling *ceiling_of_mix(const struct table *machine, const char *device,
                                     const char *dtype, const char *isa, const char *mix,
                                     double workers);

/* The flat part of the roof: fma, where a machine has none mul+add, where a format has only these
 * tensor. */
const struct ceiling *ceiling_of_compute(const struct table *machine, const char *device,
                                         const char *dtype, double workers);

/* The slanted part at a level ("L2", "DRAM"): the fastest operation that moves no more bytes than
 * it counts. */
const struct ceiling *ceiling_of_memory(const struct table *machine, const char *device,
                                        const char *dtype, const char *level, double workers);

/* The derived ceiling that a measured one is compared with, the lowest where several fit; NULL
 * where there is none. */
const struct ceiling *ceiling_of_theory(const struct table *machine,
                                        const struct ceiling *measured);

/* The value of a ceiling at another core clock: in proportion for compute, L1 and L2, which run at
 * it; unchanged for L3 and DRAM, which do not, and where a clock is not known. */
double ceiling_at_clock(const struct ceiling *ceiling, double clock_hertz);

/* Length of the level in "DRAM:copy_nt": what stands before the colon. */
size_t level_length(const char *level);

/* Whether a ceiling's level is `level`, whatever the operation. */
bool level_is(const char *ceiling_level, const char *level);

/* Whether an operation moves the bytes that its kernel names and no others. A regular store to DRAM
 * first reads the line it writes, so `DRAM:write`, `copy` and `triad` move more: they are no roof.
 * Reads, updates in place and non-temporal stores move just what is named; in a cache the line is
 * there. */
bool moves_what_it_counts(const char *ceiling_level);

/* Whether a ceiling bounds kernels that read and write (`updates`) or do not read what they write.
 * Beyond L1 an update names every line that comes in twice, as read and as written: where what
 * comes in is the limit, others get half of its rate. */
bool bounds_memory(const char *ceiling_level, bool updates);

#endif
