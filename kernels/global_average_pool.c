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
     .summary = "sums in registers, of vectors along a plane or of channels side by side",
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
#include "fold.h"
#include "sweep.h"

/* The sum of a plane in several chains, so that it does not wait for an addition's latency. */
static real plane_sum(const real *p, long count)
{
    enum { CHAINS = 4 };
    vec sum[CHAINS] = {vec_all(0), vec_all(0), vec_all(0), vec_all(0)};
    long i = 0;
    for (; i + CHAINS * VLEN <= count; i += CHAINS * VLEN)
        UNROLL(CHAINS)
    for (int j = 0; j < CHAINS; j++) {
        __builtin_prefetch(p + i + j * VLEN + IMAGE_AHEAD, 0, 2);
        sum[j] += vec_load(p + i + j * VLEN);
    }
    for (; i + VLEN <= count; i += VLEN)
        sum[0] += vec_load(p + i);
    if (i < count)
        sum[1] += vec_load_first(p + i, count - i);
    return vec_first(fold_lanes(fold_add, (sum[0] + sum[1]) + (sum[2] + sum[3])));
}

/* Sums that stay in registers, of as many vectors of channels times pixels. */
enum { SUMS = VEC_REGISTERS >= 32 ? 16 : 8 };

/* What is beyond the caches is asked for into L2, so far ahead: more lines may be on their way to
 * L2 than to L1. */
enum { STREAM_AHEAD = 4096 / REAL_BYTES, LANE_AHEAD = 1024 / REAL_BYTES };

/* out = the means over `pixels`, which are `pitch` apart, of so many vectors of channels. */
ALWAYS_INLINE void mean_of_vectors(const int vectors, const bool is_far, const real *from,
                                   long pitch, long pixels, real *out)
{
    const int chains = SUMS / vectors;
    const long ahead = STREAM_AHEAD / (vectors * VLEN) * pitch;
    vec sum[SUMS];
    UNROLL(SUMS)
    for (int i = 0; i < SUMS; i++)
        sum[i] = vec_all(0);
    long pixel = 0;
    for (; pixel + chains <= pixels; pixel += chains)
        UNROLL(SUMS)
    for (int i = 0; i < SUMS; i++) {
        const real *at = from + (pixel + i / vectors) * pitch + i % vectors * VLEN;
        if (is_far)
            __builtin_prefetch(at + ahead, 0, 2);
        sum[i] += vec_load(at);
    }
    for (; pixel < pixels; pixel++)
        UNROLL(SUMS)
    for (int i = 0; i < vectors; i++)
        sum[i] += vec_load(from + pixel * pitch + i * VLEN);
    const vec scale = vec_all(1 / (real)pixels);
    UNROLL(SUMS)
    for (int i = 0; i < vectors; i++) {
        UNROLL(SUMS)
        for (int j = i + vectors; j < SUMS; j += vectors)
            sum[i] += sum[j];
        vec_store(out + i * VLEN, sum[i] * scale);
    }
}

/* Fewer channels than a vector has. */
static void mean_of_few(const real *from, long pitch, long pixels, long channels, real *out)
{
    vec sum = vec_all(0);
    for (long pixel = 0; pixel < pixels; pixel++)
        sum += vec_load_first(from + pixel * pitch, channels);
    vec_store_first(out, sum * vec_all(1 / (real)pixels), channels);
}

/* As many channels together as there are, in powers of two. */
ALWAYS_INLINE void mean_of_channels(const bool is_far, const real *from, long pitch, long pixels,
                                    long channels, real *out)
{
    long done = 0;
#define TOGETHER(vectors)                                                                          \
    for (; channels - done >= (vectors)*VLEN; done += (vectors)*VLEN)                              \
    mean_of_vectors(vectors, is_far, from + done, pitch, pixels, out + done)
    TOGETHER(SUMS);
    TOGETHER(SUMS / 2);
    TOGETHER(SUMS / 4);
#if VEC_REGISTERS >= 32
    TOGETHER(SUMS / 8);
#endif
    TOGETHER(1);
#undef TOGETHER
    if (done < channels)
        mean_of_few(from + done, pitch, pixels, channels - done, out + done);
}

/* out[i] += from[i], from[i + apart] ... of `lanes` pixels. */
ALWAYS_INLINE void add_pixels(const int lanes, const real *from, long apart, long channels,
                              real *out)
{
    const real *end = out + channels, *stop = from + channels;
    for (long i = 0; i < channels; i += VLEN) {
        vec sum = load_until(out + i, end);
        UNROLL(SWEEP_LANES)
        for (int j = 0; j < lanes; j++) {
            __builtin_prefetch(from + j * apart + i + LANE_AHEAD, 0, 2);
            sum += load_until(from + j * apart + i, stop + j * apart);
        }
        store_until(out + i, sum, end);
    }
}

/* The means of pixels beyond the caches that have more channels than registers have sums: lanes as
 * those of base/sweep.h, each in the order of memory, and the sums in L1. */
static void mean_of_lanes(const real *from, long pitch, long pixels, long channels, real *out)
{
    const real *end = out + channels;
    const long apart = pixels / SWEEP_LANES;
    for (long i = 0; i < channels; i += VLEN)
        store_until(out + i, vec_all(0), end);
    for (long pixel = 0; pixel < apart; pixel++)
        add_pixels(SWEEP_LANES, from + pixel * pitch, apart * pitch, channels, out);
    for (long pixel = apart * SWEEP_LANES; pixel < pixels; pixel++)
        add_pixels(1, from + pixel * pitch, 0, channels, out);
    const vec scale = vec_all(1 / (real)pixels);
    for (long i = 0; i < channels; i += VLEN)
        store_until(out + i, load_until(out + i, end) * scale, end);
}

body NAME(global_average_pool);
void NAME(global_average_pool)(const struct call *call)
{
    const struct shape *shape = call->shape;
    LETTERS(KERNEL_LETTER_LONG)
    const long inner = planes_of((enum layout)layout, n, c).inner, pixels = h * w;
    const struct part part = member_part(call->member, call->outputs, IMAGE_LINE);
    const bool is_far =
        (double)(call->outputs * pixels) * REAL_BYTES > call->caches.last_level_bytes;
    real *out = call->operand[0];
    const real *input = call->operand[1];
    if (inner == 1)
        for (long i = part.begin; i < part.end; i++)
            out[i] = plane_sum(input + i * pixels, pixels) * (1 / (real)pixels);
    else
        for (long i = part.begin; i < part.end;) {
            const long count = smaller(inner - i % inner, part.end - i);
            const real *from = input + i / inner * pixels * inner + i % inner;
            if (is_far && inner > SUMS * VLEN)
                mean_of_lanes(from, inner, pixels, count, out + i);
            else if (is_far)
                mean_of_channels(true, from, inner, pixels, count, out + i);
            else
                mean_of_channels(false, from, inner, pixels, count, out + i);
            i += count;
        }
}

#endif
