// direct_tile.h - the register tile of direct convolution: output pixels x vectors of output
// channels, summed over taps and input channels.
#ifndef ROOFLINE_DIRECT_TILE_H
#define ROOFLINE_DIRECT_TILE_H

/* The pixels of a tile are two runs of neighbours in rows, as images are as narrow as 7 pixels and
 * the run of a narrow one goes with that of the next row. 6 pixels x 4 vectors of sums, the vectors
 * of weights and an input element take 29 of 32 registers, 6 x 2 take 15 of 16; few loads per FMA
 * matter more than more sums: 14 x 2 was 7 % slower. */
enum { RUN_PIXELS = 3, TILE_RUNS = 2 };
#define TILE_VECTORS_OF(registers) ((registers) >= 32 ? 4 : 2)

#ifdef ISA

#include "steps_apply.h"
#include "vec.h"

enum {
    TILE_VECTORS = TILE_VECTORS_OF(VEC_REGISTERS),
    PANEL = TILE_VECTORS * VLEN,
    AHEAD_STEPS = 4 /* that are unrolled, and between two fetches of what comes next */
};

/* What all tiles of a block of a panel have in common. */
struct sums {
    const real *weights;
    const long *tap;
    long taps, tap_step;             /* of the taps, those that begin */
    long pieces, piece_step, length; /* `pieces` stretches of `length` input elements */
    long in_pitch, out_pitch;        /* between the pixels of a run */
    long out_at[TILE_VECTORS];       /* where the vectors of a pixel are */
    bool accumulate;
    /* Steps of which the simple ones at the beginning are applied to the tile before it is stored,
     * or NULL; the channel of the first vector, and the output. */
    const struct step *steps;
    long channel;
    const real *output;
    long ahead_bytes; /* fetched of the next block per AHEAD_STEPS */
    bool far;         /* the output is, so that its lines are asked for before they are due */
};

/* A way over the runs of some images, in the order run, row, image. */
struct walk {
    const real *in; /* the next run, */
    real *out;
    long run, row;                    /* the runs left of its row, the rows left of its image */
    long runs, rows;                  /* of a row, of an image */
    long run_in, row_in, image_in;    /* from one to the next, the latter two behind all runs of */
    long run_out, row_out, image_out; /* a row, all rows of an image */
    const char *ahead;                /* what is to be fetched meanwhile */
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
    if (--at->row > 0)
        return;
    at->row = at->rows;
    at->in += at->image_in;
    at->out += at->image_out;
}

/* One input channel of one tap. */
ALWAYS_INLINE void sum_step(const int pixels, const int runs, const int vectors,
                            const real *const in[TILE_RUNS], long pitch, const real *weights,
                            vec sum[TILE_RUNS][RUN_PIXELS][TILE_VECTORS])
{
    vec weight[TILE_VECTORS];
    UNROLL(TILE_VECTORS)
    for (int j = 0; j < vectors; j++) {
        weight[j] = vec_load(weights + j * VLEN);
        PIN(weight[j]); /* else GCC folds the load into every use */
    }
    UNROLL(TILE_RUNS)
    for (int run = 0; run < runs; run++)
        UNROLL(RUN_PIXELS)
    for (int i = 0; i < pixels; i++) {
        vec x = vec_all(in[run][i * pitch]);
        UNROLL(TILE_VECTORS)
        for (int j = 0; j < vectors; j++)
            sum[run][i][j] += x * weight[j];
    }
}

/* The sums, behind those of the blocks before, and with the steps, into the output. */
ALWAYS_INLINE void finish_sums(const int pixels, const int runs, const int vectors,
                               const struct sums *sums, real *const out[TILE_RUNS],
                               vec sum[TILE_RUNS][RUN_PIXELS][TILE_VECTORS])
{
    if (sums->accumulate)
        UNROLL(TILE_RUNS)
    for (int run = 0; run < runs; run++)
        UNROLL(RUN_PIXELS)
    for (int i = 0; i < pixels; i++)
        UNROLL(TILE_VECTORS)
    for (int j = 0; j < vectors; j++)
        sum[run][i][j] += vec_load(out[run] + i * sums->out_pitch + sums->out_at[j]);
    if (sums->steps)
        UNROLL(TILE_RUNS)
    for (int run = 0; run < runs; run++)
        steps_apply_tile(
            sums->steps, sum[run][0], pixels, vectors, TILE_VECTORS,
            (struct step_place){0, sums->channel, out[run] - sums->output + sums->out_at[0]},
            sums->out_pitch, vectors > 1 ? sums->out_at[1] - sums->out_at[0] : VLEN);
    UNROLL(TILE_RUNS)
    for (int run = 0; run < runs; run++)
        UNROLL(RUN_PIXELS)
    for (int i = 0; i < pixels; i++)
        UNROLL(TILE_VECTORS)
    for (int j = 0; j < vectors; j++)
        vec_store(out[run] + i * sums->out_pitch + sums->out_at[j], sum[run][i][j]);
}

/* The next `runs` runs of `pixels` pixels, constants where this is inlined. */
ALWAYS_INLINE void sum_tile(const int pixels, const int runs, const int vectors,
                            const struct sums *sums, struct walk *walk)
{
    const real *start[TILE_RUNS];
    real *out[TILE_RUNS];
    UNROLL(TILE_RUNS)
    for (int run = 0; run < runs; run++) {
        start[run] = walk->in;
        out[run] = walk->out;
        next_run(walk);
    }
    vec sum[TILE_RUNS][RUN_PIXELS][TILE_VECTORS];
    UNROLL(TILE_RUNS)
    for (int run = 0; run < runs; run++)
        UNROLL(RUN_PIXELS)
    for (int i = 0; i < pixels; i++)
        UNROLL(TILE_VECTORS)
    for (int j = 0; j < vectors; j++)
        sum[run][i][j] = vec_all(0);
    const real *weights = sums->weights;
    const char *ahead = walk->ahead;
    int asked = sums->far ? 0 : pixels * runs;
    for (long tap = 0; tap < sums->taps; tap += sums->tap_step)
        for (long piece = 0; piece < sums->pieces; piece++) {
            const long offset = sums->tap[tap] + piece * sums->piece_step;
            const real *in[TILE_RUNS] = {start[0] + offset, start[runs - 1] + offset};
            long rest = sums->length;
            for (; rest >= AHEAD_STEPS; rest -= AHEAD_STEPS) {
                if (asked < pixels * runs) { /* a pixel at a time: all would delay the loads */
                    const real *to = out[asked / pixels] + asked % pixels * sums->out_pitch;
                    UNROLL(TILE_VECTORS)
                    for (int j = 0; j < vectors; j++)
                        __builtin_prefetch(to + sums->out_at[j], 1);
                    asked++;
                }
                __builtin_prefetch(ahead, 0, 2);
                ahead += sums->ahead_bytes;
                UNROLL(AHEAD_STEPS)
                for (int step = 0; step < AHEAD_STEPS; step++) {
                    sum_step(pixels, runs, vectors, in, sums->in_pitch, weights, sum);
                    in[0]++, in[1]++, weights += vectors * VLEN;
                }
            }
            for (; rest > 0; rest--) {
                sum_step(pixels, runs, vectors, in, sums->in_pitch, weights, sum);
                in[0]++, in[1]++, weights += vectors * VLEN;
            }
        }
    walk->ahead = ahead;
    finish_sums(pixels, runs, vectors, sums, out, sum);
}

/* Some tiles, a function for each number of pixels, runs and vectors: what is between two of them
 * is short enough to be done while the first is still summed. */
#define TILE(pixels, runs, vectors)                                                                \
    static void tile_##pixels##_##runs##_##vectors(const struct sums *sums, struct walk *walk,     \
                                                   long count)                                     \
    {                                                                                              \
        struct walk at = *walk;                                                                    \
        for (; count > 0; count--)                                                                 \
            sum_tile(pixels, runs, vectors, sums, &at);                                            \
        *walk = at;                                                                                \
    }
#if TILE_VECTORS_OF(VEC_REGISTERS) == 4
#define EACH_WIDTH(X, pixels, runs)                                                                \
    X(pixels, runs, 1) X(pixels, runs, 2) X(pixels, runs, 3) X(pixels, runs, 4)
#else
#define EACH_WIDTH(X, pixels, runs) X(pixels, runs, 1) X(pixels, runs, 2)
#endif
#define TILE_NAME(pixels, runs, vectors) tile_##pixels##_##runs##_##vectors,
#define TILES(pixels) EACH_WIDTH(TILE, pixels, 1) EACH_WIDTH(TILE, pixels, 2)
#define TILE_NAMES(pixels) {{EACH_WIDTH(TILE_NAME, pixels, 1)}, {EACH_WIDTH(TILE_NAME, pixels, 2)}},
TILES(1)
TILES(2)
TILES(3) typedef void tile_function(const struct sums *sums, struct walk *walk, long count);
static tile_function *const tiles[RUN_PIXELS][TILE_RUNS][TILE_VECTORS] = {
    TILE_NAMES(1) TILE_NAMES(2) TILE_NAMES(3)};

#endif
#endif
