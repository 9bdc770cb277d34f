// transpose.c - the dimensions of an array in another order.
#include <stddef.h>

#include "kernel.h"
#include "moved.h"

static const char *const permutation_words[] = {
    "0123", "0132", "0213", "0231", "0312", "0321", "1023", "1032", "1203",
    "1230", "1302", "1320", "2013", "2031", "2103", "2130", "2301", "2310",
    "3012", "3021", "3102", "3120", "3201", "3210", NULL};

#define LETTERS(X)                                                                                 \
    X(d0, 1, 0, "outermost dimension of the input")                                                \
    X(d1, 1, 0, "second dimension")                                                                \
    X(d2, 1, 0, "third dimension")                                                                 \
    X(d3, 1, 0, "innermost dimension")                                                             \
    X(perm, 1, 0, "dimensions of the input in the order of the output", permutation_words)
enum { LETTERS(KERNEL_LETTER_INDEX) LETTER_COUNT };

enum { DIMENSIONS = 4 };

#ifndef ISA
#define DERIVED
MODEL(flops, 0)
MODEL(bytes, (2 * d0 * d1 * d2 * d3) * element_bytes)

static const struct letter letters[] = {LETTERS(KERNEL_LETTER_ROW)};

/* In L2 and beyond the caches: a matrix, also of a power of two, whose columns fall into few sets
 * of a cache; heads of attention; images between NCHW and NHWC. */
static const char *const shapes[] = {"d2=256,d3=256,perm=0132",
                                     "d2=@DRAM,d3=4000,perm=0132",
                                     "d2=@DRAM,d3=4096,perm=0132",
                                     "d0=@DRAM,d1=512,d2=12,d3=64,perm=0213",
                                     "d0=@DRAM,d1=64,d2=56,d3=56,perm=0231",
                                     "d0=@DRAM,d1=56,d2=56,d3=64,perm=0312",
                                     NULL};

static int operands(const struct shape *shape, struct operand operand[KERNEL_OPERANDS_MAX])
{
    LETTERS(KERNEL_LETTER_DOUBLE)
    operand[0] = reals("y", ROLE_OUTPUT, d0 * d1 * d2 * d3, 0.5, 1.5);
    operand[1] = reals("x", ROLE_INPUT, d0 * d1 * d2 * d3, 0.5, 1.5);
    return 2;
}

static void plain(const struct call *call, enum dtype dtype, long begin, long end, double *out)
{
    const long *size = call->shape->value;
    const char *order = permutation_words[size[LETTER_perm]];
    for (long element = begin; element < end; element++) {
        long at[DIMENSIONS], rest = element;
        for (int i = DIMENSIONS - 1; i >= 0; i--) {
            int dimension = order[i] - '0';
            at[dimension] = rest % size[dimension];
            rest /= size[dimension];
        }
        long from = ((at[0] * size[1] + at[1]) * size[2] + at[2]) * size[3] + at[3];
        out[element - begin] = real_at(call->operand[1], dtype, from);
    }
}
REFERENCE_BODIES(plain)

BODIES_DECLARE(transpose)
static const struct variant variants[] = {
    {.name = "simd",
     .summary = "planes by unpack instructions in tiles, kept rows as runs; non-temporal stores of "
                "whole lines when the arrays exceed the last cache",
     .bodies = BODIES(transpose)},
    REFERENCE_VARIANT(plain),
    {0},
};

const struct kernel transpose_kernel = {
    .name = "transpose",
    .summary = "y = x with its dimensions in another order: size of y's dimension i is that of x's "
               "dimension perm[i]",
    .letters = letters,
    .letter_count = LETTER_COUNT,
    .shapes = shapes,
    .flops = flops_model,
    .flops_formula = flops_formula,
    .bytes = bytes_model,
    .bytes_formula = bytes_formula,
    .model_note = "no arithmetic: rated by its bytes",
    .operands = operands,
    .tolerance = moved_tolerance,
    .reference = plain,
    .variants = variants,
};

#else
#include "plane.h"
#include "runs.h"
#include "vec.h"

/* Dimensions of the output, outermost first, and how far apart their elements lie in the input and
 * the output. */
struct view {
    int count;
    struct dimension {
        long count, in_step, out_step;
    } dimension[DIMENSIONS];
};

/* Without dimensions of one element, and those merged that stay side by side: what is left is as
 * simple as the permutation allows. */
static inline struct view view_of(const struct shape *shape)
{
    const char *order = permutation_words[shape->value[LETTER_perm]];
    long in_step[DIMENSIONS], out_step = 1;
    struct view view = {0};
    for (long i = DIMENSIONS - 1, step = 1; i >= 0; step *= shape->value[i--])
        in_step[i] = step;
    for (int i = 0; i < DIMENSIONS; i++) {
        long count = shape->value[order[i] - '0'], step = in_step[order[i] - '0'];
        struct dimension *outer = view.count > 0 ? &view.dimension[view.count - 1] : NULL;
        if (outer && count != 1 && outer->in_step == count * step)
            *outer = (struct dimension){outer->count * count, step, 0};
        else if (count != 1)
            view.dimension[view.count++] = (struct dimension){count, step, 0};
    }
    for (int i = view.count - 1; i >= 0; out_step *= view.dimension[i--].count)
        view.dimension[i].out_step = out_step;
    return view;
}

/* The innermost dimension stays: rows are copied. */
static void move_rows(const struct view *view, const struct call *call, double moved_bytes)
{
    struct runs runs = {.in = call->operand[1], .length = call->outputs, .count = 1};
    int outer = view->count - 1;
    for (int i = 0; i < 3; i++)
        runs.dimension[i].count = 1;
    for (int i = 0; i < outer; i++) {
        runs.dimension[3 - outer + i].count = view->dimension[i].count;
        runs.dimension[3 - outer + i].step = view->dimension[i].in_step;
    }
    if (outer >= 0)
        runs.length = view->dimension[outer].count;
    runs.count = call->outputs / runs.length;
    runs_move(&runs, call, moved_bytes);
}

/* Another dimension becomes innermost: with the one that was it spans planes. */
static void move_planes(const struct view *view, const struct call *call, double moved_bytes)
{
    const struct dimension *rows = &view->dimension[view->count - 1];
    struct planes planes = {.rows = rows->count,
                            .in_pitch = rows->in_step,
                            .filled = rows->count,
                            .batch = {{.count = 1}, {.count = 1}}};
    for (int i = 0, batch = 0; i < view->count - 1; i++) {
        const struct dimension *dimension = &view->dimension[i];
        if (dimension->in_step == 1) {
            planes.columns = dimension->count;
            planes.out_pitch = dimension->out_step;
        } else {
            planes.batch[batch].count = dimension->count;
            planes.batch[batch].in_step = dimension->in_step;
            planes.batch[batch++].out_step = dimension->out_step;
        }
    }
    planes_transpose(&planes, call, call->operand[0], call->operand[1],
                     moved_bytes > call->caches.last_level_bytes);
}

body NAME(transpose);
void NAME(transpose)(const struct call *call)
{
    double moved_bytes = 2. * (double)call->outputs * REAL_BYTES;
    struct view view = view_of(call->shape);
    if (call->outputs == 0)
        return;
    if (view.count == 0 || view.dimension[view.count - 1].in_step == 1)
        move_rows(&view, call, moved_bytes);
    else
        move_planes(&view, call, moved_bytes);
}

#endif
