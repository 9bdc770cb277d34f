// wide.h - whole numbers of every element in one type: no operation on two of them overflows it.
#ifndef ROOFLINE_WIDE_H
#define ROOFLINE_WIDE_H

#include "element.h"

__extension__ typedef __int128 wide;

/* Element i, u64 without a sign. */
static inline wide wide_at(const void *data, enum element element, long i)
{
    const int64_t value = element_whole(data, element, i);
    return element == ELEMENT_u64 ? (wide)(uint64_t)value : value;
}

/* Modulo the range of the element, as two's complement wraps. */
static inline void wide_put(void *data, enum element element, long i, wide value)
{
    element_put_whole(data, element, i, (int64_t)(uint64_t)value);
}

#endif
