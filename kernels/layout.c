// layout.c - images between the layouts of networks.
#include "kernel.h"
#include "moved.h"

#include "image_layout.h"

#define LETTERS(X)                                                                                 \
    X(n, 1, 0, "images")                                                                           \
    X(c, -1, 0, "channels")                                                                        \
    X(h, -1, 0, "rows")                                                                            \
    X(w, -1, 0, "columns")                                                                         \
    X(from, LAYOUT_NCHW, 0, "layout of the input", layout_words)                                   \
    X(to, LAYOUT_NHWC, 0, "layout of the output", layout_words)
enum { LETTERS(KERNEL_LETTER_INDEX) LETTER_COUNT };

#ifndef ISA
#define DERIVED                                                                                    \
    const double c_out = (double)layout_channels((enum layout)to, (long)c);                        \
    (void)c_out;
MODEL(flops, 0)
MODEL(bytes, (c + c_out) * n * h * w * element_bytes)

static const struct letter letters[] = {LETTERS(KERNEL_LETTER_ROW)};

/* A layer of ResNet-50 (doi:10.1109/CVPR.2016.90) in L2 and beyond the caches, every way; pictures
 * of three colours. */
static const char *const shapes[] = {"c=64,h=28,w=28",
                                     "n=@DRAM,c=64,h=56,w=56,from=nchw,to=nhwc",
                                     "n=@DRAM,c=64,h=56,w=56,from=nhwc,to=nchw",
                                     "n=@DRAM,c=64,h=56,w=56,from=nchw,to=nchwc",
                                     "n=@DRAM,c=64,h=56,w=56,from=nchwc,to=nchw",
                                     "n=@DRAM,c=64,h=56,w=56,from=nhwc,to=nchwc",
                                     "n=@DRAM,c=64,h=56,w=56,from=nchwc,to=nhwc",
                                     "n=@DRAM,c=3,h=224,w=224,from=nhwc,to=nchw",
                                     NULL};

static int check(const struct shape *shape, struct error *error)
{
    const long *value = shape->value;
    if (value[LETTER_from] == value[LETTER_to])
        return error_set(error, FAULT_USAGE,
                         "layout: 'from' and 'to' are both %s; choose two layouts, or the kernel "
                         "'copy'",
                         layout_words[value[LETTER_to]]);
    return OK;
}

static int operands(const struct shape *shape, struct operand operand[KERNEL_OPERANDS_MAX])
{
    LETTERS(KERNEL_LETTER_DOUBLE)
    const double c_out = (double)layout_channels((enum layout)to, (long)c);
    const double c_in = (double)layout_channels((enum layout)from, (long)c);
    operand[0] = reals("y", ROLE_OUTPUT, n * c_out * h * w, 0.5, 1.5);
    operand[1] = reals("x", ROLE_INPUT, n * c_in * h * w, 0.5, 1.5);
    return 2;
}

static void plain(const struct call *call, enum dtype dtype, long begin, long end, double *out)
{
    const struct shape *shape = call->shape;
    LETTERS(KERNEL_LETTER_LONG)
    const long pixels = h * w, image_out = layout_channels((enum layout)to, c) * pixels,
               image_in = layout_channels((enum layout)from, c) * pixels;
    for (long i = begin; i < end; i++) {
        struct place place = layout_place((enum layout)to, c, pixels, i % image_out);
        long element = i / image_out * image_in +
                       layout_index((enum layout)from, c, pixels, place.channel, place.pixel);
        out[i - begin] = place.channel < c ? real_at(call->operand[1], dtype, element) : 0;
    }
}
REFERENCE_BODIES(plain)

BODIES_DECLARE(layout)
static const struct variant variants[] = {
    {.name = "simd",
     .summary = "planes by unpack instructions in tiles; non-temporal stores of whole lines when "
                "the arrays exceed the last cache",
     .bodies = BODIES(layout)},
    REFERENCE_VARIANT(plain),
    {0},
};

const struct kernel layout_kernel = {
    .name = "layout",
    .summary = "y = x with its images in another layout",
    .letters = letters,
    .letter_count = LETTER_COUNT,
    .shapes = shapes,
    .flops = flops_model,
    .flops_formula = flops_formula,
    .bytes = bytes_model,
    .bytes_formula = bytes_formula,
    .model_note = "no arithmetic: rated by its bytes; c_out: channels of the output with the "
                  "zeros that fill the last block of nchwc; those of the input need not be read",
    .check = check,
    .operands = operands,
    .tolerance = moved_tolerance,
    .reference = plain,
    .variants = variants,
};

#else
#include "plane.h"
#include "vec.h"

/* One call as one member sees it. */
struct job {
    const struct call *call;
    const real *in;
    real *out;
    long n, c, pixels, blocks; /* blocks: with the last, filled one */
    bool stream;
};

static void transpose(const struct job *job, const struct planes *planes, long block)
{
    planes_transpose(planes, job->call, job->out + block * planes->batch[1].out_step,
                     job->in + block * planes->batch[1].in_step, job->stream);
}

/* The channels of every image, and its pixels, change places. */
static void swap_channels(const struct job *job, enum layout to)
{
    const bool inner = to == LAYOUT_NHWC; /* channels become innermost */
    const long rows = inner ? job->c : job->pixels, columns = inner ? job->pixels : job->c;
    const struct planes planes = {
        .rows = rows,
        .columns = columns,
        .in_pitch = columns,
        .out_pitch = rows,
        .filled = rows,
        .batch = {{job->n, rows * columns, rows * columns}, {.count = 1}}};
    transpose(job, &planes, 0);
}

/* The same by blocks of channels; the last one on its own where it is not full. */
static void swap_blocks(const struct job *job, enum layout to)
{
    const long whole = job->c / LAYOUT_BLOCK, rest = job->c % LAYOUT_BLOCK, pixels = job->pixels;
    const long image = job->c * pixels, filled = job->blocks * LAYOUT_BLOCK * pixels;
    const bool inner = to == LAYOUT_NCHWC;
    struct planes planes = {.rows = inner ? LAYOUT_BLOCK : pixels,
                            .columns = inner ? pixels : LAYOUT_BLOCK,
                            .in_pitch = inner ? pixels : LAYOUT_BLOCK,
                            .out_pitch = inner ? LAYOUT_BLOCK : pixels,
                            .filled = inner ? LAYOUT_BLOCK : pixels,
                            .batch = {{job->n, inner ? image : filled, inner ? filled : image},
                                      {whole, LAYOUT_BLOCK * pixels, LAYOUT_BLOCK * pixels}}};
    transpose(job, &planes, 0);
    *(inner ? &planes.rows : &planes.columns) = rest;
    planes.batch[1].count = 1;
    transpose(job, &planes, whole);
}

/* Of some pixels the channels from one array to the other, where each has `step` elements between
 * pixels and `block_step` between blocks; `fill`: with the zeros of the last block. */
struct side {
    long step, block_step;
};

static void move_blocks(real *out, struct side to, const real *in, struct side from, long pixels,
                        long channels, bool fill)
{
    for (long pixel = 0; pixel < pixels; pixel++)
        for (long channel = 0, block = 0; channel < channels; channel += LAYOUT_BLOCK, block++) {
            real *put = out + pixel * to.step + block * to.block_step;
            const real *get = in + pixel * from.step + block * from.block_step;
            long count = channels - channel < LAYOUT_BLOCK ? channels - channel : LAYOUT_BLOCK,
                 i = 0;
            for (; i + VLEN <= count; i += VLEN)
                vec_store(put + i, vec_load(get + i));
            for (; i < count; i++)
                put[i] = get[i];
            for (; fill && i < LAYOUT_BLOCK; i++)
                put[i] = 0;
        }
}

/* Channels innermost into blocks, a block of some pixels at a time. */
static void gather_blocks(const struct job *job)
{
    enum { PIXELS = TILE_ELEMENTS / LAYOUT_BLOCK };
    real buffer[TILE_ELEMENTS] __attribute__((aligned(64)));
    struct fetch none = {0};
    const long groups = (job->pixels + PIXELS - 1) / PIXELS;
    struct part part = member_part(job->call->member, job->n * job->blocks * groups, 1);
    for (long i = part.begin; i < part.end; i++) {
        long pixel = i % groups * PIXELS, block = i / groups % job->blocks;
        long image = i / (groups * job->blocks);
        long pixels = job->pixels - pixel < PIXELS ? job->pixels - pixel : PIXELS;
        long channels = job->c - block * LAYOUT_BLOCK < LAYOUT_BLOCK ? job->c - block * LAYOUT_BLOCK
                                                                     : LAYOUT_BLOCK;
        const real *in = job->in + (image * job->pixels + pixel) * job->c + block * LAYOUT_BLOCK;
        real *out = job->out + ((image * job->blocks + block) * job->pixels + pixel) * LAYOUT_BLOCK;
        move_blocks(job->stream ? buffer : out, (struct side){LAYOUT_BLOCK, 0}, in,
                    (struct side){job->c, 0}, pixels, channels, true);
        if (job->stream)
            stream_run(out, buffer, pixels * LAYOUT_BLOCK, &none);
    }
}

/* Blocks of channels into channels innermost, all channels of some pixels at a time. */
static void scatter_blocks(const struct job *job)
{
    real buffer[TILE_ELEMENTS] __attribute__((aligned(64)));
    struct fetch none = {0};
    const bool stream = job->stream && job->c <= TILE_ELEMENTS;
    const long most = job->c < TILE_ELEMENTS ? TILE_ELEMENTS / job->c : 1;
    const long groups = (job->pixels + most - 1) / most;
    struct part part = member_part(job->call->member, job->n * groups, 1);
    for (long i = part.begin; i < part.end; i++) {
        long pixel = i % groups * most, image = i / groups;
        long pixels = job->pixels - pixel < most ? job->pixels - pixel : most;
        const real *in = job->in + (image * job->blocks * job->pixels + pixel) * LAYOUT_BLOCK;
        real *out = job->out + (image * job->pixels + pixel) * job->c;
        move_blocks(stream ? buffer : out, (struct side){job->c, LAYOUT_BLOCK}, in,
                    (struct side){LAYOUT_BLOCK, job->pixels * LAYOUT_BLOCK}, pixels, job->c, false);
        if (stream)
            stream_run(out, buffer, pixels * job->c, &none);
    }
}

body NAME(layout);
void NAME(layout)(const struct call *call)
{
    const struct shape *shape = call->shape;
    LETTERS(KERNEL_LETTER_LONG)
    const double moved_bytes = 2. * (double)call->outputs * REAL_BYTES;
    const struct job job = {.call = call,
                            .in = call->operand[1],
                            .out = call->operand[0],
                            .n = n,
                            .c = c,
                            .pixels = h * w,
                            .blocks = (c + LAYOUT_BLOCK - 1) / LAYOUT_BLOCK,
                            .stream =
                                VEC_CAN_STREAM && moved_bytes > call->caches.last_level_bytes};
    if (call->outputs == 0)
        return;
    if (from != LAYOUT_NCHWC && to != LAYOUT_NCHWC)
        swap_channels(&job, (enum layout)to);
    else if (from == LAYOUT_NCHW || to == LAYOUT_NCHW)
        swap_blocks(&job, (enum layout)to);
    else if (to == LAYOUT_NCHWC)
        gather_blocks(&job);
    else
        scatter_blocks(&job);
    vec_stream_fence();
}

#endif
