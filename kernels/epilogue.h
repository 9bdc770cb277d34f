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
 * channel or output feature, ADDEND and GATE are of the output's shape. */
#define EPILOGUE_LIST(X)                                                                           \
    X(none, {.kind = STEP_END})                                                                    \
    X(bias, BIAS)                                                                                  \
    X(relu, RELU)                                                                                  \
    X(add_relu, ADDEND, RELU)                                                                      \
    X(bias_add, BIAS, ADDEND)                                                                      \
    X(bias_mul, BIAS, GATE)                                                                        \
    X(bias_silu_mul, BIAS, SILU, GATE)                                                             \
    X(bias_gelu_mul, BIAS, GELU, GATE)                                                             \
    X(bias_clip, BIAS, LOW, HIGH)                                                                  \
    X(bias_prelu, BIAS, SLOPE)                                                                     \
    X(scale_shift_relu, FACTOR, BIAS, RELU)                                                        \
    X(scale_shift_clip, FACTOR, BIAS, CLIP_TO(1))                                                  \
    EPILOGUE_ACTIVATION(X, relu, RELU)                                                             \
    EPILOGUE_ACTIVATION(X, relu6, CLIP_TO(6))                                                      \
    EPILOGUE_ACTIVATION(X, leaky_relu, LEAKY_RELU)                                                 \
    EPILOGUE_ACTIVATION(X, hardswish, HARDSWISH)                                                   \
    EPILOGUE_ACTIVATION(X, silu, SILU)                                                             \
    EPILOGUE_ACTIVATION(X, gelu, GELU)                                                             \
    EPILOGUE_ACTIVATION(X, gelu_tanh, GELU_TANH)                                                   \
    EPILOGUE_ACTIVATION(X, sigmoid, SIGMOID)                                                       \
    EPILOGUE_ACTIVATION(X, tanh, TANH)                                                             \
    EPILOGUE_ACTIVATION(X, mish, MISH)
/* Alone, and behind or in front of what is added. */
#define EPILOGUE_ACTIVATION(X, name, ...)                                                          \
    X(bias_##name, BIAS, __VA_ARGS__)                                                              \
    X(bias_add_##name, BIAS, ADDEND, __VA_ARGS__)                                                  \
    X(bias_##name##_add, BIAS, __VA_ARGS__, ADDEND)

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
