// moved.h - what kernels share that only move data.
#ifndef ROOFLINE_MOVED_H
#define ROOFLINE_MOVED_H

#ifndef ISA
#include "kernel.h"

/* Moved, not computed: nothing rounds. */
static inline double moved_tolerance(const struct shape *shape, double unit)
{
    (void)shape;
    (void)unit;
    return 0;
}
#endif

#endif
