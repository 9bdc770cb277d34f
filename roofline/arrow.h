// arrow.h - where a dot stood before, hollow, and an arrow from there to where it stands now.
#ifndef ROOFLINE_ARROW_H
#define ROOFLINE_ARROW_H

#include "layout.h"

enum { ARROW_STROKES = 15 };

/* The strokes of a ring of that radius around (x0, y0), and of an arrow to the mark of that radius
 * at (x1, y1); without the arrow where the two overlap. Returns how many. */
int arrow_strokes(struct stroke stroke[ARROW_STROKES], double x0, double y0, double x1, double y1,
                  double radius, unsigned rgb);

#endif
