// normalized.h - what the normalisations share: mean and variance in double, and the checks of
// their operands.
#ifndef ROOFLINE_NORMALIZED_H
#define ROOFLINE_NORMALIZED_H

#include <math.h>

#include "op.h"

/* f16, bf16, f32 and f64; FAULT_IO for other elements. */
static inline int check_real(const struct site *site, int i, struct error *error)
{
    const enum element element = site_type(site, i).element;
    if (element == ELEMENT_NONE || (element_is_real(element) && element_bits(element) >= 16))
        return OK;
    return error_set(error, FAULT_IO, "there is no %s of elements '%s'", site->node->type,
                     element_name(element));
}

/* Input `i`, where it is known, is a list of `count` (-1: unknown) values; `name` is for the
 * message. */
static inline int check_list(const struct site *site, int i, long count, const char *name,
                             struct error *error)
{
    const struct type type = site_type(site, i);
    if (type.rank < 0 ||
        (type.rank == 1 && (type.dims[0] < 0 || count < 0 || type.dims[0] == count)))
        return OK;
    return error_set(error, FAULT_IO, "'%s' is %s; it has to be a list of %ld", name,
                     type_format(site->graph, &type).text, count);
}

static inline double array_real(const struct array *array, long i)
{
    return element_real(array->data, array->type.element, i);
}

static inline void array_put(const struct array *array, long i, double value)
{
    element_put_real(array->data, array->type.element, i, value);
}

struct moments {
    double mean, variance;
};

/* Over `runs` runs of `length` elements that begin `pitch` apart, the first at `begin`: the mean of
 * the squares of what is left when the mean is taken off, so that nothing cancels. */
static inline struct moments moments_of(const struct array *x, long begin, long runs, long pitch,
                                        long length)
{
    const double count = (double)runs * (double)length;
    struct moments moments = {0, 0};
    for (long run = 0; run < runs; run++)
        for (long i = 0; i < length; i++)
            moments.mean += array_real(x, begin + run * pitch + i);
    moments.mean /= count;
    for (long run = 0; run < runs; run++)
        for (long i = 0; i < length; i++) {
            const double off = array_real(x, begin + run * pitch + i) - moments.mean;
            moments.variance += off * off;
        }
    moments.variance /= count;
    return moments;
}

#endif
