// erf.c - the error function.
#define MAP erf
#define SUMMARY "y[i] = erf(x[i])"
#define ARRAYS "y", "x"
#define WRITTEN ROLE_OUTPUT
#define ELEMENT(x, y) MATH(erf)(x)
#define LOW -3.0
#define HIGH 3.0
#define UNITS 8
#define FLOPS n
#define BYTES (2 * n) * element_bytes
#define NOTE MATH_NOTE
#define QUICK 0

#include "elementwise.h"
