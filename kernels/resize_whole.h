// resize_whole.h - images of another size whose pixels are whole lines of the caches: they are
// written where they belong, past the caches where these do not hold the images.
//
// Included by ISA bodies.
#ifndef ROOFLINE_RESIZE_WHOLE_H
#define ROOFLINE_RESIZE_WHOLE_H

#include <stdbool.h>
#include <stdint.h>

#include "fetch.h"
#include "image.h"
#include "kernel.h"
#include "resize_tap.h"
#include "vec.h"

ALWAYS_INLINE vec between(vec low, vec high, double weight)
{
    if (weight == 0)
        return low;
    return vec_all((real)(1 - weight)) * low + vec_all((real)weight) * high;
}

/* Planes of h x w pixels of `inner` elements, to be p x q. */
struct whole {
    const real *input;
    const struct tap *columns; /* of q */
    real *blended;             /* room for a row of the input */
    long h, w, p, q, mode, inner;
};

/* `count` elements between those of two rows, or the first of them where nothing is between. */
static const real *blend_rows(const real *low, const real *high, double weight, long count,
                              real *to)
{
    if (weight == 0)
        return low;
    for (long i = 0; i < count; i += VLEN)
        vec_store(to + i, between(vec_load(low + i), vec_load(high + i), weight));
    return to;
}

/* An output row of whole pixels, each from the two neighbours in a row that is blended already. */
ALWAYS_INLINE void resize_whole_row(const bool stream, const struct whole *whole, const real *from,
                                    struct fetch *next, long lines, real *to)
{
    const long inner = whole->inner;
    const struct tap *column = whole->columns, *const end = column + whole->q;
    for (; column < end; column++, to += inner) {
        const real *const left = from + column->low * inner;
        const real *const right = from + column->high * inner;
        const vec first = vec_all((real)(1 - column->weight)),
                  second = vec_all((real)column->weight);
        fetch_more(next, lines);
        if (column->weight == 0)
            for (long i = 0; i < inner; i += VLEN)
                write_vector(stream, to + i, vec_load(left + i));
        else
            for (long i = 0; i < inner; i += VLEN)
                write_vector(stream, to + i,
                             first * vec_load(left + i) + second * vec_load(right + i));
    }
}

/* The same from the four neighbours in two rows, where few of them would be used twice. */
ALWAYS_INLINE void resize_whole_corners(const bool stream, const struct whole *whole,
                                        const real *low, const real *high, double down,
                                        struct fetch *next, long lines, real *to)
{
    const long inner = whole->inner;
    const vec upper = vec_all((real)(1 - down)), lower = vec_all((real)down);
    const struct tap *column = whole->columns, *const end = column + whole->q;
    for (; column < end; column++, to += inner) {
        const long left = column->low * inner, right = column->high * inner;
        const vec first = vec_all((real)(1 - column->weight)),
                  second = vec_all((real)column->weight);
        fetch_more(next, lines);
        if (column->weight == 0)
            for (long i = 0; i < inner; i += VLEN)
                write_vector(stream, to + i,
                             upper * vec_load(low + left + i) + lower * vec_load(high + left + i));
        else
            for (long i = 0; i < inner; i += VLEN) {
                const vec above =
                    first * vec_load(low + left + i) + second * vec_load(low + right + i);
                const vec below =
                    first * vec_load(high + left + i) + second * vec_load(high + right + i);
                write_vector(stream, to + i, upper * above + lower * below);
            }
    }
}

/* Rows of the output, counted through all planes. */
ALWAYS_INLINE void resize_whole_rows(const bool stream, const struct whole *whole, struct part part,
                                     real *to)
{
    const long h = whole->h, p = whole->p, pitch = whole->w * whole->inner;
    for (long row = part.begin; row < part.end; row++, to += whole->q * whole->inner) {
        const struct tap tap = find_tap(row % p, h, p, whole->mode);
        const real *const plane = whole->input + row / p * h * pitch;
        const real *const low = plane + tap.low * pitch, *const high = plane + tap.high * pitch;
        /* Stores to memory and loads from it go on together: of what the next row reads, or, where
         * that has been read, of what comes then. */
        const struct tap then = find_tap((row + 1) % p, h, p, whole->mode);
        const real *const due = whole->input + ((row + 1) / p * h + then.low) * pitch;
        const bool is_new = due > high;
        const long rows = stream ? 1 + (is_new && then.weight != 0) : 0;
        const long lines = rows * pitch / whole->q / LINE + 1; /* with each pixel */
        struct fetch next = fetch_block(is_new ? due : high + pitch, rows, pitch, pitch);
        if (tap.weight != 0 && whole->w >= 2 * whole->q)
            resize_whole_corners(stream, whole, low, high, tap.weight, &next, lines, to);
        else
            resize_whole_row(stream, whole,
                             blend_rows(low, high, tap.weight, pitch, whole->blended), &next, lines,
                             to);
    }
}

/* Rows [part.begin, part.end) of all of the output, which begins at `out`. */
static void resize_whole(const struct whole *whole, struct part part, bool stream, real *out)
{
    real *const to = out + part.begin * whole->q * whole->inner;
    if (!stream || (uintptr_t)to % sizeof(vec) > 0) {
        resize_whole_rows(false, whole, part, to);
        return;
    }
    resize_whole_rows(true, whole, part, to);
    vec_stream_fence();
}

#endif
