// lanes.h - vectors of the lanes of two others.
//
// Included by ISA bodies.
#ifndef ROOFLINE_LANES_H
#define ROOFLINE_LANES_H

#include "vec.h"

#if VLEN > 1
/* VLEN numbers from `first` on, `step` apart. */
#if VLEN == 2
#define LANES(first, step) (first), (first) + (step)
#else
#define LANES_4(first, step) (first), (first) + (step), (first) + 2 * (step), (first) + 3 * (step)
#if VLEN == 4
#define LANES(first, step) LANES_4(first, step)
#else
#define LANES_8(first, step) LANES_4(first, step), LANES_4((first) + 4 * (step), step)
#if VLEN == 8
#define LANES(first, step) LANES_8(first, step)
#else
#define LANES(first, step) LANES_8(first, step), LANES_8((first) + 8 * (step), step)
#endif
#endif
#endif
#define LANES_OF_TWO(a, b, first, step) __builtin_shufflevector(a, b, LANES(first, step))
#else
#define LANES_OF_TWO(a, b, first, step) ((first) == 0 ? (a) : (b))
#endif

#endif
