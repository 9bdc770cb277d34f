// sub.c - difference of two arrays.
#define MAP sub
#define SUMMARY "a[i] = b[i] - c[i]"
#define ARRAYS "a", "b", "c"
#define WRITTEN ROLE_OUTPUT
#define ELEMENT(x, y) ((x) - (y))
#define LOW 0.5
#define HIGH 1.5
#define FLOPS n
#define BYTES (3 * n) * element_bytes
#define NOTE "each array once; write-allocate is not counted"
#define QUICK 0
#define ONEDNN onednn_binary

#include "elementwise.h"
