// convolution.h - a convolution, plain or transposed, as its implementations see it.
//
// An output line of an axis (a row or a column) sums taps, each of one input line. In a plain
// convolution tap i of line y is of the input line y * stride + i * dilation - pad. In a transposed
// one the input line x and tap i are added to the output line x * stride + i * dilation - pad. So
// lines that are equal modulo the stride, a phase, sum the same taps, and from one of them to the
// next the input lines are one further: a phase is a plain convolution of stride 1 with some of the
// taps, in reverse. Nothing is multiplied with zeros between input lines, and nothing is added up
// in memory. A plain convolution is the case of one phase.
#ifndef ROOFLINE_CONVOLUTION_H
#define ROOFLINE_CONVOLUTION_H

#include "epilogue.h"
#include "image_layout.h"
#include "kernel.h"
#include "lengths.h"
#include "window.h"

/* Elements filled up to an odd number of lines: neighbours so far apart begin in different sets of
 * a cache. */
static inline long odd_lines(long elements, long line)
{
    return (ceil_divide(elements, line) | 1) * line;
}

/* Rows or columns. */
struct axis {
    long in, out; /* lines of the input and of the output */
    long taps, stride, dilation;
    long pad; /* before the first line; what is behind the last one follows from `out` */
    bool transposed;
    long phases;        /* that have lines; so many output lines are between two of a phase */
    long step;          /* input lines between two neighbours of a phase */
    long grid;          /* output lines of a phase; some may have one less */
    long lowest, reach; /* input line of the lowest tap of the first output line of all phases, and
                           lines from there to that of the highest */
};

static inline struct axis axis_plain(struct slide slide)
{
    const long out = slide_places(&slide);
    return (struct axis){.in = slide.in,
                         .out = out,
                         .taps = slide.taps,
                         .stride = slide.stride,
                         .pad = slide.before,
                         .dilation = slide.dilation,
                         .phases = 1,
                         .step = slide.stride,
                         .grid = out,
                         .lowest = -slide.before,
                         .reach = (slide.taps - 1) * slide.dilation};
}

static inline struct axis axis_transposed(struct slide slide, long output_pad)
{
    const long out = (long)slide_transposed(&slide, (double)output_pad);
    const long stride = slide.stride, pad = slide.before;
    const long lowest = ceil_divide(pad - (slide.taps - 1) * slide.dilation, stride);
    return (struct axis){.in = slide.in,
                         .out = out,
                         .taps = slide.taps,
                         .stride = stride,
                         .pad = pad,
                         .dilation = slide.dilation,
                         .transposed = true,
                         .phases = out < stride ? out : stride,
                         .step = 1,
                         .grid = ceil_divide(out, stride),
                         .lowest = lowest,
                         .reach = ceil_divide(pad, stride) - lowest};
}

/* Input lines, with those outside the image, under so many output lines of each phase. */
static inline long lines_under(const struct axis *axis, long lines)
{
    return (lines - 1) * axis->step + axis->reach + 1;
}

/* Whether all these are inside the image. */
static inline bool axis_is_inside(const struct axis *axis)
{
    return axis->lowest >= 0 && axis->lowest + lines_under(axis, axis->grid) <= axis->in;
}

/* The output lines index, index + phases, index + 2 phases ... */
struct phase {
    long index, lines;
    long taps, before;    /* taps that each sums; of the phases before this one together */
    long tap, tap_step;   /* the first, in the order of input lines, and from one to the next */
    long line, line_step; /* the same of their input lines in the first output line */
};

static inline struct phase axis_phase(const struct axis *axis, long index)
{
    if (!axis->transposed)
        return (struct phase){index, axis->out, axis->taps, 0, 0, 1, -axis->pad, axis->dilation};
    struct phase phase = {.index = index,
                          .lines = ceil_divide(axis->out - index, axis->stride),
                          .tap_step = 1,
                          .line_step = 1};
    for (long tap = axis->taps - 1; tap >= 0; tap--) {
        /* The tap's first input line, where its first output line is not negative. */
        const long offset = tap * axis->dilation - axis->pad;
        const long line = ceil_divide(-offset, axis->stride);
        const long of = line * axis->stride + offset;
        phase.before += of < index;
        if (of != index)
            continue;
        if (phase.taps == 0) {
            phase.tap = tap;
            phase.line = line;
        } else if (phase.taps == 1) {
            phase.tap_step = tap - phase.tap;
            phase.line_step = line - phase.line;
        }
        phase.taps++;
    }
    return phase;
}

/* Taps of the phase that has most: that of tap 0. */
static inline long axis_most_taps(const struct axis *axis)
{
    const long line = ceil_divide(axis->pad, axis->stride);
    return axis_phase(axis, axis->transposed ? line * axis->stride - axis->pad : 0).taps;
}

struct convolution {
    long n, c, k, groups;
    long k_pitch;               /* nhwc: elements between pixels of the output; 0: k */
    enum layout layout, source; /* of the output; of the input */
    enum epilogue epilogue;
    struct axis rows, columns;
    /* Elements of the weights from one channel of a group to the next, of output and of input. */
    long weight_k, weight_c;
    /* What follows from these: channels of one group, and of an image with their filling, or with
     * what lies between its pixels; pixels of the output; taps of all phases. */
    long c_group, k_group, c_stored, k_stored, pixels, taps;
};

/* Fills in what follows from the rest. */
static inline struct convolution convolution_complete(struct convolution conv)
{
    conv.c_group = conv.c / conv.groups;
    conv.k_group = conv.k / conv.groups;
    conv.c_stored = layout_channels(conv.source, conv.c);
    conv.k_stored = conv.k_pitch > 0 ? conv.k_pitch : layout_channels(conv.layout, conv.k);
    conv.pixels = conv.rows.out * conv.columns.out;
    conv.taps = conv.rows.taps * conv.columns.taps;
    conv.weight_k = (conv.rows.transposed ? 1 : conv.c_group) * conv.taps;
    conv.weight_c = (conv.rows.transposed ? conv.k_group : 1) * conv.taps;
    return conv;
}

/* Products of which an output pixel is the sum, at most. */
static inline long convolution_depth(const struct convolution *conv)
{
    return conv->c_group * axis_most_taps(&conv->rows) * axis_most_taps(&conv->columns);
}

/* The phases of rows and then of columns, prepared by one member at the start of what is kept. */
static inline long phases_bytes(const struct convolution *conv)
{
    return (conv->rows.phases + conv->columns.phases) * (long)sizeof(struct phase);
}

static inline void find_phases(const struct convolution *conv, struct phase *phases)
{
    for (long row = 0; row < conv->rows.phases; row++)
        *phases++ = axis_phase(&conv->rows, row);
    for (long column = 0; column < conv->columns.phases; column++)
        *phases++ = axis_phase(&conv->columns, column);
}

/* A phase of rows with one of columns: their taps are stored behind `before` others. */
struct phase_pair {
    struct phase rows, columns;
    long taps, before;
};

static inline struct phase_pair pair_of(const struct convolution *conv, struct phase rows,
                                        struct phase columns)
{
    return (struct phase_pair){rows, columns, rows.taps * columns.taps,
                               rows.before * conv->columns.taps + rows.taps * columns.before};
}

/* While the phases are not there yet. */
static inline struct phase_pair find_pair(const struct convolution *conv, long row, long column)
{
    return pair_of(conv, axis_phase(&conv->rows, row), axis_phase(&conv->columns, column));
}

/* The number within the kernel of a tap of a pair. */
static inline long pair_tap(const struct convolution *conv, const struct phase_pair *both, long tap)
{
    const long row = tap / both->columns.taps, column = tap % both->columns.taps;
    return (both->rows.tap + row * both->rows.tap_step) * conv->columns.taps + both->columns.tap +
           column * both->columns.tap_step;
}

/* A padded image in nchw whose columns are sorted by their place modulo the step: lengths of a
 * column phase, a row of them and a channel. */
struct sorted_image {
    long pitch, row, plane;
};

/* Where in it the first output pixel of a pair of phases has its tap `i`, counted over the taps of
 * one input channel after the other. */
static inline long tap_place(const struct convolution *conv, const struct phase_pair *both, long i,
                             struct sorted_image image)
{
    const struct axis *rows = &conv->rows, *columns = &conv->columns;
    const long tap = i % both->taps;
    const long y = both->rows.line - rows->lowest + tap / both->columns.taps * both->rows.line_step;
    const long x =
        both->columns.line - columns->lowest + tap % both->columns.taps * both->columns.line_step;
    return i / both->taps * image.plane + y * image.row + x % columns->step * image.pitch +
           x / columns->step;
}

/* The steps of the epilogue, whose channels are rows of the output's matrix in nchw, else columns.
 */
static inline void convolution_steps(const struct convolution *conv, const struct call *call,
                                     struct step step[EPILOGUE_STEPS])
{
    epilogue_steps(call, conv->epilogue, 3, conv->layout == LAYOUT_NCHW ? SPAN_row : SPAN_column,
                   step);
}

/* One input and one output channel per group. */
static inline bool convolution_is_depthwise(const struct convolution *conv)
{
    return conv->c_group == 1 && conv->k_group == 1;
}

/* Depthwise in nchw with 3 x 3 neighbouring taps and padding of 1. */
static inline bool convolution_is_stencil(const struct convolution *conv)
{
    const struct axis *rows = &conv->rows, *columns = &conv->columns;
    return convolution_is_depthwise(conv) && conv->layout == LAYOUT_NCHW && !rows->transposed &&
           rows->taps == 3 && columns->taps == 3 && rows->pad == 1 && columns->pad == 1 &&
           rows->dilation == 1 && columns->dilation == 1 && rows->stride == columns->stride &&
           rows->stride <= 2 && rows->out == ceil_divide(rows->in, rows->stride) &&
           columns->out == ceil_divide(columns->in, columns->stride);
}

/* ---- implementations ---- */

/* X(name, summary) */
#define CONVOLUTION_WAYS(X)                                                                        \
    X(auto,                                                                                        \
      "groups = c = k: depthwise, but of nchw stencil where it can, planes with long rows or few " \
      "channels; "                                                                                 \
      "nchw: planes for groups with few output channels, packed for 1x1 with stride 1 of images "  \
      "with 96 pixels and more; else direct, as what has input and output in two layouts")         \
    X(packed, "nchw: patches packed into panels, those of a 1x1 by the first tile that reads the " \
              "image, then gemm's register tile; weights packed beforehand")                       \
    X(planes, "nchw: vectors along the rows of one channel, for groups with few output channels; " \
              "rows copied for their padding")                                                     \
    X(stencil, "nchw, depthwise 3x3 with pad=1: strips of columns from row to row, with 512 bits " \
               "long rows in bands of four; nothing copied")                                       \
    X(direct, "register tile of pixels x output channels over taps and input channels; weights "   \
              "packed beforehand, images only of nchw, to have channels last, and where columns "  \
              "are padded by more than their stride")                                              \
    X(depthwise, "groups = c = k: vectors of channels, nothing copied but the weights, "           \
                 "beforehand, and of nchw blocks of channels, transposed")

/* The same of those that do fewer products than a kernel's model counts, and round more. */
#define CONVOLUTION_FILTERS(X)                                                                     \
    X(winograd2, "minimal filtering F(2x2, 3x3): fewer products; weights transformed beforehand")  \
    X(winograd4, "minimal filtering F(4x4, 3x3): yet fewer products and more roundings")

typedef void convolution_body(const struct convolution *conv, const struct call *call);

#ifndef ISA

typedef double convolution_room(const struct convolution *conv, enum isa isa, enum dtype dtype,
                                int threads, const struct cache_sizes *caches);

#define CONVOLUTION_DECLARE(way, summary)                                                          \
    convolution_room convolution_##way##_kept, convolution_##way##_workspace;                      \
    int convolution_##way##_supports(const struct convolution *conv, struct error *error);
CONVOLUTION_WAYS(CONVOLUTION_DECLARE)
CONVOLUTION_FILTERS(CONVOLUTION_DECLARE)
#define CONVOLUTION_DECLARE_FILTER(way, summary)                                                   \
    double convolution_##way##_flops(const struct convolution *conv);                              \
    double convolution_##way##_tolerance(const struct convolution *conv, double unit);
CONVOLUTION_FILTERS(CONVOLUTION_DECLARE_FILTER)

#define CONVOLUTION_ROOM(way, room)                                                                \
    static double way##_##room(const struct shape *shape, enum isa isa, enum dtype dtype,          \
                               int threads, const struct cache_sizes *caches)                      \
    {                                                                                              \
        const struct convolution conv = convolution_of(shape);                                     \
        return convolution_##way##_##room(&conv, isa, dtype, threads, caches);                     \
    }

/* For each way, in the file of a kernel that has defined convolution_of(shape): what its variants
 * are made of, their rows, and below, in ISA objects, their bodies. */
#define CONVOLUTION_FUNCTIONS(kernel, way)                                                         \
    BODIES_DECLARE(kernel##_##way)                                                                 \
    BODIES_DECLARE(kernel##_##way##_prepare)                                                       \
    CONVOLUTION_ROOM(way, kept)                                                                    \
    CONVOLUTION_ROOM(way, workspace)                                                               \
    static int way##_supports(const struct shape *shape, struct error *error)                      \
    {                                                                                              \
        const struct convolution conv = convolution_of(shape);                                     \
        return convolution_##way##_supports(&conv, error);                                         \
    }
#define CONVOLUTION_FILTER_FUNCTIONS(kernel, way)                                                  \
    CONVOLUTION_FUNCTIONS(kernel, way)                                                             \
    static double way##_flops(const struct shape *shape)                                           \
    {                                                                                              \
        const struct convolution conv = convolution_of(shape);                                     \
        return convolution_##way##_flops(&conv);                                                   \
    }                                                                                              \
    static double way##_tolerance(const struct shape *shape, double unit)                          \
    {                                                                                              \
        const struct convolution conv = convolution_of(shape);                                     \
        return convolution_##way##_tolerance(&conv, unit);                                         \
    }
#define CONVOLUTION_VARIANT(kernel, way, words, ...)                                               \
    {.name = #way,                                                                                 \
     .summary = words,                                                                             \
     .bodies = BODIES(kernel##_##way),                                                             \
     .prepare = BODIES(kernel##_##way##_prepare),                                                  \
     .kept = way##_kept,                                                                           \
     .workspace = way##_workspace,                                                                 \
     .supports = way##_supports,                                                                   \
     __VA_ARGS__},
#define CONVOLUTION_FILTER(kernel, way, words)                                                     \
    CONVOLUTION_VARIANT(kernel, way, words, .flops = way##_flops, .tolerance = way##_tolerance)

/* Output, input, weights and what the epilogue has; returns how many. */
int convolution_operands(const struct convolution *conv,
                         struct operand operand[KERNEL_OPERANDS_MAX]);

/* As gemm: a sum of so many products of positive numbers. */
double convolution_tolerance(const struct convolution *conv, double unit);

#else

#include "vec.h"

#define CONVOLUTION_DECLARE(way, summary)                                                          \
    convolution_body NAME(convolution_##way), NAME(convolution_##way##_prepare);
CONVOLUTION_WAYS(CONVOLUTION_DECLARE)
CONVOLUTION_FILTERS(CONVOLUTION_DECLARE)

#define CONVOLUTION_BODIES(kernel, way)                                                            \
    body NAME(kernel##_##way), NAME(kernel##_##way##_prepare);                                     \
    void NAME(kernel##_##way##_prepare)(const struct call *call)                                   \
    {                                                                                              \
        const struct convolution conv = convolution_of(call->shape);                               \
        NAME(convolution_##way##_prepare)(&conv, call);                                            \
    }                                                                                              \
    void NAME(kernel##_##way)(const struct call *call)                                             \
    {                                                                                              \
        const struct convolution conv = convolution_of(call->shape);                               \
        NAME(convolution_##way)(&conv, call);                                                      \
    }

/* Some channels of `pixels` pixels of a row and phase, the first of them `pixel`. */
struct piece {
    real *image;
    long channel, channels, pixel, pixels;
};

/* Channels from `channel` on that lie side by side in a pixel, at most `most`. */
static inline long convolution_together(const struct convolution *conv, long channel, long most)
{
    const long rest = LAYOUT_BLOCK - channel % LAYOUT_BLOCK;
    return conv->layout == LAYOUT_NCHWC && rest < most ? rest : most;
}

/* The epilogue of a piece of an output. */
static inline void convolution_follow(const struct convolution *conv, const struct step *steps,
                                      const real *output, struct piece piece)
{
    const long end = piece.channel + piece.channels, step = conv->columns.phases;
    for (long channel = piece.channel, count; channel < end; channel += count) {
        count = convolution_together(conv, channel, end - channel);
        real *out = piece.image +
                    layout_index(conv->layout, conv->k_stored, conv->pixels, channel, piece.pixel);
        const long element = out - output;
        NAME(epilogue_apply)
        (steps, conv->layout == LAYOUT_NCHW
                    ? (struct epilogue_block){out,
                                              conv->pixels,
                                              count,
                                              piece.pixels,
                                              {channel, 0, element}}
                    : (struct epilogue_block){
                          out,
                          step * (conv->layout == LAYOUT_NHWC ? conv->k_stored : LAYOUT_BLOCK),
                          piece.pixels,
                          count,
                          {0, channel, element}});
    }
}

/* The member's share of the filling of the last block of channels. */
static inline void convolution_clear_filling(const struct convolution *conv, real *output,
                                             struct member member)
{
    const long pixels = conv->pixels;
    const bool has_filling = conv->layout == LAYOUT_NCHWC && conv->k < conv->k_stored;
    const struct part part = member_part(member, conv->n * pixels, 1);
    for (long pixel = part.begin; pixel < part.end && has_filling; pixel++)
        for (long channel = conv->k; channel < conv->k_stored; channel++)
            output[pixel / pixels * conv->k_stored * pixels +
                   layout_index(LAYOUT_NCHWC, conv->k, pixels, channel, pixel % pixels)] = 0;
}

#endif
#endif
