// selections.c - Where, Compress, NonZero, OneHot, Trilu and ReverseSequence: elements chosen by
// conditions, indices and places.
#include <string.h>

#include "moves.h"

static bool is_zero(const struct array *array, long i)
{
    const enum element element = array->type.element;
    if (element == ELEMENT_text)
        return ((const struct text *)array->data)[i].length == 0;
    if (element == ELEMENT_c64 || element == ELEMENT_c128) {
        const enum element part = element == ELEMENT_c64 ? ELEMENT_f32 : ELEMENT_f64;
        return element_real(array->data, part, 2 * i) == 0 &&
               element_real(array->data, part, 2 * i + 1) == 0;
    }
    return element_is_whole(element) || element == ELEMENT_bool
               ? element_whole(array->data, element, i) == 0
               : element_real(array->data, element, i) == 0;
}

static int check_condition(enum element element, struct error *error)
{
    if (element != ELEMENT_NONE && element != ELEMENT_bool)
        return error_set(error, FAULT_IO, "the condition is '%s'; it has to be bool",
                         element_name(element));
    return OK;
}

/* ---- Where ---- */

static int infer_where(struct site *site, struct error *error)
{
    const struct type condition = site_type(site, 0), x = site_type(site, 1),
                      y = site_type(site, 2);
    struct type *out = &site->output[0].type, both;
    if (check_condition(condition.element, error) != OK ||
        elements_agree(x.element, y.element, error) != OK ||
        type_broadcast(&x, &y, &both, error) != OK ||
        type_broadcast(&both, &condition, out, error) != OK)
        return FAILED;
    out->element = x.element != ELEMENT_NONE ? x.element : y.element;
    return OK;
}

/* One line along the last dim; `from`: where it begins in condition, x and y. */
static void choose_line(const struct site *site, long to, long count, const long from[3],
                        const long step[3])
{
    const struct array *out = &site->output[0], *input = site->input;
    const uint8_t *condition = input[0].data;
    for (long i = 0; i < count; i++) {
        const int chosen = condition[from[0] + i * step[0]] ? 1 : 2;
        elements_copy(out->data, to + i, input[chosen].data, from[chosen] + i * step[chosen], 1,
                      out->type.element);
    }
}

static int evaluate_where(struct site *site, struct error *error)
{
    struct type lines = site->output[0].type;
    long strides[3][RANK_MAX], at[RANK_MAX] = {0}, from[3], step[3];
    if (outputs_check(site, error) != OK)
        return SKIPPED;
    const long total = type_elements(&lines);
    for (int i = 0; i < 3; i++) {
        broadcast_strides(&site->input[i].type, &lines, strides[i]);
        step[i] = lines.rank > 0 ? strides[i][lines.rank - 1] : 0;
    }
    const long count = lines.rank > 0 ? lines.dims[--lines.rank] : 1;
    for (long to = 0; to < total; to += count) {
        for (int i = 0; i < 3; i++)
            from[i] = place_offset(lines.rank, strides[i], at);
        choose_line(site, to, count, from, step);
        place_next(&lines, at);
    }
    return OK;
}

/* ---- Compress ---- */

static int infer_compress(struct site *site, struct error *error)
{
    const struct type in = site_type(site, 0), condition = site_type(site, 1);
    struct type *out = &site->output[0].type;
    int axis;
    if (check_condition(condition.element, error) != OK)
        return FAILED;
    if (condition.rank > 1)
        return error_set(error, FAULT_IO, "the condition has %d dimensions; it needs one",
                         condition.rank);
    *out = in;
    if (!node_attribute(site->node, "axis")) {
        dims_unknown(out, 1);
        return OK;
    }
    if (in.rank < 0)
        return OK;
    if (axis_resolve(node_integer(site->node, "axis", 0), in.rank, &axis, error) != OK)
        return FAILED;
    out->dims[axis] = -1;
    out->symbol[axis] = 0;
    return OK;
}

/* Entries along the axis, those that the condition has no word for left out. */
static int evaluate_compress(struct site *site, struct error *error)
{
    const struct array *in = &site->input[0], *condition = &site->input[1];
    struct array *out = &site->output[0];
    const bool is_flat = !node_attribute(site->node, "axis");
    long outer = 1, inner = 1, entries = type_elements(&in->type), kept = 0, to = 0;
    int axis = 0;
    if (!is_flat) {
        if (axis_resolve(node_integer(site->node, "axis", 0), in->type.rank, &axis, error) != OK)
            return FAILED;
        outer = type_product(&in->type, 0, axis);
        inner = type_product(&in->type, axis + 1, in->type.rank);
        entries = in->type.dims[axis];
    }
    const long conditions = type_elements(&condition->type);
    const long seen = conditions < entries ? conditions : entries;
    for (long i = 0; i < seen; i++)
        kept += !is_zero(condition, i);
    out->type.dims[axis] = kept;
    if (site_output(site, 0, error) != OK)
        return FAILED;
    for (long row = 0; row < outer && type_elements(&out->type) > 0; row++)
        for (long i = 0; i < seen; i++)
            if (!is_zero(condition, i)) {
                elements_copy(out->data, to, in->data, (row * entries + i) * inner, inner,
                              out->type.element);
                to += inner;
            }
    return OK;
}

/* ---- NonZero ---- */

static int infer_nonzero(struct site *site, struct error *error)
{
    (void)error;
    const struct type in = site_type(site, 0);
    struct type *out = &site->output[0].type;
    dims_unknown(out, 2);
    out->element = ELEMENT_i64;
    if (in.rank >= 0)
        out->dims[0] = in.rank;
    return OK;
}

static int evaluate_nonzero(struct site *site, struct error *error)
{
    const struct array *in = &site->input[0];
    struct array *out = &site->output[0];
    const long count = type_elements(&in->type);
    long at[RANK_MAX] = {0}, found = 0;
    for (long i = 0; i < count; i++)
        found += !is_zero(in, i);
    out->type.dims[1] = found;
    if (site_output(site, 0, error) != OK)
        return FAILED;
    int64_t *places = out->data;
    for (long i = 0, k = 0; i < count; i++) {
        for (int d = 0; d < in->type.rank && !is_zero(in, i); d++)
            places[d * found + k] = at[d];
        k += !is_zero(in, i);
        place_next(&in->type, at);
    }
    return OK;
}

/* ---- OneHot ---- */

static int read_depth(const struct site *site, long *depth, struct error *error)
{
    double value;
    const struct type type = site_type(site, 1), values = site_type(site, 2);
    *depth = -1;
    if (type_elements(&type) >= 0 && type_elements(&type) != 1)
        return error_set(error, FAULT_IO, "the depth has %ld elements; it needs one",
                         type_elements(&type));
    if (type_elements(&values) >= 0 && type_elements(&values) != 2)
        return error_set(error, FAULT_IO, "there are %ld values; it needs two, off and on",
                         type_elements(&values));
    if (site_real(site, 1, 0, &value, error) != OK)
        return OK;
    if (!(value >= 0 && value <= (double)ELEMENTS_MAX))
        return error_set(error, FAULT_IO, "the depth is %g; it has to be a length", value);
    *depth = (long)value;
    return OK;
}

static int infer_one_hot(struct site *site, struct error *error)
{
    const struct type indices = site_type(site, 0);
    struct type *out = &site->output[0].type;
    long depth;
    int axis;
    out->element = site_type(site, 2).element;
    if (read_depth(site, &depth, error) != OK)
        return FAILED;
    if (indices.rank < 0)
        return OK;
    if (rank_check(indices.rank + 1, error) != OK ||
        axis_resolve(node_integer(site->node, "axis", -1), indices.rank + 1, &axis, error) != OK)
        return FAILED;
    out->rank = indices.rank + 1;
    for (int i = 0, from = 0; i < out->rank; i++)
        if (i != axis)
            dim_copy(out, i, &indices, from++);
    out->dims[axis] = depth;
    return OK;
}

static int evaluate_one_hot(struct site *site, struct error *error)
{
    const struct array *out = &site->output[0], *indices = &site->input[0],
                       *values = &site->input[2];
    int axis;
    if (outputs_check(site, error) != OK)
        return SKIPPED;
    if (axis_resolve(node_integer(site->node, "axis", -1), out->type.rank, &axis, error) != OK)
        return FAILED;
    const enum element element = out->type.element;
    const long depth = out->type.dims[axis];
    const long inner = type_product(&out->type, axis + 1, out->type.rank);
    elements_fill(out->data, type_elements(&out->type), values->data, element);
    const long count = depth > 0 ? type_elements(&indices->type) : 0;
    for (long i = 0; i < count; i++) {
        long index = element_whole(indices->data, indices->type.element, i);
        index += index < 0 && site->node->opset >= 11 ? depth : 0; /* before, they were outside */
        if (index >= 0 && index < depth)
            elements_copy(out->data, (i / inner * depth + index) * inner + i % inner, values->data,
                          1, 1, element);
    }
    return OK;
}

/* ---- Trilu ---- */

static int infer_trilu(struct site *site, struct error *error)
{
    const struct type in = site_type(site, 0);
    if (in.rank >= 0 && in.rank < 2)
        return error_set(error, FAULT_IO, "the input has %d dimensions; matrices have at least 2",
                         in.rank);
    site->output[0].type = in;
    return OK;
}

/* Zeros are the elements of 0 bits, also of texts none. */
static int evaluate_trilu(struct site *site, struct error *error)
{
    const struct array *in = &site->input[0], *out = &site->output[0], *shift = site_input(site, 1);
    const struct type *type = &out->type;
    const bool upper = node_integer(site->node, "upper", 1) != 0;
    if (outputs_check(site, error) != OK)
        return SKIPPED;
    if (type->element == ELEMENT_text)
        return error_skip(error, "there is no zero of elements '%s'", element_name(type->element));
    if (shift && type_elements(&shift->type) != 1)
        return error_set(error, FAULT_IO, "the diagonal has %ld elements; it needs one",
                         type_elements(&shift->type));
    long k = shift ? element_whole(shift->data, shift->type.element, 0) : 0;
    k = k < -ELEMENTS_MAX ? -ELEMENTS_MAX : k > ELEMENTS_MAX ? ELEMENTS_MAX : k;
    const long rows = type->dims[type->rank - 2], columns = type->dims[type->rank - 1];
    const long count = type_elements(type);
    for (long i = 0; i < count; i++) {
        const long row = i / columns % rows, column = i % columns;
        const bool is_kept = upper ? column - row >= k : column - row <= k;
        if (is_kept)
            elements_copy(out->data, i, in->data, i, 1, type->element);
        else
            element_clear(out->data, i, type->element);
    }
    return OK;
}

/* ---- ReverseSequence ---- */

static int read_axes(const struct site *site, int rank, int *batch, int *time, struct error *error)
{
    if (axis_resolve(node_integer(site->node, "batch_axis", 1), rank, batch, error) != OK ||
        axis_resolve(node_integer(site->node, "time_axis", 0), rank, time, error) != OK)
        return FAILED;
    if (*batch == *time)
        return error_set(error, FAULT_IO, "'batch_axis' and 'time_axis' are both %d", *time);
    return OK;
}

static int infer_reverse(struct site *site, struct error *error)
{
    const struct type in = site_type(site, 0), lengths = site_type(site, 1);
    int batch, time;
    site->output[0].type = in;
    if (in.rank < 0)
        return OK;
    if (read_axes(site, in.rank, &batch, &time, error) != OK)
        return FAILED;
    const long count = type_elements(&lengths);
    if (count >= 0 && in.dims[batch] >= 0 && count != in.dims[batch])
        return error_set(error, FAULT_IO, "there are %ld lengths for %ld sequences", count,
                         in.dims[batch]);
    return OK;
}

static int evaluate_reverse(struct site *site, struct error *error)
{
    const struct array *in = &site->input[0], *out = &site->output[0], *lengths = &site->input[1];
    const struct type *type = &out->type;
    long at[RANK_MAX] = {0};
    int batch, time;
    if (outputs_check(site, error) != OK)
        return SKIPPED;
    if (read_axes(site, type->rank, &batch, &time, error) != OK)
        return FAILED;
    const long stride = type_product(type, time + 1, type->rank), count = type_elements(type);
    for (long i = 0; i < count; i++) {
        const long length = element_whole(lengths->data, lengths->type.element, at[batch]);
        if (length < 0 || length > type->dims[time])
            return error_set(error, FAULT_IO, "sequence %ld has the length %ld of %ld", at[batch],
                             length, type->dims[time]);
        const long moved = at[time] < length ? length - 1 - 2 * at[time] : 0;
        elements_copy(out->data, i, in->data, i + moved * stride, 1, type->element);
        place_next(type, at);
    }
    return OK;
}

static const struct attribute_rule axis_attributes[] = {{"axis", ATTRIBUTE_INT, false}, {0}};
static const struct attribute_rule trilu_attributes[] = {{"upper", ATTRIBUTE_INT, false}, {0}};
static const struct attribute_rule reverse_attributes[] = {
    {"batch_axis", ATTRIBUTE_INT, false}, {"time_axis", ATTRIBUTE_INT, false}, {0}};

#define SELECTION(member, first_opset, words, op_flags, least, most, rules, infer_it, evaluate_it) \
    const struct op onnx_##member##_op = {                                                         \
        .domain = "",                                                                              \
        .name = #member,                                                                           \
        .summary = words,                                                                          \
        .flags = op_flags,                                                                         \
        .since = first_opset,                                                                      \
        .inputs_min = least,                                                                       \
        .inputs_max = most,                                                                        \
        .outputs_min = 1,                                                                          \
        .outputs_max = 1,                                                                          \
        .attributes = rules,                                                                       \
        .infer = infer_it,                                                                         \
        .evaluate = evaluate_it,                                                                   \
    };

SELECTION(Where, 9, "x where the condition holds, else y, with broadcasting", 0, 3, 3, NULL,
          infer_where, evaluate_where)
SELECTION(Compress, 9, "entries of x along `axis` (of all elements without one) that are chosen",
          OP_MOVES, 2, 2, axis_attributes, infer_compress, evaluate_compress)
SELECTION(NonZero, 9, "the places of elements that are not 0, one row per dim", 0, 1, 1, NULL,
          infer_nonzero, evaluate_nonzero)
SELECTION(OneHot, 9, "one of two values: on where the place along `axis` is the index", 0, 3, 3,
          axis_attributes, infer_one_hot, evaluate_one_hot)
SELECTION(Trilu, 14, "the upper or lower triangle of matrices, else 0", 0, 1, 2, trilu_attributes,
          infer_trilu, evaluate_trilu)
SELECTION(ReverseSequence, 10, "the first steps of each sequence in reverse order", OP_MOVES, 2, 2,
          reverse_attributes, infer_reverse, evaluate_reverse)
