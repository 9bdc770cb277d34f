// max_pool.c - the maximum of each window of an image.
#define POOL max_pool
#define SUMMARY                                                                                    \
    "output[n,c,y,x] = max over r, s of input inside the image; NaN where one is NaN; "            \
    "-infinity where none is inside"
#define MEAN 0
#define OWN_LETTERS(X)
#define COUNT_PAD 0
#define LOW -1.0
#define HIGH 1.0
#define FLOPS ((p * taps_w + taps_h * w) * n * channels)
#define NOTE                                                                                       \
    "a comparison is 1 FLOP, one per row of a window for each of w columns, then one per column "  \
    "of "                                                                                          \
    "each window"
#define TOLERANCE 0 * unit /* a comparison rounds nothing */

#include "pool.h"
