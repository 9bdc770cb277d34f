// batchnorm.c - each channel normalised by a given mean and variance, then scaled and shifted:
// inference (Ioffe and Szegedy 2015, arXiv:1502.03167).
#include "image_layout.h"
#include "rows.h"

#define LETTERS(X)                                                                                 \
    X(n, 1, 1, "images")                                                                           \
    X(c, -1, 1, "channels")                                                                        \
    X(h, -1, 1, "rows")                                                                            \
    X(w, -1, 1, "columns")                                                                         \
    X(layout, 0, 0, "order of the dimensions", layout_words)
enum { LETTERS(KERNEL_LETTER_INDEX) LETTER_COUNT };
enum { OUT, X, SCALE, BIAS, MEAN, VARIANCE, EPSILON, OPERANDS };

/* Channels with those that fill the last block. */
static inline long channels_of(const struct shape *shape)
{
    return layout_channels((enum layout)shape->value[LETTER_layout], shape->value[LETTER_c]);
}

/* Where channels are innermost, a row of mean, scale and bias for as many elements: repeated until
 * a short period is worth a loop, or by block, twice because a vector may begin within the first.
 */
static inline long table_length(const struct shape *shape)
{
    enum { ENOUGH = 256 };
    const long channels = channels_of(shape);
    if (shape->value[LETTER_layout] == LAYOUT_NCHWC)
        return 2 * channels;
    return channels >= ENOUGH ? channels : (ENOUGH + channels - 1) / channels * channels;
}

#ifndef ISA
#include "onednn.h"

#define DERIVED                                                                                    \
    const double channels = (double)channels_of(shape);                                            \
    (void)channels;
MODEL(flops, 3 * n * c * h * w + 3 * c)
MODEL(bytes, (2 * n * channels * h * w + 4 * channels + 1) * element_bytes)

static const struct letter letters[] = {LETTERS(KERNEL_LETTER_ROW)};

/* Stages of ResNet-50 (doi:10.1109/CVPR.2016.90, table 1), in L2 and with more than the caches
 * hold. */
static const char *const shapes[] = {"c=256,h=14,w=14",
                                     "c=256,h=14,w=14,layout=nhwc",
                                     "c=256,h=14,w=14,layout=nchwc",
                                     "n=@DRAM,c=64,h=56,w=56",
                                     "n=@DRAM,c=64,h=56,w=56,layout=nhwc",
                                     "n=@DRAM,c=64,h=56,w=56,layout=nchwc",
                                     NULL};

static int operands(const struct shape *shape, struct operand operand[KERNEL_OPERANDS_MAX])
{
    LETTERS(KERNEL_LETTER_DOUBLE)
    const double channels = (double)channels_of(shape);
    operand[OUT] = reals("y", ROLE_OUTPUT, n * channels * h * w, 0, 0);
    operand[X] = reals("x", ROLE_INPUT, n * channels * h * w, 2, 3);
    operand[SCALE] = reals("scale", ROLE_INPUT, channels, 0.5, 1.5);
    operand[BIAS] = reals("bias", ROLE_INPUT, channels, 0.5, 1.5);
    operand[MEAN] = reals("mean", ROLE_INPUT, channels, 0.5, 1.5);
    operand[VARIANCE] = reals("variance", ROLE_INPUT, channels, 0.5, 1.5);
    operand[EPSILON] = reals("epsilon", ROLE_INPUT, 1, 1e-5, 1e-5);
    return OPERANDS;
}

/* x > mean and the rest is positive, so nothing cancels: a difference, a scale that was rounded
 * once or twice, a product, a sum; 2 for the reference, which rounds as well. */
static double tolerance(const struct shape *shape, double unit)
{
    (void)shape;
    return 2 * 6 * unit;
}

static void plain(const struct call *call, enum dtype dtype, long begin, long end, double *out)
{
    const struct shape *shape = call->shape;
    LETTERS(KERNEL_LETTER_LONG)
    const long image = channels_of(shape) * h * w;
    for (long i = begin; i < end; i++) {
        const long channel =
            layout_place((enum layout)layout, channels_of(shape), h * w, i % image).channel;
        double variance = real_at(call->operand[VARIANCE], dtype, channel);
        double deviation = sqrt(variance + real_at(call->operand[EPSILON], dtype, 0));
        double centered =
            real_at(call->operand[X], dtype, i) - real_at(call->operand[MEAN], dtype, channel);
        out[i - begin] = centered / deviation * real_at(call->operand[SCALE], dtype, channel) +
                         real_at(call->operand[BIAS], dtype, channel);
    }
}
REFERENCE_BODIES(plain)

static double workspace(const struct shape *shape, enum isa isa, enum dtype dtype, int threads,
                        const struct cache_sizes *caches)
{
    (void)isa, (void)threads, (void)caches;
    return 3.0 * (double)table_length(shape) * dtype_bytes(dtype);
}

BODIES_DECLARE(batchnorm)
static const struct variant variants[] = {
    {.name = "simd",
     .summary = "nchw: channels of images with constants in registers; else mean, scale and bias "
                "beside the elements; members share rows",
     .bodies = BODIES(batchnorm),
     .workspace = workspace},
    REFERENCE_VARIANT(plain),
    {.name = "onednn",
     .summary = "batch normalization with given statistics, scale and shift",
     .routine = &onednn_batchnorm},
    {0},
};

const struct kernel batchnorm_kernel = {
    .name = "batchnorm",
    .summary = "y = (x - mean[c]) / sqrt(variance[c] + epsilon) * scale[c] + bias[c]",
    .letters = letters,
    .letter_count = LETTER_COUNT,
    .shapes = shapes,
    .flops = flops_model,
    .flops_formula = flops_formula,
    .bytes = bytes_model,
    .bytes_formula = bytes_formula,
    .model_note = "by element a difference, a product and a sum; by channel a sum, a root, a "
                  "quotient; channels: c, in nchwc filled up to blocks of 16, which are moved but "
                  "do not count as work",
    .operands = operands,
    .tolerance = tolerance,
    .reference = plain,
    .variants = variants,
};

#else
#include "vec.h"

ALWAYS_INLINE real scale_of(const struct call *call, long channel)
{
    const real *scale = call->operand[SCALE], *variance = call->operand[VARIANCE];
    const double epsilon = *(const real *)call->operand[EPSILON];
    return (real)(scale[channel] / sqrt(variance[channel] + epsilon));
}

ALWAYS_INLINE struct map constants_of(const struct call *call, double mean, double scale, long row,
                                      long segment)
{
    (void)mean, (void)scale, (void)segment;
    const real *means = call->operand[MEAN], *bias = call->operand[BIAS];
    const long channel = row % call->shape->value[LETTER_c];
    return (struct map){.center = vec_all(means[channel]),
                        .scale = vec_all(scale_of(call, channel)),
                        .shift = vec_all(bias[channel])};
}

ALWAYS_INLINE vec by_constants(const struct map *map, vec x, long i)
{
    (void)i;
    return (x - map->center) * map->scale + map->shift;
}

/* Mean, scale and bias of the elements of a row, in the workspace. */
ALWAYS_INLINE struct map table_of(const struct call *call, double mean, double scale, long row,
                                  long segment)
{
    (void)mean, (void)scale, (void)segment;
    const long length = table_length(call->shape);
    const real *table = call->workspace;
    /* A block stays where it is while parts of its row are mapped. */
    const bool is_block = call->shape->value[LETTER_layout] == LAYOUT_NCHWC;
    if (is_block)
        table += row * 2 * LAYOUT_BLOCK % length;
    return (struct map){.row = {table, table + length, table + 2 * length},
                        .rows = is_block ? 0 : 3};
}

ALWAYS_INLINE vec by_table(const struct map *map, vec x, long i)
{
    return (x - vec_load(map->row[0] + i)) * vec_load(map->row[1] + i) + vec_load(map->row[2] + i);
}

ALWAYS_INLINE vec by_block(const struct map *map, vec x, long i)
{
    return by_table(map, x, i % LAYOUT_BLOCK);
}

static void fill_table(const struct call *call)
{
    const long length = table_length(call->shape), channels = channels_of(call->shape);
    const real *means = call->operand[MEAN], *bias = call->operand[BIAS];
    const struct part part = member_part(call->member, length, 2 * LAYOUT_BLOCK);
    real *table = call->workspace;
    for (long i = part.begin; i < part.end; i++) {
        long channel = call->shape->value[LETTER_layout] == LAYOUT_NCHWC
                           ? i / (2 * LAYOUT_BLOCK) * LAYOUT_BLOCK + i % LAYOUT_BLOCK
                           : i % channels;
        table[i] = means[channel];
        table[i + length] = scale_of(call, channel);
        table[i + 2 * length] = bias[channel];
    }
}

/* Channels innermost, or one pixel: rows of a whole number of pixels, the rest by the last member.
 */
static void normalize_nhwc(struct rows rows, long elements)
{
    const struct member member = rows.call->member;
    rows.length = table_length(rows.call->shape);
    rows.count = elements / rows.length;
    rows_run(NULL, NULL, NULL, table_of, by_table, &rows);
    const long done = rows.count * rows.length;
    struct lane rest = {table_of(rows.call, 0, 0, 0, 0), rows.x + done, rows.out + done};
    if (member.index == member.count - 1)
        map_lanes(by_table, &rest, 1, elements - done, false, 0);
}

body NAME(batchnorm);
void NAME(batchnorm)(const struct call *call)
{
    const struct shape *shape = call->shape;
    LETTERS(KERNEL_LETTER_LONG)
    struct rows rows = {.call = call,
                        .x = call->operand[X],
                        .out = call->operand[OUT],
                        .count = n * c,
                        .segments = 1,
                        .length = h * w};
    if (layout == LAYOUT_NCHW && h * w > 1) {
        rows_run(NULL, NULL, NULL, constants_of, by_constants, &rows);
        return;
    }
    team_barrier(); /* nobody reads the table of the last call any more */
    fill_table(call);
    team_barrier();
    if (layout != LAYOUT_NCHWC) {
        normalize_nhwc(rows, call->outputs);
        return;
    }
    rows.count = n * channels_of(shape) / LAYOUT_BLOCK;
    rows.length *= LAYOUT_BLOCK;
    rows_run(NULL, NULL, NULL, table_of, by_block, &rows);
}

#endif
