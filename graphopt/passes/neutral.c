// neutral.c - operands that change nothing.
#include "rewrite.h"

static int drop_filled(struct rewriting *rewriting, const struct match *match, double value,
                       struct error *error)
{
    if (!tensor_is_filled(rewriting->graph->tensor[match->tensor[DROP_C]], value, 0))
        return SKIPPED;
    return rewrite_drop_same(rewriting, match, error);
}

static int drop_zeros(struct rewriting *rewriting, const struct match *match, struct error *error)
{
    return drop_filled(rewriting, match, 0, error);
}

static int drop_ones(struct rewriting *rewriting, const struct match *match, struct error *error)
{
    return drop_filled(rewriting, match, 1, error);
}

#define KNOWN_C [DROP_C] = {OPERAND_KNOWN, 0}

static const struct pattern sum = {
    .term = {{"Add|Sum", {DROP_Y}, {DROP_X, DROP_C}, TERM_COMMUTES, NULL}},
    .operand = {KNOWN_C},
};
static const struct pattern product = {
    .term = {{"Mul", {DROP_Y}, {DROP_X, DROP_C}, TERM_COMMUTES, NULL}},
    .operand = {KNOWN_C},
};
static const struct pattern difference = {
    .term = {{"Sub", {DROP_Y}, {DROP_X, DROP_C}, 0, NULL}},
    .operand = {KNOWN_C},
};
static const struct pattern quotient = {
    .term = {{"Div|Pow", {DROP_Y}, {DROP_X, DROP_C}, 0, NULL}},
    .operand = {KNOWN_C},
};

static const struct rule rules[] = {{&sum, drop_zeros},
                                    {&product, drop_ones},
                                    {&difference, drop_zeros},
                                    {&quotient, drop_ones},
                                    {0}};

const struct pass neutral_pass = {
    .name = "neutral-operand",
    .group = GROUP_ELIMINATION,
    .summary = "x + 0, 0 + x, x - 0, x * 1, 1 * x, x / 1, x to the power of 1: x",
    .refuses = "0 - x; the constant has more dims than x, or longer ones, so that the result has "
               "another shape than x; dims of x are not known",
    .rules = rules,
};
