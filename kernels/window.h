// window.h - a window of r x s taps that is moved over an image: sizes, and how much of it lies
// inside.
#ifndef ROOFLINE_WINDOW_H
#define ROOFLINE_WINDOW_H

#include <math.h>

/* Output rows or columns; less than 1 when the window does not fit the padded image. */
static inline long output_size(long in, long window, long stride, long pad, long dilation)
{
    long room = in + 2 * pad - dilation * (window - 1) - 1;
    return room < 0 ? 0 : room / stride + 1;
}

#ifndef ISA

/* Pairs of an output line and a window line that meet inside the image. */
static inline double taps_inside(double in, double window, double stride, double pad,
                                 double dilation)
{
    double pairs = 0, lines = (double)output_size((long)in, (long)window, (long)stride, (long)pad,
                                                  (long)dilation);
    for (double i = 0; i < window; i++) {
        double offset = i * dilation - pad;
        double first = offset < 0 ? ceil(-offset / stride) : 0;
        double last = fmin(lines - 1, floor((in - 1 - offset) / stride));
        pairs += fmax(0, last - first + 1);
    }
    return pairs;
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
#endif
