// grid_sample.c - pixels taken from anywhere in an image, bilinear.
//
// As ONNX GridSample with mode linear, padding_mode zeros and align_corners 0
// (https://onnx.ai/onnx/operators/onnx__GridSample.html): -1 and 1 are the outer edges of the first
// and the last pixel; pixels outside are 0.
#include "image.h"

#define LETTERS(X)                                                                                 \
    X(n, 1, 0, "images")                                                                           \
    X(c, -1, 1, "channels")                                                                        \
    X(h, -1, 1, "input rows")                                                                      \
    X(w, -1, 1, "input columns")                                                                   \
    X(p, -1, 1, "output rows")                                                                     \
    X(q, -1, 1, "output columns")                                                                  \
    X(layout, 0, 0, "order of the dimensions", layout_words)
enum { LETTERS(KERNEL_LETTER_INDEX) LETTER_COUNT };

/* Pixels whose samples are found before they serve all channels: they stay in L2. */
enum { GRID_BLOCK = 4096 };

static inline long grid_block(long pixels)
{
    return pixels < GRID_BLOCK ? pixels : GRID_BLOCK;
}

#ifndef ISA
#include <math.h>

#define DERIVED                                                                                    \
    const double channels = (double)layout_channels((enum layout)layout, (long)c),                 \
                 used = fmin(h * w, 4 * p * q);                                                    \
    (void)channels, (void)used;

MODEL(flops, (16 + 7 * channels) * n * p * q)
MODEL(bytes, ((used + p * q) * channels + 2 * p * q) * n * element_bytes)

static const struct letter letters[] = {LETTERS(KERNEL_LETTER_ROW)};

/* A feature map as a spatial transformer samples it (arXiv:1506.02025). */
static const char *const shapes[] = {
    "n=@DRAM,c=64,h=56,w=56,p=56,q=56", "n=@DRAM,c=64,h=56,w=56,p=56,q=56,layout=nhwc",
    "n=@DRAM,c=64,h=56,w=56,p=56,q=56,layout=nchwc", "c=16,h=28,w=28,p=28,q=28", NULL};

static int operands(const struct shape *shape, struct operand operand[KERNEL_OPERANDS_MAX])
{
    LETTERS(KERNEL_LETTER_DOUBLE)
    DERIVED
    operand[0] = reals("output", ROLE_OUTPUT, n * channels * p * q, 0.5, 1.5);
    operand[1] = reals("input", ROLE_INPUT, n * channels * h * w, 0.5, 1.5);
    operand[2] = reals("grid", ROLE_INPUT, n * p * q * 2, -1, 1);
    return 3;
}

/* A coordinate is rounded three times, each within w or h of the unit, and from pixel to pixel, or
 * to the zeros outside, the image changes by up to 1.5; then four products and their sum. */
static double tolerance(const struct shape *shape, double unit)
{
    LETTERS(KERNEL_LETTER_DOUBLE)
    return 16 * (h + w + 2) * unit;
}

/* Sum of the four pixels around (x, y) that are inside. */
static double between(const void *input, enum dtype dtype, long plane, long pitch, long h, long w,
                      double x, double y)
{
    double sum = 0;
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++) {
            const double row = floor(y) + i, column = floor(x) + j;
            if (row < 0 || row >= (double)h || column < 0 || column >= (double)w)
                continue;
            sum += (1 - fabs(y - row)) * (1 - fabs(x - column)) *
                   real_at(input, dtype, plane + ((long)row * w + (long)column) * pitch);
        }
    return sum;
}

static void plain(const struct call *call, enum dtype dtype, long begin, long end, double *out)
{
    const struct shape *shape = call->shape;
    LETTERS(KERNEL_LETTER_LONG)
    const struct planes planes = planes_of((enum layout)layout, n, c);
    for (long element = begin; element < end; element++) {
        const struct position position = position_of(element, p, q, planes.inner);
        const long image = position.plane / (planes.count / n);
        const long point = ((image * p + position.y) * q + position.x) * 2;
        const double x = ((real_at(call->operand[2], dtype, point) + 1) * (double)w - 1) / 2;
        const double y = ((real_at(call->operand[2], dtype, point + 1) + 1) * (double)h - 1) / 2;
        out[element - begin] = between(call->operand[1], dtype,
                                       position.plane * h * w * planes.inner + position.channel,
                                       planes.inner, h, w, x, y);
    }
}
REFERENCE_BODIES(plain)

static double workspace(const struct shape *shape, enum isa isa, enum dtype dtype, int threads,
                        const struct cache_sizes *caches)
{
    LETTERS(KERNEL_LETTER_LONG)
    (void)isa;
    (void)caches;
    return (double)threads * (double)grid_block(p * q) *
           (double)(4 * sizeof(long) + 4 * (size_t)dtype_bytes(dtype));
}

BODIES_DECLARE(grid_sample)
static const struct variant variants[] = {
    {.name = "simd",
     .summary = "offsets and weights of a block of pixels, then all its channels",
     .bodies = BODIES(grid_sample),
     .workspace = workspace},
    REFERENCE_VARIANT(plain),
    {0},
};

const struct kernel grid_sample_kernel = {
    .name = "grid_sample",
    .summary = "output[n,c,y,x] = input[n,c] at the place grid[n,y,x] = (x, y) in [-1, 1], between "
               "four pixels",
    .letters = letters,
    .letter_count = LETTER_COUNT,
    .shapes = shapes,
    .flops = flops_model,
    .flops_formula = flops_formula,
    .bytes = bytes_model,
    .bytes_formula = bytes_formula,
    .model_note =
        "16 FLOP for place and weights of a pixel, rounding down not counted, and 4 "
        "products and 3 sums per channel; used: input pixels, at most 4 per output pixel; "
        "channels: with their filling",
    .operands = operands,
    .tolerance = tolerance,
    .reference = plain,
    .variants = variants,
};

#else

/* What an output pixel is made of: four pixels, left and right above, left and right below, as
 * offsets in a plane, and their weights. */
struct sample {
    long offset[4];
    real weight[4];
};

/* The middle of pixel i is at coordinate i. One that touches no pixel, or is NaN, becomes -1, which
 * has weight 0 in the image. */
static inline real coordinate(real place, long lines)
{
    const real at = ((place + 1) * (real)lines - 1) / 2;
    return at > -1 && at < (real)lines ? at : -1;
}

static struct sample find_sample(const real *point, long h, long w, long inner)
{
    const real x = coordinate(point[0], w), y = coordinate(point[1], h);
    /* Rounded down: both are at least -1. */
    const long left = (long)(x + 1) - 1, top = (long)(y + 1) - 1;
    const real right_weight = x - (real)left, bottom_weight = y - (real)top;
    struct sample sample;
    for (int i = 0; i < 4; i++) {
        const long row = top + i / 2, column = left + i % 2;
        const bool inside = row >= 0 && row < h && column >= 0 && column < w;
        sample.offset[i] = inside ? (row * w + column) * inner : 0;
        sample.weight[i] = inside ? (i / 2 ? bottom_weight : 1 - bottom_weight) *
                                        (i % 2 ? right_weight : 1 - right_weight)
                                  : 0;
    }
    return sample;
}

/* `count` pixels of a plane of single elements. */
static void sample_elements(const struct sample *samples, long count, const real *plane, real *out)
{
    for (long i = 0; i < count; i++) {
        const struct sample *sample = &samples[i];
        out[i] = (sample->weight[0] * plane[sample->offset[0]] +
                  sample->weight[1] * plane[sample->offset[1]]) +
                 (sample->weight[2] * plane[sample->offset[2]] +
                  sample->weight[3] * plane[sample->offset[3]]);
    }
}

/* The same of a plane whose pixels are `inner` elements. */
static void sample_vectors(const struct sample *samples, long count, long inner, const real *plane,
                           const real *input_end, real *out)
{
    const real *out_end = out + count * inner;
    for (long i = 0; i < count; i++, out += inner) {
        vec weight[4];
        const real *from[4];
        UNROLL(4)
        for (int j = 0; j < 4; j++) {
            weight[j] = vec_all(samples[i].weight[j]);
            from[j] = plane + samples[i].offset[j];
        }
        for (long k = 0; k < inner; k += VLEN)
            store_until(out + k,
                        (weight[0] * load_until(from[0] + k, input_end) +
                         weight[1] * load_until(from[1] + k, input_end)) +
                            (weight[2] * load_until(from[2] + k, input_end) +
                             weight[3] * load_until(from[3] + k, input_end)),
                        out_end);
    }
}

/* Each member has a part of the pixels, of all images and channels. */
body NAME(grid_sample);
void NAME(grid_sample)(const struct call *call)
{
    const struct shape *shape = call->shape;
    LETTERS(KERNEL_LETTER_LONG)
    const struct planes planes = planes_of((enum layout)layout, n, c);
    const long pixels = p * q, block = grid_block(pixels), inner = planes.inner;
    const real *input = call->operand[1], *grid = call->operand[2];
    const real *input_end = input + planes.count * h * w * inner;
    struct sample *samples = (struct sample *)call->workspace + call->member.index * block;
    const struct part part = member_part(call->member, n * pixels, IMAGE_LINE);
    for (long at = part.begin, count; at < part.end; at += count) {
        const long image = at / pixels, pixel = at % pixels, image_planes = planes.count / n;
        count = smaller(smaller(pixels - pixel, part.end - at), block);
        for (long i = 0; i < count; i++)
            samples[i] = find_sample(grid + (at + i) * 2, h, w, inner);
        for (long plane = image * image_planes; plane < (image + 1) * image_planes; plane++) {
            const real *from = input + plane * h * w * inner;
            real *out = (real *)call->operand[0] + (plane * pixels + pixel) * inner;
            if (inner == 1)
                sample_elements(samples, count, from, out);
            else
                sample_vectors(samples, count, inner, from, input_end, out);
        }
    }
}

#endif
