// reduce.c - sum, mean, maximum, minimum or Euclidean norm over one axis.
#include "rows.h"

#define LETTERS(X)                                                                                 \
    X(outer, 1, 0, "elements of the axes before the one that is reduced")                          \
    X(axis, -1, 1, "elements of the axis that is reduced")                                         \
    X(inner, 1, 0, "elements of the axes behind it")                                               \
    X(op, 0, 0, "what it is reduced to", op_words)
enum { LETTERS(KERNEL_LETTER_INDEX) LETTER_COUNT };
enum { OUT, X, OPERANDS };
enum op { OP_SUM, OP_MEAN, OP_MAX, OP_MIN, OP_L2 };

#ifndef ISA
#include "onednn.h"

static const char *const op_words[] = {"sum", "mean", "max", "min", "l2", NULL};

#define DERIVED                                                                                    \
    const double by_element = op == OP_L2 ? 2 : 1, by_output = op == OP_MEAN || op == OP_L2;       \
    (void)by_element, (void)by_output;
MODEL(flops, (by_element * axis + by_output) * outer * inner)
MODEL(bytes, (outer * axis * inner + outer * inner) * element_bytes)

static const struct letter letters[] = {LETTERS(KERNEL_LETTER_ROW)};

/* Rows and columns, in L2 and with more than the caches hold; one sum of everything. */
static const char *const shapes[] = {"outer=@L2,axis=1024",          "outer=16,axis=@L2,inner=64",
                                     "outer=@DRAM,axis=16",          "outer=@DRAM,axis=1024",
                                     "outer=@DRAM,axis=1024,op=max", "axis=@DRAM",
                                     "axis=@DRAM,inner=1024",        NULL};

static int operands(const struct shape *shape, struct operand operand[KERNEL_OPERANDS_MAX])
{
    LETTERS(KERNEL_LETTER_DOUBLE)
    operand[OUT] = reals("y", ROLE_OUTPUT, outer * inner, 0, 0);
    operand[X] = reals("x", ROLE_INPUT, outer * axis * inner, 0.5, 1.5);
    return OPERANDS;
}

/* Maxima are exact. A sum of positive numbers errs as gemm's. */
static double tolerance(const struct shape *shape, double unit)
{
    LETTERS(KERNEL_LETTER_DOUBLE)
    return op == OP_MAX || op == OP_MIN ? 0 : 4 * (axis / ROW_SUMS + 8) * unit;
}

/* A NaN stays, as in numpy. */
static double combined(enum op op, double y, double x)
{
    if (isnan(x) || isnan(y))
        return NAN;
    switch (op) {
    case OP_MAX:
        return x > y ? x : y;
    case OP_MIN:
        return x < y ? x : y;
    case OP_L2:
        return y + x * x;
    default:
        return y + x;
    }
}

static void plain(const struct call *call, enum dtype dtype, long begin, long end, double *out)
{
    const struct shape *shape = call->shape;
    LETTERS(KERNEL_LETTER_LONG)
    for (long i = begin; i < end; i++) {
        const long first = i / inner * axis * inner + i % inner;
        double y = op == OP_MAX ? -INFINITY : op == OP_MIN ? INFINITY : 0;
        for (long j = 0; j < axis; j++)
            y = combined((enum op)op, y, real_at(call->operand[X], dtype, first + j * inner));
        out[i - begin] = op == OP_MEAN ? y / (double)axis : op == OP_L2 ? sqrt(y) : y;
    }
}
REFERENCE_BODIES(plain)

/* Outputs by which members share the work; where they are few, the axis is shared. */
static double workspace(const struct shape *shape, enum isa isa, enum dtype dtype, int threads,
                        const struct cache_sizes *caches)
{
    LETTERS(KERNEL_LETTER_DOUBLE)
    (void)isa, (void)caches;
    return threads * (outer * inner + 16) * dtype_bytes(dtype);
}

BODIES_DECLARE(reduce)
static const struct variant variants[] = {
    {.name = "simd",
     .summary = "four rows at a time, or four parts of one; members share outputs, or the axis "
                "where those are few",
     .bodies = BODIES(reduce),
     .workspace = workspace},
    REFERENCE_VARIANT(plain),
    {.name = "onednn",
     .summary = "reduction of the middle of three dimensions",
     .routine = &onednn_reduce},
    {0},
};

const struct kernel reduce_kernel = {
    .name = "reduce",
    .summary = "y[outer,inner] = sum, mean, max, min or l2 over axis of x[outer,axis,inner]",
    .letters = letters,
    .letter_count = LETTER_COUNT,
    .shapes = shapes,
    .flops = flops_model,
    .flops_formula = flops_formula,
    .bytes = bytes_model,
    .bytes_formula = bytes_formula,
    .model_note =
        "by_element: a sum or comparison, in l2 a product too; by_output: the quotient of "
        "a mean, the root of l2",
    .operands = operands,
    .tolerance = tolerance,
    .reference = plain,
    .variants = variants,
};

#else
#include "vec.h"
#include "vec_math.h"

/* What a member works on: y and the parts of each dimension. */
struct cut {
    const real *x;
    real *y;
    long axis, inner; /* whole sizes */
    struct part outers, steps, columns;
};

ALWAYS_INLINE vec start_of(const enum op op)
{
    return vec_all((real)(op == OP_MAX ? -INFINITY : op == OP_MIN ? INFINITY : 0));
}

ALWAYS_INLINE vec term(const enum op op, vec x)
{
    if (op == OP_L2)
        x *= x;
    return x;
}

/* Of two results one; a NaN in either stays. */
ALWAYS_INLINE vec joined(const enum op op, vec a, vec b)
{
    if (op != OP_MAX && op != OP_MIN)
        return a + b;
    /* b where one is NaN. */
    vec y = op == OP_MAX ? vec_max(a, b) : vec_min(a, b);
#if VLEN == 1
    return a != a ? a : y;
#else
    return vec_select((vec_bits)(a != a), a, y);
#endif
}

ALWAYS_INLINE real folded(const enum op op, vec v)
{
    real y[VLEN] __attribute__((aligned(sizeof(vec))));
    *(vec *)y = v;
    for (int width = VLEN / 2; width > 0; width /= 2)
        for (int i = 0; i < width; i++)
            if (op != OP_MAX && op != OP_MIN)
                y[i] += y[i + width];
            else if (isnan(y[i + width]) ||
                     (op == OP_MAX ? y[i + width] > y[i] : y[i + width] < y[i]))
                y[i] = y[i + width];
    return y[0];
}

/* Four runs of elements at once, `pitch` apart, so that more of memory is on its way: each to a
 * vector. */
ALWAYS_INLINE void reduce_runs(const enum op op, const real *x, long pitch, long count,
                               vec y[SWEEP_LANES])
{
    vec sum[SWEEP_LANES][2];
    UNROLL(SWEEP_LANES)
    for (int l = 0; l < SWEEP_LANES; l++)
        sum[l][0] = sum[l][1] = start_of(op);
    long i = 0;
    for (; i + 2 * VLEN <= count; i += 2 * VLEN)
        UNROLL(SWEEP_LANES)
    for (int l = 0; l < SWEEP_LANES; l++)
        UNROLL(2)
    for (int j = 0; j < 2; j++) {
        const real *at = x + l * pitch + i;
        sweep_fetch(at, j * VLEN);
        sum[l][j] = joined(op, sum[l][j], term(op, vec_load(at + j * VLEN)));
    }
    for (; i + VLEN <= count; i += VLEN)
        UNROLL(SWEEP_LANES)
    for (int l = 0; l < SWEEP_LANES; l++)
        sum[l][0] = joined(op, sum[l][0], term(op, vec_load(x + l * pitch + i)));
    UNROLL(SWEEP_LANES)
    for (int l = 0; l < SWEEP_LANES; l++) {
        y[l] = joined(op, sum[l][0], sum[l][1]);
        if (i < count)
            y[l] = joined(op, y[l], term(op, row_tail(x + l * pitch, count, start_of(op))));
    }
}

/* One row by its quarters. */
ALWAYS_INLINE real reduce_row(const enum op op, const real *x, long count)
{
    const long quarter = count / SWEEP_LANES / ROW_GRAIN * ROW_GRAIN;
    vec y[SWEEP_LANES], rest = start_of(op);
    reduce_runs(op, x, quarter, quarter, y);
    x += SWEEP_LANES * quarter;
    count -= SWEEP_LANES * quarter;
    for (long i = 0; i + VLEN <= count; i += VLEN)
        rest = joined(op, rest, term(op, vec_load(x + i)));
    if (count % VLEN)
        rest = joined(op, rest, term(op, row_tail(x, count, start_of(op))));
    return folded(op, joined(op, rest, joined(op, joined(op, y[0], y[1]), joined(op, y[2], y[3]))));
}

/* inner = 1. */
ALWAYS_INLINE void reduce_rows(const enum op op, const struct cut *cut)
{
    const long count = cut->steps.end - cut->steps.begin,
               rows = cut->outers.end - cut->outers.begin;
    const real *x = cut->x + cut->outers.begin * cut->axis + cut->steps.begin;
    real *out = cut->y + cut->outers.begin;
    const long lane = count <= ROW_CHUNK ? rows / SWEEP_LANES : 0;
    for (long i = 0; i < lane; i++) {
        vec y[SWEEP_LANES];
        reduce_runs(op, x + i * cut->axis, lane * cut->axis, count, y);
        for (int l = 0; l < SWEEP_LANES; l++)
            out[i + l * lane] = folded(op, y[l]);
    }
    for (long i = SWEEP_LANES * lane; i < rows; i++)
        out[i] = reduce_row(op, x + i * cut->axis, count);
}

/* A vector of columns, `count` <= VLEN of it, over up to four steps of the axis. */
ALWAYS_INLINE void reduce_vector(const enum op op, const real *x, real *y, long inner, long steps,
                                 long count)
{
    const bool whole = count >= VLEN;
    vec sum = whole ? vec_load(y) : vec_load_first(y, count);
    if (whole && steps >= SWEEP_LANES) {
        vec first = joined(op, term(op, vec_load(x)), term(op, vec_load(x + inner)));
        vec second =
            joined(op, term(op, vec_load(x + 2 * inner)), term(op, vec_load(x + 3 * inner)));
        sum = joined(op, sum, joined(op, first, second));
    } else {
        vec four = start_of(op);
        for (long k = 0; k < steps; k++, x += inner)
            four = joined(op, four, term(op, whole ? vec_load(x) : vec_load_first(x, count)));
        sum = joined(op, sum, four);
    }
    if (whole)
        vec_store(y, sum);
    else
        vec_store_first(y, sum, count);
}

/* inner > 1: four steps of the axis at a time go into a block of y that stays in L1. */
ALWAYS_INLINE void reduce_columns(const enum op op, const struct cut *cut)
{
    for (long o = cut->outers.begin; o < cut->outers.end; o++)
        for (long j = cut->columns.begin; j < cut->columns.end; j += ROW_CHUNK / 4) {
            const long end =
                cut->columns.end - j < ROW_CHUNK / 4 ? cut->columns.end : j + ROW_CHUNK / 4;
            real *y = cut->y + o * cut->inner;
            for (long i = j; i < end; i++)
                y[i] = folded(op, start_of(op));
            for (long k = cut->steps.begin; k < cut->steps.end; k += SWEEP_LANES) {
                const long steps =
                    cut->steps.end - k < SWEEP_LANES ? cut->steps.end - k : SWEEP_LANES;
                const real *x = cut->x + (o * cut->axis + k) * cut->inner;
                for (long i = j; i < end; i += VLEN)
                    reduce_vector(op, x + i, y + i, cut->inner, steps,
                                  end - i < VLEN ? end - i : VLEN);
            }
        }
}

/* What members found about the same outputs into the first y of theirs, then what op makes of it.
 */
ALWAYS_INLINE void finish(const enum op op, long op_word, const struct cut *cut, struct part part,
                          const real *others, long pitch, int members)
{
    for (long i = part.begin; i < part.end; i++) {
        vec y = members ? start_of(op) : vec_all(cut->y[i]);
        for (int m = 0; m < members; m++)
            y = joined(op, y, vec_all(others[m * pitch + i]));
        if (op_word == OP_L2)
            y = vec_sqrt(y);
        cut->y[i] = op_word == OP_MEAN ? vec_first(y) / (real)cut->axis : vec_first(y);
    }
}

ALWAYS_INLINE void reduce_as(const enum op op, const struct call *call)
{
    const struct shape *shape = call->shape;
    const long outer = shape->value[LETTER_outer], axis = shape->value[LETTER_axis],
               inner = shape->value[LETTER_inner], word = shape->value[LETTER_op],
               lines = (inner + ROW_GRAIN - 1) / ROW_GRAIN, team = call->member.count;
    struct cut cut = {call->operand[X], call->operand[OUT], axis,      inner,
                      {0, outer},       {0, axis},          {0, inner}};
    const bool is_shared = team > 1 && outer * lines < 4 * team && axis >= 4 * team;
    const long pitch = (outer * inner + ROW_GRAIN - 1) / ROW_GRAIN * ROW_GRAIN;
    struct cut own = cut;
    if (is_shared) {
        own.steps = member_part(call->member, axis, inner == 1 ? ROW_GRAIN : 1);
        own.y = (real *)call->workspace + call->member.index * pitch;
        team_barrier(); /* nobody reads the last call's any more */
    } else if (outer >= 4 * team || inner == 1)
        own.outers = member_part(call->member, outer, 1);
    else
        own.columns = member_part(call->member, inner, ROW_GRAIN);
    if (inner == 1)
        reduce_rows(op, &own);
    else
        reduce_columns(op, &own);
    if (is_shared) {
        team_barrier();
        finish(op, word, &cut, member_part(call->member, outer * inner, ROW_GRAIN), call->workspace,
               pitch, call->member.count);
        return;
    }
    for (long o = own.outers.begin; o < own.outers.end; o++)
        finish(op, word, &cut,
               (struct part){o * inner + own.columns.begin, o * inner + own.columns.end}, NULL, 0,
               0);
}

body NAME(reduce);
void NAME(reduce)(const struct call *call)
{
    switch (call->shape->value[LETTER_op]) {
    case OP_MAX:
        reduce_as(OP_MAX, call);
        break;
    case OP_MIN:
        reduce_as(OP_MIN, call);
        break;
    case OP_L2:
        reduce_as(OP_L2, call);
        break;
    default:
        reduce_as(OP_SUM, call);
    }
}

#endif
