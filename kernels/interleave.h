// interleave.h - several arrays written alternately into one, such as the column phases of a
// transposed convolution, and two taken out of one.
//
// Included by ISA bodies.
#ifndef ROOFLINE_INTERLEAVE_H
#define ROOFLINE_INTERLEAVE_H

#include "image_layout.h"
#include "vec.h"

/* So many arrays at most are written by shuffles. */
enum { INTERLEAVED_MOST = LAYOUT_PLANES_FEW };

#if VLEN > 1
/* An element of a and one of b in turn, from lane `at` on. */
#define ZIP_2(at) (at), VLEN + (at)
#define ZIP_4(at) ZIP_2(at), ZIP_2((at) + 1)
#define ZIP_8(at) ZIP_4(at), ZIP_4((at) + 2)
#if VLEN == 2
#define ZIP(at) ZIP_2(at)
#elif VLEN == 4
#define ZIP(at) ZIP_4(at)
#elif VLEN == 8
#define ZIP(at) ZIP_8(at)
#else
#define ZIP(at) ZIP_8(at), ZIP_8((at) + 4)
#endif

ALWAYS_INLINE void interleave_two(vec a, vec b, real *to)
{
    vec_store(to, __builtin_shufflevector(a, b, ZIP(0)));
    vec_store(to + VLEN, __builtin_shufflevector(a, b, ZIP(VLEN / 2)));
}

/* Every second lane of a and then of b, from lane `at` on. */
#define EVERY_SECOND_2(at) (at), (at) + 2
#define EVERY_SECOND_4(at) EVERY_SECOND_2(at), EVERY_SECOND_2((at) + 4)
#define EVERY_SECOND_8(at) EVERY_SECOND_4(at), EVERY_SECOND_4((at) + 8)
#if VLEN == 2
#define EVERY_SECOND(at) EVERY_SECOND_2(at)
#elif VLEN == 4
#define EVERY_SECOND(at) EVERY_SECOND_4(at)
#elif VLEN == 8
#define EVERY_SECOND(at) EVERY_SECOND_8(at)
#else
#define EVERY_SECOND(at) EVERY_SECOND_8(at), EVERY_SECOND_8((at) + 16)
#endif

/* What interleave_two() wrote as a and b were its first array, and its second. */
ALWAYS_INLINE vec first_of_pairs(vec a, vec b)
{
    return __builtin_shufflevector(a, b, EVERY_SECOND(0));
}

ALWAYS_INLINE vec second_of_pairs(vec a, vec b)
{
    return __builtin_shufflevector(a, b, EVERY_SECOND(1));
}

/* Lanes of vector k of three arrays in turn: what it takes of the first two, and then of the third;
 * element e of the turn is element e / 3 of array e % 3. */
#define TURN(k, lane) ((k)*VLEN + (lane))
#define OF_TWO(k, lane) (TURN(k, lane) % 3 == 1 ? VLEN : 0) + TURN(k, lane) / 3
#define OF_THIRD(k, lane) (TURN(k, lane) % 3 == 2 ? VLEN + TURN(k, lane) / 3 : (lane))
#define TURNS_2(of, k, at) of(k, at), of(k, (at) + 1)
#define TURNS_4(of, k, at) TURNS_2(of, k, at), TURNS_2(of, k, (at) + 2)
#define TURNS_8(of, k, at) TURNS_4(of, k, at), TURNS_4(of, k, (at) + 4)
#if VLEN == 2
#define TURNS(of, k) TURNS_2(of, k, 0)
#elif VLEN == 4
#define TURNS(of, k) TURNS_4(of, k, 0)
#elif VLEN == 8
#define TURNS(of, k) TURNS_8(of, k, 0)
#else
#define TURNS(of, k) TURNS_8(of, k, 0), TURNS_8(of, k, 8)
#endif
#define TURN_OF_THREE(k, a, b, c)                                                                  \
    __builtin_shufflevector(__builtin_shufflevector(a, b, TURNS(OF_TWO, k)), c, TURNS(OF_THIRD, k))

ALWAYS_INLINE void interleave_three(vec a, vec b, vec c, real *to)
{
    vec_store(to, TURN_OF_THREE(0, a, b, c));
    vec_store(to + VLEN, TURN_OF_THREE(1, a, b, c));
    vec_store(to + 2 * VLEN, TURN_OF_THREE(2, a, b, c));
}

/* Four are two of what two make. */
ALWAYS_INLINE void interleave_four(vec a, vec b, vec c, vec d, real *to)
{
    interleave_two(__builtin_shufflevector(a, c, ZIP(0)), __builtin_shufflevector(b, d, ZIP(0)),
                   to);
    interleave_two(__builtin_shufflevector(a, c, ZIP(VLEN / 2)),
                   __builtin_shufflevector(b, d, ZIP(VLEN / 2)), to + 2 * VLEN);
}
#endif

/* `count` elements: the first of each of `arrays` arrays, which are `pitch` apart, then the second
 * of each. */
static inline void interleave(const real *from, long pitch, long arrays, long count, real *to)
{
    long i = 0;
#if VLEN > 1
    for (; arrays == 2 && (i + VLEN) * 2 <= count; i += VLEN)
        interleave_two(vec_load(from + i), vec_load(from + pitch + i), to + 2 * i);
    for (; arrays == 3 && (i + VLEN) * 3 <= count; i += VLEN)
        interleave_three(vec_load(from + i), vec_load(from + pitch + i),
                         vec_load(from + 2 * pitch + i), to + 3 * i);
    for (; arrays == 4 && (i + VLEN) * 4 <= count; i += VLEN)
        interleave_four(vec_load(from + i), vec_load(from + pitch + i),
                        vec_load(from + 2 * pitch + i), vec_load(from + 3 * pitch + i), to + 4 * i);
#endif
    for (; i * arrays < count; i++)
        for (long array = 0; array < arrays && i * arrays + array < count; array++)
            to[i * arrays + array] = from[array * pitch + i];
}

#endif
