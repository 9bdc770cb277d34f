// tile.c - an array repeated along two of its dimensions, as ONNX's Tile does.
#include "kernel.h"
#include "moved.h"

#define LETTERS(X)                                                                                 \
    X(outer, -1, 0, "outer dimension of the input")                                                \
    X(inner, -1, 0, "inner dimension of the input")                                                \
    X(outer_repeats, 1, 0, "times that it stands in the output along the outer dimension")         \
    X(inner_repeats, 1, 0, "times along the inner dimension")
enum { LETTERS(KERNEL_LETTER_INDEX) LETTER_COUNT };

#ifndef ISA
#define DERIVED
MODEL(flops, 0)
MODEL(bytes, (outer * inner + outer * outer_repeats * inner * inner_repeats) * element_bytes)

static const struct letter letters[] = {LETTERS(KERNEL_LETTER_ROW)};

/* Positions for every sequence of a batch; rows that are repeated beyond the caches. */
static const char *const shapes[] = {"outer=64,inner=128,outer_repeats=8",
                                     "outer=512,inner=768,outer_repeats=@DRAM",
                                     "outer=@DRAM,inner=200,inner_repeats=5", NULL};

static int operands(const struct shape *shape, struct operand operand[KERNEL_OPERANDS_MAX])
{
    LETTERS(KERNEL_LETTER_DOUBLE)
    operand[0] = reals("y", ROLE_OUTPUT, outer * outer_repeats * inner * inner_repeats, 0.5, 1.5);
    operand[1] = reals("x", ROLE_INPUT, outer * inner, 0.5, 1.5);
    return 2;
}

static void plain(const struct call *call, enum dtype dtype, long begin, long end, double *out)
{
    const struct shape *shape = call->shape;
    LETTERS(KERNEL_LETTER_LONG)
    for (long element = begin; element < end; element++) {
        long row = element / (inner * inner_repeats) % outer;
        out[element - begin] = real_at(call->operand[1], dtype, row * inner + element % inner);
    }
}
REFERENCE_BODIES(plain)

BODIES_DECLARE(tile)
static const struct variant variants[] = {
    {.name = "simd",
     .summary = "rows of the output in order; beyond the last cache in lanes, with non-temporal "
                "stores of whole lines",
     .bodies = BODIES(tile)},
    REFERENCE_VARIANT(plain),
    {0},
};

const struct kernel tile_kernel = {
    .name = "tile",
    .summary = "y = x[outer, inner] repeated along both dimensions",
    .letters = letters,
    .letter_count = LETTER_COUNT,
    .shapes = shapes,
    .flops = flops_model,
    .flops_formula = flops_formula,
    .bytes = bytes_model,
    .bytes_formula = bytes_formula,
    .model_note = "no arithmetic: rated by its bytes; x is read once",
    .operands = operands,
    .tolerance = moved_tolerance,
    .reference = plain,
    .variants = variants,
};

#else
#include "runs.h"
#include "vec.h"

body NAME(tile);
void NAME(tile)(const struct call *call)
{
    const struct shape *shape = call->shape;
    LETTERS(KERNEL_LETTER_LONG)
    const struct runs runs = {.in = call->operand[1],
                              .length = inner,
                              .dimension = {{outer_repeats, 0}, {outer, inner}, {inner_repeats, 0}},
                              .count = outer_repeats * outer * inner_repeats};
    runs_move(&runs, call, (double)(outer * inner + call->outputs) * REAL_BYTES);
}

#endif
