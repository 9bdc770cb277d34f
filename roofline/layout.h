// layout.h - where everything of a roofline plot stands, in pixels, without overlaps.
//
// Origin at the lower left. Deterministic: the same figure gives the same layout.
#ifndef ROOFLINE_LAYOUT_H
#define ROOFLINE_LAYOUT_H

#include <stdbool.h>

#include "figure.h"

/* A rectangle turned about its centre. */
struct box {
    double x, y; /* centre */
    double width, height;
    double angle; /* radians, counterclockwise */
};

bool boxes_overlap(const struct box *a, const struct box *b);

/* Each style is a size, an alignment and a colour rule; picture.c draws them. STYLE(name, pixels,
 * alignment) */
#define TEXT_STYLES(STYLE)                                                                         \
    STYLE(title, 22, left)                                                                         \
    STYLE(subtitle, 14, left)                                                                      \
    STYLE(heading, 15, left)                                                                       \
    STYLE(heading_right, 15, right)                                                                \
    STYLE(cell, 15, left)                                                                          \
    STYLE(cell_right, 15, right)                                                                   \
    STYLE(flat, 15, center)                                                                        \
    STYLE(slanted, 15, center)                                                                     \
    STYLE(ridge, 13, center)                                                                       \
    STYLE(number, 13, center)                                                                      \
    STYLE(number_small, 10, center)

enum text_style {
#define STYLE(name, pixels, alignment) STYLE_##name,
    TEXT_STYLES(STYLE)
#undef STYLE
        STYLE_COUNT
};

struct text {
    enum text_style style;
    struct box box; /* what it covers, estimated generously */
    unsigned rgb;
    char text[192];
};

/* A badge: circle, square, triangle or diamond by what bounds the kernel; hollow before the passes
 * of a graph. */
struct mark {
    double x, y, radius;
    enum bound bound;
    bool is_hollow;
};

struct stroke {
    double x0, y0, x1, y1;
    unsigned rgb;
};

struct layout {
    double width, height;            /* of the picture */
    double left, bottom, right, top; /* of the plot area in it */
    double slope;                    /* angle of the slanted ceilings, radians */
    double table_x, name_width;      /* of the table right of the plot, of its first column */
    struct text *text;               /* owned */
    struct mark *mark;               /* owned */
    struct stroke *stroke;           /* owned */
    int text_count, mark_count, stroke_count;
    int text_capacity, mark_capacity, stroke_capacity;
    bool *aside;                 /* owned: which dots' badges stand beside them */
    double remark_y;             /* the next free line below the table */
    const struct figure *figure; /* borrowed */
};

int layout_build(struct layout *layout, const struct figure *figure, struct error *error);
void layout_free(struct layout *layout);

double layout_x(const struct layout *layout, double intensity_flops_per_byte);
double layout_y(const struct layout *layout, double flops_per_second);

/* Pixels that a text of this style takes at most, for DejaVu Sans. */
double text_width(enum text_style style, const char *text);

/* The x that gnuplot aligns the text at: its left end, right end or centre. */
double text_anchor(const struct text *text);

/* Okabe and Ito's colours, distinct for colour-blind readers: https://jfly.uni-koeln.de/color/ */
unsigned bound_rgb(enum bound bound);

#endif
