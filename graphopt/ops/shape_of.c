// shape_of.c - Shape and Size: the dims of a tensor as values.
#include "op.h"

/* The dims [begin, end) that Shape gives: from opset 15 on a part of them. */
static void find_range(const struct node *node, int rank, int *begin, int *end)
{
    long from = node_integer(node, "start", 0), to = node_integer(node, "end", rank);
    from += from < 0 ? rank : 0;
    to += to < 0 ? rank : 0;
    *begin = (int)(from < 0 ? 0 : from > rank ? rank : from);
    *end = (int)(to < *begin ? *begin : to > rank ? rank : to);
}

static int infer_shape(struct site *site, struct error *error)
{
    (void)error;
    const struct type type = site_type(site, 0);
    int begin = 0, end = -1;
    if (type.rank >= 0)
        find_range(site->node, type.rank, &begin, &end);
    site->output[0].type = (struct type){.element = ELEMENT_i64, .rank = 1, .dims = {end - begin}};
    return OK;
}

static int evaluate_shape(struct site *site, struct error *error)
{
    (void)error;
    const struct type *type = &site->input[0].type;
    int begin, end;
    find_range(site->node, type->rank, &begin, &end);
    for (int i = begin; i < end; i++)
        ((int64_t *)site->output[0].data)[i - begin] = type->dims[i];
    return OK;
}

static int infer_size(struct site *site, struct error *error)
{
    (void)error;
    site->output[0].type = (struct type){.element = ELEMENT_i64, .rank = 0};
    return OK;
}

static int evaluate_size(struct site *site, struct error *error)
{
    (void)error;
    *(int64_t *)site->output[0].data = type_elements(&site->input[0].type);
    return OK;
}

static const struct attribute_rule shape_attributes[] = {
    {"start", ATTRIBUTE_INT, false}, {"end", ATTRIBUTE_INT, false}, {0}};

const struct op onnx_Shape_op = {
    .domain = "",
    .name = "Shape",
    .summary = "the dims of x, from `start` to `end`",
    .flags = OP_TYPES,
    .inputs_min = 1,
    .inputs_max = 1,
    .outputs_min = 1,
    .outputs_max = 1,
    .attributes = shape_attributes,
    .infer = infer_shape,
    .evaluate = evaluate_shape,
};

const struct op onnx_Size_op = {
    .domain = "",
    .name = "Size",
    .summary = "the number of elements of x",
    .flags = OP_TYPES,
    .inputs_min = 1,
    .inputs_max = 1,
    .outputs_min = 1,
    .outputs_max = 1,
    .infer = infer_size,
    .evaluate = evaluate_size,
};
