// sqrt.c - the square root.
#define MAP sqrt
#define SUMMARY "y[i] = sqrt(x[i])"
#define ARRAYS "y", "x"
#define WRITTEN ROLE_OUTPUT
#define ELEMENT(x, y) MATH(sqrt)(x)
#define LOW 0.5
#define HIGH 4.0
#define FLOPS n
#define BYTES (2 * n) * element_bytes
#define NOTE                                                                                       \
    "a root counts as 1 FLOP but keeps its unit busy for many multiplications; write-allocate is " \
    "not "                                                                                         \
    "counted"
#define QUICK 0
#define ONEDNN onednn_eltwise

#include "elementwise.h"
