// convolution_planes.c - convolution in nchw where groups have few output channels, depthwise most
// of all. Vectors run along the rows of one channel. A member copies some rows of the channels of a
// group, with their padding, into a buffer that L1 holds, and sums them from there; while it does,
// the rows of the next buffer are on their way.
#include <math.h>

#include "convolution.h"

/* Buffers of a member, and what of L1 each may take. */
enum { BUFFERS = 2, L1_PART = 4 };

/* What stands where in what is kept and in the workspace, in elements. */
struct plan {
    long pitch, row, plane; /* of a buffer: a column phase, a row (`step` phases), a channel */
    long lines;             /* grid rows that are summed from one buffer */
    long buffer, weights;
    long sheet_pitch, sheet; /* rows of results before their column phases are interleaved */
    long taps;               /* table entries: offset of each tap */
};

/* Output rows of one channel that are summed together, at most: as many sums as hide the latency of
 * one. Half of them where registers would be short beside nine weights. */
enum { ROWS_MOST = 8 };

static inline struct plan plan_of(const struct convolution *conv, int element_bytes,
                                  const struct cache_sizes *caches)
{
    const struct axis *rows = &conv->rows, *columns = &conv->columns;
    const long line = 64 / element_bytes, width = lines_under(columns, columns->grid);
    /* Rows begin with a line, so that a third of the taps are loaded from one line, not from two.
     */
    struct plan plan = {.pitch = round_up(ceil_divide(width, columns->step), line)};
    plan.row = plan.pitch * smaller(columns->step, width);
    const double line_bytes = (double)conv->c_group * (double)(plan.row * element_bytes);
    const double most = caches->l1_bytes / L1_PART / line_bytes - (double)rows->reach;
    const long lines = most < (double)rows->grid * (double)rows->step
                           ? (long)fmax(ROWS_MOST, most / (double)rows->step)
                           : rows->grid;
    plan.lines = ceil_divide(rows->grid, ceil_divide(rows->grid, lines));
    plan.plane = plan.row * lines_under(rows, plan.lines);
    /* A vector may begin at the last element. */
    plan.buffer = round_up(conv->c_group * plan.plane + line, line);
    plan.weights = round_up(conv->k * conv->c_group * conv->taps, line);
    if (columns->phases > 1) {
        plan.sheet_pitch = odd_lines(columns->grid, line);
        plan.sheet = columns->phases * plan.lines * plan.sheet_pitch;
    }
    plan.taps = round_up(conv->c_group * conv->taps, 64 / (long)sizeof(long));
    return plan;
}

#ifndef ISA

int convolution_planes_supports(const struct convolution *conv, struct error *error)
{
    if (conv->layout != LAYOUT_NCHW)
        return error_skip(error, "vectors run along the rows of one channel; choose layout=nchw");
    return OK;
}

double convolution_planes_kept(const struct convolution *conv, enum isa isa, enum dtype dtype,
                               int threads, const struct cache_sizes *caches)
{
    (void)isa, (void)threads;
    const struct plan plan = plan_of(conv, dtype_bytes(dtype), caches);
    return (double)phases_bytes(conv) + (double)plan.taps * sizeof(long) +
           (double)plan.weights * dtype_bytes(dtype);
}

double convolution_planes_workspace(const struct convolution *conv, enum isa isa, enum dtype dtype,
                                    int threads, const struct cache_sizes *caches)
{
    (void)isa;
    const struct plan plan = plan_of(conv, dtype_bytes(dtype), caches);
    return threads * (double)(BUFFERS * plan.buffer + plan.sheet) * dtype_bytes(dtype);
}

#else
#include <string.h>

#include "interleave.h"
#include "vec.h"

enum { ROWS = VEC_REGISTERS >= 32 ? ROWS_MOST : ROWS_MOST / 2 };

/* Neighbouring output rows and columns are so many input rows and columns apart, at most, where
 * there is a path of their own for them. */
enum { STRIDES = 2 };

/* One call as one member sees it. */
struct job {
    struct convolution conv;
    struct plan plan;
    struct step step[EPILOGUE_STEPS];
    const real *input;
    real *output;
    /* Of what is kept: shared by all members. */
    const struct phase *row_phases, *column_phases;
    long *taps;    /* offsets in a buffer, by pair of phases */
    real *weights; /* by pair of phases, output channel, input channel and tap */
    /* In the workspace, of this member. */
    real *buffer, *sheet;
};

static struct job job_of(const struct convolution *conv, const struct call *call)
{
    struct job job = {.conv = *conv,
                      .plan = plan_of(conv, REAL_BYTES, &call->caches),
                      .input = call->operand[1],
                      .output = call->operand[0],
                      .row_phases = call->kept};
    const struct plan *plan = &job.plan;
    convolution_steps(conv, call, job.step);
    job.column_phases = job.row_phases + conv->rows.phases;
    job.taps = (long *)(job.column_phases + conv->columns.phases);
    job.weights = (real *)(job.taps + plan->taps);
    job.buffer =
        (real *)call->workspace + call->member.index * (BUFFERS * plan->buffer + plan->sheet);
    job.sheet = job.buffer + BUFFERS * plan->buffer;
    return job;
}

static long *taps_at(const struct job *job, const struct phase_pair *both)
{
    return job->taps + job->conv.c_group * both->before;
}

static real *weights_at(const struct job *job, const struct phase_pair *both, long channel)
{
    return job->weights + job->conv.c_group * (job->conv.k * both->before + channel * both->taps);
}

static void find_taps(const struct job *job, const struct phase_pair *both)
{
    const struct plan *plan = &job->plan;
    for (long i = 0; i < job->conv.c_group * both->taps; i++)
        taps_at(job, both)[i] = tap_place(
            &job->conv, both, i, (struct sorted_image){plan->pitch, plan->row, plan->plane});
}

static void order_weights(const struct job *job, const struct call *call,
                          const struct phase_pair *both, long channel)
{
    const struct convolution *conv = &job->conv;
    const long group = channel / conv->k_group;
    const real *weights = (const real *)call->operand[2] +
                          group * conv->k_group * conv->c_group * conv->taps +
                          channel % conv->k_group * conv->weight_k;
    for (long i = 0; i < conv->c_group * both->taps; i++)
        weights_at(job, both, channel)[i] =
            weights[i / both->taps * conv->weight_c + pair_tap(conv, both, i % both->taps)];
}

void NAME(convolution_planes_prepare)(const struct convolution *conv, const struct call *call)
{
    const struct job job = job_of(conv, call);
    const bool first = call->member.index == 0;
    const struct part part = member_part(call->member, conv->k, 1);
    if (first)
        find_phases(conv, call->kept);
    for (long row = 0; row < conv->rows.phases; row++)
        for (long column = 0; column < conv->columns.phases; column++) {
            const struct phase_pair both = find_pair(conv, row, column);
            if (first)
                find_taps(&job, &both);
            for (long channel = part.begin; channel < part.end; channel++)
                order_weights(&job, call, &both, channel);
        }
}

/* Some grid rows of a group of an image. */
struct band {
    long image, group;
    struct part lines;
};

static struct band band_at(const struct job *job, long row)
{
    const long grid = job->conv.rows.grid, item = row / grid, begin = row - item * grid;
    return (struct band){item / job->conv.groups,
                         item % job->conv.groups,
                         {begin, smaller(grid, begin + job->plan.lines)}};
}

/* The band behind this one, without the divisions. */
static struct band band_behind(const struct job *job, struct band band)
{
    const long grid = job->conv.rows.grid;
    band.lines.begin = band.lines.end;
    if (band.lines.begin == grid) {
        band.lines.begin = 0;
        if (++band.group == job->conv.groups) {
            band.group = 0;
            band.image++;
        }
    }
    band.lines.end = smaller(grid, band.lines.begin + job->plan.lines);
    return band;
}

/* Lanes [begin, end) of those that begin at p are inside the image. An address of which no lane is
 * inside may be far outside: nothing is loaded there, not even by an empty mask. */
ALWAYS_INLINE vec load_inside(const real *p, long begin, long end)
{
    if (begin <= 0 && end >= VLEN)
        return vec_load(p);
    if (begin >= VLEN || end <= 0)
        return vec_all(0);
    return vec_load_part(p, greater(0, begin), smaller(end, VLEN));
}

/* Rows of a channel with their padding: `lead` columns before those of the image. The columns x,
 * x + step, x + 2 step ... lie side by side, phase x % step begins at phase * pitch. */
struct strip {
    real *to;
    const real *from; /* column 0, which may be outside of the image */
    long to_row, from_row;
    long count, pitch, step, lead, width; /* rows; ...; columns of the image */
};

/* Of each row a vector at a time, or two that are sorted into two phases, so that what is outside
 * the image is found once for all rows. `step` is a constant where this is inlined. */
ALWAYS_INLINE void copy_vectors(const int step, const struct strip *strip)
{
    for (long i = 0; i < strip->pitch; i += VLEN) {
        const long begin = strip->lead - i * step, end = begin + strip->width;
        const real *from = strip->from + i * step;
        real *to = strip->to + i;
        for (long y = 0; y < strip->count; y++, from += strip->from_row, to += strip->to_row) {
            const vec a = load_inside(from, begin, end);
            if (step == 1) {
                vec_store(to, a);
                continue;
            }
#if VLEN > 1
            const vec b = load_inside(from + VLEN, begin - VLEN, end - VLEN);
            vec_store(to, first_of_pairs(a, b));
            vec_store(to + strip->pitch, second_of_pairs(a, b));
#endif
        }
    }
}

static void copy_elements(const struct strip *strip)
{
    for (long y = 0; y < strip->count; y++)
        for (long i = 0; i < strip->to_row; i++) {
            const long column = i % strip->pitch * strip->step + i / strip->pitch;
            const bool inside = column >= strip->lead && column < strip->lead + strip->width;
            strip->to[y * strip->to_row + i] =
                inside ? strip->from[y * strip->from_row + column] : 0;
        }
}

/* What a band reads of the channels of its group, rows and columns of the padding included. */
static void copy_band(const struct job *job, const struct band *band, real *buffer)
{
    const struct convolution *conv = &job->conv;
    const struct axis *rows = &conv->rows, *columns = &conv->columns;
    const struct plan *plan = &job->plan;
    const long channel = band->image * conv->c + band->group * conv->c_group;
    const real *input = job->input + channel * rows->in * columns->in;
    const long first = band->lines.begin * rows->step + rows->lowest;
    const long count = lines_under(rows, band->lines.end - band->lines.begin);
    /* Rows [begin, end) of the band are inside the image. */
    const long end = greater(0, smaller(count, rows->in - first));
    const long begin = smaller(end, greater(0, -first));
    const long lead = -columns->lowest;
    struct strip strip = {.to = buffer + begin * plan->row,
                          .from = input + (first + begin) * columns->in - lead,
                          .to_row = plan->row,
                          .from_row = columns->in,
                          .count = end - begin,
                          .pitch = plan->pitch,
                          .step = columns->step,
                          .lead = lead,
                          .width = columns->in};
    for (long c = 0; c < conv->c_group; c++) {
        memset(buffer, 0, (size_t)(begin * plan->row) * sizeof *buffer);
        memset(buffer + end * plan->row, 0, (size_t)((count - end) * plan->row) * sizeof *buffer);
        if (columns->step == 1)
            copy_vectors(1, &strip);
        else if (columns->step == 2 && plan->row == 2 * plan->pitch && VLEN > 1)
            copy_vectors(2, &strip);
        else
            copy_elements(&strip);
        buffer += plan->plane;
        strip.to += plan->plane;
        strip.from += rows->in * columns->in;
    }
}

/* What the sums of some rows of an output channel have in common; lengths in elements. */
struct sums {
    const real *weights;
    const long *taps;    /* offset of each */
    long channels, each; /* input channels, and taps of each */
    long plane, row;     /* from a channel to the next, and from a row to the next, of the buffer */
    long width, pitch;   /* of the output */
};

/* Taps one after the other: any number of them, wherever they are. */
ALWAYS_INLINE void sum_taps(const int rows, long step, const struct sums *sums, const real *from,
                            vec sum[ROWS])
{
    step *= sums->row;
    for (long tap = 0; tap < sums->channels * sums->each; tap++) {
        const real *at = from + sums->taps[tap];
        const vec weight = vec_all(sums->weights[tap]);
        UNROLL(ROWS)
        for (int i = 0; i < rows; i++)
            sum[i] += weight * vec_load(at + i * step);
    }
}

/* Three rows of three taps: what is loaded serves the output rows above and below, too. */
enum { THREE = 3, LINES_MAX = (ROWS - 1) * STRIDES + THREE };
ALWAYS_INLINE void sum_threes(const int rows, const int stride, const struct sums *sums,
                              const real *from, vec sum[ROWS])
{
    for (long channel = 0; channel < sums->channels; channel++) {
        const real *weights = sums->weights + channel * THREE * THREE;
        const real *at = from + channel * sums->plane;
        vec weight[THREE * THREE];
        UNROLL(THREE * THREE)
        for (int i = 0; i < THREE * THREE; i++)
            weight[i] = vec_all(weights[i]);
        UNROLL(LINES_MAX)
        for (int y = 0; y < (rows - 1) * stride + THREE; y++, at += sums->row) {
            UNROLL(THREE)
            for (int s = 0; s < THREE; s++) {
                vec element = vec_load(at + sums->taps[s]);
                PIN(element); /* else GCC loads it anew for every use */
                UNROLL(THREE)
                for (int r = 0; r < THREE; r++)
                    if (y >= r && (y - r) % stride == 0 && (y - r) / stride < rows)
                        sum[(y - r) / stride] += weight[r * THREE + s] * element;
            }
        }
    }
}

/* `rows` output rows; `stride` (0: not three by three taps, or further apart than STRIDES) and
 * `rows` are constants where this is inlined. The last vector overlaps the one before it. */
ALWAYS_INLINE void sum_rows(const int rows, const int stride, const struct sums *sums, long step,
                            const real *from, real *out)
{
    const long last = sums->width - VLEN;
    for (long column = 0;; column = smaller(column + VLEN, last)) {
        vec sum[ROWS];
        UNROLL(ROWS)
        for (int i = 0; i < rows; i++)
            sum[i] = vec_all(0);
        if (stride)
            sum_threes(rows, stride, sums, from + column, sum);
        else
            sum_taps(rows, step, sums, from + column, sum);
        UNROLL(ROWS)
        for (int i = 0; i < rows; i++) {
            real *to = out + i * sums->pitch + column;
            if (last >= 0)
                vec_store(to, sum[i]);
            else
                vec_store_first(to, sum[i], sums->width);
        }
        if (column >= last)
            return;
    }
}

/* A function for each number of rows and stride. */
#define SUM_ROWS(stride, rows)                                                                     \
    static void sum_##stride##_##rows(const struct sums *sums, long step, const real *from,        \
                                      real *out)                                                   \
    {                                                                                              \
        sum_rows(rows, stride, sums, step, from, out);                                             \
    }
#define SUM_ROWS_NAME(stride, rows) sum_##stride##_##rows,
#if VEC_REGISTERS >= 32
#define EACH_COUNT(X, stride)                                                                      \
    X(stride, 1)                                                                                   \
    X(stride, 2) X(stride, 3) X(stride, 4) X(stride, 5) X(stride, 6) X(stride, 7) X(stride, 8)
#else
#define EACH_COUNT(X, stride) X(stride, 1) X(stride, 2) X(stride, 3) X(stride, 4)
#endif
EACH_COUNT(SUM_ROWS, 0)
EACH_COUNT(SUM_ROWS, 1)
EACH_COUNT(SUM_ROWS, 2)
typedef void sum_function(const struct sums *sums, long step, const real *from, real *out);
static sum_function *const sum_functions[1 + STRIDES][ROWS] = {
    {EACH_COUNT(SUM_ROWS_NAME, 0)}, {EACH_COUNT(SUM_ROWS_NAME, 1)}, {EACH_COUNT(SUM_ROWS_NAME, 2)}};

/* Grid rows of a band, of an output channel and a phase of rows; `plane` is the channel's output.
 */
static void sum_phase(const struct job *job, const struct band *band, const struct phase *rows,
                      long channel, const real *buffer, real *plane)
{
    const struct convolution *conv = &job->conv;
    const struct plan *plan = &job->plan;
    const long phases = conv->columns.phases, width = conv->columns.out, step = conv->rows.step;
    const long pitch = conv->rows.phases * width, sheet = plan->lines * plan->sheet_pitch;
    const long lines = smaller(band->lines.end, rows->lines) - band->lines.begin;
    real *out = plane + band->lines.begin * pitch + rows->index * width;
    for (long column = 0; column < phases; column++) {
        const struct phase_pair both = pair_of(conv, *rows, job->column_phases[column]);
        const bool threes = both.rows.taps == THREE && both.columns.taps == THREE &&
                            both.rows.line_step == 1 && step <= STRIDES;
        sum_function *const *functions = sum_functions[threes ? step : 0];
        const struct sums sums = {.weights = weights_at(job, &both, channel),
                                  .taps = taps_at(job, &both),
                                  .channels = conv->c_group,
                                  .each = both.taps,
                                  .plane = plan->plane,
                                  .row = plan->row,
                                  .width = plan->sheet ? conv->columns.grid : width,
                                  .pitch = plan->sheet ? plan->sheet_pitch : pitch};
        const real *from = buffer;
        real *to = plan->sheet ? job->sheet + column * sheet : out;
        for (long left = lines, count; left > 0; left -= count) {
            count = left <= ROWS ? left : left < 2 * ROWS ? (left + 1) / 2 : ROWS;
            functions[count - 1](&sums, step, from, to);
            from += count * step * plan->row;
            to += count * sums.pitch;
        }
    }
    for (long i = 0; i < lines && plan->sheet; i++)
        interleave(job->sheet + i * plan->sheet_pitch, sheet, phases, width, out + i * pitch);
}

/* All output channels of a band. */
static void sum_band(const struct job *job, const struct band *band, const real *buffer)
{
    const struct convolution *conv = &job->conv;
    const struct axis *rows = &conv->rows;
    const long width = conv->columns.out, first = band->group * conv->k_group;
    const long begin = band->lines.begin * rows->phases;
    const long end = smaller(band->lines.end * rows->phases, rows->out);
    real *image = job->output + band->image * conv->k * conv->pixels;
    for (long channel = first; channel < first + conv->k_group; channel++) {
        for (long phase = 0; phase < rows->phases; phase++)
            sum_phase(job, band, &job->row_phases[phase], channel, buffer,
                      image + channel * conv->pixels);
        if (conv->epilogue != EPILOGUE_none)
            convolution_follow(
                conv, job->step, job->output,
                (struct piece){image, channel, 1, begin * width, (end - begin) * width});
    }
}

void NAME(convolution_planes)(const struct convolution *conv, const struct call *call)
{
    const struct job job = job_of(conv, call);
    const struct part part = member_part(call->member, conv->n * conv->groups * conv->rows.grid, 1);
    if (part.begin == part.end)
        return;
    real *buffer = job.buffer, *other = job.buffer + job.plan.buffer;
    struct band band = band_at(&job, part.begin);
    long left = part.end - part.begin;
    band.lines.end = smaller(band.lines.end, band.lines.begin + left);
    copy_band(&job, &band, buffer);
    while (left > 0) {
        left -= band.lines.end - band.lines.begin;
        struct band next = band_behind(&job, band);
        next.lines.end = smaller(next.lines.end, next.lines.begin + left);
        if (left > 0)
            copy_band(&job, &next, other);
        sum_band(&job, &band, buffer);
        real *swapped = buffer;
        buffer = other;
        other = swapped;
        band = next;
    }
}

#endif
