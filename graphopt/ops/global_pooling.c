// global_pooling.c - GlobalAveragePool, GlobalMaxPool and GlobalLpPool: one number of each channel
// of an image.
#include "launches.h"
#include "normalized.h"

enum pool { POOL_AVERAGE, POOL_MAX, POOL_LP };

static enum pool pool_of(const struct site *site)
{
    return *(const enum pool *)site->node->op->detail;
}

static int infer(struct site *site, struct error *error)
{
    const struct type x = site_type(site, 0);
    struct type *out = &site->output[0].type;
    if (check_real(site, 0, error) != OK)
        return FAILED;
    if (x.rank >= 0 && x.rank < 2)
        return error_set(error, FAULT_IO,
                         "the input has %d dimensions; it needs batch, channels and an image",
                         x.rank);
    if (node_integer(site->node, "p", 2) < 1)
        return error_set(error, FAULT_IO, "'p' is %ld; it has to be at least 1",
                         node_integer(site->node, "p", 2));
    *out = x;
    for (int i = 2; i < x.rank; i++) {
        out->dims[i] = 1;
        out->symbol[i] = 0;
    }
    return OK;
}

static double pooled(const struct array *x, enum pool pool, double p, long begin, long count)
{
    double value = pool == POOL_MAX ? -INFINITY : 0;
    for (long i = begin; i < begin + count; i++) {
        const double cell = element_real(x->data, x->type.element, i);
        if (pool == POOL_MAX)
            value = cell > value || isnan(cell) ? cell : value;
        else
            value += pool == POOL_LP ? pow(fabs(cell), p) : cell;
    }
    return pool == POOL_AVERAGE ? value / (double)count
           : pool == POOL_LP    ? pow(value, 1 / p)
                                : value;
}

static int evaluate(struct site *site, struct error *error)
{
    (void)error;
    const struct array *x = &site->input[0], *out = &site->output[0];
    const double p = (double)node_integer(site->node, "p", 2);
    const long count = type_product(&x->type, 2, x->type.rank);
    for (long i = 0; i < type_elements(&out->type); i++)
        element_put_real(out->data, out->type.element, i,
                         pooled(x, pool_of(site), p, i * count, count));
    return OK;
}

/* A mean has a kernel of images, of one row here; the others reduce rows. */
static int lower(const struct site *site, struct lowering *lowering, struct error *error)
{
    const struct type x = site_type(site, 0);
    const enum pool pool = pool_of(site);
    const long count = type_product(&x, 2, x.rank);
    enum dtype dtype;
    if (pool == POOL_LP && node_integer(site->node, "p", 2) != 2)
        return error_skip(error, "the kernel has the Euclidean norm only");
    if (element_dtype(x.element, &dtype, error) != OK)
        return SKIPPED;
    if (lowering_start(site, lowering, pool == POOL_AVERAGE ? "global_average_pool" : "reduce",
                       dtype, error) != OK)
        return FAILED;
    struct launch *launch = lowering->launch;
    if (pool == POOL_AVERAGE) {
        launch_letter(launch, "n", x.dims[0]);
        launch_letter(launch, "c", x.dims[1]);
        launch_letter(launch, "h", 1);
        launch_letter(launch, "w", count);
    } else {
        launch_letter(launch, "outer", x.dims[0] * x.dims[1]);
        launch_letter(launch, "axis", count);
        launch_word(launch, "op", pool == POOL_MAX ? "max" : "l2");
    }
    launch->operand[0] = of_output(0);
    launch->operand[1] = of_input(0);
    return OK;
}

static double flops(const struct site *site)
{
    const struct type x = site_type(site, 0);
    return (double)type_elements(&x);
}

static const struct attribute_rule lp_attributes[] = {{"p", ATTRIBUTE_INT, false}, {0}};

#define MEMBER(member, which, rules, formula)                                                      \
    static const enum pool member##_pool = which;                                                  \
    const struct op onnx_##member##_op = {                                                         \
        .domain = "",                                                                              \
        .name = #member,                                                                           \
        .summary = formula,                                                                        \
        .inputs_min = 1,                                                                           \
        .inputs_max = 1,                                                                           \
        .outputs_min = 1,                                                                          \
        .outputs_max = 1,                                                                          \
        .attributes = rules,                                                                       \
        .infer = infer,                                                                            \
        .evaluate = evaluate,                                                                      \
        .lower = lower,                                                                            \
        .flops = flops,                                                                            \
        .detail = &member##_pool,                                                                  \
    };

MEMBER(GlobalAveragePool, POOL_AVERAGE, NULL, "mean of each channel of an image")
MEMBER(GlobalMaxPool, POOL_MAX, NULL, "maximum of each channel of an image")
MEMBER(GlobalLpPool, POOL_LP, lp_attributes, "(sum of |x|^p)^(1/p) of each channel of an image")
