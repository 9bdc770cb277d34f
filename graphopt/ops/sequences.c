// sequences.c - CumSum and TopK: running sums, and the largest or smallest, along one axis.
#include <math.h>
#include <stdlib.h>

#include "moves.h"
#include "wide.h"

/* Lines along an axis: where each begins, and how far apart its elements are. */
struct lines {
    long count, length, stride;
};

static struct lines lines_of(const struct type *type, int axis)
{
    const long stride = type_product(type, axis + 1, type->rank);
    return (struct lines){type_product(type, 0, axis) * stride, type->dims[axis], stride};
}

static long line_begin(const struct lines *lines, long line)
{
    return line / lines->stride * lines->length * lines->stride + line % lines->stride;
}

static bool has_order(enum element element)
{
    return element == ELEMENT_NONE || element_is_real(element) || element_is_whole(element);
}

static int check_numbers(const struct type *type, struct error *error)
{
    if (!has_order(type->element))
        return error_set(error, FAULT_IO, "elements '%s' are no numbers",
                         element_name(type->element));
    if (type->rank == 0)
        return error_set(error, FAULT_IO, "the input has no dimension");
    return OK;
}

/* ---- CumSum ---- */

static int infer_cumsum(struct site *site, struct error *error)
{
    const struct type in = site_type(site, 0);
    struct integers axes;
    int axis;
    site->output[0].type = in;
    if (check_numbers(&in, error) != OK || integers_read(site, NULL, 1, &axes, error) != OK)
        return FAILED;
    if (axes.length >= 0 && axes.length != 1)
        return error_set(error, FAULT_IO, "there are %ld axes; it needs one", axes.length);
    return axes.values && in.rank > 0 ? axis_resolve(axes.values[0], in.rank, &axis, error) : OK;
}

struct sums {
    bool is_exclusive, is_reverse;
};

static void sum_line(const struct array *out, const struct array *in, long begin,
                     const struct lines *lines, struct sums sums)
{
    const enum element element = out->type.element;
    double real = 0;
    wide whole = 0;
    for (long i = 0; i < lines->length; i++) {
        const long at = begin + (sums.is_reverse ? lines->length - 1 - i : i) * lines->stride;
        const double real_before = real;
        const wide whole_before = whole;
        if (element_is_real(element)) {
            real += element_real(in->data, element, at);
            element_put_real(out->data, element, at, sums.is_exclusive ? real_before : real);
        } else {
            whole += wide_at(in->data, element, at);
            wide_put(out->data, element, at, sums.is_exclusive ? whole_before : whole);
        }
    }
}

static int evaluate_cumsum(struct site *site, struct error *error)
{
    const struct array *in = &site->input[0], *out = &site->output[0];
    const struct sums sums = {node_integer(site->node, "exclusive", 0) != 0,
                              node_integer(site->node, "reverse", 0) != 0};
    struct integers axes;
    int axis;
    if (outputs_check(site, error) != OK)
        return SKIPPED;
    if (integers_read(site, NULL, 1, &axes, error) != OK ||
        axis_resolve(axes.values[0], in->type.rank, &axis, error) != OK)
        return FAILED;
    const struct lines lines = lines_of(&in->type, axis);
    for (long line = 0; line < lines.count && lines.length > 0; line++)
        sum_line(out, in, line_begin(&lines, line), &lines, sums);
    return OK;
}

static double flops_cumsum(const struct site *site)
{
    return (double)type_elements(&site->output[0].type);
}

/* ---- TopK ---- */

/* How many are wanted; -1: not known yet. */
static int read_count(const struct site *site, long *count, struct error *error)
{
    struct integers k;
    *count = -1;
    if (node_attribute(site->node, "k")) {
        *count = node_integer(site->node, "k", -1);
    } else {
        if (integers_read(site, NULL, 1, &k, error) != OK)
            return FAILED;
        if (!k.is_given || (k.length >= 0 && k.length != 1))
            return error_set(error, FAULT_IO,
                             "it needs one 'k': an attribute before opset 10, then input 1");
        if (!k.values)
            return OK;
        *count = k.values[0];
    }
    if (*count < 0)
        return error_set(error, FAULT_IO, "'k' is %ld; it has to be at least 0", *count);
    return OK;
}

static int infer_topk(struct site *site, struct error *error)
{
    const struct type in = site_type(site, 0);
    struct type out = in;
    long count;
    int axis;
    if (check_numbers(&in, error) != OK || read_count(site, &count, error) != OK)
        return FAILED;
    if (in.rank > 0) {
        if (axis_resolve(node_integer(site->node, "axis", -1), in.rank, &axis, error) != OK)
            return FAILED;
        if (in.dims[axis] >= 0 && count > in.dims[axis])
            return error_set(error, FAULT_IO, "%ld of %ld elements are asked for", count,
                             in.dims[axis]);
        out.dims[axis] = count;
        out.symbol[axis] = 0;
    }
    site->output[0].type = out;
    if (site->node->output_count > 1) {
        site->output[1].type = out;
        site->output[1].type.element = ELEMENT_i64;
    }
    return OK;
}

struct ranking {
    const struct array *in;
    long begin, stride;
    bool is_largest;
};

/* Whether element a comes after b: < 0, 0, > 0. NAN counts as larger than any number. */
static int compare_values(const struct ranking *ranking, long a, long b)
{
    const enum element element = ranking->in->type.element;
    const long i = ranking->begin + a * ranking->stride, j = ranking->begin + b * ranking->stride;
    if (!element_is_real(element)) {
        const wide x = wide_at(ranking->in->data, element, i);
        const wide y = wide_at(ranking->in->data, element, j);
        return (x > y) - (x < y);
    }
    const double x = element_real(ranking->in->data, element, i);
    const double y = element_real(ranking->in->data, element, j);
    if (isnan(x) || isnan(y))
        return (isnan(x) != 0) - (isnan(y) != 0);
    return (x > y) - (x < y);
}

/* Of equal values the first comes first. */
static int compare(const void *a, const void *b, void *context)
{
    const struct ranking *ranking = context;
    const long i = *(const long *)a, j = *(const long *)b;
    const int order = compare_values(ranking, i, j);
    if (order != 0)
        return ranking->is_largest ? -order : order;
    return (i > j) - (i < j);
}

static int evaluate_topk(struct site *site, struct error *error)
{
    const struct array *in = &site->input[0], *out = &site->output[0];
    struct ranking ranking = {.in = in, .is_largest = node_integer(site->node, "largest", 1) != 0};
    int axis;
    if (outputs_check(site, error) != OK)
        return SKIPPED;
    if (axis_resolve(node_integer(site->node, "axis", -1), in->type.rank, &axis, error) != OK)
        return FAILED;
    const struct lines lines = lines_of(&in->type, axis), put = lines_of(&out->type, axis);
    long *order = arena_take_array(site->arena, (size_t)lines.length, sizeof *order);
    if (!order)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory");
    int64_t *indices = site->node->output_count > 1 ? site->output[1].data : NULL;
    ranking.stride = lines.stride;
    for (long line = 0; line < put.count && put.length > 0; line++) {
        for (long i = 0; i < lines.length; i++)
            order[i] = i;
        ranking.begin = line_begin(&lines, line);
        qsort_r(order, (size_t)lines.length, sizeof *order, compare, &ranking);
        for (long i = 0; i < put.length; i++) {
            const long to = line_begin(&put, line) + i * put.stride;
            elements_copy(out->data, to, in->data, ranking.begin + order[i] * lines.stride, 1,
                          out->type.element);
            if (indices)
                indices[to] = order[i];
        }
    }
    return OK;
}

static const struct attribute_rule cumsum_attributes[] = {
    {"exclusive", ATTRIBUTE_INT, false}, {"reverse", ATTRIBUTE_INT, false}, {0}};
static const struct attribute_rule topk_attributes[] = {{"axis", ATTRIBUTE_INT, false},
                                                        {"k", ATTRIBUTE_INT, false},
                                                        {"largest", ATTRIBUTE_INT, false},
                                                        {"sorted", ATTRIBUTE_INT, false},
                                                        {0}};

const struct op onnx_CumSum_op = {
    .domain = "",
    .name = "CumSum",
    .summary = "running sums of x along an axis",
    .since = 11,
    .inputs_min = 2,
    .inputs_max = 2,
    .outputs_min = 1,
    .outputs_max = 1,
    .attributes = cumsum_attributes,
    .infer = infer_cumsum,
    .evaluate = evaluate_cumsum,
    .flops = flops_cumsum,
};

const struct op onnx_TopK_op = {
    .domain = "",
    .name = "TopK",
    .summary = "the k largest or smallest along an axis, in order, and their indices",
    .inputs_min = 1,
    .inputs_max = 2,
    .outputs_min = 1,
    .outputs_max = 2,
    .attributes = topk_attributes,
    .infer = infer_topk,
    .evaluate = evaluate_topk,
};
