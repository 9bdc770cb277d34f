// rows.h - what kernels that work on rows of a matrix share: who has which rows, sums and moments
// of a row, rows mapped to rows.
#ifndef ROOFLINE_ROWS_H
#define ROOFLINE_ROWS_H

#include <math.h>
#include <stdbool.h>

#include "kernel.h"
#include "lengths.h"

/* A row is summed in chunks that L1 of any current core holds twice: what is read a second time for
 * the deviations from the mean is there, and no sum grows long. */
enum { ROW_CHUNK_BYTES = 16384, ROW_SUMS = 4 };

/* What one member knows of a row that all work on, on a line of its own. */
struct partial {
    double value[8];
};

#ifndef ISA

/* Workspace of rows_exchange(): partials of two rows, so that nobody overwrites what others read.
 */
static inline double rows_workspace(const struct shape *shape, enum isa isa, enum dtype dtype,
                                    int threads, const struct cache_sizes *caches)
{
    (void)shape, (void)isa, (void)dtype, (void)caches;
    return 2.0 * threads * sizeof(struct partial);
}

/* Largest relative error, over `unit`, of the sum of `count` positive elements: each of ROW_SUMS
 * sums adds a chunk's elements one by one (a vector has at least one lane), then they are added;
 * chunks are added in double. Higham 2002, doi:10.1137/1.9780898718027, section 4.2. */
static inline double row_sum_error(double count, double unit)
{
    double chunk = ROW_CHUNK_BYTES / (unit > 0x1p-30 ? 4 : 8);
    return (count < chunk ? count : chunk) / ROW_SUMS + 8;
}

/* Largest error, as a part of the largest output, of (x - mean) / deviation * gamma + beta with x,
 * gamma and beta uniform in [0.5, 1.5): the mean, at most 1.5, errs by row_sum_error(), and that
 * is divided by the deviation. Rows of 16 and more have one above 0.1; of shorter ones, which may
 * be nearly constant, epsilon = 1e-5 alone keeps it above 1 / 316. gamma is at most 1.5, the
 * largest output at least 1; 2 for the reference, which rounds as well. */
static inline double normalize_tolerance(double count, double unit)
{
    return 2 * 1.5 * 1.5 * (count < 16 ? 316 : 10) * row_sum_error(count, unit) * unit;
}

/* Mean and root of variance + epsilon of `count` elements, for references. */
static inline void row_statistics(const void *x, enum dtype dtype, long first, long count,
                                  double epsilon, double *mean, double *deviation)
{
    double sum = 0, squares = 0;
    for (long i = first; i < first + count; i++)
        sum += real_at(x, dtype, i);
    *mean = sum / (double)count;
    for (long i = first; i < first + count; i++) {
        double distance = real_at(x, dtype, i) - *mean;
        squares += distance * distance;
    }
    *deviation = sqrt(squares / (double)count + epsilon);
}

#else

#include "fold.h"
#include "sweep.h"
#include "vec.h"

/* Parts of a row begin at multiples of it: whole lines, and whole blocks of channels. */
enum { ROW_CHUNK = ROW_CHUNK_BYTES / REAL_BYTES, ROW_GRAIN = 16 };

/* What a member has of `rows` rows: whole ones, or a part of each. */
struct share {
    struct part rows, columns;
    bool is_split;
};

/* Few long rows are split: with four per member none waits for more than a quarter of the others,
 * and a barrier takes as long as some KiB of a row. */
static inline struct share rows_share(const struct call *call, long rows, long columns)
{
    const long line = 64 / REAL_BYTES, team = call->member.count;
    if (team > 1 && rows < 4 * team && columns >= 2 * ROW_CHUNK)
        return (struct share){{0, rows}, member_part(call->member, columns, ROW_GRAIN), true};
    /* Rows shorter than a line: as many as fill lines, of which members share none. */
    long grain = columns < line ? line : 1;
    return (struct share){member_part(call->member, rows, grain), {0, columns}, false};
}

/* What each member knows of a row, [member]; every member calls it for each row. A member cannot be
 * two rows ahead of another, so two sets suffice; the first row of a call meets the last of the
 * call before. */
static inline const struct partial *rows_exchange(const struct call *call, long row,
                                                  struct partial own)
{
    struct partial *all = (struct partial *)call->workspace + row % 2 * call->member.count;
    if (row == 0)
        team_barrier();
    all[call->member.index] = own;
    team_barrier();
    return all;
}

#if VLEN > 1
/* 0, 1, 2 ... */
ALWAYS_INLINE vec_bits row_lanes(void)
{
    vec_bits lane;
    for (int i = 0; i < VLEN; i++)
        lane[i] = i;
    return lane;
}
#endif

/* The first `count` lanes, at most all, and a filler in the others. */
ALWAYS_INLINE vec row_filled(vec x, long count, vec filler)
{
#if VLEN == 1
    return count > 0 ? x : filler;
#else
    return vec_select(row_lanes() < (real_bits)count, x, filler);
#endif
}

/* The elements of a row beyond whole vectors, first or last in a vector of `filler`. */
ALWAYS_INLINE vec row_tail(const real *row, long count, vec filler)
{
#if VLEN == 1
    (void)row, (void)count;
    return filler;
#else
    if (count < VLEN)
        return row_filled(vec_load_first(row, count), count, filler);
    return vec_select(row_lanes() >= VLEN - (real_bits)(count % VLEN), vec_load(row + count - VLEN),
                      filler);
#endif
}

typedef vec row_step(vec sum, vec x, vec about);

ALWAYS_INLINE vec row_add_element(vec sum, vec x, vec about)
{
    (void)about;
    return sum + x;
}

ALWAYS_INLINE vec row_add_square(vec sum, vec x, vec about)
{
    return sum + (x - about) * (x - about);
}

/* A row reduced to one number, in every lane: step() takes an element into a sum that began as
 * `start`, combine() joins two sums, `filler` is an element that changes none. `about` is step()'s.
 */
ALWAYS_INLINE vec row_reduce(row_step *const step, fold_combine *const combine, vec start,
                             vec about, vec filler, const real *x, long count)
{
    vec sum[ROW_SUMS];
    UNROLL(ROW_SUMS)
    for (int j = 0; j < ROW_SUMS; j++)
        sum[j] = start;
    long i = 0;
    for (; i + ROW_SUMS * VLEN <= count; i += ROW_SUMS * VLEN)
        UNROLL(ROW_SUMS)
    for (int j = 0; j < ROW_SUMS; j++)
        sum[j] = step(sum[j], vec_load(x + i + j * VLEN), about);
    for (; i + VLEN <= count; i += VLEN)
        sum[0] = step(sum[0], vec_load(x + i), about);
    if (i < count)
        sum[1] = step(sum[1], row_tail(x, count, filler), about);
    return fold_lanes(combine, combine(combine(sum[0], sum[1]), combine(sum[2], sum[3])));
}

/* Number, mean and sum of squared deviations from it. */
struct moments {
    double count, mean, squares;
};

/* Of two sets together. Chan, Golub and LeVeque 1983, doi:10.1080/00031305.1983.10483115. */
static inline struct moments moments_together(struct moments a, struct moments b)
{
    if (b.count == 0)
        return a;
    double count = a.count + b.count, weight = b.count / count, delta = b.mean - a.mean;
    return (struct moments){count, a.mean + delta * weight,
                            a.squares + b.squares + delta * delta * a.count * weight};
}

/* Asks for elements [begin, end) of a row. */
ALWAYS_INLINE void row_ask(const real *row, long begin, long end)
{
    for (long i = begin; i < end; i += SWEEP_LINE_BYTES / REAL_BYTES)
        __builtin_prefetch(row + i, 0, 2);
}

/* In two passes, the second from L1: squares of deviations, not of elements, do not cancel. Each
 * begins with asking for a quarter of what lies `ahead` elements further, unless that is 0, so that
 * memory works meanwhile. */
ALWAYS_INLINE struct moments chunk_moments(const real *x, long count, long ahead)
{
    const vec zero = vec_all(0);
    if (ahead > 0)
        row_ask(x + ahead, 0, count / 4);
    vec sum = row_reduce(row_add_element, fold_add, zero, zero, zero, x, count);
    const real mean = vec_first(sum) / (real)count;
    if (ahead > 0)
        row_ask(x + ahead, count / 4, count / 2);
    vec squares =
        row_reduce(row_add_square, fold_add, zero, vec_all(mean), vec_all(mean), x, count);
    return (struct moments){(double)count, mean, vec_first(squares)};
}

ALWAYS_INLINE struct moments row_moments(const real *x, long count, long ahead)
{
    struct moments all = {0, 0, 0};
    if (count <= ROW_CHUNK && count > 0)
        return chunk_moments(x, count, ahead);
    for (; count > 0; count -= ROW_CHUNK, x += ROW_CHUNK)
        all = moments_together(all, chunk_moments(x, count < ROW_CHUNK ? count : ROW_CHUNK, 0));
    return all;
}

/* About 0 in place of the mean. */
ALWAYS_INLINE struct moments row_squares(const real *x, long count, long ahead)
{
    const vec zero = vec_all(0);
    if (ahead > 0)
        row_ask(x + ahead, 0, count / 2);
    struct moments all = {(double)count, 0, 0};
    for (; count > 0; count -= ROW_CHUNK, x += ROW_CHUNK)
        all.squares += vec_first(row_reduce(row_add_square, fold_add, zero, zero, zero, x,
                                            count < ROW_CHUNK ? count : ROW_CHUNK));
    return all;
}

static inline double deviation_scale(struct moments moments, double epsilon)
{
    return 1 / sqrt(moments.squares / moments.count + epsilon);
}

/* Of a row that each member has seen a part of. */
typedef struct moments moments_join(struct moments a, struct moments b);
static inline struct moments moments_exchange(const struct call *call, moments_join *join, long row,
                                              struct moments own)
{
    const struct partial *all =
        rows_exchange(call, row, (struct partial){{own.count, own.mean, own.squares}});
    struct moments together = {0, 0, 0};
    for (int i = 0; i < call->member.count; i++)
        together =
            join(together, (struct moments){all[i].value[0], all[i].value[1], all[i].value[2]});
    return together;
}

/* What a row is mapped by: constants, and rows of which element i goes with element i of x. */
struct map {
    vec center, scale, shift;
    const real *row[3];
    int rows;
};
typedef vec map_element(const struct map *map, vec x, long i);

/* A row, or a part of one, that is mapped together with others. */
struct lane {
    struct map map;
    const real *x;
    real *out;
};

/* Fewer elements than a vector has. */
ALWAYS_INLINE void map_few(map_element *const element, const struct lane *lane, long count)
{
    real lanes[3][VLEN] __attribute__((aligned(sizeof(vec))));
    struct map few = lane->map;
    for (int i = 0; i < few.rows; i++) {
        *(vec *)lanes[i] = vec_load_first(few.row[i], count);
        few.row[i] = lanes[i];
    }
    vec_store_first(lane->out, element(&few, vec_load_first(lane->x, count), 0), count);
}

/* Elements from `begin` on of a lane that has `count` >= VLEN. The last vector overlaps the one
 * before, but not past the caches, where the line is gone that it would write again. */
ALWAYS_INLINE void map_rest(map_element *const element, const struct lane *lane, long begin,
                            long count, const bool is_streamed)
{
    const long last = count - VLEN;
    long i = begin;
    for (; i <= last; i += VLEN) {
        vec y = element(&lane->map, vec_load(lane->x + i), i);
        if (is_streamed)
            vec_stream(lane->out + i, y);
        else
            vec_store(lane->out + i, y);
    }
    if (i == count)
        return;
    real lanes[VLEN] __attribute__((aligned(sizeof(vec))));
    *(vec *)lanes = element(&lane->map, vec_load(lane->x + last), last);
    if (!is_streamed)
        vec_store(lane->out + last, *(const vec *)lanes);
    else
        for (; i < count; i++)
            lane->out[i] = lanes[i - last];
}

/* Elements before the first vector boundary at or after p. */
ALWAYS_INLINE long misaligned_count(const real *p)
{
    return (long)(-(uintptr_t)p % sizeof(vec) / REAL_BYTES);
}

/* Cache lines of each lane from element i on; says where they end. All loads stand before the
 * stores, so that of rows that the lanes share each element is loaded once; those of two
 * vectors one after the other, as past the caches parts of a line would wait for each other. */
ALWAYS_INLINE long map_lines(map_element *const element, const struct lane *lane, const int lanes,
                             long i, long count, const bool is_streamed, long ahead)
{
    enum { STEP = 64 / REAL_BYTES, TOGETHER = STEP < 2 * VLEN ? STEP : 2 * VLEN };
    struct lane own[SWEEP_LANES]; /* never indexed by a variable, so in registers */
    UNROLL(SWEEP_LANES)
    for (int l = 0; l < lanes; l++)
        own[l] = lane[l];
    for (; i + STEP <= count; i += STEP) {
        UNROLL(STEP)
        for (int j = 0; j < STEP; j += TOGETHER) {
            vec y[TOGETHER / VLEN][SWEEP_LANES];
            UNROLL(TOGETHER / VLEN)
            for (int v = 0; v < TOGETHER / VLEN; v++)
                UNROLL(SWEEP_LANES)
            for (int l = 0; l < lanes; l++) {
                const long at = i + j + v * VLEN;
                y[v][l] = element(&own[l].map, vec_load(own[l].x + at), at);
            }
            UNROLL(SWEEP_LANES)
            for (int l = 0; l < lanes; l++)
                UNROLL(TOGETHER / VLEN)
            for (int v = 0; v < TOGETHER / VLEN; v++) {
                real *out = own[l].out + i + j + v * VLEN;
                if (is_streamed)
                    vec_stream(out, y[v][l]);
                else
                    vec_store(out, y[v][l]);
            }
        }
        UNROLL(SWEEP_LANES)
        for (int l = 0; l < lanes; l++)
            if (is_streamed)
                __builtin_prefetch(own[l].x + i + ahead);
    }
    return i;
}

/* `count` elements of each lane; the outputs are equally aligned. Past the caches what lies `ahead`
 * elements further is fetched meanwhile. */
ALWAYS_INLINE void map_lanes(map_element *const element, const struct lane *lane, const int lanes,
                             long count, const bool is_streamed, long ahead)
{
    if (count < 2 * VLEN) {
        for (int l = 0; l < lanes; l++)
            if (count < VLEN)
                map_few(element, &lane[l], count);
            else
                map_rest(element, &lane[l], 0, count, false);
        return;
    }
    long i = is_streamed ? misaligned_count(lane->out) : 0;
    if (i > 0)
        for (int l = 0; l < lanes; l++)
            vec_store_first(lane[l].out, element(&lane[l].map, vec_load(lane[l].x), 0), i);
    i = map_lines(element, lane, lanes, i, count, is_streamed, ahead);
    if (i < count)
        for (int l = 0; l < lanes; l++)
            map_rest(element, &lane[l], i, count, is_streamed);
}

/* Normalisation of rows of x into those of out. Each row has `segments`, of `length` elements, that
 * are mapped alike. */
struct rows {
    const struct call *call;
    const real *x;
    real *out;
    double epsilon;
    long count, segments, length;
};
/* What a row is normalised by; NULL: nothing of its own. `scale` is 1 / deviation, or alike. Of
 * what lies `ahead` elements further it asks for half, if a chunk holds the row; 0: for nothing. */
typedef struct moments rows_measure(const real *x, long count, long ahead);
typedef double rows_scale(struct moments moments, double epsilon);
typedef struct map rows_map(const struct call *call, double mean, double scale, long row,
                            long segment);

/* Whole rows, `pitch` apart from each other. */
ALWAYS_INLINE void rows_together(rows_measure *const measure, rows_scale *const scale_of,
                                 rows_map *const map, map_element *const element,
                                 const struct rows *rows, long first, long pitch,
                                 const bool is_streamed)
{
    const long columns = rows->segments * rows->length, near = SWEEP_AHEAD_BYTES / REAL_BYTES;
    double mean[SWEEP_LANES] = {0}, scale[SWEEP_LANES] = {0};
    for (int l = 0; l < SWEEP_LANES && measure; l++) {
        struct moments moments = measure(rows->x + (first + l * pitch) * columns, columns, 0);
        mean[l] = moments.mean;
        scale[l] = scale_of(moments, rows->epsilon);
    }
    for (long segment = 0; segment < rows->segments; segment++) {
        struct lane lane[SWEEP_LANES];
        UNROLL(SWEEP_LANES)
        for (int l = 0; l < SWEEP_LANES; l++) {
            long row = first + l * pitch, at = row * columns + segment * rows->length;
            lane[l] = (struct lane){map(rows->call, mean[l], scale[l], row, segment), rows->x + at,
                                    rows->out + at};
        }
        map_lanes(element, lane, SWEEP_LANES, rows->length, is_streamed,
                  columns > near ? columns : near);
    }
}

/* A piece of a segment: past the caches its quarters together. */
ALWAYS_INLINE void map_piece(map_element *const element, struct lane piece, long count,
                             const bool is_streamed)
{
    enum { AHEAD = SWEEP_AHEAD_BYTES / REAL_BYTES };
    const long quarter = is_streamed ? count / SWEEP_LANES / ROW_GRAIN * ROW_GRAIN : 0;
    struct lane lane[SWEEP_LANES];
    for (int l = 0; l < SWEEP_LANES; l++) {
        lane[l] = piece;
        piece.x += quarter;
        piece.out += quarter;
        for (int i = 0; i < piece.map.rows; i++)
            piece.map.row[i] += quarter;
    }
    if (quarter > 0)
        map_lanes(element, lane, SWEEP_LANES, quarter, true, AHEAD);
    map_lanes(element, &piece, 1, count - SWEEP_LANES * quarter, is_streamed, AHEAD);
}

/* Columns [part.begin, part.end) of a row, by all members where is_split. */
ALWAYS_INLINE void rows_alone(rows_measure *const measure, moments_join *const join,
                              rows_scale *const scale_of, rows_map *const map,
                              map_element *const element, const struct rows *rows, long row,
                              struct part part, bool is_split, const bool is_streamed)
{
    const long columns = rows->segments * rows->length;
    struct moments moments = {0, 0, 0};
    if (measure)
        moments = measure(rows->x + row * columns + part.begin, part.end - part.begin, 0);
    if (measure && is_split)
        moments = moments_exchange(rows->call, join, row, moments);
    const double scale = measure ? scale_of(moments, rows->epsilon) : 1;
    for (long at = part.begin; at < part.end;) {
        long segment = at / rows->length, place = at % rows->length;
        long count = rows->length - place < part.end - at ? rows->length - place : part.end - at;
        struct lane piece = {map(rows->call, moments.mean, scale, row, segment),
                             rows->x + row * columns + at, rows->out + row * columns + at};
        for (int i = 0; i < piece.map.rows; i++)
            piece.map.row[i] += place;
        map_piece(element, piece, count, is_streamed);
        at += count;
    }
}

/* Elements that lie between a row of so many and one that is asked for meanwhile: whole rows, and
 * what a core moves while memory answers (Emerald Rapids: rows of 4 KiB take 5 % less than with the
 * next one, of 1 KiB 25 %). */
static inline long row_ahead(long columns)
{
    enum { AHEAD_BYTES = 6144 };
    return columns * ceil_divide(AHEAD_BYTES / REAL_BYTES, columns);
}

/* Rows that a chunk holds, past the caches. Four rows together came at 3/4 of this
 * on Zen 4: memory rested while their moments were computed. */
ALWAYS_INLINE void rows_one_by_one(rows_measure *const measure, rows_scale *const scale_of,
                                   rows_map *const map, map_element *const element,
                                   const struct rows *rows, struct part part)
{
    const long columns = rows->segments * rows->length, ahead = row_ahead(columns);
    for (long row = part.begin; row < part.end; row++) {
        const real *const x = rows->x + row * columns;
        const struct moments moments = measure(x, columns, ahead);
        const double scale = scale_of(moments, rows->epsilon);
        for (long segment = 0; segment < rows->segments; segment++) {
            const long at = segment * rows->length;
            const struct lane lane = {map(rows->call, moments.mean, scale, row, segment), x + at,
                                      rows->out + row * columns + at};
            map_lanes(element, &lane, 1, rows->length, true, ahead);
        }
    }
}

/* Rows of which several fit the cache where they wait for their second reading are mapped together:
 * past the caches from distant places, for more of memory at once, else neighbours. */
ALWAYS_INLINE void rows_run_as(rows_measure *const measure, moments_join *const join,
                               rows_scale *const scale_of, rows_map *const map,
                               map_element *const element, const struct rows *rows,
                               const bool is_streamed)
{
    const struct call *call = rows->call;
    const long columns = rows->segments * rows->length;
    const struct share share = rows_share(call, rows->count, columns);
    const double cache_bytes = is_streamed ? call->caches.l2_bytes / 2 : call->caches.l1_bytes;
    const long end = share.rows.end;
    long row = share.rows.begin;
    if (is_streamed && measure && !share.is_split && columns <= ROW_CHUNK) {
        rows_one_by_one(measure, scale_of, map, element, rows, share.rows);
        return;
    }
    if (!share.is_split && 2.0 * SWEEP_LANES * (double)columns * REAL_BYTES <= cache_bytes) {
        /* So that rows `pitch` apart are equally aligned. */
        const long line = 64 / REAL_BYTES, lane = (end - row) / SWEEP_LANES / line * line;
        for (long i = 0; is_streamed && i < lane; i++)
            rows_together(measure, scale_of, map, element, rows, row + i, lane, true);
        row += is_streamed ? SWEEP_LANES * lane : 0;
        for (; !is_streamed && row + SWEEP_LANES <= end; row += SWEEP_LANES)
            rows_together(measure, scale_of, map, element, rows, row, 1, false);
    }
    for (; row < end; row++)
        rows_alone(measure, join, scale_of, map, element, rows, row, share.columns, share.is_split,
                   is_streamed);
}

ALWAYS_INLINE bool rows_exceed_caches(const struct call *call)
{
    return 2.0 * (double)call->outputs * REAL_BYTES > call->caches.last_level_bytes;
}

ALWAYS_INLINE void rows_run(rows_measure *const measure, moments_join *const join,
                            rows_scale *const scale_of, rows_map *const map,
                            map_element *const element, const struct rows *rows)
{
    if (rows_exceed_caches(rows->call)) {
        rows_run_as(measure, join, scale_of, map, element, rows, true);
        vec_stream_fence();
    } else {
        rows_run_as(measure, join, scale_of, map, element, rows, false);
    }
}

#endif
#endif
