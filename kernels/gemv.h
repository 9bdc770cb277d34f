// gemv.h - products with so few rows or columns that every element of the large matrix is used
// once: bound by its memory, which is read in its own order.
#ifndef ROOFLINE_GEMV_H
#define ROOFLINE_GEMV_H

#include "product.h"

/* Rows of A that read B together. */
enum { FEW_ROWS = 3 };

#ifdef ISA

/* Lanes as those of base/sweep.h: as many parts of the large matrix are read side by side, each in
 * the order of memory. Columns of one pass: of whole rows, as prefetchers begin anew behind a gap;
 * their sums, for each line of which FEW_LANES lines come from afar, stay in L1 or L2. */
enum {
    FEW_LANES = SWEEP_LANES,
    FEW_COLUMNS = 65536 / REAL_BYTES,
    FEW_AHEAD = SWEEP_AHEAD_BYTES / REAL_BYTES
};

/* sum[i][j] += row i of A * rows 0, apart, 2 apart ... of B, `lanes` of them, for the columns j of
 * the part; the line `ahead` elements further is asked for, into L2 where B is far, that is beyond
 * the caches: more lines may be on their way to L2 than to L1. */
ALWAYS_INLINE void add_rows(const int rows, const int lanes, const bool is_far, struct operand_at a,
                            const real *b, long pitch, long apart, struct part part, long ahead,
                            real sum[][FEW_COLUMNS])
{
    vec factor[FEW_ROWS][FEW_LANES];
    UNROLL(FEW_ROWS)
    for (int i = 0; i < rows; i++)
        UNROLL(FEW_LANES)
    for (int k = 0; k < lanes; k++)
        factor[i][k] = vec_all(*operand_from(a, i, k * apart).at);
    for (long j = part.begin; j < part.end; j += VLEN) {
        const bool whole = part.end - j >= VLEN;
        vec total[FEW_ROWS];
        UNROLL(FEW_ROWS)
        for (int i = 0; i < rows; i++)
            total[i] = vec_load(&sum[i][j]);
        UNROLL(FEW_LANES)
        for (int k = 0; k < lanes; k++) {
            const real *from = b + k * apart * pitch + j;
            if (j * REAL_BYTES % SWEEP_LINE_BYTES == 0) {
                if (is_far)
                    __builtin_prefetch(from + ahead, 0, 2);
                else
                    __builtin_prefetch(from + ahead);
            }
            const vec value = whole ? vec_load(from) : vec_load_first(from, part.end - j);
            UNROLL(FEW_ROWS)
            for (int i = 0; i < rows; i++)
                total[i] += factor[i][k] * value;
        }
        UNROLL(FEW_ROWS)
        for (int i = 0; i < rows; i++)
            vec_store(&sum[i][j], total[i]);
    }
}

/* All columns of a pass. What is asked for is B's own: behind the end of a row, in the next. */
ALWAYS_INLINE void add_whole_rows(const int rows, const int lanes, const bool is_far,
                                  struct operand_at a, const real *b, long pitch, long apart,
                                  long columns, real sum[][FEW_COLUMNS])
{
    const long rest = FEW_AHEAD % columns, ahead = FEW_AHEAD / columns * pitch + rest;
    const long near = (columns - rest) / VLEN * VLEN;
    add_rows(rows, lanes, is_far, a, b, pitch, apart, (struct part){0, near}, ahead, sum);
    add_rows(rows, lanes, is_far, a, b, pitch, apart, (struct part){near, columns},
             ahead + pitch - columns, sum);
}

ALWAYS_INLINE void multiply_rows(const int rows, const bool is_far, struct operand_at a,
                                 const real *b, long pitch, long depth, struct target target,
                                 struct finish finish, real sum[][FEW_COLUMNS])
{
    const long apart = depth / FEW_LANES;
    for (long j = 0; j < target.columns; j += FEW_COLUMNS) {
        const long columns = smaller(target.columns - j, FEW_COLUMNS);
        for (long i = 0; i < rows; i++)
            for (long l = 0; l < round_up(columns, VLEN); l++)
                sum[i][l] = 0;
        for (long k = 0; k < apart; k++)
            add_whole_rows(rows, FEW_LANES, is_far, operand_from(a, 0, k), b + k * pitch + j, pitch,
                           apart, columns, sum);
        for (long k = FEW_LANES * apart; k < depth; k++)
            add_whole_rows(rows, 1, is_far, operand_from(a, 0, k), b + k * pitch + j, pitch, 0,
                           columns, sum);
        for (long i = 0; i < rows; i++)
            for (long l = 0; l < columns; l++)
                finish_one(&target.c[i * target.pitch + j + l], sum[i][l], finish);
    }
}

/* A function for each number of rows and place of B. */
#define MULTIPLY_ROWS(rows, is_far)                                                                \
    __attribute__((noinline)) static void multiply_rows_##rows##_##is_far(                         \
        struct operand_at a, const real *b, long pitch, long depth, struct target target,          \
        struct finish finish)                                                                      \
    {                                                                                              \
        real sum[rows][FEW_COLUMNS] __attribute__((aligned(64)));                                  \
        multiply_rows(rows, is_far, a, b, pitch, depth, target, finish, sum);                      \
    }
MULTIPLY_ROWS(1, 0)
MULTIPLY_ROWS(2, 0)
MULTIPLY_ROWS(3, 0)
MULTIPLY_ROWS(1, 1)
MULTIPLY_ROWS(2, 1)
MULTIPLY_ROWS(3, 1)

/* At most FEW_ROWS rows of C = a few rows of A * a row-major B, which may lie beyond the caches. */
static void multiply_few_rows(struct operand_at a, const real *b, long pitch, bool is_far,
                              long depth, struct target target, struct finish finish)
{
    typedef void rows_function(struct operand_at, const real *, long, long, struct target,
                               struct finish);
    static rows_function *const functions[2][FEW_ROWS] = {
        {multiply_rows_1_0, multiply_rows_2_0, multiply_rows_3_0},
        {multiply_rows_1_1, multiply_rows_2_1, multiply_rows_3_1}};
    functions[is_far][target.rows - 1](a, b, pitch, depth, target, finish);
}

/* sum[i] = row i of A * x, `lines` rows side by side, each in two sums that hide the latency. */
ALWAYS_INLINE void dot_lines(const int lines, const real *a, long pitch, const real *x, long depth,
                             real *sum)
{
    vec total[FEW_LANES][2];
    UNROLL(FEW_LANES)
    for (int i = 0; i < lines; i++)
        total[i][0] = total[i][1] = vec_all(0);
    long k = 0;
    for (; k + 2 * VLEN <= depth; k += 2 * VLEN)
        UNROLL(2)
    for (int half = 0; half < 2; half++) {
        const long at = k + half * VLEN;
        const vec value = vec_load(x + at);
        UNROLL(FEW_LANES)
        for (int i = 0; i < lines; i++) {
            __builtin_prefetch((const char *)(a + i * pitch + at) + SWEEP_AHEAD_BYTES);
            total[i][half] += vec_load(a + i * pitch + at) * value;
        }
    }
    for (; k < depth; k += VLEN) {
        const long count = smaller(depth - k, VLEN);
        const vec value = vec_load_first(x + k, count);
        UNROLL(FEW_LANES)
        for (int i = 0; i < lines; i++)
            total[i][0] += vec_load_first(a + i * pitch + k, count) * value;
    }
    UNROLL(FEW_LANES)
    for (int i = 0; i < lines; i++) {
        real lane[VLEN] __attribute__((aligned(sizeof(vec))));
        vec_store(lane, total[i][0] + total[i][1]);
        sum[i] = 0;
        for (int j = 0; j < VLEN; j++)
            sum[i] += lane[j];
    }
}

/* A column of C, whose elements stand next to each other, = a row-major A * x. */
static void multiply_one_column(const real *a, long pitch, const real *x, long depth, long rows,
                                real *c, struct finish finish)
{
    const long apart = rows / FEW_LANES;
    real sum[FEW_LANES];
    for (long i = 0; i < apart; i++) {
        dot_lines(FEW_LANES, a + i * pitch, apart * pitch, x, depth, sum);
        for (long j = 0; j < FEW_LANES; j++)
            finish_one(&c[i + j * apart], sum[j], finish);
    }
    for (long i = FEW_LANES * apart; i < rows; i++) {
        dot_lines(1, a + i * pitch, 0, x, depth, sum);
        finish_one(&c[i], sum[0], finish);
    }
}

#endif
#endif
