// elementwise.h - template of the kernels that compute each element of an array from the same
// element of others.
//
// A kernel file says what is special about it and includes this at its end:
//   MAP             its name
//   SUMMARY         its formula for people
//   ARRAYS          names of its arrays, the written one first
//   WRITTEN         ROLE_OUTPUT, or ROLE_UPDATE where the written array is an input too
//   ELEMENT(x, y)   the element, of vectors and of doubles; x is the first input (in an update what
//                   the written array held), y the second; s is the constant SCALAR, REAL(0.1)
//                   another one, MATH(exp) a function of vec_math.h or of plain_math.h
//   LOW, HIGH       range of the initial values; positive where a sum could cancel
//   FLOPS, BYTES, NOTE   its work model
//   UNITS           (4 where not given) its tolerance in units of rounding
//   QUICK           1: `make bench` runs it at the quick budget too
//   ONEDNN          (none where not given) oneDNN's routine for it
//   ONEDNN_UNITS    (UNITS where not given) its tolerance

#define MATH_NOTE                                                                                  \
    "the function counts as 1 FLOP per element, so in caches, where its arithmetic is the limit, " \
    "the dot lies below the roof of memory; write-allocate is not counted"

#ifndef ISA
#include "kernel.h"
#include "onednn.h"
#include "plain_math.h"

#ifndef UNITS
#define UNITS 4
#endif
#ifndef ONEDNN_UNITS
#define ONEDNN_UNITS UNITS
#endif
#define LETTERS(X) X(n, 1 << 20, 0, "elements of each array")
#define DERIVED
#define SCALAR 3.0 /* as in STREAM */
#define REAL(x) (x)
#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)
#define STRING_(a) #a
#define STRING(a) STRING_(a)
#define EXPANDED_MODEL(what, ...) MODEL(what, __VA_ARGS__)

enum { LETTERS(KERNEL_LETTER_INDEX) LETTER_COUNT };
static const struct letter letters[] = {LETTERS(KERNEL_LETTER_ROW)};
static const char *const arrays[] = {ARRAYS};
enum { ARRAY_COUNT = sizeof arrays / sizeof *arrays };

/* Half of each level of the machine that runs it. */
static const char *const shapes[] = {"n=@L1", "n=@L2", "n=@L3", "n=@DRAM", NULL};

EXPANDED_MODEL(flops, FLOPS)
EXPANDED_MODEL(bytes, BYTES)

static int operands(const struct shape *shape, struct operand operand[KERNEL_OPERANDS_MAX])
{
    for (int i = 0; i < ARRAY_COUNT; i++)
        operand[i] = reals(arrays[i], i == 0 ? WRITTEN : ROLE_INPUT, (double)shape->value[LETTER_n],
                           LOW, HIGH);
    return ARRAY_COUNT;
}

/* A multiply and an add round twice, each within `unit` of the result as nothing cancels; so does
 * the reference, which for f64 is no finer than the body. vec_math.h states the errors of its
 * functions; of the C library's one ulp, 2 units, is expected. */
static double tolerance(const struct shape *shape, double unit)
{
    (void)shape;
    return UNITS * unit;
}

static void plain(const struct call *call, enum dtype dtype, long begin, long end, double *out)
{
    const double s = SCALAR;
    (void)s;
    const void *second = call->operand[ARRAY_COUNT - 1];
    for (long i = begin; i < end; i++) {
        double x = WRITTEN == ROLE_UPDATE ? out[i - begin] : real_at(call->operand[1], dtype, i);
        double y = real_at(second, dtype, i);
        (void)y;
        out[i - begin] = ELEMENT(x, y);
    }
}
REFERENCE_BODIES(plain)

#ifdef ONEDNN
static double onednn_tolerance(const struct shape *shape, double unit)
{
    (void)shape;
    return ONEDNN_UNITS * unit;
}
#endif

BODIES_DECLARE(MAP)
static const struct variant variants[] = {
    {.name = "simd",
     .summary = "vectors of the ISA; non-temporal stores when the arrays exceed the last cache",
     .bodies = BODIES(MAP)},
    REFERENCE_VARIANT(plain),
#ifdef ONEDNN
    {.name = "onednn",
     .summary = "one primitive over all elements",
     .routine = &ONEDNN,
     .tolerance = onednn_tolerance},
#endif
    {0},
};

const struct kernel PASTE(MAP, _kernel) = {
    .name = STRING(MAP),
    .summary = SUMMARY,
    .letters = letters,
    .letter_count = LETTER_COUNT,
    .quick = QUICK,
    .shapes = shapes,
    .flops = flops_model,
    .flops_formula = flops_formula,
    .bytes = bytes_model,
    .bytes_formula = bytes_formula,
    .model_note = NOTE,
    .operands = operands,
    .tolerance = tolerance,
    .reference = plain,
    .variants = variants,
};

#else
#include "kernel.h"
#include "sweep.h"
#include "vec.h"
#include "vec_math.h"

#define SCALAR 3
#define REAL(x) vec_all((real)(x))
enum { LETTER_n };
enum { ARRAY_COUNT = sizeof(const char *[]){ARRAYS} / sizeof(char *) };

ALWAYS_INLINE vec element(vec x, vec y)
{
    const vec s = vec_all(SCALAR);
    (void)s;
    (void)y;
    return ELEMENT(x, y);
}

/* The same of the first `count` < VLEN elements. */
ALWAYS_INLINE void element_first(real *out, const real *x, const real *y, long count)
{
    vec_store_first(out, element(vec_load_first(x, count), vec_load_first(y, count)), count);
}

/* Elements that stand before the first vector boundary at or after p. */
ALWAYS_INLINE long misaligned_count(const real *p)
{
    return (long)(-(uintptr_t)p % sizeof(vec) / REAL_BYTES);
}

/* `count` elements, past the caches where out is not read: a store that misses would first read the
 * line that it overwrites (write-allocate). */
ALWAYS_INLINE void sweep_block(real *out, const real *x, const real *y, const int count)
{
    UNROLL(16)
    for (int j = 0; j < count; j += VLEN) {
        sweep_fetch(x, j);
        if (ARRAY_COUNT > 1 + (WRITTEN == ROLE_OUTPUT))
            sweep_fetch(y, j);
        vec value = element(vec_load(x + j), vec_load(y + j));
        if (WRITTEN == ROLE_OUTPUT)
            vec_stream(out + j, value);
        else
            vec_store(out + j, value);
    }
}

/* Beyond the caches, in lanes. */
static void sweep(real *out, const real *x, const real *y, long count)
{
    enum { BLOCK = 4 * SWEEP_LINE_BYTES / REAL_BYTES };
    long i = misaligned_count(out);
    if (i > count)
        i = count;
    if (i > 0)
        element_first(out, x, y, i);
    long lane = (count - i) / SWEEP_LANES / BLOCK * BLOCK;
    for (long end = i + lane; i < end; i += BLOCK)
        UNROLL(SWEEP_LANES)
    for (long at = i, j = 0; j < SWEEP_LANES; j++, at += lane)
        sweep_block(out + at, x + at, y + at, BLOCK);
    for (i += (SWEEP_LANES - 1) * lane; i + VLEN <= count; i += VLEN)
        sweep_block(out + i, x + i, y + i, VLEN);
    vec_stream_fence();
    if (i < count)
        element_first(out + i, x + i, y + i, count - i);
}

/* Four vectors per turn, so that loop control does not take the slots of loads and stores in L1. */
static void store(real *out, const real *x, const real *y, long count)
{
    long i = 0;
    for (; i + 4 * VLEN <= count; i += 4 * VLEN)
        UNROLL(4)
    for (long j = i; j < i + 4 * VLEN; j += VLEN)
        vec_store(out + j, element(vec_load(x + j), vec_load(y + j)));
    for (; i + VLEN <= count; i += VLEN)
        vec_store(out + i, element(vec_load(x + i), vec_load(y + i)));
    if (i < count)
        element_first(out + i, x + i, y + i, count - i);
}

body NAME(MAP);
void NAME(MAP)(const struct call *call)
{
    /* Cache lines are not shared between members. */
    struct part part = member_part(call->member, call->shape->value[LETTER_n], 64 / REAL_BYTES);
    real *out = (real *)call->operand[0] + part.begin;
    const real *x = call->operand[WRITTEN == ROLE_UPDATE ? 0 : 1], *y;
    x += part.begin;
    y = (const real *)call->operand[ARRAY_COUNT - 1] + part.begin;
    double total_bytes = (double)call->outputs * ARRAY_COUNT * REAL_BYTES;
    if (total_bytes > call->caches.last_level_bytes)
        sweep(out, x, y, part.end - part.begin);
    else
        store(out, x, y, part.end - part.begin);
}

#endif
