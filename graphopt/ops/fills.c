// fills.c - ConstantOfShape, EyeLike and Range: values that need no data.
#include <math.h>
#include <string.h>

#include "moves.h"
#include "wide.h"

/* ---- ConstantOfShape ---- */

/* The element to fill with: one f32 of 0 where the node says nothing. */
static int read_value(const struct node *node, struct array *value, struct error *error)
{
    static const float zero;
    const struct attribute *given = node_attribute(node, "value");
    *value = (struct array){{.element = ELEMENT_f32}, (void *)(uintptr_t)&zero};
    if (!given || given->kind != ATTRIBUTE_TENSOR)
        return OK;
    *value = *given->tensor;
    if (type_elements(&value->type) != 1 || !value->data)
        return error_set(error, FAULT_IO, "'value' has %ld elements; it needs one",
                         type_elements(&value->type));
    return OK;
}

static int infer_constant(struct site *site, struct error *error)
{
    struct type *out = &site->output[0].type;
    struct integers shape;
    struct array value;
    if (read_value(site->node, &value, error) != OK ||
        integers_read(site, NULL, 0, &shape, error) != OK)
        return FAILED;
    out->element = value.type.element;
    if (shape.length < 0)
        return OK;
    if (rank_check(shape.length, error) != OK)
        return FAILED;
    dims_unknown(out, (int)shape.length);
    for (int i = 0; i < shape.count; i++) {
        out->dims[i] = shape.values[i];
        if (out->dims[i] < 0)
            return error_set(error, FAULT_IO, "dimension %d is asked to be %ld", i, out->dims[i]);
    }
    return OK;
}

static int evaluate_constant(struct site *site, struct error *error)
{
    const struct array *out = &site->output[0];
    struct array value;
    if (outputs_check(site, error) != OK)
        return SKIPPED;
    if (read_value(site->node, &value, error) != OK)
        return FAILED;
    elements_fill(out->data, type_elements(&out->type), value.data, out->type.element);
    return OK;
}

/* ---- EyeLike ---- */

static int infer_eye(struct site *site, struct error *error)
{
    const struct type in = site_type(site, 0);
    struct type *out = &site->output[0].type;
    const long element = node_integer(site->node, "dtype", in.element);
    if (in.rank >= 0 && in.rank != 2)
        return error_set(error, FAULT_IO, "the input has %d dimensions; a matrix has 2", in.rank);
    if (element < 0 || element >= ELEMENT_END || element == ELEMENT_text)
        return error_set(error, FAULT_IO, "'dtype' %ld is no type of numbers", element);
    *out = in;
    if (in.rank < 0)
        dims_unknown(out, 2);
    out->element = (enum element)element;
    return OK;
}

static int evaluate_eye(struct site *site, struct error *error)
{
    const struct array *out = &site->output[0];
    const long k = node_integer(site->node, "k", 0);
    if (outputs_check(site, error) != OK)
        return SKIPPED;
    const long rows = out->type.dims[0], columns = out->type.dims[1];
    const size_t bytes = (size_t)type_bytes(&out->type);
    if (bytes)
        memset(out->data, 0, bytes);
    if (k <= -rows || k >= columns)
        return OK;
    for (long row = k < 0 ? -k : 0; row < rows && row + k < columns; row++)
        element_put_real(out->data, out->type.element, row * columns + row + k, 1);
    return OK;
}

/* ---- Range ---- */

/* How many numbers there are; FAULT_IO where that is no number of elements. */
static int count_range(const struct site *site, long *count, struct error *error)
{
    const struct array *start = &site->input[0], *limit = &site->input[1], *delta = &site->input[2];
    const enum element element = start->type.element;
    double steps;
    if (element_is_real(element)) {
        steps =
            ceil((element_real(limit->data, element, 0) - element_real(start->data, element, 0)) /
                 element_real(delta->data, element, 0));
    } else {
        const wide distance = wide_at(limit->data, element, 0) - wide_at(start->data, element, 0);
        const wide step = wide_at(delta->data, element, 0);
        if (step == 0)
            return error_set(error, FAULT_IO, "the step is 0");
        const wide whole = distance / step;
        steps = (double)(whole + (distance % step != 0 && (distance < 0) == (step < 0)));
    }
    if (isnan(steps) || steps > (double)ELEMENTS_MAX)
        return error_set(error, FAULT_IO,
                         "start, limit and step make no range of at most %ld numbers",
                         ELEMENTS_MAX);
    *count = steps < 0 ? 0 : (long)steps;
    return OK;
}

static int infer_range(struct site *site, struct error *error)
{
    struct type *out = &site->output[0].type;
    bool is_known = true;
    *out = (struct type){.element = ELEMENT_NONE, .rank = 1, .dims = {-1}};
    for (int i = 0; i < 3; i++) {
        const struct type type = site_type(site, i);
        const long elements = type_elements(&type);
        if (elements_agree(out->element, type.element, error) != OK)
            return FAILED;
        if (type.element != ELEMENT_NONE)
            out->element = type.element;
        if (elements >= 0 && elements != 1)
            return error_set(error, FAULT_IO, "input %d has %ld elements; it needs one", i,
                             elements);
        is_known =
            is_known && elements == 1 && type.element != ELEMENT_NONE && site_input(site, i)->data;
    }
    if (out->element != ELEMENT_NONE && !element_is_real(out->element) &&
        !element_is_whole(out->element))
        return error_set(error, FAULT_IO, "there is no range of elements '%s'",
                         element_name(out->element));
    return is_known ? count_range(site, &out->dims[0], error) : OK;
}

static int evaluate_range(struct site *site, struct error *error)
{
    const struct array *out = &site->output[0];
    const enum element element = out->type.element;
    const void *start = site->input[0].data, *delta = site->input[2].data;
    if (outputs_check(site, error) != OK)
        return SKIPPED;
    for (long i = 0; i < out->type.dims[0]; i++)
        if (element_is_real(element))
            element_put_real(out->data, element, i,
                             element_real(start, element, 0) +
                                 (double)i * element_real(delta, element, 0));
        else
            wide_put(out->data, element, i,
                     wide_at(start, element, 0) + (wide)i * wide_at(delta, element, 0));
    return OK;
}

static const struct attribute_rule constant_attributes[] = {{"value", ATTRIBUTE_TENSOR, false},
                                                            {0}};
static const struct attribute_rule eye_attributes[] = {
    {"dtype", ATTRIBUTE_INT, false}, {"k", ATTRIBUTE_INT, false}, {0}};
static const struct attribute_rule range_attributes[] = {{"stash_type", ATTRIBUTE_INT, false}, {0}};

const struct op onnx_ConstantOfShape_op = {
    .domain = "",
    .name = "ConstantOfShape",
    .summary = "an array of the given dims, filled with `value`",
    .since = 9,
    .inputs_min = 1,
    .inputs_max = 1,
    .outputs_min = 1,
    .outputs_max = 1,
    .attributes = constant_attributes,
    .infer = infer_constant,
    .evaluate = evaluate_constant,
};

const struct op onnx_EyeLike_op = {
    .domain = "",
    .name = "EyeLike",
    .summary = "1 on a diagonal of a matrix of x's dims, else 0",
    .flags = OP_TYPES,
    .since = 9,
    .inputs_min = 1,
    .inputs_max = 1,
    .outputs_min = 1,
    .outputs_max = 1,
    .attributes = eye_attributes,
    .infer = infer_eye,
    .evaluate = evaluate_eye,
};

const struct op onnx_Range_op = {
    .domain = "",
    .name = "Range",
    .summary = "numbers from a start up to a limit, which is not among them, by a step",
    .since = 11,
    .inputs_min = 3,
    .inputs_max = 3,
    .outputs_min = 1,
    .outputs_max = 1,
    .attributes = range_attributes,
    .infer = infer_range,
    .evaluate = evaluate_range,
};
