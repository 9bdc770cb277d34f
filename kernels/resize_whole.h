// resize_whole.h - images of another size whose pixels are whole lines of the caches: they are
// written where they belong, past the caches where these do not hold the images.
//
// Included by ISA bodies.
#ifndef ROOFLINE_RESIZE_WHOLE_H
#define ROOFLINE_RESIZE_WHOLE_H

#include "fetch.h"
#include "resize_tap.h"
#include "vec.h"

/* Planes of h x w pixels of `inner` elements, to be p x q. */
struct whole {
    const real *input;
    const struct tap *columns; /* of q */
    real *blended;             /* room for a row of the input */
    long h, w, p, q, mode, inner;
};

ALWAYS_INLINE void write_vector(const bool stream, real *to, vec value)
{
    if (stream)
        vec_stream(to, value);
    else
        vec_store(to, value);
}

/* `count` elements between those of two rows, or the first of them where nothing is between. */
static const real *blend_rows(const real *low, const real *high, double weight, long count,
                              real *to)
{
    if (weight == 0)
        return low;
    const vec down = vec_all((real)weight);
    for (long i = 0; i < count; i += VLEN) {
        const vec a = vec_load(low + i);
        vec_store(to + i, a + down * (vec_load(high + i) - a));
    }
    return to;
}

/* An output row of whole pixels, each from the two neighbours in a row that is blended already. */
ALWAYS_INLINE void resize_whole_row(const bool stream, const struct whole *whole, const real *from,
                                    struct fetch *next, long lines, real *to)
{
    const long inner = whole->inner;
    const struct tap *column = whole->columns, *const end = column + whole->q;
    for (; column < end; column++, to += inner) {
        const real *const left = from + column->low * inner, *const right =
                                                                 from + column->high * inner;
        const vec across = vec_all((real)column->weight);
        fetch_more(next, lines, false);
        if (column->weight == 0)
            for (long i = 0; i < inner; i += VLEN)
                write_vector(stream, to + i, vec_load(left + i));
        else
            for (long i = 0; i < inner; i += VLEN) {
                const vec a = vec_load(left + i);
                write_vector(stream, to + i, a + across * (vec_load(right + i) - a));
            }
    }
}

/* The same from the four neighbours in two rows, where few of them would be used twice. */
ALWAYS_INLINE void resize_whole_corners(const bool stream, const struct whole *whole,
                                        const real *low, const real *high, vec down,
                                        struct fetch *next, long lines, real *to)
{
    const long inner = whole->inner;
    const struct tap *column = whole->columns, *const end = column + whole->q;
    for (; column < end; column++, to += inner) {
        const long left = column->low * inner, right = column->high * inner;
        const vec across = vec_all((real)column->weight);
        fetch_more(next, lines, false);
        for (long i = 0; i < inner; i += VLEN) {
            const vec a = vec_load(low + left + i), b = vec_load(high + left + i);
            vec above = a, below = b;
            if (column->weight != 0) { /* else an infinity would not vanish */
                above += across * (vec_load(low + right + i) - a);
                below += across * (vec_load(high + right + i) - b);
            }
            write_vector(stream, to + i, above + down * (below - above));
        }
    }
}

/* Rows of the output, counted through all planes. */
ALWAYS_INLINE void resize_whole_rows(const bool stream, const struct whole *whole, struct part part,
                                     real *to)
{
    const long h = whole->h, p = whole->p, pitch = whole->w * whole->inner;
    const long due = h > p ? h / p * pitch : pitch; /* of the input by the next row */
    for (long row = part.begin; row < part.end; row++, to += whole->q * whole->inner) {
        const struct tap tap = find_tap(row % p, h, p, whole->mode);
        const real *const plane = whole->input + row / p * h * pitch;
        const real *const low = plane + tap.low * pitch, *const high = plane + tap.high * pitch;
        /* Stores to memory and loads from it go on together. */
        struct fetch next = fetch_block(high + pitch, stream, due, due);
        const long lines = due / whole->q / LINE + 1;
        if (tap.weight != 0 && whole->w >= 2 * whole->q)
            resize_whole_corners(stream, whole, low, high, vec_all((real)tap.weight), &next, lines,
                                 to);
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
