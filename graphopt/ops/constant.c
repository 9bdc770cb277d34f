// constant.c - Constant: a value that stands in an attribute.
#include <string.h>

#include "op.h"

static const struct attribute_rule attributes[] = {
    {"value", ATTRIBUTE_TENSOR, false},        {"value_int", ATTRIBUTE_INT, false},
    {"value_ints", ATTRIBUTE_INTS, false},     {"value_float", ATTRIBUTE_REAL, false},
    {"value_floats", ATTRIBUTE_REALS, false},  {"value_string", ATTRIBUTE_TEXT, false},
    {"value_strings", ATTRIBUTE_TEXTS, false}, {0}};

/* The only one of the attributes that the node may have; NULL: none. */
static const struct attribute *value_of(const struct node *node)
{
    const struct attribute *value = NULL;
    for (const struct attribute_rule *rule = attributes; rule->name && !value; rule++)
        value = node_attribute(node, rule->name);
    return value;
}

static int infer(struct site *site, struct error *error)
{
    const struct attribute *value = value_of(site->node);
    struct type *type = &site->output[0].type;
    if (!value)
        return error_set(error, FAULT_IO,
                         "it has no value that is known: one of 'value', "
                         "'value_int', 'value_floats' and so on");
    switch (value->kind) {
    case ATTRIBUTE_TENSOR:
        *type = value->tensor->type;
        return OK;
    case ATTRIBUTE_INT:
    case ATTRIBUTE_REAL:
    case ATTRIBUTE_TEXT:
        *type = (struct type){.rank = 0};
        break;
    default:
        *type = (struct type){.rank = 1, .dims = {value->count}};
    }
    type->element = value->kind == ATTRIBUTE_INT || value->kind == ATTRIBUTE_INTS ? ELEMENT_i64
                    : value->kind == ATTRIBUTE_REAL || value->kind == ATTRIBUTE_REALS
                        ? ELEMENT_f32
                        : ELEMENT_text;
    return OK;
}

static int evaluate(struct site *site, struct error *error)
{
    (void)error;
    const struct attribute *value = value_of(site->node);
    void *data = site->output[0].data;
    const size_t bytes = (size_t)type_bytes(&site->output[0].type);
    switch (value->kind) {
    case ATTRIBUTE_INT:
        *(int64_t *)data = value->integer;
        break;
    case ATTRIBUTE_REAL:
        *(float *)data = (float)value->real;
        break;
    case ATTRIBUTE_TEXT:
        *(struct text *)data = value->text;
        break;
    case ATTRIBUTE_REALS:
        for (long i = 0; i < value->count; i++)
            ((float *)data)[i] = (float)value->reals[i];
        break;
    default: /* the lists that are stored as the tensor is */
        if (bytes)
            memcpy(data,
                   value->kind == ATTRIBUTE_TENSOR ? value->tensor->data
                   : value->kind == ATTRIBUTE_INTS ? (const void *)value->integers
                                                   : (const void *)value->texts,
                   bytes);
    }
    return OK;
}

const struct op onnx_Constant_op = {
    .domain = "",
    .name = "Constant",
    .summary = "y = the value in an attribute",
    .outputs_min = 1,
    .outputs_max = 1,
    .attributes = attributes,
    .infer = infer,
    .evaluate = evaluate,
};
