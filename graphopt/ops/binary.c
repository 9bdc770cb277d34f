// binary.c - the family of functions of two elements, with ONNX's broadcasting.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "moves.h"
#include "operands.h"
#include "wide.h"

enum binary_kind {
    KIND_NUMBERS = 1, /* reals and whole numbers */
    KIND_BOOLS = 2,
    KIND_COMPARES = 4, /* the result is bool */
    KIND_EQUALS = 8,   /* takes numbers, bools and texts */
    KIND_BITS = 16,    /* whole numbers only */
    KIND_MIXED = 32,   /* the second element may be another */
};

/* A member. `mode` is a constant from its attributes. */
struct binary {
    double (*real)(double x, double y, long mode);
    wide (*whole)(wide x, wide y, long mode);
    int kind;         /* of enum binary_kind */
    const char *step; /* of kernel chain, where one operand is broadcast; of add, sub, mul and div
                         it is also a kernel, for two arrays of the same shape. NULL: none */
    const char *swapped; /* the step from the second operand, by the first; NULL: none */
};

/* What is divided by 0 has no value in ONNX; 0 rather than a signal. */
static wide quotient(wide x, wide y)
{
    return y ? x / y : 0;
}

/* With the sign of the divisor, or of the dividend where `mode` (fmod) says so. */
static wide remainder_of(wide x, wide y, long mode)
{
    const wide rest = y ? x % y : 0;
    return !mode && rest && (rest < 0) != (y < 0) ? rest + y : rest;
}

static double real_remainder(double x, double y, long mode)
{
    const double rest = fmod(x, y);
    return !mode && rest != 0 && (rest < 0) != (y < 0) ? rest + y : rest;
}

/* `mode`: to the left. All bits are shifted out where there are not so many: what follows is the
 * sign. */
static wide shifted(wide x, wide by, long mode)
{
    if (by < 0 || by > 63)
        return mode || x >= 0 ? 0 : -1;
    return mode ? (wide)((uint64_t)x << (int)by) : x >> (int)by;
}

/* Modulo 2^64, which a product of longs that is too large wraps to; of a negative exponent what is
 * left of 1 / x^-y. */
static wide power(wide x, wide y)
{
    if (y < 0)
        return x == 1 ? 1 : x == -1 ? (y % 2 ? -1 : 1) : 0;
    uint64_t result = 1, square = (uint64_t)x;
    for (; y > 0; y /= 2, square *= square)
        if (y % 2)
            result *= square;
    return (int64_t)result;
}

/* X(name, real, whole, kinds, flags, step, swapped): the formulas of
 * https://onnx.ai/onnx/operators/. */
#define BINARY_LIST(X)                                                                             \
    X(Add, x + y, x + y, KIND_NUMBERS, OP_COMMUTES, "add", "add")                                  \
    X(Sub, x - y, x - y, KIND_NUMBERS, 0, "sub", "rsub")                                           \
    X(Mul, x *y, x *y, KIND_NUMBERS, OP_COMMUTES, "mul", "mul")                                    \
    X(Div, x / y, quotient(x, y), KIND_NUMBERS, 0, "div", "rdiv")                                  \
    X(Pow, pow(x, y), power(x, y), KIND_NUMBERS | KIND_MIXED, 0, NULL, NULL)                       \
    X(Mod, real_remainder(x, y, mode), remainder_of(x, y, mode), KIND_NUMBERS, 0, NULL, NULL)      \
    X(PRelu, x < 0 ? x * y : x, x < 0 ? x * y : x, KIND_NUMBERS, 0, "prelu", NULL)                 \
    X(Equal, x == y, x == y, KIND_NUMBERS | KIND_BOOLS | KIND_COMPARES | KIND_EQUALS, OP_COMMUTES, \
      NULL, NULL)                                                                                  \
    X(Greater, x > y, x > y, KIND_NUMBERS | KIND_COMPARES, 0, NULL, NULL)                          \
    X(Less, x < y, x < y, KIND_NUMBERS | KIND_COMPARES, 0, NULL, NULL)                             \
    X(GreaterOrEqual, x >= y, x >= y, KIND_NUMBERS | KIND_COMPARES, 0, NULL, NULL)                 \
    X(LessOrEqual, x <= y, x <= y, KIND_NUMBERS | KIND_COMPARES, 0, NULL, NULL)                    \
    X(And, 0, x &&y, KIND_BOOLS, OP_COMMUTES, NULL, NULL)                                          \
    X(Or, 0, x || y, KIND_BOOLS, OP_COMMUTES, NULL, NULL)                                          \
    X(Xor, 0, x != y, KIND_BOOLS, OP_COMMUTES, NULL, NULL)                                         \
    X(BitShift, 0, shifted(x, y, mode), KIND_BITS, 0, NULL, NULL)                                  \
    X(BitwiseAnd, 0, x &y, KIND_BITS, OP_COMMUTES, NULL, NULL)                                     \
    X(BitwiseOr, 0, x | y, KIND_BITS, OP_COMMUTES, NULL, NULL)                                     \
    X(BitwiseXor, 0, x ^ y, KIND_BITS, OP_COMMUTES, NULL, NULL)

#define X(name, real_expression, whole_expression, kinds, flags, ...)                              \
    static double name##_real(double x, double y, long mode)                                       \
    {                                                                                              \
        (void)x, (void)y, (void)mode;                                                              \
        return real_expression;                                                                    \
    }                                                                                              \
    static wide name##_whole(wide x, wide y, long mode)                                            \
    {                                                                                              \
        (void)mode;                                                                                \
        return whole_expression;                                                                   \
    }
BINARY_LIST(X)
#undef X

static bool takes(int kind, enum element element)
{
    if (element == ELEMENT_NONE)
        return true;
    if (element == ELEMENT_bool)
        return kind & KIND_BOOLS;
    if (element == ELEMENT_text)
        return kind & KIND_EQUALS;
    if (element_is_whole(element))
        return kind & (KIND_NUMBERS | KIND_BITS);
    return element_is_real(element) && (kind & KIND_NUMBERS);
}

/* The second operand as it is broadcast. Before opset 7 its dims stand at `axis` of the first
 * one's, which is the same as ones behind them. */
static struct type second_type(const struct site *site)
{
    const struct type a = site_type(site, 0);
    struct type b = site_type(site, 1);
    const long axis =
        node_is(site->node, "PRelu") ? 1 : node_integer(site->node, "axis", a.rank - b.rank);
    if (site->node->opset >= 7 || a.rank < 0 || b.rank < 0 || axis < 0)
        return b;
    while (b.rank < a.rank - axis) {
        b.symbol[b.rank] = 0;
        b.dims[b.rank++] = 1;
    }
    return b;
}

static int infer(struct site *site, struct error *error)
{
    const struct binary *binary = site->node->op->detail;
    const struct type a = site_type(site, 0), b = second_type(site);
    struct type *out = &site->output[0].type;
    if (!takes(binary->kind, a.element) || !takes(binary->kind, b.element))
        return error_set(error, FAULT_IO, "there is no %s of elements '%s' and '%s'",
                         site->node->type, element_name(a.element), element_name(b.element));
    if (a.element != b.element && a.element != ELEMENT_NONE && b.element != ELEMENT_NONE &&
        !(binary->kind & KIND_MIXED))
        return error_set(error, FAULT_IO, "elements '%s' and '%s' differ", element_name(a.element),
                         element_name(b.element));
    if (type_broadcast(&a, &b, out, error) != OK)
        return FAILED;
    if (out->element == ELEMENT_NONE && !(binary->kind & KIND_MIXED))
        out->element = b.element;
    if (binary->kind & KIND_COMPARES)
        out->element = ELEMENT_bool;
    return OK;
}

static bool texts_equal(const struct text *a, const struct text *b)
{
    return a->length == b->length && memcmp(a->bytes, b->bytes, a->length) == 0;
}

/* Mod's fmod, BitShift's direction. */
static long mode_of(const struct node *node)
{
    return node_integer(node, "fmod", strcmp(node_text(node, "direction", ""), "LEFT") == 0);
}

static void put(const struct binary *binary, const struct site *site, long to, long a, long b,
                long mode)
{
    const struct array *x = &site->input[0], *y = &site->input[1], *out = &site->output[0];
    const enum element of_x = x->type.element, of_y = y->type.element;
    if (of_x == ELEMENT_text)
        element_put_whole(
            out->data, out->type.element, to,
            texts_equal((const struct text *)x->data + a, (const struct text *)y->data + b));
    else if (element_is_real(of_x) || element_is_real(of_y))
        element_put_real(
            out->data, out->type.element, to,
            binary->real(element_real(x->data, of_x, a), element_real(y->data, of_y, b), mode));
    else
        wide_put(out->data, out->type.element, to,
                 binary->whole(wide_at(x->data, of_x, a), wide_at(y->data, of_y, b), mode));
}

static int evaluate(struct site *site, struct error *error)
{
    (void)error;
    const struct binary *binary = site->node->op->detail;
    const struct type *type = &site->output[0].type;
    const struct type second = second_type(site);
    const long count = type_elements(type), mode = mode_of(site->node);
    long of_a[RANK_MAX], of_b[RANK_MAX], at[RANK_MAX] = {0};
    broadcast_strides(&site->input[0].type, type, of_a);
    broadcast_strides(&second, type, of_b);
    for (long i = 0; i < count; i++) {
        put(binary, site, i, place_offset(type->rank, of_a, at), place_offset(type->rank, of_b, at),
            mode);
        place_next(type, at);
    }
    return OK;
}

/* An operand that is broadcast, seen from the result: row i of so many has element i % channels of
 * it, or each column its own. */
struct spread {
    long rows, columns, channels;
    bool is_by_column, is_whole;
};

/* False where its dims do not stand side by side in the result, as in [n, 1, m]. */
static bool find_spread(const struct type *operand, const struct type *out, struct spread *spread)
{
    long before = 1, own = 1, behind = 1; /* dims of the result: where it is 1, but for its own */
    for (int i = 0; i < out->rank; i++) {
        const int k = i - (out->rank - operand->rank);
        const long dim = out->dims[i];
        if (dim == 1)
            continue;
        if (k >= 0 && operand->dims[k] == dim && behind == 1)
            own *= dim;
        else if (k >= 0 && operand->dims[k] == dim)
            return false;
        else if (own == 1)
            before *= dim;
        else
            behind *= dim;
    }
    if (own == 1) /* a single one */
        *spread = (struct spread){1, before, 1, false, before == 1};
    else if (behind == 1)
        *spread = (struct spread){before, own, 0, true, before == 1};
    else
        *spread = (struct spread){before * own, behind, own, false, false};
    return true;
}

/* Another launch, from `x` and with input `y` into output 0. */
static int launch_on(const struct site *site, struct lowering *lowering, const char *kernel,
                     struct launch_operand x, int y, struct launch **launch, struct error *error)
{
    enum dtype dtype;
    if (element_dtype(site->output[0].type.element, &dtype, error) != OK)
        return SKIPPED;
    *launch = launches_add(site, lowering, kernel, dtype, error);
    if (!*launch)
        return FAILED;
    (*launch)->operand[0] = of_output(0);
    (*launch)->operand[1] = x;
    (*launch)->operand[2] = of_input(y);
    return OK;
}

/* From `x`, which has all elements of the result, by a step with input `y` as the spread says. */
static int lower_step(const struct site *site, struct lowering *lowering, const char *step,
                      struct launch_operand x, int y, const struct spread *spread,
                      struct error *error)
{
    char word[32];
    struct launch *launch;
    const int result = launch_on(site, lowering, "chain", x, y, &launch, error);
    if (result != OK)
        return result;
    snprintf(word, sizeof word, "%s_%s", step,
             spread->is_whole       ? "element"
             : spread->is_by_column ? "column"
                                    : "row");
    launch_letter(launch, "rows", spread->rows);
    launch_letter(launch, "columns", spread->columns);
    launch_letter(launch, "channels", spread->channels);
    if (!launch_word(launch, "chain", "given") || !launch_word(launch, "step1", word))
        return error_skip(error, "kernel 'chain' has no step '%s'", word);
    return OK;
}

/* One operand is broadcast, or both. Where neither has all elements of the result, or one is not
 * broadcast in a way that the kernel has, one is written out first. */
static int lower_broadcast(const struct site *site, struct lowering *lowering, struct error *error)
{
    const struct binary *binary = site->node->op->detail;
    const struct type *out = &site->output[0].type;
    const struct type type[] = {site->input[0].type, second_type(site)};
    struct spread spread[2];
    bool is_spread[2];
    for (int i = 0; i < 2; i++)
        is_spread[i] = find_spread(&type[i], out, &spread[i]);
    for (int x = 0; x < 2; x++) {
        const char *step = x ? binary->swapped : binary->step;
        if (step && is_spread[x] && spread[x].is_whole && is_spread[1 - x])
            return lower_step(site, lowering, step, of_input(x), 1 - x, &spread[1 - x], error);
    }
    for (int x = 0; x < 2; x++) {
        const char *step = x ? binary->swapped : binary->step;
        if (!step || !is_spread[1 - x])
            continue;
        const struct move move = move_broadcast(&type[x], out);
        const int result = move_lower(site, lowering, &move, x, 0, error);
        return result != OK
                   ? result
                   : lower_step(site, lowering, step, of_output(0), 1 - x, &spread[1 - x], error);
    }
    return error_skip(error, "no kernel broadcasts the operands like this");
}

/* Powers that are products and roots, each with the steps of kernel chain that make them of x; X
 * stands for x as an operand, ONE for 1. */
enum { POWER_STEPS = 2 };
static const struct power {
    double exponent;
    const char *step[POWER_STEPS];
} powers[] = {{2, {"mul_element"}}, {3, {"mul_element", "mul_element"}},
              {0.5, {"sqrt"}},      {-0.5, {"sqrt", "rdiv_row"}},
              {-1, {"rdiv_row"}},   {1, {NULL}}};

static int lower_power(const struct site *site, struct lowering *lowering, struct error *error)
{
    static const char *const letters[POWER_STEPS] = {"step1", "step2"};
    const struct array *y = &site->input[1];
    const struct power *power = powers, *const end = powers + sizeof powers / sizeof *powers;
    struct launch *launch;
    struct launch_operand one;
    if (!y->data || type_elements(&y->type) != 1)
        return error_skip(error, "no kernel has exponents that are not one constant");
    while (power < end && power->exponent != element_real(y->data, y->type.element, 0))
        power++;
    if (power == end)
        return error_skip(error, "no kernel has this exponent");
    int result = launch_on(site, lowering, "chain", of_input(0), 0, &launch, error);
    if (result == OK)
        result = launches_fill(site, &one, 1, 1, launch->dtype, error);
    if (result != OK)
        return result;
    launch_letter(launch, "rows", 1);
    launch_letter(launch, "columns", type_elements(&site->output[0].type));
    launch_letter(launch, "channels", 1);
    launch_word(launch, "chain", "given");
    for (int i = 0, operand = 2; i < POWER_STEPS && power->step[i]; i++) {
        if (!launch_word(launch, letters[i], power->step[i]))
            return error_skip(error, "kernel 'chain' has no step '%s'", power->step[i]);
        if (strcmp(power->step[i], "mul_element") == 0)
            launch->operand[operand++] = of_input(0);
        else if (strcmp(power->step[i], "rdiv_row") == 0)
            launch->operand[operand++] = one;
    }
    return OK;
}

static int lower(const struct site *site, struct lowering *lowering, struct error *error)
{
    const struct binary *binary = site->node->op->detail;
    const struct type second = second_type(site), *out = &site->output[0].type;
    struct launch *launch;
    if (node_is(site->node, "Pow"))
        return lower_power(site, lowering, error);
    if (!binary->step)
        return error_skip(error, "no kernel computes it");
    if (!dims_equal(&site->input[0].type, out) || !dims_equal(&second, out) ||
        !kernel_find(binary->step))
        return lower_broadcast(site, lowering, error);
    const int result = launch_on(site, lowering, binary->step, of_input(0), 1, &launch, error);
    if (result == OK)
        launch_letter(launch, "n", type_elements(out));
    return result;
}

static double flops(const struct site *site)
{
    return (double)type_elements(&site->output[0].type);
}

static const struct attribute_rule attributes[] = {{"fmod", ATTRIBUTE_INT, false},
                                                   {"direction", ATTRIBUTE_TEXT, false},
                                                   {"axis", ATTRIBUTE_INT, false},
                                                   {"broadcast", ATTRIBUTE_INT, false},
                                                   {0}};

#define X(member, real_expression, whole_expression, kinds, op_flags, ...)                         \
    static const struct binary member##_binary = {member##_real, member##_whole, kinds,            \
                                                  __VA_ARGS__};                                    \
    const struct op onnx_##member##_op = {                                                         \
        .domain = "",                                                                              \
        .name = #member,                                                                           \
        .summary = "z = " #whole_expression,                                                       \
        .flags = OP_BINARY | op_flags,                                                             \
        .inputs_min = 2,                                                                           \
        .inputs_max = 2,                                                                           \
        .outputs_min = 1,                                                                          \
        .outputs_max = 1,                                                                          \
        .attributes = attributes,                                                                  \
        .infer = infer,                                                                            \
        .evaluate = evaluate,                                                                      \
        .lower = lower,                                                                            \
        .flops = flops,                                                                            \
        .detail = &member##_binary,                                                                \
    };
BINARY_LIST(X)
#undef X
