// convolution_winograd.c - 3x3 convolution by minimal filtering, F(2x2, 3x3) and F(4x4, 3x3).
//
// A tile of (size + 2)^2 input pixels becomes as many points, a weighted sum of its pixels each,
// and so does a kernel. Their products, point by point and summed over the channels, become the
// size^2 output pixels: 16 products instead of 36, 36 instead of 144 (Winograd 1980,
// doi:10.1137/1.9781611970364; Lavin and Gray 2016, doi:10.1109/CVPR.2016.435, whose matrices these
// are). Each point is a matrix product of tiles x input channels and input x output channels.
#include "convolution.h"
#include "product.h"

enum { TAPS = 3, SIZE_LARGEST = 4, EDGE_LARGEST = 6, POINTS_LARGEST = 36 };

struct winograd {
    struct convolution conv;
    long size, edge, points;
    long rows, columns, tiles; /* of tiles: of an image; of all images */
    long block;                /* tiles that are transformed and multiplied together */
    long in_pitch, in_point;   /* of transformed inputs: elements from tile to tile, from point to
                                  point; both keep neighbours out of one set of a cache */
    long out_pitch, out_point; /* of the products */
    bool by_channels;          /* members share output channels, not tiles */
    /* What is kept: the transformed weights of one point, of all; a member's part of the workspace,
     * and where in it the products and the image rows are. */
    long weights_point, weights, own, products, band;
};

static inline struct winograd plan_of(const struct convolution *conv, long size,
                                      struct tile tile_size, int element_bytes,
                                      const struct cache_sizes *caches)
{
    const long line = 64 / element_bytes;
    struct winograd plan = {.conv = *conv, .size = size, .edge = size + TAPS - 1};
    plan.points = plan.edge * plan.edge;
    plan.rows = ceil_divide(conv->rows.out, size);
    plan.columns = ceil_divide(conv->columns.out, size);
    plan.tiles = conv->n * plan.rows * plan.columns;
    /* What is larger is divided, and the smaller of weights and images read by all. */
    plan.by_channels = conv->k_group > plan.tiles;
    /* A vector may begin at the last channel. */
    plan.in_pitch = odd_lines(conv->c_group + tile_size.columns, line);
    plan.out_pitch = odd_lines(round_up(conv->k_group, tile_size.columns), line);
    /* As many tiles as half of L2 holds, and so many that the weights are read seldom. */
    const double tile_bytes =
        (double)(plan.points * (plan.in_pitch + plan.out_pitch) * element_bytes);
    const double fit = caches->l2_bytes / 2 / tile_bytes, least = (double)(8 * tile_size.rows);
    plan.block = equal_block(plan.tiles, fit < least ? least : fit, tile_size.rows);
    plan.in_point = odd_lines(plan.block * plan.in_pitch, line);
    plan.out_point = odd_lines(plan.block * plan.out_pitch, line);
    plan.weights_point = round_up(conv->c_group * round_up(conv->k_group, tile_size.columns), line);
    plan.weights = conv->groups * plan.points * plan.weights_point;
    plan.products = plan.points * plan.in_point;
    plan.band = plan.products + plan.points * plan.out_point;
    /* Rows of an image with the channels of a pixel side by side: of nchw those that a row of tiles
     * reads, then those that it writes; of all layouts a pixel outside. */
    const long width = conv->columns.out + plan.edge;
    plan.own = plan.band + plan.in_pitch + plan.out_pitch;
    if (conv->source == LAYOUT_NCHW)
        plan.own += plan.edge * width * plan.in_pitch;
    if (conv->layout == LAYOUT_NCHW)
        plan.own += plan.size * width * plan.out_pitch;
    return plan;
}

#ifndef ISA

/* Of the matrix products alone. */
static double products_flops(const struct convolution *conv, double size)
{
    const double edge = size + TAPS - 1, rows = ceil((double)conv->rows.out / size),
                 columns = ceil((double)conv->columns.out / size);
    return 2 * edge * edge * (double)conv->n * rows * columns * (double)conv->c_group *
           (double)conv->k;
}

static bool is_plain(const struct axis *axis)
{
    return !axis->transposed && axis->taps == TAPS && axis->stride == 1 && axis->dilation == 1;
}

static int supports(const struct convolution *conv, struct error *error)
{
    if (!is_plain(&conv->rows) || !is_plain(&conv->columns))
        return error_skip(error, "minimal filtering is for kernels of 3 x 3 with stride and "
                                 "dilation 1; choose another variant");
    return OK;
}

/* An input becomes a point with factors whose magnitudes add up to at most b, a kernel with g, and
 * points become an output with factors a: sum over the points of |a| b g, 8 and 48 in one
 * dimension, is how much larger than the output what is summed may be, next to the 3 taps of the
 * direct sum. Beside the sum over the channels a dozen roundings in the transforms. Relative to a
 * mean output, to which not all taps contribute of an image that is smaller than the kernel; inputs
 * and weights are at most 1.5 times their mean. */
static double tolerance(const struct convolution *conv, double unit, double growth)
{
    const double taps = fmin((double)conv->rows.in, TAPS) * fmin((double)conv->columns.in, TAPS),
                 depth = (double)conv->c_group;
    return growth * growth * 1.5 * 1.5 * (depth + 12) * unit / taps *
           epilogue_tolerance(conv->epilogue, depth * TAPS * TAPS);
}

#define WAY(size, growth)                                                                          \
    double convolution_winograd##size##_kept(const struct convolution *conv, enum isa isa,         \
                                             enum dtype dtype, int threads,                        \
                                             const struct cache_sizes *caches)                     \
    {                                                                                              \
        (void)threads;                                                                             \
        const struct winograd plan =                                                               \
            plan_of(conv, size, tile_of(isa, dtype), dtype_bytes(dtype), caches);                  \
        return (double)plan.weights * dtype_bytes(dtype);                                          \
    }                                                                                              \
    double convolution_winograd##size##_workspace(const struct convolution *conv, enum isa isa,    \
                                                  enum dtype dtype, int threads,                   \
                                                  const struct cache_sizes *caches)                \
    {                                                                                              \
        const struct winograd plan =                                                               \
            plan_of(conv, size, tile_of(isa, dtype), dtype_bytes(dtype), caches);                  \
        return threads * (double)plan.own * dtype_bytes(dtype);                                    \
    }                                                                                              \
    int convolution_winograd##size##_supports(const struct convolution *conv, struct error *error) \
    {                                                                                              \
        return supports(conv, error);                                                              \
    }                                                                                              \
    double convolution_winograd##size##_flops(const struct convolution *conv)                      \
    {                                                                                              \
        return products_flops(conv, size);                                                         \
    }                                                                                              \
    double convolution_winograd##size##_tolerance(const struct convolution *conv, double unit)     \
    {                                                                                              \
        return tolerance(conv, unit, growth);                                                      \
    }
WAY(2, 8)
WAY(4, 48)

#else
#include <string.h>

#include "transposed.h"
#include "vec.h"

/* One call as one member sees it. */
struct job {
    struct winograd plan;
    struct step step[EPILOGUE_STEPS];
    const real *input;
    real *output;
    real *weights;            /* by group, point, and in panels */
    real *inputs;             /* of the member: by point, tile, input channel; */
    real *products;           /* by point, tile, output channel; */
    real *zeros;              /* a pixel outside the image, */
    real *discarded;          /* one outside the output, */
    real *rows_in, *rows_out; /* and rows of an image in nchw with the channels last */
};

static struct job job_of(const struct convolution *conv, const struct call *call, long size)
{
    struct job job = {.plan = plan_of(conv, size, tile, REAL_BYTES, &call->caches),
                      .output = call->operand[0],
                      .input = call->operand[1],
                      .weights = call->kept};
    const struct winograd *plan = &job.plan;
    convolution_steps(conv, call, job.step);
    job.inputs = (real *)call->workspace + call->member.index * plan->own;
    job.products = job.inputs + plan->products;
    job.zeros = job.inputs + plan->band;
    job.discarded = job.zeros + plan->in_pitch;
    job.rows_in = job.discarded + plan->out_pitch;
    job.rows_out = job.rows_in + plan->edge * (conv->columns.out + plan->edge) * plan->in_pitch;
    return job;
}

/* ---- weights ---- */

static const double weights_2[][TAPS] = {{1, 0, 0}, {.5, .5, .5}, {.5, -.5, .5}, {0, 0, 1}};
static const double weights_4[][TAPS] = {{1. / 4, 0, 0},
                                         {-1. / 6, -1. / 6, -1. / 6},
                                         {-1. / 6, 1. / 6, -1. / 6},
                                         {1. / 24, 1. / 12, 1. / 6},
                                         {1. / 24, -1. / 12, 1. / 6},
                                         {0, 0, 1}};

/* Point (y, x) of a kernel. */
static double weight_point(const double (*factor)[TAPS], const real *kernel, long y, long x)
{
    double sum = 0;
    for (int i = 0; i < TAPS; i++)
        for (int j = 0; j < TAPS; j++)
            sum += factor[y][i] * factor[x][j] * (double)kernel[i * TAPS + j];
    return sum;
}

/* The points of a panel of output channels of a group, those beyond its last channel 0. */
static void transform_weights(const struct job *job, const real *weights, long group, long panel)
{
    const struct winograd *plan = &job->plan;
    const struct convolution *conv = &plan->conv;
    const long first = panel * TILE_COLUMNS, width = panel_width(conv->k_group, first);
    const double(*factor)[TAPS] = plan->size == 2 ? weights_2 : weights_4;
    for (long point = 0; point < plan->points; point++) {
        real *to = job->weights + (group * plan->points + point) * plan->weights_point +
                   first * conv->c_group;
        for (long channel = 0; channel < conv->c_group; channel++)
            for (long i = 0; i < width; i++) {
                const real *kernel = weights +
                                     (group * conv->k_group + first + i) * conv->weight_k +
                                     channel * conv->weight_c;
                *to++ =
                    first + i < conv->k_group
                        ? (real)weight_point(factor, kernel, point / plan->edge, point % plan->edge)
                        : 0;
            }
    }
}

static void prepare(const struct convolution *conv, const struct call *call, long size)
{
    const struct job job = job_of(conv, call, size);
    const long panels = (conv->k_group + TILE_COLUMNS - 1) / TILE_COLUMNS;
    const struct part part = member_part(call->member, conv->groups * panels, 1);
    for (long i = part.begin; i < part.end; i++)
        transform_weights(&job, call->operand[2], i / panels, i % panels);
}

/* ---- one vector of channels of a tile ---- */

/* The points of a line of pixels. */
ALWAYS_INLINE void line_of_points(const int size, const vec pixel[EDGE_LARGEST],
                                  vec point[EDGE_LARGEST])
{
    if (size == 2) {
        point[0] = pixel[0] - pixel[2];
        point[1] = pixel[1] + pixel[2];
        point[2] = pixel[2] - pixel[1];
        point[3] = pixel[1] - pixel[3];
    } else {
        const vec two = vec_all(2), four = vec_all(4), five = vec_all(5);
        const vec even = pixel[4] - four * pixel[2], odd = pixel[3] - four * pixel[1];
        const vec wide = pixel[4] - pixel[2], steep = two * (pixel[3] - pixel[1]);
        point[0] = four * pixel[0] - five * pixel[2] + pixel[4];
        point[1] = even + odd;
        point[2] = even - odd;
        point[3] = wide + steep;
        point[4] = wide - steep;
        point[5] = four * pixel[1] - five * pixel[3] + pixel[5];
    }
}

/* The output pixels of a line of products. */
ALWAYS_INLINE void line_of_pixels(const int size, const vec product[EDGE_LARGEST],
                                  vec pixel[SIZE_LARGEST])
{
    const vec even = product[1] + product[2], odd = product[1] - product[2];
    if (size == 2) {
        pixel[0] = product[0] + even;
        pixel[1] = odd - product[3];
    } else {
        const vec two = vec_all(2), four = vec_all(4), eight = vec_all(8);
        const vec far_even = product[3] + product[4], far_odd = product[3] - product[4];
        pixel[0] = product[0] + even + far_even;
        pixel[1] = odd + two * far_odd;
        pixel[2] = even + four * far_even;
        pixel[3] = odd + eight * far_odd + product[5];
    }
}

ALWAYS_INLINE void transform_input(const int size, const real *const *pixel, long channel, real *to,
                                   long point_step)
{
    const int edge = size + TAPS - 1;
    vec half[EDGE_LARGEST][EDGE_LARGEST], line[EDGE_LARGEST], point[EDGE_LARGEST];
    UNROLL(EDGE_LARGEST)
    for (int x = 0; x < edge; x++) {
        UNROLL(EDGE_LARGEST)
        for (int y = 0; y < edge; y++)
            line[y] = vec_load(pixel[y * edge + x] + channel);
        line_of_points(size, line, point);
        UNROLL(EDGE_LARGEST)
        for (int y = 0; y < edge; y++)
            half[y][x] = point[y];
    }
    UNROLL(EDGE_LARGEST)
    for (int y = 0; y < edge; y++) {
        line_of_points(size, half[y], point);
        UNROLL(EDGE_LARGEST)
        for (int x = 0; x < edge; x++)
            vec_store(to + (y * edge + x) * point_step, point[x]);
    }
}

ALWAYS_INLINE void transform_output(const int size, const real *product, long point_step,
                                    real *const *pixel, long channel)
{
    const int edge = size + TAPS - 1;
    vec half[SIZE_LARGEST][EDGE_LARGEST], line[EDGE_LARGEST], out[SIZE_LARGEST];
    UNROLL(EDGE_LARGEST)
    for (int x = 0; x < edge; x++) {
        UNROLL(EDGE_LARGEST)
        for (int y = 0; y < edge; y++)
            line[y] = vec_load(product + (y * edge + x) * point_step);
        line_of_pixels(size, line, out);
        UNROLL(SIZE_LARGEST)
        for (int y = 0; y < size; y++)
            half[y][x] = out[y];
    }
    UNROLL(SIZE_LARGEST)
    for (int y = 0; y < size; y++) {
        line_of_pixels(size, half[y], out);
        UNROLL(SIZE_LARGEST)
        for (int x = 0; x < size; x++)
            vec_store(pixel[y * size + x] + channel, out[x]);
    }
}

/* `count` channels that lie side by side in each pixel, to or from a tile's points; a last vector
 * that is not full by way of a buffer. */
ALWAYS_INLINE void transform_inputs(const int size, const real *const *pixel, long count, real *to,
                                    long point_step)
{
    const int edge = size + TAPS - 1;
    long i = 0;
    for (; i + VLEN <= count; i += VLEN)
        transform_input(size, pixel, i, to + i, point_step);
    if (i == count)
        return;
    real buffer[POINTS_LARGEST][VLEN];
    const real *buffered[POINTS_LARGEST];
    for (int j = 0; j < edge * edge; j++) {
        vec_store(buffer[j], vec_load_first(pixel[j] + i, count - i));
        buffered[j] = buffer[j];
    }
    transform_input(size, buffered, 0, to + i, point_step);
}

ALWAYS_INLINE void transform_outputs(const int size, const real *product, long point_step,
                                     real *const *pixel, long count)
{
    long i = 0;
    for (; i + VLEN <= count; i += VLEN)
        transform_output(size, product + i, point_step, pixel, i);
    if (i == count)
        return;
    real buffer[SIZE_LARGEST * SIZE_LARGEST][VLEN];
    real *buffered[SIZE_LARGEST * SIZE_LARGEST];
    for (int j = 0; j < size * size; j++)
        buffered[j] = buffer[j];
    transform_output(size, product + i, point_step, buffered, 0);
    for (int j = 0; j < size * size; j++)
        vec_store_first(pixel[j] + i, vec_load(buffer[j]), count - i);
}

#define TRANSFORMS(size)                                                                           \
    static void inputs_##size(const real *const *pixel, long count, real *to, long point_step)     \
    {                                                                                              \
        transform_inputs(size, pixel, count, to, point_step);                                      \
    }                                                                                              \
    static void outputs_##size(const real *product, long point_step, real *const *pixel,           \
                               long count)                                                         \
    {                                                                                              \
        transform_outputs(size, product, point_step, pixel, count);                                \
    }
TRANSFORMS(2)
TRANSFORMS(4)

/* ---- rows of tiles ---- */

/* Tiles side by side: `count` of a row of tiles of an image, from `column` on. */
struct run {
    long image, row, column, count;
};

static struct run run_at(const struct winograd *plan, long tile_index, long end)
{
    const long of_image = plan->rows * plan->columns;
    struct run run = {.image = tile_index / of_image,
                      .row = tile_index % of_image / plan->columns,
                      .column = tile_index % plan->columns};
    run.count = smaller(end - tile_index, plan->columns - run.column);
    return run;
}

/* The pixels that a run of an image in nchw reads, with the channels last. */
static void transpose_input(const struct job *job, struct run run, long group)
{
    const struct winograd *plan = &job->plan;
    const struct convolution *conv = &plan->conv;
    const real *image = job->input + (run.image * conv->c + group * conv->c_group) * conv->rows.in *
                                         conv->columns.in;
    const long y0 = run.row * plan->size - conv->rows.pad;
    const long x0 = run.column * plan->size - conv->columns.pad;
    const long width = run.count * plan->size + TAPS - 1;
    const long begin = x0 > 0 ? x0 : 0, end = smaller(x0 + width, conv->columns.in);
    for (long y = y0 > 0 ? y0 : 0; y < smaller(y0 + plan->edge, conv->rows.in) && begin < end; y++)
        transpose_block(job->rows_in + ((y - y0) * width + begin - x0) * plan->in_pitch,
                        plan->in_pitch, image + y * conv->columns.in + begin,
                        conv->rows.in * conv->columns.in, conv->c_group, end - begin, NULL);
}

/* The points of a run's tiles, the first of them at `to`. */
static void transform_run(const struct job *job, struct run run, long group, real *to)
{
    const struct winograd *plan = &job->plan;
    const struct convolution *conv = &plan->conv;
    const bool planar = conv->source == LAYOUT_NCHW;
    const real *image = job->input + run.image * conv->c_stored * conv->rows.in * conv->columns.in;
    const long y0 = run.row * plan->size - conv->rows.pad;
    const long width = run.count * plan->size + TAPS - 1;
    if (planar)
        transpose_input(job, run, group);
    for (long i = 0; i < run.count; i++, to += plan->in_pitch) {
        const long x0 = (run.column + i) * plan->size - conv->columns.pad;
        for (long channel = 0, count; channel < conv->c_group; channel += count) {
            const long of_image = group * conv->c_group + channel;
            const real *pixel[POINTS_LARGEST];
            count = convolution_together(conv, of_image, conv->c_group - channel);
            for (long j = 0; j < plan->points; j++) {
                const long y = j / plan->edge, x = j % plan->edge;
                if (y0 + y < 0 || y0 + y >= conv->rows.in || x0 + x < 0 ||
                    x0 + x >= conv->columns.in)
                    pixel[j] = job->zeros;
                else if (planar)
                    pixel[j] =
                        job->rows_in + (y * width + i * plan->size + x) * plan->in_pitch + channel;
                else
                    pixel[j] = image + layout_index(conv->source, conv->c,
                                                    conv->rows.in * conv->columns.in, of_image,
                                                    (y0 + y) * conv->columns.in + x0 + x);
            }
            (plan->size == 2 ? inputs_2 : inputs_4)(pixel, count, to + channel, plan->in_point);
        }
    }
}

/* The output of a run's tiles, the products of the first of them at `from`. */
static void deliver_run(const struct job *job, struct run run, long group, struct part channels,
                        const real *from)
{
    const struct winograd *plan = &job->plan;
    const struct convolution *conv = &plan->conv;
    const bool planar = conv->layout == LAYOUT_NCHW;
    const long outside = conv->pixels, first = group * conv->k_group + channels.begin;
    const long all = channels.end - channels.begin, width = run.count * plan->size;
    const long y0 = run.row * plan->size, x0 = run.column * plan->size;
    real *image = job->output + run.image * conv->k_stored * conv->pixels;
    for (long i = 0; i < run.count; i++, from += plan->out_pitch)
        for (long channel = 0, count; channel < all; channel += count) {
            real *pixel[SIZE_LARGEST * SIZE_LARGEST];
            count = convolution_together(conv, first + channel, all - channel);
            for (long j = 0; j < plan->size * plan->size; j++) {
                const long y = j / plan->size, x = i * plan->size + j % plan->size;
                if (y0 + y >= conv->rows.out || x0 + x >= conv->columns.out)
                    pixel[j] = job->discarded;
                else if (planar)
                    pixel[j] = job->rows_out + (y * width + x) * plan->out_pitch + channel;
                else
                    pixel[j] =
                        image + layout_index(conv->layout, conv->k_stored, outside, first + channel,
                                             (y0 + y) * conv->columns.out + x0 + x);
            }
            (plan->size == 2 ? outputs_2 : outputs_4)(from + channel, plan->out_point, pixel,
                                                      count);
        }
    const long pixels = smaller(width, conv->columns.out - x0);
    for (long y = 0; y < smaller(plan->size, conv->rows.out - y0); y++) {
        const long pixel = (y0 + y) * conv->columns.out + x0;
        if (planar)
            transpose_block(image + first * conv->pixels + pixel, conv->pixels,
                            job->rows_out + y * width * plan->out_pitch, plan->out_pitch, pixels,
                            all, NULL);
        if (conv->epilogue != EPILOGUE_none)
            convolution_follow(conv, job->step, job->output,
                               (struct piece){image, first, all, pixel, pixels});
    }
}

/* Tiles [begin, end) of some output channels of a group. */
static void convolve_block(const struct job *job, long begin, long end, long group,
                           struct part channels)
{
    const struct winograd *plan = &job->plan;
    const struct convolution *conv = &plan->conv;
    struct run run;
    for (long at = begin; at < end; at += run.count) {
        run = run_at(plan, at, end);
        transform_run(job, run, group, job->inputs + (at - begin) * plan->in_pitch);
    }
    for (long point = 0; point < plan->points; point++)
        multiply(conv->c_group,
                 left_in_place(job->inputs + point * plan->in_point, plan->in_pitch, end - begin),
                 right_packed(job->weights + (group * plan->points + point) * plan->weights_point +
                              channels.begin * conv->c_group),
                 (struct target){.c = job->products + point * plan->out_point,
                                 .pitch = plan->out_pitch,
                                 .rows = end - begin,
                                 .columns = channels.end - channels.begin},
                 (struct finish){.alpha = 1, .beta = 0, .steps = NULL}, NULL);
    for (long at = begin; at < end; at += run.count) {
        run = run_at(plan, at, end);
        deliver_run(job, run, group, channels, job->products + (at - begin) * plan->out_pitch);
    }
}

static void convolve(const struct convolution *conv, const struct call *call, long size)
{
    const struct job job = job_of(conv, call, size);
    const struct winograd *plan = &job.plan;
    const struct member alone = {0, 1};
    const struct part tiles =
        member_part(plan->by_channels ? alone : call->member, plan->tiles, TILE_ROWS);
    const struct part channels =
        member_part(plan->by_channels ? call->member : alone, conv->k_group, TILE_COLUMNS);
    convolution_clear_filling(conv, job.output, call->member);
    if (channels.begin == channels.end)
        return;
    memset(job.zeros, 0, (size_t)plan->in_pitch * sizeof *job.zeros);
    for (long group = 0; group < conv->groups; group++)
        for (long begin = tiles.begin; begin < tiles.end; begin += plan->block)
            convolve_block(&job, begin, smaller(begin + plan->block, tiles.end), group, channels);
}

#define BODY(size)                                                                                 \
    void NAME(convolution_winograd##size##_prepare)(const struct convolution *conv,                \
                                                    const struct call *call)                       \
    {                                                                                              \
        prepare(conv, call, size);                                                                 \
    }                                                                                              \
    void NAME(convolution_winograd##size)(const struct convolution *conv, const struct call *call) \
    {                                                                                              \
        convolve(conv, call, size);                                                                \
    }
BODY(2)
BODY(4)

#endif
