// gelus.c - the Gaussian error linear unit: ONNX's Gelu in both forms, com.microsoft's Gelu,
// BiasGelu, QuickGelu and FastGelu.
#include <math.h>
#include <string.h>

#include "launches.h"
#include "operands.h"

/* A member: its form, and whether a bias along the last dimension is added first. */
struct gelu {
    enum form { FORM_ATTRIBUTE, FORM_ERF, FORM_TANH, FORM_SIGMOID } form;
    bool has_bias;
};

static enum form form_of(const struct site *site)
{
    const struct gelu *gelu = site->node->op->detail;
    if (gelu->form != FORM_ATTRIBUTE)
        return gelu->form;
    return strcmp(node_text(site->node, "approximate", "none"), "tanh") == 0 ? FORM_TANH : FORM_ERF;
}

static int infer(struct site *site, struct error *error)
{
    const struct gelu *gelu = site->node->op->detail;
    const struct type in = site_type(site, 0), bias = site_type(site, 1);
    static const char *const words[] = {"none", "tanh", NULL};
    struct type *out = &site->output[0].type;
    int which;
    if (gelu->form == FORM_ATTRIBUTE &&
        word_read(site->node, "approximate", words, &which, error) != OK)
        return FAILED;
    if (in.element != ELEMENT_NONE && !element_is_real(in.element))
        return error_set(error, FAULT_IO, "there is no %s of elements '%s'", site->node->type,
                         element_name(in.element));
    *out = in;
    if (!gelu->has_bias || !site_input(site, 1))
        return OK;
    if (out->element == ELEMENT_NONE)
        out->element = bias.element;
    if (bias.element != ELEMENT_NONE && bias.element != out->element)
        return error_set(error, FAULT_IO, "the bias has elements '%s', the input '%s'",
                         element_name(bias.element), element_name(out->element));
    if (bias.rank >= 0 && bias.rank != 1)
        return error_set(error, FAULT_IO, "the bias has %d dimensions; it has to have 1",
                         bias.rank);
    const long last = in.rank > 0 ? in.dims[in.rank - 1] : in.rank == 0 ? 0 : -1;
    if (bias.rank == 1 && bias.dims[0] >= 0 && last >= 0 && bias.dims[0] != last)
        return error_set(error, FAULT_IO, "the bias has %ld elements, a row of the input %ld",
                         bias.dims[0], last);
    return OK;
}

static double value_of(enum form form, double x, double alpha)
{
    const double root = sqrt(2 / M_PI);
    switch (form) {
    case FORM_TANH:
        return x * 0.5 * (1 + tanh(root * (x + 0.044715 * x * x * x)));
    case FORM_SIGMOID:
        return x / (1 + exp(-alpha * x));
    default:
        return x * 0.5 * (1 + erf(x * M_SQRT1_2));
    }
}

static int evaluate(struct site *site, struct error *error)
{
    (void)error;
    const struct gelu *gelu = site->node->op->detail;
    const struct array *in = &site->input[0], *out = &site->output[0];
    const struct array *bias = gelu->has_bias ? site_input(site, 1) : NULL;
    const enum element element = out->type.element;
    const long count = type_elements(&out->type);
    const double alpha = node_real(site->node, "alpha", 1.702);
    const enum form form = form_of(site);
    for (long i = 0; i < count; i++) {
        double x = element_real(in->data, element, i);
        if (bias)
            x += element_real(bias->data, element, i % bias->type.dims[0]);
        element_put_real(out->data, element, i, value_of(form, x, alpha));
    }
    return OK;
}

/* The chain of a bias and the exact form is a kernel; the other forms with a bias are none. */
static int lower_biased(const struct site *site, struct lowering *lowering, enum dtype dtype,
                        struct error *error)
{
    if (form_of(site) != FORM_ERF)
        return error_skip(error, "kernel 'chain' has no steps bias, gelu_tanh");
    if (lowering_start(site, lowering, "chain", dtype, error) != OK)
        return FAILED;
    const long columns = site->input[1].type.dims[0];
    struct launch *launch = lowering->launch;
    launch_letter(launch, "rows", columns ? type_elements(&site->output[0].type) / columns : 0);
    launch_letter(launch, "columns", columns);
    if (!launch_word(launch, "chain", "bias_gelu"))
        return error_skip(error, "kernel 'chain' has no steps bias, gelu");
    launch->operand[0] = of_output(0);
    launch->operand[1] = of_input(0);
    launch->operand[2] = of_input(1);
    return OK;
}

static int lower(const struct site *site, struct lowering *lowering, struct error *error)
{
    const struct gelu *gelu = site->node->op->detail;
    const enum form form = form_of(site);
    enum dtype dtype;
    if (element_dtype(site->output[0].type.element, &dtype, error) != OK)
        return SKIPPED;
    if (gelu->has_bias && site_input(site, 1))
        return lower_biased(site, lowering, dtype, error);
    if (form == FORM_SIGMOID && (float)node_real(site->node, "alpha", 1.702) != 1)
        return error_skip(error, "kernel 'silu' has a factor of 1 inside");
    const char *kernel = form == FORM_TANH ? "gelu_tanh" : form == FORM_ERF ? "gelu" : "silu";
    if (lowering_start(site, lowering, kernel, dtype, error) != OK)
        return FAILED;
    launch_letter(lowering->launch, "n", type_elements(&site->output[0].type));
    lowering->launch->operand[0] = of_output(0);
    lowering->launch->operand[1] = of_input(0);
    return OK;
}

static double flops(const struct site *site)
{
    return (double)type_elements(&site->output[0].type);
}

static const struct attribute_rule forms[] = {{"approximate", ATTRIBUTE_TEXT, false}, {0}};
static const struct attribute_rule factors[] = {{"alpha", ATTRIBUTE_REAL, false}, {0}};

#define ONNX ""
#define MICROSOFT "com.microsoft"
/* GELU(symbol, domain, name, first opset, inputs at least and at most, form, bias, attributes) */
#define GELU(symbol, domain_name, type, since_opset, least, most, of_form, bias, rules, formula)   \
    static const struct gelu symbol##_gelu = {of_form, bias};                                      \
    const struct op symbol##_op = {                                                                \
        .domain = domain_name,                                                                     \
        .name = type,                                                                              \
        .summary = formula,                                                                        \
        .flags = (most) == 1 ? OP_UNARY : 0,                                                       \
        .since = since_opset,                                                                      \
        .inputs_min = least,                                                                       \
        .inputs_max = most,                                                                        \
        .outputs_min = 1,                                                                          \
        .outputs_max = 1,                                                                          \
        .attributes = rules,                                                                       \
        .infer = infer,                                                                            \
        .evaluate = evaluate,                                                                      \
        .lower = lower,                                                                            \
        .flops = flops,                                                                            \
        .detail = &symbol##_gelu,                                                                  \
    };
GELU(onnx_Gelu, ONNX, "Gelu", 20, 1, 1, FORM_ATTRIBUTE, false, forms,
     "y = x (1 + erf(x / sqrt(2))) / 2, or with tanh")
GELU(microsoft_Gelu, MICROSOFT, "Gelu", 0, 1, 1, FORM_ERF, false, NULL,
     "y = x (1 + erf(x / sqrt(2))) / 2")
GELU(microsoft_BiasGelu, MICROSOFT, "BiasGelu", 0, 2, 2, FORM_ERF, true, NULL, "y = gelu(x + bias)")
GELU(microsoft_FastGelu, MICROSOFT, "FastGelu", 0, 1, 2, FORM_TANH, true, NULL,
     "y = gelu(x + bias), with tanh")
GELU(microsoft_QuickGelu, MICROSOFT, "QuickGelu", 0, 1, 1, FORM_SIGMOID, false, factors,
     "y = x sigmoid(alpha x)")
