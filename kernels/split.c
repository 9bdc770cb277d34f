// split.c - an array cut into parts along one axis.
#include "kernel.h"
#include "moved.h"

#define LETTERS(X)                                                                                 \
    X(outer, -1, 0, "product of the dimensions before the axis")                                   \
    X(parts, 2, 1, "arrays that it is cut into")                                                   \
    X(axis, -1, 0, "length of each of them along the axis")                                        \
    X(inner, 1, 0, "product of the dimensions after the axis")
enum { LETTERS(KERNEL_LETTER_INDEX) LETTER_COUNT };

#ifndef ISA
#define DERIVED
MODEL(flops, 0)
MODEL(bytes, (2 * outer * parts * axis * inner) * element_bytes)

static const struct letter letters[] = {LETTERS(KERNEL_LETTER_ROW)};

/* As concat's, the other way: query, key and value of attention; channels of images. */
static const char *const shapes[] = {"outer=4,axis=64,inner=196", "outer=@DRAM,axis=64,inner=3136",
                                     "outer=@DRAM,parts=3,axis=768",
                                     "outer=@DRAM,parts=3,axis=100,inner=49", NULL};

static int operands(const struct shape *shape, struct operand operand[KERNEL_OPERANDS_MAX])
{
    LETTERS(KERNEL_LETTER_DOUBLE)
    operand[0] = reals("y", ROLE_OUTPUT, outer * parts * axis * inner, 0.5, 1.5);
    operand[1] = reals("x", ROLE_INPUT, outer * parts * axis * inner, 0.5, 1.5);
    return 2;
}

static void plain(const struct call *call, enum dtype dtype, long begin, long end, double *out)
{
    const struct shape *shape = call->shape;
    LETTERS(KERNEL_LETTER_LONG)
    for (long element = begin; element < end; element++) {
        long at = element % (axis * inner), row = element / (axis * inner) % outer;
        long array = element / (axis * inner) / outer;
        long from = (row * parts + array) * axis * inner + at;
        out[element - begin] = real_at(call->operand[1], dtype, from);
    }
}
REFERENCE_BODIES(plain)

BODIES_DECLARE(split)
static const struct variant variants[] = {
    {.name = "simd",
     .summary = "runs of the output in order; beyond the last cache in lanes, with non-temporal "
                "stores of whole lines",
     .bodies = BODIES(split)},
    REFERENCE_VARIANT(plain),
    {0},
};

const struct kernel split_kernel = {
    .name = "split",
    .summary = "`parts` arrays y[outer, axis, inner] from x[outer, parts * axis, inner]",
    .letters = letters,
    .letter_count = LETTER_COUNT,
    .shapes = shapes,
    .flops = flops_model,
    .flops_formula = flops_formula,
    .bytes = bytes_model,
    .bytes_formula = bytes_formula,
    .model_note = "no arithmetic: rated by its bytes; y holds the arrays one after the other",
    .operands = operands,
    .tolerance = moved_tolerance,
    .reference = plain,
    .variants = variants,
};

#else
#include "runs.h"
#include "vec.h"

body NAME(split);
void NAME(split)(const struct call *call)
{
    const struct shape *shape = call->shape;
    LETTERS(KERNEL_LETTER_LONG)
    const long run = axis * inner;
    const struct runs runs = {.in = call->operand[1],
                              .length = run,
                              .dimension = {{1, 0}, {parts, run}, {outer, parts * run}},
                              .count = outer * parts};
    runs_move(&runs, call, 2. * (double)call->outputs * REAL_BYTES);
}

#endif
