// padded_row.h - a row of an image between its padding, as neighbouring output pixels read it.
//
// Included by ISA bodies.
#ifndef ROOFLINE_PADDED_ROW_H
#define ROOFLINE_PADDED_ROW_H

#include <string.h>

#include "convolution.h"
#include "interleave.h"

/* `count` elements, every second one of `from`; of the elements between, none behind the last. */
static inline void copy_every_second(real *to, const real *from, long count)
{
    long i = 0;
#if VLEN > 1
    for (; i + VLEN < count; i += VLEN)
        vec_store(to + i, first_of_pairs(vec_load(from + 2 * i), vec_load(from + 2 * i + VLEN)));
#endif
    for (; i < count; i++)
        to[i] = from[2 * i];
}

/* `row` elements: the columns x, x + step, x + 2 step ... lie side by side, phase x % step begins
 * at phase * pitch. Phases that no tap reads are left as they are. */
static inline void padded_row(const struct axis *columns, long pitch, long row, const real *from,
                              real *to)
{
    const long step = columns->step, lead = -columns->lowest;
    for (long phase = 0; phase * pitch < row && phase <= columns->reach; phase++, to += pitch) {
        /* Places [first, last) of this phase are inside the image. */
        long last = ceil_divide(columns->in + lead - phase, step);
        last = last > pitch ? pitch : last < 0 ? 0 : last;
        long first = ceil_divide(lead - phase, step);
        first = first > last ? last : first < 0 ? 0 : first;
        const real *inside = from + first * step + phase - lead;
        memset(to, 0, (size_t)first * sizeof *to);
        if (step == 1)
            memcpy(to + first, inside, (size_t)(last - first) * sizeof *to);
        else if (step == 2)
            copy_every_second(to + first, inside, last - first);
        else
            for (long i = first; i < last; i++)
                to[i] = inside[(i - first) * step];
        memset(to + last, 0, (size_t)(pitch - last) * sizeof *to);
    }
}

#endif
