// conv2d_direct.c - convolution where the channels of a pixel lie side by side: nhwc and nchwc.
//
// A register tile of output pixels x vectors of output channels is summed over the taps and a block
// of input channels: each step multiplies a vector of weights by one input element per pixel. No
// patch is copied, so that an input element is read from the caches once per tap and panel of
// output channels. The weights are in panels, in the order in which the tile reads them.
#include "conv2d.h"

/* The pixels of a tile are two runs of neighbours in rows, as images are as narrow as 7 pixels and
 * the run of a narrow one goes with that of the next row. 6 pixels x 4 vectors of sums, the vectors
 * of weights and an input element take 29 of 32 registers, 6 x 2 take 15 of 16; few loads per FMA
 * matter more than more sums: 14 x 2 was 7 % slower. */
enum { RUN_PIXELS = 3, TILE_RUNS = 2 };
#define TILE_VECTORS_OF(registers) ((registers) >= 32 ? 4 : 2)

struct direct {
    struct conv conv;
    long run;                 /* pixels of the longer runs; the shorter have one less */
    long longer, shorter;     /* runs in a row of the output, the longer come first */
    long panel, panels;       /* output channels of a panel of weights; panels of a group */
    long depth;               /* input channels of a block */
    bool in_place;            /* the tile reads the input, not a padded copy of a band of it */
    long pixel, row, image;   /* elements between columns, rows and images of what the tile reads */
    long rows, images;        /* output rows of a band; its images, which are whole where several */
    long taps, weights, copy; /* entries and elements in the workspace; `copy` is a member's */
};

static inline long ceil_divide(long total, long part)
{
    return (total + part - 1) / part;
}

/* `total` in equal blocks of at most `largest`, at least `multiple`. */
static inline long equal_block(long total, double largest, long multiple)
{
    if ((double)total <= largest)
        return total;
    long limit = largest < (double)multiple ? multiple : (long)largest / multiple * multiple;
    return ceil_divide(ceil_divide(total, ceil_divide(total, limit)), multiple) * multiple;
}

/* Input rows under so many output rows. */
static inline long rows_under(const struct conv *conv, long rows)
{
    return (rows - 1) * conv->stride + (conv->r - 1) * conv->dilation + 1;
}

/* What the tile reads: the input itself where that needs no padding, and the pixels of a tile do
 * not lie so that they all fall into a few sets of L1. A copy has each pixel begin in a set of its
 * own, by an odd number of lines, but for images of few channels. */
static inline void plan_source(struct direct *plan, long line)
{
    const struct conv *conv = &plan->conv;
    const bool blocked = conv->layout == LAYOUT_NCHWC;
    const long pixel = blocked ? LAYOUT_BLOCK : conv->c, width = conv->w + 2 * conv->pad;
    plan->in_place = conv->pad == 0 && (blocked ? conv->c_group % LAYOUT_BLOCK == 0
                                                : pixel * conv->stride % (32 * line) != 0);
    if (plan->in_place) {
        plan->pixel = pixel;
        plan->row = conv->w * pixel;
        plan->image = conv->h * conv->w * conv->c_stored;
    } else {
        plan->pixel =
            conv->c_group < line ? conv->c_group : (ceil_divide(conv->c_group, line) | 1) * line;
        plan->row = width * plan->pixel;
        plan->image = plan->row * rows_under(conv, conv->p);
    }
}

static inline struct direct plan_of(const struct shape *shape, long panel, int element_bytes,
                                    const struct cache_sizes *caches)
{
    const long line = 64 / element_bytes;
    struct direct plan = {.conv = conv_of(shape), .panel = panel};
    const struct conv *conv = &plan.conv;
    const long runs = ceil_divide(conv->q, RUN_PIXELS);
    plan.run = ceil_divide(conv->q, runs);
    plan.shorter = plan.run * runs - conv->q;
    plan.longer = runs - plan.shorter;
    plan.panels = ceil_divide(conv->k_group, plan.panel);
    /* A block of a panel stays in L2 while the tiles of a band pass, beside the next one, which is
     * fetched meanwhile. */
    const double channel_bytes = (double)(conv->r * conv->s * plan.panel * element_bytes);
    plan.depth = equal_block(conv->c_group, caches->l2_bytes / 8 / channel_bytes, LAYOUT_BLOCK);
    plan_source(&plan, line);
    /* The input of a band stays in half of L2 while the panels pass. */
    const double row_bytes = (double)(plan.row * element_bytes);
    const double fit = caches->l2_bytes / 2 / row_bytes - (double)rows_under(conv, 1);
    plan.rows = equal_block(conv->p, fit < 0 ? 1 : fit / (double)conv->stride + 1, 1);
    plan.images = 1;
    if (plan.rows == conv->p)
        plan.images =
            equal_block(conv->n, caches->l2_bytes / 2 / (double)(plan.image * element_bytes), 1);
    plan.taps = ceil_divide(conv->r * conv->s, 8) * 8;
    plan.weights = conv->groups * plan.panels * plan.panel * conv->c_group * conv->r * conv->s;
    plan.weights = ceil_divide(plan.weights, line) * line;
    if (!plan.in_place)
        plan.copy = ceil_divide(plan.images * rows_under(conv, plan.rows) * plan.row, line) * line;
    return plan;
}

#ifndef ISA

int conv2d_direct_supports(const struct shape *shape, struct error *error)
{
    if (shape->value[LETTER_layout] == LAYOUT_NCHW)
        return error_skip(error, "direct convolution needs the channels of a pixel side by side; "
                                 "choose layout=nhwc or nchwc");
    return OK;
}

double conv2d_direct_workspace(const struct shape *shape, enum isa isa, enum dtype dtype,
                               int threads, const struct cache_sizes *caches)
{
    static const int registers[ISA_COUNT] = {
#define X(name, vector_bytes, count) count,
        ISA_LIST(X)
#undef X
    };
    const int bytes = dtype_bytes(dtype);
    const long panel = TILE_VECTORS_OF(registers[isa]) * isa_vector_bytes(isa, dtype) / bytes;
    struct direct plan = plan_of(shape, panel, bytes, caches);
    return (double)plan.taps * sizeof(long) +
           ((double)plan.weights + (double)threads * (double)plan.copy) * bytes;
}

#else
#include <limits.h>
#include <string.h>

#include "vec.h"

enum { TILE_VECTORS = TILE_VECTORS_OF(VEC_REGISTERS), PANEL = TILE_VECTORS * VLEN };

/* One call as one member sees it. */
struct job {
    struct direct plan;
    struct step step[EPILOGUE_STEPS];
    const real *input;
    real *output;
    long *taps;    /* in the workspace: offsets of the taps from a pixel, */
    real *weights; /* panels: by group, panel, block of channels, tap, channel, output channel, */
    real *copy;    /* and the member's band of the input */
};

static struct job job_of(const struct call *call)
{
    struct job job = {.plan = plan_of(call->shape, PANEL, REAL_BYTES, &call->caches),
                      .output = call->operand[0],
                      .input = call->operand[1],
                      .taps = call->workspace};
    conv2d_steps(call, job.step);
    job.weights = (real *)(job.taps + job.plan.taps);
    job.copy = job.weights + job.plan.weights + call->member.index * job.plan.copy;
    return job;
}

/* Output channels of a panel of a group, and how wide it is: the last may need fewer vectors. */
static long panel_channels(const struct direct *plan, long panel)
{
    long rest = plan->conv.k_group - panel * plan->panel;
    return rest < plan->panel ? rest : plan->panel;
}

static long panel_vectors(const struct direct *plan, long panel)
{
    return ceil_divide(panel_channels(plan, panel), VLEN);
}

/* Where the panel's weights of the block that begins at a channel are. */
static real *weights_at(const struct job *job, long group, long panel, long channel)
{
    const struct direct *plan = &job->plan;
    return job->weights + ((group * plan->panels + panel) * plan->conv.c_group * plan->panel +
                           channel * panel_vectors(plan, panel) * VLEN) *
                              plan->conv.r * plan->conv.s;
}

/* One block of a panel. */
static void pack_block(const struct job *job, const real *weights, long channels, long width,
                       long begin, long end, real *packed)
{
    const struct conv *conv = &job->plan.conv;
    const long taps = conv->r * conv->s;
    for (long tap = 0; tap < taps; tap++)
        for (long channel = begin; channel < end; channel++)
            for (long lane = 0; lane < width; lane++)
                *packed++ =
                    lane < channels ? weights[(lane * conv->c_group + channel) * taps + tap] : 0;
}

body NAME(conv2d_direct_prepare);
void NAME(conv2d_direct_prepare)(const struct call *call)
{
    const struct job job = job_of(call);
    const struct direct *plan = &job.plan;
    const struct conv *conv = &plan->conv;
    const long taps = conv->r * conv->s;
    for (long tap = 0; tap < taps && call->member.index == 0; tap++)
        job.taps[tap] = tap / conv->s * conv->dilation * plan->row +
                        tap % conv->s * conv->dilation * plan->pixel;
    const struct part part = member_part(call->member, conv->groups * plan->panels, 1);
    for (long item = part.begin; item < part.end; item++) {
        const long group = item / plan->panels, panel = item % plan->panels;
        const real *weights = (const real *)call->operand[2] +
                              (group * conv->k_group + panel * plan->panel) * conv->c_group * taps;
        for (long begin = 0; begin < conv->c_group; begin += plan->depth) {
            const long end =
                begin + plan->depth < conv->c_group ? begin + plan->depth : conv->c_group;
            pack_block(&job, weights, panel_channels(plan, panel),
                       panel_vectors(plan, panel) * VLEN, begin, end,
                       weights_at(&job, group, panel, begin));
        }
    }
}

/* What all tiles of a block of a panel have in common. */
struct sums {
    const real *weights;
    const long *tap;
    long taps, tap_step;             /* of the taps, those that begin */
    long pieces, piece_step, length; /* `pieces` stretches of `length` input elements */
    long in_pitch, out_pitch;        /* between the pixels of a run */
    long out_at[TILE_VECTORS];       /* where the vectors of a pixel are */
    bool accumulate;
    const struct step *steps; /* that follow the last block of input channels; else NULL */
    long ahead_bytes;         /* fetched of the next block per four steps */
};

/* Where the runs of one tile are, and what is to be fetched meanwhile. */
struct place {
    const real *in[TILE_RUNS];
    real *out[TILE_RUNS];
    const char *ahead;
};

/* One input channel of one tap. */
ALWAYS_INLINE void sum_step(const int pixels, const int runs, const int vectors,
                            const real *const in[TILE_RUNS], long pitch, const real *weights,
                            vec sum[TILE_RUNS][RUN_PIXELS][TILE_VECTORS])
{
    vec weight[TILE_VECTORS];
    UNROLL(TILE_VECTORS)
    for (int j = 0; j < vectors; j++) {
        weight[j] = vec_load(weights + j * VLEN);
        PIN(weight[j]); /* else GCC folds the load into every use */
    }
    UNROLL(TILE_RUNS)
    for (int run = 0; run < runs; run++)
        UNROLL(RUN_PIXELS)
    for (int i = 0; i < pixels; i++) {
        vec x = vec_all(in[run][i * pitch]);
        UNROLL(TILE_VECTORS)
        for (int j = 0; j < vectors; j++)
            sum[run][i][j] += x * weight[j];
    }
}

/* `runs` runs of `pixels` pixels, constants where this is inlined. */
ALWAYS_INLINE void sum_tile(const int pixels, const int runs, const int vectors,
                            const struct sums *sums, const struct place *place)
{
    vec sum[TILE_RUNS][RUN_PIXELS][TILE_VECTORS];
    UNROLL(TILE_RUNS)
    for (int run = 0; run < runs; run++)
        UNROLL(RUN_PIXELS)
    for (int i = 0; i < pixels; i++)
        UNROLL(TILE_VECTORS)
    for (int j = 0; j < vectors; j++)
        sum[run][i][j] = vec_all(0);
    const real *weights = sums->weights;
    const char *ahead = place->ahead;
    enum { STEPS = 4 };
    for (long tap = 0; tap < sums->taps; tap += sums->tap_step)
        for (long piece = 0; piece < sums->pieces; piece++) {
            const long offset = sums->tap[tap] + piece * sums->piece_step;
            const real *in[TILE_RUNS] = {place->in[0] + offset, place->in[runs - 1] + offset};
            long rest = sums->length;
            for (; rest >= STEPS; rest -= STEPS) {
                __builtin_prefetch(ahead, 0, 2);
                ahead += sums->ahead_bytes;
                UNROLL(STEPS)
                for (int step = 0; step < STEPS; step++) {
                    sum_step(pixels, runs, vectors, in, sums->in_pitch, weights, sum);
                    in[0]++, in[1]++, weights += vectors * VLEN;
                }
            }
            for (; rest > 0; rest--) {
                sum_step(pixels, runs, vectors, in, sums->in_pitch, weights, sum);
                in[0]++, in[1]++, weights += vectors * VLEN;
            }
        }
    UNROLL(TILE_RUNS)
    for (int run = 0; run < runs; run++)
        UNROLL(RUN_PIXELS)
    for (int i = 0; i < pixels; i++)
        UNROLL(TILE_VECTORS)
    for (int j = 0; j < vectors; j++) {
        real *out = place->out[run] + i * sums->out_pitch + sums->out_at[j];
        if (sums->accumulate)
            sum[run][i][j] += vec_load(out);
        vec_store(out, sum[run][i][j]);
    }
}

/* A function for each number of pixels, runs and vectors. */
#define TILE(pixels, runs, vectors)                                                                \
    static void tile_##pixels##_##runs##_##vectors(const struct sums *sums,                        \
                                                   const struct place *place)                      \
    {                                                                                              \
        sum_tile(pixels, runs, vectors, sums, place);                                              \
    }
#if TILE_VECTORS_OF(VEC_REGISTERS) == 4
#define EACH_WIDTH(X, pixels, runs)                                                                \
    X(pixels, runs, 1) X(pixels, runs, 2) X(pixels, runs, 3) X(pixels, runs, 4)
#else
#define EACH_WIDTH(X, pixels, runs) X(pixels, runs, 1) X(pixels, runs, 2)
#endif
#define TILE_NAME(pixels, runs, vectors) tile_##pixels##_##runs##_##vectors,
#define TILES(pixels) EACH_WIDTH(TILE, pixels, 1) EACH_WIDTH(TILE, pixels, 2)
#define TILE_NAMES(pixels) {{EACH_WIDTH(TILE_NAME, pixels, 1)}, {EACH_WIDTH(TILE_NAME, pixels, 2)}},
TILES(1)
TILES(2) TILES(3) typedef void tile_function(const struct sums *sums, const struct place *place);
static tile_function *const tiles[RUN_PIXELS][TILE_RUNS][TILE_VECTORS] = {
    TILE_NAMES(1) TILE_NAMES(2) TILE_NAMES(3)};

/* Output rows [row, row + rows) of images [image, image + images), one group of channels, and
 * their input. */
struct band {
    long image, images, row, rows, group;
    const real *input;
};

static void copy_channels(real *to, const real *from, long count)
{
    for (; count >= VLEN; count -= VLEN, to += VLEN, from += VLEN)
        vec_store(to, vec_load(from));
    for (; count > 0; count--)
        *to++ = *from++;
}

/* The channels of the group of one row of the input between its padding. */
static void copy_row(const struct direct *plan, const real *image, long y, long group, real *to)
{
    const struct conv *conv = &plan->conv;
    memset(to, 0, (size_t)plan->row * sizeof *to);
    if (y < 0 || y >= conv->h)
        return;
    to += conv->pad * plan->pixel;
    long begin = group * conv->c_group, end = begin + conv->c_group;
    if (conv->layout == LAYOUT_NHWC && plan->pixel == conv->c)
        copy_channels(to, image + y * conv->w * conv->c, conv->w * conv->c);
    else if (conv->layout == LAYOUT_NHWC)
        for (long x = 0; x < conv->w; x++)
            copy_channels(to + x * plan->pixel, image + (y * conv->w + x) * conv->c + begin,
                          conv->c_group);
    else
        for (long channel = begin, next; channel < end; channel = next) {
            next = (channel / LAYOUT_BLOCK + 1) * LAYOUT_BLOCK;
            next = next < end ? next : end;
            const real *from = image + layout_index(LAYOUT_NCHWC, conv->c, conv->h * conv->w,
                                                    channel, y * conv->w);
            for (long x = 0; x < conv->w; x++)
                copy_channels(to + x * plan->pixel + channel - begin, from + x * LAYOUT_BLOCK,
                              next - channel);
        }
}

/* Finds or makes the input of a band. */
static void open_band(const struct job *job, struct band *band)
{
    const struct direct *plan = &job->plan;
    const struct conv *conv = &plan->conv;
    const long image_size = conv->h * conv->w * conv->c_stored;
    const real *images = job->input + band->image * image_size;
    if (plan->in_place) {
        band->input = images +
                      layout_index((enum layout)conv->layout, conv->c, conv->h * conv->w,
                                   band->group * conv->c_group, 0) +
                      band->row * conv->stride * plan->row;
        return;
    }
    const long rows = rows_under(conv, band->rows), first = band->row * conv->stride - conv->pad;
    for (long image = 0; image < band->images; image++)
        for (long row = 0; row < rows; row++)
            copy_row(plan, images + image * image_size, first + row, band->group,
                     job->copy + image * plan->image + row * plan->row);
    band->input = job->copy;
}

/* The edge of the output: channels that do not fill a vector, or a vector that does not lie in one
 * block. The tile goes into a buffer, and its channels one by one from there. */
static void scatter(const struct job *job, const real *edge, real *image, long first_channel,
                    long channels, long first_pixel, long pixels, bool accumulate)
{
    const struct conv *conv = &job->plan.conv;
    for (long pixel = 0; pixel < pixels; pixel++)
        for (long channel = 0; channel < channels; channel++) {
            real *to = image + layout_index((enum layout)conv->layout, conv->k, conv->p * conv->q,
                                            first_channel + channel, first_pixel + pixel);
            real sum = edge[pixel * PANEL + channel];
            *to = accumulate ? *to + sum : sum;
        }
}

/* The epilogue of some channels of `pixels` neighbours. */
static void follow(const struct job *job, const struct step *steps, real *image, long channel,
                   long channels, long pixel, long pixels)
{
    const struct conv *conv = &job->plan.conv;
    const bool blocked = conv->layout == LAYOUT_NCHWC;
    for (long end = channel + channels, next; channel < end; channel = next) {
        next = blocked ? (channel / LAYOUT_BLOCK + 1) * LAYOUT_BLOCK : end;
        next = next < end ? next : end;
        real *out = image + layout_index((enum layout)conv->layout, conv->k, conv->p * conv->q,
                                         channel, pixel);
        NAME(epilogue_apply)
        (steps, (struct epilogue_block){out,
                                        blocked ? LAYOUT_BLOCK : conv->k,
                                        pixels,
                                        next - channel,
                                        {0, channel, out - job->output}});
    }
}

/* The tiles of one block of a panel over the runs of a band that have `pixels` pixels. */
static void sum_runs(const struct job *job, const struct band *band, struct sums sums, long panel,
                     long pixels, long runs_per_row, long first_column)
{
    const struct direct *plan = &job->plan;
    const struct conv *conv = &plan->conv;
    const long channels = panel_channels(plan, panel), vectors = panel_vectors(plan, panel);
    const long channel = band->group * conv->k_group + panel * plan->panel;
    const enum layout layout = (enum layout)conv->layout;
    const long all_pixels = conv->p * conv->q;
    const bool whole = channels == vectors * VLEN && (layout == LAYOUT_NHWC || channel % VLEN == 0);
    const bool accumulate = sums.accumulate;
    real edge[TILE_RUNS][RUN_PIXELS * PANEL];
    sums.out_pitch = layout == LAYOUT_NHWC ? conv->k : LAYOUT_BLOCK;
    for (long j = 0; j < vectors; j++)
        sums.out_at[j] = layout_index(layout, conv->k, all_pixels, channel + j * VLEN, 0);
    if (!whole) {
        sums.out_pitch = PANEL;
        for (long j = 0; j < vectors; j++)
            sums.out_at[j] = j * VLEN;
        sums.accumulate = false;
    }
    const long runs = band->images * band->rows * runs_per_row;
    struct place place = {
        .ahead = (const char *)(sums.weights + plan->depth * conv->r * conv->s * vectors * VLEN)};
    for (long run = 0; run < runs; run += TILE_RUNS) {
        real *image[TILE_RUNS];
        long pixel[TILE_RUNS];
        const long together = runs - run < TILE_RUNS ? 1 : TILE_RUNS;
        for (long i = 0; i < together; i++) {
            long row = (run + i) / runs_per_row;
            long column = first_column + (run + i) % runs_per_row * pixels;
            place.in[i] = band->input + row / band->rows * plan->image +
                          (row % band->rows * plan->row + column * plan->pixel) * conv->stride;
            image[i] = job->output + (band->image + row / band->rows) * conv->k_stored * all_pixels;
            pixel[i] = (band->row + row % band->rows) * conv->q + column;
            place.out[i] = whole ? image[i] + pixel[i] * sums.out_pitch : edge[i];
        }
        tiles[pixels - 1][together - 1][vectors - 1](&sums, &place);
        place.ahead += sums.ahead_bytes * (plan->depth * conv->r * conv->s / 4);
        for (long i = 0; i < together && !whole; i++)
            scatter(job, edge[i], image[i], channel, channels, pixel[i], pixels, accumulate);
        for (long i = 0; i < together && sums.steps; i++)
            follow(job, sums.steps, image[i], channel, channels, pixel[i], pixels);
    }
}

/* One panel of a band: its blocks of input channels, each over all tiles. */
static void sum_panel(const struct job *job, const struct band *band, long panel)
{
    const struct direct *plan = &job->plan;
    const struct conv *conv = &plan->conv;
    const bool blocked = plan->in_place && conv->layout == LAYOUT_NCHWC;
    /* With few channels the taps of a row lie side by side. */
    const bool merged = !blocked && plan->depth == conv->c_group && conv->dilation == 1 &&
                        plan->pixel == conv->c_group;
    const long tiles_of_band =
        ceil_divide(band->images * band->rows * (plan->longer + plan->shorter), TILE_RUNS);
    const long four_steps_bytes = 4 * panel_vectors(plan, panel) * (long)sizeof(vec);
    struct sums sums = {.tap = job->taps,
                        .taps = conv->r * conv->s,
                        .tap_step = merged ? conv->s : 1,
                        .pieces = 1,
                        .in_pitch = plan->pixel * conv->stride,
                        .ahead_bytes = ceil_divide(four_steps_bytes, tiles_of_band)};
    struct band at = *band;
    for (long channel = 0; channel < conv->c_group; channel += plan->depth) {
        const long rest = conv->c_group - channel, depth = rest < plan->depth ? rest : plan->depth;
        sums.length = merged ? conv->s * depth : depth;
        at.input = band->input + channel;
        if (blocked) {
            sums.length = LAYOUT_BLOCK;
            sums.pieces = depth / LAYOUT_BLOCK;
            sums.piece_step = conv->h * conv->w * LAYOUT_BLOCK;
            at.input = band->input + channel * conv->h * conv->w;
        }
        sums.weights = weights_at(job, band->group, panel, channel);
        sums.accumulate = channel > 0;
        sums.steps =
            conv->epilogue != EPILOGUE_none && channel + depth == conv->c_group ? job->step : NULL;
        sum_runs(job, &at, sums, panel, plan->run, plan->longer, 0);
        if (plan->shorter > 0)
            sum_runs(job, &at, sums, panel, plan->run - 1, plan->shorter, plan->longer * plan->run);
    }
}

/* The next band of a member that has output rows up to `end` of all images, from `begin` on. */
static struct band next_band(const struct direct *plan, long begin, long end)
{
    const long p = plan->conv.p, rest = end - begin;
    struct band band = {.image = begin / p, .row = begin % p, .images = 1};
    band.rows = plan->rows < rest ? plan->rows : rest;
    if (band.rows > p - band.row)
        band.rows = p - band.row;
    if (band.rows == p)
        band.images = rest / p < plan->images ? rest / p : plan->images;
    return band;
}

/* Members in the direction of the output's rows; the others share the panels of a row. So that the
 * largest part is smallest. */
static int members_by_rows(const struct direct *plan, int members)
{
    const long rows = plan->conv.n * plan->conv.p, panels = plan->conv.groups * plan->panels;
    long smallest = LONG_MAX;
    int best = members;
    for (int by_rows = members; by_rows >= 1; by_rows--) {
        long part = ceil_divide(rows, by_rows) * ceil_divide(panels, members / by_rows);
        if (members % by_rows == 0 && part < smallest) {
            smallest = part;
            best = by_rows;
        }
    }
    return best;
}

/* The filling of the last block of channels. */
static void clear_filling(const struct job *job, struct member member)
{
    const struct conv *conv = &job->plan.conv;
    const long pixels = conv->p * conv->q;
    const struct part part = member_part(member, conv->n * pixels, 1);
    for (long pixel = part.begin; pixel < part.end; pixel++)
        for (long channel = conv->k; channel < conv->k_stored; channel++)
            job->output[pixel / pixels * conv->k_stored * pixels +
                        layout_index(LAYOUT_NCHWC, conv->k, pixels, channel, pixel % pixels)] = 0;
}

body NAME(conv2d_direct);
void NAME(conv2d_direct)(const struct call *call)
{
    const struct job job = job_of(call);
    const struct direct *plan = &job.plan;
    const struct conv *conv = &plan->conv;
    const int by_rows = members_by_rows(plan, call->member.count);
    const int by_panels = call->member.count / by_rows;
    const struct part rows =
        member_part((struct member){call->member.index / by_panels, by_rows}, conv->n * conv->p, 1);
    const struct part panels = member_part(
        (struct member){call->member.index % by_panels, by_panels}, conv->groups * plan->panels, 1);
    if (conv->k_stored > conv->k)
        clear_filling(&job, call->member);
    for (long begin = rows.begin; begin < rows.end;) {
        struct band band = next_band(plan, begin, rows.end);
        begin += band.rows * band.images;
        band.group = -1;
        for (long panel = panels.begin; panel < panels.end; panel++) {
            if (panel / plan->panels != band.group) {
                band.group = panel / plan->panels;
                open_band(&job, &band);
            }
            sum_panel(&job, &band, panel % plan->panels);
        }
    }
}

#endif
