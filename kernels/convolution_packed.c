// convolution_packed.c - convolution in nchw as a matrix product of packed weights and packed
// patches, or of the image itself where a patch is one pixel. Of a transposed one each phase is a
// product; those of the columns of a row go into a buffer, from which they are interleaved into the
// output.
#include "convolution.h"
#include "product.h"

/* The convolution of one image, group and pair of phases is a matrix product: k / groups rows of
 * weights, depth c / groups * taps, a column per pixel of the grid. What stands where in what is
 * kept and in the workspace, in elements: */
struct plan {
    struct convolution conv;
    long pixels;         /* of the grid */
    long rows;           /* of the product, filled up to panels */
    long depth, columns; /* of a block of patches */
    long pitch, row,
        plane; /* of a padded image: a column phase, a row (`step` phases), a channel */
    long weights, image, patches; /* packed weights; a padded image; a member's block of columns */
    long sheet_pitch, sheet; /* a row of results before they are interleaved; all of a member */
    long taps, pixel_table;  /* table entries: offsets of taps and, per member, of pixels */
};

static inline struct plan plan_of(const struct convolution *conv, struct tile tile_size,
                                  int element_bytes, const struct cache_sizes *caches)
{
    const struct axis *rows = &conv->rows, *columns = &conv->columns;
    struct plan plan = {.conv = *conv, .pixels = rows->grid * columns->grid};
    const long line = 64 / element_bytes, table_line = 64 / (long)sizeof(long);
    const bool interleaved = columns->phases > 1 || rows->phases > 1;
    plan.rows = round_up(conv->k_group, tile_size.rows);
    /* A block of patches, and what is made of it, that half of L2 holds while the weights pass. */
    plan.depth = equal_block(convolution_depth(conv), DEPTH_MOST, 8);
    const long held = plan.depth + (interleaved ? columns->phases * conv->k_group : 0);
    plan.columns = equal_block(plan.pixels, caches->l2_bytes / 2 / (double)(held * element_bytes),
                               tile_size.columns);
    const long width = lines_under(columns, columns->grid);
    plan.pitch = ceil_divide(width, columns->step);
    plan.row = plan.pitch * (columns->step < width ? columns->step : width);
    plan.plane = plan.row * lines_under(rows, rows->grid);
    /* Multiples of a cache line. A vector that begins at the last pixel may read past the image. */
    plan.weights = round_up(conv->groups * plan.rows * conv->c_group * conv->taps, line);
    plan.image = round_up(conv->c * plan.plane + tile_size.columns, line);
    plan.patches = round_up(greater(plan.columns, 2 * tile_size.columns) * plan.depth, line);
    if (interleaved) {
        plan.sheet_pitch = odd_lines(plan.columns, line);
        plan.sheet = columns->phases * conv->k_group * plan.sheet_pitch;
    }
    plan.taps = round_up(conv->c_group * conv->taps, table_line);
    plan.pixel_table = round_up(plan.columns, table_line);
    return plan;
}

#ifndef ISA

int convolution_packed_supports(const struct convolution *conv, struct error *error)
{
    if (conv->layout != LAYOUT_NCHW)
        return error_skip(error, "patches are packed from rows of one channel; choose layout=nchw");
    return OK;
}

double convolution_packed_kept(const struct convolution *conv, enum isa isa, enum dtype dtype,
                               int threads, const struct cache_sizes *caches)
{
    (void)threads;
    const struct plan plan = plan_of(conv, tile_of(isa, dtype), dtype_bytes(dtype), caches);
    return (double)phases_bytes(conv) + (double)plan.taps * sizeof(long) +
           (double)plan.weights * dtype_bytes(dtype);
}

double convolution_packed_workspace(const struct convolution *conv, enum isa isa, enum dtype dtype,
                                    int threads, const struct cache_sizes *caches)
{
    const struct plan plan = plan_of(conv, tile_of(isa, dtype), dtype_bytes(dtype), caches);
    return threads * ((double)plan.pixel_table * sizeof(long) +
                      (double)(plan.image + plan.patches + plan.sheet) * dtype_bytes(dtype));
}

#else
#include <string.h>

#include "interleave.h"
#include "padded_row.h"
#include "vec.h"

/* One call as one member sees it. */
struct job {
    struct plan plan;
    struct step step[EPILOGUE_STEPS];
    const real *input, *weights;
    real *output;
    /* Of what is kept: shared by all members. */
    const struct phase *row_phases, *column_phases;
    long *taps; /* offset of each step of the depth in a padded image; by pair of phases */
    real *packed_weights;
    /* In the workspace: images of all members, and of this one. */
    real *images;
    long *pixels; /* offset of each pixel of a block */
    real *patches, *sheet;
    struct member member;
    struct part channels; /* of each group's output channels: what this member makes */
    double far_bytes;     /* an output of more than so many is mostly out of L2 */
    bool is_b, in_place;  /* the image is B, depth x pixels, and read where it is */
};

static struct job job_of(const struct convolution *conv, const struct call *call)
{
    struct job job = {.plan = plan_of(conv, tile, REAL_BYTES, &call->caches),
                      .output = call->operand[0],
                      .input = call->operand[1],
                      .weights = call->operand[2],
                      .row_phases = call->kept,
                      .member = call->member,
                      .far_bytes = call->caches.l2_bytes / 2};
    const struct plan *plan = &job.plan;
    const struct member member = call->member;
    convolution_steps(conv, call, job.step);
    job.column_phases = job.row_phases + conv->rows.phases;
    job.taps = (long *)(job.column_phases + conv->columns.phases);
    job.packed_weights = (real *)(job.taps + plan->taps);
    job.images = call->workspace;
    long *pixels = (long *)(job.images + member.count * plan->image);
    job.pixels = pixels + member.index * plan->pixel_table;
    job.patches = (real *)(pixels + member.count * plan->pixel_table) +
                  member.index * (plan->patches + plan->sheet);
    job.sheet = job.patches + plan->patches;
    return job;
}

static const struct step *steps_of(const struct job *job)
{
    return job->plan.conv.epilogue == EPILOGUE_none ? NULL : job->step;
}

/* Whether an image serves as its own padded image. */
static bool is_plain(const struct job *job)
{
    const struct axis *rows = &job->plan.conv.rows, *columns = &job->plan.conv.columns;
    return columns->step == 1 && rows->lowest == 0 && columns->lowest == 0 &&
           lines_under(rows, rows->grid) == rows->in &&
           lines_under(columns, columns->grid) == columns->in;
}

/* Steps of depth of a pair of phases per block. */
static long block_depth(const struct job *job, const struct phase_pair *both)
{
    const long depth = job->plan.conv.c_group * both->taps;
    /* No more than the buffer of patches, which is for the pair with most taps, has room for. */
    return smaller(equal_block(depth, DEPTH_MOST, 8), job->plan.depth);
}

/* Where the weights of a pair of phases are, and the offsets of its taps. */
static real *weights_at(const struct job *job, long group, const struct phase_pair *both)
{
    const struct convolution *conv = &job->plan.conv;
    return job->packed_weights +
           job->plan.rows * conv->c_group * (group * conv->taps + both->before);
}

static long *taps_at(const struct job *job, const struct phase_pair *both)
{
    return job->taps + job->plan.conv.c_group * both->before;
}

static void find_taps(const struct job *job, const struct phase_pair *both)
{
    const struct plan *plan = &job->plan;
    for (long i = 0; i < job->plan.conv.c_group * both->taps; i++)
        taps_at(job, both)[i] = tap_place(
            &job->plan.conv, both, i, (struct sorted_image){plan->pitch, plan->row, plan->plane});
}

/* Weights of a pair of phases into panels of output channels: by block of depth and panel. */
static void pack_weights(const struct job *job, long group, const struct phase_pair *both,
                         real *packed)
{
    const struct convolution *conv = &job->plan.conv;
    const real *weights = job->weights + group * conv->k_group * conv->c_group * conv->taps;
    const long all = conv->c_group * both->taps, block = block_depth(job, both);
    for (long begin = 0; begin < all; begin += block)
        for (long row = 0; row < job->plan.rows; row += TILE_ROWS)
            for (long i = begin; i < smaller(begin + block, all); i++) {
                const real *from = weights + i / both->taps * conv->weight_c +
                                   pair_tap(conv, both, i % both->taps);
                for (long channel = row; channel < row + TILE_ROWS; channel++)
                    *packed++ = channel < conv->k_group ? from[channel * conv->weight_k] : 0;
            }
}

void NAME(convolution_packed_prepare)(const struct convolution *conv, const struct call *call)
{
    const struct job job = job_of(conv, call);
    const bool first = call->member.index == 0;
    const struct part part = member_part(call->member, conv->groups, 1);
    if (first)
        find_phases(conv, call->kept);
    for (long row = 0; row < conv->rows.phases; row++)
        for (long column = 0; column < conv->columns.phases; column++) {
            const struct phase_pair both = find_pair(conv, row, column);
            if (first)
                find_taps(&job, &both);
            for (long group = part.begin; group < part.end; group++)
                pack_weights(&job, group, &both, weights_at(&job, group, &both));
        }
}

/* Row `item` of the padded image: of channel item / its height. One that no tap reads is left out.
 */
static void pad_item(const struct job *job, long item, const real *image, real *padded)
{
    const struct axis *rows = &job->plan.conv.rows;
    const long height = lines_under(rows, rows->grid), channel = item / height;
    const long y = item % height + rows->lowest;
    real *to = padded + item * job->plan.row;
    if (item % height % rows->step > rows->reach)
        return;
    if (y >= 0 && y < rows->in)
        padded_row(&job->plan.conv.columns, job->plan.pitch, job->plan.row,
                   image + (channel * rows->in + y) * job->plan.conv.columns.in, to);
    else
        memset(to, 0, (size_t)job->plan.row * sizeof *to);
}

/* The rows of an image that `member` pads. */
static void pad_image(const struct job *job, struct member member, const real *image, real *padded)
{
    const struct axis *rows = &job->plan.conv.rows;
    const struct part part =
        member_part(member, job->plan.conv.c * lines_under(rows, rows->grid), 1);
    for (long item = part.begin; item < part.end; item++)
        pad_item(job, item, image, padded);
}

/* Offsets in a padded channel of `count` pixels of the grid from the `begin`th on, and up to a
 * whole vector that of the first one again, so that what is beyond does not look like neighbours.
 */
static void find_pixels(const struct job *job, long begin, long count)
{
    const long width = job->plan.conv.columns.grid, step = job->plan.conv.rows.step * job->plan.row;
    long row = begin / width, column = begin % width;
    for (long i = 0; i < count; i++) {
        job->pixels[i] = row * step + column;
        if (++column == width) {
            column = 0;
            row++;
        }
    }
    for (long i = count; i < round_up(count, VLEN); i++)
        job->pixels[i] = job->pixels[0];
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
    const long pitch = job->plan.conv.pixels;
    real *c = output + channel * pitch + pixel;
    return (struct target){c, pitch, rows, columns, {channel, pixel, c - job->output}};
}

/* Pixels of an image that is B, depth from `channel` on: packed in its order, or in place, for the
 * first tile to pack, but for a last panel that does not end with a vector. */
static struct right take_image(const struct job *job, const real *image, long channel, long depth,
                               long columns)
{
    const long plane = job->plan.plane;
    const struct operand_at from = {image + channel * plane + job->pixels[0], 1, plane};
    if (!job->in_place) {
        pack_columns(from, columns, depth, job->patches);
        return right_packed(job->patches);
    }
    struct right right = right_in_place(from.at, plane, NULL);
    right.panels = job->patches + depth * TILE_COLUMNS;
    if (columns % VLEN != 0) {
        const long last = in_place_last(columns, false);
        pack_columns(operand_from(from, last, 0), columns - last, depth, job->patches);
        right.last = job->patches;
    }
    return right;
}

/* Rows of which all columns are made before the next ones': all, so that a panel of pixels stays in
 * L1; but two tiles where all of the depth is one block of packed pixels, and the output comes and
 * goes beyond L2: that way it does so in order, which prefetchers follow. */
static long rows_at_once(const struct job *job, const struct target *target, bool is_packed_once)
{
    const double bytes = (double)target->rows * (double)target->columns * REAL_BYTES;
    return is_packed_once && bytes > job->far_bytes ? 2 * TILE_ROWS : target->rows;
}

/* Whether pixels are packed before, for the sake of that order: an addend comes from afar as well,
 * 64 channels to 256 of 56 x 56 take 10 to 15 % less time. Few tiles would not earn the packing. */
static bool is_ordered(const struct job *job)
{
    const struct plan *plan = &job->plan;
    const double block = (double)plan->conv.k_group * (double)smaller(plan->columns, plan->pixels);
    return plan->rows > TILES_FEW * TILE_ROWS && plan->conv.c_group <= plan->depth &&
           block * REAL_BYTES > job->far_bytes;
}

/* A block of pixels of the grid of a pair of phases by the matrix product; `image` is the group's.
 */
static void multiply_phase(const struct job *job, const struct phase_pair *both, long group,
                           const real *image, struct target target, const struct step *steps)
{
    const struct plan *plan = &job->plan;
    const long all = plan->conv.c_group * both->taps, block = block_depth(job, both);
    const real *weights = weights_at(job, group, both);
    for (long row = 0; row < target.rows && all == 0; row++)
        memset(target.c + row * target.pitch, 0, (size_t)target.columns * sizeof *target.c);
    if (all == 0)
        finish_steps(target, (struct finish){.steps = steps});
    for (long l = 0; l < all; l += block) {
        const long depth = smaller(all - l, block);
        const real *block_weights = weights + l * plan->rows + job->channels.begin * depth;
        if (!job->is_b)
            pack_patches(job, image, taps_at(job, both) + l, depth, target.columns);
        const struct right right = job->is_b ? take_image(job, image, l, depth, target.columns)
                                             : right_packed(job->patches);
        const long rows = rows_at_once(job, &target, depth == all && right.step == 0);
        for (long row = 0; row < target.rows; row += rows) {
            struct target some = target_from(target, row, 0);
            some.rows = smaller(some.rows, rows);
            multiply(
                depth, left_packed(block_weights + row * depth, depth, 0), right, some,
                (struct finish){.alpha = 1, .beta = l > 0, .steps = l + depth < all ? NULL : steps},
                NULL);
        }
    }
}

/* From the sheet into the pixels [begin, begin + count) of the grid of a phase of rows, and the
 * steps. */
static void interleave_pixels(const struct job *job, const struct phase *rows, real *output,
                              long group, long begin, long count)
{
    const struct plan *plan = &job->plan;
    const struct convolution *conv = &plan->conv;
    const long phases = conv->columns.phases, width = conv->columns.grid;
    for (long i = 0; i < conv->k_group; i++)
        for (long at = begin, next; at < begin + count; at = next) {
            next = smaller(begin + count, (at / width + 1) * width);
            const long row = at / width * conv->rows.phases + rows->index;
            const long column = at % width * phases;
            const struct target target = channels_from(
                job, output, group * conv->k_group + i, 1, row * conv->columns.out + column,
                smaller((next - at) * phases, conv->columns.out - column));
            interleave(job->sheet + i * plan->sheet_pitch + at - begin,
                       conv->k_group * plan->sheet_pitch, phases, target.columns, target.c);
            finish_steps(target, (struct finish){.steps = steps_of(job)});
        }
}

/* All column phases of pixels of the grid of a phase of rows. Whole vectors go into the sheet: what
 * is beyond the last pixel is not interleaved. */
static void multiply_row_phase(const struct job *job, const struct phase *rows, long group,
                               const real *image, real *output, long begin, long count)
{
    const struct convolution *conv = &job->plan.conv;
    const long pitch = job->plan.sheet_pitch, columns = round_up(count, VLEN);
    for (long column = 0; column < conv->columns.phases; column++) {
        const struct phase_pair both = pair_of(conv, *rows, job->column_phases[column]);
        real *sheet = job->sheet + column * conv->k_group * pitch;
        multiply_phase(job, &both, group, image,
                       (struct target){sheet, pitch, conv->k_group, columns, {0, 0, 0}}, NULL);
    }
    interleave_pixels(job, rows, output, group, begin, count);
}

/* Pixels [begin, end) of the grid of a group; `output` is the image. */
static void multiply_pixels(const struct job *job, const real *image, real *output, long group,
                            long begin, long end)
{
    const struct plan *plan = &job->plan;
    const struct convolution *conv = &plan->conv;
    for (long j = begin; j < end; j += plan->columns) {
        const long columns = smaller(end - j, plan->columns);
        find_pixels(job, j, columns);
        if (plan->sheet == 0) {
            const struct phase_pair both = pair_of(conv, job->row_phases[0], job->column_phases[0]);
            const struct part channels = job->channels;
            multiply_phase(job, &both, group, image,
                           channels_from(job, output, group * conv->k_group + channels.begin,
                                         channels.end - channels.begin, j, columns),
                           steps_of(job));
            continue;
        }
        /* A phase may have a row less than the grid. */
        for (long row = 0; row < conv->rows.phases; row++) {
            const struct phase *rows = &job->row_phases[row];
            const long count = smaller(columns, rows->lines * conv->columns.grid - j);
            if (count > 0)
                multiply_row_phase(job, rows, group, image, output, j, count);
        }
    }
}

/* Members in the direction of the pixels of an image; the others share its output channels. So that
 * the largest part is smallest, and where that is equal no pixels are packed twice. */
static int members_by_pixels(const struct plan *plan, int members)
{
    const long panels = plan->conv.groups * round_up(plan->pixels, TILE_COLUMNS) / TILE_COLUMNS;
    const long columns = plan->conv.groups * round_up(plan->pixels, VLEN);
    const long tiles = plan->rows / TILE_ROWS;
    long smallest = columns * tiles + 1;
    int best = members;
    for (int by_pixels = members; by_pixels >= 1 && plan->sheet == 0; by_pixels--) {
        const long part = smaller(ceil_divide(panels, by_pixels) * TILE_COLUMNS, columns) *
                          ceil_divide(tiles, members / by_pixels);
        if (members % by_pixels == 0 && part < smallest) {
            smallest = part;
            best = by_pixels;
        }
    }
    return best;
}

/* The part of an image that `member` has: panels of pixels, group after group, and channels. */
static void multiply_image(struct job *job, struct member member, const real *image, real *output)
{
    const struct plan *plan = &job->plan;
    const long padded = round_up(plan->pixels, TILE_COLUMNS);
    const int by_pixels = members_by_pixels(plan, member.count);
    const int by_channels = member.count / by_pixels;
    const struct part part = member_part((struct member){member.index / by_channels, by_pixels},
                                         plan->conv.groups * padded, TILE_COLUMNS);
    job->channels = member_part((struct member){member.index % by_channels, by_channels},
                                plan->conv.k_group, TILE_ROWS);
    if (job->channels.begin == job->channels.end)
        return;
    for (long group = part.begin / padded; group * padded < part.end; group++) {
        const long begin = part.begin - group * padded, end = part.end - group * padded;
        multiply_pixels(job, image + group * plan->conv.c_group * plan->plane, output, group,
                        begin > 0 ? begin : 0, smaller(end, plan->pixels));
    }
}

void NAME(convolution_packed)(const struct convolution *conv, const struct call *call)
{
    struct job job = job_of(conv, call);
    const bool plain = is_plain(&job);
    job.is_b = plain && conv->taps == 1 && job.plan.sheet == 0;
    job.in_place = job.is_b && !(steps_addend(job.step) && is_ordered(&job));
    /* Enough images: each member has its own. Else all share each image. */
    const struct member alone = {0, 1};
    const bool by_images = conv->n >= call->member.count;
    const struct member inside = by_images ? alone : call->member;
    const struct part part = member_part(by_images ? call->member : alone, conv->n, 1);
    real *padded = job.images + (by_images ? call->member.index : 0) * job.plan.image;

    for (long i = part.begin; i < part.end; i++) {
        const real *image = job.input + i * conv->c * conv->rows.in * conv->columns.in;
        real *output = job.output + i * conv->k * conv->pixels;
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
