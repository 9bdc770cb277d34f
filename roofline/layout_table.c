// layout_table.c - the table right of a roofline plot, and what its marks mean.
#include "layout_parts.h"

#include <math.h>

enum { NAME_LEAST = 130, NAME_MOST = 330 };

double layout_name_width(const struct figure *figure)
{
    double width = figure->dot_count > 0 ? NAME_LEAST : 0;
    for (int i = 0; i < figure->dot_count; i++)
        width = fmax(width, text_width(STYLE_cell, figure->dot[i].name));
    return fmin(width, NAME_MOST);
}

static void add_row(struct layout *layout, int i, double y)
{
    const struct figure_dot *dot = &layout->figure->dot[i];
    double end = layout->table_x + LAYOUT_NAME_X + layout->name_width;
    unsigned rgb = bound_rgb(dot->bound);
    char words[128];
    struct box badge = {layout->table_x + LAYOUT_BADGE_RADIUS, y, 2 * LAYOUT_BADGE_RADIUS,
                        2 * LAYOUT_BADGE_RADIUS, 0};
    layout_add_badge(layout, i, &badge);
    text_copy(words, sizeof words, dot->name);
    layout_cut_text(STYLE_cell, words, layout->name_width);
    layout_add_text(layout, STYLE_cell, layout->table_x + LAYOUT_NAME_X, y, 0, rgb, words);
    dot_rate_format(dot, words, sizeof words);
    layout_add_text(layout, STYLE_cell_right, end + LAYOUT_NAME_TO_RATE, y, 0, rgb, words);
    if (dot->is_gone)
        return;
    if (isnan(dot->roof_fraction)) {
        layout_add_text(layout, STYLE_cell_right, end + LAYOUT_NAME_TO_END, y, 0, rgb, "not known");
        return;
    }
    text_format(words, sizeof words, "%.0f %%", 100 * dot->roof_fraction);
    layout_add_text(layout, STYLE_cell_right, end + LAYOUT_NAME_TO_FRACTION, y, 0, rgb, words);
    text_copy(words, sizeof words, dot->of);
    layout_cut_text(STYLE_cell, words, LAYOUT_NAME_TO_END - LAYOUT_NAME_TO_WHICH);
    layout_add_text(layout, STYLE_cell, end + LAYOUT_NAME_TO_WHICH, y, 0, rgb, words);
}

static void add_legend_words(struct layout *layout, const char *words)
{
    layout_add_text(layout, STYLE_cell, layout->table_x + LAYOUT_NAME_X, layout->remark_y, 0,
                    LAYOUT_GREY, words);
    layout->remark_y -= LAYOUT_ROW_HEIGHT;
}

/* Hollow marks stand where a graph's operators were before its passes. */
static void add_hollow_legend(struct layout *layout)
{
    const struct figure *figure = layout->figure;
    const struct figure_dot *moved = NULL, *gone = NULL;
    for (int i = 0; i < figure->dot_count; i++) {
        const struct figure_dot *dot = &figure->dot[i];
        if (dot->is_gone && dot_has_before(dot))
            gone = gone ? gone : dot;
        else if (layout_has_moved(layout, dot))
            moved = moved ? moved : dot;
    }
    const double x = layout->table_x + LAYOUT_BADGE_RADIUS;
    if (moved) {
        layout_add_mark(layout, (struct mark){x, layout->remark_y, LAYOUT_HOLLOW_RADIUS,
                                              moved->before_bound, true});
        add_legend_words(layout, "before the passes, an arrow to after them");
    }
    if (gone) {
        layout_add_mark(
            layout, (struct mark){x, layout->remark_y, LAYOUT_BADGE_RADIUS - 2, gone->bound, true});
        add_legend_words(layout, "with its number, gone after the passes");
    }
    if (figure->of_graph)
        add_legend_words(layout, "no hollow mark, new or where it was");
}

static void add_legend(struct layout *layout)
{
    static const struct {
        enum bound bound;
        const char *words;
    } entries[] = {
        {BOUND_MEMORY, "bound by memory, left of its ridge"},
        {BOUND_COMPUTE, "bound by compute, right of its ridge"},
        {BOUND_LAUNCH, "bound by its launch"},
        {BOUND_UNKNOWN, "no ceiling measured for it"},
    };
    const struct figure *figure = layout->figure;
    double x = layout->table_x + LAYOUT_BADGE_RADIUS;
    for (size_t e = 0; e < sizeof entries / sizeof *entries; e++) {
        bool used = false;
        for (int i = 0; i < figure->dot_count; i++)
            used = used || (figure->dot[i].bound == entries[e].bound && !figure->dot[i].is_gone);
        if (!used)
            continue;
        layout_add_mark(layout, (struct mark){x, layout->remark_y, LAYOUT_BADGE_RADIUS - 2,
                                              entries[e].bound, false});
        add_legend_words(layout, entries[e].words);
    }
    add_hollow_legend(layout);
    bool all_drawn = true;
    for (int i = 0; i < figure->dot_count; i++)
        all_drawn = all_drawn && (dot_is_drawn(&figure->dot[i]) || figure->dot[i].is_gone);
    if (!all_drawn)
        add_legend_words(layout, "in GB/s, computes nothing, not on the plot");
    for (int i = 0; i < figure->dot_count; i++)
        if (layout_has_own_roof(figure, &figure->dot[i])) {
            layout_add_tick(layout, x, layout->remark_y, figure->dot[i].bound);
            add_legend_words(layout, "its own roof, off the line drawn");
            return;
        }
}

void layout_add_table(struct layout *layout)
{
    double y = layout->top - 8, end = layout->table_x + LAYOUT_NAME_X + layout->name_width;
    if (layout->figure->dot_count > 0) {
        layout_add_text(layout, STYLE_heading, layout->table_x + LAYOUT_NAME_X, y, 0, LAYOUT_BLACK,
                        figure_head(layout->figure));
        layout_add_text(layout, STYLE_heading_right, end + LAYOUT_NAME_TO_RATE, y, 0, LAYOUT_BLACK,
                        "GFLOP/s");
        layout_add_text(layout, STYLE_heading_right, end + LAYOUT_NAME_TO_FRACTION, y, 0,
                        LAYOUT_BLACK, "of roof");
    }
    for (int i = 0; i < layout->figure->dot_count; i++)
        add_row(layout, i, y - LAYOUT_ROW_HEIGHT * (i + 1.15));
    layout->remark_y = y - LAYOUT_ROW_HEIGHT * (layout->figure->dot_count + 1.6);
    add_legend(layout);
}
