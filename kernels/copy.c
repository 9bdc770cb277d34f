// copy.c - y = x: what any operator that only moves data can reach.
#define MAP copy
#define SUMMARY "y[i] = x[i]"
#define ARRAYS "y", "x"
#define WRITTEN ROLE_OUTPUT
#define ELEMENT(x, y) (x)
#define LOW 0.5
#define HIGH 1.5
#define FLOPS 0
#define BYTES (2 * n) * element_bytes
#define NOTE "no arithmetic: rated by its bytes"
#define QUICK 0

#include "elementwise.h"
