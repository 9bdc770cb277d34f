// exps.h - what kernels share that need the exponentials of a row about its maximum: that maximum,
// their sum, and rows so short that several fill a vector. For ISA bodies.
#ifndef ROOFLINE_EXPS_H
#define ROOFLINE_EXPS_H

#include <float.h>

#include "short_rows.h"
#include "vec_math.h"

/* Below every finite number is only -inf, whose exponential about this is 0; about -inf it would be
 * NaN, also where a row has finite elements elsewhere. A row of -inf has a sum of 0: NaN, as by the
 * formula. */
static const real lowest = VEC_IS_F32 ? (real)-FLT_MAX : (real)-DBL_MAX;

ALWAYS_INLINE vec take_larger(vec largest, vec x, vec about)
{
    (void)about;
    return vec_max(x, largest); /* that, where x is NaN: it will be in the sum */
}

ALWAYS_INLINE vec add_exp(vec sum, vec x, vec about)
{
    return sum + vec_exp_nonpositive(x - about);
}

ALWAYS_INLINE vec row_max(const real *x, long count)
{
    const vec start = vec_all(lowest);
    return row_reduce(take_larger, vec_max, start, start, start, x, count);
}

/* Sums of exponentials about different maxima, which stand in place of mean and squares. Milakov
 * and Gimelshein 2018, arXiv:1805.02867. */
static inline struct moments exps_together(struct moments a, struct moments b)
{
    if (a.count == 0)
        return b;
    if (b.count == 0)
        return a;
    double largest = fmax(a.mean, b.mean);
    return (struct moments){a.count + b.count, largest,
                            a.squares * exp(a.mean - largest) + b.squares * exp(b.mean - largest)};
}

static struct moments chunk_exps(const real *x, long count)
{
    vec largest = row_max(x, count);
    vec sum =
        row_reduce(add_exp, fold_add, vec_all(0), largest, vec_all((real)-INFINITY), x, count);
    return (struct moments){(double)count, vec_first(largest), vec_first(sum)};
}

/* Half of what lies `ahead` is asked for in front of the exponentials, which take longer than
 * memory does. */
static inline struct moments row_exps(const real *x, long count, long ahead)
{
    if (ahead > 0)
        row_ask(x + ahead, 0, count / 2);
    struct moments all = {0, 0, 0};
    for (; count > 0; count -= ROW_CHUNK, x += ROW_CHUNK)
        all = exps_together(all, chunk_exps(x, count < ROW_CHUNK ? count : ROW_CHUNK));
    return all;
}

/* ---- rows in registers ---- */

/* The largest element of a row as short_rows.h has it, in every lane. */
ALWAYS_INLINE vec short_max(const vec *x, const int vectors, long last)
{
    vec larger[SHORT_VECTORS];
    UNROLL(SHORT_VECTORS)
    for (int j = 0; j < vectors; j++)
        larger[j] = take_larger(vec_all(lowest), x[j], x[j]);
    larger[vectors - 1] = row_filled(larger[vectors - 1], last, vec_all(lowest));
    return short_fold(vec_max, larger, vectors);
}

/* Of each group of so many neighbouring lanes, in every lane of it. */
ALWAYS_INLINE vec lanes_max(vec x, const int length)
{
    return fold_groups(vec_max, take_larger(vec_all(lowest), x, x), length);
}

/* Rows of `length` elements, a power of two and a constant, that fill a vector together. */
typedef vec lanes_rows(vec x, const int length);

ALWAYS_INLINE void lanes_map(lanes_rows *const function, const struct rows *rows, const int length)
{
    const struct part part = member_part(rows->call->member, rows->count * length, VLEN);
    for (long i = part.begin; i < part.end; i += VLEN) {
        const long lanes = smaller(part.end - i, VLEN);
        vec x = lanes < VLEN ? vec_load_first(rows->x + i, lanes) : vec_load(rows->x + i);
        x = function(x, length);
        if (lanes < VLEN)
            vec_store_first(rows->out + i, x, lanes);
        else
            vec_store(rows->out + i, x);
    }
}

/* False where rows are not like that. */
ALWAYS_INLINE bool lanes_run(lanes_rows *const function, const struct rows *rows)
{
    if (rows->length >= VLEN)
        return false;
    switch (rows->length) {
    case 1:
        return lanes_map(function, rows, 1), true;
    case 2:
        return lanes_map(function, rows, 2), true;
    case 4:
        return lanes_map(function, rows, 4), true;
    case 8:
        return lanes_map(function, rows, 8), true;
    default:
        return false;
    }
}

#endif
