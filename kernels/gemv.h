// gemv.h - products with so few rows or columns that every element of the large matrix is used
// once: bound by its memory, which is read in its own order.
#ifndef ROOFLINE_GEMV_H
#define ROOFLINE_GEMV_H

#include "product.h"

/* Rows of A that read B together. */
enum { FEW_ROWS = 3 };

#ifdef ISA

/* Rows of B that are read side by side, as the lanes of base/sweep.h; columns of one pass, whose
 * sums stay in L1. */
enum { FEW_LANES = SWEEP_LANES, FEW_COLUMNS = 4096 / REAL_BYTES };

/* sum[i][j] += row i of A * `lanes` rows of B, which end after `columns`. */
ALWAYS_INLINE void add_rows(const int rows, const int lanes, struct operand_at a, const real *b,
                            long pitch, long columns, real sum[FEW_ROWS][FEW_COLUMNS])
{
    vec factor[FEW_ROWS][FEW_LANES];
    UNROLL(FEW_ROWS)
    for (int i = 0; i < rows; i++)
        UNROLL(FEW_LANES)
    for (int k = 0; k < lanes; k++)
        factor[i][k] = vec_all(a.at[i * a.line + k * a.step]);
    for (long j = 0; j < columns; j += VLEN) {
        const bool whole = columns - j >= VLEN;
        vec total[FEW_ROWS];
        UNROLL(FEW_ROWS)
        for (int i = 0; i < rows; i++)
            total[i] = vec_load(&sum[i][j]);
        UNROLL(FEW_LANES)
        for (int k = 0; k < lanes; k++) {
            const real *from = b + k * pitch + j;
            if (j * REAL_BYTES % SWEEP_LINE_BYTES == 0)
                __builtin_prefetch(from + lanes * pitch);
            const vec value = whole ? vec_load(from) : vec_load_first(from, columns - j);
            UNROLL(FEW_ROWS)
            for (int i = 0; i < rows; i++)
                total[i] += factor[i][k] * value;
        }
        UNROLL(FEW_ROWS)
        for (int i = 0; i < rows; i++)
            vec_store(&sum[i][j], total[i]);
    }
}

ALWAYS_INLINE void multiply_rows(const int rows, struct operand_at a, const real *b, long pitch,
                                 long depth, struct target target, struct finish finish)
{
    real sum[FEW_ROWS][FEW_COLUMNS] __attribute__((aligned(64)));
    for (long j = 0; j < target.columns; j += FEW_COLUMNS) {
        const long columns = smaller(target.columns - j, FEW_COLUMNS);
        for (long i = 0; i < rows; i++)
            for (long l = 0; l < round_up(columns, VLEN); l++)
                sum[i][l] = 0;
        long k = 0;
        for (; k + FEW_LANES <= depth; k += FEW_LANES)
            add_rows(rows, FEW_LANES, operand_from(a, 0, k), b + k * pitch + j, pitch, columns,
                     sum);
        for (; k < depth; k++)
            add_rows(rows, 1, operand_from(a, 0, k), b + k * pitch + j, pitch, columns, sum);
        for (long i = 0; i < rows; i++)
            for (long l = 0; l < columns; l++)
                finish_one(&target.c[i * target.pitch + j + l], sum[i][l], finish);
    }
}

/* At most FEW_ROWS rows of C = a few rows of A * a row-major B. */
static void multiply_few_rows(struct operand_at a, const real *b, long pitch, long depth,
                              struct target target, struct finish finish)
{
    if (target.rows == 1)
        multiply_rows(1, a, b, pitch, depth, target, finish);
    else if (target.rows == 2)
        multiply_rows(2, a, b, pitch, depth, target, finish);
    else
        multiply_rows(3, a, b, pitch, depth, target, finish);
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
    for (long i = 0; i < rows; i += FEW_LANES) {
        real sum[FEW_LANES];
        const long lines = smaller(rows - i, FEW_LANES);
        if (lines == FEW_LANES)
            dot_lines(FEW_LANES, a + i * pitch, pitch, x, depth, sum);
        else
            for (long j = 0; j < lines; j++)
                dot_lines(1, a + (i + j) * pitch, pitch, x, depth, &sum[j]);
        for (long j = 0; j < lines; j++)
            finish_one(&c[i + j], sum[j], finish);
    }
}

#endif
#endif
