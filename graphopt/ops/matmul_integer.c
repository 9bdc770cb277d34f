// matmul_integer.c - MatMulInteger: a product of 8-bit numbers behind their zero points, in
// int32_t.
#include <math.h>

#include "matrices.h"

static int see(const struct site *site, struct sides *sides, struct error *error)
{
    if (matrices_see(site, 0, 0, false, &sides->a, error) != OK)
        return FAILED;
    return matrices_see(site, 1, 0, true, &sides->b, error);
}

/* The zero point of side `i`: one number, one per row of a or column of b, or an array that
 * broadcasts to the side with `dim`, which is summed over, of 1. */
static int check_zero(const struct site *site, int i, const struct matrices *side, int dim,
                      struct error *error)
{
    const struct type zero = site_type(site, 2 + i), of_side = site_type(site, i);
    if (zero.element != ELEMENT_NONE && of_side.element != ELEMENT_NONE &&
        zero.element != of_side.element)
        return error_set(error, FAULT_IO, "the zero point of input %d has elements '%s', not '%s'",
                         i, element_name(zero.element), element_name(of_side.element));
    if (zero.rank < 0 || side->type.rank < 0 || type_elements(&zero) == 1)
        return OK;
    const int rank = side->type.rank;
    const long lines = side->type.dims[i == 0 ? rank - 2 : rank - 1];
    bool fits = zero.rank == 1 && (zero.dims[0] < 0 || lines < 0 || zero.dims[0] == lines);
    if (zero.rank > 1 && zero.rank <= rank) {
        fits = true;
        for (int d = 0; d < zero.rank; d++) {
            const long of_zero = zero.dims[d], of_d = side->type.dims[d + rank - zero.rank];
            const bool is_summed = d == zero.rank - rank + dim;
            fits = fits &&
                   (of_zero == 1 || of_zero < 0 || (!is_summed && (of_d < 0 || of_d == of_zero)));
        }
    }
    if (!fits)
        return error_set(error, FAULT_IO,
                         "zero point %s of input %d: it has to be one number, or one for each %s",
                         type_format(site->graph, &zero).text, i, i == 0 ? "row" : "column");
    return OK;
}

static int infer(struct site *site, struct error *error)
{
    struct sides sides;
    struct type *out = &site->output[0].type;
    for (int i = 0; i < 2; i++) {
        const enum element element = site_type(site, i).element;
        if (element != ELEMENT_NONE && element != ELEMENT_u8 && element != ELEMENT_i8)
            return error_set(error, FAULT_IO, "input %d has elements '%s'; it takes i8 and u8", i,
                             element_name(element));
    }
    if (see(site, &sides, error) != OK)
        return FAILED;
    if (check_zero(site, 0, &sides.a, sides.a.type.rank - 1, error) != OK ||
        check_zero(site, 1, &sides.b, sides.b.type.rank - 2, error) != OK)
        return FAILED;
    if (sides.a.type.rank >= 0 && sides.b.type.rank >= 0 &&
        matrices_product(&sides.a, &sides.b, site_type(site, 0).rank == 1,
                         site_type(site, 1).rank == 1, out, error) != OK)
        return FAILED;
    out->element = ELEMENT_i32;
    return OK;
}

/* Strides of the zero points over the side as it is seen. */
static void zero_strides(const struct site *site, int i, const struct matrices *side,
                         long stride[RANK_MAX])
{
    const struct type zero = site_type(site, 2 + i);
    for (int d = 0; d < RANK_MAX; d++)
        stride[d] = 0;
    if (type_elements(&zero) == 1)
        return;
    if (zero.rank == 1)
        stride[side->type.rank - (i == 0 ? 2 : 1)] = 1;
    else if (zero.rank > 1)
        broadcast_strides(&zero, &side->type, stride);
}

/* The side behind its zero points as int64_t, in the order in which it is seen. */
static int subtract_zero(struct site *site, int i, const struct matrices *side,
                         struct array *shifted, struct error *error)
{
    const struct array *input = &site->input[i], *zero = site_input(site, 2 + i);
    const long count = type_elements(&side->type);
    long of_zero[RANK_MAX], at[RANK_MAX] = {0};
    shifted->type = input->type;
    shifted->type.element = ELEMENT_i64;
    int64_t *data = arena_take_array(site->arena, (size_t)count, sizeof *data);
    if (!data)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory");
    zero_strides(site, i, side, of_zero);
    for (long k = 0; k < count; k++) {
        data[k] = element_whole(input->data, input->type.element, k);
        if (zero)
            data[k] -= element_whole(zero->data, zero->type.element,
                                     place_offset(side->type.rank, of_zero, at));
        place_next(&side->type, at);
    }
    shifted->data = data;
    return OK;
}

static int evaluate(struct site *site, struct error *error)
{
    struct sides sides;
    if (see(site, &sides, error) != OK)
        return FAILED;
    struct array shifted[2];
    if (subtract_zero(site, 0, &sides.a, &shifted[0], error) != OK ||
        subtract_zero(site, 1, &sides.b, &shifted[1], error) != OK)
        return FAILED;
    sides.a.type.element = sides.b.type.element = ELEMENT_i64;
    const struct site inner = {.graph = site->graph,
                               .node = site->node,
                               .input = shifted,
                               .output = site->output,
                               .arena = site->arena};
    return matrices_evaluate(&inner, &sides.a, &sides.b, 1, &site->output[0], error);
}

/* A product and a sum for each pair. */
static double flops(const struct site *site)
{
    const struct type a = site_type(site, 0);
    return a.rank < 1
               ? NAN
               : 2.0 * (double)type_elements(&site->output[0].type) * (double)a.dims[a.rank - 1];
}

const struct op onnx_MatMulInteger_op = {
    .domain = "",
    .name = "MatMulInteger",
    .summary = "y = (a - zero of a) (b - zero of b), of 8-bit numbers, in i32",
    .since = 10,
    .inputs_min = 2,
    .inputs_max = 4,
    .outputs_min = 1,
    .outputs_max = 1,
    .infer = infer,
    .evaluate = evaluate,
    .flops = flops,
};
