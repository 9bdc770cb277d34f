// leaky_relu.c - the rectifier that lets some of a negative number pass.
#define MAP leaky_relu
#define SUMMARY "y[i] = x[i] < 0 ? 0.01 * x[i] : x[i]"
#define ARRAYS "y", "x"
#define WRITTEN ROLE_OUTPUT
#define ELEMENT(x, y) MATH(leaky_relu)(x, REAL(0.01))
#define LOW -1.0
#define HIGH 1.0
#define FLOPS n
#define BYTES (2 * n) * element_bytes
#define NOTE "the multiplication counts, the comparison does not; write-allocate is not counted"
#define QUICK 0
#define ONEDNN onednn_eltwise

#include "elementwise.h"
