// scatters.c - ScatterElements (Scatter before opset 11) and ScatterND: a copy of the data in which
// elements by index are replaced, or combined with what comes.
#include <math.h>

#include "table_rows.h"
#include "wide.h"

enum reduction { REDUCTION_NONE, REDUCTION_ADD, REDUCTION_MUL, REDUCTION_MAX, REDUCTION_MIN };

static const char *const reduction_words[] = {"none", "add", "mul", "max", "min", NULL};

static int read_reduction(const struct site *site, enum reduction *reduction, struct error *error)
{
    int which;
    const int result = word_read(site->node, "reduction", reduction_words, &which, error);
    *reduction = (enum reduction)which;
    return result;
}

static double combine_reals(enum reduction reduction, double x, double y)
{
    switch (reduction) {
    case REDUCTION_ADD:
        return x + y;
    case REDUCTION_MUL:
        return x * y;
    case REDUCTION_MAX:
        return isnan(x) || isnan(y) ? NAN : fmax(x, y);
    case REDUCTION_MIN:
        return isnan(x) || isnan(y) ? NAN : fmin(x, y);
    default:
        return y;
    }
}

static wide combine_wholes(enum reduction reduction, wide x, wide y)
{
    switch (reduction) {
    case REDUCTION_ADD:
        return x + y;
    case REDUCTION_MUL: /* modulo 2^64, as wide_put() does: a product of u64 can be too wide */
        return (wide)((uint64_t)x * (uint64_t)y);
    case REDUCTION_MAX:
        return x > y ? x : y;
    case REDUCTION_MIN:
        return x < y ? x : y;
    default:
        return y;
    }
}

/* Row i of the updates into its row of the output. */
static void put_row(const struct array *out, long row, const struct array *updates, long i,
                    long columns, enum reduction reduction)
{
    const enum element element = out->type.element;
    const long to = row * columns, from = i * columns;
    if (reduction == REDUCTION_NONE) {
        elements_copy(out->data, to, updates->data, from, columns, element);
        return;
    }
    for (long k = 0; k < columns; k++)
        if (element_is_real(element))
            element_put_real(out->data, element, to + k,
                             combine_reals(reduction, element_real(out->data, element, to + k),
                                           element_real(updates->data, element, from + k)));
        else
            wide_put(out->data, element, to + k,
                     combine_wholes(reduction, wide_at(out->data, element, to + k),
                                    wide_at(updates->data, element, from + k)));
}

/* ---- inference ---- */

static int check_operands(struct site *site, struct error *error)
{
    const struct type data = site_type(site, 0);
    enum reduction reduction;
    site->output[0].type = data;
    if (elements_agree(data.element, site_type(site, 2).element, error) != OK ||
        index_element_check(site_type(site, 1).element, error) != OK)
        return FAILED;
    return read_reduction(site, &reduction, error);
}

static int check_dim(const struct type *updates, int i, long dim, struct error *error)
{
    if (updates->dims[i] >= 0 && dim >= 0 && updates->dims[i] != dim)
        return error_set(error, FAULT_IO, "dimension %d of the updates is %ld; it has to be %ld", i,
                         updates->dims[i], dim);
    return OK;
}

static int axis_of(const struct site *site, const struct type *data, int *axis, struct error *error)
{
    return axis_resolve(node_integer(site->node, "axis", 0), data->rank, axis, error);
}

static int infer_elements(struct site *site, struct error *error)
{
    const struct type data = site_type(site, 0), indices = site_type(site, 1);
    const struct type updates = site_type(site, 2);
    int axis = 0;
    if (check_operands(site, error) != OK ||
        (data.rank >= 0 && axis_of(site, &data, &axis, error) != OK) ||
        rows_check_elements(&data, &indices, axis, error) != OK)
        return FAILED;
    if (indices.rank < 0 || updates.rank < 0)
        return OK;
    if (indices.rank != updates.rank)
        return error_set(error, FAULT_IO, "indices and updates have %d and %d dimensions",
                         indices.rank, updates.rank);
    for (int i = 0; i < updates.rank; i++)
        if (check_dim(&updates, i, indices.dims[i], error) != OK)
            return FAILED;
    return OK;
}

static int infer_nd(struct site *site, struct error *error)
{
    const struct type data = site_type(site, 0), indices = site_type(site, 1);
    const struct type updates = site_type(site, 2);
    if (check_operands(site, error) != OK || rows_check_tuples(&data, &indices, 0, error) != OK)
        return FAILED;
    if (data.rank < 0 || indices.rank < 0 || updates.rank < 0 || indices.dims[indices.rank - 1] < 0)
        return OK;
    const int lead = indices.rank - 1, length = (int)indices.dims[lead];
    if (updates.rank != lead + data.rank - length)
        return error_set(error, FAULT_IO, "the updates have %d dimensions; they need %d",
                         updates.rank, lead + data.rank - length);
    for (int i = 0; i < updates.rank; i++)
        if (check_dim(&updates, i, i < lead ? indices.dims[i] : data.dims[length + i - lead],
                      error) != OK)
            return FAILED;
    return OK;
}

/* ---- evaluation ---- */

static int evaluate(struct site *site, struct error *error)
{
    const struct array *out = &site->output[0], *indices = &site->input[1];
    const enum element element = out->type.element;
    struct table_rows rows;
    enum reduction reduction;
    int axis;
    if (outputs_check(site, error) != OK)
        return SKIPPED;
    if (read_reduction(site, &reduction, error) != OK)
        return FAILED;
    if (reduction != REDUCTION_NONE && !element_is_real(element) && !element_is_whole(element) &&
        element != ELEMENT_bool)
        return error_skip(error, "elements '%s' are not combined", element_name(element));
    elements_copy(out->data, 0, site->input[0].data, 0, type_elements(&out->type), element);
    if (type_elements(&site->input[2].type) == 0)
        return OK;
    if (node_is(site->node, "ScatterND")) {
        if (rows_of_tuples(site, &out->type, indices, 0, &rows, error) != OK)
            return FAILED;
    } else if (axis_of(site, &out->type, &axis, error) != OK ||
               rows_of_elements(site, &out->type, indices, axis, &rows, error) != OK) {
        return FAILED;
    }
    for (long i = 0; i < rows.count; i++)
        put_row(out, rows.row[i], &site->input[2], i, rows.columns, reduction);
    return OK;
}

static const struct attribute_rule attributes[] = {
    {"axis", ATTRIBUTE_INT, false}, {"reduction", ATTRIBUTE_TEXT, false}, {0}};

#define SCATTER(member, first_opset, words, infer_function)                                        \
    const struct op onnx_##member##_op = {                                                         \
        .domain = "",                                                                              \
        .name = #member,                                                                           \
        .summary = words,                                                                          \
        .since = first_opset,                                                                      \
        .inputs_min = 3,                                                                           \
        .inputs_max = 3,                                                                           \
        .outputs_min = 1,                                                                          \
        .outputs_max = 1,                                                                          \
        .attributes = attributes,                                                                  \
        .infer = infer_function,                                                                   \
        .evaluate = evaluate,                                                                      \
    };

SCATTER(Scatter, 9, "x with updates at places whose index along `axis` is given", infer_elements)
SCATTER(ScatterElements, 11,
        "x with updates at places whose index along `axis` is given, replaced or combined",
        infer_elements)
SCATTER(ScatterND, 11,
        "x with slices at the places that the last dim of the indices names, replaced or combined",
        infer_nd)
