// layout.c - places badges, ceiling names, ridges and the table of a roofline plot.
#include "layout.h"

#include <assert.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "arrow.h"
#include "layout_parts.h"

enum { HEIGHT_MIN = 800, PLOT_LEFT = 136, PLOT_BOTTOM = 76, PLOT_TOP_MARGIN = 84, DOT_RADIUS = 4 };

static const unsigned green = 0x009E73;

unsigned bound_rgb(enum bound bound)
{
    static const unsigned rgb[] = {
        [BOUND_UNKNOWN] = 0x444444,
        [BOUND_MEMORY] = 0x0072B2,
        [BOUND_COMPUTE] = 0xD55E00,
        [BOUND_LAUNCH] = 0xCC79A7,
    };
    return rgb[bound];
}

double layout_x(const struct layout *layout, double intensity_flops_per_byte)
{
    const struct figure *figure = layout->figure;
    double part = log(intensity_flops_per_byte / figure->intensity_min) /
                  log(figure->intensity_max / figure->intensity_min);
    return layout->left + part * (layout->right - layout->left);
}

double layout_y(const struct layout *layout, double flops_per_second)
{
    const struct figure *figure = layout->figure;
    double part =
        log(flops_per_second / figure->flops_min) / log(figure->flops_max / figure->flops_min);
    return layout->bottom + part * (layout->top - layout->bottom);
}

static const struct {
    double pixels;
    enum { left, right, center } alignment;
} styles[] = {
#define STYLE(name, pixels, alignment) [STYLE_##name] = {pixels, alignment},
    TEXT_STYLES(STYLE)
#undef STYLE
};

/* Advance widths of DejaVu Sans in thousandths of the size, rounded up by class of character:
 * https://dejavu-fonts.github.io (DejaVuSans.ttf, table hmtx). */
double text_width(enum text_style style, const char *text)
{
    double thousandths = 0;
    for (; *text; text++) {
        if (strchr(" .,:;ijlIft()r/'|-", *text))
            thousandths += 400;
        else if (strchr("mwMWQO%@+=", *text))
            thousandths += 880;
        else if (*text >= 'A' && *text <= 'Z')
            thousandths += 710;
        else
            thousandths += 637;
    }
    return thousandths / 1000 * styles[style].pixels;
}

/* How far a text's centre lies right of its anchor. */
static double anchor_offset(enum text_style style, double width)
{
    return styles[style].alignment == left    ? width / 2
           : styles[style].alignment == right ? -width / 2
                                              : 0;
}

double text_anchor(const struct text *text)
{
    return text->box.x - anchor_offset(text->style, text->box.width);
}

static void project(const struct box *box, double ux, double uy, double *low, double *high)
{
    double middle = box->x * ux + box->y * uy;
    double c = cos(box->angle), s = sin(box->angle);
    double reach = fabs(ux * c + uy * s) * box->width / 2 + fabs(uy * c - ux * s) * box->height / 2;
    *low = middle - reach;
    *high = middle + reach;
}

/* Separating axes: two rectangles are apart iff they are apart along a side of one of them. */
bool boxes_overlap(const struct box *a, const struct box *b)
{
    const double angles[] = {a->angle, a->angle + M_PI / 2, b->angle, b->angle + M_PI / 2};
    for (int i = 0; i < 4; i++) {
        double a_low, a_high, b_low, b_high;
        project(a, cos(angles[i]), sin(angles[i]), &a_low, &a_high);
        project(b, cos(angles[i]), sin(angles[i]), &b_low, &b_high);
        if (a_high <= b_low || b_high <= a_low)
            return false;
    }
    return true;
}

void layout_add_text(struct layout *layout, enum text_style style, double x, double y, double angle,
                     unsigned rgb, const char *words)
{
    if (!words[0])
        return;
    assert(layout->text_count < layout->text_capacity);
    struct text *text = &layout->text[layout->text_count++];
    double width = text_width(style, words);
    *text = (struct text){
        .style = style,
        .box = {x + anchor_offset(style, width), y, width, styles[style].pixels * 1.2, angle},
        .rgb = rgb,
    };
    text_copy(text->text, sizeof text->text, words);
}

void layout_cut_text(enum text_style style, char *words, double pixels)
{
    size_t length = strlen(words);
    while (length > 3 && text_width(style, words) > pixels)
        memcpy(words + --length - 2, "..", 3);
}

/* A sentence below the table. */
static void add_remark(struct layout *layout, unsigned rgb, const char *sentence)
{
    char words[160];
    text_copy(words, sizeof words, sentence);
    layout_cut_text(STYLE_cell, words, LAYOUT_WIDTH - LAYOUT_MARGIN - layout->table_x);
    layout_add_text(layout, STYLE_cell, layout->table_x, layout->remark_y, 0, rgb, words);
    layout->remark_y -= LAYOUT_ROW_HEIGHT;
}

void layout_add_mark(struct layout *layout, struct mark mark)
{
    assert(layout->mark_count < layout->mark_capacity);
    layout->mark[layout->mark_count++] = mark;
}

void layout_add_stroke(struct layout *layout, struct stroke stroke)
{
    assert(layout->stroke_count < layout->stroke_capacity);
    layout->stroke[layout->stroke_count++] = stroke;
}

static struct box mark_box(const struct mark *mark)
{
    return (struct box){mark->x, mark->y, 2 * mark->radius, 2 * mark->radius, 0};
}

/* A line as a rectangle with some air. */
static struct box line_box(double x0, double y0, double x1, double y1)
{
    const double thickness = 4;
    return (struct box){(x0 + x1) / 2, (y0 + y1) / 2, hypot(x1 - x0, y1 - y0), thickness,
                        atan2(y1 - y0, x1 - x0)};
}

static bool inside_plot(const struct layout *layout, const struct box *box)
{
    double c = fabs(cos(box->angle)), s = fabs(sin(box->angle));
    double x = (c * box->width + s * box->height) / 2, y = (s * box->width + c * box->height) / 2;
    return box->x - x >= layout->left && box->x + x <= layout->right &&
           box->y - y >= layout->bottom && box->y + y <= layout->top;
}

/* Whether a text or badge stands there already. */
static bool is_taken(const struct layout *layout, const struct box *box)
{
    for (int i = 0; i < layout->text_count; i++)
        if (boxes_overlap(box, &layout->text[i].box))
            return true;
    for (int i = 0; i < layout->mark_count; i++) {
        struct box other = mark_box(&layout->mark[i]);
        if (boxes_overlap(box, &other))
            return true;
    }
    return false;
}

/* The drawn part of a line: a roof ends where it meets the other one. */
static struct box drawn_box(const struct layout *layout, const struct figure_line *line)
{
    const struct figure *figure = layout->figure;
    double flat = figure_top(figure, false), fastest = figure_top(figure, true);
    double from = figure->intensity_min, to = figure->intensity_max;
    if (line->slanted && flat > 0)
        to = fmin(to, flat / line->value);
    if (!line->slanted && fastest > 0)
        from = fmax(from, line->value / fastest);
    return line_box(layout_x(layout, from), layout_y(layout, line_at(line, from)),
                    layout_x(layout, to), layout_y(layout, line_at(line, to)));
}

/* How much the lines, ridges and leaders that run through a text disturb it; one along it more than
 * those across. */
static int crossings(const struct layout *layout, const struct box *box)
{
    enum { ACROSS = 1, ALONG = 4 };
    const struct figure *figure = layout->figure;
    const struct figure_line *flat = figure_roof(figure, false);
    int sum = 0;
    for (int i = 0; i < figure->line_count; i++) {
        const struct figure_line *line = &figure->line[i];
        struct box other = drawn_box(layout, line);
        if (boxes_overlap(box, &other))
            sum += fabs(other.angle - box->angle) < 0.1 ? ALONG : ACROSS;
        if (!flat || !line->slanted || line->style == LINE_THEORY)
            continue;
        double x = layout_x(layout, flat->value / line->value);
        other = line_box(x, layout->bottom, x, layout_y(layout, flat->value));
        sum += boxes_overlap(box, &other) ? ACROSS : 0;
    }
    for (int i = 0; i < layout->stroke_count; i++) {
        const struct stroke *stroke = &layout->stroke[i];
        struct box other = line_box(stroke->x0, stroke->y0, stroke->x1, stroke->y1);
        sum += boxes_overlap(box, &other) ? ACROSS : 0;
    }
    return sum;
}

/* The k-th place to try for a badge: the dot itself, then rings of growing radius around it, each
 * from the lower right, where a roof leaves room. */
static struct box badge_candidate(double x, double y, int k)
{
    enum { PER_RING = 24 };
    struct box box = {x, y, 2 * LAYOUT_BADGE_RADIUS, 2 * LAYOUT_BADGE_RADIUS, 0};
    if (k > 0) {
        double ring = 2.5 * LAYOUT_BADGE_RADIUS + LAYOUT_BADGE_RADIUS * ((k - 1) / PER_RING);
        double turn = -M_PI / 6 - 2 * M_PI / PER_RING * ((k - 1) % PER_RING);
        box.x += ring * cos(turn);
        box.y += ring * sin(turn);
    }
    return box;
}

void layout_add_badge(struct layout *layout, int i, const struct box *box)
{
    const struct figure_dot *dot = &layout->figure->dot[i];
    char words[16];
    int number = layout->figure->dots_before + i + 1;
    text_format(words, sizeof words, "%d", number);
    layout_add_mark(layout,
                    (struct mark){box->x, box->y, LAYOUT_BADGE_RADIUS, dot->bound, dot->is_gone});
    layout_add_text(layout, number < 100 ? STYLE_number : STYLE_number_small, box->x, box->y, 0,
                    dot->is_gone ? bound_rgb(dot->bound) : 0xffffff, words);
}

bool layout_has_own_roof(const struct figure *figure, const struct figure_dot *dot)
{
    const double visible_rel = 0.15;
    for (int i = 0; i < figure->line_count; i++) {
        const struct figure_line *line = &figure->line[i];
        bool over = dot->bound == BOUND_COMPUTE
                        ? !line->slanted && line->style == LINE_ROOF
                        : line->slanted && strcmp(line->label, dot->of) == 0;
        double drawn = line_at(line, dot->intensity_flops_per_byte);
        if (over && fabs(dot->roof_flops_per_second / drawn - 1) > visible_rel)
            return true;
    }
    return false;
}

void layout_add_tick(struct layout *layout, double x, double y, enum bound bound)
{
    const double half = 8;
    layout_add_stroke(layout, (struct stroke){x - half, y, x + half, y, bound_rgb(bound)});
}

static struct mark hollow_mark(const struct layout *layout, const struct figure_dot *dot)
{
    return (struct mark){layout_x(layout, dot->before_flops_per_byte),
                         layout_y(layout, dot->before_flops_per_second), LAYOUT_HOLLOW_RADIUS,
                         dot->before_bound, true};
}

/* Where the badge of a dot belongs: what is left of it after the passes, else what was there
 * before. False where it has no place on the plot. */
static bool find_place(const struct layout *layout, const struct figure_dot *dot, double *x,
                       double *y)
{
    const bool is_gone = dot->is_gone && dot_has_before(dot);
    if (!dot_is_drawn(dot) && !is_gone)
        return false;
    *x = layout_x(layout, is_gone ? dot->before_flops_per_byte : dot->intensity_flops_per_byte);
    *y = layout_y(layout, is_gone ? dot->before_flops_per_second : dot->flops_per_second);
    return true;
}

bool layout_has_moved(const struct layout *layout, const struct figure_dot *dot)
{
    double x, y;
    if (dot->is_gone || !dot_has_before(dot))
        return false;
    if (!find_place(layout, dot, &x, &y))
        return true;
    const struct mark before = hollow_mark(layout, dot);
    const struct box box = mark_box(&before), badge = badge_candidate(x, y, 0);
    return !boxes_overlap(&box, &badge);
}

/* Before badges: these and the names of lines keep clear of them. */
static void add_hollow_marks(struct layout *layout)
{
    for (int i = 0; i < layout->figure->dot_count; i++)
        if (layout_has_moved(layout, &layout->figure->dot[i]))
            layout_add_mark(layout, hollow_mark(layout, &layout->figure->dot[i]));
}

static void add_arrows(struct layout *layout)
{
    for (int i = 0; i < layout->figure->dot_count; i++) {
        const struct figure_dot *dot = &layout->figure->dot[i];
        struct mark to = {.radius = layout->aside[i] ? DOT_RADIUS : LAYOUT_BADGE_RADIUS,
                          .bound = dot->bound};
        struct stroke stroke[ARROW_STROKES];
        if (!layout_has_moved(layout, dot) || !find_place(layout, dot, &to.x, &to.y))
            continue;
        const struct mark from = hollow_mark(layout, dot);
        const int count = arrow_strokes(stroke, &from, &to);
        for (int k = 0; k < count; k++)
            layout_add_stroke(layout, stroke[k]);
    }
}

/* A badge that has no room on its dot: beside it, with a leader to a small dot at the true place.
 */
static void place_aside(struct layout *layout, int i, const struct mark *at)
{
    enum { CANDIDATES = 24 * 60 };
    struct box box = badge_candidate(at->x, at->y, 0);
    for (int k = 1; k < CANDIDATES && (is_taken(layout, &box) || !inside_plot(layout, &box)); k++)
        box = badge_candidate(at->x, at->y, k);
    layout_add_stroke(layout, (struct stroke){at->x, at->y, box.x, box.y, bound_rgb(at->bound)});
    layout_add_badge(layout, i, &box);
}

/* Badges that have room stand on their dot. */
static void place_badges(struct layout *layout)
{
    const struct figure *figure = layout->figure;
    bool *aside = layout->aside;
    double x, y;
    add_hollow_marks(layout);
    for (int i = 0; i < figure->dot_count; i++) {
        const struct figure_dot *dot = &figure->dot[i];
        if (!find_place(layout, dot, &x, &y))
            continue;
        struct box box = badge_candidate(x, y, 0);
        if (layout_has_own_roof(figure, dot))
            layout_add_tick(layout, x,
                            fmin(layout_y(layout, dot->roof_flops_per_second), layout->top),
                            dot->bound);
        aside[i] = is_taken(layout, &box);
        if (!aside[i])
            layout_add_badge(layout, i, &box);
    }
    int badges = layout->mark_count;
    for (int i = 0; i < figure->dot_count; i++)
        if (aside[i] && find_place(layout, &figure->dot[i], &x, &y))
            layout_add_mark(layout, (struct mark){x, y, DOT_RADIUS, figure->dot[i].bound,
                                                  figure->dot[i].is_gone});
    for (int i = 0, dot = badges; i < figure->dot_count; i++)
        if (aside[i])
            place_aside(layout, i, &layout->mark[dot++]);
    add_arrows(layout);
}

/* Tries places for a text and takes, of those that nothing stands on, the first that the fewest
 * lines cross. `candidate` yields the k-th place, false after the last. */
typedef bool candidate_function(const struct layout *layout, const struct figure_line *line, int k,
                                struct box *box);

static bool place(struct layout *layout, const struct figure_line *line, enum text_style style,
                  candidate_function *candidate, unsigned rgb, const char *words)
{
    struct box box = {.width = text_width(style, words), .height = styles[style].pixels * 1.2};
    struct box best = box;
    int fewest = INT_MAX;
    for (int k = 0; fewest > 0 && candidate(layout, line, k, &box); k++) {
        if (!inside_plot(layout, &box) || is_taken(layout, &box))
            continue;
        int crossed = crossings(layout, &box);
        if (crossed < fewest) {
            fewest = crossed;
            best = box;
        }
    }
    if (fewest < INT_MAX)
        layout_add_text(layout, style, best.x - anchor_offset(style, best.width), best.y,
                        best.angle, rgb, words);
    return fewest < INT_MAX;
}

/* Along a slanted ceiling from its low end upward, above it and below it in turn. */
static bool slanted_candidate(const struct layout *layout, const struct figure_line *line, int k,
                              struct box *box)
{
    const double step = 10, aside = 11;
    struct box drawn = drawn_box(layout, line);
    double along = drawn.width / 2 - box->width / 2 - 8 - step * (k / 2);
    double across = k % 2 ? -aside : aside;
    double c = cos(layout->slope), s = sin(layout->slope);
    box->x = drawn.x - along * c - across * s;
    box->y = drawn.y - along * s + across * c;
    box->angle = layout->slope;
    return along > (box->width - drawn.width) / 2;
}

/* Upright beside a ridge, from its foot upward, right of it and left of it in turn. */
static bool ridge_candidate(const struct layout *layout, const struct figure_line *line, int k,
                            struct box *box)
{
    const double step = 8, aside = 10;
    const struct figure_line *flat = figure_roof(layout->figure, false);
    double x = layout_x(layout, ridge_flops_per_byte(flat->value, line->value));
    box->x = x + (k % 2 ? -aside : aside);
    box->y = layout->bottom + box->width / 2 + 6 + step * (k / 2);
    box->angle = M_PI / 2;
    return box->y < layout_y(layout, flat->value);
}

/* Along a horizontal ceiling from its right end leftward, above it and below it in turn. */
static bool flat_candidate(const struct layout *layout, const struct figure_line *line, int k,
                           struct box *box)
{
    const double step = 10, aside = 12;
    struct box drawn = drawn_box(layout, line);
    box->x = layout->right - 6 - box->width / 2 - step * (k / 2);
    box->y = drawn.y + (k % 2 ? -aside : aside);
    return box->x > drawn.x - drawn.width / 2;
}

static unsigned line_rgb(const struct figure_line *line)
{
    return line->style == LINE_ROOF     ? LAYOUT_BLACK
           : line->style == LINE_THEORY ? green
                                        : LAYOUT_GREY;
}

static void place_name(struct layout *layout, const struct figure_line *line)
{
    char value[32], words[128];
    si_format(line->value, line->slanted ? "B/s" : "FLOP/s", value, sizeof value);
    text_format(words, sizeof words, "%s  %s", line->label, value);
    candidate_function *candidate = line->slanted ? slanted_candidate : flat_candidate;
    if (!place(layout, line, line->slanted ? STYLE_slanted : STYLE_flat, candidate, line_rgb(line),
               words))
        add_remark(layout, line_rgb(line), words);
}

static void place_ridge(struct layout *layout, const struct figure_line *line,
                        const struct figure_line *flat)
{
    char words[128];
    text_format(words, sizeof words, "%s ridge %.3g FLOP/B", line->label,
                ridge_flops_per_byte(flat->value, line->value));
    if (!place(layout, line, STYLE_ridge, ridge_candidate, line_rgb(line), words))
        add_remark(layout, line_rgb(line), words);
}

/* Who has the least choice of places chooses first: the roof, the other horizontal ceilings from
 * the lowest up, then the slanted ones from the outermost memory level inward. */
static void place_line_names(struct layout *layout)
{
    const struct figure *figure = layout->figure;
    const struct figure_line *flat = figure_roof(figure, false);
    if (flat)
        place_name(layout, flat);
    for (int i = figure->line_count - 1; i >= 0; i--)
        if (!figure->line[i].slanted && &figure->line[i] != flat)
            place_name(layout, &figure->line[i]);
    for (int i = figure->line_count - 1; i >= 0; i--) {
        const struct figure_line *line = &figure->line[i];
        if (line->slanted)
            place_name(layout, line);
        if (flat && line->slanted && line->style != LINE_THEORY)
            place_ridge(layout, line, flat);
    }
}

static int allocate(struct layout *layout, struct error *error)
{
    /* A dot: number twice, four cells; a line: its name and its ridge's. A dot: three marks on the
     * plot, one in the table. A dot: leader, own roof, arrow; one more roof in the legend. */
    int dots = layout->figure->dot_count;
    layout->text_capacity = 6 * dots + 2 * FIGURE_LINES_MAX + 16;
    layout->mark_capacity = 4 * dots + 8;
    layout->stroke_capacity = (2 + ARROW_STROKES) * dots + 1;
    layout->text = calloc((size_t)layout->text_capacity, sizeof *layout->text);
    layout->mark = calloc((size_t)layout->mark_capacity, sizeof *layout->mark);
    layout->stroke = calloc((size_t)layout->stroke_capacity, sizeof *layout->stroke);
    layout->aside = calloc((size_t)dots + 1, sizeof *layout->aside);
    if (layout->text && layout->mark && layout->stroke && layout->aside)
        return OK;
    return error_set(error, FAULT_ENVIRONMENT, "out of memory for a plot of %d kernels", dots);
}

int layout_build(struct layout *layout, const struct figure *figure, struct error *error)
{
    double table = PLOT_TOP_MARGIN + LAYOUT_ROW_HEIGHT * (figure->dot_count + LAYOUT_LEGEND_ROWS);
    *layout = (struct layout){
        .width = LAYOUT_WIDTH,
        .height = fmax(HEIGHT_MIN, table),
        .left = PLOT_LEFT,
        .bottom = PLOT_BOTTOM,
        .name_width = layout_name_width(figure),
        .figure = figure,
    };
    layout->table_x =
        LAYOUT_WIDTH - LAYOUT_MARGIN - LAYOUT_NAME_TO_END - layout->name_width - LAYOUT_NAME_X;
    layout->right = layout->table_x - 2 * LAYOUT_MARGIN;
    layout->top = layout->height - PLOT_TOP_MARGIN;
    layout->slope = atan2(layout_y(layout, figure->flops_min * 10) - layout->bottom,
                          layout_x(layout, figure->intensity_min * 10) - layout->left);
    if (allocate(layout, error) != OK)
        return FAILED;
    char words[128];
    text_copy(words, sizeof words, figure->title);
    layout_cut_text(STYLE_title, words, LAYOUT_WIDTH - PLOT_LEFT - LAYOUT_MARGIN);
    layout_add_text(layout, STYLE_title, PLOT_LEFT, layout->height - 26, 0, LAYOUT_BLACK, words);
    layout_add_text(layout, STYLE_subtitle, PLOT_LEFT, layout->height - 56, 0, LAYOUT_GREY,
                    figure->subtitle);
    layout_add_table(layout);
    place_badges(layout);
    place_line_names(layout);
    return OK;
}

void layout_free(struct layout *layout)
{
    free(layout->text);
    free(layout->mark);
    free(layout->stroke);
    free(layout->aside);
}
