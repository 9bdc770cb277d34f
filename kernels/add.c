// add.c - sum of two arrays.
#define MAP add
#define SUMMARY "a[i] = b[i] + c[i]"
#define ARRAYS "a", "b", "c"
#define WRITTEN ROLE_OUTPUT
#define ELEMENT(x, y) ((x) + (y))
#define LOW 0.5
#define HIGH 1.5
#define FLOPS n
#define BYTES (3 * n) * element_bytes
#define NOTE                                                                                       \
    "each array once; the line that a regular store reads first (write-allocate) is not counted"
#define QUICK 1
#define ONEDNN onednn_binary

#include "elementwise.h"
