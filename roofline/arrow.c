// arrow.c - arrows as strokes.
#include "arrow.h"

#include <math.h>

int arrow_strokes(struct stroke stroke[ARROW_STROKES], const struct mark *from,
                  const struct mark *to)
{
    const double head = 8, spread = 0.45; /* pixels, radians */
    const unsigned rgb = bound_rgb(to->bound);
    if (hypot(to->x - from->x, to->y - from->y) <= from->radius + to->radius)
        return 0;
    const double turn = atan2(to->y - from->y, to->x - from->x);
    const double tip_x = to->x - to->radius * cos(turn), tip_y = to->y - to->radius * sin(turn);
    int count = 0;
    stroke[count++] = (struct stroke){from->x + from->radius * cos(turn),
                                      from->y + from->radius * sin(turn), tip_x, tip_y, rgb};
    for (int side = -1; side <= 1; side += 2)
        stroke[count++] = (struct stroke){tip_x, tip_y, tip_x - head * cos(turn + side * spread),
                                          tip_y - head * sin(turn + side * spread), rgb};
    return count;
}
