// hardswish.c - the hard swish of MobileNetV3, as in ONNX.
#define MAP hardswish
#define SUMMARY "y[i] = x[i] * min(1, max(0, x[i] / 6 + 1/2))"
#define ARRAYS "y", "x"
#define WRITTEN ROLE_OUTPUT
#define ELEMENT(x, y) MATH(hardswish)(x)
#define LOW -4.0
#define HIGH 4.0
#define FLOPS 5 * n
#define BYTES (2 * n) * element_bytes
#define NOTE                                                                                       \
    "2 multiplications, 1 addition and 2 comparisons per element; write-allocate is not counted"
#define QUICK 0
#define ONEDNN onednn_eltwise

#include "elementwise.h"
