// triad.c - the STREAM triad.
#define MAP triad
#define SUMMARY "a[i] = b[i] + s * c[i]"
#define ARRAYS "a", "b", "c"
#define WRITTEN ROLE_OUTPUT
#define ELEMENT(x, y) ((x) + s * (y))
#define LOW 0.5
#define HIGH 1.5
#define FLOPS 2 * n
#define BYTES (3 * n) * element_bytes
#define NOTE                                                                                       \
    "each array once; the line that a regular store reads first (write-allocate) is not counted"
#define QUICK 1

#include "elementwise.h"
