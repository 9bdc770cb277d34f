// conv2d.c - two-dimensional convolution (cross-correlation, as networks have it).
#include "conv2d.h"

/* Which of three implementations the default variant is. */
#define CHOOSE(shape, packed, depthwise, direct)                                                   \
    ((shape)->value[LETTER_layout] == LAYOUT_NCHW ? (packed)                                       \
     : conv2d_is_depthwise(shape)                 ? (depthwise)                                    \
                                                  : (direct))

#ifndef ISA

#include "onednn.h"

#define DERIVED                                                                                    \
    const double p = (double)output_size((long)h, (long)r, (long)stride, (long)pad,                \
                                         (long)dilation),                                          \
                 q = (double)output_size((long)w, (long)s, (long)stride, (long)pad,                \
                                         (long)dilation),                                          \
                 taps_h = taps_inside(h, r, stride, pad, dilation),                                \
                 taps_w = taps_inside(w, s, stride, pad, dilation),                                \
                 h_used = lines_used(h, r, stride, pad, dilation),                                 \
                 w_used = layout == LAYOUT_NCHW ? w : lines_used(w, s, stride, pad, dilation),     \
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
    if (dilation * (r - 1) + 1 > h + 2 * pad || dilation * (s - 1) + 1 > w + 2 * pad)
        return error_set(error, FAULT_USAGE,
                         "conv2d: the kernel of %.0f x %.0f with 'dilation' %.0f does not fit the "
                         "padded image of %.0f x %.0f; enlarge h, w or pad",
                         r, s, dilation, h + 2 * pad, w + 2 * pad);
    if (c * (h + 2 * pad) * (w + 2 * pad) > SHAPE_VALUE_MAX)
        return error_set(error, FAULT_USAGE,
                         "conv2d: the padded image of %.0f x %.0f x %.0f is too large; reduce pad",
                         c, h + 2 * pad, w + 2 * pad);
    return OK;
}

static int operands(const struct shape *shape, struct operand operand[KERNEL_OPERANDS_MAX])
{
    const struct conv conv = conv_of(shape);
    const double inputs = (double)conv.n * (double)conv.c_stored, h = (double)conv.h,
                 w = (double)conv.w;
    const double outputs = (double)conv.n * (double)conv.k_stored, p = (double)conv.p,
                 q = (double)conv.q;
    const double filters = (double)conv.k * (double)conv.c_group;
    operand[0] = reals("output", ROLE_OUTPUT, outputs * p * q, 0.5, 1.5);
    operand[1] = reals("input", ROLE_INPUT, inputs * h * w, 0.5, 1.5);
    operand[2] = reals("weights", ROLE_INPUT, filters * (double)conv.r * (double)conv.s, 0.5, 1.5);
    return epilogue_operands((enum epilogue)conv.epilogue, (double)conv.k, outputs * p * q,
                             (double)(conv.c_group * conv.r * conv.s), operand, 3);
}

/* As gemm: a sum of c / groups * r * s products of positive numbers. */
static double tolerance(const struct shape *shape, double unit)
{
    LETTERS(KERNEL_LETTER_DOUBLE)
    const double depth = c / groups * r * s;
    return 4 * (depth + 1) * unit * epilogue_tolerance((enum epilogue)epilogue, depth);
}

/* The sum of one output pixel whose first tap is at (y0, x0); `image` is its first element. */
static double pixel_sum(const struct conv *conv, enum dtype dtype, const struct call *call,
                        long image, long filter, long y0, long x0)
{
    const long group = filter / conv->k_group;
    double sum = 0;
    for (long channel = 0; channel < conv->c_group; channel++)
        for (long i = 0; i < conv->r; i++)
            for (long j = 0; j < conv->s; j++) {
                long y = y0 + i * conv->dilation, x = x0 + j * conv->dilation;
                if (y < 0 || y >= conv->h || x < 0 || x >= conv->w)
                    continue;
                long at = layout_index((enum layout)conv->layout, conv->c, conv->h * conv->w,
                                       group * conv->c_group + channel, y * conv->w + x);
                sum += real_at(call->operand[1], dtype, image + at) *
                       real_at(call->operand[2], dtype,
                               ((filter * conv->c_group + channel) * conv->r + i) * conv->s + j);
            }
    return sum;
}

static void plain(const struct call *call, enum dtype dtype, long begin, long end, double *out)
{
    const struct conv conv = conv_of(call->shape);
    const long image_size = conv.k_stored * conv.p * conv.q;
    struct step step[EPILOGUE_STEPS];
    conv2d_steps(call, step);
    for (long element = begin; element < end; element++) {
        struct place place =
            layout_place((enum layout)conv.layout, conv.k, conv.p * conv.q, element % image_size);
        long row = place.pixel / conv.q, column = place.pixel % conv.q;
        double *value = &out[element - begin];
        *value = 0;
        if (place.channel >= conv.k)
            continue;
        *value =
            pixel_sum(&conv, dtype, call, element / image_size * conv.c_stored * conv.h * conv.w,
                      place.channel, row * conv.stride - conv.pad, column * conv.stride - conv.pad);
        *value = steps_value(step, dtype, *value,
                             (struct step_place){place.channel, place.channel, element});
    }
}
REFERENCE_BODIES(plain)

static double workspace(const struct shape *shape, enum isa isa, enum dtype dtype, int threads,
                        const struct cache_sizes *caches)
{
    return CHOOSE(shape, conv2d_packed_workspace, conv2d_depthwise_workspace,
                  conv2d_direct_workspace)(shape, isa, dtype, threads, caches);
}

#define CONV2D_BODIES_DECLARE(name) BODIES_DECLARE(name) BODIES_DECLARE(name##_prepare)
CONV2D_BODIES_DECLARE(conv2d_auto)
CONV2D_BODIES_DECLARE(conv2d_packed)
CONV2D_BODIES_DECLARE(conv2d_direct)
CONV2D_BODIES_DECLARE(conv2d_depthwise)
static const struct variant variants[] = {
    {.name = "auto",
     .summary = "packed for nchw, else depthwise where it can, else direct",
     .bodies = BODIES(conv2d_auto),
     .prepare = BODIES(conv2d_auto_prepare),
     .workspace = workspace},
    {.name = "packed",
     .summary = "nchw: patches packed into panels, then gemm's register tile; groups with few "
                "output channels directly; weights packed beforehand",
     .bodies = BODIES(conv2d_packed),
     .prepare = BODIES(conv2d_packed_prepare),
     .workspace = conv2d_packed_workspace,
     .supports = conv2d_packed_supports},
    {.name = "direct",
     .summary = "nhwc, nchwc: register tile of pixels x output channels over taps and input "
                "channels, nothing packed but the weights, beforehand",
     .bodies = BODIES(conv2d_direct),
     .prepare = BODIES(conv2d_direct_prepare),
     .workspace = conv2d_direct_workspace,
     .supports = conv2d_direct_supports},
    {.name = "depthwise",
     .summary = "nhwc, nchwc with groups = c = k: vectors of channels, nothing copied but the "
                "weights, beforehand",
     .bodies = BODIES(conv2d_depthwise),
     .prepare = BODIES(conv2d_depthwise_prepare),
     .workspace = conv2d_depthwise_workspace,
     .supports = conv2d_depthwise_supports},
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
                  "columns that are used (in nchw whole rows); k_filled: k filled up to blocks; "
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

body NAME(conv2d_packed), NAME(conv2d_packed_prepare), NAME(conv2d_direct),
    NAME(conv2d_direct_prepare), NAME(conv2d_depthwise), NAME(conv2d_depthwise_prepare),
    NAME(conv2d_auto), NAME(conv2d_auto_prepare);

void NAME(conv2d_auto_prepare)(const struct call *call)
{
    CHOOSE(call->shape, NAME(conv2d_packed_prepare), NAME(conv2d_depthwise_prepare),
           NAME(conv2d_direct_prepare))
    (call);
}

void NAME(conv2d_auto)(const struct call *call)
{
    CHOOSE(call->shape, NAME(conv2d_packed), NAME(conv2d_depthwise), NAME(conv2d_direct))(call);
}

#endif
