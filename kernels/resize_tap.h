// resize_tap.h - which input lines an output line is made of.
#ifndef ROOFLINE_RESIZE_TAP_H
#define ROOFLINE_RESIZE_TAP_H

enum { NEAREST, BILINEAR };

/* Input lines of an output line, and how much of the second: (1 - weight) low + weight high, so
 * that of two infinities one is left, and not the difference; with a weight of 0 of the first
 * alone. */
struct tap {
    long low, high;
    double weight;
};

/* Of output line i, of `out` made of `in`. Exact: the coordinate, i + 1/2 scaled, less 1/2, is a
 * fraction over 2 out. */
static inline struct tap find_tap(long i, long in, long out, long mode)
{
    const long denominator = 2 * out;
    if (mode == NEAREST) { /* rounded, half down: the ceiling of the coordinate less 1/2 */
        long line = ((2 * i + 1) * in - 1) / denominator;
        return (struct tap){line, line, 0};
    }
    const long numerator = (2 * i + 1) * in - out;
    if (numerator < 0)
        return (struct tap){0, 0, 0};
    const long low = numerator / denominator, rest = numerator % denominator;
    return low + 1 < in ? (struct tap){low, low + 1, (double)rest / (double)denominator}
                        : (struct tap){in - 1, in - 1, 0};
}

#endif
