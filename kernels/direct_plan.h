// direct_plan.h - what direct convolution reads in place, copies and blocks.
#ifndef ROOFLINE_DIRECT_PLAN_H
#define ROOFLINE_DIRECT_PLAN_H

#include "convolution.h"
#include "direct_tile.h"

/* Output channels of a panel, and of a vector. */
struct panel_size {
    long channels, lanes;
};

struct direct {
    struct convolution conv;
    struct panel_size panel; /* of weights, the widest; */
    long panels;             /* of a group */
    long depth;              /* input channels of a block */
    bool in_place;           /* the tile reads the input, not a padded copy of a band of it */
    bool skips;             /* runs at the sides leave out the taps that are outside of the image */
    long pixel, row, image; /* elements between columns, rows and images of what the tile reads */
    long rows, images;      /* grid rows of a band; its images, which are whole where several */
    long taps, weights, copy; /* entries and elements of what is kept; of a member's copy */
    bool far;   /* the output is more than half of L2, so beside the input mostly out of it */
    long sheet; /* nchw: a panel of the output of a band with the channels last; a member's too */
};

/* 1 x 1 taps with a stride of 1 see no rows: pixels that lie in order become rows that are longer,
 * as tiles at the end of one have fewer products for what they take beside them; but not so long
 * that L2 would not hold some, and so many that each member has its part, of panels of so many
 * channels. */
static inline struct convolution with_long_rows(struct convolution conv, struct panel_size panel,
                                                int members)
{
    enum { PIXELS_MANY = 32 * RUN_PIXELS_LEAST, PARTS_LEAST = 8 };
    struct axis *const rows = &conv.rows, *const columns = &conv.columns;
    if (conv.taps != 1 || rows->stride != 1 || columns->stride != 1 || rows->transposed ||
        rows->in != rows->out || columns->in != columns->out || conv.pixels == 0 ||
        conv.layout == LAYOUT_NCHW || conv.source == LAYOUT_NCHW)
        return conv;
    const long panels = conv.n * conv.groups * ceil_divide(conv.k_group, panel.channels);
    const long least = greater(ceil_divide(PARTS_LEAST * members, panels), 1);
    for (long fewer = rows->out - 1; fewer >= least && columns->out < PIXELS_MANY; fewer--)
        if (conv.pixels % fewer == 0 && conv.pixels / fewer <= 2 * PIXELS_MANY) {
            rows->in = rows->out = rows->grid = fewer;
            columns->in = columns->out = columns->grid = conv.pixels / fewer;
        }
    return conv;
}

/* Whether of each run of up to so many pixels that begins or ends a row at most the outermost one
 * has a tap outside of the image, and not the same of both but where it is the only one. */
static inline bool skips_runs(const struct axis *columns, long pixels)
{
    const long beyond = columns->lowest + lines_under(columns, columns->grid) - columns->in;
    return columns->phases == 1 && columns->step >= -columns->lowest && columns->step >= beyond &&
           columns->in > (pixels - 1) * columns->step;
}

static inline bool reads_blocks(const struct direct *plan)
{
    return plan->in_place && plan->conv.source == LAYOUT_NCHWC;
}

/* Whether taps of a row that are so many columns apart are one stretch of what the tile reads. */
static inline bool joins_taps(const struct direct *plan, long columns_apart)
{
    return plan->pixel == plan->conv.c_group && plan->depth == plan->conv.c_group &&
           columns_apart == 1 && !reads_blocks(plan);
}

/* What the tile reads: the input itself where it can leave out the padding. A copy has each pixel
 * begin in a set of L1 of its own, by an odd number of lines, but for images of few channels; for
 * that alone it does not pay: the lines that the pixels of a tile read at a time fit one set. */
static inline void plan_source(struct direct *plan, long line)
{
    const struct convolution *conv = &plan->conv;
    const struct axis *rows = &conv->rows, *columns = &conv->columns;
    const bool blocked = conv->source == LAYOUT_NCHWC;
    const long pixel = blocked ? LAYOUT_BLOCK : conv->c;
    const bool is_inside = axis_is_inside(columns);
    plan->skips = !is_inside && skips_runs(columns, RUN_PIXELS_LEAST);
    plan->in_place = conv->source != LAYOUT_NCHW && (is_inside || plan->skips) &&
                     (!blocked || conv->c_group % LAYOUT_BLOCK == 0);
    if (plan->in_place) {
        plan->pixel = pixel;
        plan->row = columns->in * pixel;
        plan->image = rows->in * columns->in * conv->c_stored;
    } else {
        plan->pixel = conv->c_group < line ? conv->c_group : odd_lines(conv->c_group, line);
        plan->row = lines_under(columns, columns->grid) * plan->pixel;
        plan->image = plan->row * lines_under(rows, rows->grid);
        /* One stretch gains more than the padding takes. */
        plan->skips = plan->skips && !joins_taps(plan, axis_phase(columns, 0).line_step);
    }
}

/* The part of an axis's lines that taps read. */
static inline double axis_share(const struct axis *axis)
{
    return axis->reach + 1 < axis->step ? (double)(axis->reach + 1) / (double)axis->step : 1;
}

/* The first output channel of a panel of a group, or of what is behind the last one. A single
 * vector that is left takes one from the panel before: its tiles would have a load for each
 * product. */
static inline long panel_channel(const struct direct *plan, long panel)
{
    const struct panel_size *size = &plan->panel;
    if (panel == plan->panels)
        return plan->conv.k_group;
    const bool single = plan->conv.k_group - panel * size->channels <= size->lanes;
    return panel * size->channels - (single && panel > 0 ? size->lanes : 0);
}

static inline struct direct plan_of(const struct convolution *convolution, struct panel_size panel,
                                    int element_bytes, const struct cache_sizes *caches)
{
    const long line = 64 / element_bytes;
    struct direct plan = {.conv = *convolution, .panel = panel};
    const struct convolution *conv = &plan.conv;
    const struct axis *rows = &conv->rows;
    plan.panels = ceil_divide(conv->k_group, plan.panel.channels);
    /* A block of a panel and phase stays in L2 while the tiles of a band pass, beside the next one,
     * which is fetched meanwhile. */
    const long taps = convolution_depth(conv) / conv->c_group;
    const double channel_bytes = (double)(taps * plan.panel.channels * element_bytes);
    plan.depth =
        smaller(conv->c_group,
                equal_block(conv->c_group, caches->l2_bytes / 6 / channel_bytes, LAYOUT_BLOCK));
    plan_source(&plan, line);
    /* The input of a band, of which a stride may leave out rows and pixels, and the sheet, stay in
     * half of L2 while the panels pass. */
    const long row_sheet =
        conv->layout == LAYOUT_NCHW ? rows->phases * conv->columns.out * plan.panel.channels : 0;
    const double read_row = (double)plan.row * axis_share(&conv->columns);
    const long blocks =
        plan.in_place && conv->source == LAYOUT_NCHWC ? conv->c_group / LAYOUT_BLOCK : 1;
    const double row_bytes =
        (read_row * (double)blocks * axis_share(rows) + (double)row_sheet) * element_bytes;
    const double fit = caches->l2_bytes / 2 / row_bytes - (double)lines_under(rows, 1);
    plan.rows = equal_block(rows->grid, fit < 0 ? 1 : fit / (double)rows->step + 1, 1);
    plan.images = 1;
    if (plan.rows == rows->grid) {
        const double image_bytes =
            read_row * axis_share(rows) * (double)plan.image / (double)plan.row +
            (double)(rows->grid * row_sheet);
        plan.images = equal_block(conv->n, caches->l2_bytes / 2 / (image_bytes * element_bytes), 1);
    }
    plan.sheet = ceil_divide(plan.images * plan.rows * row_sheet, line) * line;
    plan.far = plan.sheet == 0 &&
               (double)conv->n * (double)(conv->k_stored * conv->pixels * element_bytes) >
                   caches->l2_bytes / 2;
    plan.taps = ceil_divide(conv->taps, 8) * 8;
    plan.weights = conv->groups * plan.panels * plan.panel.channels * conv->c_group * conv->taps;
    plan.weights = ceil_divide(plan.weights, line) * line;
    if (!plan.in_place)
        plan.copy = ceil_divide(plan.images * lines_under(rows, plan.rows) * plan.row, line) * line;
    return plan;
}

#endif
