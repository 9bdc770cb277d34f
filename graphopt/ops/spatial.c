// spatial.c - windows over images: attributes and sizes.
#include "spatial.h"

#include "lengths.h"
#include "operands.h"
#include "window.h"

int spatial_auto_pad(const struct node *node, enum auto_pad *auto_pad, struct error *error)
{
    static const char *const words[] = {"NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID", NULL};
    int which;
    const int result = word_read(node, "auto_pad", words, &which, error);
    *auto_pad = (enum auto_pad)which;
    return result;
}

int spatial_list(const struct node *node, const char *name, int length, long fallback, long least,
                 long *values, struct error *error)
{
    int count;
    const long *list = node_integers(node, name, &count);
    for (int i = 0; i < length; i++)
        values[i] = fallback;
    if (!list)
        return OK;
    if (count != length)
        return error_set(error, FAULT_IO, "'%s' has %d numbers; there have to be %d", name, count,
                         length);
    for (int i = 0; i < count; i++) {
        if (list[i] < least || list[i] > LINES_MAX)
            return error_set(error, FAULT_IO, "'%s' has a %ld; it may be %ld to %d", name, list[i],
                             least, LINES_MAX);
        values[i] = list[i];
    }
    return OK;
}

/* Padding of a dim so that the output has ceil(in / stride) lines; an odd one is before the image
 * for SAME_LOWER. */
static void pad_to_same(struct spatial *spatial, int i, bool more_before)
{
    const long reach = (spatial->window[i] - 1) * spatial->dilation[i] + 1;
    const long out = (spatial->in[i] + spatial->stride[i] - 1) / spatial->stride[i];
    const long needed = (out - 1) * spatial->stride[i] + reach - spatial->in[i];
    const long pad = needed > 0 ? needed : 0;
    spatial->before[i] = more_before ? (pad + 1) / 2 : pad / 2;
    spatial->after[i] = pad - spatial->before[i];
}

static int find_size(struct spatial *spatial, int i, bool ceil_mode, struct error *error)
{
    const long stride = spatial->stride[i], window = spatial->window[i];
    spatial->out[i] = -1;
    if (spatial->in[i] < 0 || window < 0)
        return OK;
    const long room = spatial->in[i] + spatial->before[i] + spatial->after[i] -
                      (window - 1) * spatial->dilation[i] - 1;
    if (room < 0 && !(ceil_mode && room > -stride))
        return error_set(error, FAULT_IO,
                         "a window of %ld lines %ld apart does not fit an image of %ld lines with "
                         "%ld of padding",
                         window, spatial->dilation[i], spatial->in[i],
                         spatial->before[i] + spatial->after[i]);
    spatial->out[i] = (ceil_mode ? room + stride - 1 : room) / stride + 1;
    if (ceil_mode && (spatial->out[i] - 1) * stride >= spatial->in[i] + spatial->before[i])
        spatial->out[i]--;
    return OK;
}

int spatial_read(struct spatial *spatial, const struct node *node, int rank, const long *in,
                 const long *window, struct error *error)
{
    enum auto_pad auto_pad;
    long pads[2 * RANK_MAX];
    if (spatial_auto_pad(node, &auto_pad, error) != OK)
        return FAILED;
    const bool explicit = auto_pad == AUTO_PAD_NOTSET;
    *spatial = (struct spatial){.rank = rank,
                                .is_padded_by_size = !explicit && auto_pad != AUTO_PAD_VALID};
    if (spatial_list(node, "strides", rank, 1, 1, spatial->stride, error) != OK ||
        spatial_list(node, "dilations", rank, 1, 1, spatial->dilation, error) != OK ||
        spatial_list(node, "pads", 2 * rank, 0, 0, pads, error) != OK)
        return FAILED;
    for (int i = 0; i < rank; i++) {
        spatial->in[i] = in[i];
        spatial->window[i] = window[i];
        if (window[i] != -1 && (window[i] < 1 || window[i] > LINES_MAX))
            return error_set(error, FAULT_IO, "a window of %ld lines is not possible", window[i]);
        spatial->before[i] = explicit ? pads[i] : 0;
        spatial->after[i] = explicit ? pads[rank + i] : 0;
        if (spatial->is_padded_by_size && in[i] >= 0 && window[i] >= 0)
            pad_to_same(spatial, i, auto_pad == AUTO_PAD_SAME_LOWER);
        if (find_size(spatial, i, node_integer(node, "ceil_mode", 0) != 0, error) != OK)
            return FAILED;
    }
    return OK;
}

/* ---- kernels ---- */

bool spatial_passes_over(const struct spatial *spatial, int i)
{
    return spatial->window[i] == 1 && spatial->stride[i] == 1 && spatial->before[i] == 0 &&
           spatial->out[i] == spatial->in[i];
}

/* Dim i goes to place `to`. */
static void move_dim(struct spatial *spatial, int to, int i)
{
    spatial->in[to] = spatial->in[i];
    spatial->window[to] = spatial->window[i];
    spatial->out[to] = spatial->out[i];
    spatial->stride[to] = spatial->stride[i];
    spatial->dilation[to] = spatial->dilation[i];
    spatial->before[to] = spatial->before[i];
    spatial->after[to] = spatial->after[i];
}

/* Dim i with that behind it: lines of the one are as many of the other further apart. */
static void join_dims(struct spatial *spatial, int i)
{
    const long lines = spatial->in[i + 1];
    spatial->in[i] *= lines;
    spatial->out[i] *= lines;
    spatial->dilation[i] *= lines;
    spatial->before[i] *= lines;
    spatial->after[i] *= lines;
    for (int k = i + 1; k + 1 < spatial->rank; k++)
        move_dim(spatial, k, k + 1);
    spatial->rank--;
}

static bool can_join(const struct spatial *spatial, int i)
{
    const long most = ELEMENTS_MAX / greater(spatial->in[i + 1], 1);
    return spatial->stride[i] == 1 && spatial_passes_over(spatial, i + 1) &&
           spatial->dilation[i] <= most && spatial->before[i] <= most && spatial->after[i] <= most;
}

void spatial_join(struct spatial *spatial)
{
    for (int i = spatial->rank - 2; i >= 0 && spatial->rank > 2; i--)
        if (can_join(spatial, i))
            join_dims(spatial, i);
}

struct spatial spatial_part(const struct spatial *spatial, int first, int count)
{
    struct spatial part = *spatial;
    part.rank = count;
    for (int i = 0; i < count; i++)
        move_dim(&part, i, first + i);
    return part;
}

int spatial_image(struct spatial *spatial, struct error *error)
{
    spatial_join(spatial);
    if (spatial->rank > 2)
        return error_skip(error, "the kernel has images of two dimensions");
    if (spatial->rank == 1) {
        move_dim(spatial, 1, 0);
        spatial->rank = 2;
        spatial->in[0] = spatial->window[0] = spatial->out[0] = 1;
        spatial->before[0] = spatial->after[0] = 0;
    }
    return OK;
}

void spatial_letters(const struct spatial *spatial, struct launch *launch)
{
    static const char *const sides[] = {"top", "bottom", "left", "right"};
    const long pads[] = {spatial->before[0], spatial->after[0], spatial->before[1],
                         spatial->after[1]};
    long pad = pads[0];
    launch_letter(launch, "h", spatial->in[0]);
    launch_letter(launch, "w", spatial->in[1]);
    launch_letter(launch, "r", spatial->window[0]);
    launch_letter(launch, "s", spatial->window[1]);
    launch_letter(launch, "stride", spatial->stride[0]);
    launch_letter(launch, "dilation", spatial->dilation[0]);
    if (spatial->stride[1] != spatial->stride[0])
        launch_letter(launch, "stride_w", spatial->stride[1]);
    if (spatial->dilation[1] != spatial->dilation[0])
        launch_letter(launch, "dilation_w", spatial->dilation[1]);
    for (int i = 1; i < 4; i++)
        pad = pads[i] < pad ? pads[i] : pad;
    launch_letter(launch, "pad", pad);
    for (int i = 0; i < 4; i++)
        launch_letter(launch, sides[i], pads[i] - pad);
}
