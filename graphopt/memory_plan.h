// memory_plan.h - where results lie in one block of memory, of which parts are used again as soon
// as what was there is no longer needed.
#ifndef ROOFLINE_MEMORY_PLAN_H
#define ROOFLINE_MEMORY_PLAN_H

#include <stddef.h>

#include "error.h"

/* What needs memory from one step of an order to another. */
struct lifetime {
    size_t bytes;
    int first, last; /* steps, both included */
    size_t offset;   /* what memory_plan() finds: a multiple of MEMORY_PLAN_ALIGNMENT */
};

enum { MEMORY_PLAN_ALIGNMENT = 64 };

/* Sets the offsets so that what lives at the same time does not overlap; *peak_bytes is how large
 * the block has to be. The largest are placed first, each in the smallest gap that it fits in
 * (greedy by size, Pisarchyk and Lee 2020, https://arxiv.org/abs/2001.03288). Equal lifetimes give
 * equal offsets. FAULT_ENVIRONMENT: out of memory. */
int memory_plan(struct lifetime *lifetimes, int count, size_t *peak_bytes, struct error *error);

/* The same where nothing is used again. */
void memory_plan_apart(struct lifetime *lifetimes, int count, size_t *sum_bytes);

#endif
