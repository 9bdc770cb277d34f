// reshape.c - Reshape: the same elements in the same order under other dims.
#include "moves.h"

/* Dims as asked for: those given as 0 are the input's, of which may be unknown; -1 stays. */
static int copy_dims(const struct site *site, const long *asked, int count, struct type *out,
                     struct error *error)
{
    const struct type in = site_type(site, 0);
    const bool keeps_zeros = node_integer(site->node, "allowzero", 0) != 0;
    if (count > RANK_MAX)
        return error_set(error, FAULT_IO, "%d dimensions are asked for; at most %d can be handled",
                         count, RANK_MAX);
    out->rank = count;
    for (int i = 0; i < count; i++) {
        out->dims[i] = asked[i];
        out->symbol[i] = 0;
        if (asked[i] < -1)
            return error_set(error, FAULT_IO, "dimension %d is asked to be %ld", i, asked[i]);
        if (asked[i] != 0 || keeps_zeros)
            continue;
        if (in.rank >= 0 && i >= in.rank)
            return error_set(error, FAULT_IO,
                             "dimension %d is to be copied from an input that has %d", i, in.rank);
        out->dims[i] = in.rank >= 0 ? in.dims[i] : -1;
        out->symbol[i] = in.rank >= 0 ? in.symbol[i] : 0;
    }
    return OK;
}

/* Whether dim i of the output is that of the input: both leave it out of what has to be equal, so
 * that it may be unknown or 0. */
static bool is_copied(const struct site *site, const long *asked, int i)
{
    return asked[i] == 0 && node_integer(site->node, "allowzero", 0) == 0;
}

/* Elements of the input but for dims that are copied; -1: not known. */
static long rest_of_input(const struct site *site, const long *asked, int count)
{
    const struct type in = site_type(site, 0);
    long product = 1;
    for (int i = 0; i < in.rank; i++) {
        if (i < count && is_copied(site, asked, i))
            continue;
        if (in.dims[i] < 0)
            return -1;
        product *= in.dims[i];
    }
    return in.rank < 0 ? -1 : product;
}

static int resolve(const struct site *site, const long *asked, struct type *out,
                   struct error *error)
{
    int open = -1;
    long known = 1;
    bool is_empty = false;
    for (int i = 0; i < out->rank; i++) {
        if (is_copied(site, asked, i)) {
            is_empty = is_empty || out->dims[i] == 0;
            continue;
        }
        if (asked[i] == -1 && open >= 0)
            return error_set(error, FAULT_IO, "two dimensions are asked to be -1: %d and %d", open,
                             i);
        if (asked[i] == -1)
            open = i;
        else if (asked[i] > 0 && known > ELEMENTS_MAX / asked[i])
            return error_set(error, FAULT_IO, "more than %ld elements are asked for", ELEMENTS_MAX);
        else
            known *= asked[i];
    }
    const long rest = rest_of_input(site, asked, out->rank);
    if (rest < 0 || (open < 0 && is_empty))
        return OK;
    if (open >= 0 && known == 0)
        return error_set(error, FAULT_IO, "dimension %d cannot be told: the others make 0", open);
    if (open >= 0 ? rest % known != 0 : rest != known)
        return error_set(error, FAULT_IO, "%ld elements do not fill the %ld that are asked for",
                         rest, known);
    if (open >= 0)
        out->dims[open] = rest / known;
    return OK;
}

static int infer(struct site *site, struct error *error)
{
    struct type *out = &site->output[0].type;
    const struct type list = site_type(site, 1);
    const long *asked;
    int count;
    out->element = site_type(site, 0).element;
    if (site_integers(site, 1, &asked, &count, error) != OK)
        return FAILED;
    if (asked)
        return copy_dims(site, asked, count, out, error) == OK ? resolve(site, asked, out, error)
                                                               : FAILED;
    if (list.rank == 1 && list.dims[0] >= 0 && list.dims[0] <= RANK_MAX) {
        out->rank = (int)list.dims[0];
        for (int i = 0; i < out->rank; i++)
            out->dims[i] = -1;
    }
    return OK;
}

static const struct attribute_rule attributes[] = {{"allowzero", ATTRIBUTE_INT, false}, {0}};

const struct op onnx_Reshape_op = {
    .domain = "",
    .name = "Reshape",
    .summary = "the elements of x under the dims of `shape`",
    .flags = OP_MOVES | OP_VIEW,
    .since = 5,
    .inputs_min = 2,
    .inputs_max = 2,
    .outputs_min = 1,
    .outputs_max = 1,
    .attributes = attributes,
    .infer = infer,
    .evaluate = view_evaluate,
    .lower = view_lower,
};
