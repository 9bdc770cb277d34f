// clip.c - an array cut to [0, 6] (ReLU6).
#define MAP clip
#define SUMMARY "y[i] = min(6, max(0, x[i]))"
#define ARRAYS "y", "x"
#define WRITTEN ROLE_OUTPUT
#define ELEMENT(x, y) MATH(clip)(x, REAL(0), REAL(6))
#define LOW -4.0
#define HIGH 10.0
#define FLOPS 2 * n
#define BYTES (2 * n) * element_bytes
#define NOTE "each comparison counts as 1 FLOP; write-allocate is not counted"
#define QUICK 0
#define ONEDNN onednn_eltwise

#include "elementwise.h"
