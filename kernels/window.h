// window.h - a window of r x s taps that is moved over an image: sizes, and how much of it lies
// inside.
#ifndef ROOFLINE_WINDOW_H
#define ROOFLINE_WINDOW_H

#include <math.h>
#include <stdbool.h>

#include "team.h"

/* Letters of a kernel with the letters stride, pad and dilation, for windows that do not move, or
 * are not padded, the same in all directions. */
#define WINDOW_LETTERS(X)                                                                          \
    X(stride_w, 0, 0, "the stride of columns alone; 0: that of rows", .is_rare = true)             \
    X(dilation_w, 0, 0, "the dilation of columns alone; 0: that of rows", .is_rare = true)         \
    X(top, 0, 0, "pad of the first rows beyond pad", .is_rare = true)                              \
    X(bottom, 0, 0, "pad of the last rows beyond pad", .is_rare = true)                            \
    X(left, 0, 0, "pad of the first columns beyond pad", .is_rare = true)                          \
    X(right, 0, 0, "pad of the last columns beyond pad", .is_rare = true)

/* How a window goes along one dimension of an image. */
struct slide {
    long in, taps; /* lines of the image and of the window */
    long stride, dilation;
    long before, after; /* lines of padding */
};

/* Rows and columns by the letters h and r, w and s, and those above; letter(name) is the value of
 * one. */
#define ROW_SLIDE(letter)                                                                          \
    ((struct slide){.in = letter(h),                                                               \
                    .taps = letter(r),                                                             \
                    .stride = letter(stride),                                                      \
                    .dilation = letter(dilation),                                                  \
                    .before = letter(pad) + letter(top),                                           \
                    .after = letter(pad) + letter(bottom)})
#define COLUMN_SLIDE(letter)                                                                       \
    ((struct slide){.in = letter(w),                                                               \
                    .taps = letter(s),                                                             \
                    .stride = letter(stride_w) ? letter(stride_w) : letter(stride),                \
                    .dilation = letter(dilation_w) ? letter(dilation_w) : letter(dilation),        \
                    .before = letter(pad) + letter(left),                                          \
                    .after = letter(pad) + letter(right)})

/* Of a shape of the kernel in whose file it stands. */
#define SHAPE_LETTER(name) shape->value[LETTER_##name]

/* Output rows or columns; less than 1 when the window does not fit the padded image. */
static inline long slide_places(const struct slide *slide)
{
    const long room =
        slide->in + slide->before + slide->after - slide->dilation * (slide->taps - 1) - 1;
    return room < 0 ? 0 : room / slide->stride + 1;
}

/* The same of a transposed convolution, whose output a window is moved over; less than 1 when
 * nothing is left inside the padding. */
static inline double slide_transposed(const struct slide *slide, double output_pad)
{
    return (double)(slide->in - 1) * (double)slide->stride - (double)slide->before -
           (double)slide->after + (double)slide->dilation * (double)(slide->taps - 1) + 1 +
           output_pad;
}

#ifndef ISA

/* Whether the window fits the padded image, whatever the letters are. */
static inline bool slide_fits(const struct slide *slide)
{
    return (double)slide->dilation * (double)(slide->taps - 1) + 1 <=
           (double)slide->in + (double)slide->before + (double)slide->after;
}

/* Pairs of one of `places` of the window and one of its lines that meet inside an image. */
static inline double slide_pairs(const struct slide *slide, double places, double image)
{
    const double stride = (double)slide->stride;
    double pairs = 0;
    for (long tap = 0; tap < slide->taps; tap++) {
        const double offset = (double)(tap * slide->dilation - slide->before);
        const double first = offset < 0 ? ceil(-offset / stride) : 0;
        const double last = fmin(places - 1, floor((image - 1 - offset) / stride));
        pairs += fmax(0, last - first + 1);
    }
    return pairs;
}

/* Pairs of an output line and a window line that meet inside the image. */
static inline double slide_taps(const struct slide *slide)
{
    return slide_pairs(slide, (double)slide_places(slide), (double)slide->in);
}

/* Input lines that any output line uses: a stride larger than the window steps over some. */
static inline double slide_used(const struct slide *slide)
{
    const long places = slide_places(slide);
    double used = 0;
    for (long line = 0; line < slide->in; line++)
        for (long tap = 0; tap < slide->taps; tap++) {
            const long from = line + slide->before - tap * slide->dilation;
            if (from >= 0 && from % slide->stride == 0 && from / slide->stride < places) {
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
