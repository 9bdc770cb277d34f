// det.c - Det: determinants of the matrices in the last two dimensions.
#include <math.h>

#include "op.h"

static int infer(struct site *site, struct error *error)
{
    const struct type in = site_type(site, 0);
    if (in.element != ELEMENT_NONE && !element_is_real(in.element))
        return error_set(error, FAULT_IO, "there is no Det of elements '%s'",
                         element_name(in.element));
    site->output[0].type = in;
    if (in.rank < 0)
        return OK;
    if (in.rank < 2)
        return error_set(error, FAULT_IO, "the input has %d dimensions; it takes 2 or more",
                         in.rank);
    const long rows = in.dims[in.rank - 2], columns = in.dims[in.rank - 1];
    if (rows >= 0 && columns >= 0 && rows != columns)
        return error_set(error, FAULT_IO, "a matrix of %ld rows and %ld columns is not square",
                         rows, columns);
    site->output[0].type.rank = in.rank - 2;
    return OK;
}

static void swap_rows(double *a, long size, long i, long j)
{
    for (long k = 0; k < size; k++) {
        const double held = a[i * size + k];
        a[i * size + k] = a[j * size + k];
        a[j * size + k] = held;
    }
}

/* By elimination with the largest pivot of each column; `a` is overwritten. */
static double determinant(double *a, long size)
{
    double product = 1;
    for (long i = 0; i < size; i++) {
        long pivot = i;
        for (long row = i + 1; row < size; row++)
            if (fabs(a[row * size + i]) > fabs(a[pivot * size + i]))
                pivot = row;
        if (pivot != i) {
            swap_rows(a, size, i, pivot);
            product = -product;
        }
        product *= a[i * size + i];
        if (a[i * size + i] == 0)
            return product;
        for (long row = i + 1; row < size; row++) {
            const double factor = a[row * size + i] / a[i * size + i];
            for (long k = i; k < size; k++)
                a[row * size + k] -= factor * a[i * size + k];
        }
    }
    return product;
}

static int evaluate(struct site *site, struct error *error)
{
    const struct array *in = &site->input[0], *out = &site->output[0];
    const long size = in->type.dims[in->type.rank - 1], count = type_elements(&out->type);
    if (count == 0)
        return OK;
    double *matrix = arena_take_array(site->arena, (size_t)(size * size), sizeof *matrix);
    if (!matrix)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory");
    for (long i = 0; i < count; i++) {
        for (long k = 0; k < size * size; k++)
            matrix[k] = element_real(in->data, in->type.element, i * size * size + k);
        element_put_real(out->data, out->type.element, i, determinant(matrix, size));
    }
    return OK;
}

static double flops(const struct site *site)
{
    const struct type *in = &site->input[0].type;
    return 2.0 / 3 * (double)in->dims[in->rank - 1] * (double)type_elements(in);
}

const struct op onnx_Det_op = {
    .domain = "",
    .name = "Det",
    .summary = "y = determinants of the matrices in the last two dimensions",
    .since = 11,
    .inputs_min = 1,
    .inputs_max = 1,
    .outputs_min = 1,
    .outputs_max = 1,
    .infer = infer,
    .evaluate = evaluate,
    .flops = flops,
};
