// element_copy.h - single elements of any kind from one array to another.
#ifndef ROOFLINE_ELEMENT_COPY_H
#define ROOFLINE_ELEMENT_COPY_H

#include <string.h>

#include "graph.h"

/* Element k of `from` as element i of `to`, of the same element. */
static inline void element_copy(const struct array *to, long i, const struct array *from, long k)
{
    const int bits = element_bits(from->type.element);
    const size_t bytes = (size_t)bits / 8;
    if (bits >= 8)
        memcpy((char *)to->data + (size_t)i * bytes, (char *)from->data + (size_t)k * bytes, bytes);
    else if (element_is_real(from->type.element))
        element_put_real(to->data, to->type.element, i,
                         element_real(from->data, from->type.element, k));
    else
        element_put_whole(to->data, to->type.element, i,
                          element_whole(from->data, from->type.element, k));
}

/* Zero; of a text the empty one. */
static inline void element_clear(const struct array *to, long i)
{
    if (to->type.element == ELEMENT_text)
        ((struct text *)to->data)[i] = (struct text){"", 0};
    else if (element_bits(to->type.element) >= 8)
        memset((char *)to->data + (size_t)i * ((size_t)element_bits(to->type.element) / 8), 0,
               (size_t)element_bits(to->type.element) / 8);
    else
        element_put_whole(to->data, to->type.element, i, 0);
}

#endif
