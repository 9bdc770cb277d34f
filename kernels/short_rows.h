// short_rows.h - rows of a matrix that fit the registers: read once, changed there, written once.
//
// A kernel file defines the function that changes a row and SHORT_ROWS(function) makes
// short_rows_run(), which says whether the rows are short enough.
#ifndef ROOFLINE_SHORT_ROWS_H
#define ROOFLINE_SHORT_ROWS_H

#include <stdint.h>

#include "lengths.h"
#include "rows.h"

#ifdef ISA

/* Vectors that a row may have. */
enum { SHORT_VECTORS = 8 };

/* Changes the row in x[0] to x[vectors - 1], a constant; of the last one the lanes from `last` on,
 * VLEN where there are none, are 0 and are not written. */
typedef void short_row(const struct call *call, vec *x, const int vectors, long last);

/* All vectors combined, in every lane. */
ALWAYS_INLINE vec short_fold(fold_combine *const combine, const vec *x, const int vectors)
{
    vec even = x[0], odd = x[vectors > 1 ? 1 : 0];
    UNROLL(SHORT_VECTORS)
    for (int j = 2; j < vectors; j += 2) {
        even = combine(even, x[j]);
        if (j + 1 < vectors)
            odd = combine(odd, x[j + 1]);
    }
    return fold_lanes(combine, vectors > 1 ? combine(even, odd) : even);
}

/* Vector j of an operand that all rows share. */
ALWAYS_INLINE vec short_operand(const void *operand, int j, const int vectors, long last)
{
    const real *from = (const real *)operand + j * VLEN;
    return j < vectors - 1 || last == VLEN ? vec_load(from) : vec_load_first(from, last);
}

ALWAYS_INLINE void short_row_at(short_row *const function, const int vectors,
                                const struct rows *rows, long row, bool is_streamed)
{
    const long last = rows->length - (vectors - 1) * VLEN;
    const real *from = rows->x + row * rows->length;
    real *to = rows->out + row * rows->length;
    vec x[SHORT_VECTORS];
    UNROLL(SHORT_VECTORS)
    for (int j = 0; j < vectors; j++)
        x[j] = short_operand(from, j, vectors, last);
    function(rows->call, x, vectors, last);
    if (is_streamed) {
        UNROLL(SHORT_VECTORS)
        for (int j = 0; j < vectors; j++) {
            sweep_fetch(from, j * VLEN);
            vec_stream(to + j * VLEN, x[j]);
        }
        return;
    }
    UNROLL(SHORT_VECTORS)
    for (int j = 0; j < vectors; j++)
        if (j < vectors - 1 || last == VLEN)
            vec_store(to + j * VLEN, x[j]);
        else
            vec_store_first(to + j * VLEN, x[j], last);
}

/* The member's rows one after the other: streamed in lanes, as in base/sweep.h, they came at 60 %
 * of this on Zen 4. */
#define SHORT_ROWS_FUNCTION(function, vectors)                                                     \
    __attribute__((noinline)) static void function##_##vectors(const struct rows *rows,            \
                                                               struct part part, bool is_streamed) \
    {                                                                                              \
        for (long row = part.begin; row < part.end; row++)                                         \
            short_row_at(function, vectors, rows, row, is_streamed);                               \
    }

/* short_rows_run(): false where it leaves the rows to others, as they are too long. */
#define SHORT_ROWS(function)                                                                       \
    SHORT_ROWS_FUNCTION(function, 1)                                                               \
    SHORT_ROWS_FUNCTION(function, 2)                                                               \
    SHORT_ROWS_FUNCTION(function, 3)                                                               \
    SHORT_ROWS_FUNCTION(function, 4)                                                               \
    SHORT_ROWS_FUNCTION(function, 5)                                                               \
    SHORT_ROWS_FUNCTION(function, 6)                                                               \
    SHORT_ROWS_FUNCTION(function, 7)                                                               \
    SHORT_ROWS_FUNCTION(function, 8)                                                               \
    static bool short_rows_run(const struct rows *rows)                                            \
    {                                                                                              \
        static void (*const functions[SHORT_VECTORS])(const struct rows *, struct part, bool) = {  \
            function##_1, function##_2, function##_3, function##_4,                                \
            function##_5, function##_6, function##_7, function##_8};                               \
        /* Streamed stores are of whole lines, which no two rows share. */                         \
        const bool is_streamed = rows_exceed_caches(rows->call) &&                                 \
                                 rows->length * REAL_BYTES % SWEEP_LINE_BYTES == 0 &&              \
                                 (uintptr_t)rows->out % SWEEP_LINE_BYTES == 0;                     \
        const long vectors = ceil_divide(rows->length, VLEN);                                      \
        if (vectors < 1 || vectors > SHORT_VECTORS)                                                \
            return false;                                                                          \
        functions[vectors - 1](rows, rows_share(rows->call, rows->count, rows->length).rows,       \
                               is_streamed);                                                       \
        if (is_streamed)                                                                           \
            vec_stream_fence();                                                                    \
        return true;                                                                               \
    }

#endif
#endif
