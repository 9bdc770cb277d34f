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

/* `total` in equal blocks of at most `largest`, of multiples, at least one: a thin last block would
 * not be worth what blocks cost. */
static inline long equal_block(long total, double largest, long multiple)
{
    if ((double)total <= largest)
        return round_up(total, multiple);
    const long limit = largest < (double)multiple ? multiple : (long)largest / multiple * multiple;
    return round_up(ceil_divide(total, ceil_divide(total, limit)), multiple);
}

#endif
