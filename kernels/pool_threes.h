// pool_threes.h - windows of 3 x 3 that begin at every pixel, padded by one, of planes whose rows
// are a vector or longer: each input row is joined along its columns in registers, once for those
// output rows of a call that see it.
//
// Included by pool.h, which says what join() is.
#ifndef ROOFLINE_POOL_THREES_H
#define ROOFLINE_POOL_THREES_H

#include "lanes.h"
#include "lengths.h"
#include "team.h"
#include "vec.h"

/* What all vectors of columns have in common. */
struct threes {
    const real *plane; /* h x w */
    long h, w;
    vec neutral;
    /* Of a mean: what the sum of three or, at the border, two rows is divided by, and the factor of
     * the columns at the border. */
    real scale[2];
    real border;
};

/* The join of three neighbours in a row: columns before the first and behind the last are neutral.
 */
ALWAYS_INLINE vec join_three(const bool first, const bool last, const real *at, vec neutral)
{
    const vec middle = vec_load(at);
    vec left, right;
    if (first)
        left = LANES_OF_TWO(neutral, middle, VLEN - 1, 1);
    else
        left = vec_load(at - 1);
    if (last)
        right = LANES_OF_TWO(middle, neutral, 1, 1);
    else
        right = vec_load(at + 1);
    return join(join(left, middle), right);
}

/* A vector of columns of output rows [rows.begin, rows.end), from column x on. */
ALWAYS_INLINE void pool_columns(const bool first, const bool last, const struct threes *threes,
                                struct part rows, long x, real *to)
{
    const long w = threes->w;
    const real *at = threes->plane + rows.begin * w + x;
    real lanes[VLEN];
    for (int i = 0; i < VLEN; i++)
        lanes[i] = (first && i == 0) || (last && i == VLEN - 1) ? threes->border : 1;
    const vec factor = vec_load(lanes);
    vec above = threes->neutral;
    if (rows.begin > 0)
        above = join_three(first, last, at - w, threes->neutral);
    vec level = join_three(first, last, at, threes->neutral);
    for (long y = rows.begin; y < rows.end; y++, at += w, to += w) {
        const bool at_border = y == 0 || y == threes->h - 1;
        vec below = threes->neutral;
        if (y + 1 < threes->h)
            below = join_three(first, last, at + w, threes->neutral);
        vec value = join(join(above, level), below);
        if (MEAN)
            value *= vec_all(threes->scale[at_border]) * factor;
        vec_store(to, value);
        above = level;
        level = below;
    }
}

/* Output rows [rows.begin, rows.end) of a plane, one after the other at `to`. */
static void pool_threes(const struct threes *threes, struct part rows, real *to)
{
    const long last = threes->w - VLEN;
    if (last == 0) {
        pool_columns(true, true, threes, rows, 0, to);
        return;
    }
    pool_columns(true, false, threes, rows, 0, to);
    for (long x = VLEN; x < last; x += VLEN)
        pool_columns(false, false, threes, rows, x, to + x);
    pool_columns(false, true, threes, rows, last, to + last);
}

#endif
