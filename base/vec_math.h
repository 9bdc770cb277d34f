// vec_math.h - functions of vectors: exp, log, tanh, erf, sigmoid, the square root, and the
// activations built from them.
//
// The error of each is stated in units in the last place (ulp) of the exact result, for f32 and f64
// and all ISAs; tests/variants/test_ulp.c holds them. Results in the subnormals are exact to so
// many of their steps, too. NaN gives NaN; what has a factor x that is infinite multiplies as IEEE
// 754 says: silu(-inf) = -inf * 0 is NaN, as by the formula.
//
// No tables and few selects, so that one source is fast on every ISA. The polynomials are minimax
// for the relative error of the function, but gelu's (Remez exchange in 200 bits, coefficients then
// rounded); reductions as in Muller, Elementary Functions, 3rd ed., doi:10.1007/978-1-4899-7983-4,
// ch. 11.
#ifndef ROOFLINE_VEC_MATH_H
#define ROOFLINE_VEC_MATH_H

#include "vec.h"

/* Formulas that are stated once, for vectors and for the reference (plain_math.h): MATH(exp)(x). */
#define MATH(function) vec_##function

/* Bits of lanes, unsigned because shifts carry into the sign. */
#if VEC_IS_F32
typedef uint32_t real_word;
#define REAL_FRACTION_BITS 23
#define REAL_BIAS 127
#define REAL_MIN_NORMAL 0x1p-126f
#define REAL_EPSILON 0x1p-23f
#else
typedef uint64_t real_word;
#define REAL_FRACTION_BITS 52
#define REAL_BIAS 1023
#define REAL_MIN_NORMAL 0x1p-1022
#define REAL_EPSILON 0x1p-52
#endif
#if VLEN == 1
typedef real_word vec_word;
#else
typedef real_word vec_word __attribute__((vector_size(VEC_BYTES), may_alias));
#endif

#define REAL_SIGN ((real_word)1 << (8 * REAL_BYTES - 1))
#define REAL_ONE_BITS ((real_word)REAL_BIAS << REAL_FRACTION_BITS)
#define REAL_INFINITY ((real)__builtin_inf())
#define REAL_NAN ((real)__builtin_nan(""))

union vec_view {
    vec reals;
    vec_word words;
};

ALWAYS_INLINE vec_word vec_to_word(vec v)
{
    return (union vec_view){.reals = v}.words;
}

ALWAYS_INLINE vec vec_from_word(vec_word w)
{
    return (union vec_view){.words = w}.reals;
}

/* All ones where a < b; NaN is less than nothing. */
ALWAYS_INLINE vec_bits vec_less(vec a, vec b)
{
#if VLEN == 1
    return -(vec_bits)(a < b);
#else
    return a < b;
#endif
}

ALWAYS_INLINE vec_bits vec_equal(vec a, vec b)
{
#if VLEN == 1
    return -(vec_bits)(a == b);
#else
    return a == b;
#endif
}

ALWAYS_INLINE vec vec_abs(vec v)
{
    return vec_from_word(vec_to_word(v) & ~REAL_SIGN);
}

/* `magnitude`, which is not negative, with the sign of x. */
ALWAYS_INLINE vec vec_signed(vec magnitude, vec x)
{
    return vec_from_word(vec_to_word(magnitude) | (vec_to_word(x) & REAL_SIGN));
}

/* 0.5 ulp; of a negative number NaN. */
ALWAYS_INLINE vec vec_sqrt(vec v)
{
    vec root;
#if defined(__x86_64__) && VLEN == 1
    __asm__("sqrts" VEC_SUFFIX " %1, %0" : "=x"(root) : "x"(v));
#elif defined(__x86_64__) && VEC_BYTES == 16
    __asm__("sqrtp" VEC_SUFFIX " %1, %0" : "=x"(root) : "x"(v));
#elif defined(__x86_64__)
    __asm__("vsqrtp" VEC_SUFFIX " %1, %0" : "=v"(root) : "v"(v));
#elif defined(__aarch64__) && VLEN == 1 && VEC_IS_F32
    __asm__("fsqrt %s0, %s1" : "=w"(root) : "w"(v));
#elif defined(__aarch64__) && VLEN == 1
    __asm__("fsqrt %d0, %d1" : "=w"(root) : "w"(v));
#elif defined(__aarch64__) && VEC_IS_F32
    __asm__("fsqrt %0.4s, %1.4s" : "=w"(root) : "w"(v));
#elif defined(__aarch64__)
    __asm__("fsqrt %0.2d, %1.2d" : "=w"(root) : "w"(v));
#else
    root = (real)__builtin_sqrt(v);
#endif
    return root;
}

/* c[0] + c[1] x + ... of degree count - 1, by Horner's rule. */
ALWAYS_INLINE vec vec_polynomial(vec x, const real *c, const int count)
{
    vec sum = vec_all(c[count - 1]);
    UNROLL(32)
    for (int k = count - 2; k >= 0; k--)
        sum = sum * x + vec_all(c[k]);
    return sum;
}

#define VEC_POLYNOMIAL(x, ...)                                                                     \
    vec_polynomial(x, (const real[]){__VA_ARGS__}, sizeof(real[]){__VA_ARGS__} / sizeof(real))

#define LN2 0.693147180559945309

/* ln 2 in two parts; the first has so many zeros at its end that its product with an exponent is
 * exact without FMA, too (Cody and Waite). */
#if VEC_IS_F32
#define LN2_HIGH 0x1.62e4p-1f
#define LN2_LOW 1.42860682e-6f
#else
#define LN2_HIGH 0x1.62e42fefa38p-1
#define LN2_LOW 5.4979230187083712e-14
#endif

/* 1.5 * 2^(fraction bits), whose sum with a small number is rounded to a whole one, and a bias. */
ALWAYS_INLINE vec vec_exp_rounder(const int bias)
{
    return vec_all((real)(3LL << (REAL_FRACTION_BITS - 1)) + (real)bias);
}

/* x = n ln 2 + r, |r| <= ln 2 / 2: exp(r) - 1, and n + bias in the low bits of *power, above which
 * stand other bits. */
ALWAYS_INLINE vec vec_exp_reduced(vec x, const int bias, vec_word *power)
{
    const vec rounder = vec_exp_rounder(bias);
    vec shifted = x * vec_all((real)1.4426950408889634) + rounder;
    vec n = shifted - rounder;
    vec r = x - n * vec_all(LN2_HIGH);
    r = r - n * vec_all(LN2_LOW);
    *power = vec_to_word(shifted);
#if VEC_IS_F32
    vec tail = VEC_POLYNOMIAL(r, 0.499999934f, 0.166665201f, 0.0416683945f, 8.36878079e-3f,
                              1.38144551e-3f);
#else
    vec tail = VEC_POLYNOMIAL(r, 0.50000000000000107, 0.16666666666666410, 0.041666666666529188,
                              8.3333333334954939e-3, 1.3888888943922729e-3, 1.9841269505045899e-4,
                              2.4801492762776627e-5, 2.7557587094438395e-6, 2.7630378621626334e-7,
                              2.5000042432641811e-8);
#endif
    return tail * (r * r) + r;
}

/* (p + 1) 2^n, where n + 2 bias stands in the low bits of `power`. 2^(n / 2) twice, because 2^n may
 * lie outside of the format where the product with it does not: overflow and gradual underflow come
 * from the last multiplication. */
ALWAYS_INLINE vec vec_powered(vec p, vec_word power)
{
#if defined(__AVX512F__) && VEC_BYTES == 64
    vec n = vec_from_word(power) - vec_exp_rounder(2 * REAL_BIAS), y = p + vec_all(1);
    __asm__("vscalefp" VEC_SUFFIX " %1, %0, %0" : "+v"(y) : "v"(n));
    return y;
#else
    vec_word half = power >> 1;
    vec first = vec_from_word(half << REAL_FRACTION_BITS);
    vec second = vec_from_word((power - half) << REAL_FRACTION_BITS);
    return (first * p + first) * second;
#endif
}

/* 1 ulp, of x that does not overflow. From `low` down n is -2 bias, both factors of 2^n are 0, and
 * so is the product, exactly: one that is too small for the format, as between there and -104 (f64:
 * -746), takes x86 150 cycles without vscalef, and masks are far below. */
ALWAYS_INLINE vec vec_exp_bounded(vec x)
{
    const vec low = vec_all(VEC_IS_F32 ? -176 : -1418);
    vec_word power; /* n + 2 bias */
    vec p = vec_exp_reduced(vec_max(low, x), 2 * REAL_BIAS, &power);
    return vec_powered(p, power);
}

/* 1 ulp. */
ALWAYS_INLINE vec vec_exp(vec x)
{
    return vec_exp_bounded(vec_min(vec_all(VEC_IS_F32 ? 89 : 710), x));
}

/* 2^more exp(x) = scale * p + scale where scale, a power of 2, is normal; one step beyond it is 0
 * or infinite. With `more` of 0 exp(x) - 1 is scale * p + (scale - 1) without cancellation. */
ALWAYS_INLINE vec vec_exp_scaled(vec x, const int more, vec *scale)
{
    vec_word power;
    vec p = vec_exp_reduced(x, REAL_BIAS + more, &power);
    *scale = vec_from_word(power << REAL_FRACTION_BITS);
    return p;
}

/* The logarithm of a quarter of the smallest subnormal: exponentials are 0 from there down. */
#define EXP_LOW ((real)(-(REAL_BIAS + REAL_FRACTION_BITS + 1) * LN2))

/* 1 ulp, of x up to 0. 2^n is in the format with a factor that the last multiplication takes back;
 * from EXP_LOW down it is 0. */
ALWAYS_INLINE vec vec_exp_nonpositive(vec x)
{
#if defined(__AVX512F__) && VEC_BYTES == 64
    return vec_exp_bounded(x);
#else
    vec scale, p = vec_exp_scaled(vec_max(vec_all(EXP_LOW), x), REAL_FRACTION_BITS + 1, &scale);
    return (scale * p + scale) * vec_all(REAL_EPSILON / 2);
#endif
}

/* 1 ulp. x = 2^k (1 + f), 1 + f in [sqrt(1/2), sqrt(2)). */
ALWAYS_INLINE vec vec_log(vec x)
{
    const real_word root_half = VEC_IS_F32 ? 0x3f3504f3 : (real_word)0x3fe6a09e667f3bcd;
    /* 2^(fraction bits) plus an exponent field is that number of units of its last place. */
    const real field = (real)(1LL << REAL_FRACTION_BITS) + REAL_BIAS;
    vec_bits tiny = vec_less(x, vec_all(REAL_MIN_NORMAL));
    vec_word word =
        vec_to_word(vec_select(tiny, x * vec_all((real)(2LL << REAL_FRACTION_BITS)), x));
    vec_word steps = (word - root_half + REAL_ONE_BITS) >> REAL_FRACTION_BITS; /* k + bias */
    vec k = vec_from_word(steps | vec_to_word(vec_all((real)(1LL << REAL_FRACTION_BITS)))) -
            vec_select(tiny, vec_all(field + REAL_FRACTION_BITS + 1), vec_all(field));
    vec f = vec_from_word(word - (steps << REAL_FRACTION_BITS) + REAL_ONE_BITS) - vec_all(1);
#if VEC_IS_F32
    vec tail = VEC_POLYNOMIAL(f, 0.333333317f, -0.250008210f, 0.200012265f, -0.166233583f,
                              0.142017656f, -0.131601832f, 0.127615319f, -0.0763444001f);
#else
    vec tail = VEC_POLYNOMIAL(
        f, 0.33333333333333452, -0.24999999999998920, 0.19999999999946145, -0.16666666666914418,
        0.14285714293840157, -0.12499999982015889, 0.11111110516109938, -0.10000000383440621,
        0.090909335039556425, -0.083333457552380605, 0.076917145006854619, -0.071420001541269088,
        0.066751480309808959, -0.062698003235381213, 0.058177807513379878, -0.053267828017245888,
        0.054159747493597513, -0.062750356307284540, 0.056968383455738350, -0.024275960009190871);
#endif
    vec square = f * f;
    vec rest = (tail * f - vec_all((real)0.5)) * square + k * vec_all(LN2_LOW);
    vec y = (f + rest) + k * vec_all(LN2_HIGH);
    y = vec_select(vec_less(x, vec_all(REAL_INFINITY)), y, x); /* inf and NaN pass */
    y = vec_select(vec_less(x, vec_all(0)), vec_all(REAL_NAN), y);
    return vec_select(vec_equal(x, vec_all(0)), vec_all(-REAL_INFINITY), y);
}

/* 2.5 ulp. c / (c + c exp(-x)), c so small that c exp(-x) is in the format wherever the result is
 * not 0; from EXP_LOW down c 2^n, and so the sum, is infinite. Beyond 40 the result is 1. */
ALWAYS_INLINE vec vec_sigmoid(vec x)
{
    const vec c = vec_all(REAL_EPSILON);
    vec scale, p = vec_exp_scaled(-vec_min(vec_all(40), vec_max(vec_all(EXP_LOW), x)),
                                  -REAL_FRACTION_BITS, &scale);
    return c / (scale * (p + vec_all(1)) + c);
}

/* 3 ulp. With m = exp(2|x|) - 1: m / (m + 2). Beyond 20 it is 1. */
ALWAYS_INLINE vec vec_tanh(vec x)
{
    vec scale, p = vec_exp_scaled(vec_min(vec_all(40), vec_abs(x + x)), 0, &scale);
    vec m = scale * p + (scale - vec_all(1));
    return vec_signed(m / (m + vec_all(2)), x);
}

/* 2.5 ulp. 1 - exp(-t S(t)), t = |x|, S(t) = -log(erfc(t)) / t: S is smooth and positive, so that
 * one polynomial does for all t, and exp(y) - 1 keeps the relative precision near 0. Beyond the
 * range of S the result is 1. */
ALWAYS_INLINE vec vec_erf(vec x)
{
    const real most = VEC_IS_F32 ? 4 : 6;
    vec t = vec_min(vec_all(most), vec_abs(x)), scale;
    /* S(0) = 2 / sqrt(pi) in two parts, so that its rounding does not count. */
#if VEC_IS_F32
    const real first = 1.12837923f;
    vec s = VEC_POLYNOMIAL(t, -5.41216001e-8f, 0.636619382f, 0.102777831f, -0.0191530645f,
                           -1.60394677e-4f, 1.66702548e-3f, -6.32835191e-4f, 1.17640571e-4f,
                           -9.25615383e-6f);
#else
    const real first = 1.1283791670955126;
    vec s = VEC_POLYNOMIAL(t, 9.7490512909252362e-18, 0.63661977236758361, 0.10277260330178877,
                           -0.019128447005070510, -2.0919469484023023e-4, 1.6962063857257315e-3,
                           -5.9012555278383342e-4, 2.5878603838224425e-5, 6.4491862155257135e-5,
                           -2.9724049087670760e-5, 3.4072705422071199e-6, 2.8351335824802003e-6,
                           -1.7415408295235319e-6, 3.3635961234217944e-7, 1.3718500661168101e-7,
                           -1.4176321968230373e-7, 6.5733920280349438e-8, -2.0962768215386004e-8,
                           4.9977297669922807e-9, -9.0822742290650736e-10, 1.2484172711038172e-10,
                           -1.2611093937582685e-11, 8.8456630939018168e-13, -3.8505782578002453e-14,
                           7.8343256698450328e-16);
#endif
    vec p = vec_exp_scaled(-(t * vec_all(first) + t * s), 0, &scale);
    return vec_signed((vec_all(1) - scale) - scale * p, x);
}

/* x Phi(x), Phi the normal distribution: 4 ulp of x (f64: 2), not of the result, because a sum
 * cancels where x is negative. f32: Phi = 1/2 + x P(x^2) / Q(x^2), minimax for the error of Phi
 * (least squares, reweighted after Lawson) and exactly 1/2 + 1/2 at the bound; no less than 0,
 * though the quotient rounds. f64, where P and Q would be long: Phi = (1 + erf(x / sqrt(2))) / 2.
 */
ALWAYS_INLINE vec vec_gelu(vec x)
{
    const vec half = vec_all((real)0.5);
#if VEC_IS_F32
    const vec most = vec_all(5.4375f);
    vec t = vec_min(most, vec_max(-most, x)), square = t * t;
    vec p = VEC_POLYNOMIAL(square, 327918.469f, 27769.2363f, 3846.17188f, 138.719696f, 5.27338791f,
                           0.0191133898f);
    vec q = VEC_POLYNOMIAL(square, 821969.812f, 206601.438f, 23526.5059f, 1549.05371f, 60.7747002f,
                           1.0f);
    return x * vec_max(vec_all(0), half + t * p / q);
#else
    return x * (half + half * vec_erf(x * vec_all((real)0.70710678118654752)));
#endif
}

/* x (1 + tanh(u)) / 2 = x sigmoid(2 u), u = sqrt(2 / pi) (x + 0.044715 x^3): 2.5 ulp of x, as
 * the rounding of 2 u counts as often as 2 u is large where the sigmoid is small. */
ALWAYS_INLINE vec vec_gelu_tanh(vec x)
{
    const double root = 1.5957691216057308; /* 2 sqrt(2 / pi) */
    vec factor = x * x * vec_all((real)(root * 0.044715)) + vec_all((real)root);
    return x * vec_sigmoid(x * factor);
}

/* 2.5 ulp; or 2.5 |x| steps of the subnormals, where exp(x) is one. */
ALWAYS_INLINE vec vec_silu(vec x)
{
    return x * vec_sigmoid(x);
}

/* 2.5 ulp, or 2.5 |x| steps of the subnormals. x tanh(log(1 + e)), e = exp(x): with w = (1 + e)^2 -
 * 1 = e (e + 2) it is x w / (w + 2), which is x beyond 20. */
ALWAYS_INLINE vec vec_mish(vec x)
{
    vec e = vec_exp_bounded(vec_min(vec_all(20), x));
    vec w = e * (e + vec_all(2));
    return x * (w / (w + vec_all(2)));
}

/* x < 0 ? slope (exp(x) - 1) : x: 1.5 ulp, the product with the slope not counted. Below -40 the
 * exponential does not count. */
ALWAYS_INLINE vec vec_elu(vec x, vec slope)
{
    vec scale, p = vec_exp_scaled(vec_max(vec_all(-40), vec_min(vec_all(0), x)), 0, &scale);
    return vec_select(vec_less(x, vec_all(0)), slope * (scale * p + (scale - vec_all(1))), x);
}

/* min(high, max(low, x)), so `high` where the bounds cross, as in ONNX. */
ALWAYS_INLINE vec vec_clip(vec x, vec low, vec high)
{
    return vec_min(high, vec_max(low, x));
}

/* x max(0, min(1, x / 6 + 1/2)). */
ALWAYS_INLINE vec vec_hardswish(vec x)
{
    vec gate = x * vec_all((real)(1.0 / 6)) + vec_all((real)0.5);
    return x * vec_clip(gate, vec_all(0), vec_all(1));
}

/* x < 0 ? slope x : x. */
ALWAYS_INLINE vec vec_leaky_relu(vec x, vec slope)
{
    return vec_select(vec_less(x, vec_all(0)), slope * x, x);
}

#endif
