// batch_normalization.c - BatchNormalization: each channel less its mean, divided by its deviation,
// scaled and shifted. By given statistics, or in training by those of the batch.
#include "launches.h"
#include "normalized.h"

enum { X, SCALE, BIAS, MEAN, VARIANCE };

/* How X is cut: images of `channels` of `length` elements each. */
struct cut {
    long images, channels, length; /* -1: unknown */
};

/* Up to opset 8 each feature of an image could have its own statistics. */
static bool is_by_feature(const struct node *node)
{
    return node->opset < 9 && node_integer(node, "spatial", 1) == 0;
}

/* Opset 6 had it the other way round. */
static bool is_training(const struct node *node)
{
    return node->opset < 7 ? node_integer(node, "is_test", 0) == 0
                           : node->opset >= 14 && node_integer(node, "training_mode", 0) != 0;
}

/* X of one dim has one channel. */
static struct cut cut_of(const struct site *site)
{
    const struct type x = site_type(site, X);
    if (x.rank < 0)
        return (struct cut){-1, -1, -1};
    if (x.rank < 2)
        return (struct cut){x.dims[0], 1, 1};
    if (is_by_feature(site->node))
        return (struct cut){x.dims[0], type_product(&x, 1, x.rank), 1};
    return (struct cut){x.dims[0], x.dims[1], type_product(&x, 2, x.rank)};
}

static int check_statistics(const struct site *site, int i, struct error *error)
{
    static const char *const names[] = {"X", "scale", "B", "mean", "var"};
    const struct type type = site_type(site, i);
    const long channels = cut_of(site).channels, count = type_elements(&type);
    if (check_real(site, i, error) != OK)
        return FAILED;
    if (!is_by_feature(site->node))
        return check_list(site, i, channels, names[i], error);
    if (count >= 0 && channels >= 0 && count != channels)
        return error_set(error, FAULT_IO, "'%s' has %ld values for %ld features", names[i], count,
                         channels);
    return OK;
}

static int infer(struct site *site, struct error *error)
{
    const struct type x = site_type(site, X);
    if (check_real(site, X, error) != OK)
        return FAILED;
    if (x.rank == 0)
        return error_set(error, FAULT_IO, "the input has no dimensions; it needs at least 1");
    for (int i = SCALE; i <= VARIANCE; i++)
        if (check_statistics(site, i, error) != OK)
            return FAILED;
    if (site->node->opset >= 14 && !is_training(site->node) && site->node->output_count > 1)
        return error_set(error, FAULT_IO,
                         "without 'training_mode' there is one output; %d are asked for",
                         site->node->output_count);
    site->output[0].type = x;
    for (int i = 1; i < site->node->output_count; i++) {
        site->output[i].type = site_type(site, MEAN);
        if (site->output[i].type.rank < 0 && !is_by_feature(site->node)) {
            site->output[i].type.rank = 1;
            site->output[i].type.dims[0] = cut_of(site).channels;
        }
    }
    return OK;
}

static void put_running(struct site *site, long channel, struct moments moments)
{
    const double momentum = node_real(site->node, "momentum", 0.9);
    const double values[] = {moments.mean, moments.variance};
    for (int i = 0; i < 2 && i + 1 < site->node->output_count; i++)
        if (site->output[i + 1].data)
            array_put(&site->output[i + 1], channel,
                      momentum * array_real(&site->input[MEAN + i], channel) +
                          (1 - momentum) * values[i]);
}

static int evaluate(struct site *site, struct error *error)
{
    const struct array *x = &site->input[X], *out = &site->output[0];
    const struct cut cut = cut_of(site);
    const double epsilon = node_real(site->node, "epsilon", 1e-5);
    const long image = cut.channels * cut.length;
    if (site->node->opset < 14 && (site->node->output_count > 1 || is_training(site->node)))
        return error_skip(error, "training is not carried out at opset %d, only from 14 on",
                          site->node->opset);
    for (long channel = 0; channel < cut.channels; channel++) {
        struct moments moments = {array_real(&site->input[MEAN], channel),
                                  array_real(&site->input[VARIANCE], channel)};
        const double scale = array_real(&site->input[SCALE], channel);
        const double bias = array_real(&site->input[BIAS], channel);
        if (is_training(site->node)) {
            moments = moments_of(x, channel * cut.length, cut.images, image, cut.length);
            put_running(site, channel, moments);
        }
        const double deviation = sqrt(moments.variance + epsilon);
        for (long n = 0; n < cut.images; n++)
            for (long k = 0; k < cut.length; k++) {
                const long i = n * image + channel * cut.length + k;
                array_put(out, i, (array_real(x, i) - moments.mean) / deviation * scale + bias);
            }
    }
    return OK;
}

static int lower(const struct site *site, struct lowering *lowering, struct error *error)
{
    const struct cut cut = cut_of(site);
    enum dtype dtype;
    if (is_training(site->node) || site->node->output_count > 1)
        return error_skip(error, "kernel 'batchnorm' takes given statistics only");
    if (element_dtype(site->input[X].type.element, &dtype, error) != OK)
        return SKIPPED;
    for (int i = SCALE; i <= VARIANCE; i++)
        if (site->input[i].type.element != site->input[X].type.element)
            return error_skip(error, "the kernel has all operands of one element");
    if (lowering_start(site, lowering, "batchnorm", dtype, error) != OK)
        return FAILED;
    struct launch *launch = lowering->launch;
    launch_letter(launch, "n", cut.images);
    launch_letter(launch, "c", cut.channels);
    launch_letter(launch, "h", 1);
    launch_letter(launch, "w", cut.length);
    launch->operand[0] = of_output(0);
    for (int i = X; i <= VARIANCE; i++)
        launch->operand[1 + i] = of_input(i);
    return launches_fill(site, &launch->operand[2 + VARIANCE], 1,
                         node_real(site->node, "epsilon", 1e-5), dtype, error);
}

/* A difference, a product and a sum per element. */
static double flops(const struct site *site)
{
    const struct type x = site_type(site, X);
    return 3 * (double)type_elements(&x);
}

static const struct attribute_rule attributes[] = {
    {"epsilon", ATTRIBUTE_REAL, false},      {"is_test", ATTRIBUTE_INT, false},
    {"momentum", ATTRIBUTE_REAL, false},     {"spatial", ATTRIBUTE_INT, false},
    {"training_mode", ATTRIBUTE_INT, false}, {0}};

const struct op onnx_BatchNormalization_op = {
    .domain = "",
    .name = "BatchNormalization",
    .summary = "y = (x - mean[c]) / sqrt(var[c] + epsilon) * scale[c] + B[c]",
    .since = 6,
    .inputs_min = 5,
    .inputs_max = 5,
    .outputs_min = 1,
    .outputs_max = 5,
    .attributes = attributes,
    .infer = infer,
    .evaluate = evaluate,
    .lower = lower,
    .flops = flops,
};
