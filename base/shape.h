// shape.h - the sizes of one kernel call: names and values, "m=64,n=64,k=64" as text.
#ifndef ROOFLINE_SHAPE_H
#define ROOFLINE_SHAPE_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"

enum { SHAPE_LETTERS_MAX = 24 };

/* Beyond this a letter is refused: products with a format's bytes stay exact in a double. */
#define SHAPE_VALUE_MAX (1L << 40)

/* A letter of a kernel's shape. A negative fallback means: must be given. */
struct letter {
    const char *name;
    long fallback, minimum;
    const char *meaning;
    const char *const *words; /* NULL-ended names of the values 0, 1, ...; NULL: a number */
    bool is_rare;             /* left out of texts where it has its fallback */
};

struct shape {
    long value[SHAPE_LETTERS_MAX]; /* in the order of the kernel's letters */
};

/* "k=v,k=v", "layout=nhwc" where a letter has words: unknown, repeated, missing or non-numeric
 * letters, unknown words and values below the minimum or above SHAPE_VALUE_MAX are FAULT_USAGE and
 * name the letter, the kernel and the letters or words it has. */
int shape_parse(struct shape *shape, const char *text, const struct letter *letters, int count,
                const char *kernel, struct error *error);

/* All letters, in order, so that equal shapes are equal texts; rare ones where they say something.
 */
void shape_format(const struct shape *shape, const struct letter *letters, int count, char *text,
                  size_t capacity);

#endif
