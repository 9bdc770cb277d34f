// scale.c - an array times a constant.
#define MAP scale
#define SUMMARY "y[i] = s * x[i]"
#define ARRAYS "y", "x"
#define WRITTEN ROLE_OUTPUT
#define ELEMENT(x, y) (s * (x))
#define LOW 0.5
#define HIGH 1.5
#define FLOPS n
#define BYTES (2 * n) * element_bytes
#define NOTE                                                                                       \
    "each array once; the line that a regular store reads first (write-allocate) is not counted"
#define QUICK 1

#include "elementwise.h"
