// direct_pack.h - a call of direct convolution as one member sees it: the weights in panels, where
// the taps are, and bands of the input with their padding.
#ifndef ROOFLINE_DIRECT_PACK_H
#define ROOFLINE_DIRECT_PACK_H

#include <string.h>

#include "direct_plan.h"
#include "fetch.h"
#include "interleave.h"
#include "transposed.h"
#include "vec.h"

/* One call as one member sees it. */
struct job {
    struct direct plan;
    struct step step[EPILOGUE_STEPS];
    const real *input;
    real *output;
    const struct phase *phases; /* of what is kept: phases, */
    long *taps;                 /* offsets of the taps from a pixel, */
    real *weights; /* panels: by group, panel, block of channels, tap, channel, output channel */
    real *copy, *sheet; /* in the workspace: the member's band of the input, and its sheet */
};

static const struct panel_size own_panel = {PANEL, VLEN};

static struct job job_of(const struct convolution *conv, const struct call *call)
{
    struct job job = {.plan = plan_of(conv, own_panel, REAL_BYTES, &call->caches),
                      .output = call->operand[0],
                      .input = call->operand[1],
                      .phases = call->kept};
    convolution_steps(conv, call, job.step);
    job.taps = (long *)(job.phases + conv->rows.phases + conv->columns.phases);
    job.weights = (real *)(job.taps + job.plan.taps);
    job.copy = (real *)call->workspace + call->member.index * (job.plan.copy + job.plan.sheet);
    job.sheet = job.copy + job.plan.copy;
    return job;
}

/* Output channels of a panel of a group, and how wide it is: the last ones may need fewer vectors.
 */
static long panel_channels(const struct direct *plan, long panel)
{
    return panel_channel(plan, panel + 1) - panel_channel(plan, panel);
}

static long panel_vectors(const struct direct *plan, long panel)
{
    return ceil_divide(panel_channels(plan, panel), VLEN);
}

/* Where the weights of a panel and a pair of phases, of the block that begins at a channel, are:
 * those of the next panel follow without a gap, as they are asked for ahead. */
static real *weights_at(const struct job *job, long group, long panel,
                        const struct phase_pair *both, long channel)
{
    const struct direct *plan = &job->plan;
    const struct convolution *conv = &plan->conv;
    return job->weights +
           (group * plan->panels * PANEL + panel_channel(plan, panel)) * conv->c_group *
               conv->taps +
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
                           panel_channel(plan, panel) * conv->weight_k;
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

/* Grid rows [row, row + rows) of images [image, image + images), one group of channels, and
 * their input. */
struct band {
    long image, images, row, rows, group;
    const real *input;
    bool is_new; /* its first panel: what the tiles read comes from memory */
};

static void copy_channels(real *to, const real *from, long count)
{
    for (; count >= VLEN; count -= VLEN, to += VLEN, from += VLEN)
        vec_store(to, vec_load(from));
    for (; count > 0; count--)
        *to++ = *from++;
}

/* A row of pixels of the planes of nchw; the next one that is due is asked for meanwhile. */
static void copy_planes(const struct direct *plan, const real *from, long count, long y, real *to)
{
    const struct convolution *conv = &plan->conv;
    const long pixels = conv->rows.in * conv->columns.in;
    if (conv->c_group <= INTERLEAVED_MOST) { /* less than a line: pixels without gaps */
        interleave(from, pixels, conv->c_group, count * conv->c_group, to);
        return;
    }
    const long next = conv->rows.reach + 1 < conv->rows.step ? conv->rows.step : 1;
    struct fetch fetch = fetch_block(from + next * conv->columns.in,
                                     y + next < conv->rows.in ? conv->c_group : 0, count, pixels);
    for (long channel = 0, together; channel < conv->c_group; channel += together) {
        const long rest = conv->c_group - channel;
        together = rest >= 2 * VLEN ? VLEN : rest;
        fetch_more(&fetch, together * fetch.row_lines);
        transpose_block(to + channel, plan->pixel, from + channel * pixels, pixels, together, count,
                        NULL);
    }
}

/* The channels of the group of one row of the input between its padding. */
static void copy_row(const struct direct *plan, const real *image, long y, long group, real *to)
{
    const struct convolution *conv = &plan->conv;
    const struct axis *columns = &conv->columns;
    memset(to, 0, (size_t)plan->row * sizeof *to);
    const long left = columns->lowest, right = left + plan->row / plan->pixel;
    const long first = left > 0 ? left : 0, last = right < columns->in ? right : columns->in;
    if (first >= last)
        return;
    to += (first - left) * plan->pixel;
    const long begin = group * conv->c_group, end = begin + conv->c_group;
    const long pixel = y * columns->in + first, count = last - first;
    const long pixels = conv->rows.in * columns->in;
    if (conv->source == LAYOUT_NCHW)
        copy_planes(plan, image + begin * pixels + pixel, count, y, to);
    else if (conv->source == LAYOUT_NHWC && plan->pixel == conv->c)
        copy_channels(to, image + pixel * conv->c, count * conv->c);
    else if (conv->source == LAYOUT_NHWC)
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
                      layout_index(conv->source, conv->c, pixels, band->group * conv->c_group, 0) +
                      band->row * conv->rows.step * plan->row;
        return;
    }
    const long rows = lines_under(&conv->rows, band->rows);
    const long first = band->row * conv->rows.step + conv->rows.lowest;
    for (long image = 0; image < band->images; image++)
        for (long row = 0; row < rows; row++)
            if (row % conv->rows.step <= conv->rows.reach && first + row >= 0 &&
                first + row < conv->rows.in) /* else no tap reads it */
                copy_row(plan, images + image * image_size, first + row, band->group,
                         job->copy + image * plan->image + row * plan->row);
    band->input = job->copy;
}

#endif
