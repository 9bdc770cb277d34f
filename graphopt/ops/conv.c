// conv.c - Conv: convolution of images of any number of dimensions, in groups, with a bias.
#include "conv_volume.h"
#include "epilogue.h"
#include "launches.h"
#include "normalized.h"
#include "operands.h"
#include "spatial.h"

/* X (N, C, D...), W (K, C / group, R...), bias (K). */
static int check_operands(const struct site *site, long *group, struct error *error)
{
    const struct type x = site_type(site, 0), w = site_type(site, 1), bias = site_type(site, 2);
    *group = node_integer(site->node, "group", 1);
    if (check_real(site, 0, error) != OK || elements_agree(x.element, w.element, error) != OK ||
        elements_agree(x.element, bias.element, error) != OK)
        return FAILED;
    if (*group < 1)
        return error_set(error, FAULT_IO, "'group' is %ld; it has to be at least 1", *group);
    if (x.rank >= 0 && x.rank < 3)
        return error_set(error, FAULT_IO, "the input has %d dimensions; it needs at least 3",
                         x.rank);
    if (x.rank >= 0 && w.rank >= 0 && x.rank != w.rank)
        return error_set(error, FAULT_IO, "input and weights have %d and %d dimensions", x.rank,
                         w.rank);
    if (w.rank < 0)
        return OK;
    if (w.dims[0] >= 0 && w.dims[0] % *group != 0)
        return error_set(error, FAULT_IO, "'group' %ld does not divide the %ld output channels",
                         *group, w.dims[0]);
    if (x.rank >= 0 && x.dims[1] >= 0 && w.dims[1] >= 0 &&
        (x.dims[1] % *group != 0 || x.dims[1] / *group != w.dims[1]))
        return error_set(error, FAULT_IO,
                         "the input has %ld channels, the weights have %ld in each of %ld groups",
                         x.dims[1], w.dims[1], *group);
    if (bias.rank >= 0 &&
        (bias.rank != 1 || (bias.dims[0] >= 0 && w.dims[0] >= 0 && bias.dims[0] != w.dims[0])))
        return error_set(error, FAULT_IO, "the bias is %s for %ld output channels",
                         type_format(site->graph, &bias).text, w.dims[0]);
    return OK;
}

/* The window, whose size is the weights' or, while they are unknown, the attribute's. */
static int read_window(const struct site *site, struct spatial *spatial, struct error *error)
{
    const struct type x = site_type(site, 0), w = site_type(site, 1);
    long in[RANK_MAX], window[RANK_MAX];
    int count;
    const long *given = node_integers(site->node, "kernel_shape", &count);
    const int rank = (x.rank >= 0 ? x.rank : w.rank) - 2;
    for (int i = 0; i < rank; i++) {
        in[i] = x.rank >= 0 ? x.dims[2 + i] : -1;
        window[i] = w.rank >= 0 ? w.dims[2 + i] : -1;
        if (!given)
            continue;
        if (count != rank || (window[i] >= 0 && window[i] != given[i]))
            return error_set(error, FAULT_IO,
                             "'kernel_shape' differs from the weights' dimensions");
        window[i] = given[i];
    }
    return spatial_read(spatial, site->node, rank, in, window, error);
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
    if (x.rank < 0)
        return OK;
    if (read_window(site, &spatial, error) != OK)
        return FAILED;
    out->rank = x.rank;
    out->dims[0] = x.dims[0];
    out->symbol[0] = x.symbol[0];
    out->dims[1] = w.rank >= 0 ? w.dims[0] : -1;
    for (int i = 0; i < spatial.rank; i++)
        out->dims[2 + i] = spatial.out[i];
    return OK;
}

/* ---- plain loops ---- */

struct plain {
    const struct array *x, *w;
    struct spatial spatial;
    struct type taps, places; /* the window and the output's image as dims */
    long in_size;             /* of one channel of the input */
};

/* Offset of a tap in a channel of the input; -1: it is in the padding. */
static long tap_offset(const struct spatial *spatial, const long *place, const long *tap)
{
    long offset = 0;
    for (int i = 0; i < spatial->rank; i++) {
        const long line =
            place[i] * spatial->stride[i] + tap[i] * spatial->dilation[i] - spatial->before[i];
        if (line < 0 || line >= spatial->in[i])
            return -1;
        offset = offset * spatial->in[i] + line;
    }
    return offset;
}

/* The sum over the taps of all channels of a group: x and w begin at these elements. */
static double sum_at(const struct plain *plain, const long *place, long x, long w, long channels)
{
    const long taps = type_elements(&plain->taps);
    const enum element of_x = plain->x->type.element, of_w = plain->w->type.element;
    double sum = 0;
    long tap[RANK_MAX] = {0};
    for (long t = 0; t < taps; t++) {
        const long offset = tap_offset(&plain->spatial, place, tap);
        for (long c = 0; c < channels && offset >= 0; c++)
            sum += element_real(plain->x->data, of_x, x + c * plain->in_size + offset) *
                   element_real(plain->w->data, of_w, w + c * taps + t);
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
    const long k = out->type.dims[1], channels = plain.w->type.dims[1];
    plain.in_size = type_product(&plain.x->type, 2, plain.x->type.rank);
    for (long row = 0; row < out->type.dims[0] * k; row++) { /* a channel of an image */
        const long filter = row % k, first = filter / (k / group) * channels;
        long place[RANK_MAX] = {0};
        for (long i = 0; i < places; i++) {
            const double start = bias ? element_real(bias->data, bias->type.element, filter) : 0;
            const double sum =
                sum_at(&plain, place, (row / k * plain.x->type.dims[1] + first) * plain.in_size,
                       filter * channels * taps, channels);
            element_put_real(out->data, out->type.element, row * places + i, start + sum);
            place_next(&plain.places, place);
        }
    }
    return OK;
}

/* ---- kernel ---- */

static int lower(const struct site *site, struct lowering *lowering, struct error *error)
{
    const struct type x = site_type(site, 0), w = site_type(site, 1);
    const bool has_bias = site_input(site, 2) != NULL;
    struct spatial spatial;
    enum dtype dtype;
    if (read_window(site, &spatial, error) != OK)
        return FAILED;
    if (element_dtype(x.element, &dtype, error) != OK)
        return SKIPPED;
    spatial_join(&spatial);
    if (spatial.rank == 3)
        return conv_volume_lower(site, &spatial, lowering, error);
    if (spatial_image(&spatial, error) != OK)
        return SKIPPED;
    if (lowering_start(site, lowering, "conv2d", dtype, error) != OK)
        return FAILED;
    struct launch *launch = lowering->launch;
    launch_letter(launch, "n", x.dims[0]);
    launch_letter(launch, "c", x.dims[1]);
    launch_letter(launch, "k", w.dims[0]);
    spatial_letters(&spatial, launch);
    launch_letter(launch, "groups", node_integer(site->node, "group", 1));
    launch_letter(launch, "epilogue", has_bias ? EPILOGUE_bias : EPILOGUE_none);
    launch->operand[0] = of_output(0);
    for (int i = 0; i < (has_bias ? 3 : 2); i++)
        launch->operand[1 + i] = of_input(i);
    return OK;
}

/* Products with padding count, as the plain loops know no better. */
static double flops(const struct site *site)
{
    const struct type w = site_type(site, 1);
    return 2.0 * (double)type_elements(&site->output[0].type) * (double)type_product(&w, 1, w.rank);
}

static const struct attribute_rule attributes[] = {{"auto_pad", ATTRIBUTE_TEXT, false},
                                                   {"dilations", ATTRIBUTE_INTS, false},
                                                   {"group", ATTRIBUTE_INT, false},
                                                   {"kernel_shape", ATTRIBUTE_INTS, false},
                                                   {"pads", ATTRIBUTE_INTS, false},
                                                   {"strides", ATTRIBUTE_INTS, false},
                                                   {0}};

const struct op onnx_Conv_op = {
    .domain = "",
    .name = "Conv",
    .summary = "convolution of x (N, C, D...) with w (K, C / group, R...), plus a bias (K)",
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
