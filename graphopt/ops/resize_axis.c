// resize_axis.c - one axis of Resize: coordinates and weights.
#include "resize_axis.h"

#include <math.h>
#include <stddef.h>

/* Farther than any line; what is beyond is at the edge. */
static const double far_lines = 0x1p50;

/* x output lines as input lines. What the scale, a float, rounds to is taken for the ratio of the
 * sizes itself, so that coordinates that should be whole are; for the nearest line those of other
 * scales are rounded to a float, as 0.7 or 1/3 as a float would miss them else. */
static double scaled(const struct resize_rule *rule, const struct resize_axis *axis, double x)
{
    const double ratio = (double)axis->out / (double)axis->in;
    if ((float)ratio == (float)axis->scale)
        return x * (double)axis->in / (double)axis->out;
    return rule->mode == RESIZE_NEAREST ? (double)((float)x / (float)axis->scale) : x / axis->scale;
}

static double coordinate(const struct resize_rule *rule, const struct resize_axis *axis, double x)
{
    const double in = (double)axis->in, last = in - 1;
    switch (rule->coordinates) {
    case COORDINATES_half_pixel:
        return scaled(rule, axis, x + 0.5) - 0.5;
    case COORDINATES_half_pixel_symmetric:
        return in / 2 * (1 - (double)axis->out / axis->width) + scaled(rule, axis, x + 0.5) - 0.5;
    case COORDINATES_pytorch_half_pixel:
        return axis->out > 1 ? scaled(rule, axis, x + 0.5) - 0.5 : 0;
    case COORDINATES_align_corners:
        return axis->width == 1 ? 0 : x * last / (axis->width - 1);
    case COORDINATES_tf_half_pixel_for_nn:
        return scaled(rule, axis, x + 0.5);
    case COORDINATES_tf_crop_and_resize:
        return axis->width == 1
                   ? (axis->start + axis->end) / 2 * last
                   : axis->start * last + x * (axis->end - axis->start) * last / (axis->width - 1);
    default:
        return scaled(rule, axis, x);
    }
}

static double nearest(const struct resize_rule *rule, const struct resize_axis *axis, double x)
{
    switch (rule->rounding) {
    case ROUNDING_round_prefer_floor:
        return ceil(x - 0.5);
    case ROUNDING_round_prefer_ceil:
        return floor(x + 0.5);
    case ROUNDING_floor:
        return floor(x);
    case ROUNDING_ceil:
        return ceil(x);
    default:
        return axis->scale < 1 ? ceil(x) : floor(x);
    }
}

/* Weight of a line so far from the coordinate. The cubic one is equation 4 of Keys 1981,
 * doi:10.1109/TASSP.1981.1163711. */
static double weight_at(const struct resize_rule *rule, double distance)
{
    const double x = fabs(distance), a = rule->cubic_a;
    if (rule->mode == RESIZE_LINEAR)
        return x < 1 ? 1 - x : 0;
    if (x <= 1)
        return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

/* Taps of output line i, at coordinate x; `stretch` input lines are one of the weights'. */
static void weigh(const struct resize_rule *rule, const struct resize_axis *axis, double x,
                  double stretch, long i, const struct resize_taps *taps)
{
    const double reach = (rule->mode == RESIZE_CUBIC ? 2 : 1) * stretch;
    const double first = floor(x - reach) + 1;
    long *line = taps->line + i * taps->count;
    double *weight = taps->weight + i * taps->count, sum = 0;
    for (long t = 0; t < taps->count; t++) {
        const double at = first + (double)t;
        const bool is_outside = at < 0 || at > (double)(axis->in - 1);
        line[t] = at < 0 ? 0 : is_outside ? axis->in - 1 : (long)at;
        weight[t] = is_outside && rule->excludes_outside ? 0 : weight_at(rule, (at - x) / stretch);
        sum += weight[t];
    }
    /* Without stretching they add up to 1 as they are. */
    if ((stretch > 1 || rule->excludes_outside) && sum != 0)
        for (long t = 0; t < taps->count; t++)
            weight[t] /= sum;
}

int resize_taps(const struct resize_rule *rule, const struct resize_axis *axis, struct arena *arena,
                struct resize_taps *taps, struct error *error)
{
    const double stretch = rule->antialias && axis->scale < 1 ? 1 / axis->scale : 1;
    const double count =
        rule->mode == RESIZE_NEAREST ? 1 : ceil((rule->mode == RESIZE_CUBIC ? 4 : 2) * stretch);
    if (!(count <= 4 * (double)axis->in + 8))
        return error_skip(error, "an output line would be made of %g lines of an input of %ld",
                          count, axis->in);
    taps->count = (long)count;
    const size_t lines = (size_t)axis->out * (size_t)taps->count;
    taps->line = arena_take_array(arena, lines, sizeof *taps->line);
    taps->weight = arena_take_array(arena, lines, sizeof *taps->weight);
    taps->is_outside = arena_take_array(arena, (size_t)axis->out, sizeof *taps->is_outside);
    if (!taps->line || !taps->weight || !taps->is_outside)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory");
    for (long i = 0; i < axis->out; i++) {
        const double x = fmin(fmax(coordinate(rule, axis, (double)i), -far_lines), far_lines);
        taps->is_outside[i] = rule->coordinates == COORDINATES_tf_crop_and_resize &&
                              !(x >= 0 && x <= (double)(axis->in - 1));
        if (rule->mode == RESIZE_NEAREST) {
            taps->line[i] = (long)fmin(fmax(nearest(rule, axis, x), 0), (double)(axis->in - 1));
            taps->weight[i] = 1;
        } else {
            weigh(rule, axis, x, stretch, i, taps);
        }
    }
    return OK;
}
