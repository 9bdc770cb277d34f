// conv_transpose2d.c - two-dimensional transposed convolution: the adjoint of conv2d.
//
// As ONNX ConvTranspose (https://onnx.ai/onnx/operators/onnx__ConvTranspose.html): input pixel (y,
// x) and tap (i, j) are added to the output pixel (y * stride + i * dilation - pad, x * stride + j
// * dilation - pad).
#include "convolution.h"

#define LETTERS(X)                                                                                 \
    X(n, 1, 1, "images")                                                                           \
    X(c, -1, 1, "input channels")                                                                  \
    X(h, -1, 1, "input rows")                                                                      \
    X(w, -1, 1, "input columns")                                                                   \
    X(k, -1, 1, "output channels")                                                                 \
    X(r, -1, 1, "kernel rows")                                                                     \
    X(s, -1, 1, "kernel columns")                                                                  \
    X(stride, 1, 1, "output rows and columns per input row and column")                            \
    X(pad, 0, 0, "output rows and columns left out on each side")                                  \
    X(output_pad, 0, 0, "output rows and columns more at the end")                                 \
    X(dilation, 1, 1, "output rows and columns per kernel row and column")                         \
    WINDOW_LETTERS(X)                                                                              \
    X(groups, 1, 1, "groups of channels that do not mix")                                          \
    X(layout, 0, 0, "order of the dimensions of input and output", layout_words)                   \
    X(epilogue, 0, 0,                                                                              \
      "steps that follow; bias and scale by channel, the addend is like the output",               \
      epilogue_words)
enum { LETTERS(KERNEL_LETTER_INDEX) LETTER_COUNT };

/* Weights are (c, k / groups, r, s) in every layout. */
static struct convolution convolution_of(const struct shape *shape)
{
    LETTERS(KERNEL_LETTER_LONG)
    return convolution_complete(
        (struct convolution){.n = n,
                             .c = c,
                             .k = k,
                             .groups = groups,
                             .layout = (enum layout)layout,
                             .source = (enum layout)layout,
                             .epilogue = (enum epilogue)epilogue,
                             .rows = axis_transposed(ROW_SLIDE(SHAPE_LETTER), output_pad),
                             .columns = axis_transposed(COLUMN_SLIDE(SHAPE_LETTER), output_pad)});
}

#ifndef ISA

#define DERIVED                                                                                    \
    const struct slide rows = ROW_SLIDE(SHAPE_LETTER), columns = COLUMN_SLIDE(SHAPE_LETTER);       \
    const double p = slide_transposed(&rows, output_pad),                                          \
                 q = slide_transposed(&columns, output_pad), taps_h = slide_pairs(&rows, h, p),    \
                 taps_w = slide_pairs(&columns, w, q),                                             \
                 k_filled = (double)layout_channels((enum layout)layout, (long)k);                 \
    const enum epilogue epilogue_kind = (enum epilogue)shape->value[LETTER_epilogue];              \
    const double steps = epilogue_flops(epilogue_kind),                                            \
                 operands = epilogue_elements(epilogue_kind, k, n * k_filled * p * q);             \
    (void)p, (void)q, (void)taps_h, (void)taps_w, (void)k_filled, (void)steps, (void)operands;

MODEL(flops, 2 * n * c * (k / groups) * taps_h * taps_w + steps * n * k * p * q)
MODEL(bytes,
      (n * c * h * w + c * (k / groups) * r * s + n * k_filled * p * q + operands) * element_bytes)

static const struct letter letters[] = {LETTERS(KERNEL_LETTER_ROW)};

/* What doubles the image in a generator like DCGAN's (arXiv:1511.06434, section 3; of kernel 4,
 * that the stride divides) and in U-Net (arXiv:1505.04597, figure 1). */
static const char *const shapes[] = {"c=256,h=16,w=16,k=128,r=4,s=4,stride=2,pad=1",
                                     "c=128,h=56,w=56,k=64,r=2,s=2,stride=2",
                                     "c=64,h=56,w=56,k=64,r=3,s=3,stride=2,pad=1,output_pad=1,"
                                     "layout=nhwc",
                                     NULL};

static int check(const struct shape *shape, struct error *error)
{
    LETTERS(KERNEL_LETTER_DOUBLE)
    const struct slide rows = ROW_SLIDE(SHAPE_LETTER), columns = COLUMN_SLIDE(SHAPE_LETTER);
    const double p = slide_transposed(&rows, output_pad),
                 q = slide_transposed(&columns, output_pad);
    const double whole_p = p + (double)(rows.before + rows.after),
                 whole_q = q + (double)(columns.before + columns.after);
    const long most =
        greater(greater(rows.stride, columns.stride), greater(rows.dilation, columns.dilation));
    if (fmod(c, groups) != 0 || fmod(k, groups) != 0)
        return error_set(error, FAULT_USAGE,
                         "conv_transpose2d: 'groups' %.0f does not divide the channels c %.0f and "
                         "k %.0f; choose a common divisor",
                         groups, c, k);
    if (output_pad >= (double)most)
        return error_set(
            error, FAULT_USAGE,
            "conv_transpose2d: 'output_pad' %.0f must be less than stride or dilation, "
            "which are at most %ld; reduce it",
            output_pad, most);
    if (p < 1 || q < 1)
        return error_set(error, FAULT_USAGE,
                         "conv_transpose2d: 'pad' %.0f leaves nothing of the output of %.0f x "
                         "%.0f; reduce it",
                         pad, whole_p, whole_q);
    if (fmax(c, k) * whole_p * whole_q > SHAPE_VALUE_MAX)
        return error_set(error, FAULT_USAGE,
                         "conv_transpose2d: images of %.0f channels and, before the padding is cut "
                         "off, %.0f x %.0f pixels are too large; reduce stride or dilation",
                         fmax(c, k), whole_p, whole_q);
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

/* The sum of output pixel (row, column), both counted from where the padding begins; `image` is the
 * first element of the input image. */
static double pixel_sum(const struct call *call, enum dtype dtype, long image, long filter,
                        long row, long column)
{
    const struct shape *shape = call->shape;
    LETTERS(KERNEL_LETTER_LONG)
    const struct slide rows = ROW_SLIDE(SHAPE_LETTER), columns = COLUMN_SLIDE(SHAPE_LETTER);
    const long k_group = k / groups, first = filter / k_group * (c / groups);
    double sum = 0;
    for (long channel = first; channel < first + c / groups; channel++)
        for (long i = 0; i < r; i++)
            for (long j = 0; j < s; j++) {
                const long y = row - i * rows.dilation, x = column - j * columns.dilation;
                if (y < 0 || y % rows.stride != 0 || y / rows.stride >= h || x < 0 ||
                    x % columns.stride != 0 || x / columns.stride >= w)
                    continue;
                const long at = layout_index((enum layout)layout, c, h * w, channel,
                                             y / rows.stride * w + x / columns.stride);
                sum += real_at(call->operand[1], dtype, image + at) *
                       real_at(call->operand[2], dtype,
                               ((channel * k_group + filter % k_group) * r + i) * s + j);
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
            layout_place(conv.layout, conv.k, conv.pixels, element % image_size);
        double *value = &out[element - begin];
        *value = 0;
        if (place.channel >= conv.k)
            continue;
        *value = pixel_sum(call, dtype, element / image_size * conv.c_stored * in_pixels,
                           place.channel, place.pixel / conv.columns.out + conv.rows.pad,
                           place.pixel % conv.columns.out + conv.columns.pad);
        *value = steps_value(step, dtype, *value,
                             (struct step_place){place.channel, place.channel, element});
    }
}
REFERENCE_BODIES(plain)

#define X(way, summary) CONVOLUTION_FUNCTIONS(conv_transpose2d, way)
CONVOLUTION_WAYS(X)
#undef X
static const struct variant variants[] = {
#define X(way, summary) CONVOLUTION_VARIANT(conv_transpose2d, way, summary)
    CONVOLUTION_WAYS(X)
#undef X
        REFERENCE_VARIANT(plain),
    {0},
};

const struct kernel conv_transpose2d_kernel = {
    .name = "conv_transpose2d",
    .summary = "transposed convolution: output[n,k,y stride + i dilation - pad,...] += sum over "
               "c/groups of input[n,c,y,x] * weights[c,k,i,j], then the epilogue",
    .letters = letters,
    .letter_count = LETTER_COUNT,
    .shapes = shapes,
    .flops = flops_model,
    .flops_formula = flops_formula,
    .bytes = bytes_model,
    .bytes_formula = bytes_formula,
    .model_note = "p x q output pixels; taps_h, taps_w: pairs of input and kernel line that meet "
                  "inside the output, so neither what is left out there nor zeros between input "
                  "pixels count; k_filled: k filled up to blocks; packing the weights, before the "
                  "first call, does not count; each step of the epilogue counts as 1 FLOP per "
                  "element, functions too",
    .check = check,
    .operands = operands,
    .tolerance = tolerance,
    .reference = plain,
    .variants = variants,
};

#else
#include "vec.h"

#define X(way, summary) CONVOLUTION_BODIES(conv_transpose2d, way)
CONVOLUTION_WAYS(X)

#endif
