// direct_tile.h - the register tile of direct convolution: output pixels x vectors of output
// channels, summed over taps and input channels.
#ifndef ROOFLINE_DIRECT_TILE_H
#define ROOFLINE_DIRECT_TILE_H

/* The pixels of a tile are two runs of neighbours in rows, as images are as narrow as 7 pixels and
 * the run of a narrow one goes with that of the next row. 6 pixels x 4 vectors of sums, the vectors
 * of weights and an input element take 29 of 32 registers; few loads per FMA matter more than more
 * sums: 14 x 2 was 7 % slower. With 16 registers 4 x 3, whose third vector of weights each product
 * has within itself, take 15: a tenth fewer instructions than 6 x 2, 2 to 3 % of the time, more
 * where another thread has half of the core's. Tiles of fewer vectors, at the edge or of few
 * channels, have longer runs, so that the sums are as many: else what a tile takes beside its
 * products is as much, and cores with two pipes of FMA wait for loads, one per vector of weights
 * and pixel. */
enum { TILE_RUNS = 2 };
/* Runs of up to so many pixels are there for panels of every width but three of 16 registers. */
enum { RUN_PIXELS_LEAST = 3 };
#define PANEL_VECTORS_OF(registers) ((registers) >= 32 ? 4 : 3)

/* Vectors of sums of a run. */
#define RUN_SUMS_OF(registers) ((registers) >= 32 ? 12 : 6)

#ifdef ISA

#include "convolution.h"
#include "lengths.h"
#include "steps_apply.h"
#include "sweep.h"
#include "vec.h"

enum {
    TILE_VECTORS = PANEL_VECTORS_OF(VEC_REGISTERS),
    RUN_PIXELS_MOST = RUN_SUMS_OF(VEC_REGISTERS),
    PANEL = TILE_VECTORS * VLEN,
    WEIGHTS_KEPT = VEC_REGISTERS >= 32 ? 4 : 2, /* each product reads what is behind them */
    /* Steps that are unrolled, and between two times that something of what comes next is asked
     * for: of steps of few FMAs it would take 6 % of the time in every fourth. */
    AHEAD_STEPS = VEC_REGISTERS >= 32 ? 4 : 8,
    AHEAD_LINES = VEC_REGISTERS >= 32 ? 2 : 3, /* asked for at a time: what pixels read meanwhile */
    /* Pixels that are addressed from one register, no, one or two pitches on: so x86 can. */
    GROUP_PIXELS = 3,
    GROUPS = (RUN_PIXELS_MOST + GROUP_PIXELS - 1) / GROUP_PIXELS,
    LINE_VECTORS = SWEEP_LINE_BYTES / (VLEN * REAL_BYTES)
};

/* Whether a part of a vector is stored at once. */
#define STORES_PARTS (VEC_BYTES == 64)

/* Whether two pitches have a register of their own, rather than an instruction at every step. */
#define HOLDS_TWICE (VEC_REGISTERS < 32)

/* Of a pixel: one that is inside of the image for all, or what else there may be. */
enum taps { TAPS_one, TAPS_several, TAPS_COUNT };

/* What all tiles of a block of a panel have in common. */
struct sums {
    const real *weights;
    const long *tap;                 /* offsets of the taps, */
    long rows, row_taps;             /* so many in each of so many rows, */
    long columns;                    /* of which so many begin steps: all, or one for all */
    long lines, line_step;           /* rows of an image; from one row of taps to the next */
    struct part no_first, no_last;   /* columns of taps in which the first, the last pixel of runs
                                        is outside of the image; never both of several pixels */
    long pieces, piece_step, length; /* `pieces` stretches of `length` input elements */
    long in_pitch, out_pitch;        /* between the pixels of a run */
    long out_at[TILE_VECTORS];       /* where the vectors of a pixel are */
    long last; /* lanes of the last vector that are stored; less than all where STORES_PARTS */
    bool accumulate;
    /* Steps of which the simple ones at the beginning are applied to the tile before it is stored,
     * or NULL; the channel of the first vector, and the output. */
    const struct step *steps;
    long channel;
    const real *output, *addend; /* steps_addend() */
    const char *ahead;           /* the next block, */
    long ahead_step;             /* of which AHEAD_LINES, so many bytes apart, per AHEAD_STEPS */
    long piece_ahead; /* or, if not 0, what is so many elements behind a stretch of the input */
    bool far;         /* the output is, so that its lines are asked for before they are due */
    enum taps taps;
};

/* A way over the runs of some images, in the order run, row, image. */
struct walk {
    const real *in; /* the next run, */
    real *out;
    long line;            /* and the input row of its first tap */
    long run, row;        /* runs left of its row, rows left of its image */
    long runs, rows;      /* of each row, of each image */
    long top, row_lines;  /* the first `line` of an image; from that of a row to the next one's */
    long run_in, run_out; /* elements from one run to the next, */
    long row_in, row_out; /* then, behind the last of a row, to the first of the next, */
    long image_in, image_out; /* and then, behind the last of an image, to that of the next image */
    const char *ahead;        /* what is to be fetched next */
};

static inline void next_run(struct walk *at)
{
    at->in += at->run_in;
    at->out += at->run_out;
    if (--at->run > 0)
        return;
    at->run = at->runs;
    at->in += at->row_in;
    at->out += at->row_out;
    at->line += at->row_lines;
    if (--at->row > 0)
        return;
    at->row = at->rows;
    at->in += at->image_in;
    at->out += at->image_out;
    at->line = at->top;
}

static inline bool part_has(struct part part, long item)
{
    return part.begin <= item && item < part.end;
}

/* Of a tile: pixels [pixel, pixel_end) of runs [run, run_end), so many vectors each. */
struct selection {
    int pixel, pixel_end, run, run_end, vectors;
};

/* A tile that is summed. */
struct tile_sums {
    const struct sums *sums;
    const real *in[TILE_RUNS], *weights;
    real *out[TILE_RUNS];
    const char *ahead;
    int asked; /* pixels of the output */
    vec sum[TILE_RUNS][RUN_PIXELS_MOST][TILE_VECTORS];
};

/* Where the pixels of a selection read, by run and group. */
struct reads {
    const char *group[TILE_RUNS][GROUPS];
    long pitch_bytes, twice_bytes;
};

ALWAYS_INLINE int groups_of(const struct selection of)
{
    return (of.pixel_end - of.pixel + GROUP_PIXELS - 1) / GROUP_PIXELS;
}

ALWAYS_INLINE struct reads reads_of(const struct selection of, const struct tile_sums *tile,
                                    long offset)
{
    struct reads reads;
    reads.pitch_bytes = tile->sums->in_pitch * REAL_BYTES;
    reads.twice_bytes = 2 * reads.pitch_bytes;
    UNROLL(TILE_RUNS)
    for (int run = of.run; run < of.run_end; run++)
        UNROLL(GROUPS)
    for (int i = 0; i < groups_of(of); i++)
        reads.group[run][i] = (const char *)(tile->in[run] + offset) +
                              (of.pixel + i * GROUP_PIXELS) * reads.pitch_bytes;
    return reads;
}

/* On by so many input elements; pinned at every step, also where it stays: else GCC keeps an
 * address for each pixel, most of them in memory, with 24 pixels another load for every second
 * product. */
ALWAYS_INLINE void read_on(const struct selection of, const int elements, struct reads *reads)
{
    UNROLL(TILE_RUNS)
    for (int run = of.run; run < of.run_end; run++)
        UNROLL(GROUPS)
    for (int i = 0; i < groups_of(of); i++) {
        reads->group[run][i] += elements * REAL_BYTES;
        PIN_WORD(reads->group[run][i]);
    }
    PIN_WORD(reads->pitch_bytes);
    if (HOLDS_TWICE && of.pixel_end - of.pixel > 2)
        PIN_WORD(reads->twice_bytes);
}

/* One input channel of one tap, so many elements on. */
ALWAYS_INLINE void sum_step(const struct selection of, const struct reads *reads, const int element,
                            const real *weights, vec sum[TILE_RUNS][RUN_PIXELS_MOST][TILE_VECTORS])
{
    vec weight[TILE_VECTORS];
    const int kept = of.vectors < WEIGHTS_KEPT ? of.vectors : WEIGHTS_KEPT;
    UNROLL(TILE_VECTORS)
    for (int j = 0; j < kept; j++) {
        weight[j] = vec_load(weights + j * VLEN);
        PIN(weight[j]); /* else GCC folds the load into every use */
    }
    UNROLL(TILE_RUNS)
    for (int run = of.run; run < of.run_end; run++)
        UNROLL(RUN_PIXELS_MOST)
    for (int i = of.pixel; i < of.pixel_end; i++) {
        const int in_group = (i - of.pixel) % GROUP_PIXELS;
        const char *group = reads->group[run][(i - of.pixel) / GROUP_PIXELS];
        const char *at =
            group +
            (HOLDS_TWICE && in_group == 2 ? reads->twice_bytes : in_group * reads->pitch_bytes) +
            element * REAL_BYTES;
        vec x = vec_all(*(const real *)at);
        /* Of several products, else GCC loads those of later steps, too, and has no register for
         * some sums. The only one has the load within it. */
        if (of.vectors > 1)
            PIN(x);
        UNROLL(TILE_VECTORS)
        for (int j = 0; j < of.vectors; j++)
            if (j >= kept)
                vec_add_product_of(&sum[run][i][j], x, weights + j * VLEN);
            else if (of.vectors > 1)
                vec_add_product(&sum[run][i][j], x, weight[j]);
            else
                sum[run][i][j] += x * weight[j];
    }
}

/* A pixel at a time of the output is asked for: all would delay the loads. Vectors that begin
 * within a line come with the one before, but the rare ones that lie across two. */
ALWAYS_INLINE void ask_for_output(const int pixels, const int runs, const int vectors,
                                  struct tile_sums *tile)
{
    if (tile->asked >= pixels * runs)
        return;
    /* Not by an index: Clang would keep the whole struct in memory. */
    const bool is_first = tile->asked < pixels;
    const real *to = (is_first ? tile->out[0] : tile->out[runs - 1]) +
                     (is_first ? tile->asked : tile->asked - pixels) * tile->sums->out_pitch;
    UNROLL(TILE_VECTORS)
    for (int j = 0; j < vectors; j += LINE_VECTORS)
        __builtin_prefetch(to + tile->sums->out_at[j], 1);
    if (tile->sums->addend)
        UNROLL(TILE_VECTORS)
    for (int j = 0; j < vectors; j += LINE_VECTORS)
        __builtin_prefetch(tile->sums->addend + (to - tile->sums->output) + tile->sums->out_at[j]);
    tile->asked++;
}

/* One tap, or several, of all pixels of a tile: so many stretches from `offset` on. */
ALWAYS_INLINE void sum_whole(const int pixels, const int runs, const int vectors, long offset,
                             long pieces, long piece_step, struct tile_sums *tile)
{
    const struct sums *sums = tile->sums;
    const struct selection of = {0, pixels, 0, runs, vectors};
    for (long piece = 0; piece < pieces; piece++, offset += piece_step) {
        struct reads reads = reads_of(of, tile, offset);
        long rest = sums->length;
        if (sums->piece_ahead > 0)
            tile->ahead = (const char *)(tile->in[0] + offset + sums->piece_ahead);
        for (; rest >= AHEAD_STEPS; rest -= AHEAD_STEPS) {
            ask_for_output(pixels, runs, vectors, tile);
            /* Of few tiles each has more than a line to fetch. */
            UNROLL(AHEAD_LINES)
            for (int line = 0; line < AHEAD_LINES; line++, tile->ahead += sums->ahead_step)
                __builtin_prefetch(tile->ahead, 0, 2);
            UNROLL(AHEAD_STEPS)
            for (int step = 0; step < AHEAD_STEPS; step++) {
                sum_step(of, &reads, step, tile->weights, tile->sum);
                read_on(of, step + 1 < AHEAD_STEPS ? 0 : AHEAD_STEPS, &reads);
                tile->weights += vectors * VLEN;
            }
        }
        for (; rest > 0; rest--) {
            sum_step(of, &reads, 0, tile->weights, tile->sum);
            read_on(of, 1, &reads);
            tile->weights += vectors * VLEN;
        }
    }
}

/* One tap of some pixels: the others have it outside of the image. */
ALWAYS_INLINE void sum_some(const struct selection of, long offset, struct tile_sums *tile)
{
    const struct sums *sums = tile->sums;
    if (of.pixel == of.pixel_end) {
        tile->weights += sums->pieces * sums->length * of.vectors * VLEN;
        return;
    }
    const long ahead_bytes = sums->ahead_step * AHEAD_LINES / AHEAD_STEPS;
    for (long piece = 0; piece < sums->pieces; piece++, offset += sums->piece_step) {
        struct reads reads = reads_of(of, tile, offset);
        for (long rest = sums->length; rest > 0; rest--) {
            __builtin_prefetch(tile->ahead, 0, 2);
            tile->ahead += ahead_bytes;
            sum_step(of, &reads, 0, tile->weights, tile->sum);
            read_on(of, 1, &reads);
            tile->weights += of.vectors * VLEN;
        }
    }
}

/* Whether taps of rows one after another are stretches at the same distance, of all pixels. */
static inline bool joins_rows(const struct sums *sums)
{
    return sums->columns == 1 && sums->pieces == 1 && !part_has(sums->no_first, 0) &&
           !part_has(sums->no_last, 0);
}

/* So many rows of taps, more than one where these join, of all runs or of one of them. */
ALWAYS_INLINE void sum_rows(const int pixels, const int runs, const struct selection of, long row,
                            long rows, struct tile_sums *tile)
{
    const struct sums *sums = tile->sums;
    const bool all = of.run == 0 && of.run_end == runs;
    const long *const tap = sums->tap + row * sums->row_taps;
    struct selection less_first = of, less_last = of;
    less_first.pixel++;
    less_last.pixel_end--;
    for (long column = 0; column < sums->columns; column++) {
        if (part_has(sums->no_first, column))
            sum_some(less_first, tap[column], tile);
        else if (part_has(sums->no_last, column))
            sum_some(less_last, tap[column], tile);
        else if (all)
            sum_whole(pixels, runs, of.vectors, tap[column], rows > 1 ? rows : sums->pieces,
                      rows > 1 ? tap[sums->row_taps] - tap[0] : sums->piece_step, tile);
        else
            sum_some(of, tap[column], tile);
    }
}

/* The sums, behind those of the blocks before, and with the steps, into the output. */
ALWAYS_INLINE void finish_sums(const int pixels, const int runs, const int vectors,
                               const struct sums *sums, real *const out[TILE_RUNS],
                               vec sum[TILE_RUNS][RUN_PIXELS_MOST][TILE_VECTORS])
{
    const bool is_part = STORES_PARTS && sums->last < VLEN;
    if (sums->accumulate)
        UNROLL(TILE_RUNS)
    for (int run = 0; run < runs; run++)
        UNROLL(RUN_PIXELS_MOST)
    for (int i = 0; i < pixels; i++)
        UNROLL(TILE_VECTORS)
    for (int j = 0; j < vectors; j++) {
        const real *at = out[run] + i * sums->out_pitch + sums->out_at[j];
        sum[run][i][j] +=
            is_part && j == vectors - 1 ? vec_load_first(at, sums->last) : vec_load(at);
    }
    if (sums->steps)
        UNROLL(TILE_RUNS)
    for (int run = 0; run < runs; run++)
        steps_apply_tile(
            sums->steps, sum[run][0], pixels, vectors, TILE_VECTORS,
            (struct step_place){0, sums->channel, out[run] - sums->output + sums->out_at[0]},
            sums->out_pitch, vectors > 1 ? sums->out_at[1] - sums->out_at[0] : VLEN);
    long out_at[TILE_VECTORS]; /* else read anew behind each store, which may have changed it */
    UNROLL(TILE_VECTORS)
    for (int j = 0; j < vectors; j++)
        out_at[j] = sums->out_at[j];
    const long last = sums->last;
    long out_pitch = sums->out_pitch;
    PIN_WORD(out_pitch); /* else multiples of it are kept in memory while sums need registers */
    UNROLL(TILE_RUNS)
    for (int run = 0; run < runs; run++)
        UNROLL(RUN_PIXELS_MOST)
    for (int i = 0; i < pixels; i++)
        UNROLL(TILE_VECTORS)
    for (int j = 0; j < vectors; j++) {
        real *at = out[run] + i * out_pitch + out_at[j];
        if (is_part && j == vectors - 1)
            vec_store_first(at, sum[run][i][j], last);
        else
            vec_store(at, sum[run][i][j]);
    }
}

/* All taps of a tile. */
ALWAYS_INLINE void sum_taps(const int pixels, const int runs, const int vectors,
                            const struct part inside[TILE_RUNS], struct tile_sums *tile)
{
    const struct sums *sums = tile->sums;
    const long row_steps = sums->columns * sums->pieces * sums->length;
    const struct part first = inside[0], last = inside[runs - 1];
    long row = smaller(first.begin, last.begin);
    tile->weights += row * row_steps * vectors * VLEN;
    for (long rows = 1; row < first.end || row < last.end; row += rows) {
        const bool is_first = part_has(first, row), is_last = part_has(last, row);
        const struct selection both = {0, pixels, 0, runs, vectors};
        struct selection one = both;
        rows = 1;
        if (runs == 1 || (is_first && is_last)) {
            if (joins_rows(sums))
                rows = smaller(first.end, last.end) - row;
            sum_rows(pixels, runs, both, row, rows, tile);
        } else if (is_first) {
            one.run_end = 1;
            sum_rows(pixels, runs, one, row, 1, tile);
        } else if (is_last) {
            one.run = 1;
            sum_rows(pixels, runs, one, row, 1, tile);
        } else {
            tile->weights += row_steps * vectors * VLEN;
        }
    }
}

/* The next `runs` runs of `pixels` pixels; these and the taps are constants where
 * this is inlined. */
ALWAYS_INLINE void sum_tile(const int pixels, const int runs, const int vectors,
                            const enum taps taps, const struct sums *sums, struct walk *walk)
{
    struct tile_sums tile; /* not initialised as a whole: GCC would clear the sums in memory */
    tile.sums = sums;
    tile.weights = sums->weights;
    tile.ahead = walk->ahead;
    tile.asked = sums->far ? 0 : pixels * runs;
    struct part inside[TILE_RUNS];
    UNROLL(TILE_RUNS)
    for (int run = 0; run < runs; run++) {
        tile.in[run] = walk->in;
        tile.out[run] = walk->out;
        if (taps != TAPS_one)
            inside[run] = taps_in_image(walk->line, sums->rows, sums->line_step, sums->lines);
        next_run(walk);
    }
    vec zero = vec_all(0);
    PIN(zero); /* else Clang clears two sums at a time by memset, and keeps all of them in memory */
    UNROLL(TILE_RUNS)
    for (int run = 0; run < runs; run++)
        UNROLL(RUN_PIXELS_MOST)
    for (int i = 0; i < pixels; i++)
        UNROLL(TILE_VECTORS)
    for (int j = 0; j < vectors; j++)
        tile.sum[run][i][j] = zero;
    if (taps == TAPS_one)
        sum_whole(pixels, runs, vectors, sums->tap[0], sums->pieces, sums->piece_step, &tile);
    else
        sum_taps(pixels, runs, vectors, inside, &tile);
    walk->ahead = tile.ahead;
    finish_sums(pixels, runs, vectors, sums, tile.out, tile.sum);
}

/* With few registers: what steps need lasts no longer than they do, else it takes those of sums. */
#if defined(__GNUC__) && !defined(__clang__) && VEC_REGISTERS < 32
#define NOT_HOISTED __attribute__((optimize("no-move-loop-invariants")))
#else
#define NOT_HOISTED
#endif

/* Some tiles, a function for each number of pixels, runs and vectors: what is between two of them
 * is short enough to be done while the first is still summed. One tile is a function, too: UNROLL()
 * of vec.h. */
#define TILE(taps, pixels, runs, vectors)                                                          \
    ALWAYS_INLINE void one_##taps##_##pixels##_##runs##_##vectors(const struct sums *sums,         \
                                                                  struct walk *walk)               \
    {                                                                                              \
        sum_tile(pixels, runs, vectors, TAPS_##taps, sums, walk);                                  \
    }                                                                                              \
    NOT_HOISTED static void tile_##taps##_##pixels##_##runs##_##vectors(                           \
        const struct sums *sums, struct walk *walk, long count)                                    \
    {                                                                                              \
        struct walk at = *walk;                                                                    \
        for (; count > 0; count--)                                                                 \
            one_##taps##_##pixels##_##runs##_##vectors(sums, &at);                                 \
        *walk = at;                                                                                \
    }
#define SINGLE(X, taps, pixels, vectors) X(taps, pixels, 1, vectors) X(taps, pixels, 2, vectors)
#define TRIPLE(X, taps, a, b, c, vectors)                                                          \
    SINGLE(X, taps, a, vectors) SINGLE(X, taps, b, vectors) SINGLE(X, taps, c, vectors)
#define UP_TO_3(X, taps, vectors) TRIPLE(X, taps, 1, 2, 3, vectors)
#define UP_TO_6(X, taps, vectors) UP_TO_3(X, taps, vectors) TRIPLE(X, taps, 4, 5, 6, vectors)
#define UP_TO_9(X, taps, vectors) UP_TO_6(X, taps, vectors) TRIPLE(X, taps, 7, 8, 9, vectors)
#define UP_TO_12(X, taps, vectors) UP_TO_9(X, taps, vectors) TRIPLE(X, taps, 10, 11, 12, vectors)
#if VEC_REGISTERS >= 32
#define WIDE(X, taps) UP_TO_3(X, taps, 4) UP_TO_3(X, taps, 3) SINGLE(X, taps, 4, 3)
#define EACH_TILE(X, taps) WIDE(X, taps) UP_TO_6(X, taps, 2) UP_TO_12(X, taps, 1)
#else
#define WIDE(X, taps) SINGLE(X, taps, 1, 3) SINGLE(X, taps, 2, 3)
#define EACH_TILE(X, taps) WIDE(X, taps) UP_TO_3(X, taps, 2) UP_TO_6(X, taps, 1)
#endif
EACH_TILE(TILE, one)
EACH_TILE(TILE, several)
typedef void tile_function(const struct sums *sums, struct walk *walk, long count);
#define TILE_ENTRY(taps, pixels, runs, vectors)                                                    \
    [(pixels)-1][(runs)-1][(vectors)-1] = tile_##taps##_##pixels##_##runs##_##vectors,
static tile_function *const tiles[TAPS_COUNT][RUN_PIXELS_MOST][TILE_RUNS][TILE_VECTORS] = {
    {EACH_TILE(TILE_ENTRY, one)}, {EACH_TILE(TILE_ENTRY, several)}};

/* The function for so many of each. */
static inline tile_function *tile_for(const struct sums *sums, long pixels, long runs, long vectors)
{
    return tiles[sums->taps][pixels - 1][runs - 1][vectors - 1];
}

#endif
#endif
