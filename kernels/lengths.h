// lengths.h - arithmetic of lengths, counts and places.
#ifndef ROOFLINE_LENGTHS_H
#define ROOFLINE_LENGTHS_H

static inline long smaller(long a, long b)
{
    return a < b ? a : b;
}

static inline long greater(long a, long b)
{
    return a > b ? a : b;
}

/* Of a negative total towards zero, which is upwards, too. */
static inline long ceil_divide(long total, long part)
{
    return total > 0 ? (total + part - 1) / part : total / part;
}

static inline long round_up(long value, long multiple)
{
    return (value + multiple - 1) / multiple * multiple;
}

#endif
