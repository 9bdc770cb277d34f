// space_depth.c - DepthToSpace and SpaceToDepth: blocks of pixels to channels and back.
#include "moves.h"

/* Images (N, C, H, W) and the length of a block's side. */
static int read_operands(const struct site *site, const struct type *in, long *block,
                         struct error *error)
{
    *block = node_integer(site->node, "blocksize", 0);
    if (*block < 1 || *block > ELEMENTS_MAX)
        return error_set(error, FAULT_IO, "'blocksize' is %ld; it has to be at least 1", *block);
    if (in->rank >= 0 && in->rank != 4)
        return error_set(error, FAULT_IO, "the input has %d dimensions; images have 4: N C H W",
                         in->rank);
    return OK;
}

/* Whether the channel counts before its place in the block, "CRD"; else behind it, "DCR". */
static int read_mode(const struct site *site, bool *channel_first, struct error *error)
{
    static const char *const words[] = {"DCR", "CRD", NULL};
    int which;
    const int result = word_read(site->node, "mode", words, &which, error);
    *channel_first = which == 1;
    return result;
}

static long multiplied(long dim, long by)
{
    return dim < 0 ? -1 : dim > ELEMENTS_MAX / by ? ELEMENTS_MAX + 1 : dim * by;
}

static int divided(long dim, long by, const char *what, long *out, struct error *error)
{
    *out = dim < 0 ? -1 : dim / by;
    if (dim >= 0 && dim % by != 0)
        return error_set(error, FAULT_IO,
                         "%ld %s are no multiple of %ld, which follows from "
                         "'blocksize'",
                         dim, what, by);
    return OK;
}

/* A block of more pixels than any array has elements divides only 0. */
static long block_pixels(long block)
{
    return block > ELEMENTS_MAX / block ? ELEMENTS_MAX + 1 : block * block;
}

static int infer_to_space(struct site *site, struct error *error)
{
    const struct type in = site_type(site, 0);
    struct type *out = &site->output[0].type;
    bool channel_first;
    long block;
    out->element = in.element;
    if (read_operands(site, &in, &block, error) != OK ||
        read_mode(site, &channel_first, error) != OK)
        return FAILED;
    dims_unknown(out, 4);
    if (in.rank < 0)
        return OK;
    dim_copy(out, 0, &in, 0);
    out->dims[2] = multiplied(in.dims[2], block);
    out->dims[3] = multiplied(in.dims[3], block);
    return divided(in.dims[1], block_pixels(block), "channels", &out->dims[1], error);
}

static int infer_to_depth(struct site *site, struct error *error)
{
    const struct type in = site_type(site, 0);
    struct type *out = &site->output[0].type;
    bool channel_first;
    long block;
    out->element = in.element;
    if (read_operands(site, &in, &block, error) != OK ||
        read_mode(site, &channel_first, error) != OK)
        return FAILED;
    dims_unknown(out, 4);
    if (in.rank < 0)
        return OK;
    dim_copy(out, 0, &in, 0);
    out->dims[1] = multiplied(in.dims[1], block_pixels(block));
    if (divided(in.dims[2], block, "rows", &out->dims[2], error) != OK)
        return FAILED;
    return divided(in.dims[3], block, "columns", &out->dims[3], error);
}

/* Output [N, C, H, b, W, b] of input [N, b, b, C, H, W], or [N, C, b, b, H, W]. */
static int move_to_space(const struct site *site, struct move *move, struct error *error)
{
    const struct type *in = &site->input[0].type, *out = &site->output[0].type;
    const long h = in->dims[2], w = in->dims[3], c = out->dims[1];
    bool channel_first;
    long block;
    *move = (struct move){0};
    if (read_operands(site, in, &block, error) != OK ||
        read_mode(site, &channel_first, error) != OK)
        return FAILED;
    const long plane = h * w;
    move_dim(move, in->dims[0], in->dims[1] * plane);
    move_dim(move, c, channel_first ? block * block * plane : plane);
    move_dim(move, h, w);
    move_dim(move, block, block * (channel_first ? plane : c * plane));
    move_dim(move, w, 1);
    move_dim(move, block, channel_first ? plane : c * plane);
    return OK;
}

/* Output [N, b, b, C, H, W], or [N, C, b, b, H, W], of input [N, C, H, b, W, b]. */
static int move_to_depth(const struct site *site, struct move *move, struct error *error)
{
    const struct type *in = &site->input[0].type, *out = &site->output[0].type;
    const long c = in->dims[1], plane = in->dims[2] * in->dims[3];
    bool channel_first;
    long block;
    *move = (struct move){0};
    if (read_operands(site, in, &block, error) != OK ||
        read_mode(site, &channel_first, error) != OK)
        return FAILED;
    move_dim(move, in->dims[0], c * plane);
    if (channel_first)
        move_dim(move, c, plane);
    move_dim(move, block, in->dims[3]);
    move_dim(move, block, 1);
    if (!channel_first)
        move_dim(move, c, plane);
    move_dim(move, out->dims[2], block * in->dims[3]);
    move_dim(move, out->dims[3], block);
    return OK;
}

typedef int find_move(const struct site *site, struct move *move, struct error *error);

static find_move *move_of(const struct site *site)
{
    return node_is(site->node, "DepthToSpace") ? move_to_space : move_to_depth;
}

static int evaluate(struct site *site, struct error *error)
{
    struct move move;
    if (outputs_check(site, error) != OK)
        return SKIPPED;
    if (type_elements(&site->output[0].type) == 0)
        return OK;
    if (move_of(site)(site, &move, error) != OK)
        return FAILED;
    move_evaluate(&move, &site->output[0], &site->input[0]);
    return OK;
}

static int lower(const struct site *site, struct lowering *lowering, struct error *error)
{
    struct move move;
    if (type_elements(&site->output[0].type) == 0)
        return error_skip(error, "there is nothing to move");
    if (move_of(site)(site, &move, error) != OK)
        return FAILED;
    return move_lower(site, lowering, &move, 0, 0, error);
}

static const struct attribute_rule attributes[] = {
    {"blocksize", ATTRIBUTE_INT, true}, {"mode", ATTRIBUTE_TEXT, false}, {0}};

const struct op onnx_DepthToSpace_op = {
    .domain = "",
    .name = "DepthToSpace",
    .summary = "each b * b channels of a pixel as a block of pixels",
    .flags = OP_MOVES,
    .inputs_min = 1,
    .inputs_max = 1,
    .outputs_min = 1,
    .outputs_max = 1,
    .attributes = attributes,
    .infer = infer_to_space,
    .evaluate = evaluate,
    .lower = lower,
};

const struct op onnx_SpaceToDepth_op = {
    .domain = "",
    .name = "SpaceToDepth",
    .summary = "each block of b * b pixels as channels of one pixel",
    .flags = OP_MOVES,
    .inputs_min = 1,
    .inputs_max = 1,
    .outputs_min = 1,
    .outputs_max = 1,
    .attributes = attributes,
    .infer = infer_to_depth,
    .evaluate = evaluate,
    .lower = lower,
};
