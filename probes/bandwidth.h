// bandwidth.h - streaming loops of the bandwidth ceilings, as the ISA objects offer them.
#ifndef ROOFLINE_BANDWIDTH_H
#define ROOFLINE_BANDWIDTH_H

#include <stdbool.h>
#include <stddef.h>

/* Arrays of one worker. A sweep covers sweep_bytes of each array, in one lane or in several of the
 * same size at once, lane i from begin_bytes + i * lane_bytes on; offsets in a lane wrap at
 * wrap_bytes. One flat loop, so that no branch is mispredicted at the end of a pass over a small
 * array. */
struct stream {
    char *array[3];    /* destination last: read uses [0], copy [0] -> [1], triad [0], [1] -> [2],
                        * update [0] -> [0] */
    size_t wrap_bytes; /* a power of two */
    size_t begin_bytes, sweep_bytes, lane_bytes; /* multiples of STREAM_STEP_BYTES */
};

/* What one iteration of every ISA's loop divides: 8 vectors of at most 64 bytes. */
enum { STREAM_STEP_BYTES = 512 };

/* The forms of a loop: one lane that leaves it to the hardware to fetch ahead, or several
 * (base/sweep.h). */
enum { STREAM_PLAIN, STREAM_LANES, STREAM_FORMS };

struct stream_operation {
    const char *name;  /* read, write, copy, triad, update, write_nt, ... */
    int loads, stores; /* arrays read and written */
    int in_place;      /* 1: the array written is the one read, so that no write allocates */
    bool nontemporal;
    int lanes[STREAM_FORMS];
    void (*run[STREAM_FORMS])(const struct stream *stream);
};

#define STREAM_OPERATIONS_DECLARE(isa)                                                             \
    extern const struct stream_operation stream_operations_f64_##isa[];

#endif
