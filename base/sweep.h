// sweep.h - how code sweeps memory that lies beyond the core's own caches.
//
// One core has only as many lines on their way from a distant memory as its prefetchers ask for,
// and these follow a stream within its page and not far ahead. Several lanes of the same array at
// once, each fetched ahead by the loop itself, keep more of them on their way: 20 to 35 % more
// bytes per second from one core of Golden Cove (docs/estimators.md).
#ifndef ROOFLINE_SWEEP_H
#define ROOFLINE_SWEEP_H

#include "vec.h"

enum { SWEEP_LANES = 4, SWEEP_AHEAD_BYTES = 2048, SWEEP_LINE_BYTES = 64 };

/* Asks for the line that lies ahead of p[at], where a line begins there; a vector's worth of code
 * calls it per vector, with `at` known when compiling. */
ALWAYS_INLINE void sweep_fetch(const real *p, const long at)
{
    if (at * REAL_BYTES % SWEEP_LINE_BYTES == 0)
        __builtin_prefetch((const char *)(p + at) + SWEEP_AHEAD_BYTES);
}

/* The same into L2, for loops that wait for their arithmetic between lines: L1 has fewer buffers
 * for lines on their way than L2 (docs/kernels.md). */
ALWAYS_INLINE void sweep_fetch_far(const real *p, const long at)
{
    if (at * REAL_BYTES % SWEEP_LINE_BYTES == 0)
        __builtin_prefetch((const char *)(p + at) + SWEEP_AHEAD_BYTES, 0, 2);
}

#endif
