// runs.h - an output that is made of runs of equal length which lie elsewhere in the input: the
// core of the kernels that copy rows.
//
// Included by ISA bodies.
#ifndef ROOFLINE_RUNS_H
#define ROOFLINE_RUNS_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel.h"
#include "sweep.h"
#include "vec.h"

/* Where the runs of the output come from, in the order of the output: `step` elements from one to
 * the next of each dimension, the last one innermost; or row index[i] of a table. */
struct runs {
    const real *in;
    long length; /* elements of a run */
    struct {
        long count, step;
    } dimension[3];
    const int32_t *index;
    long count;
};

enum { RUN_LINE = SWEEP_LINE_BYTES / REAL_BYTES, RUN_BLOCK = 4 * RUN_LINE };

/* A place in the sequence of runs. */
struct place {
    const struct runs *runs;
    long run, left; /* elements of the run that are left */
    const real *from;
};

static const real *run_start(const struct runs *runs, long run)
{
    if (run >= runs->count) /* a fetch ahead of the last run */
        return runs->in;
    if (runs->index)
        return runs->in + runs->index[run] * runs->length;
    long inner = run % runs->dimension[2].count, rest = run / runs->dimension[2].count;
    long middle = rest % runs->dimension[1].count, outer = rest / runs->dimension[1].count;
    return runs->in + outer * runs->dimension[0].step + middle * runs->dimension[1].step +
           inner * runs->dimension[2].step;
}

static struct place place_at(const struct runs *runs, long element)
{
    long run = element / runs->length, offset = element % runs->length;
    return (struct place){runs, run, runs->length - offset, run_start(runs, run) + offset};
}

ALWAYS_INLINE void place_advance(struct place *place, long count)
{
    place->from += count;
    place->left -= count;
    while (place->left <= 0) {
        place->run++;
        place->from = run_start(place->runs, place->run) - place->left;
        place->left += place->runs->length;
    }
}

/* Any number of elements, within the caches. */
static void run_copy(real *out, const real *in, long count)
{
    long i = 0;
    for (; i + 4 * VLEN <= count; i += 4 * VLEN)
        UNROLL(4)
    for (long j = i; j < i + 4 * VLEN; j += VLEN)
        vec_store(out + j, vec_load(in + j));
    for (; i + VLEN <= count; i += VLEN)
        vec_store(out + i, vec_load(in + i));
    for (; i < count; i++)
        out[i] = in[i];
}

/* The next `count` elements of the output. */
static void runs_copy(struct place *place, real *out, long count)
{
    while (count > 0) {
        long some = count < place->left ? count : place->left;
        run_copy(out, place->from, some);
        place_advance(place, some);
        out += some;
        count -= some;
    }
}

/* A part of the output that starts a line, and what is fetched for it ahead of time. */
struct lane {
    real *out;
    long left;
    struct place at, ahead;
};

ALWAYS_INLINE void stream_lines(real *out, const real *in, const long count)
{
    UNROLL(16)
    for (long i = 0; i < count; i += VLEN)
        vec_stream(out + i, vec_load(in + i));
}

ALWAYS_INLINE void fetch_lines(const real *p, const long count)
{
    UNROLL(4)
    for (long i = 0; i < count; i += RUN_LINE)
        __builtin_prefetch(p + i);
}

/* Four lines where the run has as many left; else one, put together where runs meet in it. */
ALWAYS_INLINE void lane_step(struct lane *lane)
{
    long count = RUN_BLOCK;
    if (lane->at.left >= RUN_BLOCK && lane->left >= RUN_BLOCK) {
        fetch_lines(lane->ahead.from, RUN_BLOCK);
        stream_lines(lane->out, lane->at.from, RUN_BLOCK);
        place_advance(&lane->at, RUN_BLOCK);
    } else {
        count = lane->left < RUN_LINE ? lane->left : RUN_LINE;
        fetch_lines(lane->ahead.from, RUN_LINE);
        if (count < RUN_LINE) {
            runs_copy(&lane->at, lane->out, count);
        } else if (lane->at.left >= RUN_LINE) {
            stream_lines(lane->out, lane->at.from, RUN_LINE);
            place_advance(&lane->at, RUN_LINE);
        } else {
            real line[RUN_LINE];
            runs_copy(&lane->at, line, RUN_LINE);
            stream_lines(lane->out, line, RUN_LINE);
        }
    }
    place_advance(&lane->ahead, count);
    lane->out += count;
    lane->left -= count;
}

/* Past the caches, in lanes. */
static void runs_stream(const struct runs *runs, real *out, long begin, long end)
{
    struct lane lane[SWEEP_LANES];
    const long ahead = SWEEP_AHEAD_BYTES / REAL_BYTES;
    struct place first = place_at(runs, begin);
    long head = (long)(-(uintptr_t)(out + begin) % SWEEP_LINE_BYTES / REAL_BYTES);
    head = head < end - begin ? head : end - begin;
    runs_copy(&first, out + begin, head);
    begin += head;
    const long share = (end - begin) / SWEEP_LANES / RUN_BLOCK * RUN_BLOCK;
    for (int i = 0; i < SWEEP_LANES; i++, begin += share)
        lane[i] = (struct lane){out + begin, i < SWEEP_LANES - 1 ? share : end - begin,
                                place_at(runs, begin), place_at(runs, begin + ahead)};
    for (bool busy = true; busy;) {
        busy = false;
        for (int i = 0; i < SWEEP_LANES; i++)
            if (lane[i].left > 0) {
                lane_step(&lane[i]);
                busy = true;
            }
    }
    vec_stream_fence();
}

/* The member's share of the output, past the caches where all is larger than they are. */
static void runs_move(const struct runs *runs, const struct call *call, double moved_bytes)
{
    struct part part = member_part(call->member, call->outputs, RUN_LINE);
    real *out = call->operand[0];
    if (part.begin == part.end)
        return;
    if (moved_bytes > call->caches.last_level_bytes) {
        runs_stream(runs, out, part.begin, part.end);
    } else {
        struct place place = place_at(runs, part.begin);
        runs_copy(&place, out + part.begin, part.end - part.begin);
    }
}

#endif
