// affine_grid.c - AffineGrid: the grid of GridSample that an affine map makes.
#include "normalized.h"

enum { THETA, SIZE };

/* theta (N, d, d + 1), size N, C, D...: a grid (N, D..., d) for d = 2 or 3. */
static int infer(struct site *site, struct error *error)
{
    const struct type theta = site_type(site, THETA), size = site_type(site, SIZE);
    struct type *out = &site->output[0].type;
    const long *sizes;
    int count;
    out->element = theta.element;
    if (check_real(site, THETA, error) != OK ||
        site_integers(site, SIZE, &sizes, &count, error) != OK)
        return FAILED;
    if (!sizes && size.rank == 1 && size.dims[0] >= 0 && size.dims[0] <= RANK_MAX)
        count = (int)size.dims[0];
    if (count == 0 && !sizes)
        return OK;
    if (count != 4 && count != 5)
        return error_set(error, FAULT_IO, "'size' has %d numbers; there have to be 4 or 5", count);
    const int rank = count - 2;
    if (theta.rank >= 0 && (theta.rank != 3 || (theta.dims[1] >= 0 && theta.dims[1] != rank) ||
                            (theta.dims[2] >= 0 && theta.dims[2] != rank + 1) ||
                            (sizes && theta.dims[0] >= 0 && theta.dims[0] != sizes[0])))
        return error_set(error, FAULT_IO,
                         "'theta' is %s; it has to be one matrix of %d x %d for "
                         "each image",
                         type_format(site->graph, &theta).text, rank, rank + 1);
    out->rank = rank + 2;
    for (int i = 0; i < out->rank; i++)
        out->dims[i] = out->symbol[i] = 0;
    out->dims[0] = sizes ? sizes[0] : theta.rank >= 0 ? theta.dims[0] : -1;
    out->symbol[0] = !sizes && theta.rank >= 0 ? theta.symbol[0] : 0;
    for (int i = 0; i < rank; i++)
        out->dims[1 + i] = sizes ? sizes[2 + i] : -1;
    for (int i = 0; sizes && i < count; i++)
        if (sizes[i] < 0)
            return error_set(error, FAULT_IO, "size %d is %ld; it has to be at least 0", i,
                             sizes[i]);
    out->dims[1 + rank] = rank;
    return OK;
}

/* Of line i of so many, in [-1, 1]. A single one is at -1 where corners are aligned. */
static double coordinate(long i, long lines, bool aligns_corners)
{
    if (!aligns_corners)
        return (2 * (double)i + 1) / (double)lines - 1;
    return lines > 1 ? 2 * (double)i / (double)(lines - 1) - 1 : -1;
}

static int evaluate(struct site *site, struct error *error)
{
    (void)error;
    const struct array *theta = &site->input[THETA], *out = &site->output[0];
    const bool aligns_corners = node_integer(site->node, "align_corners", 0) != 0;
    const int rank = out->type.rank - 2;
    struct type places = {.rank = rank + 1};
    long at[RANK_MAX] = {0};
    for (int i = 0; i <= rank; i++)
        places.dims[i] = out->type.dims[i];
    for (long point = 0; point < type_elements(&places); point++) {
        for (int row = 0; row < rank; row++) {
            const long first = (at[0] * rank + row) * (rank + 1);
            double sum = array_real(theta, first + rank);
            for (int k = 0; k < rank; k++) /* x is the last dim */
                sum += array_real(theta, first + k) *
                       coordinate(at[rank - k], places.dims[rank - k], aligns_corners);
            array_put(out, point * rank + row, sum);
        }
        place_next(&places, at);
    }
    return OK;
}

static double flops(const struct site *site)
{
    const struct type out = site->output[0].type;
    return 2.0 * (out.rank - 2) * (double)type_elements(&out);
}

static const struct attribute_rule attributes[] = {{"align_corners", ATTRIBUTE_INT, false}, {0}};

const struct op onnx_AffineGrid_op = {
    .domain = "",
    .name = "AffineGrid",
    .summary = "grid (N, D..., d) of theta (N, d, d + 1) times the coordinates of an image",
    .since = 20,
    .inputs_min = 2,
    .inputs_max = 2,
    .outputs_min = 1,
    .outputs_max = 1,
    .attributes = attributes,
    .infer = infer,
    .evaluate = evaluate,
    .flops = flops,
};
