// group_norm.h - template of the normalisations of images, NCHW: channels in groups, each group of
// each image normalised to mean 0 and variance 1, then each channel scaled and shifted.
//
// A kernel file says what is special about it and includes this at its end:
//   GROUP_NORM   its name
//   SUMMARY      its formula for people
//   LETTERS(X)   n, c, h, w and what it has besides
//   GROUPS       groups of channels, of the letters
//   SHAPES       shapes that are timed
#include "rows.h"

enum { LETTERS(KERNEL_LETTER_INDEX) LETTER_COUNT };
enum { OUT, X, SCALE, BIAS, EPSILON, OPERANDS };

#ifndef ISA
#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)
#define STRING_(a) #a
#define STRING(a) STRING_(a)

#define DERIVED
#define EXPANDED_MODEL(what, ...) MODEL(what, __VA_ARGS__)
EXPANDED_MODEL(flops, 7 * n * c * h * w + 5 * n * GROUPS + n * c)
MODEL(bytes, (2 * n * c * h * w + 2 * c + 1) * element_bytes)

static const struct letter letters[] = {LETTERS(KERNEL_LETTER_ROW)};
static const char *const shapes[] = {SHAPES, NULL};

static int check(const struct shape *shape, struct error *error)
{
    LETTERS(KERNEL_LETTER_LONG)
    if (c % GROUPS != 0)
        return error_set(error, FAULT_USAGE,
                         STRING(GROUP_NORM) ": 'groups' %ld does not divide the channels c %ld; "
                                            "choose a divisor",
                         GROUPS, c);
    return OK;
}

static int operands(const struct shape *shape, struct operand operand[KERNEL_OPERANDS_MAX])
{
    LETTERS(KERNEL_LETTER_DOUBLE)
    operand[OUT] = reals("y", ROLE_OUTPUT, n * c * h * w, 0, 0);
    operand[X] = reals("x", ROLE_INPUT, n * c * h * w, 0.5, 1.5);
    operand[SCALE] = reals("scale", ROLE_INPUT, c, 0.5, 1.5);
    operand[BIAS] = reals("bias", ROLE_INPUT, c, 0.5, 1.5);
    operand[EPSILON] = reals("epsilon", ROLE_INPUT, 1, 1e-5, 1e-5);
    return OPERANDS;
}

static double tolerance(const struct shape *shape, double unit)
{
    LETTERS(KERNEL_LETTER_DOUBLE)
    return normalize_tolerance(c / GROUPS * h * w, unit);
}

static double reference_flops(const struct shape *shape)
{
    LETTERS(KERNEL_LETTER_DOUBLE)
    return 8 * c / GROUPS * h * w;
}

static void plain(const struct call *call, enum dtype dtype, long begin, long end, double *out)
{
    const struct shape *shape = call->shape;
    LETTERS(KERNEL_LETTER_LONG)
    const long count = c / GROUPS * h * w;
    double mean = 0, deviation = 0;
    for (long i = begin; i < end; i++) {
        const long channel = i / (h * w) % c;
        if (i == begin || i % count == 0)
            row_statistics(call->operand[X], dtype, i / count * count, count,
                           real_at(call->operand[EPSILON], dtype, 0), &mean, &deviation);
        out[i - begin] = (real_at(call->operand[X], dtype, i) - mean) / deviation *
                             real_at(call->operand[SCALE], dtype, channel) +
                         real_at(call->operand[BIAS], dtype, channel);
    }
}
REFERENCE_BODIES(plain)

BODIES_DECLARE(GROUP_NORM)
static const struct variant variants[] = {
    {.name = "simd",
     .summary = "moments in two passes over chunks in L1, then one pass that writes; members share "
                "groups, or each of few large ones",
     .bodies = BODIES(GROUP_NORM),
     .workspace = rows_workspace},
    REFERENCE_VARIANT(plain),
    {0},
};

const struct kernel PASTE(GROUP_NORM, _kernel) = {
    .name = STRING(GROUP_NORM),
    .summary = SUMMARY,
    .letters = letters,
    .letter_count = LETTER_COUNT,
    .shapes = shapes,
    .flops = flops_model,
    .flops_formula = flops_formula,
    .bytes = bytes_model,
    .bytes_formula = bytes_formula,
    .model_note =
        "by element the sum, subtract, square and sum, then subtract, product and sum; by "
        "group two quotients, a sum, a root, a reciprocal; by channel of an image a "
        "product; a group that no cache holds is read twice, which is not counted",
    .check = check,
    .operands = operands,
    .tolerance = tolerance,
    .reference = plain,
    .reference_flops = reference_flops,
    .variants = variants,
};

#else
#include "vec.h"

ALWAYS_INLINE struct map map_of(const struct call *call, double mean, double scale, long row,
                                long segment)
{
    const struct shape *shape = call->shape;
    LETTERS(KERNEL_LETTER_LONG)
    const long channel = row % GROUPS * (c / GROUPS) + segment;
    const real *scales = call->operand[SCALE], *bias = call->operand[BIAS];
    return (struct map){.center = vec_all((real)mean),
                        .scale = vec_all((real)(scale * scales[channel])),
                        .shift = vec_all(bias[channel])};
}

ALWAYS_INLINE vec element(const struct map *map, vec x, long i)
{
    (void)i;
    return (x - map->center) * map->scale + map->shift;
}

body NAME(GROUP_NORM);
void NAME(GROUP_NORM)(const struct call *call)
{
    const struct shape *shape = call->shape;
    LETTERS(KERNEL_LETTER_LONG)
    const struct rows rows = {.call = call,
                              .x = call->operand[X],
                              .out = call->operand[OUT],
                              .epsilon = *(const real *)call->operand[EPSILON],
                              .count = n * GROUPS,
                              .segments = c / GROUPS,
                              .length = h * w};
    rows_run(row_moments, moments_together, deviation_scale, map_of, element, &rows);
}

#endif
