// physics.h - what no results may violate: the checks of `roofline report DIR --check`.
#ifndef ROOFLINE_PHYSICS_H
#define ROOFLINE_PHYSICS_H

#include <stdio.h>

#include "summary.h"

struct physics {
    int checks, violations;
};

/* Checks every row that is ok and prints one line per violation, the row named. The rules:
 * - a measured ceiling is at most 3 % above the derived one at the measured clock;
 * - a kernel is at most 5 % above its roof, the one sampled beside it or the one of machine.csv,
 *   whichever is higher;
 * - minimum, quartiles and maximum are in order; bytes and times are positive, flops at least 0;
 * - the words of a row's key are there; a measured ceiling has at least 10 samples, a spread and a
 * clock, a kernel at least 10 samples and a clock. */
struct physics physics_check(const struct results *results, FILE *out);

#endif
