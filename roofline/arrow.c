// arrow.c - rings and arrows as strokes.
#include "arrow.h"

#include <math.h>

enum { RING_SIDES = 12 };

int arrow_strokes(struct stroke stroke[ARROW_STROKES], double x0, double y0, double x1, double y1,
                  double radius, unsigned rgb)
{
    const double head = 8, spread = 0.45; /* pixels, radians */
    int count = 0;
    for (int i = 0; i < RING_SIDES; i++) {
        const double from = 2 * M_PI * i / RING_SIDES, to = 2 * M_PI * (i + 1) / RING_SIDES;
        stroke[count++] = (struct stroke){x0 + radius * cos(from), y0 + radius * sin(from),
                                          x0 + radius * cos(to), y0 + radius * sin(to), rgb};
    }
    const double length = hypot(x1 - x0, y1 - y0);
    if (length <= 2 * radius)
        return count;
    const double turn = atan2(y1 - y0, x1 - x0);
    const double tip_x = x1 - radius * cos(turn), tip_y = y1 - radius * sin(turn);
    stroke[count++] =
        (struct stroke){x0 + radius * cos(turn), y0 + radius * sin(turn), tip_x, tip_y, rgb};
    for (int side = -1; side <= 1; side += 2)
        stroke[count++] = (struct stroke){tip_x, tip_y, tip_x - head * cos(turn + side * spread),
                                          tip_y - head * sin(turn + side * spread), rgb};
    return count;
}
