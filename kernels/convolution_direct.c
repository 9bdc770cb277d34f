// convolution_direct.c - convolution where the channels of a pixel lie side by side: nhwc, nchwc,
// and nchw by way of copies that do so.
//
// A register tile of output pixels x vectors of output channels is summed over the taps and a block
// of input channels: each step multiplies a vector of weights by one input element per pixel. No
// patch is copied, so that an input element is read from the caches once per tap and panel of
// output channels. The weights are in panels, in the order in which the tile reads them. Of a
// transposed convolution each phase is summed like that, its pixels `phases` apart in the output.
#include "convolution.h"
#include "direct_tile.h"

struct direct {
    struct convolution conv;
    long panel, panels;       /* output channels of a panel of weights; panels of a group */
    long depth;               /* input channels of a block */
    bool in_place;            /* the tile reads the input, not a padded copy of a band of it */
    long pixel, row, image;   /* elements between columns, rows and images of what the tile reads */
    long rows, images;        /* grid rows of a band; its images, which are whole where several */
    long taps, weights, copy; /* entries and elements in the workspace; `copy` is a member's */
    bool far;   /* the output is more than half of L2, so beside the input mostly out of it */
    long sheet; /* nchw: a panel of the output of a band with the channels last; a member's too */
};

/* `total` in equal blocks of at most `largest`, at least `multiple`. */
static inline long equal_block(long total, double largest, long multiple)
{
    if ((double)total <= largest)
        return total;
    long limit = largest < (double)multiple ? multiple : (long)largest / multiple * multiple;
    return ceil_divide(ceil_divide(total, ceil_divide(total, limit)), multiple) * multiple;
}

/* What the tile reads: the input itself where that needs no padding. A copy has each pixel begin in
 * a set of L1 of its own, by an odd number of lines, but for images of few channels; for that alone
 * it does not pay: the lines that the pixels of a tile read at a time fit one set. */
static inline void plan_source(struct direct *plan, long line)
{
    const struct convolution *conv = &plan->conv;
    const struct axis *rows = &conv->rows, *columns = &conv->columns;
    const bool blocked = conv->layout == LAYOUT_NCHWC;
    const long pixel = blocked ? LAYOUT_BLOCK : conv->c;
    plan->in_place = conv->layout != LAYOUT_NCHW && axis_is_inside(rows) &&
                     axis_is_inside(columns) && (!blocked || conv->c_group % LAYOUT_BLOCK == 0);
    if (plan->in_place) {
        plan->pixel = pixel;
        plan->row = columns->in * pixel;
        plan->image = rows->in * columns->in * conv->c_stored;
    } else {
        plan->pixel = conv->c_group < line ? conv->c_group : odd_lines(conv->c_group, line);
        plan->row = lines_under(columns, columns->grid) * plan->pixel;
        plan->image = plan->row * lines_under(rows, rows->grid);
    }
}

static inline struct direct plan_of(const struct convolution *convolution, long panel,
                                    int element_bytes, const struct cache_sizes *caches)
{
    const long line = 64 / element_bytes;
    struct direct plan = {.conv = *convolution, .panel = panel};
    const struct convolution *conv = &plan.conv;
    const struct axis *rows = &conv->rows;
    plan.panels = ceil_divide(conv->k_group, plan.panel);
    /* A block of a panel and phase stays in L2 while the tiles of a band pass, beside the next one,
     * which is fetched meanwhile. */
    const long taps = convolution_depth(conv) / conv->c_group;
    const double channel_bytes = (double)(taps * plan.panel * element_bytes);
    plan.depth = equal_block(conv->c_group, caches->l2_bytes / 8 / channel_bytes, LAYOUT_BLOCK);
    plan_source(&plan, line);
    /* The input of a band, and the sheet, stay in half of L2 while the panels pass. */
    const long row_sheet =
        conv->layout == LAYOUT_NCHW ? rows->phases * conv->columns.out * plan.panel : 0;
    const double row_bytes = (double)((plan.row + row_sheet) * element_bytes);
    const double image_bytes = (double)((plan.image + rows->grid * row_sheet) * element_bytes);
    const double fit = caches->l2_bytes / 2 / row_bytes - (double)lines_under(rows, 1);
    plan.rows = equal_block(rows->grid, fit < 0 ? 1 : fit / (double)rows->step + 1, 1);
    plan.images = 1;
    if (plan.rows == rows->grid)
        plan.images = equal_block(conv->n, caches->l2_bytes / 2 / image_bytes, 1);
    plan.sheet = plan.images * plan.rows * row_sheet;
    plan.far = plan.sheet == 0 &&
               (double)conv->n * (double)(conv->k_stored * conv->pixels * element_bytes) >
                   caches->l2_bytes / 2;
    plan.taps = ceil_divide(conv->taps, 8) * 8;
    plan.weights = conv->groups * plan.panels * plan.panel * conv->c_group * conv->taps;
    plan.weights = ceil_divide(plan.weights, line) * line;
    if (!plan.in_place)
        plan.copy = ceil_divide(plan.images * lines_under(rows, plan.rows) * plan.row, line) * line;
    return plan;
}

#ifndef ISA

int convolution_direct_supports(const struct convolution *conv, struct error *error)
{
    (void)conv, (void)error;
    return OK;
}

double convolution_direct_workspace(const struct convolution *conv, enum isa isa, enum dtype dtype,
                                    int threads, const struct cache_sizes *caches)
{
    static const int registers[ISA_COUNT] = {
#define X(name, vector_bytes, count) count,
        ISA_LIST(X)
#undef X
    };
    const int bytes = dtype_bytes(dtype);
    const long panel = TILE_VECTORS_OF(registers[isa]) * isa_vector_bytes(isa, dtype) / bytes;
    struct direct plan = plan_of(conv, panel, bytes, caches);
    return (double)phases_bytes(conv) + (double)plan.taps * sizeof(long) +
           ((double)plan.weights + (double)threads * (double)(plan.copy + plan.sheet)) * bytes;
}

#else
#include <limits.h>
#include <string.h>

#include "transposed.h"
#include "vec.h"

/* One call as one member sees it. */
struct job {
    struct direct plan;
    struct step step[EPILOGUE_STEPS];
    const real *input;
    real *output;
    const struct phase *phases; /* in the workspace: phases, */
    long *taps;                 /* offsets of the taps from a pixel, */
    real *weights; /* panels: by group, panel, block of channels, tap, channel, output channel, */
    real *copy, *sheet; /* and the member's band of the input and sheet */
};

static struct job job_of(const struct convolution *conv, const struct call *call)
{
    struct job job = {.plan = plan_of(conv, PANEL, REAL_BYTES, &call->caches),
                      .output = call->operand[0],
                      .input = call->operand[1],
                      .phases = call->workspace};
    convolution_steps(conv, call, job.step);
    job.taps = (long *)(job.phases + conv->rows.phases + conv->columns.phases);
    job.weights = (real *)(job.taps + job.plan.taps);
    job.copy =
        job.weights + job.plan.weights + call->member.index * (job.plan.copy + job.plan.sheet);
    job.sheet = job.copy + job.plan.copy;
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

/* Where the weights of a panel and a pair of phases, of the block that begins at a channel, are. */
static real *weights_at(const struct job *job, long group, long panel,
                        const struct phase_pair *both, long channel)
{
    const struct direct *plan = &job->plan;
    const struct convolution *conv = &plan->conv;
    return job->weights +
           (group * plan->panels + panel) * conv->c_group * plan->panel * conv->taps +
           (conv->c_group * both->before + channel * both->taps) * panel_vectors(plan, panel) *
               VLEN;
}

/* One block of input channels of a panel and pair of phases; `weights` are the panel's. */
static void pack_block(const struct job *job, const real *weights, const struct phase_pair *both,
                       long panel, struct part block, real *packed)
{
    const struct convolution *conv = &job->plan.conv;
    const long channels = panel_channels(&job->plan, panel);
    const long width = panel_vectors(&job->plan, panel) * VLEN;
    for (long i = 0; i < both->taps; i++) {
        const real *tap = weights + pair_tap(conv, both, i);
        for (long channel = block.begin; channel < block.end; channel++)
            for (long lane = 0; lane < width; lane++)
                *packed++ =
                    lane < channels ? tap[lane * conv->weight_k + channel * conv->weight_c] : 0;
    }
}

/* The member's panels of a pair of phases. */
static void pack_panels(const struct job *job, const real *weights, const struct phase_pair *both,
                        struct member member)
{
    const struct direct *plan = &job->plan;
    const struct convolution *conv = &plan->conv;
    const struct part part = member_part(member, conv->groups * plan->panels, 1);
    for (long item = part.begin; item < part.end; item++) {
        const long group = item / plan->panels, panel = item % plan->panels;
        const real *from = weights + group * conv->k_group * conv->c_group * conv->taps +
                           panel * plan->panel * conv->weight_k;
        for (long begin = 0; begin < conv->c_group; begin += plan->depth) {
            const long end = begin + plan->depth;
            pack_block(job, from, both, panel,
                       (struct part){begin, end < conv->c_group ? end : conv->c_group},
                       weights_at(job, group, panel, both, begin));
        }
    }
}

/* Offsets of the taps of a pair of phases from the place in the input of an output pixel. */
static void find_taps(const struct job *job, const struct phase_pair *both)
{
    const struct direct *plan = &job->plan;
    const struct phase *rows = &both->rows, *columns = &both->columns;
    const long top = plan->in_place ? 0 : plan->conv.rows.lowest;
    const long left = plan->in_place ? 0 : plan->conv.columns.lowest;
    for (long tap = 0; tap < both->taps; tap++)
        job->taps[both->before + tap] =
            (rows->line + tap / columns->taps * rows->line_step - top) * plan->row +
            (columns->line + tap % columns->taps * columns->line_step - left) * plan->pixel;
}

void NAME(convolution_direct_prepare)(const struct convolution *conv, const struct call *call)
{
    const struct job job = job_of(conv, call);
    if (call->member.index == 0)
        find_phases(conv, call->workspace);
    for (long row = 0; row < conv->rows.phases; row++)
        for (long column = 0; column < conv->columns.phases; column++) {
            const struct phase_pair both = find_pair(conv, row, column);
            if (call->member.index == 0)
                find_taps(&job, &both);
            pack_panels(&job, call->operand[2], &both, call->member);
        }
}

/* Grid rows [row, row + rows) of images [image, image + images), one group of channels, and
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
    const struct convolution *conv = &plan->conv;
    const struct axis *columns = &conv->columns;
    memset(to, 0, (size_t)plan->row * sizeof *to);
    const long left = columns->lowest, right = left + plan->row / plan->pixel;
    const long first = left > 0 ? left : 0, last = right < columns->in ? right : columns->in;
    if (y < 0 || y >= conv->rows.in || first >= last)
        return;
    to += (first - left) * plan->pixel;
    const long begin = group * conv->c_group, end = begin + conv->c_group;
    const long pixel = y * columns->in + first, count = last - first;
    const long pixels = conv->rows.in * columns->in;
    if (conv->layout == LAYOUT_NCHW)
        transpose_block(to, plan->pixel, image + begin * pixels + pixel, pixels, conv->c_group,
                        count, NULL);
    else if (conv->layout == LAYOUT_NHWC && plan->pixel == conv->c)
        copy_channels(to, image + pixel * conv->c, count * conv->c);
    else if (conv->layout == LAYOUT_NHWC)
        for (long x = 0; x < count; x++)
            copy_channels(to + x * plan->pixel, image + (pixel + x) * conv->c + begin,
                          conv->c_group);
    else
        for (long channel = begin, next; channel < end; channel = next) {
            next = (channel / LAYOUT_BLOCK + 1) * LAYOUT_BLOCK;
            next = next < end ? next : end;
            const real *from = image + layout_index(LAYOUT_NCHWC, conv->c, pixels, channel, pixel);
            for (long x = 0; x < count; x++)
                copy_channels(to + x * plan->pixel + channel - begin, from + x * LAYOUT_BLOCK,
                              next - channel);
        }
}

/* Finds or makes the input of a band. */
static void open_band(const struct job *job, struct band *band)
{
    const struct direct *plan = &job->plan;
    const struct convolution *conv = &plan->conv;
    const long pixels = conv->rows.in * conv->columns.in, image_size = pixels * conv->c_stored;
    const real *images = job->input + band->image * image_size;
    if (plan->in_place) {
        band->input = images +
                      layout_index(conv->layout, conv->c, pixels, band->group * conv->c_group, 0) +
                      band->row * conv->rows.step * plan->row;
        return;
    }
    const long rows = lines_under(&conv->rows, band->rows);
    const long first = band->row * conv->rows.step + conv->rows.lowest;
    for (long image = 0; image < band->images; image++)
        for (long row = 0; row < rows; row++)
            copy_row(plan, images + image * image_size, first + row, band->group,
                     job->copy + image * plan->image + row * plan->row);
    band->input = job->copy;
}

/* Pixels of the output above a band. */
static long pixels_above(const struct convolution *conv, const struct band *band)
{
    return band->row * conv->rows.phases * conv->columns.out;
}

/* Elements of an image of the sheet, without a gap behind the one before. */
static long sheet_image(const struct job *job, const struct band *band)
{
    const struct convolution *conv = &job->plan.conv;
    return band->rows * conv->rows.phases * conv->columns.out * PANEL;
}

/* A panel of a band from the sheet to the output. */
static void deliver_sheet(const struct job *job, const struct band *band, long panel)
{
    const struct convolution *conv = &job->plan.conv;
    const long channel = band->group * conv->k_group + panel * job->plan.panel;
    const long first = pixels_above(conv, band), rest = conv->pixels - first;
    const long all = band->rows * conv->rows.phases * conv->columns.out;
    for (long image = 0; image < band->images; image++) {
        const struct piece piece = {job->output + (band->image + image) * conv->k * conv->pixels,
                                    channel, panel_channels(&job->plan, panel), first,
                                    all < rest ? all : rest};
        transpose_block(piece.image + channel * conv->pixels + first, conv->pixels,
                        job->sheet + image * sheet_image(job, band), PANEL, piece.pixels,
                        piece.channels, NULL);
        if (conv->epilogue != EPILOGUE_none)
            convolution_follow(conv, job->step, job->output, piece);
    }
}

/* Runs of `pixels` pixels, `count` in each row of a phase, the first at the column `column`. */
struct runs {
    long pixels, count, column;
};

/* Whether tiles take the simple steps that a list begins with: whole ones do, where the elements
 * that meet their vectors are equally far apart: of nchwc vectors that are no block lie in pairs.
 */
static bool takes_steps(const struct convolution *conv, const struct step *steps, bool is_whole)
{
    const bool regular = conv->layout == LAYOUT_NHWC || VLEN == LAYOUT_BLOCK;
    bool takes = steps && is_whole;
    for (; takes && step_is_simple(steps->kind); steps++)
        takes = regular || steps->span != SPAN_element || !step_is_binary(steps->kind);
    return takes;
}

/* Output channels of a panel, and where its pixels are. */
struct target {
    long channel, channels, vectors;
    long pixel, image; /* elements between neighbours of a row, if there is one phase, and images */
    bool whole;        /* tiles are stored there, not by way of a buffer */
    real *first;       /* of the band */
};

static struct target target_of(const struct job *job, const struct band *band, long panel)
{
    const struct convolution *conv = &job->plan.conv;
    struct target target = {.channel = band->group * conv->k_group + panel * job->plan.panel,
                            .channels = panel_channels(&job->plan, panel),
                            .vectors = panel_vectors(&job->plan, panel)};
    if (conv->layout == LAYOUT_NCHW) {
        target.pixel = PANEL;
        target.image = sheet_image(job, band);
        target.whole = true;
        target.first = job->sheet;
        return target;
    }
    const bool nhwc = conv->layout == LAYOUT_NHWC;
    target.pixel = nhwc ? conv->k : LAYOUT_BLOCK;
    target.image = conv->k_stored * conv->pixels;
    target.whole = target.channels == target.vectors * VLEN && (nhwc || target.channel % VLEN == 0);
    target.first =
        job->output + band->image * target.image + pixels_above(conv, band) * target.pixel;
    return target;
}

/* The way of tiles over runs of a band in a pair of phases. */
static struct walk walk_of(const struct job *job, const struct band *band,
                           const struct phase_pair *both, const struct target *target,
                           const struct runs *runs, long rows)
{
    const struct direct *plan = &job->plan;
    const struct axis *columns = &plan->conv.columns;
    const long row_in = plan->conv.rows.step * plan->row, pixel_in = columns->step * plan->pixel;
    const long row_out = plan->conv.rows.phases * columns->out * target->pixel;
    const long pixel_out = columns->phases * target->pixel;
    const long first = both->rows.index * columns->out + both->columns.index;
    return (struct walk){
        .in = band->input + runs->column * pixel_in,
        .out = target->first + first * target->pixel + runs->column * pixel_out,
        .run = runs->count,
        .row = rows,
        .runs = runs->count,
        .rows = rows,
        .run_in = runs->pixels * pixel_in,
        .row_in = row_in - runs->count * runs->pixels * pixel_in,
        .image_in = plan->image - rows * row_in,
        .run_out = runs->pixels * pixel_out,
        .row_out = row_out - runs->count * runs->pixels * pixel_out,
        .image_out = target->image - rows * row_out,
    };
}

/* A tile of the edge of the output: channels that do not fill a vector, or a vector that does not
 * lie in one block. It goes into a buffer, and its channels one by one from there. */
static void sum_edge(const struct job *job, const struct sums *sums, const struct target *target,
                     tile_function *tile, struct walk *walk, const struct runs *runs, long together)
{
    const struct convolution *conv = &job->plan.conv;
    const long pixel = conv->columns.phases * target->pixel;
    real edge[TILE_RUNS * RUN_PIXELS * PANEL];
    struct walk inner = *walk;
    inner.out = edge;
    inner.run_out = runs->pixels * PANEL;
    inner.row_out = inner.image_out = 0;
    tile(sums, &inner, 1);
    walk->ahead = inner.ahead;
    for (long run = 0; run < together; run++, next_run(walk))
        for (long i = 0; i < runs->pixels; i++)
            for (long j = 0; j < target->channels; j++) {
                real *to =
                    walk->out + i * pixel +
                    layout_index(conv->layout, conv->k, conv->pixels, target->channel + j, 0);
                const real sum = edge[(run * runs->pixels + i) * PANEL + j];
                *to = sums->accumulate ? *to + sum : sum;
            }
}

/* The steps on the runs of a row of a band: L1, or at least L2, has them still. */
static void follow_row(const struct job *job, const struct band *band,
                       const struct phase_pair *both, const struct step *steps,
                       const struct target *target, const struct runs *runs, long rows, long row)
{
    const struct convolution *conv = &job->plan.conv;
    const long image = row / rows, line = band->row + row - image * rows;
    const long out_row = line * conv->rows.phases + both->rows.index;
    const long column = runs->column * conv->columns.phases + both->columns.index;
    convolution_follow(conv, steps, job->output,
                       (struct piece){job->output + (band->image + image) * target->image,
                                      target->channel, target->channels,
                                      out_row * conv->columns.out + column,
                                      runs->count * runs->pixels});
}

/* The tiles of one block of a panel over such runs of a band. */
static void sum_runs(const struct job *job, const struct band *band, const struct phase_pair *both,
                     struct sums sums, const struct target *target, struct runs runs)
{
    const struct direct *plan = &job->plan;
    const struct convolution *conv = &plan->conv;
    const struct step *steps = sums.steps; /* that are left to rows */
    if (!takes_steps(conv, steps, target->whole))
        sums.steps = NULL;
    else
        while (step_is_simple(steps->kind))
            steps++;
    const bool follows = steps && steps->kind != STEP_END;
    sums.out_pitch = target->whole ? conv->columns.phases * target->pixel : PANEL;
    for (long j = 0; j < target->vectors; j++)
        sums.out_at[j] =
            target->whole && conv->layout != LAYOUT_NCHW
                ? layout_index(conv->layout, conv->k, conv->pixels, target->channel + j * VLEN, 0)
                : j * VLEN;
    /* A phase may have a row less than the band. */
    const long rows = smaller(both->rows.lines - band->row, band->rows);
    struct walk walk = walk_of(job, band, both, target, &runs, rows);
    walk.ahead = (const char *)(sums.weights + plan->depth * both->taps * target->vectors * VLEN);
    const long all = band->images * rows * runs.count;
    for (long done = 0, row = 0; done < all;) {
        const long together = smaller(all - done, TILE_RUNS);
        tile_function *const tile = tiles[runs.pixels - 1][together - 1][target->vectors - 1];
        long count = (all - done) / together;
        if (!target->whole) {
            count = 1;
            sum_edge(job, &sums, target, tile, &walk, &runs, together);
        } else {
            if (follows)
                count = smaller(count, ceil_divide(walk.run, TILE_RUNS));
            tile(&sums, &walk, count);
        }
        done += count * together;
        for (; follows && (row + 1) * runs.count <= done; row++)
            follow_row(job, band, both, steps, target, &runs, rows, row);
    }
}

/* One block of a panel over all runs of a band and a pair of phases: the longer ones of a row come
 * first, the others have a pixel less. */
static void sum_block(const struct job *job, const struct band *band, const struct phase_pair *both,
                      struct sums sums, long panel)
{
    const long columns = both->columns.lines, runs = ceil_divide(columns, RUN_PIXELS);
    const long pixels = ceil_divide(columns, runs), shorter = pixels * runs - columns;
    const long longer = runs - shorter;
    const struct target target = target_of(job, band, panel);
    sums.channel = target.channel;
    sums.output = job->output;
    sums.ahead_bytes = ceil_divide(AHEAD_STEPS * target.vectors * (long)sizeof(vec),
                                   ceil_divide(band->images * band->rows * runs, TILE_RUNS));
    sum_runs(job, band, both, sums, &target, (struct runs){pixels, longer, 0});
    if (shorter > 0)
        sum_runs(job, band, both, sums, &target,
                 (struct runs){pixels - 1, shorter, longer * pixels});
}

/* One panel of a band and a pair of phases: its blocks of input channels. */
static void sum_phase(const struct job *job, const struct band *band, const struct phase_pair *both,
                      long panel)
{
    const struct direct *plan = &job->plan;
    const struct convolution *conv = &plan->conv;
    const bool blocked = plan->in_place && conv->layout == LAYOUT_NCHWC;
    const long in_pixels = conv->rows.in * conv->columns.in;
    /* With few channels the taps of a row lie side by side. */
    const bool merged = !blocked && plan->depth == conv->c_group && both->columns.line_step == 1 &&
                        plan->pixel == conv->c_group;
    struct sums sums = {.tap = job->taps + both->before,
                        .taps = both->taps,
                        .tap_step = merged ? both->columns.taps : 1,
                        .pieces = 1,
                        .in_pitch = plan->pixel * conv->columns.step,
                        .far = plan->far};
    struct band at = *band;
    for (long channel = 0; channel < conv->c_group; channel += plan->depth) {
        const long rest = conv->c_group - channel, depth = rest < plan->depth ? rest : plan->depth;
        sums.length = merged ? both->columns.taps * depth : depth;
        at.input = band->input + channel;
        if (blocked) {
            sums.length = LAYOUT_BLOCK;
            sums.pieces = depth / LAYOUT_BLOCK;
            sums.piece_step = in_pixels * LAYOUT_BLOCK;
            at.input = band->input + channel * in_pixels;
        }
        sums.weights = weights_at(job, band->group, panel, both, channel);
        sums.accumulate = channel > 0;
        sums.steps = conv->epilogue != EPILOGUE_none && conv->layout != LAYOUT_NCHW &&
                             channel + depth == conv->c_group
                         ? job->step
                         : NULL;
        sum_block(job, &at, both, sums, panel);
    }
}

/* One panel of a band. */
static void sum_panel(const struct job *job, const struct band *band, long panel)
{
    const struct convolution *conv = &job->plan.conv;
    const struct phase *columns = job->phases + conv->rows.phases;
    for (long row = 0; row < conv->rows.phases && job->phases[row].lines > band->row; row++)
        for (long column = 0; column < conv->columns.phases; column++) {
            const struct phase_pair both = pair_of(conv, job->phases[row], columns[column]);
            sum_phase(job, band, &both, panel);
        }
    if (conv->layout == LAYOUT_NCHW)
        deliver_sheet(job, band, panel);
}

/* The next band of a member that has grid rows up to `end` of all images, from `begin` on. */
static struct band next_band(const struct direct *plan, long begin, long end)
{
    const long p = plan->conv.rows.grid, rest = end - begin;
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
    const long rows = plan->conv.n * plan->conv.rows.grid,
               panels = plan->conv.groups * plan->panels;
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

void NAME(convolution_direct)(const struct convolution *conv, const struct call *call)
{
    const struct job job = job_of(conv, call);
    const struct direct *plan = &job.plan;
    const int by_rows = members_by_rows(plan, call->member.count);
    const int by_panels = call->member.count / by_rows;
    const struct part rows = member_part((struct member){call->member.index / by_panels, by_rows},
                                         conv->n * conv->rows.grid, 1);
    const struct part panels = member_part(
        (struct member){call->member.index % by_panels, by_panels}, conv->groups * plan->panels, 1);
    convolution_clear_filling(conv, job.output, call->member);
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
