// plain_math.h - the functions of vec_math.h for one double, by the C library: what the vectors are
// checked against.
#ifndef ROOFLINE_PLAIN_MATH_H
#define ROOFLINE_PLAIN_MATH_H

#include <math.h>

#define MATH(function) plain_##function

static inline double plain_exp(double x)
{
    return exp(x);
}

static inline double plain_log(double x)
{
    return log(x);
}

static inline double plain_tanh(double x)
{
    return tanh(x);
}

static inline double plain_erf(double x)
{
    return erf(x);
}

static inline double plain_sqrt(double x)
{
    return sqrt(x);
}

static inline double plain_relu(double x)
{
    return x < 0 ? 0 : x;
}

static inline double plain_leaky_relu(double x, double slope)
{
    return x < 0 ? slope * x : x;
}

/* The second where one is NaN. */
static inline double plain_max(double a, double b)
{
    return a > b ? a : b;
}

static inline double plain_min(double a, double b)
{
    return a < b ? a : b;
}

/* NaN where one is NaN. */
static inline double plain_larger(double a, double b)
{
    return isnan(a) || a > b ? a : b;
}

static inline double plain_smaller(double a, double b)
{
    return isnan(a) || a < b ? a : b;
}

static inline double plain_clip(double x, double low, double high)
{
    double raised = low > x ? low : x;
    return high < raised ? high : raised;
}

static inline double plain_sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

static inline double plain_silu(double x)
{
    return x * plain_sigmoid(x);
}

static inline double plain_hardswish(double x)
{
    return x * plain_clip(x / 6 + 0.5, 0, 1);
}

static inline double plain_abs(double x)
{
    return fabs(x);
}

static inline double plain_elu(double x, double slope)
{
    return x < 0 ? slope * expm1(x) : x;
}

/* 1 + erf(x / sqrt(2)) without its cancellation. */
static inline double plain_gelu(double x)
{
    return x * (erfc(x * -M_SQRT1_2) / 2);
}

static inline double plain_gelu_tanh(double x)
{
    return x * plain_sigmoid(2 * M_2_SQRTPI * M_SQRT1_2 * (x + 0.044715 * x * x * x));
}

/* tanh(log(1 + e)) = w / (w + 2), w = (1 + e)^2 - 1. */
static inline double plain_mish(double x)
{
    double e = exp(x < 40 ? x : 40), w = e * (e + 2);
    return isnan(x) ? x : x * (w / (w + 2));
}

#endif
