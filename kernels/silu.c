// silu.c - the sigmoid linear unit (swish).
#define MAP silu
#define SUMMARY "y[i] = x[i] / (1 + exp(-x[i]))"
#define ARRAYS "y", "x"
#define WRITTEN ROLE_OUTPUT
#define ELEMENT(x, y) MATH(silu)(x)
#define LOW -4.0
#define HIGH 4.0
#define UNITS 8
#define FLOPS n
#define BYTES (2 * n) * element_bytes
#define NOTE MATH_NOTE
#define QUICK 0
#define ONEDNN onednn_eltwise

#include "elementwise.h"
