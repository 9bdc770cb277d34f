// arg_extreme.c - ArgMax and ArgMin: where along an axis the largest or smallest element is.
#include <math.h>

#include "op.h"
#include "wide.h"

static int infer(struct site *site, struct error *error)
{
    const struct type in = site_type(site, 0);
    struct type *out = &site->output[0].type;
    if (in.element != ELEMENT_NONE && !element_is_real(in.element) && !element_is_whole(in.element))
        return error_set(error, FAULT_IO, "there is no %s of elements '%s'", site->node->type,
                         element_name(in.element));
    *out = in;
    out->element = ELEMENT_i64;
    if (in.rank < 0)
        return OK;
    int axis;
    if (axis_resolve(node_integer(site->node, "axis", 0), in.rank, &axis, error) != OK)
        return FAILED;
    if (in.dims[axis] == 0)
        return error_set(error, FAULT_IO, "axis %d has no elements, of which none is the largest",
                         axis);
    const int dropped = !node_integer(site->node, "keepdims", 1);
    out->rank = in.rank - dropped;
    for (int i = axis; i < out->rank; i++) {
        out->dims[i] = i == axis && !dropped ? 1 : in.dims[i + dropped];
        out->symbol[i] = i == axis && !dropped ? 0 : in.symbol[i + dropped];
    }
    return OK;
}

/* Whether element i comes before j; a NaN comes before all that is none, as in numpy. */
static bool precedes(const struct array *in, long i, long j, bool is_max)
{
    const enum element element = in->type.element;
    if (!element_is_real(element)) {
        const wide x = wide_at(in->data, element, i), y = wide_at(in->data, element, j);
        return is_max ? x > y : x < y;
    }
    const double x = element_real(in->data, element, i), y = element_real(in->data, element, j);
    if (isnan(x) || isnan(y))
        return isnan(x) && !isnan(y);
    return is_max ? x > y : x < y;
}

static int evaluate(struct site *site, struct error *error)
{
    const struct array *in = &site->input[0];
    const bool is_max = site->node->op->detail != NULL;
    const bool is_last = node_integer(site->node, "select_last_index", 0);
    int axis;
    if (axis_resolve(node_integer(site->node, "axis", 0), in->type.rank, &axis, error) != OK)
        return FAILED;
    const long inner = type_product(&in->type, axis + 1, in->type.rank);
    const long length = in->type.dims[axis], count = type_elements(&site->output[0].type);
    for (long i = 0; i < count; i++) {
        const long first = i / inner * length * inner + i % inner;
        long best = 0;
        for (long k = 1; k < length; k++) {
            const long of_k = first + k * inner, of_best = first + best * inner;
            if (is_last ? !precedes(in, of_best, of_k, is_max)
                        : precedes(in, of_k, of_best, is_max))
                best = k;
        }
        element_put_whole(site->output[0].data, ELEMENT_i64, i, best);
    }
    return OK;
}

static double flops(const struct site *site)
{
    return (double)type_elements(&site->input[0].type);
}

static const struct attribute_rule attributes[] = {{"axis", ATTRIBUTE_INT, false},
                                                   {"keepdims", ATTRIBUTE_INT, false},
                                                   {"select_last_index", ATTRIBUTE_INT, false},
                                                   {0}};

static const char largest[] = "largest";

#define ARG_EXTREME(member, word, what)                                                            \
    const struct op onnx_##member##_op = {                                                         \
        .domain = "",                                                                              \
        .name = #member,                                                                           \
        .summary = "y = index of the " word " element along the axis",                             \
        .inputs_min = 1,                                                                           \
        .inputs_max = 1,                                                                           \
        .outputs_min = 1,                                                                          \
        .outputs_max = 1,                                                                          \
        .attributes = attributes,                                                                  \
        .infer = infer,                                                                            \
        .evaluate = evaluate,                                                                      \
        .flops = flops,                                                                            \
        .detail = what, /* NULL: the smallest */                                                   \
    };
ARG_EXTREME(ArgMax, "largest", largest)
ARG_EXTREME(ArgMin, "smallest", NULL)
