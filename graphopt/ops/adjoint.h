// adjoint.h - where the taps of a window come from when it is moved over the output: transposed
// convolutions, columns folded into images.
#ifndef ROOFLINE_ADJOINT_H
#define ROOFLINE_ADJOINT_H

#include "spatial.h"

/* The input place whose window has that tap on that output place, as an offset in a plane of the
 * input; -1: none. Line y of the input and tap i meet at output line y * stride + i * dilation -
 * before. */
static inline long adjoint_offset(const struct spatial *spatial, const long *place, const long *tap)
{
    long offset = 0;
    for (int i = 0; i < spatial->rank; i++) {
        const long line = place[i] + spatial->before[i] - tap[i] * spatial->dilation[i];
        if (line < 0 || line % spatial->stride[i] != 0 ||
            line / spatial->stride[i] >= spatial->in[i])
            return -1;
        offset = offset * spatial->in[i] + line / spatial->stride[i];
    }
    return offset;
}

#endif
