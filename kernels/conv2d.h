// conv2d.h - what the implementations of conv2d share: its letters and what follows from them.
#ifndef ROOFLINE_CONV2D_H
#define ROOFLINE_CONV2D_H

#include "epilogue.h"
#include "image_layout.h"
#include "kernel.h"
#include "window.h"

#define LETTERS(X)                                                                                 \
    X(n, 1, 1, "images")                                                                           \
    X(c, -1, 1, "input channels")                                                                  \
    X(h, -1, 1, "input rows")                                                                      \
    X(w, -1, 1, "input columns")                                                                   \
    X(k, -1, 1, "output channels")                                                                 \
    X(r, -1, 1, "kernel rows")                                                                     \
    X(s, -1, 1, "kernel columns")                                                                  \
    X(stride, 1, 1, "input rows and columns per output row and column")                            \
    X(pad, 0, 0, "zeros around the image")                                                         \
    X(dilation, 1, 1, "input rows and columns per kernel row and column")                          \
    X(groups, 1, 1, "groups of channels that do not mix")                                          \
    X(layout, 0, 0, "order of the dimensions of input and output", layout_words)                   \
    X(epilogue, 0, 0,                                                                              \
      "steps that follow; bias and scale by channel, the addend is like the output",               \
      epilogue_words)
enum { LETTERS(KERNEL_LETTER_INDEX) LETTER_COUNT };

/* The letters, and of the output. Weights are (k, c / groups, r, s) in every layout. */
struct conv {
#define X(name, ...) long name;
    LETTERS(X)
#undef X
    long p, q;               /* output rows and columns */
    long c_group, k_group;   /* channels of one group */
    long c_stored, k_stored; /* channels of an image with their filling */
};

static inline struct conv conv_of(const struct shape *shape)
{
    struct conv conv = {
#define X(letter, ...) .letter = shape->value[LETTER_##letter],
        LETTERS(X)
#undef X
    };
    conv.p = output_size(conv.h, conv.r, conv.stride, conv.pad, conv.dilation);
    conv.q = output_size(conv.w, conv.s, conv.stride, conv.pad, conv.dilation);
    conv.c_group = conv.c / conv.groups;
    conv.k_group = conv.k / conv.groups;
    conv.c_stored = layout_channels((enum layout)conv.layout, conv.c);
    conv.k_stored = layout_channels((enum layout)conv.layout, conv.k);
    return conv;
}

/* The steps of the epilogue, whose channels are rows of the output's matrix in nchw, else columns.
 */
static inline void conv2d_steps(const struct call *call, struct step step[EPILOGUE_STEPS])
{
    const long *value = call->shape->value;
    epilogue_steps(call, (enum epilogue)value[LETTER_epilogue], 3,
                   value[LETTER_layout] == LAYOUT_NCHW ? SPAN_row : SPAN_column, step);
}

/* One input and one output channel per group. */
static inline bool conv2d_is_depthwise(const struct shape *shape)
{
    const struct conv conv = conv_of(shape);
    return conv.c_group == 1 && conv.k_group == 1;
}

#ifndef ISA

/* Of the implementation, for the table of variants. */
#define CONV2D_DECLARE(name)                                                                       \
    double name##_workspace(const struct shape *shape, enum isa isa, enum dtype dtype,             \
                            int threads, const struct cache_sizes *caches);                        \
    int name##_supports(const struct shape *shape, struct error *error);
CONV2D_DECLARE(conv2d_packed)
CONV2D_DECLARE(conv2d_direct)
CONV2D_DECLARE(conv2d_depthwise)

#endif
#endif
