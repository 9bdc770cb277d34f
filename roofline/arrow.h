// arrow.h - from where something stood to where it stands now.
#ifndef ROOFLINE_ARROW_H
#define ROOFLINE_ARROW_H

#include "layout.h"

enum { ARROW_STROKES = 3 };

/* The strokes of an arrow between the edges of two marks, in the colour of the second; none where
 * these overlap. Returns how many. */
int arrow_strokes(struct stroke stroke[ARROW_STROKES], const struct mark *from,
                  const struct mark *to);

#endif
