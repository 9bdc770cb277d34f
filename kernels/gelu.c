// gelu.c - the Gaussian error linear unit, exact.
#define MAP gelu
#define SUMMARY "y[i] = x[i] * (1 + erf(x[i] / sqrt(2))) / 2"
#define ARRAYS "y", "x"
#define WRITTEN ROLE_OUTPUT
#define ELEMENT(x, y) MATH(gelu)(x)
#define LOW -4.0
#define HIGH 4.0
#define UNITS 8
#define FLOPS n
#define BYTES (2 * n) * element_bytes
#define NOTE MATH_NOTE
#define QUICK 0
#define ONEDNN onednn_eltwise

#include "elementwise.h"
