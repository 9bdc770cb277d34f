// center_crop_pad.c - CenterCropPad: the middle of an array, or the array in the middle of zeros.
#include "moves.h"

/* Adds the dims that `shape` asks for to those of the input; -1 where they are not known. The rank
 * of the input is known. */
static int read_dims(const struct site *site, struct type *out, struct error *error)
{
    int axis_count, count, axis;
    const long *shape, *axes = node_integers(site->node, "axes", &axis_count);
    bool marked[RANK_MAX];
    *out = site_type(site, 0);
    if (site_integers(site, 1, &shape, &count, error) != OK)
        return FAILED;
    const int listed = axes ? axis_count : out->rank;
    if (axes && axes_mark(axes, listed, out->rank, marked, error) != OK)
        return FAILED;
    if (shape && count != listed)
        return error_set(error, FAULT_IO, "'shape' has %d numbers for %d axes", count, listed);
    for (int i = 0; i < listed; i++) {
        if (axis_resolve(axes ? axes[i] : i, out->rank, &axis, error) != OK)
            return FAILED;
        if (shape && shape[i] < 0)
            return error_set(error, FAULT_IO, "'shape' has a %ld; it has to be at least 0",
                             shape[i]);
        out->dims[axis] = shape ? shape[i] : -1;
        out->symbol[axis] = 0;
    }
    return OK;
}

static int infer(struct site *site, struct error *error)
{
    struct type *out = &site->output[0].type;
    *out = site_type(site, 0);
    return out->rank < 0 ? OK : read_dims(site, out, error);
}

static int evaluate(struct site *site, struct error *error)
{
    (void)error;
    const struct array *x = &site->input[0], *out = &site->output[0];
    const int rank = x->type.rank;
    long at[RANK_MAX] = {0};
    for (long i = 0; i < type_elements(&out->type); i++) {
        long from = 0;
        for (int k = 0; k < rank && from >= 0; k++) {
            const long in = x->type.dims[k], to = out->type.dims[k];
            const long line = to > in ? at[k] - (to - in) / 2 : at[k] + (in - to) / 2;
            from = line < 0 || line >= in ? -1 : from * in + line;
        }
        if (from < 0)
            element_clear(out->data, i, out->type.element);
        else
            elements_copy(out->data, i, x->data, from, 1, out->type.element);
        place_next(&out->type, at);
    }
    return OK;
}

static const struct attribute_rule attributes[] = {{"axes", ATTRIBUTE_INTS, false}, {0}};

const struct op onnx_CenterCropPad_op = {
    .domain = "",
    .name = "CenterCropPad",
    .summary =
        "x cut to, or filled up with zeros to, the dims of `shape`, its middle in the middle",
    .flags = OP_MOVES,
    .since = 18,
    .inputs_min = 2,
    .inputs_max = 2,
    .outputs_min = 1,
    .outputs_max = 1,
    .attributes = attributes,
    .infer = infer,
    .evaluate = evaluate,
};
