// fold.h - the lanes of a vector combined into one number. For ISA bodies.
#ifndef ROOFLINE_FOLD_H
#define ROOFLINE_FOLD_H

#include "vec.h"

typedef vec fold_combine(vec a, vec b);

ALWAYS_INLINE real vec_first(vec v)
{
#if VLEN == 1
    return v;
#else
    return v[0];
#endif
}

ALWAYS_INLINE vec fold_add(vec a, vec b)
{
    return a + b;
}

#if VLEN == 2
#define LANES_SWAPPED(v, s) __builtin_shufflevector(v, v, 0 ^ s, 1 ^ s)
#elif VLEN == 4
#define LANES_SWAPPED(v, s) __builtin_shufflevector(v, v, 0 ^ s, 1 ^ s, 2 ^ s, 3 ^ s)
#elif VLEN == 8
#define LANES_SWAPPED(v, s)                                                                        \
    __builtin_shufflevector(v, v, 0 ^ s, 1 ^ s, 2 ^ s, 3 ^ s, 4 ^ s, 5 ^ s, 6 ^ s, 7 ^ s)
#elif VLEN == 16
#define LANES_SWAPPED(v, s)                                                                        \
    __builtin_shufflevector(v, v, 0 ^ s, 1 ^ s, 2 ^ s, 3 ^ s, 4 ^ s, 5 ^ s, 6 ^ s, 7 ^ s, 8 ^ s,   \
                            9 ^ s, 10 ^ s, 11 ^ s, 12 ^ s, 13 ^ s, 14 ^ s, 15 ^ s)
#endif

/* Each group of so many neighbouring lanes combined, in every lane of it: a power of two, and a
 * constant where this is inlined. */
ALWAYS_INLINE vec fold_groups(fold_combine *const combine, vec v, const int group)
{
    (void)combine, (void)group;
#if VLEN > 8
    if (group > 8)
        v = combine(v, LANES_SWAPPED(v, 8));
#endif
#if VLEN > 4
    if (group > 4)
        v = combine(v, LANES_SWAPPED(v, 4));
#endif
#if VLEN > 2
    if (group > 2)
        v = combine(v, LANES_SWAPPED(v, 2));
#endif
#if VLEN > 1
    if (group > 1)
        v = combine(v, LANES_SWAPPED(v, 1));
#endif
    return v;
}

/* All lanes combined, in every lane. */
ALWAYS_INLINE vec fold_lanes(fold_combine *const combine, vec v)
{
    return fold_groups(combine, v, VLEN);
}

#endif
