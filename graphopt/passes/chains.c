// chains.c - operators that work element by element, one behind the other, become one kernel.
#include "absorb.h"

enum { Y = 1 };

static const struct pattern normalization =
                                {.term = {{"BatchNormalization", {Y}, {0}, TERM_MORE, NULL}}},
                            any = {.term = {{NULL, {Y}, {0}, TERM_MORE, NULL}}};

static int as_chain(struct rewriting *rewriting, const struct match *match, struct error *error)
{
    return absorb_as_chain(rewriting, match->node[0], error);
}

static int into_chain(struct rewriting *rewriting, const struct match *match, struct error *error)
{
    return absorb_into_chain(rewriting, match->node[0], error);
}

/* What no kernel takes as it stands, such as a division by one number, a chain may take. */
static int without_kernel(struct rewriting *rewriting, const struct match *match,
                          struct error *error)
{
    return absorb_where_evaluated(rewriting, match->node[0], error);
}

static const struct rule scale_rules[] = {{&normalization, as_chain}, {0}};

const struct pass batchnorm_scale_pass = {
    .name = "batchnorm-scale",
    .group = GROUP_TRANSFORM,
    .summary = "BatchNormalization of constants: one factor and one addend per channel, in double",
    .refuses = "training; statistics that are not constant, or per feature (spatial = 0)",
    .rules = scale_rules,
};

static const struct rule chain_rules[] = {{&any, into_chain}, {&any, without_kernel}, {0}};

const struct pass chain_pass = {
    .name = "chain",
    .group = GROUP_FUSION,
    .summary = "two operators in a row that work element by element (Add, Sum, Sub, Mul, Div, "
               "BatchNormalization, activations): one pass over the data; products and sums with "
               "constants that meet become one of each, in double. And one of them alone that no "
               "kernel takes as it stands",
    .refuses = "the first result is used elsewhere or is an output; an operand makes the result "
               "larger; whole numbers; more steps than one kernel call takes",
    .rules = chain_rules,
};
