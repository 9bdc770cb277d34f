// abs.c - the absolute value.
#define MAP abs
#define SUMMARY "y[i] = |x[i]|"
#define ARRAYS "y", "x"
#define WRITTEN ROLE_OUTPUT
#define ELEMENT(x, y) MATH(abs)(x)
#define LOW -1.0
#define HIGH 1.0
#define FLOPS n
#define BYTES (2 * n) * element_bytes
#define NOTE "counts as 1 FLOP per element; write-allocate is not counted"
#define QUICK 0
#define ONEDNN onednn_eltwise

#include "elementwise.h"
