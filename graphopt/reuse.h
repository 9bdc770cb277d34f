// reuse.h - how much other memory is touched between two uses of the same memory: by this distance
// a use finds its operand in one cache or in another.
//
//     reuse_open(&reuse, spans, count, &error)     all memory that is going to be touched
//     reuse_touch(&reuse, spans, 3, distances)     in the order in which it is touched
//     reuse_close(&reuse)
#ifndef ROOFLINE_REUSE_H
#define ROOFLINE_REUSE_H

#include <stdint.h>

#include "error.h"

struct span {
    const void *begin;
    double bytes;
};

struct reuse {
    double page_bytes;
    uintptr_t *page; /* owned: the pages of all spans, ascending */
    long *touched;   /* owned, by page: the moment when it was touched last; 0: never */
    int *later;      /* owned: a Fenwick tree over moments, 1 where a page was touched last */
    long page_count, moment, moments;
};

/* `touches` is how often each span will be touched. Spans of no bytes are allowed. */
int reuse_open(struct reuse *reuse, const struct span *spans, int count, int touches,
               struct error *error);
void reuse_close(struct reuse *reuse); /* also after a failure */

/* Touches spans side by side, as a kernel does that goes through all of its operands at once.
 * distance_bytes[i] becomes the mean over the pages of span i of what has been touched since they
 * were, with itself; NAN where that is the first time. */
void reuse_touch(struct reuse *reuse, const struct span *spans, int count, double *distance_bytes);

#endif
