// verify.h - known operands and the comparison of what a body made of them with the reference.
#ifndef ROOFLINE_VERIFY_H
#define ROOFLINE_VERIFY_H

#include "kernel.h"

/* Writes elements [part.begin, part.end) of operand `index`: a function of index and element alone,
 * so that any member can write any part and a value that a kernel overwrote can be had again. */
void verify_fill(const struct operand *operand, int index, enum dtype dtype, struct part part,
                 void *elements);

/* How many elements of operand 0 are compared: all where the reference is cheap, else as many as
 * 2^25 FLOP pay for, at least 256 (fewer, down to 16, where that would be more than 2^30), one at a
 * random place of each of so many equal strata. */
long verify_count(const struct kernel *kernel, const struct shape *shape, long outputs);

/* Largest |out - reference| (infinite where only one of them is not finite) and |reference|. */
struct deviation {
    double difference, magnitude;
};

/* What the reference makes of strata [part.begin, part.end) of `count`, one value of each; the
 * inputs are those of the call. */
void verify_expect(const struct kernel *kernel, const struct call *call, enum dtype dtype,
                   long count, struct part part, double *expected);

/* The output that one call left beside these values. */
struct deviation verify_compare(const struct call *call, enum dtype dtype, long count,
                                struct part part, const double *expected);

/* Both, in little memory. */
struct deviation verify_part(const struct kernel *kernel, const struct call *call, enum dtype dtype,
                             long count, struct part part);

struct deviation deviation_larger(struct deviation a, struct deviation b);

/* difference / magnitude: 0 where nothing differs, infinite where a reference of zeros was missed.
 */
double deviation_rel(struct deviation deviation);

#endif
