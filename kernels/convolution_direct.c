// convolution_direct.c - convolution where the channels of a pixel lie side by side: nhwc, nchwc,
// and nchw by way of copies that do so.
//
// A register tile of output pixels x vectors of output channels is summed over the taps and a block
// of input channels: each step multiplies a vector of weights by one input element per pixel. Taps
// outside of the image are left out: of rows by each run of pixels, of columns by the runs at the
// sides, as long as these miss one pixel at most; else the padding is copied. No patch is copied,
// so that an input element is read from the caches once per tap and panel of output channels. The
// weights are in panels, in the order in which the tile reads them. Of a transposed convolution
// each phase is summed like that, its pixels `phases` apart in the output.
#include "convolution.h"
#include "direct_plan.h"
#include "direct_tile.h"

#ifndef ISA

int convolution_direct_supports(const struct convolution *conv, struct error *error)
{
    (void)conv, (void)error;
    return OK;
}

static struct direct plan_for(const struct convolution *convolution, enum isa isa, enum dtype dtype,
                              int threads, const struct cache_sizes *caches)
{
    static const int registers[ISA_COUNT] = {
#define X(name, vector_bytes, count) count,
        ISA_LIST(X)
#undef X
    };
    const int bytes = dtype_bytes(dtype);
    const long lanes = isa_vector_bytes(isa, dtype) / bytes;
    const struct panel_size panel = {PANEL_VECTORS_OF(registers[isa]) * lanes, lanes};
    const struct convolution conv = with_long_rows(*convolution, panel, threads);
    return plan_of(&conv, panel, bytes, caches);
}

double convolution_direct_kept(const struct convolution *conv, enum isa isa, enum dtype dtype,
                               int threads, const struct cache_sizes *caches)
{
    const struct direct plan = plan_for(conv, isa, dtype, threads, caches);
    return (double)phases_bytes(conv) + (double)plan.taps * sizeof(long) +
           (double)plan.weights * dtype_bytes(dtype);
}

double convolution_direct_workspace(const struct convolution *conv, enum isa isa, enum dtype dtype,
                                    int threads, const struct cache_sizes *caches)
{
    const struct direct plan = plan_for(conv, isa, dtype, threads, caches);
    return (double)threads * (double)(plan.copy + plan.sheet) * dtype_bytes(dtype);
}

#else
#include <limits.h>

#include "direct_pack.h"
#include "transposed.h"
#include "vec.h"

void NAME(convolution_direct_prepare)(const struct convolution *convolution,
                                      const struct call *call)
{
    const struct convolution shaped = with_long_rows(*convolution, own_panel, call->member.count);
    const struct convolution *const conv = &shaped;
    const struct job job = job_of(conv, call);
    if (call->member.index == 0)
        find_phases(conv, call->kept);
    for (long row = 0; row < conv->rows.phases; row++)
        for (long column = 0; column < conv->columns.phases; column++) {
            const struct phase_pair both = find_pair(conv, row, column);
            if (call->member.index == 0)
                find_taps(&job, &both);
            pack_panels(&job, call->operand[2], &both, call->member);
        }
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
    const long channel = band->group * conv->k_group + panel_channel(&job->plan, panel);
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

/* Output channels of a panel, and where its pixels are. */
struct target {
    long channel, channels, vectors;
    long pixel, image; /* elements between neighbours of a row, if there is one phase, and images */
    bool whole;        /* tiles are stored there at once, not by way of a buffer */
    real *first;       /* of the band */
};

/* Whether tiles take the simple steps that a list begins with: those that are stored at once do,
 * where the elements that meet their vectors are equally far apart, and there: of nchwc vectors
 * that are no block lie in pairs. */
static bool takes_steps(const struct convolution *conv, const struct step *steps,
                        const struct target *target)
{
    const bool regular = (conv->layout == LAYOUT_NHWC || VLEN == LAYOUT_BLOCK) &&
                         target->channels == target->vectors * VLEN;
    bool takes = steps && target->whole;
    for (; takes && step_is_simple(steps->kind); steps++)
        takes = regular || steps->span != SPAN_element || !step_is_binary(steps->kind);
    return takes;
}

/* Steps as tiles of channels that do not fill their vectors take them: operands by channel are
 * copied, with zeros behind them. */
struct filled_steps {
    struct step step[EPILOGUE_STEPS];
    real operand[EPILOGUE_STEPS][PANEL];
};

static void fill_steps(const struct target *target, const struct step *steps,
                       struct filled_steps *filled)
{
    int i = 0;
    for (; step_is_simple(steps[i].kind); i++) {
        filled->step[i] = steps[i];
        if (!step_is_binary(steps[i].kind))
            continue;
        const real *from = (const real *)steps[i].operand + target->channel;
        for (long j = 0; j < PANEL; j++)
            filled->operand[i][j] = j < target->channels ? from[j] : 0;
        filled->step[i].operand = filled->operand[i];
    }
    filled->step[i] = (struct step){.kind = STEP_END};
}

static struct target target_of(const struct job *job, const struct band *band, long panel)
{
    const struct convolution *conv = &job->plan.conv;
    struct target target = {.channel =
                                band->group * conv->k_group + panel_channel(&job->plan, panel),
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
    target.pixel = nhwc ? conv->k_stored : LAYOUT_BLOCK;
    target.image = conv->k_stored * conv->pixels;
    target.whole = (STORES_PARTS || target.channels == target.vectors * VLEN) &&
                   (nhwc || target.channel % VLEN == 0);
    target.first =
        job->output + band->image * target.image + pixels_above(conv, band) * target.pixel;
    return target;
}

/* One block of a panel over a band and a pair of phases. */
struct block {
    const struct job *job;
    const struct band *band;
    const struct phase_pair *both;
    struct target target;
    struct sums sums;
    const struct step *steps; /* that are left to rows, or NULL */
};

/* Grid rows of an image: a phase may have one less than the band. */
static long block_rows(const struct block *block)
{
    return smaller(block->both->rows.lines - block->band->row, block->band->rows);
}

/* The way of tiles over some runs. */
static struct walk walk_of(const struct block *block, struct runs runs)
{
    const struct direct *plan = &block->job->plan;
    const struct axis *columns = &plan->conv.columns;
    const struct phase_pair *both = block->both;
    const long step = plan->conv.rows.step, rows = block_rows(block);
    const long row_in = step * plan->row, pixel_in = columns->step * plan->pixel;
    const long row_out = plan->conv.rows.phases * columns->out * block->target.pixel;
    const long pixel_out = columns->phases * block->target.pixel;
    const long first = both->rows.index * columns->out + both->columns.index;
    const long top = both->rows.line + block->band->row * step;
    return (struct walk){
        .in = block->band->input + runs.column * pixel_in,
        .out = block->target.first + first * block->target.pixel + runs.column * pixel_out,
        .run = runs.count,
        .row = rows,
        .line = top,
        .runs = runs.count,
        .rows = rows,
        .top = top,
        .run_in = runs.pixels * pixel_in,
        .run_out = runs.pixels * pixel_out,
        .row_in = row_in - runs.count * runs.pixels * pixel_in,
        .row_out = row_out - runs.count * runs.pixels * pixel_out,
        .image_in = plan->image - rows * row_in,
        .image_out = block->target.image - rows * row_out,
        .row_lines = step,
        .ahead = block->sums.ahead,
    };
}

/* The sums of a pixel from a buffer to where its first channel is. */
static void deliver_pixel(const struct block *block, const real *sums, real *pixel)
{
    const struct convolution *conv = &block->job->plan.conv;
    const struct target *target = &block->target;
    const bool adds = block->sums.accumulate;
    const bool by_vectors = conv->layout == LAYOUT_NHWC || target->channel % VLEN == 0;
    const long step = by_vectors ? VLEN : 1; /* that lie side by side */
    for (long j = 0; j < target->channels; j += step, sums += step) {
        real *to = pixel +
                   layout_index(conv->layout, conv->k_stored, conv->pixels, target->channel + j, 0);
        const long count = smaller(target->channels - j, step);
        if (!by_vectors) {
            *to = adds ? *to + *sums : *sums;
            continue;
        }
        vec sum = vec_load(sums);
        if (adds)
            sum += vec_load_first(to, count);
        vec_store_first(to, sum, count);
    }
}

/* Vectors of channels, by pixel, that go by way of a buffer together: what a call of tiles takes is
 * shared by some, and L1 has room. */
enum { EDGE_TILES = 16 };

/* `count` tiles of `together` runs each of the edge of the output: channels that do not fill a
 * vector, or a vector that does not lie in one block. They go by way of a buffer. */
static void sum_edge(const struct block *block, tile_function *tile, struct walk *walk, long pixels,
                     long together, long count)
{
    const long pixel = block->job->plan.conv.columns.phases * block->target.pixel;
    real edge[EDGE_TILES * TILE_RUNS * RUN_PIXELS_MOST * VLEN];
    struct sums sums = block->sums;
    struct walk inner = *walk;
    sums.accumulate = false;
    inner.out = edge;
    inner.run_out = pixels * sums.out_pitch;
    inner.row_out = inner.image_out = 0;
    tile(&sums, &inner, count);
    walk->ahead = inner.ahead;
    for (long run = 0; run < count * together; run++, next_run(walk))
        for (long i = 0; i < pixels; i++)
            deliver_pixel(block, edge + (run * pixels + i) * sums.out_pitch, walk->out + i * pixel);
}

/* The steps on the runs of a row of the band: L1, or at least L2, has them still. */
static void follow_row(const struct block *block, struct runs runs, long row)
{
    const struct convolution *conv = &block->job->plan.conv;
    const struct target *target = &block->target;
    const long rows = block_rows(block), image = row / rows;
    const long line = block->band->row + row - image * rows;
    const long out_row = line * conv->rows.phases + block->both->rows.index;
    const long column = runs.column * conv->columns.phases + block->both->columns.index;
    real *const output = block->job->output + (block->band->image + image) * target->image;
    convolution_follow(conv, block->steps, block->job->output,
                       (struct piece){output, target->channel, target->channels,
                                      out_row * conv->columns.out + column,
                                      runs.count * runs.pixels});
}

/* The tiles over such runs. */
static void sum_runs(struct block *block, struct runs runs)
{
    const bool whole = block->target.whole;
    const bool follows = block->steps && block->steps->kind != STEP_END;
    const long all = block->band->images * block_rows(block) * runs.count;
    struct walk walk = walk_of(block, runs);
    for (long done = 0, row = 0; done < all;) {
        const long together = smaller(all - done, TILE_RUNS);
        tile_function *const tile =
            tile_for(&block->sums, runs.pixels, together, block->target.vectors);
        long count = (all - done) / together;
        if (follows)
            count = smaller(count, ceil_divide(walk.run, TILE_RUNS));
        if (whole) {
            tile(&block->sums, &walk, count);
        } else {
            count = smaller(count, EDGE_TILES / block->target.vectors);
            sum_edge(block, tile, &walk, runs.pixels, together, count);
        }
        done += count * together;
        for (; follows && (row + 1) * runs.count <= done; row++)
            follow_row(block, runs, row);
    }
    block->sums.ahead = walk.ahead;
}

/* Runs at a side: their taps in a row go one by one, for some of them leave out a pixel. */
static void sum_side(struct block *block, struct runs runs)
{
    struct sums *sums = &block->sums;
    const long columns = sums->columns, length = sums->length;
    sums->columns = sums->row_taps;
    sums->length = length * columns / sums->row_taps;
    sum_runs(block, runs);
    sums->columns = columns;
    sums->length = length;
}

/* The same where the first and the last run of a row may leave out taps outside of the image: each
 * with those of the other rows, as tiles have two runs. */
static void sum_sides(struct block *block, struct runs runs)
{
    const struct axis *columns = &block->job->plan.conv.columns;
    const struct phase *phase = &block->both->columns;
    const long first = phase->line + runs.column * columns->step;
    const long last = first + (runs.count * runs.pixels - 1) * columns->step;
    const struct part none = {0, 0};
    const struct part no_first = {
        0, taps_in_image(first, phase->taps, phase->line_step, columns->in).begin};
    const struct part no_last = {
        taps_in_image(last, phase->taps, phase->line_step, columns->in).end, phase->taps};
    struct runs inner = runs, side = runs;
    side.count = 1;
    if (no_first.end > 0) {
        block->sums.no_first = no_first;
        block->sums.no_last = runs.count == 1 ? no_last : none;
        sum_side(block, side);
        inner.column += runs.pixels;
        inner.count--;
    }
    const bool ends = inner.count > 0 && no_last.begin < no_last.end;
    inner.count -= ends;
    block->sums.no_first = block->sums.no_last = none;
    if (inner.count > 0)
        sum_runs(block, inner);
    if (ends) {
        side.column = inner.column + inner.count * runs.pixels;
        block->sums.no_last = no_last;
        sum_side(block, side);
    }
}

/* Whether tiles read one after another what lies so, from memory: then it, and not weights, is what
 * comes next. */
static bool asks_for_input(const struct direct *plan)
{
    const struct convolution *conv = &plan->conv;
    return plan->far && plan->in_place && conv->source == LAYOUT_NHWC && conv->taps == 1 &&
           conv->columns.step == 1 && conv->groups == 1 && plan->depth == conv->c_group;
}

/* The same of blocks of channels, each stretch of which lies in a plane of its own: too many
 * streams for what the hardware asks for. */
static bool asks_for_pieces(const struct direct *plan)
{
    const struct convolution *conv = &plan->conv;
    return plan->far && reads_blocks(plan) && conv->taps == 1 && conv->columns.step == 1;
}

/* Pixels of a run. Where taps are left out a run of an image as narrow has no pixel between two
 * that leave out some. */
static long longest_run(const struct block *block)
{
    const struct direct *plan = &block->job->plan;
    long pixels = RUN_PIXELS_MOST / block->target.vectors;
    while (pixels > RUN_PIXELS_LEAST && plan->skips && !skips_runs(&plan->conv.columns, pixels))
        pixels--;
    return pixels;
}

/* All runs: the longer ones of a row come first, the others have a pixel less. */
static void sum_block(struct block *block)
{
    const long columns = block->both->columns.lines, most = longest_run(block);
    const long runs = ceil_divide(columns, most);
    const long pixels = ceil_divide(columns, runs), shorter = pixels * runs - columns;
    const long longer = runs - shorter;
    const struct direct *plan = &block->job->plan;
    const struct target *target = &block->target;
    struct sums *sums = &block->sums;
    sums->ahead =
        (const char *)(sums->weights + plan->depth * block->both->taps * target->vectors * VLEN);
    long bytes =
        ceil_divide(AHEAD_STEPS * target->vectors * (long)sizeof(vec),
                    ceil_divide(block->band->images * block->band->rows * runs, TILE_RUNS));
    if (block->band->is_new && asks_for_pieces(plan)) {
        const long of_tile = TILE_RUNS * most * LAYOUT_BLOCK;
        sums->piece_ahead = 2 * of_tile;
        bytes = of_tile * REAL_BYTES / (LAYOUT_BLOCK / AHEAD_STEPS);
    }
    if (block->band->is_new && asks_for_input(plan)) {
        enum { DISTANCE_BYTES = 8192 };
        sums->ahead = (const char *)block->band->input + DISTANCE_BYTES;
        bytes = AHEAD_STEPS * TILE_RUNS * most * REAL_BYTES;
    }
    sums->ahead_step = ceil_divide(bytes, AHEAD_LINES);
    void (*const sum)(struct block *, struct runs) = plan->skips ? sum_sides : sum_runs;
    sum(block, (struct runs){pixels, longer, 0});
    if (shorter > 0)
        sum(block, (struct runs){pixels - 1, shorter, longer * pixels});
}

/* What all blocks of a panel have in common. */
static struct block block_of(const struct job *job, const struct band *band,
                             const struct phase_pair *both, long panel)
{
    const struct direct *plan = &job->plan;
    const struct convolution *conv = &plan->conv;
    struct block block = {
        .job = job, .band = band, .both = both, .target = target_of(job, band, panel)};
    const struct target *target = &block.target;
    const bool merged = joins_taps(plan, both->columns.line_step);
    block.sums = (struct sums){
        .tap = job->taps + both->before,
        .row_taps = both->columns.taps,
        .rows = both->rows.taps,
        .columns = merged ? smaller(both->columns.taps, 1) : both->columns.taps,
        .lines = conv->rows.in,
        .line_step = both->rows.line_step,
        .pieces = 1,
        .length = merged ? both->columns.taps : 1,
        .in_pitch = plan->pixel * conv->columns.step,
        .out_pitch = target->whole ? conv->columns.phases * target->pixel : target->vectors * VLEN,
        .channel = target->channel,
        .output = job->output,
        .far = plan->far,
        .last = target->whole && conv->layout != LAYOUT_NCHW
                    ? target->channels - (target->vectors - 1) * VLEN
                    : VLEN,
        .taps = both->taps == 1 && axis_is_inside(&conv->rows) && !plan->skips ? TAPS_one
                                                                               : TAPS_several};
    for (long j = 0; j < target->vectors; j++)
        block.sums.out_at[j] = target->whole && conv->layout != LAYOUT_NCHW
                                   ? layout_index(conv->layout, conv->k_stored, conv->pixels,
                                                  target->channel + j * VLEN, 0)
                                   : j * VLEN;
    return block;
}

/* One panel of a band and a pair of phases: its blocks of input channels. */
static void sum_phase(const struct job *job, const struct band *band, const struct phase_pair *both,
                      long panel)
{
    const struct direct *plan = &job->plan;
    const struct convolution *conv = &plan->conv;
    const bool blocked = reads_blocks(plan);
    const bool steps = conv->epilogue != EPILOGUE_none && conv->layout != LAYOUT_NCHW;
    const long in_pixels = conv->rows.in * conv->columns.in;
    struct band at = *band;
    struct filled_steps filled;
    const struct block all = block_of(job, &at, both, panel);
    for (long channel = 0; channel < conv->c_group; channel += plan->depth) {
        struct block block = all;
        struct sums *sums = &block.sums;
        const long depth = smaller(conv->c_group - channel, plan->depth);
        sums->length *= depth;
        at.input = band->input + channel;
        if (blocked) {
            sums->length = LAYOUT_BLOCK;
            sums->pieces = depth / LAYOUT_BLOCK;
            sums->piece_step = in_pixels * LAYOUT_BLOCK;
            at.input = band->input + channel * in_pixels;
        }
        sums->weights = weights_at(job, band->group, panel, both, channel);
        sums->accumulate = channel > 0;
        if (steps && channel + depth == conv->c_group) {
            block.steps = job->step;
            if (takes_steps(conv, block.steps, &block.target)) {
                sums->steps = block.steps;
                if (sums->last < VLEN) {
                    fill_steps(&block.target, block.steps, &filled);
                    sums->steps = filled.step;
                    sums->channel = 0;
                }
                sums->addend = steps_addend(block.steps);
                while (step_is_simple(block.steps->kind))
                    block.steps++;
            }
        }
        sum_block(&block);
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

void NAME(convolution_direct)(const struct convolution *convolution, const struct call *call)
{
    const struct convolution shaped = with_long_rows(*convolution, own_panel, call->member.count);
    const struct convolution *const conv = &shaped;
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
            band.is_new = panel == panels.begin;
            sum_panel(&job, &band, panel % plan->panels);
        }
    }
}

#endif
