// axpy.c - the BLAS axpy, in place.
#define MAP axpy
#define SUMMARY "y[i] = s * x[i] + y[i]"
#define ARRAYS "y", "x"
#define WRITTEN ROLE_UPDATE
#define ELEMENT(x, y) ((x) + s * (y))
#define LOW 0.5
#define HIGH 1.5
#define FLOPS 2 * n
#define BYTES (3 * n) * element_bytes
#define NOTE "y is read and written"
#define QUICK 1

#include "elementwise.h"
