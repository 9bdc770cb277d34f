// epilogue.h - what may follow a product or a convolution: steps (base/steps.h) that are applied to
// each part of the output while it is in L1.
//
// A kernel with epilogues has a letter `epilogue` with epilogue_words, operands for the steps
// behind its own, and adds to its model what they do.
#ifndef ROOFLINE_EPILOGUE_H
#define ROOFLINE_EPILOGUE_H

#include "kernel.h"
#include "steps.h"

/* X(name, step...): one operand per step that has one; BIAS, FACTOR, SLOPE, LOW and HIGH are of a
 * channel or output feature, ADDEND is of the output's shape. */
#define EPILOGUE_LIST(X)                                                                           \
    X(none, {.kind = STEP_END})                                                                    \
    X(bias, BIAS)                                                                                  \
    X(relu, {.kind = STEP_relu})                                                                   \
    X(bias_relu, BIAS, {.kind = STEP_relu})                                                        \
    X(bias_relu6, BIAS, {.kind = STEP_clip, .a = 0, .b = 6})                                       \
    X(bias_leaky_relu, BIAS, {.kind = STEP_leaky_relu, .a = 0.01})                                 \
    X(bias_hardswish, BIAS, {.kind = STEP_hardswish})                                              \
    X(bias_silu, BIAS, {.kind = STEP_silu})                                                        \
    X(bias_gelu, BIAS, {.kind = STEP_gelu})                                                        \
    X(bias_gelu_tanh, BIAS, {.kind = STEP_gelu_tanh})                                              \
    X(bias_add, BIAS, ADDEND)                                                                      \
    X(bias_add_relu, BIAS, ADDEND, {.kind = STEP_relu})                                            \
    X(add_relu, ADDEND, {.kind = STEP_relu})                                                       \
    X(scale_shift_relu, FACTOR, BIAS, {.kind = STEP_relu})                                         \
    X(bias_sigmoid, BIAS, {.kind = STEP_sigmoid})                                                  \
    X(bias_tanh, BIAS, {.kind = STEP_tanh})                                                        \
    X(bias_mish, BIAS, {.kind = STEP_mish})                                                        \
    X(scale_shift_clip, FACTOR, BIAS, {.kind = STEP_clip, .a = 0, .b = 1})                         \
    X(bias_clip, BIAS, LOW, HIGH)                                                                  \
    X(bias_prelu, BIAS, SLOPE)

enum { EPILOGUE_STEPS = 4 }; /* with the end */
enum epilogue {
#define X(name, ...) EPILOGUE_##name,
    EPILOGUE_LIST(X)
#undef X
};

/* The steps of an epilogue with their operands, which are the call's from `first` on; `channels` is
 * what BIAS and FACTOR are indexed by. */
void epilogue_steps(const struct call *call, enum epilogue epilogue, int first,
                    enum step_span channels, struct step step[EPILOGUE_STEPS]);

/* A part of the output: `rows` rows of `columns` elements, `pitch` apart. The first stands at
 * `place`, each row is the next one of the operands. */
struct epilogue_block {
    void *out;
    long pitch, rows, columns;
    struct step_place place;
};
typedef void epilogue_function(const struct step *step, struct epilogue_block block);

#ifndef ISA

extern const char *const epilogue_words[];

/* Steps, each of which counts as 1 FLOP per element of the output. */
double epilogue_flops(enum epilogue epilogue);

/* The steps without operands, ended by STEP_END; those with SPAN_column are by channel. */
const struct step *epilogue_pattern(enum epilogue epilogue);

/* Elements of all operands. */
double epilogue_elements(enum epilogue epilogue, double channels, double outputs);

/* Appends the operands of the steps to `count` others and returns how many there are then. They
 * make about a quarter of the results negative of an output that is a sum of `depth` products of
 * mean 1. */
int epilogue_operands(enum epilogue epilogue, double channels, double outputs, double depth,
                      struct operand *operand, int count);

/* What the kernel's tolerance is multiplied with: a bias cancels most of the sum, and what is cut
 * off at 6 or squeezed below 1 is smaller by the rest. */
double epilogue_tolerance(enum epilogue epilogue, double depth);

/* For implementations that have no epilogues: SKIPPED with a reason where the shape has one. */
int epilogue_none(long epilogue, struct error *error);

#else

#include "vec.h"

epilogue_function NAME(epilogue_apply);

#endif
#endif
