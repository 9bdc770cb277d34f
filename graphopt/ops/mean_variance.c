// mean_variance.c - MeanVarianceNormalization: normalised over any axes.
#include "normalized.h"

/* The fallback of `axes`: all but the channels of an image. */
static const long image_axes[] = {0, 2, 3};

/* ONNX's function adds it to the deviation. */
static const double epsilon = 1e-9;

/* Which dims are normalised. */
static int read_axes(const struct site *site, bool is_reduced[RANK_MAX], struct error *error)
{
    const struct type x = site_type(site, 0);
    int count;
    const long *axes = node_integers(site->node, "axes", &count);
    if (!axes) {
        axes = image_axes;
        count = sizeof image_axes / sizeof *image_axes;
    }
    for (int i = 0; i < RANK_MAX; i++)
        is_reduced[i] = false;
    for (int i = 0; i < count; i++) {
        int axis;
        if (axis_resolve(axes[i], x.rank, &axis, error) != OK)
            return FAILED;
        is_reduced[axis] = true;
    }
    return OK;
}

static int infer(struct site *site, struct error *error)
{
    const struct type x = site_type(site, 0);
    bool is_reduced[RANK_MAX];
    if (check_real(site, 0, error) != OK ||
        (x.rank >= 0 && read_axes(site, is_reduced, error) != OK))
        return FAILED;
    site->output[0].type = x;
    return OK;
}

/* Adds up x, or the squares of its distance from the mean, for each place of what is left. */
static void add_up(const struct array *x, const struct type *kept, double *sums,
                   const double *means)
{
    long strides[RANK_MAX], at[RANK_MAX] = {0};
    broadcast_strides(kept, &x->type, strides);
    for (long i = 0; i < type_elements(&x->type); i++) {
        const long to = place_offset(x->type.rank, strides, at);
        const double value = array_real(x, i);
        sums[to] += means ? (value - means[to]) * (value - means[to]) : value;
        place_next(&x->type, at);
    }
}

static int evaluate(struct site *site, struct error *error)
{
    const struct array *x = &site->input[0], *out = &site->output[0];
    struct type kept = x->type;
    bool is_reduced[RANK_MAX];
    if (read_axes(site, is_reduced, error) != OK)
        return FAILED;
    for (int i = 0; i < kept.rank; i++)
        if (is_reduced[i])
            kept.dims[i] = 1;
    const long places = type_elements(&kept), elements = type_elements(&x->type);
    if (elements == 0)
        return OK;
    double *means = arena_take_array(site->arena, (size_t)places, sizeof *means);
    double *deviations = arena_take_array(site->arena, (size_t)places, sizeof *deviations);
    if (!means || !deviations)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory");
    add_up(x, &kept, means, NULL);
    for (long i = 0; i < places; i++)
        means[i] /= (double)(elements / places);
    add_up(x, &kept, deviations, means);
    for (long i = 0; i < places; i++)
        deviations[i] = sqrt(deviations[i] / (double)(elements / places));
    long strides[RANK_MAX], at[RANK_MAX] = {0};
    broadcast_strides(&kept, &x->type, strides);
    for (long i = 0; i < elements; i++) {
        const long from = place_offset(x->type.rank, strides, at);
        array_put(out, i, (array_real(x, i) - means[from]) / (deviations[from] + epsilon));
        place_next(&x->type, at);
    }
    return OK;
}

/* Mean, variance, then a difference and a quotient. */
static double flops(const struct site *site)
{
    const struct type x = site_type(site, 0);
    return 6 * (double)type_elements(&x);
}

static const struct attribute_rule attributes[] = {{"axes", ATTRIBUTE_INTS, false}, {0}};

const struct op onnx_MeanVarianceNormalization_op = {
    .domain = "",
    .name = "MeanVarianceNormalization",
    .summary = "y = (x - mean) / deviation, over `axes`",
    .since = 9,
    .inputs_min = 1,
    .inputs_max = 1,
    .outputs_min = 1,
    .outputs_max = 1,
    .attributes = attributes,
    .infer = infer,
    .evaluate = evaluate,
    .flops = flops,
};
