// identity.c - Identity: the input as it is.
#include "moves.h"

static int infer(struct site *site, struct error *error)
{
    (void)error;
    site->output[0].type = site_type(site, 0);
    return OK;
}

const struct op onnx_Identity_op = {
    .domain = "",
    .name = "Identity",
    .summary = "y = x",
    .flags = OP_MOVES | OP_VIEW | OP_UNARY,
    .inputs_min = 1,
    .inputs_max = 1,
    .outputs_min = 1,
    .outputs_max = 1,
    .infer = infer,
    .evaluate = view_evaluate,
    .lower = view_lower,
};
