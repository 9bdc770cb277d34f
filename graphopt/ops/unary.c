// unary.c - the family of functions of one element, some with one or two constants.
#include <math.h>

#include "launches.h"
#include "wide.h"

/* A member. Its constants a and b are the real attributes of its operator, in their order. */
struct unary {
    double (*real)(double x, double a, double b);
    wide (*whole)(wide x); /* NULL: ONNX has it for reals only */
    double fallback[2];    /* of the constants */
    const char *kernel;    /* that computes it; NULL: none */
    double kernel_a;       /* NAN: with any constant a, else only with this one */
};

#define REAL(name, expression)                                                                     \
    static double name##_real(double x, double a, double b)                                        \
    {                                                                                              \
        (void)a, (void)b;                                                                          \
        return expression;                                                                         \
    }
#define WHOLE(name, expression)                                                                    \
    static wide name##_whole(wide x)                                                               \
    {                                                                                              \
        return expression;                                                                         \
    }

static double sigmoid(double x)
{
    return x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x));
}

static double softplus(double x)
{
    return fmax(x, 0) + log1p(exp(-fabs(x)));
}

static double clamp(double x, double low, double high)
{
    return x < low ? low : x > high ? high : x;
}

static double sign(double x)
{
    return x > 0 ? 1 : x < 0 ? -1 : x;
}

/* X(name, attribute a, its fallback, attribute b, its fallback, real, kernel, constant a of the
 * kernel): the formulas of https://onnx.ai/onnx/operators/. */
#define REAL_LIST(X)                                                                               \
    X(Sigmoid, NULL, 0, NULL, 0, sigmoid(x), "sigmoid", NAN)                                       \
    X(Tanh, NULL, 0, NULL, 0, tanh(x), "tanh", NAN)                                                \
    X(Exp, NULL, 0, NULL, 0, exp(x), "exp", NAN)                                                   \
    X(Log, NULL, 0, NULL, 0, log(x), "log", NAN)                                                   \
    X(Sqrt, NULL, 0, NULL, 0, sqrt(x), "sqrt", NAN)                                                \
    X(Erf, NULL, 0, NULL, 0, erf(x), "erf", NAN)                                                   \
    X(Mish, NULL, 0, NULL, 0, x *tanh(softplus(x)), "mish", NAN)                                   \
    X(HardSwish, NULL, 0, NULL, 0, x *clamp(x / 6 + 0.5, 0, 1), "hardswish", NAN)                  \
    X(LeakyRelu, "alpha", 0.01, NULL, 0, x < 0 ? a * x : x, "leaky_relu", 0.01)                    \
    X(Swish, "alpha", 1, NULL, 0, x *sigmoid(a *x), "silu", 1)                                     \
    X(Elu, "alpha", 1, NULL, 0, x < 0 ? a * expm1(x) : x, "elu", 1)                                \
    X(Celu, "alpha", 1, NULL, 0, x < 0 ? a * expm1(x / a) : x, NULL, NAN)                          \
    X(Selu, "alpha", 1.67326319217681884765625, "gamma", 1.05070102214813232421875,                \
      b *(x > 0 ? x : a * expm1(x)), NULL, NAN)                                                    \
    X(ThresholdedRelu, "alpha", 1, NULL, 0, x > a ? x : 0, NULL, NAN)                              \
    X(HardSigmoid, "alpha", 0.2, "beta", 0.5, clamp(a *x + b, 0, 1), NULL, NAN)                    \
    X(Shrink, "bias", 0, "lambd", 0.5, x<-b ? x + a : x> b ? x - a : 0, NULL, NAN)                 \
    X(Softplus, NULL, 0, NULL, 0, softplus(x), NULL, NAN)                                          \
    X(Softsign, NULL, 0, NULL, 0, x / (1 + fabs(x)), NULL, NAN)                                    \
    X(Reciprocal, NULL, 0, NULL, 0, 1 / x, NULL, NAN)                                              \
    X(Floor, NULL, 0, NULL, 0, floor(x), NULL, NAN)                                                \
    X(Ceil, NULL, 0, NULL, 0, ceil(x), NULL, NAN)                                                  \
    X(Round, NULL, 0, NULL, 0, rint(x), NULL, NAN)                                                 \
    X(Sin, NULL, 0, NULL, 0, sin(x), NULL, NAN)                                                    \
    X(Cos, NULL, 0, NULL, 0, cos(x), NULL, NAN)                                                    \
    X(Tan, NULL, 0, NULL, 0, tan(x), NULL, NAN)                                                    \
    X(Asin, NULL, 0, NULL, 0, asin(x), NULL, NAN)                                                  \
    X(Acos, NULL, 0, NULL, 0, acos(x), NULL, NAN)                                                  \
    X(Atan, NULL, 0, NULL, 0, atan(x), NULL, NAN)                                                  \
    X(Sinh, NULL, 0, NULL, 0, sinh(x), NULL, NAN)                                                  \
    X(Cosh, NULL, 0, NULL, 0, cosh(x), NULL, NAN)                                                  \
    X(Asinh, NULL, 0, NULL, 0, asinh(x), NULL, NAN)                                                \
    X(Acosh, NULL, 0, NULL, 0, acosh(x), NULL, NAN)                                                \
    X(Atanh, NULL, 0, NULL, 0, atanh(x), NULL, NAN)

/* X(name, real, whole, kernel): of whole numbers too. */
#define NUMBER_LIST(X)                                                                             \
    X(Relu, x < 0 ? 0 : x, x < 0 ? 0 : x, "relu")                                                  \
    X(Abs, fabs(x), x < 0 ? -x : x, "abs")                                                         \
    X(Neg, -x, -x, NULL)                                                                           \
    X(Sign, sign(x), (x > 0) - (x < 0), NULL)

#define X(name, name_a, value_a, name_b, value_b, expression, kernel, kernel_a)                    \
    REAL(name, expression)
REAL_LIST(X)
#undef X
#define X(name, expression, whole, kernel) REAL(name, expression) WHOLE(name, whole)
NUMBER_LIST(X)
#undef X

static int infer(struct site *site, struct error *error)
{
    const struct unary *unary = site->node->op->detail;
    const struct type type = site_type(site, 0);
    if (type.element != ELEMENT_NONE && !element_is_real(type.element) &&
        !(unary->whole && element_is_whole(type.element)))
        return error_set(error, FAULT_IO, "there is no %s of elements '%s'", site->node->type,
                         element_name(type.element));
    site->output[0].type = type;
    return OK;
}

static double constant_of(const struct site *site, int i)
{
    const struct op *op = site->node->op;
    const double fallback = ((const struct unary *)op->detail)->fallback[i];
    for (int k = 0; k <= i; k++)
        if (!op->attributes[k].name)
            return fallback;
    return node_real(site->node, op->attributes[i].name, fallback);
}

static int evaluate(struct site *site, struct error *error)
{
    (void)error;
    const struct unary *unary = site->node->op->detail;
    const struct array *in = &site->input[0], *out = &site->output[0];
    const enum element element = in->type.element;
    const long count = type_elements(&out->type);
    const double a = constant_of(site, 0), b = constant_of(site, 1);
    if (element_is_whole(element))
        for (long i = 0; i < count; i++)
            wide_put(out->data, element, i, unary->whole(wide_at(in->data, element, i)));
    else
        for (long i = 0; i < count; i++)
            element_put_real(out->data, element, i,
                             unary->real(element_real(in->data, element, i), a, b));
    return OK;
}

/* What a step's number is: a constant of the operator, its inverse, or a digit. */
enum number { MINUS_ONE, ZERO, ONE, A, B, INVERSE_A };

/* Operators as steps of kernel chain, each with one number for all elements. */
enum { CHAIN_STEPS = 4 };
static const struct chain {
    const char *type;
    struct {
        const char *step;
        enum number number;
    } step[CHAIN_STEPS];
} chains[] = {
    {"Neg", {{"mul", MINUS_ONE}}},
    {"Reciprocal", {{"rdiv", ONE}}},
    {"LeakyRelu", {{"prelu", A}}},
    {"Elu", {{"elu", A}}},
    {"Selu", {{"elu", A}, {"mul", B}}},
    {"Celu", {{"mul", INVERSE_A}, {"elu", ONE}, {"mul", A}}}, /* see has_steps() */
    {"HardSigmoid", {{"mul", A}, {"add", B}, {"max", ZERO}, {"min", ONE}}},
};

static double number_of(const struct site *site, enum number number)
{
    switch (number) {
    case A:
        return constant_of(site, 0);
    case B:
        return constant_of(site, 1);
    case INVERSE_A:
        return 1 / constant_of(site, 0);
    default:
        return (int)number - ZERO;
    }
}

/* Celu of a slope under 1 would be infinite between its steps where x is large, and of a negative
 * one has its halves the other way round. */
static bool has_steps(const struct site *site, const struct chain *chain)
{
    return node_is(site->node, chain->type) &&
           (!node_is(site->node, "Celu") || constant_of(site, 0) >= 1);
}

static int lower_chain(const struct site *site, struct lowering *lowering, enum dtype dtype,
                       struct error *error)
{
    const struct chain *chain = chains, *const end = chains + sizeof chains / sizeof *chains;
    struct number_step step[CHAIN_STEPS];
    int count = 0;
    while (chain < end && !has_steps(site, chain))
        chain++;
    if (chain == end)
        return error_skip(error, "no kernel computes it, or not with these constants");
    for (; count < CHAIN_STEPS && chain->step[count].step; count++) {
        step[count].step = chain->step[count].step;
        if (launches_fill(site, &step[count].number, 1, number_of(site, chain->step[count].number),
                          dtype, error) != OK)
            return FAILED;
    }
    return launches_steps(site, lowering, step, count, dtype, error);
}

static int lower(const struct site *site, struct lowering *lowering, struct error *error)
{
    const struct unary *unary = site->node->op->detail;
    enum dtype dtype;
    if (element_dtype(site->output[0].type.element, &dtype, error) != OK)
        return SKIPPED;
    if (!unary->kernel ||
        (!isnan(unary->kernel_a) && (float)constant_of(site, 0) != (float)unary->kernel_a))
        return lower_chain(site, lowering, dtype, error);
    if (lowering_start(site, lowering, unary->kernel, dtype, error) != OK)
        return FAILED;
    struct launch *launch = lowering->launch;
    launch_letter(launch, "n", type_elements(&site->output[0].type));
    launch->operand[0] = of_output(0);
    launch->operand[1] = of_input(0);
    return OK;
}

static double flops(const struct site *site)
{
    return (double)type_elements(&site->output[0].type);
}

#define MEMBER(member, formula)                                                                    \
    const struct op onnx_##member##_op = {                                                         \
        .domain = "",                                                                              \
        .name = #member,                                                                           \
        .summary = "y = " formula,                                                                 \
        .flags = OP_UNARY,                                                                         \
        .inputs_min = 1,                                                                           \
        .inputs_max = 1,                                                                           \
        .outputs_min = 1,                                                                          \
        .outputs_max = 1,                                                                          \
        .attributes = member##_attributes,                                                         \
        .infer = infer,                                                                            \
        .evaluate = evaluate,                                                                      \
        .lower = lower,                                                                            \
        .flops = flops,                                                                            \
        .detail = &member##_unary,                                                                 \
    };

#define X(member, name_a, value_a, name_b, value_b, expression, kernel_name, kernel_constant)      \
    static const struct unary member##_unary = {                                                   \
        member##_real, NULL, {value_a, value_b}, kernel_name, kernel_constant};                    \
    static const struct attribute_rule member##_attributes[] = {                                   \
        {name_a, ATTRIBUTE_REAL, false}, {name_b, ATTRIBUTE_REAL, false}, {0}};                    \
    MEMBER(member, #expression)
REAL_LIST(X)
#undef X

#define X(member, expression, whole, kernel_name)                                                  \
    static const struct unary member##_unary = {                                                   \
        member##_real, member##_whole, {0, 0}, kernel_name, NAN};                                  \
    static const struct attribute_rule member##_attributes[] = {{0}};                              \
    MEMBER(member, #expression)
NUMBER_LIST(X)
#undef X
