// transposed_conv.c - ConvTranspose: the adjoint of Conv, of images of any number of dimensions.
#include "adjoint.h"
#include "epilogue.h"
#include "launches.h"
#include "normalized.h"
#include "operands.h"

/* X (N, C, D...), W (C, K / group, R...), bias (K). */
static int check_operands(const struct site *site, long *group, struct error *error)
{
    const struct type x = site_type(site, 0), w = site_type(site, 1), bias = site_type(site, 2);
    *group = node_integer(site->node, "group", 1);
    if (*group < 1 || *group > LINES_MAX)
        return error_set(error, FAULT_IO, "'group' is %ld; it has to be 1 to %d", *group,
                         LINES_MAX);
    if (check_real(site, 0, error) != OK || elements_agree(x.element, w.element, error) != OK ||
        elements_agree(x.element, bias.element, error) != OK)
        return FAILED;
    if ((x.rank >= 0 && x.rank < 3) || (w.rank >= 0 && w.rank < 3))
        return error_set(error, FAULT_IO, "input and weights need at least 3 dimensions");
    if (x.rank >= 0 && w.rank >= 0 && x.rank != w.rank)
        return error_set(error, FAULT_IO, "input and weights have %d and %d dimensions", x.rank,
                         w.rank);
    const long c = w.rank >= 0 && w.dims[0] >= 0 ? w.dims[0] : x.rank >= 0 ? x.dims[1] : -1;
    if (c >= 0 && x.rank >= 0 && x.dims[1] >= 0 && c != x.dims[1])
        return error_set(error, FAULT_IO, "the input has %ld channels, the weights are for %ld",
                         x.dims[1], c);
    if (c >= 0 && c % *group != 0)
        return error_set(error, FAULT_IO, "'group' %ld does not divide the %ld input channels",
                         *group, c);
    if (w.rank >= 0 && w.dims[1] > LINES_MAX)
        return error_set(error, FAULT_IO, "%ld output channels in each group are too many",
                         w.dims[1]);
    const long k = w.rank >= 0 && w.dims[1] >= 0 ? w.dims[1] * *group : -1;
    if (bias.rank >= 0 && (bias.rank != 1 || (bias.dims[0] >= 0 && k >= 0 && bias.dims[0] != k)))
        return error_set(error, FAULT_IO, "the bias is %s for %ld output channels",
                         type_format(site->graph, &bias).text, k);
    return OK;
}

/* How large a dim of the output is to be. */
struct wish {
    long lines; /* that output_shape asks for; -1: none */
    long output_pad;
    bool is_same;  /* auto_pad SAME_*: as many lines as strides, if there are as many */
    bool is_upper; /* of an odd padding the larger part is behind, else before */
};

/* The list of output_shape may begin with batch and channels. */
static int read_wishes(const struct node *node, enum auto_pad auto_pad, int rank,
                       struct wish *wishes, struct error *error)
{
    const bool is_upper = auto_pad == AUTO_PAD_SAME_UPPER;
    long output_pad[RANK_MAX];
    int count;
    const long *list = node_integers(node, "output_shape", &count);
    if (list && count != rank && count != rank + 2)
        return error_set(error, FAULT_IO, "'output_shape' has %d numbers; there have to be %d",
                         count, rank);
    if (spatial_list(node, "output_padding", rank, 0, 0, output_pad, error) != OK)
        return FAILED;
    for (int i = 0; i < rank; i++) {
        wishes[i] = (struct wish){list ? list[count - rank + i] : -1, output_pad[i],
                                  is_upper || auto_pad == AUTO_PAD_SAME_LOWER, is_upper};
        if (list && (wishes[i].lines < 1 || wishes[i].lines > LINES_MAX))
            return error_set(error, FAULT_IO, "'output_shape' has a %ld; it may be 1 to %d",
                             wishes[i].lines, LINES_MAX);
    }
    return OK;
}

/* Size of dim i, and the padding where that follows from the size. */
static int find_size(struct spatial *spatial, int i, struct wish wish, struct error *error)
{
    spatial->out[i] = wish.lines;
    if (spatial->in[i] < 0 || spatial->window[i] < 0)
        return OK;
    if (spatial->in[i] > LINES_MAX || spatial->window[i] > LINES_MAX || spatial->window[i] < 1)
        return error_set(error, FAULT_IO, "a window of %ld lines on an image of %ld is too large",
                         spatial->window[i], spatial->in[i]);
    const long full = (spatial->in[i] - 1) * spatial->stride[i] +
                      (spatial->window[i] - 1) * spatial->dilation[i] + 1 + wish.output_pad;
    const long same = spatial->in[i] * spatial->stride[i];
    if (wish.lines >= 0 || wish.is_same) {
        spatial->out[i] = wish.lines >= 0 ? wish.lines : same < full ? same : full;
        const long pad = full > spatial->out[i] ? full - spatial->out[i] : 0;
        spatial->before[i] = wish.is_upper ? pad / 2 : pad - pad / 2;
        spatial->after[i] = pad - spatial->before[i];
    } else {
        spatial->out[i] = full - spatial->before[i] - spatial->after[i];
    }
    if (spatial->out[i] < 1)
        return error_set(error, FAULT_IO,
                         "the padding of %ld leaves nothing of an output of %ld lines",
                         spatial->before[i] + spatial->after[i], full);
    return OK;
}

static int read_window(const struct site *site, struct spatial *spatial, struct error *error)
{
    const struct node *node = site->node;
    const struct type x = site_type(site, 0), w = site_type(site, 1);
    enum auto_pad auto_pad;
    struct wish wishes[RANK_MAX];
    long pads[2 * RANK_MAX];
    int count;
    const int rank = (x.rank >= 0 ? x.rank : w.rank) - 2;
    const long *given = node_integers(node, "kernel_shape", &count);
    *spatial = (struct spatial){.rank = rank};
    if (spatial_auto_pad(node, &auto_pad, error) != OK)
        return FAILED;
    const bool is_explicit = auto_pad == AUTO_PAD_NOTSET;
    for (int i = 0; i < rank; i++) {
        spatial->in[i] = x.rank >= 0 ? x.dims[2 + i] : -1;
        spatial->window[i] = w.rank >= 0 ? w.dims[2 + i] : -1;
        if (given && (count != rank || (spatial->window[i] >= 0 && spatial->window[i] != given[i])))
            return error_set(error, FAULT_IO,
                             "'kernel_shape' differs from the weights' dimensions");
        if (given)
            spatial->window[i] = given[i];
    }
    if (spatial_list(node, "strides", rank, 1, 1, spatial->stride, error) != OK ||
        spatial_list(node, "dilations", rank, 1, 1, spatial->dilation, error) != OK ||
        spatial_list(node, "pads", 2 * rank, 0, 0, pads, error) != OK ||
        read_wishes(node, auto_pad, rank, wishes, error) != OK)
        return FAILED;
    for (int i = 0; i < rank; i++) {
        spatial->before[i] = is_explicit ? pads[i] : 0;
        spatial->after[i] = is_explicit ? pads[rank + i] : 0;
        if (find_size(spatial, i, wishes[i], error) != OK)
            return FAILED;
    }
    return OK;
}

static int infer(struct site *site, struct error *error)
{
    const struct type x = site_type(site, 0), w = site_type(site, 1);
    struct type *out = &site->output[0].type;
    struct spatial spatial;
    long group;
    if (check_operands(site, &group, error) != OK)
        return FAILED;
    out->element = x.element;
    if (x.rank < 0 && w.rank < 0)
        return OK;
    if (read_window(site, &spatial, error) != OK)
        return FAILED;
    out->rank = spatial.rank + 2;
    out->dims[0] = x.rank >= 0 ? x.dims[0] : -1;
    out->symbol[0] = x.rank >= 0 ? x.symbol[0] : 0;
    out->dims[1] = w.rank >= 0 && w.dims[1] >= 0 ? w.dims[1] * group : -1;
    out->symbol[1] = 0;
    for (int i = 0; i < spatial.rank; i++) {
        out->dims[2 + i] = spatial.out[i];
        out->symbol[2 + i] = 0;
    }
    return OK;
}

/* ---- plain loops ---- */

struct plain {
    const struct array *x, *w;
    struct spatial spatial;
    struct type taps, places; /* the window and the output's image as dims */
    long in_size;             /* of one channel of the input */
    long channels, filters;   /* of input and output, in one group */
};

/* The sum over the channels of a group: x begins at that element, w at the filter of the group's
 * first channel. */
static double sum_at(const struct plain *plain, const long *place, long x, long w)
{
    const long taps = type_elements(&plain->taps);
    const enum element of_x = plain->x->type.element, of_w = plain->w->type.element;
    double sum = 0;
    long tap[RANK_MAX] = {0};
    for (long t = 0; t < taps && plain->channels > 0; t++) {
        const long offset = adjoint_offset(&plain->spatial, place, tap);
        for (long c = 0; c < plain->channels && offset >= 0; c++)
            sum += element_real(plain->x->data, of_x, x + c * plain->in_size + offset) *
                   element_real(plain->w->data, of_w, w + c * plain->filters * taps + t);
        place_next(&plain->taps, tap);
    }
    return sum;
}

static int evaluate(struct site *site, struct error *error)
{
    const struct array *bias = site_input(site, 2), *out = &site->output[0];
    struct plain plain = {.x = &site->input[0], .w = &site->input[1]};
    long group;
    if (check_operands(site, &group, error) != OK || read_window(site, &plain.spatial, error) != OK)
        return FAILED;
    plain.taps.rank = plain.places.rank = plain.spatial.rank;
    for (int i = 0; i < plain.spatial.rank; i++) {
        plain.taps.dims[i] = plain.spatial.window[i];
        plain.places.dims[i] = plain.spatial.out[i];
    }
    const long taps = type_elements(&plain.taps), places = type_elements(&plain.places);
    const long k = out->type.dims[1], c = plain.x->type.dims[1];
    plain.in_size = type_product(&plain.x->type, 2, plain.x->type.rank);
    plain.channels = c / group;
    plain.filters = k / group;
    for (long row = 0; row < out->type.dims[0] * k; row++) { /* a channel of an image */
        const long filter = row % k, first = filter / plain.filters * plain.channels;
        const long w = (first * plain.filters + filter % plain.filters) * taps;
        long place[RANK_MAX] = {0};
        for (long i = 0; i < places; i++) {
            const double start = bias ? element_real(bias->data, bias->type.element, filter) : 0;
            element_put_real(out->data, out->type.element, row * places + i,
                             start +
                                 sum_at(&plain, place, (row / k * c + first) * plain.in_size, w));
            place_next(&plain.places, place);
        }
    }
    return OK;
}

/* ---- kernel ---- */

/* Of both dims: lines that the padding does not account for are output_pad, of which the kernel has
 * one number; the dim that has less of it is padded more behind. */
static long find_output_pad(struct spatial *spatial)
{
    long output_pad = 0;
    for (int i = 0; i < spatial->rank; i++) {
        const long full = (spatial->in[i] - 1) * spatial->stride[i] +
                          (spatial->window[i] - 1) * spatial->dilation[i] + 1;
        spatial->after[i] = full - spatial->before[i] - spatial->out[i];
        if (-spatial->after[i] > output_pad)
            output_pad = -spatial->after[i];
    }
    for (int i = 0; i < spatial->rank; i++)
        spatial->after[i] += output_pad;
    return output_pad;
}

static int lower(const struct site *site, struct lowering *lowering, struct error *error)
{
    const struct type x = site_type(site, 0);
    const bool has_bias = site_input(site, 2) != NULL;
    struct spatial spatial;
    enum dtype dtype;
    if (read_window(site, &spatial, error) != OK)
        return FAILED;
    if (element_dtype(x.element, &dtype, error) != OK || spatial_image(&spatial, error) != OK)
        return SKIPPED;
    if (lowering_start(site, lowering, "conv_transpose2d", dtype, error) != OK)
        return FAILED;
    struct launch *launch = lowering->launch;
    launch_letter(launch, "n", x.dims[0]);
    launch_letter(launch, "c", x.dims[1]);
    launch_letter(launch, "k", site->output[0].type.dims[1]);
    launch_letter(launch, "output_pad", find_output_pad(&spatial));
    spatial_letters(&spatial, launch);
    launch_letter(launch, "groups", node_integer(site->node, "group", 1));
    launch_letter(launch, "epilogue", has_bias ? EPILOGUE_bias : EPILOGUE_none);
    launch->operand[0] = of_output(0);
    for (int i = 0; i < (has_bias ? 3 : 2); i++)
        launch->operand[1 + i] = of_input(i);
    return OK;
}

/* Products with what falls into the padding count. */
static double flops(const struct site *site)
{
    const struct type x = site_type(site, 0), w = site_type(site, 1);
    return 2.0 * (double)type_elements(&x) * (double)type_product(&w, 1, w.rank);
}

static const struct attribute_rule attributes[] = {{"auto_pad", ATTRIBUTE_TEXT, false},
                                                   {"dilations", ATTRIBUTE_INTS, false},
                                                   {"group", ATTRIBUTE_INT, false},
                                                   {"kernel_shape", ATTRIBUTE_INTS, false},
                                                   {"output_padding", ATTRIBUTE_INTS, false},
                                                   {"output_shape", ATTRIBUTE_INTS, false},
                                                   {"pads", ATTRIBUTE_INTS, false},
                                                   {"strides", ATTRIBUTE_INTS, false},
                                                   {0}};

const struct op onnx_ConvTranspose_op = {
    .domain = "",
    .name = "ConvTranspose",
    .summary = "transposed convolution of x (N, C, D...) with w (C, K / group, R...), plus a bias "
               "(K)",
    .inputs_min = 2,
    .inputs_max = 3,
    .outputs_min = 1,
    .outputs_max = 1,
    .attributes = attributes,
    .infer = infer,
    .evaluate = evaluate,
    .lower = lower,
    .flops = flops,
};
