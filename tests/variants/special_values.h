// special_values.h - what elementwise kernels make of NaN, infinities and zeros.
#ifndef ROOFLINE_SPECIAL_VALUES_H
#define ROOFLINE_SPECIAL_VALUES_H

#include <math.h>

/* By IEEE 754 and the formula of each (ONNX says no more);
 * where the formula has a factor x, -inf * 0 is NaN. Of two inputs the second is 2. */
enum { SPECIAL_COUNT = 6 };
static const double specials[SPECIAL_COUNT] = {NAN, -NAN, INFINITY, -INFINITY, -0.0, 0.0};
static const struct special {
    const char *kernel;
    double expected[SPECIAL_COUNT];
} special_rows[] = {
    {"add", {NAN, NAN, INFINITY, -INFINITY, 2, 2}},
    {"sub", {NAN, NAN, INFINITY, -INFINITY, -2, -2}},
    {"mul", {NAN, NAN, INFINITY, -INFINITY, -0.0, 0}},
    {"div", {NAN, NAN, INFINITY, -INFINITY, -0.0, 0}},
    {"scale", {NAN, NAN, INFINITY, -INFINITY, -0.0, 0}},
    {"relu", {NAN, NAN, INFINITY, 0, -0.0, 0}},
    {"leaky_relu", {NAN, NAN, INFINITY, -INFINITY, -0.0, 0}},
    {"abs", {NAN, NAN, INFINITY, INFINITY, 0, 0}},
    {"clip", {NAN, NAN, 6, 0, -0.0, 0}},
    {"hardswish", {NAN, NAN, INFINITY, NAN, -0.0, 0}},
    {"exp", {NAN, NAN, INFINITY, 0, 1, 1}},
    {"log", {NAN, NAN, INFINITY, NAN, -INFINITY, -INFINITY}},
    {"elu", {NAN, NAN, INFINITY, -1, -0.0, 0}},
    {"sqrt", {NAN, NAN, INFINITY, NAN, -0.0, 0}},
    {"erf", {NAN, NAN, 1, -1, -0.0, 0}},
    {"tanh", {NAN, NAN, 1, -1, -0.0, 0}},
    {"sigmoid", {NAN, NAN, 1, 0, 0.5, 0.5}},
    {"silu", {NAN, NAN, INFINITY, NAN, -0.0, 0}},
    {"mish", {NAN, NAN, INFINITY, NAN, -0.0, 0}},
    {"gelu", {NAN, NAN, INFINITY, NAN, -0.0, 0}},
    {"gelu_tanh", {NAN, NAN, INFINITY, NAN, -0.0, 0}},
};

#endif
