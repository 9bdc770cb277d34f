// binary.c - the family of functions of two elements, with ONNX's broadcasting.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "launches.h"
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

/* X(name, real, whole, kinds, flags, step): the formulas of https://onnx.ai/onnx/operators/. */
#define BINARY_LIST(X)                                                                             \
    X(Add, x + y, x + y, KIND_NUMBERS, OP_COMMUTES, "add")                                         \
    X(Sub, x - y, x - y, KIND_NUMBERS, 0, "sub")                                                   \
    X(Mul, x *y, x *y, KIND_NUMBERS, OP_COMMUTES, "mul")                                           \
    X(Div, x / y, quotient(x, y), KIND_NUMBERS, 0, "div")                                          \
    X(Pow, pow(x, y), power(x, y), KIND_NUMBERS | KIND_MIXED, 0, NULL)                             \
    X(Mod, real_remainder(x, y, mode), remainder_of(x, y, mode), KIND_NUMBERS, 0, NULL)            \
    X(PRelu, x < 0 ? x * y : x, x < 0 ? x * y : x, KIND_NUMBERS, 0, "prelu")                       \
    X(Equal, x == y, x == y, KIND_NUMBERS | KIND_BOOLS | KIND_COMPARES | KIND_EQUALS, OP_COMMUTES, \
      NULL)                                                                                        \
    X(Greater, x > y, x > y, KIND_NUMBERS | KIND_COMPARES, 0, NULL)                                \
    X(Less, x < y, x < y, KIND_NUMBERS | KIND_COMPARES, 0, NULL)                                   \
    X(GreaterOrEqual, x >= y, x >= y, KIND_NUMBERS | KIND_COMPARES, 0, NULL)                       \
    X(LessOrEqual, x <= y, x <= y, KIND_NUMBERS | KIND_COMPARES, 0, NULL)                          \
    X(And, 0, x &&y, KIND_BOOLS, OP_COMMUTES, NULL)                                                \
    X(Or, 0, x || y, KIND_BOOLS, OP_COMMUTES, NULL)                                                \
    X(Xor, 0, x != y, KIND_BOOLS, OP_COMMUTES, NULL)                                               \
    X(BitShift, 0, shifted(x, y, mode), KIND_BITS, 0, NULL)                                        \
    X(BitwiseAnd, 0, x &y, KIND_BITS, OP_COMMUTES, NULL)                                           \
    X(BitwiseOr, 0, x | y, KIND_BITS, OP_COMMUTES, NULL)                                           \
    X(BitwiseXor, 0, x ^ y, KIND_BITS, OP_COMMUTES, NULL)

#define X(name, real_expression, whole_expression, kinds, flags, step_name)                        \
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
    bool is_by_column;
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
        *spread = (struct spread){1, before, 1, false};
    else if (behind == 1)
        *spread = (struct spread){before, own, 0, true};
    else
        *spread = (struct spread){before * own, behind, own, false};
    return true;
}

/* One launch, into output 0 from inputs `x` and `y`. */
static int launch_on(const struct site *site, struct lowering *lowering, const char *kernel, int x,
                     int y, struct error *error)
{
    enum dtype dtype;
    if (element_dtype(site->output[0].type.element, &dtype, error) != OK)
        return SKIPPED;
    if (lowering_start(site, lowering, kernel, dtype, error) != OK)
        return FAILED;
    lowering->launch->operand[0] = of_output(0);
    lowering->launch->operand[1] = of_input(x);
    lowering->launch->operand[2] = of_input(y);
    return OK;
}

/* Input `x` has all elements of the result, input 1 - x is broadcast to it. */
static int lower_spread(const struct site *site, struct lowering *lowering, int x,
                        struct error *error)
{
    const struct binary *binary = site->node->op->detail;
    const struct type second = second_type(site), *out = &site->output[0].type;
    struct spread spread;
    char word[32];
    if (!find_spread(x ? &site->input[0].type : &second, out, &spread))
        return error_skip(error, "the dimensions of the operand that is broadcast do not stand "
                                 "side by side");
    const int result = launch_on(site, lowering, "chain", x, 1 - x, error);
    if (result != OK)
        return result;
    struct launch *launch = lowering->launch;
    snprintf(word, sizeof word, "%s_%s", binary->step, spread.is_by_column ? "column" : "row");
    launch_letter(launch, "rows", spread.rows);
    launch_letter(launch, "columns", spread.columns);
    launch_letter(launch, "channels", spread.channels);
    if (!launch_word(launch, "chain", "given") || !launch_word(launch, "step1", word))
        return error_skip(error, "kernel 'chain' has no step '%s'", word);
    return OK;
}

static int lower(const struct site *site, struct lowering *lowering, struct error *error)
{
    const struct binary *binary = site->node->op->detail;
    const struct type second = second_type(site), *out = &site->output[0].type;
    const bool is_first_whole = dims_equal(&site->input[0].type, out);
    if (!binary->step)
        return error_skip(error, "no kernel computes it");
    if (is_first_whole && dims_equal(&second, out) && kernel_find(binary->step)) {
        const int result = launch_on(site, lowering, binary->step, 0, 1, error);
        if (result == OK)
            launch_letter(lowering->launch, "n", type_elements(out));
        return result;
    }
    if (is_first_whole)
        return lower_spread(site, lowering, 0, error);
    if (dims_equal(&second, out) && (site->node->op->flags & OP_COMMUTES))
        return lower_spread(site, lowering, 1, error);
    return error_skip(error, "no kernel broadcasts both operands, or the first one of these two");
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

#define X(member, real_expression, whole_expression, kinds, op_flags, step_name)                   \
    static const struct binary member##_binary = {member##_real, member##_whole, kinds,            \
                                                  step_name};                                      \
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
