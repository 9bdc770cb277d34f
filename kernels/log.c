// log.c - the natural logarithm.
#define MAP log
#define SUMMARY "y[i] = log(x[i])"
#define ARRAYS "y", "x"
#define WRITTEN ROLE_OUTPUT
#define ELEMENT(x, y) MATH(log)(x)
#define LOW 0.5
#define HIGH 4.0
#define UNITS 8
#define FLOPS n
#define BYTES (2 * n) * element_bytes
#define NOTE MATH_NOTE
#define QUICK 0
#define ONEDNN onednn_eltwise
#define ONEDNN_UNITS 64 /* measured: 42, near 2.125, where its table is coarse */

#include "elementwise.h"
