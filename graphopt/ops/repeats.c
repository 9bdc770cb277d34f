// repeats.c - Expand and Tile: an array that stands several times in the result.
#include "moves.h"

/* ---- Expand ---- */

/* The shape that is asked for as a type, as far as it is known. */
static int asked_type(const struct site *site, struct type *asked, struct error *error)
{
    struct integers shape;
    *asked = UNKNOWN_TYPE;
    if (integers_read(site, NULL, 1, &shape, error) != OK)
        return FAILED;
    if (shape.length < 0)
        return OK;
    if (rank_check(shape.length, error) != OK)
        return FAILED;
    dims_unknown(asked, (int)shape.length);
    for (int i = 0; i < shape.count; i++) {
        asked->dims[i] = shape.values[i];
        if (asked->dims[i] < 0)
            return error_set(error, FAULT_IO, "dimension %d is asked to be %ld", i, asked->dims[i]);
    }
    return OK;
}

static int infer_expand(struct site *site, struct error *error)
{
    const struct type in = site_type(site, 0);
    struct type asked;
    if (asked_type(site, &asked, error) != OK)
        return FAILED;
    return type_broadcast(&in, &asked, &site->output[0].type, error);
}

static struct move expand_move(const struct site *site)
{
    return move_broadcast(&site->input[0].type, &site->output[0].type);
}

static int evaluate_expand(struct site *site, struct error *error)
{
    if (outputs_check(site, error) != OK)
        return SKIPPED;
    const struct move move = expand_move(site);
    move_evaluate(&move, &site->output[0], &site->input[0]);
    return OK;
}

static int lower_expand(const struct site *site, struct lowering *lowering, struct error *error)
{
    const struct move move = expand_move(site);
    return move_lower(site, lowering, &move, 0, 0, error);
}

/* ---- Tile ---- */

static int infer_tile(struct site *site, struct error *error)
{
    const struct type in = site_type(site, 0);
    struct type *out = &site->output[0].type;
    struct integers repeats;
    out->element = in.element;
    if (integers_read(site, NULL, 1, &repeats, error) != OK)
        return FAILED;
    if (in.rank >= 0 && repeats.length >= 0 && repeats.length != in.rank)
        return error_set(error, FAULT_IO, "there are %ld repeats for %d dimensions", repeats.length,
                         in.rank);
    const long rank = in.rank >= 0 ? in.rank : repeats.length;
    if (rank < 0 || rank_check(rank, error) != OK)
        return rank < 0 ? OK : FAILED;
    dims_unknown(out, (int)rank);
    for (int i = 0; i < repeats.count; i++) {
        const long times = repeats.values[i], dim = in.rank >= 0 ? in.dims[i] : -1;
        if (times < 0)
            return error_set(error, FAULT_IO, "dimension %d is asked to be repeated %ld times", i,
                             times);
        if (dim > 0 && times > ELEMENTS_MAX / dim)
            return error_set(error, FAULT_IO, "dimension %d would have more than %ld elements", i,
                             ELEMENTS_MAX);
        if (times == 1 && in.rank >= 0)
            dim_copy(out, i, &in, i);
        else if (times == 0 || dim >= 0)
            out->dims[i] = dim > 0 ? times * dim : 0;
    }
    return OK;
}

static struct move tile_move(const struct site *site)
{
    const struct type *in = &site->input[0].type, *out = &site->output[0].type;
    struct move move = {0};
    for (int i = 0; i < in->rank; i++) {
        move_dim(&move, in->dims[i] ? out->dims[i] / in->dims[i] : 0, 0);
        move_dim(&move, in->dims[i], type_product(in, i + 1, in->rank));
    }
    return move;
}

static int evaluate_tile(struct site *site, struct error *error)
{
    if (outputs_check(site, error) != OK)
        return SKIPPED;
    const struct move move = tile_move(site);
    move_evaluate(&move, &site->output[0], &site->input[0]);
    return OK;
}

static int lower_tile(const struct site *site, struct lowering *lowering, struct error *error)
{
    const struct move move = tile_move(site);
    return move_lower(site, lowering, &move, 0, 0, error);
}

const struct op onnx_Expand_op = {
    .domain = "",
    .name = "Expand",
    .summary = "x broadcast against `shape`: dims of 1 on either side take the other's length",
    .flags = OP_MOVES,
    .since = 8,
    .inputs_min = 2,
    .inputs_max = 2,
    .outputs_min = 1,
    .outputs_max = 1,
    .infer = infer_expand,
    .evaluate = evaluate_expand,
    .lower = lower_expand,
};

const struct op onnx_Tile_op = {
    .domain = "",
    .name = "Tile",
    .summary = "x repeated along each dim",
    .flags = OP_MOVES,
    .since = 6,
    .inputs_min = 2,
    .inputs_max = 2,
    .outputs_min = 1,
    .outputs_max = 1,
    .infer = infer_tile,
    .evaluate = evaluate_tile,
    .lower = lower_tile,
};
