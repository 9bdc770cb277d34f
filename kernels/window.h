// window.h - a window of r x s taps that is moved over an image: sizes, and how much of it lies
// inside.
#ifndef ROOFLINE_WINDOW_H
#define ROOFLINE_WINDOW_H

#include <math.h>

#include "team.h"

/* Output rows or columns; less than 1 when the window does not fit the padded image. */
static inline long output_size(long in, long window, long stride, long pad, long dilation)
{
    long room = in + 2 * pad - dilation * (window - 1) - 1;
    return room < 0 ? 0 : room / stride + 1;
}

/* The same of a transposed convolution, whose output a window is moved over; less than 1 when
 * nothing is left inside the padding. */
static inline double transposed_size(double in, double window, double stride, double pad,
                                     double output_pad, double dilation)
{
    return (in - 1) * stride - 2 * pad + dilation * (window - 1) + 1 + output_pad;
}

#ifndef ISA

/* Pairs of one of `lines` places of the window and one of its lines that meet inside an image. */
static inline double pairs_inside(double lines, double image, double window, double stride,
                                  double pad, double dilation)
{
    double pairs = 0;
    for (double i = 0; i < window; i++) {
        double offset = i * dilation - pad;
        double first = offset < 0 ? ceil(-offset / stride) : 0;
        double last = fmin(lines - 1, floor((image - 1 - offset) / stride));
        pairs += fmax(0, last - first + 1);
    }
    return pairs;
}

/* Pairs of an output line and a window line that meet inside the image. */
static inline double taps_inside(double in, double window, double stride, double pad,
                                 double dilation)
{
    const double lines =
        (double)output_size((long)in, (long)window, (long)stride, (long)pad, (long)dilation);
    return pairs_inside(lines, in, window, stride, pad, dilation);
}

/* Input rows that any output row uses: a stride larger than the window steps over some. */
static inline double lines_used(double in, double window, double stride, double pad,
                                double dilation)
{
    double used = 0, lines = (double)output_size((long)in, (long)window, (long)stride, (long)pad,
                                                 (long)dilation);
    for (double line = 0; line < in; line++)
        for (double i = 0; i < window; i++) {
            double from = (line + pad - i * dilation) / stride;
            if (from >= 0 && from < lines && from == floor(from)) {
                used++;
                break;
            }
        }
    return used;
}

#endif
/* Of what is not negative; the divisor is 1 almost always, and a division takes as long as a row of
 * a small image. */
static inline long quotient(long dividend, long divisor)
{
    return divisor == 1 ? dividend : dividend / divisor;
}

/* The taps [begin, end) of a line that are inside the image, for the output line whose first tap is
 * at `first`. */
static inline struct part taps_in_image(long first, long taps, long dilation, long lines)
{
    long begin = first < 0 ? quotient(-first + dilation - 1, dilation) : 0;
    long end = first < lines ? quotient(lines - 1 - first, dilation) + 1 : 0;
    end = end < taps ? end : taps;
    return (struct part){begin < end ? begin : end, end};
}

#endif
