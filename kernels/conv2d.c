// conv2d.c - two-dimensional convolution (cross-correlation, as networks have it).
#include "convolution.h"

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
    WINDOW_LETTERS(X)                                                                              \
    X(groups, 1, 1, "groups of channels that do not mix")                                          \
    X(layout, 0, 0, "order of the dimensions of input and output", layout_words)                   \
    X(epilogue, 0, 0,                                                                              \
      "steps that follow; bias and scale by channel, the addend is like the output",               \
      epilogue_words)                                                                              \
    X(pitch, 0, 0,                                                                                 \
      "elements between the pixels of an output in nhwc, such as a part of the "                   \
      "channels of several; 0: k",                                                                 \
      .is_rare = true)                                                                             \
    X(source, 0, 0, "order of the dimensions of the input: that of the output, or nchw",           \
      source_words, .is_rare = true)
enum { LETTERS(KERNEL_LETTER_INDEX) LETTER_COUNT };

#ifndef ISA
static const char *const source_words[] = {"alike", "nchw", NULL}; /* enum image_source */
#endif

/* Weights are (k, c / groups, r, s) in every layout. */
static struct convolution convolution_of(const struct shape *shape)
{
    LETTERS(KERNEL_LETTER_LONG)
    return convolution_complete(
        (struct convolution){.n = n,
                             .c = c,
                             .k = k,
                             .groups = groups,
                             .k_pitch = pitch,
                             .layout = (enum layout)layout,
                             .source = layout_of_input((enum layout)layout, source),
                             .epilogue = (enum epilogue)epilogue,
                             .rows = axis_plain(ROW_SLIDE(SHAPE_LETTER)),
                             .columns = axis_plain(COLUMN_SLIDE(SHAPE_LETTER))});
}

#ifndef ISA

#include "onednn.h"

#define DERIVED                                                                                    \
    const struct slide rows = ROW_SLIDE(SHAPE_LETTER), columns = COLUMN_SLIDE(SHAPE_LETTER);       \
    const double p = (double)slide_places(&rows), q = (double)slide_places(&columns),              \
                 taps_h = slide_taps(&rows), taps_w = slide_taps(&columns),                        \
                 h_used = slide_used(&rows),                                                       \
                 w_used =                                                                          \
                     layout == LAYOUT_NCHW || source == SOURCE_NCHW ? w : slide_used(&columns),    \
                 k_filled = (double)layout_channels((enum layout)layout, (long)k);                 \
    const enum epilogue epilogue_kind = (enum epilogue)shape->value[LETTER_epilogue];              \
    const double steps = epilogue_flops(epilogue_kind),                                            \
                 operands = epilogue_elements(epilogue_kind, k, n * k_filled * p * q);             \
    (void)p, (void)q, (void)taps_h, (void)taps_w, (void)h_used, (void)w_used, (void)k_filled,      \
        (void)steps, (void)operands;

MODEL(flops, 2 * n * k * (c / groups) * taps_h * taps_w + steps * n * k * p * q)
MODEL(bytes,
      (n * c * h_used * w_used + k * (c / groups) * r * s + n * k_filled * p * q + operands) *
          element_bytes)

static const struct letter letters[] = {LETTERS(KERNEL_LETTER_ROW)};

/* Layers of ResNet-50 (doi:10.1109/CVPR.2016.90, table 1): 3x3, 1x1, the strided stem; and a
 * depthwise one as in MobileNet (arXiv:1704.04861). */
static const char *const shapes[] = {"c=64,h=56,w=56,k=64,r=3,s=3,pad=1",
                                     "c=256,h=14,w=14,k=1024,r=1,s=1",
                                     "c=3,h=224,w=224,k=64,r=7,s=7,stride=2,pad=3",
                                     "c=128,h=56,w=56,k=128,r=3,s=3,pad=1,groups=128", NULL};

static int check(const struct shape *shape, struct error *error)
{
    LETTERS(KERNEL_LETTER_DOUBLE)
    if (fmod(c, groups) != 0 || fmod(k, groups) != 0)
        return error_set(error, FAULT_USAGE,
                         "conv2d: 'groups' %.0f does not divide the channels c %.0f and k %.0f; "
                         "choose a common divisor",
                         groups, c, k);
    const struct slide rows = ROW_SLIDE(SHAPE_LETTER), columns = COLUMN_SLIDE(SHAPE_LETTER);
    const double padded_h = h + (double)(rows.before + rows.after),
                 padded_w = w + (double)(columns.before + columns.after);
    if (!slide_fits(&rows) || !slide_fits(&columns))
        return error_set(error, FAULT_USAGE,
                         "conv2d: the kernel of %.0f x %.0f with 'dilation' %ld and %ld does not "
                         "fit the padded image of %.0f x %.0f; enlarge h, w or pad",
                         r, s, rows.dilation, columns.dilation, padded_h, padded_w);
    if (c * padded_h * padded_w > SHAPE_VALUE_MAX)
        return error_set(error, FAULT_USAGE,
                         "conv2d: the padded image of %.0f x %.0f x %.0f is too large; reduce pad",
                         c, padded_h, padded_w);
    if (pitch > 0 && (layout != LAYOUT_NHWC || pitch < k))
        return error_set(error, FAULT_USAGE,
                         "conv2d: 'pitch' is for nhwc, and at least the %.0f channels k; choose "
                         "layout=nhwc or drop it",
                         k);
    return OK;
}

static int operands(const struct shape *shape, struct operand operand[KERNEL_OPERANDS_MAX])
{
    const struct convolution conv = convolution_of(shape);
    return convolution_operands(&conv, operand);
}

static double tolerance(const struct shape *shape, double unit)
{
    const struct convolution conv = convolution_of(shape);
    return convolution_tolerance(&conv, unit);
}

/* The sum of one output pixel whose first tap is at (y0, x0); `image` is its first element. */
static double pixel_sum(const struct call *call, enum dtype dtype, long image, long filter, long y0,
                        long x0)
{
    const struct shape *shape = call->shape;
    LETTERS(KERNEL_LETTER_LONG)
    const struct slide rows = ROW_SLIDE(SHAPE_LETTER), columns = COLUMN_SLIDE(SHAPE_LETTER);
    const long c_group = c / groups, first = filter / (k / groups) * c_group;
    const enum layout from = layout_of_input((enum layout)layout, source);
    double sum = 0;
    for (long channel = 0; channel < c_group; channel++)
        for (long i = 0; i < r; i++)
            for (long j = 0; j < s; j++) {
                const long y = y0 + i * rows.dilation, x = x0 + j * columns.dilation;
                if (y < 0 || y >= h || x < 0 || x >= w)
                    continue;
                const long at = layout_index(from, c, h * w, first + channel, y * w + x);
                sum += real_at(call->operand[1], dtype, image + at) *
                       real_at(call->operand[2], dtype,
                               ((filter * c_group + channel) * r + i) * s + j);
            }
    return sum;
}

static void plain(const struct call *call, enum dtype dtype, long begin, long end, double *out)
{
    const struct convolution conv = convolution_of(call->shape);
    const long image_size = conv.k_stored * conv.pixels, in_pixels = conv.rows.in * conv.columns.in;
    struct step step[EPILOGUE_STEPS];
    convolution_steps(&conv, call, step);
    for (long element = begin; element < end; element++) {
        const struct place place =
            layout_place(conv.layout, conv.k_stored, conv.pixels, element % image_size);
        const long row = place.pixel / conv.columns.out, column = place.pixel % conv.columns.out;
        double *value = &out[element - begin];
        if (place.channel >= conv.k) {
            *value = conv.k_pitch > 0 ? *value : 0;
            continue;
        }
        *value = pixel_sum(call, dtype, element / image_size * conv.c_stored * in_pixels,
                           place.channel, row * conv.rows.stride - conv.rows.pad,
                           column * conv.columns.stride - conv.columns.pad);
        *value = steps_value(step, dtype, *value,
                             (struct step_place){place.channel, place.channel, element});
    }
}
REFERENCE_BODIES(plain)

#define X(way, summary) CONVOLUTION_FUNCTIONS(conv2d, way)
CONVOLUTION_WAYS(X)
#undef X
#define X(way, summary) CONVOLUTION_FILTER_FUNCTIONS(conv2d, way)
CONVOLUTION_FILTERS(X)
#undef X
static const struct variant variants[] = {
#define X(way, summary) CONVOLUTION_VARIANT(conv2d, way, summary)
    CONVOLUTION_WAYS(X)
#undef X
#define X(way, summary) CONVOLUTION_FILTER(conv2d, way, summary)
        CONVOLUTION_FILTERS(X)
#undef X
            REFERENCE_VARIANT(plain),
    {.name = "onednn",
     .summary = "direct convolution of images as they lie, epilogues as bias and post-ops; weights "
                "reordered beforehand",
     .routine = &onednn_conv2d},
    {.name = "onednn_any",
     .summary = "the same in layouts of its choice; reordering is not counted",
     .routine = &onednn_conv2d_any},
    {.name = "onednn_reordered",
     .summary = "the same with images reordered in each call, weights once",
     .routine = &onednn_conv2d_reordered},
    {0},
};

const struct kernel conv2d_kernel = {
    .name = "conv2d",
    .summary =
        "convolution: output[n,k,p,q] = sum over c/groups, r, s of input * weights, then the "
        "epilogue",
    .letters = letters,
    .letter_count = LETTER_COUNT,
    .quick = true,
    .shapes = shapes,
    .flops = flops_model,
    .flops_formula = flops_formula,
    .bytes = bytes_model,
    .bytes_formula = bytes_formula,
    .model_note = "p x q output pixels; taps_h, taps_w: pairs of output and kernel line inside the "
                  "image, so products with padding do not count; h_used, w_used: input rows and "
                  "columns that are used (of nchw whole rows); k_filled: k filled up to blocks; "
                  "packing the weights, before the first call, does not count; each step of the "
                  "epilogue counts as 1 FLOP per element, functions too",
    .check = check,
    .operands = operands,
    .tolerance = tolerance,
    .reference = plain,
    .variants = variants,
};

#else
#include "vec.h"

#define X(way, summary) CONVOLUTION_BODIES(conv2d, way)
CONVOLUTION_WAYS(X)
CONVOLUTION_FILTERS(X)

#endif
