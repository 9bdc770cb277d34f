// shift.h - how far apart two things are that were measured in pairs, and what may be said of it.
//
// Of each process the median of the paired log ratios is one value: processes differ in the layout
// of memory and code, rounds within one do not. Over the values the estimate is Hodges and
// Lehmann's, the interval that of the signed-rank test, exact for symmetric distributions of any
// shape (Hollander, Wolfe and Chicken, Nonparametric Statistical Methods, 3rd ed., section 3.3,
// doi:10.1002/9781119196037).
#ifndef ROOFLINE_SHIFT_H
#define ROOFLINE_SHIFT_H

#include <stddef.h>

/* Values that a shift may be of, at most. */
enum { SHIFT_VALUES_MAX = 64 };

struct shift {
    double estimate;   /* the median of all means of two values, each with itself as well */
    double low, high;  /* infinite where so few values allow no interval */
    double confidence; /* that the interval has: as asked for or more, as ranks are whole; 1 where
                          infinite */
};

/* Of 1 to SHIFT_VALUES_MAX finite values; `confidence` in (0, 1). */
struct shift shift_of(const double *values, size_t count, double confidence);

enum change { CHANGE_SAME, CHANGE_FASTER, CHANGE_SLOWER, CHANGE_UNSURE };

/* What a shift of log(new time / old time) says with a margin, 0.03 for 3 %. Slower: the interval
 * is above 0 and the estimate reaches log(1 + margin); faster: the same of old / new. The same: the
 * interval lies within both. Else unsure: more values may tell. */
enum change shift_change(const struct shift *shift, double margin);

#endif
