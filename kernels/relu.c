// relu.c - the rectifier.
#define MAP relu
#define SUMMARY "y[i] = x[i] < 0 ? 0 : x[i]"
#define ARRAYS "y", "x"
#define WRITTEN ROLE_OUTPUT
#define ELEMENT(x, y) MATH(relu)(x)
#define LOW -1.0
#define HIGH 1.0
#define FLOPS n
#define BYTES (2 * n) * element_bytes
#define NOTE "the comparison counts as 1 FLOP per element; write-allocate is not counted"
#define QUICK 1
#define ONEDNN onednn_eltwise

#include "elementwise.h"
