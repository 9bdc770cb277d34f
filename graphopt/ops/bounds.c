// bounds.c - Clip: every element cut to bounds, which were attributes before opset 11.
#include <float.h>
#include <math.h>

#include "launches.h"
#include "wide.h"

static bool has_inputs(const struct node *node)
{
    return node->opset >= 11;
}

static int infer(struct site *site, struct error *error)
{
    const struct type in = site_type(site, 0);
    if (in.element != ELEMENT_NONE && !element_is_real(in.element) && !element_is_whole(in.element))
        return error_set(error, FAULT_IO, "there is no Clip of elements '%s'",
                         element_name(in.element));
    const bool has_attributes =
        node_attribute(site->node, "min") || node_attribute(site->node, "max");
    if (has_inputs(site->node) ? has_attributes : site->node->input_count > 1)
        return error_set(error, FAULT_IO,
                         "bounds are %s at opset %d; they became inputs with opset 11",
                         has_attributes ? "attributes" : "inputs", site->node->opset);
    for (int i = 1; i < 3 && has_inputs(site->node); i++) {
        const struct type bound = site_type(site, i);
        const long count = bound.rank < 0 ? -1 : type_elements(&bound);
        if (count >= 0 && count != 1)
            return error_set(error, FAULT_IO, "bound %s is not one number",
                             type_format(site->graph, &bound).text);
        if (bound.element != ELEMENT_NONE && in.element != ELEMENT_NONE &&
            bound.element != in.element)
            return error_set(error, FAULT_IO, "bound has elements '%s', what is cut '%s'",
                             element_name(bound.element), element_name(in.element));
    }
    site->output[0].type = in;
    return OK;
}

/* Bounds of reals; infinite where there is none. Of the attributes' defaults the largest floats.
 * SKIPPED where one is not known. */
static int bounds_of(const struct site *site, double *low, double *high, struct error *error)
{
    if (!has_inputs(site->node)) {
        *low = node_real(site->node, "min", -FLT_MAX);
        *high = node_real(site->node, "max", FLT_MAX);
        return OK;
    }
    if (site_real(site, 1, -INFINITY, low, error) != OK)
        return SKIPPED;
    return site_real(site, 2, INFINITY, high, error);
}

/* Where the bounds are in the wrong order all becomes the upper one, as in numpy. */
static void cut_wholes(const struct site *site)
{
    const struct array *in = &site->input[0], *out = &site->output[0];
    const struct array *low = site_input(site, 1), *high = site_input(site, 2);
    const enum element element = in->type.element;
    const long count = type_elements(&in->type);
    for (long i = 0; i < count; i++) {
        wide x = wide_at(in->data, element, i);
        if (low && x < wide_at(low->data, element, 0))
            x = wide_at(low->data, element, 0);
        if (high && x > wide_at(high->data, element, 0))
            x = wide_at(high->data, element, 0);
        wide_put(out->data, element, i, x);
    }
}

static int evaluate(struct site *site, struct error *error)
{
    const struct array *in = &site->input[0];
    const enum element element = in->type.element;
    const long count = type_elements(&in->type);
    double low, high;
    if (element_is_whole(element) && has_inputs(site->node)) {
        cut_wholes(site);
        return OK;
    }
    const int result = bounds_of(site, &low, &high, error);
    if (result != OK)
        return result;
    for (long i = 0; i < count; i++) {
        const double x = element_real(in->data, element, i);
        const double raised = x < low ? low : x;
        element_put_real(site->output[0].data, element, i, raised > high ? high : raised);
    }
    return OK;
}

/* A bound as the graph has it: an input, known or not, else the attribute or its default. */
static int add_bound(const struct site *site, int i, double attribute, enum dtype dtype,
                     struct number_step *steps, int *count, struct error *error)
{
    struct number_step *step = &steps[*count];
    if (has_inputs(site->node) && !site_input(site, i))
        return OK;
    ++*count;
    step->step = i == 1 ? "max" : "min";
    step->number = of_input(i);
    return has_inputs(site->node) ? OK
                                  : launches_fill(site, &step->number, 1, attribute, dtype, error);
}

/* The kernel clip has the bounds 0 and 6; without an upper bound it is a rectifier; others are two
 * steps. */
static int lower(const struct site *site, struct lowering *lowering, struct error *error)
{
    double low = NAN, high = NAN;
    enum dtype dtype;
    struct number_step steps[2];
    int count = 0;
    if (element_dtype(site->input[0].type.element, &dtype, error) != OK)
        return SKIPPED;
    const bool is_known = bounds_of(site, &low, &high, error) == OK;
    if (!is_known || low != 0 || (high != 6 && high != INFINITY)) {
        if (add_bound(site, 1, low, dtype, steps, &count, error) != OK ||
            add_bound(site, 2, high, dtype, steps, &count, error) != OK)
            return FAILED;
        return launches_steps(site, lowering, steps, count, dtype, error);
    }
    if (lowering_start(site, lowering, high == 6 ? "clip" : "relu", dtype, error) != OK)
        return FAILED;
    launch_letter(lowering->launch, "n", type_elements(&site->output[0].type));
    lowering->launch->operand[0] = of_output(0);
    lowering->launch->operand[1] = of_input(0);
    return OK;
}

static double flops(const struct site *site)
{
    return 2 * (double)type_elements(&site->output[0].type);
}

static const struct attribute_rule attributes[] = {
    {"min", ATTRIBUTE_REAL, false}, {"max", ATTRIBUTE_REAL, false}, {0}};

const struct op onnx_Clip_op = {
    .domain = "",
    .name = "Clip",
    .summary = "y = min(max(x, low), high)",
    .inputs_min = 1,
    .inputs_max = 3,
    .outputs_min = 1,
    .outputs_max = 1,
    .attributes = attributes,
    .infer = infer,
    .evaluate = evaluate,
    .lower = lower,
    .flops = flops,
};
