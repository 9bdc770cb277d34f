// conv2d_depthwise.c - convolution of each channel by itself, where the channels of a pixel lie
// side by side: nhwc and nchwc. Vectors run along the channels. No padded copy: what meets the
// padding leaves out the taps that do.
#include "conv2d.h"

#ifndef ISA

int conv2d_depthwise_supports(const struct shape *shape, struct error *error)
{
    if (!conv2d_is_depthwise(shape))
        return error_skip(error, "depthwise convolution has one input and one output channel per "
                                 "group; choose groups = c = k");
    if (shape->value[LETTER_layout] == LAYOUT_NCHW)
        return error_skip(error, "depthwise convolution needs the channels of a pixel side by "
                                 "side; choose layout=nhwc or nchwc");
    return OK;
}

/* The weights of a tap side by side, their channels filled up to whole vectors of any ISA. */
double conv2d_depthwise_workspace(const struct shape *shape, enum isa isa, enum dtype dtype,
                                  int threads, const struct cache_sizes *caches)
{
    (void)isa, (void)threads, (void)caches;
    const struct conv conv = conv_of(shape);
    return (double)(conv.r * conv.s) * (double)layout_channels(LAYOUT_NCHWC, conv.c) *
           dtype_bytes(dtype);
}

#else
#include "sweep.h"
#include "vec.h"

/* Pixels that share the load of a weight: as many sums as latency x pipes (4 x 2). */
enum { PIXELS = 8 };

struct job {
    struct conv conv;
    struct step step[EPILOGUE_STEPS];
    long planes, lanes; /* nhwc is one plane of all channels, nchwc one per block */
    long filled;        /* channels of a tap of the weights */
    bool streams;       /* stores go past the caches: no epilogue reads them again */
    const real *input, *weights;
    real *output;
};

static struct job job_of(const struct call *call)
{
    struct job job = {.conv = conv_of(call->shape),
                      .output = call->operand[0],
                      .input = call->operand[1],
                      .weights = call->workspace};
    conv2d_steps(call, job.step);
    const struct conv *conv = &job.conv;
    const bool blocked = conv->layout == LAYOUT_NCHWC;
    job.filled = layout_channels(LAYOUT_NCHWC, conv->c);
    job.lanes = blocked ? LAYOUT_BLOCK : conv->c;
    job.planes = blocked ? job.filled / LAYOUT_BLOCK : 1;
    double bytes = (double)conv->n * (double)conv->c_stored * REAL_BYTES *
                   ((double)(conv->h * conv->w) + (double)(conv->p * conv->q));
    job.streams = VEC_CAN_STREAM && bytes > call->caches.last_level_bytes &&
                  conv->epilogue == EPILOGUE_none && job.lanes % VLEN == 0 &&
                  (uintptr_t)job.output % sizeof(vec) == 0;
    return job;
}

body NAME(conv2d_depthwise_prepare);
void NAME(conv2d_depthwise_prepare)(const struct call *call)
{
    const struct job job = job_of(call);
    const long taps = job.conv.r * job.conv.s;
    const struct part part = member_part(call->member, job.filled, 64 / REAL_BYTES);
    for (long tap = 0; tap < taps; tap++)
        for (long channel = part.begin; channel < part.end; channel++)
            ((real *)call->workspace)[tap * job.filled + channel] =
                channel < job.conv.c ? ((const real *)call->operand[2])[channel * taps + tap] : 0;
}

/* The taps [begin, end) of a line that are inside the image, for the output line whose first tap is
 * at `first`. */
static struct part taps_in_image(long first, long taps, long dilation, long lines)
{
    long begin = first < 0 ? (-first + dilation - 1) / dilation : 0;
    long end = first < lines ? (lines - 1 - first) / dilation + 1 : 0;
    end = end < taps ? end : taps;
    return (struct part){begin < end ? begin : end, end};
}

/* What the pixels of one sum have in common. */
struct window {
    const real *weights; /* of the plane */
    struct part rows, columns;
    long row, pixel; /* elements between rows and columns of taps */
    long step;       /* between neighbouring output pixels, in the input */
};

/* `count` channels, a vector or less, of some neighbouring output pixels; `pixels` and `whole` are
 * constants where this is inlined. */
ALWAYS_INLINE void sum_vector(const int pixels, const bool whole, const struct job *job,
                              const struct window *window, long channel, const real *in, real *out)
{
    const long count = job->lanes - channel;
    vec sum[PIXELS];
    UNROLL(PIXELS)
    for (int i = 0; i < pixels; i++)
        sum[i] = vec_all(0);
    for (long r = window->rows.begin; r < window->rows.end; r++)
        for (long s = window->columns.begin; s < window->columns.end; s++) {
            const real *from = in + r * window->row + s * window->pixel + channel;
            const vec weight =
                vec_load(window->weights + (r * job->conv.s + s) * job->filled + channel);
            UNROLL(PIXELS)
            for (int i = 0; i < pixels; i++)
                sum[i] += weight * (whole ? vec_load(from + i * window->step)
                                          : vec_load_first(from + i * window->step, count));
        }
    UNROLL(PIXELS)
    for (int i = 0; i < pixels; i++) {
        real *to = out + i * job->lanes + channel;
        if (!whole)
            vec_store_first(to, sum[i], count);
        else if (job->streams)
            vec_stream(to, sum[i]);
        else
            vec_store(to, sum[i]);
    }
}

/* All channels of a plane, of some pixels. */
#define SUM_PIXELS(pixels)                                                                         \
    static void sum_pixels_##pixels(const struct job *job, const struct window *window,            \
                                    const real *in, real *out)                                     \
    {                                                                                              \
        long channel = 0;                                                                          \
        for (; channel + VLEN <= job->lanes; channel += VLEN)                                      \
            sum_vector(pixels, true, job, window, channel, in, out);                               \
        if (channel < job->lanes)                                                                  \
            sum_vector(pixels, false, job, window, channel, in, out);                              \
    }
SUM_PIXELS(1)
SUM_PIXELS(8)

/* One output row of a plane. */
static void sum_row(const struct job *job, const real *weights, const real *plane, long row,
                    real *out)
{
    const struct conv *conv = &job->conv;
    const long width = conv->w * job->lanes, y = row * conv->stride - conv->pad;
    struct window window = {.weights = weights,
                            .rows = taps_in_image(y, conv->r, conv->dilation, conv->h),
                            .row = conv->dilation * width,
                            .pixel = conv->dilation * job->lanes,
                            .step = conv->stride * job->lanes};
    for (long column = 0; column < conv->q;) {
        const long x = column * conv->stride - conv->pad;
        const real *in = plane + y * width + x * job->lanes;
        const long last = x + (PIXELS - 1) * conv->stride;
        const bool inside =
            column + PIXELS <= conv->q && x >= 0 && last + (conv->s - 1) * conv->dilation < conv->w;
        window.columns = taps_in_image(x, conv->s, conv->dilation, conv->w);
        if (inside) {
            /* The lowest row of taps is the one that no earlier output row has read. */
            const real *lowest = in + (conv->r - 1) * window.row;
            for (long at = 0; at < PIXELS * window.step; at += SWEEP_LINE_BYTES / REAL_BYTES)
                sweep_fetch(lowest + at, 0);
            sum_pixels_8(job, &window, in, out + column * job->lanes);
        } else {
            sum_pixels_1(job, &window, in, out + column * job->lanes);
        }
        column += inside ? PIXELS : 1;
    }
}

body NAME(conv2d_depthwise);
void NAME(conv2d_depthwise)(const struct call *call)
{
    const struct job job = job_of(call);
    const struct conv *conv = &job.conv;
    const struct part part = member_part(call->member, conv->n * job.planes * conv->p, 1);
    for (long item = part.begin; item < part.end; item++) {
        const long row = item % conv->p, plane = item / conv->p;
        const long channel = plane % job.planes * LAYOUT_BLOCK, rest = conv->c - channel;
        real *out = job.output + (plane * conv->p + row) * conv->q * job.lanes;
        sum_row(&job, job.weights + channel, job.input + plane * conv->h * conv->w * job.lanes, row,
                out);
        /* While the row is in L1 or L2; what fills the last block up stays 0. */
        NAME(epilogue_apply)
        (job.step, (struct epilogue_block){out,
                                           job.lanes,
                                           conv->q,
                                           rest < job.lanes ? rest : job.lanes,
                                           {0, channel, out - job.output}});
    }
    if (job.streams)
        vec_stream_fence();
}

#endif
