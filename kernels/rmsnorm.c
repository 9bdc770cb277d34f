// rmsnorm.c - each row divided by the root of its mean square, then scaled (Zhang and Sennrich
// 2019, arXiv:1910.07467).
#include "short_rows.h"

#define LETTERS(X)                                                                                 \
    X(rows, -1, 0, "rows, each normalised")                                                        \
    X(columns, 1024, 1, "elements of a row")
enum { LETTERS(KERNEL_LETTER_INDEX) LETTER_COUNT };
enum { OUT, X, GAMMA, EPSILON, OPERANDS };

#ifndef ISA

#define DERIVED
MODEL(flops, (4 * columns + 4) * rows)
MODEL(bytes, (2 * rows * columns + columns + 1) * element_bytes)

static const struct letter letters[] = {LETTERS(KERNEL_LETTER_ROW)};

/* Rows of a transformer, and one row that no cache holds. */
static const char *const shapes[] = {"rows=@L1,columns=1024", "rows=@L2,columns=1024",
                                     "rows=@DRAM,columns=1024", "rows=1,columns=@DRAM", NULL};

static int operands(const struct shape *shape, struct operand operand[KERNEL_OPERANDS_MAX])
{
    LETTERS(KERNEL_LETTER_DOUBLE)
    operand[OUT] = reals("y", ROLE_OUTPUT, rows * columns, 0, 0);
    operand[X] = reals("x", ROLE_INPUT, rows * columns, 0.5, 1.5);
    operand[GAMMA] = reals("gamma", ROLE_INPUT, columns, 0.5, 1.5);
    operand[EPSILON] = reals("epsilon", ROLE_INPUT, 1, 1e-5, 1e-5);
    return OPERANDS;
}

/* Nothing cancels: as the sum of squares errs, so does the quotient, half as much; 2 for the
 * reference, which rounds as well. */
static double tolerance(const struct shape *shape, double unit)
{
    return 2 * row_sum_error((double)shape->value[LETTER_columns], unit) * unit;
}

static double reference_flops(const struct shape *shape)
{
    return 2 * (double)shape->value[LETTER_columns];
}

static void plain(const struct call *call, enum dtype dtype, long begin, long end, double *out)
{
    const long columns = call->shape->value[LETTER_columns];
    double root = 0;
    for (long i = begin; i < end; i++) {
        if (i == begin || i % columns == 0) {
            double squares = 0;
            for (long j = i - i % columns; j < i - i % columns + columns; j++)
                squares +=
                    real_at(call->operand[X], dtype, j) * real_at(call->operand[X], dtype, j);
            root = sqrt(squares / (double)columns + real_at(call->operand[EPSILON], dtype, 0));
        }
        out[i - begin] = real_at(call->operand[X], dtype, i) / root *
                         real_at(call->operand[GAMMA], dtype, i % columns);
    }
}
REFERENCE_BODIES(plain)

BODIES_DECLARE(rmsnorm)
static const struct variant variants[] = {
    {.name = "simd",
     .summary =
         "short rows in registers; else a pass for the squares, then one that writes; members "
         "share rows, or each of few long ones",
     .bodies = BODIES(rmsnorm),
     .workspace = rows_workspace},
    REFERENCE_VARIANT(plain),
    {0},
};

const struct kernel rmsnorm_kernel = {
    .name = "rmsnorm",
    .summary = "y = x / sqrt(mean of x * x by row + epsilon) * gamma",
    .letters = letters,
    .letter_count = LETTER_COUNT,
    .shapes = shapes,
    .flops = flops_model,
    .flops_formula = flops_formula,
    .bytes = bytes_model,
    .bytes_formula = bytes_formula,
    .model_note =
        "by element a square and a sum, then two products; by row a quotient, a sum, a root, a "
        "reciprocal; a row that no cache holds is read twice, which is not counted",
    .operands = operands,
    .tolerance = tolerance,
    .reference = plain,
    .reference_flops = reference_flops,
    .variants = variants,
};

#else
#include "vec.h"
#include "vec_math.h"

ALWAYS_INLINE struct map map_of(const struct call *call, double mean, double scale, long row,
                                long segment)
{
    (void)mean, (void)row, (void)segment;
    return (struct map){.scale = vec_all((real)scale), .row = {call->operand[GAMMA]}, .rows = 1};
}

ALWAYS_INLINE vec element(const struct map *map, vec x, long i)
{
    return x * map->scale * vec_load(map->row[0] + i);
}

/* A row in registers. */
ALWAYS_INLINE void normalize(const struct call *call, vec *x, const int vectors, long last)
{
    const vec share = vec_all(1 / (real)((vectors - 1) * VLEN + last));
    vec square[SHORT_VECTORS];
    UNROLL(SHORT_VECTORS)
    for (int j = 0; j < vectors; j++)
        square[j] = x[j] * x[j];
    const vec mean = short_fold(fold_add, square, vectors) * share;
    const vec scale = 1 / vec_sqrt(mean + vec_all(*(const real *)call->operand[EPSILON]));
    UNROLL(SHORT_VECTORS)
    for (int j = 0; j < vectors; j++)
        x[j] = x[j] * scale * short_operand(call->operand[GAMMA], j, vectors, last);
}
SHORT_ROWS(normalize)

body NAME(rmsnorm);
void NAME(rmsnorm)(const struct call *call)
{
    const struct rows rows = {.call = call,
                              .x = call->operand[X],
                              .out = call->operand[OUT],
                              .epsilon = *(const real *)call->operand[EPSILON],
                              .count = call->shape->value[LETTER_rows],
                              .segments = 1,
                              .length = call->shape->value[LETTER_columns]};
    if (!short_rows_run(&rows))
        rows_run(row_squares, moments_together, deviation_scale, map_of, element, &rows);
}

#endif
