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

/* An array of which each row of the output has a run. */
struct run_part {
    const real *in;
    long length, step; /* of a run; from one to the next */
};

/* Where the runs of the output come from, in the order of the output: `step` elements from one to
 * the next of each dimension, the last one innermost; or row index[i] of a table; or a run of each
 * part in turn. */
struct runs {
    const real *in;
    long length; /* elements of a run; of parts, which differ, their mean */
    struct {
        long count, step;
    } dimension[3];
    const int32_t *index;
    const struct run_part *part;
    int parts;
    long count;
};

enum { RUN_LINE = SWEEP_LINE_BYTES / REAL_BYTES, RUN_BLOCK = 4 * RUN_LINE };

/* A place in the sequence of runs. */
struct place {
    const struct runs *runs;
    long run, digit[3]; /* of the run in each dimension; of parts: row, part */
    const real *start;  /* of the run */
    const real *from;
    long left; /* elements of the run that are left */
};

/* Goes to the start of the next run; beyond the last one, where only fetches ahead come, nowhere.
 */
ALWAYS_INLINE void place_next(struct place *place)
{
    const struct runs *runs = place->runs;
    place->left = runs->length;
    if (++place->run >= runs->count) {
        place->start = runs->in;
    } else if (runs->index) {
        place->start = runs->in + runs->index[place->run] * runs->length;
    } else if (runs->part) {
        if (++place->digit[1] == runs->parts) {
            place->digit[1] = 0;
            place->digit[0]++;
        }
        const struct run_part *part = &runs->part[place->digit[1]];
        place->start = part->in + place->digit[0] * part->step;
        place->left = part->length;
    } else {
        int i = 2;
        for (; ++place->digit[i] == runs->dimension[i].count; i--) {
            place->start -= (runs->dimension[i].count - 1) * runs->dimension[i].step;
            place->digit[i] = 0;
        }
        place->start += runs->dimension[i].step;
    }
    place->from = place->start;
}

static struct place place_in_parts(const struct runs *runs, long element)
{
    long length = 0;
    for (int i = 0; i < runs->parts; i++)
        length += runs->part[i].length;
    struct place place = {.runs = runs, .digit = {element / length}};
    long offset = element % length;
    while (offset >= runs->part[place.digit[1]].length)
        offset -= runs->part[place.digit[1]++].length;
    const struct run_part *part = &runs->part[place.digit[1]];
    place.run = place.digit[0] * runs->parts + place.digit[1];
    place.start = part->in + place.digit[0] * part->step;
    place.from = place.start + offset;
    place.left = part->length - offset;
    return place;
}

static struct place place_at(const struct runs *runs, long element)
{
    if (runs->part)
        return place_in_parts(runs, element);
    long run = element / runs->length, offset = element % runs->length;
    struct place place = {.runs = runs, .run = run, .start = runs->in};
    if (runs->index && run < runs->count)
        place.start += runs->index[run] * runs->length;
    for (int i = 2; !runs->index && i >= 0; run /= runs->dimension[i--].count) {
        place.digit[i] = run % runs->dimension[i].count;
        place.start += place.digit[i] * runs->dimension[i].step;
    }
    place.from = place.start + offset;
    place.left = runs->length - offset;
    return place;
}

ALWAYS_INLINE void place_advance(struct place *place, long count)
{
    for (; count >= place->left; place_next(place))
        count -= place->left;
    place->from += count;
    place->left -= count;
}

/* Any number of elements, within the caches: vectors of which the last one overlaps the one before,
 * or two overlapping halves of one. */
static void run_copy(real *out, const real *in, long count)
{
    enum { HALF = VLEN / 2 };
    long i = 0;
    if (count < VLEN) {
        for (; i < count && count < HALF; i++)
            out[i] = in[i];
        if (count >= HALF) {
            memcpy(out, in, HALF * sizeof *out);
            memcpy(out + count - HALF, in + count - HALF, HALF * sizeof *out);
        }
        return;
    }
    for (; i + 4 * VLEN <= count; i += 4 * VLEN)
        UNROLL(4)
    for (long j = i; j < i + 4 * VLEN; j += VLEN)
        vec_store(out + j, vec_load(in + j));
    for (; i + VLEN <= count; i += VLEN)
        vec_store(out + i, vec_load(in + i));
    if (i < count)
        vec_store(out + count - VLEN, vec_load(in + count - VLEN));
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
        __builtin_prefetch(p + i, 0, 2);
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

/* Past the caches; in lanes where runs are long. Short ones come from several places already: rows
 * of 256 bytes from twelve arrays went at 0.97 of a copy in one lane, at 0.7 in four, those of 3
 * KiB the other way at 0.66 and 0.78 (Sapphire Rapids). */
static void runs_stream(const struct runs *runs, real *out, long begin, long end)
{
    struct lane lane[SWEEP_LANES];
    const long ahead = SWEEP_AHEAD_BYTES / REAL_BYTES;
    struct place first = place_at(runs, begin);
    long head = (long)(-(uintptr_t)(out + begin) % SWEEP_LINE_BYTES / REAL_BYTES);
    head = head < end - begin ? head : end - begin;
    runs_copy(&first, out + begin, head);
    begin += head;
    const int lanes = runs->length * REAL_BYTES < 1024 ? 1 : SWEEP_LANES;
    const long share = (end - begin) / lanes / RUN_BLOCK * RUN_BLOCK;
    for (int i = 0; i < lanes; i++, begin += share)
        lane[i] = (struct lane){out + begin, i < lanes - 1 ? share : end - begin,
                                place_at(runs, begin), place_at(runs, begin + ahead)};
    for (bool busy = true; busy;) {
        busy = false;
        for (int i = 0; i < lanes; i++)
            if (lane[i].left > 0) {
                lane_step(&lane[i]);
                busy = true;
            }
    }
    vec_stream_fence();
}

/* Whether what is read and written would leave the caches before it is used again. */
static bool exceed_caches(const struct call *call, double moved_bytes)
{
    return moved_bytes > call->caches.last_level_bytes;
}

/* The member's share of the output, past the caches where all is larger than they are. */
static void runs_move(const struct runs *runs, const struct call *call, double moved_bytes)
{
    struct part part = member_part(call->member, call->outputs, RUN_LINE);
    real *out = call->operand[0];
    if (part.begin == part.end)
        return;
    if (exceed_caches(call, moved_bytes)) {
        runs_stream(runs, out, part.begin, part.end);
    } else {
        struct place place = place_at(runs, part.begin);
        runs_copy(&place, out + part.begin, part.end - part.begin);
    }
}

#endif
