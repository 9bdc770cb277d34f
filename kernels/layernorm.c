// layernorm.c - each row normalised to mean 0 and variance 1, then scaled and shifted (Ba, Kiros
// and Hinton 2016, arXiv:1607.06450).
#include "short_rows.h"

#define LETTERS(X)                                                                                 \
    X(rows, -1, 0, "rows, each normalised")                                                        \
    X(columns, 1024, 1, "elements of a row")
enum { LETTERS(KERNEL_LETTER_INDEX) LETTER_COUNT };
enum { OUT, X, GAMMA, BETA, EPSILON, OPERANDS };

#ifndef ISA
#include "onednn.h"

#define DERIVED
MODEL(flops, (8 * columns + 5) * rows)
MODEL(bytes, (2 * rows * columns + 2 * columns + 1) * element_bytes)

static const struct letter letters[] = {LETTERS(KERNEL_LETTER_ROW)};

/* Rows of a transformer, short ones, and one row that no cache holds. */
static const char *const shapes[] = {
    "rows=@L1,columns=1024", "rows=@L2,columns=1024",   "rows=@L2,columns=64",
    "rows=@DRAM,columns=64", "rows=@DRAM,columns=1000", "rows=@DRAM,columns=1024",
    "rows=1,columns=@L2",    "rows=1,columns=@DRAM",    NULL};

static int operands(const struct shape *shape, struct operand operand[KERNEL_OPERANDS_MAX])
{
    LETTERS(KERNEL_LETTER_DOUBLE)
    operand[OUT] = reals("y", ROLE_OUTPUT, rows * columns, 0, 0);
    operand[X] = reals("x", ROLE_INPUT, rows * columns, 0.5, 1.5);
    operand[GAMMA] = reals("gamma", ROLE_INPUT, columns, 0.5, 1.5);
    operand[BETA] = reals("beta", ROLE_INPUT, columns, 0.5, 1.5);
    operand[EPSILON] = reals("epsilon", ROLE_INPUT, 1, 1e-5, 1e-5);
    return OPERANDS;
}

static double tolerance(const struct shape *shape, double unit)
{
    return normalize_tolerance((double)shape->value[LETTER_columns], unit);
}

static double reference_flops(const struct shape *shape)
{
    return 8 * (double)shape->value[LETTER_columns];
}

static void plain(const struct call *call, enum dtype dtype, long begin, long end, double *out)
{
    const long columns = call->shape->value[LETTER_columns];
    double mean = 0, deviation = 0;
    for (long i = begin; i < end; i++) {
        if (i == begin || i % columns == 0)
            row_statistics(call->operand[X], dtype, i / columns * columns, columns,
                           real_at(call->operand[EPSILON], dtype, 0), &mean, &deviation);
        out[i - begin] = (real_at(call->operand[X], dtype, i) - mean) / deviation *
                             real_at(call->operand[GAMMA], dtype, i % columns) +
                         real_at(call->operand[BETA], dtype, i % columns);
    }
}
REFERENCE_BODIES(plain)

BODIES_DECLARE(layernorm)
static const struct variant variants[] = {
    {.name = "simd",
     .summary =
         "short rows in registers; else moments in two passes over chunks in L1, then one pass "
         "that writes; members share rows, or each of few long ones",
     .bodies = BODIES(layernorm),
     .workspace = rows_workspace},
    REFERENCE_VARIANT(plain),
    {.name = "onednn",
     .summary = "layer normalization with scale and shift",
     .routine = &onednn_layernorm},
    {0},
};

const struct kernel layernorm_kernel = {
    .name = "layernorm",
    .summary = "y = (x - mean) / sqrt(variance + epsilon) * gamma + beta, mean and variance by row",
    .letters = letters,
    .letter_count = LETTER_COUNT,
    .shapes = shapes,
    .flops = flops_model,
    .flops_formula = flops_formula,
    .bytes = bytes_model,
    .bytes_formula = bytes_formula,
    .model_note = "by element the sum, subtract, square and sum, then subtract, two products and a "
                  "sum; by row two quotients, a sum, a root, a reciprocal; a row that no cache "
                  "holds is read twice, which is not counted",
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
    (void)row, (void)segment;
    return (struct map){.center = vec_all((real)mean),
                        .scale = vec_all((real)scale),
                        .row = {call->operand[GAMMA], call->operand[BETA]},
                        .rows = 2};
}

ALWAYS_INLINE vec element(const struct map *map, vec x, long i)
{
    return (x - map->center) * map->scale * vec_load(map->row[0] + i) + vec_load(map->row[1] + i);
}

/* A row in registers. */
ALWAYS_INLINE void normalize(const struct call *call, vec *x, const int vectors, long last)
{
    const vec share = vec_all(1 / (real)((vectors - 1) * VLEN + last));
    const vec mean = short_fold(fold_add, x, vectors) * share;
    vec square[SHORT_VECTORS];
    x[vectors - 1] = row_filled(x[vectors - 1], last, mean);
    UNROLL(SHORT_VECTORS)
    for (int j = 0; j < vectors; j++) {
        x[j] -= mean;
        square[j] = x[j] * x[j];
    }
    const vec variance = short_fold(fold_add, square, vectors) * share;
    const vec scale = 1 / vec_sqrt(variance + vec_all(*(const real *)call->operand[EPSILON]));
    UNROLL(SHORT_VECTORS)
    for (int j = 0; j < vectors; j++)
        x[j] = x[j] * scale * short_operand(call->operand[GAMMA], j, vectors, last) +
               short_operand(call->operand[BETA], j, vectors, last);
}
SHORT_ROWS(normalize)

body NAME(layernorm);
void NAME(layernorm)(const struct call *call)
{
    const struct rows rows = {.call = call,
                              .x = call->operand[X],
                              .out = call->operand[OUT],
                              .epsilon = *(const real *)call->operand[EPSILON],
                              .count = call->shape->value[LETTER_rows],
                              .segments = 1,
                              .length = call->shape->value[LETTER_columns]};
    if (!short_rows_run(&rows))
        rows_run(row_moments, moments_together, deviation_scale, map_of, element, &rows);
}

#endif
