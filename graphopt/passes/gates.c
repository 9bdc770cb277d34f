// gates.c - SiLU, HardSwish, Mish and GELU that are spelled out.
#include <math.h>
#include <string.h>

#include "fused.h"
#include "rewrite.h"

enum {
    X = 1,
    Y,
    GATE,
    INNER,
    SHIFTED,
    CUT,
    LOW,
    THREE,
    SIX,
    SIXTH,
    PART,
    HALF,
    ONE,
    ROOT,
    ROOT_BELOW,
    CUBE,
    FACTOR,
    CUBIC,
    EXPONENT,
    SQUARE
};
enum { C = TERM_COMMUTES };

#define VALUE(number)                                                                              \
    {                                                                                              \
        OPERAND_VALUE, number                                                                      \
    }

/* X, once, through a step of this kind. */
static int put_step(struct rewriting *rewriting, const struct match *match, const char *step,
                    struct error *error)
{
    struct graph *graph = rewriting->graph;
    const int x = match->tensor[X], y = match->tensor[Y];
    const struct text text = {step, strlen(step)};
    const struct attribute steps = {
        .name = "steps", .kind = ATTRIBUTE_TEXTS, .count = 1, .texts = &text};
    /* Constants with more dims than x would add some to the result. */
    if (!element_is_real(graph->tensor[x]->type.element) || graph->tensor[x]->type.rank < 0 ||
        graph->tensor[x]->type.rank != graph->tensor[y]->type.rank)
        return SKIPPED;
    if (graph_opset(graph, "roofline") == 0 && graph_import(graph, "roofline", 1, error) != OK)
        return FAILED;
    const int node = rewrite_add(graph, "roofline", "Chain", match->node[0], &x, 1, error);
    if (node < 0 || graph_set_attribute(graph, node, &steps, error) != OK)
        return FAILED;
    return rewrite_replace_by(graph, y, node, error);
}

/* ---- SiLU and Mish ---- */

static const struct pattern silu = {
    .term = {{"Mul", {Y}, {X, GATE}, C, NULL}, {"Sigmoid", {GATE}, {X}, 0, NULL}}};

static int put_silu(struct rewriting *rewriting, const struct match *match, struct error *error)
{
    return put_step(rewriting, match, "silu", error);
}

static const struct rule silu_rules[] = {{&silu, put_silu}, {0}};

const struct pass silu_pass = {
    .name = "silu",
    .group = GROUP_FUSION,
    .summary = "x * Sigmoid(x): one step",
    .refuses = "the two read different tensors; the gate is used elsewhere",
    .rules = silu_rules,
};

static const struct pattern mish = {.term = {{"Mul", {Y}, {X, GATE}, C, NULL},
                                             {"Tanh", {GATE}, {INNER}, 0, NULL},
                                             {"Softplus", {INNER}, {X}, 0, NULL}}};

static int put_mish(struct rewriting *rewriting, const struct match *match, struct error *error)
{
    return put_step(rewriting, match, "mish", error);
}

static const struct rule mish_rules[] = {{&mish, put_mish}, {0}};

const struct pass mish_pass = {
    .name = "mish",
    .group = GROUP_FUSION,
    .summary = "x * Tanh(Softplus(x)): one step",
    .refuses = "the two read different tensors; the gate is used elsewhere",
    .rules = mish_rules,
};

/* ---- HardSwish ---- */

static bool is_sixth(const struct graph *graph, const struct node *node)
{
    (void)graph;
    return fabs(node_real(node, "alpha", 0.2) - 1.0 / 6) < 1e-5 &&
           fabs(node_real(node, "beta", 0.5) - 0.5) < 1e-5;
}

/* Clip to [0, 6]: attributes before opset 11. */
static bool is_relu6(const struct graph *graph, const struct node *node)
{
    double low = node_real(node, "min", -INFINITY), high = node_real(node, "max", INFINITY);
    if (node->opset >= 11)
        return node_input(node, 1) >= 0 && node_input(node, 2) >= 0 &&
               tensor_scalar(graph->tensor[node_input(node, 1)], &low) &&
               tensor_scalar(graph->tensor[node_input(node, 2)], &high) && low == 0 && high == 6;
    return low == 0 && high == 6;
}

#define RELU6_OF_X_AND_3                                                                           \
    {"Clip", {CUT}, {SHIFTED}, TERM_MORE, is_relu6},                                               \
    {                                                                                              \
        "Add", {SHIFTED}, {X, THREE}, C, NULL                                                      \
    }
#define OF_HARDSWISH                                                                               \
    {                                                                                              \
        [THREE] = VALUE(3), [SIX] = VALUE(6), [SIXTH] = VALUE(1.0 / 6)                             \
    }

static const struct pattern by_sigmoid = {.term = {{"Mul", {Y}, {X, GATE}, C, NULL},
                                                   {"HardSigmoid", {GATE}, {X}, 0, is_sixth}}},
                            divided_last = {.term = {{"Div", {Y}, {PART, SIX}, 0, NULL},
                                                     {"Mul", {PART}, {X, CUT}, C, NULL},
                                                     RELU6_OF_X_AND_3},
                                            .operand = OF_HARDSWISH},
                            divided_first = {.term = {{"Mul", {Y}, {X, PART}, C, NULL},
                                                      {"Div", {PART}, {CUT, SIX}, 0, NULL},
                                                      RELU6_OF_X_AND_3},
                                             .operand = OF_HARDSWISH},
                            scaled_last = {.term = {{"Mul", {Y}, {PART, SIXTH}, C, NULL},
                                                    {"Mul", {PART}, {X, CUT}, C, NULL},
                                                    RELU6_OF_X_AND_3},
                                           .operand = OF_HARDSWISH},
                            scaled_first = {.term = {{"Mul", {Y}, {X, PART}, C, NULL},
                                                     {"Mul", {PART}, {CUT, SIXTH}, C, NULL},
                                                     RELU6_OF_X_AND_3},
                                            .operand = OF_HARDSWISH};

static int put_hardswish(struct rewriting *rewriting, const struct match *match,
                         struct error *error)
{
    return put_step(rewriting, match, "hardswish", error);
}

static const struct rule hardswish_rules[] = {
    {&by_sigmoid, put_hardswish},  {&divided_last, put_hardswish}, {&divided_first, put_hardswish},
    {&scaled_last, put_hardswish}, {&scaled_first, put_hardswish}, {0}};

const struct pass hardswish_pass = {
    .name = "hardswish",
    .group = GROUP_FUSION,
    .summary = "x * Clip(x + 3, 0, 6) / 6, in any order, and x * HardSigmoid(x) of 1/6 and 1/2: "
               "one step",
    .refuses = "other constants; the two read different tensors; inner results used elsewhere",
    .rules = hardswish_rules,
};

/* ---- GELU ---- */

/* x / 2 (1 + f), in the three orders of the products. */
#define HALF_LAST                                                                                  \
    {"Mul", {Y}, {PART, HALF}, C, NULL},                                                           \
    {                                                                                              \
        "Mul", {PART}, {X, GATE}, C, NULL                                                          \
    }
#define HALF_FIRST                                                                                 \
    {"Mul", {Y}, {PART, GATE}, C, NULL},                                                           \
    {                                                                                              \
        "Mul", {PART}, {X, HALF}, C, NULL                                                          \
    }
#define HALF_OF_GATE                                                                               \
    {"Mul", {Y}, {X, PART}, C, NULL},                                                              \
    {                                                                                              \
        "Mul", {PART}, {GATE, HALF}, C, NULL                                                       \
    }
#define DIVIDED_ERF                                                                                \
    {"Add", {GATE}, {CUT, ONE}, C, NULL}, {"Erf", {CUT}, {INNER}, 0, NULL},                        \
    {                                                                                              \
        "Div", {INNER}, {X, ROOT}, 0, NULL                                                         \
    }
#define SCALED_ERF                                                                                 \
    {"Add", {GATE}, {CUT, ONE}, C, NULL}, {"Erf", {CUT}, {INNER}, 0, NULL},                        \
    {                                                                                              \
        "Mul", {INNER}, {X, ROOT_BELOW}, C, NULL                                                   \
    }
#define TANH                                                                                       \
    {"Add", {GATE}, {CUT, ONE}, C, NULL}, {"Tanh", {CUT}, {INNER}, 0, NULL},                       \
        {"Mul", {INNER}, {SHIFTED, FACTOR}, C, NULL}, {"Add", {SHIFTED}, {X, CUBE}, C, NULL},      \
    {                                                                                              \
        "Mul", {CUBE}, {SQUARE, CUBIC}, C, NULL                                                    \
    }
#define POWER_TANH                                                                                 \
    TANH,                                                                                          \
    {                                                                                              \
        "Pow", {SQUARE}, {X, EXPONENT}, 0, NULL                                                    \
    }
#define PRODUCT_TANH                                                                               \
    TANH, {"Mul", {SQUARE}, {X, LOW}, C, NULL},                                                    \
    {                                                                                              \
        "Mul", {LOW}, {X, X}, 0, NULL                                                              \
    }
/* x sqrt(2 / pi) (1 + 0.044715 x x) inside. */
#define FACTORED_TANH                                                                              \
    {"Add", {GATE}, {CUT, ONE}, C, NULL}, {"Tanh", {CUT}, {INNER}, 0, NULL},                       \
        {"Mul", {INNER}, {SHIFTED, CUBE}, C, NULL}, {"Mul", {SHIFTED}, {X, FACTOR}, C, NULL},      \
        {"Add", {CUBE}, {SQUARE, ONE}, C, NULL}, {"Mul", {SQUARE}, {X, LOW}, C, NULL},             \
    {                                                                                              \
        "Mul", {LOW}, {X, CUBIC}, C, NULL                                                          \
    }
#define GELU(...)                                                                                  \
    {                                                                                              \
        .term = {__VA_ARGS__}, .operand = {                                                        \
            [HALF] = VALUE(0.5),                                                                   \
            [ONE] = VALUE(1),                                                                      \
            [ROOT] = VALUE(1.4142135623730951),                                                    \
            [ROOT_BELOW] = VALUE(0.7071067811865476),                                              \
            [FACTOR] = VALUE(0.7978845608028654),                                                  \
            [CUBIC] = VALUE(0.044715),                                                             \
            [EXPONENT] = VALUE(3)                                                                  \
        }                                                                                          \
    }

static const struct pattern by_erf[] = {GELU(HALF_LAST, DIVIDED_ERF),
                                        GELU(HALF_FIRST, DIVIDED_ERF),
                                        GELU(HALF_OF_GATE, DIVIDED_ERF),
                                        GELU(HALF_LAST, SCALED_ERF),
                                        GELU(HALF_FIRST, SCALED_ERF),
                                        GELU(HALF_OF_GATE, SCALED_ERF)},
                            by_tanh[] = {
                                GELU(HALF_LAST, POWER_TANH),      GELU(HALF_FIRST, POWER_TANH),
                                GELU(HALF_OF_GATE, POWER_TANH),   GELU(HALF_LAST, PRODUCT_TANH),
                                GELU(HALF_FIRST, PRODUCT_TANH),   GELU(HALF_OF_GATE, PRODUCT_TANH),
                                GELU(HALF_LAST, FACTORED_TANH),   GELU(HALF_FIRST, FACTORED_TANH),
                                GELU(HALF_OF_GATE, FACTORED_TANH)};

static int put_gelu(struct rewriting *rewriting, const struct match *match, struct error *error)
{
    return put_step(rewriting, match, "gelu", error);
}

static int put_gelu_tanh(struct rewriting *rewriting, const struct match *match,
                         struct error *error)
{
    return put_step(rewriting, match, "gelu_tanh", error);
}

static const struct rule gelu_rules[] = {{&by_erf[0], put_gelu},       {&by_erf[1], put_gelu},
                                         {&by_erf[2], put_gelu},       {&by_erf[3], put_gelu},
                                         {&by_erf[4], put_gelu},       {&by_erf[5], put_gelu},
                                         {&by_tanh[0], put_gelu_tanh}, {&by_tanh[1], put_gelu_tanh},
                                         {&by_tanh[2], put_gelu_tanh}, {&by_tanh[3], put_gelu_tanh},
                                         {&by_tanh[4], put_gelu_tanh}, {&by_tanh[5], put_gelu_tanh},
                                         {&by_tanh[6], put_gelu_tanh}, {&by_tanh[7], put_gelu_tanh},
                                         {&by_tanh[8], put_gelu_tanh}, {0}};

const struct pass gelu_pass = {
    .name = "gelu",
    .group = GROUP_FUSION,
    .summary = "x / 2 (1 + Erf(x / sqrt(2))), and the form by Tanh, in any order: one step",
    .refuses = "other constants; parts that read different tensors or are used elsewhere; the two "
               "forms are kept apart",
    .rules = gelu_rules,
};
