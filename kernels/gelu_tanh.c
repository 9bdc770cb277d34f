// gelu_tanh.c - the Gaussian error linear unit, approximated by tanh.
#define MAP gelu_tanh
#define SUMMARY "y[i] = x[i] * (1 + tanh(sqrt(2 / pi) * (x[i] + 0.044715 * x[i]^3))) / 2"
#define ARRAYS "y", "x"
#define WRITTEN ROLE_OUTPUT
#define ELEMENT(x, y) MATH(gelu_tanh)(x)
#define LOW -4.0
#define HIGH 4.0
#define UNITS 8
#define FLOPS n
#define BYTES (2 * n) * element_bytes
#define NOTE MATH_NOTE
#define QUICK 0
#define ONEDNN onednn_eltwise

#include "elementwise.h"
