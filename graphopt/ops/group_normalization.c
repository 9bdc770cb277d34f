// group_normalization.c - InstanceNormalization and GroupNormalization: channels of an image
// normalised one by one, or in groups.
#include "launches.h"
#include "normalized.h"

enum { X, SCALE, BIAS };

static bool is_grouped(const struct site *site)
{
    return *(const bool *)site->node->op->detail;
}

static long channels_of(const struct site *site)
{
    const struct type x = site_type(site, X);
    return x.rank >= 2 ? x.dims[1] : -1;
}

/* Groups; -1: unknown. */
static long groups_of(const struct site *site)
{
    return is_grouped(site) ? node_integer(site->node, "num_groups", 0) : channels_of(site);
}

/* Before opset 21 scale and bias of GroupNormalization are by group, since then by channel. */
static bool scales_groups(const struct site *site)
{
    return is_grouped(site) && site->node->opset < 21;
}

static int infer(struct site *site, struct error *error)
{
    const struct type x = site_type(site, X);
    const long channels = channels_of(site), groups = groups_of(site);
    if (x.rank >= 0 && x.rank < 2)
        return error_set(error, FAULT_IO, "the input has %d dimensions; it needs at least 2",
                         x.rank);
    if (is_grouped(site) && groups < 1)
        return error_set(error, FAULT_IO, "'num_groups' is %ld; it has to be at least 1", groups);
    if (groups > 0 && channels >= 0 && channels % groups != 0)
        return error_set(error, FAULT_IO, "'num_groups' %ld does not divide the %ld channels",
                         groups, channels);
    for (int i = X; i <= BIAS; i++)
        if (check_real(site, i, error) != OK ||
            (i > X && check_list(site, i, scales_groups(site) ? groups : channels,
                                 i == SCALE ? "scale" : "bias", error) != OK))
            return FAILED;
    site->output[0].type = x;
    return OK;
}

static int evaluate(struct site *site, struct error *error)
{
    (void)error;
    const struct array *x = &site->input[X], *out = &site->output[0];
    const long channels = channels_of(site), groups = groups_of(site);
    const long length = type_product(&x->type, 2, x->type.rank);
    const long count = groups ? channels / groups * length : 0; /* of a group */
    const double epsilon = node_real(site->node, "epsilon", 1e-5);
    for (long group = 0; count && group < x->type.dims[0] * groups; group++) {
        const struct moments moments = moments_of(x, group * count, 1, 0, count);
        const double deviation = sqrt(moments.variance + epsilon);
        for (long i = group * count; i < (group + 1) * count; i++) {
            const long by = scales_groups(site) ? group % groups : i / length % channels;
            array_put(out, i,
                      (array_real(x, i) - moments.mean) / deviation *
                              array_real(&site->input[SCALE], by) +
                          array_real(&site->input[BIAS], by));
        }
    }
    return OK;
}

/* Channels for which constants are made. */
enum { SPREAD_MAX = 1 << 20 };

/* Scale or bias of each group as that of each of its channels. */
static int spread(const struct site *site, int i, struct launch_operand *operand, enum dtype dtype,
                  struct error *error)
{
    const struct array *input = &site->input[i];
    const long channels = channels_of(site), groups = groups_of(site);
    *operand = of_input(i);
    if (!scales_groups(site) || channels == groups)
        return OK;
    if (!input->data)
        return error_skip(error, "the kernel has scale and bias by channel; those by group are not "
                                 "known before it runs");
    if (channels > SPREAD_MAX)
        return error_skip(error, "the kernel would need an array of %ld constants", channels);
    void *data = arena_take_array(site->arena, (size_t)channels, (size_t)dtype_bytes(dtype));
    if (!data)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory");
    for (long channel = 0; channel < channels; channel++)
        real_put(data, dtype, channel, real_at(input->data, dtype, channel / (channels / groups)));
    *operand = of_constant(data);
    return OK;
}

static int lower(const struct site *site, struct lowering *lowering, struct error *error)
{
    const struct type x = site_type(site, X);
    enum dtype dtype;
    if (element_dtype(x.element, &dtype, error) != OK)
        return SKIPPED;
    if (site->input[SCALE].type.element != x.element || site->input[BIAS].type.element != x.element)
        return error_skip(error, "the kernel has all operands of one element");
    if (lowering_start(site, lowering, is_grouped(site) ? "group_norm" : "instance_norm", dtype,
                       error) != OK)
        return FAILED;
    struct launch *launch = lowering->launch;
    launch_letter(launch, "n", x.dims[0]);
    launch_letter(launch, "c", x.dims[1]);
    launch_letter(launch, "h", 1);
    launch_letter(launch, "w", type_product(&x, 2, x.rank));
    if (is_grouped(site))
        launch_letter(launch, "groups", groups_of(site));
    launch->operand[0] = of_output(0);
    launch->operand[1] = of_input(X);
    for (int i = SCALE; i <= BIAS; i++) {
        const int result = spread(site, i, &launch->operand[1 + i], dtype, error);
        if (result != OK)
            return result;
    }
    return launches_fill(site, &launch->operand[2 + BIAS], 1,
                         node_real(site->node, "epsilon", 1e-5), dtype, error);
}

/* Mean, variance, then difference, product and sum. */
static double flops(const struct site *site)
{
    const struct type x = site_type(site, X);
    return 7 * (double)type_elements(&x);
}

static const struct attribute_rule instance_attributes[] = {{"epsilon", ATTRIBUTE_REAL, false},
                                                            {0}};
static const struct attribute_rule group_attributes[] = {{"epsilon", ATTRIBUTE_REAL, false},
                                                         {"num_groups", ATTRIBUTE_INT, true},
                                                         {"stash_type", ATTRIBUTE_INT, false},
                                                         {0}};

#define MEMBER(member, grouped, first_opset, rules, what)                                          \
    static const bool member##_is_grouped = grouped;                                               \
    const struct op onnx_##member##_op = {                                                         \
        .domain = "",                                                                              \
        .name = #member,                                                                           \
        .summary = "y = (x - mean) / sqrt(variance + epsilon) * scale + bias, mean and variance "  \
                   "by " what " of an image",                                                      \
        .since = first_opset,                                                                      \
        .inputs_min = 3,                                                                           \
        .inputs_max = 3,                                                                           \
        .outputs_min = 1,                                                                          \
        .outputs_max = 1,                                                                          \
        .attributes = rules,                                                                       \
        .infer = infer,                                                                            \
        .evaluate = evaluate,                                                                      \
        .lower = lower,                                                                            \
        .flops = flops,                                                                            \
        .detail = &member##_is_grouped,                                                            \
    };

MEMBER(InstanceNormalization, false, 6, instance_attributes, "channel")
MEMBER(GroupNormalization, true, 18, group_attributes, "group of channels")
