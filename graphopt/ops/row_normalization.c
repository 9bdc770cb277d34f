// row_normalization.c - LayerNormalization and RMSNormalization: the last dims of an array
// normalised together, then scaled, and shifted.
#include "expand.h"
#include "launches.h"
#include "normalized.h"

enum { X, SCALE, BIAS };

/* Less the mean, or by the mean square alone. */
static bool is_centered(const struct site *site)
{
    return *(const bool *)site->node->op->detail;
}

/* The first of the dims that are normalised. */
static int first_dim(const struct site *site, int *first, struct error *error)
{
    return axis_resolve(node_integer(site->node, "axis", -1), site_type(site, X).rank, first,
                        error);
}

/* Whether dims of scale or bias broadcast to those of x, which they must not enlarge. */
static int check_broadcast(const struct site *site, int i, struct error *error)
{
    const struct type x = site_type(site, X), type = site_type(site, i);
    struct type both;
    if (x.rank < 0 || type.rank < 0)
        return OK;
    if (type_broadcast(&x, &type, &both, error) != OK)
        return FAILED;
    bool is_larger = both.rank > x.rank;
    for (int k = 0; k < x.rank && !is_larger; k++)
        is_larger = x.dims[k] == 1 && both.dims[k] > 1;
    if (is_larger)
        return error_set(error, FAULT_IO, "input %d is %s, larger than the input %s", i,
                         type_format(site->graph, &type).text, type_format(site->graph, &x).text);
    return OK;
}

/* Mean and reciprocal deviation: in f32, or as stash_type says. */
static struct type statistics_type(const struct site *site, int first)
{
    struct type type = site_type(site, X);
    type.element = (enum element)node_integer(site->node, "stash_type", ELEMENT_f32);
    for (int i = first; i < type.rank; i++) {
        type.dims[i] = 1;
        type.symbol[i] = 0;
    }
    return type;
}

static int infer(struct site *site, struct error *error)
{
    const struct type x = site_type(site, X);
    const long stash = node_integer(site->node, "stash_type", ELEMENT_f32);
    int first = 0;
    if (stash <= ELEMENT_NONE || stash >= ELEMENT_END || !element_is_real((enum element)stash))
        return error_set(error, FAULT_IO, "'stash_type' is %ld; it may be %d (f32) or %d (bf16)",
                         stash, ELEMENT_f32, ELEMENT_bf16);
    if (x.rank >= 0 && first_dim(site, &first, error) != OK)
        return FAILED;
    for (int i = X; i < site->node->input_count; i++)
        if (check_real(site, i, error) != OK || (i > X && check_broadcast(site, i, error) != OK))
            return FAILED;
    site->output[0].type = x;
    if (!is_centered(site)) /* its result is of the scale's element */
        site->output[0].type.element = site_type(site, SCALE).element;
    for (int i = 1; i < site->node->output_count; i++)
        site->output[i].type = statistics_type(site, first);
    return OK;
}

static struct moments row_moments(const struct site *site, long begin, long length)
{
    const struct array *x = &site->input[X];
    if (is_centered(site))
        return moments_of(x, begin, 1, 0, length);
    struct moments moments = {0, 0};
    for (long i = begin; i < begin + length; i++)
        moments.variance += array_real(x, i) * array_real(x, i);
    moments.variance /= (double)length;
    return moments;
}

static void put_statistics(struct site *site, long row, double mean, double reciprocal)
{
    const double values[] = {mean, reciprocal};
    for (int i = 1; i < site->node->output_count; i++)
        if (site->output[i].data)
            array_put(&site->output[i], row, values[i - 1]);
}

static int evaluate(struct site *site, struct error *error)
{
    const struct array *x = &site->input[X], *out = &site->output[0];
    const struct array *scale = &site->input[SCALE], *bias = site_input(site, BIAS);
    const double epsilon = node_real(site->node, "epsilon", 1e-5);
    long of_scale[RANK_MAX], of_bias[RANK_MAX] = {0}, at[RANK_MAX] = {0};
    int first;
    if (first_dim(site, &first, error) != OK)
        return FAILED;
    const long length = type_product(&x->type, first, x->type.rank);
    broadcast_strides(&scale->type, &x->type, of_scale);
    if (bias)
        broadcast_strides(&bias->type, &x->type, of_bias);
    /* Empty rows have statistics, but may be more than there is time for. */
    const bool has_rows = length > 0 || site->node->output_count > 1;
    for (long row = 0; has_rows && row < type_product(&x->type, 0, first); row++) {
        const struct moments moments = row_moments(site, row * length, length);
        const double reciprocal = 1 / sqrt(moments.variance + epsilon);
        put_statistics(site, row, moments.mean, reciprocal);
        for (long i = row * length; i < (row + 1) * length; i++) {
            const double factor = array_real(scale, place_offset(x->type.rank, of_scale, at));
            const double shift =
                bias ? array_real(bias, place_offset(x->type.rank, of_bias, at)) : 0;
            array_put(out, i, (array_real(x, i) - moments.mean) * reciprocal * factor + shift);
            place_next(&x->type, at);
        }
    }
    return OK;
}

/* Whether input i has a value for each element of a row, the same for all rows. */
static bool is_row(const struct site *site, int i, int first)
{
    const struct type x = site_type(site, X), type = site_type(site, i);
    const int lead = type.rank - (x.rank - first);
    if (type.element != x.element || lead < 0)
        return false;
    for (int k = 0; k < type.rank; k++)
        if (type.dims[k] != (k < lead ? 1 : x.dims[first + k - lead]))
            return false;
    return true;
}

static int lower(const struct site *site, struct lowering *lowering, struct error *error)
{
    const struct type x = site_type(site, X);
    const bool has_bias = site_input(site, BIAS) != NULL;
    const double epsilon = node_real(site->node, "epsilon", 1e-5);
    enum dtype dtype;
    int first;
    if (node_output(site->node, 1) >= 0 || node_output(site->node, 2) >= 0)
        return error_skip(error, "the kernel keeps mean and deviation to itself");
    if (element_dtype(x.element, &dtype, error) != OK)
        return SKIPPED;
    if (first_dim(site, &first, error) != OK)
        return FAILED;
    if (!is_row(site, SCALE, first) || (has_bias && !is_row(site, BIAS, first)))
        return error_skip(error, "the kernel has one scale and bias per element of a row, of the "
                                 "input's element");
    if (lowering_start(site, lowering, is_centered(site) ? "layernorm" : "rmsnorm", dtype, error) !=
        OK)
        return FAILED;
    struct launch *launch = lowering->launch;
    struct launch_operand *operand = launch->operand;
    const long columns = type_product(&x, first, x.rank);
    launch_letter(launch, "rows", type_product(&x, 0, first));
    launch_letter(launch, "columns", columns);
    *operand++ = of_output(0);
    *operand++ = of_input(X);
    *operand++ = of_input(SCALE);
    if (is_centered(site) && has_bias)
        *operand++ = of_input(BIAS);
    else if (is_centered(site) && launches_fill(site, operand++, columns, 0, dtype, error) != OK)
        return FAILED;
    return launches_fill(site, operand, 1, epsilon, dtype, error);
}

static double flops(const struct site *site)
{
    const struct type x = site_type(site, X);
    return (is_centered(site) ? 8 : 4) * (double)type_elements(&x);
}

static const struct attribute_rule attributes[] = {{"axis", ATTRIBUTE_INT, false},
                                                   {"epsilon", ATTRIBUTE_REAL, false},
                                                   {"stash_type", ATTRIBUTE_INT, false},
                                                   {0}};

static int expand(const struct site *site, struct graph *own, struct error *error)
{
    const int *inputs = own->block[0]->inputs, rank = site->input[X].type.rank;
    const enum element element = site->input[X].type.element;
    int first;
    if (first_dim(site, &first, error) != OK)
        return FAILED;
    const int mean = expand_mean(own, inputs[X], first, rank, error);
    const int difference = mean < 0 ? -1 : expand_node(own, "Sub", inputs[X], mean, error);
    const int square = expand_node(own, "Mul", difference, difference, error);
    int variance = square < 0 ? -1 : expand_mean(own, square, first, rank, error);
    variance =
        expand_real(own, "Add", variance, element, node_real(site->node, "epsilon", 1e-5), error);
    variance = expand_node(own, "Sqrt", variance, -1, error);
    int y = variance < 0 ? -1 : expand_node(own, "Div", difference, variance, error);
    y = expand_node(own, "Mul", y, inputs[SCALE], error);
    if (site_input(site, BIAS))
        y = expand_node(own, "Add", y, inputs[BIAS], error);
    return y < 0 ? FAILED : graph_add_output(own, 0, y, error);
}

#define MEMBER(domain_symbol, domain_name, member, centered, first_opset, inputs, outputs,         \
               expansion, formula)                                                                 \
    static const bool domain_symbol##_##member##_is_centered = centered;                           \
    const struct op domain_symbol##_##member##_op = {                                              \
        .domain = domain_name,                                                                     \
        .name = #member,                                                                           \
        .summary = formula,                                                                        \
        .since = first_opset,                                                                      \
        .inputs_min = 2,                                                                           \
        .inputs_max = inputs,                                                                      \
        .outputs_min = 1,                                                                          \
        .outputs_max = outputs,                                                                    \
        .attributes = attributes,                                                                  \
        .infer = infer,                                                                            \
        .evaluate = evaluate,                                                                      \
        .lower = lower,                                                                            \
        .flops = flops,                                                                            \
        .expand = expansion,                                                                       \
        .detail = &domain_symbol##_##member##_is_centered,                                         \
    };

/* ONNX has it since opset 17; runtimes had it in ONNX's domain before, and wrote such files. */
MEMBER(onnx, "", LayerNormalization, true, 0, 3, 3, NULL,
       "y = (x - mean) / sqrt(variance + epsilon) * scale + B, over the dims from axis on")
MEMBER(onnx, "", RMSNormalization, false, 23, 2, 1, NULL,
       "y = x / sqrt(mean of x * x + epsilon) * scale, over the dims from axis on")
/* For graphs of older opsets. */
MEMBER(roofline, "roofline", LayerNormalization, true, 0, 3, 1, expand,
       "y = (x - mean) / sqrt(variance + epsilon) * scale + B, over the dims from axis on")
