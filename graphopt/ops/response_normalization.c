// response_normalization.c - LRN: each element divided by a power of the squares of its neighbours
// in the channels beside its own (Krizhevsky, Sutskever and Hinton 2012, section 3.3).
#include "normalized.h"

static int infer(struct site *site, struct error *error)
{
    const struct type x = site_type(site, 0);
    const long size = node_integer(site->node, "size", 0);
    if (check_real(site, 0, error) != OK)
        return FAILED;
    if (size < 1)
        return error_set(error, FAULT_IO, "'size' is %ld; it has to be at least 1 channel", size);
    if (x.rank >= 0 && x.rank < 2)
        return error_set(error, FAULT_IO, "the input has %d dimensions; it needs at least 2",
                         x.rank);
    site->output[0].type = x;
    return OK;
}

static int evaluate(struct site *site, struct error *error)
{
    (void)error;
    const struct array *x = &site->input[0], *out = &site->output[0];
    const double alpha = node_real(site->node, "alpha", 1e-4);
    const double beta = node_real(site->node, "beta", 0.75);
    const double bias = node_real(site->node, "bias", 1);
    const long size = node_integer(site->node, "size", 0), channels = x->type.dims[1];
    const long length = type_product(&x->type, 2, x->type.rank);
    const long before = (size - 1) / 2, after = size - 1 - before;
    for (long i = 0; i < type_elements(&out->type); i++) {
        const long channel = i / length % channels;
        const long begin = channel > before ? channel - before : 0;
        const long end = after < channels - channel ? channel + after + 1 : channels;
        double squares = 0;
        for (long k = begin; k < end; k++) {
            const double neighbour = array_real(x, i + (k - channel) * length);
            squares += neighbour * neighbour;
        }
        array_put(out, i, array_real(x, i) / pow(bias + alpha / (double)size * squares, beta));
    }
    return OK;
}

/* By element a square and a sum of each neighbour, then a product, a sum, a power, a quotient. */
static double flops(const struct site *site)
{
    const struct type x = site_type(site, 0);
    return (double)type_elements(&x) * (2 * (double)node_integer(site->node, "size", 0) + 4);
}

static const struct attribute_rule attributes[] = {{"alpha", ATTRIBUTE_REAL, false},
                                                   {"beta", ATTRIBUTE_REAL, false},
                                                   {"bias", ATTRIBUTE_REAL, false},
                                                   {"size", ATTRIBUTE_INT, true},
                                                   {0}};

const struct op onnx_LRN_op = {
    .domain = "",
    .name = "LRN",
    .summary = "y = x / (bias + alpha / size * sum of x * x over `size` channels)^beta",
    .inputs_min = 1,
    .inputs_max = 1,
    .outputs_min = 1,
    .outputs_max = 1,
    .attributes = attributes,
    .infer = infer,
    .evaluate = evaluate,
    .flops = flops,
};
