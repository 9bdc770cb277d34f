// views.c - Flatten, Squeeze, Unsqueeze: the same elements in the same order under other dims.
#include "moves.h"

/* One dim from dims [from, to) of the input. */
static void put_product(struct type *out, int at, const struct type *in, int from, int to)
{
    long known = 1;
    int open = -1, open_count = 0;
    for (int i = from; i < to; i++)
        if (in->dims[i] >= 0)
            known *= in->dims[i];
        else
            open = i, open_count++;
    out->dims[at] = open_count == 0 || known == 0 ? known : -1;
    out->symbol[at] = open_count == 1 && known == 1 ? in->symbol[open] : 0;
}

static int infer_flatten(struct site *site, struct error *error)
{
    const struct type in = site_type(site, 0);
    struct type *out = &site->output[0].type;
    const long axis = node_integer(site->node, "axis", 1);
    out->element = in.element;
    dims_unknown(out, 2);
    if (in.rank < 0)
        return OK;
    if (axis < -in.rank || axis > in.rank) /* behind the last dim, too */
        return error_set(error, FAULT_IO, "axis %ld is not in [%d, %d]", axis, -in.rank, in.rank);
    const int at = (int)(axis < 0 ? axis + in.rank : axis);
    put_product(out, 0, &in, 0, at);
    put_product(out, 1, &in, at, in.rank);
    return OK;
}

/* Which dims Squeeze removes; *is_known false where that depends on dims that are not known. */
static int find_removed(const struct type *in, const struct integers *axes, bool removed[RANK_MAX],
                        bool *is_known, struct error *error)
{
    *is_known = true;
    if (axes->is_given && axes_mark(axes->values, axes->count, in->rank, removed, error) != OK)
        return FAILED;
    for (int i = 0; i < in->rank; i++) {
        if (!axes->is_given) {
            removed[i] = in->dims[i] == 1;
            *is_known = *is_known && in->dims[i] >= 0;
        } else if (removed[i] && in->dims[i] >= 0 && in->dims[i] != 1) {
            return error_set(error, FAULT_IO,
                             "dimension %d is %ld; only dimensions of 1 can be removed", i,
                             in->dims[i]);
        }
    }
    return OK;
}

static int infer_squeeze(struct site *site, struct error *error)
{
    const struct type in = site_type(site, 0);
    struct type *out = &site->output[0].type;
    struct integers axes;
    bool removed[RANK_MAX] = {false}, is_known;
    out->element = in.element;
    if (integers_read(site, "axes", 1, &axes, error) != OK)
        return FAILED;
    if (in.rank < 0)
        return OK;
    if (axes.is_given && axes.length > in.rank)
        return error_set(error, FAULT_IO, "%ld axes are to be removed from %d dimensions",
                         axes.length, in.rank);
    if (axes.is_given && !axes.values) {
        if (axes.length >= 0)
            dims_unknown(out, in.rank - (int)axes.length);
        return OK;
    }
    if (find_removed(&in, &axes, removed, &is_known, error) != OK)
        return FAILED;
    if (!is_known)
        return OK;
    out->rank = 0;
    for (int i = 0; i < in.rank; i++)
        if (!removed[i])
            dim_copy(out, out->rank++, &in, i);
    return OK;
}

static int infer_unsqueeze(struct site *site, struct error *error)
{
    const struct type in = site_type(site, 0);
    struct type *out = &site->output[0].type;
    struct integers axes;
    bool added[RANK_MAX];
    out->element = in.element;
    if (integers_read(site, "axes", 1, &axes, error) != OK)
        return FAILED;
    if (!axes.is_given)
        return error_set(error, FAULT_IO,
                         "it has no 'axes': an attribute before opset 13, then input 1");
    if (in.rank < 0 || axes.length < 0)
        return OK;
    if (rank_check(in.rank + axes.length, error) != OK)
        return FAILED;
    dims_unknown(out, in.rank + (int)axes.length);
    if (!axes.values)
        return OK;
    if (axes_mark(axes.values, axes.count, out->rank, added, error) != OK)
        return FAILED;
    for (int i = 0, from = 0; i < out->rank; i++)
        if (added[i])
            out->dims[i] = 1;
        else
            dim_copy(out, i, &in, from++);
    return OK;
}

static const struct attribute_rule flatten_attributes[] = {{"axis", ATTRIBUTE_INT, false}, {0}};
static const struct attribute_rule axes_attributes[] = {{"axes", ATTRIBUTE_INTS, false}, {0}};

const struct op onnx_Flatten_op = {
    .domain = "",
    .name = "Flatten",
    .summary = "x as a matrix: dims before `axis` times dims from it on",
    .flags = OP_MOVES | OP_VIEW,
    .inputs_min = 1,
    .inputs_max = 1,
    .outputs_min = 1,
    .outputs_max = 1,
    .attributes = flatten_attributes,
    .infer = infer_flatten,
    .evaluate = view_evaluate,
    .lower = view_lower,
};

const struct op onnx_Squeeze_op = {
    .domain = "",
    .name = "Squeeze",
    .summary =
        "x without the dims `axes`, which are 1; without all that are 1 where none are named",
    .flags = OP_MOVES | OP_VIEW,
    .inputs_min = 1,
    .inputs_max = 2,
    .outputs_min = 1,
    .outputs_max = 1,
    .attributes = axes_attributes,
    .infer = infer_squeeze,
    .evaluate = view_evaluate,
    .lower = view_lower,
};

const struct op onnx_Unsqueeze_op = {
    .domain = "",
    .name = "Unsqueeze",
    .summary = "x with dims of 1 at `axes` of the result",
    .flags = OP_MOVES | OP_VIEW,
    .inputs_min = 1,
    .inputs_max = 2,
    .outputs_min = 1,
    .outputs_max = 1,
    .attributes = axes_attributes,
    .infer = infer_unsqueeze,
    .evaluate = view_evaluate,
    .lower = view_lower,
};
