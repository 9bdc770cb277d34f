// softmax.c - the exponentials of each row, divided by their sum.
#include "short_rows.h"

#define LETTERS(X)                                                                                 \
    X(rows, -1, 0, "rows, each of which sums to 1")                                                \
    X(columns, 1024, 1, "elements of a row")
enum { LETTERS(KERNEL_LETTER_INDEX) LETTER_COUNT };
enum { OUT, X, OPERANDS };

#ifndef ISA
#include "onednn.h"

#define DERIVED
MODEL(flops, (5 * columns + 1) * rows)
MODEL(bytes, (2 * rows * columns) * element_bytes)

static const struct letter letters[] = {LETTERS(KERNEL_LETTER_ROW)};

/* Rows of a transformer, short ones, and one row that no cache holds. */
static const char *const shapes[] = {"rows=@L1,columns=1024", "rows=@L2,columns=1024",
                                     "rows=@DRAM,columns=64", "rows=@DRAM,columns=1024",
                                     "rows=1,columns=@DRAM",  NULL};

static int operands(const struct shape *shape, struct operand operand[KERNEL_OPERANDS_MAX])
{
    LETTERS(KERNEL_LETTER_DOUBLE)
    operand[OUT] = reals("y", ROLE_OUTPUT, rows * columns, 0, 0);
    operand[X] = reals("x", ROLE_INPUT, rows * columns, -4, 4);
    return OPERANDS;
}

/* x - maximum is at most 8, so it errs by 8 units, and the exponential as much besides its own ulp;
 * the sum adds what row_sum_error() says; 2 for the reference, which rounds as well. */
static double tolerance(const struct shape *shape, double unit)
{
    return 2 * (row_sum_error((double)shape->value[LETTER_columns], unit) + 2 * 8 + 4) * unit;
}

static double reference_flops(const struct shape *shape)
{
    return 4 * (double)shape->value[LETTER_columns];
}

static void plain(const struct call *call, enum dtype dtype, long begin, long end, double *out)
{
    const long columns = call->shape->value[LETTER_columns];
    double largest = 0, sum = 0;
    for (long i = begin; i < end; i++) {
        if (i == begin || i % columns == 0) {
            const long first = i - i % columns;
            largest = real_at(call->operand[X], dtype, first);
            for (long j = first; j < first + columns; j++)
                largest = fmax(largest, real_at(call->operand[X], dtype, j));
            sum = 0;
            for (long j = first; j < first + columns; j++)
                sum += exp(real_at(call->operand[X], dtype, j) - largest);
        }
        out[i - begin] = exp(real_at(call->operand[X], dtype, i) - largest) / sum;
    }
}
REFERENCE_BODIES(plain)

/* oneDNN adds a row up in one vector, whose lanes grow so large that addends lose their last bits:
 * measured are columns / 500 units with 16 lanes and columns / 120 with 4. */
static double onednn_tolerance(const struct shape *shape, double unit)
{
    return tolerance(shape, unit) + (double)shape->value[LETTER_columns] / 32 * unit;
}

BODIES_DECLARE(softmax)
static const struct variant variants[] = {
    {.name = "simd",
     .summary =
         "short rows in registers, those of 1, 2, 4 or 8 elements several in one; else in the "
         "caches maximum, exponentials and their sum, "
         "quotients; beyond them rows that L1 holds keep their exponentials there, of longer ones "
         "these are computed twice, so that each element comes once and goes once",
     .bodies = BODIES(softmax),
     .workspace = rows_workspace},
    REFERENCE_VARIANT(plain),
    {.name = "onednn",
     .summary = "accurate softmax over the last dimension",
     .routine = &onednn_softmax,
     .tolerance = onednn_tolerance},
    {0},
};

const struct kernel softmax_kernel = {
    .name = "softmax",
    .summary = "y = exp(x - maximum) / sum of exp(x - maximum), by row",
    .letters = letters,
    .letter_count = LETTER_COUNT,
    .shapes = shapes,
    .flops = flops_model,
    .flops_formula = flops_formula,
    .bytes = bytes_model,
    .bytes_formula = bytes_formula,
    .model_note = "by element a comparison, a subtraction, an exponential that counts as 1 FLOP, a "
                  "sum and a product; by row a reciprocal; a row that no cache holds is read "
                  "twice, which is not counted",
    .operands = operands,
    .tolerance = tolerance,
    .reference = plain,
    .reference_flops = reference_flops,
    .variants = variants,
};

#else
#include "exps.h"
#include "vec.h"

static inline double sum_scale(struct moments exps, double epsilon)
{
    (void)epsilon;
    return 1 / exps.squares;
}

ALWAYS_INLINE struct map map_of(const struct call *call, double mean, double scale, long row,
                                long segment)
{
    (void)call, (void)row, (void)segment;
    return (struct map){.center = vec_all((real)mean), .scale = vec_all((real)scale)};
}

ALWAYS_INLINE vec element(const struct map *map, vec x, long i)
{
    (void)i;
    return vec_exp_nonpositive(x - map->center) * map->scale;
}

/* A row whose exponentials wait for their scale. */
struct kept {
    const real *exps;
    real *out;
    vec scale;
};

/* `count` elements of it from i on, past the caches. */
ALWAYS_INLINE void stream_kept(const struct kept *kept, long i, const int count)
{
    UNROLL(2)
    for (int j = 0; j < count; j += VLEN)
        vec_stream(kept->out + i + j, vec_load(kept->exps + i + j) * kept->scale);
}

/* The exponentials about the largest, which are kept in out, and what row_exps() finds. What lies
 * `ahead` elements further is asked for meanwhile, unless that is 0, and the row before is written,
 * so that stores past the caches and arithmetic seldom wait for each other. */
ALWAYS_INLINE struct moments keep_exps(real *out, const real *x, long count, const long ahead,
                                       const struct kept *before)
{
    const vec largest = row_max(x, count);
    vec sum[2] = {vec_all(0), vec_all(0)};
    long i = 0;
    for (; i + 2 * VLEN <= count; i += 2 * VLEN) {
        UNROLL(2)
        for (int j = 0; j < 2; j++) {
            vec y = vec_exp_nonpositive(vec_load(x + i + j * VLEN) - largest);
            if (ahead > 0 && j * VLEN * REAL_BYTES % SWEEP_LINE_BYTES == 0)
                __builtin_prefetch(x + i + j * VLEN + ahead);
            vec_store(out + i + j * VLEN, y);
            sum[j] += y;
        }
        if (before)
            stream_kept(before, i, 2 * VLEN);
    }
    for (long left; (left = count - i) > 0; i += VLEN) {
        vec_store_first(
            out + i,
            vec_exp_nonpositive(vec_load_first(x + i, left < VLEN ? left : VLEN) - largest),
            left < VLEN ? left : VLEN);
        sum[0] += vec_load_first(out + i, left < VLEN ? left : VLEN);
        if (before)
            stream_kept(before, i, VLEN);
    }
    return (struct moments){(double)count, vec_first(largest),
                            vec_first(fold_lanes(fold_add, sum[0] + sum[1]))};
}

/* Rows of whole lines that L1 holds: read once and written once, and each exponential is computed
 * once; one that follows is asked for meanwhile. */
static void softmax_past_caches(const struct rows *rows, struct part part)
{
    /* Half a page apart, as loads wait for stores to the same place of another page. */
    real exps[2][ROW_CHUNK + 2048 / REAL_BYTES] __attribute__((aligned(64)));
    const long length = rows->length, ahead = row_ahead(length);
    struct kept kept = {0};
    for (long row = part.begin; row < part.end; row++) {
        real *const own = exps[row % 2];
        const real *const x = rows->x + row * length;
        const struct moments found = kept.out ? keep_exps(own, x, length, ahead, &kept)
                                              : keep_exps(own, x, length, ahead, NULL);
        kept = (struct kept){own, rows->out + row * length, vec_all((real)(1 / found.squares))};
    }
    for (long i = 0; kept.out && i < length; i += VLEN)
        stream_kept(&kept, i, VLEN);
}

static void scale_row(real *out, vec scale, long count)
{
    long i = 0;
    for (; i + 4 * VLEN <= count; i += 4 * VLEN)
        UNROLL(4)
    for (long j = i; j < i + 4 * VLEN; j += VLEN)
        vec_store(out + j, vec_load(out + j) * scale);
    for (; i + VLEN <= count; i += VLEN)
        vec_store(out + i, vec_load(out + i) * scale);
    if (i < count)
        vec_store_first(out + i, vec_load_first(out + i, count - i) * scale, count - i);
}

static void softmax_in_cache(const struct rows *rows)
{
    const struct share share = rows_share(rows->call, rows->count, rows->length);
    const long begin = share.columns.begin, count = share.columns.end - begin;
    for (long row = share.rows.begin; row < share.rows.end; row++) {
        real *out = rows->out + row * rows->length + begin;
        struct moments own = keep_exps(out, rows->x + row * rows->length + begin, count, 0, NULL),
                       all = own;
        if (share.is_split)
            all = moments_exchange(rows->call, exps_together, row, own);
        scale_row(out, vec_all((real)(exp(own.mean - all.mean) / all.squares)), count);
    }
}

/* A row in registers. */
ALWAYS_INLINE void exps_in_registers(const struct call *call, vec *x, const int vectors, long last)
{
    (void)call;
    const vec largest = short_max(x, vectors, last);
    UNROLL(SHORT_VECTORS)
    for (int j = 0; j < vectors; j++)
        x[j] = vec_exp_nonpositive(x[j] - largest);
    x[vectors - 1] = row_filled(x[vectors - 1], last, vec_all(0));
    const vec scale = 1 / short_fold(fold_add, x, vectors);
    UNROLL(SHORT_VECTORS)
    for (int j = 0; j < vectors; j++)
        x[j] *= scale;
}
SHORT_ROWS(exps_in_registers)

ALWAYS_INLINE vec exps_in_lanes(vec x, const int length)
{
    x = vec_exp_nonpositive(x - lanes_max(x, length));
    return x * (1 / fold_groups(fold_add, x, length));
}

static bool softmax_in_lanes(const struct rows *rows)
{
    return lanes_run(exps_in_lanes, rows);
}

body NAME(softmax);
void NAME(softmax)(const struct call *call)
{
    const struct rows rows = {.call = call,
                              .x = call->operand[X],
                              .out = call->operand[OUT],
                              .count = call->shape->value[LETTER_rows],
                              .segments = 1,
                              .length = call->shape->value[LETTER_columns]};
    if (softmax_in_lanes(&rows) || short_rows_run(&rows))
        return;
    const struct share share = rows_share(call, rows.count, rows.length);
    if (rows_exceed_caches(call) && !share.is_split && rows.length <= ROW_CHUNK &&
        rows.length * REAL_BYTES % SWEEP_LINE_BYTES == 0 &&
        (uintptr_t)rows.out % SWEEP_LINE_BYTES == 0)
        softmax_past_caches(&rows, share.rows);
    else if (rows_exceed_caches(call))
        rows_run_as(row_exps, exps_together, sum_scale, map_of, element, &rows, true);
    else
        softmax_in_cache(&rows);
    vec_stream_fence();
}

#endif
