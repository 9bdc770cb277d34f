// convolution_depthwise.c - convolution of each channel by itself, where the channels of a pixel
// lie side by side: nhwc and nchwc. Vectors run along the channels. No padded copy: what meets the
// padding leaves out the taps that do.
#include "convolution.h"

#ifndef ISA

int convolution_depthwise_supports(const struct convolution *conv, struct error *error)
{
    if (!convolution_is_depthwise(conv))
        return error_skip(error, "depthwise convolution has one input and one output channel per "
                                 "group; choose groups = c = k");
    if (conv->layout == LAYOUT_NCHW)
        return error_skip(error, "depthwise convolution needs the channels of a pixel side by "
                                 "side; choose layout=nhwc or nchwc");
    return OK;
}

/* The phases, then the weights of a tap side by side, their channels filled up to whole vectors of
 * any ISA. */
double convolution_depthwise_workspace(const struct convolution *conv, enum isa isa,
                                       enum dtype dtype, int threads,
                                       const struct cache_sizes *caches)
{
    (void)isa, (void)threads, (void)caches;
    return (double)phases_bytes(conv) +
           (double)conv->taps * (double)layout_channels(LAYOUT_NCHWC, conv->c) * dtype_bytes(dtype);
}

#else
#include "sweep.h"
#include "vec.h"

/* Pixels that share the load of a weight: as many sums as latency x pipes (4 x 2). */
enum { PIXELS = 8 };

struct job {
    struct convolution conv;
    struct step step[EPILOGUE_STEPS];
    long planes, lanes; /* nhwc is one plane of all channels, nchwc one per block */
    long filled;        /* channels of a tap of the weights */
    bool streams;       /* stores go past the caches: no epilogue reads them again */
    const real *input;
    real *output;
    const struct phase *row_phases, *column_phases; /* in the workspace, and weights by tap */
    real *weights;
};

static struct job job_of(const struct convolution *convolution, const struct call *call)
{
    struct job job = {.conv = *convolution,
                      .output = call->operand[0],
                      .input = call->operand[1],
                      .row_phases = call->workspace};
    const struct convolution *conv = &job.conv;
    const bool blocked = conv->layout == LAYOUT_NCHWC;
    convolution_steps(conv, call, job.step);
    job.column_phases = job.row_phases + conv->rows.phases;
    job.weights = (real *)(job.column_phases + conv->columns.phases);
    job.filled = layout_channels(LAYOUT_NCHWC, conv->c);
    job.lanes = blocked ? LAYOUT_BLOCK : conv->c;
    job.planes = blocked ? job.filled / LAYOUT_BLOCK : 1;
    double bytes = (double)conv->n * (double)conv->c_stored * REAL_BYTES *
                   (double)(conv->rows.in * conv->columns.in + conv->pixels);
    /* Phases of columns would stream parts of lines. */
    job.streams = VEC_CAN_STREAM && bytes > call->caches.last_level_bytes &&
                  conv->columns.phases == 1 && conv->epilogue == EPILOGUE_none &&
                  job.lanes % VLEN == 0 && (uintptr_t)job.output % sizeof(vec) == 0;
    return job;
}

void NAME(convolution_depthwise_prepare)(const struct convolution *conv, const struct call *call)
{
    const struct job job = job_of(conv, call);
    if (call->member.index == 0)
        find_phases(conv, call->workspace);
    const struct part part = member_part(call->member, job.filled, 64 / REAL_BYTES);
    for (long tap = 0; tap < conv->taps; tap++)
        for (long channel = part.begin; channel < part.end; channel++)
            job.weights[tap * job.filled + channel] =
                channel < conv->c ? ((const real *)call->operand[2])[channel * conv->taps + tap]
                                  : 0;
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
    const real *weights; /* of the plane and the phases */
    struct part rows, columns;
    long row, pixel;               /* elements between rows and columns of taps */
    long weight_row, weight_pixel; /* the same of the weights */
    long step;                     /* between neighbouring output pixels, in the input, */
    long out_step;                 /* and in the output */
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
            const vec weight = vec_load(window->weights + r * window->weight_row +
                                        s * window->weight_pixel + channel);
            UNROLL(PIXELS)
            for (int i = 0; i < pixels; i++)
                sum[i] += weight * (whole ? vec_load(from + i * window->step)
                                          : vec_load_first(from + i * window->step, count));
        }
    UNROLL(PIXELS)
    for (int i = 0; i < pixels; i++) {
        real *to = out + i * window->out_step + channel;
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

/* The pixels of one phase of an output row, of whose rows of taps `window` knows; `in` and `out`
 * are of the whole rows. */
static void sum_phase(const struct job *job, struct window window, const struct phase *phase,
                      const real *in, real *out)
{
    const struct axis *columns = &job->conv.columns;
    window.weights += phase->tap * job->filled;
    window.weight_pixel = phase->tap_step * job->filled;
    window.pixel = phase->line_step * job->lanes;
    window.step = columns->step * job->lanes;
    window.out_step = columns->phases * job->lanes;
    out += phase->index * job->lanes;
    for (long column = 0; column < phase->lines;) {
        const long x = column * columns->step + phase->line;
        const real *from = in + x * job->lanes;
        const long last = x + (PIXELS - 1) * columns->step;
        const bool inside = column + PIXELS <= phase->lines && x >= 0 &&
                            last + (phase->taps - 1) * phase->line_step < columns->in;
        window.columns = taps_in_image(x, phase->taps, phase->line_step, columns->in);
        if (inside) {
            /* The lowest row of taps is the one that no earlier output row has read. */
            const real *lowest = from + (window.rows.end - 1) * window.row;
            for (long at = 0; at < PIXELS * window.step; at += SWEEP_LINE_BYTES / REAL_BYTES)
                sweep_fetch(lowest + at, 0);
            sum_pixels_8(job, &window, from, out + column * window.out_step);
        } else {
            sum_pixels_1(job, &window, from, out + column * window.out_step);
        }
        column += inside ? PIXELS : 1;
    }
}

/* One output row of a plane. */
static void sum_row(const struct job *job, const real *weights, const real *plane, long row,
                    real *out)
{
    const struct convolution *conv = &job->conv;
    const struct phase *phase = &job->row_phases[row % conv->rows.phases];
    const long width = conv->columns.in * job->lanes, weight_row = conv->columns.taps * job->filled;
    const long y = row / conv->rows.phases * conv->rows.step + phase->line;
    const struct window window = {
        .weights = weights + phase->tap * weight_row,
        .rows = taps_in_image(y, phase->taps, phase->line_step, conv->rows.in),
        .row = phase->line_step * width,
        .weight_row = phase->tap_step * weight_row};
    for (long column = 0; column < conv->columns.phases; column++)
        sum_phase(job, window, &job->column_phases[column], plane + y * width, out);
}

void NAME(convolution_depthwise)(const struct convolution *conv, const struct call *call)
{
    const struct job job = job_of(conv, call);
    const struct axis *rows = &conv->rows, *columns = &conv->columns;
    const struct part part = member_part(call->member, conv->n * job.planes * rows->out, 1);
    for (long item = part.begin; item < part.end; item++) {
        const long row = item % rows->out, plane = item / rows->out;
        const long channel = plane % job.planes * LAYOUT_BLOCK, rest = conv->c - channel;
        real *out = job.output + (plane * rows->out + row) * columns->out * job.lanes;
        sum_row(&job, job.weights + channel, job.input + plane * rows->in * columns->in * job.lanes,
                row, out);
        /* While the row is in L1 or L2; what fills the last block up stays 0. */
        NAME(epilogue_apply)
        (job.step, (struct epilogue_block){out,
                                           job.lanes,
                                           columns->out,
                                           rest < job.lanes ? rest : job.lanes,
                                           {0, channel, out - job.output}});
    }
    if (job.streams)
        vec_stream_fence();
}

#endif
