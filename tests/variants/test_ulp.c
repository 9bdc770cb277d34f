// test_ulp.c - the functions of vec_math.h are as exact as they say: largest error in units in the
// last place against the C library, in double for f32 and in long double for f64.
//
//   test_ulp        a sample, seconds
//   test_ulp all    every float, and more doubles: minutes to hours
//   test_ulp all F  of one function
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel.h"
#include "plain_math.h"

/* Primes, so that a stride meets every exponent and all endings of fractions. */
enum { FLOAT_STRIDE = 16381, CHUNK = 4096, DOUBLES = 1 << 16, DOUBLES_ALL = 1 << 24 };

static long double long_sigmoid(long double x)
{
    return 1 / (1 + expl(-x));
}

static long double long_silu(long double x)
{
    return x * long_sigmoid(x);
}

static long double long_gelu(long double x)
{
    return x * (erfcl(x * -0.707106781186547524400844362104849039L) / 2);
}

static long double long_gelu_tanh(long double x)
{
    const long double root = 1.595769121605730711759784042181183537L; /* 2 sqrt(2 / pi) */
    return x * long_sigmoid(root * (x + 0.044715L * x * x * x));
}

static long double long_mish(long double x)
{
    long double e = expl(x < 60 ? x : 60), w = e * (e + 2);
    return isnan(x) ? x : x * (w / (w + 2));
}

static double elu(double x)
{
    return x < 0 ? expm1(x) : x;
}

static long double long_elu(long double x)
{
    return x < 0 ? expm1l(x) : x;
}

/* The unit of an error: the last place of the result; where the result is x times what may
 * underflow no less than x times the distance of subnormals; or the last place of the larger of
 * result and x, where the result is x times what cancels. OF_PAIR: of the result, the first of a
 * row of x and 0. */
enum unit { OF_RESULT, OF_PRODUCT, OF_X, OF_PAIR };

struct function {
    const char *name; /* of the kernel */
    double (*in_double)(double x);
    long double (*in_long_double)(long double x);
    double ulp[DTYPE_COUNT];
    enum unit unit;
};

static const struct function functions[] = {
    {"sqrt", sqrt, sqrtl, {0.5001, 0.5001}, OF_RESULT},
    {"exp", exp, expl, {1, 1}, OF_RESULT},
    {"log", log, logl, {1, 1}, OF_RESULT},
    {"erf", erf, erfl, {2.5, 2.5}, OF_RESULT},
    {"tanh", tanh, tanhl, {3, 3}, OF_RESULT},
    {"elu", elu, long_elu, {1.5, 1.5}, OF_RESULT},
    {"sigmoid", plain_sigmoid, long_sigmoid, {2.5, 2.5}, OF_RESULT},
    {"silu", plain_silu, long_silu, {2.5, 2.5}, OF_PRODUCT},
    {"mish", plain_mish, long_mish, {2.5, 2.5}, OF_PRODUCT},
    {"gelu", plain_gelu, long_gelu, {4, 2}, OF_X},
    {"gelu_tanh", plain_gelu_tanh, long_gelu_tanh, {2.5, 2.5}, OF_X},
    /* An exponential, the sum, the quotient and the product: what exponentials of numbers up to 0
     * are for, which are no kernel. */
    {"softmax", plain_sigmoid, long_sigmoid, {3, 3}, OF_PAIR},
};

/* Largest error of one ISA, and where. */
struct worst {
    double ulp, x;
};

static bool all_inputs;

/* The distance of neighbours at |y| in a format. */
static long double ulp_at(long double y, enum dtype dtype)
{
    int digits = dtype == DTYPE_f32 ? FLT_MANT_DIG : DBL_MANT_DIG;
    int least = dtype == DTYPE_f32 ? FLT_MIN_EXP : DBL_MIN_EXP, exponent;
    frexpl(y, &exponent);
    return ldexpl(1, (exponent < least ? least : exponent) - digits);
}

/* Infinity counts as the first power of 2 that the format does not hold. */
static long double bounded(long double y, enum dtype dtype)
{
    long double most = ldexpl(1, dtype == DTYPE_f32 ? FLT_MAX_EXP : DBL_MAX_EXP);
    return y > most ? most : y < -most ? -most : y;
}

static double error_ulp(long double x, double out, long double expected, enum unit unit,
                        enum dtype dtype)
{
    if (isnan(out) || isnan(expected))
        return isnan(out) && isnan(expected) ? 0 : INFINITY;
    long double reference = bounded(expected, dtype), ulp = ulp_at(reference, dtype);
    if (unit == OF_PRODUCT)
        ulp = fmaxl(ulp, fabsl(x) * ulp_at(0, dtype));
    else if (unit == OF_X)
        ulp = fmaxl(ulp, ulp_at(bounded(x, dtype), dtype));
    return (double)(fabsl(bounded(out, dtype) - reference) / ulp);
}

/* Elements that an input has in the arrays. */
static long width_of(const struct function *function)
{
    return function->unit == OF_PAIR ? 2 : 1;
}

/* The body of `isa` on CHUNK inputs. */
static void compute(const struct function *function, enum isa isa, enum dtype dtype, void *out,
                    void *in)
{
    static const struct shape vector = {.value = {CHUNK}}, pairs = {.value = {CHUNK, 2}};
    struct call call = {.shape = function->unit == OF_PAIR ? &pairs : &vector,
                        .operand = {out, in},
                        .outputs = CHUNK * width_of(function),
                        .caches = {32768, 1 << 20, 1 << 24, 1 << 24},
                        .member = {.index = 0, .count = 1}};
    kernel_find(function->name)->variants->bodies[isa][dtype](&call);
}

/* Input number i of a format: floats in the order of their bits; of doubles seven of eight lie in
 * [2^-40, 2^10) or its negative, as dense in every binade, one has any bits. */
static double input(enum dtype dtype, uint64_t i)
{
    if (dtype == DTYPE_f32) {
        uint32_t bits = (uint32_t)(i * (all_inputs ? 1 : FLOAT_STRIDE));
        float x;
        memcpy(&x, &bits, sizeof x);
        return x;
    }
    uint64_t random = (i + 1) * 0x9e3779b97f4a7c15u; /* 2^64 / golden ratio: evenly spread */
    random ^= random >> 29;
    uint64_t binade = ((random >> 53 & 1023) * 50 >> 10) + 1023 - 40;
    uint64_t bits = i % 8 == 0 ? random : (random & ~(2047ull << 52)) | binade << 52;
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static void try_chunk(const struct function *function, enum dtype dtype, uint64_t first,
                      struct worst worst[ISA_COUNT])
{
    _Alignas(64) double in[2 * CHUNK] = {0}, out[2 * CHUNK];
    long double expected[CHUNK];
    const long width = width_of(function);
    for (int i = 0; i < CHUNK; i++) {
        double x = input(dtype, first + (uint64_t)i);
        if (function->unit == OF_PAIR && x == INFINITY) /* about itself NaN */
            x = 0;
        real_put(in, dtype, i * width, x);
        expected[i] = dtype == DTYPE_f32 ? function->in_double(x) : function->in_long_double(x);
    }
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        if (!isa_supported((enum isa)isa))
            continue;
        compute(function, (enum isa)isa, dtype, out, in);
        for (int i = 0; i < CHUNK; i++) {
            double x = real_at(in, dtype, i * width), y = real_at(out, dtype, i * width);
            bool rounded = y == (dtype == DTYPE_f32 ? (float)expected[i] : (double)expected[i]);
            if (rounded && worst[isa].ulp >= 0.5) /* saves most of the time */
                continue;
            double ulp = error_ulp(x, y, expected[i], function->unit, dtype);
            if (ulp > worst[isa].ulp)
                worst[isa] = (struct worst){ulp, x};
        }
    }
}

static void try_format(const struct function *function, enum dtype dtype, double allowed)
{
    uint64_t count = dtype == DTYPE_f64 ? (all_inputs ? DOUBLES_ALL : DOUBLES)
                                        : (1ull << 32) / (all_inputs ? 1 : FLOAT_STRIDE);
    struct worst worst[ISA_COUNT] = {{0, 0}};
#pragma omp parallel
    {
        struct worst own[ISA_COUNT] = {{0, 0}};
#pragma omp for schedule(dynamic, 16)
        for (uint64_t first = 0; first < count; first += CHUNK)
            try_chunk(function, dtype, first, own);
#pragma omp critical
        for (int isa = 0; isa < ISA_COUNT; isa++)
            if (own[isa].ulp > worst[isa].ulp)
                worst[isa] = own[isa];
    }
    for (int isa = 0; isa < ISA_COUNT; isa++)
        if (isa_supported((enum isa)isa))
            printf("# %s %s %s: %.3f ulp at %.17g\n", function->name, dtype_name(dtype),
                   isa_name((enum isa)isa), worst[isa].ulp, worst[isa].x);
    for (int isa = 0; isa < ISA_COUNT; isa++)
        if (!(worst[isa].ulp <= allowed))
            fail_msg("%s %s %s: %g ulp at %.17g, allowed %g", function->name, dtype_name(dtype),
                     isa_name((enum isa)isa), worst[isa].ulp, worst[isa].x, allowed);
}

static void error_is_within_its_bound(void **state)
{
    const struct function *function = *state;
    for (int dtype = 0; dtype < DTYPE_COUNT; dtype++)
        try_format(function, (enum dtype)dtype, function->ulp[dtype]);
}

int main(int argc, char **argv)
{
    all_inputs = argc > 1 && strcmp(argv[1], "all") == 0;
    if (argc > 2)
        cmocka_set_test_filter(argv[2]);
    enum { COUNT = sizeof functions / sizeof *functions };
    struct CMUnitTest tests[COUNT];
    for (int i = 0; i < COUNT; i++)
        tests[i] = (struct CMUnitTest){.name = functions[i].name,
                                       .test_func = error_is_within_its_bound,
                                       .initial_state = (void *)(uintptr_t)&functions[i]};
    return _cmocka_run_group_tests("ulp", tests, COUNT, NULL, NULL);
}
