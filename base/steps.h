// steps.h - what follows an operator element by element (bias, residual, activation) as data: the
// epilogue of a product or convolution, or a chain of elementwise operators in one pass.
//
//   const struct step bias_relu[] = {{.kind = STEP_add, .span = SPAN_column, .operand = bias},
//                                    {.kind = STEP_relu},
//                                    {.kind = STEP_END}};
//
// ISA bodies apply a list to vectors in registers (steps_apply.h); steps_value() is the reference.
#ifndef ROOFLINE_STEPS_H
#define ROOFLINE_STEPS_H

#include <stdbool.h>

#include "isa.h"

/* X(name, value): x is the value so far, y the operand's element, a and b are the step's constants;
 * MATH(function) is the vectors' or the C library's. */
#define STEP_BINARY_LIST(X)                                                                        \
    STEP_SIMPLE_BINARY_LIST(X)                                                                     \
    X(max, MATH(max)(y, x)) /* bounds: of the operand no NaN is kept */                            \
    X(min, MATH(min)(y, x))                                                                        \
    X(prelu, MATH(leaky_relu)(x, y))                                                               \
    X(elu, MATH(elu)(x, y))                                                                        \
    X(rsub, y - x) /* the operands the other way round */                                          \
    X(rdiv, y / x)                                                                                 \
    X(larger, MATH(larger)(x, y)) /* NaN where one is NaN */                                       \
    X(smaller, MATH(smaller)(x, y))
/* A few instructions each, which a whole register tile has room for. */
#define STEP_SIMPLE_BINARY_LIST(X) X(add, x + y) X(sub, x - y) X(mul, x *y) X(div, x / y)
#define STEP_SIMPLE_LIST(X) STEP_CONSTANT_LIST(X) STEP_SHORT_LIST(X)
#define STEP_CONSTANT_LIST(X)                                                                      \
    X(scale_shift, a *x + b)                                                                       \
    X(clip, MATH(clip)(x, a, b))                                                                   \
    X(leaky_relu, MATH(leaky_relu)(x, a))
#define STEP_SHORT_LIST(X) X(relu, MATH(relu)(x))
#define STEP_UNARY_LIST(X) STEP_CONSTANT_LIST(X) STEP_FUNCTION_LIST(X)
#define STEP_FUNCTION_LIST(X) STEP_SHORT_LIST(X) STEP_LONG_LIST(X)
#define STEP_LONG_LIST(X)                                                                          \
    X(sigmoid, MATH(sigmoid)(x))                                                                   \
    X(tanh, MATH(tanh)(x))                                                                         \
    X(gelu, MATH(gelu)(x))                                                                         \
    X(gelu_tanh, MATH(gelu_tanh)(x))                                                               \
    X(silu, MATH(silu)(x))                                                                         \
    X(hardswish, MATH(hardswish)(x))                                                               \
    X(mish, MATH(mish)(x))                                                                         \
    X(abs, MATH(abs)(x))                                                                           \
    X(exp, MATH(exp)(x))                                                                           \
    X(sqrt, MATH(sqrt)(x))

enum step_kind {
    STEP_END, /* so that {0} ends a list */
#define X(name, ...) STEP_##name,
    STEP_BINARY_LIST(X) STEP_BINARY_END,
    STEP_UNARY_LIST(X)
#undef X
};

/* Whether steps of that kind have an operand. */
static inline bool step_is_binary(enum step_kind kind)
{
    return kind > STEP_END && kind < STEP_BINARY_END;
}

/* Whether a register tile takes steps of that kind. */
static inline bool step_is_simple(enum step_kind kind)
{
#define X(name, ...) || kind == STEP_##name
    return false STEP_SIMPLE_BINARY_LIST(X) STEP_SIMPLE_LIST(X);
#undef X
}

/* Which element of its operand meets an element of the output. */
enum step_span {
    SPAN_element, /* an array of the output's shape: residual, gate */
    SPAN_row,     /* one per row: bias of a channel in NCHW */
    SPAN_column,  /* one per column: bias of an output feature, of a channel in NHWC */
};

struct step {
    enum step_kind kind;
    enum step_span span;
    const void *operand; /* of the output's format, borrowed; NULL where the kind has none */
    double a, b;         /* scale and shift, low and high, slope */
};

/* Where an element stands: the index into operands of each span. In a matrix with n columns element
 * is row * n + column; where several images share the rows' operand, row is the channel. */
struct step_place {
    long row, column, element;
};

/* x after all steps. Operands are read in `dtype`, the arithmetic is double. */
double steps_value(const struct step *step, enum dtype dtype, double x, struct step_place place);

#endif
