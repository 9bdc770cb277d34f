// layout_parts.h - what the files of the layout share: sizes, and what puts something somewhere.
#ifndef ROOFLINE_LAYOUT_PARTS_H
#define ROOFLINE_LAYOUT_PARTS_H

#include "layout.h"

/* Pixels. Shown 1000 pixels wide, the smallest words of the table are still 10 high. */
enum {
    LAYOUT_WIDTH = 1500,
    LAYOUT_MARGIN = 14,
    /* Columns of the table: names from its left, the others from its right. They are as wide as
     * the longest name needs; the plot has the rest. */
    LAYOUT_NAME_X = 30,
    LAYOUT_NAME_TO_RATE = 76,
    LAYOUT_NAME_TO_FRACTION = 148,
    LAYOUT_NAME_TO_WHICH = 156,
    LAYOUT_NAME_TO_END = 206,
    LAYOUT_ROW_HEIGHT = 24,
    LAYOUT_BADGE_RADIUS = 11,
    LAYOUT_HOLLOW_RADIUS = 6 /* of places before the passes */
};

enum { LAYOUT_BLACK = 0x000000, LAYOUT_GREY = 0x5f5f5f };

void layout_add_text(struct layout *layout, enum text_style style, double x, double y, double angle,
                     unsigned rgb, const char *words);
void layout_add_mark(struct layout *layout, struct mark mark);
void layout_add_stroke(struct layout *layout, struct stroke stroke);

/* The number of dot i on its mark. */
void layout_add_badge(struct layout *layout, int i, const struct box *box);

/* Shortens words to a width in pixels; the end gives way. */
void layout_cut_text(enum text_style style, char *words, double pixels);

/* Whether a dot's own roof is off the line that is drawn: the clock or the memory of a shared host
 * moved between the rows. The tick that shows it. */
bool layout_has_own_roof(const struct figure *figure, const struct figure_dot *dot);
void layout_add_tick(struct layout *layout, double x, double y, enum bound bound);

/* Whether the place before the passes is so far from the dot that both can be seen. */
bool layout_has_moved(const struct layout *layout, const struct figure_dot *dot);

/* ---- layout_table.c ---- */

/* Of the first column: as wide as the longest name, within bounds. */
double layout_name_width(const struct figure *figure);

/* Rows right of the plot, then what marks mean. */
void layout_add_table(struct layout *layout);

/* Lines that the longest explanation of marks has, and some of those that found no place. */
enum { LAYOUT_LEGEND_ROWS = 11 };

#endif
