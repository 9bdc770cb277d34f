// average_pool.c - the mean of each window of an image.
#define POOL average_pool
#define SUMMARY                                                                                    \
    "output[n,c,y,x] = sum over r, s of input inside the image / their number, or / (r s) with "   \
    "count_include_pad=yes"
#define MEAN 1
#define OWN_LETTERS(X) X(count_include_pad, 0, 0, "whether cells around the image count", no_yes)
#define COUNT_PAD (count_include_pad == 1)
#define LOW 0.5
#define HIGH 1.5
#define FLOPS ((p * taps_w + taps_h * w + p * q) * n * channels)
#define NOTE                                                                                       \
    "an addition per row of a window for each of w columns, one per column of each window, and a " \
    "multiplication by the reciprocal of the number of cells"
/* A sum of r s positive numbers, a scale rounded four times, and the reference. */
#define TOLERANCE 4 * (r * s + 4) * unit

#ifndef ISA
#include <stddef.h>
static const char *const no_yes[] = {"no", "yes", NULL};
#endif

#include "pool.h"
