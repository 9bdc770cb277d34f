// global_average_pool.c - the mean of each channel of an image.
#include "image.h"

#define LETTERS(X)                                                                                 \
    X(n, 1, 0, "images")                                                                           \
    X(c, -1, 1, "channels")                                                                        \
    X(h, -1, 1, "rows")                                                                            \
    X(w, -1, 1, "columns")                                                                         \
    X(layout, 0, 0, "order of the dimensions", layout_words)
enum { LETTERS(KERNEL_LETTER_INDEX) LETTER_COUNT };

#ifndef ISA
#include "onednn.h"

#define DERIVED                                                                                    \
    const double channels = (double)layout_channels((enum layout)layout, (long)c);                 \
    (void)channels;

MODEL(flops, (h * w) * n * channels)
MODEL(bytes, (h * w + 1) * n * channels * element_bytes)

static const struct letter letters[] = {LETTERS(KERNEL_LETTER_ROW)};

/* Before the classifier of ResNet-50 (doi:10.1109/CVPR.2016.90) and in squeeze-and-excitation
 * blocks (arXiv:1709.01507). */
static const char *const shapes[] = {"n=@DRAM,c=2048,h=7,w=7",
                                     "n=@DRAM,c=2048,h=7,w=7,layout=nhwc",
                                     "n=@DRAM,c=256,h=56,w=56",
                                     "n=@DRAM,c=256,h=56,w=56,layout=nhwc",
                                     "n=@DRAM,c=256,h=56,w=56,layout=nchwc",
                                     "c=2048,h=7,w=7",
                                     NULL};

static int operands(const struct shape *shape, struct operand operand[KERNEL_OPERANDS_MAX])
{
    LETTERS(KERNEL_LETTER_DOUBLE)
    DERIVED
    operand[0] = reals("output", ROLE_OUTPUT, n * channels, 0.5, 1.5);
    operand[1] = reals("input", ROLE_INPUT, n * channels * h * w, 0.5, 1.5);
    return 2;
}

/* A sum of h w positive numbers, a rounded scale and its product. */
static double tolerance(const struct shape *shape, double unit)
{
    LETTERS(KERNEL_LETTER_DOUBLE)
    return 4 * (h * w + 2) * unit;
}

static void plain(const struct call *call, enum dtype dtype, long begin, long end, double *out)
{
    const struct shape *shape = call->shape;
    LETTERS(KERNEL_LETTER_LONG)
    const long inner = planes_of((enum layout)layout, n, c).inner;
    for (long element = begin; element < end; element++) {
        const long first = element / inner * h * w * inner + element % inner;
        double sum = 0;
        for (long pixel = 0; pixel < h * w; pixel++)
            sum += real_at(call->operand[1], dtype, first + pixel * inner);
        out[element - begin] = sum / (double)(h * w);
    }
}
REFERENCE_BODIES(plain)

BODIES_DECLARE(global_average_pool)
static const struct variant variants[] = {
    {.name = "simd",
     .summary = "sums of vectors along a plane, or of channels side by side",
     .bodies = BODIES(global_average_pool)},
    REFERENCE_VARIANT(plain),
    {.name = "onednn",
     .summary = "average pooling with a window of the image",
     .routine = &onednn_global_average_pool},
    {0},
};

const struct kernel global_average_pool_kernel = {
    .name = "global_average_pool",
    .summary = "output[n,c] = sum over y, x of input / (h w)",
    .letters = letters,
    .letter_count = LETTER_COUNT,
    .shapes = shapes,
    .flops = flops_model,
    .flops_formula = flops_formula,
    .bytes = bytes_model,
    .bytes_formula = bytes_formula,
    .model_note = "h w - 1 additions and a multiplication by the reciprocal; channels: with their "
                  "filling",
    .operands = operands,
    .tolerance = tolerance,
    .reference = plain,
    .variants = variants,
};

#else

/* The sum of a plane in several chains, so that it does not wait for an addition's latency. */
static real plane_sum(const real *p, long count)
{
    enum { CHAINS = 4 };
    vec sum[CHAINS] = {vec_all(0), vec_all(0), vec_all(0), vec_all(0)};
    long i = 0;
    for (; i + CHAINS * VLEN <= count; i += CHAINS * VLEN)
        UNROLL(CHAINS)
    for (int j = 0; j < CHAINS; j++) {
        __builtin_prefetch(p + i + j * VLEN + IMAGE_AHEAD);
        sum[j] += vec_load(p + i + j * VLEN);
    }
    for (; i + VLEN <= count; i += VLEN)
        sum[0] += vec_load(p + i);
    if (i < count)
        sum[1] += vec_load_first(p + i, count - i);
    real lanes[VLEN];
    vec_store(lanes, (sum[0] + sum[1]) + (sum[2] + sum[3]));
    real total = 0;
    for (int lane = 0; lane < VLEN; lane++)
        total += lanes[lane];
    return total;
}

/* out[i] = the mean of from[i], from[i + pitch] ... over `pixels`: four at a time, each read in the
 * order of memory, while the sums stay in L1. */
static void mean_of_pixels(const real *from, long pitch, long pixels, long count, real *out)
{
    const real *end = out + count, *stop = from + count;
    long pixel = 0;
    for (; pixel + 4 <= pixels; pixel += 4, from += 4 * pitch, stop += 4 * pitch)
        for (long i = 0; i < count; i += VLEN) {
            vec sum = pixel ? load_until(out + i, end) : vec_all(0);
            UNROLL(4)
            for (int j = 0; j < 4; j++) {
                __builtin_prefetch(from + j * pitch + i + IMAGE_AHEAD);
                sum += load_until(from + j * pitch + i, stop + j * pitch);
            }
            store_until(out + i, sum, end);
        }
    for (; pixel < pixels; pixel++, from += pitch, stop += pitch)
        for (long i = 0; i < count; i += VLEN) {
            vec sum = pixel ? load_until(out + i, end) : vec_all(0);
            store_until(out + i, sum + load_until(from + i, stop), end);
        }
    const vec scale = vec_all(1 / (real)pixels);
    for (long i = 0; i < count; i += VLEN)
        store_until(out + i, load_until(out + i, end) * scale, end);
}

body NAME(global_average_pool);
void NAME(global_average_pool)(const struct call *call)
{
    const struct shape *shape = call->shape;
    LETTERS(KERNEL_LETTER_LONG)
    const long inner = planes_of((enum layout)layout, n, c).inner, pixels = h * w;
    const struct part part = member_part(call->member, call->outputs, IMAGE_LINE);
    real *out = call->operand[0];
    const real *input = call->operand[1];
    if (inner == 1)
        for (long i = part.begin; i < part.end; i++)
            out[i] = plane_sum(input + i * pixels, pixels) * (1 / (real)pixels);
    else
        for (long i = part.begin; i < part.end;) {
            const long count = smaller(inner - i % inner, part.end - i);
            mean_of_pixels(input + i / inner * pixels * inner + i % inner, inner, pixels, count,
                           out + i);
            i += count;
        }
}

#endif
