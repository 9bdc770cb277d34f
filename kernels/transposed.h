// transposed.h - a block of a matrix transposed within the caches: what everything that swaps rows
// and columns is made of.
//
// Included by ISA bodies.
#ifndef ROOFLINE_TRANSPOSED_H
#define ROOFLINE_TRANSPOSED_H

#include <stdbool.h>
#include <stddef.h>

#include "fetch.h"
#include "vec.h"

/* A quarter of a line, the part of a vector that x86's unpack instructions stay within. */
enum { QUARTER = 16 / REAL_BYTES };

#if VLEN > 1
typedef real quarter __attribute__((vector_size(16), aligned(REAL_BYTES), may_alias));

/* Quarters that lie `step` apart, side by side; of 64 bytes both pairs, `pairs` apart. */
ALWAYS_INLINE vec load_quarters(const real *p, long step, long pairs)
{
#if VEC_BYTES == 16
    (void)step, (void)pairs;
    return *(const quarter *)p;
#else
    typedef real half __attribute__((vector_size(32), may_alias));
    quarter a = *(const quarter *)p, b = *(const quarter *)(p + step);
#if REAL_BYTES == 4
    half low = __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7);
#else
    half low = __builtin_shufflevector(a, b, 0, 1, 2, 3);
#endif
#if VEC_BYTES == 32
    (void)pairs;
    return low;
#else
    p += pairs;
    quarter c = *(const quarter *)p, d = *(const quarter *)(p + step);
#if REAL_BYTES == 4
    half high = __builtin_shufflevector(c, d, 0, 1, 2, 3, 4, 5, 6, 7);
    return __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
#else
    half high = __builtin_shufflevector(c, d, 0, 1, 2, 3);
    return __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7);
#endif
#endif
#endif
}

/* In each quarter alternately an element, or a pair, of a and one of b. */
#define INTERLEAVED(at) (at), VLEN + (at), (at) + 1, VLEN + (at) + 1
#define PAIRS(at) (at), (at) + 1, VLEN + (at), VLEN + (at) + 1
#define EACH_ONE(at) (at), VLEN + (at)
#if VEC_BYTES == 16
#define QUARTERS(indices, at) indices(at)
#elif VEC_BYTES == 32
#define QUARTERS(indices, at) indices(at), indices((at) + QUARTER)
#else
#define QUARTERS(indices, at)                                                                      \
    indices(at), indices((at) + QUARTER), indices((at) + 2 * QUARTER), indices((at) + 3 * QUARTER)
#endif

/* Each quarter of `in` a row: each of `out` a column. */
ALWAYS_INLINE void transpose_quarters(const vec in[QUARTER], vec out[QUARTER])
{
#if REAL_BYTES == 4
    vec ab_low = __builtin_shufflevector(in[0], in[1], QUARTERS(INTERLEAVED, 0));
    vec ab_high = __builtin_shufflevector(in[0], in[1], QUARTERS(INTERLEAVED, 2));
    vec cd_low = __builtin_shufflevector(in[2], in[3], QUARTERS(INTERLEAVED, 0));
    vec cd_high = __builtin_shufflevector(in[2], in[3], QUARTERS(INTERLEAVED, 2));
    out[0] = __builtin_shufflevector(ab_low, cd_low, QUARTERS(PAIRS, 0));
    out[1] = __builtin_shufflevector(ab_low, cd_low, QUARTERS(PAIRS, 2));
    out[2] = __builtin_shufflevector(ab_high, cd_high, QUARTERS(PAIRS, 0));
    out[3] = __builtin_shufflevector(ab_high, cd_high, QUARTERS(PAIRS, 2));
#else
    out[0] = __builtin_shufflevector(in[0], in[1], QUARTERS(EACH_ONE, 0));
    out[1] = __builtin_shufflevector(in[0], in[1], QUARTERS(EACH_ONE, 1));
#endif
}

/* QUARTER columns of VLEN rows. */
ALWAYS_INLINE void transpose_strip(real *out, long out_pitch, const real *in, long in_pitch)
{
    vec row[QUARTER], column[QUARTER];
    UNROLL(QUARTER)
    for (int i = 0; i < QUARTER; i++)
        row[i] = load_quarters(in + i * in_pitch, QUARTER * in_pitch, 2 * QUARTER * in_pitch);
    transpose_quarters(row, column);
    UNROLL(QUARTER)
    for (int i = 0; i < QUARTER; i++)
        vec_store(out + i * out_pitch, column[i]);
}

#if VEC_BYTES == 64 && REAL_BYTES == 4
/* Eight columns of eight rows, half a vector each. */
ALWAYS_INLINE void transpose_halves(real *out, const real *in, long in_pitch)
{
    typedef real half __attribute__((vector_size(32), aligned(REAL_BYTES), may_alias));
    vec row[QUARTER], column[QUARTER];
    UNROLL(QUARTER)
    for (int i = 0; i < QUARTER; i++)
        row[i] = load_quarters(in + i * in_pitch, QUARTER * in_pitch, QUARTER);
    transpose_quarters(row, column);
    UNROLL(QUARTER)
    for (int i = 0; i < QUARTER; i++, out += VLEN / 2) {
        *(half *)out = __builtin_shufflevector(column[i], column[i], 0, 1, 2, 3, 4, 5, 6, 7);
        *(half *)(out + QUARTER * VLEN / 2) =
            __builtin_shufflevector(column[i], column[i], 8, 9, 10, 11, 12, 13, 14, 15);
    }
}
#endif
#endif

/* Rows and columns of `in`, transposed. The last strips of both directions end where the block
 * does, so that they repeat what lies before instead of going element by element. Meanwhile `fetch`
 * goes on by half as many lines; NULL: nothing is fetched. */
ALWAYS_INLINE void transpose_block(real *out, long out_pitch, const real *in, long in_pitch,
                                   long rows, long columns, struct fetch *fetch)
{
#if VLEN > 1
    if (rows >= VLEN && columns >= QUARTER) {
        for (long i = 0; i < rows; i += VLEN) {
            long row = i < rows - VLEN ? i : rows - VLEN;
            const real *from = in + row * in_pitch;
            if (fetch)
                fetch_more(fetch, columns * VLEN / LINE / 2);
            for (long j = 0; j < columns; j += QUARTER) {
                long column = j < columns - QUARTER ? j : columns - QUARTER;
                transpose_strip(out + column * out_pitch + row, out_pitch, from + column, in_pitch);
            }
        }
        return;
    }
#endif
    (void)fetch;
    const bool tall = columns < rows; /* the inner loop is the long one */
    for (long i = 0; i < (tall ? columns : rows); i++)
        if (tall)
            for (long row = 0; row < rows; row++)
                out[i * out_pitch + row] = in[row * in_pitch + i];
        else
            for (long column = 0; column < columns; column++)
                out[column * out_pitch + i] = in[i * in_pitch + column];
}

#endif
