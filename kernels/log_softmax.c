// log_softmax.c - the logarithms of what softmax makes of each row.
#include "short_rows.h"

#define LETTERS(X)                                                                                 \
    X(rows, -1, 0, "rows, whose exponentials sum to 1 each")                                       \
    X(columns, 1024, 1, "elements of a row")
enum { LETTERS(KERNEL_LETTER_INDEX) LETTER_COUNT };
enum { OUT, X, OPERANDS };

#ifndef ISA
#include "onednn.h"

#define DERIVED
MODEL(flops, (5 * columns + 1) * rows)
MODEL(bytes, (2 * rows * columns) * element_bytes)

static const struct letter letters[] = {LETTERS(KERNEL_LETTER_ROW)};

/* Those of softmax: rows of a transformer, short ones, and one row that no cache holds. */
static const char *const shapes[] = {"rows=@L1,columns=1024", "rows=@L2,columns=1024",
                                     "rows=@DRAM,columns=64", "rows=@DRAM,columns=1024",
                                     "rows=1,columns=@DRAM",  NULL};

/* Far below 0: it shows where the logarithm meets the maximum and is rounded to an ulp of that, and
 * where lanes that are no part of a row take part. */
static int operands(const struct shape *shape, struct operand operand[KERNEL_OPERANDS_MAX])
{
    LETTERS(KERNEL_LETTER_DOUBLE)
    operand[OUT] = reals("y", ROLE_OUTPUT, rows * columns, 0, 0);
    operand[X] = reals("x", ROLE_INPUT, rows * columns, -1028, -1020);
    return OPERANDS;
}

/* At least: of a row whose softmax sums to 1 some part is at most 1 / columns. One column is
 * exactly 0, whatever is allowed. */
static double largest_output(const struct shape *shape)
{
    return log(fmax(2, (double)shape->value[LETTER_columns]));
}

/* In units, absolute: x - maximum is at most 8, so it errs by 8, and so does each exponential,
 * relative to itself, besides its own ulp; the sum adds what row_sum_error() says, and the
 * logarithm turns that into an absolute error. It has an ulp of its own, 2 units of at most
 * log(columns), and the difference of at most 8 + log(columns) is rounded. 2 for the reference,
 * which rounds as well. */
static double tolerance(const struct shape *shape, double unit)
{
    const double sum = row_sum_error((double)shape->value[LETTER_columns], unit);
    return 2 * ((sum + 3 * 8 + 2) / largest_output(shape) + 3) * unit;
}

static double reference_flops(const struct shape *shape)
{
    return 4 * (double)shape->value[LETTER_columns];
}

static void plain(const struct call *call, enum dtype dtype, long begin, long end, double *out)
{
    const long columns = call->shape->value[LETTER_columns];
    double largest = 0, shift = 0;
    for (long i = begin; i < end; i++) {
        if (i == begin || i % columns == 0) {
            const long first = i - i % columns;
            largest = real_at(call->operand[X], dtype, first);
            for (long j = first; j < first + columns; j++)
                largest = fmax(largest, real_at(call->operand[X], dtype, j));
            double sum = 0;
            for (long j = first; j < first + columns; j++)
                sum += exp(real_at(call->operand[X], dtype, j) - largest);
            shift = log(sum);
        }
        out[i - begin] = real_at(call->operand[X], dtype, i) - largest - shift;
    }
}
REFERENCE_BODIES(plain)

/* The sum as in its softmax (softmax.c), the logarithm as in log.c. */
static double onednn_tolerance(const struct shape *shape, double unit)
{
    const double sum = (double)shape->value[LETTER_columns] / 32;
    return tolerance(shape, unit) + (sum / largest_output(shape) + 64) * unit;
}

BODIES_DECLARE(log_softmax)
static const struct variant variants[] = {
    {.name = "simd",
     .summary = "short rows in registers, those of 1, 2, 4 or 8 elements several in one; else in "
                "chunks that L1 holds maximum and sum of exponentials, which are not kept, then "
                "differences in a second reading",
     .bodies = BODIES(log_softmax),
     .workspace = rows_workspace},
    REFERENCE_VARIANT(plain),
    {.name = "onednn",
     .summary = "logarithm of softmax over the last dimension",
     .routine = &onednn_log_softmax,
     .tolerance = onednn_tolerance},
    {0},
};

const struct kernel log_softmax_kernel = {
    .name = "log_softmax",
    .summary = "y = x - maximum - log(sum of exp(x - maximum)), by row",
    .letters = letters,
    .letter_count = LETTER_COUNT,
    .shapes = shapes,
    .flops = flops_model,
    .flops_formula = flops_formula,
    .bytes = bytes_model,
    .bytes_formula = bytes_formula,
    .model_note = "by element a comparison, two subtractions, an exponential that counts as 1 FLOP "
                  "and a sum; by row a logarithm, 1 FLOP as well; a row that no cache holds is "
                  "read twice, which is not counted",
    .operands = operands,
    .tolerance = tolerance,
    .reference = plain,
    .reference_flops = reference_flops,
    .variants = variants,
};

#else
#include "exps.h"
#include "vec.h"

/* It takes the place of a scale. In double: rounded once. */
static inline double log_of_sum(struct moments exps, double epsilon)
{
    (void)epsilon;
    return log(exps.squares);
}

ALWAYS_INLINE struct map map_of(const struct call *call, double mean, double scale, long row,
                                long segment)
{
    (void)call, (void)row, (void)segment;
    return (struct map){.center = vec_all((real)mean), .shift = vec_all((real)scale)};
}

/* The maximum first: its sum with the logarithm would lose what that has below an ulp of it. */
ALWAYS_INLINE vec element(const struct map *map, vec x, long i)
{
    (void)i;
    return x - map->center - map->shift;
}

/* A row in registers. */
ALWAYS_INLINE void logs_in_registers(const struct call *call, vec *x, const int vectors, long last)
{
    (void)call;
    const vec largest = short_max(x, vectors, last);
    vec exps[SHORT_VECTORS];
    UNROLL(SHORT_VECTORS)
    for (int j = 0; j < vectors; j++) {
        x[j] -= largest;
        exps[j] = vec_exp_nonpositive(x[j]);
    }
    exps[vectors - 1] = row_filled(exps[vectors - 1], last, vec_all(0));
    const double sum = vec_first(short_fold(fold_add, exps, vectors));
    const vec shift = vec_all((real)log(sum)); /* by vec_log() rows of 16 take 1.3 times as long */
    UNROLL(SHORT_VECTORS)
    for (int j = 0; j < vectors; j++)
        x[j] -= shift;
}
SHORT_ROWS(logs_in_registers)

ALWAYS_INLINE vec logs_in_lanes(vec x, const int length)
{
    x -= lanes_max(x, length);
    return x - vec_log(fold_groups(fold_add, vec_exp_nonpositive(x), length));
}

static bool log_softmax_in_lanes(const struct rows *rows)
{
    return lanes_run(logs_in_lanes, rows);
}

body NAME(log_softmax);
void NAME(log_softmax)(const struct call *call)
{
    const struct rows rows = {.call = call,
                              .x = call->operand[X],
                              .out = call->operand[OUT],
                              .count = call->shape->value[LETTER_rows],
                              .segments = 1,
                              .length = call->shape->value[LETTER_columns]};
    if (!log_softmax_in_lanes(&rows) && !short_rows_run(&rows))
        rows_run(row_exps, exps_together, log_of_sum, map_of, element, &rows);
}

#endif
