// convolution_depthwise.c - convolution of each channel by itself. Vectors run along the channels
// of a pixel: of nhwc and nchwc as they lie, of nchw by way of a block of channels of an image in
// nchwc. No padded copy: what meets the padding leaves out the taps that do.
#include "convolution.h"

/* Of a block of channels in nchw. */
static inline long block_elements(const struct convolution *conv)
{
    return conv->layout == LAYOUT_NCHW
               ? (conv->rows.in * conv->columns.in + conv->pixels) * LAYOUT_BLOCK
               : 0;
}

#ifndef ISA

int convolution_depthwise_supports(const struct convolution *conv, struct error *error)
{
    if (conv->k_pitch > 0)
        return error_skip(error, "input and output have pixels alike; drop 'pitch'");
    if (conv->source != conv->layout)
        return error_skip(error, "input and output lie alike; drop 'source'");
    if (!convolution_is_depthwise(conv))
        return error_skip(error, "depthwise convolution has one input and one output channel per "
                                 "group; choose groups = c = k");
    return OK;
}

/* The phases, then the weights of a tap side by side, their channels filled up to whole vectors of
 * any ISA. */
double convolution_depthwise_kept(const struct convolution *conv, enum isa isa, enum dtype dtype,
                                  int threads, const struct cache_sizes *caches)
{
    (void)isa, (void)threads, (void)caches;
    const double weights = (double)conv->taps * (double)layout_channels(LAYOUT_NCHWC, conv->c);
    return (double)phases_bytes(conv) + weights * dtype_bytes(dtype);
}

/* Of nchw, by member, a block of channels of an input and an output. */
double convolution_depthwise_workspace(const struct convolution *conv, enum isa isa,
                                       enum dtype dtype, int threads,
                                       const struct cache_sizes *caches)
{
    (void)isa, (void)caches;
    return threads * (double)block_elements(conv) * dtype_bytes(dtype);
}

#else
#include <string.h>

#include "transposed.h"
#include "vec.h"

/* Pixels, at most, that share the load of a weight: as many sums as latency x pipes (4 x 2). */
enum { PIXELS = 8 };

struct job {
    struct convolution conv;
    struct step step[EPILOGUE_STEPS];
    long planes, lanes;   /* nhwc is one plane of all channels, the others one per block */
    struct part channels; /* those of the lanes that are computed in one go */
    long filled;          /* channels of a tap of the weights */
    bool streams;         /* stores go past the caches: no epilogue reads them again */
    const real *input;
    real *output;
    const struct phase *row_phases, *column_phases; /* of what is kept, and weights by tap */
    real *weights;
    real *block; /* of nchw: the input of this member's block of channels, then the output */
};

/* Of input and output. */
static double conv_bytes(const struct convolution *conv)
{
    return (double)conv->n * (double)conv->c_stored * REAL_BYTES *
           (double)(conv->rows.in * conv->columns.in + conv->pixels);
}

static struct job job_of(const struct convolution *convolution, const struct call *call)
{
    struct job job = {.conv = *convolution,
                      .output = call->operand[0],
                      .input = call->operand[1],
                      .row_phases = call->kept};
    const struct convolution *conv = &job.conv;
    const bool blocked = conv->layout != LAYOUT_NHWC;
    convolution_steps(conv, call, job.step);
    job.column_phases = job.row_phases + conv->rows.phases;
    job.weights = (real *)(job.column_phases + conv->columns.phases);
    job.filled = layout_channels(LAYOUT_NCHWC, conv->c);
    job.lanes = blocked ? LAYOUT_BLOCK : conv->c;
    job.channels = (struct part){0, job.lanes};
    job.planes = blocked ? job.filled / LAYOUT_BLOCK : 1;
    job.block = (real *)call->workspace + call->member.index * block_elements(conv);
    if (conv->layout == LAYOUT_NCHW)
        return job;
    /* Phases of columns would stream parts of lines, as would vectors shorter than a line: one of
     * each pixel comes before the next one of the first, which took six times as long as stores. */
    job.streams = VEC_CAN_STREAM && VEC_BYTES == SWEEP_LINE_BYTES &&
                  conv_bytes(conv) > call->caches.last_level_bytes && conv->columns.phases == 1 &&
                  conv->epilogue == EPILOGUE_none && job.lanes % VLEN == 0 &&
                  (uintptr_t)job.output % sizeof(vec) == 0;
    return job;
}

void NAME(convolution_depthwise_prepare)(const struct convolution *conv, const struct call *call)
{
    const struct job job = job_of(conv, call);
    if (call->member.index == 0)
        find_phases(conv, call->kept);
    const struct part part = member_part(call->member, job.filled, 64 / REAL_BYTES);
    for (long tap = 0; tap < conv->taps; tap++)
        for (long channel = part.begin; channel < part.end; channel++)
            job.weights[tap * job.filled + channel] =
                channel < conv->c ? ((const real *)call->operand[2])[channel * conv->taps + tap]
                                  : 0;
}

/* What the pixels of one sum have in common. */
struct window {
    const real *weights; /* of the plane and the phases */
    struct part rows, columns;
    long row, pixel;                  /* elements between rows and columns of taps */
    long weight_row, weight_pixel;    /* the same of the weights */
    long step;                        /* between neighbouring output pixels, in the input, */
    long out_step;                    /* and in the output */
    bool left_missing, right_missing; /* the outermost columns of neighbours that go together */
    long band, in_row, out_row;       /* rows of the output, elements between them */
    long taps, line, line_step;       /* rows of taps; input line of the first of the first row, to
                                         the next one, */
    long row_step;                    /* and to the first of the next row */
};

/* The rows of taps of a row of the band that are inside the image. */
static inline struct part rows_of(const struct job *job, const struct window *window, long row)
{
    return taps_in_image(window->line + row * window->row_step, window->taps, window->line_step,
                         job->conv.rows.in);
}

/* THREE rows of taps with as many columns side by side; neighbouring output pixels are `stride` of
 * them apart. So an input element is loaded once for all of a row, and a weight for all rows of a
 * band. The outermost column on each side may be missing. */
enum { THREE = 3, STRIDES = 2, SPAN_MAX = (PIXELS - 1) * STRIDES + THREE };
ALWAYS_INLINE void sum_threes(const int pixels, const int stride, const struct job *job,
                              const struct window *window, const real *in, const real *weights,
                              real *out)
{
    const int span = (pixels - 1) * stride + THREE;
    /* Copies: the compiler takes stores for writing to what they are of. */
    const long pixel = window->pixel, row_elements = window->row, out_step = window->out_step;
    const bool left_missing = window->left_missing, right_missing = window->right_missing;
    const bool streams = job->streams, is_row = window->band == 1;
    vec weight[THREE][THREE];
    const long weight_row = window->weight_row, weight_pixel = window->weight_pixel;
    UNROLL(THREE)
    for (int r = 0; r < THREE; r++, weights += weight_row) {
        PIN_WORD(weights);
        UNROLL(THREE)
        for (int s = 0; s < THREE; s++)
            weight[r][s] = vec_load(weights + s * weight_pixel);
    }
    for (long row = 0; row < window->band; row++) {
        const struct part rows = is_row ? window->rows : rows_of(job, window, row);
        vec sum[PIXELS];
        UNROLL(PIXELS)
        for (int i = 0; i < pixels; i++)
            sum[i] = vec_all(0);
        UNROLL(THREE)
        for (int r = 0; r < THREE; r++) {
            if (r < rows.begin || r >= rows.end)
                continue;
            const real *from = in + r * row_elements;
            UNROLL(SPAN_MAX)
            for (int x = 0; x < span; x++) {
                /* Three are addressed from one register; else each takes an addition. */
                const long ahead = x % THREE * pixel;
                if (x > 0 && x % THREE == 0) {
                    from += THREE * pixel;
                    PIN_WORD(from);
                }
                if ((x == 0 && left_missing) || (x == span - 1 && right_missing))
                    continue;
                vec element = vec_load(from + ahead);
                PIN(element); /* else GCC loads it anew for every use */
                UNROLL(THREE)
                for (int s = 0; s < THREE; s++)
                    if (x >= s && (x - s) % stride == 0 && (x - s) / stride < pixels)
                        sum[(x - s) / stride] += weight[r][s] * element;
            }
        }
        if (streams) {
            UNROLL(PIXELS)
            for (int i = 0; i < pixels; i++)
                vec_stream(out + i * out_step, sum[i]);
        } else {
            UNROLL(PIXELS)
            for (int i = 0; i < pixels; i++)
                vec_store(out + i * out_step, sum[i]);
        }
        in += window->in_row;
        out += window->out_row;
    }
}

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

/* The channels of some pixels of a row. */
ALWAYS_INLINE void sum_channels(const int pixels, const struct job *job,
                                const struct window *window, const real *in, real *out)
{
    long channel = job->channels.begin;
    for (; channel + VLEN <= job->channels.end; channel += VLEN)
        sum_vector(pixels, true, job, window, channel, in, out);
    if (channel < job->channels.end)
        sum_vector(pixels, false, job, window, channel, in, out);
}

/* The same of a band; a function for each number of pixels and stride (0: not three by three taps
 * side by side, or further apart). One of the sums is a function, too: UNROLL() of vec.h. */
#define SUM_PIXELS(stride, pixels)                                                                 \
    ALWAYS_INLINE void sum_threes_##stride##_##pixels(const struct job *job,                       \
                                                      const struct window *window, const real *in, \
                                                      real *out, long channel)                     \
    {                                                                                              \
        sum_threes(pixels, stride, job, window, in + channel, window->weights + channel,           \
                   out + channel);                                                                 \
    }                                                                                              \
    static void sum_##stride##_##pixels(const struct job *job, struct window *window,              \
                                        const real *in, real *out)                                 \
    {                                                                                              \
        for (long channel = job->channels.begin; (stride) > 0 && channel < job->channels.end;      \
             channel += VLEN)                                                                      \
            sum_threes_##stride##_##pixels(job, window, in, out, channel);                         \
        for (long row = 0; (stride) == 0 && row < window->band; row++) {                           \
            window->rows = rows_of(job, window, row);                                              \
            sum_channels(pixels, job, window, in + row * window->in_row,                           \
                         out + row * window->out_row);                                             \
        }                                                                                          \
    }
#define SUM_PIXELS_NAME(stride, pixels) sum_##stride##_##pixels,
#define EACH_COUNT(X, stride)                                                                      \
    X(stride, 1)                                                                                   \
    X(stride, 2) X(stride, 3) X(stride, 4) X(stride, 5) X(stride, 6) X(stride, 7) X(stride, 8)
EACH_COUNT(SUM_PIXELS, 0)
EACH_COUNT(SUM_PIXELS, 1)
EACH_COUNT(SUM_PIXELS, 2)
typedef void sum_function(const struct job *job, struct window *window, const real *in, real *out);
static sum_function *const sum_pixels[1 + STRIDES][PIXELS] = {{EACH_COUNT(SUM_PIXELS_NAME, 0)},
                                                              {EACH_COUNT(SUM_PIXELS_NAME, 1)},
                                                              {EACH_COUNT(SUM_PIXELS_NAME, 2)}};

/* Columns [begin, end) of the output of which no tap is further than `beyond` columns outside of
 * the image. */
static inline struct part columns_within(const struct axis *columns, const struct phase *phase,
                                         long beyond)
{
    const long first = phase->line + beyond;
    const long last = columns->in - 1 + beyond - phase->line - (phase->taps - 1) * phase->line_step;
    const long begin = first < 0 ? quotient(-first + columns->step - 1, columns->step) : 0;
    const long end = last < 0 ? 0 : quotient(last, columns->step) + 1;
    const long most = end < phase->lines ? end : phase->lines;
    return begin < most ? (struct part){begin, most} : (struct part){0, 0};
}

/* The pixels of one phase of a band of output rows; `weights` are those of the phase of rows, `in`
 * and `out` of the whole rows. Pixels of which all taps are inside
 * the image go together, of whole vectors and three taps also those that lack an outermost one. */
static void sum_phase(const struct job *job, struct window *window, const struct phase *phase,
                      const real *weights, const real *in, real *out)
{
    const struct axis *columns = &job->conv.columns;
    window->weights = weights + phase->tap * job->filled;
    window->weight_pixel = phase->tap_step * job->filled;
    window->pixel = phase->line_step * job->lanes;
    window->step = columns->step * job->lanes;
    window->out_step = columns->phases * job->lanes;
    const bool threes = phase->taps == THREE && phase->line_step == 1 && columns->step <= STRIDES &&
                        window->taps == THREE && job->lanes % VLEN == 0;
    const struct part inside = columns_within(columns, phase, threes);
    in += phase->line * job->lanes;
    out += phase->index * job->lanes;
    window->rows = rows_of(job, window, 0);
    for (long column = 0, count, stride; column < phase->lines; column += count) {
        const real *from = in + column * window->step;
        const long x = column * columns->step + phase->line;
        if (column < inside.begin || column >= inside.end) {
            count = 1;
            stride = 0;
            window->columns = taps_in_image(x, phase->taps, phase->line_step, columns->in);
        } else {
            count = inside.end - column;
            if (count > PIXELS)
                count = count < 2 * PIXELS ? (count + 1) / 2 : PIXELS;
            stride = threes ? columns->step : 0;
            window->columns = (struct part){0, phase->taps};
            window->left_missing = x < 0;
            window->right_missing =
                x + (count - 1) * columns->step + phase->taps - 1 >= columns->in;
        }
        sum_pixels[stride][count - 1](job, window, from, out + column * window->out_step);
    }
}

/* Output rows of a plane, all of a phase together; `out` of the first one. */
static void sum_rows(const struct job *job, const real *weights, const real *plane,
                     struct part part, real *out)
{
    const struct convolution *conv = &job->conv;
    const struct axis *rows = &conv->rows;
    const long width = conv->columns.in * job->lanes, weight_row = conv->columns.taps * job->filled;
    const long out_row = conv->columns.out * job->lanes;
    for (long row = part.begin, band; row < part.end; row += band, out += band * out_row) {
        const long grid = quotient(row, rows->phases);
        const struct phase *phase = &job->row_phases[row - grid * rows->phases];
        const long y = grid * rows->step + phase->line;
        band = rows->phases == 1 ? part.end - row : 1;
        /* Written once: a copy would wait for the stores that made it. */
        struct window window = {.row = phase->line_step * width,
                                .weight_row = phase->tap_step * weight_row,
                                .band = band,
                                .in_row = rows->step * width,
                                .out_row = out_row,
                                .taps = phase->taps,
                                .line = y,
                                .line_step = phase->line_step,
                                .row_step = rows->step};
        for (long column = 0; column < conv->columns.phases; column++)
            sum_phase(job, &window, &job->column_phases[column], weights + phase->tap * weight_row,
                      plane + y * width, out);
    }
}

/* Blocks of channels of nchw, transposed on their way in and out. */
static void sum_blocks(const struct job *job, struct member member)
{
    const struct convolution *conv = &job->conv;
    const struct axis *rows = &conv->rows;
    const long in_pixels = rows->in * conv->columns.in;
    const struct part part = member_part(member, conv->n * job->planes, 1);
    real *sums = job->block + in_pixels * job->lanes;
    for (long item = part.begin; item < part.end; item++) {
        const long image = item / job->planes, channel = item % job->planes * LAYOUT_BLOCK;
        const long count = smaller(conv->c - channel, LAYOUT_BLOCK);
        real *output = job->output + image * conv->k * conv->pixels;
        if (count < LAYOUT_BLOCK)
            memset(job->block, 0, (size_t)(in_pixels * job->lanes) * sizeof *job->block);
        transpose_block(job->block, LAYOUT_BLOCK,
                        job->input + (image * conv->c + channel) * in_pixels, in_pixels, count,
                        in_pixels, NULL);
        sum_rows(job, job->weights + channel, job->block, (struct part){0, rows->out}, sums);
        transpose_block(output + channel * conv->pixels, conv->pixels, sums, LAYOUT_BLOCK,
                        conv->pixels, count, NULL);
        if (conv->epilogue != EPILOGUE_none)
            convolution_follow(conv, job->step, job->output,
                               (struct piece){output, channel, count, 0, conv->pixels});
    }
}

/* Output rows [part.begin, part.end) of all planes, of which `band` at a time. */
static void sum_bands(const struct job *job, struct part part, long band)
{
    const struct convolution *conv = &job->conv;
    const struct axis *rows = &conv->rows, *columns = &conv->columns;
    const long width = columns->out * job->lanes, first = job->channels.begin;
    for (long item = part.begin, next; item < part.end; item = next) {
        const long plane = item / rows->out, row = item - plane * rows->out;
        const long channel = plane % job->planes * LAYOUT_BLOCK;
        next = smaller(smaller((plane + 1) * rows->out, part.end), item + band);
        real *out = job->output + item * width;
        sum_rows(job, job->weights + channel,
                 job->input + plane * rows->in * columns->in * job->lanes,
                 (struct part){row, row + next - item}, out);
        /* What fills the last block up stays 0. */
        if (conv->epilogue != EPILOGUE_none)
            NAME(epilogue_apply)
        (job->step, (struct epilogue_block){out + first,
                                            job->lanes,
                                            (next - item) * columns->out,
                                            smaller(conv->c - channel, job->channels.end) - first,
                                            {0, channel + first, out + first - job->output}});
    }
}

void NAME(convolution_depthwise)(const struct convolution *conv, const struct call *call)
{
    struct job job = job_of(conv, call);
    const struct axis *rows = &conv->rows;
    if (conv->layout == LAYOUT_NCHW) {
        sum_blocks(&job, call->member);
        return;
    }
    /* The weights are loaded once per band, which the epilogue finds in L1, or L2 at least. In nhwc
     * rows that share few inputs go one by one: a line of each pixel after the other then, for
     * which prefetchers are made: 192 channels of 28 x 28 with stride 2 in two thirds of the time.
     * Where L2 holds all, so many channels at a time that L1 still has what the next row shares:
     * 576 channels of 14 x 14 in 0.87 of the time, while 144 of 56 x 56 would take 1.08. */
    enum { ROWS_MIN = 4, CHANNELS = 512 / REAL_BYTES };
    const bool one_by_one = conv->layout == LAYOUT_NHWC && 2 * rows->step > rows->taps;
    const double row_bytes = (double)(conv->columns.out * job.lanes * REAL_BYTES);
    const long band = one_by_one ? 1 : (long)(call->caches.l1_bytes / 2 / row_bytes) + ROWS_MIN;
    const struct part part = member_part(call->member, conv->n * job.planes * rows->out, 1);
    const bool is_near = conv_bytes(conv) / call->member.count <= call->caches.l2_bytes;
    const long lanes = one_by_one && is_near ? CHANNELS : job.lanes;
    /* Planes one after the other, as each of nhwc is swept once for each of its parts. */
    for (long begin = part.begin, end; begin < part.end; begin = end) {
        end = one_by_one ? smaller((begin / rows->out + 1) * rows->out, part.end) : part.end;
        for (long channel = 0; channel < job.lanes; channel += lanes) {
            job.channels = (struct part){channel, smaller(channel + lanes, job.lanes)};
            sum_bands(&job, (struct part){begin, end}, band);
        }
    }
    if (job.streams)
        vec_stream_fence();
}

#endif
