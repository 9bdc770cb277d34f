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

/* The same QUARTER columns of VLEN / QUARTER rows that lie `step` apart, side by side. */
ALWAYS_INLINE vec load_quarters(const real *p, long step)
{
#if VEC_BYTES == 16
    (void)step;
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
    return low;
#else
    quarter c = *(const quarter *)(p + 2 * step), d = *(const quarter *)(p + 3 * step);
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

/* QUARTER columns of VLEN rows. */
ALWAYS_INLINE void transpose_strip(real *out, long out_pitch, const real *in, long in_pitch)
{
#if REAL_BYTES == 4
    vec a = load_quarters(in, 4 * in_pitch), b = load_quarters(in + in_pitch, 4 * in_pitch);
    vec c = load_quarters(in + 2 * in_pitch, 4 * in_pitch);
    vec d = load_quarters(in + 3 * in_pitch, 4 * in_pitch);
    vec ab_low = __builtin_shufflevector(a, b, QUARTERS(INTERLEAVED, 0));
    vec ab_high = __builtin_shufflevector(a, b, QUARTERS(INTERLEAVED, 2));
    vec cd_low = __builtin_shufflevector(c, d, QUARTERS(INTERLEAVED, 0));
    vec cd_high = __builtin_shufflevector(c, d, QUARTERS(INTERLEAVED, 2));
    vec_store(out, __builtin_shufflevector(ab_low, cd_low, QUARTERS(PAIRS, 0)));
    vec_store(out + out_pitch, __builtin_shufflevector(ab_low, cd_low, QUARTERS(PAIRS, 2)));
    vec_store(out + 2 * out_pitch, __builtin_shufflevector(ab_high, cd_high, QUARTERS(PAIRS, 0)));
    vec_store(out + 3 * out_pitch, __builtin_shufflevector(ab_high, cd_high, QUARTERS(PAIRS, 2)));
#else
    vec a = load_quarters(in, 2 * in_pitch), b = load_quarters(in + in_pitch, 2 * in_pitch);
    vec_store(out, __builtin_shufflevector(a, b, QUARTERS(EACH_ONE, 0)));
    vec_store(out + out_pitch, __builtin_shufflevector(a, b, QUARTERS(EACH_ONE, 1)));
#endif
}
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
                fetch_more(fetch, columns * VLEN / LINE / 2, true);
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
