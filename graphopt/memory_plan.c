// memory_plan.c - places results in one block of memory, the largest first.
#include "memory_plan.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

static size_t aligned(size_t bytes)
{
    return (bytes + MEMORY_PLAN_ALIGNMENT - 1) / MEMORY_PLAN_ALIGNMENT * MEMORY_PLAN_ALIGNMENT;
}

/* Larger ones first; equal ones in the order in which they are needed, then in that of the list. */
static int by_size(const void *a, const void *b)
{
    const struct lifetime *x = *(struct lifetime *const *)a, *y = *(struct lifetime *const *)b;
    if (x->bytes != y->bytes)
        return x->bytes > y->bytes ? -1 : 1;
    if (x->first != y->first)
        return x->first < y->first ? -1 : 1;
    return x < y ? -1 : x > y;
}

/* The smallest gap between those placed already that live at the same time. `placed` is in the
 * order of offsets. */
static size_t find_gap(struct lifetime *const *placed, int count, const struct lifetime *item)
{
    size_t end = 0, best = 0, best_bytes = SIZE_MAX;
    for (int i = 0; i < count; i++) {
        const struct lifetime *other = placed[i];
        if (other->last < item->first || other->first > item->last)
            continue;
        const size_t gap = other->offset > end ? other->offset - end : 0;
        if (gap >= item->bytes && gap < best_bytes) {
            best = end;
            best_bytes = gap;
        }
        const size_t behind = other->offset + aligned(other->bytes);
        if (behind > end)
            end = behind;
    }
    return best_bytes < SIZE_MAX ? best : end;
}

int memory_plan(struct lifetime *lifetimes, int count, size_t *peak_bytes, struct error *error)
{
    *peak_bytes = 0;
    struct lifetime **order = calloc(2 * (size_t)count + 1, sizeof *order);
    if (!order)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory");
    struct lifetime **placed = order + count;
    for (int i = 0; i < count; i++)
        order[i] = &lifetimes[i];
    qsort(order, (size_t)count, sizeof *order, by_size);
    for (int i = 0; i < count; i++) {
        struct lifetime *item = order[i];
        item->offset = find_gap(placed, i, item);
        int at = i;
        for (; at > 0 && placed[at - 1]->offset > item->offset; at--)
            placed[at] = placed[at - 1];
        placed[at] = item;
        const size_t end = item->offset + aligned(item->bytes);
        if (end > *peak_bytes)
            *peak_bytes = end;
    }
    free(order);
    return OK;
}

void memory_plan_apart(struct lifetime *lifetimes, int count, size_t *sum_bytes)
{
    *sum_bytes = 0;
    for (int i = 0; i < count; i++) {
        lifetimes[i].offset = *sum_bytes;
        *sum_bytes += aligned(lifetimes[i].bytes);
    }
}
