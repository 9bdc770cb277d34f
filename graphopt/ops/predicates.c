// predicates.c - Not, BitwiseNot, IsNaN and IsInf.
#include <math.h>

#include "op.h"

enum kind { KIND_NOT, KIND_BITWISE_NOT, KIND_IS_NAN, KIND_IS_INF };

static bool takes(enum kind kind, enum element element)
{
    if (kind == KIND_NOT)
        return element == ELEMENT_bool;
    return kind == KIND_BITWISE_NOT ? element_is_whole(element) : element_is_real(element);
}

static int infer(struct site *site, struct error *error)
{
    const enum kind kind = *(const enum kind *)site->node->op->detail;
    const struct type in = site_type(site, 0);
    if (in.element != ELEMENT_NONE && !takes(kind, in.element))
        return error_set(error, FAULT_IO, "there is no %s of elements '%s'", site->node->type,
                         element_name(in.element));
    site->output[0].type = in;
    if (kind != KIND_BITWISE_NOT)
        site->output[0].type.element = ELEMENT_bool;
    return OK;
}

static bool is_infinite(const struct node *node, double x)
{
    return isinf(x) && node_integer(node, x > 0 ? "detect_positive" : "detect_negative", 1);
}

static int evaluate(struct site *site, struct error *error)
{
    (void)error;
    const enum kind kind = *(const enum kind *)site->node->op->detail;
    const struct array *in = &site->input[0], *out = &site->output[0];
    const enum element element = in->type.element;
    const long count = type_elements(&out->type);
    for (long i = 0; i < count; i++) {
        int64_t y;
        if (kind == KIND_IS_NAN)
            y = isnan(element_real(in->data, element, i));
        else if (kind == KIND_IS_INF)
            y = is_infinite(site->node, element_real(in->data, element, i));
        else
            y = ~element_whole(in->data, element, i);
        element_put_whole(out->data, out->type.element, i, kind == KIND_NOT ? y & 1 : y);
    }
    return OK;
}

static const struct attribute_rule signs[] = {
    {"detect_negative", ATTRIBUTE_INT, false}, {"detect_positive", ATTRIBUTE_INT, false}, {0}};

#define PREDICATE(member, kind_value, since_opset, rules, formula)                                 \
    static const enum kind member##_kind = kind_value;                                             \
    const struct op onnx_##member##_op = {                                                         \
        .domain = "",                                                                              \
        .name = #member,                                                                           \
        .summary = formula,                                                                        \
        .flags = OP_UNARY,                                                                         \
        .since = since_opset,                                                                      \
        .inputs_min = 1,                                                                           \
        .inputs_max = 1,                                                                           \
        .outputs_min = 1,                                                                          \
        .outputs_max = 1,                                                                          \
        .attributes = rules,                                                                       \
        .infer = infer,                                                                            \
        .evaluate = evaluate,                                                                      \
        .detail = &member##_kind,                                                                  \
    };
PREDICATE(Not, KIND_NOT, 0, NULL, "y = !x")
PREDICATE(BitwiseNot, KIND_BITWISE_NOT, 18, NULL, "y = ~x")
PREDICATE(IsNaN, KIND_IS_NAN, 9, NULL, "y = whether x is a NaN")
PREDICATE(IsInf, KIND_IS_INF, 10, signs, "y = whether x is infinite, of the wanted signs")
