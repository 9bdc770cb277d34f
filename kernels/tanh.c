// tanh.c - the hyperbolic tangent.
#define MAP tanh
#define SUMMARY "y[i] = tanh(x[i])"
#define ARRAYS "y", "x"
#define WRITTEN ROLE_OUTPUT
#define ELEMENT(x, y) MATH(tanh)(x)
#define LOW -4.0
#define HIGH 4.0
#define UNITS 8
#define FLOPS n
#define BYTES (2 * n) * element_bytes
#define NOTE MATH_NOTE
#define QUICK 0
#define ONEDNN onednn_eltwise

#include "elementwise.h"
