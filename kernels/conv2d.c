// conv2d.c - two-dimensional convolution (cross-correlation, as networks have it), NCHW.
#include "kernel.h"

#include "product.h"

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
    X(groups, 1, 1, "groups of channels that do not mix")
enum { LETTERS(KERNEL_LETTER_INDEX) LETTER_COUNT };

/* Output rows or columns; less than 1 when the kernel does not fit the padded image. */
static inline long output_size(long in, long kernel, long stride, long pad, long dilation)
{
    long room = in + 2 * pad - dilation * (kernel - 1) - 1;
    return room < 0 ? 0 : room / stride + 1;
}

/* The convolution of one image and group is a matrix product: k / groups rows of weights, depth c /
 * groups * r * s, a column per output pixel. What stands where in the workspace, in elements: */
struct plan {
    long p, q;           /* output rows and columns */
    long depth, rows;    /* of the product of one group; rows filled up to panels */
    struct blocks block; /* of it */
    long pitch, row,
        plane; /* of a padded image: a column phase, a row (`stride` phases), a channel */
    long weights, image, patches; /* packed weights; a padded image; a member's block of columns */
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
    plan.image = round_up(c * plan.plane + tile_size.columns, line);
    plan.patches = round_up(plan.block.columns * plan.block.depth, line);
    plan.taps = round_up(plan.depth, table_line);
    plan.pixels = round_up(plan.block.columns, table_line);
    return plan;
}

#ifndef ISA
#include <math.h>

/* Pairs of an output line and a kernel line that meet inside the image. */
static double taps_inside(double in, double kernel, double stride, double pad, double dilation)
{
    double pairs = 0, lines = (double)output_size((long)in, (long)kernel, (long)stride, (long)pad,
                                                  (long)dilation);
    for (double i = 0; i < kernel; i++) {
        double offset = i * dilation - pad;
        double first = offset < 0 ? ceil(-offset / stride) : 0;
        double last = fmin(lines - 1, floor((in - 1 - offset) / stride));
        pairs += fmax(0, last - first + 1);
    }
    return pairs;
}

/* Input rows that any output row uses: a stride larger than the kernel steps over some. */
static double lines_used(double in, double kernel, double stride, double pad, double dilation)
{
    double used = 0, lines = (double)output_size((long)in, (long)kernel, (long)stride, (long)pad,
                                                 (long)dilation);
    for (double line = 0; line < in; line++)
        for (double i = 0; i < kernel; i++) {
            double from = (line + pad - i * dilation) / stride;
            if (from >= 0 && from < lines && from == floor(from)) {
                used++;
                break;
            }
        }
    return used;
}

#define DERIVED                                                                                    \
    const double p = (double)output_size((long)h, (long)r, (long)stride, (long)pad,                \
                                         (long)dilation),                                          \
                 q = (double)output_size((long)w, (long)s, (long)stride, (long)pad,                \
                                         (long)dilation),                                          \
                 taps_h = taps_inside(h, r, stride, pad, dilation),                                \
                 taps_w = taps_inside(w, s, stride, pad, dilation),                                \
                 h_used = lines_used(h, r, stride, pad, dilation);                                 \
    (void)p, (void)q, (void)taps_h, (void)taps_w, (void)h_used;

MODEL(flops, 2 * n * k * (c / groups) * taps_h * taps_w)
MODEL(bytes, (n * c * h_used * w + k * (c / groups) * r * s + n * k * p * q) * element_bytes)

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
    LETTERS(KERNEL_LETTER_DOUBLE)
    const double p = (double)output_size(shape->value[LETTER_h], shape->value[LETTER_r],
                                         shape->value[LETTER_stride], shape->value[LETTER_pad],
                                         shape->value[LETTER_dilation]);
    const double q = (double)output_size(shape->value[LETTER_w], shape->value[LETTER_s],
                                         shape->value[LETTER_stride], shape->value[LETTER_pad],
                                         shape->value[LETTER_dilation]);
    operand[0] = reals("output", ROLE_OUTPUT, n * k * p * q, 0.5, 1.5);
    operand[1] = reals("input", ROLE_INPUT, n * c * h * w, 0.5, 1.5);
    operand[2] = reals("weights", ROLE_INPUT, k * (c / groups) * r * s, 0.5, 1.5);
    return 3;
}

/* As gemm: a sum of c / groups * r * s products of positive numbers. */
static double tolerance(const struct shape *shape, double unit)
{
    LETTERS(KERNEL_LETTER_DOUBLE)
    return 4 * (c / groups * r * s + 1) * unit;
}

/* The sum of one output pixel; `input` is the first channel of its group, `weights` its filter. */
static double pixel_sum(const struct shape *shape, enum dtype dtype, const void *input,
                        long input_begin, const void *weights, long weights_begin, long y0, long x0)
{
    LETTERS(KERNEL_LETTER_LONG)
    double sum = 0;
    for (long channel = 0; channel < c / groups; channel++)
        for (long i = 0; i < r; i++)
            for (long j = 0; j < s; j++) {
                long y = y0 + i * dilation, x = x0 + j * dilation;
                if (y < 0 || y >= h || x < 0 || x >= w)
                    continue;
                sum += real_at(input, dtype, input_begin + (channel * h + y) * w + x) *
                       real_at(weights, dtype, weights_begin + (channel * r + i) * s + j);
            }
    return sum;
}

static void plain(const struct call *call, enum dtype dtype, long begin, long end, double *out)
{
    const struct shape *shape = call->shape;
    LETTERS(KERNEL_LETTER_LONG)
    const long p = output_size(h, r, stride, pad, dilation),
               q = output_size(w, s, stride, pad, dilation), depth = c / groups;
    for (long element = begin; element < end; element++) {
        long column = element % q, row = element / q % p;
        long channel = element / (q * p) % k, image = element / (q * p * k);
        long group = channel / (k / groups);
        out[element - begin] = pixel_sum(
            shape, dtype, call->operand[1], (image * c + group * depth) * h * w, call->operand[2],
            channel * depth * r * s, row * stride - pad, column * stride - pad);
    }
}
REFERENCE_BODIES(plain)

static double workspace(const struct shape *shape, enum isa isa, enum dtype dtype, int threads,
                        const struct cache_sizes *caches)
{
    const double element_bytes = dtype_bytes(dtype);
    struct plan plan = plan_of(shape, tile_of(isa, dtype), dtype_bytes(dtype), caches);
    return (double)plan.taps * sizeof(long) + (double)plan.weights * element_bytes +
           threads * ((double)plan.pixels * sizeof(long) +
                      (double)(plan.image + plan.patches) * element_bytes);
}

BODIES_DECLARE(conv2d_packed)
static const struct variant variants[] = {
    {.name = "packed",
     .summary = "patches packed into panels, then gemm's register tile; groups with few output "
                "channels directly",
     .bodies = BODIES(conv2d_packed),
     .workspace = workspace},
    REFERENCE_VARIANT(plain),
    {0},
};

const struct kernel conv2d_kernel = {
    .name = "conv2d",
    .summary = "convolution, NCHW: output[n,k,p,q] = sum over c/groups, r, s of input * weights",
    .letters = letters,
    .letter_count = LETTER_COUNT,
    .quick = true,
    .shapes = shapes,
    .flops = flops_model,
    .flops_formula = flops_formula,
    .bytes = bytes_model,
    .bytes_formula = bytes_formula,
    .model_note = "p x q output pixels; taps_h, taps_w: pairs of output and kernel line inside the "
                  "image, so products with padding do not count; h_used: input rows that are used",
    .check = check,
    .operands = operands,
    .tolerance = tolerance,
    .reference = plain,
    .variants = variants,
};

#else
#include "vec.h"

/* One call as one member sees it. */
struct job {
    const struct shape *shape;
    struct plan plan;
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
    job.packed_weights = (real *)(job.taps + plan->taps);
    job.images = job.packed_weights + plan->weights;
    real *pixels = job.images + call->member.count * plan->image;
    job.pixels = (long *)pixels + call->member.index * plan->pixels;
    job.patches = (real *)((long *)pixels + call->member.count * plan->pixels) +
                  call->member.index * plan->patches;
    return job;
}

/* Fewer output channels per group than half a tile are not worth packing: depthwise convolution. */
static bool is_direct(const struct job *job)
{
    const struct shape *shape = job->shape;
    LETTERS(KERNEL_LETTER_LONG)
    return k / groups < TILE_ROWS / 2;
}

/* Whether an image serves as its own padded image. Not for direct rows: their vectors read past the
 * end. */
static bool is_plain(const struct job *job)
{
    const long *value = job->shape->value;
    return value[LETTER_stride] == 1 && value[LETTER_pad] == 0 && !is_direct(job);
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
            for (long i = first; i < last; i++)
                to[i] = inside[i - first];
        else
            for (long i = first; i < last; i++)
                to[i] = inside[(i - first) * stride];
        for (long i = last; i < job->plan.pitch; i++)
            to[i] = 0;
    }
}

/* The rows of an image that `member` pads. */
static void pad_image(const struct job *job, struct member member, const real *image, real *padded)
{
    const struct shape *shape = job->shape;
    LETTERS(KERNEL_LETTER_LONG)
    const long height = h + 2 * pad;
    struct part part = member_part(member, c * height, 1);
    for (long item = part.begin; item < part.end; item++) {
        long channel = item / height, y = item % height - pad;
        real *to = padded + item * job->plan.row;
        if (y >= 0 && y < h)
            pad_row(job, image + (channel * h + y) * w, to);
        else
            for (long i = 0; i < job->plan.row; i++)
                to[i] = 0;
    }
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

/* Output pixels [begin, end) of a group by the matrix product. */
static void multiply_pixels(const struct job *job, const real *image, const real *weights,
                            real *output, long begin, long end)
{
    const struct plan *plan = &job->plan;
    const long *value = job->shape->value;
    const long rows = value[LETTER_k] / value[LETTER_groups], pixels = plan->p * plan->q;
    for (long j = begin; j < end; j += plan->block.columns) {
        long columns = smaller(end - j, plan->block.columns);
        find_pixels(job, j, columns);
        for (long l = 0; l < plan->depth; l += plan->block.depth) {
            long depth = smaller(plan->depth - l, plan->block.depth);
            pack_patches(job, image, job->taps + l, depth, columns);
            multiply_packed(rows, columns, depth, weights + l * plan->rows, job->patches,
                            output + j, pixels, l > 0);
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
                        job->packed_weights + group * plan->rows * plan->depth,
                        output + group * (k / groups) * pixels, begin > 0 ? begin : 0,
                        smaller(end, pixels));
    }
}

/* One row of one output channel, a vector of pixels at a time. */
static void convolve_row(const struct job *job, const real *image, const real *weights,
                         real *output)
{
    const struct plan *plan = &job->plan;
    for (long column = 0; column < plan->q; column += VLEN) {
        vec sum = vec_all(0);
        for (long tap = 0; tap < plan->depth; tap++)
            sum += vec_all(weights[tap]) * vec_load(image + job->taps[tap] + column);
        if (plan->q - column >= VLEN)
            vec_store(output + column, sum);
        else
            vec_store_first(output + column, sum, plan->q - column);
    }
}

/* The rows of an image that `member` has, channel after channel. */
static void convolve_image(const struct job *job, struct member member, const real *image,
                           real *output)
{
    const struct shape *shape = job->shape;
    LETTERS(KERNEL_LETTER_LONG)
    const struct plan *plan = &job->plan;
    struct part part = member_part(member, k * plan->p, 1);
    for (long item = part.begin; item < part.end; item++) {
        long channel = item / plan->p, row = item % plan->p, group = channel / (k / groups);
        convolve_row(job, image + group * (c / groups) * plan->plane + row * stride * plan->row,
                     job->weights + channel * plan->depth, output + item * plan->q);
    }
}

body NAME(conv2d_packed);
void NAME(conv2d_packed)(const struct call *call)
{
    const struct job job = job_of(call);
    const struct shape *shape = call->shape;
    LETTERS(KERNEL_LETTER_LONG)
    const bool direct = is_direct(&job), plain = is_plain(&job);
    /* Enough images: each member has its own. Else all share each image. */
    const struct member alone = {0, 1};
    const bool by_images = n >= call->member.count;
    const struct member inside = by_images ? alone : call->member;
    const struct part part = member_part(by_images ? call->member : alone, n, 1);
    real *padded = job.images + (by_images ? call->member.index : 0) * job.plan.image;

    team_barrier(); /* nobody reads the tables and weights of the last call any more */
    find_taps(&job);
    if (!direct)
        pack_weights(&job);
    team_barrier();
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
        if (direct)
            convolve_image(&job, inside, image, output);
        else
            multiply_image(&job, inside, image, output);
    }
}

#endif
