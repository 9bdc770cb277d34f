// resize_axis.h - one axis of Resize: which input lines each output line is made of.
#ifndef ROOFLINE_RESIZE_AXIS_H
#define ROOFLINE_RESIZE_AXIS_H

#include "arena.h"
#include "error.h"

#include <stdbool.h>

enum resize_mode { RESIZE_NEAREST, RESIZE_LINEAR, RESIZE_CUBIC };

/* Where output line x lies in the input, as ONNX names it:
 * https://onnx.ai/onnx/operators/onnx__Resize.html. tf_half_pixel_for_nn was there up to opset 12.
 */
#define COORDINATES_LIST(X)                                                                        \
    X(half_pixel)                                                                                  \
    X(half_pixel_symmetric)                                                                        \
    X(pytorch_half_pixel)                                                                          \
    X(align_corners)                                                                               \
    X(asymmetric)                                                                                  \
    X(tf_half_pixel_for_nn)                                                                        \
    X(tf_crop_and_resize)

enum coordinates {
#define X(name) COORDINATES_##name,
    COORDINATES_LIST(X)
#undef X
};

/* How a coordinate becomes a line. */
#define ROUNDING_LIST(X) X(round_prefer_floor) X(round_prefer_ceil) X(floor) X(ceil)

enum rounding {
#define X(name) ROUNDING_##name,
    ROUNDING_LIST(X)
#undef X
    /* Of opset 10 and Upsample, which have no word for it: up to fewer lines, down to more. */
    ROUNDING_by_direction,
};

struct resize_rule {
    enum resize_mode mode;
    enum coordinates coordinates;
    enum rounding rounding;
    bool antialias;
    bool excludes_outside; /* lines outside have no weight, else that of the line at the edge */
    double cubic_a;
};

struct resize_axis {
    long in, out;
    double scale;      /* out per in, as it was asked for */
    double width;      /* output lines, perhaps not whole */
    double start, end; /* the part that is cropped, of tf_crop_and_resize: 0 and 1 are the edges */
};

/* Tap t of output line i: line[i * count + t], which is inside, and weight[i * count + t]. */
struct resize_taps {
    long count;
    long *line;
    double *weight;
    bool *is_outside; /* of an output line whose coordinate is outside the input, which matters for
                         tf_crop_and_resize only, else false */
};

/* `in` is at least 1 where `out` is. SKIPPED where a line would be made of more lines than there
 * are. Taps are of the arena. */
int resize_taps(const struct resize_rule *rule, const struct resize_axis *axis, struct arena *arena,
                struct resize_taps *taps, struct error *error);

#endif
