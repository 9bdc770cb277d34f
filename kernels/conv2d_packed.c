// conv2d_packed.c - convolution in nchw as a matrix product of packed weights and packed patches.
#include "conv2d.h"
#include "product.h"

/* The convolution of one image and group is a matrix product: k / groups rows of weights, depth c /
 * groups * r * s, a column per output pixel. What stands where in the workspace, in elements: */
struct plan {
    long p, q;           /* output rows and columns */
    long depth, rows;    /* of the product of one group; rows filled up to panels */
    struct blocks block; /* of it */
    long pitch, row,
        plane;   /* of a padded image: a column phase, a row (`stride` phases), a channel */
    bool direct; /* too few output channels per group to pack: depthwise */
    long weights, image, patches; /* packed weights; a padded image, of one group where direct; a
                                     member's block of columns */
    long taps, pixels;            /* table entries: offsets of taps and, per member, of pixels */
};

static inline struct plan plan_of(const struct shape *shape, struct tile tile_size,
                                  int element_bytes, const struct cache_sizes *caches)
{
    LETTERS(KERNEL_LETTER_LONG)
    struct plan plan = {.p = output_size(h, r, stride, pad, dilation),
                        .q = output_size(w, s, stride, pad, dilation),
                        .depth = c / groups * r * s};
    plan.rows = round_up(k / groups, tile_size.rows);
    /* A block of patches that half of L2 holds while the weights pass. */
    plan.block = blocks_of(tile_size, plan.rows, plan.p * plan.q, plan.depth, element_bytes,
                           caches->l3_bytes / 2, caches->l2_bytes / 2);
    long width = w + 2 * pad;
    plan.pitch = (width + stride - 1) / stride;
    plan.row = plan.pitch * (stride < width ? stride : width);
    plan.plane = plan.row * (h + 2 * pad);
    /* Multiples of a cache line. A vector that begins at the last pixel may read past the image. */
    const long line = 64 / element_bytes, table_line = 64 / (long)sizeof(long);
    plan.weights = round_up(groups * plan.rows * plan.depth, line);
    plan.direct = k / groups < tile_size.rows / 2;
    plan.image = round_up((plan.direct ? c / groups : c) * plan.plane + tile_size.columns, line);
    plan.patches = round_up(plan.block.columns * plan.block.depth, line);
    plan.taps = round_up(plan.depth, table_line);
    plan.pixels = round_up(plan.block.columns, table_line);
    return plan;
}

#ifndef ISA

int conv2d_packed_supports(const struct shape *shape, struct error *error)
{
    if (shape->value[LETTER_layout] != LAYOUT_NCHW)
        return error_skip(error, "patches are packed from rows of one channel; choose layout=nchw");
    return OK;
}

double conv2d_packed_workspace(const struct shape *shape, enum isa isa, enum dtype dtype,
                               int threads, const struct cache_sizes *caches)
{
    const double element_bytes = dtype_bytes(dtype);
    struct plan plan = plan_of(shape, tile_of(isa, dtype), dtype_bytes(dtype), caches);
    return (double)plan.taps * sizeof(long) + (double)plan.weights * element_bytes +
           threads * ((double)plan.pixels * sizeof(long) +
                      (double)(plan.image + plan.patches) * element_bytes);
}

#else
#include <string.h>

#include "vec.h"

/* One call as one member sees it. */
struct job {
    const struct shape *shape;
    struct plan plan;
    struct step step[EPILOGUE_STEPS];
    const real *input, *weights;
    real *output;
    /* In the workspace: shared by all members ... */
    long *taps; /* offset of each step of the depth in a padded image */
    real *packed_weights, *images;
    /* ... and of this member. */
    long *pixels; /* offset of each pixel of a block */
    real *patches;
    struct member member;
};

static struct job job_of(const struct call *call)
{
    struct job job = {.shape = call->shape,
                      .plan = plan_of(call->shape, tile, REAL_BYTES, &call->caches),
                      .output = call->operand[0],
                      .input = call->operand[1],
                      .weights = call->operand[2],
                      .taps = call->workspace,
                      .member = call->member};
    const struct plan *plan = &job.plan;
    conv2d_steps(call, job.step);
    job.packed_weights = (real *)(job.taps + plan->taps);
    job.images = job.packed_weights + plan->weights;
    real *pixels = job.images + call->member.count * plan->image;
    job.pixels = (long *)pixels + call->member.index * plan->pixels;
    job.patches = (real *)((long *)pixels + call->member.count * plan->pixels) +
                  call->member.index * plan->patches;
    return job;
}

static const struct step *steps_of(const struct job *job)
{
    return job->shape->value[LETTER_epilogue] == EPILOGUE_none ? NULL : job->step;
}

/* Whether an image serves as its own padded image. */
static bool is_plain(const struct job *job)
{
    const long *value = job->shape->value;
    return value[LETTER_stride] == 1 && value[LETTER_pad] == 0;
}

/* Offsets of the taps: channel, row, then the column's phase and place in it. */
static void find_taps(const struct job *job)
{
    const struct shape *shape = job->shape;
    LETTERS(KERNEL_LETTER_LONG)
    struct part part = member_part(job->member, job->plan.depth, 8);
    for (long tap = part.begin; tap < part.end; tap++) {
        long x = tap % s * dilation, y = tap / s % r * dilation, channel = tap / (r * s);
        job->taps[tap] = channel * job->plan.plane + y * job->plan.row +
                         x % stride * job->plan.pitch + x / stride;
    }
}

/* Weights into panels: by group, block of depth and panel. */
static void pack_weights(const struct job *job)
{
    const struct shape *shape = job->shape;
    LETTERS(KERNEL_LETTER_LONG)
    const struct plan *plan = &job->plan;
    const long rows = k / groups, panels = plan->rows / TILE_ROWS;
    const long blocks = (plan->depth + plan->block.depth - 1) / plan->block.depth;
    struct part part = member_part(job->member, groups * blocks * panels, 1);
    for (long item = part.begin; item < part.end; item++) {
        long row = item % panels * TILE_ROWS, begin = item / panels % blocks * plan->block.depth;
        long group = item / (panels * blocks);
        long depth = smaller(plan->depth - begin, plan->block.depth);
        const real *from = job->weights + (group * rows + row) * plan->depth + begin;
        pack_rows((struct operand_at){from, plan->depth, 1}, smaller(rows - row, TILE_ROWS), depth,
                  job->packed_weights + group * plan->rows * plan->depth + begin * plan->rows +
                      row * depth);
    }
}

/* One row of a padded image. The columns x, x + stride, x + 2 stride ... that neighbouring output
 * pixels read lie side by side: phase x % stride, place x / stride. */
static void pad_row(const struct job *job, const real *from, real *to)
{
    const struct shape *shape = job->shape;
    LETTERS(KERNEL_LETTER_LONG)
    for (long phase = 0; phase * job->plan.pitch < job->plan.row; phase++, to += job->plan.pitch) {
        /* Places [first, last) of this phase are inside the image. */
        long first = phase < pad ? (pad - phase + stride - 1) / stride : 0;
        long last = phase < w + pad ? (w + pad - phase + stride - 1) / stride : 0;
        for (long i = 0; i < smaller(first, job->plan.pitch); i++)
            to[i] = 0;
        const real *inside = from + first * stride + phase - pad;
        if (stride == 1)
            memcpy(to + first, inside, (size_t)(last - first) * sizeof *to);
        else
            for (long i = first; i < last; i++)
                to[i] = inside[(i - first) * stride];
        for (long i = last; i < job->plan.pitch; i++)
            to[i] = 0;
    }
}

/* Row `item` of the padded image: of channel item / its height. */
static void pad_item(const struct job *job, long item, const real *image, real *padded)
{
    const struct shape *shape = job->shape;
    LETTERS(KERNEL_LETTER_LONG)
    const long height = h + 2 * pad, channel = item / height, y = item % height - pad;
    real *to = padded + item * job->plan.row;
    if (y >= 0 && y < h)
        pad_row(job, image + (channel * h + y) * w, to);
    else
        memset(to, 0, (size_t)job->plan.row * sizeof *to);
}

/* The rows of an image that `member` pads. */
static void pad_image(const struct job *job, struct member member, const real *image, real *padded)
{
    const struct shape *shape = job->shape;
    LETTERS(KERNEL_LETTER_LONG)
    struct part part = member_part(member, c * (h + 2 * pad), 1);
    for (long item = part.begin; item < part.end; item++)
        pad_item(job, item, image, padded);
}

/* What the output rows `rows` of a group read of its channels, which begin at `image`. */
static void pad_group(const struct job *job, struct part rows, const real *image, real *padded)
{
    const struct shape *shape = job->shape;
    LETTERS(KERNEL_LETTER_LONG)
    const long height = h + 2 * pad;
    for (long channel = 0; channel < c / groups; channel++)
        for (long y = rows.begin * stride; y <= (rows.end - 1) * stride + (r - 1) * dilation; y++)
            pad_item(job, channel * height + y, image, padded);
}

/* Offsets in a padded channel of `count` output pixels from the `begin`th on. */
static void find_pixels(const struct job *job, long begin, long count)
{
    const long step = job->shape->value[LETTER_stride] * job->plan.row;
    long row = begin / job->plan.q, column = begin % job->plan.q;
    for (long i = 0; i < count; i++) {
        job->pixels[i] = row * step + column;
        if (++column == job->plan.q) {
            column = 0;
            row++;
        }
    }
}

/* One vector of pixels at every tap: a load where the pixels lie side by side, else lane by lane.
 */
static void pack_vector(const real *image, const long *taps, long depth, const long *pixels,
                        long count, long width, real *packed)
{
    if (count >= VLEN && pixels[VLEN - 1] - pixels[0] == VLEN - 1)
        for (long i = 0; i < depth; i++)
            vec_store(packed + i * width, vec_load(image + taps[i] + pixels[0]));
    else
        for (long i = 0; i < depth; i++)
            for (long lane = 0; lane < VLEN; lane++)
                packed[i * width + lane] = lane < count ? image[taps[i] + pixels[lane]] : 0;
}

/* The patches of `columns` pixels, `depth` taps each, as the panels of B. */
static void pack_patches(const struct job *job, const real *image, const long *taps, long depth,
                         long columns)
{
    for (long j = 0; j < columns; j += TILE_COLUMNS) {
        long width = panel_width(columns, j);
        for (long v = 0; v < width; v += VLEN)
            pack_vector(image, taps, depth, job->pixels + j + v, columns - j - v, width,
                        job->patches + j * depth + v);
    }
}

/* The pixels from `pixel` on of `rows` output channels of an image, the first of them `channel`. */
static struct target channels_from(const struct job *job, real *output, long channel, long rows,
                                   long pixel, long columns)
{
    const long pitch = job->plan.p * job->plan.q;
    real *c = output + channel * pitch + pixel;
    return (struct target){c, pitch, rows, columns, {channel, pixel, c - job->output}};
}

/* Output pixels [begin, end) of a group by the matrix product; `output` is the image. */
static void multiply_pixels(const struct job *job, const real *image, const real *weights,
                            real *output, long group, long begin, long end)
{
    const struct plan *plan = &job->plan;
    const long *value = job->shape->value;
    const long rows = value[LETTER_k] / value[LETTER_groups];
    for (long j = begin; j < end; j += plan->block.columns) {
        long columns = smaller(end - j, plan->block.columns);
        find_pixels(job, j, columns);
        for (long l = 0; l < plan->depth; l += plan->block.depth) {
            long depth = smaller(plan->depth - l, plan->block.depth);
            pack_patches(job, image, job->taps + l, depth, columns);
            multiply(depth, left_packed(weights + l * plan->rows, depth),
                     right_packed(job->patches),
                     channels_from(job, output, group * rows, rows, j, columns),
                     (struct finish){1, l > 0, l + depth < plan->depth ? NULL : steps_of(job)});
        }
    }
}

/* The part of an image that `member` has: panels of pixels, group after group. */
static void multiply_image(const struct job *job, struct member member, const real *image,
                           real *output)
{
    const struct shape *shape = job->shape;
    LETTERS(KERNEL_LETTER_LONG)
    const struct plan *plan = &job->plan;
    const long pixels = plan->p * plan->q, padded = round_up(pixels, TILE_COLUMNS);
    struct part part = member_part(member, groups * padded, TILE_COLUMNS);
    for (long group = part.begin / padded; group * padded < part.end; group++) {
        long begin = part.begin - group * padded, end = part.end - group * padded;
        multiply_pixels(job, image + group * (c / groups) * plan->plane,
                        job->packed_weights + group * plan->rows * plan->depth, output, group,
                        begin > 0 ? begin : 0, smaller(end, pixels));
    }
}

/* Output rows of one channel that are summed together: as many sums as hide the latency of one. */
enum { DIRECT_ROWS = 8 };

/* `rows` rows, a constant where this is inlined, a vector of pixels of each at a time. */
ALWAYS_INLINE void convolve_rows(const int rows, const struct job *job, const real *image,
                                 const real *weights, real *output)
{
    const struct plan *plan = &job->plan;
    const long step = job->shape->value[LETTER_stride] * plan->row;
    for (long column = 0; column < plan->q; column += VLEN) {
        vec sum[DIRECT_ROWS];
        UNROLL(DIRECT_ROWS)
        for (int i = 0; i < rows; i++)
            sum[i] = vec_all(0);
        for (long tap = 0; tap < plan->depth; tap++) {
            const real *from = image + job->taps[tap] + column;
            const vec weight = vec_all(weights[tap]);
            UNROLL(DIRECT_ROWS)
            for (int i = 0; i < rows; i++)
                sum[i] += weight * vec_load(from + i * step);
        }
        UNROLL(DIRECT_ROWS)
        for (int i = 0; i < rows; i++) {
            real *to = output + i * plan->q + column;
            if (plan->q - column >= VLEN)
                vec_store(to, sum[i]);
            else
                vec_store_first(to, sum[i], plan->q - column);
        }
    }
}

/* Some output rows of all channels of a group; `image` and `output` are of all rows. */
static void convolve_group(const struct job *job, long group, struct part rows, const real *image,
                           real *output)
{
    const struct shape *shape = job->shape;
    LETTERS(KERNEL_LETTER_LONG)
    const struct plan *plan = &job->plan;
    for (long channel = group * (k / groups); channel < (group + 1) * (k / groups); channel++) {
        const real *weights = job->weights + channel * plan->depth;
        for (long row = rows.begin, count; row < rows.end; row += count) {
            const real *from = image + row * stride * plan->row;
            real *to = output + (channel * plan->p + row) * plan->q;
            count = rows.end - row >= DIRECT_ROWS ? DIRECT_ROWS : 1;
            if (count == DIRECT_ROWS)
                convolve_rows(DIRECT_ROWS, job, from, weights, to);
            else
                convolve_rows(1, job, from, weights, to);
        }
        finish_steps(channels_from(job, output, channel, 1, rows.begin * plan->q,
                                   (rows.end - rows.begin) * plan->q),
                     (struct finish){.steps = steps_of(job)});
    }
}

/* Groups with few output channels: each member pads what its rows of a group read into a buffer of
 * its own, which L1 or L2 holds, and sums them from there. */
static void convolve_directly(const struct job *job)
{
    const struct shape *shape = job->shape;
    LETTERS(KERNEL_LETTER_LONG)
    const struct plan *plan = &job->plan;
    real *padded = job->images + job->member.index * plan->image;
    struct part part = member_part(job->member, n * groups * plan->p, 1);
    while (part.begin < part.end) {
        const long item = part.begin / plan->p, first = item * plan->p;
        const struct part rows = {part.begin - first, smaller(part.end - first, plan->p)};
        pad_group(job, rows, job->input + item * (c / groups) * h * w, padded);
        convolve_group(job, item % groups, rows, padded,
                       job->output + item / groups * k * plan->p * plan->q);
        part.begin = first + rows.end;
    }
}

body NAME(conv2d_packed_prepare);
void NAME(conv2d_packed_prepare)(const struct call *call)
{
    const struct job job = job_of(call);
    find_taps(&job);
    if (!job.plan.direct)
        pack_weights(&job);
}

body NAME(conv2d_packed);
void NAME(conv2d_packed)(const struct call *call)
{
    const struct job job = job_of(call);
    const struct shape *shape = call->shape;
    LETTERS(KERNEL_LETTER_LONG)
    if (job.plan.direct) {
        convolve_directly(&job);
        return;
    }
    const bool plain = is_plain(&job);
    /* Enough images: each member has its own. Else all share each image. */
    const struct member alone = {0, 1};
    const bool by_images = n >= call->member.count;
    const struct member inside = by_images ? alone : call->member;
    const struct part part = member_part(by_images ? call->member : alone, n, 1);
    real *padded = job.images + (by_images ? call->member.index : 0) * job.plan.image;

    for (long i = part.begin; i < part.end; i++) {
        const real *image = job.input + i * c * h * w;
        real *output = job.output + i * k * job.plan.p * job.plan.q;
        if (!plain) {
            if (!by_images)
                team_barrier();
            pad_image(&job, inside, image, padded);
            if (!by_images)
                team_barrier();
            image = padded;
        }
        multiply_image(&job, inside, image, output);
    }
}

#endif
