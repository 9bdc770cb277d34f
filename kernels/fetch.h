// fetch.h - blocks of a matrix asked for ahead of time, a few lines at a time.
//
// Included by ISA bodies.
#ifndef ROOFLINE_FETCH_H
#define ROOFLINE_FETCH_H

#include <stdint.h>

#include "sweep.h"
#include "vec.h"

/* A line of a cache. */
enum { LINE = SWEEP_LINE_BYTES / REAL_BYTES };

/* What remains to be fetched of a block. */
struct fetch {
    const char *at;
    long row_lines, lines, rows; /* of a row; left of this row; rows left with it */
    long skip_bytes;             /* from the end of a row to the next one */
};

/* Rows of so many elements, `pitch` elements apart, with the line in which the first begins. */
static inline struct fetch fetch_block(const real *at, long rows, long elements, long pitch)
{
    const long head = (long)((uintptr_t)at % SWEEP_LINE_BYTES / REAL_BYTES);
    const long lines = (head + elements + LINE - 1) / LINE;
    at -= head;
    return (struct fetch){(const char *)at, lines, lines, lines > 0 ? rows : 0,
                          (pitch - lines * LINE) * REAL_BYTES};
}

/* Into L2. */
static inline void fetch_more(struct fetch *fetch, long count)
{
    while (count > 0 && fetch->rows > 0) {
        const long run = count < fetch->lines ? count : fetch->lines;
        const char *const end = fetch->at + run * SWEEP_LINE_BYTES;
        for (const char *at = fetch->at; at < end; at += SWEEP_LINE_BYTES)
            __builtin_prefetch(at, 0, 2);
        fetch->at = end;
        fetch->lines -= run;
        count -= run;
        if (fetch->lines == 0) {
            fetch->lines = fetch->row_lines;
            fetch->at += fetch->skip_bytes;
            fetch->rows--;
        }
    }
}

#endif
