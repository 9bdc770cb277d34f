// elu.c - the exponential linear unit, arXiv:1511.07289.
#define MAP elu
#define SUMMARY "y[i] = x[i] < 0 ? exp(x[i]) - 1 : x[i]"
#define ARRAYS "y", "x"
#define WRITTEN ROLE_OUTPUT
#define ELEMENT(x, y) MATH(elu)(x, REAL(1))
#define LOW -4.0
#define HIGH 4.0
#define UNITS 8
#define FLOPS n
#define BYTES (2 * n) * element_bytes
#define NOTE MATH_NOTE
#define QUICK 0
#define ONEDNN onednn_eltwise
#define ONEDNN_UNITS 32

#include "elementwise.h"
